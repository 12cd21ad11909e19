/* What an expression is, before it is elaborated: a number, a table of indices, or neither; and
 * which indices and positions it mentions. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"

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

/* `takes(v0)`, whose argument is no value. */
static bool asks_site(Sema *s, Scope *scope, const Expr *e) {
    const Expr *callee = e->call.callee;
    const Builtin *b = callee->kind == EXPR_NAME ? builtin_find(callee->name) : NULL;
    return b && builtin_asks_site(b) && !scope_find(s, scope, callee->name);
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

bool numeric_call(Sema *s, Scope *scope, const Expr *e) {
    if (e->call.callee->kind != EXPR_NAME)
        return false;
    const Builtin *b = builtin_find(e->call.callee->name);
    return b && builtin_is_scalar(b) && !scope_find(s, scope, e->call.callee->name);
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
        if (asks_extent(s, scope, e) || asks_site(s, scope, e))
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

/* --- names in an expression --------------------------------------------------------------------*/

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
    case EXPR_MEMBER:
        visit_names(s, scope, e->member.base, visit, user);
        return;
    case EXPR_LIST:
        visit_list(s, scope, &e->tuple, visit, user);
        return;
    case EXPR_CALL:
        for (uint32_t k = 0; k < e->call.arguments.count && !asks_site(s, scope, e); k++)
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
    bool too_many;
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
    else
        m->too_many = true;
}

static void find_unknown(Sema *s, Scope *scope, const Expr *e, void *user) {
    bool known = scope_find(s, scope, e->name) || builtin_find(e->name);
    for (uint32_t k = 0; !known && k < WORD_COUNT; k++)
        known = e->name == s->words[k];
    *(bool *)user = *(bool *)user && known;
}

bool numeric_names_known(Sema *s, Scope *scope, const Expr *e) {
    bool known = true;
    visit_names(s, scope, e, find_unknown, &known);
    return known;
}

bool numeric_mentions_index(Sema *s, Scope *scope, const Expr *e) {
    Index *found[MAX_MENTIONED];
    Mentioned m = {.found = found};
    visit_names(s, scope, e, mention, &m);
    return m.n > 0;
}

bool numeric_indices(Sema *s, Scope *scope, const Expr *e, Index **found, uint32_t *n) {
    Mentioned m = {.found = found};
    visit_names(s, scope, e, mention, &m);
    *n = m.n;
    if (m.too_many)
        sema_error(s, DIAG_RANK, e->span, "this has more than %d indices", MAX_MENTIONED);
    return !m.too_many;
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
        p.space = frame_space(s);
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

Index *index_named(Sema *s, Scope *scope, const Expr *e) {
    if (e->kind != EXPR_NAME)
        return NULL;
    const Symbol *symbol = scope_find(s, scope, e->name);
    return symbol && symbol->kind == SYMBOL_INDEX && !symbol->index->fixed ? symbol->index : NULL;
}

/* `t`, `t + 1`: the position. */
const Symbol *position_named(Sema *s, Scope *scope, const Expr *e) {
    if (e->kind == EXPR_SUM && e->chain.terms.count == 2)
        e = e->chain.terms.at[0];
    if (e->kind != EXPR_NAME)
        return NULL;
    const Symbol *symbol = scope_find(s, scope, e->name);
    return symbol && symbol->kind == SYMBOL_POSITION ? symbol : NULL;
}

/* `tokens[i]`, `f(x)[i]`, `argmax[j] x[j]`; not a constant table `T[i]` or `floor(t / 2)`. */
bool names_value_of_the_run(Sema *s, Scope *scope, const Expr *e) {
    if (e->kind == EXPR_REDUCE)
        return true;
    if (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_LIST)
        return false;
    if (e->kind == EXPR_CALL)
        return !numeric_call(s, scope, e);
    if (e->kind != EXPR_INDEX)
        return false;
    if (e->index.base->kind != EXPR_NAME)
        return true;
    const Symbol *symbol = scope_find(s, scope, e->index.base->name);
    return symbol && symbol->kind == SYMBOL_VALUE && symbol->value.kind == VALUE_TENSOR &&
           (symbol->value.tensor->type.elem == TIR_INT || !symbol->binding);
}

/* --- positions that something is taken from ----------------------------------------------------*/

static bool is_moved_position(Sema *s, Scope *scope, const Expr *e, uint32_t space) {
    const Symbol *position = position_named(s, scope, e);
    return position && position->space == space &&
           (e->kind == EXPR_NAME || numeric_is_number(s, scope, e->chain.terms.at[1]));
}

static bool mentions_another_space(Sema *s, Scope *scope, const Expr *e, uint32_t space) {
    NamedPosition found[MAX_MENTIONED];
    const uint32_t n = e->kind == EXPR_SLICE || names_value_of_the_run(s, scope, e)
                           ? 0
                           : numeric_positions(s, scope, e, found);
    for (uint32_t k = 0; k < n; k++)
        if (found[k].space != space)
            return true;
    return false;
}

bool names_position_of_the_run(Sema *s, Scope *scope, const Expr *e) {
    const Symbol *symbol = e->kind == EXPR_NAME ? scope_find(s, scope, e->name) : NULL;
    const bool integers = symbol && symbol->kind == SYMBOL_VALUE &&
                          symbol->value.kind == VALUE_TENSOR &&
                          symbol->value.tensor->type.elem == TIR_INT;
    return integers || (!index_named(s, scope, e) && names_value_of_the_run(s, scope, e));
}

/* An index or a number alone is a position where positions have a name; in definitions, which are
 * for one position, it is of an axis that is not there. */
static bool says_position(Sema *s, Scope *scope, const Expr *e, uint32_t space) {
    NamedPosition found[MAX_MENTIONED];
    const Symbol *named = scope_find(s, scope, s->program->spaces.at[space - 1].name);
    return names_position_of_the_run(s, scope, e) || numeric_positions(s, scope, e, found) ||
           (named && named->kind == SYMBOL_POSITION && named->space == space &&
            (index_named(s, scope, e) || numeric_is_number(s, scope, e)));
}

uint32_t elsewhere_subscripts(Sema *s, Scope *scope, const ExprList *list, uint32_t rank,
                              uint32_t space) {
    const uint32_t n = space ? s->program->spaces.at[space - 1].rank : 0;
    if (n == 0 || list->count < n)
        return 0;
    uint32_t moved = 0, others = 0, said = 0;
    for (uint32_t k = 0; k < list->count; k++) {
        const Expr *e = list->at[k];
        if (k < n && e->kind == EXPR_SLICE)
            return 0;
        moved += is_moved_position(s, scope, e, space);
        others += k < n && mentions_another_space(s, scope, e, space);
        said += k < n && says_position(s, scope, e, space);
    }
    return others || (list->count == rank + n && moved < n && said) ? n : 0;
}
