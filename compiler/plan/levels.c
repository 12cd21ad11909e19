/* What is computed how, and when at the earliest: kinds of work and levels of values, before they
 * are put into groups; see fuse.c. */
#include "pass/gemm_match.h"
#include "plan/plan_internal.h"
#include "plan/reshape_axes.h"

static WorkKind classify(Plan *plan, TirId id) {
    const TirBlock *block = plan->program->block;
    const TirNode *node = tir_node(block, id);
    if (plan_is_leaf(node) || plan_is_view(node))
        return WORK_NONE;
    switch (node->op) {
    case TIR_CONTRACT:
        if (!gemm_match(block, id, &plan->gemm[id]))
            return WORK_LOCAL;
        plan->gemm[id].into = id;
        return WORK_GEMM;
    case TIR_POSITION_SUM:
        return tir_domain_equal(node->type.domain, TIR_GLOBAL) ? WORK_LOCAL : WORK_SUM_INSTANCES;
    case TIR_ATTEND:
    case TIR_ATTEND_GRAD:
        return WORK_ATTEND;
    case TIR_RECUR:
        return WORK_RECUR;
    case TIR_SEQUENCE:
        return WORK_SEQUENCE;
    case TIR_SCATTER_ADD: /* into its own place's rows, or over places */
        plan->gemm[id].into = id;
        return tir_sums_places(block, node) ? WORK_SCATTER : WORK_LOCAL;
    case TIR_RESULT:
        return plan->work[node->operands[0]];
    default:
        return WORK_LOCAL;
    }
}

/* A view that must lie in memory (a barrier reads it, or the caller) is computed like a value; so
 * is a leaf that has no memory of its own. */
static void force_stored(Plan *plan, TirId id) {
    TirId root = tir_storage(plan->program->block, id);
    const TirNode *node = tir_node(plan->program->block, root);
    if (plan->work[root] == WORK_NONE && !tir_op_stored(node->op))
        plan->work[root] = WORK_LOCAL;
}

/* A vector along a row that a reshape made of several axes: memory is read through as it is, but
 * what is read through another view would be put together element by element. That view is computed
 * like a value. */
static void store_under_reshape(Plan *plan, TirId id) {
    const TirBlock *block = plan->program->block;
    const TirType *type = &tir_node(block, id)->type;
    TirId under = tir_storage(block, id);
    const TirNode *x = tir_node(block, under);
    bool wide = type->rank && type->dims[type->rank - 1] >= PLAN_PIECE_ELEMENTS;
    if (plan->work[under] == WORK_NONE && plan_is_view(x) && wide &&
        reshape_splits_last(type, &x->type))
        plan->work[under] = WORK_LOCAL;
}

/* Weights in another order than they lie in (lane_order.c): a kernel would put them into it at
 * every position, so that is done once. */
static void store_transposed(Plan *plan, TirId id) {
    const TirBlock *block = plan->program->block;
    const TirNode *x = tir_node(block, id);
    if (x->op == TIR_BROADCAST && tir_domain_equal(x->type.domain, TIR_GLOBAL) &&
        x->type.rank == tir_node(block, x->operands[0])->type.rank)
        plan->work[id] = WORK_LOCAL;
}

/* What can be added to memory that holds something already. */
static bool accumulates(WorkKind work) {
    return work == WORK_GEMM || work == WORK_SCATTER || work == WORK_ACCUMULATE;
}

/* A sum of products that nobody else reads is made by the products themselves: the first writes,
 * the others add. (The gradient of a value that feeds q, k and v is such a sum.) So is one with
 * what is scattered: the gradient of an embedding that is the head's weight too. */
static void accumulate_products(Plan *plan) {
    const TirBlock *block = plan->program->block;
    uint32_t count = block->nodes.count;
    uint32_t *uses = ARENA_ARRAY(plan->arena, uint32_t, count);
    for (TirId id = 1; id < count; id++)
        for (uint32_t k = 0; k < tir_node(block, id)->n_operands; k++)
            uses[tir_node(block, id)->operands[k]]++;
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        uses[plan->program->outputs.at[k].value]++;
    for (TirId id = 1; id < count; id++) {
        const TirNode *node = tir_node(block, id);
        if (node->op != TIR_ADD || node->operands[0] == node->operands[1])
            continue;
        TirId x = node->operands[0], y = node->operands[1];
        if (accumulates(plan->work[x]) && accumulates(plan->work[y]) && uses[x] == 1 &&
            uses[y] == 1 && tir_type_equal(&tir_node(block, x)->type, &node->type) &&
            tir_type_equal(&tir_node(block, y)->type, &node->type))
            plan->work[id] = WORK_ACCUMULATE;
    }
    /* From the outermost sum inwards, so that all products of nested sums share one memory. */
    TirId *into = ARENA_ARRAY(plan->arena, TirId, count);
    for (TirId id = count - 1; id >= 1; id--) {
        if (into[id] == 0)
            into[id] = id;
        if (plan->work[id] == WORK_ACCUMULATE)
            for (uint32_t k = 0; k < 2; k++)
                into[tir_node(block, id)->operands[k]] = into[id];
        if (plan->work[id] == WORK_GEMM || plan->work[id] == WORK_SCATTER)
            plan->gemm[id].into = into[id];
    }
}

void plan_classify(Plan *plan) {
    const TirBlock *block = plan->program->block;
    for (TirId id = 1; id < block->nodes.count; id++)
        plan->work[id] = classify(plan, id);
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (plan_is_barrier(plan->work[id]) && node->op != TIR_RESULT)
            for (uint32_t k = 0; k < node->n_operands; k++)
                force_stored(plan, node->operands[k]);
        if (node->op == TIR_CONTRACT && plan->work[id] == WORK_LOCAL)
            for (uint32_t k = 0; k < node->n_operands; k++)
                store_transposed(plan, node->operands[k]);
        if (node->op == TIR_GATHER) /* rows are addressed at run time */
            force_stored(plan, node->operands[0]);
        if (node->op == TIR_RESHAPE)
            store_under_reshape(plan, id);
    }
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        force_stored(plan, plan->program->outputs.at[k].value);
    if (plan->options.fuse)
        accumulate_products(plan);
}

void plan_classify_body(Plan *plan) {
    const TirBlock *block = plan->program->block;
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        plan->work[id] = plan_is_leaf(node) || plan_is_view(node) ? WORK_NONE : WORK_LOCAL;
    }
    for (TirId id = 1; id < block->nodes.count; id++) {
        if (tir_node(block, id)->op == TIR_GATHER)
            force_stored(plan, tir_node(block, id)->operands[0]);
        if (tir_node(block, id)->op == TIR_RESHAPE)
            store_under_reshape(plan, id);
    }
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        force_stored(plan, plan->program->outputs.at[k].value);
}

/* When `user` (a barrier, or a local value) can read the value `operand`. */
static uint32_t ready_level(const Plan *plan, TirId operand, TirId user, bool across) {
    const TirBlock *block = plan->program->block;
    TirId root = plan_root(plan, operand);
    bool after = !plan_is_barrier(plan->work[user]) && (plan_sums_instances(block, root) || across);
    switch (plan->work[root]) {
    case WORK_NONE:
        return 0;
    case WORK_LOCAL:
        return plan->level[root] + after;
    default:
        return plan->level[root] + 1;
    }
}

void plan_assign_levels(Plan *plan, PlanAcross *decide, void *context) {
    const TirBlock *block = plan->program->block;
    uint32_t n_forward = plan->program->n_forward ? plan->program->n_forward : UINT32_MAX;
    uint32_t first_backward = 0;
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (plan->work[id] == WORK_NONE)
            continue;
        uint32_t level = id > n_forward ? first_backward : 0;
        if (node->op == TIR_RESULT) {
            level = plan->level[node->operands[0]];
        } else if (plan->work[id] == WORK_ACCUMULATE) { /* done when its last product is */
            for (uint32_t k = 0; k < 2; k++)
                if (plan->level[node->operands[k]] > level)
                    level = plan->level[node->operands[k]];
        } else {
            const bool across = plan_reads_across(node) && (!decide || decide(context, id));
            for (uint32_t k = 0; k < node->n_operands; k++) {
                uint32_t ready = ready_level(plan, node->operands[k], id, across);
                level = ready > level ? ready : level;
            }
        }
        plan->level[id] = level;
        if (id <= n_forward && level + 1 > first_backward)
            first_backward = level + 1;
    }
    plan->first_backward_level = first_backward;
}
