/* Blocks: several positions, or several elements, at a time, with their sums in registers.
 *
 * A contraction with weights at one position would load every weight for one multiplication; for a
 * block of positions it is loaded once for all. A sum over positions would load and store its
 * accumulators at every position; with the positions innermost they stay in registers. */
#include "lower/lower_internal.h"

uint32_t schedule_block_positions(const Lower *l, const Value *v, const TirType *type) {
    if (!v->weighted)
        return 1;
    uint64_t elements = schedule_leading(type);
    uint32_t n = POSITION_BLOCK;
    while (n > 1 && n * elements > schedule_block_accumulators(l))
        n /= 2;
    return n;
}

/* One contraction for all positions and elements: term by term, so that a weight and a coefficient
 * are loaded just before all their uses. */
void lower_block_weighted(Lower *l, const Part *part, const Context *positions, uint32_t n,
                          Affine c) {
    TirId id = part->id;
    if (!id || !part->to->weighted)
        return;
    uint64_t terms = schedule_terms(l, id), elements = schedule_leading(&part->type);
    if (terms > UNROLL_REDUCE)
        return;
    Index *index = ARENA_ARRAY(l->arena, Index, elements);
    NestId *sum = ARENA_ARRAY(l->arena, NestId, n * elements);
    uint32_t last = part->type.rank - 1u;
    for (uint64_t e = 0; e < elements; e++) {
        index[e] = affine_index(e * part->type.dims[last], &part->type);
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
            lower_remember(l, id, &index[e], sum[u * elements + e]);
        }
}

void lower_block_sum(Lower *l, const Part *part, Affine c, NestId valid) {
    if (!part->id)
        return;
    Value *v = part->to;
    uint16_t lanes = l->options.lanes;
    uint32_t last = part->type.rank - 1u;
    uint64_t elements = schedule_leading(&part->type);
    const uint32_t most = schedule_block_accumulators(l);
    for (uint64_t first = 0; first < elements; first += most) {
        uint32_t n = elements - first < most ? (uint32_t)(elements - first) : most;
        Index index[BLOCK_ACCUMULATORS_MOST];
        NestAddress at[BLOCK_ACCUMULATORS_MOST];
        NestId sum[BLOCK_ACCUMULATORS_MOST];
        for (uint32_t e = 0; e < n; e++) {
            index[e] = affine_index((first + e) * part->type.dims[last], &part->type);
            index[e].at[last] = c;
            Index moved = index[e];
            moved.at[part->axis] = affine_add(moved.at[part->axis], affine_const(part->offset));
            at[e] = lower_sum_place(l, v, &moved);
            sum[e] = nest_load(&l->b, v->accumulator, at[e], lanes, 1, valid);
        }
        NestLoop *loop =
            nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0), l->valid_rows, 1, n, sum);
        lower_scope_begin(l);
        lower_shift_prepare(l, affine_var(loop->variable), 1, &part->id, 1);
        Context old = lower_context(l, affine_var(loop->variable), lanes, valid);
        for (uint32_t e = 0; e < n; e++)
            sum[e] = lower_vector(l, lower_added(l, part->id, &index[e], loop->inner[e]));
        l->context = old;
        lower_scope_end(l);
        nest_loop_end(&l->b, sum);
        for (uint32_t e = 0; e < n; e++)
            nest_store(&l->b, v->accumulator, at[e], nest_result(&l->b, loop, e), valid, false);
    }
}
