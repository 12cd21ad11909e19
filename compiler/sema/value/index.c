/* Indices: where they come from, and an index as a number. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/value/tensor.h"

Index *index_add(Sema *s, Scope *scope, const char *name, Span span) {
    Index *index = ARENA_NEW(s->arena, Index);
    index->name = name;
    index->span = span;
    index->serial = ++s->next_serial;
    scope_define(s, scope, name, span, SYMBOL_INDEX)->index = index;
    return index;
}

Index *index_create(Sema *s, Scope *scope, Name name) {
    if (!name.text)
        return NULL;
    const Symbol *old = scope_find_local(scope, name.text);
    if (old && old->kind == SYMBOL_INDEX) {
        sema_error(s, DIAG_INDEX_REBOUND, name.span, "index `%s` is in use already", name.text);
        sema_note(s, old->span, "bound here");
        sema_help(s, "choose another name for the inner index");
        return NULL;
    }
    if (old && (old->kind == SYMBOL_CONST || old->kind == SYMBOL_POSITION ||
                (old->kind == SYMBOL_VALUE && old->value.kind == VALUE_NUMBER && !old->binding))) {
        sema_error(s, DIAG_INDEX_REBOUND, name.span, "`%s` is a %s here, so it cannot be an index",
                   name.text, old->kind == SYMBOL_POSITION ? "position" : "constant");
        sema_note(s, old->span, "defined here");
        return NULL;
    }
    return index_add(s, scope, name.text, name.span);
}

void index_fix(Index *index, uint32_t extent, Span at) {
    if (!index->extent) {
        index->extent = extent;
        index->extent_at = at;
    }
}

Value index_as_value(Sema *s, Index *index, Span span) {
    if (index->fixed)
        return value_number((double)index->current, span);
    if (s->mode.numeric)
        return sema_error(s, DIAG_CONSTANT, span, "index `%s` has no value here", index->name);
    if (!index->extent && (s->trial || diag_error_count(s->d)))
        return POISON; /* what would tell it may be anything, or was wrong before */
    if (!index->extent) {
        sema_error(s, DIAG_INDEX_EXTENT, span,
                   "the range of index `%s` cannot be told: it indexes nothing", index->name);
        sema_help(s, "give it on the left: `[%s < 4]`", index->name);
        return POISON;
    }
    double *data = budget_table(s, index->extent, span);
    if (!data)
        return POISON;
    for (uint32_t k = 0; k < index->extent; k++)
        data[k] = k;
    const TirId id = tir_table(sema_builder(s, span), TIR_REAL, 1, &index->extent, data);
    return value_tensor(s, id, &index, span);
}
