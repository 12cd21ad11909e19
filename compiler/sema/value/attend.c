/* What attention adds to its scores: by key, and by head and distance. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/value/tensor.h"
#include <math.h>

/* Adds a number to the scores of each key: one more entry of every key, and 1 in every query. A
 * condition says which keys count; a score of -inf does not, whatever the precision. */
bool attend_mask(Sema *s, Value mask, uint8_t space, double *scale, Span span, TirId *q, TirId *k) {
    if (mask.kind == VALUE_BOOL && mask.boolean)
        return true;
    const Tensor *t = value_as_tensor(s, mask, span);
    if (!t)
        return false;
    const TirType qt = *sema_type(s, *q), kt = *sema_type(s, *k);
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    if (rank != t->type.rank || rank > 1 || (rank == 1 && dims[0] != kt.dims[0])) {
        sema_error(s, DIAG_SHAPE, span,
                   "the mask is one value for each key, or one for each of its %u heads, not %s",
                   kt.dims[0], value_text(s, mask));
        return false;
    }
    if (t->type.domain.space && t->type.domain.space != space) {
        sema_error(s, DIAG_DOMAIN, span, "the mask lives at the positions of the keys, `%s`",
                   s->program->spaces.at[space - 1].name);
        return false;
    }
    const TirId id = tensor_use(s, t);
    TirBuilder *b = sema_builder(s, span);
    if (*scale == 0) { /* which nothing divided by would give back */
        *q = tir_binary(b, TIR_MUL, *q, tir_real(b, 0));
        *scale = 1;
    }
    TirId bias =
        t->type.elem == TIR_BOOL
            ? tir_select(b, id, tir_real(b, 0), tir_real(b, -INFINITY / *scale))
            : tir_binary(b, TIR_DIV, t->type.elem == TIR_INT ? tir_unary(b, TIR_TO_REAL, id) : id,
                         tir_real(b, *scale));
    static const uint8_t first[] = {0};
    const uint32_t q_dims[] = {qt.dims[0], 1}, k_dims[] = {kt.dims[0], 1};
    bias = tir_broadcast(b, bias, 2, k_dims, first);
    const TirId ones = tir_broadcast(b, tir_real(b, 1), 2, q_dims, first);
    *q = tir_concat(b, 1, 2, (TirId[]){*q, ones});
    *k = tir_concat(b, 1, 2, (TirId[]){*k, bias});
    return true;
}

/* Which entry of `n` a distance takes: of causal attention they are those of 0, 1, ...; else the
 * middle one is that of 0. What is further takes the last. */
static int32_t entry_of(int64_t distance, int64_t n, bool causal) {
    const int64_t at = causal ? distance : distance + (n - 1) / 2;
    return (int32_t)(at < 0 ? 0 : at >= n ? n - 1 : at);
}

static bool bias_shape(Sema *s, const Tensor *t, uint32_t heads, bool causal, Span span) {
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    if (rank != t->type.rank || rank < 1 || rank > 2 || (rank == 2 && dims[0] != heads)) {
        sema_error(s, DIAG_SHAPE, span,
                   "the bias is a number for each of %u heads and each distance, or for each "
                   "distance, not a tensor %s",
                   heads, dims_text(s, rank, dims));
        return false;
    }
    if (!causal && dims[rank - 1] % 2 == 0) {
        sema_error(s, DIAG_SHAPE, span,
                   "of attention that is not causal the middle entry of the bias is that of "
                   "distance 0, and of %u there is none",
                   dims[rank - 1]);
        sema_help(s,
                  "give it an odd number: as many for keys before the query as for those behind");
        return false;
    }
    if (!tir_domain_equal(t->type.domain, TIR_GLOBAL)) {
        sema_error(s, DIAG_DOMAIN, span, "the bias is the same for all samples and positions");
        sema_help(s, "what differs from key to key is a `mask` of numbers");
        return false;
    }
    return true;
}

bool attend_bias(Sema *s, Value bias, const Tensor *q, const Tensor *k, Span span, TirAttend *how) {
    if (bias.kind == VALUE_TUPLE || (bias.kind == VALUE_NUMBER && bias.number == 0))
        return true;
    const Tensor *t = value_as_real(s, bias, span);
    const TirSpace *spaces = s->program->spaces.at;
    const TirSpace *queries = &spaces[q->type.domain.space - 1],
                   *keys = &spaces[k->type.domain.space - 1];
    const uint32_t heads = q->type.dims[0];
    if (!t || !bias_shape(s, t, heads, how->causal, span))
        return false;
    if (!s->trial && (queries->rank > 1 || keys->rank > 1)) {
        sema_error(s, DIAG_DOMAIN, span, "positions of a grid are not one distance apart");
        return false;
    }
    const uint64_t n = (uint64_t)queries->maximum + keys->maximum - 1;
    if (n > NUMERIC_LARGEST) {
        sema_error(s, DIAG_SIZE, span, "a bias of %llu distances is too large",
                   (unsigned long long)n);
        return false;
    }
    const uint32_t entries = t->type.dims[t->type.rank - 1];
    int32_t *at = ARENA_ARRAY(s->arena, int32_t, n);
    for (uint64_t d = 0; d < n; d++)
        at[d] = entry_of((int64_t)d - keys->maximum + 1, entries, how->causal);
    const uint32_t dims[] = {heads, entries};
    TirBuilder *b = sema_builder(s, span);
    const TirId all =
        tir_broadcast(b, tensor_use(s, t), 2, dims,
                      t->type.rank == 1 ? (const uint8_t[]){1} : (const uint8_t[]){0, 1});
    how->bias = tir_take(b, all, 1, (uint32_t)n, at);
    how->start = keys->maximum - 1;
    return true;
}
