/* Tensor IR: typed, immutable SSA over whole tensors, in which every layer of the network stands by
 * itself (equal layers become equal kernels later, and are compiled once).
 *
 * A value is a tensor *at one element of its domain*: a global value exists once, a sample value
 * once a sample, a position value once a position of each sample. Positions are not axes of the
 * shape; ops act on each position alike, except those whose dependence says otherwise. An operand
 * of an outer domain repeats implicitly (global into sample into position).
 *
 * Values are hash-consed: building the same op with the same operands and attributes gives the same
 * id. Ids are dense, start at 1, and operands have smaller ids than their users. */
#ifndef HCC_TIR_TIR_H
#define HCC_TIR_TIR_H

#include "base/compilation.h"
#include "base/map.h"
#include "base/vec.h"
#include <stdbool.h>

typedef uint32_t TirId; /* 0 = no value */
typedef VEC(TirId) TirIdVec;

typedef enum {
#define OP(ident, ...) TIR_##ident,
#include "tir/tir_ops.def"
    TIR_OP_COUNT
} TirOp;

typedef enum {
    TIR_CLASS_LEAF,
    TIR_CLASS_MAP,
    TIR_CLASS_VIEW,
    TIR_CLASS_REDUCE,
    TIR_CLASS_CONTRACT,
    TIR_CLASS_GATHER,
    TIR_CLASS_LOOP,
    TIR_CLASS_CROSS
} TirOpClass;

typedef enum { TIR_REAL, TIR_INT, TIR_BOOL, TIR_TUPLE } TirElem; /* TUPLE: see RESULT */

/* What an element of an op's result costs; see tir_ops.def. */
typedef enum { TIR_PRICE_NONE, TIR_PRICE_LIGHT, TIR_PRICE_DEAR } TirPrice;

/* Which positions' inputs a value depends on; ordered. */
typedef enum { TIR_DEPENDS_SELF, TIR_DEPENDS_PAST, TIR_DEPENDS_ALL } TirDependence;

/* GLOBAL {0,0} · SAMPLE {1,0} · POSITION {1,s} of space s (1-based) · TIME {0,s}: one value a
 * position, the same at every sample (tables of angles, learned positions). */
typedef struct {
    uint8_t sample;
    uint8_t space;
} TirDomain;

#define TIR_MAX_RANK 8
#define TIR_GLOBAL ((TirDomain){0, 0})

typedef struct {
    TirElem elem;
    TirDomain domain;
    TirDependence dependence;
    uint8_t rank;
    uint32_t dims[TIR_MAX_RANK];
} TirType;

typedef struct TirBlock TirBlock;

/* Attributes, all of them in one flat struct: an op has those that its row of tir_ops.def names,
 * and the others are zero. */
typedef struct {
#define ATTR(field, declaration, ...) declaration;
#include "tir/tir_attrs.def"
} TirAttr;

typedef struct {
    TirOp op;
    TirType type;
    uint32_t n_operands;
    const TirId *operands;
    TirAttr attr;
    uint32_t n_results;          /* > 0 for TUPLE ops */
    const TirType *result_types; /* of TUPLE ops */
    Span span;                   /* the .hc text it came from */
    const char *name;            /* hint for names in dumps and generated code, or NULL */
} TirNode;

/* The values of a block by what they are (tir_unique.c). */
typedef struct {
    VEC(uint64_t) hashes; /* by id, of the values entered so far */
    TirId *cells;         /* 0 = empty */
    uint32_t n_cells;
} TirUnique;

/* Which values are those of another block, unchanged down to their leaves. */
typedef struct {
    const TirBlock *from; /* the first block copied from; others' values are built again */
    TirIdVec of;          /* by id: the value of `from`, 0 = none; may be shorter than the block */
    TirId last;           /* of `from`, while `only`: the last one copied */
    bool only;            /* the block has nothing else, all distinct */
} TirCopies;

/* A straight line of values: the program's own, or a loop's body (whose ids are its own and whose
 * only way to outer values is its arguments). */
struct TirBlock {
    VEC(TirNode) nodes; /* nodes.at[0] is unused: id 0 is no value */
    VEC(TirType) arguments;
    TirIdVec results; /* loop bodies only */
    TirUnique unique;
    TirCopies copies;
    bool as_read; /* from a file: nothing has been folded, so nothing is copied as it is */
};

typedef enum {
#define HC_INITIALISER(ident, text) TIR_INIT_##ident,
#include "abi/words.def"
    TIR_INIT_COUNT
} TirInitKind;

extern const char *const tir_init_names[TIR_INIT_COUNT]; /* as texts and manifests have them */

typedef struct {
    const char *name;  /* full path: trunk.3.attn.hc.P */
    const char *group; /* the declaring definition's name, for reports: "mhc", "attention" */
    TirType type;      /* real, global */
    TirInitKind init;
    double init_a, init_b; /* FILL: value; NORMAL: mean, std; UNIFORM: low, high */
    const double *data;    /* DATA: all elements */
    bool decay, frozen, of_connection;
    bool buffer; /* not trained, but updated after every step (OUT_UPDATE); frozen, too */
    double lr_scale;
    uint32_t apart; /* a mask of axes: along them it is matrices by themselves, such as experts' */
    Span span;
} TirParam;

typedef struct {
    const char *name;
    TirType type;   /* int: tokens; real otherwise */
    uint32_t limit; /* tokens: values are 0 .. limit-1; 0 = no bound */
    bool is_target;
    /* No value of the program but a gradient that the caller gives: of the result of that name, or
     * of the input of that name as far as it comes by other ways. NULL: neither. */
    const char *upstream, *beside;
    Span span;
} TirInput;

typedef struct {
    const char *name; /* interned hint, or NULL */
    TirType type;     /* real or int, global */
    const double *data;
} TirTable;

typedef struct {
    const char *name; /* "t" */
    uint32_t maximum; /* positions at most; product over 2-D spaces */
    uint32_t rank;    /* 1, or 2 for (r, c): position r * extents[1] + c */
    uint32_t extents[2];
} TirSpace;

typedef enum {
    TIR_OUT_LOSS,       /* real, rank 0, global */
    TIR_OUT_LOGITS,     /* what `sample` draws from: the loss's first argument */
    TIR_OUT_METRIC,     /* real, rank 0, global */
    TIR_OUT_TERM,       /* of the loss: real, rank 0, global */
    TIR_OUT_PROBE,      /* exported for inspection */
    TIR_OUT_GRAD,       /* index = parameter */
    TIR_OUT_NAMED,      /* anything else a caller wants kept: tests, exported connections */
    TIR_OUT_UPDATE,     /* index = parameter, a buffer: what it is after the step */
    TIR_OUT_PROJECT,    /* index = parameter: what holds it to a constraint after the step */
    TIR_OUT_RESULT,     /* what the caller of a program without a loss wants, in its own memory */
    TIR_OUT_INPUT_GRAD, /* index = input */
    TIR_OUT_COUNT
} TirOutputRole;

typedef struct {
    TirOutputRole role;
    const char *name;
    uint32_t index;
    TirId value;
} TirOutput;

/* Called when a builder is handed operands its op cannot take: a fault of the compiler, never of
 * the user's text, but for one message: what passes make may be beyond the largest tensor, such as
 * what a loop carries, for all of its turns. It must not return. */
extern const char tir_too_large[];
typedef void TirFaultHandler(void *context, TirOp op, Span span, const char *message);

typedef struct TirProgram {
    Compilation *compilation;
    Arena *arena;
    TirBlock *block;
    VEC(TirParam) params;
    VEC(TirInput) inputs;
    VEC(TirTable) tables;
    VEC(TirSpace) spaces; /* space s is spaces.at[s-1] */
    VEC(TirOutput) outputs;
    uint32_t
        n_forward; /* after the gradient pass: values with id <= n_forward are forward; else 0 */
    TirFaultHandler *on_fault; /* the default prints to stderr and aborts */
    void *fault_context;
    Map *unique_tables;
} TirProgram;

/* --- inspection --------------------------------------------------------------------------------*/

const char *tir_op_name(TirOp op);
TirOpClass tir_op_class(TirOp op);
TirPrice tir_op_price(TirOp op);
/* Traits, as tir_ops.def tells them. */
bool tir_op_stored(TirOp op);
bool tir_op_through(TirOp op);
bool tir_op_stops(TirOp op);
bool tir_op_sums(TirOp op);
bool tir_op_commutes(TirOp op);
bool tir_op_rounds(TirOp op);
static inline const TirNode *tir_node(const TirBlock *block, TirId id) {
    return &block->nodes.at[id];
}
/* A type's rank, which whoever made it bounded: for loops over arrays of TIR_MAX_RANK. */
static inline uint32_t tir_rank(const TirType *type) {
    if (type->rank > TIR_MAX_RANK)
        __builtin_unreachable();
    return type->rank;
}
/* Whether it has a body, of which its operands, in order, are arguments. */
static inline bool tir_op_has_body(TirOp op) {
    return op == TIR_SCAN || op == TIR_SEQUENCE;
}
/* A MAP op on numbers; integers and booleans are doubles. */
double tir_scalar(TirOp op, const double *operands);
/* All other outputs are there when the forward pass has run, which it may by itself. */
bool tir_comes_with_gradients(TirOutputRole role);
/* The stored value that `id` is a view of in memory: skips RESHAPE. */
TirId tir_storage(const TirBlock *block, TirId id);
uint64_t tir_element_count(const TirType *type);
/* How many positions back a shift by `offset` reads. */
int64_t tir_shift_distance(const TirSpace *space, const int32_t offset[2]);
bool tir_domain_equal(TirDomain a, TirDomain b);
bool tir_domain_outer(TirDomain a, TirDomain b); /* a repeats into b: a's bits are among b's */
bool tir_domain_join(TirDomain a, TirDomain b, TirDomain *joined); /* false: two different spaces */
/* The factors of `a` that `b` has too; those of `a` that `b` lacks. */
TirDomain tir_domain_meet(TirDomain a, TirDomain b);
TirDomain tir_domain_minus(TirDomain a, TirDomain b);
/* Element, domain and shape; dependence follows from the operands and is not compared. */
bool tir_type_equal(const TirType *a, const TirType *b);
bool tir_shape_equal(const TirType *a, const TirType *b);
/* "real[4,8]@pos1" */
const char *tir_type_text(Arena *arena, const TirType *type);
/* Where the operands live, joined; GLOBAL without any. */
TirDomain tir_operand_domain(const TirBlock *block, uint32_t n, const TirId *operands);
/* The operand of an attention that is its bias, by number; 0: it has none. */
uint32_t tir_attend_bias(const TirNode *node);
/* Where keys and values of an attention live; its queries live where its results do. */
TirDomain tir_attend_keys(const TirBlock *block, const TirNode *node);
/* Whether the value is a sum over positions (or samples) of its operands. */
bool tir_sums_places(const TirBlock *block, const TirNode *node);
/* Which positions of its operands the op itself sees: the rest of a type's dependence is theirs. */
TirDependence tir_own_dependence(const TirProgram *p, const TirBlock *block, const TirNode *node);
/* True for a CONST or the repetition of one. */
bool tir_is_constant(const TirBlock *block, TirId id, double *value);
bool tir_is_product(const TirBlock *block, const TirNode *node); /* a contraction without a sum */

/* --- building ---------------------------------------------------------------------------------
 * All builders check operand types with the op's shape rule and treat a violation as an internal
 * fault (the caller checks the user's program before). All hash-cons. Simple folding happens here
 * too (x+0, x*1, x*0, constants of constants, views of views), so passes need not. */

TirProgram *tir_program_create(Compilation *c);
TirBlock *tir_block_create(TirProgram *p);
/* An empty program with p's parameters, inputs, tables and spaces, at their indices. */
TirProgram *tir_program_like(const TirProgram *p);

/* The builder carries where values come from; set span/name before building. */
typedef struct {
    TirProgram *program;
    TirBlock *block;
    Span span;
    const char *name;
} TirBuilder;

TirBuilder tir_builder(TirProgram *p, TirBlock *block);
TirBuilder tir_builder_inner(const TirBuilder *outer, TirBlock *body);

uint32_t tir_add_space(TirProgram *p, const char *name, uint32_t rank, const uint32_t *extents);
uint32_t tir_add_param(TirProgram *p, TirParam param);
uint32_t tir_add_input(TirProgram *p, TirInput input);
void tir_add_output(TirProgram *p, TirOutputRole role, const char *name, uint32_t index,
                    TirId value);

TirId tir_param(TirBuilder *b, uint32_t index);
TirId tir_input(TirBuilder *b, uint32_t index);
TirId tir_real(TirBuilder *b, double value);
TirId tir_int(TirBuilder *b, int64_t value);
TirId tir_bool(TirBuilder *b, bool value);
/* `data` is copied; equal tables are one. elem REAL or INT. */
TirId tir_table(TirBuilder *b, TirElem elem, uint32_t rank, const uint32_t *dims,
                const double *data);
TirId tir_position(TirBuilder *b, uint32_t space);
TirId tir_count(TirBuilder *b, TirDomain domain);
TirId tir_training(TirBuilder *b);
TirId tir_step(TirBuilder *b);
TirId tir_steps(TirBuilder *b);
/* `call` numbers the call: an int of rank 0, data rather than a constant where equal layers are to
 * share code. `type` gives shape and domain. */
TirId tir_random(TirBuilder *b, TirId call, TirType type);
TirId tir_arg(TirBuilder *b, TirType type); /* appends an argument to b->block */

TirId tir_unary(TirBuilder *b, TirOp op, TirId x);
TirId tir_binary(TirBuilder *b, TirOp op, TirId x, TirId y); /* a rank-0 operand repeats */
/* The value itself (no gradient flows), once for every element of the inner domain `to`. */
TirId tir_spread(TirBuilder *b, TirId x, TirDomain to);
/* A copy of the value (no gradient flows) that was none of the block's before, whatever x is. */
TirId tir_fresh(TirBuilder *b, TirId x);
TirId tir_select(TirBuilder *b, TirId condition, TirId x, TirId y);

TirId tir_broadcast(TirBuilder *b, TirId x, uint32_t rank, const uint32_t *dims,
                    const uint8_t *axes);
TirId tir_slice(TirBuilder *b, TirId x, uint32_t axis, uint32_t start, uint32_t extent);
TirId tir_pad(TirBuilder *b, TirId x, uint32_t axis, uint32_t before, uint32_t extent);
TirId tir_reshape(TirBuilder *b, TirId x, uint32_t rank, const uint32_t *dims);
TirId tir_concat(TirBuilder *b, uint32_t axis, uint32_t n, const TirId *parts);
TirId tir_take(TirBuilder *b, TirId x, uint32_t axis, uint32_t extent, const int32_t *indices);

TirId tir_reduce(TirBuilder *b, TirOp op, TirId x, uint32_t axis_mask);
TirId tir_position_sum(TirBuilder *b, TirId x, TirDomain to);
/* The sum over all elements of `from` that share one of `to`, for an `x` that may lie in a domain
 * outer to `from` (a constant, say): factors x lacks multiply by COUNT. */
TirId tir_domain_sum(TirBuilder *b, TirId x, TirDomain from, TirDomain to);
TirId tir_times_count(TirBuilder *b, TirId x, TirDomain domain); /* x * COUNT; x for GLOBAL */
/* labels as in tir_ops.def; `to` = result domain (join of both, or outer: then summed). */
TirId tir_contract(TirBuilder *b, TirId x, TirId y, const uint8_t *x_labels,
                   const uint8_t *y_labels, uint32_t rank, const uint8_t *labels, TirDomain to);

TirId tir_gather(TirBuilder *b, TirId x, TirId index);
TirId tir_scatter_add(TirBuilder *b, TirId index, TirId g, uint32_t rows, TirDomain to);
TirId tir_onehot(TirBuilder *b, TirId index, uint32_t rows);

TirId tir_scan(TirBuilder *b, uint32_t trips, bool reverse, TirBlock *body, uint32_t n_carried,
               const TirId *carried, uint32_t n_invariant, const TirId *invariant,
               uint32_t n_scanned, const TirId *scanned);
TirId tir_result(TirBuilder *b, TirId tuple, uint32_t index);

/* What attention does besides: `bias` 0: none. */
typedef struct {
    bool causal;
    double scale;
    TirId bias;
    uint32_t start;
} TirAttend;
TirId tir_attend_as(TirBuilder *b, TirId q, TirId k, TirId v, const TirAttend *how); /* tuple */
TirId tir_attend_grad_as(TirBuilder *b, TirId q, TirId k, TirId v, TirId o, TirId lse, TirId d_o,
                         const TirAttend *how);                                        /* tuple */
TirId tir_attend(TirBuilder *b, TirId q, TirId k, TirId v, bool causal, double scale); /* tuple */
TirId tir_attend_grad(TirBuilder *b, TirId q, TirId k, TirId v, TirId o, TirId lse, TirId d_o,
                      bool causal, double scale); /* tuple */
/* A SEQUENCE of the body, whose arguments are what is carried, then what is not. What does not
 * depend on the states is computed before, at all positions at once; what is left of the body is
 * its own block. NULL, or a value of it that sees other positions: `*wrong`, and no id. */
TirId tir_sequence(TirBuilder *b, bool reverse, const TirBlock *body, uint32_t n_carried,
                   const TirId *carried, const TirId *invariant, const TirNode **wrong);
/* The value at the position before, and at the first one `initial`, which has no positions. */
TirId tir_before(TirBuilder *b, TirId x, TirId initial, bool reverse);
TirId tir_shift(TirBuilder *b, TirId x, int32_t offset);
/* By an offset in each coordinate of x's space; the second is 0 where there is one. */
TirId tir_shift_by(TirBuilder *b, TirId x, const int32_t offset[2]);
TirId tir_recur(TirBuilder *b, TirId f, TirId u, bool reverse); /* one of them has positions */
/* The same of x, which may have no positions, at those of `space`. */
TirId tir_shift_in(TirBuilder *b, TirId x, const int32_t offset[2], uint8_t space);
/* x itself at positions of `space` from which the offset leads to a position, 0 at others. */
TirId tir_inside(TirBuilder *b, TirId x, const int32_t offset[2], uint8_t space);
/* x where it lives at positions of `space`, and the same at each of them where it does not. */
TirId tir_at_positions(TirBuilder *b, TirId x, uint8_t space);

/* Rebuild `node` (of another block or program state) with new operands: what passes use. */
TirId tir_rebuild(TirBuilder *b, const TirNode *node, const TirId *operands);

/* The same for operands whose domain may have become an outer one by folding: sums over domains
 * keep their meaning (see tir_domain_sum). `from` holds the node's own operands. */
TirId tir_rebuild_moved(TirBuilder *b, const TirBlock *from, const TirNode *node,
                        const TirId *operands);

/* Value `id` of another block as it is, when `operands` are copies of its own operands: nothing
 * above it has changed, so there is nothing to check or fold. 0 when they are not. */
TirId tir_copy(TirBuilder *b, const TirBlock *from, TirId id, const TirId *operands);

/* --- whole programs ----------------------------------------------------------------------------*/

/* The RESULT output of that name, or NULL. */
const TirOutput *tir_find_result(const TirProgram *p, const char *name);
/* The input of that name, or NULL. */
const TirInput *tir_find_input(const TirProgram *p, const char *name);
/* Checks every invariant; returns NULL, or a message naming the value (in the arena). */
const char *tir_verify(const TirProgram *p);
void tir_print(const TirProgram *p, FILE *to);
/* The reader accepts what tir_print prints; errors go to diagnostics. NULL after errors. */
TirProgram *tir_read(Compilation *c, uint32_t file);

#endif
