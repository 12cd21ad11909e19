/* A model: constants and overrides, position spaces, inputs, the computation, the loss. */
#include "sema/model/model.h"
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include <string.h>

/* --- constants ---------------------------------------------------------------------------------*/

static void gather_constants(Sema *s, Scope *scope, const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && body->at[k]->kind == STMT_CONST)
            define_constants(s, scope, &body->at[k]->bindings);
}

static void list_constants(Sema *s, Scope *scope) {
    for (uint32_t k = 0; k < scope->symbols.count; k++) {
        Symbol *symbol = scope->symbols.at[k];
        if (symbol->kind != SYMBOL_CONST)
            continue;
        const Value v = symbol_constant(s, symbol);
        if (!is_poison(v))
            vec_push(s->arena, &s->network->constants,
                     (NetworkConstant){symbol->name, value_written(s, v)});
    }
}

/* --- positions, inputs -------------------------------------------------------------------------*/

/* `causal`: no position sees a later one; of a grid in the order of its rows. */
static void positions_attributes(Sema *s, const AttributeList *list, uint32_t space) {
    for (uint32_t k = 0; k < list->count; k++) {
        const Attribute *a = &list->at[k];
        if (!a->name.text)
            continue;
        if (strcmp(a->name.text, "causal") != 0) {
            static const char *const names[] = {"causal"};
            sema_error(s, DIAG_ATTRIBUTE, a->name.span, "`%s` is not an attribute of positions",
                       a->name.text);
            if (nearest_name(a->name.text, names, 1))
                sema_help(s, "did you mean `causal`?");
        } else if (a->arguments.count) {
            sema_error(s, DIAG_ATTRIBUTE, a->name.span, "`causal` takes no argument");
        } else if (space) {
            s->causal[space] = a->name.span;
        }
    }
}

static void model_positions(Sema *s, Scope *scope, const Stmt *stmt) {
    const BindingList *list = &stmt->positions.axes;
    uint32_t extents[2] = {1, 1};
    if (list->count == 0)
        return;
    if (list->count > 2) {
        sema_error(s, DIAG_POSITIONS, stmt->span, "a position space has one or two axes");
        return;
    }
    if (s->program->spaces.count == SEMA_MAX_SPACES) {
        sema_error(s, DIAG_POSITIONS, stmt->span, "a model has at most %d position spaces",
                   SEMA_MAX_SPACES);
        return;
    }
    bool good = true;
    for (uint32_t k = 0; k < list->count; k++) {
        good = elaborate_extent(s, scope, list->at[k].value, &extents[k]) && good;
        good = scope_check_new(s, scope, list->at[k].target.name) && good;
    }
    if (good && (uint64_t)extents[0] * extents[1] > SEMA_MAX_POSITIONS) {
        sema_error(s, DIAG_SIZE, stmt->span, "a space of %llu positions is too large",
                   (unsigned long long)extents[0] * extents[1]);
        good = false;
    }
    uint32_t space = 0;
    if (good)
        space = tir_add_space(s->program, list->at[0].target.name.text, list->count, extents);
    for (uint32_t k = 0; k < list->count; k++) {
        const Name name = list->at[k].target.name;
        if (!name.text || scope_find_here(scope, name.text))
            continue;
        Symbol *symbol =
            scope_define(s, scope, name.text, name.span, good ? SYMBOL_POSITION : SYMBOL_VALUE);
        symbol->space = space;
        symbol->axis = k;
    }
    if (good && !s->network->space)
        s->network->space = space;
    positions_attributes(s, &stmt->positions.attributes, space);
}

/* `token(vocab)`, `real`. */
static bool input_type(Sema *s, Scope *scope, const Expr *e, TirInput *input) {
    static const char *const known[] = {"token", "real"};
    const char *name = e->kind == EXPR_NAME ? e->name
                       : e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME
                           ? e->call.callee->name
                           : "";
    if (e->kind == EXPR_ERROR)
        return false;
    if (strcmp(name, "real") == 0 && e->kind == EXPR_NAME) {
        input->type.elem = TIR_REAL;
        return true;
    }
    if (strcmp(name, "token") == 0 && e->kind == EXPR_CALL && e->call.arguments.count == 1) {
        int64_t limit;
        if (!elaborate_whole(s, scope, e->call.arguments.at[0].value, "the number of tokens", 1,
                             INT32_MAX, &limit))
            return false;
        input->type.elem = TIR_INT;
        input->limit = (uint32_t)limit;
        return true;
    }
    const char *near = nearest_name(name, known, 2);
    sema_error(s, DIAG_INPUT, e->span, "an input is `token(count)` or `real`");
    if (near && strcmp(near, name) != 0)
        sema_help(s, "did you mean `%s`?", near);
    return false;
}

static void model_input(Sema *s, Scope *scope, const Stmt *stmt) {
    const Target *target = &stmt->input.target;
    if (!target->name.text || !scope_check_new(s, scope, target->name))
        return;
    TirInput input = {.name = target->name.text,
                      .is_target = stmt->kind == STMT_TARGET,
                      .span = target->span,
                      .type = {.domain = {1, 0}}};
    bool good = input_type(s, scope, stmt->input.type, &input);
    for (uint32_t k = 0; k < target->indices.count; k++) {
        const Expr *e = target->indices.at[k];
        const Symbol *symbol = e->kind == EXPR_NAME ? scope_find_here(scope, e->name) : NULL;
        if (symbol && symbol->kind == SYMBOL_POSITION) {
            if (input.type.domain.space && input.type.domain.space != symbol->space) {
                sema_error(s, DIAG_DOMAIN, e->span, "an input lives at positions of one space");
                good = false;
            }
            input.type.domain.space = (uint8_t)symbol->space;
            continue;
        }
        if (!symbol && e->kind == EXPR_NAME && !scope_find(s, scope, e->name)) {
            sema_error(s, DIAG_POSITIONS, e->span, "`%s` is no position", e->name);
            sema_help(s, "declare it first: `positions %s <= 64;`", e->name);
            good = false;
            continue;
        }
        if (input.type.rank == TIR_MAX_RANK) {
            sema_error(s, DIAG_RANK, target->span, "a tensor has at most %d axes", TIR_MAX_RANK);
            good = false;
            break;
        }
        good = elaborate_extent(s, scope, e, &input.type.dims[input.type.rank++]) && good;
    }
    uint64_t count;
    good = good && budget_elements(s, input.type.rank, input.type.dims, target->span, &count);
    Symbol *symbol = scope_define(s, scope, target->name.text, target->name.span, SYMBOL_VALUE);
    if (!good)
        return;
    const Mode outer = mode_enter(s, mode_of_let(s, target->name.text, NULL));
    const uint32_t index = tir_add_input(s->program, input);
    symbol->value =
        value_tensor(s, tir_input(sema_builder(s, target->span), index), NULL, target->span);
    mode_leave(s, outer);
    if (s->options->exports)
        vec_push(s->arena, &s->network->values,
                 (SiteValue){target->name.text, symbol->value.tensor->id, false});
}

/* --- the loss ----------------------------------------------------------------------------------*/

/* The sum of w e over the sum of w, both over all samples and positions; 0, with no gradient, where
 * all weights are 0. *total is the sum of the weights. */
static Value weighed_mean(Sema *s, Value e, Value w, const Stmt *stmt, TirId *total) {
    const Span at = stmt->weight->span;
    if (w.kind == VALUE_NUMBER && !(w.number >= 0))
        return sema_error(s, DIAG_LOSS, at, "a weight is not negative, and this is %g", w.number);
    const Tensor *value = value_as_real(s, e, stmt->value->span);
    const Tensor *weight = is_poison(w) ? NULL : value_as_real(s, w, at);
    const bool good = tensor_is_single(s, value, stmt->value->span, "this");
    if (!tensor_is_single(s, weight, at, "a weight") || !good)
        return POISON;
    const Value product =
        value_binary(s, TIR_MUL, (Value){.kind = VALUE_TENSOR, .span = at, .tensor = value},
                     (Value){.kind = VALUE_TENSOR, .span = at, .tensor = weight}, at);
    if (is_poison(product))
        return POISON;
    TirDomain domain;
    tir_domain_join(value->type.domain, weight->type.domain, &domain);
    const TirId we = tensor_use(s, product.tensor), id = tensor_use(s, weight);
    TirBuilder *b = sema_builder(s, at);
    *total = tir_domain_sum(b, id, domain, TIR_GLOBAL);
    const TirId sum = tir_domain_sum(b, we, domain, TIR_GLOBAL);
    const TirId nothing = tir_binary(b, TIR_EQ, *total, tir_real(b, 0));
    const TirId by = tir_select(b, nothing, tir_real(b, 1), *total);
    return value_tensor(s, tir_binary(b, TIR_DIV, sum, by), NULL, stmt->value->span);
}

/* Of a loss or metric: its mean, weighed where it says so. */
static Value model_mean(Sema *s, Scope *scope, const Stmt *stmt, TirId *total) {
    const Value v = elaborate(s, scope, stmt->value);
    *total = 0;
    if (!stmt->weight)
        return mean_over_domain(s, v, stmt->value->span);
    return weighed_mean(s, v, elaborate(s, scope, stmt->weight), stmt, total);
}

/* What an expression calls or names. */
static const char *called_name(const Expr *e, const char *otherwise) {
    const Expr *of = e->kind == EXPR_CALL ? e->call.callee : e;
    return of->kind == EXPR_NAME ? of->name : otherwise;
}

static void model_loss(Sema *s, Scope *scope, const Stmt *stmt) {
    const Mode outer = mode_enter(s, mode_of_let(s, intern_str(s->c->interner, "loss"), NULL));
    TirId total;
    const Value v = model_mean(s, scope, stmt, &total);
    mode_leave(s, outer);
    s->loss_weight = s->loss ? 0 : total; /* of the only loss there is */
    if (is_poison(v))
        return;
    const TirId id = tensor_use(s, v.tensor);
    const char *name = arena_printf(s->arena, "loss.%s", called_name(stmt->value, "loss"));
    vec_push(s->arena, &s->losses, (LossTerm){stmt, name, id, total});
    s->loss = s->loss ? tir_binary(sema_builder(s, stmt->span), TIR_ADD, s->loss, id) : id;
    const Expr *e = stmt->value;
    if (s->logits || e->kind != EXPR_CALL || e->call.arguments.count == 0)
        return;
    const Value first = elaborate(s, scope, e->call.arguments.at[0].value); /* the same id again */
    if (first.kind == VALUE_TENSOR && tensor_bare_rank(first.tensor) == first.tensor->type.rank)
        s->logits = tensor_use(s, first.tensor);
}

static bool is_metric(const Sema *s, const char *name) {
    for (uint32_t k = 0; k < s->program->outputs.count; k++)
        if ((s->program->outputs.at[k].role == TIR_OUT_METRIC ||
             s->program->outputs.at[k].role == TIR_OUT_TERM) &&
            strcmp(s->program->outputs.at[k].name, name) == 0)
            return true;
    return false;
}

/* Reports tell several of a name apart: accuracy, accuracy_2. */
static const char *name_apart(Sema *s, const char *base) {
    const char *name = base;
    for (uint32_t k = 2; is_metric(s, name); k++)
        name = arena_printf(s->arena, "%s_%u", base, k);
    return name;
}

static const char *metric_name(Sema *s, const Expr *e) {
    return name_apart(s, called_name(e, "metric"));
}

/* A mean that is reported beside the loss; `total`, where it is not 0: the sum of its weights. */
static void add_reported(Sema *s, TirOutputRole role, const char *name, TirId value, TirId total) {
    tir_add_output(s->program, role, name, 0, value);
    if (total)
        tir_add_output(s->program, TIR_OUT_NAMED,
                       arena_printf(s->arena, "metric_weight.%u", s->metrics), 0, total);
    s->metrics++;
}

static void model_metric(Sema *s, Scope *scope, const Stmt *stmt) {
    TirId total;
    const Value v = model_mean(s, scope, stmt, &total);
    if (is_poison(v))
        return;
    add_reported(s, TIR_OUT_METRIC, metric_name(s, stmt->value), tensor_use(s, v.tensor), total);
}

/* --- outputs -----------------------------------------------------------------------------------*/

static void model_output(Sema *s, Scope *scope, const Stmt *stmt) {
    const Expr *e = stmt->value;
    s->has_outputs = true;
    const Tensor *t = value_as_real(s, elaborate(s, scope, e), e->span);
    if (!t || e->kind == EXPR_ERROR)
        return;
    if (e->kind != EXPR_NAME) {
        sema_error(s, DIAG_NO_OUTPUT, e->span, "an output is a value with a name");
        sema_help(s, "`let z = ...; output z;`");
        return;
    }
    for (uint32_t k = 0; k < s->outputs.count; k++)
        if (s->outputs.at[k].name == e->name) {
            sema_error(s, DIAG_DUPLICATE, e->span, "`%s` is an output already", e->name);
            return;
        }
    if (tensor_bare_rank(t) != t->type.rank) {
        sema_error(s, DIAG_BARE_AXIS, e->span, "an output is a whole tensor");
        return;
    }
    vec_push(s->arena, &s->outputs, (SiteValue){e->name, tensor_use(s, t), false});
}

/* Without a loss they are what the model is for; beside one they are to be looked at. */
static void add_outputs(Sema *s, bool has_loss) {
    for (uint32_t k = 0; k < s->outputs.count; k++)
        tir_add_output(s->program, has_loss ? TIR_OUT_NAMED : TIR_OUT_RESULT, s->outputs.at[k].name,
                       0, s->outputs.at[k].value);
}

/* What the loss is a sum of, where that is more than one thing. */
static void add_terms(Sema *s) {
    for (uint32_t k = 0; k < s->losses.count && s->losses.count > 1; k++) {
        const LossTerm *term = &s->losses.at[k];
        add_reported(s, TIR_OUT_TERM, name_apart(s, term->name), term->sum, term->weight);
    }
    for (uint32_t k = 0; k < s->penalty_terms.count; k++) {
        const LossTerm *term = &s->penalty_terms.at[k];
        add_reported(s, TIR_OUT_TERM, name_apart(s, term->name), term->sum, 0);
    }
}

static void add_loss_outputs(Sema *s, const Item *model, bool has_statement) {
    add_outputs(s, has_statement);
    if (!s->loss) {
        if (!has_statement && !s->has_outputs && !s->options->exports) {
            sema_error(s, DIAG_LOSS, model->name.span, "the model `%s` has no `loss`",
                       model->name.text);
            sema_help(s, "for instance `loss cross_entropy(logits, next);`, or, where it is a part "
                         "of another program, `output h;`");
        }
        return;
    }
    TirBuilder *b = sema_builder(s, model->name.span);
    if (s->loss_weight) /* means over several batches need it */
        tir_add_output(s->program, TIR_OUT_NAMED, "loss_weight", 0, s->loss_weight);
    if (s->penalties.count) /* what evaluation reports is the loss without them */
        tir_add_output(s->program, TIR_OUT_NAMED, "loss_without_penalties", 0, s->loss);
    add_terms(s);
    for (uint32_t k = 0; k < s->penalties.count; k++)
        s->loss = tir_binary(b, TIR_ADD, s->loss, s->penalties.at[k]);
    tir_add_output(s->program, TIR_OUT_LOSS, "loss", 0, s->loss);
    if (s->logits)
        tir_add_output(s->program, TIR_OUT_LOGITS, "logits", 0, s->logits);
}

/* --- the model ---------------------------------------------------------------------------------*/

static void model_body(Sema *s, Scope *scope, const StmtList *body, bool *has_loss);

static void model_statement(Sema *s, Scope *scope, const Stmt *stmt, bool *has_loss) {
    bool condition;
    switch (stmt->kind) {
    case STMT_CONST: /* defined already, when not inside a condition */
        for (uint32_t k = 0; k < stmt->bindings.count; k++) {
            const Name name = stmt->bindings.at[k].target.name;
            const Symbol *symbol = name.text ? scope_find_here(scope, name.text) : NULL;
            const BindingList one = {.at = &stmt->bindings.at[k], .count = 1};
            if (!symbol || symbol->kind != SYMBOL_CONST)
                define_constants(s, scope, &one);
        }
        return;
    case STMT_POSITIONS:
        model_positions(s, scope, stmt);
        return;
    case STMT_INPUT:
    case STMT_TARGET:
        model_input(s, scope, stmt);
        return;
    case STMT_LOSS:
        *has_loss = true;
        model_loss(s, scope, stmt);
        return;
    case STMT_OUTPUT:
        model_output(s, scope, stmt);
        return;
    case STMT_METRIC:
        model_metric(s, scope, stmt);
        return;
    case STMT_IF:
        if (elaborate_bool(s, scope, stmt->branch.condition, "a condition", &condition))
            model_body(s, scope, condition ? &stmt->branch.then_body : &stmt->branch.else_body,
                       has_loss);
        return;
    default:
        body_statement(s, scope, stmt);
    }
}

static void model_body(Sema *s, Scope *scope, const StmtList *body, bool *has_loss) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k])
            model_statement(s, scope, body->at[k], has_loss);
}

static uint32_t count_trunks(const StmtList *body) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        for (uint32_t b = 0; stmt->kind == STMT_LET && b < stmt->bindings.count; b++)
            n += stmt->bindings.at[b].value && stmt->bindings.at[b].value->kind == EXPR_TRUNK;
        if (stmt->kind == STMT_IF) {
            const uint32_t p = count_trunks(&stmt->branch.then_body),
                           q = count_trunks(&stmt->branch.else_body);
            n += p > q ? p : q;
        }
    }
    return n;
}

static bool body_damaged(const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && body->at[k]->kind == STMT_ERROR)
            return true;
    return false;
}

void model_elaborate(Sema *s, const Item *model) {
    Frame *frame = frame_push(s, model, "", model->name.span);
    Scope *scope = scope_create(s, s->root, frame);
    scope->is_frame = true;
    s->model_scope = scope;
    s->trunks = count_trunks(&model->body);
    gather_constants(s, scope, &model->body);
    override_constants(s, scope, model);
    for (uint32_t k = 0; k < scope->symbols.count; k++)
        symbol_constant(s, scope->symbols.at[k]);
    bool has_loss = body_damaged(&model->body);
    model_body(s, scope, &model->body, &has_loss);
    add_loss_outputs(s, model, has_loss);
    check_causal(s);
    list_constants(s, scope);
    frame_pop(s);
}
