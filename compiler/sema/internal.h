/* What the files of sema/ share. Elaboration is evaluation: expressions become Values, and what is
 * a tensor among them has been built in the TIR program already.
 *
 * Index notation works on *labelled* tensors: every axis is bound to an Index, or is bare. Binary
 * operations align axes by Index, whatever their order; a whole tensor (`E`, `rmsnorm(x)`) has bare
 * axes only, which align by position. Labels that a function's body does not know (its argument was
 * `H[i]`) ride along, which is what lifts tensor functions over indices. */
#ifndef HCC_SEMA_INTERNAL_H
#define HCC_SEMA_INTERNAL_H

#include "sema/sema.h"

typedef struct Sema Sema;
typedef struct Scope Scope;
typedef struct Symbol Symbol;
typedef struct Frame Frame;
typedef struct Callable Callable;

/* --- indices and values ---------------------------------------------------------------------- */

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
    Span span; /* where it was written; for "the other place" */
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

typedef struct Builtin Builtin;
typedef Value BuiltinRule(Sema *s, const Builtin *b, const BoundArgument *a, uint32_t n,
                          const Expr *e);
struct Callable {
    const Builtin *builtin; /* or */
    const Item *item;
    Scope *home; /* the root scope of the item's file */
    BoundArgumentList arguments;
};

/* --- names ----------------------------------------------------------------------------------- */

typedef enum {
    SYMBOL_VALUE, /* a let, a parameter, a state, an argument */
    SYMBOL_CONST, /* evaluated when first asked for */
    SYMBOL_INDEX,
    SYMBOL_POSITION, /* `t` of `positions t <= 64` */
    SYMBOL_ITEM,
} SymbolKind;

typedef enum {
    DECLARED_OTHER,
    DECLARED_LET,
    DECLARED_PARAM,
    DECLARED_BUFFER,
    DECLARED_STATE,
    DECLARED_EXTENT,
    DECLARED_OUTPUT,
} DeclaredAs;

struct Symbol {
    SymbolKind kind;
    DeclaredAs declared;
    const char *name;
    Span span;
    bool unbegun;               /* a state whose `begin` is still to come */
    bool assignable;            /* a let, which loops may assign to */
    uint32_t defined, assigned; /* when: see Sema.table */
    Value value;                /* VALUE; CONST once evaluated */
    const Binding *binding;     /* of a let: lets constant tables be looked up in numbers */
    Scope *scope;               /* where a const or let was written */
    const Expr *expr;
    enum { CONST_WAITING, CONST_ACTIVE, CONST_DONE } state;
    Index *index;
    const Item *item;
    uint32_t space, axis; /* POSITION */
};

struct Scope {
    Scope *parent;
    Frame *frame;
    VEC(Symbol *) symbols;
    bool is_frame;   /* the outermost scope of an instance: names outside are definitions only */
    bool is_library; /* a root scope: of the standard library */
};

/* An instance of a definition, or of the model. */
struct Frame {
    Frame *outer; /* who used it */
    const Item *item;
    const char *path;  /* "trunk.3.attn"; "" for the model */
    const char *trunk; /* "trunk"; NULL outside */
    Span used_at;
    const void *call; /* the expression that made the instance: the same one may come twice */
    uint32_t space;   /* the position space its values live in; 0 = none */
    bool in_trunk, of_connection, is_function;
    bool rejected; /* a `require` does not hold: the rest of the body is passed over */
    uint32_t site, sites, block, blocks;
    uint32_t branches;      /* of the connection's site; 0 elsewhere */
    uint32_t branch_inputs; /* that each of them takes */
    bool sites_known;
    bool results_unknown;     /* a stand-in branch may have results of any name */
    const char *results_text; /* what the site's branches gave, for messages; NULL before */
    Span results_at;
    Map *shapes; /* Expr* -> dims of an indexed expression, for inference; NULL: none yet */
};

/* From this value on, until the next entry. */
typedef struct {
    TirId from;
    Frame *frame;
} Built;
typedef VEC(Built) BuiltList;

/* A block under construction; level 0 is the program's own. */
typedef struct Loop Loop;
typedef struct {
    TirId outside, argument;
} LoopImport;
struct Loop {
    Loop *outer;
    uint32_t level;
    TirBuilder builder;
    VEC(LoopImport) imports;
};

/* How often something declared was used, over all instances. */
typedef struct {
    Span span;
    const char *name;
    DeclaredAs declared;
    bool used, written, reached;
    bool self_used; /* a state, by its own write */
    Span blocked;   /* what keeps the gradient from a parameter */
} Usage;

typedef struct {
    uint32_t param;
    const void *call;
    Span span, used_at;
} Instance;

/* What a branch gave at a site. */
typedef struct {
    const char *name, *site; /* the definition's; the path of the site */
    const Item *connection;
    Span at;
    TirIdVec results;
    TirId after; /* values from here on may use them */
    bool lost;
} BranchUse;
typedef VEC(BranchUse) BranchUseList;

/* Words that mean something inside an instance. */
typedef enum {
    WORD_SITE,
    WORD_SITES,
    WORD_BLOCK,
    WORD_BLOCKS,
    WORD_BRANCHES,
    WORD_BRANCH_INPUTS,
    WORD_HERE,
    WORD_IDENTITY,
    WORD_TRAINING,
    WORD_COUNT
} Word;

/* Extents made up for a definition that nobody uses. What the text gives one of them instead is
 * taken in the next attempt, so that only what no extents avoid is said. */
enum { TRIAL_EXTENTS = 8 };
typedef struct {
    uint32_t extents[TRIAL_EXTENTS];
    uint32_t settled[TRIAL_EXTENTS]; /* by the text; 0: by nothing yet */
    bool too_large, small;           /* a tensor of them; they have been made smaller */
    bool again;
} Trial;

struct Sema {
    const char *words[WORD_COUNT]; /* interned */
    Compilation *c;
    Arena *arena;
    Diagnostics *d;
    const Ast *ast;
    const SemaOptions *options;
    Network *network;
    TirProgram *program;
    Loop *loop;
    Scope *library, *root;
    Scope *model_scope;       /* where defaults look for a constant of the formal's name */
    const Symbol *writing;    /* the state whose write is being elaborated */
    Frame *frame;             /* the instance being elaborated */
    Scope *call_scope;        /* where the built-in function being called stands */
    const char *let_name;     /* the let whose right side is being elaborated, */
    const Expr *let_value;    /* and that right side: a module used there takes the let's name */
    Map *instances;           /* full parameter name -> Instance */
    Map *once;                /* probes and penalties done: (path, statement) */
    Map *updates;             /* parameter index + 1 of a buffer -> its update */
    Map *random_calls;        /* calls of `random`, by path and place -> number */
    Map *usage;               /* span -> Usage */
    Map *used_items;          /* Item name pointer -> used */
    double *permutations[10]; /* tables made already */
    BranchUseList branches;   /* of all sites */
    BuiltList built;          /* which instance built which values of the program's block */
    Span causal[256];         /* by space: where it is declared causal; file 0: it is not */
    TirIdVec penalties;
    TirId loss, logits, loss_weight;
    uint32_t metrics;
    uint32_t trunks; /* in the model: one takes the name `trunk` */
    uint32_t next_serial, depth;
    uint64_t steps, table_entries;
    uint32_t values, n_instances;
    uint64_t
        decisions; /* conditions and counts met that need not be the same in a loop's next turn */
    const Symbol *table; /* a constant table is looked up as its names stood when it was defined, */
    Span table_at;       /* from here */
    bool numeric;        /* only numbers can come of this */
    bool constant;       /* a `const`: calls of definitions give definitions */
    bool trial;          /* a definition nobody uses is being checked, */
    Trial tried;         /* with these extents */
    bool syntax_errors;  /* what is missing may have been lost with them: said only without */
    bool muted;          /* the last error was not reported, nor are its notes */
    bool steps_reported, depth_reported, library_loaded;
    /* numeric evaluation of an initial value: the element that is wanted */
    bool element_wanted, pattern_used, table_used;
    uint32_t element_rank;
    int64_t element_at[TIR_MAX_RANK];
    const uint32_t *element_dims;
};

enum { SEMA_MAX_FRAMES = 64, SEMA_MAX_DEPTH = 1200 };
#define SEMA_MAX_STEPS 200000000u
#define NUMERIC_LARGEST (1u << 24) /* entries of a table evaluated here, */
#define NUMERIC_TOTAL (1u << 27)   /* and of all of them together */
enum { SEMA_MAX_VALUES = 5000000, SEMA_MAX_INSTANCES = 200000 };
/* Ends elaboration: what follows is poison. */
void sema_give_up(Sema *s, Span at);
/* Room for a table of `count` entries; NULL after an error. */
double *table_alloc(Sema *s, uint64_t count, Span span);
#define SEMA_MAX_ELEMENTS ((uint64_t)1 << 40)

/* --- sema.c, scope.c -------------------------------------------------------------------------- */

/* Reports; when an instance is being elaborated and the place lies in a definition, a note says
 * which instance. Returns poison, for `return sema_error(...)`. */
Value sema_error(Sema *s, DiagCode code, Span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void sema_warning(Sema *s, DiagCode code, Span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The other place, unless it is nowhere. */
void sema_note(Sema *s, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));

void sema_help(Sema *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

Scope *scope_create(Sema *s, Scope *parent, Frame *frame);
Symbol *scope_define(Sema *s, Scope *scope, const char *name, Span span, SymbolKind kind);
Symbol *scope_find_here(const Scope *scope, const char *name);
/* As far as the instance's own scopes go. */
Symbol *scope_find_local(const Scope *scope, const char *name);
Symbol *scope_find(Sema *s, Scope *scope, const char *name);
void scope_unknown(Sema *s, Scope *scope, const char *name, Span span, const char *what);
Scope *scope_root(Scope *scope);
void scope_load_library(Sema *s);
void scope_add_items(Sema *s, Scope *root, const Ast *ast);
/* False, with an error, when `name` is defined in this scope already. */
bool scope_check_new(Sema *s, Scope *scope, Name name);
void usage_declare(Sema *s, DeclaredAs declared, const char *name, Span span);
void usage_mark(Sema *s, const Symbol *symbol);
Usage *usage_at(Sema *s, Span span);

Frame *frame_push(Sema *s, const Item *item, const char *path, Span used_at);
void frame_pop(Sema *s);
/* The instance that built a value of the program's block. */
Frame *frame_of(const Sema *s, TirId id);

Value symbol_constant(Sema *s, Symbol *symbol); /* evaluates a SYMBOL_CONST */
void define_constants(Sema *s, Scope *scope, const BindingList *list);

/* --- tensor.c: labelled tensors ----------------------------------------------------------------
 */

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

TirBuilder *sema_builder(Sema *s, Span span);
const TirType *sema_type(Sema *s, TirId id); /* of the block under construction */
/* A value of the block under construction. axes NULL: all bare. */
Value value_tensor(Sema *s, TirId id, Index *const *axes, Span span);
/* The same of one made of others, which lives where they do: what the builder could fold is itself
 * less, and may differ from fewer places than the text says. */
Value value_derived(Sema *s, TirId id, TirDomain domain, Index *const *axes, Span span);
TirId tensor_use(Sema *s, const Tensor *t); /* its id in the block under construction */
uint32_t tensor_bare_rank(const Tensor *t);
uint32_t tensor_bare_dims(const Tensor *t, uint32_t *dims, uint32_t *axes);
const char *dims_text(Sema *s, uint32_t rank, const uint32_t *dims);
const char *value_text(Sema *s, Value v); /* for messages: "a tensor [4, 128]" */

/* Numbers and booleans become constants of rank 0; REPEATs are laid out. NULL after an error. */
const Tensor *value_as_tensor(Sema *s, Value v, Span span);
const Tensor *value_as_real(Sema *s, Value v, Span span);
Value value_unary(Sema *s, TirOp op, Value a, Span span);
Value value_binary(Sema *s, TirOp op, Value a, Value b, Span span);
Value value_select(Sema *s, Value condition, Value a, Value b, Span span);
Value repeat_lay_out(Sema *s, Value v, Span span);

typedef struct {
    uint32_t rank;
    Index *axes[TIR_MAX_RANK];
    uint32_t dims[TIR_MAX_RANK];
} Layout;
bool layout_join(Sema *s, Layout *layout, const Tensor *t, Span span);
TirId tensor_align(Sema *s, const Tensor *t, const Layout *layout, Span span);
/* Labels `order` become bare axes, in that order, after labels that are not among them; missing
 * ones repeat. */
Value tensor_arrange(Sema *s, const Tensor *t, uint32_t n, Index *const *order, Span span);

/* --- exprs.c, numeric.c, tables.c, index.c, lookup.c, across.c, reduce.c, calls.c
 * ---------------------------------------------
 */

Value elaborate(Sema *s, Scope *scope, const Expr *e);
/* The value of a constant expression; false (and an error) when it is not one. */
bool elaborate_number(Sema *s, Scope *scope, const Expr *e, const char *what, double *number);
bool elaborate_bool(Sema *s, Scope *scope, const Expr *e, const char *what, bool *result);
/* A whole number in [low, high]. */
bool elaborate_whole(Sema *s, Scope *scope, const Expr *e, const char *what, int64_t low,
                     int64_t high, int64_t *result);
bool elaborate_extent(Sema *s, Scope *scope, const Expr *e, uint32_t *extent);
Value elaborate_constant(Sema *s, Scope *scope, const Expr *e); /* NUMBER, BOOL, CALLABLE, ... */

/* `e` mentions indices, and numbers otherwise: a table. */
bool numeric_is_table(Sema *s, Scope *scope, const Expr *e);
bool numeric_is_number(Sema *s, Scope *scope, const Expr *e);
Value numeric_table(Sema *s, Scope *scope, const Expr *e);
bool numeric_call(Sema *s, Scope *scope, const Expr *e); /* of built-in functions of numbers */
enum { MAX_MENTIONED = 8 };
/* Indices in `e`, in order; more than MAX_MENTIONED are not counted. */
uint32_t numeric_mentioned(Sema *s, Scope *scope, const Expr *e, Index **found);
typedef struct {
    const char *name;
    Span span;
    uint32_t space, axis;
} NamedPosition;
/* Positions that `e` mentions, `here` among them; at most MAX_MENTIONED. */
uint32_t numeric_positions(Sema *s, Scope *scope, const Expr *e, NamedPosition *found);
/* Evaluates with `indices` running over their extents, first slowest. False after an error. */
bool numeric_evaluate(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index *const *indices,
                      double *out);
Value numeric_lookup(Sema *s, const Symbol *symbol, uint32_t n, const int64_t *at, Span span);
bool numeric_reduce(Sema *s, Scope *scope, const Expr *e, Value *result);

/* The index of a position along an axis of its space, as a real number. */
Value position_value(Sema *s, uint32_t space, uint32_t axis, Span span);
/* x, which lives at positions of `space`, where `first` positions earlier along the first axis of
 * it and `second` along the second; 0 outside. */
TirId shift_along(Sema *s, TirId x, uint8_t space, int64_t first, int64_t second, Span span);
/* Built-in functions across positions: the value that lives there, and whole numbers k. */
Value shift_value(Sema *s, Value x, uint32_t n, const int64_t *offsets, Span span);
Value window_value(Sema *s, Value x, uint32_t n, const int64_t *extents, Span span);
/* The entry of a tensor whose data are in the program, with views on them; false for others. */
bool table_entry(Sema *s, const Tensor *t, const int64_t *at, double *entry);
bool value_is_table(Sema *s, Value v);
/* [n!, n], in lexicographic order. */
Value table_permutations(Sema *s, Value n, Span span);

/* Indices of an index map, larger strides first. */
bool index_order_by_stride(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index **indices);
Index *index_create(Sema *s, Scope *scope, Name name);
void index_fix(Index *index, uint32_t extent, Span at);
/* `[i < range]`, where a range is written; false after an error. */
bool index_bound(Sema *s, Scope *scope, Index *index, const Expr *range);
Value index_as_value(Sema *s, Index *index, Span span);
/* Learns the extents of the scope's indices from what they index in `e`. */
void infer_extents(Sema *s, Scope *scope, const Expr *e);
Value elaborate_index(Sema *s, Scope *scope, const Expr *e);
Value elaborate_reduce(Sema *s, Scope *scope, const Expr *e);
Value elaborate_product(Sema *s, Scope *scope, const Expr *e);
Value elaborate_call(Sema *s, Scope *scope, const Expr *e);
Value call_value(Sema *s, const Callable *callable, BoundArgumentList *arguments, const Expr *e);
bool elaborate_arguments(Sema *s, Scope *scope, const ArgumentList *list, BoundArgumentList *out);
/* Of an input of tokens; 0 when it is something else. */
uint32_t token_limit(const Sema *s, const Tensor *t);
const Builtin *builtin_find(const char *name);
uint32_t builtin_count(void);
const char *builtin_name(uint32_t k);
const char *builtin_text(const Builtin *b);
BuiltinRule random_call; /* random.c */
/* Warns of a `onehot(k)` that has no entry where it is used. */
void onehot_check(Sema *s, double k, uint32_t extent, Span span);
Value builtin_call(Sema *s, const Builtin *builtin, BoundArgumentList *arguments, const Expr *e);

/* --- defs.c: instances -------------------------------------------------------------------------
 */

/* Binds formals from arguments, constants of the model, defaults; tensors' extents unify. */
bool bind_formals(Sema *s, Scope *scope, const Item *item, const BoundArgument *arguments,
                  uint32_t count, Span used_at);
bool bind_input(Sema *s, Scope *scope, const Target *target, Value v, Span at, const char *what);
/* The inputs of a branch, module or connection. With `first` the only one goes to the first input,
 * whatever it is called. */
bool bind_inputs(Sema *s, Scope *scope, const Item *item, const BoundArgument *inputs,
                 uint32_t n_inputs, bool first, Span used_at);
Value instance_output(Sema *s, Scope *scope, const Item *item, const Target *output);
/* fn, or module and branch: inputs first, then formals. */
Value apply_item(Sema *s, const Callable *callable, BoundArgumentList *arguments, Span used_at,
                 const void *call);
/* A branch at a site. `inputs` by name; the outputs' values go to `outputs`. */
Value apply_branch(Sema *s, const Callable *callable, const BoundArgument *inputs, uint32_t n,
                   const char *path, Span used_at, BoundArgumentList *outputs);
const Callable *callable_of_item(Sema *s, const Item *item, Scope *home);
const char *item_kind_text(ItemKind kind);
bool item_is_active(const Sema *s, const Item *item);
Value item_cycle(Sema *s, const Item *item, Span at);

/* --- body.c, iterate.c, unroll.c, init.c: statements of a body
 * -------------------------------------------
 */

void body_elaborate(Sema *s, Scope *scope, const StmtList *body);
void body_statement(Sema *s, Scope *scope, const Stmt *stmt);
/* The value of `target = value`, arranged to the target's axes. With `known` the result must have
 * these extents; constant indices then update one slice of it. */
Value body_binding(Sema *s, Scope *scope, const Binding *binding, const Value *known);
void mark_untaken(Sema *s, Scope *scope, const StmtList *untaken);
void body_let(Sema *s, Scope *scope, const Binding *binding);
void body_assign(Sema *s, Scope *scope, const Binding *binding);
void body_iterate(Sema *s, Scope *scope, const Stmt *stmt);
void body_for(Sema *s, Scope *scope, const Stmt *stmt);
/* Extents of repeated values such as `let u[k] = 1` from the loop body that assigns to them. */
void learn_extents(Sema *s, Scope *scope, const StmtList *body);
/* Where a turn of a `for` is elaborated: its counter is a constant. */
/* What elaboration has made. */
typedef struct {
    uint64_t values, instances, steps, decisions;
} Spent;
Spent spent_by_now(const Sema *s);
/* Whether what is left, `left` times what has been done since `before`, is too much, which is then
 * an error. That was the second time: the first may have found what later ones find ready. */
bool rest_costs_too_much(Sema *s, Span span, Spent before, uint64_t left, const char *each_is,
                         const char *help);
Scope *turn_scope(Sema *s, Scope *scope, const Stmt *stmt, uint32_t turn);
void body_params(Sema *s, Scope *scope, const Stmt *stmt);
void body_update(Sema *s, Scope *scope, const Stmt *stmt); /* buffer.c */
void body_require(Sema *s, Scope *scope, const Stmt *stmt);
bool once(Sema *s, const char *path, const void *what);
const char *path_join(Sema *s, const char *path, const char *name);
bool element_count(Sema *s, uint32_t rank, const uint32_t *dims, Span span, uint64_t *count);
/* The extents of a declared tensor; false after an error, also where it would be too large. */
bool elaborate_shape(Sema *s, Scope *scope, const Target *target, uint32_t *dims);

/* --- trunk.c, connections.c, model.c, recipe.c, data.c, trial.c, warn.c
 * ---------------------------------
 */

typedef struct {
    const char *name;
    Span span;
    const char *owner, *path; /* the connection and site that began it */
    Value value;              /* a tensor, whole */
    uint32_t rank, dims[TIR_MAX_RANK];
    bool grows; /* dims[0]: the entries it holds now */
} StateSlot;

typedef struct {
    const Item *item;
    const char *name;
    Value value;
} CarrySlot;

typedef struct {
    Value input;
    uint32_t width; /* of the state where the next site reads; x's at first */
    bool begun;
    VEC(StateSlot) states;
    VEC(CarrySlot) carries;
} TrunkState;

typedef struct {
    const Stmt *stmt;
    Scope *scope;
    const char *path;
    uint32_t block;
} SitePlan;

Value elaborate_trunk(Sema *s, Scope *scope, const Expr *e);
/* What is written at a site, its names and constants resolved. */
typedef struct {
    const Callable *connection; /* NULL after an error */
    BoundArgumentList inputs;   /* what it is given beside the trunk */
    uint32_t n_branches;        /* 0: a stand-in for whatever branch (trial) */
    const Value *branches;      /* CALLABLE, or poison */
    BoundArgumentList *given;   /* inputs of each branch that the site names */
} SiteUse;

/* Resolves what a site says; every error in it is reported, whatever became of the trunk. */
void site_use(Sema *s, const SitePlan *plan, SiteUse *use);
/* One site; `last` gives the trunk's result in *result. False after an error that ends the trunk.
 */
bool connection_elaborate(Sema *s, TrunkState *trunk, const SiteUse *use, const SitePlan *plan,
                          bool last, Value *result);
/* What a connection must have, said once. */
bool connection_check_parts(Sema *s, const Item *item);

void sema_enter_program(Sema *s);
void model_elaborate(Sema *s, const Item *model);
Value mean_over_domain(Sema *s, Value v, Span span);
/* The mean over samples and positions of each element: real, global. */
TirId mean_of_elements(Sema *s, const Tensor *t, Span span);
void recipe_elaborate(Sema *s, const Item *train);
void data_elaborate(Sema *s, const Stmt *stmt);
void data_set_held_out(Sema *s, const Expr *e); /* a fraction, or shuffled(fraction) */
void override_constants(Sema *s, Scope *scope, const Item *model);
/* `model_scope`: where defaults look for a constant; NULL for a model. */
void trial_elaborate(Sema *s, const Item *item, Scope *model_scope);
/* Two extents that should be one: if just one of them was made up, it may be the other. */
void trial_differ(Sema *s, uint32_t a, uint32_t b);
void trial_dims_differ(Sema *s, uint32_t rank, const uint32_t *a, const uint32_t *b);
/* An extent nothing tells. */
uint32_t trial_extent(Sema *s, uint32_t *next);
void warn_unused(Sema *s);
/* Of a complete program: what the loss does not learn from. */
void warn_unreached(Sema *s);
/* Of a complete program: reports what sees later positions of those declared causal. */
void check_causal(Sema *s);
uint32_t sema_position_space(const Sema *s);

#endif
