/* The manifest of a compiled model as arrays: read once, at creation. Names point into the parsed
 * JSON, which the manifest keeps alive. */
#ifndef HC_PLAN_H
#define HC_PLAN_H

#include "abi/precision.h"
#include "abi/settings.h"
#include "abi/spaces.h"
#include "runtime/files/error.h"
#include "runtime/run/product.h"
#include <jansson.h>
#include <stdbool.h>

typedef enum {
#define HC_DOMAIN(ident, text) HC_##ident,
#include "abi/words.def"
    HC_DOMAIN_COUNT
} HcDomain;

typedef enum {
#define HC_REGION(ident, text) HC_REGION_##ident,
#include "abi/words.def"
    HC_REGION_COUNT
} HcRegion;

/* What an element is in memory. */
typedef enum {
#define HC_ELEMENT(ident, text, bytes) HC_ELEMENT_##ident,
#include "abi/words.def"
    HC_ELEMENT_COUNT
} HcElement;

static inline int64_t hc_element_bytes(HcElement element) {
    static const uint8_t bytes[HC_ELEMENT_COUNT] = {
#define HC_ELEMENT(ident, text, bytes) [HC_ELEMENT_##ident] = bytes,
#include "abi/words.def"
    };
    return bytes[element];
}

typedef struct {
    HcRegion region;
    HcElement element;
    uint32_t index; /* PARAMS, GRADS, INPUT, OUTPUT; CHUNK: bytes at a position */
    int64_t offset; /* bytes, for each unit of the region's count */
} HcBuffer;

typedef enum {
#define HC_INITIALISER(ident, text) HC_INIT_##ident,
#include "abi/words.def"
    HC_INIT_COUNT
} HcInitKind;

typedef struct {
    const char *name, *group;
    int32_t rank;
    int64_t dims[HC_MAX_RANK];
    HcElement element;
    int64_t count, offset; /* elements; bytes into the slab */
    HcInitKind init;
    double a, b;        /* FILL: value; NORMAL: mean, std; UNIFORM: low, high */
    const json_t *data; /* DATA */
    bool decay, frozen, gradient, buffer, of_connection;
    double lr_scale;
    struct {
        uint32_t apart, free, summed; /* masks of its axes, which are in one each; 0: none */
    } matrix;
} HcParameterPlan;

/* The k-th of numbers of so many bytes: 8, 4, or 2 of a bf16. */
static inline double hc_real_at(const void *numbers, uint32_t element_size, int64_t k) {
    if (element_size == 2) {
        const uint32_t bits = (uint32_t)((const uint16_t *)numbers)[k] << 16;
        float x;
        memcpy(&x, &bits, sizeof x);
        return (double)x;
    }
    return element_size == 4 ? (double)((const float *)numbers)[k] : ((const double *)numbers)[k];
}

/* To nearest, ties to even; a NaN stays one. */
static inline uint16_t hc_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The space of positions that a domain is of, from 0; -1: of none. */
static inline int32_t hc_space_of(HcDomain domain) {
    return domain < HC_POSITION ? -1
                                : (int32_t)((uint32_t)domain - HC_POSITION) / HC_WORDS_OF_SPACE;
}

static inline bool hc_is_by_position(HcDomain domain) {
    return hc_space_of(domain) >= 0;
}

/* Whether there is one for each sample, or position of one. */
static inline bool hc_is_by_sample(HcDomain domain) {
    return domain == HC_SAMPLE ||
           (hc_is_by_position(domain) && ((uint32_t)domain - HC_POSITION) % HC_WORDS_OF_SPACE == 0);
}

/* Whether each instance of `inner` belongs to one of `outer`. */
static inline bool hc_is_within(HcDomain outer, HcDomain inner) {
    return outer == HC_GLOBAL || outer == inner ||
           (hc_is_by_sample(inner) && hc_is_by_position(inner) &&
            (outer == HC_SAMPLE || hc_space_of(outer) == hc_space_of(inner)));
}

/* What a region holds something for each of; of others, and of sums, GLOBAL. */
static inline HcDomain hc_region_domain(HcRegion region) {
    if (region >= HC_REGION_TIME_2) {
        const int further = (int)region - HC_REGION_TIME_2, space = further / HC_WORDS_OF_SPACE;
        return (HcDomain)((further % HC_WORDS_OF_SPACE ? HC_POSITION_2 : HC_TIME_2) +
                          space * HC_WORDS_OF_SPACE);
    }
    return region == HC_REGION_SAMPLE                                  ? HC_SAMPLE
           : region == HC_REGION_TIME                                  ? HC_TIME
           : region == HC_REGION_POSITION || region == HC_REGION_CHUNK ? HC_POSITION
                                                                       : HC_GLOBAL;
}

/* Elements of the axes of a mask. */
static inline int64_t hc_parameter_extent(const HcParameterPlan *p, uint32_t axes) {
    int64_t count = 1;
    for (int32_t i = 0; i < p->rank; i++)
        count *= axes & 1u << i ? p->dims[i] : 1;
    return count;
}

typedef struct {
    const char *name;
    HcElement element;
    bool integer, target;
    HcDomain domain;
    int32_t rank;
    int64_t dims[HC_MAX_RANK];
    int64_t count; /* elements per instance */
    int64_t limit;
    /* Which result's gradient the caller gives here, or of which input that which comes to it by
     * other ways; -1: of none. */
    int32_t of_result, of_input;
    bool has_gradient; /* the backward pass makes its own, */
    HcBuffer gradient; /* which lies there */
} HcInputPlan;

typedef enum {
#define HC_OPTIMIZER(ident, text, first, second) HC_##ident,
#include "abi/words.def"
    HC_OPTIMIZER_COUNT
} HcOptimizer;

typedef enum {
#define HC_SCHEDULE(ident, text) HC_##ident,
#include "abi/words.def"
    HC_SCHEDULE_COUNT
} HcSchedule;

extern const char *const hc_optimizer_names[HC_OPTIMIZER_COUNT],
    *const hc_schedule_names[HC_SCHEDULE_COUNT];

/* What an optimiser keeps of every parameter, as checkpoints name it; "": nothing more. */
enum { HC_MOMENTS = 2 };
extern const char *const hc_optimizer_moments[HC_OPTIMIZER_COUNT][HC_MOMENTS];

typedef struct {
    HcOptimizer optimizer;
    HcSchedule schedule;
    HC_SETTING_MEMBERS(HC_SETTING_MEMBER)
} HcRecipe;

static inline bool hc_is_trained(const HcParameterPlan *p) {
    return p->gradient && !p->frozen;
}

/* Whether the optimiser of the name takes it; the others' is AdamW. */
static inline bool hc_muon_takes(const HcParameterPlan *p) {
    return p->matrix.free != 0;
}

/* What updates a parameter: the recipe's optimiser, or what it leaves the rest to. */
static inline HcOptimizer hc_optim_of(const HcRecipe *recipe, const HcParameterPlan *p) {
    return recipe->optimizer == HC_MUON && !hc_muon_takes(p) ? HC_ADAMW : recipe->optimizer;
}

enum { HC_MAX_SUBSCRIPTS = 8 };

/* base + positions * place + axes * index: one subscript of a stream, by the coordinates of the
 * position and the indices of the input's axes. */
typedef struct {
    int64_t base, positions[2], axes[HC_MAX_RANK];
    const char *column; /* of a table: counted from this one on; or NULL */
} HcSubscript;

typedef struct {
    uint32_t input;
    const char *stream;
    int64_t offset; /* of text */
    uint32_t n_subscripts;
    HcSubscript subscripts[HC_MAX_SUBSCRIPTS];
    bool whole; /* the stream's extents must be the input's */
    bool standardise;
    double scale, shift; /* input = scale * stream + shift */
} HcBinding;

typedef struct {
    bool held_out;
    const char *stream; /* NULL: all streams of the source */
    const char *path;
} HcDataFile;

typedef struct {
    const char *name;
    HcBuffer buffer;
    int32_t rank; /* -1: the manifest does not say */
    int64_t dims[HC_MAX_RANK];
    HcDomain domain; /* of results: what the caller wants one for, */
    bool term;       /* of metrics: it is a part of the loss, or a penalty */
    bool read_back;  /* and whether the backward pass reads it where the caller has it */
} HcOutput;

/* What a buffer of the model is after a step, or a parameter after its constraint. */
typedef struct {
    uint32_t parameter;
    HcBuffer from;
} HcUpdate;

typedef struct {
    HcBuffer buffer;
    int64_t count;  /* elements */
    uint8_t *bytes; /* as they lie in memory */
    size_t size;
} HcTablePlan;

typedef struct {
    int32_t domain; /* HcDomain, or -1 */
    int64_t value;  /* per instance of the domain, or the size itself */
} HcSize;

typedef enum {
#define HC_CALL(ident, text) HC_CALL_##ident,
#include "abi/words.def"
    HC_CALL_COUNT
} HcCallKind;

/* For which positions a call runs where positions are added to a text (docs/manifest.md). */
typedef enum { HC_EXTENDS_NOT, HC_EXTENDS_LAST, HC_EXTENDS_ALL } HcExtends;

typedef struct {
    HcCallKind kind;
    HcDomain domain;
    const char *name; /* for profiles */
    uint32_t first,
        count;      /* buffers: GEMM a, b, c; REDUCE partial, to; SCATTER index, values, to */
    uint32_t reads; /* KERNEL: so many of them it only reads, the first */
    bool keeps;     /* it makes what parameters are held to and nothing else: in no pass */
    bool gives;     /* KERNEL: it writes to memory of the caller's */
    uint32_t kernel;
    uint32_t sum;       /* 1 + index of the sum over samples that it adds to; 0: none */
    int64_t per_sample; /* > 0: samples * per_sample tasks, else tiles */
    int64_t elements, rows, indices; /* REDUCE, SCATTER; rows; indices an instance */
    int64_t cleared;                 /* ZERO: bytes for each unit of the region's count */
    HcDomain index_domain, values_domain, to_domain; /* SCATTER */
    bool transpose_a, transpose_b;
    bool repeated; /* a chunk's backward pass by itself runs it again */
    HcExtends extends;
    HcSize m, n, k;
    int64_t lda, ldb, ldc;
    int32_t pack_a, pack_b; /* GEMM by kernels of ours: those that pack; -1: by OpenBLAS */
    int32_t
        direct;  /* the one that takes a left operand of whole panels unpacked; -1: there is none */
    double beta; /* GEMM: what it adds to, times this; 0: C is not read */
    double operations[3], bytes[3]; /* a step, a sample, a position: for profiles */
    const char *lines;              /* of the model's source, or NULL */
} HcCall;

typedef struct {
    uint32_t *at, count;
} HcCallList;

/* A sum over the samples of a batch, complete after a round: see docs/manifest.md. */
typedef struct {
    HcBuffer buffer;
    int64_t elements; /* for each unit of the region's count */
    uint32_t round;
    HcCallList calls; /* that write it, in order */
} HcSum;

/* Calls that a round runs for each part of a batch: bounds[0] .. bounds[1] - 1, and so on. */
typedef struct {
    uint32_t *bounds, count;
} HcRound;

/* Calls that run a chunk of positions at a time: forward[0] .. forward[1] - 1, then those of the
 * backward pass; none when `positions` is 0. */
typedef struct {
    int64_t positions; /* about so many, see hc_exec_bind */
    uint32_t forward[2], backward[2];
} HcChunks;

/* A space of positions. */
typedef struct {
    const char *name;
    int64_t maximum;
    int32_t rank; /* 2: a grid */
    int64_t extents[2];
} HcSpacePlan;

typedef struct {
    json_t *json;
    const char *model;
    HcPrecision precision;
    uint32_t
        element_size; /* of real values where their buffers do not say, and of all parameters */
    int64_t max_positions; /* of the first space; 0: there is none */
    HcSpacePlan spaces[HC_SPACES_MOST];
    int32_t n_spaces;
    int64_t slab_bytes;
    double held_out; /* a fraction: at the end, or drawn when `shuffled` */
    bool shuffled;
    const char *data_source; /* or NULL */
    int64_t token_width;     /* bits; 0: not said */
    HcDataFile *data_files;
    uint32_t n_data_files;
    int32_t table_header; /* 1: a table's first line names the columns, 0: it does not, -1: see */
    char table_separator; /* 0: see */
    int64_t table_skip;   /* lines before the table */
    uint32_t first_metric, n_metrics; /* among the outputs */
    uint32_t first_result, n_results; /* likewise */
    uint32_t n_given;                 /* inputs that are no gradients: the first */
    uint32_t n_parameters, n_inputs, n_bindings, n_outputs, n_tables, n_buffers, n_calls, n_forward;
    uint32_t n_kernels;
    HcParameterPlan *parameters;
    HcInputPlan *inputs;
    HcBinding *bindings;
    HcOutput *outputs;
    HcUpdate *updates;
    HcUpdate *projects; /* what parameters are held to, */
    uint32_t *keeping;  /* and the forward calls that make it, in order */
    uint32_t n_updates, n_projects, n_keeping;
    HcTablePlan *tables;
    HcBuffer *buffers;
    HcCall *calls; /* forward calls first */
    HcChunks chunks;
    const char *extends_not; /* why no position is computed by itself, or NULL */
    HcSum *sums;
    HcRound *rounds; /* the last one is the step itself */
    uint32_t n_sums, n_rounds;
    HcProductShape products; /* how products are made that have kernels of their own, */
    uint32_t multiply;       /* and the kernel that multiplies, */
    bool products_round;     /* (behind each kernel that does is one that rounds its result), */
    bool products_keep;      /* (weights stay packed from step to step), */
    const char *product_way; /* with what: "fma", "dot", ...; NULL: there are none */
    const char **kernel_names;
    int64_t scratch_bytes;                 /* the largest any kernel asks for */
    int64_t region_bytes[HC_REGION_COUNT]; /* for each unit of its count */
    int64_t saved_bytes[HC_REGION_COUNT];  /* of them the first: what the backward pass needs */
    bool runs_apart;                       /* samples can run each by itself: see hc_exec_bind_in */
    HcRecipe recipe;
} HcPlan;

/* What its real values are in the hands of callers, and in most of its memory. */
static inline HcElement hc_plan_real(const HcPlan *plan) {
    return plan->element_size == 8 ? HC_ELEMENT_F64 : HC_ELEMENT_F32;
}

/* Calls that are products, by kernels of the model's own or by OpenBLAS. */
typedef struct {
    int64_t own, openblas;
} HcProductCalls;
HcProductCalls hc_plan_products(const HcPlan *plan);

/* Fills *plan; after failure it is empty. hc_plan_free also after success only. */
HcStatus hc_plan_read(const HcModel *model, HcPlan *plan, HcError *error);
void hc_plan_free(HcPlan *plan);
/* Whether no call needs several samples at once but for sums (plan_check.c). */
bool hc_plan_runs_apart(const HcPlan *plan);
/* Whether a call runs for each sample, or position of one. */
static inline bool hc_call_is_by_sample(const HcCall *call) {
    const int32_t rows = call->m.domain >= 0 ? call->m.domain : call->k.domain;
    return call->kind == HC_CALL_GEMM ? rows >= 0 && hc_is_by_sample((HcDomain)rows)
                                      : hc_is_by_sample(call->domain);
}
/* What of it would leave its memory when it runs (plan_check.c), or NULL. */
const char *hc_plan_check(const HcPlan *plan);
/* An output by its name, or NULL. */
const HcOutput *hc_plan_output(const HcPlan *plan, const char *name);
static inline const HcOutput *hc_plan_result(const HcPlan *plan, int64_t index) {
    return &plan->outputs[plan->first_result + (uint32_t)index];
}
/* Of an instance. */
static inline int64_t hc_output_elements(const HcOutput *output) {
    int64_t elements = 1;
    for (int32_t d = 0; d < output->rank; d++)
        elements *= output->dims[d];
    return elements;
}
/* What lies in the region of outputs: a result, or the gradient of an input. */
typedef struct {
    const char *name;
    HcDomain domain;
    int64_t bytes; /* of an instance */
} HcGiven;
static inline uint32_t hc_plan_given_count(const HcPlan *plan) {
    return plan->n_results ? plan->n_results + plan->n_given : 0;
}
static inline HcGiven hc_plan_given(const HcPlan *plan, uint32_t output) {
    if (output < plan->n_results) {
        const HcOutput *result = hc_plan_result(plan, output);
        return (HcGiven){result->name, result->domain,
                         hc_output_elements(result) * hc_element_bytes(result->buffer.element)};
    }
    const HcInputPlan *input = &plan->inputs[output - plan->n_results];
    return (HcGiven){input->name, input->domain, input->count * hc_element_bytes(input->element)};
}
/* Whether calls make it there. */
static inline bool hc_plan_is_in_place(const HcPlan *plan, uint32_t output) {
    const HcBuffer *b = output < plan->n_results ? &hc_plan_result(plan, output)->buffer
                                                 : &plan->inputs[output - plan->n_results].gradient;
    return b->region == HC_REGION_OUTPUT && b->index == output;
}
/* Elements of all parameters; buffers are none. */
int64_t hc_plan_parameter_elements(const HcPlan *plan);
/* Elements of an input for these extents; 0 when that overflows. */
int64_t hc_plan_input_elements(const HcInputPlan *input, int64_t samples, int64_t positions);
/* Calls first .. end - 1. */
typedef struct {
    uint32_t first, end;
} HcCallRun;
enum { HC_CALL_RUNS = 6 };
/* Of all calls, in the order in which a pass forward and backward first comes to them: what chunks
 * run, forward and backward, lies between what runs before and behind it (hc_exec_run). */
static inline void hc_plan_runs(const HcPlan *plan, HcCallRun runs[HC_CALL_RUNS]) {
    const HcChunks *c = &plan->chunks;
    runs[0] = (HcCallRun){0, c->forward[0]};
    runs[1] = (HcCallRun){plan->n_forward, c->backward[0]};
    runs[2] = (HcCallRun){c->forward[0], c->forward[1]};
    runs[3] = (HcCallRun){c->backward[0], c->backward[1]};
    runs[4] = (HcCallRun){c->forward[1], plan->n_forward};
    runs[5] = (HcCallRun){c->backward[1], plan->n_calls};
}
/* HC_ERROR_ARGUMENT beyond the model's maximum, of the first space. */
HcStatus hc_check_positions(const HcPlan *plan, int64_t positions, HcError *error);
/* The most positions where a value lives; 1 without. */
static inline int64_t hc_plan_longest(const HcPlan *plan, HcDomain domain) {
    const int32_t space = hc_space_of(domain);
    return space < 0 || space >= plan->n_spaces ? 1 : plan->spaces[space].maximum;
}
static inline size_t hc_plan_input_bytes(const HcInputPlan *input, int64_t samples,
                                         int64_t positions) {
    return (size_t)hc_plan_input_elements(input, samples, positions) *
           (size_t)hc_element_bytes(input->element);
}
/* Operations of a step, forward and backward, of a batch that runs whole; what is computed again
 * counts again, the optimiser does not. */
double hc_plan_operations(const HcPlan *plan, int64_t samples, int64_t positions);
/* The model's name alone, its recipe and its data: what commands need before they make a context.
 * Changes one value of the recipe; unknown keys get a suggestion. */
HcStatus hc_recipe_set(HcRecipe *recipe, const char *key, const char *value, HcError *error);
/* What a manifest says of the values that the recipe's optimiser and schedule take. */
HcStatus hc_recipe_read(HcRecipe *recipe, const json_t *json, HcError *error);
/* The values that its optimiser and schedule take. */
json_t *hc_recipe_json(const HcRecipe *recipe);
/* Whether it is a learning rate; NaN is none. */
bool hc_recipe_takes_lr(double lr);
/* Learning rate of step 0 .. steps - 1: linear warm-up to lr; then it stays, or falls to reach
 * lr * floor at the last step: as a half cosine or on a line from the warm-up on, or (wsd) on a
 * line over the last `decay` of the steps alone. */
double hc_recipe_lr(const HcRecipe *recipe, int64_t step);

#endif
