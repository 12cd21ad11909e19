/* Evaluation of values at an index, on demand, with everything computed once per scope.
 *
 * An expression's leaves are loads; a value that lies in memory is loaded, any other is computed
 * from its operands at the indices that its op says. Whether a load is a scalar, a vector or a
 * strided vector follows from how the address moves along the lanes. */
#include "lower/lower_internal.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

static uint64_t memo_hash(TirId id, uint32_t frame, uint32_t context, const Index *index) {
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u ^ (uint64_t)frame << 32 ^ context;
    for (uint32_t k = 0; k < index->rank; k++) {
        const Affine *a = &index->at[k];
        h = (h ^ (uint64_t)a->offset) * 0xbf58476d1ce4e5b9u;
        h ^= (uint64_t)a->lane << 7;
        for (uint32_t m = 0; m < a->n_terms; m++)
            h = (h ^ a->value[m] ^ (uint64_t)a->coefficient[m] << 24) * 0x94d049bb133111ebu;
    }
    return h ^ h >> 29;
}

static bool index_equal(const Index *x, const Index *y) {
    if (x->rank != y->rank)
        return false;
    for (uint32_t k = 0; k < x->rank; k++)
        if (!affine_equal(&x->at[k], &y->at[k]))
            return false;
    return true;
}

void lower_scope_begin(Lower *l) {
    if (!l->buckets) {
        l->buckets = ARENA_ARRAY(l->arena, int32_t, BUCKETS);
        memset(l->buckets, 0xff, BUCKETS * sizeof *l->buckets);
    }
    vec_push(l->arena, &l->scopes, l->memos.count);
    vec_push(l->arena, &l->scopes, l->shifted.count);
}

void lower_scope_end(Lower *l) {
    l->shifted.count = l->scopes.at[--l->scopes.count];
    uint32_t keep = l->scopes.at[--l->scopes.count];
    while (l->memos.count > keep) {
        const Memo *memo = &l->memos.at[--l->memos.count];
        l->buckets[memo->hash % BUCKETS] = memo->next;
    }
}

static NestId memo_find(const Lower *l, TirId id, uint32_t frame, const Index *index,
                        uint64_t hash) {
    for (int32_t m = l->buckets[hash % BUCKETS]; m >= 0; m = l->memos.at[m].next) {
        const Memo *memo = &l->memos.at[m];
        if (memo->hash == hash && memo->id == id && memo->frame == frame &&
            memo->context == l->context.number && index_equal(&memo->index, index))
            return memo->result;
    }
    return 0;
}

static void memo_add(Lower *l, TirId id, uint32_t frame, const Index *index, uint64_t hash,
                     NestId result) {
    Memo memo = {.hash = hash,
                 .id = id,
                 .frame = frame,
                 .context = l->context.number,
                 .index = *index,
                 .result = result,
                 .next = l->buckets[hash % BUCKETS]};
    l->buckets[hash % BUCKETS] = (int32_t)l->memos.count;
    vec_push(l->arena, &l->memos, memo);
}

Context lower_context(Lower *l, Affine row, uint16_t lanes, NestId valid) {
    Context old = l->context;
    l->context = (Context){.row = row, .lanes = lanes, .valid = valid, .number = ++l->contexts};
    return old;
}

NestType lower_type(const Lower *l, TirElem elem, uint16_t lanes) {
    NestElem e = elem == TIR_REAL ? l->options.real : elem == TIR_INT ? NEST_I32 : NEST_BOOL;
    return (NestType){e, lanes};
}

NestId lower_zero(Lower *l, TirElem elem, uint16_t lanes) {
    return nest_const(&l->b, lower_type(l, elem, lanes), 0);
}

NestId lower_vector(Lower *l, NestId x) {
    return nest_type(l->kernel, x).lanes == l->context.lanes
               ? x
               : nest_splat(&l->b, l->context.lanes, x);
}

Value *schedule_value(const Lower *l, TirId id) {
    return l->values[id];
}

/* The last micro-tile may reach past the instances. Our own buffers are padded, so that its idle
 * positions read and write nothing that matters; the caller's are not: they read the last row
 * again. */
Affine lower_existing_row(Lower *l) {
    Affine row = l->context.row;
    row.lane = 0;
    if (l->rows == 1 || l->context.elsewhere)
        return row;
    NestId last = nest_binary(&l->b, NEST_SUB, l->valid_rows, nest_i64(&l->b, 1));
    return affine_var(nest_binary(&l->b, NEST_MIN, affine_scalar(l, &row), last));
}

/* The row of a value that has fewer instances than the kernel: its position, or its sample. */
static Affine outer_row(Lower *l, StoreKind store) {
    Affine instance = affine_add(affine_var(l->tile0), lower_existing_row(l));
    NestId positions = nest_extent(&l->b, NEST_POSITIONS);
    NestOp op = store == STORE_TIME ? NEST_REM : NEST_DIV;
    return affine_var(nest_binary(&l->b, op, affine_scalar(l, &instance), positions));
}

uint64_t schedule_pitch(const Lower *l, uint64_t elements) {
    const uint64_t size = real_size(l);
    return elements + (elements * size % SAME_SETS == 0 ? CACHE_LINE / size : 0);
}

static Affine place(Lower *l, StoreKind store, uint64_t elements, const Affine *row,
                    const Affine *flat) {
    int64_t e = (int64_t)elements, rows = l->rows;
    switch (store) {
    case STORE_ROWS:
        return affine_add(affine_scale(affine_add(affine_var(l->tile0), *row), e), *flat);
    case STORE_TIME:
    case STORE_SAMPLE:
        return affine_add(affine_scale(outer_row(l, store), e), *flat);
    case SCRATCH_ROWS:
        return affine_add(affine_scale(*row, (int64_t)schedule_pitch(l, elements)), *flat);
    case SCRATCH_LANES:
        return affine_add(affine_scale(*flat, rows), *row);
    default:
        return *flat;
    }
}

NestId lower_load(Lower *l, const Value *v, const TirType *type, const Index *index) {
    Affine flat = affine_flat(index, type);
    StoreKind store = v->store;
    uint32_t buffer = v->buffer;
    lower_check_place(l, v, &flat);
    if (schedule_has_packed_copy(v) && lower_is_packed_index(l, index)) {
        flat = lower_packed_flat(l, type, index);
        buffer = v->packed_buffer;
    }
    bool rows_in_lanes = l->context.row.lane != 0;
    /* A lanes copy serves positions in lanes without a gather, and single elements as well. */
    if (v->second == SCRATCH_LANES && (rows_in_lanes || flat.lane == 0)) {
        store = SCRATCH_LANES;
        buffer = v->second_buffer;
    }
    bool foreign = store == STORE_ROWS && tir_node(l->block, v->id)->op == TIR_INPUT;
    Affine row = foreign && !rows_in_lanes ? lower_existing_row(l) : l->context.row;
    Affine at = place(l, store, v->elements, &row, &flat);
    uint16_t lanes = at.lane ? l->context.lanes : 1;
    NestId valid = !at.lane ? 0 : rows_in_lanes ? foreign ? l->valid_rows : 0 : l->context.valid;
    NestId x = nest_load(&l->b, buffer, affine_address(&at), lanes, at.lane ? at.lane : 1, valid);
    if (type->elem == TIR_BOOL) {
        NestType t = {NEST_I32, lanes};
        x = nest_unary(&l->b, NEST_NOT, nest_binary(&l->b, NEST_EQ, x, nest_const(&l->b, t, 0)));
    }
    return x;
}

void lower_store(Lower *l, uint32_t buffer, StoreKind store, const Affine *row, const Affine *flat,
                 uint64_t elements, NestId value, NestId valid) {
    if (nest_type(l->kernel, value).elem == NEST_BOOL)
        value = nest_cast(&l->b, NEST_I32, value);
    Affine at = place(l, store, elements, row, flat);
    nest_store(&l->b, buffer, affine_address(&at), value, valid, false);
}

void lower_store_streamed(Lower *l, uint32_t buffer, const Affine *row, const Affine *flat,
                          uint64_t elements, NestId value) {
    Affine at = place(l, STORE_ROWS, elements, row, flat);
    nest_store(&l->b, buffer, affine_address(&at), value, 0, true);
}

/* Through a loop body's argument: what it stands for. */
static NestId eval_argument(Lower *l, Frame *frame, const TirNode *node, const Index *index) {
    const TirAttr *scan = &frame->scan->attr;
    uint32_t k = node->attr.index;
    if (k < scan->n_carried) {
        Affine flat = affine_flat(index, &node->type);
        if (!affine_is_const(&flat))
            lower_fault(l, node->op, "a loop's carried value is read by run-time index");
        return frame->carried[k][flat.offset];
    }
    if (k < scan->n_carried + scan->n_invariant)
        return lower_eval(l, frame->parent, frame->scan->operands[k], index);
    if (k < scan->n_carried + scan->n_invariant + scan->n_scanned) {
        Index whole = {.rank = index->rank + 1};
        whole.at[0] = affine_var(frame->trip);
        for (uint32_t m = 0; m < index->rank; m++)
            whole.at[m + 1] = index->at[m];
        return lower_eval(l, frame->parent, frame->scan->operands[k], &whole);
    }
    return nest_cast(&l->b, NEST_I32, frame->trip);
}

/* A register holds an element for the positions in its lanes: of no use where lanes are features,
 * or where one position is evaluated by itself. */
static bool in_registers_here(const Lower *l, const Value *v) {
    return l->context.row.lane != 0 || nest_type(l->kernel, v->registers[0]).lanes == 1;
}

_Noreturn void lower_fault(const Lower *l, TirOp op, const char *message) {
    const TirProgram *p = l->plan->program;
    p->on_fault(p->fault_context, op, l->b.span, message);
    abort(); /* a handler does not return */
}

static NestId eval_stored(Lower *l, Frame *frame, TirId id, const TirNode *node,
                          const Index *index) {
    if (frame->scan)
        return 0;
    const Value *v = schedule_value(l, id);
    if (!v || !v->ready)
        return 0;
    Affine flat = affine_flat(index, &node->type);
    if (v->registers && affine_is_const(&flat) && in_registers_here(l, v))
        return v->registers[flat.offset];
    if (v->registers && !v->must_store)
        lower_fault(l, node->op, "a loop reads by run-time index what is in registers only");
    if (l->context.elsewhere && (v->store == SCRATCH_ROWS || v->store == SCRATCH_LANES))
        lower_fault(l, node->op, "another position's value is read that this kernel computes");
    return lower_load(l, v, &node->type, index);
}

void lower_remember(Lower *l, TirId id, const Index *index, NestId result) {
    memo_add(l, id, l->frame.number, index,
             memo_hash(id, l->frame.number, l->context.number, index), result);
}

NestId lower_eval(Lower *l, Frame *frame, TirId id, const Index *index) {
    const TirNode *node = tir_node(frame->block, id);
    uint64_t hash = memo_hash(id, frame->number, l->context.number, index);
    NestId found = memo_find(l, id, frame->number, index, hash);
    if (found)
        return found;
    Span span = l->b.span;
    const char *name = l->b.name;
    l->b.span = node->span;
    l->b.name = node->name;
    NestId result = node->op == TIR_ARG ? eval_argument(l, frame, node, index)
                                        : eval_stored(l, frame, id, node, index);
    if (!result)
        result = lower_op(l, frame, id, node, index);
    l->b.span = span;
    l->b.name = name;
    memo_add(l, id, frame->number, index, hash, result);
    return result;
}
