/* Parameters and buffers, and what they begin as.
 *
 * Maintains: a parameter's name is the path of instances and its own; the same instance elaborated
 * twice (to see a shape) declares it once. */
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/usage.h"
#include <math.h>
#include <string.h>

/* --- attributes --------------------------------------------------------------------------------*/

static const Attribute *find_attribute(const AttributeList *list, const char *name) {
    for (uint32_t k = 0; k < list->count; k++)
        if (list->at[k].name.text && strcmp(list->at[k].name.text, name) == 0)
            return &list->at[k];
    return NULL;
}

/* Buffers are not trained: of the attributes they have `shared` alone. */
static void read_buffer_attributes(Sema *s, const AttributeList *list, TirParam *param) {
    param->buffer = param->frozen = true;
    param->lr_scale = 1;
    for (uint32_t k = 0; k < list->count; k++) {
        const Attribute *a = &list->at[k];
        if (!a->name.text || strcmp(a->name.text, "shared") == 0)
            continue;
        sema_error(s, DIAG_ATTRIBUTE, a->name.span, "`%s` is not an attribute of buffers",
                   a->name.text);
        sema_help(s, "a buffer is not trained; it may be `shared`");
    }
}

typedef enum {
    ATTRIBUTE_NODECAY,
    ATTRIBUTE_FREEZE,
    ATTRIBUTE_LR,
    ATTRIBUTE_APART,
    ATTRIBUTE_SHARED, /* which decides about the name: share_of */
} AttributeKind;

static const char *const attribute_names[] = {"nodecay", "freeze", "lr", "apart", "shared"};
enum { N_ATTRIBUTES = sizeof attribute_names / sizeof *attribute_names };

/* False after an error. */
static bool attribute_kind(Sema *s, const Attribute *a, AttributeKind *kind) {
    uint32_t k = 0;
    while (k < N_ATTRIBUTES && strcmp(a->name.text, attribute_names[k]) != 0)
        k++;
    *kind = (AttributeKind)k;
    if (k == N_ATTRIBUTES) {
        const char *near = nearest_name(a->name.text, attribute_names, N_ATTRIBUTES);
        sema_error(s, DIAG_ATTRIBUTE, a->name.span, "`%s` is not an attribute of parameters",
                   a->name.text);
        sema_help(s,
                  near ? "did you mean `%s`?"
                       : "there are `nodecay`, `freeze`, `lr(0.1)`, `apart(0)` and `shared`%s",
                  near ? near : "");
        return false;
    }
    if (k == ATTRIBUTE_SHARED || a->arguments.count == (k >= ATTRIBUTE_LR ? 1u : 0u))
        return true;
    sema_error(s, DIAG_ATTRIBUTE, a->name.span,
               k == ATTRIBUTE_LR      ? "`lr` takes one number: `lr(0.1)`"
               : k == ATTRIBUTE_APART ? "`apart` takes the number of an axis: `apart(0)`"
                                      : "this attribute takes no argument");
    return false;
}

static void read_rate(Sema *s, Scope *scope, const Expr *e, TirParam *param) {
    if (elaborate_number(s, scope, e, "a rate", &param->lr_scale) && param->lr_scale < 0)
        sema_error(s, DIAG_ATTRIBUTE, e->span, "a rate is not negative");
}

static void read_apart(Sema *s, Scope *scope, const Expr *e, TirParam *param) {
    int64_t axis;
    if (param->type.rank == 0)
        sema_error(s, DIAG_ATTRIBUTE, e->span, "a number has no axis that could be apart");
    else if (elaborate_whole(s, scope, e, "an axis", 0, param->type.rank - 1, &axis))
        param->apart |= 1u << axis;
}

static void read_attributes(Sema *s, Scope *scope, const AttributeList *list, TirParam *param) {
    param->decay = true;
    param->lr_scale = 1;
    for (uint32_t k = 0; k < list->count; k++) {
        const Attribute *a = &list->at[k];
        AttributeKind kind;
        if (!a->name.text || !attribute_kind(s, a, &kind))
            continue;
        if (kind == ATTRIBUTE_LR)
            read_rate(s, scope, a->arguments.at[0], param);
        else if (kind == ATTRIBUTE_APART)
            read_apart(s, scope, a->arguments.at[0], param);
        else if (kind == ATTRIBUTE_NODECAY)
            param->decay = false;
        else if (kind == ATTRIBUTE_FREEZE)
            param->frozen = true;
    }
}

/* --- initial values ----------------------------------------------------------------------------*/

static bool init_distribution(Sema *s, Scope *scope, const Expr *e, TirParam *param) {
    const char *name = e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME
                           ? e->call.callee->name
                       : e->kind == EXPR_NAME ? e->name
                                              : "";
    const bool normal = strcmp(name, "normal") == 0, uniform = strcmp(name, "uniform") == 0;
    if (e->kind == EXPR_ERROR)
        return false;
    if (!normal && !uniform) {
        static const char *const known[] = {"normal", "uniform"};
        const char *near = nearest_name(name, known, 2);
        sema_error(s, DIAG_INIT, e->span,
                   "`~` takes a distribution: `normal(std)`, "
                   "`normal(mean, std)` or `uniform(low, high)`");
        if (near)
            sema_help(s, "did you mean `%s`?", near);
        else
            sema_help(s, "a value stands behind `=`: `param W[d] = 0;`");
        return false;
    }
    double v[2] = {0, 1};
    const uint32_t n = e->kind == EXPR_CALL ? e->call.arguments.count : 0;
    if (n > 2 || (normal && n == 0 && e->kind == EXPR_CALL) || (uniform && n != 2)) {
        sema_error(s, DIAG_INIT, e->span,
                   normal ? "`normal` takes its deviation, or mean and deviation"
                          : "`uniform` takes its low and high ends");
        return false;
    }
    for (uint32_t k = 0; k < n; k++)
        if (!elaborate_number(s, scope, e->call.arguments.at[k].value, "this", &v[k]))
            return false;
    if (normal && n == 1) {
        v[1] = v[0];
        v[0] = 0;
    }
    if ((normal && v[1] < 0) || (uniform && v[1] < v[0])) {
        sema_error(s, DIAG_INIT, e->span,
                   normal ? "a deviation is not negative" : "the low end lies above the high end");
        return false;
    }
    param->init = normal ? TIR_INIT_NORMAL : TIR_INIT_UNIFORM;
    param->init_a = v[0];
    param->init_b = v[1];
    return true;
}

/* The element that the mode wants; false (and an error) when it is no number. */
static bool init_element(Sema *s, Scope *scope, const Expr *e, double *out) {
    const Value v = elaborate(s, scope, e);
    if (v.kind == VALUE_NUMBER && isfinite(v.number)) {
        *out = v.number;
        return true;
    }
    if (v.kind == VALUE_NUMBER)
        sema_error(s, DIAG_INIT, e->span, "the initial value is not a finite number");
    else if (!is_poison(v))
        sema_error(s, DIAG_INIT, e->span, "an initial value is a number, not %s", value_text(s, v));
    return false;
}

/* All elements of an expression that depends on where. `identity` has two values only. */
static bool init_elements(Sema *s, Scope *scope, const Expr *e, TirParam *param, uint64_t count) {
    Element *const element = s->mode.element;
    const uint32_t *dims = param->type.dims;
    double *data = budget_table(s, count, e->span), off = param->init_a;
    if (!data)
        return false;
    bool uniform = true;
    if (param->type.rank == 2 && !element->table_used) {
        element->at[1] = 1;
        if (dims[1] > 1 && !init_element(s, scope, e, &off))
            return false;
        for (uint64_t k = 0; k < count; k++)
            data[k] = k / dims[1] == k % dims[1] ? param->init_a : off;
        uniform = count == 1;
    } else {
        for (uint64_t k = 0; k < count; k++) {
            uint64_t rest = k;
            for (uint32_t a = param->type.rank; a-- > 0; rest /= dims[a])
                element->at[a] = (int64_t)(rest % dims[a]);
            if (!init_element(s, scope, e, &data[k]))
                return false;
            uniform = uniform && data[k] == param->init_a;
        }
    }
    param->init = uniform ? TIR_INIT_FILL : TIR_INIT_DATA;
    param->data = uniform ? NULL : data;
    return true;
}

static bool init_value(Sema *s, Scope *scope, const Expr *e, TirParam *param) {
    uint64_t count;
    if (!budget_elements(s, param->type.rank, param->type.dims, e->span, &count))
        return false;
    Element element = {.rank = param->type.rank, .dims = param->type.dims};
    Mode mode = s->mode;
    mode.numeric = true;
    mode.element = &element;
    const Mode outer = mode_enter(s, mode);
    param->init = TIR_INIT_FILL;
    bool good = init_element(s, scope, e, &param->init_a);
    if (good && element.pattern_used)
        good = init_elements(s, scope, e, param, count);
    mode_leave(s, outer);
    return good;
}

/* --- declarations ------------------------------------------------------------------------------*/

/* Of `shared(k)`, the number of the group of sites that share it, as a name; of `shared`, which is
 * one group, NULL. False after an error. */
static bool group_name(Sema *s, Scope *scope, const Attribute *shared, const char **group) {
    int64_t number;
    *group = NULL;
    if (shared->arguments.count == 0)
        return true;
    if (shared->arguments.count > 1) {
        sema_error(s, DIAG_ATTRIBUTE, shared->name.span,
                   "`shared` takes the number of a group at most: `shared(floor(block / 2))`");
        return false;
    }
    if (!elaborate_whole(s, scope, shared->arguments.at[0], "the number of a group", 0, INT32_MAX,
                         &number))
        return false;
    *group = arena_printf(s->arena, "%lld", (long long)number);
    return true;
}

/* Its full name: of this instance, or the one that sites of the trunk share; NULL after an error.
 */
static const char *param_name(Sema *s, Scope *scope, const Stmt *stmt, const ParamDecl *p,
                              bool *is_shared) {
    const Frame *f = s->frame;
    const Attribute *shared = find_attribute(&stmt->param.attributes, "shared");
    const char *group = NULL;
    *is_shared = shared != NULL;
    if (shared && !group_name(s, scope, shared, &group))
        return NULL;
    if (shared && f->trunk && f->item) {
        const char *of_sites = path_join(s, f->trunk, f->item->name.text);
        return path_join(s, path_join(s, of_sites, group), p->target.name.text);
    }
    if (shared && !s->trial)
        sema_error(s, DIAG_ATTRIBUTE, p->target.span,
                   "`shared` is for what stands at the sites of a trunk: they share it");
    return path_join(s, f->path, p->target.name.text);
}

/* What sites share has one shape. */
static bool same_shape(Sema *s, const TirParam *old, const ParamDecl *p, const TirType *type) {
    if (tir_shape_equal(&old->type, type))
        return true;
    sema_error(s, DIAG_SHAPE, p->target.span, "`%s` is shared, but is %s here and %s before",
               p->target.name.text, dims_text(s, type->rank, type->dims),
               dims_text(s, old->type.rank, old->type.dims));
    return false;
}

/* Where the file that is compiled asks for it; nowhere for the model's own. */
static Span used_by_file(const Sema *s, const Frame *f) {
    while (f && f->outer && !ast_has_file(s->ast, f->used_at.file))
        f = f->outer;
    return f && f->outer ? f->used_at : (Span){0};
}

/* The parameter's place in the program; UINT32_MAX after an error. */
static uint32_t param_add(Sema *s, Scope *scope, const Stmt *stmt, const ParamDecl *p,
                          const TirType *type) {
    const Frame *f = s->frame;
    TirParam param = {.type = *type, .span = p->target.name.span};
    bool shared;
    param.name = param_name(s, scope, stmt, p, &shared);
    if (!param.name)
        return UINT32_MAX;
    param.group = f->item ? f->item->name.text : "";
    param.of_connection = f->of_connection;
    void **slot = map_slot_str(s->instances, param.name);
    Instance *old = *slot;
    if (old && (old->call == f->call || shared) && old->span.begin == param.span.begin &&
        old->span.file == param.span.file)
        return old->param == UINT32_MAX ||
                       same_shape(s, &s->program->params.at[old->param], p, type)
                   ? old->param
                   : UINT32_MAX;
    if (old && old->doubled)
        return UINT32_MAX;
    if (old) {
        old->doubled = true;
        sema_error(s, DIAG_INSTANCE, f->used_at.file ? f->used_at : param.span,
                   "two parameters would have the name `%s`", param.name);
        const Instance *o = old;
        sema_note(s, o->span, "the first is declared here");
        if (f->item && f->item->kind != ITEM_MODEL)
            sema_help(
                s,
                "give the instance a name of its own: `let first = %s(...)`, or `%s(...) as first`",
                f->item->name.text, f->item->name.text);
        return UINT32_MAX;
    }
    if (stmt->kind == STMT_BUFFER)
        read_buffer_attributes(s, &stmt->param.attributes, &param);
    else
        read_attributes(s, scope, &stmt->param.attributes, &param);
    bool good = true;
    if (p->init_kind == INIT_DISTRIBUTION)
        good = init_distribution(s, scope, p->init, &param);
    else if (p->init_kind == INIT_VALUE)
        good = init_value(s, scope, p->init, &param);
    else {
        sema_error(s, DIAG_INIT, p->target.span, "`%s` has no initial value", p->target.name.text);
        sema_help(s, "write `= 0` or `~ normal(0.02)`");
        good = false;
    }
    Instance *instance = ARENA_NEW(s->arena, Instance);
    instance->param = good ? tir_add_param(s->program, param) : UINT32_MAX;
    instance->call = f->call;
    instance->span = param.span;
    instance->used_at = used_by_file(s, f);
    *slot = instance;
    return instance->param;
}

void body_params(Sema *s, Scope *scope, const Stmt *stmt) {
    if (s->loop->level && !s->frame->is_called) {
        sema_error(s, DIAG_NOT_HERE, s->frame->call ? s->frame->used_at : stmt->span,
                   "`%s` holds no %s", sema_loop_word(s),
                   stmt->kind == STMT_BUFFER ? "buffers" : "parameters");
        return;
    }
    for (uint32_t k = 0; k < stmt->param.list.count; k++) {
        const ParamDecl *p = &stmt->param.list.at[k];
        if (!p->target.name.text || !scope_check_new(s, scope, p->target.name))
            continue;
        TirType type = {.elem = TIR_REAL, .rank = (uint8_t)p->target.indices.count};
        uint32_t index = UINT32_MAX;
        const bool misplaced = s->frame->item && s->frame->item->kind == ITEM_FN;
        if (!misplaced && elaborate_shape(s, scope, &p->target, type.dims))
            index = param_add(s, scope, stmt, p, &type);
        Symbol *symbol =
            scope_define(s, scope, p->target.name.text, p->target.name.span, SYMBOL_VALUE);
        symbol->declared = stmt->kind == STMT_BUFFER ? DECLARED_BUFFER : DECLARED_PARAM;
        usage_declare(s, symbol->declared, symbol->name, symbol->span);
        if (index == UINT32_MAX)
            continue; /* poison */
        const Mode outer = mode_enter(s, mode_of_let(s, p->target.name.text, NULL));
        Loop *const loop = sema_leave_loops(s);
        symbol->value = value_tensor(s, tir_param(sema_builder(s, p->target.span), index), NULL,
                                     p->target.span);
        sema_return_to(s, loop);
        mode_leave(s, outer);
    }
}
