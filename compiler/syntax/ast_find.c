/* What a body says: walks over expressions and statements, as deep as text nests. */
#include "syntax/ast_find.h"

static bool expr_mentions(const Expr *e, const char *name);

static bool list_mentions(const ExprList *list, const char *name) {
    for (uint32_t k = 0; k < list->count; k++)
        if (expr_mentions(list->at[k], name))
            return true;
    return false;
}

static bool expr_mentions(const Expr *e, const char *name) {
    if (!e)
        return false;
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_BOOL:
    case EXPR_STRING:
    case EXPR_ERROR:
        return false;
    case EXPR_NAME:
        return e->name == name;
    case EXPR_UNARY:
        return expr_mentions(e->unary.operand, name);
    case EXPR_SUM:
    case EXPR_PRODUCT:
        return list_mentions(&e->chain.terms, name);
    case EXPR_POWER:
        return expr_mentions(e->power.base, name) || expr_mentions(e->power.exponent, name);
    case EXPR_COMPARE:
        return expr_mentions(e->compare.left, name) || expr_mentions(e->compare.right, name);
    case EXPR_LOGIC:
        return list_mentions(&e->logic.terms, name);
    case EXPR_INDEX:
        return expr_mentions(e->index.base, name) || list_mentions(&e->index.indices, name);
    case EXPR_MEMBER:
        return expr_mentions(e->member.base, name);
    case EXPR_CALL:
        if (expr_mentions(e->call.callee, name))
            return true;
        for (uint32_t k = 0; k < e->call.arguments.count; k++)
            if (expr_mentions(e->call.arguments.at[k].value, name))
                return true;
        return false;
    case EXPR_REDUCE:
        return list_mentions(&e->reduce.ranges, name) || expr_mentions(e->reduce.operand, name);
    case EXPR_TUPLE:
    case EXPR_LIST:
        return list_mentions(&e->tuple, name);
    case EXPR_SLICE:
        return expr_mentions(e->slice.from, name) || expr_mentions(e->slice.to, name);
    case EXPR_TRUNK:
        return expr_mentions(e->trunk.input, name) || ast_mentions(&e->trunk.body, name);
    }
    return false;
}

static bool bindings_mention(const BindingList *list, const char *name) {
    for (uint32_t k = 0; k < list->count; k++)
        if (list_mentions(&list->at[k].target.indices, name) ||
            expr_mentions(list->at[k].value, name))
            return true;
    return false;
}

static bool stmt_mentions(const Stmt *stmt, const char *name) {
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
        return bindings_mention(&stmt->bindings, name);
    case STMT_PARAM:
    case STMT_BUFFER:
        for (uint32_t k = 0; k < stmt->param.list.count; k++)
            if (list_mentions(&stmt->param.list.at[k].target.indices, name) ||
                expr_mentions(stmt->param.list.at[k].init, name))
                return true;
        return false;
    case STMT_STATE:
        for (uint32_t k = 0; k < stmt->targets.count; k++)
            if (list_mentions(&stmt->targets.at[k].indices, name))
                return true;
        return false;
    case STMT_ITERATE:
    case STMT_FOR:
    case STMT_REPEAT:
        return expr_mentions(stmt->loop.count, name) || ast_mentions(&stmt->loop.body, name);
    case STMT_IF:
        return expr_mentions(stmt->branch.condition, name) ||
               ast_mentions(&stmt->branch.then_body, name) ||
               ast_mentions(&stmt->branch.else_body, name);
    case STMT_REQUIRE:
        return expr_mentions(stmt->require.condition, name);
    case STMT_PENALTY:
    case STMT_PROBE:
    case STMT_OUTPUT:
    case STMT_LOSS:
    case STMT_METRIC:
        return expr_mentions(stmt->value, name) ||
               (stmt->weight && expr_mentions(stmt->weight, name));
    case STMT_SITE:
        return expr_mentions(stmt->site.connection, name) ||
               list_mentions(&stmt->site.branches, name);
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

bool ast_mentions(const StmtList *body, const char *name) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && stmt_mentions(body->at[k], name))
            return true;
    return false;
}

void ast_each_assignment(const StmtList *body, AssignmentVisit *visit, void *context) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        if (stmt->kind == STMT_ASSIGN)
            for (uint32_t b = 0; b < stmt->bindings.count; b++)
                visit(context, &stmt->bindings.at[b]);
        else if (stmt->kind == STMT_ITERATE || stmt->kind == STMT_FOR)
            ast_each_assignment(&stmt->loop.body, visit, context);
        else if (stmt->kind == STMT_IF) {
            ast_each_assignment(&stmt->branch.then_body, visit, context);
            ast_each_assignment(&stmt->branch.else_body, visit, context);
        }
    }
}
