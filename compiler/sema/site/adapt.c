/* A connection of one stream in a trunk of several.
 *
 *     state h[d];           at a site of a trunk that keeps H[n, d] and no h, or h[n, d]
 *
 * The connection reads the mean of the streams as its `h`; what its writes add to `h` is added to
 * every stream. So while all streams are equal it does what it does in a trunk of its own, and what
 * the streams differ by is left alone. `h` may have any shape: it is that of the trunk's state
 * without the first axis, which counts the streams. */
#include "sema/elaboration.h"
#include "sema/site/site.h"
#include "sema/value/tensor.h"

static bool fits(const StateSlot *have, const StateSlot *slot) {
    if (have->grows || slot->grows || have->rank != slot->rank + 1)
        return false;
    for (uint32_t k = 0; k < slot->rank; k++)
        if (have->dims[k + 1] != slot->dims[k])
            return false;
    return true;
}

StateSlot *adapt_streams(TrunkState *trunk, const StateSlot *slot) {
    StateSlot *named = trunk_state(trunk, slot->name);
    if (named)
        return fits(named, slot) ? named : NULL;
    for (uint32_t k = 0; k < trunk->states.count; k++)
        if (fits(&trunk->states.at[k], slot))
            return &trunk->states.at[k];
    return NULL;
}

Value adapt_read(Sema *s, const StateSlot *streams, Span span) {
    if (is_poison(streams->value))
        return POISON;
    TirBuilder *b = sema_builder(s, span);
    const TirId sum = tir_reduce(b, TIR_REDUCE_SUM, tensor_use(s, streams->value.tensor), 1);
    const TirId mean = tir_binary(b, TIR_DIV, sum, tir_real(b, streams->dims[0]));
    return value_derived(s, mean, streams->value.tensor->type.domain, NULL, span);
}

Value adapt_write(Sema *s, const StateSlot *streams, Value before, Value after, Span span) {
    const Value added = value_binary(s, TIR_SUB, after, before, span);
    if (is_poison(added) || is_poison(streams->value))
        return POISON;
    uint8_t axes[TIR_MAX_RANK];
    for (uint32_t k = 0; k < TIR_MAX_RANK; k++)
        axes[k] = (uint8_t)(k + 1);
    TirBuilder *b = sema_builder(s, span);
    const TirId each =
        tir_broadcast(b, tensor_use(s, added.tensor), streams->rank, streams->dims, axes);
    const TirId sum = tir_binary(b, TIR_ADD, tensor_use(s, streams->value.tensor), each);
    return value_derived(s, sum, added.tensor->type.domain, NULL, span);
}
