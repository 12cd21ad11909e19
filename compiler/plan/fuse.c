/* Fuse: values into groups, one kernel each.
 *
 * Requires: legalised TIR. Changes nothing in it; fills plan->work, level, gemm and groups.
 *
 * A local value is what it is at one position; a run of local values between two barriers (matrix
 * products, attention, recurrences, sums over positions, reads at other positions that halo.c
 * leaves) is one kernel. Values get levels (levels.c): a local value's is the highest of its
 * operands', one more behind a barrier. Local values of one level and domain that touch one
 * another, or load the same positions' values, form a group. Levels only ever grow along operands,
 * so groups cannot depend on each other in a cycle.
 *
 *     %3 = mul %1, %2        level 0 ┐ one kernel, H loaded once
 *     %4 = reduce_sum %3     level 0 ┘
 *     %5 = contract %4, %W   level 0   gemm, after the groups of level 0
 *     %6 = tanh %5           level 1   the next kernel
 *
 * Views are not computed anywhere: users read through them, unless a barrier needs them in memory.
 */
#include "pass/pass.h"
#include "plan/plan_internal.h"
#include <stdlib.h>
#include <string.h>

static uint64_t instance_elements(const Plan *plan, TirId id) {
    const TirNode *node = tir_node(plan->program->block, id);
    return tir_domain_equal(node->type.domain, TIR_GLOBAL) || node->type.elem == TIR_TUPLE
               ? 0
               : tir_element_count(&node->type);
}

/* A few numbers made of a sum over all instances (the weight of a batch): what waits for them
 * should not wait for more. */
static bool follows_sum(const Plan *plan, TirId id) {
    const TirNode *node = tir_node(plan->program->block, id);
    if (!tir_domain_equal(node->type.domain, TIR_GLOBAL) || node->type.elem == TIR_TUPLE ||
        tir_element_count(&node->type) > PLAN_SMALL_ELEMENTS)
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (plan_sums_instances(plan->program->block, plan_root(plan, node->operands[k])))
            return true;
    return false;
}

/* It is computed where somebody reads it. */
static bool is_free(const Plan *plan, TirId id) {
    const TirNode *node = tir_node(plan->program->block, id);
    return plan->work[id] == WORK_LOCAL && !plan_sums_instances(plan->program->block, id) &&
           node->op != TIR_SCAN && node->op != TIR_RESULT && !follows_sum(plan, id);
}

bool plan_may_wait(const Plan *plan, TirId id) {
    const TirNode *node = tir_node(plan->program->block, id);
    if (!is_free(plan, id))
        return false;
    uint64_t widest = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const uint64_t size = instance_elements(plan, plan_root(plan, node->operands[k]));
        widest = size > widest ? size : widest;
    }
    return instance_elements(plan, id) >= widest || widest <= PLAN_SMALL_ELEMENTS;
}

/* A sum that the backward pass makes of forward values alone, of what nobody reads before. */
static bool is_read_beside(const Plan *plan, TirId id, const uint32_t *earliest_use) {
    const TirNode *node = tir_node(plan->program->block, id);
    const TirOpClass class = tir_op_class(node->op);
    if (plan->level[id] != plan->first_backward_level || id <= plan->program->n_forward ||
        (class != TIR_CLASS_REDUCE && class != TIR_CLASS_CONTRACT) || !is_free(plan, id))
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirId root = plan_root(plan, node->operands[k]);
        if (instance_elements(plan, root) > PLAN_SMALL_ELEMENTS &&
            earliest_use[root] < earliest_use[id])
            return false;
    }
    return true;
}

/* Values that only later levels use move there, so that they need no memory in between, unless they
 * are smaller than what they are made of. */
static void sink(Plan *plan) {
    const TirBlock *block = plan->program->block;
    uint32_t count = block->nodes.count;
    uint32_t *earliest_use = ARENA_ARRAY(plan->arena, uint32_t, count);
    memset(earliest_use, 0xff, count * sizeof *earliest_use);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        earliest_use[plan_root(plan, tir_storage(block, plan->program->outputs.at[k].value))] = 0;
    for (TirId id = count - 1; id >= 1; id--) {
        const TirNode *node = tir_node(block, id);
        if (plan->work[id] == WORK_NONE)
            continue;
        if (earliest_use[id] != UINT32_MAX && earliest_use[id] > plan->level[id] &&
            (plan_may_wait(plan, id) || is_read_beside(plan, id, earliest_use)))
            plan->level[id] = earliest_use[id];
        for (uint32_t k = 0; k < node->n_operands; k++) {
            TirId root = plan_root(plan, node->operands[k]);
            uint32_t use = plan->level[id];
            if (use > 0 && plan_reads_across(node))
                use--;
            if (use < earliest_use[root])
                earliest_use[root] = use;
        }
    }
}

/* Union-find over values: who ends up in one kernel. */
static TirId find(TirId *parent, TirId id) {
    while (parent[id] != id) {
        parent[id] = parent[parent[id]];
        id = parent[id];
    }
    return id;
}

static void unite(TirId *parent, TirId a, TirId b) {
    a = find(parent, a);
    b = find(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

static int domain_order(TirDomain d) {
    return (d.sample ? 2 : 0) + (d.space ? 1 : 0);
}

static int compare_groups(const void *a, const void *b) {
    const Group *x = *(Group *const *)a, *y = *(Group *const *)b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    int dx = domain_order(x->domain), dy = domain_order(y->domain);
    if (dx != dy)
        return dx < dy ? -1 : 1;
    return x->values.at[0] < y->values.at[0] ? -1 : x->values.at[0] > y->values.at[0];
}

static void form_groups(Plan *plan) {
    const TirBlock *block = plan->program->block;
    uint32_t count = block->nodes.count;
    TirId *parent = ARENA_ARRAY(plan->arena, TirId, count);
    /* (stored value, level, run domain) -> first local value that loads it there */
    Map *loaders = map_create(plan->arena);
    for (TirId id = 1; id < count; id++)
        parent[id] = id;
    for (TirId id = 1; id < count; id++) {
        if (plan->work[id] != WORK_LOCAL)
            continue;
        const TirNode *node = tir_node(block, id);
        TirDomain run = plan_run_domain(block, id);
        for (uint32_t k = 0; k < node->n_operands; k++) {
            TirId root = plan_root(plan, node->operands[k]);
            const TirNode *operand = tir_node(block, root);
            bool same_kernel = plan->work[root] == WORK_LOCAL &&
                               plan->level[root] == plan->level[id] &&
                               !plan_sums_instances(block, root) &&
                               tir_domain_equal(plan_run_domain(block, root), run);
            bool tuple = node->op == TIR_RESULT;
            if (same_kernel && (plan->options.fuse || tuple)) {
                unite(parent, root, id);
            } else if (plan->options.fuse && tir_domain_equal(operand->type.domain, run) &&
                       !tir_domain_equal(run, TIR_GLOBAL) && operand->op != TIR_CONST &&
                       operand->op != TIR_POSITION) {
                uint32_t key[2] = {root, plan->level[id]};
                void **slot = map_slot(loaders, key, sizeof key);
                if (*slot)
                    unite(parent, (TirId)(uintptr_t)*slot, id);
                else
                    *slot = (void *)(uintptr_t)id;
            }
        }
    }
    Group **of = ARENA_ARRAY(plan->arena, Group *, count);
    for (TirId id = 1; id < count; id++) {
        if (plan->work[id] != WORK_LOCAL)
            continue;
        TirId leader = find(parent, id);
        if (!of[leader]) {
            of[leader] = ARENA_NEW(plan->arena, Group);
            of[leader]->level = plan->level[id];
            of[leader]->domain = plan_run_domain(block, id);
            of[leader]->backward = plan->level[id] >= plan->first_backward_level;
            vec_push(plan->arena, &plan->groups, of[leader]);
        }
        vec_push(plan->arena, &of[leader]->values, id);
        plan->group_of[id] = of[leader];
    }
    if (plan->options.fuse)
        plan_split(plan);
    if (plan->groups.count)
        qsort(plan->groups.at, plan->groups.count, sizeof(Group *), compare_groups);
    for (uint32_t g = 0; g < plan->groups.count; g++)
        plan->groups.at[g]->id = g;
}

/* A kernel's loop takes all turns at one position before it comes to the next. */
static void find_unsupported(Plan *plan) {
    const TirBlock *block = plan->program->block;
    for (TirId id = 1; id < block->nodes.count && !plan->refused.message; id++) {
        const TirNode *node = tir_node(block, id);
        if (node->op == TIR_SCAN && pass_loop_crosses(plan->program, node))
            plan->refused = (PlanRefusal){
                .code = DIAG_UNSUPPORTED,
                .at = node->span,
                .message = "`iterate` across positions, so often, cannot be compiled to machine "
                           "code here"};
    }
}

void plan_fuse(Plan *plan) {
    find_unsupported(plan);
    if (plan->refused.message)
        return;
    plan_sequences(plan);
    if (plan->refused.message)
        return;
    plan_classify(plan);
    plan_assign_levels(plan, NULL, NULL);
    if (plan->options.fuse)
        sink(plan);
    form_groups(plan);
}
