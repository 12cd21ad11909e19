/* Means over samples and positions: what a loss, a penalty and a buffer are of. */
#include "sema/report.h"
#include "sema/value/tensor.h"

bool tensor_is_single(Sema *s, const Tensor *t, Span span, const char *what) {
    if (!t || t->type.rank == 0)
        return t != NULL;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    sema_error(s, DIAG_LOSS, span, "%s must be a single value, but it is a tensor %s", what,
               dims_text(s, rank, dims));
    sema_help(s, "reduce its axes, as in `sum[i] v[i]`");
    return false;
}

TirId mean_of_elements(Sema *s, const Tensor *t, Span span) {
    const TirId id = tensor_use(s, t);
    TirBuilder *b = sema_builder(s, span);
    const TirId sum = tir_domain_sum(b, id, t->type.domain, TIR_GLOBAL);
    return tir_binary(b, TIR_DIV, sum, tir_count(b, t->type.domain));
}

/* The mean over samples and positions: real, one number, global. */
Value mean_over_domain(Sema *s, Value v, Span span) {
    const Tensor *t = value_as_real(s, v, span);
    if (!tensor_is_single(s, t, span, "this"))
        return POISON;
    if (tir_domain_equal(t->type.domain, TIR_GLOBAL))
        return (Value){.kind = VALUE_TENSOR, .span = span, .tensor = t};
    return value_tensor(s, mean_of_elements(s, t, span), NULL, span);
}
