/* Loads and stores: from where a value lies, at a row and an index, to an address. */
#include "lower/lower_internal.h"
#include "nest/nest_range.h"

/* --- the thread's own memory -------------------------------------------------------------------*/

uint32_t lower_scratch(Lower *l, const char *name, TirElem elem, uint64_t elements) {
    NestElem e = elem == TIR_REAL ? l->real : NEST_I32;
    return nest_add_buffer(l->kernel, (NestBuffer){.name = name,
                                                   .kind = NEST_SCRATCH,
                                                   .elem = e,
                                                   .written = true,
                                                   .read = true,
                                                   .elements = elements});
}

uint32_t lower_packed_buffer(Lower *l, const ScheduleValue *v) {
    const TirNode *node = tir_node(l->block, v->id);
    return lower_scratch(l, "packed", TIR_REAL, schedule_packed_elements(l->schedule, &node->type));
}

void lower_stored(Lower *l, const ScheduleValue *v) {
    const uint64_t row =
        v->place == PLACE_TILE_ROWS ? schedule_pitch(l->schedule, v->elements) : v->elements;
    lower_held(l, v)->buffer = lower_scratch(l, schedule_name(l->schedule, v->id),
                                             tir_node(l->block, v->id)->type.elem, row * l->rows);
}

/* --- rows --------------------------------------------------------------------------------------*/

/* The last micro-tile may reach past the instances. Our own buffers are padded, so that its idle
 * positions read and write nothing that matters; the caller's are not: they read the last row
 * again. */
Affine lower_existing_row(Lower *l) {
    Affine row = l->context.row;
    row.lane = 0;
    if (l->rows == 1 || l->context.elsewhere)
        return row;
    NestId last = nest_binary(&l->b, NEST_SUB, l->valid_rows, nest_i64(&l->b, 1));
    return affine_var(nest_binary(&l->b, NEST_MIN, affine_scalar(&l->b, &row), last));
}

/* The row of a value that has fewer instances than the kernel: its position, or its sample. */
static Affine memory_outer_row(Lower *l, SchedulePlace place) {
    Affine instance = affine_add(affine_var(l->tile0), lower_existing_row(l));
    NestId positions = nest_extent(&l->b, NEST_POSITIONS);
    NestOp op = place == PLACE_PER_POSITION ? NEST_REM : NEST_DIV;
    return affine_var(nest_binary(&l->b, op, affine_scalar(&l->b, &instance), positions));
}

static Affine memory_address(Lower *l, SchedulePlace place, uint64_t elements, const Affine *row,
                             const Affine *flat) {
    int64_t e = (int64_t)elements, rows = l->rows;
    switch (place) {
    case PLACE_ROWS:
        return affine_add(affine_scale(affine_add(affine_var(l->tile0), *row), e), *flat);
    case PLACE_PER_POSITION:
    case PLACE_PER_SAMPLE:
        return affine_add(affine_scale(memory_outer_row(l, place), e), *flat);
    case PLACE_TILE_ROWS:
        return affine_add(affine_scale(*row, (int64_t)schedule_pitch(l->schedule, elements)),
                          *flat);
    case PLACE_TILE_LANES:
        return affine_add(affine_scale(*flat, rows), *row);
    default:
        return *flat;
    }
}

/* Of a sequence's argument that has parts: where the task's own begins in a row, and how long the
 * row is. */
static void memory_part(Lower *l, SchedulePlace place, uint32_t argument, Affine *flat,
                        uint64_t *elements) {
    const PlanSequence *sequence = l->schedule->sequence;
    if (!sequence || place == PLACE_TILE_ROWS || place == PLACE_TILE_LANES ||
        !sequence->apart[argument])
        return;
    *flat = affine_add(*flat, affine_scale(affine_var(l->part), (int64_t)*elements));
    *elements *= sequence->parts;
}

/* --- packed order: [vector of features][row][lane] ---------------------------------------------*/

bool lower_is_packed_index(const Lower *l, const AffineIndex *index) {
    const Affine *last = &index->at[index->rank - 1];
    const bool whole_vectors =
        last->n_terms == 0 ||
        (last->n_terms == 1 && last->value[0] == l->feature && last->coefficient[0] == 1);
    if (index->by_address || l->context.lanes != l->lanes || last->lane != 1 || !whole_vectors ||
        last->offset % l->lanes != 0)
        return false;
    for (uint32_t k = 0; k + 1 < index->rank; k++)
        if (index->at[k].lane != 0)
            return false;
    return true;
}

Affine lower_packed_flat(const Lower *l, const TirType *type, const AffineIndex *index) {
    AffineIndex row = *index;
    TirType rows = *type;
    row.rank--;
    rows.rank--;
    Affine feature = index->at[row.rank], flat = affine_flat(&row, &rows);
    feature.lane = 0;
    flat = affine_add(affine_scale(flat, l->lanes),
                      affine_scale(feature, (int64_t)schedule_leading(type)));
    flat.lane = 1;
    return flat;
}

/* --- loads and stores --------------------------------------------------------------------------*/

/* A fault unless the value lies in memory, and all that the context reads at `flat` is one of its
 * elements. */
static void memory_check_read(const Lower *l, const ScheduleValue *v, const Affine *flat) {
    const TirNode *node = tir_node(l->block, v->id);
    const char *name = node->name ? node->name : "";
    if (v->place == PLACE_NONE || v->place == PLACE_REGISTERS)
        lower_fault(l, node->op,
                    arena_printf(l->arena, "%%%u %s is read from memory and lies nowhere there",
                                 v->id, name));
    NestAddress at = affine_address(flat);
    NestRange first = nest_address_range(l->kernel, &at);
    bool features = flat->lane != 0 && l->context.row.lane == 0;
    NestRange all = features ? nest_lanes_range(l->kernel, first, l->context.lanes, flat->lane,
                                                l->context.valid)
                             : first;
    if (nest_range_outside(all, v->elements))
        lower_fault(l, node->op,
                    arena_printf(l->arena, "%%%u %s is read at %.0f to %.0f of %llu elements",
                                 v->id, name, all.low, all.high, (unsigned long long)v->elements));
}

NestId lower_load(Lower *l, const ScheduleValue *v, const TirType *type, const AffineIndex *index) {
    const LowerHeld *held = lower_held(l, v);
    Affine flat = affine_flat(index, type);
    SchedulePlace place = v->place;
    uint32_t buffer = held->buffer;
    memory_check_read(l, v, &flat);
    if (v->packed && !v->made && lower_is_packed_index(l, index)) {
        flat = lower_packed_flat(l, type, index);
        buffer = held->packed_buffer;
    }
    bool rows_in_lanes = l->context.row.lane != 0;
    /* A lanes copy serves positions in lanes without a gather, and single elements as well. */
    if (held->lanes_ready && (rows_in_lanes || flat.lane == 0)) {
        place = PLACE_TILE_LANES;
        buffer = held->lanes_buffer;
    }
    bool foreign = place == PLACE_ROWS && plan_is_given(l->schedule->plan, v->id);
    Affine row = foreign && !rows_in_lanes ? lower_existing_row(l) : l->context.row;
    uint64_t elements = v->elements;
    memory_part(l, place, v->argument, &flat, &elements);
    Affine at = memory_address(l, place, elements, &row, &flat);
    uint16_t lanes = at.lane ? l->context.lanes : 1;
    NestId valid = !at.lane ? 0 : rows_in_lanes ? foreign ? l->valid_rows : 0 : l->context.valid;
    NestId x = nest_load(&l->b, buffer, affine_address(&at), lanes, at.lane ? at.lane : 1, valid);
    if (type->elem == TIR_BOOL) {
        NestType t = {NEST_I32, lanes};
        x = nest_unary(&l->b, NEST_NOT, nest_binary(&l->b, NEST_EQ, x, nest_const(&l->b, t, 0)));
    }
    return x;
}

void lower_store(Lower *l, uint32_t buffer, SchedulePlace place, const Affine *row,
                 const Affine *flat, uint64_t elements, NestId value, NestId valid) {
    if (nest_type(l->kernel, value).elem == NEST_BOOL)
        value = nest_cast(&l->b, NEST_I32, value);
    Affine in_row = *flat;
    memory_part(l, place, buffer, &in_row, &elements);
    Affine at = memory_address(l, place, elements, row, &in_row);
    nest_store(&l->b, buffer, affine_address(&at), value, valid, false);
}

void lower_store_streamed(Lower *l, uint32_t buffer, const Affine *row, const Affine *flat,
                          uint64_t elements, NestId value) {
    Affine at = memory_address(l, PLACE_ROWS, elements, row, flat);
    nest_store(&l->b, buffer, affine_address(&at), value, 0, true);
}
