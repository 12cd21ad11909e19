/* Statements of a body: constants, parameters, lets, conditions, probes, penalties.
 *
 * Requires: the instance's frame is s->frame; `scope` is its scope.
 * Maintains: a let is visible to what follows it; both sides of an `if` define into the same scope.
 */
#include "sema/internal.h"
#include "syntax/ast_find.h"

const char *path_join(Sema *s, const char *path, const char *name) {
    if (!name)
        return path;
    const char *joined = path && path[0] ? arena_printf(s->arena, "%s.%s", path, name) : name;
    return intern_str(s->c->interner, joined);
}

bool element_count(Sema *s, uint32_t rank, const uint32_t *dims, Span span, uint64_t *count) {
    *count = 1;
    for (uint32_t k = 0; k < rank; k++) {
        *count *= dims[k]; /* both below 2^40 and 2^32: overflow is caught at the next step */
        if (*count > SEMA_MAX_ELEMENTS) {
            s->tried.too_large = true;
            sema_error(s, DIAG_SIZE, span, "a tensor %s would have more than 2^40 elements",
                       dims_text(s, rank, dims));
            return false;
        }
    }
    return true;
}

bool elaborate_shape(Sema *s, Scope *scope, const Target *target, uint32_t *dims) {
    const uint32_t rank = target->indices.count;
    if (rank > TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, target->span, "a tensor has at most %d axes", TIR_MAX_RANK);
        return false;
    }
    bool good = true;
    for (uint32_t k = 0; k < rank; k++)
        good = elaborate_extent(s, scope, target->indices.at[k], &dims[k]) && good;
    uint64_t count;
    return good && element_count(s, rank, dims, target->span, &count);
}

bool once(Sema *s, const char *path, const void *what) {
    const char *key = arena_printf(s->arena, "%s:%p", path ? path : "", what);
    void **slot = map_slot_str(s->once, key);
    const bool first = !*slot;
    *slot = s;
    return first;
}

/* --- statements --------------------------------------------------------------------------------*/

static void body_constants(Sema *s, Scope *scope, const Stmt *stmt) {
    define_constants(s, scope, &stmt->bindings);
    for (uint32_t k = 0; k < stmt->bindings.count; k++) {
        const char *name = stmt->bindings.at[k].target.name.text;
        Symbol *symbol = name ? scope_find_here(scope, name) : NULL;
        if (symbol && symbol->kind == SYMBOL_CONST)
            symbol_constant(s, symbol);
    }
}

/* Tried out, a definition has one side of each condition only: what the other one reads is used. */
void mark_untaken(Sema *s, Scope *scope, const StmtList *untaken) {
    for (; s->trial && scope; scope = scope->is_frame ? NULL : scope->parent)
        for (uint32_t k = 0; k < scope->symbols.count; k++)
            if (ast_mentions(untaken, scope->symbols.at[k]->name))
                usage_mark(s, scope->symbols.at[k]);
}

static void body_if(Sema *s, Scope *scope, const Stmt *stmt) {
    bool condition;
    s->decisions++;
    if (!elaborate_bool(s, scope, stmt->branch.condition, "a condition", &condition))
        return;
    body_elaborate(s, scope, condition ? &stmt->branch.then_body : &stmt->branch.else_body);
    mark_untaken(s, scope, condition ? &stmt->branch.else_body : &stmt->branch.then_body);
}

static void body_penalty(Sema *s, Scope *scope, const Stmt *stmt) {
    const Value v = mean_over_domain(s, elaborate(s, scope, stmt->value), stmt->value->span);
    if (is_poison(v) || !once(s, s->frame->path, stmt))
        return;
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, stmt->span, "a penalty cannot stand in `iterate`");
        return;
    }
    vec_push(s->arena, &s->penalties, tensor_use(s, v.tensor));
}

static void body_probe(Sema *s, Scope *scope, const Stmt *stmt) {
    const Value v = elaborate(s, scope, stmt->value);
    const Tensor *t = value_as_tensor(s, v, stmt->value->span);
    if (!t || !once(s, s->frame->path, stmt))
        return;
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, stmt->span, "a probe cannot stand in `iterate`");
        return;
    }
    if (tensor_bare_rank(t) != t->type.rank) {
        sema_error(s, DIAG_BARE_AXIS, stmt->span, "a probe shows whole tensors");
        return;
    }
    const char *name = stmt->value->kind == EXPR_NAME ? stmt->value->name : "probe";
    tir_add_output(s->program, TIR_OUT_PROBE, path_join(s, s->frame->path, name), 0,
                   tensor_use(s, t));
}

void body_statement(Sema *s, Scope *scope, const Stmt *stmt) {
    switch (stmt->kind) {
    case STMT_CONST:
        body_constants(s, scope, stmt);
        return;
    case STMT_PARAM:
    case STMT_BUFFER:
        body_params(s, scope, stmt);
        return;
    case STMT_UPDATE:
        body_update(s, scope, stmt);
        return;
    case STMT_LET:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            body_let(s, scope, &stmt->bindings.at[k]);
        return;
    case STMT_ASSIGN:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            body_assign(s, scope, &stmt->bindings.at[k]);
        return;
    case STMT_ITERATE:
        body_iterate(s, scope, stmt);
        return;
    case STMT_FOR:
        body_for(s, scope, stmt);
        return;
    case STMT_IF:
        body_if(s, scope, stmt);
        return;
    case STMT_PENALTY:
        body_penalty(s, scope, stmt);
        return;
    case STMT_PROBE:
        body_probe(s, scope, stmt);
        return;
    case STMT_REQUIRE:
        body_require(s, scope, stmt);
        return;
    case STMT_ERROR:
        return;
    default: /* in the wrong place: the syntax check has said so */
        return;
    }
}

void body_elaborate(Sema *s, Scope *scope, const StmtList *body) {
    for (uint32_t k = 0; k < body->count && !s->frame->rejected; k++)
        if (body->at[k])
            body_statement(s, scope, body->at[k]);
}
