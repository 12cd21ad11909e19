/* `random`: numbers that are drawn where they are used.
 *
 * Requires: the place is met at most once a call of an instance (elaborating it again, to see a
 * shape, finds the same number). Maintains: the call's number is data, so that equal layers share
 * code.
 *
 *     random(x)                       one for each element of x
 *     let m[i, c] = random() < 0.1    one for each i and c, at each position of each sample
 *     random(each = sample)           one for all positions of a sample */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/value/tensor.h"

/* The number of this call, in the order of first meeting. */
static uint32_t call_number(Sema *s, Span at) {
    const char *key = arena_printf(s->arena, "%s %u:%u", frame_place(s), at.file, at.begin);
    void **slot = map_slot_str(s->random_calls, key);
    if (!*slot)
        *slot = (void *)(uintptr_t)map_count(s->random_calls);
    return (uint32_t)(uintptr_t)*slot - 1;
}

static Value draw(Sema *s, TirType type, Index *const *axes, Span span) {
    const double number = call_number(s, span);
    TirBuilder *b = sema_builder(s, span);
    type.elem = TIR_REAL;
    const TirId call = tir_table(b, TIR_INT, 0, NULL, &number);
    return value_tensor(s, tir_random(b, call, type), axes, span);
}

/* The indices that the definition around `random()` binds, the first created first. */
static bool free_indices(Sema *s, const Scope *scope, TirType *type, Index **axes, Span span) {
    for (; scope; scope = scope->parent) {
        for (uint32_t k = 0; k < scope->symbols.count; k++) {
            Index *index = scope->symbols.at[k]->index;
            if (scope->symbols.at[k]->kind != SYMBOL_INDEX || index->fixed)
                continue;
            if (!index->extent) {
                sema_error(s, DIAG_INDEX_EXTENT, span,
                           "the range of index `%s` cannot be told: it indexes nothing",
                           index->name);
                sema_help(s,
                          "give it on the left, `[%s < 4]`, or write `random(x)` for as many "
                          "numbers as `x` has elements",
                          index->name);
                return false;
            }
            if (type->rank == TIR_MAX_RANK) {
                sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
                return false;
            }
            uint32_t at = type->rank++;
            for (; at > 0 && axes[at - 1]->serial > index->serial; at--) {
                axes[at] = axes[at - 1];
                type->dims[at] = type->dims[at - 1];
            }
            axes[at] = index;
            type->dims[at] = index->extent;
        }
        if (scope->is_frame)
            break;
    }
    return true;
}

Value random_draw(Sema *s, const Scope *scope, const Tensor *x, RandomEach each, Span span) {
    if (x) {
        TirType like = x->type;
        if (each != RANDOM_POSITION)
            like.domain = (TirDomain){each == RANDOM_SAMPLE, 0};
        return draw(s, like, x->axes, span);
    }
    TirType type = {.domain = {each != RANDOM_STEP, 0}};
    if (each == RANDOM_POSITION)
        type.domain.space = (uint8_t)frame_space(s);
    Index *axes[TIR_MAX_RANK];
    uint64_t count;
    if (!free_indices(s, scope, &type, axes, span) ||
        !budget_elements(s, type.rank, type.dims, span, &count))
        return POISON;
    return draw(s, type, axes, span);
}
