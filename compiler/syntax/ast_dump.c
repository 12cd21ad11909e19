/* `hcc emit --stage ast`: one node a line. */
#include "syntax/parse.h"
#include "syntax/words.h"
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>

typedef struct {
    const Compilation *c;
    FILE *to;
    int depth;
} Dump;

/* Begins a line (indented; the text of `format`; the span) and ends it. */
__attribute__((format(printf, 3, 4))) static void dump_line(Dump *d, Span at, const char *format,
                                                            ...) {
    fprintf(d->to, "%*s", d->depth * 2, "");
    va_list args;
    va_start(args, format);
    vfprintf(d->to, format, args);
    va_end(args);
    LineColumn begin = source_line_column(d->c->sources, at.file, at.begin);
    LineColumn end = source_line_column(d->c->sources, at.file, at.end);
    fprintf(d->to, "  @%u:%u-%u:%u\n", begin.line, begin.column, end.line, end.column);
}

static void dump_block(Dump *d, const char *label, const StmtList *block);
static void dump_expr(Dump *d, const Expr *e);

/* --- expressions -------------------------------------------------------------------------------*/

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
    const Expr *callee = e->call.callee;
    const bool entry = callee->kind == EXPR_INDEX;
    dump_line(d, e->span, entry ? "call entry of %s" : "call %s",
              entry ? callee->index.base->name : callee->name);
    d->depth++;
    if (e->call.as.text)
        dump_line(d, e->call.as.span, "as %s", e->call.as.text);
    for (uint32_t k = 0; entry && k < callee->index.indices.count; k++)
        dump_expr(d, callee->index.indices.at[k]);
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

static void dump_expr(Dump *d, const Expr *e) {
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
    case EXPR_MEMBER:
        dump_line(d, e->span, "member %s", e->member.name.text);
        dump_child(d, e->member.base);
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
    case EXPR_LIST:
        dump_line(d, e->span, "list");
        dump_list(d, &e->tuple);
        break;
    case EXPR_SLICE:
        dump_line(d, e->span, "slice%s%s", e->slice.from ? "" : " from the first",
                  e->slice.to ? "" : " to the last");
        if (e->slice.from)
            dump_child(d, e->slice.from);
        if (e->slice.to)
            dump_child(d, e->slice.to);
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

/* --- definitions and statements ----------------------------------------------------------------*/

static void dump_target(Dump *d, const char *label, const Target *target) {
    dump_line(d, target->span, "%s %s%s", label, target->name.text, target->bracketed ? "[]" : "");
    d->depth++;
    for (uint32_t k = 0; k < target->indices.count; k++)
        dump_expr(d, target->indices.at[k]);
    d->depth--;
}

static void dump_bindings(Dump *d, const char *label, const BindingList *bindings) {
    for (uint32_t k = 0; k < bindings->count; k++) {
        dump_target(d, label, &bindings->at[k].target);
        d->depth++;
        dump_expr(d, bindings->at[k].value);
        d->depth--;
    }
}

static void dump_formals(Dump *d, const char *label, const FormalList *formals) {
    for (uint32_t k = 0; k < formals->count; k++) {
        dump_target(d, label, &formals->at[k].target);
        if (!formals->at[k].default_value)
            continue;
        d->depth++;
        dump_expr(d, formals->at[k].default_value);
        d->depth--;
    }
}

static void dump_attributes(Dump *d, const AttributeList *list) {
    for (uint32_t k = 0; k < list->count; k++) {
        const Attribute *a = &list->at[k];
        dump_line(d, a->name.span, "attribute %s", a->name.text);
        d->depth++;
        for (uint32_t i = 0; i < a->arguments.count; i++)
            dump_expr(d, a->arguments.at[i]);
        d->depth--;
    }
}

static void dump_param(Dump *d, const Stmt *s) {
    static const char *const INIT[] = {"", " =", " ~"};
    for (uint32_t k = 0; k < s->param.list.count; k++) {
        const ParamDecl *p = &s->param.list.at[k];
        dump_target(d, "tensor", &p->target);
        if (p->init_kind == INIT_NONE)
            continue;
        d->depth++;
        dump_line(d, p->init->span, "init%s", INIT[p->init_kind]);
        d->depth++;
        dump_expr(d, p->init);
        d->depth -= 2;
    }
    dump_attributes(d, &s->param.attributes);
}

static const char *dump_stmt_name(StmtKind kind) {
    const char *word = word_of_statement(kind);
    return word                   ? word
           : kind == STMT_ASSIGN  ? "assign"
           : kind == STMT_SITE    ? "site"
           : kind == STMT_SETTING ? "setting"
                                  : "error";
}

/* What stands below a statement's line. */
static void dump_stmt_parts(Dump *d, const Stmt *s) {
    switch (s->kind) {
    case STMT_PARAM:
    case STMT_BUFFER:
        dump_param(d, s);
        break;
    case STMT_STATE:
        for (uint32_t k = 0; k < s->targets.count; k++)
            dump_target(d, "tensor", &s->targets.at[k]);
        break;
    case STMT_SCAN:
        if (s->loop.reverse)
            dump_line(d, s->span, "reverse");
        dump_block(d, "body", &s->loop.body);
        break;
    case STMT_FOR:
        dump_line(d, s->loop.name.span, "name %s", s->loop.name.text);
        /* fall through */
    case STMT_ITERATE:
    case STMT_REPEAT:
        dump_expr(d, s->loop.count);
        dump_block(d, "body", &s->loop.body);
        break;
    case STMT_IF:
        dump_expr(d, s->branch.condition);
        dump_block(d, "then", &s->branch.then_body);
        if (s->branch.else_body.count)
            dump_block(d, "else", &s->branch.else_body);
        break;
    case STMT_EACH:
        dump_line(d, s->each.old.span, "name %s", s->each.old.text);
        dump_line(d, s->each.now.span, "name %s", s->each.now.text);
        dump_expr(d, s->each.value);
        break;
    case STMT_AROUND:
    case STMT_PENALTY:
    case STMT_PROBE:
    case STMT_OUTPUT:
    case STMT_LOSS:
    case STMT_METRIC:
        dump_expr(d, s->value);
        if (s->weight)
            dump_expr(d, s->weight);
        break;
    case STMT_REQUIRE:
        dump_expr(d, s->require.condition);
        break;
    case STMT_POSITIONS:
        dump_bindings(d, "axis", &s->positions.axes);
        dump_attributes(d, &s->positions.attributes);
        break;
    case STMT_INPUT:
    case STMT_TARGET:
        dump_target(d, "name", &s->input.target);
        dump_expr(d, s->input.type);
        break;
    case STMT_SITE:
        dump_expr(d, s->site.connection);
        for (uint32_t k = 0; k < s->site.branches.count; k++)
            dump_expr(d, s->site.branches.at[k]);
        break;
    case STMT_SETTING:
        dump_expr(d, s->setting.value);
        if (s->setting.parts)
            dump_expr(d, s->setting.parts);
        break;
    case STMT_DATA:
        dump_bindings(d, "bind", &s->data.bindings);
        break;
    case STMT_ERROR:
        break;
    default:
        dump_bindings(d, "bind", &s->bindings);
        break;
    }
}

static void dump_block(Dump *d, const char *label, const StmtList *block) {
    if (label) {
        fprintf(d->to, "%*s%s\n", d->depth * 2, "", label);
        d->depth++;
    }
    for (uint32_t k = 0; k < block->count; k++) {
        const Stmt *s = block->at[k];
        const char *name = s->kind == STMT_SITE      ? s->site.name.text
                           : s->kind == STMT_SETTING ? s->setting.name.text
                           : s->kind == STMT_DATA    ? s->data.source.text
                                                     : "";
        dump_line(d, s->span, "%s%s%s", dump_stmt_name(s->kind), *name ? " " : "", name);
        d->depth++;
        dump_stmt_parts(d, s);
        d->depth--;
    }
    if (label)
        d->depth--;
}

static void dump_item(Dump *d, const Item *item) {
    const char *name = item->used ? item->used : item->name.text ? item->name.text : "";
    dump_line(d, item->span, "%s%s%s", word_of_definition(item->kind), *name ? " " : "", name);
    d->depth++;
    dump_formals(d, "formal", &item->formals);
    dump_formals(d, "input", &item->inputs);
    for (uint32_t k = 0; k < item->outputs.count; k++)
        dump_target(d, "output", &item->outputs.at[k]);
    dump_bindings(d, "bind", &item->constants);
    if (item->expression)
        dump_expr(d, item->expression);
    dump_block(d, NULL, &item->body);
    d->depth--;
}

void ast_dump(const Compilation *c, const Ast *ast, FILE *to) {
    /* Numbers print with a point whatever the user's locale is. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t users = plain ? uselocale(plain) : (locale_t)0;
    Dump d = {c, to, 0};
    for (uint32_t k = 0; k < ast->items.count; k++)
        dump_item(&d, ast->items.at[k]);
    if (plain) {
        uselocale(users);
        freelocale(plain);
    }
}
