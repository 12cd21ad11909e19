/* The syntax tree of a .hc file: what was written, nothing more. Nodes live in the compilation's
 * arena; names are interned; every node has the span of its text. Lists are VECs or counted
 * arrays. Only syntax/ constructs nodes; sema/ reads them. */
#ifndef HCC_SYNTAX_AST_H
#define HCC_SYNTAX_AST_H

#include "base/source.h"
#include "base/vec.h"
#include <stdbool.h>

enum { AST_NESTING = 256 }; /* how deep blocks and brackets nest, and expressions grow */

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Item Item;
typedef VEC(Expr *) ExprList;
typedef VEC(Stmt *) StmtList;
typedef VEC(Item *) ItemList;

typedef struct {
    const char *text; /* interned; NULL for a missing name (after an error) */
    Span span;
} Name;
typedef VEC(Name) NameList;

/* `f(a, heads = 4)`: name.text is NULL for a positional argument. */
typedef struct {
    Name name;
    Expr *value;
} Argument;
typedef VEC(Argument) ArgumentList;

typedef enum {
    EXPR_NUMBER,  /* 12, 0.02 */
    EXPR_BOOL,    /* true, false */
    EXPR_STRING,  /* "text" */
    EXPR_NAME,    /* x */
    EXPR_UNARY,   /* -a, !a */
    EXPR_SUM,     /* a + b - c: flat, any length */
    EXPR_PRODUCT, /* a * b / c % d: flat, any length */
    EXPR_POWER,   /* a ^ b */
    EXPR_COMPARE, /* a < b: one comparison; chains are a syntax error */
    EXPR_LOGIC,   /* a && b && c, or a || b || c: flat */
    EXPR_INDEX,   /* base[i, j + 1] */
    EXPR_MEMBER,  /* base.name */
    EXPR_CALL,    /* callee(arguments) */
    EXPR_REDUCE,  /* sum[i, j] operand; softmax[k] operand too */
    EXPR_TUPLE,   /* (0.9, 0.99) */
    EXPR_LIST,    /* [a, -b]: a tensor, by the entries along its first axis */
    EXPR_SLICE,   /* 2 .. 5, in a subscript */
    EXPR_TRUNK,   /* trunk(x) { ... } */
    EXPR_ERROR,   /* a place where parsing recovered; silences followers */
} ExprKind;

typedef enum { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD } ArithmeticOp;
typedef enum { OP_LT, OP_LE, OP_GT, OP_GE, OP_EQ, OP_NE } CompareOp;
typedef enum { OP_NEG, OP_NOT } UnaryOp;
typedef enum { OP_AND, OP_OR } LogicOp;

/* Reduction names are reserved words. SOFTMAX keeps its index free. */
typedef enum {
    REDUCE_SUM,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_MEAN,
    REDUCE_PROD,
    REDUCE_LOGSUMEXP,
    REDUCE_ARGMAX,
    REDUCE_SOFTMAX,
} ReduceKind;

struct Expr {
    ExprKind kind;
    Span span;
    uint16_t height; /* of the expression tree below; at most AST_NESTING */
    bool parenthesised;
    union {
        double number;
        bool boolean;
        const char *string; /* interned, unescaped */
        const char *name;   /* interned */
        struct {
            UnaryOp op;
            Expr *operand;
        } unary;
        struct { /* SUM: ops[0] is OP_ADD; term k enters with ops[k]. PRODUCT: ops[0] is OP_MUL. */
            ExprList terms;
            VEC(ArithmeticOp) ops;
        } chain;
        struct {
            Expr *base, *exponent;
        } power;
        struct {
            CompareOp op;
            Expr *left, *right;
        } compare;
        struct {
            LogicOp op;
            ExprList terms;
        } logic;
        struct {
            Expr *base;
            ExprList indices;
        } index;
        struct {
            Expr *base;
            Name name;
        } member;
        struct {
            Expr *callee; /* a NAME, or an INDEX of one */
            ArgumentList arguments;
            Name as; /* what the instance is called; no text: as the `let` is, if anything */
        } call;
        struct {
            ReduceKind op;
            NameList indices;
            ExprList ranges; /* of sum[i < 4]; NULL where none is written */
            Expr *operand;   /* one multiplicative term, as in print */
        } reduce;
        ExprList tuple; /* TUPLE and LIST */
        struct {
            Expr *from, *to; /* NULL: from the first, to the last */
        } slice;
        struct {
            Expr *input;
            StmtList body;
        } trunk;
    };
};

/* `name[indices]` on the left of `=`, or a declared name with its shape. Each entry is an
 * expression: an index name, a constant (slice update in `iterate`), or an extent. `bracketed` is
 * false for a bare name. */
typedef struct {
    Name name;
    bool bracketed;
    ExprList indices;
    Span span;
} Target;
typedef VEC(Target) TargetList;

/* One definition `target = value`; or of `let n, g = both(h);`, which is a binding for each name,
 * the one that takes the result `place` of `of`. */
typedef struct {
    Target target;
    Expr *value;
    uint32_t place, of;       /* 0 of 1: the value itself */
    const TargetList *before; /* while it is read: names before the last */
} Binding;
typedef VEC(Binding) BindingList;

typedef enum { INIT_NONE, INIT_VALUE, INIT_DISTRIBUTION } InitKind;

/* `nodecay`, `freeze`, `lr(0.1)` after a parameter. */
typedef struct {
    Name name;
    ExprList arguments;
} Attribute;
typedef VEC(Attribute) AttributeList;

/* One tensor of a `param` statement. A declaration without an initialiser of its own has taken the
 * next one to its right (the parser does that), attributes likewise belong to the statement. */
typedef struct {
    Target target; /* name and extents */
    InitKind init_kind;
    Expr *init; /* a value, or a CALL such as normal(0.02) */
} ParamDecl;
typedef VEC(ParamDecl) ParamDeclList;

typedef enum {
    STMT_CONST,     /* const a = 1, b = 2;            bindings */
    STMT_PARAM,     /* param P[n, d] ~ normal(0.02);  params, attributes */
    STMT_BUFFER,    /* buffer s = 1 shared;           params, attributes */
    STMT_STATE,     /* state H[n, d];                 targets */
    STMT_CARRY,     /* carry v[n] = 0;                bindings */
    STMT_AROUND,    /* around inner(n = 2);           value */
    STMT_LET,       /* let a[i] = ..., b = ...;       bindings */
    STMT_BEGIN,     /* begin H[i,c] = x[c];           bindings */
    STMT_READ,      /* read x = norm(u);              bindings */
    STMT_WRITE,     /* write H[k,c] = ...;            bindings */
    STMT_EACH,      /* write each old, new = ...;     each */
    STMT_APPEND,    /* append X[c] = y[c];            bindings */
    STMT_END,       /* end x = norm(s);               bindings */
    STMT_UPDATE,    /* update s = ...;                bindings */
    STMT_PROJECT,   /* project W[k, c] = ...;         bindings */
    STMT_ASSIGN,    /* v[j] = ...;  inside a loop     bindings */
    STMT_ITERATE,   /* iterate 20 { ... } */
    STMT_SCAN,      /* scan { ... }  scan reverse { ... } */
    STMT_FOR,       /* for k < n { ... } */
    STMT_IF,        /* if n == 1 { ... } else { ... } */
    STMT_PENALTY,   /* penalty expr; */
    STMT_PROBE,     /* probe M;                       value */
    STMT_REQUIRE,   /* require n >= 2, "message"; */
    STMT_POSITIONS, /* positions t <= 256 causal;  positions (r <= 8, c <= 8); */
    STMT_INPUT,     /* input tokens[t] : token(vocab);   */
    STMT_TARGET,    /* target next[t] : token(vocab);    */
    STMT_LOSS,      /* loss cross_entropy(logits, next); value */
    STMT_OUTPUT,    /* output h;                         value */
    STMT_METRIC,    /* metric accuracy(logits, next);    value */
    STMT_REPEAT,    /* repeat blocks { ... } */
    STMT_SITE,      /* attn = wiring : attention(heads); */
    STMT_SETTING,   /* train block: steps 2000;  optimizer adamw(...);  name, value */
    STMT_DATA,      /* train block: data text { tokens[t] = bytes[t]; held_out = 0.1; } */
    STMT_ERROR,
} StmtKind;

struct Stmt {
    StmtKind kind;
    Span span;
    const char *doc; /* the /// comment above, or NULL */
    Expr *weight;    /* LOSS, METRIC: behind `weight`, or NULL */
    union {
        BindingList bindings;
        TargetList targets; /* STATE */
        struct {
            ParamDeclList list;
            AttributeList attributes;
        } param;
        struct {
            Name name;    /* FOR */
            bool reverse; /* SCAN */
            Expr *count;  /* but for SCAN */
            StmtList body;
        } loop; /* ITERATE, SCAN, FOR, REPEAT */
        struct {
            Expr *condition;
            StmtList then_body, else_body; /* else-if nests in else_body */
        } branch;                          /* IF */
        struct {
            Expr *condition;
            const char *message;
        } require; /* REQUIRE */
        struct {
            Name old, now; /* what the value calls a state before and after */
            Expr *value;
        } each;      /* EACH */
        Expr *value; /* AROUND, PENALTY, PROBE, LOSS, OUTPUT, METRIC */
        struct {
            BindingList axes; /* target.name <= value */
            AttributeList attributes;
        } positions; /* POSITIONS */
        struct {
            Target target;
            Expr *type; /* token(vocab), real, integer ... as written */
        } input;        /* INPUT, TARGET */
        struct {
            Name name;
            Expr *connection;  /* NAME or CALL */
            ExprList branches; /* NAME or CALL each; more than one are parallel: `a : f & g` */
        } site;
        struct {
            Name name;
            Expr *value;
            Expr *parts; /* `batch 32 in 8`, or NULL */
        } setting;
        struct {
            Name source; /* text, images, ... */
            BindingList bindings;
        } data;
    };
};

/* A parameter of a definition: `n = 4`, `L[n, n]`, `iters`. */
typedef struct {
    Target target;
    Expr *default_value; /* or NULL */
} Formal;
typedef VEC(Formal) FormalList;

typedef enum {
    ITEM_USE,        /* use std; use "file.hc"; */
    ITEM_CONST,      /* const a = 1; */
    ITEM_FN,         /* fn sinkhorn(L[n,n], iters) -> M[n,n] { ... }   or   fn f(x) = expr; */
    ITEM_CONNECTION, /* connection mhc(n = 4) { ... } */
    ITEM_BRANCH,     /* branch mlp(hidden) : x[d] -> y[d] { ... } */
    ITEM_MODULE,     /* module name(formals) : x[d] -> y[d] { ... } */
    ITEM_MODEL,      /* model name { ... } */
    ITEM_TRAIN,      /* train name { ... } */
} ItemKind;

/* `q[d], k[d] = q, v[d] = q`: an input that has a default takes that other input's value. */
typedef FormalList InputList;

struct Item {
    ItemKind kind;
    Span span;
    const char *doc;
    Name name;
    FormalList formals;
    bool has_signature; /* BRANCH, MODULE */
    InputList inputs;   /* BRANCH, MODULE: left of ->; CONNECTION: what its sites give it */
    TargetList outputs; /* right of ->; FN with a body too */
    StmtList body;
    Expr *expression;      /* FN of the `= expr` form, else NULL */
    BindingList constants; /* CONST */
    const char *used;      /* USE of a file: as it is said, and `name` none; else NULL */
};

typedef struct Ast Ast;
struct Ast {
    uint32_t file;
    ItemList items;
    VEC(const Ast *) used; /* the files that it uses, and those they use, each once */
};
/* The text's own files, which the library's are not. */
static inline bool ast_has_file(const Ast *ast, uint32_t file) {
    bool has = ast->file == file;
    for (uint32_t k = 0; k < ast->used.count; k++)
        has = has || ast->used.at[k]->file == file;
    return has;
}

#endif
