/* Constructors of statements and definitions. */
#include "syntax/ast_build.h"
#include "syntax/parser.h"
#include "syntax/syntax_error.h"
#include <string.h>

Target *ast_target(Parser *p, Span at, Name name, ExprList *indices) {
    Target *target = ARENA_NEW(p->arena, Target);
    target->name = name;
    target->span = at;
    if (indices) {
        target->bracketed = true;
        target->indices = *indices;
    }
    return target;
}

TargetList *ast_targets(Parser *p, TargetList *list, Target *target) {
    if (!list)
        list = ARENA_NEW(p->arena, TargetList);
    vec_push(p->arena, list, *target);
    return list;
}

Binding *ast_binding(Parser *p, Target *target, Expr *value) {
    Binding *binding = ARENA_NEW(p->arena, Binding);
    binding->target = *target;
    binding->value = value;
    binding->of = 1;
    return binding;
}

Binding *ast_binding_several(Parser *p, TargetList *before, Target *last, Expr *value) {
    Binding *binding = ast_binding(p, last, value);
    binding->before = before;
    return binding;
}

/* `n, g = both(h)` as a binding for each name. */
static void ast_bind_results(Parser *p, BindingList *list, const Binding *last) {
    const uint32_t n = last->before->count;
    for (uint32_t k = 0; k <= n; k++)
        vec_push(p->arena, list,
                 (Binding){.target = k < n ? last->before->at[k] : last->target,
                           .value = last->value,
                           .place = k,
                           .of = n + 1});
}

BindingList *ast_bindings(Parser *p, BindingList *list, Binding *binding) {
    if (!list)
        list = ARENA_NEW(p->arena, BindingList);
    if (binding && binding->before)
        ast_bind_results(p, list, binding);
    else if (binding)
        vec_push(p->arena, list, *binding);
    return list;
}

/* Only a `let` takes several results: others give each name a value of its own. */
static bool ast_binds_one_each(Parser *p, const BindingList *list) {
    for (uint32_t k = 0; k < list->count; k++) {
        const Binding *b = &list->at[k];
        if (b->of == 1)
            continue;
        diag_error(p->c->diagnostics, DIAG_SYNTAX, b->target.span,
                   "expected `=`: only a `let` takes several results of a call");
        return false;
    }
    return true;
}

/* A use of a definition is written as its name, with arguments or without. */
static bool ast_is_use(const Expr *e) {
    return e->kind == EXPR_NAME || e->kind == EXPR_CALL || e->kind == EXPR_ERROR;
}

static Expr *ast_check_use(Parser *p, Expr *e, const char *what) {
    if (ast_is_use(e))
        return e;
    diag_error(p->c->diagnostics, DIAG_SYNTAX, e->span,
               "expected %s: a name, with arguments in parentheses or without", what);
    return ast_error(p, e->span);
}

ParamDecl *ast_declaration(Parser *p, Target *target, InitKind kind, Expr *init) {
    ParamDecl *declaration = ARENA_NEW(p->arena, ParamDecl);
    declaration->target = *target;
    declaration->init_kind = kind;
    declaration->init =
        kind == INIT_DISTRIBUTION ? ast_check_use(p, init, "a distribution after `~`") : init;
    return declaration;
}

ParamDeclList *ast_declarations(Parser *p, ParamDeclList *list, ParamDecl *declaration) {
    if (!list)
        list = ARENA_NEW(p->arena, ParamDeclList);
    vec_push(p->arena, list, *declaration);
    return list;
}

Attribute *ast_attribute(Parser *p, Name name, ExprList *arguments) {
    Attribute *attribute = ARENA_NEW(p->arena, Attribute);
    attribute->name = name;
    if (arguments)
        attribute->arguments = *arguments;
    return attribute;
}

AttributeList *ast_attributes(Parser *p, AttributeList *list, Attribute *attribute) {
    if (!list)
        list = ARENA_NEW(p->arena, AttributeList);
    vec_push(p->arena, list, *attribute);
    return list;
}

Formal *ast_formal(Parser *p, Target *target, Expr *default_value) {
    Formal *formal = ARENA_NEW(p->arena, Formal);
    formal->target = *target;
    formal->default_value = default_value;
    return formal;
}

FormalList *ast_formals(Parser *p, FormalList *list, Formal *formal) {
    if (!list)
        list = ARENA_NEW(p->arena, FormalList);
    if (formal)
        vec_push(p->arena, list, *formal);
    return list;
}

/* Statements */

static Stmt *ast_new_stmt(Parser *p, StmtKind kind, Span at) {
    Stmt *stmt = ARENA_NEW(p->arena, Stmt);
    stmt->kind = kind;
    stmt->span = at;
    stmt->doc = map_get_u64(p->docs, at.begin);
    return stmt;
}

StmtList *ast_block(Parser *p) {
    return ARENA_NEW(p->arena, StmtList);
}

StmtList *ast_block_add(Parser *p, StmtList *block, Stmt *stmt) {
    if (stmt)
        vec_push(p->arena, block, stmt);
    return block;
}

Stmt *ast_bind(Parser *p, StmtKind kind, Span at, BindingList *bindings) {
    if (kind != STMT_LET && !ast_binds_one_each(p, bindings))
        kind = STMT_ERROR;
    Stmt *stmt = ast_new_stmt(p, kind, at);
    if (kind != STMT_ERROR)
        stmt->bindings = *bindings;
    return stmt;
}

Stmt *ast_param(Parser *p, StmtKind kind, Span at, ParamDeclList *list, AttributeList *attributes) {
    Stmt *stmt = ast_new_stmt(p, kind, at);
    stmt->param.list = *list;
    if (attributes)
        stmt->param.attributes = *attributes;
    for (uint32_t k = list->count; k-- > 1;) {
        ParamDecl *left = &list->at[k - 1], *right = &list->at[k];
        if (left->init_kind == INIT_NONE) {
            left->init_kind = right->init_kind;
            left->init = right->init;
        }
    }
    return stmt;
}

Stmt *ast_state(Parser *p, Span at, TargetList *targets) {
    Stmt *stmt = ast_new_stmt(p, STMT_STATE, at);
    stmt->targets = *targets;
    return stmt;
}

Stmt *ast_loop(Parser *p, StmtKind kind, Span at, Expr *count, StmtList *body) {
    Stmt *stmt = ast_new_stmt(p, kind, at);
    stmt->loop.count = count;
    stmt->loop.body = *body;
    return stmt;
}

Stmt *ast_scan(Parser *p, Span at, const Name *word, StmtList *body) {
    if (word && strcmp(word->text, "reverse") != 0) {
        diag_error(p->c->diagnostics, DIAG_SYNTAX, word->span,
                   "a scan begins `scan { … }`, or `scan reverse { … }`");
        return ast_stmt_error(p, at);
    }
    Stmt *stmt = ast_loop(p, STMT_SCAN, at, NULL, body);
    stmt->loop.reverse = word != NULL;
    return stmt;
}

Stmt *ast_for(Parser *p, Span at, Name name, Expr *count, StmtList *body) {
    Stmt *stmt = ast_loop(p, STMT_FOR, at, count, body);
    stmt->loop.name = name;
    return stmt;
}

Stmt *ast_if(Parser *p, Span at, Expr *condition, StmtList *then_body, StmtList *else_body) {
    Stmt *stmt = ast_new_stmt(p, STMT_IF, at);
    stmt->branch.condition = condition;
    stmt->branch.then_body = *then_body;
    if (else_body)
        stmt->branch.else_body = *else_body;
    return stmt;
}

Stmt *ast_value(Parser *p, StmtKind kind, Span at, Expr *value, Expr *weight) {
    Stmt *stmt = ast_new_stmt(p, kind, at);
    stmt->value = value;
    stmt->weight = weight;
    return stmt;
}

Stmt *ast_write_each(Parser *p, Span at, Name word, Name old, Name now, Expr *value) {
    if (strcmp(word.text, "each") != 0) {
        diag_error(p->c->diagnostics, DIAG_SYNTAX, old.span, "expected `=` behind `%s`", word.text);
        diag_help(p->c->diagnostics,
                  "states are written by name, `write %s = ...;`, or those of a connection inside, "
                  "`write each old, new = ...;`",
                  word.text);
        return ast_stmt_error(p, at);
    }
    Stmt *stmt = ast_new_stmt(p, STMT_EACH, at);
    stmt->each.old = old;
    stmt->each.now = now;
    stmt->each.value = value;
    return stmt;
}

Stmt *ast_require(Parser *p, Span at, Expr *condition, const char *message) {
    Stmt *stmt = ast_new_stmt(p, STMT_REQUIRE, at);
    stmt->require.condition = condition;
    stmt->require.message = message;
    return stmt;
}

Stmt *ast_positions(Parser *p, Span at, BindingList *positions, AttributeList *attributes) {
    Stmt *stmt = ast_new_stmt(p, STMT_POSITIONS, at);
    stmt->positions.axes = *positions;
    if (attributes)
        stmt->positions.attributes = *attributes;
    return stmt;
}

Stmt *ast_input(Parser *p, StmtKind kind, Span at, Target *target, Expr *type) {
    Stmt *stmt = ast_new_stmt(p, kind, at);
    stmt->input.target = *target;
    stmt->input.type = type;
    return stmt;
}

Stmt *ast_site(Parser *p, Span at, Name name, Expr *connection, ExprList *branches) {
    Stmt *stmt = ast_new_stmt(p, STMT_SITE, at);
    stmt->site.name = name;
    stmt->site.connection = ast_check_use(p, connection, "a connection before `:`");
    stmt->site.branches = *branches;
    for (uint32_t k = 0; k < branches->count; k++)
        branches->at[k] = ast_check_use(p, branches->at[k], "a branch after `:`");
    return stmt;
}

Stmt *ast_setting(Parser *p, Span at, Name name, Expr *value, Expr *parts) {
    Stmt *stmt = ast_new_stmt(p, STMT_SETTING, at);
    stmt->setting.name = name;
    stmt->setting.value = value;
    stmt->setting.parts = parts;
    return stmt;
}

Stmt *ast_data(Parser *p, Span at, Name source, BindingList *bindings) {
    Stmt *stmt = ast_new_stmt(p, STMT_DATA, at);
    stmt->data.source = source;
    if (bindings)
        stmt->data.bindings = *bindings;
    return stmt;
}

Stmt *ast_stmt_error(Parser *p, Span at) {
    return ast_new_stmt(p, STMT_ERROR, at);
}

/* Definitions */

static Item *ast_new_item(Parser *p, ItemKind kind, Span at, Name name) {
    Item *item = ARENA_NEW(p->arena, Item);
    item->kind = kind;
    item->span = at;
    item->name = name;
    item->doc = map_get_u64(p->docs, at.begin);
    return item;
}

Item *ast_use(Parser *p, Span at, Name name, const char *file) {
    Item *item = ast_new_item(p, ITEM_USE, at, name);
    item->used = file;
    return item;
}

Item *ast_constants(Parser *p, Span at, BindingList *bindings) {
    if (!ast_binds_one_each(p, bindings))
        return NULL;
    Item *item = ast_new_item(p, ITEM_CONST, at, (Name){0});
    item->constants = *bindings;
    return item;
}

Item *ast_fn(Parser *p, Span at, Name name, FormalList *formals, TargetList *outputs,
             StmtList *body) {
    Item *item = ast_new_item(p, ITEM_FN, at, name);
    if (formals)
        item->formals = *formals;
    item->outputs = *outputs;
    item->body = *body;
    return item;
}

Item *ast_fn_short(Parser *p, Span at, Name name, FormalList *formals, Expr *expression) {
    Item *item = ast_new_item(p, ITEM_FN, at, name);
    if (formals)
        item->formals = *formals;
    item->expression = expression;
    return item;
}

Item *ast_signature(Parser *p, FormalList *inputs, TargetList *outputs) {
    Item *signature = ARENA_NEW(p->arena, Item);
    if (inputs)
        signature->inputs = *inputs;
    if (outputs)
        signature->outputs = *outputs;
    return signature;
}

Item *ast_no_signature(Parser *p, Span at) {
    const Token *start = tokens_statement_start(p->tokens);
    if (start->kind == TOKEN_BRANCH && p->last_error <= start->span.begin) {
        diag_error(p->c->diagnostics, DIAG_SYNTAX, at, "a branch needs a signature");
        diag_help(p->c->diagnostics, "write `branch name(…) : x[d] -> y[d] { … }`");
    }
    return NULL;
}

Item *ast_definition(Parser *p, ItemKind kind, Span at, Name name, FormalList *formals,
                     const Item *signature, StmtList *body) {
    Item *item = ast_new_item(p, kind, at, name);
    if (formals)
        item->formals = *formals;
    if (signature) {
        item->has_signature = true;
        item->inputs = signature->inputs;
        item->outputs = signature->outputs;
    }
    item->body = *body;
    return item;
}

void parser_skip_definition(Parser *p) {
    p->lost_at_top = false;
}

void parser_add_item(Parser *p, Item *item) {
    if (!item)
        return;
    p->lost_at_top = false;
    vec_push(p->arena, &p->ast->items, item);
}

void parser_set_expression(Parser *p, Expr *expression, Expr *parts) {
    p->expression = expression;
    p->parts = parts;
}
