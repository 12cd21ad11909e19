/* A plan: which kernels and matrix products run, in which order, on which memory. Its passes, in
 * the order of compile/passes.def:
 *
 *   plan_halo       shifts of what a kernel makes -> the same, made of shifts of what lies in
 * memory plan_fuse       values -> groups (kernels) and barriers (matrix products, attention, ...)
 *   plan_split      groups -> parts that a kernel can hold
 *   plan_recompute  which forward values a backward group computes again instead of loading
 *   plan_calls      groups and barriers -> calls in order
 *   plan_chunks     which calls run a chunk of positions at a time
 *   plan_replay     which forward calls the backward pass makes again, to fit into less memory
 *   plan_extend     which calls make one more position's logits, and what they read of earlier ones
 *   plan_keep       which calls make what holds parameters to their constraints
 *   plan_rounds     which calls run for a part of a batch, and how often
 *   plan_memory     values -> buffers
 *
 * The plan is symbolic in the batch and in the number of positions. */
#ifndef HCC_PLAN_PLAN_H
#define HCC_PLAN_PLAN_H

#include "abi/precision.h"
#include "abi/spaces.h"
#include "base/diag.h"
#include "machine/machine.h"
#include "pass/gemm_match.h"

/* The step that memory is planned for; any other fits the plan as well. */
typedef struct {
    uint64_t samples, positions;
    uint64_t most; /* bytes of workspace; 0: as many as are fast */
    bool packs;    /* weights are updated element by element, so that they can be packed at once */
} PlanStep;

typedef struct {
    HcPrecision precision;
    bool fuse;      /* false: one group a value (to compare with) */
    bool recompute; /* false: every forward value a backward group needs is stored */
    PlanStep step;
    Machine machine;
} PlanOptions;

/* How a value comes to be. */
typedef enum {
    WORK_NONE,          /* leaves and views of stored values: nothing runs */
    WORK_LOCAL,         /* inside a group's kernel */
    WORK_GEMM,          /* matrix product over positions by BLAS */
    WORK_ACCUMULATE,    /* a sum of matrix products and scatters, each added to the same memory */
    WORK_ATTEND,        /* attention kernel, forward or backward */
    WORK_RECUR,         /* a recurrence over positions: a kernel of its own */
    WORK_SEQUENCE,      /* a body that goes from position to position: a kernel of its own */
    WORK_SCATTER,       /* scatter_add call */
    WORK_SUM_INSTANCES, /* a sum that keeps samples or positions: a kernel of its own */
} WorkKind;

/* A kernel: local values of one domain that are computed together, position by position. */
typedef struct Group {
    uint32_t id;
    uint32_t level;
    TirDomain domain;
    bool backward;
    TirIdVec values;  /* computed here, ascending; may repeat values of other groups (recompute) */
    TirIdVec outputs; /* computed here and needed elsewhere, ascending: stored */
    TirIdVec inputs;  /* stored values loaded here, ascending */
    TirIdVec sums;    /* values here that sum over instances (POSITION_SUM, CONTRACT to global) */
    uint32_t kernel;  /* index into plan->kernels: shared by all groups equal to it */
    struct Group *goes_on; /* with what did not go into this one for its size, or NULL */
} Group;

typedef enum {
#define HC_REGION(ident, text) REGION_##ident,
#include "abi/words.def"
    REGION_NONE, /* not decided yet */
} Region;

/* What an element is in memory. */
typedef enum {
#define HC_ELEMENT(ident, text, bytes) ELEMENT_##ident,
#include "abi/words.def"
    ELEMENT_COUNT
} Element;

typedef struct {
    Region region;
    Element element;
    uint64_t offset; /* bytes, for each unit of the region's count */
    /* PARAMS, GRADS, INPUT, OUTPUT: which; CHUNK: bytes at a position; PARTIAL: the sum; else the
     * slot */
    uint32_t index;
} CallBuffer;

/* What memory is given to: a value, or a second copy of it. Slots of one plan may differ in how
 * their elements are stored; what a step computes with is the same for all. */
typedef struct {
    TirId value;
    Element element;
} PlanSlot;

typedef enum {
#define HC_CALL(ident, text) CALL_##ident,
#include "abi/words.def"
    CALL_ATTEND, /* kernels to the runtime, too */
    CALL_RECUR,
    CALL_SEQUENCE,
    CALL_SUM_INSTANCES
} CallKind;

enum { CALL_KIND_COUNT = CALL_SUM_INSTANCES + 1 };

typedef VEC(CallBuffer) BufferVec;

/* For which positions a call runs where logits are to be had of positions that are added. */
typedef enum { EXTENDS_NOT, EXTENDS_LAST, EXTENDS_ALL } PlanExtends;

typedef struct {
    CallKind kind;
    uint32_t kernel;     /* of those that run kernels: index into plan->kernels */
    const Group *group;  /* KERNEL: what it computes here; the kernel may be another's */
    TirDomain domain;    /* whose instances the call covers */
    BufferVec buffers;   /* in the kernel's order: what is read before what is written */
    uint32_t n_reads;    /* so many of them are only read */
    bool repeated;       /* a chunk's backward pass runs it again: see chunks.c */
    PlanExtends extends; /* see extend.c */
    uint32_t per_sample; /* tasks per sample, of those that have such: ATTEND, RECUR, SEQUENCE */
    GemmWork gemm;       /* GEMM: buffers are a, b, c */
    uint64_t elements;   /* REDUCE, ZERO, SCATTER */
    uint32_t rows;       /* SCATTER */
    uint64_t indices;    /* SCATTER: per instance */
    TirDomain scatter_domains[3]; /* SCATTER: of indices, values and result */
    TirId value;                  /* what it computes, for profiles and dumps */
    const char *label;
} Call;

/* What goes from position to position, as a plan of its own; see sequence.c. */
typedef struct {
    struct Plan *plan;
    Group *group;    /* inputs: by operand; outputs: by state */
    uint32_t states; /* so many operands, and inputs, come first */
    bool *of_sample; /* by state: it begins otherwise in each sample */
    uint32_t parts;  /* tasks of a sample; the group is one part's */
    bool *apart;     /* by argument of the kernel: it has parts, one behind the other in a row */
    bool reverse;
    Span span;
} PlanSequence;

/* A kernel to be lowered once, however often it is called. */
typedef struct {
    CallKind kind;                /* KERNEL, ATTEND, RECUR, SEQUENCE, SUM_INSTANCES */
    const Group *group;           /* KERNEL */
    const PlanSequence *sequence; /* SEQUENCE */
    TirId value;                  /* but for KERNEL: a value with these types and attributes */
    const char *name;
} PlanKernel;

typedef struct {
    TirId value; /* a TABLE */
    CallBuffer buffer;
} PlanTable;

/* A sum over the samples of a batch: its parts' are added up. */
typedef struct {
    uint32_t slot;
    uint32_t round;      /* after which it is complete */
    VEC(uint32_t) calls; /* that write it, in order */
} PlanSum;

/* What runs for each part of a batch before the next round begins: see rounds.c. */
typedef struct {
    VEC(uint32_t) calls; /* in order */
} PlanRound;

/* Equal forward calls, and how many of them run again in the backward pass. */
typedef struct {
    const char *label;
    TirId value;
    uint32_t again, of;
    double bytes;   /* what their results would have held until the backward pass */
    double seconds; /* what they take again, of one thread */
} PlanReplay;

/* What a bound on memory led to. All bytes are of workspace. */
typedef struct {
    uint64_t stored; /* without the bound */
    uint64_t needed; /* now */
    uint64_t least;  /* set when the bound cannot be met: the smallest one that can */
    uint32_t segments;
    double seconds, step_seconds; /* added, and the whole step's, of one thread */
    VEC(PlanReplay) calls;
} PlanReplays;

/* Why a program cannot be planned; no message: it can. */
typedef struct {
    DiagCode code;
    Span at;
    const char *message, *help; /* or NULL */
} PlanRefusal;

/* What all parameters and a region's unit may take at most, and what a kernel may work in. */
#define PLAN_MAX_BYTES ((uint64_t)1 << 50)
#define PLAN_MAX_SCRATCH ((uint64_t)1 << 48)

typedef struct Plan {
    TirProgram *program; /* legalised */
    PlanOptions options;
    Arena *arena;
    WorkKind *work;   /* by value */
    uint32_t *level;  /* by value */
    Group **group_of; /* by value: the group that computes it first, or NULL */
    uint32_t first_backward_level;
    uint32_t *output; /* by value: 1 + which output of the caller's it is made in; 0: none */
    PlanSequence **sequences; /* by value; only WORK_SEQUENCE */
    GemmWork *gemm;           /* by value; only WORK_GEMM, and `into` of WORK_SCATTER */
    TirIdVec stored;          /* all values that calls write */
    VEC(PlanSlot) slots;      /* of every value, by its id, then second copies */
    Element *input_elements;  /* by input of the program: how it is stored */
    CallBuffer *buffer;       /* by slot: where it is stored, REGION_NONE if never */
    VEC(Group *) groups;      /* in order of execution */
    VEC(PlanKernel) kernels;
    VEC(Call) calls; /* forward calls first */
    uint32_t n_forward_calls;
    struct {
        uint32_t forward[2], backward[2]; /* calls first .. end - 1; empty: nothing is chunked */
        uint32_t positions;               /* of a chunk, about */
    } chunks;
    PlanReplays replays;
    struct {
        const char *refused; /* why no position can be computed by itself, or NULL */
        TirId refused_by;    /* 0: no value */
        bool *kept;          /* by slot: its memory is no other's in the forward pass; or NULL */
    } extend;
    struct {
        bool any;    /* parameter is held to a constraint: by call, */
        bool *makes; /* whether it makes what one is held to, */
        bool *alone; /* and nothing else */
    } keep;
    VEC(PlanSum) sums;
    VEC(PlanRound) rounds; /* the last one is the step itself */
    VEC(PlanTable) tables;
    uint64_t region_bytes[REGION_NONE]; /* for each unit of its count */
    uint64_t saved_bytes[REGION_NONE];  /* of them the first: what the forward pass leaves */
    PlanRefusal refused;                /* then the rest is incomplete */
} Plan;

/* A plan of a legalised program, in which nothing is decided. */
Plan *plan_create(TirProgram *p, PlanOptions options);

/* What shifts read is computed again where they stand; a new program. */
TirProgram *plan_halo(TirProgram *p);
void plan_fuse(Plan *plan);
void plan_recompute(Plan *plan);
void plan_calls(Plan *plan);
void plan_replay(Plan *plan);
void plan_extend(Plan *plan);
void plan_keep(Plan *plan);
void plan_rounds(Plan *plan);
void plan_memory(Plan *plan);
/* Refuses a plan of more than PLAN_MAX_BYTES. */
void plan_check_sizes(Plan *plan);
void plan_chunks(Plan *plan);

/* Whether a call is a product that has kernels of its own where the processor is one for it: f32,
 * and every side PRODUCT_SIDE elements long or counted in instances, but for one, which has `thin`
 * or more. */
bool plan_has_product_kernels(const Call *call, uint32_t thin);
/* Whether it has them on the plan's processor; OpenBLAS makes the others. */
bool plan_product_is_own(const Plan *plan, const Call *call);
/* Whether its kernels can take the left operand as it lies, unpacked. */
bool plan_product_is_direct(const Plan *plan, const Call *call);
/* What it rounds its factors to as it packs them; else they are what lies in memory. */
HcPrecision plan_product_takes(const Plan *plan, const Call *call);
/* Whether training keeps weights packed, and its steps pack them as they write them: where products
 * round them, so that this is half of their bytes, and memory has no bound. */
bool plan_packs_in_step(const Plan *plan);
/* Whether a product's right operand is a weight that is packed so. */
bool plan_is_packed_in_step(const Plan *plan, const Call *call);
/* Bytes of workspace that this takes, and nothing else. */
uint64_t plan_packed_in_step(const Plan *plan);
/* A recurrence's state is shared out to so many tasks, of so many elements each. */
uint32_t plan_recur_tasks(const TirType *state);
uint32_t plan_recur_run(const TirType *state);
/* Whether a call runs a kernel of a group or of one value. */
bool plan_runs_kernel(const Call *call);
/* Bytes of workspace that a step takes. */
uint64_t plan_workspace(const Plan *plan);
uint64_t plan_element_bytes(Element element);
/* What real values are computed as. */
Element plan_real(const PlanOptions *options);
/* How a value of a type is stored, unless its slot says otherwise. */
Element plan_element(const PlanOptions *options, const TirType *type);
/* Bytes of one, at one element of its domain. */
uint64_t plan_type_bytes(const PlanOptions *options, const TirType *type);
uint64_t plan_value_bytes(const Plan *plan, TirId value);

/* True for values that exist in memory without any work: parameters, inputs, tables. */
bool plan_is_leaf(const TirNode *node);
/* Ops that move elements and compute nothing, read through wherever they are used. */
bool plan_is_view(const TirNode *node);
/* Whether its caller has results of it, and calls each pass when it will. */
bool plan_is_called(const TirProgram *p);
/* Whether a value lies in memory of the caller's, which ends with its rows. */
bool plan_is_given(const Plan *plan, TirId value);
/* As the manifest says it. */
extern const char *const plan_region_names[REGION_NONE + 1],
    *const plan_call_names[CALL_KIND_COUNT], *const plan_element_names[ELEMENT_COUNT];
const char *plan_domain_name(TirDomain domain);
void plan_print(const Plan *plan, FILE *to);
/* NULL, or what of what was decided so far is wrong, in the plan's arena. */
const char *plan_verify(const Plan *plan);
/* What each kernel fuses, what it moves, and what it could not be fused with and why. */
void plan_explain(const Plan *plan, const SourceSet *sources, FILE *to);
/* What products take and sum in, and as what every value is stored; of a plan whose values have no
 * places yet. */
void plan_explain_precision(const Plan *plan, const SourceSet *sources, FILE *to);
/* What runs again in the backward pass, a line a kind of call, each with the indent; nothing when
 * nothing does. */
void plan_print_replays(const PlanReplays *replays, const char *indent, FILE *to);

#endif
