/* The body of a SEQUENCE as a plan by itself: one kernel computes all of it, at one position.
 *
 * Requires: a legalised program. The body becomes a program whose inputs are the operands: of a
 * state, what it was before; else what the operand is at the position. Loops of the body that no
 * kernel runs are written out, and where parts of it do not need each other it is that of one. All
 * that is no view is the one group's, in whose inputs and outputs operands and states have their
 * order. Changes nothing of the program.
 *
 *     sequence h0, W, x { tanh(W * arg0 + x) }
 *     →   inputs 0 (h before), 1 (W), 2 (x)     group: %4 = W * h   %5 = %4 + x   %6 = tanh %5 */
#include "pass/rebuild.h"
#include "plan/plan_internal.h"
#include "plan/sequence_parts.h"

/* The same values as a program; its outputs are the next states. */
static TirProgram *program_of(const Plan *plan, const TirNode *node) {
    const TirBlock *body = node->attr.body;
    TirProgram *p = tir_program_like(plan->program);
    TirBuilder b = tir_builder(p, p->block);
    TirId *map = ARENA_ARRAY(p->arena, TirId, body->nodes.count);
    TirId *arguments = ARENA_ARRAY(p->arena, TirId, node->n_operands);
    TirIdVec operands = {0};
    p->params.count = p->inputs.count = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirNode *operand = tir_node(plan->program->block, node->operands[k]);
        const TirType *type = k < node->attr.n_carried ? &body->arguments.at[k] : &operand->type;
        b.name = operand->name;
        arguments[k] = tir_input(
            &b, tir_add_input(p, (TirInput){.name = operand->name ? operand->name : "operand",
                                            .type = *type}));
    }
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *of = tir_node(body, id);
        map[id] = of->op == TIR_ARG ? arguments[of->attr.index]
                                    : pass_rebuild_mapped(&b, body, id, map, &operands);
    }
    for (uint32_t k = 0; k < node->attr.n_carried; k++)
        tir_add_output(p, TIR_OUT_NAMED, "state", k,
                       tir_spread(&b, map[body->results.at[k]], body->arguments.at[k].domain));
    return pass_canon(p);
}

/* A next state that no work makes by itself, or that is two, is copied. After what rebuilds the
 * program, which may take a copy for what it is of. */
static void copy_states(TirProgram *p) {
    TirBuilder b = tir_builder(p, p->block);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        TirOutput *out = &p->outputs.at[k];
        const TirId root = tir_storage(p->block, out->value);
        const TirOpClass class = tir_op_class(tir_node(p->block, root)->op);
        bool twice = root != out->value || class == TIR_CLASS_LEAF || class == TIR_CLASS_VIEW;
        for (uint32_t m = 0; m < k; m++)
            twice = twice || tir_storage(p->block, p->outputs.at[m].value) == root;
        if (twice)
            out->value = tir_fresh(&b, out->value);
    }
}

/* All that is computed, with the operands in their order. */
static Group *group_of(Plan *plan, TirDomain domain) {
    TirProgram *p = plan->program;
    TirBuilder b = tir_builder(p, p->block);
    Group *group = ARENA_NEW(plan->arena, Group);
    group->domain = domain;
    for (uint32_t k = 0; k < p->inputs.count; k++)
        vec_push(plan->arena, &group->inputs, tir_input(&b, k));
    for (TirId id = 1; id < p->block->nodes.count; id++)
        if (plan->work[id] == WORK_LOCAL)
            vec_push(plan->arena, &group->values, id);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        vec_push(plan->arena, &group->outputs, p->outputs.at[k].value);
    return group;
}

static PlanRefusal too_long(const Plan *plan, Span at, uint64_t values) {
    return (PlanRefusal){
        .code = DIAG_SIZE,
        .at = at,
        .message = arena_printf(plan->arena,
                                "written out, the loop in a scan makes %llu values or more; a "
                                "program may have %d of such",
                                (unsigned long long)values, UNROLL_MOST),
        .help = "a kernel runs a loop of small values, without a loop inside: fewer turns"};
}

static PlanSequence *sequence_of(Plan *outer, TirId id) {
    const TirNode *node = tir_node(outer->program->block, id);
    TirProgram *p = program_of(outer, node);
    TirId loop;
    uint64_t values;
    if (!pass_unroll_fits(p, &loop, &values)) {
        outer->refused = too_long(outer, tir_node(p->block, loop)->span, values);
        return NULL;
    }
    p = pass_unroll(p);
    TirBuilder b = tir_builder(p, p->block);
    for (uint32_t k = 0; k < p->inputs.count; k++)
        tir_input(&b, k); /* also those that nothing reads */
    PlanSequence *s = ARENA_NEW(outer->arena, PlanSequence);
    s->states = node->attr.n_carried;
    s->apart = ARENA_ARRAY(outer->arena, bool, node->n_operands + s->states);
    p = sequence_parts(p, s->states, &s->parts, s->apart);
    copy_states(p);
    s->plan = plan_create(p, outer->options);
    s->of_sample = ARENA_ARRAY(outer->arena, bool, s->states);
    for (uint32_t k = 0; k < s->states; k++)
        s->of_sample[k] = tir_node(outer->program->block, node->operands[k])->type.domain.sample;
    s->reverse = node->attr.reverse;
    s->span = node->span;
    plan_classify_body(s->plan);
    for (TirId v = 0; v < p->block->nodes.count; v++)
        vec_push(s->plan->arena, &s->plan->slots,
                 (PlanSlot){v, plan_element(&outer->options, &tir_node(p->block, v)->type)});
    s->plan->output = ARENA_ARRAY(s->plan->arena, uint32_t, p->block->nodes.count);
    s->group = group_of(s->plan, node->type.domain);
    return s;
}

void plan_sequences(Plan *plan) {
    const TirBlock *block = plan->program->block;
    plan->sequences = ARENA_ARRAY(plan->arena, PlanSequence *, block->nodes.count);
    for (TirId id = 1; id < block->nodes.count && !plan->refused.message; id++)
        if (tir_node(block, id)->op == TIR_SEQUENCE)
            plan->sequences[id] = sequence_of(plan, id);
}
