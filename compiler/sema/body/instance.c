/* Instances of definitions: arguments meet formals, extents unify, the body is elaborated.
 *
 * A formal takes, in this order: the argument at its place, the argument of its name, (for
 * connections, branches and modules, when it has a default) the model's constant of its name, its
 * default. */
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"

/* --- extents -----------------------------------------------------------------------------------*/

static bool extent_check(Sema *s, Scope *scope, const Target *target, uint32_t k, uint32_t have,
                         Span at, const char *what) {
    const Expr *e = target->indices.at[k];
    uint32_t wanted;
    if (!elaborate_extent(s, scope, e, &wanted))
        return false;
    if (wanted == have)
        return true;
    trial_differ(s, wanted, have);
    sema_error(s, DIAG_SHAPE, at, "axis %u of %s `%s` has %u, but is declared to have %u", k + 1,
               what, target->name.text, have, wanted);
    sema_note(s, e->span, "declared here");
    const Symbol *symbol = e->kind == EXPR_NAME ? scope_find_local(scope, e->name) : NULL;
    if (symbol && symbol->span.begin != e->span.begin)
        sema_note(s, symbol->span, "`%s` is %u because of this", e->name, wanted);
    return false;
}

static void define_extent(Sema *s, Scope *scope, const Expr *e, Value v) {
    Symbol *symbol = scope_define(s, scope, e->name, e->span, SYMBOL_VALUE);
    symbol->declared = DECLARED_EXTENT;
    symbol->value = v;
}

/* Has no meaning yet. */
static bool extent_is_open(const Scope *scope, const Expr *e) {
    return e->kind == EXPR_NAME && !scope_find_local(scope, e->name);
}

/* `x[d]` given a tensor: d, when it has no meaning yet, becomes the axis's extent. */
static void bind_extents(Sema *s, Scope *scope, const Target *target, const uint32_t *dims) {
    for (uint32_t k = 0; k < target->indices.count; k++) {
        const Expr *e = target->indices.at[k];
        if (extent_is_open(scope, e))
            define_extent(s, scope, e, value_number(dims[k], e->span));
    }
}

/* And then the declared extents are those of the tensor. */
static bool unify(Sema *s, Scope *scope, const Target *target, Value v, Span at, const char *what) {
    if (v.kind == VALUE_REPEAT) { /* its shape may be told by the declaration */
        Repeat *r = v.repeat;
        for (uint32_t k = 0; k < r->rank && k < target->indices.count; k++)
            if (!r->extents[k])
                elaborate_extent(s, scope, target->indices.at[k], &r->extents[k]);
    }
    const Tensor *t = value_as_tensor(s, v, at);
    if (!t)
        return false;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL), n = target->indices.count;
    if (rank != n) {
        sema_error(s, DIAG_SHAPE, at, "%s `%s` has %u %s, but this has %u%s%s", what,
                   target->name.text, n, n == 1 ? "axis" : "axes", rank, rank ? ": " : "",
                   rank ? dims_text(s, rank, dims) : "");
        sema_note(s, target->span, "declared here");
        if (rank == 0 && n == 1)
            sema_help(s, "a single value in brackets, `[a]`, is a vector of one entry");
        return false;
    }
    bind_extents(s, scope, target, dims);
    bool good = true;
    for (uint32_t k = 0; k < n; k++)
        good = extent_check(s, scope, target, k, dims[k], at, what) && good;
    return good;
}

/* A poisoned tensor tells nothing of its extents. */
static void poison_extents(Sema *s, Scope *scope, const Target *target) {
    for (uint32_t k = 0; k < target->indices.count; k++) {
        const Expr *e = target->indices.at[k];
        if (extent_is_open(scope, e))
            define_extent(s, scope, e, POISON);
    }
}

/* What a definition may call `d` though nothing bound it: the model's constant, if it has one. */
static bool extent_from_model(Sema *s, Scope *scope, const Item *item, const Expr *e) {
    Symbol *model =
        s->model_scope && item->kind != ITEM_FN ? scope_find_here(s->model_scope, e->name) : NULL;
    const bool found = model && model->kind == SYMBOL_CONST;
    if (found)
        define_extent(s, scope, e, symbol_constant(s, model));
    return found;
}

/* `z[e] = 0`: a number that is the default of a tensor is all of its entries. An extent that
 * nothing else tells is the model's constant of its name, or 1. */
static Value default_filled(Sema *s, Scope *scope, const Item *item, const Target *target,
                            Value v) {
    if (v.kind != VALUE_NUMBER || !target->bracketed)
        return v;
    for (uint32_t k = 0; k < target->indices.count; k++) {
        const Expr *e = target->indices.at[k];
        if (extent_is_open(scope, e) && !extent_from_model(s, scope, item, e))
            define_extent(s, scope, e, value_number(1, e->span));
    }
    uint32_t dims[TIR_MAX_RANK];
    return elaborate_shape(s, scope, target, dims)
               ? value_filled(s, target->indices.count, dims, v.number, v.span)
               : POISON;
}

/* False after an error found here; a poisoned value passes, and silences what uses it. */
bool bind_input(Sema *s, Scope *scope, const Target *target, Value v, Span at, const char *what) {
    if (!target->name.text)
        return false;
    if (at.file == 0)
        at = v.span;
    bool good = true;
    if (target->bracketed && is_poison(v))
        poison_extents(s, scope, target);
    else if (target->bracketed)
        good = unify(s, scope, target, v, at, what);
    if (!scope_check_new(s, scope, target->name))
        return false;
    Symbol *symbol = scope_define(s, scope, target->name.text, target->name.span, SYMBOL_VALUE);
    symbol->value = good ? v : POISON;
    if (good && v.kind == VALUE_REPEAT && target->bracketed)
        symbol->value = repeat_lay_out(s, v, v.span);
    return good;
}

/* --- definitions as values ---------------------------------------------------------------------*/

/* `let a = norm(u);` and `let a[i,c] = norm(H[i])[c];`: the call is what the let names. */
static bool names_instance(const Expr *value, const void *call) {
    return value && (value == call || (value->kind == EXPR_INDEX && value->index.base == call));
}

Value value_as_instance(Sema *s, Value v, const char *name, const void *made) {
    const Item *item = v.kind == VALUE_CALLABLE ? v.callable->item : NULL;
    if (!item || !name || (item->kind != ITEM_MODULE && item->kind != ITEM_BRANCH))
        return v;
    const Frame *f = s->frame;
    const char *path = f->path;
    if (v.callable->as.text)
        name = v.callable->as.text;
    if (f->function_call) { /* a function has the path of who calls it */
        made = f->function_call;
        if (!f->function_call->call.as.text && names_instance(s->mode.let_value, made))
            path = path_join(s, path, s->mode.let_name);
    } else if (f->call) {
        made = f->call;
    }
    SharedInstance *instance = ARENA_NEW(s->arena, SharedInstance);
    *instance = (SharedInstance){path_join(s, path, name), name, made, f->of_connection};
    Callable *callable = ARENA_NEW(s->arena, Callable);
    *callable = *v.callable;
    callable->as = (Name){0};
    callable->instance = instance;
    v.callable = callable;
    return v;
}

/* --- formals -----------------------------------------------------------------------------------*/

static const BoundArgument *argument_for(const BoundArgument *arguments, uint32_t count,
                                         const char *name, uint32_t place) {
    const BoundArgument *found = NULL;
    uint32_t at = 0;
    for (uint32_t k = 0; k < count;
         k++) { /* the last of a name counts: overrides of partial ones */
        if (arguments[k].name.text ? arguments[k].name.text == name : at++ == place)
            found = &arguments[k];
    }
    return found;
}

static bool check_arguments(Sema *s, const Item *item, const BoundArgument *arguments,
                            uint32_t count, Span used_at) {
    uint32_t positional = 0;
    bool good = true;
    for (uint32_t k = 0; k < count; k++) {
        if (!arguments[k].name.text) {
            positional++;
            continue;
        }
        bool known = false;
        VEC(const char *) names = {0};
        for (uint32_t f = 0; f < item->formals.count; f++) {
            known = known || item->formals.at[f].target.name.text == arguments[k].name.text;
            if (item->formals.at[f].target.name.text)
                vec_push(s->arena, &names, item->formals.at[f].target.name.text);
        }
        if (known)
            continue;
        sema_error(s, DIAG_ARITY, arguments[k].name.span, "`%s` has no parameter `%s`",
                   item->name.text, arguments[k].name.text);
        sema_note(s, item->name.span, "it is defined here");
        const char *near = nearest_name(arguments[k].name.text, names.at, names.count);
        if (near)
            sema_help(s, "did you mean `%s`?", near);
        good = false;
    }
    if (positional > item->formals.count) {
        sema_error(s, DIAG_ARITY, used_at, "`%s` takes %u argument%s, not %u", item->name.text,
                   item->formals.count, item->formals.count == 1 ? "" : "s", positional);
        sema_note(s, item->name.span, "it is defined here");
        good = false;
    }
    return good;
}

static Value formal_default(Sema *s, Scope *scope, const Item *item, const Formal *formal) {
    const char *name = formal->target.name.text;
    if (item->kind != ITEM_FN && s->model_scope) {
        Symbol *symbol = scope_find_here(s->model_scope, name);
        if (symbol && symbol->kind == SYMBOL_CONST)
            return symbol_constant(s, symbol);
    }
    Mode mode = s->mode;
    mode.constant = true;
    const Mode outer = mode_enter(s, mode);
    const Value v = elaborate(s, scope, formal->default_value);
    mode_leave(s, outer);
    return v;
}

bool bind_formals(Sema *s, Scope *scope, const Item *item, const BoundArgument *arguments,
                  uint32_t count, Span used_at) {
    bool good = check_arguments(s, item, arguments, count, used_at);
    const bool complete = good;
    for (uint32_t k = 0; k < item->formals.count; k++) {
        const Formal *formal = &item->formals.at[k];
        if (!formal->target.name.text)
            continue;
        const BoundArgument *a = argument_for(arguments, count, formal->target.name.text, k);
        Value v;
        if (a) {
            v = a->value;
        } else if (formal->default_value) {
            v = default_filled(s, scope, item, &formal->target,
                               formal_default(s, scope, item, formal));
        } else {
            v = POISON;
            good = false;
            if (!complete)
                continue; /* it may be the one misnamed */
            sema_error(s, DIAG_ARITY, used_at, "`%s` needs its argument `%s`", item->name.text,
                       formal->target.name.text);
            sema_note(s, formal->target.span, "declared here, without a default");
        }
        if (v.kind == VALUE_CALLABLE && (!a || !v.callable->instance)) /* a default is its own */
            v = value_as_instance(s, v, formal->target.name.text, formal);
        good = bind_input(s, scope, &formal->target, v, a ? a->at : used_at, "argument") && good;
    }
    return good;
}

/* --- instances ---------------------------------------------------------------------------------*/

/* Before a module's body: it may bind the others through what it computes. */
static void output_extents(Sema *s, Scope *scope, const Item *item) {
    uint32_t next = 0;
    for (uint32_t o = 0; o < item->outputs.count; o++)
        for (uint32_t k = 0; k < item->outputs.at[o].indices.count; k++) {
            const Expr *e = item->outputs.at[o].indices.at[k];
            if (extent_is_open(scope, e) && !extent_from_model(s, scope, item, e) && s->trial)
                define_extent(s, scope, e, value_number(trial_extent(s, &next), e->span));
        }
}

Value instance_output(Sema *s, Scope *scope, const Item *item, const Target *output) {
    if (!output->name.text || s->frame->rejected)
        return POISON;
    Symbol *symbol = scope_find_local(scope, output->name.text);
    if (!symbol || symbol->kind != SYMBOL_VALUE) {
        sema_error(s, DIAG_OUTPUT, output->span, "`%s` never defines its result `%s`",
                   item->name.text, output->name.text);
        sema_help(s, "give it a value in the body: `let %s... = ...`", output->name.text);
        return POISON;
    }
    usage_mark(s, symbol);
    Value v = symbol->value;
    if (is_poison(v))
        return v;
    v.span = symbol->span;
    if (output->bracketed) {
        if (!unify(s, scope, output, v, v.span, "the result"))
            return POISON;
        if (v.kind == VALUE_REPEAT)
            v = repeat_lay_out(s, v, output->span);
    }
    return v;
}

/* Of all tensors that are given, before any default is looked at: it may have them, too. */
static void bind_extents_given(Sema *s, Scope *scope, const Target *target,
                               const BoundArgument *given) {
    uint32_t dims[TIR_MAX_RANK];
    if (given && target->bracketed && given->value.kind == VALUE_TENSOR &&
        tensor_bare_dims(given->value.tensor, dims, NULL) == target->indices.count)
        bind_extents(s, scope, target, dims);
}

bool bind_inputs(Sema *s, Scope *scope, const Item *item, const BoundArgument *inputs,
                 uint32_t n_inputs, bool first, Span used_at) {
    bool good = true;
    for (uint32_t k = 0; k < n_inputs; k++) {
        bool known = !inputs[k].name.text || (first && item->inputs.count);
        for (uint32_t i = 0; i < item->inputs.count; i++)
            known = known || item->inputs.at[i].target.name.text == inputs[k].name.text;
        if (!known) {
            sema_error(s, DIAG_BRANCH_INPUT, inputs[k].name.span, "`%s` has no input `%s`",
                       item->name.text, inputs[k].name.text);
            sema_note(s, item->name.span, "it is defined here");
            good = false;
        }
    }
    const BoundArgument **given = ARENA_ARRAY(s->arena, const BoundArgument *, item->inputs.count);
    for (uint32_t k = 0; k < item->inputs.count; k++) {
        const Target *target = &item->inputs.at[k].target;
        given[k] = first && k == 0 ? inputs : argument_for(inputs, n_inputs, target->name.text, k);
        bind_extents_given(s, scope, target, given[k]);
    }
    for (uint32_t k = 0; k < item->inputs.count; k++) {
        const Formal *input = &item->inputs.at[k];
        const BoundArgument *a = given[k];
        Value v = POISON;
        if (a)
            v = a->value;
        else if (input->default_value)
            v = default_filled(s, scope, item, &input->target,
                               elaborate(s, scope, input->default_value));
        else {
            good = false;
            sema_error(s, DIAG_BRANCH_INPUT, used_at, "`%s` needs its input `%s`", item->name.text,
                       input->target.name.text ? input->target.name.text : "?");
            sema_note(s, input->target.span, "declared here");
            if (item->kind == ITEM_BRANCH && k > 0)
                sema_help(
                    s,
                    "its site or its connection gives it; where neither may have it, it needs "
                    "a default, such as `%s[...] = 0`",
                    input->target.name.text ? input->target.name.text : "z");
        }
        good = bind_input(s, scope, &input->target, v, a ? a->at : (Span){0}, "input") && good;
    }
    return good;
}

/* The first result; all, by name, to `outputs`. */
static Value instance_outputs(Sema *s, Scope *body, const Item *item, BoundArgumentList *outputs) {
    Value first = POISON;
    for (uint32_t k = 0; k < item->outputs.count; k++) {
        const Target *output = &item->outputs.at[k];
        const Value v = instance_output(s, body, item, output);
        if (k == 0)
            first = v;
        if (outputs)
            vec_push(s->arena, outputs, (BoundArgument){output->name, v, v.span});
    }
    return first;
}

static Value bind_inputs_and_run(Sema *s, Scope *scope, const Callable *callable,
                                 const BoundArgument *inputs, uint32_t n_inputs, bool first_given,
                                 Span used_at, BoundArgumentList *outputs) {
    const Item *item = callable->item;
    bool good = item->outputs.count > 0;
    if (!good) {
        sema_error(s, DIAG_OUTPUT, item->name.span, "`%s` has no result", item->name.text);
        sema_help(s, "give it a signature: `%s %s : x[d] -> y[d] { ... }`",
                  item_kind_text(item->kind), item->name.text);
    }
    good = bind_inputs(s, scope, item, inputs, n_inputs, first_given, used_at) && good;
    if (!good)
        return POISON;
    output_extents(s, scope, item);
    Scope *body = scope_create(s, scope, s->frame); /* a result may have an input's name */
    body_elaborate(s, body, &item->body);
    return instance_outputs(s, body, item, outputs);
}

static Scope *instance_scope(Sema *s, const Callable *callable) {
    Scope *scope = scope_create(s, callable->home, s->frame);
    scope->is_frame = true;
    *map_slot_u64(s->used_items, (uint64_t)(uintptr_t)callable->item) = s;
    return scope;
}

static Value apply_fn(Sema *s, const Callable *callable, const BoundArgumentList *all, Span used_at,
                      BoundArgumentList *results) {
    const Item *item = callable->item;
    Scope *scope = instance_scope(s, callable);
    if (!bind_formals(s, scope, item, all->at, all->count, used_at))
        return POISON;
    if (item->expression)
        return elaborate(s, scope, item->expression);
    Scope *body = scope_create(s, scope, s->frame);
    body_elaborate(s, body, &item->body);
    return instance_outputs(s, body, item, results);
}

/* False, with an error, for `attention(x, 4)`, whose second input is no number of heads. */
static bool inputs_are_values(Sema *s, const Item *item, const BoundArgumentList *inputs) {
    for (uint32_t k = 1; k < inputs->count && k < item->inputs.count; k++) {
        const BoundArgument *a = &inputs->at[k];
        const Target *input = &item->inputs.at[k].target;
        if (a->name.text || !input->bracketed || !input->name.text || a->value.kind != VALUE_NUMBER)
            continue;
        const char *meant = NULL;
        for (uint32_t f = item->formals.count; f-- > 0;)
            if (!meant || !item->formals.at[f].default_value)
                meant = item->formals.at[f].target.name.text;
        sema_error(s, DIAG_ARITY, a->at,
                   "this number stands in the place of the input `%s` of `%s`", input->name.text,
                   item->name.text);
        sema_note(s, input->span, "what is applied takes its %u inputs first, then its arguments",
                  item->inputs.count);
        if (meant)
            sema_help(s, "give arguments by name, `%s = ...`", meant);
        if (item->kind == ITEM_BRANCH)
            sema_help(s, "or have the branch at a site of a trunk: `a = residual : %s(...);`",
                      item->name.text);
        return false;
    }
    return true;
}

/* `linear(x, 64)`: inputs first, then formals; names may say either. What was settled before,
 * `map = linear(64)` for a later `map(x)`, were formals. */
static Value apply_instance(Sema *s, const Callable *callable, const BoundArgumentList *all,
                            Span used_at, BoundArgumentList *results) {
    const Item *item = callable->item;
    BoundArgumentList inputs = {0}, rest = {0};
    uint32_t positional = 0;
    for (uint32_t k = 0; k < all->count; k++) {
        const bool settled = k < callable->arguments.count;
        bool is_input = !settled && !all->at[k].name.text && positional++ < item->inputs.count;
        for (uint32_t i = 0; all->at[k].name.text && i < item->inputs.count; i++)
            is_input = is_input || item->inputs.at[i].target.name.text == all->at[k].name.text;
        if (is_input)
            vec_push(s->arena, &inputs, all->at[k]);
        else
            vec_push(s->arena, &rest, all->at[k]);
    }
    if (!inputs_are_values(s, item, &inputs))
        return POISON;
    Scope *scope = instance_scope(s, callable);
    if (!bind_formals(s, scope, item, rest.at, rest.count, used_at))
        return POISON;
    return bind_inputs_and_run(s, scope, callable, inputs.at, inputs.count, inputs.count == 1,
                               used_at, results);
}

/* None of several results is dropped without a word. */
static Value too_few_names(Sema *s, const Item *item, Span used_at) {
    const char *names = "";
    for (uint32_t k = 0; k < item->outputs.count; k++)
        names =
            arena_printf(s->arena, "%s%s%s", names, k ? ", " : "", item->outputs.at[k].name.text);
    sema_error(s, DIAG_OUTPUT, used_at, "`%s` gives %u results, and one is taken here",
               item->name.text, item->outputs.count);
    sema_note(s, item->outputs.at[0].span, "they are declared here");
    sema_help(s, "name them: `let %s = %s(...);`, and `_` what is not wanted", names,
              item->name.text);
    return POISON;
}

/* `here`, within: where what it is applied to lives, if that is one space. */
static uint32_t space_of_arguments(const BoundArgumentList *all, uint32_t outside) {
    uint32_t found = 0;
    for (uint32_t k = 0; k < all->count; k++) {
        const Value v = all->at[k].value;
        const uint32_t space = v.kind == VALUE_TENSOR ? v.tensor->type.domain.space : 0;
        if (space && found && space != found)
            return outside;
        found = space ? space : found;
    }
    return found ? found : outside;
}

Value apply_item(Sema *s, const Callable *callable, BoundArgumentList *arguments, Span used_at,
                 const Expr *call, BoundArgumentList *results) {
    const Item *item = callable->item;
    if (item->outputs.count > 1 && !results)
        return too_few_names(s, item, used_at);
    if (item_is_active(s, item))
        return item_cycle(s, item, used_at);
    if (!budget_frames(s, item, used_at))
        return POISON;
    BoundArgumentList all = {0};
    for (uint32_t k = 0; k < callable->arguments.count; k++)
        vec_push(s->arena, &all, callable->arguments.at[k]);
    for (uint32_t k = 0; k < arguments->count; k++)
        vec_push(s->arena, &all, arguments->at[k]);
    const char *path = s->frame ? s->frame->path : "";
    const bool is_function = item->kind == ITEM_FN;
    const SharedInstance *instance = callable->instance;
    if (instance && s->frame->ends) { /* the trunk's, apart from what its sites have */
        const bool alone = names_instance(s->mode.let_value, call);
        path = path_join(s, path, s->mode.let_name);
        path = alone ? path : path_join(s, path, instance->name);
    } else if (instance) {
        path = instance->path;
    } else if (call->call.as.text) {
        path = path_join(s, path, call->call.as.text);
    } else if (!is_function && names_instance(s->mode.let_value, call)) {
        path = path_join(s, path, s->mode.let_name);
    }
    Frame *frame = frame_push(s, item, path, used_at);
    frame->space = space_of_arguments(&all, frame->space);
    frame->is_function = is_function;
    if (is_function)
        frame->function_call = call;
    else
        frame->call = instance ? instance->made : call;
    if (instance) {
        frame->of_connection = instance->of_connection;
        frame->is_called = true;
    }
    const Mode outer = mode_enter(s, mode_of_definition(s));
    const Value v = is_function ? apply_fn(s, callable, &all, used_at, results)
                                : apply_instance(s, callable, &all, used_at, results);
    mode_leave(s, outer);
    frame_pop(s);
    return v;
}

Value apply_branch(Sema *s, const Callable *callable, const BranchRun *run,
                   BoundArgumentList *outputs) {
    const Item *item = callable->item;
    const Span used_at = run->used_at;
    if (item_is_active(s, item))
        return item_cycle(s, item, used_at);
    if (!budget_frames(s, item, used_at))
        return POISON;
    Frame *frame = frame_push(s, item, run->path, used_at);
    frame->of_connection = false;
    frame->is_called = true;
    frame->use = NULL; /* which a connection knows */
    frame->call = run->call;
    const Mode outer = mode_enter(s, mode_of_definition(s));
    Scope *scope = instance_scope(s, callable);
    Value v = POISON;
    if (bind_formals(s, scope, item, callable->arguments.at, callable->arguments.count, used_at))
        v = bind_inputs_and_run(s, scope, callable, run->inputs, run->n_inputs,
                                run->by_reading && run->n_inputs == 1, used_at, outputs);
    mode_leave(s, outer);
    frame_pop(s);
    return v;
}
