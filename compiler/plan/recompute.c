/* Recompute: which values a kernel computes again instead of loading.
 *
 * Requires: groups. Changes: adds (value, group) pairs to groups' `values`; then fills every
 * group's inputs, outputs and sums. The TIR itself is not touched: a recomputed value is the same
 * value in a second kernel, so stored and recomputed runs agree to the bit.
 *
 * Policy: a forward value is an anchor when it lies in memory anyway (a barrier or a later forward
 * group reads it, or the caller). Another forward value that a backward group wants is recomputed
 * there when it can be had position by position, without a reduction over a wide axis, from anchors
 * that are not much larger and from small values (coefficients: stored, a few numbers a position);
 * what a scan stacks for its own adjoint is always replayed. Everything else is stored.
 *
 * What a backward group would load although it has all it is made of at hand, in a few products and
 * sums, is computed there as well: the streams that a site wrote, from those it found and its
 * branch's result.
 *
 * Values that are a few products and sums of others are light: no kernel loads one, forward or
 * backward, that it can have from no more memory than the value would take.
 *
 *     %5 = gemm …            anchor
 *     %6 = erf %5            recomputed by the backward kernel that loads %5 for it
 *     %7 = mul %5 %w         light: stored by nobody
 */
#include "plan/plan_internal.h"
#include <stdlib.h>
#include <string.h>

/* What a value may be computed from again. */
typedef enum {
    FROM_ANCHORS, /* and small values, through anything but long sums */
    FROM_LIGHT,   /* through a few light values */
    FROM_LOADED,  /* through a few light values and short sums, whether it is an anchor or not */
} From;

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *anchor;   /* by value: lies in memory whatever the backward wants */
    bool *light;    /* by value */
    bool *loaded;   /* by value: by the group at hand, whatever it recomputes */
    bool *stored;   /* by value: some group or barrier reads it from memory */
    bool *computed; /* by value: in the group at hand */
    bool *across;   /* by value: read at other positions by the group at hand */
    uint32_t *mark;
    uint32_t stamp;
    TirIdVec expansion;
    uint64_t loads; /* elements that the expansion loads and the group did not */
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

/* A product or sum, element by element, of values and coefficients; or another row of what is in
 * memory. */
static bool is_light(const Recompute *r, TirId id) {
    const TirNode *node = tir_node(r->block, id);
    if (tir_op_price(node->op) != TIR_PRICE_LIGHT && !tir_is_product(r->block, node) &&
        !plan_reads_across(node))
        return false;
    return node->type.elem == TIR_REAL && elements(r->block, id) > PLAN_SMALL_ELEMENTS &&
           r->plan->work[id] == WORK_LOCAL && !plan_sums_instances(r->block, id);
}

/* Whether reading `root` in `id` takes it to be in memory, beyond all doubt. */
static bool wants_memory(const Recompute *r, TirId id, TirId root) {
    const Plan *plan = r->plan;
    const TirNode *node = tir_node(r->block, id);
    bool other_group = plan->group_of[root] != plan->group_of[id];
    return plan_is_barrier(plan->work[id]) || plan_is_barrier(plan->work[root]) ||
           plan_reads_across(node) || plan_sums_instances(r->block, root) ||
           (other_group &&
            !tir_domain_equal(plan->group_of[root]->domain, plan_run_domain(r->block, id)));
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

static void add_load(Recompute *r, TirId root) {
    const TirType *type = &tir_node(r->block, root)->type;
    uint64_t n = elements(r->block, root);
    if (!r->loaded[root] && !r->computed[root] && n > PLAN_SMALL_ELEMENTS &&
        (type->domain.sample || type->domain.space))
        r->loads += n;
}

/* A sum of few products, element by element: a stream as a mixture of others. */
static bool is_mixture(const Recompute *r, TirId id) {
    const TirNode *node = tir_node(r->block, id);
    uint32_t terms = 1;
    if (node->op != TIR_CONTRACT || node->type.elem != TIR_REAL ||
        r->plan->work[id] != WORK_LOCAL || plan_sums_instances(r->block, id))
        return false;
    const TirType *x = &tir_node(r->block, node->operands[0])->type;
    for (uint32_t k = 0; k < x->rank; k++) { /* a summed label stands on both sides */
        bool kept = false;
        for (uint32_t m = 0; m < node->type.rank; m++)
            kept |= node->attr.labels[2][m] == node->attr.labels[0][k];
        terms *= kept ? 1 : x->dims[k];
        if (terms > RECOMPUTE_TERMS)
            return false;
    }
    return elements(r->block, id) > PLAN_SMALL_ELEMENTS;
}

/* Another row of what is loaded anyway. */
static bool is_row_of_loaded(const Recompute *r, TirId id) {
    const TirNode *node = tir_node(r->block, id);
    if (!plan_reads_across(node))
        return false;
    const TirId root = plan_root(r->plan, node->operands[0]);
    return r->loaded[root] && !r->computed[root];
}

static bool is_cheap(const Recompute *r, TirId id) {
    return is_light(r, id) || is_mixture(r, id) || is_row_of_loaded(r, id);
}

/* Fills r->expansion with what computing `id` again takes, and r->loads; false when it cannot be
 * had, or only through more than a few light values. */
static bool expand(Recompute *r, TirId wanted, From from) {
    TirIdVec work = {0};
    r->stamp++;
    r->expansion.count = 0;
    r->loads = 0;
    vec_push(r->plan->arena, &work, wanted);
    while (work.count) {
        TirId id = work.at[--work.count];
        if (r->mark[id] == r->stamp)
            continue;
        r->mark[id] = r->stamp;
        bool in_memory =
            r->plan->work[id] != WORK_LOCAL || r->anchor[id] ||
            !tir_domain_equal(plan_run_domain(r->block, id), plan_run_domain(r->block, wanted));
        bool replay = replayed(r, id);
        bool small = !replay && elements(r->block, id) <= PLAN_SMALL_ELEMENTS;
        bool further = from == FROM_ANCHORS || id == wanted ||
                       (from == FROM_LIGHT ? r->light[id] : !r->loaded[id] && is_cheap(r, id));
        bool asked = from == FROM_LOADED && id == wanted; /* though it is in memory */
        if (!asked && (in_memory || small || r->computed[id] || !further)) {
            add_load(r, id);
            continue;
        }
        if ((from != FROM_LOADED && !replay && is_fold(r, id)) ||
            r->expansion.count >= (from == FROM_ANCHORS ? RECOMPUTE_MOST : RECOMPUTE_LIGHT_MOST))
            return false;
        vec_push(r->plan->arena, &r->expansion, id);
        FOR_EACH_ROOT(r, id, root) vec_push(r->plan->arena, &work, root);
    }
    return true;
}

static void find_anchors(Recompute *r) {
    Plan *plan = r->plan;
    for (TirId id = 1; id < r->block->nodes.count; id++)
        r->light[id] = plan->options.recompute && plan->options.fuse && is_light(r, id) &&
                       expand(r, id, FROM_LIGHT) && r->loads <= elements(r->block, id);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        TirId root = plan_root(plan, tir_storage(r->block, plan->program->outputs.at[k].value));
        r->anchor[root] = true;
        r->light[root] = false;
    }
    for (TirId id = 1; id < r->block->nodes.count; id++) {
        if (plan->work[id] == WORK_NONE || tir_node(r->block, id)->op == TIR_RESULT)
            continue;
        FOR_EACH_ROOT(r, id, root) {
            if (plan->work[root] != WORK_NONE && wants_memory(r, id, root)) {
                r->anchor[root] = true;
                r->light[root] = false;
            }
        }
    }
    for (TirId id = 1; id < r->block->nodes.count; id++) {
        if (plan->work[id] == WORK_NONE || tir_node(r->block, id)->op == TIR_RESULT)
            continue;
        if (plan->work[id] == WORK_LOCAL && plan->group_of[id]->backward && !r->light[id])
            r->anchor[id] = true; /* backward values are loaded like any other */
        bool forward_user = plan->level[id] < plan->first_backward_level;
        FOR_EACH_ROOT(r, id, root)
        if (plan->work[root] != WORK_NONE && forward_user && !r->light[root] &&
            plan->group_of[root] != plan->group_of[id])
            r->anchor[root] = true;
    }
}

static int compare_ids(const void *a, const void *b) {
    TirId x = *(const TirId *)a, y = *(const TirId *)b;
    return x < y ? -1 : x > y;
}

static bool worth_repeating(Recompute *r, TirId root, bool backward) {
    uint64_t own = elements(r->block, root);
    if (backward && expand(r, root, FROM_ANCHORS) && (replayed(r, root) || r->loads <= 2 * own))
        return true;
    return r->light[root] && expand(r, root, FROM_LIGHT) && r->loads <= own;
}

static void mark_loads(Recompute *r, const Group *group, bool loaded) {
    for (uint32_t k = 0; k < group->values.count; k++)
        FOR_EACH_ROOT(r, group->values.at[k], root)
    r->loaded[root] = loaded && (r->anchor[root] || r->plan->work[root] != WORK_LOCAL);
}

static void compute_expansion(Recompute *r, Group *group) {
    for (uint32_t m = 0; m < r->expansion.count; m++) {
        TirId id = r->expansion.at[m];
        if (!r->computed[id]) {
            r->computed[id] = true;
            vec_push(r->plan->arena, &group->values, id);
            if (plan_reads_across(tir_node(r->block, id)))
                FOR_EACH_ROOT(r, id, of) r->across[of] = true;
        }
    }
}

/* What a group's shifts read, they read from memory: the group computes its own positions alone. */
static bool mark_across(Recompute *r, const Group *group, bool across) {
    bool any = false;
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirId id = group->values.at[k];
        if (!plan_reads_across(tir_node(r->block, id)))
            continue;
        any = true;
        FOR_EACH_ROOT(r, id, root) r->across[root] = across;
    }
    return any;
}

static void find_from_loaded(Recompute *r, Group *group) {
    for (uint32_t k = 0; k < group->values.count; k++) /* grows */
        FOR_EACH_ROOT(r, group->values.at[k], root)
    if (!r->computed[root] && !r->across[root] && r->plan->work[root] == WORK_LOCAL &&
        !r->plan->group_of[root]->backward && elements(r->block, root) > PLAN_SMALL_ELEMENTS &&
        is_cheap(r, root) && tir_domain_equal(plan_run_domain(r->block, root), group->domain) &&
        expand(r, root, FROM_LOADED) && r->loads == 0)
        compute_expansion(r, group);
}

/* A backward group has the streams before a site and its branch's result at hand: what the site
 * wrote is a mixture of them, which costs less than its way from memory. So is what it wrote at
 * other positions. */
static void compute_from_loaded(Recompute *r, Group *group) {
    const bool any = mark_across(r, group, true);
    uint32_t before;
    do {
        before = group->values.count;
        find_from_loaded(r, group);
    } while (any && group->values.count > before); /* at other positions there is more of it */
    mark_across(r, group, false);
}

static void recompute_group(Recompute *r, Group *group) {
    Plan *plan = r->plan;
    Arena *arena = plan->arena;
    bool *computed = r->computed;
    for (uint32_t k = 0; k < group->values.count; k++)
        computed[group->values.at[k]] = true;
    uint32_t original = group->values.count;
    mark_loads(r, group, true);
    for (uint32_t k = 0; k < original; k++) {
        TirId user = group->values.at[k];
        FOR_EACH_ROOT(r, user, root) {
            if (computed[root] || r->anchor[root] || plan->work[root] != WORK_LOCAL)
                continue;
            if (!replayed(r, root) && elements(r->block, root) <= PLAN_SMALL_ELEMENTS)
                continue;
            if (!worth_repeating(r, root, group->backward))
                continue;
            compute_expansion(r, group);
        }
    }
    if (group->backward)
        compute_from_loaded(r, group);
    mark_loads(r, group, false);
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
        r->stored[plan_root(plan, tir_storage(r->block, plan->program->outputs.at[k].value))] =
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
                if (plan->work[root] != WORK_NONE || tir_op_stored(node->op))
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
    r.across = ARENA_ARRAY(plan->arena, bool, count);
    r.light = ARENA_ARRAY(plan->arena, bool, count);
    r.loaded = ARENA_ARRAY(plan->arena, bool, count);
    r.mark = ARENA_ARRAY(plan->arena, uint32_t, count);
    find_anchors(&r);
    if (plan->options.recompute && plan->options.fuse)
        for (uint32_t g = 0; g < plan->groups.count; g++)
            recompute_group(&r, plan->groups.at[g]);
    find_stored(&r);
}
