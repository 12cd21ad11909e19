/* What is made after a step of training: of a buffer, `update s = ...;`, and of a parameter that is
 * held to a constraint, `project W[k, c] = ...;`.
 *
 * Requires: buffer or parameter is declared in this instance, or shared with it.
 * Maintains: one update a buffer, the mean over the calls of its instance. It is global: of what
 * differs from position to position the mean is taken, as of a loss. No gradient passes, for
 * nothing of the loss comes of it; within the step everybody reads the old value. One constraint a
 * parameter, made of parameters, buffers and numbers that are known to every run, so that it can be
 * made without data.
 *
 *     buffer m[d] = 0;
 *     update m[c] = 0.9 * m[c] + 0.1 * x[c];
 *     param W[n, d] ~ normal(1);
 *     project W[k, c] = unit(W[k])[c]; */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/usage.h"
#include <string.h>

/* --- buffers -----------------------------------------------------------------------------------*/

/* The buffer of this name, or NULL after an error. */
static Symbol *find_buffer(Sema *s, Scope *scope, const Binding *b) {
    if (!b->target.name.text)
        return NULL;
    Symbol *symbol = scope_find_local(scope, b->target.name.text);
    if (symbol && symbol->declared == DECLARED_BUFFER)
        return symbol;
    if (!symbol) {
        scope_unknown(s, scope, b->target.name.text, b->target.name.span, "buffer");
        return NULL;
    }
    sema_error(s, DIAG_BUFFER, b->target.name.span, "`update` changes a buffer, and `%s` is none",
               b->target.name.text);
    sema_note(s, symbol->span, "`%s` is defined here", b->target.name.text);
    if (symbol->declared == DECLARED_PARAM)
        sema_help(s, "a parameter is changed by training; declare it with `buffer`");
    return NULL;
}

/* Where the buffer is updated, and by what: of an instance that is called several times, the mean
 * of what its calls would have. */
typedef struct {
    const Binding *by;
    const char *path;
    uint32_t output, calls;
    TirId sum;
} Update;

static void updated_twice(Sema *s, const Update *old, const Binding *b, uint32_t param) {
    sema_error(s, DIAG_BUFFER, b->target.span, "the buffer `%s` is updated twice in a step",
               s->program->params.at[param].name);
    if (strcmp(old->path, s->frame->path) != 0)
        sema_note(s, old->by->target.span, "the first time by `%s`, the second by `%s`", old->path,
                  s->frame->path);
    else
        sema_note(s, old->by->target.span, "the first time");
    sema_help(s, "a buffer that sites share is updated by one of them: "
                 "`if site == sites - 1 { update ... }`");
}

static void update_add(Sema *s, uint32_t param, const Binding *b, TirId value) {
    void **slot = map_slot_u64(s->updates, (uint64_t)param + 1);
    Update *u = *slot;
    const char *path = s->frame->path ? s->frame->path : "";
    if (u && (u->by != b || strcmp(u->path, path) != 0)) {
        updated_twice(s, u, b, param);
        return;
    }
    if (!u) {
        u = ARENA_NEW(s->arena, Update);
        *u = (Update){
            .by = b, .path = path, .output = s->program->outputs.count, .calls = 1, .sum = value};
        *slot = u;
        tir_add_output(s->program, TIR_OUT_UPDATE, s->program->params.at[param].name, param, value);
        return;
    }
    TirBuilder *builder = sema_builder(s, b->value->span);
    u->sum = tir_binary(builder, TIR_ADD, u->sum, value);
    s->program->outputs.at[u->output].value =
        tir_binary(builder, TIR_DIV, u->sum, tir_real(builder, ++u->calls));
}

static void update_one(Sema *s, Scope *scope, const Binding *b) {
    Symbol *symbol = find_buffer(s, scope, b);
    if (!symbol)
        return;
    Usage *usage = usage_at(s, symbol->span);
    if (usage)
        usage->written = true;
    if (symbol->value.kind != VALUE_TENSOR)
        return; /* poison */
    const Value known = symbol->value;
    const Value v = body_binding(s, scope, b, &known);
    const Tensor *t = is_poison(v) ? NULL : value_as_real(s, v, b->value->span);
    if (!t || !frame_once(s, b))
        return;
    const TirNode *leaf = tir_node(s->program->block, known.tensor->id);
    const uint32_t param = leaf->attr.index;
    update_add(s, param, b, mean_of_elements(s, t, b->value->span));
}

void body_update(Sema *s, Scope *scope, const Stmt *stmt) {
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, stmt->span, "an update cannot stand in `%s`",
                   sema_loop_word(s));
        sema_help(s, "update the buffer after the loop, from what it leaves");
        return;
    }
    for (uint32_t k = 0; k < stmt->bindings.count; k++)
        update_one(s, scope, &stmt->bindings.at[k]);
}

/* --- constraints -------------------------------------------------------------------------------*/

/* The parameter of this name, or NULL after an error. */
static Symbol *find_param(Sema *s, Scope *scope, const Binding *b) {
    const Name name = b->target.name;
    if (!name.text)
        return NULL;
    Symbol *symbol = scope_find_local(scope, name.text);
    if (symbol && symbol->declared == DECLARED_PARAM)
        return symbol;
    if (!symbol) {
        scope_unknown(s, scope, name.text, name.span, "parameter");
        return NULL;
    }
    sema_error(s, DIAG_PROJECT, name.span, "`project` holds a parameter, and `%s` is none",
               name.text);
    sema_note(s, symbol->span, "`%s` is defined here", name.text);
    if (symbol->declared == DECLARED_BUFFER)
        sema_help(s, "write `update %s = ...;`", name.text);
    return NULL;
}

/* What a value is made of that only a pass over data has, or NULL. */
static const char *needs_data(Sema *s, TirId value) {
    const TirBlock *block = s->program->block;
    TirIdVec open = {0};
    Map *seen = map_create(s->arena);
    vec_push(s->arena, &open, value);
    while (open.count) {
        const TirId id = open.at[--open.count];
        const TirNode *node = tir_node(block, id);
        void **slot = map_slot_u64(seen, id);
        if (*slot)
            continue;
        *slot = (void *)(uintptr_t)1;
        if (node->op == TIR_INPUT)
            return "an input";
        if (node->op == TIR_POSITION || node->type.domain.space)
            return "positions";
        if (node->op == TIR_RANDOM)
            return "random numbers";
        for (uint32_t k = 0; k < node->n_operands; k++)
            vec_push(s->arena, &open, node->operands[k]);
    }
    return NULL;
}

/* Where a parameter is held: another call of its instance holds it to the same. */
typedef struct {
    const Binding *by;
    const char *path;
} Constraint;

static bool is_first(Sema *s, uint32_t param, const Binding *b) {
    void **slot = map_slot_u64(s->constraints, (uint64_t)param + 1);
    const Constraint *old = *slot;
    const char *path = s->frame->path ? s->frame->path : "";
    if (old && old->by == b && strcmp(old->path, path) == 0)
        return false;
    if (old) {
        sema_error(s, DIAG_PROJECT, b->target.span, "the parameter `%s` is held to two constraints",
                   s->program->params.at[param].name);
        sema_note(s, old->by->target.span, "the first");
        sema_help(s, "of what sites share one says it: `if site == 0 { project ... }`");
        return false;
    }
    Constraint *first = ARENA_NEW(s->arena, Constraint);
    *first = (Constraint){b, path};
    *slot = first;
    return true;
}

static void project_one(Sema *s, Scope *scope, const Binding *b) {
    Symbol *symbol = find_param(s, scope, b);
    if (!symbol || symbol->value.kind != VALUE_TENSOR)
        return;
    const Value known = symbol->value;
    const Value v = body_binding(s, scope, b, &known);
    const Tensor *t = is_poison(v) ? NULL : value_as_real(s, v, b->value->span);
    if (!t || !frame_once(s, b))
        return;
    const TirId id = tensor_use(s, t);
    const char *needs = needs_data(s, id);
    if (needs) {
        sema_error(
            s, DIAG_PROJECT, b->value->span,
            "what `%s` is held to is made of parameters and numbers alone, and this needs %s",
            symbol->name, needs);
        return;
    }
    const uint32_t param = tir_node(s->program->block, known.tensor->id)->attr.index;
    if (is_first(s, param, b))
        tir_add_output(s->program, TIR_OUT_PROJECT, s->program->params.at[param].name, param, id);
}

void body_project(Sema *s, Scope *scope, const Stmt *stmt) {
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, stmt->span, "a constraint cannot stand in `%s`",
                   sema_loop_word(s));
        return;
    }
    for (uint32_t k = 0; k < stmt->bindings.count; k++)
        project_one(s, scope, &stmt->bindings.at[k]);
}
