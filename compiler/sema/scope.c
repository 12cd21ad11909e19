/* Names: scopes, constants evaluated on demand, what was used, who is being elaborated. */
#include "sema/internal.h"
#include <string.h>

/* --- reports -----------------------------------------------------------------------------------*/

/* The innermost instance of a definition, when the place lies inside a definition. */
static void note_instance(Sema *s, Span at) {
    const Frame *f = s->frame;
    if (!f || s->trial || at.file == 0)
        return;
    while (f && f->is_function && f->outer)
        f = f->outer;
    if (!f || !f->item || f->item->kind == ITEM_MODEL || f->used_at.file == 0)
        return;
    if (f->used_at.file == at.file && f->used_at.begin == at.begin)
        return; /* it is the instance that is at fault */
    if (f->path && f->path[0])
        diag_note(s->d, f->used_at, "in `%s`, an instance of the %s `%s`", f->path,
                  item_kind_text(f->item->kind), f->item->name.text);
    else
        diag_note(s->d, f->used_at, "in an instance of the %s `%s`", item_kind_text(f->item->kind),
                  f->item->name.text);
}

/* Codes whose cause may lie in what an instance was given. */
static bool code_concerns_instance(DiagCode code) {
    switch (code) {
    case DIAG_CONSTANT:
    case DIAG_EXTENT:
    case DIAG_INDEX_RANGE:
    case DIAG_INDEX_EXTENT:
    case DIAG_SHAPE:
    case DIAG_INDEX_CLASH:
    case DIAG_KIND:
    case DIAG_DOMAIN:
    case DIAG_SIZE:
    case DIAG_REQUIRED:
        return true;
    default:
        return false;
    }
}

/* What may only seem so because the parser threw text away. */
static bool code_follows_syntax(DiagCode code) {
    return code == DIAG_OUTPUT || code == DIAG_CONNECTION_PART || code == DIAG_LOSS ||
           code == DIAG_DUPLICATE || code == DIAG_MODEL;
}

Value sema_error(Sema *s, DiagCode code, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(s->arena, format, args);
    va_end(args);
    s->muted = s->syntax_errors && code_follows_syntax(code);
    if (s->muted)
        return POISON;
    diag_error(s->d, code, at, "%s", message);
    if (code_concerns_instance(code))
        note_instance(s, at);
    return POISON;
}

void sema_warning(Sema *s, DiagCode code, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(s->arena, format, args);
    va_end(args);
    s->muted = s->syntax_errors;
    if (s->muted)
        return;
    diag_warning(s->d, code, at, "%s", message);
    if (code_concerns_instance(code))
        note_instance(s, at);
}

void sema_note(Sema *s, Span at, const char *format, ...) {
    if (at.file == 0 || s->muted)
        return;
    va_list args;
    va_start(args, format);
    diag_note(s->d, at, "%s", arena_vprintf(s->arena, format, args));
    va_end(args);
}

void sema_help(Sema *s, const char *format, ...) {
    if (s->muted)
        return;
    va_list args;
    va_start(args, format);
    diag_help(s->d, "%s", arena_vprintf(s->arena, format, args));
    va_end(args);
}

void sema_give_up(Sema *s, Span at) {
    if (!s->steps_reported)
        sema_error(s, DIAG_SIZE, at, "the network is too large to elaborate");
    s->steps_reported = true;
    s->steps = SEMA_MAX_STEPS;
}

/* --- scopes ------------------------------------------------------------------------------------*/

Scope *scope_create(Sema *s, Scope *parent, Frame *frame) {
    Scope *scope = ARENA_NEW(s->arena, Scope);
    scope->parent = parent;
    scope->frame = frame;
    return scope;
}

Symbol *scope_define(Sema *s, Scope *scope, const char *name, Span span, SymbolKind kind) {
    Symbol *symbol = ARENA_NEW(s->arena, Symbol);
    symbol->kind = kind;
    symbol->name = name;
    symbol->span = span;
    symbol->scope = scope;
    vec_push(s->arena, &scope->symbols, symbol);
    return symbol;
}

/* Names are interned: equal text, equal pointer. */
Symbol *scope_find_here(const Scope *scope, const char *name) {
    for (uint32_t k = scope->symbols.count; k-- > 0;)
        if (scope->symbols.at[k]->name == name)
            return scope->symbols.at[k];
    return NULL;
}

Symbol *scope_find_local(const Scope *scope, const char *name) {
    for (; scope; scope = scope->parent) {
        Symbol *symbol = scope_find_here(scope, name);
        if (symbol)
            return symbol;
        if (scope->is_frame)
            break;
    }
    return NULL;
}

Scope *scope_root(Scope *scope) {
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

/* The library is looked up without `use std;` too; a file's own definitions come first. */
Symbol *scope_find(Sema *s, Scope *scope, const char *name) {
    for (Scope *at = scope; at; at = at->parent) {
        Symbol *symbol = scope_find_here(at, name);
        if (symbol)
            return symbol;
    }
    if (scope_root(scope)->is_library)
        return NULL;
    scope_load_library(s);
    return scope_find_here(s->library, name);
}

/* Some branch has a result of this name: where any branch may stand, it may be that. */
static bool gives_result(const Scope *root, const char *name) {
    for (uint32_t k = 0; k < root->symbols.count; k++) {
        const Item *item = root->symbols.at[k]->item;
        for (uint32_t o = 0; item && item->kind == ITEM_BRANCH && o < item->outputs.count; o++)
            if (item->outputs.at[o].name.text == name)
                return true;
    }
    return false;
}

void scope_unknown(Sema *s, Scope *scope, const char *name, Span span, const char *what) {
    VEC(const char *) names = {0};
    for (Scope *at = scope; at; at = at->parent)
        for (uint32_t k = 0; k < at->symbols.count; k++)
            vec_push(s->arena, &names, at->symbols.at[k]->name);
    scope_load_library(s);
    for (uint32_t k = 0; k < s->library->symbols.count; k++)
        vec_push(s->arena, &names, s->library->symbols.at[k]->name);
    const uint32_t n_builtins = builtin_count();
    for (uint32_t k = 0; k < n_builtins; k++)
        vec_push(s->arena, &names, builtin_name(k));
    for (uint32_t k = 0; k < WORD_COUNT; k++)
        vec_push(s->arena, &names, s->words[k]);
    vec_push(s->arena, &names, "true");
    vec_push(s->arena, &names, "false");
    const char *near = nearest_name(name, names.at, names.count);
    if (s->syntax_errors && !near)
        return; /* it may stand where parsing recovered */
    const Frame *f = s->frame;
    if (f && f->results_unknown && (gives_result(s->root, name) || gives_result(s->library, name)))
        return;
    sema_error(s, DIAG_UNKNOWN_NAME, span, "unknown %s `%s`", what, name);
    if (f && f->results_text)
        sema_note(s, f->results_at, "the results of this site's branches are called %s",
                  f->results_text);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
}

bool scope_check_new(Sema *s, Scope *scope, Name name) {
    if (!name.text)
        return false;
    const Symbol *old = scope_find_here(scope, name.text);
    if (!old)
        return true;
    sema_error(s, DIAG_DUPLICATE, name.span, "`%s` is defined twice", name.text);
    sema_note(s, old->span, "the first definition");
    return false;
}

static void scope_add_item(Sema *s, Scope *root, const Item *item) {
    if (item->kind == ITEM_USE || item->kind == ITEM_TRAIN || item->kind == ITEM_MODEL)
        return; /* models and recipes are found by kind */
    if (item->kind == ITEM_CONST) {
        define_constants(s, root, &item->constants);
        return;
    }
    if (!item->name.text || !scope_check_new(s, root, item->name))
        return;
    scope_define(s, root, item->name.text, item->name.span, SYMBOL_ITEM)->item = item;
}

void scope_add_items(Sema *s, Scope *root, const Ast *ast) {
    for (uint32_t k = 0; k < ast->items.count; k++)
        scope_add_item(s, root, ast->items.at[k]);
}

/* --- use ---------------------------------------------------------------------------------------*/

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
    if (usage && symbol == s->writing)
        usage->self_used = true;
    else if (usage)
        usage->used = true;
}

/* --- instances ---------------------------------------------------------------------------------*/

/* What is built from here on is the work of s->frame. */
static void frame_builds(Sema *s) {
    const TirId from = s->program->block->nodes.count;
    if (s->built.count && s->built.at[s->built.count - 1].from == from)
        s->built.count--;
    vec_push(s->arena, &s->built, (Built){from, s->frame});
}

Frame *frame_push(Sema *s, const Item *item, const char *path, Span used_at) {
    if (++s->n_instances > SEMA_MAX_INSTANCES)
        sema_give_up(s, used_at);
    Frame *frame = ARENA_NEW(s->arena, Frame);
    const Frame *outer = s->frame;
    frame->outer = s->frame;
    frame->item = item;
    frame->path = path;
    frame->used_at = used_at;
    if (outer) {
        frame->space = outer->space;
        frame->call = outer->call;
        frame->trunk = outer->trunk;
        frame->in_trunk = outer->in_trunk;
        frame->of_connection = outer->of_connection;
        frame->site = outer->site;
        frame->sites = outer->sites;
        frame->block = outer->block;
        frame->branches = outer->branches;
        frame->branch_inputs = outer->branch_inputs;
        frame->blocks = outer->blocks;
        frame->sites_known = outer->sites_known;
    }
    s->frame = frame;
    frame_builds(s);
    return frame;
}

void frame_pop(Sema *s) {
    s->frame = s->frame->outer;
    frame_builds(s);
}

Frame *frame_of(const Sema *s, TirId id) {
    uint32_t low = 0, high = s->built.count; /* the last entry that begins at id or before */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (s->built.at[middle].from <= id)
            low = middle;
        else
            high = middle;
    }
    return high ? s->built.at[low].frame : NULL;
}

bool item_is_active(const Sema *s, const Item *item) {
    for (const Frame *f = s->frame; f; f = f->outer)
        if (f->item == item)
            return true;
    return false;
}

Value item_cycle(Sema *s, const Item *item, Span at) {
    sema_error(s, DIAG_CYCLE, at, "`%s` uses itself", item->name.text);
    for (const Frame *f = s->frame; f && f->item != item; f = f->outer)
        if (f->item)
            sema_note(s, f->used_at, "by way of `%s`, used here", f->item->name.text);
    sema_help(s, "definitions do not recur; repeat with `iterate` or `repeat`");
    return POISON;
}

const char *item_kind_text(ItemKind kind) {
    static const char *const text[] = {"use",    "constant", "function", "connection",
                                       "branch", "module",   "model",    "train block"};
    return text[kind];
}

/* --- constants ---------------------------------------------------------------------------------*/

void define_constants(Sema *s, Scope *scope, const BindingList *list) {
    for (uint32_t k = 0; k < list->count; k++) {
        const Binding *b = &list->at[k];
        if (!b->target.name.text || !scope_check_new(s, scope, b->target.name))
            continue;
        if (b->target.bracketed) {
            sema_error(s, DIAG_CONSTANT, b->target.span, "a constant has no indices");
            sema_help(s, "a table is a `let`: `let %s[i] = ...`", b->target.name.text);
        }
        Symbol *symbol =
            scope_define(s, scope, b->target.name.text, b->target.name.span, SYMBOL_CONST);
        symbol->expr = b->value;
        if (b->target.bracketed) {
            symbol->state = CONST_DONE;
            symbol->value = POISON;
        }
    }
}

Value symbol_constant(Sema *s, Symbol *symbol) {
    if (symbol->state == CONST_DONE)
        return symbol->value;
    if (symbol->state == CONST_ACTIVE) {
        sema_error(s, DIAG_CYCLE, symbol->span, "the constant `%s` depends on itself",
                   symbol->name);
        return POISON;
    }
    symbol->state = CONST_ACTIVE;
    Frame *const frame = s->frame;
    const bool numeric = s->numeric, element = s->element_wanted;
    s->frame = symbol->scope->frame;
    s->numeric = s->element_wanted = false;
    symbol->value = elaborate_constant(s, symbol->scope, symbol->expr);
    const bool overridden = symbol->expr->span.file != symbol->span.file; /* `--set` */
    if (!is_poison(symbol->value))
        symbol->value.span = overridden ? symbol->expr->span : symbol->span;
    s->frame = frame;
    s->numeric = numeric;
    s->element_wanted = element;
    symbol->state = CONST_DONE;
    return symbol->value;
}
