/* The dump's expressions. */
#include "syntax/ast_dump.h"
#include "syntax/words.h"
#include <stdlib.h>

static const char *const ARITHMETIC[] = {
    [OP_ADD] = "+", [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/", [OP_MOD] = "%"};
static const char *const COMPARE[] = {
    [OP_LT] = "<", [OP_LE] = "<=", [OP_GT] = ">", [OP_GE] = ">=", [OP_EQ] = "==", [OP_NE] = "!="};
/* The shortest decimal that reads back as the same double. */
static void dump_number(Dump *d, const Expr *e) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, e->number);
        if (strtod(text, NULL) == e->number)
            break;
    }
    dump_line(d, e->span, "%s", text);
}

static void dump_string(Dump *d, const Expr *e) {
    fprintf(d->to, "%*sstring \"", d->depth * 2, "");
    for (const unsigned char *c = (const unsigned char *)e->string; *c; c++) {
        if (*c < 0x20 || *c == '"' || *c == '\\')
            fprintf(d->to, "\\x%02x", *c);
        else
            fputc(*c, d->to);
    }
    Dump rest = {d->c, d->to, 0};
    dump_line(&rest, e->span, "\"");
}

static void dump_list(Dump *d, const ExprList *list) {
    d->depth++;
    for (uint32_t k = 0; k < list->count; k++)
        dump_expr(d, list->at[k]);
    d->depth--;
}

static void dump_child(Dump *d, const Expr *child) {
    d->depth++;
    dump_expr(d, child);
    d->depth--;
}

static void dump_chain(Dump *d, const Expr *e) {
    dump_line(d, e->span, "%s", e->kind == EXPR_SUM ? "sum of" : "product of");
    d->depth++;
    for (uint32_t k = 0; k < e->chain.terms.count; k++) {
        dump_line(d, e->chain.terms.at[k]->span, "%s", ARITHMETIC[e->chain.ops.at[k]]);
        dump_child(d, e->chain.terms.at[k]);
    }
    d->depth--;
}

static void dump_call(Dump *d, const Expr *e) {
    dump_line(d, e->span, "call %s", e->call.callee->name);
    d->depth++;
    for (uint32_t k = 0; k < e->call.arguments.count; k++) {
        const Argument *argument = &e->call.arguments.at[k];
        if (!argument->name.text) {
            dump_expr(d, argument->value);
            continue;
        }
        dump_line(d, argument->name.span, "%s =", argument->name.text);
        dump_child(d, argument->value);
    }
    d->depth--;
}

static void dump_reduce(Dump *d, const Expr *e) {
    fprintf(d->to, "%*s%s[", d->depth * 2, "", word_of_reduction(e->reduce.op));
    for (uint32_t k = 0; k < e->reduce.indices.count; k++)
        fprintf(d->to, "%s%s", k ? ", " : "", e->reduce.indices.at[k].text);
    Dump rest = {d->c, d->to, 0};
    dump_line(&rest, e->span, "]");
    for (uint32_t k = 0; k < e->reduce.ranges.count; k++)
        if (e->reduce.ranges.at[k])
            dump_child(d, e->reduce.ranges.at[k]);
    dump_child(d, e->reduce.operand);
}

void dump_expr(Dump *d, const Expr *e) {
    switch (e->kind) {
    case EXPR_NUMBER:
        dump_number(d, e);
        break;
    case EXPR_BOOL:
        dump_line(d, e->span, "%s", e->boolean ? "true" : "false");
        break;
    case EXPR_STRING:
        dump_string(d, e);
        break;
    case EXPR_NAME:
        dump_line(d, e->span, "%s", e->name);
        break;
    case EXPR_UNARY:
        dump_line(d, e->span, "%s", e->unary.op == OP_NEG ? "negate" : "not");
        dump_child(d, e->unary.operand);
        break;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        dump_chain(d, e);
        break;
    case EXPR_POWER:
        dump_line(d, e->span, "power");
        dump_child(d, e->power.base);
        dump_child(d, e->power.exponent);
        break;
    case EXPR_COMPARE:
        dump_line(d, e->span, "compare %s", COMPARE[e->compare.op]);
        dump_child(d, e->compare.left);
        dump_child(d, e->compare.right);
        break;
    case EXPR_LOGIC:
        dump_line(d, e->span, "%s", e->logic.op == OP_AND ? "and" : "or");
        dump_list(d, &e->logic.terms);
        break;
    case EXPR_INDEX:
        dump_line(d, e->span, "index");
        dump_child(d, e->index.base);
        dump_list(d, &e->index.indices);
        break;
    case EXPR_CALL:
        dump_call(d, e);
        break;
    case EXPR_REDUCE:
        dump_reduce(d, e);
        break;
    case EXPR_TUPLE:
        dump_line(d, e->span, "tuple");
        dump_list(d, &e->tuple);
        break;
    case EXPR_TRUNK:
        dump_line(d, e->span, "trunk");
        dump_child(d, e->trunk.input);
        d->depth++;
        dump_block(d, "body", &e->trunk.body);
        d->depth--;
        break;
    case EXPR_ERROR:
        dump_line(d, e->span, "error");
        break;
    }
}
