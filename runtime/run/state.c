/* A context's tensors as files: parameters (named as in the model, so that other programs find
 * them), the optimiser's state, which names the parameters it belongs to, and both in a folder. */
#include "runtime/files/checkpoint.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/files/replace.h"
#include "runtime/run/context.h"

#define XXH_INLINE_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define PARAMETERS_KEY "hcc.parameters_hash"
#define NOTE_KEY "hcc.note"

static void set_number(json_t **object, const char *key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    hc_json_set(object, key, json_string(text));
}

/* Identifies what must not differ between runs that continue each other: the model, not its
 * recipe's present values. */
uint64_t hc_model_hash(const HcContext *c) {
    return XXH3_64bits(c->model->manifest, c->model->manifest_length);
}

uint64_t hc_slab_hash(const HcContext *c) {
    return XXH3_64bits(c->params, (size_t)c->plan.slab_bytes);
}

static json_t *metadata(const HcContext *c) {
    json_t *object = json_object();
    hc_json_set(&object, "hcc.model", json_string(c->plan.model));
    set_number(&object, "hcc.step", (uint64_t)c->steps_done);
    set_number(&object, "hcc.steps", (uint64_t)c->recipe.steps);
    set_number(&object, "hcc.seed", c->seed);
    set_number(&object, "hcc.config_hash", hc_model_hash(c));
    set_number(&object, "hcc.data_hash", c->data_hash);
    hc_json_set(&object, "hcc.blas_core", json_string(c->exec.blas.core));
    return object;
}

static HcTensor tensor_at(const HcContext *c, const HcParameterPlan *p, const char *name,
                          void *data) {
    return (HcTensor){name, data, c->plan.element_size, p->rank, p->dims, p->count};
}

/* Whatever is saved or loaded of parameters goes through here. */
static HcStatus parameter_tensors(HcContext *c, HcTensor **tensors) {
    *tensors = NULL;
    if (hc_await_weights(c) != HC_OK)
        return c->error.status;
    *tensors = calloc(c->plan.n_parameters + 1, sizeof **tensors);
    if (!*tensors)
        return hc_fail_memory(&c->error, "the checkpoint");
    for (uint32_t k = 0; k < c->plan.n_parameters; k++)
        (*tensors)[k] = tensor_at(c, &c->plan.parameters[k], c->plan.parameters[k].name,
                                  (uint8_t *)c->params + c->plan.parameters[k].offset);
    return HC_OK;
}

HcStatus hc_save(HcContext *c, const char *path) {
    if (!c || !path)
        return hc_null(c, "the path");
    HcTensor *tensors;
    HcStatus status = parameter_tensors(c, &tensors);
    if (status != HC_OK)
        return status;
    json_t *meta = metadata(c);
    status = meta ? hc_tensors_write(path, tensors, c->plan.n_parameters, meta, &c->error)
                  : hc_fail_memory(&c->error, "the checkpoint");
    json_decref(meta);
    free(tensors);
    return status;
}

static HcStatus take(HcContext *c, const HcTensorFile *file) {
    HcStatus status = hc_settle_weights(c);
    if (status != HC_OK)
        return status;
    hc_tensors_take(file);
    hc_exec_forget(&c->exec);
    return HC_OK;
}

HcStatus hc_load(HcContext *c, const char *path) {
    if (!c || !path)
        return hc_null(c, "the path");
    hc_use_ema(c, 0);
    HcTensor *tensors;
    HcTensorFile *file = NULL;
    HcStatus status = parameter_tensors(c, &tensors);
    if (status == HC_OK)
        status = hc_tensors_open(path, tensors, c->plan.n_parameters, &file, &c->error);
    if (status == HC_OK)
        status = take(c, file);
    if (status == HC_OK) {
        uint64_t step, steps;
        c->loaded_step = hc_tensors_number(file, "hcc.step", &step) ? (int64_t)step : -1;
        c->loaded_steps = hc_tensors_number(file, "hcc.steps", &steps) ? (int64_t)steps : -1;
    }
    hc_tensors_close(file);
    free(tensors);
    return status;
}

static HcStatus take_matching(HcContext *c, const char *path, const HcTensorFile *file,
                              FILE *notes) {
    const int64_t there = hc_tensors_there(file), all = c->plan.n_parameters;
    if (there == 0)
        return hc_fail(&c->error, HC_ERROR_CHECKPOINT,
                       "checkpoint `%s`: none of its tensors has the name and shape of one of the "
                       "model's",
                       path);
    if (notes)
        fprintf(notes, "`%s` gives %lld of %lld tensors%s\n", path, (long long)there,
                (long long)all, there < all || hc_tensors_rounded(file) > 0 ? ":" : "");
    HcStatus status = notes ? hc_tensors_say(file, notes) : HC_OK;
    return status == HC_OK ? take(c, file) : status;
}

HcStatus hc_load_matching(HcContext *c, const char *path, FILE *notes) {
    hc_use_ema(c, 0);
    HcTensor *tensors;
    HcTensorFile *file = NULL;
    HcStatus status = parameter_tensors(c, &tensors);
    if (status == HC_OK)
        status = hc_tensors_open_partial(path, tensors, c->plan.n_parameters, &file, &c->error);
    if (status == HC_OK)
        status = take_matching(c, path, file, notes);
    if (status == HC_OK) /* tensors of another model need not be held to anything */
        status = hc_project(c);
    hc_tensors_close(file);
    free(tensors);
    return status;
}

/* --- the optimiser's state ---------------------------------------------------------------------*/

/* What of a parameter a tensor is: a moment, or behind those the average. */
enum { AVERAGE = HC_MOMENTS, KEPT_EACH };

typedef struct {
    uint32_t parameter, what;
} Kept;

/* Moments as tensors named "exp_avg.NAME" and so on, and the average as "ema.NAME". */
typedef struct {
    HcContext *context;
    HcTensor *tensors;
    char **names;
    Kept *kept; /* by tensor */
    int64_t count;
    HcMessage *messages; /* of ranks: for one tensor, */
    uint8_t *whole;      /* which is put together here by the one that writes */
} StateTensors;

static void state_free(StateTensors *s) {
    for (int64_t k = 0; s->names && k < s->count; k++)
        free(s->names[k]);
    free(s->names);
    free(s->tensors);
    free(s->kept);
    free(s->messages);
    free(s->whole);
}

/* Room for so many tensors of each parameter. */
static HcStatus state_room(HcContext *c, StateTensors *s, size_t each) {
    const size_t n = each * c->plan.n_parameters + 1;
    *s = (StateTensors){.context = c,
                        .tensors = calloc(n, sizeof *s->tensors),
                        .names = calloc(n, sizeof *s->names),
                        .kept = calloc(n, sizeof *s->kept)};
    return s->tensors && s->names && s->kept
               ? HC_OK
               : hc_fail_memory(&c->error, "the optimiser's checkpoint");
}

/* data: where all of it is read to; NULL: to where it is kept. An empty prefix: there is none. */
static HcStatus state_add(StateTensors *s, Kept kept, const char *prefix, void *data) {
    HcContext *c = s->context;
    const HcParameterPlan *p = &c->plan.parameters[kept.parameter];
    const size_t size = strlen(prefix) + strlen(p->name) + 2;
    if (!prefix[0])
        return HC_OK;
    char *name = malloc(size);
    if (!name)
        return hc_fail_memory(&c->error, "the optimiser's checkpoint");
    snprintf(name, size, "%s.%s", prefix, p->name);
    s->tensors[s->count] = tensor_at(c, p, name, data);
    s->kept[s->count] = kept;
    s->names[s->count++] = name;
    return HC_OK;
}

static HcStatus add_ema(StateTensors *s, uint8_t *slab) {
    const HcPlan *plan = &s->context->plan;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < plan->n_parameters && status == HC_OK; k++)
        status = state_add(s, (Kept){k, AVERAGE}, "ema",
                           slab ? slab + plan->parameters[k].offset : NULL);
    return status;
}

static HcStatus state_tensors(HcContext *c, StateTensors *s) {
    *s = (StateTensors){0};
    HcStatus status = hc_ensure_optim(c);
    if (status == HC_OK)
        status = state_room(c, s, KEPT_EACH);
    for (uint32_t moment = 0; moment < HC_MOMENTS; moment++)
        for (uint32_t k = 0; k < c->plan.n_parameters && status == HC_OK; k++) {
            const HcOptimizer kind = hc_optim_of(&c->recipe, &c->plan.parameters[k]);
            status = state_add(s, (Kept){k, moment}, hc_optimizer_moments[kind][moment], NULL);
        }
    return status == HC_OK && c->ema.own ? add_ema(s, NULL) : status;
}

/* Where this rank keeps its run of a tensor's chunks, the first of which that is. */
static uint8_t *kept_at(const StateTensors *s, int64_t tensor, const HcChunk *first) {
    const HcContext *c = s->context;
    const uint32_t what = s->kept[tensor].what;
    return what == AVERAGE ? (uint8_t *)c->ema.own + first->own
                           : hc_optim_moment(&c->optim, &c->recipe, first, what);
}

/* Neighbouring chunks of a tensor that one rank keeps. */
typedef struct {
    int64_t next, end; /* chunks: behind the run; of the tensor */
    const HcChunk *chunk;
    int64_t first, count; /* elements */
} Run;

static Run tensor_runs(const StateTensors *s, int64_t tensor) {
    const HcShards *shards = &s->context->optim.shards;
    const uint32_t p = s->kept[tensor].parameter;
    const int64_t first = shards->first[p];
    return (Run){.next = first,
                 .end = first + hc_shards_chunks(s->context->plan.parameters[p].count)};
}

static bool next_run(const StateTensors *s, Run *run) {
    const HcContext *c = s->context;
    const HcShards *shards = &c->optim.shards;
    const int64_t begin = run->next;
    if (begin >= run->end)
        return false;
    run->chunk = &shards->chunks[begin];
    run->first =
        (run->chunk->at - c->plan.parameters[run->chunk->parameter].offset) / c->plan.element_size;
    run->count = 0;
    while (run->next < run->end && shards->chunks[run->next].owner == run->chunk->owner)
        run->count += shards->chunks[run->next++].count;
    return true;
}

static void take_state_tensors(const StateTensors *s, const HcTensorFile *file) {
    for (int64_t k = 0; k < s->count; k++) {
        Run run = tensor_runs(s, k);
        while (next_run(s, &run))
            if (hc_shards_own(&s->context->optim.shards, run.chunk))
                hc_tensors_take_some(file, k, run.first, run.count, kept_at(s, k, run.chunk));
    }
}

/* --- of several ranks ---------------------------------------------------------------------------
 *
 * The first writes; the others send it what they keep, tensor by tensor. */

static HcStatus make_ways(StateTensors *s) {
    HcContext *c = s->context;
    int64_t most = 0;
    for (uint32_t k = 0; k < c->plan.n_parameters; k++)
        most = c->plan.parameters[k].count > most ? c->plan.parameters[k].count : most;
    s->messages = calloc((size_t)hc_shards_chunks(most) + 1, sizeof *s->messages);
    const size_t bytes = (size_t)most * c->plan.element_size + 1;
    const bool writes = c->ranks && hc_ranks_rank(c->ranks) == 0;
    s->whole = writes ? malloc(bytes) : NULL;
    if (writes && !s->whole)
        return hc_fail_size(&c->error, "the moments of one parameter", (double)bytes);
    return s->messages ? HC_OK : hc_fail_memory(&c->error, "messages");
}

static HcStatus fetch(void *user, int64_t k, const void **data, HcError *error) {
    StateTensors *s = user;
    const HcContext *c = s->context;
    uint32_t count = 0;
    Run run = tensor_runs(s, k);
    *data = s->whole;
    while (next_run(s, &run)) {
        const size_t bytes = (size_t)run.count * c->plan.element_size;
        if (!c->ranks) /* then it is all of it */
            *data = kept_at(s, k, run.chunk);
        else if (hc_shards_own(&c->optim.shards, run.chunk))
            memcpy(s->whole + run.first * c->plan.element_size, kept_at(s, k, run.chunk), bytes);
        else
            s->messages[count++] = (HcMessage){run.chunk->owner, false,
                                               s->whole + run.first * c->plan.element_size, bytes};
    }
    return c->ranks ? hc_ranks_exchange(c->ranks, s->messages, count, error) : HC_OK;
}

static HcStatus send_state(HcContext *c) {
    StateTensors s;
    HcStatus status = state_tensors(c, &s);
    if (status == HC_OK)
        status = make_ways(&s);
    for (int64_t k = 0; k < s.count && status == HC_OK; k++) {
        uint32_t count = 0;
        Run run = tensor_runs(&s, k);
        while (next_run(&s, &run))
            if (hc_shards_own(&c->optim.shards, run.chunk))
                s.messages[count++] = (HcMessage){0, true, kept_at(&s, k, run.chunk),
                                                  (size_t)run.count * c->plan.element_size};
        status = hc_ranks_exchange(c->ranks, s.messages, count, &c->error);
    }
    state_free(&s);
    return status;
}

static uint64_t parameters_hash(const HcTensor *tensors, const HcContext *c) {
    return hc_tensors_hash(tensors, c->plan.n_parameters);
}

static HcStatus save_state(HcContext *c, const char *path, const char *note) {
    hc_use_ema(c, 0);
    StateTensors s = {0};
    HcTensor *parameters;
    HcStatus status = parameter_tensors(c, &parameters);
    if (status == HC_OK)
        status = state_tensors(c, &s);
    if (status == HC_OK)
        status = make_ways(&s);
    if (status == HC_OK) {
        json_t *meta = metadata(c);
        set_number(&meta, PARAMETERS_KEY, parameters_hash(parameters, c));
        if (note)
            hc_json_set(&meta, NOTE_KEY, json_string(note));
        status =
            meta ? hc_tensors_write_fetched(path, s.tensors, s.count, fetch, &s, meta, &c->error)
                 : hc_fail_memory(&c->error, "the optimiser's checkpoint");
        json_decref(meta);
    }
    state_free(&s);
    free(parameters);
    return status;
}

HcStatus hc_save_state(HcContext *c, const char *path) {
    return c && path ? save_state(c, path, NULL) : hc_null(c, "the path");
}

/* What a state must say of itself. */
typedef struct {
    uint64_t step, seed, parameters;
} StateOf;

static HcStatus read_state_of(HcContext *c, const char *path, const HcTensorFile *file,
                              StateOf *of) {
    if (hc_tensors_number(file, "hcc.step", &of->step) && of->step <= INT64_MAX &&
        hc_tensors_number(file, "hcc.seed", &of->seed) &&
        hc_tensors_number(file, PARAMETERS_KEY, &of->parameters))
        return HC_OK;
    return hc_fail(&c->error, HC_ERROR_CHECKPOINT,
                   "checkpoint `%s` does not say after which step it was made, and of which "
                   "parameters it is the state",
                   path);
}

/* step: of the parameters, -1 when unknown. */
static HcStatus check_belongs(HcContext *c, const char *path, const StateOf *of, int64_t step,
                              uint64_t parameters) {
    if (step >= 0 && (uint64_t)step != of->step)
        return hc_fail(&c->error, HC_ERROR_CHECKPOINT,
                       "checkpoint `%s` is the state after step %llu, the parameters are those "
                       "after step %lld",
                       path, (unsigned long long)of->step, (long long)step);
    if (parameters != of->parameters)
        return hc_fail(&c->error, HC_ERROR_CHECKPOINT,
                       "checkpoint `%s` is the state of other parameters: it belongs to those "
                       "after step %llu",
                       path, (unsigned long long)of->step);
    return HC_OK;
}

static void take_state(HcContext *c, const StateTensors *s, const HcTensorFile *file,
                       const StateOf *of) {
    take_state_tensors(s, file);
    c->steps_done = (int64_t)of->step;
    c->seed = of->seed;
}

/* An optimiser that was made for a load that failed. */
static void forget_optim(HcContext *c, bool had) {
    if (had)
        return;
    hc_drop_optim(c);
}

HcStatus hc_load_state(HcContext *c, const char *path) {
    if (!c || !path)
        return hc_null(c, "the path");
    hc_use_ema(c, 0);
    StateTensors s = {0};
    StateOf of;
    HcTensor *parameters;
    HcTensorFile *file = NULL;
    bool had = c->has_optim;
    HcStatus status = parameter_tensors(c, &parameters);
    if (status == HC_OK)
        status = state_tensors(c, &s);
    if (status == HC_OK)
        status = hc_tensors_open(path, s.tensors, s.count, &file, &c->error);
    if (status == HC_OK)
        status = read_state_of(c, path, file, &of);
    if (status == HC_OK)
        status = check_belongs(c, path, &of, c->loaded_step, parameters_hash(parameters, c));
    if (status == HC_OK)
        take_state(c, &s, file, &of);
    else
        forget_optim(c, had);
    hc_tensors_close(file);
    state_free(&s);
    free(parameters);
    return status;
}

/* --- both in a folder --------------------------------------------------------------------------*/

static HcStatus save_into(HcContext *c, const char *folder, const char *note) {
    hc_use_ema(c, 0);
    char *parameters = hc_path_join(folder, HC_PARAMETERS_FILE),
         *state = hc_path_join(folder, HC_STATE_FILE);
    HcStatus status = parameters && state ? HC_OK : hc_fail_memory(&c->error, "a path");
    if (status == HC_OK)
        status = hc_save(c, parameters);
    if (status == HC_OK)
        status = save_state(c, state, note);
    free(parameters);
    free(state);
    return status;
}

HcStatus hc_save_checkpoint_note(HcContext *c, const char *folder, const char *note) {
    HcFolder f;
    hc_use_ema(c, 0);
    HcStatus status = hc_await_weights(c);
    if (status != HC_OK)
        return status;
    if (hc_ranks_rank(c->ranks) > 0)
        return send_state(c);
    status = hc_folder_begin(&f, folder, &c->error);
    return status == HC_OK ? hc_folder_finish(&f, save_into(c, f.temporary, note)) : status;
}

HcStatus hc_save_checkpoint(HcContext *c, const char *folder) {
    return c && folder ? hc_save_checkpoint_note(c, folder, NULL) : hc_null(c, "the folder");
}

bool hc_is_checkpoints(const char *parameters) {
    return hc_path_ends(parameters, "/" HC_PARAMETERS_FILE) ||
           strcmp(parameters, HC_PARAMETERS_FILE) == 0;
}

char *hc_checkpoint_parameters(const char *folder) {
    char *before = hc_folder_before(folder), *path = hc_path_join(folder, HC_PARAMETERS_FILE);
    char *earlier = before ? hc_path_join(before, HC_PARAMETERS_FILE) : NULL;
    free(before);
    if (!path || !earlier) {
        free(path);
        free(earlier);
        return NULL;
    }
    const bool is = access(path, F_OK) != 0 && access(earlier, F_OK) == 0;
    free(is ? path : earlier);
    return is ? earlier : path;
}

static HcStatus read_says(HcContext *c, const HcTensorFile *file, HcCheckpointSays *says) {
    const char *note = hc_tensors_text(file, NOTE_KEY);
    uint64_t hash;
    *says = (HcCheckpointSays){.other_build = hc_tensors_number(file, "hcc.config_hash", &hash) &&
                                              hash != hc_model_hash(c)};
    says->note = note ? strdup(note) : NULL;
    return note && !says->note ? hc_fail_memory(&c->error, "the checkpoint") : HC_OK;
}

/* Reads and checks both files before anything changes. */
static HcStatus load_both(HcContext *c, const char *parameters_path, const char *state_path,
                          const HcTensor *parameters, const StateTensors *s,
                          HcCheckpointSays *says) {
    HcTensorFile *first = NULL, *second = NULL;
    StateOf of;
    uint64_t step;
    HcStatus status =
        hc_tensors_open(parameters_path, parameters, c->plan.n_parameters, &first, &c->error);
    if (status == HC_OK)
        status = hc_tensors_open(state_path, s->tensors, s->count, &second, &c->error);
    if (status == HC_OK)
        status = read_state_of(c, state_path, second, &of);
    if (status == HC_OK)
        status = check_belongs(c, state_path, &of,
                               hc_tensors_number(first, "hcc.step", &step) ? (int64_t)step : -1,
                               hc_tensors_file_hash(first));
    if (status == HC_OK && says)
        status = read_says(c, second, says);
    if (status == HC_OK)
        status = take(c, first);
    if (status == HC_OK) {
        take_state(c, s, second, &of);
        c->loaded_step = c->steps_done;
        c->loaded_steps = -1; /* what is resumed may go on for longer */
    }
    hc_tensors_close(first);
    hc_tensors_close(second);
    return status;
}

HcStatus hc_load_checkpoint_says(HcContext *c, const char *folder, HcCheckpointSays *says) {
    hc_use_ema(c, 0);
    StateTensors s = {0};
    HcTensor *tensors = NULL;
    bool had = c->has_optim;
    char *parameters = hc_checkpoint_parameters(folder), *state = NULL;
    if (parameters)
        state = hc_path_beside(parameters, HC_STATE_FILE);
    HcStatus status = state ? HC_OK : hc_fail_memory(&c->error, "a path");
    if (status == HC_OK)
        status = parameter_tensors(c, &tensors);
    if (status == HC_OK)
        status = state_tensors(c, &s);
    if (status == HC_OK)
        status = load_both(c, parameters, state, tensors, &s, says);
    if (status != HC_OK)
        forget_optim(c, had);
    state_free(&s);
    free(tensors);
    free(parameters);
    free(state);
    return status;
}

HcStatus hc_load_evaluated(HcContext *c, const char *parameters) {
    StateTensors s = {0};
    HcTensorFile *file = NULL;
    HcStatus status = hc_load(c, parameters);
    if (status != HC_OK || !hc_is_checkpoints(parameters))
        return status;
    char *path = hc_path_beside(parameters, HC_STATE_FILE);
    status = path ? state_room(c, &s, 1) : hc_fail_memory(&c->error, "a path");
    if (status == HC_OK)
        status = add_ema(&s, c->params);
    if (status == HC_OK && access(path, F_OK) == 0)
        status = hc_tensors_open_partial(path, s.tensors, s.count, &file, &c->error);
    if (status == HC_OK && file && hc_tensors_there(file) == s.count)
        status = take(c, file);
    hc_tensors_close(file);
    state_free(&s);
    free(path);
    return status;
}

HcStatus hc_load_checkpoint(HcContext *c, const char *folder) {
    return c && folder ? hc_load_checkpoint_says(c, folder, NULL) : hc_null(c, "the folder");
}
