/* A run of several ranks (mpirun): each computes its parts of every batch, and its elements' step;
 * the first writes and speaks. What they must have in common is compared before the first step. */
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- what they have in common ------------------------------------------------------------------*/

static HcStatus same_text(const Trainer *t, const char *what, const char *text, const char *cure) {
    return hc_ranks_same(t->options->ranks, what, text ? text : "", cure, t->error);
}

/* A member of an object a line, so that it is told which differs. */
static HcStatus same_json(const Trainer *t, const char *what, json_t *json, const char *cure) {
    char *text = hc_json_dump(json, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17) |
                                        JSON_ENCODE_ANY);
    json_decref(json);
    HcStatus status =
        text ? same_text(t, what, text, cure) : hc_fail_memory(t->error, "what ranks compare");
    free(text);
    return status;
}

static HcStatus same_number(const Trainer *t, const char *what, uint64_t number, const char *cure) {
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, number);
    return same_text(t, what, text, cure);
}

/* Who makes products, and for which processor code is: what decides how sums are rounded. */
static HcStatus same_kernels(const Trainer *t) {
    static const char cure[] = "they would round differently; give all ranks --cpu with the least "
                               "of their processors, such as --cpu x86-64-v3";
    const HcContext *c = t->context;
    const json_t *cpu = json_object_get(c->plan.json, "cpu");
    HcStatus status =
        same_text(t, "the processor", json_string_value(json_object_get(cpu, "name")), cure);
    if (status == HC_OK)
        status = same_json(t, "what the processor can do",
                           json_incref(json_object_get(cpu, "features")), cure);
    if (status == HC_OK)
        status =
            same_text(t, "the core of OpenBLAS", hc_uses_openblas(c) ? c->exec.blas.core : "none",
                      "they would round differently; set OPENBLAS_CORETYPE alike");
    return status;
}

/* --- who they are ------------------------------------------------------------------------------*/

enum { ABOUT_BYTES = 1024 };

static json_t *about_this(const Trainer *t) {
    const HcContext *c = t->context;
    const json_t *cpu = json_object_get(c->plan.json, "cpu");
    json_t *json = json_object();
    hc_json_set(&json, "name",
                json_string(hc_ranks_name(t->options->ranks, hc_ranks_rank(t->options->ranks))));
    hc_json_set(&json, "cores", json_integer(hc_cpu_count()));
    hc_json_set(&json, "threads", json_integer(hc_threads(c)));
    hc_json_set(&json, "cpu", json_incref(json_object_get(cpu, "name")));
    if (hc_uses_openblas(c))
        hc_json_set(&json, "blas_core", json_string(c->exec.blas.core));
    hc_json_set(&json, "state_bytes", json_integer((json_int_t)hc_state_bytes(c)));
    const HcParts *parts = &c->split.parts;
    hc_json_set(&json, "parts", json_integer(parts->end - parts->first));
    return json;
}

static HcStatus find_who(Trainer *t) {
    HcRanks *ranks = t->options->ranks;
    const size_t size = (size_t)hc_ranks_size(ranks);
    json_t *mine = about_this(t);
    char *text = hc_json_dump(mine, JSON_COMPACT), said[ABOUT_BYTES] = {0};
    char *all = calloc(size, sizeof said);
    snprintf(said, sizeof said, "%s", text ? text : "");
    HcStatus status = text && all ? hc_ranks_gather(ranks, said, all, sizeof said, t->error)
                                  : hc_fail_memory(t->error, "what ranks say of themselves");
    json_t *list = json_array();
    for (size_t k = 0; k < size && status == HC_OK; k++) {
        HcJsonRead read;
        const char *one = all + k * sizeof said;
        hc_json_append(&list, hc_json_read(one, strlen(one), ABOUT_BYTES, &read));
    }
    t->ranks = json_object();
    hc_json_set(&t->ranks, "by", json_string(hc_ranks_transport(ranks)));
    hc_json_set(&t->ranks, "ranks", list);
    json_decref(mine);
    free(text);
    free(all);
    return status;
}

/* --- before the first step ---------------------------------------------------------------------*/

HcStatus trainer_compare_ranks(Trainer *t) {
    const HcContext *c = t->context;
    if (!t->options->ranks)
        return HC_OK;
    HcStatus status = same_text(t, "the model", c->plan.model, NULL);
    if (status == HC_OK)
        status = same_text(t, "the precision", hc_precision_word(c->plan.precision), NULL);
    if (status == HC_OK)
        status = same_json(t, "the recipe", hc_recipe_json(&c->recipe), NULL);
    if (status == HC_OK)
        status = same_json(t, "the constants",
                           json_incref(json_object_get(c->plan.json, "constants")), NULL);
    if (status == HC_OK)
        status = same_kernels(t);
    if (status == HC_OK)
        status = same_number(t, "the compiled model", hc_model_hash(c),
                             "another text, or another version of hcc");
    if (status == HC_OK)
        status = same_number(t, "the data's hash", c->data_hash, NULL);
    if (status == HC_OK)
        status = same_number(t, "the step", (uint64_t)c->steps_done, NULL);
    if (status == HC_OK)
        status = same_number(t, "the parameters' hash", hc_slab_hash(c), NULL);
    if (status == HC_OK) {
        status = trainer_share(t, true);
        if (status == HC_ERROR_ARGUMENT) /* fewer parts than ranks */
            hc_ranks_fail_alike(t->options->ranks);
    }
    return status == HC_OK ? find_who(t) : status;
}

/* --- while it runs -----------------------------------------------------------------------------*/

HcStatus trainer_share(Trainer *t, bool shared) {
    return trainer_context_failed(t, hc_split_share(t->context, shared));
}

HcStatus trainer_any(Trainer *t, uint32_t *bits) {
    return hc_ranks_any(t->options->ranks, bits, t->error);
}

HcStatus trainer_agree_to_save(Trainer *t) {
    uint32_t saves = t->run.path != NULL;
    HcStatus status = trainer_any(t, &saves);
    t->saves = saves;
    return status;
}

typedef struct {
    uint64_t sent, memory; /* bytes: a step, and in all */
} Took;

HcStatus trainer_find_took(Trainer *t, json_t **took) {
    HcRanks *ranks = t->options->ranks;
    const int64_t size = hc_ranks_size(ranks), steps = t->result->steps - t->first;
    *took = NULL;
    if (!ranks || steps <= 0)
        return HC_OK;
    const Took mine = {t->sent / (uint64_t)steps, t->result->memory_bytes};
    Took *all = calloc((size_t)size, sizeof *all);
    HcStatus status = all ? hc_ranks_gather(ranks, &mine, all, sizeof mine, t->error)
                          : hc_fail_memory(t->error, "messages");
    json_t *sent = json_array(), *memory = json_array();
    for (int64_t r = 0; r < size && status == HC_OK; r++) {
        hc_json_append(&sent, json_integer((json_int_t)all[r].sent));
        hc_json_append(&memory, json_integer((json_int_t)all[r].memory));
    }
    *took = json_object();
    hc_json_set(took, "bytes_sent_a_step", sent);
    hc_json_set(took, "memory_bytes_by_rank", memory);
    free(all);
    return status;
}
