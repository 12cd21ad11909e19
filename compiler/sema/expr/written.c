/* Values as they would be written: for config.json, pictures and messages. */
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include <stdlib.h>

/* The fewest digits that are read as the same number: 0.1, not 0.10000000000000001. */
static const char *number_written(Sema *s, double number) {
    const char *text = NULL;
    for (int digits = 15; digits <= 17; digits++) {
        text = arena_printf(s->arena, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return text;
}

const char *value_written(Sema *s, Value v) {
    switch (v.kind) {
    case VALUE_NUMBER:
        return number_written(s, v.number);
    case VALUE_BOOL:
        return v.boolean ? "true" : "false";
    case VALUE_STRING:
        return arena_printf(s->arena, "\"%s\"", v.string);
    case VALUE_CALLABLE: {
        if (v.callable->builtin)
            return builtin_text(v.callable->builtin);
        if (v.callable->site)
            return "branch";
        const char *text = v.callable->item->name.text;
        for (uint32_t k = 0; k < v.callable->arguments.count; k++) {
            const BoundArgument *a = &v.callable->arguments.at[k];
            text = arena_printf(s->arena, "%s%s%s%s%s", text, k ? ", " : "(",
                                a->name.text ? a->name.text : "", a->name.text ? " = " : "",
                                value_written(s, a->value));
        }
        return v.callable->arguments.count ? arena_printf(s->arena, "%s)", text) : text;
    }
    case VALUE_TUPLE: {
        const char *text = "(";
        for (uint32_t k = 0; k < v.tuple.count; k++)
            text = arena_printf(s->arena, "%s%s%s", text, k ? ", " : "",
                                value_written(s, v.tuple.at[k]));
        return arena_printf(s->arena, "%s)", text);
    }
    default:
        return "?";
    }
}
