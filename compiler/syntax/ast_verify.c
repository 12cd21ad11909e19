/* What a well-formed tree is, so that sema need not ask.
 *
 * - Kinds and operators are those there are; what a kind needs is there, what it cannot have is
 * not.
 * - Every span lies in the file, and in the span of the node that holds it.
 * - Names are interned and not empty; numbers are finite.
 * - An expression is one higher than the highest below it, and no higher than AST_NESTING. */
#include "syntax/ast_verify.h"
#include <math.h>

typedef struct {
    Compilation *c;
    uint32_t file;
    const char *wrong; /* the first rule that is broken; nothing is looked at behind it */
} Check;

static bool broken(Check *v, Span at, const char *rule) {
    if (v->wrong)
        return true;
    v->wrong = rule;
    if (at.file == v->file) {
        const LineColumn place = source_line_column(v->c->sources, at.file, at.begin);
        v->wrong = arena_printf(v->c->arena, "%s, at %u:%u", rule, place.line, place.column);
    }
    return true;
}

/* True, once, when the rule does not hold: `if (unless(...)) return;`. */
static bool unless(Check *v, bool holds, Span at, const char *rule) {
    return !holds && broken(v, at, rule);
}

static bool wrong_span(Check *v, Span at, Span in) {
    return unless(v, at.file == v->file && at.begin <= at.end, in,
                  "a span is not one of the file") ||
           unless(v, at.begin >= in.begin && at.end <= in.end, in,
                  "a span reaches beyond the node that holds it");
}

static bool wrong_name(Check *v, Name name, Span in) {
    return unless(v, name.text && *name.text, in, "a name is empty") ||
           unless(v, intern_str(v->c->interner, name.text) == name.text, in,
                  "a name is not interned") ||
           wrong_span(v, name.span, in);
}

static void check_body(Check *v, const StmtList *body, Span in);
static void check_expr(Check *v, const Expr *e, Span in);

/* --- expressions -------------------------------------------------------------------------------*/

/* A node whose parts are looked at, and how high they are. */
typedef struct {
    Check *v;
    const Expr *e;
    uint32_t below;
} Node;

static void part(Node *n, const Expr *child) {
    if (unless(n->v, child != NULL, n->e->span, "an expression lacks a part"))
        return;
    check_expr(n->v, child, n->e->span);
    if (child->height > n->below)
        n->below = child->height;
}

static void parts(Node *n, const ExprList *list, uint32_t least) {
    if (unless(n->v, list->count >= least, n->e->span, "an expression has too few parts"))
        return;
    for (uint32_t k = 0; k < list->count && !n->v->wrong; k++)
        part(n, list->at[k]);
}

static void chain_parts(Node *n) {
    const bool sum = n->e->kind == EXPR_SUM;
    if (unless(n->v, n->e->chain.ops.count == n->e->chain.terms.count, n->e->span,
               "a chain has an operator for each of its terms"))
        return;
    for (uint32_t k = 0; k < n->e->chain.ops.count; k++) {
        const ArithmeticOp op = n->e->chain.ops.at[k];
        const bool own =
            sum ? op == OP_ADD || op == OP_SUB : op == OP_MUL || op == OP_DIV || op == OP_MOD;
        const bool first = k || op == (sum ? OP_ADD : OP_MUL);
        if (unless(n->v, own && first, n->e->span, "a chain has another's operator"))
            return;
    }
    parts(n, &n->e->chain.terms, 2);
}

static void call_parts(Node *n) {
    const Expr *e = n->e;
    part(n, e->call.callee);
    if (n->v->wrong ||
        unless(n->v,
               e->call.callee->kind == EXPR_NAME || (e->call.callee->kind == EXPR_INDEX &&
                                                     e->call.callee->index.base->kind == EXPR_NAME),
               e->span, "what is called is neither a name nor an entry of one") ||
        (e->call.as.text && wrong_name(n->v, e->call.as, e->span)))
        return;
    for (uint32_t k = 0; k < e->call.arguments.count && !n->v->wrong; k++) {
        const Argument *argument = &e->call.arguments.at[k];
        if (!argument->name.text || !wrong_name(n->v, argument->name, e->span))
            part(n, argument->value);
    }
}

static void reduce_parts(Node *n) {
    const Expr *e = n->e;
    if (unless(n->v, e->reduce.op <= REDUCE_SOFTMAX, e->span, "there is no such operator") ||
        unless(n->v, e->reduce.indices.count >= 1, e->span, "an expression has too few parts") ||
        unless(n->v, e->reduce.indices.count == e->reduce.ranges.count, e->span,
               "a reduction has a range, or none, for each of its indices"))
        return;
    for (uint32_t k = 0; k < e->reduce.indices.count; k++) {
        if (wrong_name(n->v, e->reduce.indices.at[k], e->span))
            return;
        if (e->reduce.ranges.at[k])
            part(n, e->reduce.ranges.at[k]);
    }
    part(n, e->reduce.operand);
}

static void all_parts(Node *n) {
    const Expr *e = n->e;
    bool known = true;
    switch (e->kind) {
    case EXPR_BOOL:
    case EXPR_ERROR:
        break;
    case EXPR_NUMBER:
        unless(n->v, isfinite(e->number), e->span, "a number is not finite");
        break;
    case EXPR_STRING:
        unless(n->v, e->string != NULL, e->span, "an expression lacks a part");
        break;
    case EXPR_NAME:
        wrong_name(n->v, (Name){e->name, e->span}, e->span);
        break;
    case EXPR_UNARY:
        known = e->unary.op <= OP_NOT;
        part(n, e->unary.operand);
        break;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        chain_parts(n);
        break;
    case EXPR_POWER:
        part(n, e->power.base);
        part(n, e->power.exponent);
        break;
    case EXPR_COMPARE:
        known = e->compare.op <= OP_NE;
        part(n, e->compare.left);
        part(n, e->compare.right);
        break;
    case EXPR_LOGIC:
        known = e->logic.op <= OP_OR;
        parts(n, &e->logic.terms, 2);
        break;
    case EXPR_INDEX:
        part(n, e->index.base);
        parts(n, &e->index.indices, 1);
        break;
    case EXPR_MEMBER:
        part(n, e->member.base);
        if (!n->v->wrong)
            wrong_name(n->v, e->member.name, e->span);
        break;
    case EXPR_CALL:
        call_parts(n);
        break;
    case EXPR_REDUCE:
        reduce_parts(n);
        break;
    case EXPR_TUPLE:
        parts(n, &e->tuple, 2);
        break;
    case EXPR_LIST:
        parts(n, &e->tuple, 1);
        break;
    case EXPR_SLICE:
        if (e->slice.from)
            part(n, e->slice.from);
        if (e->slice.to)
            part(n, e->slice.to);
        break;
    case EXPR_TRUNK:
        part(n, e->trunk.input);
        check_body(n->v, &e->trunk.body, e->span);
        break;
    default:
        broken(n->v, e->span, "there is no such kind of expression");
    }
    unless(n->v, known, e->span, "there is no such operator");
}

static void check_expr(Check *v, const Expr *e, Span in) {
    Node node = {.v = v, .e = e};
    if (v->wrong || wrong_span(v, e->span, in))
        return;
    all_parts(&node);
    unless(v, v->wrong || (e->height == node.below + 1 && e->height <= AST_NESTING), e->span,
           "an expression is not one higher than what is below it");
}

static void need_expr(Check *v, const Expr *e, Span in, const char *rule) {
    if (!unless(v, e != NULL, in, rule))
        check_expr(v, e, in);
}

/* A definition that is used: by its name, or by a call of it. */
static void need_use(Check *v, const Expr *e, Span in) {
    need_expr(v, e, in, "a statement lacks a part");
    if (!v->wrong)
        unless(v, e->kind == EXPR_NAME || e->kind == EXPR_CALL || e->kind == EXPR_ERROR, in,
               "a use is neither a name nor a call");
}

/* --- statements --------------------------------------------------------------------------------*/

static void check_target(Check *v, const Target *target, Span in) {
    if (wrong_span(v, target->span, in) || wrong_name(v, target->name, target->span) ||
        unless(v, target->bracketed == (target->indices.count > 0), target->span,
               "brackets hold indices, and indices stand in brackets"))
        return;
    for (uint32_t k = 0; k < target->indices.count && !v->wrong; k++)
        need_expr(v, target->indices.at[k], target->span, "a statement lacks a part");
}

static void check_targets(Check *v, const TargetList *list, Span in) {
    for (uint32_t k = 0; k < list->count && !v->wrong; k++)
        check_target(v, &list->at[k], in);
}

static void check_bindings(Check *v, const BindingList *list, uint32_t least, Span in) {
    if (unless(v, list->count >= least, in, "a statement has an empty list"))
        return;
    for (uint32_t k = 0; k < list->count && !v->wrong; k++) {
        check_target(v, &list->at[k].target, in);
        need_expr(v, list->at[k].value, in, "a statement lacks a part");
    }
}

static void check_attributes(Check *v, const AttributeList *list, Span in) {
    for (uint32_t k = 0; k < list->count && !v->wrong; k++) {
        if (wrong_name(v, list->at[k].name, in))
            return;
        for (uint32_t a = 0; a < list->at[k].arguments.count && !v->wrong; a++)
            need_expr(v, list->at[k].arguments.at[a], in, "a statement lacks a part");
    }
}

/* An initialiser may be that of a declaration further right: it lies in the statement. */
static void check_declarations(Check *v, const Stmt *stmt) {
    const ParamDeclList *list = &stmt->param.list;
    if (unless(v, list->count > 0, stmt->span, "a statement has an empty list"))
        return;
    for (uint32_t k = 0; k < list->count && !v->wrong; k++) {
        const ParamDecl *p = &list->at[k];
        check_target(v, &p->target, stmt->span);
        if (unless(v, p->init_kind <= INIT_DISTRIBUTION, stmt->span,
                   "there is no such kind of initialiser") ||
            unless(v, (p->init_kind == INIT_NONE) == (p->init == NULL), stmt->span,
                   "a declaration has an initialiser of a kind"))
            return;
        if (p->init_kind == INIT_DISTRIBUTION)
            need_use(v, p->init, stmt->span);
        else if (p->init)
            check_expr(v, p->init, stmt->span);
    }
    check_attributes(v, &stmt->param.attributes, stmt->span);
}

static void check_site(Check *v, const Stmt *stmt) {
    const ExprList *branches = &stmt->site.branches;
    if (wrong_name(v, stmt->site.name, stmt->span) ||
        unless(v, branches->count > 0, stmt->span, "a statement has an empty list"))
        return;
    need_use(v, stmt->site.connection, stmt->span);
    for (uint32_t k = 0; k < branches->count && !v->wrong; k++)
        need_use(v, branches->at[k], stmt->span);
}

static void check_loop(Check *v, const Stmt *stmt) {
    if (stmt->kind == STMT_FOR && wrong_name(v, stmt->loop.name, stmt->span))
        return;
    if (stmt->kind != STMT_SCAN)
        need_expr(v, stmt->loop.count, stmt->span, "a statement lacks a part");
    check_body(v, &stmt->loop.body, stmt->span);
}

static void check_kind(Check *v, const Stmt *stmt) {
    static const char *const lacks = "a statement lacks a part";
    const Span at = stmt->span;
    switch (stmt->kind) {
    case STMT_CONST:
    case STMT_CARRY:
    case STMT_LET:
    case STMT_BEGIN:
    case STMT_READ:
    case STMT_WRITE:
    case STMT_APPEND:
    case STMT_END:
    case STMT_UPDATE:
    case STMT_PROJECT:
    case STMT_ASSIGN:
        check_bindings(v, &stmt->bindings, 1, at);
        return;
    case STMT_PARAM:
    case STMT_BUFFER:
        check_declarations(v, stmt);
        return;
    case STMT_STATE:
        if (!unless(v, stmt->targets.count > 0, at, "a statement has an empty list"))
            check_targets(v, &stmt->targets, at);
        return;
    case STMT_ITERATE:
    case STMT_SCAN:
    case STMT_FOR:
    case STMT_REPEAT:
        check_loop(v, stmt);
        return;
    case STMT_IF:
        need_expr(v, stmt->branch.condition, at, lacks);
        check_body(v, &stmt->branch.then_body, at);
        check_body(v, &stmt->branch.else_body, at);
        return;
    case STMT_EACH:
        if (!wrong_name(v, stmt->each.old, at) && !wrong_name(v, stmt->each.now, at))
            need_expr(v, stmt->each.value, at, lacks);
        return;
    case STMT_AROUND:
    case STMT_PENALTY:
    case STMT_PROBE:
    case STMT_OUTPUT:
    case STMT_LOSS:
    case STMT_METRIC:
        need_expr(v, stmt->value, at, lacks);
        return;
    case STMT_REQUIRE:
        need_expr(v, stmt->require.condition, at, lacks);
        unless(v, stmt->require.message != NULL, at, lacks);
        return;
    case STMT_POSITIONS:
        check_bindings(v, &stmt->positions.axes, 1, at);
        check_attributes(v, &stmt->positions.attributes, at);
        return;
    case STMT_INPUT:
    case STMT_TARGET:
        check_target(v, &stmt->input.target, at);
        need_expr(v, stmt->input.type, at, lacks);
        return;
    case STMT_SITE:
        check_site(v, stmt);
        return;
    case STMT_SETTING:
        if (!wrong_name(v, stmt->setting.name, at))
            need_expr(v, stmt->setting.value, at, lacks);
        if (stmt->setting.parts)
            need_expr(v, stmt->setting.parts, at, lacks);
        return;
    case STMT_DATA:
        if (!wrong_name(v, stmt->data.source, at))
            check_bindings(v, &stmt->data.bindings, 0, at);
        return;
    case STMT_ERROR:
        return;
    }
    broken(v, at, "there is no such kind of statement");
}

static void check_body(Check *v, const StmtList *body, Span in) {
    for (uint32_t k = 0; k < body->count && !v->wrong; k++) {
        const Stmt *stmt = body->at[k];
        if (unless(v, stmt != NULL, in, "a body lacks a statement") ||
            wrong_span(v, stmt->span, in))
            return;
        check_kind(v, stmt);
        if (v->wrong || !stmt->weight)
            continue;
        unless(v, stmt->kind == STMT_LOSS || stmt->kind == STMT_METRIC, stmt->span,
               "only a loss or metric is weighed");
        check_expr(v, stmt->weight, stmt->span);
    }
}

/* --- definitions -------------------------------------------------------------------------------*/

static void check_formals(Check *v, const FormalList *list, Span in) {
    for (uint32_t k = 0; k < list->count && !v->wrong; k++) {
        check_target(v, &list->at[k].target, in);
        if (list->at[k].default_value)
            check_expr(v, list->at[k].default_value, in);
    }
}

/* What its kind may have: a function's value stands behind `=`, or is what its body gives. */
static bool wrong_shape(Check *v, const Item *item) {
    const bool constant = item->kind == ITEM_CONST, use = item->kind == ITEM_USE;
    const bool whole = item->kind == ITEM_MODEL || item->kind == ITEM_TRAIN;
    const bool function = item->kind == ITEM_FN;
    const bool applied = item->formals.count || item->inputs.count || item->outputs.count;
    return unless(v, item->kind <= ITEM_TRAIN, item->span, "there is no such kind of definition") ||
           unless(v, constant == (item->constants.count > 0), item->span,
                  "constants are defined by `const`, and by nothing else") ||
           unless(v, !(constant || use || whole) || !applied, item->span,
                  "this kind of definition is not applied to anything") ||
           unless(v, !(constant || use) || !item->body.count, item->span,
                  "this kind of definition has no body") ||
           unless(v, function || !item->expression, item->span,
                  "only a function is an expression") ||
           unless(v, !function || !item->expression != !item->outputs.count, item->span,
                  "a function is an expression or has results") ||
           unless(v, !item->expression || !item->body.count, item->span,
                  "a function is an expression or has a body");
}

static void check_item(Check *v, const Item *item, Span in) {
    if (wrong_span(v, item->span, in) || wrong_shape(v, item) ||
        unless(v, item->kind == ITEM_USE || !item->used, item->span, "only a use is of a file") ||
        (item->kind != ITEM_CONST && !item->used && wrong_name(v, item->name, item->span)))
        return;
    check_bindings(v, &item->constants, 0, item->span);
    check_formals(v, &item->formals, item->span);
    check_formals(v, &item->inputs, item->span);
    check_targets(v, &item->outputs, item->span);
    if (item->expression && !v->wrong)
        check_expr(v, item->expression, item->span);
    check_body(v, &item->body, item->span);
}

const char *ast_verify(Compilation *c, const Ast *ast) {
    Check v = {.c = c, .file = ast->file};
    size_t length;
    source_text(c->sources, ast->file, &length);
    const Span file = {ast->file, 0, (uint32_t)length};
    for (uint32_t k = 0; k < ast->items.count && !v.wrong; k++)
        if (!unless(&v, ast->items.at[k] != NULL, file, "a file lacks a definition"))
            check_item(&v, ast->items.at[k], file);
    return v.wrong;
}
