/* SEQUENCE: what is built before it, and what stays in its body.
 *
 * A body's value that depends on no state is the same whoever computes it, and the positions need
 * not wait for each other: it moves out, where it may be a product of all positions at once. What
 * is larger than all that it is made of, an outer product say, stays: the body makes it where it
 * reads it, rather than to load it.
 *
 *     sequence h0, W, x { tanh(W * arg0 + U * x) }
 *     →   %3 = U * x     sequence h0, W, %3 { tanh(W * arg0 + %3) } */
#include "tir/tir_internal.h"

typedef struct {
    TirBuilder *b;        /* before it */
    const TirBlock *body; /* as it was given */
    uint32_t n_carried;
    const TirId *invariant; /* by argument behind those carried */
    bool *depends;          /* by value: on a state */
    bool *out;              /* by value that does not: rather computed before */
    uint64_t *reads;        /* by such a value: elements that the body loads for it */
    bool *inside, *before;  /* by value: is needed there */
    TirId *made;            /* by value: before it, */
    TirId *map;             /* in the new body */
    TirBuilder to;
    TirIdVec operands; /* of the op: states, then what is read */
} Sequence;

static bool sums_terms(const TirBlock *body, const TirNode *node) {
    return tir_op_class(node->op) == TIR_CLASS_REDUCE ||
           (node->op == TIR_CONTRACT && !tir_is_product(body, node));
}

/* Of a value that depends on no state. */
static bool is_rather_before(const Sequence *s, const TirNode *node, uint64_t reads) {
    const TirOpClass class = tir_op_class(node->op);
    if (node->op == TIR_ARG)
        return true;
    if (node->op == TIR_BROADCAST && !node->type.domain.space &&
        tir_node(s->body, node->operands[0])->type.rank == node->type.rank)
        return true; /* in another order, once and for all */
    if (node->op == TIR_CONST || node->type.elem == TIR_TUPLE || class == TIR_CLASS_VIEW)
        return false;
    return class == TIR_CLASS_LEAF || class == TIR_CLASS_CROSS || class == TIR_CLASS_LOOP ||
           node->op == TIR_RANDOM || tir_sums_places(s->body, node) || !node->type.domain.space ||
           sums_terms(s->body, node) || tir_element_count(&node->type) <= reads;
}

static void find_what_depends(Sequence *s) {
    const TirBlock *body = s->body;
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        uint64_t reads = 0;
        s->depends[id] = node->op == TIR_ARG && node->attr.index < s->n_carried;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            s->depends[id] |= s->depends[node->operands[k]];
            reads += s->reads[node->operands[k]];
        }
        if (s->depends[id])
            continue;
        s->out[id] = is_rather_before(s, node, reads);
        s->reads[id] = !s->out[id]               ? reads
                       : node->type.domain.space ? tir_element_count(&node->type)
                                                 : 0;
    }
}

static void find_what_is_needed(Sequence *s) {
    const TirBlock *body = s->body;
    for (uint32_t k = 0; k < body->results.count; k++)
        s->inside[body->results.at[k]] = true;
    for (TirId id = body->nodes.count; id-- > 1;) {
        const TirNode *node = tir_node(body, id);
        s->before[id] |= s->inside[id] && s->out[id];
        for (uint32_t k = 0; k < node->n_operands; k++) {
            s->before[node->operands[k]] |= s->before[id];
            s->inside[node->operands[k]] |= s->inside[id] && !s->out[id];
        }
    }
}

static TirId rebuilt(TirBuilder *b, const TirBlock *from, const TirNode *node, const TirId *map) {
    TirId *operands = ARENA_ARRAY(b->program->arena, TirId, node->n_operands);
    for (uint32_t k = 0; k < node->n_operands; k++)
        operands[k] = map[node->operands[k]];
    b->span = node->span;
    b->name = node->name;
    return tir_rebuild_moved(b, from, node, operands);
}

static void make_before(Sequence *s) {
    for (TirId id = 1; id < s->body->nodes.count; id++) {
        const TirNode *node = tir_node(s->body, id);
        if (s->before[id])
            s->made[id] = node->op == TIR_ARG ? s->invariant[node->attr.index - s->n_carried]
                                              : rebuilt(s->b, s->body, node, s->made);
    }
}

/* An argument for each state, in order, then one for each value that is read. */
static void make_body(Sequence *s) {
    Arena *arena = s->b->program->arena;
    TirId *states = ARENA_ARRAY(arena, TirId, s->n_carried);
    for (uint32_t k = 0; k < s->n_carried; k++)
        states[k] = tir_arg(&s->to, s->body->arguments.at[k]);
    for (TirId id = 1; id < s->body->nodes.count; id++) {
        const TirNode *node = tir_node(s->body, id);
        if (!s->inside[id])
            continue;
        if (s->out[id]) {
            vec_push(arena, &s->operands, s->made[id]);
            s->map[id] = tir_arg(&s->to, tir_node(s->b->block, s->made[id])->type);
        } else {
            s->map[id] = node->op == TIR_ARG ? states[node->attr.index]
                                             : rebuilt(&s->to, s->body, node, s->map);
        }
    }
    for (uint32_t k = 0; k < s->body->results.count; k++)
        vec_push(arena, &s->to.block->results, s->map[s->body->results.at[k]]);
}

TirId tir_sequence(TirBuilder *b, bool reverse, const TirBlock *body, uint32_t n_carried,
                   const TirId *carried, const TirId *invariant, const TirNode **wrong) {
    Arena *arena = b->program->arena;
    const uint32_t n = body->nodes.count;
    const Span span = b->span;
    const char *name = b->name;
    Sequence s = {.b = b,
                  .body = body,
                  .n_carried = n_carried,
                  .invariant = invariant,
                  .depends = ARENA_ARRAY(arena, bool, n),
                  .out = ARENA_ARRAY(arena, bool, n),
                  .reads = ARENA_ARRAY(arena, uint64_t, n),
                  .inside = ARENA_ARRAY(arena, bool, n),
                  .before = ARENA_ARRAY(arena, bool, n),
                  .made = ARENA_ARRAY(arena, TirId, n),
                  .map = ARENA_ARRAY(arena, TirId, n),
                  .to = tir_builder_inner(b, tir_block_create(b->program))};
    for (uint32_t k = 0; k < n_carried; k++)
        vec_push(arena, &s.operands, carried[k]);
    find_what_depends(&s);
    find_what_is_needed(&s);
    make_before(&s);
    make_body(&s);
    b->span = span;
    b->name = name;
    const TirNode *other = tir_sees_others(b->program, s.to.block);
    if (wrong)
        *wrong = other;
    if (wrong && other)
        return 0;
    TirNode node = {.op = TIR_SEQUENCE, .n_operands = s.operands.count, .operands = s.operands.at};
    node.attr = (TirAttr){.reverse = reverse,
                          .body = s.to.block,
                          .n_carried = n_carried,
                          .n_invariant = s.operands.count - n_carried};
    return tir_append(b, &node);
}

TirId tir_before(TirBuilder *b, TirId x, TirId initial, bool reverse) {
    const int32_t by[2] = {reverse ? -1 : 1, 0};
    const TirDomain domain = tir_node(b->block, x)->type.domain;
    const TirId before = tir_shift_by(b, x, by);
    double value;
    if (tir_is_constant(b->block, initial, &value) && value == 0)
        return before;
    const TirId one = tir_inside(b, tir_real(b, 1), by, domain.space);
    return tir_select(b, tir_binary(b, TIR_LT, tir_real(b, 0), one), before, initial);
}
