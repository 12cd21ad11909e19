/* Scopes and contexts: what has been computed where, and the small change of writing loops. */
#include "lower/lower_internal.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

/* --- what is known -----------------------------------------------------------------------------*/

uint64_t lower_memo_hash(const Lower *l, TirId id, uint32_t frame, const AffineIndex *index) {
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u ^ (uint64_t)frame << 32 ^ l->context.number;
    for (uint32_t k = 0; k < index->rank; k++) {
        const Affine *a = &index->at[k];
        h = (h ^ (uint64_t)a->offset) * 0xbf58476d1ce4e5b9u;
        h ^= (uint64_t)a->lane << 7;
        for (uint32_t m = 0; m < a->n_terms; m++)
            h = (h ^ a->value[m] ^ (uint64_t)a->coefficient[m] << 24) * 0x94d049bb133111ebu;
    }
    return h ^ h >> 29;
}

static bool index_equal(const AffineIndex *x, const AffineIndex *y) {
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
        const LowerMemo *memo = &l->memos.at[--l->memos.count];
        l->buckets[memo->hash % BUCKETS] = memo->next;
    }
}

NestId lower_memo_find(const Lower *l, TirId id, uint32_t frame, const AffineIndex *index,
                       uint64_t hash) {
    for (int32_t m = l->buckets[hash % BUCKETS]; m >= 0; m = l->memos.at[m].next) {
        const LowerMemo *memo = &l->memos.at[m];
        if (memo->hash == hash && memo->id == id && memo->frame == frame &&
            memo->context == l->context.number && index_equal(&memo->index, index))
            return memo->result;
    }
    return 0;
}

void lower_memo_add(Lower *l, TirId id, uint32_t frame, const AffineIndex *index, uint64_t hash,
                    NestId result) {
    LowerMemo memo = {.hash = hash,
                      .id = id,
                      .frame = frame,
                      .context = l->context.number,
                      .index = *index,
                      .result = result,
                      .next = l->buckets[hash % BUCKETS]};
    l->buckets[hash % BUCKETS] = (int32_t)l->memos.count;
    vec_push(l->arena, &l->memos, memo);
}

LowerContext lower_context(Lower *l, Affine row, uint16_t lanes, NestId valid) {
    LowerContext old = l->context;
    l->context =
        (LowerContext){.row = row, .lanes = lanes, .valid = valid, .number = ++l->contexts};
    return old;
}

_Noreturn void lower_fault(const Lower *l, TirOp op, const char *message) {
    const TirProgram *p = l->schedule->plan->program;
    p->on_fault(p->fault_context, op, l->b.span, message);
    abort(); /* a handler does not return */
}

/* --- scalars and vectors -----------------------------------------------------------------------*/

NestType lower_type(const Lower *l, TirElem elem, uint16_t lanes) {
    NestElem e = elem == TIR_REAL ? l->real : elem == TIR_INT ? NEST_I32 : NEST_BOOL;
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

/* Makes both scalars or both vectors. */
static void match_lanes(Lower *l, NestId *x, NestId *y) {
    uint16_t lx = nest_type(l->kernel, *x).lanes, ly = nest_type(l->kernel, *y).lanes;
    if (lx < ly)
        *x = nest_splat(&l->b, ly, *x);
    else if (ly < lx)
        *y = nest_splat(&l->b, lx, *y);
}

NestId lower_binary(Lower *l, NestOp op, NestId x, NestId y) {
    match_lanes(l, &x, &y);
    return nest_binary(&l->b, op, x, y);
}

NestId lower_fma(Lower *l, NestId x, NestId y, NestId sum) {
    match_lanes(l, &x, &y);
    match_lanes(l, &x, &sum);
    match_lanes(l, &x, &y);
    return nest_fma(&l->b, x, y, sum);
}

NestId lower_select(Lower *l, NestId c, NestId x, NestId y) {
    match_lanes(l, &x, &y);
    match_lanes(l, &c, &x);
    match_lanes(l, &x, &y);
    return nest_select(&l->b, c, x, y);
}

int lower_in_range(Lower *l, const Affine *i, int64_t begin, int64_t end, NestId *condition) {
    if (affine_is_const(i))
        return i->offset >= begin && i->offset < end;
    NestId at = affine_i32(&l->b, i, l->context.lanes);
    NestType t = nest_type(l->kernel, at);
    NestId low = nest_binary(&l->b, NEST_LE, nest_const(&l->b, t, (double)begin), at);
    NestId high = nest_binary(&l->b, NEST_LT, at, nest_const(&l->b, t, (double)end));
    *condition = nest_binary(&l->b, NEST_AND, low, high);
    return -1;
}

Affine lower_clamped(Lower *l, Affine i, int64_t begin, int64_t extent) {
    i.offset -= begin;
    if (affine_is_const(&i))
        return i;
    if (extent == 1)
        return affine_const(0);
    NestId at = affine_scalar(&l->b, &i);
    at = nest_binary(&l->b, NEST_MAX, at, nest_i64(&l->b, 0));
    at = nest_binary(&l->b, NEST_MIN, at, nest_i64(&l->b, extent - 1));
    return affine_var(at);
}

/* --- loops -------------------------------------------------------------------------------------*/

NestLoop *lower_loop_begin(Lower *l, const ScheduleLoop *loop, NestId end, uint32_t n_carried,
                           const NestId *initial) {
    const NestLoopKind kind = loop->carrier == CARRIED_BY_LANES ? NEST_VECTOR
                              : loop->folds                     ? NEST_REDUCE
                                                                : NEST_SEQUENTIAL;
    return nest_loop_begin(&l->b, kind, nest_i64(&l->b, 0), end, loop->step, n_carried, initial);
}

/* An axis of one element needs no loop, and its index is the constant that others know it by. */
Affine lower_axis_begin(Lower *l, const ScheduleLoop *axis) {
    if (axis->extent == 1)
        return affine_const(0);
    NestLoop *loop = lower_loop_begin(l, axis, nest_i64(&l->b, (int64_t)axis->extent), 0, NULL);
    lower_scope_begin(l);
    return affine_var(loop->variable);
}

void lower_axis_end(Lower *l, uint64_t extent) {
    if (extent == 1)
        return;
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

/* The step's loops over axes, all but the last `inner` ones. */
static uint32_t axes_of(const ScheduleStep *step, uint32_t inner, const ScheduleLoop **first) {
    uint32_t n = 0, k = 0;
    while (k < step->n_loops && step->loops[k].over != OVER_AXIS)
        k++;
    while (k + n < step->n_loops && step->loops[k + n].over == OVER_AXIS)
        n++;
    *first = &step->loops[k];
    return n - inner;
}

void lower_axes_begin(Lower *l, const ScheduleStep *step, uint32_t inner, AffineIndex *index) {
    const ScheduleLoop *loops;
    const uint32_t n = axes_of(step, inner, &loops);
    for (uint32_t k = 0; k < n; k++)
        index->at[k] = lower_axis_begin(l, &loops[k]);
}

void lower_axes_end(Lower *l, const ScheduleStep *step, uint32_t inner) {
    const ScheduleLoop *loops;
    for (uint32_t k = axes_of(step, inner, &loops); k-- > 0;)
        lower_axis_end(l, loops[k].extent);
}

Affine lower_features(Lower *l, NestId variable, uint64_t first) {
    l->feature = variable;
    Affine a = variable ? affine_var(variable) : affine_const((int64_t)first);
    a.lane = 1;
    return a;
}
