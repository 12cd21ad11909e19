/* What a body says: walks over expressions and statements, as deep as text nests. */
#include "syntax/ast_find.h"

/* A name, or what stands behind a point. */
typedef struct {
    const char *name;
    bool member;
} Sought;

static bool body_mentions(const StmtList *body, const Sought *of);
static bool expr_mentions(const Expr *e, const Sought *of);

static bool list_mentions(const ExprList *list, const Sought *of) {
    for (uint32_t k = 0; k < list->count; k++)
        if (expr_mentions(list->at[k], of))
            return true;
    return false;
}

static bool expr_mentions(const Expr *e, const Sought *of) {
    if (!e)
        return false;
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_BOOL:
    case EXPR_STRING:
    case EXPR_ERROR:
        return false;
    case EXPR_NAME:
        return !of->member && e->name == of->name;
    case EXPR_UNARY:
        return expr_mentions(e->unary.operand, of);
    case EXPR_SUM:
    case EXPR_PRODUCT:
        return list_mentions(&e->chain.terms, of);
    case EXPR_POWER:
        return expr_mentions(e->power.base, of) || expr_mentions(e->power.exponent, of);
    case EXPR_COMPARE:
        return expr_mentions(e->compare.left, of) || expr_mentions(e->compare.right, of);
    case EXPR_LOGIC:
        return list_mentions(&e->logic.terms, of);
    case EXPR_INDEX:
        return expr_mentions(e->index.base, of) || list_mentions(&e->index.indices, of);
    case EXPR_MEMBER:
        return (of->member && e->member.name.text == of->name) || expr_mentions(e->member.base, of);
    case EXPR_CALL:
        if (expr_mentions(e->call.callee, of))
            return true;
        for (uint32_t k = 0; k < e->call.arguments.count; k++)
            if (expr_mentions(e->call.arguments.at[k].value, of))
                return true;
        return false;
    case EXPR_REDUCE:
        return list_mentions(&e->reduce.ranges, of) || expr_mentions(e->reduce.operand, of);
    case EXPR_TUPLE:
    case EXPR_LIST:
        return list_mentions(&e->tuple, of);
    case EXPR_SLICE:
        return expr_mentions(e->slice.from, of) || expr_mentions(e->slice.to, of);
    case EXPR_TRUNK:
        return expr_mentions(e->trunk.input, of) || body_mentions(&e->trunk.body, of);
    }
    return false;
}

static bool bindings_mention(const BindingList *list, const Sought *of) {
    for (uint32_t k = 0; k < list->count; k++)
        if (list_mentions(&list->at[k].target.indices, of) || expr_mentions(list->at[k].value, of))
            return true;
    return false;
}

static bool stmt_mentions(const Stmt *stmt, const Sought *of) {
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
        return bindings_mention(&stmt->bindings, of);
    case STMT_PARAM:
    case STMT_BUFFER:
        for (uint32_t k = 0; k < stmt->param.list.count; k++)
            if (list_mentions(&stmt->param.list.at[k].target.indices, of) ||
                expr_mentions(stmt->param.list.at[k].init, of))
                return true;
        return false;
    case STMT_STATE:
        for (uint32_t k = 0; k < stmt->targets.count; k++)
            if (list_mentions(&stmt->targets.at[k].indices, of))
                return true;
        return false;
    case STMT_SCAN:
        return body_mentions(&stmt->loop.body, of);
    case STMT_ITERATE:
    case STMT_FOR:
    case STMT_REPEAT:
        return expr_mentions(stmt->loop.count, of) || body_mentions(&stmt->loop.body, of);
    case STMT_IF:
        return expr_mentions(stmt->branch.condition, of) ||
               body_mentions(&stmt->branch.then_body, of) ||
               body_mentions(&stmt->branch.else_body, of);
    case STMT_REQUIRE:
        return expr_mentions(stmt->require.condition, of);
    case STMT_EACH:
        return expr_mentions(stmt->each.value, of);
    case STMT_AROUND:
    case STMT_PENALTY:
    case STMT_PROBE:
    case STMT_OUTPUT:
    case STMT_LOSS:
    case STMT_METRIC:
        return expr_mentions(stmt->value, of) || (stmt->weight && expr_mentions(stmt->weight, of));
    case STMT_SITE:
        return expr_mentions(stmt->site.connection, of) || list_mentions(&stmt->site.branches, of);
    case STMT_POSITIONS:
    case STMT_INPUT:
    case STMT_TARGET:
    case STMT_SETTING:
    case STMT_DATA:
    case STMT_ERROR:
        return false;
    }
    return false;
}

static bool body_mentions(const StmtList *body, const Sought *of) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && stmt_mentions(body->at[k], of))
            return true;
    return false;
}

bool ast_mentions(const StmtList *body, const char *name) {
    return body_mentions(body, &(Sought){name, false});
}

bool ast_asks(const StmtList *body, const char *name) {
    return body_mentions(body, &(Sought){name, true});
}

void ast_each_assignment(const StmtList *body, AssignmentVisit *visit, void *context) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        if (stmt->kind == STMT_ASSIGN)
            for (uint32_t b = 0; b < stmt->bindings.count; b++)
                visit(context, &stmt->bindings.at[b]);
        else if (stmt->kind == STMT_ITERATE || stmt->kind == STMT_SCAN || stmt->kind == STMT_FOR)
            ast_each_assignment(&stmt->loop.body, visit, context);
        else if (stmt->kind == STMT_IF) {
            ast_each_assignment(&stmt->branch.then_body, visit, context);
            ast_each_assignment(&stmt->branch.else_body, visit, context);
        }
    }
}
