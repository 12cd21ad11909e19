/* Built-in functions, by one table: a rule makes their value of values that are elaborated already.
 */
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/trunk.h"
#include <math.h>
#include <string.h>

enum { BUILTIN_MAX_ARGUMENTS = 16 };

/* One call: its arguments in order of the parameters, and where it stands. */
typedef struct {
    const Builtin *builtin;
    const BoundArgument *a;
    uint32_t n;
    const Expr *e;
    const Scope *scope;
} Call;
typedef Value BuiltinRule(Sema *s, const Call *c);

struct Builtin {
    const char *name;
    uint32_t low, high; /* how many arguments */
    BuiltinRule *rule;
    TirOp op;
    const char *parameters; /* named ones, in order, separated by spaces */
};

/* --- rules -------------------------------------------------------------------------------------*/

static Value rule_unary(Sema *s, const Call *c) {
    return value_unary(s, c->builtin->op, c->a[0].value, c->e->span);
}

static Value rule_fold(Sema *s, const Call *c) {
    Value v = c->a[0].value;
    for (uint32_t k = 1; k < c->n; k++)
        v = value_binary(s, c->builtin->op, v, c->a[k].value, c->e->span);
    return v;
}

static Value rule_clamp(Sema *s, const Call *c) {
    return value_binary(s, TIR_MIN,
                        value_binary(s, TIR_MAX, c->a[0].value, c->a[1].value, c->e->span),
                        c->a[2].value, c->e->span);
}

static Value rule_select(Sema *s, const Call *c) {
    return value_select(s, c->a[0].value, c->a[1].value, c->a[2].value, c->e->span);
}

static Value rule_onehot(Sema *s, const Call *c) {
    const Value k = c->a[0].value;
    if (k.kind != VALUE_NUMBER && k.kind != VALUE_TENSOR)
        return is_poison(k) ? k
                            : sema_error(s, DIAG_KIND, c->e->span,
                                         "`onehot` takes a number, not %s", value_text(s, k));
    if (s->mode.element && k.kind == VALUE_NUMBER) { /* an element of an initial value */
        Element *const wanted = s->mode.element;
        wanted->pattern_used = true;
        if (wanted->rank != 1)
            return sema_error(s, DIAG_INIT, c->e->span,
                              "`onehot` has one axis, but the parameter has %u", wanted->rank);
        onehot_check(s, k.number, wanted->dims[0], c->e->span);
        return value_number((double)wanted->at[0] == k.number, c->e->span);
    }
    Pattern *pattern = ARENA_NEW(s->arena, Pattern);
    Value *copy = ARENA_NEW(s->arena, Value);
    *copy = k;
    pattern->kind = PATTERN_ONEHOT;
    pattern->argument = copy;
    return (Value){.kind = VALUE_PATTERN, .span = c->e->span, .pattern = pattern};
}

/* Whole tensors without labels, or NULL after an error. */
static const Tensor *whole(Sema *s, const char *name, Value v, uint32_t rank, Span span) {
    const Tensor *t = value_as_tensor(s, v, span);
    if (!t)
        return NULL;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t bare = tensor_bare_dims(t, dims, NULL);
    if (bare != t->type.rank) {
        sema_error(s, DIAG_BARE_AXIS, span, "`%s` takes whole tensors, without indices", name);
        return NULL;
    }
    if (bare != rank) {
        sema_error(s, DIAG_SHAPE, span, "`%s` takes %u axes here, but this has %u: %s", name, rank,
                   bare, dims_text(s, bare, dims));
        return NULL;
    }
    return t;
}

/* Where a value lives, of those that attend. */
static const char *lives_text(Sema *s, const Tensor *t) {
    const uint8_t space = t->type.domain.space;
    return space ? arena_printf(s->arena, "live at positions `%s`",
                                s->program->spaces.at[space - 1].name)
                 : "have no positions";
}

static Value rule_attend(Sema *s, const Call *c) {
    static const char *const roles[] = {"queries", "keys", "values"};
    const Tensor *t[3];
    for (uint32_t k = 0; k < 3; k++) {
        const Tensor *in =
            whole(s, "attend", c->a[k].value, 2, c->e->call.arguments.at[k].value->span);
        t[k] =
            in ? value_as_real(s, (Value){.kind = VALUE_TENSOR, .tensor = in}, c->e->span) : NULL;
    }
    if (!t[0] || !t[1] || !t[2])
        return POISON;
    bool causal = false;
    double scale = 1 / sqrt((double)t[0]->type.dims[1]);
    if (c->n > 3 && c->a[3].value.kind != VALUE_TUPLE) {
        if (c->a[3].value.kind != VALUE_BOOL)
            return sema_error(s, DIAG_KIND, c->e->span, "`causal` is `true` or `false`, not %s",
                              value_text(s, c->a[3].value));
        causal = c->a[3].value.boolean;
    }
    if (c->n > 4 && c->a[4].value.kind != VALUE_TUPLE) {
        if (c->a[4].value.kind != VALUE_NUMBER)
            return sema_error(s, DIAG_KIND, c->e->span, "`scale` is a number, not %s",
                              value_text(s, c->a[4].value));
        scale = c->a[4].value.number;
    }
    const uint32_t *q = t[0]->type.dims, *k = t[1]->type.dims, *v = t[2]->type.dims;
    if (q[1] != k[1])
        return sema_error(s, DIAG_SHAPE, c->e->span,
                          "queries %s and keys %s differ in their last axis", dims_text(s, 2, q),
                          dims_text(s, 2, k));
    if (k[0] != v[0] || q[0] % k[0] != 0)
        return sema_error(s, DIAG_SHAPE, c->e->span,
                          "%u query heads, %u key heads and %u value heads do not fit: keys and "
                          "values have as many heads, which divide the queries'",
                          q[0], k[0], v[0]);
    const uint8_t space = t[0]->type.domain.space;
    const uint8_t of_keys = t[1]->type.domain.space;
    if (!space || !of_keys || t[2]->type.domain.space != of_keys) {
        sema_error(s, DIAG_DOMAIN, c->e->span,
                   "`attend` goes over positions: queries live at some, and keys and values at "
                   "those of one space");
        for (uint32_t in = 0; in < 3; in++)
            sema_note(s, c->e->call.arguments.at[in].value->span, "%s %s", roles[in],
                      lives_text(s, t[in]));
        return POISON;
    }
    if (causal && of_keys != space) {
        const TirSpace *spaces = s->program->spaces.at;
        sema_error(
            s, DIAG_CAUSAL, c->e->span,
            "causal attention goes over one space of positions: of a query at `%s` and a key "
            "at `%s` neither is later",
            spaces[space - 1].name, spaces[of_keys - 1].name);
        sema_help(s, "leave `causal` out, and say by `mask` which keys count");
        return POISON;
    }
    TirId qi = tensor_use(s, t[0]), ki = tensor_use(s, t[1]), vi = tensor_use(s, t[2]);
    if (c->n > 5 && c->a[5].value.kind != VALUE_TUPLE &&
        !attend_mask(s, c->a[5].value, of_keys, &scale, c->a[5].at, &qi, &ki))
        return POISON;
    TirAttend how = {.causal = causal, .scale = scale};
    if (c->n > 6 && !attend_bias(s, c->a[6].value, t[0], t[1], c->a[6].at, &how))
        return POISON;
    TirBuilder *builder = sema_builder(s, c->e->span);
    TirDomain domain = t[0]->type.domain;
    for (uint32_t in = 1; in < 3; in++)
        domain.sample = domain.sample || t[in]->type.domain.sample;
    qi = tir_at_positions(builder, qi, space); /* what was folded may have none */
    if (of_keys != space)
        ki = tir_at_positions(builder, ki, of_keys);
    const TirId both = tir_attend_as(builder, qi, ki, vi, &how);
    return value_derived(s, tir_result(builder, both, 0), domain, NULL, c->e->span);
}

static Value rule_embed(Sema *s, const Call *c) {
    const Tensor *index = value_as_tensor(s, c->a[0].value, c->e->call.arguments.at[0].value->span);
    const Tensor *table = value_as_tensor(s, c->a[1].value, c->e->call.arguments.at[1].value->span);
    if (!index || !table)
        return POISON;
    if (index->type.elem != TIR_INT)
        return sema_error(s, DIAG_KIND, c->e->call.arguments.at[0].value->span,
                          "`embed` takes tokens or a position, this is a real number");
    if (tensor_bare_rank(table) != table->type.rank || table->type.rank < 1 ||
        tensor_bare_rank(index) != index->type.rank)
        return sema_error(s, DIAG_BARE_AXIS, c->e->span,
                          "`embed` takes whole tensors, without indices");
    if (index->type.rank + table->type.rank - 1 > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, c->e->span, "a tensor has at most %d axes", TIR_MAX_RANK);
    TirDomain joined;
    if (!tir_domain_join(index->type.domain, table->type.domain, &joined))
        return sema_error(s, DIAG_DOMAIN, c->e->span,
                          "the table lives at positions of another space");
    const uint32_t limit = index->level == 0 ? token_limit(s, index) : 0;
    if (limit > table->type.dims[0]) {
        sema_error(s, DIAG_SHAPE, c->e->span, "tokens run to %u, but the table has %u rows", limit,
                   table->type.dims[0]);
        sema_note(s, c->a[1].value.span, "the table");
        return POISON;
    }
    const TirId x = tensor_use(s, table), i = tensor_use(s, index);
    return value_derived(s, tir_gather(sema_builder(s, c->e->span), x, i), joined, NULL,
                         c->e->span);
}

static Value rule_permutations(Sema *s, const Call *c) {
    return table_permutations(s, c->a[0].value, c->e->span);
}

/* The most entries along an axis, or the number of positions a value runs over. */
static Value rule_extent(Sema *s, const Call *c) {
    const Value v = c->a[0].value;
    if (v.kind != VALUE_TENSOR)
        return is_poison(v) ? v : sema_error(s, DIAG_KIND, c->e->span, "`extent` takes a tensor");
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(v.tensor, dims, NULL);
    if (c->n == 2) {
        const Value axis = c->a[1].value;
        if (axis.kind == VALUE_NUMBER && axis.number >= 0 && axis.number < rank &&
            axis.number == floor(axis.number))
            return value_number(dims[(uint32_t)axis.number], c->e->span);
        return sema_error(s, DIAG_SHAPE, c->e->span,
                          "this has %u %s; `extent` takes one of their "
                          "numbers, from 0",
                          rank, rank == 1 ? "axis" : "axes");
    }
    if (rank == 1)
        return value_number(dims[0], c->e->span);
    if (rank == 0 && v.tensor->type.domain.space)
        return value_number(s->program->spaces.at[v.tensor->type.domain.space - 1].maximum,
                            c->e->span);
    return sema_error(s, DIAG_SHAPE, c->e->span,
                      "`extent` takes a value with one axis, or a position, or the number of an "
                      "axis too: `extent(x, 0)`");
}

/* For requirements and conditions, which look at constants alone. */
static Value rule_known(Sema *s, const Call *c) {
    const Value v = c->a[0].value;
    const bool known = v.kind == VALUE_TENSOR ? value_is_table(s, v) : v.kind != VALUE_REPEAT;
    return value_bool(known, c->e->span);
}

/* Whole numbers from the second argument on, each at least `low`; 0 after an error. */
static uint32_t whole_numbers(Sema *s, const Call *c, int64_t low, int64_t *numbers) {
    for (uint32_t k = 1; k < c->n; k++) {
        const Value v = c->a[k].value;
        if (v.kind != VALUE_NUMBER || v.number != floor(v.number) || v.number < (double)low ||
            fabs(v.number) > 1 << 30) {
            if (!is_poison(v))
                sema_error(s, DIAG_EXTENT, c->e->call.arguments.at[k].value->span,
                           low > 0 ? "`%s` takes whole numbers from 1, not %s"
                                   : "`%s` takes whole numbers, not %s",
                           c->builtin->name, value_text(s, v));
            return 0;
        }
        numbers[k - 1] = (int64_t)v.number;
    }
    return c->n - 1;
}

static Value rule_shift(Sema *s, const Call *c) {
    int64_t offsets[2];
    const uint32_t axes = whole_numbers(s, c, INT32_MIN, offsets);
    return axes ? shift_value(s, c->a[0].value, axes, offsets, c->e->span) : POISON;
}

static Value rule_all_positions(Sema *s, const Call *c) {
    return all_positions_value(s, c->a[0].value, c->e->span);
}

static Value rule_recur(Sema *s, const Call *c) {
    const bool given = c->n > 2 && c->a[2].value.kind != VALUE_TUPLE;
    if (given && c->a[2].value.kind != VALUE_BOOL)
        return sema_error(s, DIAG_KIND, c->e->span, "`reverse` is `true` or `false`, not %s",
                          value_text(s, c->a[2].value));
    return recur_value(s, c->a[0].value, c->a[1].value, given && c->a[2].value.boolean, c->e->span);
}

/* `takes(v0)`, `gives(v)`: of what stands at a connection's site. */
static Value rule_asked(Sema *s, const Call *c, bool (*asked)(const SiteUse *, const char *)) {
    const Value name = c->a[0].value;
    if (name.kind != VALUE_STRING || c->e->call.arguments.at[0].value->kind != EXPR_NAME) {
        sema_error(s, DIAG_KIND, c->e->span, "`%s` is asked for a name, as it is written: `%s(v)`",
                   c->builtin->name, c->builtin->name);
        return POISON;
    }
    const SiteUse *use = s->frame ? s->frame->use : NULL;
    if (use)
        return value_bool(asked(use, name.string), c->e->span);
    return sema_error(s, DIAG_NOT_HERE, c->e->span,
                      "`%s` is known only inside a connection: it is of what stands at its site",
                      c->builtin->name);
}

static Value rule_takes(Sema *s, const Call *c) {
    return rule_asked(s, c, asked_takes);
}

static Value rule_gives(Sema *s, const Call *c) {
    return rule_asked(s, c, asked_gives);
}

/* Over all positions of all samples: what a penalty or a buffer may look at. */
static Value rule_batch_mean(Sema *s, const Call *c) {
    if (c->a[0].value.kind == VALUE_NUMBER)
        return c->a[0].value;
    if (s->loop->level)
        return sema_error(s, DIAG_NOT_HERE, c->e->span, "`batch_mean` cannot stand in `%s`",
                          sema_loop_word(s));
    const Tensor *t = value_as_real(s, c->a[0].value, c->e->call.arguments.at[0].value->span);
    return t ? value_tensor(s, mean_of_elements(s, t, c->e->span), t->axes, c->e->span) : POISON;
}

static Value rule_window(Sema *s, const Call *c) {
    int64_t extents[2];
    const uint32_t axes = whole_numbers(s, c, 1, extents);
    return axes ? window_value(s, c->a[0].value, axes, extents, c->e->span) : POISON;
}

/* How often numbers are drawn: `each = sample`. */
static bool random_each(Sema *s, Value word, Span at, RandomEach *each) {
    static const char *const words[] = {
        [RANDOM_POSITION] = "position", [RANDOM_SAMPLE] = "sample", [RANDOM_STEP] = "step"};
    for (uint32_t k = 0; word.kind == VALUE_STRING && k < sizeof words / sizeof *words; k++)
        if (strcmp(word.string, words[k]) == 0) {
            *each = (RandomEach)k;
            return true;
        }
    sema_error(s, DIAG_KIND, at, "`each` is `position`, `sample` or `step`");
    return false;
}

static Value rule_random(Sema *s, const Call *c) {
    if (s->mode.numeric)
        return sema_error(s, DIAG_CONSTANT, c->e->span,
                          "a random number is drawn when the model runs, and a constant is needed");
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, c->e->span, "`random` cannot stand in `%s`",
                   sema_loop_word(s));
        sema_help(s, s->loop->scans
                         ? "draw them before the loop: at each position there are others"
                         : "every turn would see the same numbers; draw them before the loop, or "
                           "write the loop out with `for`");
        return POISON;
    }
    RandomEach each = RANDOM_POSITION;
    if (c->n > 1 && !random_each(s, c->a[1].value, c->a[1].at, &each))
        return POISON;
    if (!c->n || c->a[0].value.kind == VALUE_TUPLE)
        return random_draw(s, c->scope, NULL, each, c->e->span);
    const Tensor *t = value_as_tensor(s, c->a[0].value, c->a[0].at);
    return t ? random_draw(s, c->scope, t, each, c->e->span) : POISON;
}

static Value rule_concat(Sema *s, const Call *c) {
    return values_joined(s, c->n, c->a, c->e->span);
}

/* --- the table ---------------------------------------------------------------------------------*/

static const Builtin builtins[] = {
    {"exp", 1, 1, rule_unary, TIR_EXP, NULL},
    {"log", 1, 1, rule_unary, TIR_LOG, NULL},
    {"sqrt", 1, 1, rule_unary, TIR_SQRT, NULL},
    {"rsqrt", 1, 1, rule_unary, TIR_RSQRT, NULL},
    {"tanh", 1, 1, rule_unary, TIR_TANH, NULL},
    {"sigmoid", 1, 1, rule_unary, TIR_SIGMOID, NULL},
    {"erf", 1, 1, rule_unary, TIR_ERF, NULL},
    {"sin", 1, 1, rule_unary, TIR_SIN, NULL},
    {"cos", 1, 1, rule_unary, TIR_COS, NULL},
    {"abs", 1, 1, rule_unary, TIR_ABS, NULL},
    {"floor", 1, 1, rule_unary, TIR_FLOOR, NULL},
    {"stop_gradient", 1, 1, rule_unary, TIR_STOP_GRADIENT, NULL},
    {"min", 2, BUILTIN_MAX_ARGUMENTS, rule_fold, TIR_MIN, NULL},
    {"max", 2, BUILTIN_MAX_ARGUMENTS, rule_fold, TIR_MAX, NULL},
    {"clamp", 3, 3, rule_clamp, TIR_MAX, NULL},
    {"select", 3, 3, rule_select, TIR_SELECT, NULL},
    {"onehot", 1, 1, rule_onehot, TIR_ONEHOT, NULL},
    {"concat", 2, BUILTIN_MAX_ARGUMENTS, rule_concat, TIR_CONCAT, NULL},
    {"attend", 3, 7, rule_attend, TIR_ATTEND, "q k v causal scale mask bias"},
    {"embed", 2, 2, rule_embed, TIR_GATHER, NULL},
    {"permutations", 1, 1, rule_permutations, TIR_TABLE, NULL},
    {"random", 0, 2, rule_random, TIR_RANDOM, "x each"},
    {"extent", 1, 2, rule_extent, TIR_CONST, NULL},
    {"known", 1, 1, rule_known, TIR_CONST, NULL},
    {"takes", 1, 1, rule_takes, TIR_CONST, NULL},
    {"gives", 1, 1, rule_gives, TIR_CONST, NULL},
    {"batch_mean", 1, 1, rule_batch_mean, TIR_POSITION_SUM, NULL},
    {"all_positions", 1, 1, rule_all_positions, TIR_SCATTER_ADD, NULL},
    {"shift", 2, 3, rule_shift, TIR_SHIFT, NULL},
    {"window", 2, 3, rule_window, TIR_SHIFT, NULL},
    {"recur", 2, 3, rule_recur, TIR_RECUR, "f u reverse"},
};

uint32_t builtin_count(void) {
    return sizeof builtins / sizeof *builtins;
}
const char *builtin_name(uint32_t k) {
    return builtins[k].name;
}
const char *builtin_text(const Builtin *b) {
    return b->name;
}

bool builtin_takes_unknown(const Builtin *b) {
    return b->rule == rule_extent || b->rule == rule_known;
}

bool builtin_takes_word(const Builtin *b, const char *parameter) {
    return builtin_asks_site(b) ||
           (b->rule == rule_random && parameter && strcmp(parameter, "each") == 0);
}

bool builtin_asks_site(const Builtin *b) {
    return b->rule == rule_takes || b->rule == rule_gives;
}

bool builtin_is_scalar(const Builtin *b) {
    return b->rule == rule_unary || b->rule == rule_fold || b->rule == rule_clamp ||
           b->rule == rule_select;
}

const Builtin *builtin_find(const char *name) {
    for (uint32_t k = 0; k < builtin_count(); k++)
        if (strcmp(builtins[k].name, name) == 0)
            return &builtins[k];
    return NULL;
}

/* --- calls -------------------------------------------------------------------------------------*/

/* Position of a named parameter in "q k v causal", or -1. */
static int parameter_at(const char *parameters, const char *name) {
    int at = 0;
    const size_t length = strlen(name);
    for (const char *p = parameters; p && *p; at++) {
        const char *end = strchr(p, ' ');
        const size_t n = end ? (size_t)(end - p) : strlen(p);
        if (n == length && strncmp(p, name, n) == 0)
            return at;
        p = end ? end + 1 : NULL;
    }
    return -1;
}

static void help_fold(Sema *s, const Builtin *b) {
    if (b->rule == rule_fold)
        sema_help(s, "`%s(a, b)` is of several values, `%s[i] x[i]` of the entries of one", b->name,
                  b->name);
}

Value builtin_call(Sema *s, Scope *scope, const Builtin *b, const BoundArgumentList *arguments,
                   const Expr *e) {
    BoundArgument ordered[BUILTIN_MAX_ARGUMENTS];
    uint32_t n = 0;
    bool given[BUILTIN_MAX_ARGUMENTS] = {false};
    for (uint32_t k = 0; k < arguments->count; k++) {
        const BoundArgument *a = &arguments->at[k];
        int at = (int)k;
        if (a->name.text) {
            at = parameter_at(b->parameters, a->name.text);
            if (at < 0) {
                sema_error(s, DIAG_ARITY, a->name.span, "`%s` has no parameter `%s`", b->name,
                           a->name.text);
                if (b->parameters)
                    sema_help(s, "it takes: %s", b->parameters);
                help_fold(s, b);
                return POISON;
            }
        }
        if (at >= (int)b->high)
            return sema_error(s, DIAG_ARITY, e->span, "`%s` takes %u argument%s, not %u", b->name,
                              b->high, b->high == 1 ? "" : "s", arguments->count);
        ordered[at] = *a;
        given[at] = true;
        n = (uint32_t)at + 1 > n ? (uint32_t)at + 1 : n;
    }
    if (n < b->low) {
        sema_error(s, DIAG_ARITY, e->span, "`%s` takes %s%u argument%s, not %u", b->name,
                   b->low == b->high ? "" : "at least ", b->low, b->low == 1 ? "" : "s",
                   arguments->count);
        help_fold(s, b);
        return POISON;
    }
    for (uint32_t k = 0; k < n; k++) {
        if (!given[k] && k < b->low)
            return sema_error(s, DIAG_ARITY, e->span, "argument %u of `%s` is missing", k + 1,
                              b->name);
        if (!given[k]) /* not given: an empty tuple */
            ordered[k] = (BoundArgument){.value = {.kind = VALUE_TUPLE}};
        if (is_poison(ordered[k].value))
            return POISON;
    }
    return b->rule(s, &(Call){b, ordered, n, e, scope});
}
