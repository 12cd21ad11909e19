/* The adjoint of a SEQUENCE: one in the other direction, of the states' adjoints alone.
 *
 *   forward    m[t] = body(m[t - 1], w, x[t])
 *   reverse    d[t] = body's vjp, for the states, of d[t + 1] + dm[t]
 *
 * Where each state's adjoint is known, d[t + 1] + dm[t], positions need not wait for each other any
 * more: what comes to w and x is the body's vjp at all of them at once, from the states that were
 * stored. So a weight's gradient is a product over positions, and the body's values are made again
 * by such products too; the reverse body has only what depends on the adjoints (tir_sequence).
 *
 * An initial state gets what comes back to the first position. */
#include "pass/rebuild.h"
#include "pass/vjp.h"

typedef struct {
    Vjp *v;
    TirId id;
    TirNode node;
    const TirBlock *body; /* forward */
    uint32_t n, carried;  /* operands, and of them states */
    bool *active;         /* by operand: its gradient is wanted, through any number of positions */

    /* The body's vjp at one position, a block by itself. */
    TirBlock *vjp;
    TirId *values; /* by operand: its argument there */
    TirId *seeds;  /* by state: the argument that is its whole adjoint; 0: it has none */
    TirId *out;    /* by operand: its gradient there, or 0 */

    TirId *before; /* by state, outside: what it was before each position */
} SequenceVjp;

/* The forward body again, and what comes of the seeds of these states. */
static void build_vjp(SequenceVjp *s, const bool *seeded) {
    const TirBlock *body = s->body;
    Arena *scratch = s->v->scratch;
    s->vjp = tir_block_create(s->v->b->program);
    TirBuilder b = tir_builder_inner(s->v->b, s->vjp);
    TirIdVec wrt = {0}, operands = {0};
    for (uint32_t k = 0; k < s->n; k++) {
        s->values[k] = tir_arg(&b, body->arguments.at[k]);
        s->out[k] = 0;
        if (s->active[k])
            vec_push(scratch, &wrt, s->values[k]);
    }
    for (uint32_t k = 0; k < s->carried; k++)
        s->seeds[k] = seeded[k] ? tir_arg(&b, body->arguments.at[k]) : 0;
    TirId *map = ARENA_ARRAY(scratch, TirId, body->nodes.count);
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        map[id] = node->op == TIR_ARG ? s->values[node->attr.index]
                                      : pass_rebuild_mapped(&b, body, id, map, &operands);
    }
    b.name = NULL;
    Vjp inner;
    vjp_begin(&inner, &b, s->vjp->nodes.count, wrt.count, wrt.at, scratch);
    for (uint32_t k = 0; k < s->carried; k++)
        if (seeded[k])
            vjp_seed(&inner, map[body->results.at[k]], s->seeds[k],
                     tir_node(s->vjp, s->seeds[k])->type.domain);
    TirId *gradients = ARENA_ARRAY(scratch, TirId, wrt.count), *roots = gradients;
    vjp_finish(&inner, wrt.count, wrt.at, gradients);
    uint32_t n_roots = 0, next = 0;
    for (uint32_t k = 0; k < wrt.count; k++) /* those that there are, for what replaces loops */
        n_roots += gradients[k] != 0;
    TirId *there = ARENA_ARRAY(scratch, TirId, n_roots + 1);
    for (uint32_t k = 0, at = 0; k < wrt.count; k++)
        if (gradients[k])
            there[at++] = gradients[k];
    s->vjp = pass_substitute_block(b.program, s->vjp, &inner.replaced, n_roots, there, NULL);
    for (uint32_t k = 0, at = 0; k < s->n; k++)
        if (s->active[k] && roots[next++])
            s->out[k] = there[at++];
}

/* Whose adjoints there are at all: of states that are read elsewhere, and of what these are made
 * of. Each turn looks one position further back. */
static void find_seeds(SequenceVjp *s) {
    bool *seeded = ARENA_ARRAY(s->v->scratch, bool, s->carried), more = true;
    for (uint32_t k = 0; k < s->carried; k++)
        seeded[k] = s->active[k] && s->v->results[s->id][k];
    while (more) {
        build_vjp(s, seeded);
        more = false;
        for (uint32_t k = 0; k < s->carried; k++)
            if (s->out[k] && !seeded[k])
                seeded[k] = more = true;
    }
}

/* The vjp's block again in `b`, as far as the gradients of the operands `first` .. need it. */
static TirId *inline_vjp(const SequenceVjp *s, TirBuilder *b, const TirId *values,
                         const TirId *seeds, uint32_t first, uint32_t end) {
    Arena *scratch = s->v->scratch;
    TirId *map = ARENA_ARRAY(scratch, TirId, s->vjp->nodes.count);
    TirId *results = ARENA_ARRAY(scratch, TirId, s->n);
    TirId *arguments = ARENA_ARRAY(scratch, TirId, s->vjp->arguments.count);
    bool *live = ARENA_ARRAY(scratch, bool, s->vjp->nodes.count);
    TirIdVec operands = {0};
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->n; k++)
        arguments[n++] = values[k];
    for (uint32_t k = 0; k < s->carried; k++)
        if (s->seeds[k])
            arguments[n++] = seeds[k];
    for (uint32_t k = first; k < end; k++)
        if (s->out[k])
            live[s->out[k]] = true;
    pass_mark_live(s->vjp, NULL, live);
    for (TirId id = 1; id < s->vjp->nodes.count; id++) {
        const TirNode *node = tir_node(s->vjp, id);
        if (live[id])
            map[id] = node->op == TIR_ARG ? arguments[node->attr.index]
                                          : pass_rebuild_mapped(b, s->vjp, id, map, &operands);
    }
    for (uint32_t k = first; k < end; k++)
        results[k] = map[s->out[k]];
    return results;
}

/* What comes back to the position before, by state; 0: nothing does. */
static TirId *reverse_sequence(const SequenceVjp *s) {
    Vjp *v = s->v;
    Arena *scratch = v->scratch;
    TirBlock *block = tir_block_create(v->b->program);
    TirBuilder b = tir_builder_inner(v->b, block);
    TirId *back = ARENA_ARRAY(scratch, TirId, s->carried);
    TirId *values = ARENA_ARRAY(scratch, TirId, s->n), *seeds = ARENA_ARRAY(scratch, TirId, s->n);
    TirIdVec initial = {0}, invariant = {0};
    for (uint32_t k = 0; k < s->carried; k++)
        if (s->out[k]) {
            seeds[k] = tir_arg(&b, s->body->arguments.at[k]);
            vec_push(scratch, &initial, vjp_zeros(v->b, &s->body->arguments.at[k]));
        }
    if (initial.count == 0)
        return back;
    for (uint32_t k = 0; k < s->n; k++) {
        const TirId is = k < s->carried ? s->before[k] : s->node.operands[k];
        values[k] = tir_arg(&b, tir_node(v->b->block, is)->type);
        vec_push(scratch, &invariant, is);
    }
    for (uint32_t k = 0; k < s->carried; k++) {
        const TirId given = s->seeds[k] ? v->results[s->id][k] : 0;
        if (!given)
            continue;
        const TirId is = tir_arg(&b, tir_node(v->b->block, given)->type);
        vec_push(scratch, &invariant, given);
        seeds[k] = seeds[k] ? tir_binary(&b, TIR_ADD, seeds[k], is) : is;
    }
    const TirId *gradients = inline_vjp(s, &b, values, seeds, 0, s->carried);
    for (uint32_t k = 0; k < s->carried; k++)
        if (s->out[k])
            vec_push(v->b->program->arena, &block->results, gradients[k]);
    const TirId reverse = tir_sequence(v->b, !s->node.attr.reverse, block, initial.count,
                                       initial.at, invariant.at, NULL);
    for (uint32_t k = 0, next = 0; k < s->carried; k++)
        if (s->out[k])
            back[k] = tir_result(v->b, reverse, next++);
    return back;
}

static void give_initial(const SequenceVjp *s, uint32_t k, TirId back) {
    TirBuilder *b = s->v->b;
    const TirId operand = s->node.operands[k];
    const TirDomain domain = s->body->arguments.at[k].domain;
    const int32_t by[2] = {s->node.attr.reverse ? -1 : 1, 0};
    if (!back || !vjp_wants(s->v, operand))
        return;
    const TirId later = tir_inside(b, tir_real(b, 1), by, domain.space);
    vjp_add(s->v, operand,
            tir_select(b, tir_binary(b, TIR_LT, tir_real(b, 0), later), tir_real(b, 0), back),
            domain);
}

void tir_grad_SEQUENCE(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)g;
    Arena *scratch = v->scratch;
    TirBuilder *b = v->b;
    const uint32_t n = node->n_operands, carried = node->attr.n_carried;
    SequenceVjp s = {.v = v,
                     .id = id,
                     .node = *node,
                     .body = node->attr.body,
                     .n = n,
                     .carried = carried,
                     .active = ARENA_ARRAY(scratch, bool, n),
                     .values = ARENA_ARRAY(scratch, TirId, n),
                     .seeds = ARENA_ARRAY(scratch, TirId, carried),
                     .out = ARENA_ARRAY(scratch, TirId, n),
                     .before = ARENA_ARRAY(scratch, TirId, carried)};
    const bool reverse = node->attr.reverse;
    vjp_find_active(v, &s.node, s.body, s.carried, s.active);
    find_seeds(&s);
    for (uint32_t k = 0; k < carried; k++)
        s.before[k] = tir_before(b, tir_result(b, id, k), node->operands[k], reverse);
    const TirId *back = reverse_sequence(&s);
    TirId *seeds = ARENA_ARRAY(scratch, TirId, carried), *values = ARENA_ARRAY(scratch, TirId, n);
    for (uint32_t k = 0; k < carried; k++) {
        const TirType *type = &s.body->arguments.at[k];
        const int32_t by[2] = {reverse ? 1 : -1, 0};
        const TirId given = v->results[id][k];
        if (back[k])
            seeds[k] = tir_shift_in(b, back[k], by, type->domain.space);
        if (given)
            seeds[k] = seeds[k] ? tir_binary(b, TIR_ADD, seeds[k], given) : given;
        if (!seeds[k])
            seeds[k] = vjp_zeros(b, type);
    }
    for (uint32_t k = 0; k < n; k++)
        values[k] = k < carried ? s.before[k] : s.node.operands[k];
    const TirId *gradients = inline_vjp(&s, b, values, seeds, carried, n);
    for (uint32_t k = carried; k < n; k++)
        if (s.out[k])
            vjp_add(v, s.node.operands[k], gradients[k], s.body->arguments.at[k].domain);
    for (uint32_t k = 0; k < carried; k++)
        give_initial(&s, k, back[k]);
}
