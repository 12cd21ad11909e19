/* Definitions that the model did not use are checked too, with extents made up for the purpose:
 * whatever has no default and is not a tensor of declared shape is poison and silences what depends
 * on it, so that only what is wrong anyway is reported. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include "sema/site/trunk.h"
#include "sema/trial_extents.h"

/* --- stand-ins ---------------------------------------------------------------------------------*/

/* A stand-in tensor; names of extents that are not bound yet are bound. */
static Value stand_in(Sema *s, Scope *scope, const Target *target, uint32_t *next, uint8_t space) {
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = target->indices.count;
    for (uint32_t k = 0; k < rank; k++) {
        const Expr *e = target->indices.at[k];
        if (e->kind == EXPR_NAME && !scope_find_local(scope, e->name)) {
            Symbol *symbol = scope_define(s, scope, e->name, e->span, SYMBOL_VALUE);
            symbol->declared = DECLARED_EXTENT;
            symbol->value = value_number(trial_extent(s, next), e->span);
        }
    }
    if (!elaborate_shape(s, scope, target, dims))
        return POISON;
    TirInput input = {.name = arena_printf(s->arena, "stand_in_%u", s->program->inputs.count),
                      .type = {.elem = TIR_REAL, .domain = {1, space}, .rank = (uint8_t)rank},
                      .span = target->span};
    for (uint32_t k = 0; k < rank; k++)
        input.type.dims[k] = dims[k];
    const uint32_t index = tir_add_input(s->program, input);
    return value_tensor(s, tir_input(sema_builder(s, target->span), index), NULL, target->span);
}

/* Formals with a default take it; bracketed ones a stand-in; the rest poison. */
static void trial_formals(Sema *s, Scope *scope, const FormalList *formals, uint32_t *next,
                          uint8_t space) {
    for (uint32_t k = 0; k < formals->count; k++) {
        const Formal *f = &formals->at[k];
        if (!f->target.name.text || !scope_check_new(s, scope, f->target.name))
            continue;
        Value v = POISON;
        if (f->target.bracketed)
            v = stand_in(s, scope, &f->target, next, space);
        else if (f->default_value) {
            Mode mode = s->mode;
            mode.constant = true;
            const Mode outer = mode_enter(s, mode);
            v = elaborate(s, scope, f->default_value);
            mode_leave(s, outer);
        }
        scope_define(s, scope, f->target.name.text, f->target.name.span, SYMBOL_VALUE)->value = v;
    }
}

static uint8_t trial_space(Sema *s) {
    const uint32_t extent = 256;
    return (uint8_t)tir_add_space(s->program, "t", 1, &extent);
}

static void trial_body(Sema *s, const Item *item) {
    uint32_t next = 0;
    const uint8_t space = trial_space(s);
    Frame *frame = frame_push(s, item, "", item->name.span);
    frame->space = space;
    frame->in_trunk = true;
    frame->is_function = item->kind == ITEM_FN;
    Scope *scope = scope_create(s, s->root, frame);
    scope->is_frame = true;
    trial_formals(s, scope, &item->formals, &next, space);
    trial_formals(s, scope, &item->inputs, &next, space);
    for (uint32_t o = 0; o < item->outputs.count; o++)
        for (uint32_t k = 0; k < item->outputs.at[o].indices.count; k++) {
            const Expr *e = item->outputs.at[o].indices.at[k];
            if (e->kind != EXPR_NAME || scope_find_local(scope, e->name) || item->kind == ITEM_FN)
                continue;
            Symbol *symbol = scope_define(s, scope, e->name, e->span, SYMBOL_VALUE);
            symbol->declared = DECLARED_EXTENT;
            symbol->value = value_number(trial_extent(s, &next), e->span);
        }
    if (!item->expression && item->outputs.count == 0) {
        sema_error(s, DIAG_OUTPUT, item->name.span, "`%s` has no result", item->name.text);
        sema_help(s, "give it a signature: `%s %s : x[d] -> y[d] { ... }`",
                  item_kind_text(item->kind), item->name.text);
    }
    if (item->expression) {
        elaborate(s, scope, item->expression);
    } else {
        Scope *body = scope_create(s, scope, frame);
        body_elaborate(s, body, &item->body);
        for (uint32_t o = 0; o < item->outputs.count; o++)
            instance_output(s, body, item, &item->outputs.at[o]);
    }
    frame_pop(s);
}

/* Stand-ins for what a connection is given beside the trunk; `d` and its parameters may be in their
 * shapes. */
static BoundArgumentList trial_inputs(Sema *s, const Item *item, uint32_t *next, uint8_t space) {
    BoundArgumentList inputs = {0};
    Scope *scope = scope_create(s, s->root, s->frame);
    scope->is_frame = true;
    Symbol *width =
        scope_define(s, scope, intern_str(s->c->interner, "d"), item->name.span, SYMBOL_VALUE);
    width->value = value_number(s->tried.extents[0], item->name.span);
    trial_formals(s, scope, &item->formals, next, space);
    for (uint32_t k = 0; k < item->inputs.count; k++) {
        const Target *target = &item->inputs.at[k].target;
        vec_push(
            s->arena, &inputs,
            (BoundArgument){target->name, stand_in(s, scope, target, next, space), target->span});
    }
    return inputs;
}

static void trial_connection(Sema *s, const Item *item) {
    const uint8_t space = trial_space(s);
    const char *x = intern_str(s->c->interner, "x");
    Expr extent = {.kind = EXPR_NUMBER, .span = item->name.span, .number = s->tried.extents[0]};
    Expr *extents[] = {&extent};
    Target target = {.name = {x, item->name.span}, .bracketed = true, .span = item->name.span};
    target.indices.at = extents;
    target.indices.count = 1;
    uint32_t next = 1;
    TrunkState trunk = {.begun = false};
    Frame *frame = frame_push(s, NULL, "", item->name.span);
    frame->space = space;
    frame->in_trunk = frame->sites_known = true;
    frame->sites = frame->blocks = 1;
    trunk.input = stand_in(s, s->root, &target, &next, space);
    trunk.width = s->tried.extents[0];
    Callable callable = {.item = item, .home = s->root};
    for (uint32_t k = 0; k < item->formals.count; k++) /* no default: poison */
        if (!item->formals.at[k].default_value)
            vec_push(s->arena, &callable.arguments,
                     (BoundArgument){.name = item->formals.at[k].target.name});
    Stmt site = {.kind = STMT_SITE, .span = item->name.span};
    const PlacedSite placed = {&site, s->root, "", 0};
    Value result;
    const SiteUse use = {.connection = &callable, .inputs = trial_inputs(s, item, &next, space)};
    if (connection_elaborate(s, &trunk, &use, &placed, true, &result) &&
        result.kind == VALUE_TENSOR)
        warn_branch_unreached(s, result.tensor->id);
    frame_pop(s);
}

static void trial_attempt(Sema *s, const Item *item) {
    s->trial = true;
    if (item->kind == ITEM_FN || item->kind == ITEM_BRANCH || item->kind == ITEM_MODULE)
        trial_body(s, item);
    else if (item->kind == ITEM_CONNECTION)
        trial_connection(s, item);
    s->trial = false;
}

static void trial_model(Sema *s, const Item *item) {
    static const SemaOptions none = {0};
    const SemaOptions *options = s->options;
    s->options = &none;
    model_elaborate(s, item);
    s->options = options;
}

/* What attempts that failed have said is dropped, and what they have spent given back. Where no
 * attempt has less to complain of than the first, the first one's words stand. */
void trial_elaborate(Sema *s, const Item *item, Scope *model_scope) {
    const bool used = map_get_u64(s->used_items, (uint64_t)(uintptr_t)item) != NULL;
    sema_enter_program(s);
    s->model_scope = model_scope;
    if (used || !item->name.text)
        return;
    if (item->kind == ITEM_MODEL) {
        trial_model(s, item);
        return;
    }
    const Spent before = s->spent;
    Diagnostics *const d = s->d;
    const Diagnostics *least = NULL;
    s->tried = trial_begin();
    do {
        sema_enter_program(s);
        s->model_scope = model_scope;
        s->d = diagnostics_create(s->arena, s->c->sources);
        s->spent = before;
        trial_attempt(s, item);
        if (!least || diag_error_count(s->d) < diag_error_count(least))
            least = s->d;
    } while (trial_learn(&s->tried));
    diag_append(d, least);
    s->d = d;
}
