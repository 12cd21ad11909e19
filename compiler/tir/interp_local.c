/* The interpreter's rules for ops that move, reduce, contract and index elements. */
#include "tir/interp_internal.h"
#include <math.h>

/* --- index arithmetic --------------------------------------------------------------------------*/

static void unravel(const TirType *t, uint64_t flat, uint32_t *index) {
    for (uint32_t k = t->rank; k-- > 0; flat /= t->dims[k])
        index[k] = (uint32_t)(flat % t->dims[k]);
}

static uint64_t ravel(const TirType *t, const uint32_t *index) {
    uint64_t flat = 0;
    for (uint32_t k = 0; k < t->rank; k++)
        flat = flat * t->dims[k] + index[k];
    return flat;
}

/* Runs the statement at each place of the result's domain with `in` the first operand's elements
 * there and `out` the result's. */
#define EACH_PLACE(e, node, value, ...)                                                            \
    do {                                                                                           \
        EvalPlace at = {0, 0};                                                                     \
        (value)->at = eval_alloc((e), &(node)->type);                                              \
        double *out = (value)->at;                                                                 \
        do {                                                                                       \
            const double *in = eval_operand((e), 0, at);                                           \
            __VA_ARGS__;                                                                           \
            (void)in;                                                                              \
            out += tir_element_count(&(node)->type);                                               \
        } while (eval_next((e), (node)->type.domain, &at));                                        \
    } while (0)

/* --- views -------------------------------------------------------------------------------------*/

/* Where element `index` of a view's result comes from; UINT64_MAX: it is 0. */
typedef uint64_t ViewSource(const TirNode *node, const TirType *x, const uint32_t *index);

static void eval_view(const Eval *e, const TirNode *node, EvalValue *value, ViewSource *source) {
    const TirType *x = eval_type(e, 0), *t = &node->type;
    EACH_PLACE(e, node, value, {
        for (uint64_t i = 0; i < tir_element_count(t); i++) {
            uint32_t index[TIR_MAX_RANK];
            unravel(t, i, index);
            const uint64_t from = source(node, x, index);
            out[i] = from == UINT64_MAX ? 0 : in[from];
        }
    });
}

static uint64_t source_broadcast(const TirNode *node, const TirType *x, const uint32_t *index) {
    uint32_t from[TIR_MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++)
        from[k] = index[node->attr.axes[k]];
    return ravel(x, from);
}

static uint64_t source_moved(const TirNode *node, const TirType *x, const uint32_t *index,
                             int64_t to) {
    uint32_t from[TIR_MAX_RANK];
    if (to < 0 || to >= (int64_t)x->dims[node->attr.axis])
        return UINT64_MAX;
    for (uint32_t k = 0; k < x->rank; k++)
        from[k] = k == node->attr.axis ? (uint32_t)to : index[k];
    return ravel(x, from);
}

static uint64_t source_slice(const TirNode *node, const TirType *x, const uint32_t *index) {
    return source_moved(node, x, index, (int64_t)index[node->attr.axis] + node->attr.start);
}

static uint64_t source_pad(const TirNode *node, const TirType *x, const uint32_t *index) {
    return source_moved(node, x, index, (int64_t)index[node->attr.axis] - node->attr.start);
}

static uint64_t source_take(const TirNode *node, const TirType *x, const uint32_t *index) {
    return source_moved(node, x, index, node->attr.indices[index[node->attr.axis]]);
}

static uint64_t source_reshape(const TirNode *node, const TirType *x, const uint32_t *index) {
    (void)x;
    return ravel(&node->type, index);
}

void tir_eval_BROADCAST(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_view(e, node, value, source_broadcast);
}

void tir_eval_SLICE(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_view(e, node, value, source_slice);
}

void tir_eval_PAD(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_view(e, node, value, source_pad);
}

void tir_eval_RESHAPE(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_view(e, node, value, source_reshape);
}

void tir_eval_TAKE(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_view(e, node, value, source_take);
}

void tir_eval_CONCAT(const Eval *e, const TirNode *node, EvalValue *value) {
    const uint32_t axis = node->attr.axis;
    EACH_PLACE(e, node, value, {
        uint32_t start = 0;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const TirType *part = eval_type(e, k);
            const double *from = eval_operand(e, k, at);
            for (uint64_t i = 0; i < tir_element_count(part); i++) {
                uint32_t index[TIR_MAX_RANK];
                unravel(part, i, index);
                index[axis] += start;
                out[ravel(&node->type, index)] = from[i];
            }
            start += part->dims[axis];
        }
    });
}

/* --- reductions --------------------------------------------------------------------------------*/

static double fold_sum(double a, double b) {
    return a + b;
}
static double fold_prod(double a, double b) {
    return a * b;
}
static double fold_max(double a, double b) {
    return b > a ? b : a;
}
static double fold_min(double a, double b) {
    return b < a ? b : a;
}

static void eval_reduce(const Eval *e, const TirNode *node, EvalValue *value, double start,
                        double (*fold)(double, double)) {
    const TirType *x = eval_type(e, 0), *t = &node->type;
    EACH_PLACE(e, node, value, {
        for (uint64_t i = 0; i < tir_element_count(t); i++)
            out[i] = start;
        for (uint64_t i = 0; i < tir_element_count(x); i++) {
            uint32_t index[TIR_MAX_RANK], n = 0;
            unravel(x, i, index);
            for (uint32_t k = 0; k < x->rank; k++)
                if (!(node->attr.axis_mask >> k & 1))
                    index[n++] = index[k];
            double *to = &out[ravel(t, index)];
            *to = fold(*to, in[i]);
        }
    });
}

void tir_eval_REDUCE_SUM(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_reduce(e, node, value, 0, fold_sum);
}

void tir_eval_REDUCE_PROD(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_reduce(e, node, value, 1, fold_prod);
}

void tir_eval_REDUCE_MAX(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_reduce(e, node, value, -INFINITY, fold_max);
}

void tir_eval_REDUCE_MIN(const Eval *e, const TirNode *node, EvalValue *value) {
    eval_reduce(e, node, value, INFINITY, fold_min);
}

void tir_eval_ARGMAX(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirType *x = eval_type(e, 0), *t = &node->type;
    const uint32_t axis = node->attr.axis, extent = x->dims[axis];
    uint64_t stride = 1;
    for (uint32_t k = axis + 1; k < x->rank; k++)
        stride *= x->dims[k];
    EACH_PLACE(e, node, value, {
        for (uint64_t i = 0; i < tir_element_count(t); i++) {
            const double *line = in + i / stride * stride * extent + i % stride;
            uint32_t best = 0;
            for (uint32_t j = 1; j < extent; j++)
                if (line[j * stride] > line[best * stride])
                    best = j;
            out[i] = best;
        }
    });
}

void tir_eval_POSITION_SUM(const Eval *e, const TirNode *node, EvalValue *value) {
    const uint64_t n = tir_element_count(&node->type);
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    do {
        double *out = value->at + eval_instance(e, node->type.domain, at) * n;
        const double *in = eval_operand(e, 0, at);
        for (uint64_t i = 0; i < n; i++)
            out[i] += in[i];
    } while (eval_next(e, eval_type(e, 0)->domain, &at));
}

/* --- contraction -------------------------------------------------------------------------------*/

/* At one place: result[labels] += sum over the rest of a[labels] * b[labels]. */
static void contract_place(const TirNode *node, const TirType *const types[3],
                           const uint32_t *extents, uint32_t n_labels, const double *a,
                           const double *b, double *out) {
    uint32_t at[32] = {0};
    for (;;) {
        uint64_t flat[3];
        for (uint32_t o = 0; o < 3; o++) {
            uint32_t index[TIR_MAX_RANK];
            for (uint32_t k = 0; k < types[o]->rank; k++)
                index[k] = at[node->attr.labels[o][k]];
            flat[o] = ravel(types[o], index);
        }
        out[flat[2]] += a[flat[0]] * b[flat[1]];
        uint32_t k = n_labels;
        while (k-- > 0 && ++at[k] == extents[k])
            at[k] = 0;
        if (k == UINT32_MAX)
            return;
    }
}

void tir_eval_CONTRACT(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirType *const types[3] = {eval_type(e, 0), eval_type(e, 1), &node->type};
    uint32_t extents[32], n_labels = 0;
    for (uint32_t l = 0; l < 32; l++)
        extents[l] = 1;
    for (uint32_t o = 0; o < 2; o++)
        for (uint32_t k = 0; k < types[o]->rank; k++) {
            const uint32_t l = node->attr.labels[o][k];
            extents[l] = types[o]->dims[k];
            n_labels = l + 1 > n_labels ? l + 1 : n_labels;
        }
    TirDomain joined;
    tir_domain_join(types[0]->domain, types[1]->domain, &joined);
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    do {
        contract_place(
            node, types, extents, n_labels, eval_operand(e, 0, at), eval_operand(e, 1, at),
            value->at + eval_instance(e, node->type.domain, at) * tir_element_count(&node->type));
    } while (eval_next(e, joined, &at));
}

/* --- run-time indices: one that is out of range reads 0 and is not written ---------------------*/

static uint64_t row_elements(const TirType *t, uint32_t first) {
    uint64_t n = 1;
    for (uint32_t k = first; k < t->rank; k++)
        n *= t->dims[k];
    return n;
}

static bool in_range(double index, uint32_t rows) {
    return index >= 0 && index < rows;
}

void tir_eval_GATHER(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirType *x = eval_type(e, 0);
    const uint64_t row = row_elements(x, 1), n = tir_element_count(eval_type(e, 1));
    EACH_PLACE(e, node, value, {
        const double *index = eval_operand(e, 1, at);
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t j = 0; in_range(index[i], x->dims[0]) && j < row; j++)
                out[i * row + j] = in[(uint64_t)index[i] * row + j];
    });
}

void tir_eval_SCATTER_ADD(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirType *index_type = eval_type(e, 0), *g_type = eval_type(e, 1);
    const uint64_t row = row_elements(g_type, index_type->rank), n = tir_element_count(index_type);
    TirDomain joined;
    tir_domain_join(index_type->domain, g_type->domain, &joined);
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    do {
        double *out =
            value->at + eval_instance(e, node->type.domain, at) * tir_element_count(&node->type);
        const double *index = eval_operand(e, 0, at), *g = eval_operand(e, 1, at);
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t j = 0; in_range(index[i], node->attr.rows) && j < row; j++)
                out[(uint64_t)index[i] * row + j] += g[i * row + j];
    } while (eval_next(e, joined, &at));
}

void tir_eval_ONEHOT(const Eval *e, const TirNode *node, EvalValue *value) {
    const uint32_t rows = node->attr.rows;
    EACH_PLACE(e, node, value, {
        for (uint64_t i = 0; i < tir_element_count(eval_type(e, 0)); i++)
            if (in_range(in[i], rows))
                out[i * rows + (uint64_t)in[i]] = 1;
    });
}
