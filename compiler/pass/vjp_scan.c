/* The adjoint of a loop: a loop in the other direction whose body computes the forward body again
 * from the values carried into it, then differentiates it.
 *
 *   forward   carried c, invariant w, scanned x:   c', y = body(c, w, x)
 *   reverse   carried dc, dw;  invariant w;  scanned c (stacked by the forward loop), x, dy:
 *             dc', dw + .., dx = body's vjp at (c, w, x) of (dc, dy)
 *
 * Only what the reverse body reads is stacked, passed and carried: it is first built with all
 * arguments there might be, then pruned. A small invariant that the places of the domain share is
 * accumulated by each place and summed once after the loop, so that the loop stays local. */
#include "machine/limits.h"
#include "pass/rebuild.h"
#include "pass/vjp.h"

typedef struct {
    Vjp *v;
    TirId id;
    TirNode node;
    TirBlock *forward; /* the body as it is */
    uint32_t n;        /* operands */
    bool *active;      /* by argument: its gradient is wanted */
    TirType *types;    /* by argument, in the reverse body */

    /* The unpruned reverse body. Its arguments: */
    TirBlock *all;
    TirId *values;   /* by forward argument: what it was; the trip number last */
    TirId *d_values; /* carried: the adjoint; invariant: the accumulator; else 0 */
    TirId *d_stacks; /* by stacked result: the slice of its adjoint, or 0 */
    TirId *out;      /* by forward argument: its gradient after this trip, or 0 */
} ScanVjp;

/* No op of the body looks beyond its own place, so a place may have its own copy of an invariant.
 */
static bool body_is_local(const TirBlock *body) {
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = &body->nodes.at[id];
        if (node->op == TIR_POSITION_SUM || node->op == TIR_SCAN || tir_sums_places(body, node) ||
            tir_op_class(node->op) == TIR_CLASS_CROSS)
            return false;
    }
    return true;
}

/* Every place has adjoints of its own: none that arrives is shared by several places. */
static bool adjoints_are_local(const ScanVjp *s) {
    const TirBlock *body = s->forward;
    const TirDomain whole = s->node.type.domain;
    for (uint32_t k = 0; k < body->results.count; k++) {
        const bool carried = k < s->node.attr.n_carried;
        const TirType *t =
            carried ? &body->arguments.at[k] : &tir_node(body, body->results.at[k])->type;
        if (t->elem == TIR_REAL && !tir_domain_equal(t->domain, whole))
            return false;
    }
    return true;
}

static void scan_choose_types(ScanVjp *s) {
    const TirAttr *a = &s->node.attr;
    const bool local = body_is_local(s->forward) && adjoints_are_local(s);
    for (uint32_t k = 0; k < s->n; k++) {
        TirType t = s->forward->arguments.at[k];
        const bool invariant = k >= a->n_carried && k < a->n_carried + a->n_invariant;
        if (invariant && local && s->active[k] && tir_element_count(&t) <= SCAN_SHARED_MOST)
            t.domain = s->node.type.domain;
        s->types[k] = t;
    }
}

/* Forward body again, its vjp, and s->out. */
static void scan_build_all(ScanVjp *s) {
    const TirAttr *a = &s->node.attr;
    const TirBlock *body = s->forward;
    Arena *scratch = s->v->scratch;
    s->all = tir_block_create(s->v->b->program);
    TirBuilder b = tir_builder_inner(s->v->b, s->all);
    for (uint32_t k = 0; k < s->n; k++)
        s->values[k] = tir_arg(&b, s->types[k]);
    s->values[s->n] = tir_arg(&b, body->arguments.at[s->n]);
    TirIdVec wrt = {0};
    for (uint32_t k = 0; k < s->n; k++)
        if (s->active[k])
            vec_push(scratch, &wrt, s->values[k]);
    for (uint32_t k = 0; k < a->n_carried + a->n_invariant; k++)
        if (s->active[k])
            s->d_values[k] = tir_arg(&b, s->types[k]);
    for (uint32_t k = 0; k < a->n_stacked; k++)
        if (s->v->results[s->id][a->n_carried + k])
            s->d_stacks[k] = tir_arg(&b, body->nodes.at[body->results.at[a->n_carried + k]].type);

    TirIdVec operands = {0};
    TirId *map = ARENA_ARRAY(scratch, TirId, body->nodes.count);
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = &body->nodes.at[id];
        map[id] = node->op == TIR_ARG ? s->values[node->attr.index]
                                      : pass_rebuild_mapped(&b, body, id, map, &operands);
    }
    b.name = NULL;

    Vjp inner;
    vjp_begin(&inner, &b, s->all->nodes.count, wrt.count, wrt.at, scratch);
    for (uint32_t k = 0; k < body->results.count; k++) {
        const TirId seed = k < a->n_carried ? s->d_values[k] : s->d_stacks[k - a->n_carried];
        if (!seed)
            continue;
        const TirId value = map[body->results.at[k]];
        vjp_seed(&inner, value, seed, tir_node(s->all, seed)->type.domain);
    }
    TirId *gradients = ARENA_ARRAY(scratch, TirId, wrt.count);
    vjp_finish(&inner, wrt.count, wrt.at, gradients);
    for (uint32_t k = 0, next = 0; k < s->n; k++) {
        if (!s->active[k])
            continue;
        const TirId gradient = gradients[next++];
        s->out[k] = gradient;
        if (gradient && k >= a->n_carried && k < a->n_carried + a->n_invariant)
            s->out[k] = tir_binary(&b, TIR_ADD, s->d_values[k], gradient);
        if (!gradient && k < a->n_carried)
            s->out[k] = vjp_zeros(&b, &s->types[k]);
    }
    /* Loops in the body that were rebuilt with stacks replace what they repeat. */
    s->all = pass_substitute_block(b.program, s->all, &inner.replaced, s->n, s->out, NULL);
}

/* --- pruning and the two loops -----------------------------------------------------------------*/

/* The forward loop again, stacking the carried arguments marked in `stacked` too. */
static TirId scan_with_stacks(ScanVjp *s, const bool *stacked) {
    Arena *arena = s->v->b->program->arena;
    TirBlock *body = ARENA_NEW(arena, TirBlock);
    TirNode node = s->node;
    *body = *s->forward; /* the same values; only the list of results is new */
    body->unique = (TirUnique){0};
    body->copies = (TirCopies){0};
    body->results = (TirIdVec){0};
    for (uint32_t k = 0; k < s->forward->results.count; k++)
        vec_push(arena, &body->results, s->forward->results.at[k]);
    for (uint32_t k = 0; k < s->node.attr.n_carried; k++) {
        if (!stacked[k])
            continue;
        TirId id = 1;
        while (body->nodes.at[id].op != TIR_ARG || body->nodes.at[id].attr.index != k)
            id++;
        vec_push(arena, &body->results, id);
    }
    if (body->results.count == s->forward->results.count)
        return s->id;
    node.attr.n_stacked = body->results.count - node.attr.n_carried;
    node.attr.body = body;
    const TirId scan = tir_rebuild(s->v->b, &node, node.operands);
    vec_push(s->v->scratch, &s->v->replaced, (VjpReplaced){s->id, scan});
    return scan;
}

typedef struct {
    TirBuilder b;                         /* of the pruned body */
    TirId *arguments;                     /* by unpruned argument: in the pruned body, or 0 */
    const bool *needed;                   /* by unpruned argument */
    TirIdVec carried, invariant, scanned; /* operands of the reverse loop */
} Pruned;

static void prune_argument(Pruned *p, const ScanVjp *s, TirId argument, TirIdVec *operands,
                           TirId operand) {
    const TirNode *node = tir_node(s->all, argument);
    p->arguments[node->attr.index] = tir_arg(&p->b, node->type);
    vec_push(s->v->scratch, operands, operand);
}

static bool prune_wants(const Pruned *p, const ScanVjp *s, TirId argument) {
    return argument && p->needed[tir_node(s->all, argument)->attr.index];
}

/* Declares the pruned body's arguments in a loop's order, with the operands they stand for. */
static void prune_arguments(Pruned *p, ScanVjp *s, const bool *stacked, TirId forward) {
    const TirAttr *a = &s->node.attr;
    TirBuilder *b = s->v->b;
    const TirId *adjoints = s->v->results[s->id];
    const uint32_t first_scanned = a->n_carried + a->n_invariant;
    for (uint32_t k = 0; k < a->n_carried; k++)
        if (s->out[k])
            prune_argument(p, s, s->d_values[k], &p->carried,
                           adjoints[k] ? adjoints[k] : vjp_zeros(b, &s->types[k]));
    for (uint32_t k = a->n_carried; k < first_scanned; k++)
        if (s->out[k])
            prune_argument(p, s, s->d_values[k], &p->carried, vjp_zeros(b, &s->types[k]));
    for (uint32_t k = a->n_carried; k < first_scanned; k++)
        if (prune_wants(p, s, s->values[k]))
            prune_argument(p, s, s->values[k], &p->invariant, s->node.operands[k]);
    uint32_t stack = a->n_carried + a->n_stacked;
    for (uint32_t k = 0; k < a->n_carried; k++)
        if (stacked[k])
            prune_argument(p, s, s->values[k], &p->scanned, tir_result(b, forward, stack++));
    for (uint32_t k = first_scanned; k < s->n; k++)
        if (prune_wants(p, s, s->values[k]))
            prune_argument(p, s, s->values[k], &p->scanned, s->node.operands[k]);
    for (uint32_t k = 0; k < a->n_stacked; k++)
        if (prune_wants(p, s, s->d_stacks[k]))
            prune_argument(p, s, s->d_stacks[k], &p->scanned, adjoints[a->n_carried + k]);
    p->arguments[tir_node(s->all, s->values[s->n])->attr.index] =
        tir_arg(&p->b, s->forward->arguments.at[s->n]);
}

/* Copies what is live of the unpruned body and names the results: carried, then stacked. */
static void prune_copy(Pruned *p, ScanVjp *s, const bool *live) {
    TirId *map = ARENA_ARRAY(s->v->scratch, TirId, s->all->nodes.count);
    Arena *arena = s->v->b->program->arena;
    TirIdVec operands = {0};
    for (TirId id = 1; id < s->all->nodes.count; id++) {
        const TirNode *node = tir_node(s->all, id);
        if (!live[id])
            continue;
        map[id] = node->op == TIR_ARG ? p->arguments[node->attr.index]
                                      : pass_rebuild_mapped(&p->b, s->all, id, map, &operands);
    }
    for (uint32_t k = 0; k < s->n; k++)
        if (s->out[k])
            vec_push(arena, &p->b.block->results, map[s->out[k]]);
}

/* Builds the reverse loop and hands its results to the operands. */
static void scan_finish(ScanVjp *s) {
    const TirAttr *a = &s->node.attr;
    Vjp *v = s->v;
    bool *live = ARENA_ARRAY(v->scratch, bool, s->all->nodes.count);
    bool *needed = ARENA_ARRAY(v->scratch, bool, s->all->arguments.count);
    bool *stacked = ARENA_ARRAY(v->scratch, bool, a->n_carried);
    for (uint32_t k = 0; k < s->n; k++)
        if (s->out[k])
            live[s->out[k]] = true;
    pass_mark_live(s->all, NULL, live);
    for (TirId id = 1; id < s->all->nodes.count; id++)
        if (s->all->nodes.at[id].op == TIR_ARG && live[id])
            needed[s->all->nodes.at[id].attr.index] = true;
    for (uint32_t k = 0; k < a->n_carried; k++)
        stacked[k] = needed[tir_node(s->all, s->values[k])->attr.index];
    const TirId forward = scan_with_stacks(s, stacked);
    Pruned p = {.b = tir_builder_inner(v->b, tir_block_create(v->b->program)), .needed = needed};
    p.arguments = ARENA_ARRAY(v->scratch, TirId, s->all->arguments.count);
    prune_arguments(&p, s, stacked, forward);
    prune_copy(&p, s, live);
    if (p.b.block->results.count == 0)
        return;
    const TirId reverse =
        tir_scan(v->b, a->trips, !a->reverse, p.b.block, p.carried.count, p.carried.at,
                 p.invariant.count, p.invariant.at, p.scanned.count, p.scanned.at);
    for (uint32_t k = 0, result = 0; k < s->n; k++) {
        if (!s->out[k])
            continue;
        const TirId gradient = tir_result(v->b, reverse, result++);
        vjp_add(v, s->node.operands[k], gradient, s->types[k].domain);
    }
}

void tir_grad_SCAN(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)g;
    ScanVjp s = {.v = v, .id = id, .node = *node, .n = node->n_operands};
    s.forward = node->attr.body;
    s.active = ARENA_ARRAY(v->scratch, bool, s.n);
    s.types = ARENA_ARRAY(v->scratch, TirType, s.n);
    s.values = ARENA_ARRAY(v->scratch, TirId, s.n + 1);
    s.d_values = ARENA_ARRAY(v->scratch, TirId, s.n);
    s.d_stacks = ARENA_ARRAY(v->scratch, TirId, node->attr.n_stacked);
    s.out = ARENA_ARRAY(v->scratch, TirId, s.n);
    vjp_find_active(v, &s.node, s.forward, s.node.attr.n_carried, s.active);
    scan_choose_types(&s);
    scan_build_all(&s);
    scan_finish(&s);
}
