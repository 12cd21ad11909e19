/* A case's program through the table of passes, from where planning begins. */
#ifndef HCC_TESTS_PLAN_CASE_H
#define HCC_TESTS_PLAN_CASE_H

#include "tir_case.h"

#include "compile/compile.h"
#include "compile/memory.h"

/* Before its first planning pass; `p` is in canonical form, with its gradient if it has one. */
static inline CompileRun case_run(Case *c, TirProgram *p, const CompileOptions *options) {
    CompileRun run = compile_begin(c->c, options, NULL);
    compile_from_program(&run, p, PASS_UNROLL);
    *run.network = (Network){.name = "case",
                             .program = p,
                             .space = 1,
                             .recipe = {.lr = 1, .batch = CASE_SAMPLES, .parts = 1, .steps = 1}};
    return run;
}

static inline void case_passed(const CompileRun *run, CompileStatus status) {
    if (status != COMPILE_DONE)
        fail_msg("%s: %s", run->at, run->refused.message ? run->refused.message : run->message);
}

/* Also of a program that cannot meet options->memory. */
static inline Plan *case_plan(Case *c, TirProgram *p, const CompileOptions *options) {
    CompileRun run = case_run(c, p, options);
    const CompileStatus status = compile_to(&run, PASS_MEMORY);
    if (status != COMPILE_RESOURCES || !run.plan->replays.least)
        case_passed(&run, status);
    compile_end(&run);
    return run.plan;
}

/* Bytes of a step beside its plan's. */
static inline uint64_t case_fixed(Case *c, TirProgram *p, bool f64) {
    const HcPrecision precision = f64 ? HC_PRECISION_F64 : HC_PRECISION_F32;
    const CompileOptions options = {.precision = {true, precision}};
    const CompileRun run = case_run(c, p, &options);
    return memory_fixed(run.network, memory_step(run.network, 0, precision), precision);
}

static inline int case_setup(void **state) {
    *state = calloc(1, sizeof(Case));
    return *state ? 0 : -1;
}

static inline int case_teardown(void **state) {
    case_end(*state);
    free(*state);
    return 0;
}

#endif
