/* The order of things: text -> tree -> network -> gradient -> plan -> kernels -> code. Every step
 * runs under a name, for --time-passes, --print-after and the message of a fault. */
#ifndef HCC_DRIVER_PIPELINE_H
#define HCC_DRIVER_PIPELINE_H

#include "driver/driver.h"
#include "sema/sema.h"
#include "syntax/parse.h"

bool pipeline_options_valid(Driver *d); /* says what is wrong with --print-after, --stage */

/* A step: `double begun = pipeline_begin(d, "sema"); ... pipeline_end(d, "sema", begun);` */
double pipeline_begin(Driver *d, const char *name);
void pipeline_end(Driver *d, const char *name, double begun);
bool pipeline_prints(const Driver *d, const char *name); /* --print-after=NAME */
/* After a pass over tensor IR: ends the step, verifies, prints when asked to. */
ExitCode pipeline_end_tir(Driver *d, const char *name, double begun, const TirProgram *program);

ExitCode pipeline_parse(Driver *d, const char *path, Ast **ast);
/* What --set says, as overrides. */
typedef struct {
    const Override *at;
    uint32_t count;
} OverrideList;
OverrideList pipeline_overrides(Driver *d);
/* Parses, checks and elaborates a file of the sources, and reports. *network is NULL for a file
 * without a model. */
ExitCode pipeline_check(Driver *d, uint32_t file, OverrideList overrides, const char *model,
                        Network **network);
/* The same with the options' --set and --model for a path; a file without a model is an error. */
ExitCode pipeline_network(Driver *d, const char *path, Network **network);
ExitCode pipeline_read_tir(Driver *d, const char *path, TirProgram **program);
/* Appends the gradient, canonicalises and removes what is dead; *program is replaced. */
ExitCode pipeline_gradient(Driver *d, TirProgram **program);

#endif
