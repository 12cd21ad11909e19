/* What streams are called: the name that the text has for their state, and which entry of it. */
#include "pass/maps_internal.h"

/* "[2]" or "[2,0]": entry `k` of the first `rank` axes of the type. */
static const char *entry_text(Arena *arena, const TirType *type, uint32_t rank, uint32_t k) {
    const char *text = "";
    for (uint32_t a = rank; a-- > 0; k /= type->dims[a])
        text = arena_printf(arena, "%u%s%s", k % type->dims[a], *text ? "," : "", text);
    return rank ? arena_printf(arena, "[%s]", text) : "";
}

void map_names(Arena *arena, const TirProgram *p, const SiteValueList *values, uint32_t unit,
               MapNames *names) {
    for (uint32_t v = 0; v < values->count; v++) {
        const TirType *type = &tir_node(p->block, values->at[v].value)->type;
        const uint32_t n = flow_streams(type, unit);
        const uint32_t parts = n ? type->dims[type->rank - 1] / unit : 1;
        for (uint32_t k = 0; k < n; k++) {
            const char *entry = entry_text(arena, type, type->rank - 1u, k / parts);
            const char *name = arena_printf(arena, "%s%s", values->at[v].name, entry);
            if (parts > 1)
                name = arena_printf(arena, "%s.%u", name, k % parts);
            vec_push(arena, names, name);
        }
    }
}
