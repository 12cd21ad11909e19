/* Constructors of expressions. They keep `height` and refuse to build beyond AST_NESTING: such a
 * node becomes an EXPR_ERROR, after one E0501 for the file. */
#include "syntax/ast_build.h"
#include "syntax/parser.h"
#include "syntax/syntax_error.h"
#include "syntax/words.h"

static Expr *ast_new(Parser *p, ExprKind kind, Span at) {
    Expr *e = ARENA_NEW(p->arena, Expr);
    e->kind = kind;
    e->span = at;
    e->height = 1;
    return e;
}

/* Puts `child` below `e`; true when `e` has grown too high and is an EXPR_ERROR now. */
static bool ast_raise(Parser *p, Expr *e, const Expr *child) {
    if (e->kind == EXPR_ERROR)
        return true;
    if (child->height >= e->height)
        e->height = (uint16_t)(child->height + 1);
    if (e->height <= AST_NESTING)
        return false;
    parser_report_nesting(p, child->span);
    *e = (Expr){.kind = EXPR_ERROR, .span = e->span, .height = 1};
    return true;
}

Expr *ast_error(Parser *p, Span at) {
    return ast_new(p, EXPR_ERROR, at);
}

Expr *ast_number(Parser *p, Span at, double number) {
    Expr *e = ast_new(p, EXPR_NUMBER, at);
    e->number = number;
    return e;
}

Expr *ast_string(Parser *p, Span at, const char *string) {
    Expr *e = ast_new(p, EXPR_STRING, at);
    e->string = string;
    return e;
}

Expr *ast_boolean(Parser *p, Span at, bool boolean) {
    Expr *e = ast_new(p, EXPR_BOOL, at);
    e->boolean = boolean;
    return e;
}

Expr *ast_name(Parser *p, Name name) {
    Expr *e = ast_new(p, EXPR_NAME, name.span);
    e->name = name.text;
    return e;
}

Expr *ast_parenthesised(Parser *p, Span at, Expr *inner) {
    (void)p;
    inner->parenthesised = true;
    inner->span = at;
    return inner;
}

Expr *ast_unary(Parser *p, UnaryOp op, Span at, Expr *operand) {
    Expr *e = ast_new(p, EXPR_UNARY, at);
    e->unary.op = op;
    e->unary.operand = operand;
    ast_raise(p, e, operand);
    return e;
}

Expr *ast_power(Parser *p, Span at, Expr *base, Expr *exponent) {
    Expr *e = ast_new(p, EXPR_POWER, at);
    e->power.base = base;
    e->power.exponent = exponent;
    if (!ast_raise(p, e, base))
        ast_raise(p, e, exponent);
    return e;
}

Expr *ast_chain(Parser *p, ExprKind kind, ArithmeticOp op, Span at, Expr *left, Expr *right) {
    Expr *e = left;
    if (left->kind != kind || left->parenthesised) {
        e = ast_new(p, kind, at);
        vec_push(p->arena, &e->chain.terms, left);
        vec_push(p->arena, &e->chain.ops, kind == EXPR_SUM ? OP_ADD : OP_MUL);
        if (ast_raise(p, e, left))
            return e;
    }
    e->span = at;
    vec_push(p->arena, &e->chain.terms, right);
    vec_push(p->arena, &e->chain.ops, op);
    ast_raise(p, e, right);
    return e;
}

Expr *ast_logic(Parser *p, LogicOp op, Span at, Expr *left, Expr *right) {
    Expr *e = left;
    if (left->kind != EXPR_LOGIC || left->logic.op != op || left->parenthesised) {
        e = ast_new(p, EXPR_LOGIC, at);
        e->logic.op = op;
        vec_push(p->arena, &e->logic.terms, left);
        if (ast_raise(p, e, left))
            return e;
    }
    e->span = at;
    vec_push(p->arena, &e->logic.terms, right);
    ast_raise(p, e, right);
    return e;
}

Expr *ast_compare(Parser *p, CompareOp op, Span at, Expr *left, Expr *right) {
    Expr *e = ast_new(p, EXPR_COMPARE, at);
    e->compare.op = op;
    e->compare.left = left;
    e->compare.right = right;
    if (!ast_raise(p, e, left))
        ast_raise(p, e, right);
    return e;
}

Expr *ast_reduce(Parser *p, ReduceKind op, Span at, BindingList *indices, Expr *operand) {
    if (!indices)
        return ast_error(p, at);
    Expr *e = ast_new(p, EXPR_REDUCE, at);
    e->reduce.op = op;
    e->reduce.operand = operand;
    bool too_high = ast_raise(p, e, operand);
    for (uint32_t k = 0; k < indices->count && !too_high; k++) {
        const Binding *index = &indices->at[k];
        vec_push(p->arena, &e->reduce.indices, index->target.name);
        vec_push(p->arena, &e->reduce.ranges, index->value);
        too_high = index->value && ast_raise(p, e, index->value);
    }
    return e;
}

Expr *ast_index(Parser *p, Span at, Expr *base, ExprList *indices) {
    Expr *e = ast_new(p, EXPR_INDEX, at);
    e->index.base = base;
    e->index.indices = *indices;
    bool too_high = ast_raise(p, e, base);
    for (uint32_t k = 0; k < indices->count && !too_high; k++)
        too_high = ast_raise(p, e, indices->at[k]);
    return e;
}

Expr *ast_member(Parser *p, Span at, Expr *base, Name name) {
    Expr *e = ast_new(p, EXPR_MEMBER, at);
    e->member.base = base;
    e->member.name = name;
    ast_raise(p, e, base);
    return e;
}

Expr *ast_call_member(Parser *p, Span at, Name name) {
    diag_error(p->c->diagnostics, DIAG_SYNTAX, name.span,
               "`%s` stands behind a point, where no function is called", name.text);
    diag_help(p->c->diagnostics, "what is applied comes first: `%s(x)`", name.text);
    return ast_error(p, at);
}

static Expr *ast_call_of(Parser *p, Span at, Expr *callee, ArgumentList *arguments) {
    Expr *e = ast_new(p, EXPR_CALL, at);
    e->call.callee = callee;
    bool too_high = ast_raise(p, e, callee);
    if (!arguments)
        return e;
    e->call.arguments = *arguments;
    for (uint32_t k = 0; k < arguments->count && !too_high; k++)
        too_high = ast_raise(p, e, arguments->at[k].value);
    return e;
}

Expr *ast_call(Parser *p, Span at, Name callee, ArgumentList *arguments) {
    return ast_call_of(p, at, ast_name(p, callee), arguments);
}

Expr *ast_call_entry(Parser *p, Span at, Expr *entry, ArgumentList *arguments) {
    const bool named = entry->kind == EXPR_INDEX && entry->index.base->kind == EXPR_NAME;
    if (entry->kind != EXPR_ERROR && !named)
        diag_error(p->c->diagnostics, DIAG_SYNTAX, entry->span,
                   "expected the name of what is called, perhaps with an index");
    return named ? ast_call_of(p, at, entry, arguments) : ast_error(p, at);
}

Expr *ast_call_named(Span at, Expr *call, Name as) {
    if (call->kind == EXPR_CALL) {
        call->call.as = as;
        call->span = at;
    }
    return call;
}

Expr *ast_tuple(Parser *p, Span at, Expr *first, ExprList *rest) {
    Expr *e = ast_new(p, EXPR_TUPLE, at);
    vec_push(p->arena, &e->tuple, first);
    bool too_high = ast_raise(p, e, first);
    for (uint32_t k = 0; k < rest->count && !too_high; k++) {
        vec_push(p->arena, &e->tuple, rest->at[k]);
        too_high = ast_raise(p, e, rest->at[k]);
    }
    return e;
}

Expr *ast_list(Parser *p, Span at, ExprList *entries) {
    Expr *e = ast_new(p, EXPR_LIST, at);
    e->tuple = *entries;
    bool too_high = false;
    for (uint32_t k = 0; k < entries->count && !too_high; k++)
        too_high = ast_raise(p, e, entries->at[k]);
    return e;
}

Expr *ast_slice(Parser *p, Span at, Expr *from, Expr *to) {
    Expr *e = ast_new(p, EXPR_SLICE, at);
    e->slice.from = from;
    e->slice.to = to;
    if (!(from && ast_raise(p, e, from)) && to)
        ast_raise(p, e, to);
    return e;
}

Expr *ast_trunk(Parser *p, Span at, Expr *input, StmtList *body) {
    Expr *e = ast_new(p, EXPR_TRUNK, at);
    e->trunk.input = input;
    e->trunk.body = *body;
    ast_raise(p, e, input);
    return e;
}

Name ast_reduction_name(Parser *p, Span at, ReduceKind op) {
    return (Name){intern_str(p->c->interner, word_of_reduction(op)), at};
}

Argument *ast_argument(Parser *p, const Name *name, Expr *value) {
    Argument *argument = ARENA_NEW(p->arena, Argument);
    if (name)
        argument->name = *name;
    argument->value = value;
    return argument;
}

ArgumentList *ast_arguments(Parser *p, ArgumentList *list, Argument *argument) {
    if (!list)
        list = ARENA_NEW(p->arena, ArgumentList);
    vec_push(p->arena, list, *argument);
    return list;
}

ExprList *ast_expressions(Parser *p, ExprList *list, Expr *expression) {
    if (!list)
        list = ARENA_NEW(p->arena, ExprList);
    vec_push(p->arena, list, expression);
    return list;
}
