/* Loop nests: what runs, in which order, on which lanes, from and to which memory. All scheduling
 * is decided here; code generation transliterates.
 *
 * A kernel is a function called once per task (a macro-tile of positions, a head of attention,
 * ...). Its body is a tree: instructions in SSA form, some of which (LOOP, IF) own bodies. A value
 * defined in a body is visible in the rest of that body and in bodies nested there. */
#ifndef HCC_NEST_NEST_H
#define HCC_NEST_NEST_H

#include "abi/spaces.h"
#include "base/compilation.h"
#include "base/map.h"
#include "base/vec.h"
#include <stdbool.h>

typedef uint32_t NestId; /* a value: index of its instruction or loop variable; 0 = none */
typedef VEC(NestId) NestIdVec;

/* BOOL is never in memory, and BF16 nowhere else: what is loaded of it is F32, and F32 that is
 * stored to it is rounded to the nearest, to even if there are two. */
typedef enum { NEST_F32, NEST_F64, NEST_I32, NEST_I64, NEST_BOOL, NEST_BF16 } NestElem;
enum { NEST_ELEMS = NEST_BF16 + 1 };

typedef struct {
    NestElem elem;
    uint16_t lanes; /* 1 = scalar */
} NestType;

typedef enum {
#define OP(ident, text, operands) NEST_##ident,
#include "nest/nest_ops.def"
    NEST_OP_COUNT
} NestOp;

/* Numbers of a run that a kernel may ask for (EXTENT), as HcExtents has them. */
typedef enum {
    NEST_SAMPLES,   /* samples that the kernel sees: of a part of the batch */
    NEST_POSITIONS, /* positions of one sample (of the kernel's space) */
    NEST_INSTANCES, /* elements of the kernel's domain: what its tasks cover */
    NEST_TILE,      /* instances per task */
    NEST_TRAINING,  /* 1 or 0 */
    NEST_RANDOM_KEY,
    NEST_DONE,         /* steps of training behind the parameters, */
    NEST_STEPS,        /* and of all of it */
    NEST_FIRST,        /* instances before it are left alone */
    NEST_BATCH,        /* samples in the whole batch */
    NEST_FIRST_SAMPLE, /* of the part, in the batch */
    NEST_ROWS,         /* of kernels of products: of the result at hand, */
    NEST_COLUMNS,
    NEST_DEPTH, /* and terms of its sums */
    NEST_STEP,  /* elements from a row of the result to the next */
    NEST_ADDS,  /* 1: they are added to it, 0: it is written */
    NEST_SPACE, /* positions of the first space; behind it those of the others */
    NEST_EXTENT_COUNT = NEST_SPACE + HC_SPACES_MOST
} NestExtent;

/* What may be made of a loop; SEQUENTIAL code is right for all of them. The turns of a VECTOR loop
 * may run at once and those of a REDUCE loop, which writes nothing, in any order: what they carry
 * are folds. The verifier holds loops to that (nest_kinds.c). UNROLL asks code generation to unroll
 * fully. PARALLEL never appears inside a kernel (tasks are that). */
typedef enum { NEST_SEQUENTIAL, NEST_VECTOR, NEST_REDUCE, NEST_UNROLL } NestLoopKind;

/* offset + sum of coefficient[k] * value[k], values i64 scalars. */
#define NEST_MAX_TERMS 12 /* a variable for each axis of an operand, a row, a tile, a task */
typedef struct {
    int64_t offset;
    uint32_t n_terms;
    NestId value[NEST_MAX_TERMS];
    int64_t coefficient[NEST_MAX_TERMS];
} NestAddress;

typedef enum {
    NEST_ARGUMENT, /* bound by the plan: inputs and outputs of the kernel */
    NEST_SCRATCH,  /* the thread's own, `elements` long, dead between tasks */
} NestBufferKind;

typedef struct {
    const char *name;
    NestBufferKind kind;
    NestElem elem; /* in memory */
    bool written, read;
    uint64_t elements; /* SCRATCH */
} NestBuffer;

typedef struct NestBody {
    NestIdVec instructions;
} NestBody;

/* A loop: for (v = begin; v < end; v += step) with carried values.
 *   carried[k] starts as initial[k]; inside the body its current value is the instruction
 *   inner[k]; yield[k] (a value of the body) is the next one; after the loop RESULT k is the last.
 */
typedef struct {
    NestLoopKind kind;
    NestId variable;   /* i64 value, defined by this loop */
    NestId begin, end; /* i64 values */
    int64_t step;
    uint32_t n_carried;
    NestId *initial, *inner, *yield;
    NestBody body;
} NestLoop;

typedef struct {
    NestOp op;
    NestType type; /* of the result; STORE and structure: unused */
    uint32_t n_operands;
    NestId operands[5];
    double number;   /* CONST */
    uint32_t index;  /* EXTENT, LANE, RESULT */
    uint32_t buffer; /* LOAD, STORE, PREFETCH: index into buffers */
    int64_t stride;  /* LOAD: 1, or the gather's stride */
    bool nontemporal;
    NestAddress address;
    NestLoop *loop;   /* LOOP; RESULT: the loop it belongs to */
    NestBody *body;   /* IF */
    const char *name; /* hint, or NULL */
    Span span;
} NestInstruction;

/* Loop variables and loop-carried inner values are instructions too (so ids are uniform) but stand
 * in no body: their op is one of these pseudo-ops. */
#define NEST_VARIABLE ((NestOp)NEST_OP_COUNT)
#define NEST_INNER ((NestOp)(NEST_OP_COUNT + 1))

typedef struct {
    const char *name;
    VEC(NestInstruction) instructions; /* by id; at[0] unused */
    VEC(NestBuffer) buffers;
    NestBody body;
    Arena *arena;
} NestKernel;

/* --- building: appends to the innermost open body ----------------------------------------------*/

typedef struct {
    NestKernel *kernel;
    VEC(NestBody *) open;
    VEC(NestLoop *) loops;
    Map *heads; /* values without operands */
    Span span;
    const char *name;
} NestBuilder;

NestKernel *nest_kernel_create(Arena *arena, const char *name);
NestBuilder nest_builder(NestKernel *kernel);
uint32_t nest_add_buffer(NestKernel *kernel, NestBuffer buffer);

NestId nest_const(NestBuilder *b, NestType type, double value);
NestId nest_i64(NestBuilder *b, int64_t value);
NestId nest_extent(NestBuilder *b, NestExtent which);
NestId nest_task(NestBuilder *b);
NestId nest_lanes(NestBuilder *b, uint16_t lanes);
NestId nest_unary(NestBuilder *b, NestOp op, NestId x);
NestId nest_binary(NestBuilder *b, NestOp op, NestId x, NestId y);
NestId nest_fma(NestBuilder *b, NestId x, NestId y, NestId z);
NestId nest_pair(NestBuilder *b, NestId first, NestId second);
NestId nest_narrow(NestBuilder *b, NestId x, NestId y);
NestId nest_dot(NestBuilder *b, NestId x, NestId y, NestId z);
NestId nest_matrix(NestBuilder *b, NestId x, NestId y, NestId z);
NestId nest_lanes_of(NestBuilder *b, NestOp op, NestId x, NestId y); /* WEAVE_LOW ... ODDS */
NestId nest_select(NestBuilder *b, NestId condition, NestId x, NestId y);
/* counter: four i32, scalars or vectors; the result is `elem`, of as many lanes as the widest. */
NestId nest_random(NestBuilder *b, NestElem elem, const NestId counter[4]);
NestId nest_cast(NestBuilder *b, NestElem elem, NestId x);
NestId nest_splat(NestBuilder *b, uint16_t lanes, NestId x); /* x itself when lanes == 1 */
NestId nest_lane(NestBuilder *b, NestId x, uint32_t lane);
NestId nest_load(NestBuilder *b, uint32_t buffer, NestAddress at, uint16_t lanes, int64_t stride,
                 NestId valid);
void nest_store(NestBuilder *b, uint32_t buffer, NestAddress at, NestId value, NestId valid,
                bool nontemporal);
void nest_prefetch(NestBuilder *b, uint32_t buffer, NestAddress at);
void nest_tile(NestBuilder *b, NestOp op, uint32_t index); /* BEGIN, END, ZERO, DOT */
/* LOAD, STORE: tile `index` from or to rows that lie `step` elements apart. */
void nest_tile_rows(NestBuilder *b, NestOp op, uint32_t index, uint32_t buffer, NestAddress at,
                    NestId step);
static inline bool nest_is_tile(NestOp op) {
    return op >= NEST_TILE_BEGIN && op <= NEST_TILE_DOT;
}
/* Opens a loop and its body. Carried values: pass initials, use nest_inner inside. */
NestLoop *nest_loop_begin(NestBuilder *b, NestLoopKind kind, NestId begin, NestId end, int64_t step,
                          uint32_t n_carried, const NestId *initial);
void nest_loop_end(NestBuilder *b, const NestId *yield); /* NULL when nothing is carried */
NestId nest_result(NestBuilder *b, NestLoop *loop, uint32_t k);
void nest_if_begin(NestBuilder *b, NestId condition);
void nest_if_end(NestBuilder *b);

static inline NestAddress nest_at(int64_t offset) {
    return (NestAddress){.offset = offset};
}
static inline NestAddress nest_at_plus(NestAddress a, NestId value, int64_t coefficient) {
    if (coefficient != 0 && value != 0) {
        a.value[a.n_terms] = value;
        a.coefficient[a.n_terms++] = coefficient;
    }
    return a;
}
NestType nest_type(const NestKernel *kernel, NestId id);
/* Whether a value is a constant, perhaps splatted, and which. */
bool nest_const_of(const NestBuilder *b, NestId id, double *value);
/* Bytes of scratch a thread needs for the kernel: its SCRATCH buffers in order, 64-byte aligned. */
uint64_t nest_scratch_bytes(const NestKernel *kernel);
uint64_t nest_buffer_bytes(const NestBuffer *buffer); /* in scratch; 0 for an ARGUMENT */
uint32_t nest_elem_bytes(NestElem elem);              /* in memory */
/* What a buffer's elements are where they are computed with. */
static inline NestElem nest_loaded(NestElem elem) {
    return elem == NEST_BF16 ? NEST_F32 : elem;
}

/* --- whole kernels -----------------------------------------------------------------------------*/

const char *nest_verify(const NestKernel *kernel); /* NULL, or what is wrong */
void nest_print(const NestKernel *kernel, FILE *to);
typedef VEC(NestKernel *) NestKernelVec;
/* What nest_print prints; NULL after errors. */
NestKernel *nest_read(Compilation *c, uint32_t file);
/* One kernel or more, in their order; false after errors. */
bool nest_read_all(Compilation *c, uint32_t file, NestKernelVec *kernels);
/* Like nest_print without names: all that the kernel does, and equal kernels equally. In an arena
 * of its own, a child of `arena`: threads print kernels of one arena at once. */
void nest_print_nameless(const NestKernel *kernel, Arena *arena, FILE *to);

#endif
