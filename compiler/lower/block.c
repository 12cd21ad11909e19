/* Blocks: several positions, or several elements, at a time, with their sums in registers.
 *
 * A contraction with weights at one position would load every weight for one multiplication; for a
 * block of positions it is loaded once for all. A sum over positions would load and store its
 * accumulators at every position; with the positions innermost they stay in registers. */
#include "lower/lower_internal.h"

/* One contraction for all positions and elements: term by term, so that a weight and a coefficient
 * are loaded just before all their uses. */
void lower_block_weighted(Lower *l, const SchedulePiece *piece, const LowerContext *positions,
                          uint32_t n, Affine c) {
    TirId id = piece->id;
    if (!id || !piece->to->weighted)
        return;
    const TirNode *node = tir_node(l->block, id);
    uint64_t terms = schedule_terms(l->block, node), elements = schedule_leading(&piece->type);
    if (terms > UNROLL_REDUCE)
        return;
    AffineIndex *index = ARENA_ARRAY(l->arena, AffineIndex, elements);
    NestId *sum = ARENA_ARRAY(l->arena, NestId, n * elements);
    uint32_t last = piece->type.rank - 1u;
    for (uint64_t e = 0; e < elements; e++) {
        index[e] = affine_index(e * piece->type.dims[last], &piece->type);
        index[e].at[last] = c;
    }
    for (uint64_t term = 0; term < terms; term++)
        for (uint64_t e = 0; e < elements; e++)
            for (uint32_t u = 0; u < n; u++) {
                l->context = positions[u];
                NestId *at = &sum[u * elements + e];
                *at = lower_contract_term(l, id, &index[e], term, *at);
            }
    for (uint64_t e = 0; e < elements; e++)
        for (uint32_t u = 0; u < n; u++) {
            l->context = positions[u];
            lower_memo_add(l, id, l->frame.number, &index[e],
                           lower_memo_hash(l, id, l->frame.number, &index[e]),
                           sum[u * elements + e]);
        }
}

void lower_block_sum(Lower *l, const SchedulePiece *piece, const ScheduleLoop *positions, Affine c,
                     NestId valid) {
    if (!piece->id)
        return;
    const ScheduleValue *v = piece->to;
    const uint32_t accumulator = lower_held(l, v)->accumulator;
    uint32_t last = piece->type.rank - 1u;
    uint64_t elements = schedule_leading(&piece->type);
    const uint32_t most = l->schedule->accumulators;
    for (uint64_t first = 0; first < elements; first += most) {
        uint32_t n = elements - first < most ? (uint32_t)(elements - first) : most;
        AffineIndex index[BLOCK_ACCUMULATORS_MOST];
        NestAddress at[BLOCK_ACCUMULATORS_MOST];
        NestId sum[BLOCK_ACCUMULATORS_MOST];
        for (uint32_t e = 0; e < n; e++) {
            index[e] = affine_index((first + e) * piece->type.dims[last], &piece->type);
            index[e].at[last] = c;
            AffineIndex moved = index[e];
            moved.at[piece->axis] = affine_add(moved.at[piece->axis], affine_const(piece->offset));
            at[e] = lower_sum_address(l, v, &moved);
            sum[e] = nest_load(&l->b, accumulator, at[e], l->lanes, 1, valid);
        }
        NestLoop *loop = lower_loop_begin(l, positions, l->valid_rows, n, sum);
        lower_memo_begin(l);
        lower_shift_prepare(l, affine_var(loop->variable), 1, &piece->id, 1);
        LowerContext old = lower_context(l, affine_var(loop->variable), l->lanes, valid);
        for (uint32_t e = 0; e < n; e++)
            sum[e] = lower_vector(l, lower_added(l, piece->id, &index[e], loop->inner[e]));
        l->context = old;
        lower_memo_end(l);
        nest_loop_end(&l->b, sum);
        for (uint32_t e = 0; e < n; e++)
            nest_store(&l->b, accumulator, at[e], nest_result(&l->b, loop, e), valid, false);
    }
}
