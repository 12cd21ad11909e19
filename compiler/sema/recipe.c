/* The train block's recipe; and `--set`. One table lists every recipe value, so that what
 * the block takes, what `--set train.x` takes and what an error message lists are the same. */
#include "sema/internal.h"
#include "syntax/parse.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

/* --- the table ---------------------------------------------------------------------------------*/

typedef enum { FIELD_DOUBLE, FIELD_U32, FIELD_U64 } FieldKind;

typedef struct {
    const char *name;
    FieldKind kind;
    size_t offset;
    double low, high;
    const char *owner; /* "optimizer": a parameter of adamw(...); NULL: a setting by itself */
} Field;

#define FIELD(name, kind, member, low, high, owner)                                                \
    {name, kind, offsetof(Recipe, member), low, high, owner}

static const Field fields[] = {
    FIELD("lr", FIELD_DOUBLE, lr, 0, 1e6, "optimizer"),
    FIELD("beta1", FIELD_DOUBLE, beta1, 0, 1, "optimizer"),
    FIELD("beta2", FIELD_DOUBLE, beta2, 0, 1, "optimizer"),
    FIELD("eps", FIELD_DOUBLE, eps, 0, 1e6, "optimizer"),
    FIELD("weight_decay", FIELD_DOUBLE, weight_decay, 0, 1e6, "optimizer"),
    FIELD("momentum", FIELD_DOUBLE, momentum, 0, 1, "optimizer"),
    FIELD("warmup", FIELD_U32, warmup, 0, 4e9, "schedule"),
    FIELD("floor", FIELD_DOUBLE, floor, 0, 1, "schedule"),
    FIELD("batch", FIELD_U32, batch, 1, 1 << 20, NULL),
    FIELD("steps", FIELD_U32, steps, 0, 4e9, NULL),
    FIELD("clip", FIELD_DOUBLE, clip, 0, 1e30, NULL),
    FIELD("seed", FIELD_U64, seed, 0, 9007199254740992.0, NULL),
    FIELD("eval_every", FIELD_U32, eval_every, 0, 4e9, NULL),
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

/* What is no number of the recipe. */
static const char *const other_names[] = {"betas", "optimizer", "schedule", "held_out"};
enum { N_OTHERS = sizeof other_names / sizeof *other_names };

void recipe_defaults(Recipe *r) {
    *r = (Recipe){.optimizer = OPTIMIZER_ADAMW,
                  .lr = 1e-3,
                  .beta1 = 0.9,
                  .beta2 = 0.999,
                  .eps = 1e-8,
                  .weight_decay = 0.01,
                  .momentum = 0.9,
                  .schedule = SCHEDULE_CONSTANT,
                  .warmup = 0,
                  .floor = 0,
                  .batch = 16,
                  .steps = 1000,
                  .clip = 0,
                  .seed = 1,
                  .eval_every = 0};
}

static const Field *field_find(const char *name) {
    for (uint32_t k = 0; k < N_FIELDS; k++)
        if (strcmp(fields[k].name, name) == 0)
            return &fields[k];
    return NULL;
}

static void set_field(Sema *s, const Field *f, Value v, Span span) {
    if (is_poison(v))
        return;
    if (v.kind != VALUE_NUMBER || !isfinite(v.number)) {
        sema_error(s, DIAG_SETTING_VALUE, span, "`%s` is a number, not %s", f->name,
                   value_text(s, v));
        return;
    }
    if (f->kind != FIELD_DOUBLE && v.number != floor(v.number)) {
        sema_error(s, DIAG_SETTING_VALUE, span, "`%s` is a whole number, not %.10g", f->name,
                   v.number);
        return;
    }
    if (v.number < f->low || v.number > f->high) {
        sema_error(s, DIAG_SETTING_VALUE, span, "`%s` lies between %.10g and %.10g, this is %.10g",
                   f->name, f->low, f->high, v.number);
        return;
    }
    char *at = (char *)&s->network->recipe + f->offset;
    if (f->kind == FIELD_DOUBLE)
        *(double *)(void *)at = v.number;
    else if (f->kind == FIELD_U32)
        *(uint32_t *)(void *)at = (uint32_t)v.number;
    else
        *(uint64_t *)(void *)at = (uint64_t)v.number;
}

static void set_betas(Sema *s, Value v, Span span) {
    if (is_poison(v))
        return;
    if (v.kind != VALUE_TUPLE || v.tuple.count != 2) {
        sema_error(s, DIAG_SETTING_VALUE, span, "`betas` are two numbers: `(0.9, 0.99)`");
        return;
    }
    set_field(s, field_find("beta1"), v.tuple.at[0], span);
    set_field(s, field_find("beta2"), v.tuple.at[1], span);
}

static const char *all_names(Sema *s, const char *owner) {
    const char *text = "";
    for (uint32_t k = 0; k < N_FIELDS; k++) {
        if (owner && (!fields[k].owner || strcmp(fields[k].owner, owner) != 0))
            continue;
        text = arena_printf(s->arena, text[0] ? "%s, %s" : "%s%s", text, fields[k].name);
    }
    if (!owner)
        text = arena_printf(s->arena, "%s, betas, optimizer, schedule, data, held_out", text);
    else if (strcmp(owner, "optimizer") == 0)
        text = arena_printf(s->arena, "%s, betas", text);
    return text;
}

/* --- optimizer adamw(lr = 1e-3), schedule cosine(warmup = 100)
 * ----------------------------------*/

static void read_parameters(Sema *s, const Expr *e, const char *owner, const char *what) {
    bool first = true;
    for (uint32_t k = 0; e->kind == EXPR_CALL && k < e->call.arguments.count; k++) {
        const Argument *a = &e->call.arguments.at[k];
        const Value v = elaborate_constant(s, s->model_scope ? s->model_scope : s->root, a->value);
        const Span span = a->value->span;
        const char *name = a->name.text;
        if (!name && first) /* adamw(1e-3) */
            name = strcmp(owner, "optimizer") == 0 ? "lr" : "warmup";
        first = false;
        if (name && strcmp(name, "betas") == 0 && strcmp(owner, "optimizer") == 0) {
            set_betas(s, v, span);
            continue;
        }
        const Field *f = name ? field_find(name) : NULL;
        if (!f || !f->owner || strcmp(f->owner, owner) != 0) {
            const char *names[N_FIELDS + 1];
            uint32_t n = 0;
            for (uint32_t i = 0; i < N_FIELDS; i++)
                if (fields[i].owner && strcmp(fields[i].owner, owner) == 0)
                    names[n++] = fields[i].name;
            if (strcmp(owner, "optimizer") == 0)
                names[n++] = "betas";
            const char *near = name ? nearest_name(name, names, n) : NULL;
            sema_error(s, DIAG_SETTING, name && a->name.text ? a->name.span : span,
                       name && a->name.text ? "`%s` has no parameter `%s`"
                                            : "`%s` takes named parameters",
                       what, name ? name : "");
            if (near)
                sema_help(s, "did you mean `%s`?", near);
            else
                sema_help(s, "it takes: %s", all_names(s, owner));
            continue;
        }
        set_field(s, f, v, span);
    }
}

static const char *callee_name(const Expr *e) {
    if (e->kind == EXPR_NAME)
        return e->name;
    if (e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME)
        return e->call.callee->name;
    return "";
}

static void set_choice(Sema *s, const Expr *e, const char *what, const char *const *names,
                       const char *example, uint32_t *choice) {
    const char *name = callee_name(e);
    for (uint32_t k = 0; k < 2; k++)
        if (strcmp(name, names[k]) == 0) {
            *choice = k;
            read_parameters(s, e, what, name);
            return;
        }
    if (e->kind == EXPR_ERROR)
        return;
    const char *near = nearest_name(name, names, 2);
    sema_error(s, DIAG_SETTING_VALUE, e->span, "the %s is `%s` or `%s`", what, names[0], names[1]);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
    else
        sema_help(s, "for instance `%s`", example);
}

static void set_optimizer(Sema *s, const Expr *e) {
    static const char *const names[] = {"adamw", "sgd"};
    uint32_t choice = s->network->recipe.optimizer;
    set_choice(s, e, "optimizer", names, "adamw(lr = 1e-3)", &choice);
    s->network->recipe.optimizer = (OptimizerKind)choice;
}

static void set_schedule(Sema *s, const Expr *e) {
    static const char *const names[] = {"constant", "cosine"};
    uint32_t choice = s->network->recipe.schedule;
    set_choice(s, e, "schedule", names, "cosine(warmup = 100, floor = 0.1)", &choice);
    s->network->recipe.schedule = (ScheduleKind)choice;
}

/* One setting by name; false when there is none of that name. */
static bool set_by_name(Sema *s, const char *name, const Expr *e) {
    if (!e)
        return true;
    if (strcmp(name, "optimizer") == 0)
        set_optimizer(s, e);
    else if (strcmp(name, "schedule") == 0)
        set_schedule(s, e);
    else if (strcmp(name, "held_out") == 0)
        data_set_held_out(s, e);
    else if (strcmp(name, "betas") == 0)
        set_betas(s, elaborate_constant(s, s->model_scope ? s->model_scope : s->root, e), e->span);
    else {
        const Field *f = field_find(name);
        if (!f)
            return false;
        set_field(s, f, elaborate_constant(s, s->model_scope ? s->model_scope : s->root, e),
                  e->span);
    }
    return true;
}

/* --- the block and the overrides ---------------------------------------------------------------*/

static void unknown_setting(Sema *s, const char *name, Span span) {
    const char *names[N_FIELDS + N_OTHERS];
    uint32_t n = 0;
    for (uint32_t k = 0; k < N_FIELDS; k++)
        names[n++] = fields[k].name;
    for (uint32_t k = 0; k < N_OTHERS; k++)
        names[n++] = other_names[k];
    const char *near = nearest_name(name, names, n);
    sema_error(s, DIAG_SETTING, span, "the recipe has no `%s`", name);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
    else
        sema_help(s, "there are: %s", all_names(s, NULL));
}

/* An expression given on the command line. */
static Expr *override_expression(Sema *s, const Override *o) {
    const char *name = arena_printf(s->arena, "--set %s", o->key);
    const uint32_t file = source_add(s->c->sources, name, o->value, strlen(o->value));
    return file ? parse_expression(s->c, file) : NULL;
}

static void recipe_overrides(Sema *s) {
    for (uint32_t k = 0; k < s->options->n_overrides; k++) {
        const Override *o = &s->options->overrides[k];
        if (strncmp(o->key, "train.", 6) != 0)
            continue;
        const Expr *e = override_expression(s, o);
        if (e && !set_by_name(s, o->key + 6, e))
            unknown_setting(s, o->key + 6, e->span);
    }
}

void recipe_elaborate(Sema *s, const Item *train, const Item *model) {
    (void)model;
    recipe_defaults(&s->network->recipe);
    Map *seen = map_create(s->arena);
    for (uint32_t k = 0; train && k < train->body.count; k++) {
        const Stmt *stmt = train->body.at[k];
        if (!stmt || stmt->kind == STMT_ERROR)
            continue;
        if (stmt->kind != STMT_SETTING && stmt->kind != STMT_DATA)
            continue; /* in the wrong place: the syntax check has said so */
        const Name name = stmt->kind == STMT_DATA ? (Name){"data", stmt->span} : stmt->setting.name;
        if (!name.text)
            continue;
        void **slot = map_slot_str(seen, name.text);
        if (*slot) {
            sema_error(s, DIAG_DUPLICATE, name.span, "`%s` is set twice", name.text);
            sema_note(s, ((const Stmt *)*slot)->span, "the first time");
            continue;
        }
        *slot = (void *)(uintptr_t)stmt;
        if (stmt->kind == STMT_DATA)
            data_elaborate(s, stmt);
        else if (!set_by_name(s, name.text, stmt->setting.value))
            unknown_setting(s, name.text, name.span);
    }
    recipe_overrides(s);
}

/* `--set d=512`: the constant's expression is replaced before it is evaluated. */
void override_constants(Sema *s, Scope *scope, const Item *model) {
    for (uint32_t k = 0; k < s->options->n_overrides; k++) {
        const Override *o = &s->options->overrides[k];
        if (strncmp(o->key, "train.", 6) == 0)
            continue;
        const Expr *e = override_expression(s, o);
        if (!e)
            continue;
        Symbol *symbol = scope_find_here(scope, intern_str(s->c->interner, o->key));
        if (symbol && symbol->kind == SYMBOL_CONST) {
            symbol->expr = e;
            continue;
        }
        VEC(const char *) names = {0};
        const char *list = "";
        for (uint32_t j = 0; j < scope->symbols.count; j++) {
            if (scope->symbols.at[j]->kind != SYMBOL_CONST)
                continue;
            vec_push(s->arena, &names, scope->symbols.at[j]->name);
            list = arena_printf(s->arena, list[0] ? "%s, %s" : "%s%s", list,
                                scope->symbols.at[j]->name);
        }
        const char *near = nearest_name(o->key, names.at, names.count);
        const bool setting = field_find(o->key) != NULL;
        sema_error(s, DIAG_OVERRIDE, e->span, "the model `%s` has no constant `%s` to set",
                   model->name.text, o->key);
        if (setting)
            sema_help(s, "the recipe's value is `train.%s`", o->key);
        else if (near)
            sema_help(s, "did you mean `%s`?", near);
        else
            sema_help(s, "its constants are: %s", list[0] ? list : "(none)");
    }
}
