/* Builders of ops over samples and positions: counting, summing, spreading, shifting,
 * going on from one position to the next. */
#include "tir/tir_internal.h"

static const TirType *type_of(const TirBuilder *b, TirId id) {
    return &b->block->nodes.at[id].type;
}

TirId tir_spread(TirBuilder *b, TirId x, TirDomain to) {
    TirNode node = {.op = TIR_STOP_GRADIENT, .n_operands = 1, .operands = &x, .type.domain = to};
    return tir_domain_equal(tir_node(b->block, x)->type.domain, to) ? x : tir_append(b, &node);
}

TirId tir_fresh(TirBuilder *b, TirId x) {
    const uint32_t before = b->block->nodes.count;
    while (b->block->nodes.count == before) {
        TirNode node = {.op = TIR_STOP_GRADIENT,
                        .n_operands = 1,
                        .operands = &x,
                        .type.domain = type_of(b, x)->domain};
        x = tir_append(b, &node);
    }
    return x;
}

TirId tir_position_sum(TirBuilder *b, TirId x, TirDomain to) {
    TirNode node = {.op = TIR_POSITION_SUM, .n_operands = 1, .operands = &x, .type.domain = to};
    if (tir_domain_equal(to, type_of(b, x)->domain))
        return x;
    return tir_append(b, &node);
}

TirId tir_times_count(TirBuilder *b, TirId x, TirDomain domain) {
    return domain.sample || domain.space ? tir_binary(b, TIR_MUL, x, tir_count(b, domain)) : x;
}

TirId tir_domain_sum(TirBuilder *b, TirId x, TirDomain from, TirDomain to) {
    const TirDomain have = type_of(b, x)->domain;
    const TirDomain summed = tir_domain_minus(from, to);
    TirId sum = tir_position_sum(b, x, tir_domain_minus(have, summed));
    return tir_times_count(b, sum, tir_domain_minus(summed, have));
}

TirId tir_shift(TirBuilder *b, TirId x, int32_t offset) {
    return tir_shift_by(b, x, (int32_t[2]){offset, 0});
}

TirId tir_shift_by(TirBuilder *b, TirId x, const int32_t offset[2]) {
    TirNode node = {.op = TIR_SHIFT, .n_operands = 1, .operands = &x};
    node.attr.offset[0] = offset[0];
    node.attr.offset[1] = offset[1];
    if (offset[0] == 0 && offset[1] == 0 && type_of(b, x)->domain.space)
        return x;
    return tir_append(b, &node);
}

static TirId zeros(TirBuilder *b, const TirType *like) {
    const TirId zero = like->elem == TIR_INT ? tir_int(b, 0) : tir_real(b, 0);
    return tir_broadcast(b, zero, like->rank, like->dims, NULL);
}

/* int @time: 1 at positions whose last coordinate stays within a grid's row, else 0. */
static TirId inside_row(TirBuilder *b, uint8_t space, int32_t offset) {
    const TirSpace *s = &b->program->spaces.at[space - 1];
    double *inside = ARENA_ARRAY(b->program->arena, double, s->maximum);
    for (uint32_t t = 0; t < s->maximum; t++) {
        const int64_t c = (int64_t)(t % s->extents[1]) - offset;
        inside[t] = c >= 0 && c < s->extents[1];
    }
    const TirId table = tir_table(b, TIR_INT, 1, &s->maximum, inside);
    return tir_gather(b, table, tir_position(b, space));
}

TirId tir_inside(TirBuilder *b, TirId x, const int32_t offset[2], uint8_t space) {
    const TirType t = *type_of(b, x);
    const int64_t distance = tir_shift_distance(&b->program->spaces.at[space - 1], offset);
    if (distance > INT32_MAX || distance < -INT32_MAX)
        return zeros(b, &t);
    const TirId at = tir_binary(b, TIR_SUB, tir_position(b, space), tir_int(b, distance));
    const TirId count = tir_count(b, (TirDomain){0, space});
    TirId inside = distance >= 0 ? tir_binary(b, TIR_LE, tir_int(b, 0), at)
                                 : tir_binary(b, TIR_LT, tir_unary(b, TIR_TO_REAL, at), count);
    if (offset[1])
        inside = tir_binary(b, TIR_AND, inside,
                            tir_binary(b, TIR_EQ, inside_row(b, space, offset[1]), tir_int(b, 1)));
    return tir_select(b, inside, x, zeros(b, &t));
}

TirId tir_shift_in(TirBuilder *b, TirId x, const int32_t offset[2], uint8_t space) {
    return type_of(b, x)->domain.space ? tir_shift_by(b, x, offset)
                                       : tir_inside(b, x, offset, space);
}

TirId tir_recur(TirBuilder *b, TirId f, TirId u, bool reverse) {
    const TirNode *repeated = tir_node(b->block, f);
    if (repeated->op == TIR_BROADCAST && type_of(b, repeated->operands[0])->rank == 0)
        f = repeated->operands[0];
    TirNode node = {
        .op = TIR_RECUR, .n_operands = 2, .operands = (TirId[]){f, u}, .attr.reverse = reverse};
    return tir_append(b, &node);
}

TirId tir_at_positions(TirBuilder *b, TirId x, uint8_t space) {
    const TirId at = tir_shift_in(b, x, (int32_t[2]){0, 0}, space);
    const TirDomain domain = type_of(b, at)->domain;
    return domain.space ? at : tir_spread(b, at, (TirDomain){domain.sample, space}); /* zeros */
}
