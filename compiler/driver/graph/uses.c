#include "driver/graph/uses.h"
#include "driver/graph/calls.h"

static void uses_expr(Uses *u, const Expr *e);

static void uses_list(Uses *u, const ExprList *list) {
    for (uint32_t k = 0; k < list->count; k++)
        uses_expr(u, list->at[k]);
}

static void uses_let(Uses *u, const StmtList *body, const char *name) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        if (stmt->kind == STMT_IF) {
            uses_let(u, &stmt->branch.then_body, name);
            uses_let(u, &stmt->branch.else_body, name);
        } else if (stmt->kind == STMT_ITERATE || stmt->kind == STMT_SCAN ||
                   stmt->kind == STMT_FOR) {
            uses_let(u, &stmt->loop.body, name);
        } else if (stmt->kind == STMT_LET || stmt->kind == STMT_ASSIGN ||
                   (u->of_inner && stmt->kind == STMT_READ)) {
            for (uint32_t b = 0; b < stmt->bindings.count; b++)
                if (stmt->bindings.at[b].target.name.text == name)
                    uses_expr(u, stmt->bindings.at[b].value);
        }
    }
}

static void uses_name(Uses *u, const char *name, const Expr *index) {
    if (name == u->name) {
        u->mentioned = true;
        u->others |= u->index && !(index && index->kind == EXPR_NAME && index->name == u->index);
        return;
    }
    for (uint32_t k = 0; k < u->seen.count; k++)
        if (u->seen.at[k] == name)
            return;
    vec_push(u->arena, &u->seen, name);
    for (uint32_t k = 0; k < u->texts->count; k++)
        uses_let(u, &u->texts->at[k]->body, name);
}

static void uses_index(Uses *u, const Expr *e) {
    if (e->index.base->kind == EXPR_NAME)
        uses_name(u, e->index.base->name, e->index.indices.count ? e->index.indices.at[0] : NULL);
    else
        uses_expr(u, e->index.base);
    uses_list(u, &e->index.indices);
}

static void uses_expr(Uses *u, const Expr *e) {
    if (!e)
        return;
    switch (e->kind) {
    case EXPR_NAME:
        uses_name(u, e->name, NULL);
        return;
    case EXPR_UNARY:
        uses_expr(u, e->unary.operand);
        return;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        uses_list(u, &e->chain.terms);
        return;
    case EXPR_POWER:
        uses_expr(u, e->power.base);
        uses_expr(u, e->power.exponent);
        return;
    case EXPR_COMPARE:
        uses_expr(u, e->compare.left);
        uses_expr(u, e->compare.right);
        return;
    case EXPR_LOGIC:
        uses_list(u, &e->logic.terms);
        return;
    case EXPR_INDEX:
        uses_index(u, e);
        return;
    case EXPR_MEMBER: { /* of what is inside: what its branch would read has a name there, too */
        const bool outer = u->of_inner;
        u->of_inner = true;
        uses_name(u, e->member.name.text, NULL);
        u->of_inner = outer;
        return;
    }
    case EXPR_CALL:
        uses_expr(u, e->call.callee);
        if (calls_itself(e, u->branch))
            return;
        for (uint32_t k = 0; k < e->call.arguments.count; k++)
            uses_expr(u, e->call.arguments.at[k].value);
        return;
    case EXPR_REDUCE:
        uses_expr(u, e->reduce.operand);
        return;
    case EXPR_TUPLE:
    case EXPR_LIST:
        uses_list(u, &e->tuple);
        return;
    case EXPR_NUMBER:
    case EXPR_BOOL:
    case EXPR_STRING:
    case EXPR_SLICE:
    case EXPR_TRUNK:
    case EXPR_ERROR:
        return;
    }
}

void uses_find(Uses *uses, const Expr *e) {
    uses_expr(uses, e);
}
