/* Sums over instances: each task adds up its own positions; the runtime adds the tasks' partial
 * results in a fixed order. Small values add vectors of positions, in scratch memory; wide ones add
 * vectors of features, in the task's partial result itself or, of many rows, in packed order. */
#include "lower/lower_internal.h"

static bool sum_by_lanes(const ScheduleValue *v) {
    return v->side != SCHEDULE_WIDE;
}

static uint64_t sum_accumulator_elements(const Lower *l, const ScheduleValue *v) {
    return sum_by_lanes(v) ? v->elements * l->rows
           : v->packed     ? schedule_packed_elements(l->schedule, &tir_node(l->block, v->id)->type)
                           : v->elements;
}

NestAddress lower_sum_address(Lower *l, const ScheduleValue *v, const AffineIndex *index) {
    const TirNode *node = tir_node(l->block, v->id);
    if (v->packed && !lower_is_packed_index(l, index))
        lower_fault(l, node->op, "a sum in packed order is added to at other than whole vectors");
    Affine flat =
        v->packed ? lower_packed_flat(l, &node->type, index) : affine_flat(index, &node->type);
    NestAddress at = affine_address(&flat);
    return v->packed ? at : nest_at_plus(at, nest_task(&l->b), (int64_t)v->elements);
}

static void sum_clear_at(Lower *l, const ScheduleValue *v, NestAddress at, NestId valid) {
    const uint32_t accumulator = lower_held(l, v)->accumulator;
    NestId zero = nest_const(&l->b, (NestType){l->real, l->lanes}, 0);
    if (accumulator == v->argument)
        at = nest_at_plus(at, nest_task(&l->b), (int64_t)v->elements);
    nest_store(&l->b, accumulator, at, zero, valid, false);
}

/* In vectors, with a masked tail. */
static void sum_clear(Lower *l, const ScheduleValue *v) {
    const uint64_t elements = sum_accumulator_elements(l, v),
                   whole = elements / l->lanes * l->lanes;
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_VECTOR, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, (int64_t)whole), l->lanes, 0, NULL);
        sum_clear_at(l, v, nest_at_plus(nest_at(0), loop->variable, 1), 0);
        nest_loop_end(&l->b, NULL);
    }
    if (elements > whole)
        sum_clear_at(l, v, nest_at((int64_t)whole), nest_i64(&l->b, (int64_t)(elements - whole)));
}

void lower_sums_begin(Lower *l) {
    const Schedule *s = l->schedule;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++) {
        const ScheduleValue *v = &s->values[k];
        if (!v->sum)
            continue;
        LowerHeld *held = &l->held[k];
        held->accumulator = v->argument;
        if (sum_by_lanes(v))
            held->accumulator = lower_scratch(l, "sum", TIR_REAL, sum_accumulator_elements(l, v));
        else if (v->packed)
            held->accumulator = lower_packed_buffer(l, v);
        sum_clear(l, v);
    }
}

void lower_sum_lane(Lower *l, const ScheduleValue *v, const Affine *element, NestId contribution) {
    uint16_t lanes = l->rows;
    NestId x = lower_vector(l, contribution);
    NestType real = {l->real, lanes};
    NestId valid = nest_cast(&l->b, NEST_I32, l->valid_rows);
    NestId in =
        nest_binary(&l->b, NEST_LT, nest_lanes(&l->b, lanes), nest_splat(&l->b, lanes, valid));
    x = nest_select(&l->b, in, x, nest_const(&l->b, real, 0));
    Affine scaled = affine_scale(*element, l->rows);
    NestAddress at = affine_address(&scaled);
    const uint32_t accumulator = lower_held(l, v)->accumulator;
    NestId old = nest_load(&l->b, accumulator, at, lanes, 1, 0);
    nest_store(&l->b, accumulator, at, nest_binary(&l->b, NEST_ADD, old, x), 0, false);
}

void lower_sums_end(Lower *l) {
    const Schedule *s = l->schedule;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++) {
        const ScheduleValue *v = &s->values[k];
        if (v->sum && v->packed)
            lower_unpack_sum(l, v);
        if (!v->sum || !sum_by_lanes(v))
            continue;
        NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, (int64_t)v->elements), 1, 0, NULL);
        NestAddress from = nest_at_plus(nest_at(0), loop->variable, l->rows);
        NestId x = nest_load(&l->b, l->held[k].accumulator, from, l->rows, 1, 0);
        if (l->rows > 1)
            x = nest_unary(&l->b, NEST_SUM_LANES, x);
        NestAddress to = nest_at_plus(nest_at(0), loop->variable, 1);
        to = nest_at_plus(to, nest_task(&l->b), (int64_t)v->elements);
        nest_store(&l->b, v->argument, to, x, 0, false);
        nest_loop_end(&l->b, NULL);
    }
}

/* --- sums that keep samples or positions: kernels by themselves --------------------------------*/

/* out[i] = sum over the instances of the inner domain that share i: positions of sample i when the
 * result is per sample, samples at position i when it is per position. */
NestKernel *lower_sum_kernel(const Schedule *s) {
    const TirNode *node = schedule_node(s, s->value);
    const NestElem real = s->real_bytes == 8 ? NEST_F64 : NEST_F32;
    int64_t elements = (int64_t)tir_element_count(&node->type);
    bool per_sample = node->type.domain.sample;
    NestKernel *kernel = nest_kernel_create(s->plan->arena, s->name);
    NestBuilder b = nest_builder(kernel);
    b.span = node->span;
    uint32_t in = nest_add_buffer(
        kernel, (NestBuffer){.name = "in", .kind = NEST_ARGUMENT, .elem = real, .read = true});
    uint32_t out = nest_add_buffer(
        kernel, (NestBuffer){.name = "out", .kind = NEST_ARGUMENT, .elem = real, .written = true});
    const uint8_t space = schedule_node(s, node->operands[0])->type.domain.space;
    NestId tile = nest_extent(&b, NEST_TILE);
    NestId positions = lower_extent_of_space(&b, node->type.domain.space, space);
    NestId begin = nest_binary(&b, NEST_MUL, nest_task(&b), tile);
    NestId end = nest_binary(&b, NEST_MIN, nest_binary(&b, NEST_ADD, begin, tile),
                             nest_extent(&b, NEST_INSTANCES));
    NestLoop *outer = nest_loop_begin(&b, NEST_SEQUENTIAL, begin, end, 1, 0, NULL);
    /* The inner instance summed over is i * positions + j, or j * positions + i. */
    NestId first =
        per_sample ? nest_binary(&b, NEST_MUL, outer->variable, positions) : outer->variable;
    NestId count = per_sample ? positions : nest_extent(&b, NEST_SAMPLES);
    NestId step = per_sample ? nest_i64(&b, 1) : positions;
    int64_t lanes = s->lanes, whole = elements / lanes * lanes;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 0 ? whole == 0 : elements == whole)
            continue;
        NestLoop *vector = nest_loop_begin(&b, NEST_VECTOR, nest_i64(&b, pass ? whole : 0),
                                           nest_i64(&b, pass ? elements : whole), lanes, 0, NULL);
        NestId valid = pass ? nest_i64(&b, elements - whole) : 0;
        NestId zero = nest_const(&b, (NestType){real, s->lanes}, 0);
        NestLoop *sum = nest_loop_begin(&b, NEST_REDUCE, nest_i64(&b, 0), count, 1, 1, &zero);
        NestId at =
            nest_binary(&b, NEST_ADD, first, nest_binary(&b, NEST_MUL, sum->variable, step));
        NestAddress from =
            nest_at_plus(nest_at_plus(nest_at(0), at, elements), vector->variable, 1);
        NestId x = nest_load(&b, in, from, s->lanes, 1, valid);
        NestId next = nest_binary(&b, NEST_ADD, sum->inner[0], x);
        nest_loop_end(&b, &next);
        NestAddress to =
            nest_at_plus(nest_at_plus(nest_at(0), outer->variable, elements), vector->variable, 1);
        nest_store(&b, out, to, nest_result(&b, sum, 0), valid, false);
        nest_loop_end(&b, NULL);
    }
    nest_loop_end(&b, NULL);
    return kernel;
}
