/* A network's check: what computes it, with which data, and the differences. */
#include "gradcheck/gradcheck_internal.h"
#include "pass/pass.h"
#include <string.h>

enum { SAMPLES = 2, POSITIONS = 6, OF_OTHERS = 5 }; /* of further spaces: another number */

typedef struct {
    TirProgram *program;
    GradSize size;
    TirProgram *values, *loss; /* of what is held; see pass_hold */
    bool holds;
    GradEvaluator *evaluator;
    GradReport *report;
} GradWork;

static bool gradcheck_counts(const TirBlock *block) {
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (node->op == TIR_STEP ||
            (tir_op_has_body(node->op) && gradcheck_counts(node->attr.body)))
            return true;
    }
    return false;
}

/* What depends on the step is looked at half-way: what is 0 at first, or at last, is neither. */
static GradSize gradcheck_size(const TirProgram *program, int64_t steps, uint64_t seed) {
    GradSize size = {.samples = SAMPLES,
                     .positions = {1},
                     .seed = seed,
                     .step = gradcheck_counts(program->block) ? steps / 2 : 0,
                     .steps = steps};
    for (uint32_t k = 0; k < program->spaces.count; k++) {
        const uint32_t most = program->spaces.at[k].maximum, wanted = k ? OF_OTHERS : POSITIONS;
        size.positions[k] = most < wanted ? most : wanted;
    }
    return size;
}

static CompileStatus gradcheck_hold(CompileRun *run, void *context) {
    (void)run;
    GradWork *work = context;
    work->holds = pass_hold(work->program, &work->values, &work->loss);
    return COMPILE_DONE;
}

static CompileStatus gradcheck_compare(CompileRun *run, void *context) {
    GradWork *work = context;
    gradcheck_run(work->program, work->evaluator, work->size.seed, run->c->arena, work->report);
    return COMPILE_DONE;
}

static CompileStatus gradcheck_evaluator(CompileRun *run, TirProgram *program, bool interpret,
                                         GradSize size, GradEvaluator **evaluator) {
    Network network = *run->network;
    network.program = program;
    if (!interpret)
        return gradcheck_native(run, &network, size, evaluator);
    *evaluator = gradcheck_interpreter(program, size, run->c->arena);
    return COMPILE_DONE;
}

static void gradcheck_destroy(GradEvaluator *evaluator) {
    if (evaluator && evaluator->destroy)
        evaluator->destroy(evaluator);
}

CompileStatus gradcheck_network(CompileRun *run, bool interpret, uint64_t seed,
                                GradReport *report) {
    TirProgram *program = run->network->program;
    GradWork work = {.program = program,
                     .size = gradcheck_size(program, (int64_t)run->network->recipe.steps, seed),
                     .report = report};
    GradEvaluator *between = NULL;
    CompileStatus status = compile_work(run, "hold", gradcheck_hold, &work);
    if (status == COMPILE_DONE)
        status = gradcheck_evaluator(run, program, interpret, work.size, &work.evaluator);
    if (status == COMPILE_DONE && work.holds) {
        status = gradcheck_evaluator(run, work.loss, interpret, work.size, &between);
        if (status == COMPILE_DONE)
            work.evaluator =
                gradcheck_holding(work.evaluator, between, work.values, work.size, run->c->arena);
    }
    if (status == COMPILE_DONE)
        status = compile_work(run, "gradcheck", gradcheck_compare, &work);
    if (status == COMPILE_DONE) {
        report->samples = work.size.samples;
        report->n_spaces = program->spaces.count;
        memcpy(report->positions, work.size.positions, sizeof report->positions);
    }
    gradcheck_destroy(work.evaluator);
    return status;
}
