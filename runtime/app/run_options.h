/* What was given for the rows of options.def, which hcc and built executables share, and what of it
 * training, evaluation, sampling and timing take. */
#ifndef HC_RUN_OPTIONS_H
#define HC_RUN_OPTIONS_H

#include "runtime/app/command_line.h"
#include "runtime/bench/bench.h"
#include "runtime/sample/sample.h"
#include "runtime/train/train.h"

typedef struct {
#define RUN_OPTION(ident, long_name, short_name, kind, value, of_hcc, of_executables, help)        \
    HC_OPTION_TYPE_##kind ident;
#include "runtime/app/options.def"
} HcRunOptions;

/* False, and what is wrong with a value was said. bench: steps are timed, so there is one at least.
 */
bool hc_run_options_valid(const HcCommandLine *line, const HcRunOptions *given, bool bench);

/* `train` begins a run or, with --resume, goes on with one: which takes no argument, and only the
 * options that say so. False, and what is wrong was said. */
bool hc_train_options_valid(const HcCommandLine *line, const char *resume);

/* Stops at signals; progress is shown on `err`. --set, --steps and --seed are the caller's to add.
 */
HcTrainOptions hc_train_options(const HcRunOptions *given, FILE *err);
/* `run`: a run folder or checkpoint. */
HcEvalOptions hc_eval_options(const HcRunOptions *given, const char *run, FILE *err);
HcSampleOptions hc_sample_options(const HcRunOptions *given, const char *run, FILE *err);
HcBenchOptions hc_bench_options(const HcRunOptions *given, FILE *notes);

#endif
