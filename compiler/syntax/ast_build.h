/* Constructors of the tree, one for each action of grammar/hc.y. Lists are appended to in place
 * (NULL begins one); an element that is NULL, left by error recovery, is dropped. */
#ifndef HCC_SYNTAX_AST_BUILD_H
#define HCC_SYNTAX_AST_BUILD_H

#include "syntax/ast.h"

typedef struct Parser Parser;

/* What a virtual token stands in for: see tokens.h. */
typedef struct {
    const char *text; /* ";" ")" "]" "}" */
    Span opened;      /* the bracket it should close; nowhere for ";" */
    Span at;          /* the end of the token before */
    int found_kind;   /* the token that stands there instead */
    Span found;
} Missing;

void parser_set_expression(Parser *p, Expr *expression, Expr *parts);
/* After what was no definition but ended like one. */
void parser_skip_definition(Parser *p);
void parser_add_item(Parser *p, Item *item);
/* A bracket or statement was ended by this token: reports it when it was missing. True when it was
 * there. */
bool parser_ended(Parser *p, const Missing *missing);

/* Expressions (ast_build.c) */
Expr *ast_error(Parser *p, Span at);
Expr *ast_number(Parser *p, Span at, double number);
Expr *ast_string(Parser *p, Span at, const char *string);
Expr *ast_boolean(Parser *p, Span at, bool boolean);
Expr *ast_name(Parser *p, Name name);
Expr *ast_parenthesised(Parser *p, Span at, Expr *inner);
Expr *ast_unary(Parser *p, UnaryOp op, Span at, Expr *operand);
Expr *ast_power(Parser *p, Span at, Expr *base, Expr *exponent);
/* Appends to `left` when that is a chain of `kind` in the making. */
Expr *ast_chain(Parser *p, ExprKind kind, ArithmeticOp op, Span at, Expr *left, Expr *right);
Expr *ast_logic(Parser *p, LogicOp op, Span at, Expr *left, Expr *right);
Expr *ast_compare(Parser *p, CompareOp op, Span at, Expr *left, Expr *right);
/* `indices` is NULL after an error in them. */
Expr *ast_reduce(Parser *p, ReduceKind op, Span at, BindingList *indices, Expr *operand);
Expr *ast_index(Parser *p, Span at, Expr *base, ExprList *indices);
Expr *ast_member(Parser *p, Span at, Expr *base, Name name);
/* `x.norm()`, which is an error. */
Expr *ast_call_member(Parser *p, Span at, Name name);
Expr *ast_call(Parser *p, Span at, Name callee, ArgumentList *arguments);
/* `branch[1](x)`: what is called is an entry of a name. */
Expr *ast_call_entry(Parser *p, Span at, Expr *entry, ArgumentList *arguments);
/* `call as name`. */
Expr *ast_call_named(Span at, Expr *call, Name as);
Expr *ast_tuple(Parser *p, Span at, Expr *first, ExprList *rest);
Expr *ast_list(Parser *p, Span at, ExprList *entries);
Expr *ast_slice(Parser *p, Span at, Expr *from, Expr *to); /* either may be NULL */
Expr *ast_trunk(Parser *p, Span at, Expr *input, StmtList *body);
Name ast_reduction_name(Parser *p, Span at, ReduceKind op); /* max(a, b) is a call */
Argument *ast_argument(Parser *p, const Name *name, Expr *value);
ArgumentList *ast_arguments(Parser *p, ArgumentList *list, Argument *argument);
ExprList *ast_expressions(Parser *p, ExprList *list, Expr *expression);

/* Statements and definitions (ast_build_item.c) */
Target *ast_target(Parser *p, Span at, Name name, ExprList *indices);
TargetList *ast_targets(Parser *p, TargetList *list, Target *target);
Binding *ast_binding(Parser *p, Target *target, Expr *value);
/* `n, g = both(h)`; NULL value: a range without one. */
Binding *ast_binding_several(Parser *p, TargetList *before, Target *last, Expr *value);
BindingList *ast_bindings(Parser *p, BindingList *list, Binding *binding);
ParamDecl *ast_declaration(Parser *p, Target *target, InitKind kind, Expr *init);
ParamDeclList *ast_declarations(Parser *p, ParamDeclList *list, ParamDecl *declaration);
Attribute *ast_attribute(Parser *p, Name name, ExprList *arguments);
AttributeList *ast_attributes(Parser *p, AttributeList *list, Attribute *attribute);
Formal *ast_formal(Parser *p, Target *target, Expr *default_value);
FormalList *ast_formals(Parser *p, FormalList *list, Formal *formal);

StmtList *ast_block(Parser *p);
StmtList *ast_block_add(Parser *p, StmtList *block, Stmt *stmt);
Stmt *ast_bind(Parser *p, StmtKind kind, Span at, BindingList *bindings);
/* Each declaration without an initialiser takes the next one to its right. */
/* kind: PARAM or BUFFER */
Stmt *ast_param(Parser *p, StmtKind kind, Span at, ParamDeclList *list, AttributeList *attributes);
Stmt *ast_state(Parser *p, Span at, TargetList *targets);
Stmt *ast_loop(Parser *p, StmtKind kind, Span at, Expr *count, StmtList *body);
/* `word` NULL: from the first position on. */
Stmt *ast_scan(Parser *p, Span at, const Name *word, StmtList *body);
Stmt *ast_for(Parser *p, Span at, Name name, Expr *count, StmtList *body);
Stmt *ast_if(Parser *p, Span at, Expr *condition, StmtList *then_body, StmtList *else_body);
/* weight: of a LOSS or METRIC, or NULL */
Stmt *ast_value(Parser *p, StmtKind kind, Span at, Expr *value, Expr *weight);
/* `write each old, new = value;` */
Stmt *ast_write_each(Parser *p, Span at, Name word, Name old, Name now, Expr *value);
Stmt *ast_require(Parser *p, Span at, Expr *condition, const char *message);
Stmt *ast_positions(Parser *p, Span at, BindingList *positions, AttributeList *attributes);
Stmt *ast_input(Parser *p, StmtKind kind, Span at, Target *target, Expr *type);
Stmt *ast_site(Parser *p, Span at, Name name, Expr *connection, ExprList *branches);
Stmt *ast_setting(Parser *p, Span at, Name name, Expr *value, Expr *parts);
Stmt *ast_data(Parser *p, Span at, Name source, BindingList *bindings);
Stmt *ast_stmt_error(Parser *p, Span at);

Item *ast_use(Parser *p, Span at, Name name, const char *file);
Item *ast_constants(Parser *p, Span at, BindingList *bindings);
Item *ast_fn(Parser *p, Span at, Name name, FormalList *formals, TargetList *outputs,
             StmtList *body);
Item *ast_fn_short(Parser *p, Span at, Name name, FormalList *formals, Expr *expression);
/* A signature is carried as an item that has nothing else. */
Item *ast_signature(Parser *p, FormalList *inputs, TargetList *outputs);
/* NULL; a branch must have one, and is told so. */
Item *ast_no_signature(Parser *p, Span at);
Item *ast_definition(Parser *p, ItemKind kind, Span at, Name name, FormalList *formals,
                     const Item *signature, StmtList *body);

#endif
