/* What is of use: how often something declared was read and written, over all instances. */
#include "sema/usage.h"
#include "sema/elaboration.h"
#include "syntax/ast_find.h"

Usage *usage_at(Sema *s, Span span) {
    const uint64_t key =
        (uint64_t)span.file << 40 ^ (uint64_t)span.begin << 8 ^ (uint64_t)(span.end - span.begin);
    return map_get_u64(s->usage, key);
}

void usage_declare(Sema *s, DeclaredAs declared, const char *name, Span span) {
    if (span.file == 0 || usage_at(s, span))
        return;
    const uint64_t key =
        (uint64_t)span.file << 40 ^ (uint64_t)span.begin << 8 ^ (uint64_t)(span.end - span.begin);
    Usage *usage = ARENA_NEW(s->arena, Usage);
    usage->span = span;
    usage->name = name;
    usage->declared = declared;
    *map_slot_u64(s->usage, key) = usage;
}

void usage_mark(Sema *s, const Symbol *symbol) {
    Usage *usage = symbol->declared == DECLARED_OTHER ? NULL : usage_at(s, symbol->span);
    if (usage && symbol == s->mode.writing)
        usage->self_used = true;
    else if (usage)
        usage->used = true;
}

/* Tried out, a definition has one side of each condition only: what the other one reads is used. */
void usage_mark_untaken(Sema *s, Scope *scope, const StmtList *untaken) {
    for (; s->trial && scope; scope = scope->is_frame ? NULL : scope->parent)
        for (uint32_t k = 0; k < scope->symbols.count; k++)
            if (ast_mentions(untaken, scope->symbols.at[k]->name))
                usage_mark(s, scope->symbols.at[k]);
}
