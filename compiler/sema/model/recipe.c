/* The train block's recipe; and `--set`. The table of abi/settings.h lists every value, where
 * it means something and its range, so that what the block takes, what `--set train.x` takes and
 * what an error message lists are the same.
 *
 * Maintains: a value is given or the default of the optimiser and schedule that are chosen in the
 * end; `--set train.optimizer=sgd` keeps what the block gives as far as sgd takes it. */
#include "abi/settings.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/model/data.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include "syntax/parse.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* --- the table ---------------------------------------------------------------------------------*/

#define ROW(...) HC_SETTING_RULE(Recipe, __VA_ARGS__)
static const HcSettingRule rules[] = {HC_SETTINGS(ROW)};
enum { N_RULES = sizeof rules / sizeof *rules };

/* What is no number of the recipe. */
static const char *const other_names[] = {"betas", "optimizer", "schedule", "precision",
                                          "held_out"};
enum { N_OTHERS = sizeof other_names / sizeof *other_names };

const char *const recipe_optimizers[OPTIMIZER_COUNT] = {
#define HC_OPTIMIZER(ident, text, first, second) [OPTIMIZER_##ident] = text,
#include "abi/words.def"
};

const uint8_t recipe_moments[OPTIMIZER_COUNT] = {
#define HC_OPTIMIZER(ident, text, first, second) [OPTIMIZER_##ident] = second[0] ? 2 : 1,
#include "abi/words.def"
};

const char *const recipe_schedules[SCHEDULE_COUNT] = {
#define HC_SCHEDULE(ident, text) [SCHEDULE_##ident] = text,
#include "abi/words.def"
};

const char *const recipe_precisions[HC_PRECISION_COUNT] = {
#define HC_PRECISION(ident, text, real) [HC_PRECISION_##ident] = text,
#include "abi/words.def"
};

/* A name out of several, which may take parameters: the rules whose group it is. */
typedef enum { CHOICE_OPTIMIZER, CHOICE_SCHEDULE, CHOICE_PRECISION, CHOICE_COUNT } Choice;
static const struct {
    const char *group, *example;
    const char *const *names;
    uint32_t count;
} choices[CHOICE_COUNT] = {
    [CHOICE_OPTIMIZER] = {"optimizer", "adamw(lr = 1e-3)", recipe_optimizers, OPTIMIZER_COUNT},
    [CHOICE_SCHEDULE] = {"schedule", "cosine(warmup = 100, floor = 0.1)", recipe_schedules,
                         SCHEDULE_COUNT},
    [CHOICE_PRECISION] = {"precision", "bf16", recipe_precisions, HC_PRECISION_COUNT},
};

/* CHOICE_COUNT where the setting is a value. */
static Choice choice_of(const char *name) {
    int k = 0;
    while (k < CHOICE_COUNT && strcmp(choices[k].group, name) != 0)
        k++;
    return (Choice)k;
}

static bool is_choice(const char *name) {
    return choice_of(name) != CHOICE_COUNT;
}

typedef struct {
    Sema *s;
    Recipe *recipe;
    bool given[N_RULES];
    Span batch; /* where its parts are said */
} Setter;

/* The choice of the group. */
static const char *chosen(const Setter *t, const char *group) {
    switch (choice_of(group)) {
    case CHOICE_OPTIMIZER:
        return recipe_optimizers[t->recipe->optimizer];
    case CHOICE_SCHEDULE:
        return recipe_schedules[t->recipe->schedule];
    case CHOICE_PRECISION:
        return recipe_precisions[t->recipe->precision];
    case CHOICE_COUNT:
        break;
    }
    return "";
}

static bool applies(const Setter *t, const HcSettingRule *rule) {
    return hc_setting_takes(rule, chosen(t, rule->group));
}

/* "`a`, `b` or `c`" */
static const char *list_choices(Sema *s, const char *const *names, uint32_t count,
                                const char *last) {
    const char *text = arena_printf(s->arena, "`%s`", names[0]);
    for (uint32_t k = 1; k < count; k++)
        text = k + 1 < count ? arena_printf(s->arena, "%s, `%s`", text, names[k])
                             : arena_printf(s->arena, "%s %s `%s`", text, last, names[k]);
    return text;
}

/* Whom a value belongs to: all choices that one of its name's rows has. */
static const char *list_owners(Sema *s, const HcSettingRule *rule) {
    const char *const *names = choices[choice_of(rule->group)].names;
    const uint32_t count = choices[choice_of(rule->group)].count;
    const char *owners[OPTIMIZER_COUNT + SCHEDULE_COUNT];
    uint32_t n = 0;
    for (uint32_t c = 0; c < count; c++) {
        bool takes = false;
        for (uint32_t k = 0; k < N_RULES; k++)
            takes = takes || (strcmp(rules[k].name, rule->name) == 0 &&
                              hc_setting_takes(&rules[k], names[c]));
        if (takes)
            owners[n++] = names[c];
    }
    return list_choices(s, owners, n, "and");
}

/* The row of a name: the one that applies, if there is one. */
static const HcSettingRule *rule_find(const Setter *t, const char *name) {
    const HcSettingRule *found = NULL;
    for (uint32_t k = 0; k < N_RULES; k++)
        if (strcmp(rules[k].name, name) == 0 && (!found || applies(t, &rules[k])))
            found = &rules[k];
    return found;
}

/* --- numbers -----------------------------------------------------------------------------------*/

/* A number written in digits alone; what arithmetic made of it passes through a double. */
static bool digits_of(Sema *s, const Expr *e, int64_t *whole) {
    size_t length;
    const char *text = source_text(s->c->sources, e->span.file, &length);
    if (e->kind != EXPR_NUMBER || !text)
        return false;
    *whole = 0;
    for (uint32_t k = e->span.begin; k < e->span.end; k++) {
        const int digit = text[k] - '0';
        if (digit < 0 || digit > 9 || *whole > (INT64_MAX - digit) / 10)
            return false;
        *whole = *whole * 10 + digit;
    }
    return true;
}

/* False after an error. */
static bool number_fits(Sema *s, const HcSettingRule *rule, Value v, Span span) {
    if (v.kind != VALUE_NUMBER || !isfinite(v.number))
        sema_error(s, DIAG_SETTING_VALUE, span, "`%s` is a number, not %s", rule->name,
                   value_text(s, v));
    else if (rule->kind == HC_SETTING_WHOLE && v.number != floor(v.number))
        sema_error(s, DIAG_SETTING_VALUE, span, "`%s` is a whole number, not %.10g", rule->name,
                   v.number);
    else if (!hc_setting_in_range(rule, v.number))
        sema_error(s, DIAG_SETTING_VALUE, span,
                   "`%s` lies between %.10g and %s%.10g, this is %.10g", rule->name, rule->low,
                   rule->below ? "less than " : "", rule->high, v.number);
    else
        return true;
    return false;
}

static void set_number(Setter *t, const HcSettingRule *rule, Value v, const Expr *e) {
    Sema *s = t->s;
    for (uint32_t k = 0; k < N_RULES; k++) /* of all rows of the name */
        t->given[k] = t->given[k] || strcmp(rules[k].name, rule->name) == 0;
    if (is_poison(v) || !number_fits(s, rule, v, e->span))
        return;
    char *at = (char *)t->recipe + rule->offset;
    if (rule->kind == HC_SETTING_REAL) {
        *(double *)(void *)at = v.number;
        return;
    }
    int64_t whole;
    if (!digits_of(s, e, &whole)) {
        if (v.number >= HC_SETTING_EXACT) {
            sema_error(s, DIAG_SETTING_VALUE, e->span,
                       "`%s` is a whole number from 2^53 on, which arithmetic rounds", rule->name);
            sema_help(s, "write it here, in digits alone");
            return;
        }
        whole = (int64_t)v.number;
    }
    *(int64_t *)(void *)at = whole;
}

static void set_betas(Setter *t, const Expr *e) {
    const bool list = e->kind == EXPR_LIST; /* a tensor */
    const Value v = list ? (Value){0} : elaborate_constant(t->s, train_scope(t->s), e);
    if (is_poison(v) && !list)
        return;
    if (v.kind != VALUE_TUPLE || v.tuple.count != 2) {
        sema_error(t->s, DIAG_SETTING_VALUE, e->span, "`betas` are two numbers: `(0.9, 0.99)`");
        return;
    }
    set_number(t, rule_find(t, "beta1"), v.tuple.at[0], e);
    set_number(t, rule_find(t, "beta2"), v.tuple.at[1], e);
}

/* --- names -------------------------------------------------------------------------------------*/

/* Names that the recipe takes as it stands, of a group or all; returns how many. */
static uint32_t taken_names(const Setter *t, const char *group, const char **names) {
    uint32_t n = 0;
    const bool betas = hc_setting_takes(rule_find(t, "beta1"), chosen(t, "optimizer"));
    for (uint32_t k = 0; k < N_RULES; k++)
        if ((!group || strcmp(rules[k].group, group) == 0) && applies(t, &rules[k]) &&
            hc_setting_stands_alone(rules[k].name))
            names[n++] = rules[k].name;
    for (uint32_t k = 0; k < N_OTHERS; k++)
        if (k == 0 ? betas && (!group || strcmp(group, "optimizer") == 0) : !group)
            names[n++] = other_names[k];
    return n;
}

/* What was meant: the nearest of these names, or all of them. */
static void help_names(Setter *t, const char *name, const char *group, const char *before) {
    const char *names[N_RULES + N_OTHERS], *text = "";
    const uint32_t n = taken_names(t, group, names);
    const char *near = name ? nearest_name(name, names, n) : NULL;
    for (uint32_t k = 0; k < n; k++)
        text = arena_printf(t->s->arena, k ? "%s, %s" : "%s%s", text, names[k]);
    if (near)
        sema_help(t->s, "did you mean `%s`?", near);
    else
        sema_help(t->s, "%s: %s", before, n ? text : "nothing");
}

/* False, with an error, for what the chosen optimiser or schedule has no use for. */
static bool check_effect(Setter *t, const char *name, Span span) {
    const HcSettingRule *rule = rule_find(t, strcmp(name, "betas") == 0 ? "beta1" : name);
    if (applies(t, rule))
        return true;
    sema_error(t->s, DIAG_SETTING, span, "`%s` has no parameter `%s`", chosen(t, rule->group),
               name);
    sema_note(t->s, span, "`%s` belongs to %s", name, list_owners(t->s, rule));
    help_names(t, NULL, rule->group, "it takes");
    return false;
}

/* --- optimizer adamw(lr = 1e-3), schedule cosine(warmup = 100) ---------------------------------*/

static void read_parameter(Setter *t, const Argument *a, const char *group, bool first) {
    Sema *s = t->s;
    const bool optimizer = strcmp(group, "optimizer") == 0;
    const char *name = a->name.text;
    if (!name && first) /* adamw(1e-3) */
        name = optimizer ? "lr" : "warmup";
    const bool betas = name && optimizer && strcmp(name, "betas") == 0;
    const HcSettingRule *rule = name ? rule_find(t, betas ? "beta1" : name) : NULL;
    const Span span = a->name.text ? a->name.span : a->value->span;
    if (!rule || strcmp(rule->group, group) != 0) {
        sema_error(s, DIAG_SETTING, span,
                   a->name.text ? "`%s` has no parameter `%s`" : "`%s` takes named parameters",
                   chosen(t, group), name ? name : "");
        help_names(t, name, group, "it takes");
    } else if (!check_effect(t, name, span)) {
        return;
    } else if (betas) {
        set_betas(t, a->value);
    } else {
        set_number(t, rule, elaborate_constant(s, train_scope(s), a->value), a->value);
    }
}

static const char *callee_name(const Expr *e) {
    if (e->kind == EXPR_NAME)
        return e->name;
    if (e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME)
        return e->call.callee->name;
    return "";
}

/* Which of its names it is; -1 after an error. */
static int choice_named(Sema *s, const Expr *e, Choice choice) {
    const char *const *names = choices[choice].names;
    const uint32_t count = choices[choice].count;
    const char *name = callee_name(e);
    for (uint32_t k = 0; k < count; k++)
        if (strcmp(name, names[k]) == 0)
            return (int)k;
    if (e->kind == EXPR_ERROR)
        return -1;
    const char *near = nearest_name(name, names, count);
    sema_error(s, DIAG_SETTING_VALUE, e->span, "the %s is %s", choices[choice].group,
               list_choices(s, names, count, "or"));
    if (near)
        sema_help(s, "did you mean `%s`?", near);
    else
        sema_help(s, "for instance `%s`", choices[choice].example);
    return -1;
}

/* `adamw(...)`: the choice of a group and parameters that it takes. */
static void set_chosen(Setter *t, const char *group, const Expr *e) {
    const Choice choice = choice_of(group);
    const int named = choice_named(t->s, e, choice);
    if (named < 0)
        return;
    if (choice == CHOICE_OPTIMIZER)
        t->recipe->optimizer = (OptimizerKind)named;
    else if (choice == CHOICE_SCHEDULE)
        t->recipe->schedule = (ScheduleKind)named;
    else
        t->recipe->precision = (HcPrecision)named;
    for (uint32_t k = 0; e->kind == EXPR_CALL && k < e->call.arguments.count; k++)
        read_parameter(t, &e->call.arguments.at[k], group, k == 0);
}

/* `batch 32 in 8`; without `in` it is one part, whatever was said before. */
static void set_batch(Setter *t, const Expr *e, const Expr *parts) {
    Scope *scope = train_scope(t->s);
    const HcSettingRule *rule = rule_find(t, "parts");
    set_number(t, rule_find(t, "batch"), elaborate_constant(t->s, scope, e), e);
    if (parts) {
        set_number(t, rule, elaborate_constant(t->s, scope, parts), parts);
    } else {
        t->given[rule - rules] = true;
        t->recipe->parts = 1;
    }
    t->batch = parts ? span_join(e->span, parts->span) : e->span;
}

static void check_parts(const Setter *t) {
    const Recipe *r = t->recipe;
    if (r->parts < 1 || r->batch % r->parts == 0)
        return;
    sema_error(t->s, DIAG_SETTING_VALUE, t->batch,
               "a batch of %" PRId64 " samples does not come in %" PRId64 " equal parts", r->batch,
               r->parts);
    int64_t nearest = r->parts < r->batch ? r->parts : r->batch;
    while (r->batch % nearest != 0)
        nearest--;
    sema_help(t->s, "write `batch %" PRId64 " in %" PRId64 "`, say", r->batch, nearest);
}

/* One setting by name, but for the choices, which stand before. */
static void set_by_name(Setter *t, const char *name, const Expr *e, const Expr *parts, Span at) {
    Sema *s = t->s;
    const bool betas = strcmp(name, "betas") == 0;
    const HcSettingRule *rule = rule_find(t, betas ? "beta1" : name);
    if (!e || is_choice(name))
        return;
    if (parts && strcmp(name, "batch") != 0) {
        sema_error(s, DIAG_SETTING, parts->span, "only a batch comes in parts, `%s` does not",
                   name);
    } else if (strcmp(name, "held_out") == 0) {
        data_set_held_out(s, e);
    } else if (!hc_setting_stands_alone(name)) {
        sema_error(s, DIAG_SETTING, at, "the parts are the batch's");
        sema_help(s, "write them behind it: `batch 32 in 8`");
    } else if (strcmp(name, "batch") == 0) {
        set_batch(t, e, parts);
    } else if (!rule) {
        sema_error(s, DIAG_SETTING, at, "the recipe has no `%s`", name);
        help_names(t, name, NULL, "there are");
    } else if (!check_effect(t, name, at)) {
        return;
    } else if (betas) {
        set_betas(t, e);
    } else {
        set_number(t, rule, elaborate_constant(s, train_scope(s), e), e);
    }
}

/* --- the block and the overrides ---------------------------------------------------------------*/

/* A value given on the command line. */
static Expr *override_value(Sema *s, const Override *o, Expr **parts) {
    const char *name = arena_printf(s->arena, "--set %s", o->key);
    const uint32_t file = source_add(s->c->sources, name, o->value, strlen(o->value));
    *parts = NULL;
    return file ? parse_value(s->c, file, parts) : NULL;
}

/* `--set train.x=...`: the choices, or everything else. */
static void recipe_overrides(Setter *t, bool choices) {
    const SemaOptions *options = t->s->options;
    for (uint32_t k = 0; k < options->n_overrides; k++) {
        const Override *o = &options->overrides[k];
        if (strncmp(o->key, "train.", 6) != 0 || is_choice(o->key + 6) != choices)
            continue;
        Expr *parts;
        const Expr *e = override_value(t->s, o, &parts);
        if (strcmp(o->key, "train.steps") == 0)
            t->recipe->epochs = 0; /* of the block */
        if (e && choices)
            set_chosen(t, o->key + 6, e);
        else if (e)
            set_by_name(t, o->key + 6, e, parts, e->span);
    }
}

/* `steps` and `epochs` both say where training ends. */
static void check_end(Setter *t, Map *seen, Name name, bool choices) {
    const char *other = strcmp(name.text, "steps") == 0    ? "epochs"
                        : strcmp(name.text, "epochs") == 0 ? "steps"
                                                           : NULL;
    const Stmt *before = other ? *map_slot_str(seen, other) : NULL;
    if (!before || !choices)
        return;
    sema_error(t->s, DIAG_DUPLICATE, name.span, "`%s` and `%s` both say where training ends",
               name.text, other);
    sema_note(t->s, before->span, "the other one");
}

/* The block's choices, or everything else; what is set twice is said with the choices. */
static void recipe_statements(Setter *t, const Item *train, bool choices) {
    Sema *s = t->s;
    Map *seen = map_create(s->arena);
    for (uint32_t k = 0; train && k < train->body.count; k++) {
        const Stmt *stmt = train->body.at[k];
        if (!stmt || (stmt->kind != STMT_SETTING && stmt->kind != STMT_DATA))
            continue; /* in the wrong place: the syntax check has said so */
        const Name name = stmt->kind == STMT_DATA ? (Name){"data", stmt->span} : stmt->setting.name;
        if (!name.text)
            continue;
        void **slot = map_slot_str(seen, name.text);
        const Stmt *old = *slot;
        *slot = (void *)(uintptr_t)(old ? old : stmt);
        if (old && choices) {
            sema_error(s, DIAG_DUPLICATE, name.span, "`%s` is set twice", name.text);
            sema_note(s, old->span, "the first time");
        }
        check_end(t, seen, name, choices);
        if (old || is_choice(name.text) != choices)
            continue;
        if (stmt->kind == STMT_DATA)
            data_elaborate(s, stmt);
        else if (choices && stmt->setting.value)
            set_chosen(t, name.text, stmt->setting.value);
        else
            set_by_name(t, name.text, stmt->setting.value, stmt->setting.parts, name.span);
    }
}

/* What is not given, or not taken. */
static void recipe_defaults(Setter *t) {
    for (uint32_t k = 0; k < N_RULES; k++) {
        const HcSettingRule *rule = rule_find(t, rules[k].name);
        char *at = (char *)t->recipe + rule->offset;
        if (rule != &rules[k] || (t->given[k] && applies(t, rule)))
            continue;
        const double value = applies(t, rule) ? rule->fallback : 0;
        if (rule->kind == HC_SETTING_REAL)
            *(double *)(void *)at = value;
        else
            *(int64_t *)(void *)at = (int64_t)value;
    }
}

void recipe_elaborate(Sema *s, const Item *train) {
    Setter t = {.s = s, .recipe = &s->network->recipe};
    recipe_statements(&t, train, true);
    recipe_statements(&t, train, false);
    recipe_overrides(&t, true);
    recipe_overrides(&t, false);
    recipe_defaults(&t);
    check_parts(&t);
}

/* `--set d=512`: the constant's expression is replaced before it is evaluated. */
void override_constants(Sema *s, Scope *scope, const Item *model) {
    for (uint32_t k = 0; k < s->options->n_overrides; k++) {
        const Override *o = &s->options->overrides[k];
        if (strncmp(o->key, "train.", 6) == 0)
            continue;
        Expr *parts;
        const Expr *e = override_value(s, o, &parts);
        if (e && parts)
            sema_error(s, DIAG_OVERRIDE, parts->span, "a constant has one value, and no parts");
        if (!e || parts)
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
        const Setter recipe = {.s = s, .recipe = &s->network->recipe};
        const bool setting = rule_find(&recipe, o->key) || is_choice(o->key);
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
