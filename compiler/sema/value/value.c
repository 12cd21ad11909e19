/* What a value is in numbers and words; nothing is built here. */
#include "sema/value/value.h"
#include "sema/elaboration.h"
#include "sema/report.h"

uint32_t tensor_bare_dims(const Tensor *t, uint32_t *dims, uint32_t *axes) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < t->type.rank; k++)
        if (!t->axes[k]) {
            if (dims)
                dims[n] = t->type.dims[k];
            if (axes)
                axes[n] = k;
            n++;
        }
    return n;
}

uint32_t tensor_bare_rank(const Tensor *t) {
    return tensor_bare_dims(t, NULL, NULL);
}

const char *dims_text(Sema *s, uint32_t rank, const uint32_t *dims) {
    const char *text = "[";
    for (uint32_t k = 0; k < rank; k++)
        text = arena_printf(s->arena, k ? "%s, %u" : "%s%u", text, dims[k]);
    return arena_printf(s->arena, "%s]", text);
}

const char *value_text(Sema *s, Value v) {
    uint32_t dims[TIR_MAX_RANK], rank;
    switch (v.kind) {
    case VALUE_POISON:
        return "an erroneous value";
    case VALUE_NUMBER:
        return arena_printf(s->arena, "the number %.10g", v.number);
    case VALUE_BOOL:
        return v.boolean ? "`true`" : "`false`";
    case VALUE_STRING:
        return "a text";
    case VALUE_TUPLE:
        return "a tuple";
    case VALUE_TENSOR:
        rank = tensor_bare_dims(v.tensor, dims, NULL);
        if (rank == 0)
            return v.tensor->type.elem == TIR_BOOL ? "a condition" : "a single value";
        return arena_printf(s->arena, "a tensor %s", dims_text(s, rank, dims));
    case VALUE_REPEAT:
        return "a repeated value";
    case VALUE_PATTERN:
        return v.pattern->kind == PATTERN_IDENTITY ? "`identity`" : "a `onehot`";
    case VALUE_CALLABLE:
        if (v.callable->site)
            return "the branch of a site";
        return v.callable->item
                   ? arena_printf(s->arena, "the %s `%s`", item_kind_text(v.callable->item->kind),
                                  v.callable->item->name.text)
                   : "a built-in function";
    }
    return "a value";
}
