/* What the table's loop and its rows share. */
#ifndef HCC_COMPILE_COMPILE_INTERNAL_H
#define HCC_COMPILE_COMPILE_INTERNAL_H

#include "compile/compile.h"

typedef CompileStatus CompilePass(CompileRun *run);

#define PASS(ident, name, takes, gives, when, purpose) CompilePass run_##name;
#include "compile/passes.def"
#undef PASS
/* In the place of run_object: code of this process. */
CompilePass run_load;

/* Runs what is no row, such as reading a later form, as if it were one. */
CompileStatus compile_step(CompileRun *run, const char *name, CompileForm gives, CompilePass *pass);
/* What sema is to be told of an export, and the export itself: after it, the network's program is
 * the part. OPTIONS, and a message, where there is no such part. */
void compile_prepare_export(CompileRun *run);
CompileStatus compile_export(CompileRun *run);
/* Parses what the text uses; what cannot be read is told in the diagnostics. */
void compile_uses(CompileRun *run);
/* REFUSED when the diagnostics hold an error. */
CompileStatus compile_reported(const CompileRun *run);

#endif
