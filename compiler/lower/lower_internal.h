/* What the files of the lowering share, from the ground up: what is known, vectors, loops,
 * memory, evaluation, blocks, stages. See lower.h for the idea. */
#ifndef HCC_LOWER_INTERNAL_H
#define HCC_LOWER_INTERNAL_H

#include "lower/affine.h"
#include "lower/lower.h"
#include "machine/limits.h"

/* What has come of a value of the schedule so far. */
typedef struct {
    bool ready;             /* it lies where the schedule says, and is loaded from there */
    bool lanes_ready;       /* an input's copy by lanes is there */
    uint32_t buffer;        /* where it lies, if in memory */
    uint32_t packed_buffer; /* of an input's packed copy */
    uint32_t lanes_buffer;  /* of its copy by lanes */
    uint32_t accumulator;   /* where a sum is added up */
    uint32_t seen;          /* by the search for shifts of this number */
    NestId *registers;      /* of a loop's result, by element; NULL before the loop */
} LowerHeld;

/* A loop body under evaluation: what its arguments are. */
typedef struct LowerFrame {
    const TirBlock *block;
    struct LowerFrame *parent;
    const TirNode *scan; /* NULL for the program's own block */
    NestId **carried;    /* by carried argument, by element */
    NestId trip;         /* i64 */
    uint32_t number;     /* for memo keys */
} LowerFrame;

typedef struct {
    uint64_t hash;
    TirId id;
    uint32_t frame, context;
    AffineIndex index;
    NestId result;
    int32_t next; /* in its bucket */
} LowerMemo;

/* Which positions and lanes expressions are evaluated for. */
typedef struct {
    Affine row;      /* position within the micro-tile; lane 1 when positions are in lanes */
    uint16_t lanes;  /* of a vector value */
    NestId valid;    /* 0, or how many lanes of a vector along features count */
    bool elsewhere;  /* the row is another position's than the kernel computes; it exists */
    uint32_t number; /* differs between contexts, for memo keys */
} LowerContext;

/* A row that a shift reads instead of another; `inside` says whether it is in range, and if it is
 * not, `to` is the row itself. As seen from a context, also the context to read in. */
typedef struct {
    Affine from, to;
    NestId inside;
    Affine existing; /* that row, or the last that there is, */
    NestId at;       /* and its position */
    int32_t offset[2];
    uint32_t of_context; /* 0: for any */
    LowerContext context;
} LowerShiftedRow;

typedef struct Lower {
    const Schedule *schedule;
    const TirBlock *block; /* the program's */
    Arena *arena;
    NestKernel *kernel;
    NestBuilder b;
    NestElem real;
    uint16_t lanes, rows; /* the schedule's */
    LowerHeld *held;      /* by number of the schedule's value */
    bool has_shift;       /* among what the kernel makes */
    uint32_t searches;    /* for shifts */
    NestId part;          /* i64: of a sequence's parts, the task's */
    NestId tile0;         /* i64: first instance of the micro-tile */
    NestId valid_rows;    /* i64: how many of its positions exist */
    NestId feature;       /* variable of the innermost loop over features; 0 behind it */
    LowerContext context;
    uint32_t contexts, frames;
    LowerFrame frame; /* of the program's block */
    VEC(LowerMemo) memos;
    int32_t *buckets;
    VEC(LowerShiftedRow) shifted;
    VEC(uint32_t) marks; /* counts of memos and shifted rows where what is known begins */
} Lower;

static inline const ScheduleValue *lower_find(const Lower *l, TirId id) {
    return schedule_find(l->schedule, id);
}
static inline LowerHeld *lower_held(const Lower *l, const ScheduleValue *v) {
    return &l->held[v - l->schedule->values];
}

/* --- what is known (memo.c) --------------------------------------------------------------------*/

/* What is computed from here on is known until the end. */
void lower_memo_begin(Lower *l);
void lower_memo_end(Lower *l);
LowerContext lower_context(Lower *l, Affine row, uint16_t lanes, NestId valid); /* the old one */
/* What is known at an index in this context; 0: nothing. The hash is of all that comes
 * before it. */
uint64_t lower_memo_hash(const Lower *l, TirId id, uint32_t frame, const AffineIndex *index);
NestId lower_memo_find(const Lower *l, TirId id, uint32_t frame, const AffineIndex *index,
                       uint64_t hash);
void lower_memo_add(Lower *l, TirId id, uint32_t frame, const AffineIndex *index, uint64_t hash,
                    NestId result);

/* The schedule asks for what lowering cannot do: a fault of the compiler. */
_Noreturn void lower_fault(const Lower *l, TirOp op, const char *message);

/* --- scalars and vectors (vectors.c) -----------------------------------------------------------*/

NestType lower_type(const Lower *l, TirElem elem, uint16_t lanes);
NestId lower_zero(Lower *l, TirElem elem, uint16_t lanes);
NestId lower_vector(Lower *l, NestId x); /* splat a scalar to the context's lanes */
/* Whichever has lanes, the others get as many. */
NestId lower_binary(Lower *l, NestOp op, NestId x, NestId y);
NestId lower_fma(Lower *l, NestId x, NestId y, NestId sum);
NestId lower_select(Lower *l, NestId condition, NestId x, NestId y);
/* Is `i` in [begin, end)? 0 or 1 where that is known now, else -1 and a bool, scalar or vector. */
int lower_in_range(Lower *l, const Affine *i, int64_t begin, int64_t end, NestId *condition);
/* i - begin, kept within [0, extent) where it is not constant. */
Affine lower_clamped(Lower *l, Affine i, int64_t begin, int64_t extent);

/* --- loops (loops.c) ---------------------------------------------------------------------------*/

/* Opens a loop as the schedule has it, of a kind that says what carries it. */
NestLoop *lower_loop_begin(Lower *l, const ScheduleLoop *loop, NestId end, uint32_t n_carried,
                           const NestId *initial);
/* The index along an axis, in a loop over it. */
Affine lower_axis_begin(Lower *l, const ScheduleLoop *axis);
void lower_axis_end(Lower *l, uint64_t extent);
/* Opens a step's loops over axes but the last `inner` ones, filling index->at. */
void lower_axes_begin(Lower *l, const ScheduleStep *step, uint32_t inner, AffineIndex *index);
void lower_axes_end(Lower *l, const ScheduleStep *step, uint32_t inner);
/* Features in lanes, from the value of a loop's variable on; 0: from feature `first` on. */
Affine lower_features(Lower *l, NestId variable, uint64_t first);

/* --- memory (memory.c) -------------------------------------------------------------------------*/
uint32_t lower_scratch(Lower *l, const char *name, TirElem elem, uint64_t elements);
uint32_t lower_packed_buffer(Lower *l, const ScheduleValue *v);
/* Gives a value the memory of the thread's own that it lies in. */
void lower_stored(Lower *l, const ScheduleValue *v);
/* The position of the context's row, for the kernel's positions that exist. */
Affine lower_existing_row(Lower *l);
/* Where it lies, be it ready or not. */
NestId lower_load(Lower *l, const ScheduleValue *v, const TirType *type, const AffineIndex *index);
void lower_store(Lower *l, uint32_t buffer, SchedulePlace place, const Affine *row,
                 const Affine *flat, uint64_t elements, NestId value, NestId valid);
/* The same past the caches, by rows; the address is aligned to vectors. */
void lower_store_streamed(Lower *l, uint32_t buffer, const Affine *row, const Affine *flat,
                          uint64_t elements, NestId value);
/* Whether the index is that of a whole vector of features, as packed order has them. */
bool lower_is_packed_index(const Lower *l, const AffineIndex *index);
Affine lower_packed_flat(const Lower *l, const TirType *type, const AffineIndex *index);

/* --- evaluation (eval.c, ops.c, reduce.c, take.c, shift.c) -------------------------------------*/

/* The value at an index: a scalar when it is the same for all lanes, else a vector. */
NestId lower_eval(Lower *l, LowerFrame *frame, TirId id, const AffineIndex *index);
/* The same of what is not there yet: how each op's value follows from its operands'. */
NestId lower_op(Lower *l, LowerFrame *frame, const TirNode *node, const AffineIndex *index);
NestId lower_reduce(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index);
NestId lower_contract(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index);
NestId lower_argmax(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index);
NestId lower_scatter_add(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index);
NestId lower_take(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index);
NestId lower_shift(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index);
/* A contraction at `n` indices, in loops that they share. */
void lower_contract_vectors(Lower *l, const TirNode *node, const AffineIndex *index, uint32_t n,
                            NestId *to);
/* A contraction's terms, one at a time: `sum` with term number `term` added; sum 0 starts. */
NestId lower_contract_term(Lower *l, TirId id, const AffineIndex *index, uint64_t term, NestId sum);
/* sum + the value at an index; a contraction's terms are added one by one. */
NestId lower_added(Lower *l, TirId id, const AffineIndex *index, NestId sum);

/* Says once, before loops over elements that evaluate the roots begin, which rows shifts read for
 * `row` and the rows after it. */
void lower_shift_prepare(Lower *l, Affine row, uint32_t rows, const TirId *roots, uint32_t n);

/* --- sums over instances (sum.c) ---------------------------------------------------------------*/
void lower_sums_begin(Lower *l); /* accumulators to zero */
/* Where the task adds up a wide sum's element. */
NestAddress lower_sum_address(Lower *l, const ScheduleValue *v, const AffineIndex *index);
void lower_sum_lane(Lower *l, const ScheduleValue *v, const Affine *element, NestId contribution);
void lower_sums_end(Lower *l); /* what was added up, to the task's partial results */
/* How many positions a space has. */
NestId lower_positions_of(Lower *l, uint8_t space);
/* The same in a kernel of the space `own`, 0: of none: what is its own it asks as such, for other
 * spaces share it. */
NestId lower_extent_of_space(NestBuilder *b, uint8_t own, uint8_t space);

/* A sum that keeps samples or positions: a kernel by itself. */
NestKernel *lower_sum_kernel(const Schedule *s);

/* --- packed order (pack.c) ---------------------------------------------------------------------*/
void lower_pack_weights(Lower *l); /* at the beginning of a task */
void lower_unpack_sum(Lower *l, const ScheduleValue *v);

/* --- blocks (block.c), folds (fold.c) ----------------------------------------------------------*/

/* Computes a piece that reads weights at features `c`, for all positions of a block together, for
 * lower_eval to find. */
void lower_block_weighted(Lower *l, const SchedulePiece *piece, const LowerContext *positions,
                          uint32_t n, Affine c);
/* Adds pieces of sums over positions to their accumulators at features `c`: positions innermost, so
 * that the accumulators stay in registers. */
void lower_block_sum(Lower *l, const SchedulePiece *piece, const ScheduleLoop *positions, Affine c,
                     NestId valid);
/* acc, with a term, number `i`, at features `c` folded in. */
NestId lower_fold_term(Lower *l, const ScheduleFold *f, const AffineIndex *element, uint64_t i,
                       Affine c, NestId acc);
/* The same at `other` of the one axis that is summed up besides features. */
NestId lower_fold_term_at(Lower *l, const ScheduleFold *f, const AffineIndex *element, Affine other,
                          Affine c, NestId acc);
/* The result of a vector's lanes. */
NestId lower_fold_lanes(Lower *l, TirOp op, NestId acc);
void lower_looped_fold(Lower *l, const ScheduleStep *step);

/* --- kernels (lower.c, sequence.c) -------------------------------------------------------------*/

/* The next argument, as its value is stored. */
void lower_argument(Lower *l, TirId id, bool written);
/* The stages of the micro-tile at l->tile0. */
void lower_micro_tile(Lower *l);
NestKernel *lower_sequence(const Schedule *schedule, Lower *l);

/* --- stages: wide.c, lane.c, scan.c ------------------------------------------------------------*/
void lower_wide_stage(Lower *l, const ScheduleStage *stage);
void lower_lane_stage(Lower *l, const ScheduleStage *stage);
void lower_scan(Lower *l, const ScheduleStep *step);

#endif
