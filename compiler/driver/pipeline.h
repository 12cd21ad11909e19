/* The compiler library at work for a command line: its options, its messages, its exit codes. */
#ifndef HCC_DRIVER_PIPELINE_H
#define HCC_DRIVER_PIPELINE_H

#include "compile/compile.h"
#include "driver/driver.h"

enum { STAGE_NAMES = 8 };
extern const char *const stage_names[STAGE_NAMES]; /* of `hcc emit`, in order */
bool pipeline_options_valid(Driver *d); /* says what is wrong with --print-after, --stage */

/* A step that is no pass: `double begun = pipeline_step(d, "link"); ... pipeline_stepped(...)`. */
double pipeline_step(Driver *d, const char *name);
void pipeline_stepped(Driver *d, const char *name, double begun);

/* What --set says, as overrides. */
typedef VEC(Override) OverrideVec;
OverrideVec pipeline_overrides(Driver *d);
/* The options as the library has them. */
CompileOptions pipeline_options(Driver *d);
/* A run that is told of to --time-passes, --print-after and --explain-fusion; end it with
 * pipeline_end, whatever came of it. */
CompileRun pipeline_begin(Driver *d, const CompileOptions *options);
void pipeline_end(Driver *d, CompileRun *run);

/* Runs the rows up to `last` and says what is wrong. From LOWER on objects are kept in the compile
 * cache, but for `hcc emit`. */
ExitCode pipeline_to(Driver *d, CompileRun *run, PassId last);
/* Objects are kept from one run to the next; before the first row from LOWER on. Says what is wrong
 * with the cache's settings. */
ExitCode pipeline_keep(Driver *d, CompileRun *run);
/* Says what came of a call of the library. */
ExitCode pipeline_status(Driver *d, CompileRun *run, CompileStatus status);
/* From the command's argument up to SEMA, at least; a file without a model is an error. */
ExitCode pipeline_model(Driver *d, CompileRun *run, PassId last);

/* Who watches generated code: as asked, and always as this hcc is watched. */
CodegenSanitizer pipeline_sanitizer(const Driver *d);
/* Whether --sanitize names one. */
bool pipeline_check_sanitizer(Driver *d);

/* Loaded into this process, after any pass up to MANIFEST; outlives the run. */
typedef struct {
    Jit *jit;
    const HcModel *model;
} LoadedModel;
ExitCode pipeline_load(Driver *d, CompileRun *run, LoadedModel *loaded);
void pipeline_unload(LoadedModel *loaded);

/* A driver like this one with a compilation of its own, which the caller destroys, so that what
 * many models take is not added up; it says things to `err`. */
Driver pipeline_apart(Driver *d, FILE *err);

/* --- cmd_train.c -------------------------------------------------------------------------------*/

/* Like pipeline_model up to SEMA, for a model that is to be trained on the data that were given:
 * what is wrong with that is said before anything is compiled. */
ExitCode train_model(Driver *d, CompileRun *run);

#endif
