/* Compiled hyper-connection models: create, run, train, save.
 *
 *   HcContext *model;
 *   HcError error;
 *   if (hc_create(&shakespeare_model, NULL, &model, &error) != HC_OK) { ... error.message ... }
 *   hc_init(model, 1);
 *   hc_set_input(model, "tokens", tokens, samples * positions);
 *   hc_forward_backward(model); hc_step(model, -1);
 *   hc_destroy(model);
 *
 * Nothing here exits, prints, installs signal handlers or keeps global state; after a context's
 * first step nothing allocates as long as no extent grows. A context is used by one thread at a
 * time; different contexts are independent and may run at once; one made before a fork goes on in
 * the child, on one thread. Results are the same bits for every number of threads, provided
 * OpenBLAS itself runs on one: it does where hc_create loads it; where the process had loaded it
 * before, with hc_process_init or OPENBLAS_NUM_THREADS=1.
 *
 * This header compiles as C99, C11 and C++. Matrices that act on streams are indexed destination
 * first, source second. */
#ifndef HC_HC_H
#define HC_HC_H

#if defined(__cplusplus)
#if !defined(_Static_assert)
#define _Static_assert static_assert
#endif
#elif __STDC_VERSION__ < 201112L && !defined(_Static_assert)
#define _Static_assert(condition, text) struct hc_static_assertion
#endif
#include "abi/abi.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every function that can fail returns one of these. In brackets: the exit code of the programs. */
typedef enum {
    HC_OK = 0,               /* [0] */
    HC_ERROR_ARGUMENT = 1,   /* the caller asked for something that does not exist [2] */
    HC_ERROR_MODEL = 2,      /* the compiled model is malformed or of another ABI version [70] */
    HC_ERROR_CPU = 3,        /* compiled for instructions this machine lacks [5] */
    HC_ERROR_DATA = 4,       /* training data is missing, too short or out of range [3] */
    HC_ERROR_CHECKPOINT = 5, /* a checkpoint is missing, damaged or of another model [3] */
    HC_ERROR_DIVERGED = 6,   /* a loss, gradient or parameter is not finite [4] */
    HC_ERROR_MEMORY = 7,     /* memory ran out, or sizes overflow [6] */
    HC_ERROR_IO = 8,         /* a file or folder cannot be written, OpenBLAS not loaded [6] */
    HC_INTERRUPTED = 9       /* stopped on request, after saving [130] */
} HcStatus;

typedef struct {
    HcStatus status;
    char message[508]; /* one line, no newline at the end; "" after success */
} HcError;

#define HC_MAX_RANK 8

/* Where a context, a name or a place for a result is NULL that must not be, functions return
 * HC_ERROR_ARGUMENT, or 0, NULL or "", and change nothing. */
typedef struct HcContext HcContext;

/* Zero-initialise, set what you need. */
typedef struct {
    int32_t threads;   /* working threads, the caller included; 0: as many as the process may use;
                          1: no thread is ever made */
    int64_t samples;   /* batch to prepare for; 0: the recipe's. It runs in parts no larger than
                          the recipe's, where that has several: memory is needed for one */
    int64_t positions; /* per sample; 0: the model's maximum */
} HcOptions;

/* One parameter. `data` and `gradient` are dense, row-major, of the model's element type, 64-byte
 * aligned, owned by the context and valid until it is destroyed or other memory is bound. */
typedef struct {
    const char *name;  /* path of instances: trunk.3.attn.Wq; owned by the context */
    const char *group; /* "connection", "attention", ...; owned by the context */
    void *data;
    void *gradient;
    int64_t count; /* product of dims */
    int32_t rank;
    int64_t dims[HC_MAX_RANK];
    int32_t frozen; /* 1: the optimiser leaves it alone; 2: a buffer, which hc_step updates */
} HcParameter;

/* One space of positions. */
typedef struct {
    const char *name;
    int64_t positions, maximum;
} HcSpace;

/* One input. Memory is [samples][positions][dims], [samples][dims] or [dims] by its domain. Its
 * gradient has elements of the same type. */
typedef struct {
    const char *name;
    int32_t is_integer; /* 1: int32_t elements, 0 <= value < limit; 0: real ones */
    int32_t is_target;
    int64_t limit;
    int64_t count;                  /* elements at the context's present extents */
    int32_t by_sample, by_position; /* 1: there is one of these dims for each */
    int32_t rank;
    uint32_t
        element_size; /* bytes: 4, of reals float; 8: double; 2: bf16, the upper half of a float,
                         which inputs at positions may be in the precision bf16_streams */
    int64_t dims[HC_MAX_RANK];
    int32_t has_gradient; /* 1: a backward pass gives its gradient, */
    int32_t has_beside;   /* 1: to which it adds what comes to the input by other ways */
    int32_t space;        /* of positions, from 0; -1: of none */
} HcInput;

/* One result of a program that is part of the caller's. Memory, and that of its gradient, as that
 * of an input. */
typedef struct {
    const char *name;
    int64_t count; /* elements at the context's present extents */
    int32_t by_sample, by_position;
    int32_t rank;
    uint32_t element_size; /* as of inputs */
    int64_t dims[HC_MAX_RANK];
    int32_t takes_gradient; /* 1: a backward pass goes from its gradient */
    int32_t read_back;      /* 1: the backward pass reads it, in the caller's memory */
    int32_t space;          /* of positions, from 0; -1: of none */
} HcResult;

/* A result inside the context's workspace: read-only, valid until the next call on the context.
 * dims begin with samples and positions where the value has them; what is the same at all of them
 * whatever is computed (the compiler finds a constant) has not. */
typedef struct {
    const void *data;
    int64_t count;
    int32_t rank;
    uint32_t element_size; /* as of inputs: bf16 where inputs and results may be */
    int64_t dims[HC_MAX_RANK];
} HcView;

/* All that one hc_apply reads and writes. Zero-initialise. Memory is dense, as hc_input and
 * hc_result say, but for strides: elements from where a sample begins to where the next one does
 * (in memory by sample; 0: dense; an array that is NULL: all are), which are at least a sample's
 * elements. Where samples of inputs or results lie apart, each runs by itself, with the same result
 * up to rounding. Memory begins wherever its elements may; nothing beyond it is read or written;
 * what is written overlaps nothing else. Values are moved by way of the context, which takes time,
 * where memory that is written is not 64-byte aligned (each sample's, if they lie apart), where
 * gradients alone lie apart, and where they do and the program sums over samples at each position.
 */
typedef struct {
    int64_t samples, positions;
    const void *const *inputs;     /* by input */
    const int64_t *input_strides;  /* by input */
    const void *const *parameters; /* by parameter; NULL: the context's own */
    void *const *results;          /* by result; NULL, or an entry that is: not wanted. With
                                      `saved` there must be those that are `read_back` */
    const int64_t *result_strides; /* by result */
    void *saved;         /* what the backward pass needs: 64-byte aligned, hc_saved_bytes long */
    uint64_t random_key; /* of this run's random numbers (dropout) */
    int32_t training;    /* `training` in the model */
    int64_t step, steps; /* `step` and `steps` */
    /* Of hc_apply_backward: */
    const void *const *result_gradients; /* by result; NULL, or an entry that is: zero */
    const int64_t *result_gradient_strides;
    const void *const *gradients_beside; /* by input: what comes to it by other ways, to be added to
                                            its gradient (inputs that have it); likewise */
    const int64_t *gradient_beside_strides;
    void *const *input_gradients; /* by input; NULL, or an entry that is: not wanted */
    const int64_t *input_gradient_strides;
    void *const *parameter_gradients; /* by parameter, dense; one that is not wanted is made where
                                         the context has its own */
} HcApply;

/* Where fields lie is a part of HC_ABI_VERSION. (Every machine that there is code for has pointers
 * of eight bytes.) */
_Static_assert(sizeof(HcStatus) == 4 && sizeof(HcError) == 512, "layout");
_Static_assert(sizeof(HcOptions) == 24 && offsetof(HcOptions, positions) == 16, "layout");
_Static_assert(sizeof(HcParameter) == 120 && offsetof(HcParameter, frozen) == 112, "layout");
_Static_assert(sizeof(HcInput) == 128 && offsetof(HcInput, has_gradient) == 112, "layout");
_Static_assert(sizeof(HcResult) == 112 && offsetof(HcResult, read_back) == 100, "layout");
_Static_assert(sizeof(HcView) == 88 && offsetof(HcView, dims) == 24, "layout");
_Static_assert(sizeof(HcApply) == 152 && offsetof(HcApply, parameter_gradients) == 144, "layout");

/* --- process -----------------------------------------------------------------------------------*/

/* Switches OpenBLAS's own threads off, for the whole process, children included (it sets
 * OPENBLAS_NUM_THREADS): for executables, at their start, before they have threads. No other
 * function changes global state. hc_create loads OpenBLAS where the process has not done so, on one
 * thread and with the kernels for this processor's vectors unless OPENBLAS_CORETYPE says others;
 * the environment stays what it was. */
void hc_process_init(void);
int hc_exit_code(HcStatus status);
/* CPUs this process may use: affinity mask and cgroup quota; at least 1. */
int32_t hc_cpu_count(void);

/* --- life --------------------------------------------------------------------------------------*/

/* Reads the model's plan, allocates parameters and gradients (zero), inputs (zero) and the
 * workspace. options and error may be NULL. On failure *context is NULL. The model must outlive the
 * context. */
HcStatus hc_create(const HcModel *model, const HcOptions *options, HcContext **context,
                   HcError *error);
/* The same of one site, from 0, of a connection's library, which holds the programs of as many as
 * hc_site_count says; of another model there is one. hc_create is for the first. */
HcStatus hc_create_site(const HcModel *model, int64_t site, const HcOptions *options,
                        HcContext **context, HcError *error);
HcStatus hc_site_count(const HcModel *model, int64_t *count);
void hc_destroy(HcContext *context); /* NULL is fine, and so is a context made before a fork */
/* The message of the context's last failure; "" if there was none. Owned by the context. That of
 * NULL says that it is NULL. */
const char *hc_last_error(const HcContext *context);

/* Prepares for another batch: allocates only if it needs more workspace than ever before. Inputs'
 * contents are undefined afterwards, and memory bound with hc_bind_input must have the new size.
 * Nothing changes on failure.
 * HC_ERROR_ARGUMENT beyond the model's maximum of positions. */
HcStatus hc_resize(HcContext *context, int64_t samples, int64_t positions);
int64_t hc_samples(const HcContext *context);
int64_t hc_positions(const HcContext *context);
int64_t hc_max_positions(const HcContext *context); /* 0: the model has no position space */
/* A model of several spaces of positions: hc_resize and hc_positions are of the first, 0, and
 * further ones have as many as there are at most until hc_resize_space, which is as hc_resize. */
int64_t hc_space_count(const HcContext *context);
HcStatus hc_space(HcContext *context, int64_t index, HcSpace *space);
HcStatus hc_resize_space(HcContext *context, int64_t index, int64_t positions);
int32_t hc_threads(const HcContext *context);
/* Of parameters and of what nothing else says: 4, float, or 8, double. */
uint32_t hc_element_size(const HcContext *context);
/* What the model was compiled to compute in: "f32", "bf16", "bf16_streams" or "f64". */
const char *hc_precision(const HcContext *context);
/* All that the context has allocated for what it runs on; its tables, the plan among them, are not
 * counted. */
uint64_t hc_memory_bytes(const HcContext *context);
const char *hc_model_name(const HcContext *context);

/* --- parameters --------------------------------------------------------------------------------*/

int64_t hc_parameter_count(const HcContext *context);
HcStatus hc_parameter(HcContext *context, int64_t index, HcParameter *parameter);
HcStatus hc_parameter_named(HcContext *context, const char *name, HcParameter *parameter);
/* All parameters in one slab, each at its own 64-byte aligned place (see hc_parameter). */
int64_t hc_slab_elements(const HcContext *context);
void *hc_parameters(HcContext *context);
void *hc_gradients(HcContext *context);
/* Uses the caller's memory (64-byte aligned, hc_slab_elements long) instead of the context's own;
 * it must stay valid until unbound with NULL or the context is destroyed. Contents are not copied.
 */
HcStatus hc_bind_parameters(HcContext *context, void *parameters, void *gradients);
/* Draws every parameter anew; a tensor's values depend on the seed and its name alone. Forgets the
 * optimiser's state. */
HcStatus hc_init(HcContext *context, uint64_t seed);

/* --- running -----------------------------------------------------------------------------------*/

int64_t hc_input_count(const HcContext *context);
HcStatus hc_input(HcContext *context, int64_t index, HcInput *input);
/* Copies `count` elements (it must be the input's count). HC_ERROR_DATA, and nothing changes, when
 * an integer is out of range. */
HcStatus hc_set_input(HcContext *context, const char *name, const void *data, int64_t count);
/* Reads the caller's memory in place from now on (64-byte aligned); NULL: the own again. Integers
 * are checked by every pass: out of range, it returns HC_ERROR_DATA and runs nothing. */
HcStatus hc_bind_input(HcContext *context, const char *name, const void *data);

/* Whether forward passes are those of training (at first they are): `training` in the model is 1 or
 * 0, so 0 switches dropout off. Random numbers are a function of the seed of hc_init, the steps
 * done and the place where they are used. */
void hc_set_training(HcContext *context, int training);
int hc_training(const HcContext *context);
/* Tells the next pass (hc_forward, hc_forward_backward, hc_extend) that parameters are what they
 * were in the last one, or what hc_step has made of them since: what products made of weights then
 * serves them again, and is kept from now on (in bf16 half the bytes of the weights, for each
 * direction that ran); from then on hc_step makes it anew as it writes them. Without this every
 * pass does, as memory that hc_parameters and hc_bind_parameters share may be written at any time.
 * What the runtime itself writes (hc_init, hc_load, hc_step) is never missed. */
void hc_parameters_unchanged(HcContext *context);
HcStatus hc_forward(HcContext *context);
/* The loss of the last hc_forward, a mean over the batch. Not finite is a value, not an error. */
HcStatus hc_loss(HcContext *context, double *loss);
/* After hc_forward: stores the gradient of the loss for every parameter that has one. It replaces
 * earlier gradients; those of parameters without a path to the loss stay as they are. */
HcStatus hc_backward(HcContext *context);
/* hc_forward and hc_backward in one, with the same results. Where only a part of something is ever
 * in memory (logits over a large vocabulary, or all values of a batch that runs in parts),
 * hc_backward by itself makes it again; this does not. */
HcStatus hc_forward_backward(HcContext *context);
HcStatus hc_zero_grad(HcContext *context);
/* "loss", "logits", a metric, a probe or a result by name; after hc_forward. The first time that it
 * is asked for a value of which only a part is ever in memory (because it is wide, or the batch
 * runs in parts), it makes room for all of it and runs the forward pass again, with inputs and
 * parameters as they are then. */
HcStatus hc_output(HcContext *context, const char *name, HcView *view);

/* --- a program as part of another --------------------------------------------------------------
 *
 * A model may be compiled without a loss: it has results, and its backward pass goes from the
 * gradients of results to those of parameters and of inputs. Inputs proper are numbered by
 * hc_input, results by hc_result, parameters by hc_parameter.
 *
 * Such a program runs as any other does, in the context's own memory (hc_set_input, hc_forward,
 * hc_output by a result's name; hc_set_result_gradient, hc_backward, hc_input_gradient), or in that
 * of its caller: */

int64_t hc_result_count(const HcContext *context);
HcStatus hc_result(HcContext *context, int64_t index, HcResult *result);
/* What the next hc_backward goes from; zero until it is set, and again when extents change. */
HcStatus hc_set_result_gradient(HcContext *context, int64_t result, const void *data,
                                int64_t count);
/* After hc_backward: the gradient of an input. */
HcStatus hc_input_gradient(HcContext *context, int64_t input, HcView *view);

/* The forward pass. It may be another's turn between it and its backward pass, with other memory
 * to save in, so any number may be open; with `saved` NULL there will be no backward pass. Once it
 * ran with the largest extents it allocates nothing. Integers are checked as hc_set_input does. */
HcStatus hc_apply(HcContext *context, const HcApply *apply);
/* The backward pass of an hc_apply: all that was given to that is given again, unchanged, inputs,
 * parameters, results and what was saved with their contents. Gradients replace what was there;
 * those without a path to a result are zero. */
HcStatus hc_apply_backward(HcContext *context, const HcApply *apply);
/* Of `saved`; 0: there can be no such call. */
uint64_t hc_saved_bytes(HcContext *context, int64_t samples, int64_t positions);

/* The next token's logits, position by position, of models whose positions see only themselves and
 * earlier ones: why the model is none of these; NULL: it is. Owned by the context. */
const char *hc_extend_refused(const HcContext *context);
/* Runs the forward pass, as far as logits need it, at positions first .. first + count - 1 of the
 * one sample. Those before `first` must have been run so already, and are not run again: their
 * inputs and parameters are taken to be what they were. `first` may be less than the positions run
 * so far: those from there on are then others. Each position sees what it would see if the text
 * ended with the last. Time is that of the new positions, but for what each reads of earlier ones.
 * The inputs are those of all positions of the context's extents, at their places (see hc_input);
 * those after the last new one are not read. Afterwards there is no output but hc_extended_logits.
 * The first call makes room. HC_ERROR_ARGUMENT where hc_extend_refused says so, for more samples
 * than one, and for positions that are not there. */
HcStatus hc_extend(HcContext *context, int64_t first, int64_t count);
/* The logits of the last position that hc_extend ran: dims are those at a position. */
HcStatus hc_extended_logits(HcContext *context, HcView *view);

/* --- optimiser ---------------------------------------------------------------------------------*/

/* Whether forward passes read the exponential moving average of the parameters over the steps so
 * far (the recipe's `ema`) rather than the parameters themselves; while they do, hc_parameter,
 * hc_save and hc_output give what belongs to it. hc_forward_backward, hc_step, hc_init and whatever
 * loads or binds parameters or saves the optimiser's state end it; hc_backward is refused.
 * HC_ERROR_ARGUMENT without `ema` or before the first step. */
HcStatus hc_use_ema(HcContext *context, int on);
int hc_uses_ema(const HcContext *context);
/* Clips and applies one step of the recipe's optimiser and counts it; buffers take what hc_forward
 * computed for them. lr < 0: the schedule's; what muon leaves to AdamW takes the recipe's adamw_lr
 * times lr over the recipe's lr. HC_ERROR_DIVERGED, and nothing changes, when a
 * gradient or a buffer's value is not finite; HC_ERROR_ARGUMENT when lr is not, or beyond 1e6. */
HcStatus hc_step(HcContext *context, double lr);
/* Holds parameters to the model's constraints (`project`), as hc_init and hc_step do by themselves:
 * for who changes parameters otherwise. HC_ERROR_DIVERGED, and nothing changes, where what comes of
 * it is not finite. */
HcStatus hc_project(HcContext *context);
int64_t hc_steps_done(const HcContext *context);
/* Says how many steps the parameters have had, which hc_load_state restores by itself: what passes
 * of training are told as `step`, and where schedule, random numbers and optimiser go on. */
HcStatus hc_set_steps_done(HcContext *context, int64_t steps);
double hc_gradient_norm(const HcContext *context); /* before clipping, of the last hc_step */
double hc_schedule_lr(const HcContext *context, int64_t step); /* of the recipe, step from 0 */
/* Changes a value of the recipe ("lr", "steps", ..., also "train.lr"); value as text. That of
 * "batch" ("32", or "32 in 8" for parts) is what the next hc_resize goes by.
 * HC_ERROR_ARGUMENT for what its optimiser or schedule does not take. */
HcStatus hc_set_recipe(HcContext *context, const char *key, const char *value);

/* --- checkpoints: safetensors ------------------------------------------------------------------*/

/* Parameters. Written to a temporary file, synced, then renamed: never half a file. */
HcStatus hc_save(HcContext *context, const char *path);
/* The file must hold exactly the model's tensors, in F32, F64, F16 or BF16; nothing changes on
 * failure. A number that f32 cannot hold is one. */
HcStatus hc_load(HcContext *context, const char *path);
/* The optimiser's state and the step count: what an exact continuation needs besides. A state says
 * after which step it was made, and names its parameters by their hash: it is refused unless the
 * context holds them, so they are loaded first. Nothing changes on failure. */
HcStatus hc_save_state(HcContext *context, const char *path);
HcStatus hc_load_state(HcContext *context, const char *path);
/* Both at once, in a folder: parameters.safetensors, as hc_save writes it, and state.safetensors.
 * What is there is replaced in one step: whenever this ends, killed or not, the folder holds the
 * checkpoint that was or the new one, whole. The folder above must be there. */
HcStatus hc_save_checkpoint(HcContext *context, const char *folder);
/* Reads and checks both files, and that they are of one step; nothing changes on failure. */
HcStatus hc_load_checkpoint(HcContext *context, const char *folder);

#ifdef __cplusplus
}
#endif
#endif
