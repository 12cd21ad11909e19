/* Arrays between the order in which they lie and packed order, [vector of features][row][lane]; see
 * schedule/places.c for what that is good for. */
#include "lower/lower_internal.h"

enum { PACK_UNROLL = 16 }; /* rows copied by one turn */

/* Between plain[row][feature], from `plain_at` on, and the packed order. */
typedef struct {
    const TirType *type;
    uint32_t plain, packed;
    NestAddress plain_at;
    bool to_plain;
} Repack;

static void repack_rows(Lower *l, const Repack *r, NestId feature, uint64_t from, NestId valid) {
    const uint64_t rows = schedule_leading(r->type);
    const uint32_t block = schedule_divisor((uint32_t)rows, PACK_UNROLL);
    const uint32_t extent = r->type->dims[r->type->rank - 1];
    const uint16_t lanes = l->lanes;
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, (int64_t)rows), block, 0, NULL);
    NestAddress plain = nest_at_plus(r->plain_at, loop->variable, extent);
    NestAddress packed = nest_at_plus(nest_at(0), loop->variable, lanes);
    if (feature) {
        plain = nest_at_plus(plain, feature, 1);
        packed = nest_at_plus(packed, feature, (int64_t)rows);
    }
    plain.offset += (int64_t)from;
    packed.offset += (int64_t)(from * rows);
    for (uint32_t k = 0; k < block; k++) {
        if (r->to_plain) {
            NestId x = nest_load(&l->b, r->packed, packed, lanes, 1, 0);
            nest_store(&l->b, r->plain, plain, x, valid, false);
        } else {
            NestId x = nest_load(&l->b, r->plain, plain, lanes, 1, valid);
            nest_store(&l->b, r->packed, packed, x, 0, false);
        }
        plain.offset += extent;
        packed.offset += lanes;
    }
    nest_loop_end(&l->b, NULL);
}

static void repack(Lower *l, const Repack *r) {
    const uint32_t extent = r->type->dims[r->type->rank - 1], lanes = l->lanes;
    const uint32_t whole = extent / lanes * lanes;
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, whole), lanes, 0, NULL);
        repack_rows(l, r, loop->variable, 0, 0);
        nest_loop_end(&l->b, NULL);
    }
    if (extent > whole)
        repack_rows(l, r, 0, whole, nest_i64(&l->b, extent - whole));
}

void lower_pack_weights(Lower *l) {
    for (uint32_t k = 0; k < l->schedule->n_inputs; k++) {
        const ScheduleValue *v = &l->schedule->values[k];
        if (!v->packed)
            continue;
        l->held[k].packed_buffer = lower_packed_buffer(l, v);
        Repack r = {.type = &tir_node(l->block, v->id)->type,
                    .plain = v->argument,
                    .packed = l->held[k].packed_buffer,
                    .plain_at = nest_at(0)};
        repack(l, &r);
    }
}

void lower_unpack_sum(Lower *l, const ScheduleValue *v) {
    Repack r = {.type = &tir_node(l->block, v->id)->type,
                .plain = v->argument,
                .packed = lower_held(l, v)->accumulator,
                .plain_at = nest_at_plus(nest_at(0), nest_task(&l->b), (int64_t)v->elements),
                .to_plain = true};
    repack(l, &r);
}
