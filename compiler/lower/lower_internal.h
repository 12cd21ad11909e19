/* What the files of the lowering share. See lower.h for the idea. */
#ifndef HCC_LOWER_INTERNAL_H
#define HCC_LOWER_INTERNAL_H

#include "lower/lower.h"
#include "plan/plan_internal.h"

/* An index: offset + sum of coefficient * value + lane * (number of the vector's lane). */
#define AFFINE_MAX_TERMS NEST_MAX_TERMS
typedef struct {
    int64_t offset, lane;
    uint32_t n_terms;
    NestId value[AFFINE_MAX_TERMS];
    int64_t coefficient[AFFINE_MAX_TERMS];
} Affine;

typedef struct {
    Affine at[TIR_MAX_RANK];
    uint32_t rank;
    bool by_address; /* the last axis carries the whole offset, past its end */
} Index;

enum {
    SAME_SETS = 1024, /* bytes: rows so far apart share a sixteenth of a cache's sets */
    CACHE_LINE = 64,
    STREAMED_BYTES = 8 << 20, /* outputs from this size on are written past the caches */
};

/* Where a value lies. */
typedef enum {
    STORE_NONE,
    STORE_ROWS,    /* argument, [instance][elements] of the kernel's domain */
    STORE_GLOBAL,  /* argument, [elements] */
    STORE_TIME,    /* argument, [position][elements], the kernel's domain having samples too */
    STORE_SAMPLE,  /* argument, [sample][elements], the kernel's domain having positions too */
    SCRATCH_ROWS,  /* scratch, [position of the micro-tile][elements], rows scratch_pitch apart */
    SCRATCH_LANES, /* scratch, [elements][position of the micro-tile] */
} StoreKind;

typedef enum {
    SIDE_WIDE, /* features in lanes */
    SIDE_LANE, /* positions in lanes */
    SIDE_FOLD, /* a small result from a dot product along features */
} Side;

typedef struct Value {
    TirId id;
    bool in_group, output, sum;
    bool by_parts;   /* PAD, CONCAT written piece by piece */
    bool by_element; /* GATHER whose indices run along the lanes: one element at a time */
    bool cheap;      /* rather computed twice than stored */
    bool must_store;
    bool apart;    /* evaluated otherwise than with positions in lanes and by constant index */
    bool in_loops; /* small, not stored: loops over a larger value compute it by the element */
    bool reread;   /* by a later stage of the kernel */
    bool streamed; /* an output too large for the caches: written past them */
    bool weighted; /* computing it reads weights, which should serve several positions */
    bool packed;   /* loops over features find it, or add it up, in packed order */
    Side side;
    int32_t time;      /* wide and fold stages are even, lane stages odd */
    int32_t first_use; /* the earliest stage that needs it in memory or computes it along */
    uint64_t elements;
    StoreKind store; /* valid once `ready` */
    uint32_t buffer;
    uint32_t packed_buffer; /* of an input's packed copy */
    StoreKind second;       /* lanes copy of a small output: SCRATCH_LANES */
    uint32_t second_buffer;
    bool ready;
    uint32_t out_buffer;    /* argument buffer of an output or a sum's partials */
    uint32_t accumulator;   /* where a sum is added up */
    struct Value **results; /* of a scan: its RESULT values, NULL where nobody reads one */
    uint32_t seen;          /* by the search for shifts of this number */
    NestId *registers;      /* loop-carried results of a scan, by element; NULL otherwise */
} Value;

/* A loop body under evaluation: what its arguments are. */
typedef struct Frame {
    const TirBlock *block;
    struct Frame *parent;
    const TirNode *scan; /* NULL for the program's own block */
    NestId **carried;    /* by carried argument, by element */
    NestId trip;         /* i64 */
    uint32_t number;     /* for memo keys */
} Frame;

typedef struct {
    uint64_t hash;
    TirId id;
    uint32_t frame, context;
    Index index;
    NestId result;
    int32_t next; /* in its bucket */
} Memo;

/* Which positions and lanes expressions are evaluated for. */
typedef struct {
    Affine row;      /* position within the micro-tile; lane 1 when positions are in lanes */
    uint16_t lanes;  /* of a vector value */
    NestId valid;    /* 0, or how many lanes of a vector along features count */
    bool elsewhere;  /* the row is another position's than the kernel computes; it exists */
    uint32_t number; /* differs between contexts, for memo keys */
} Context;

/* A row that a shift reads instead of another; `inside` says whether it is in range, and if it is
 * not, `to` is the row itself. As seen from a context, also the context to read in. */
typedef struct {
    Affine from, to;
    NestId inside;
    int32_t offset[2];
    uint32_t of_context; /* 0: for any */
    Context context;
} ShiftedRow;

typedef struct Lower {
    const Plan *plan;
    const Group *group;
    const TirBlock *block;
    LowerOptions options;
    Arena *arena;
    NestKernel *kernel;
    NestBuilder b;
    Value **values;        /* by id of the program's block; NULL when not of this kernel */
    TirIdVec order;        /* the group's own values, ascending */
    bool has_shift;        /* among them */
    uint32_t searches;     /* for shifts */
    uint16_t rows;         /* positions per micro-tile: lanes, or 1 for global kernels */
    NestId tile0;          /* i64: first instance of the micro-tile */
    NestId valid_rows;     /* i64: how many of its positions exist */
    uint64_t packed_bytes; /* of scratch memory */
    bool ahead_planned;    /* a stage fetches what the next micro-tile reads */
    NestId feature;        /* variable of the innermost loop over features; 0 behind it */
    Context context;
    uint32_t contexts, frames;
    Frame frame; /* of the program's block */
    VEC(Memo) memos;
    int32_t *buckets;
    VEC(ShiftedRow) shifted;
    VEC(uint32_t) scopes; /* counts of memos and shifted rows at scope begins */
} Lower;

/* Bytes of a real. */
static inline uint64_t real_size(const Lower *l) {
    return l->options.real == NEST_F64 ? 8 : 4;
}

/* --- affine indices (affine.c) ------------------------------------------------------------
 */
static inline Affine affine_const(int64_t c) {
    return (Affine){.offset = c};
}
static inline Affine affine_var(NestId v) {
    return (Affine){.n_terms = 1, .value = {v}, .coefficient = {1}};
}
bool affine_is_const(const Affine *a);
Affine affine_add(Affine a, Affine b);
Affine affine_scale(Affine a, int64_t k);
NestAddress affine_address(const Affine *a);     /* without the lane part */
NestId affine_scalar(Lower *l, const Affine *a); /* as an i64; lane must be 0 */
NestId affine_i32(Lower *l, const Affine *a);    /* as i32, a vector when lane is not 0 */
Affine affine_flat(const Index *index, const TirType *type);
Index affine_index(uint64_t flat, const TirType *type); /* all constant */

/* --- evaluation (eval.c) ------------------------------------------------------------------
 */
void lower_scope_begin(Lower *l);
void lower_scope_end(Lower *l);
Context lower_context(Lower *l, Affine row, uint16_t lanes, NestId valid); /* returns the old one */
NestType lower_type(const Lower *l, TirElem elem, uint16_t lanes);
/* The value at an index: a scalar when it is the same for all lanes, else a vector. */
NestId lower_eval(Lower *l, Frame *frame, TirId id, const Index *index);
/* What eval will answer for the program's `id` in this context and scope. */
void lower_remember(Lower *l, TirId id, const Index *index, NestId result);
NestId lower_vector(Lower *l, NestId x); /* splat a scalar to the context's lanes */
NestId lower_load(Lower *l, const Value *v, const TirType *type, const Index *index);
void lower_store(Lower *l, uint32_t buffer, StoreKind store, const Affine *row, const Affine *flat,
                 uint64_t elements, NestId value, NestId valid);
/* The same past the caches; the address is aligned to vectors. */
void lower_store_streamed(Lower *l, uint32_t buffer, const Affine *row, const Affine *flat,
                          uint64_t elements, NestId value);
NestId lower_zero(Lower *l, TirElem elem, uint16_t lanes);

bool affine_equal(const Affine *a, const Affine *b);
/* The position of the context's row, for the kernel's positions that exist. */
Affine lower_existing_row(Lower *l);

/* --- reading other positions (shift.c) ----------------------------------------------------
 */
/* Says once, before loops over elements that evaluate the roots begin, which rows shifts read for
 * `row` and the rows after it. */
void lower_shift_prepare(Lower *l, Affine row, uint32_t rows, const TirId *roots, uint32_t n);
NestId lower_shift(Lower *l, Frame *frame, const TirNode *node, const Index *index);

/* The plan handed over what lowering cannot do: a fault of the compiler. */
_Noreturn void lower_fault(const Lower *l, TirOp op, const char *message);

/* --- ops (ops.c) --------------------------------------------------------------------------
 */
NestId lower_op(Lower *l, Frame *frame, TirId id, const TirNode *node, const Index *index);
NestId lower_take(Lower *l, Frame *f, const TirNode *node, const Index *index); /* take.c */
/* Whichever of them have lanes, the others get as many. */
NestId lower_select(Lower *l, NestId condition, NestId x, NestId y);
/* Is `i` in [begin, end)? 0 or 1 where that is known now, else -1 and a bool, scalar or vector. */
int lower_in_range(Lower *l, const Affine *i, int64_t begin, int64_t end, NestId *condition);
/* i - begin, kept within [0, extent) where it is not constant. */
Affine lower_clamped(Lower *l, Affine i, int64_t begin, int64_t extent);
/* A contraction's terms, one at a time: `sum` with term number `term` added; sum 0 starts. */
uint64_t schedule_terms(Lower *l, TirId id);
NestId lower_contract_term(Lower *l, TirId id, const Index *index, uint64_t term, NestId sum);
/* sum + the value at an index; a contraction's terms are added one by one. */
NestId lower_added(Lower *l, TirId id, const Index *index, NestId sum);

/* --- blocks (block.c) ---------------------------------------------------------------------
 */

/* A value, or a part of one, that a loop writes: `id` evaluated, stored to `to` shifted by `offset`
 * along `axis`; id 0 writes zeros. */
typedef struct {
    TirId id;
    Value *to;
    TirType type; /* extents of the part */
    uint32_t axis;
    int64_t offset;
} Part;

typedef VEC(Part) PartVec;

/* Vectors that a loop adds up in. Machines with few registers cannot broadcast from memory either,
 * so what is loaded for several products wants registers, too. */
static inline bool schedule_few_registers(const Lower *l) {
    return l->options.registers != 0 && l->options.registers < 32;
}
/* Of a loop of dot products for so many positions at a time; for one, a loop more would cost more
 * than registers that go to memory. */
static inline uint32_t schedule_fold_accumulators(const Lower *l, uint32_t positions) {
    return (schedule_few_registers(l) && positions > 1 ? 12 : 24) / positions;
}
static inline uint32_t schedule_block_accumulators(const Lower *l) {
    return schedule_few_registers(l) ? 8 : BLOCK_ACCUMULATORS_MOST;
}

/* Products of the axes before the last. */
static inline uint64_t schedule_leading(const TirType *type) {
    return type->rank ? tir_element_count(type) / type->dims[type->rank - 1] : 1;
}
/* How many positions a loop that writes `v` takes at a time. */
uint32_t schedule_block_positions(const Lower *l, const Value *v, const TirType *type);
/* Computes a part that reads weights at features `c`, for all positions of a block together, for
 * eval to find. */
void lower_block_weighted(Lower *l, const Part *part, const Context *positions, uint32_t n,
                          Affine c);
/* Adds parts of sums over positions to their accumulators at features `c`: positions innermost, so
 * that the accumulators stay in registers. */
void lower_block_sum(Lower *l, const Part *part, Affine c, NestId valid);

/* --- stages (stage.c) ---------------------------------------------------------------------
 */
void schedule_stages(Lower *l); /* sides, times, who is stored */
/* The root value that the group's `id` reads through operand `k`, and whether it is read in step
 * with it (same loop) or must lie in memory. */
TirId schedule_operand(const Lower *l, TirId id, uint32_t k, bool *in_step);
bool schedule_is_wide(const TirType *type);
/* A contraction with a wide global operand: every weight loaded should serve several positions. */
bool schedule_reads_weights(const Lower *l, TirId id);
Value *schedule_value(const Lower *l, TirId id);
/* The axis of operand `k` that runs along the lanes with `id`'s loop, or -1. */
int schedule_lane_axis(const Lower *l, TirId id, uint32_t k);

/* --- places (place.c) ---------------------------------------------------------------------
 */
/* Stores the results of loops that somebody reads otherwise than from registers; everything else
 * about stages is known. */
void schedule_place_results(Lower *l);
/* A fault unless the value has a place in memory, and all that the context reads at `flat` is one
 * of its elements. */
void lower_check_place(const Lower *l, const Value *v, const Affine *flat);

/* --- loops over features (wide.c) ---------------------------------------------------------
 */
void lower_wide_stage(Lower *l, int32_t time);
/* Features in lanes, from the value of a loop's variable on; 0: from the first feature on. */
Affine lower_features(Lower *l, NestId c);
/* The largest divisor of an extent that is no larger than `most`. */
uint32_t schedule_divisor(uint32_t extent, uint32_t most);

/* --- folds (fold.c) -----------------------------------------------------------------------
 */
typedef struct {
    const TirNode *node;
    uint32_t n_other; /* summed axes besides the lanes' */
    uint32_t extent[TIR_MAX_RANK];
    int8_t at[2][TIR_MAX_RANK]; /* where each goes in each operand, -1 nowhere */
    int lane[2];                /* axis that runs along the lanes */
    uint32_t lane_extent;
} Fold;

Fold schedule_fold(const Lower *l, TirId id);
/* What leaves the others as they are: 0 of a sum, -infinity of a maximum. */
double lower_fold_identity(TirOp op);
/* How many terms each result has beside those along the lanes. */
uint64_t schedule_fold_others(const Fold *f);
/* acc, with such a term, number `i`, at features `c` folded in. */
NestId lower_fold_term(Lower *l, const Fold *f, const Index *element, uint64_t i, Affine c,
                       NestId acc);
/* The result of a vector's lanes. */
NestId lower_fold_lanes(Lower *l, TirOp op, NestId acc);
/* A dot product along features with too many results for registers: made a block of results after
 * the other, so that it comes to what it reads once for each. */
bool schedule_is_looped_fold(const Lower *l, const Value *v);
void lower_looped_fold(Lower *l, Value *v);

void lower_lane_stage(Lower *l, int32_t time);  /* lane.c */
bool schedule_by_position(const TirNode *node); /* not with positions in lanes */
void lower_scan(Lower *l, TirId id);            /* scan.c */
/* Where the task adds up a wide sum's element. */
NestAddress lower_sum_place(Lower *l, const Value *v, const Index *index);
void lower_sums_begin(Lower *l); /* sum.c: accumulators to zero */
void lower_sum_lane(Lower *l, Value *v, const Affine *element, NestId contribution);
void lower_sums_end(Lower *l); /* what was added up in scratch, to the task's partial results */
NestKernel *lower_fold_kernel(const Plan *plan, TirId value, LowerOptions options, Arena *arena,
                              const char *name); /* sum.c */

/* --- packed order (pack.c): [vector of features][row][lane] --------------------------------
 */
void schedule_packs(Lower *l);     /* which inputs and sums; after the sides are known */
void lower_pack_weights(Lower *l); /* at the beginning of a task */
void lower_unpack_sum(Lower *l, const Value *v);
uint64_t schedule_packed_elements(const Lower *l, const TirType *type);
uint32_t lower_packed_buffer(Lower *l, const Value *v);
/* Whether the index is that of a whole vector of features, as packed order has them. */
bool lower_is_packed_index(const Lower *l, const Index *index);
/* An input with a packed copy, and not a sum that is kept so. */
static inline bool schedule_has_packed_copy(const Value *v) {
    return v->packed && !v->in_group;
}
Affine lower_packed_flat(const Lower *l, const TirType *type, const Index *index);

/* From one position of a micro-tile to the next in SCRATCH_ROWS: never a multiple of SAME_SETS
 * bytes, so that equal features of different positions fall into different sets of a cache. */
uint64_t schedule_pitch(const Lower *l, uint64_t elements);
uint32_t lower_scratch(Lower *l, const char *name, TirElem elem, uint64_t elements);
/* Gives a value its place in memory; it is loaded from there from now on. */
void lower_stored(Lower *l, Value *v, StoreKind kind);
/* Loops over all of `type`'s axes but the last `inner` ones, filling index->at. */
void lower_loops_begin(Lower *l, const TirType *type, uint32_t inner, Index *index);
void lower_loops_end(Lower *l, const TirType *type, uint32_t inner);

#endif
