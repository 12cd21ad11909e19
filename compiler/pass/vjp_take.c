/* Derivative rule of reading through a table of indices.
 *
 * Requires: the table is known now; -1 reads 0.
 * A table that repeats entries in order (`floor(j / 8)`, a clamped end) is a few runs, and what
 * comes back of each is a dense sum. One that goes on in equal turns (`floor(3 * j / 8)`: 3
 * elements for 8 entries) is a dense sum for each element of a turn. Any other has an inverse,
 * which makes the adjoint a gather.
 *
 *     x[max(j - 3, 0)]    entries 0 .. 3 sum into element 0; the others are a slice */
#include "pass/vjp.h"

/* --- runs --------------------------------------------------------------------------------------*/

enum { RUNS_MOST = 16 };

/* From entry `at` on elements value, value + 1, ... , `groups` of them, each `repeats` times. */
typedef struct {
    uint32_t at, value, groups, repeats;
} TakeRepeats;

/* False where there are more than RUNS_MOST, or nothing repeats. */
static bool take_repeats(const TirNode *node, TakeRepeats *runs, uint32_t *n_runs) {
    const uint32_t taken = node->type.dims[node->attr.axis];
    const int32_t *indices = node->attr.indices;
    bool repeats = false;
    uint32_t n = 0, count;
    for (uint32_t i = 0; i < taken; i += count) {
        for (count = 1; i + count < taken && indices[i + count] == indices[i];)
            count++;
        if (indices[i] < 0)
            continue;
        const uint32_t value = (uint32_t)indices[i];
        TakeRepeats *last = n ? &runs[n - 1] : NULL;
        repeats = repeats || count > 1;
        if (last && last->repeats == count && last->value + last->groups == value &&
            last->at + last->groups * count == i) {
            last->groups++;
            continue;
        }
        if (n == RUNS_MOST)
            return false;
        runs[n++] = (TakeRepeats){i, value, 1, count};
    }
    *n_runs = n;
    return repeats;
}

/* What comes to the elements that a run reads, of the operand's shape. */
static TirId grad_of_run(Vjp *v, const TakeRepeats *run, TirId g, uint32_t axis, const TirType *x) {
    TirBuilder *b = v->b;
    TirType part = *x;
    uint32_t dims[TIR_MAX_RANK + 1];
    TirId c = tir_slice(b, g, axis, run->at, run->groups * run->repeats);
    part.dims[axis] = run->groups;
    if (run->repeats > 1 && run->groups > 1) {
        for (uint32_t k = 0; k <= x->rank; k++)
            dims[k] = k <= axis ? part.dims[k] : k == axis + 1 ? run->repeats : x->dims[k - 1];
        c = tir_reduce(b, TIR_REDUCE_SUM, tir_reshape(b, c, x->rank + 1u, dims), 2u << axis);
    } else if (run->repeats > 1) {
        c = tir_reduce(b, TIR_REDUCE_SUM, c, 1u << axis);
        c = tir_reshape(b, c, x->rank, part.dims);
    }
    return tir_pad(b, c, axis, run->value, x->dims[axis]);
}

/* --- turns -------------------------------------------------------------------------------------*/

enum { TURN_ELEMENTS_MOST = 16 };

/* From entry `at`, the first that reads element `value`, `turns` times: `entries` of the table,
 * which read `elements` in order, and no others. */
typedef struct {
    uint32_t at, value, turns, entries, elements;
} TakeTurns;

static bool take_turns(const TirNode *node, TakeTurns *to) {
    const uint32_t taken = node->type.dims[node->attr.axis];
    const int32_t *indices = node->attr.indices;
    uint32_t begin = 1;
    for (uint32_t i = 0; i < taken; i++)
        if (indices[i] < 0 || (i && indices[i] < indices[i - 1]))
            return false;
    while (begin < taken && indices[begin] == indices[begin - 1])
        begin++;
    for (uint32_t entries = 2; begin + 2 * entries <= taken; entries++) {
        const uint32_t elements = (uint32_t)(indices[begin + entries] - indices[begin]);
        if (elements > TURN_ELEMENTS_MOST)
            return false;
        uint32_t i = begin - 1;
        while (i + entries < taken && indices[i + entries] - indices[i] == (int32_t)elements)
            i++;
        if (i + entries == taken) {
            *to = (TakeTurns){begin, (uint32_t)indices[begin], (taken - begin) / entries, entries,
                              elements};
            return elements > 0;
        }
    }
    return false;
}

/* Dimensions with `outer` and `inner` in the place of the axis. */
static void split_dims(const TirType *x, uint32_t axis, uint32_t outer, uint32_t inner,
                       uint32_t *dims) {
    for (uint32_t k = 0; k <= x->rank; k++)
        dims[k] = k < axis        ? x->dims[k]
                  : k == axis     ? outer
                  : k == axis + 1 ? inner
                                  : x->dims[k - 1];
}

/* What comes to the elements that all turns read, of the operand's shape. */
static TirId grad_of_turns(Vjp *v, const TirNode *node, const TakeTurns *to, TirId g,
                           const TirType *x) {
    TirBuilder *b = v->b;
    const uint32_t axis = node->attr.axis, extent = x->dims[axis];
    const int32_t *indices = node->attr.indices + to->at;
    uint32_t dims[TIR_MAX_RANK + 1];
    TirId all = 0;
    split_dims(x, axis, to->turns, to->entries, dims);
    g = tir_reshape(b, tir_slice(b, g, axis, to->at, to->turns * to->entries), x->rank + 1u, dims);
    split_dims(x, axis, to->turns, 1, dims);
    for (uint32_t i = 0, n; i < to->entries; i += n) {
        for (n = 1; i + n < to->entries && indices[i + n] == indices[i];)
            n++;
        TirId c = tir_reduce(b, TIR_REDUCE_SUM, tir_slice(b, g, axis + 1, i, n), 2u << axis);
        c = tir_pad(b, tir_reshape(b, c, x->rank + 1u, dims), axis + 1,
                    (uint32_t)indices[i] - to->value, to->elements);
        all = all ? tir_binary(b, TIR_ADD, all, c) : c;
    }
    for (uint32_t k = 0; k < x->rank; k++)
        dims[k] = k == axis ? to->turns * to->elements : x->dims[k];
    all = tir_reshape(b, all, x->rank, dims);
    if (to->value + dims[axis] > extent) /* the last turn's last elements, which nobody reads */
        all = tir_slice(b, all, axis, 0, extent - to->value);
    return tir_pad(b, all, axis, to->value, extent);
}

/* And to those read before the first turn and after the last. */
static void grad_beside_turns(Vjp *v, const TirNode *node, const TakeTurns *to, TirId g,
                              const TirType *x) {
    const uint32_t axis = node->attr.axis, taken = node->type.dims[axis];
    const int32_t *indices = node->attr.indices;
    const uint32_t end = to->at + to->turns * to->entries;
    for (uint32_t i = 0, n; i < taken; i = i + n == to->at ? end : i + n) {
        for (n = 1; i + n < taken && indices[i + n] == indices[i];)
            n++;
        const TakeRepeats run = {i, (uint32_t)indices[i], 1, n};
        vjp_add(v, node->operands[0], grad_of_run(v, &run, g, axis, x), node->type.domain);
    }
}

/* --- the inverse -------------------------------------------------------------------------------*/

/* The inverse of a table of indices is a table of lists; padded to the longest with -1, it makes
 * the adjoint a gather too. inverse[l * extent + j] is the l-th place that reads element j. */
static int32_t *take_inverse(Vjp *v, const TirNode *node, uint32_t extent, uint32_t *longest) {
    const uint32_t taken = node->type.dims[node->attr.axis];
    const int32_t *indices = node->attr.indices;
    uint32_t *uses = ARENA_ARRAY(v->scratch, uint32_t, extent);
    *longest = 1;
    for (uint32_t i = 0; i < taken; i++)
        if (indices[i] >= 0 && ++uses[indices[i]] > *longest)
            *longest = uses[indices[i]];
    int32_t *inverse = ARENA_ARRAY(v->scratch, int32_t, (size_t)extent **longest);
    for (size_t k = 0; k < (size_t)extent * *longest; k++)
        inverse[k] = -1;
    for (uint32_t i = taken; i-- > 0;)
        if (indices[i] >= 0)
            inverse[(size_t)--uses[indices[i]] * extent + (uint32_t)indices[i]] = (int32_t)i;
    return inverse;
}

void tir_grad_TAKE(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirType x = *vjp_type(v, node->operands[0]);
    const uint32_t axis = node->attr.axis, extent = x.dims[axis];
    TakeRepeats runs[RUNS_MOST];
    uint32_t longest, n_runs, dims[TIR_MAX_RANK];
    (void)id;
    if (x.rank < TIR_MAX_RANK && take_repeats(node, runs, &n_runs)) {
        for (uint32_t k = 0; k < n_runs; k++)
            vjp_add(v, node->operands[0], grad_of_run(v, &runs[k], g, axis, &x), node->type.domain);
        return;
    }
    TakeTurns turns;
    if (x.rank < TIR_MAX_RANK && take_turns(node, &turns)) {
        vjp_add(v, node->operands[0], grad_of_turns(v, node, &turns, g, &x), node->type.domain);
        grad_beside_turns(v, node, &turns, g, &x);
        return;
    }
    const int32_t *inverse = take_inverse(v, node, extent, &longest);
    if (longest <= 2 || x.rank == TIR_MAX_RANK) { /* few, or no room for an axis of lists */
        for (uint32_t l = 0; l < longest; l++)
            vjp_add(v, node->operands[0],
                    tir_take(v->b, g, axis, extent, inverse + (size_t)l * extent),
                    node->type.domain);
        return;
    }
    for (uint32_t k = 0; k <= x.rank; k++)
        dims[k] = k < axis ? x.dims[k] : k == axis ? longest : x.dims[k - 1];
    TirId c = tir_take(v->b, g, axis, longest * extent, inverse);
    c = tir_reshape(v->b, c, x.rank + 1, dims);
    vjp_add(v, node->operands[0], tir_reduce(v->b, TIR_REDUCE_SUM, c, 1u << axis),
            node->type.domain);
}
