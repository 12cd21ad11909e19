/* Values: what expressions become. What is a tensor among them has been built in the TIR program
 * already.
 *
 * Index notation works on *labelled* tensors: every axis is bound to an Index, or is bare. Binary
 * operations align axes by Index, whatever their order; a whole tensor (`E`, `rmsnorm(x)`) has bare
 * axes only, which align by position. Labels that a function's body does not know (its argument was
 * `H[i]`) ride along, which is what lifts tensor functions over indices. */
#ifndef HCC_SEMA_VALUE_H
#define HCC_SEMA_VALUE_H

#include "syntax/ast.h"
#include "tir/tir.h"

typedef struct Sema Sema;
typedef struct Loop Loop;
typedef struct Scope Scope;
typedef struct Callable Callable;
typedef struct Builtin Builtin;
typedef struct Site Site;
typedef struct Held Held;
typedef struct SiteUse SiteUse;

typedef struct {
    const char *name;
    Span span;
    uint32_t serial; /* order of creation: the canonical order of axes */
    uint32_t extent; /* 0: not known yet */
    Span extent_at;  /* what fixed it */
    bool bounded;    /* `[i < 5]`: may run over less than the axis */
    bool fixed;      /* numeric evaluation: the index stands for `current` */
    int64_t current;
} Index;

/* A tensor in the program; axes[k] is NULL for a bare axis. Bare axes keep their order. */
typedef struct {
    TirId id;
    uint32_t level; /* the loop nest level of the block that holds id */
    TirType type;
    Index *axes[TIR_MAX_RANK];
} Tensor;

typedef enum {
    VALUE_POISON, /* an error was reported; silences followers */
    VALUE_NUMBER, /* known now */
    VALUE_BOOL,   /* known now */
    VALUE_STRING,
    VALUE_TUPLE,
    VALUE_TENSOR,
    VALUE_REPEAT,   /* `let u[k] = 1`: a value of less rank repeated; extents may come later */
    VALUE_PATTERN,  /* identity, onehot(k): a tensor once its indices are given */
    VALUE_CALLABLE, /* a function, connection, branch, module; perhaps with arguments */
} ValueKind;

typedef struct Value Value;

typedef struct {
    const Value *element;        /* NUMBER, or TENSOR without bare axes */
    Index *labels[TIR_MAX_RANK]; /* the element's own axes that are among the repeated, or NULL */
    uint32_t rank;
    uint32_t extents[TIR_MAX_RANK]; /* 0: not known yet */
    Span spans[TIR_MAX_RANK];
} Repeat;

typedef enum { PATTERN_IDENTITY, PATTERN_ONEHOT } PatternKind;

typedef struct {
    PatternKind kind;
    const Value *argument; /* ONEHOT: NUMBER, or TENSOR of integers */
} Pattern;

struct Value {
    ValueKind kind;
    Span span;        /* where it was written; for "the other place" */
    const Held *held; /* of what a trunk gives: what it had; or NULL */
    union {
        double number;
        bool boolean;
        const char *string;
        struct {
            const Value *at;
            uint32_t count;
        } tuple;
        const Tensor *tensor;
        Repeat *repeat;
        const Pattern *pattern;
        const Callable *callable;
    };
};

typedef struct {
    Name name; /* text NULL: positional */
    Value value;
    Span at; /* the expression */
} BoundArgument;
typedef VEC(BoundArgument) BoundArgumentList;

#define ALL_BRANCHES UINT32_MAX

/* A module or branch that is one wherever it is called: its parameters have names below `path`. */
typedef struct {
    const char *path;
    const char *name; /* the last of the path: the argument's, or the `let`'s */
    const void *made; /* by what: the same each time that is elaborated */
    bool of_connection;
} SharedInstance;

struct Callable {
    const Builtin *builtin; /* or */
    Site *site;             /* `branch`: what stands at this site, */
    uint32_t branch;        /* all side by side or one of them; or */
    const Item *item;
    Scope *home; /* the root scope of the item's file */
    BoundArgumentList arguments;
    Name as;                        /* what an instance of it is to be called, if anything */
    const SharedInstance *instance; /* NULL: each call makes an instance of its own */
};

#define POISON ((Value){.kind = VALUE_POISON})
static inline bool is_poison(Value v) {
    return v.kind == VALUE_POISON;
}
static inline Value value_number(double number, Span span) {
    return (Value){.kind = VALUE_NUMBER, .span = span, .number = number};
}
static inline Value value_bool(bool boolean, Span span) {
    return (Value){.kind = VALUE_BOOL, .span = span, .boolean = boolean};
}

uint32_t tensor_bare_rank(const Tensor *t);
uint32_t tensor_bare_dims(const Tensor *t, uint32_t *dims, uint32_t *axes);
/* For messages: "[4, 128]", "a tensor [4, 128]". */
const char *dims_text(Sema *s, uint32_t rank, const uint32_t *dims);
const char *value_text(Sema *s, Value v);

#endif
