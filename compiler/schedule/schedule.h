/* Schedules: how a kernel computes its values, decided completely before a line of it is written.
 *
 * A group's kernel walks its tile of instances in micro-tiles of `rows` positions, as many as a
 * vector has lanes. Within a micro-tile wide values (features in lanes) and small values (positions
 * in lanes) take turns:
 *
 *     stage 0   wide: loops over positions and features: loads, elementwise work, dot products
 *     stage 1   lane: small values, all positions of the micro-tile at once, in registers
 *     stage 2   wide ...
 *
 * For every value the schedule says in which stage it is made, and where those find it that read
 * it; for every stage, its steps in order; for every loop of a step, what carries its turns. What
 * writes loops (lower/) takes a schedule as a constant, and remembers for itself what it has come
 * to. A value that lies nowhere is made in the loops that read it. */
#ifndef HCC_SCHEDULE_SCHEDULE_H
#define HCC_SCHEDULE_SCHEDULE_H

#include "machine/machine.h"
#include "schedule/products.h"

/* --- values ------------------------------------------------------------------------------------*/

typedef enum {
    SCHEDULE_WIDE, /* features in lanes */
    SCHEDULE_LANE, /* positions in lanes */
    SCHEDULE_FOLD, /* a small result of a sum, maximum or product along features */
} ScheduleSide;

/* Where readers find a value once it is made. */
typedef enum {
    PLACE_NONE,       /* nowhere: it is made where it is read */
    PLACE_REGISTERS,  /* each element in a register, positions in lanes, to the micro-tile's end */
    PLACE_TILE_ROWS,  /* the thread's own memory, [position of the micro-tile][element] */
    PLACE_TILE_LANES, /* the thread's own memory, [element][position of the micro-tile] */
    PLACE_ROWS,       /* the workspace, [instance][element] of the kernel's domain */
    PLACE_GLOBAL,     /* the workspace, [element] */
    PLACE_PER_POSITION, /* the workspace, [position][element], the kernel's domain having samples */
    PLACE_PER_SAMPLE,   /* the workspace, [sample][element], the kernel's domain having positions */
} SchedulePlace;

typedef struct ScheduleValue {
    TirId id;
    uint64_t elements; /* 0 of a tuple */
    bool made;         /* by this kernel; else it is an input */
    ScheduleSide side; /* of what is made */
    uint32_t stage;    /* that makes it: wide and fold even, lane odd */
    SchedulePlace place;
    bool also_registers; /* a loop's result: in registers, too, for those with positions in lanes */
    bool also_lanes;     /* an input of few instances: a copy lies as PLACE_TILE_LANES, too */
    bool packed;         /* an input has a copy, or a sum is added up, in packed order */
    bool output, sum;    /* goes to an argument of the kernel, as it is or summed over instances */
    uint32_t argument;   /* of an input, an output or a sum's partial results: its number */
    bool streamed;       /* an output written past the caches; what reads it finds a copy */
    bool again;          /* so cheap that later stages make it again */
    bool by_vectors; /* of a sequence: a long product, made some vectors of features at a time */
    bool weighted;   /* reads weights, which then serve a block of positions */
    struct ScheduleValue **results; /* of a scan: its RESULT values, NULL where nobody reads one */
} ScheduleValue;

/* --- loops -------------------------------------------------------------------------------------*/

/* What the turns of a loop go over, and what carries them. On another kind of machine the same
 * words say more: tasks are blocks there, and lanes those of a warp. */
typedef enum {
    OVER_POSITIONS, /* of a micro-tile */
    OVER_FEATURES,  /* the last axis of what is wide */
    OVER_AXIS,      /* another axis of what is made */
    OVER_ELEMENTS,  /* all of what is made */
    OVER_TERMS,     /* an axis that a fold sums up besides features */
    OVER_TURNS,     /* of a loop with carried values */
} ScheduleOver;
typedef enum {
    CARRIED_IN_SEQUENCE,
    CARRIED_BY_LANES,     /* `step` turns at once */
    CARRIED_BY_REGISTERS, /* written out: every turn has code and registers of its own */
} ScheduleCarrier;

typedef struct {
    ScheduleOver over;
    uint32_t axis; /* OVER_AXIS: of what the step makes; OVER_TERMS: of the fold's others */
    ScheduleCarrier carrier;
    uint64_t extent;
    uint32_t step; /* turns at a time */
    bool folds;    /* what a turn leaves for the next is a fold's accumulator and nothing else */
} ScheduleLoop;

/* A value as it is, or a piece that it is put together from: `id` is evaluated and becomes elements
 * of `to`, shifted by `offset` along `axis`; id 0 is zeros. */
typedef struct {
    TirId id;
    const ScheduleValue *to;
    TirType type; /* extents of the piece */
    uint32_t axis;
    int64_t offset;
} SchedulePiece;
typedef VEC(SchedulePiece) SchedulePieceVec;

/* An element of a fold, which has an accumulator of its own. */
typedef struct {
    const ScheduleValue *fold;
    uint64_t element;
} ScheduleItem;

/* One of the `lines` cache lines of an input that each turn of a loop fetches. */
typedef struct {
    const ScheduleValue *input;
    uint32_t line, lines;
} ScheduleAhead;

typedef enum {
    /* wide stages */
    STEP_TOGETHER, /* pieces and items that share loops over positions and features; items alone may
                      have a third, over their terms */
    STEP_SUMS,     /* pieces added to sums over positions: features outside */
    STEP_PIECE,    /* a piece with loops over its leading axes */
    STEP_ELEMENTS, /* a value by the element: each lane would read elsewhere */
    STEP_VECTORS,  /* a long product by some vectors of features at a time: one position has no
                      others  to share what it reads */
    STEP_FOLD,     /* a fold of many results, a block of them after the other */
    /* lane stages */
    STEP_REGISTERS, /* a small value, an element after the other */
    STEP_LOOPS,     /* a larger one or a piece of one, with loops over its elements */
    STEP_POSITIONS, /* one position after the other: where it reads differs */
    STEP_SCAN,      /* a loop with carried values */
    STEP_ADD_FOLD,  /* a fold is added to its sum over positions */
    STEP_COPY_OUT,  /* an output that was made by lanes goes to its rows */
} ScheduleStepKind;

enum { SCHEDULE_LOOPS_MOST = 2 * TIR_MAX_RANK + 2 };

typedef struct {
    ScheduleStepKind kind;
    const ScheduleValue *value; /* but for TOGETHER and SUMS */
    SchedulePieceVec pieces;    /* TOGETHER, SUMS; PIECE and LOOPS: one */
    VEC(ScheduleItem) items;    /* TOGETHER */
    VEC(ScheduleAhead) ahead;   /* TOGETHER: fetched of the next micro-tile */
    bool begins, ends;          /* lane stages: no step before, no step after makes the value */
    uint32_t n_loops;           /* from the outside in */
    ScheduleLoop loops[SCHEDULE_LOOPS_MOST];
} ScheduleStep;

typedef struct {
    VEC(ScheduleValue *) values; /* made here and in memory afterwards, or folds; ascending */
    VEC(ScheduleStep) steps;
} ScheduleStage;

/* --- kernels -----------------------------------------------------------------------------------*/

typedef struct {
    const char *name;
    CallKind kind; /* of call: KERNEL; of all others code is written by hand */
    const Plan *plan;
    const Machine *machine;
    uint32_t real_bytes;           /* 4 or 8 */
    uint16_t lanes;                /* of a vector of reals */
    TirId value;                   /* ATTEND, RECUR, SUM_INSTANCES */
    uint32_t run;                  /* RECUR: elements of the state that a task takes */
    uint32_t columns;              /* ATTEND: vectors of queries at a time */
    uint32_t longest;              /* ATTEND: positions at most */
    const MachineProduct *product; /* ATTEND: products so, in bf16; GEMM: multiplies, or */
    const ProductPack *pack;       /* packs an operand; NULL: does not */
    int64_t direct;                /* multiplies a left operand of such a step between rows */
    bool rounds;                   /* gives a result of bf16 */

    /* KERNEL, SEQUENCE; `plan` is the sequence's own */
    const PlanSequence *sequence;
    const Group *group;
    uint16_t rows; /* positions of a micro-tile: lanes, or 1 of a global kernel and of a sequence */
    uint32_t accumulators; /* vectors that STEP_SUMS adds up in at a time */
    ScheduleValue *values; /* the group's inputs, then what it makes, both ascending */
    uint32_t n_values;
    uint32_t n_inputs; /* so many of them come first */
    uint32_t *table;   /* of values by id: see schedule_find */
    uint32_t table_bits;
    VEC(ScheduleStage) stages;
} Schedule;

typedef struct {
    uint32_t real_bytes;
    uint32_t samples; /* how many a step is likely to have; 0: not known */
    Machine machine;
} ScheduleOptions;

/* The schedules of plan->kernels, in their order, and then of the kernels of products. */
Schedule **schedule_create(const Plan *plan, const ScheduleOptions *options,
                           const Products *products);
void schedule_print(const Schedule *s, FILE *to);
/* NULL, or which rule the schedule breaks, in the plan's arena. */
const char *schedule_verify(const Schedule *s);

/* The value of the kernel with this id of the program, or NULL. */
const ScheduleValue *schedule_find(const Schedule *s, TirId id);
static inline const TirNode *schedule_node(const Schedule *s, TirId id) {
    return tir_node(s->plan->program->block, id);
}
/* Where an output lies that is made by features. */
static inline SchedulePlace schedule_own_rows(const Schedule *s) {
    return tir_domain_equal(s->group->domain, TIR_GLOBAL) ? PLACE_GLOBAL : PLACE_ROWS;
}
/* How a value's node is called in buffers' names and in prints. */
const char *schedule_name(const Schedule *s, TirId id);

/* --- what follows from types and ops (reads.c) -------------------------------------------------*/

/* Long enough along its last axis for features in lanes. */
bool schedule_is_wide(const TirType *type);
/* Products of the axes before the last. */
uint64_t schedule_leading(const TirType *type);
/* The largest divisor of an extent that is no larger than `most`. */
uint32_t schedule_divisor(uint32_t extent, uint32_t most);
/* Terms of a contraction's sum at one element. */
uint64_t schedule_terms(const TirBlock *block, const TirNode *node);
/* Whether a small value of so many elements goes through memory, made by loops over them: there are
 * too many for registers, or too many terms in all to write out. */
bool schedule_is_looped(const TirBlock *block, const TirNode *node, uint64_t elements);
/* The axis of operand `k` that runs along the lanes with `id`'s loop, or with what a fold sums
 * up; -1: none. */
int schedule_lane_axis(const Schedule *s, TirId id, uint32_t k);
/* The root value that the group's `id` reads through operand `k`, and whether it is read in step
 * with it (same loop) or must lie in memory. */
TirId schedule_operand(const Schedule *s, TirId id, uint32_t k, bool *in_step);
/* A contraction with a wide global operand: every weight loaded should serve several positions. */
bool schedule_reads_weights(const Schedule *s, TirId id);

/* --- folds (folds.c) ---------------------------------------------------------------------------*/

typedef struct {
    const TirNode *node;
    uint32_t n_other; /* summed axes besides the lanes' */
    uint32_t extent[TIR_MAX_RANK];
    int8_t at[2][TIR_MAX_RANK]; /* where each goes in each operand, -1 nowhere */
    int lane[2];                /* axis that runs along the lanes */
    uint32_t lane_extent;
} ScheduleFold;

ScheduleFold schedule_fold(const Schedule *s, TirId id);
/* What leaves the others as they are: 0 of a sum, -infinity of a maximum. */
double schedule_fold_identity(TirOp op);
/* How many terms each result has beside those along the lanes. */
uint64_t schedule_fold_others(const ScheduleFold *f);
/* The axis of the result that an operand's axis becomes; -1: it is summed. */
int schedule_fold_axis(const TirNode *node, uint32_t operand, uint32_t axis);

/* --- memory of a thread (places.c) -------------------------------------------------------------*/

/* From one position of a micro-tile to the next in PLACE_TILE_ROWS: never a multiple of
 * machine->same_sets bytes, so that equal features of different positions fall into different sets
 * of a cache. */
uint64_t schedule_pitch(const Schedule *s, uint64_t elements);
/* Of an array in packed order, [vector of features][row][lane]. */
uint64_t schedule_packed_elements(const Schedule *s, const TirType *type);

#endif
