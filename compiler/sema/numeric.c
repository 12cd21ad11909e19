/* Expressions of numbers and indices, evaluated now: index maps, tables, initial values. The same
 * elaborator does it, with every index standing for one number at a time.
 *
 * Smallest example: x[2*f + a] evaluates 2*f + a for all f, a and finds 0, 1, 2, ...: a reshape. */
#include "sema/internal.h"
#include <math.h>

/* `extent(X, 0)` is known though X is not. */
static bool asks_extent(Sema *s, Scope *scope, const Expr *e) {
    const Expr *callee = e->call.callee;
    if (callee->kind != EXPR_NAME || callee->name != intern_str(s->c->interner, "extent") ||
        e->call.arguments.count == 0 || scope_find(s, scope, callee->name))
        return false;
    const Expr *of = e->call.arguments.at[0].value;
    const Symbol *symbol = of && of->kind == EXPR_NAME ? scope_find(s, scope, of->name) : NULL;
    return symbol && symbol->kind == SYMBOL_VALUE && symbol->value.kind == VALUE_TENSOR;
}

/* 0: plain number; 1: mentions an index; -1: holds something that is not known now. */
static int classify(Sema *s, Scope *scope, const Expr *e);

static int classify_list(Sema *s, Scope *scope, const ExprList *list) {
    int found = 0;
    for (uint32_t k = 0; k < list->count; k++) {
        const int c = classify(s, scope, list->at[k]);
        if (c < 0)
            return -1;
        found |= c;
    }
    return found;
}

static int classify_name(Sema *s, Scope *scope, const char *name) {
    const Symbol *symbol = scope_find(s, scope, name);
    if (!symbol) {
        for (uint32_t k = WORD_SITE; k <= WORD_BRANCH_INPUTS; k++)
            if (name == s->words[k])
                return 0;
        return -1;
    }
    switch (symbol->kind) {
    case SYMBOL_INDEX:
        return 1;
    case SYMBOL_VALUE:
        return symbol->value.kind == VALUE_NUMBER || symbol->value.kind == VALUE_BOOL ? 0 : -1;
    case SYMBOL_CONST:
        return 0;
    default:
        return -1;
    }
}

static bool name_is(Sema *s, const Expr *e, const char *name) {
    return e->kind == EXPR_NAME && e->name == intern_str(s->c->interner, name);
}

bool numeric_call(Sema *s, Scope *scope, const Expr *e) {
    const char *const known[] = {"select", "min", "max", "abs",  "exp",  "log",
                                 "sqrt",   "sin", "cos", "tanh", "floor"};
    for (uint32_t k = 0; k < sizeof known / sizeof *known; k++)
        if (name_is(s, e->call.callee, known[k]))
            return !scope_find(s, scope, e->call.callee->name);
    return false;
}

static int classify(Sema *s, Scope *scope, const Expr *e) {
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_BOOL:
        return 0;
    case EXPR_NAME:
        return classify_name(s, scope, e->name);
    case EXPR_UNARY:
        return classify(s, scope, e->unary.operand);
    case EXPR_SUM:
    case EXPR_PRODUCT:
        return classify_list(s, scope, &e->chain.terms);
    case EXPR_LOGIC:
        return classify_list(s, scope, &e->logic.terms);
    case EXPR_POWER: {
        const int a = classify(s, scope, e->power.base);
        const int b = a < 0 ? -1 : classify(s, scope, e->power.exponent);
        return b < 0 ? -1 : a | b;
    }
    case EXPR_INDEX: { /* one entry of a table; more of one stay what they are, a tensor */
        const Expr *base = e->index.base;
        const Symbol *symbol = base->kind == EXPR_NAME ? scope_find(s, scope, base->name) : NULL;
        if (!symbol || symbol->kind != SYMBOL_VALUE || !value_is_table(s, symbol->value))
            return -1;
        return classify_list(s, scope, &e->index.indices) == 0 ? 0 : -1;
    }
    case EXPR_COMPARE: {
        const int a = classify(s, scope, e->compare.left);
        const int b = a < 0 ? -1 : classify(s, scope, e->compare.right);
        return b < 0 ? -1 : a | b;
    }
    case EXPR_CALL: {
        if (asks_extent(s, scope, e))
            return 0;
        if (!numeric_call(s, scope, e))
            return -1;
        int found = 0;
        for (uint32_t k = 0; k < e->call.arguments.count; k++) {
            const int c = classify(s, scope, e->call.arguments.at[k].value);
            if (c < 0)
                return -1;
            found |= c;
        }
        return found;
    }
    default:
        return -1;
    }
}

bool numeric_is_table(Sema *s, Scope *scope, const Expr *e) {
    return classify(s, scope, e) == 1;
}
bool numeric_is_number(Sema *s, Scope *scope, const Expr *e) {
    return classify(s, scope, e) == 0;
}

/* --- indices in an expression ------------------------------------------------------------------*/

/* Calls `visit` on every name that `e` reads. */
typedef void NameVisitor(Sema *s, Scope *scope, const Expr *name, void *user);

static void visit_names(Sema *s, Scope *scope, const Expr *e, NameVisitor *visit, void *user);

static void visit_list(Sema *s, Scope *scope, const ExprList *list, NameVisitor *visit,
                       void *user) {
    for (uint32_t k = 0; k < list->count; k++)
        visit_names(s, scope, list->at[k], visit, user);
}

static void visit_names(Sema *s, Scope *scope, const Expr *e, NameVisitor *visit, void *user) {
    switch (e->kind) {
    case EXPR_NAME:
        visit(s, scope, e, user);
        return;
    case EXPR_UNARY:
        visit_names(s, scope, e->unary.operand, visit, user);
        return;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        visit_list(s, scope, &e->chain.terms, visit, user);
        return;
    case EXPR_LOGIC:
        visit_list(s, scope, &e->logic.terms, visit, user);
        return;
    case EXPR_POWER:
        visit_names(s, scope, e->power.base, visit, user);
        visit_names(s, scope, e->power.exponent, visit, user);
        return;
    case EXPR_COMPARE:
        visit_names(s, scope, e->compare.left, visit, user);
        visit_names(s, scope, e->compare.right, visit, user);
        return;
    case EXPR_INDEX:
        visit_names(s, scope, e->index.base, visit, user);
        visit_list(s, scope, &e->index.indices, visit, user);
        return;
    case EXPR_CALL:
        for (uint32_t k = 0; k < e->call.arguments.count; k++)
            visit_names(s, scope, e->call.arguments.at[k].value, visit, user);
        return;
    case EXPR_REDUCE:
        for (uint32_t k = 0; k < e->reduce.ranges.count; k++)
            if (e->reduce.ranges.at[k])
                visit_names(s, scope, e->reduce.ranges.at[k], visit, user);
        visit_names(s, scope, e->reduce.operand, visit, user);
        return;
    default:
        return;
    }
}

typedef struct {
    Index **found;
    uint32_t n;
} Mentioned;

static void mention(Sema *s, Scope *scope, const Expr *e, void *user) {
    Mentioned *m = user;
    const Symbol *symbol = scope_find(s, scope, e->name);
    if (!symbol || symbol->kind != SYMBOL_INDEX || symbol->index->fixed)
        return;
    for (uint32_t k = 0; k < m->n; k++)
        if (m->found[k] == symbol->index)
            return;
    if (m->n < MAX_MENTIONED)
        m->found[m->n++] = symbol->index;
}

uint32_t numeric_mentioned(Sema *s, Scope *scope, const Expr *e, Index **found) {
    Mentioned m = {found, 0};
    visit_names(s, scope, e, mention, &m);
    return m.n;
}

typedef struct {
    NamedPosition *found;
    uint32_t n;
} MentionedPositions;

static void mention_position(Sema *s, Scope *scope, const Expr *e, void *user) {
    MentionedPositions *m = user;
    NamedPosition p = {.name = e->name, .span = e->span};
    const Symbol *symbol = scope_find(s, scope, e->name);
    if (symbol && symbol->kind == SYMBOL_POSITION) {
        p.space = symbol->space;
        p.axis = symbol->axis;
    } else if (!symbol && e->name == s->words[WORD_HERE]) {
        p.space = s->frame && s->frame->space ? s->frame->space : sema_position_space(s);
    }
    for (uint32_t k = 0; k < m->n; k++)
        if (m->found[k].name == p.name)
            return;
    if (p.space && m->n < MAX_MENTIONED)
        m->found[m->n++] = p;
}

uint32_t numeric_positions(Sema *s, Scope *scope, const Expr *e, NamedPosition *found) {
    MentionedPositions m = {found, 0};
    visit_names(s, scope, e, mention_position, &m);
    return m.n;
}

double *table_alloc(Sema *s, uint64_t count, Span span) {
    if (count > NUMERIC_LARGEST) {
        sema_error(s, DIAG_SIZE, span, "a table of %llu entries is too large",
                   (unsigned long long)count);
        return NULL;
    }
    s->table_entries += count;
    if (s->table_entries > NUMERIC_TOTAL) {
        sema_error(s, DIAG_SIZE, span, "the tables of this file have more than %u entries together",
                   NUMERIC_TOTAL);
        return NULL;
    }
    return ARENA_ARRAY(s->arena, double, count);
}

/* --- evaluation --------------------------------------------------------------------------------*/

static bool numeric_step(uint32_t n, Index *const *indices) {
    for (uint32_t k = n; k-- > 0;) {
        if (++indices[k]->current < indices[k]->extent)
            return true;
        indices[k]->current = 0;
    }
    return false;
}

bool numeric_evaluate(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index *const *indices,
                      double *out) {
    const bool numeric = s->numeric;
    s->numeric = true;
    for (uint32_t k = 0; k < n; k++) {
        indices[k]->fixed = true;
        indices[k]->current = 0;
    }
    bool good = true;
    uint64_t at = 0;
    do {
        const Value v = elaborate(s, scope, e);
        good = v.kind == VALUE_NUMBER || v.kind == VALUE_BOOL;
        if (!good && !is_poison(v))
            sema_error(s, DIAG_CONSTANT, e->span, "a number known now is needed here, not %s",
                       value_text(s, v));
        else if (good)
            out[at++] = v.kind == VALUE_BOOL ? v.boolean : v.number;
    } while (good && numeric_step(n, indices));
    for (uint32_t k = 0; k < n; k++)
        indices[k]->fixed = false;
    s->numeric = numeric;
    return good;
}

static void sort_by_serial(uint32_t n, Index **indices) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && indices[k - 1]->serial > indices[k]->serial; k--) {
            Index *swap = indices[k];
            indices[k] = indices[k - 1];
            indices[k - 1] = swap;
        }
}

static bool extents_known(Sema *s, uint32_t n, Index *const *indices, Span span) {
    for (uint32_t k = 0; k < n; k++)
        if (!indices[k]->extent) {
            sema_error(s, DIAG_INDEX_EXTENT, span,
                       "the range of index `%s` cannot be told: it indexes nothing",
                       indices[k]->name);
            sema_help(s, "give it on the left: `[%s < 4]`", indices[k]->name);
            return false;
        }
    return true;
}

Value numeric_table(Sema *s, Scope *scope, const Expr *e) {
    Index *indices[MAX_MENTIONED];
    const uint32_t n = numeric_mentioned(s, scope, e, indices);
    if (n == 0) /* all fixed */
        return POISON;
    sort_by_serial(n, indices);
    if (!extents_known(s, n, indices, e->span))
        return POISON;
    uint32_t dims[TIR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++)
        dims[k] = indices[k]->extent;
    uint64_t count;
    if (!element_count(s, n, dims, e->span, &count))
        return POISON;
    double *data = table_alloc(s, count, e->span);
    if (!data || !numeric_evaluate(s, scope, e, n, indices, data))
        return POISON;
    const TirId id = tir_table(sema_builder(s, e->span), TIR_REAL, n, dims, data);
    return value_tensor(s, id, indices, e->span);
}

/* T[3, 0] of `let T[i, j] = ...`, by evaluating its right side there. */
Value numeric_lookup(Sema *s, const Symbol *symbol, uint32_t n, const int64_t *at, Span span) {
    const Binding *b = symbol->binding;
    Scope *inner = scope_create(s, symbol->scope, symbol->scope->frame);
    for (uint32_t k = 0; k < n; k++) {
        const Expr *ie = b->target.indices.at[k];
        if (ie->kind == EXPR_COMPARE)
            ie = ie->compare.left;
        if (ie->kind != EXPR_NAME)
            return sema_error(s, DIAG_CONSTANT, span, "`%s` is not a constant table", symbol->name);
        Index *index = ARENA_NEW(s->arena, Index);
        index->name = ie->name;
        index->span = ie->span;
        index->serial = ++s->next_serial;
        index->fixed = true;
        index->current = at[k];
        scope_define(s, inner, ie->name, ie->span, SYMBOL_INDEX)->index = index;
    }
    const bool numeric = s->numeric, element = s->element_wanted;
    Frame *const frame = s->frame;
    const Symbol *const table = s->table;
    const Span table_at = s->table_at;
    if (!table)
        s->table_at = span;
    s->table = symbol;
    s->numeric = true;
    s->element_wanted = false;
    s->frame = symbol->scope->frame;
    const Value v = elaborate(s, inner, b->value);
    s->numeric = numeric;
    s->element_wanted = element;
    s->frame = frame;
    s->table = table;
    s->table_at = table_at;
    return v;
}

/* sum[k] and the like, over numbers. */
bool numeric_reduce(Sema *s, Scope *scope, const Expr *e, Value *result) {
    Index *indices[TIR_MAX_RANK];
    Scope *inner = scope_create(s, scope, scope->frame);
    if (e->reduce.indices.count > TIR_MAX_RANK || e->reduce.op == REDUCE_SOFTMAX)
        return false;
    for (uint32_t k = 0; k < e->reduce.indices.count; k++) {
        indices[k] = index_create(s, inner, e->reduce.indices.at[k]);
        if (!indices[k] || !index_bound(s, scope, indices[k], e->reduce.ranges.at[k]))
            return false;
    }
    infer_extents(s, inner, e->reduce.operand);
    uint32_t extents[TIR_MAX_RANK];
    uint64_t count;
    if (!extents_known(s, e->reduce.indices.count, indices, e->span))
        return false;
    for (uint32_t k = 0; k < e->reduce.indices.count; k++)
        extents[k] = indices[k]->extent;
    if (!element_count(s, e->reduce.indices.count, extents, e->span, &count) || count > 1u << 20)
        return false;
    double *data = table_alloc(s, count, e->span);
    if (!data ||
        !numeric_evaluate(s, inner, e->reduce.operand, e->reduce.indices.count, indices, data))
        return false;
    double r = e->reduce.op == REDUCE_PROD ? 1 : 0, best = data[0];
    uint64_t where = 0;
    for (uint64_t k = 0; k < count; k++) {
        r = e->reduce.op == REDUCE_PROD        ? r * data[k]
            : e->reduce.op == REDUCE_LOGSUMEXP ? r + exp(data[k])
                                               : r + data[k];
        if (e->reduce.op == REDUCE_MIN ? data[k] < best : data[k] > best) {
            best = data[k];
            where = k;
        }
    }
    if (e->reduce.op == REDUCE_MAX || e->reduce.op == REDUCE_MIN)
        r = best;
    else if (e->reduce.op == REDUCE_MEAN)
        r /= (double)count;
    else if (e->reduce.op == REDUCE_LOGSUMEXP)
        r = log(r);
    else if (e->reduce.op == REDUCE_ARGMAX)
        r = (double)where;
    *result = value_number(r, e->span);
    return true;
}
