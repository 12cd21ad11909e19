/* Fuse: values into groups, one kernel each.
 *
 * Requires: legalised TIR. Changes nothing in it; fills plan->work, level, gemm and groups.
 *
 * A local value is what it is at one position; a run of local values between two barriers (matrix
 * products, attention, sums over positions, reads at other positions) is one kernel. Values get
 * levels: a local value's is the highest of its operands', one more behind a barrier. Local values
 * of one level and domain that touch one another, or load the same positions' values, form a group.
 * Levels only ever grow along operands, so groups cannot depend on each other in a cycle.
 *
 *     %3 = mul %1, %2        level 0 ┐ one kernel, H loaded once
 *     %4 = reduce_sum %3     level 0 ┘
 *     %5 = contract %4, %W   level 0   gemm, after the groups of level 0
 *     %6 = tanh %5           level 1   the next kernel
 *
 * Views are not computed anywhere: users read through them, unless a barrier needs them in memory.
 */
#include "pass/gemm_match.h"
#include "pass/pass.h"
#include "plan/plan_internal.h"
#include "plan/reshape_axes.h"
#include <stdlib.h>
#include <string.h>

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

static void classify_all(Plan *plan) {
    const TirBlock *block = plan->program->block;
    for (TirId id = 1; id < block->nodes.count; id++)
        plan->work[id] = classify(plan, id);
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (plan_is_barrier(plan->work[id]) && node->op != TIR_RESULT)
            for (uint32_t k = 0; k < node->n_operands; k++)
                force_stored(plan, node->operands[k]);
        if (node->op == TIR_GATHER) /* rows are addressed at run time */
            force_stored(plan, node->operands[0]);
        if (node->op == TIR_RESHAPE)
            store_under_reshape(plan, id);
    }
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        force_stored(plan, plan->program->outputs.at[k].value);
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

/* When `user` (a barrier, or a local value) can read the value `operand`. */
static uint32_t ready_level(const Plan *plan, TirId operand, TirId user) {
    const TirBlock *block = plan->program->block;
    TirId root = plan_root(plan, operand);
    bool after = !plan_is_barrier(plan->work[user]) &&
                 (plan_sums_instances(block, root) || plan_reads_across(tir_node(block, user)));
    switch (plan->work[root]) {
    case WORK_NONE:
        return 0;
    case WORK_LOCAL:
        return plan->level[root] + after;
    default:
        return plan->level[root] + 1;
    }
}

static void assign_levels(Plan *plan) {
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
            for (uint32_t k = 0; k < node->n_operands; k++) {
                uint32_t ready = ready_level(plan, node->operands[k], id);
                level = ready > level ? ready : level;
            }
        }
        plan->level[id] = level;
        if (id <= n_forward && level + 1 > first_backward)
            first_backward = level + 1;
    }
    plan->first_backward_level = first_backward;
}

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
        if (plan->work[id] == WORK_LOCAL && !plan_sums_instances(block, id) &&
            node->op != TIR_SCAN && node->op != TIR_RESULT && !follows_sum(plan, id) &&
            earliest_use[id] != UINT32_MAX && earliest_use[id] > plan->level[id]) {
            uint64_t own = instance_elements(plan, id), widest = 0;
            for (uint32_t k = 0; k < node->n_operands; k++) {
                uint64_t size = instance_elements(plan, plan_root(plan, node->operands[k]));
                widest = size > widest ? size : widest;
            }
            if (own >= widest || widest <= PLAN_SMALL_ELEMENTS)
                plan->level[id] = earliest_use[id];
        }
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

Plan *plan_create(TirProgram *p, PlanOptions options) {
    Plan *plan = ARENA_NEW(p->arena, Plan);
    const uint32_t count = p->block->nodes.count;
    *plan = (Plan){.program = p, .options = options, .arena = p->arena};
    plan->work = ARENA_ARRAY(plan->arena, WorkKind, count);
    plan->level = ARENA_ARRAY(plan->arena, uint32_t, count);
    plan->group_of = ARENA_ARRAY(plan->arena, Group *, count);
    plan->gemm = ARENA_ARRAY(plan->arena, GemmWork, count);
    return plan;
}

void plan_fuse(Plan *plan) {
    find_unsupported(plan);
    if (plan->refused.message)
        return;
    classify_all(plan);
    if (plan->options.fuse)
        accumulate_products(plan);
    assign_levels(plan);
    if (plan->options.fuse)
        sink(plan);
    form_groups(plan);
}
