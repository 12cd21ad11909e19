/* Recompute: which forward values a backward kernel computes again instead of loading.
 *
 * Requires: groups. Changes: adds (value, group) pairs to backward groups' `values`; then fills
 * every group's inputs, outputs and sums. The TIR itself is not touched: a recomputed value is the
 * same value in a second kernel, so stored and recomputed runs agree to the bit.
 *
 * Policy: a forward value is an anchor when it lies in memory anyway (a barrier or a later forward
 * group reads it, or the caller). Another forward value that a backward group wants is recomputed
 * there when it can be had position by position, without a reduction over a wide axis, from anchors
 * and from small values (coefficients: stored, a few numbers a position); what a scan stacks for
 * its own adjoint is always replayed. Everything else is stored.
 *
 *     %5 = gemm …            anchor
 *     %6 = erf %5            recomputed by the backward kernel that loads %5 for it
 */
#include "pass/plan_internal.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_EXPANSION = 96 };

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *anchor;   /* by value: lies in memory whatever the backward wants */
    bool *stored;   /* by value: some group or barrier reads it from memory */
    bool *computed; /* by value: in the group at hand */
    uint32_t *mark;
    uint32_t stamp;
    TirIdVec expansion;
} Recompute;

static uint64_t elements(const TirBlock *block, TirId id) {
    const TirNode *node = tir_node(block, id);
    return node->type.elem == TIR_TUPLE ? 0 : tir_element_count(&node->type);
}

/* For each operand value in memory terms that `id` reads. */
#define FOR_EACH_ROOT(r, id, root)                                                                 \
    for (uint32_t k_ = 0; k_ < tir_node((r)->block, (id))->n_operands; k_++)                       \
        for (TirId root = plan_root((r)->plan, tir_node((r)->block, (id))->operands[k_]); root;    \
             root = 0)

static void find_anchors(Recompute *r) {
    Plan *plan = r->plan;
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        r->anchor[plan_root(plan, plan_storage(r->block, plan->program->outputs.at[k].value))] =
            true;
    for (TirId id = 1; id < r->block->nodes.count; id++) {
        const TirNode *node = tir_node(r->block, id);
        if (plan->work[id] == WORK_NONE || node->op == TIR_RESULT)
            continue;
        FOR_EACH_ROOT(r, id, root) {
            if (plan->work[root] == WORK_NONE)
                continue;
            bool other_group = plan->group_of[root] != plan->group_of[id];
            bool forward_user = plan->level[id] < plan->first_backward_level;
            if (plan_is_barrier(plan->work[id]) || plan_is_barrier(plan->work[root]) ||
                plan_reads_across(node) || plan_sums_instances(r->block, root) ||
                (other_group && forward_user) ||
                (other_group &&
                 !tir_domain_equal(plan->group_of[root]->domain, plan_run_domain(r->block, id))))
                r->anchor[root] = true;
        }
    }
    for (TirId id = 1; id < r->block->nodes.count; id++)
        if (plan->work[id] == WORK_LOCAL && plan->group_of[id]->backward)
            r->anchor[id] = true; /* backward values are loaded like any other */
}

/* A reduction that leaves less than it reads: cheap to store, dear to repeat. */
static bool is_fold(const Recompute *r, TirId id) {
    const TirNode *node = tir_node(r->block, id);
    TirOpClass class = tir_op_class(node->op);
    if (class != TIR_CLASS_REDUCE && class != TIR_CLASS_CONTRACT)
        return false;
    FOR_EACH_ROOT(r, id, root)
    if (elements(r->block, root) > elements(r->block, id) &&
        !tir_domain_equal(tir_node(r->block, root)->type.domain, TIR_GLOBAL))
        return true;
    return false;
}

static bool replayed(const Recompute *r, TirId id) {
    TirOp op = tir_node(r->block, id)->op;
    return op == TIR_SCAN || (op == TIR_RESULT && elements(r->block, id) > PLAN_SMALL_ELEMENTS);
}

/* Adds to r->expansion what computing `id` again takes; false when it cannot be had. */
static bool expand(Recompute *r, TirId wanted) {
    TirIdVec work = {0};
    vec_push(r->plan->arena, &work, wanted);
    while (work.count) {
        TirId id = work.at[--work.count];
        if (r->mark[id] == r->stamp)
            continue;
        r->mark[id] = r->stamp;
        if (r->plan->work[id] != WORK_LOCAL || r->anchor[id] ||
            !tir_domain_equal(plan_run_domain(r->block, id), plan_run_domain(r->block, wanted)))
            continue; /* in memory */
        bool replay = replayed(r, id);
        if (!replay && elements(r->block, id) <= PLAN_SMALL_ELEMENTS)
            continue; /* small: stored */
        if ((!replay && is_fold(r, id)) || r->expansion.count >= MAX_EXPANSION)
            return false;
        vec_push(r->plan->arena, &r->expansion, id);
        FOR_EACH_ROOT(r, id, root) vec_push(r->plan->arena, &work, root);
    }
    return true;
}

static int compare_ids(const void *a, const void *b) {
    TirId x = *(const TirId *)a, y = *(const TirId *)b;
    return x < y ? -1 : x > y;
}

static void recompute_group(Recompute *r, Group *group) {
    Plan *plan = r->plan;
    Arena *arena = plan->arena;
    bool *computed = r->computed;
    for (uint32_t k = 0; k < group->values.count; k++)
        computed[group->values.at[k]] = true;
    uint32_t original = group->values.count;
    for (uint32_t k = 0; k < original; k++) {
        TirId user = group->values.at[k];
        FOR_EACH_ROOT(r, user, root) {
            if (computed[root] || r->anchor[root] || plan->work[root] != WORK_LOCAL)
                continue;
            if (!replayed(r, root) && elements(r->block, root) <= PLAN_SMALL_ELEMENTS)
                continue;
            r->stamp++;
            r->expansion.count = 0;
            if (!expand(r, root))
                continue;
            for (uint32_t m = 0; m < r->expansion.count; m++) {
                TirId id = r->expansion.at[m];
                if (!computed[id]) {
                    computed[id] = true;
                    vec_push(arena, &group->values, id);
                }
            }
        }
    }
    /* A replayed loop brings all its results. */
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirNode *node = tir_node(r->block, group->values.at[k]);
        if (node->op == TIR_RESULT && !computed[node->operands[0]]) {
            computed[node->operands[0]] = true;
            vec_push(arena, &group->values, node->operands[0]);
        }
    }
    for (uint32_t k = 0; k < group->values.count; k++)
        computed[group->values.at[k]] = false;
    qsort(group->values.at, group->values.count, sizeof(TirId), compare_ids);
}

static void find_stored(Recompute *r) {
    Plan *plan = r->plan;
    bool *computed = r->computed;
    bool *listed = ARENA_ARRAY(plan->arena, bool, r->block->nodes.count);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        r->stored[plan_root(plan, plan_storage(r->block, plan->program->outputs.at[k].value))] =
            true;
    for (TirId id = 1; id < r->block->nodes.count; id++)
        if (plan_is_barrier(plan->work[id]))
            FOR_EACH_ROOT(r, id, root) r->stored[root] = true;
    for (uint32_t g = 0; g < plan->groups.count; g++) {
        Group *group = plan->groups.at[g];
        for (uint32_t k = 0; k < group->values.count; k++)
            computed[group->values.at[k]] = true;
        for (uint32_t k = 0; k < group->values.count; k++) {
            TirId id = group->values.at[k];
            if (tir_node(r->block, id)->op == TIR_RESULT)
                continue;
            FOR_EACH_ROOT(r, id, root) {
                if ((computed[root] && !plan_sums_instances(r->block, root)) || listed[root])
                    continue;
                listed[root] = true;
                r->stored[root] = true;
                const TirNode *node = tir_node(r->block, root);
                bool in_memory = plan->work[root] != WORK_NONE || node->op == TIR_PARAM ||
                                 node->op == TIR_INPUT || node->op == TIR_TABLE;
                if (in_memory)
                    vec_push(plan->arena, &group->inputs, root);
            }
        }
        for (uint32_t k = 0; k < group->values.count; k++)
            computed[group->values.at[k]] = false;
        for (uint32_t k = 0; k < group->inputs.count; k++)
            listed[group->inputs.at[k]] = false;
        for (uint32_t k = 0; k < group->values.count; k++) /* constants were listed too */
            FOR_EACH_ROOT(r, group->values.at[k], root) listed[root] = false;
        if (group->inputs.count)
            qsort(group->inputs.at, group->inputs.count, sizeof(TirId), compare_ids);
    }
    for (uint32_t g = 0; g < plan->groups.count; g++) {
        Group *group = plan->groups.at[g];
        for (uint32_t k = 0; k < group->values.count; k++) {
            TirId id = group->values.at[k];
            if (plan->group_of[id] != group || !r->stored[id])
                continue;
            if (plan_sums_instances(r->block, id))
                vec_push(plan->arena, &group->sums, id);
            else if (tir_node(r->block, id)->type.elem != TIR_TUPLE)
                vec_push(plan->arena, &group->outputs, id);
        }
    }
}

void plan_recompute(Plan *plan) {
    Recompute r = {.plan = plan, .block = plan->program->block};
    uint32_t count = r.block->nodes.count;
    r.anchor = ARENA_ARRAY(plan->arena, bool, count);
    r.stored = ARENA_ARRAY(plan->arena, bool, count);
    r.computed = ARENA_ARRAY(plan->arena, bool, count);
    r.mark = ARENA_ARRAY(plan->arena, uint32_t, count);
    find_anchors(&r);
    if (plan->options.recompute && plan->options.fuse)
        for (uint32_t g = 0; g < plan->groups.count; g++)
            if (plan->groups.at[g]->backward)
                recompute_group(&r, plan->groups.at[g]);
    find_stored(&r);
}
