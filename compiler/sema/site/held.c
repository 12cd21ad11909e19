/* What trunks and their sites had, by name; see held.h. */
#include "sema/site/held.h"
#include "sema/elaboration.h"
#include "sema/value/tensor.h"
#include <stdlib.h>
#include <string.h>

/* --- remembered --------------------------------------------------------------------------------*/

Held *held_trunk(Sema *s, const char *path) {
    Held *trunk = ARENA_NEW(s->arena, Held);
    trunk->path = path;
    trunk->is_trunk = true;
    return trunk;
}

/* `3.0.attn`, behind the trunk's path, is the site `attn` in turn 0 of turn 3. */
Held *held_site(Sema *s, Held *trunk, const char *path) {
    Held *site = ARENA_NEW(s->arena, Held);
    site->path = path;
    if (!trunk)
        return site;
    const char *at = path + strlen(trunk->path) + (*trunk->path != '\0');
    for (const char *dot = strchr(at, '.'); dot; dot = strchr(at, '.')) {
        vec_push(s->arena, &site->turns, (uint32_t)strtoul(at, NULL, 10));
        at = dot + 1;
    }
    site->name = intern_str(s->c->interner, at);
    vec_push(s->arena, &trunk->sites, site);
    return site;
}

Held *held_inside(Sema *s, Held *outer, const char *name) {
    Held *inner = ARENA_NEW(s->arena, Held);
    inner->path = outer->path;
    outer->inner = inner;
    outer->inner_name = name;
    return inner;
}

void held_note(Sema *s, Held *held, const char *name, Value value) {
    if (name)
        vec_push(s->arena, &held->values, (HeldValue){name, value});
}

/* --- found -------------------------------------------------------------------------------------*/

static bool same_turns(const HeldTurns *a, const HeldTurns *b) {
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->at, b->at, a->count * sizeof *a->at) == 0);
}

const Held *held_find_site(const Held *trunk, const char *name, const HeldTurns *turns) {
    for (uint32_t k = 0; k < trunk->sites.count; k++)
        if (trunk->sites.at[k]->name == name && same_turns(&trunk->sites.at[k]->turns, turns))
            return trunk->sites.at[k];
    return NULL;
}

/* What a name of the text stands for, where that can be asked for from outside. */
static bool symbol_value(const Symbol *symbol, Value *value) {
    const bool known = symbol->kind == SYMBOL_VALUE ||
                       (symbol->kind == SYMBOL_CONST && symbol->state == CONST_DONE);
    *value = symbol->value;
    return known && (value->kind == VALUE_NUMBER || value->kind == VALUE_BOOL ||
                     value->kind == VALUE_TENSOR || value->kind == VALUE_REPEAT);
}

/* The body's scope, and that of its parameters. */
static const Scope *next_scope(const Scope *scope) {
    return scope->is_frame ? NULL : scope->parent;
}

static Value results_sum(Sema *s, const Held *held, Span span) {
    Value sum = held->results.at[0];
    for (uint32_t k = 1; k < held->results.count; k++)
        sum = value_binary(s, TIR_ADD, sum, held->results.at[k], span);
    return sum;
}

static bool is_result(Sema *s, const Held *held, const char *name) {
    return held->results.count && name == intern_str(s->c->interner, "y");
}

bool held_has(const Held *held, const char *name) {
    for (uint32_t k = 0; k < held->values.count; k++)
        if (held->values.at[k].name == name)
            return true;
    for (const Scope *scope = held->scope; scope; scope = next_scope(scope)) {
        const Symbol *symbol = scope_find_here(scope, name);
        if (symbol && symbol->kind == SYMBOL_VALUE)
            return true;
    }
    return held->inner && held_has(held->inner, name);
}

bool held_find(Sema *s, const Held *held, const char *name, Span span, Value *value) {
    for (uint32_t k = 0; k < held->values.count; k++)
        if (held->values.at[k].name == name) {
            *value = held->values.at[k].value;
            return true;
        }
    if (is_result(s, held, name)) {
        *value = results_sum(s, held, span);
        return true;
    }
    for (const Scope *scope = held->scope; scope; scope = next_scope(scope)) {
        const Symbol *symbol = scope_find_here(scope, name);
        if (symbol && symbol_value(symbol, value))
            return true;
    }
    return held->inner && held_find(s, held->inner, name, span, value);
}

/* --- told --------------------------------------------------------------------------------------*/

/* Once each, in the order of their first mention. */
typedef struct {
    VEC(const char *) names;
    const char *text;
} Listing;

static void list(Sema *s, Listing *l, const char *name) {
    for (uint32_t k = 0; k < l->names.count; k++)
        if (l->names.at[k] == name)
            return;
    vec_push(s->arena, &l->names, name);
    l->text = l->text ? arena_printf(s->arena, "%s, `%s`", l->text, name)
                      : arena_printf(s->arena, "`%s`", name);
}

const char *held_sites_text(Sema *s, const Held *trunk) {
    Listing l = {0};
    for (uint32_t k = 0; k < trunk->sites.count; k++)
        list(s, &l, trunk->sites.at[k]->name);
    return l.text;
}

static void list_values(Sema *s, Listing *l, const Held *held) {
    Value value;
    for (uint32_t k = 0; k < held->values.count; k++)
        list(s, l, held->values.at[k].name);
    if (held->results.count)
        list(s, l, intern_str(s->c->interner, "y"));
    for (const Scope *scope = held->scope; scope; scope = next_scope(scope))
        for (uint32_t k = 0; k < scope->symbols.count; k++)
            if (symbol_value(scope->symbols.at[k], &value))
                list(s, l, scope->symbols.at[k]->name);
    if (held->inner)
        list_values(s, l, held->inner);
}

const char *held_values_text(Sema *s, const Held *held) {
    Listing l = {0};
    list_values(s, &l, held);
    return l.text;
}

static const char *turns_text(Sema *s, const HeldTurns *turns) {
    const char *text = NULL;
    for (uint32_t k = 0; k < turns->count; k++)
        text = text ? arena_printf(s->arena, "%s, %u", text, turns->at[k])
                    : arena_printf(s->arena, "%u", turns->at[k]);
    return text;
}

/* "`h.attn[0]` to `h.attn[5]`", by the first and the last. */
const char *held_turns_text(Sema *s, const Held *trunk, const char *name) {
    const Held *first = NULL, *last = NULL;
    for (uint32_t k = 0; k < trunk->sites.count; k++)
        if (trunk->sites.at[k]->name == name) {
            last = trunk->sites.at[k];
            first = first ? first : last;
        }
    if (!first)
        return NULL;
    const char *from = turns_text(s, &first->turns), *to = turns_text(s, &last->turns);
    if (!from)
        return arena_printf(s->arena, "`%s`", name);
    return first == last
               ? arena_printf(s->arena, "`%s[%s]`", name, from)
               : arena_printf(s->arena, "`%s[%s]` to `%s[%s]`", name, from, name, to ? to : "");
}
