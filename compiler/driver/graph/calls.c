#include "driver/graph/calls.h"

static void find_expr(const Expr *e, const char *name, Arena *arena, ExprList *found);

static void find_list(const ExprList *list, const char *name, Arena *arena, ExprList *found) {
    for (uint32_t k = 0; k < list->count; k++)
        find_expr(list->at[k], name, arena, found);
}

bool calls_itself(const Expr *call, const char *name) {
    const Expr *callee = call->call.callee;
    if (callee->kind == EXPR_INDEX)
        callee = callee->index.base;
    return callee->kind == EXPR_NAME && callee->name == name;
}

static bool is_handed(const Expr *argument, const char *name) {
    if (argument->kind == EXPR_INDEX)
        argument = argument->index.base;
    return argument->kind == EXPR_NAME && argument->name == name;
}

static void find_call(const Expr *e, const char *name, Arena *arena, ExprList *found) {
    bool runs = calls_itself(e, name);
    for (uint32_t k = 0; k < e->call.arguments.count; k++) {
        const Expr *argument = e->call.arguments.at[k].value;
        runs = runs || is_handed(argument, name);
        find_expr(argument, name, arena, found);
    }
    if (runs)
        vec_push(arena, found, (Expr *)e);
}

static void find_expr(const Expr *e, const char *name, Arena *arena, ExprList *found) {
    if (!e)
        return;
    switch (e->kind) {
    case EXPR_UNARY:
        find_expr(e->unary.operand, name, arena, found);
        return;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        find_list(&e->chain.terms, name, arena, found);
        return;
    case EXPR_POWER:
        find_expr(e->power.base, name, arena, found);
        find_expr(e->power.exponent, name, arena, found);
        return;
    case EXPR_COMPARE:
        find_expr(e->compare.left, name, arena, found);
        find_expr(e->compare.right, name, arena, found);
        return;
    case EXPR_LOGIC:
        find_list(&e->logic.terms, name, arena, found);
        return;
    case EXPR_INDEX:
        find_expr(e->index.base, name, arena, found);
        find_list(&e->index.indices, name, arena, found);
        return;
    case EXPR_MEMBER:
        find_expr(e->member.base, name, arena, found);
        return;
    case EXPR_CALL:
        find_call(e, name, arena, found);
        return;
    case EXPR_REDUCE:
        find_expr(e->reduce.operand, name, arena, found);
        return;
    case EXPR_TUPLE:
    case EXPR_LIST:
        find_list(&e->tuple, name, arena, found);
        return;
    case EXPR_NAME:
    case EXPR_NUMBER:
    case EXPR_BOOL:
    case EXPR_STRING:
    case EXPR_SLICE:
    case EXPR_TRUNK:
    case EXPR_ERROR:
        return;
    }
}

void calls_find(const Stmt *stmt, const char *name, Arena *arena, ExprList *found) {
    switch (stmt->kind) {
    case STMT_LET:
    case STMT_ASSIGN:
    case STMT_READ:
    case STMT_WRITE:
    case STMT_APPEND:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            find_expr(stmt->bindings.at[k].value, name, arena, found);
        return;
    case STMT_ITERATE:
    case STMT_SCAN:
    case STMT_FOR:
        for (uint32_t k = 0; k < stmt->loop.body.count; k++)
            if (stmt->loop.body.at[k])
                calls_find(stmt->loop.body.at[k], name, arena, found);
        return;
    default:
        return;
    }
}
