/* Expressions to values. Numbers fold as they go; what is a tensor is built.
 *
 * Requires: names resolvable in `scope`; s->loop is the block under construction.
 * Maintains: an error gives POISON, and POISON gives POISON without a word. */
#include "sema/expr/expr.h"
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/site/trunk.h"
#include "sema/usage.h"

/* --- names -------------------------------------------------------------------------------------*/

static Value instance_number(Sema *s, const char *name, uint32_t number, bool known, Span span) {
    if (known || s->trial) /* tried out: as if it were the only site */
        return value_number(
            known ? number : name == s->words[WORD_SITES] || name == s->words[WORD_BLOCKS], span);
    const Item *item = s->frame ? s->frame->item : NULL;
    if (item && item->kind == ITEM_BRANCH && s->frame->used_at.file) {
        sema_error(s, DIAG_NOT_HERE, s->frame->used_at,
                   "`%s` needs `%s`, which is known only inside a trunk's sites", item->name.text,
                   name);
        sema_note(s, span, "it is used here");
        sema_help(s, "have it at a site: `let h = trunk(x) { a = residual : %s(...); };`",
                  item->name.text);
        return POISON;
    }
    return sema_error(
        s, DIAG_NOT_HERE, span, "`%s` is known only inside a trunk's sites%s", name,
        s->frame && s->frame->in_trunk ? ", and not in what decides how many there are" : "");
}

static Value site_number(Sema *s, const char *name, uint32_t number, const char *meaning,
                         Span span) {
    if (number)
        return value_number(number, span);
    return sema_error(s, DIAG_NOT_HERE, span, "`%s` is known only inside a connection: %s", name,
                      meaning);
}

/* `training`, `step`, `steps`: what is told to every run. */
static Value run_number(Sema *s, const char *name, Span span) {
    if (s->mode.numeric) {
        sema_error(s, DIAG_CONSTANT, span,
                   "`%s` is known when the model runs, and a constant is needed", name);
        sema_help(s, name == s->words[WORD_TRAINING] ? "write `select(training > 0, a, b)`"
                                                     : "write `select(step < 100, a, b)`");
        return POISON;
    }
    TirBuilder *b = sema_builder(s, span);
    const TirId id = name == s->words[WORD_TRAINING] ? tir_training(b)
                     : name == s->words[WORD_STEP]   ? tir_step(b)
                                                     : tir_steps(b);
    return value_tensor(s, id, NULL, span);
}

/* Words that mean something inside an instance; a definition's own names come before them. */
static bool instance_word(Sema *s, const char *name, Span span, Value *v) {
    const Frame *f = s->frame;
    const Frame none = {0};
    if (!f)
        f = &none;
    if (name == s->words[WORD_SITE])
        *v = instance_number(s, name, f->site, f->in_trunk, span);
    else if (name == s->words[WORD_SITES])
        *v = instance_number(s, name, f->sites, f->in_trunk && f->sites_known, span);
    else if (name == s->words[WORD_BLOCK])
        *v = instance_number(s, name, f->block, f->in_trunk, span);
    else if (name == s->words[WORD_BLOCKS])
        *v = instance_number(s, name, f->blocks, f->in_trunk && f->blocks, span);
    else if (name == s->words[WORD_BRANCHES])
        *v = site_number(s, name, asked_branches(f->use), "how many its site has", span);
    else if (name == s->words[WORD_BRANCH_INPUTS])
        *v = site_number(s, name, asked_inputs(f->use), "how many inputs its site's branches take",
                         span);
    else if (name == s->words[WORD_HERE]) {
        const uint32_t space = frame_space(s);
        *v = s->mode.numeric ? sema_error(s, DIAG_CONSTANT, span, "`here` is not a constant")
             : space         ? position_value(s, space, 0, span)
                             : sema_error(s, DIAG_DOMAIN, span, "there are no positions `here`");
    } else if (name == s->words[WORD_TRAINING] || name == s->words[WORD_STEP] ||
               name == s->words[WORD_STEPS]) {
        *v = run_number(s, name, span);
    } else if (name == s->words[WORD_IDENTITY]) {
        static const Pattern pattern = {.kind = PATTERN_IDENTITY};
        *v = (Value){.kind = VALUE_PATTERN, .span = span, .pattern = &pattern};
    } else
        return false;
    return true;
}

/* The axes of what a name stands for; 0 where an extent is not known yet. */
static uint32_t symbol_dims(const Symbol *symbol, uint32_t *dims) {
    if (symbol->value.kind == VALUE_TENSOR)
        return tensor_bare_dims(symbol->value.tensor, dims, NULL);
    const Repeat *r = symbol->value.repeat;
    for (uint32_t k = 0; k < r->rank; k++)
        dims[k] = r->extents[k];
    return r->rank;
}

/* An initial value reads every entry of its tables, so they have its shape. */
static bool table_fits(const Element *wanted, const Symbol *symbol) {
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = symbol_dims(symbol, dims);
    bool same = rank == wanted->rank;
    for (uint32_t k = 0; same && k < rank; k++)
        same = !dims[k] || dims[k] == wanted->dims[k];
    return same;
}

static Value table_misfit(Sema *s, const Symbol *symbol, bool table, Span span) {
    const Element *wanted = s->mode.element;
    const int64_t first[TIR_MAX_RANK] = {0};
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = symbol_dims(symbol, dims);
    if (!table && is_poison(numeric_lookup(s, symbol, rank, first, span)))
        return POISON; /* it is no constant at all, which has been said */
    sema_error(s, DIAG_SHAPE, span, "`%s` is %s, but what begins with it is %s", symbol->name,
               dims_text(s, rank, dims), dims_text(s, wanted->rank, wanted->dims));
    sema_note(s, symbol->span, "`%s` is defined here", symbol->name);
    return POISON;
}

/* A constant table by name where an initial value asks for an element. */
static bool table_element(Sema *s, const Symbol *symbol, Span span, Value *v) {
    if (symbol->value.kind != VALUE_TENSOR && symbol->value.kind != VALUE_REPEAT)
        return false;
    const bool table = value_is_table(s, symbol->value);
    const bool formula = symbol->binding && symbol->binding->target.bracketed;
    double entry;
    if (!table && !formula)
        return false;
    Element *const wanted = s->mode.element;
    wanted->pattern_used = wanted->table_used = true;
    if (!table_fits(wanted, symbol))
        *v = table_misfit(s, symbol, table, span);
    else if (table && table_entry(s, symbol->value.tensor, wanted->at, &entry))
        *v = value_number(entry, span);
    else if (formula)
        *v = numeric_lookup(s, symbol, wanted->rank, wanted->at, span);
    else
        return false;
    return true;
}

static Value elaborate_name(Sema *s, Scope *scope, const Expr *e) {
    Symbol *symbol = scope_find(s, scope, e->name);
    Value v;
    if (!symbol) {
        if (instance_word(s, e->name, e->span, &v))
            return v.kind == VALUE_PATTERN && s->mode.element ? pattern_element(s, v, e->span) : v;
        const Builtin *builtin = builtin_find(e->name);
        if (builtin) {
            Callable *callable = ARENA_NEW(s->arena, Callable);
            callable->builtin = builtin;
            return (Value){.kind = VALUE_CALLABLE, .span = e->span, .callable = callable};
        }
        scope_unknown(s, scope, e->name, e->span, "name");
        return POISON;
    }
    usage_mark(s, symbol);
    switch (symbol->kind) {
    case SYMBOL_VALUE:
        v = symbol->value;
        if (symbol->unbegun) {
            sema_error(s, DIAG_STATE, e->span, "the state `%s` has no value before its `begin`",
                       e->name);
            sema_help(s, "write `begin %s... = ...;` above", e->name);
            symbol->unbegun = false;
            return POISON;
        }
        if (s->mode.table && symbol->assigned > s->mode.table->defined) {
            sema_error(s, DIAG_CONSTANT, s->mode.table_at,
                       "the table `%s` was defined with an earlier value of `%s`",
                       s->mode.table->name, e->name);
            sema_note(s, s->mode.table->span, "`%s` is defined here", s->mode.table->name);
            sema_help(s, "define the table after the loop that assigns to `%s`", e->name);
            return POISON;
        }
        if (s->mode.element && v.kind != VALUE_NUMBER && v.kind != VALUE_POISON &&
            table_element(s, symbol, e->span, &v))
            return v;
        if (s->mode.numeric && (v.kind == VALUE_TENSOR || v.kind == VALUE_REPEAT)) {
            sema_error(s, DIAG_CONSTANT, e->span,
                       "`%s` is not known before the model runs; a constant is needed here",
                       e->name);
            sema_note(s, symbol->span, "`%s` is defined here", e->name);
            return POISON;
        }
        return v;
    case SYMBOL_CONST:
        return symbol_constant(s, symbol);
    case SYMBOL_INDEX:
        return index_as_value(s, symbol->index, e->span);
    case SYMBOL_POSITION:
        if (s->mode.numeric)
            return sema_error(s, DIAG_CONSTANT, e->span, "the position `%s` is not a constant",
                              e->name);
        return position_value(s, symbol->space, symbol->axis, e->span);
    case SYMBOL_ITEM:
        v = (Value){.kind = VALUE_CALLABLE, .span = e->span};
        v.callable = callable_of_item(s, symbol->item, scope_root(symbol->scope));
        return v;
    }
    return POISON;
}

/* --- operators ---------------------------------------------------------------------------------*/

static Value elaborate_sum(Sema *s, Scope *scope, const Expr *e) {
    Value sum = elaborate(s, scope, e->chain.terms.at[0]);
    for (uint32_t k = 1; k < e->chain.terms.count; k++) {
        const Value term = elaborate(s, scope, e->chain.terms.at[k]);
        const Span span = span_join(e->chain.terms.at[0]->span, e->chain.terms.at[k]->span);
        sum = value_binary(s, e->chain.ops.at[k] == OP_ADD ? TIR_ADD : TIR_SUB, sum, term, span);
    }
    return sum;
}

static Value elaborate_product(Sema *s, Scope *scope, const Expr *e) {
    Value product = elaborate(s, scope, e->chain.terms.at[0]);
    for (uint32_t k = 1; k < e->chain.terms.count; k++) {
        const Value factor = elaborate(s, scope, e->chain.terms.at[k]);
        const Span span = span_join(e->chain.terms.at[0]->span, e->chain.terms.at[k]->span);
        if (e->chain.ops.at[k] == OP_MOD)
            product = value_modulo(s, product, factor, span);
        else
            product = value_binary(s, e->chain.ops.at[k] == OP_MUL ? TIR_MUL : TIR_DIV, product,
                                   factor, span);
    }
    return product;
}

static Value elaborate_compare(Sema *s, Scope *scope, const Expr *e) {
    const Value a = elaborate(s, scope, e->compare.left), b = elaborate(s, scope, e->compare.right);
    switch (e->compare.op) {
    case OP_LT:
        return value_binary(s, TIR_LT, a, b, e->span);
    case OP_LE:
        return value_binary(s, TIR_LE, a, b, e->span);
    case OP_GT:
        return value_binary(s, TIR_LT, b, a, e->span);
    case OP_GE:
        return value_binary(s, TIR_LE, b, a, e->span);
    case OP_EQ:
        return value_binary(s, TIR_EQ, a, b, e->span);
    case OP_NE:
        return value_unary(s, TIR_NOT, value_binary(s, TIR_EQ, a, b, e->span), e->span);
    }
    return POISON;
}

/* `n > 1 && 8 % n == 0`: what decides already keeps the rest from being looked at. */
static Value elaborate_logic(Sema *s, Scope *scope, const Expr *e) {
    const bool decides = e->logic.op == OP_OR;
    Value v = elaborate(s, scope, e->logic.terms.at[0]);
    for (uint32_t k = 1; k < e->logic.terms.count; k++) {
        if (v.kind == VALUE_BOOL && v.boolean == decides)
            return v;
        v = value_binary(s, decides ? TIR_OR : TIR_AND, v,
                         elaborate(s, scope, e->logic.terms.at[k]), e->span);
    }
    return v;
}

static Value elaborate_tuple(Sema *s, Scope *scope, const Expr *e) {
    Value *at = ARENA_ARRAY(s->arena, Value, e->tuple.count);
    for (uint32_t k = 0; k < e->tuple.count; k++)
        at[k] = elaborate(s, scope, e->tuple.at[k]);
    Value v = {.kind = VALUE_TUPLE, .span = e->span};
    v.tuple.at = at;
    v.tuple.count = e->tuple.count;
    return v;
}

/* `[a, -b]`; of numbers alone a table. */
static Value elaborate_list(Sema *s, Scope *scope, const Expr *e) {
    if (s->mode.element)
        return numeric_list_element(s, scope, e);
    if (s->mode.numeric) {
        sema_error(s, DIAG_CONSTANT, e->span, "a list is a tensor, and a constant is needed here");
        sema_help(s, "write `let T = [1, 2];`; an entry of it is a constant, `T[0]`");
        return POISON;
    }
    BoundArgument *entries = ARENA_ARRAY(s->arena, BoundArgument, e->tuple.count);
    bool good = true;
    Mode mode = s->mode;
    mode.every_axis = false;
    const Mode outer = mode_enter(s, mode);
    for (uint32_t k = 0; k < e->tuple.count; k++) {
        entries[k].value = elaborate(s, scope, e->tuple.at[k]);
        entries[k].at = e->tuple.at[k]->span;
        good = good && !is_poison(entries[k].value);
    }
    mode_leave(s, outer);
    return good ? values_stacked(s, e->tuple.count, entries, e->span) : POISON;
}

static Value elaborate_kind(Sema *s, Scope *scope, const Expr *e) {
    switch (e->kind) {
    case EXPR_NUMBER:
        return value_number(e->number, e->span);
    case EXPR_BOOL:
        return value_bool(e->boolean, e->span);
    case EXPR_STRING:
        return (Value){.kind = VALUE_STRING, .span = e->span, .string = e->string};
    case EXPR_NAME:
        return elaborate_name(s, scope, e);
    case EXPR_UNARY:
        return value_unary(s, e->unary.op == OP_NEG ? TIR_NEG : TIR_NOT,
                           elaborate(s, scope, e->unary.operand), e->span);
    case EXPR_SUM:
        return elaborate_sum(s, scope, e);
    case EXPR_PRODUCT:
        return elaborate_product(s, scope, e);
    case EXPR_POWER:
        return value_power(s, elaborate(s, scope, e->power.base),
                           elaborate(s, scope, e->power.exponent), e->span);
    case EXPR_COMPARE:
        return elaborate_compare(s, scope, e);
    case EXPR_LOGIC:
        return elaborate_logic(s, scope, e);
    case EXPR_INDEX:
        return elaborate_index(s, scope, e);
    case EXPR_MEMBER:
        return elaborate_member(s, scope, e);
    case EXPR_CALL:
        return elaborate_call(s, scope, e);
    case EXPR_REDUCE:
        return elaborate_reduce(s, scope, e);
    case EXPR_TUPLE:
        return elaborate_tuple(s, scope, e);
    case EXPR_LIST:
        return elaborate_list(s, scope, e);
    case EXPR_SLICE:
        sema_error(s, DIAG_NOT_HERE, e->span, "`..` stands in a subscript alone: `x[2 .. 5]`");
        return POISON;
    case EXPR_TRUNK:
        return s->mode.numeric ? sema_error(s, DIAG_CONSTANT, e->span, "a trunk is not a constant")
                               : elaborate_trunk(s, scope, e);
    case EXPR_ERROR:
        return POISON;
    }
    return POISON;
}

Value elaborate(Sema *s, Scope *scope, const Expr *e) {
    if (!e)
        return POISON;
    if (!budget_step(s, e->span) || !budget_descend(s, e->span))
        return POISON;
    Value v;
    const bool composite = e->kind == EXPR_SUM || e->kind == EXPR_PRODUCT ||
                           e->kind == EXPR_POWER || e->kind == EXPR_CALL;
    if (composite && !s->mode.numeric && !s->mode.constant && numeric_is_table(s, scope, e))
        v = numeric_table(s, scope, e);
    else
        v = elaborate_kind(s, scope, e);
    budget_ascend(s);
    return v;
}
