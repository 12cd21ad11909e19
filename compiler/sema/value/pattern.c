/* `identity` and `onehot` where an initial value asks for one element. */
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/value/tensor.h"
#include <math.h>

void onehot_check(Sema *s, double k, uint32_t extent, Span span) {
    if (k == floor(k) && k >= 0 && k < extent)
        return;
    sema_warning(s, DIAG_INDEX_RANGE, span,
                 "this is 0 everywhere: `onehot(%.10g)` of an axis of %u entries (0 to %u)", k,
                 extent, extent - 1);
    sema_help(s, "to count around, write `onehot(k %% %u)`", extent);
}

/* An element of `identity` or `onehot` where an initial value asks for one. */
Value pattern_element(Sema *s, Value v, Span span) {
    Element *const wanted = s->mode.element;
    wanted->pattern_used = true;
    const uint32_t rank = v.pattern->kind == PATTERN_IDENTITY ? 2 : 1;
    if (wanted->rank != rank) {
        sema_error(s, DIAG_INIT, span, "%s has %u %s, but the parameter has %u", value_text(s, v),
                   rank, rank == 1 ? "axis" : "axes", wanted->rank);
        return POISON;
    }
    if (v.pattern->kind == PATTERN_IDENTITY)
        return value_number(wanted->at[0] == wanted->at[1], span);
    const Value k = *v.pattern->argument;
    if (k.kind != VALUE_NUMBER)
        return sema_error(s, DIAG_CONSTANT, span, "an initial value is a constant");
    onehot_check(s, k.number, wanted->dims[0], span);
    return value_number((double)wanted->at[0] == k.number, span);
}
