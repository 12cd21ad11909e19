#include "runtime/run/split_batch.h"
#include "runtime/run/context.h"
#include "runtime/run/rng.h"

#include <stdlib.h>
#include <string.h>

HcStatus hc_split_create(HcContext *c, HcError *error) {
    HcSplitBatch *s = &c->split;
    s->inputs = calloc(c->plan.n_inputs + 1, sizeof(void *));
    s->own_inputs = calloc(c->plan.n_inputs + 1, sizeof(void *));
    s->own_bytes = calloc(c->plan.n_inputs + 1, sizeof *s->own_bytes);
    s->outputs = calloc(c->plan.n_outputs + 1, sizeof(void *));
    if (!s->inputs || !s->own_inputs || !s->own_bytes || !s->outputs)
        return hc_fail_memory(error, "a batch");
    return hc_parts_create(&s->parts, &c->exec, error);
}

static void drop_outputs(HcContext *c) {
    for (uint32_t k = 0; c->split.outputs && k < c->plan.n_outputs; k++) {
        free(c->split.outputs[k]);
        c->split.outputs[k] = NULL;
    }
}

void hc_split_destroy(HcContext *c) {
    HcSplitBatch *s = &c->split;
    drop_outputs(c);
    for (uint32_t k = 0; s->own_inputs && k < c->plan.n_inputs; k++)
        free(s->own_inputs[k]);
    free(s->inputs);
    free(s->own_inputs);
    free(s->own_bytes);
    free(s->outputs);
    hc_parts_destroy(&s->parts);
    *s = (HcSplitBatch){0};
}

/* --- extents -----------------------------------------------------------------------------------*/

/* Samples of a part: at most as many as the recipe's parts have, all parts being equal. */
static int64_t part_of(const HcContext *c, int64_t samples) {
    const HcRecipe *r = &c->recipe;
    int64_t part = r->parts > 1 ? (r->batch + r->parts - 1) / r->parts : samples;
    if (part > samples)
        part = samples;
    while (part > 1 && samples % part != 0)
        part--;
    return part;
}

/* What grew stays so when a later step fails: nobody sees it. */
static HcStatus grow_inputs(HcContext *c, int64_t part, int64_t positions, HcError *error) {
    HcSplitBatch *s = &c->split;
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        const HcInputPlan *input = &c->plan.inputs[k];
        const size_t bytes = hc_plan_input_bytes(
            input, part, hc_exec_positions_with(&c->exec, input->domain, positions));
        if (!hc_is_by_sample(input->domain) || bytes <= s->own_bytes[k])
            continue;
        void *grown = hc_aligned_zero(bytes);
        if (!grown)
            return hc_fail_memory(error, c->plan.inputs[k].name);
        free(s->own_inputs[k]);
        s->own_inputs[k] = grown;
        s->own_bytes[k] = bytes;
        c->moved = true;
    }
    return HC_OK;
}

HcStatus hc_split_bind(HcContext *c, int64_t samples, int64_t positions, HcError *error) {
    const int64_t before = c->exec.samples, positions_before = c->exec.positions,
                  parts_before = c->split.parts.count;
    const int64_t part = samples >= 1 ? part_of(c, samples) : samples;
    HcStatus status = hc_exec_bind(&c->exec, part, positions, error);
    if (status != HC_OK)
        return status;
    if (part < samples)
        status = grow_inputs(c, part, positions, error);
    if (status == HC_OK)
        status = hc_parts_bind(&c->split.parts, samples / part, error);
    if (status != HC_OK) {
        if (before > 0) { /* their memory is there */
            hc_exec_bind(&c->exec, before, positions_before, NULL);
            hc_parts_bind(&c->split.parts, parts_before, NULL);
        }
        return status;
    }
    drop_outputs(c);
    c->split.samples = samples;
    return HC_OK;
}

static bool is_split(const HcContext *c) {
    return c->split.parts.count > 1;
}

void hc_split_resolve(HcContext *c) {
    for (uint32_t k = 0; k < c->plan.n_inputs; k++)
        c->split.inputs[k] = is_split(c) && hc_is_by_sample(c->plan.inputs[k].domain)
                                 ? c->split.own_inputs[k]
                                 : c->inputs[k];
    HcPlaces places = hc_context_places(c);
    places.inputs = c->split.inputs;
    hc_exec_resolve(&c->exec, &places);
}

/* Bytes of what a part has of an output that there is one a sample or position; else 0. */
static size_t output_bytes(const HcContext *c, const HcOutput *output) {
    const HcRegion region = output->buffer.region;
    const bool by_position = region == HC_REGION_POSITION || region == HC_REGION_CHUNK;
    if ((!by_position && region != HC_REGION_SAMPLE) || output->rank < 0)
        return 0;
    size_t bytes = (size_t)c->exec.samples * (size_t)(by_position ? c->exec.positions : 1) *
                   (size_t)hc_element_bytes(output->buffer.element);
    for (int32_t d = 0; d < output->rank; d++)
        bytes *= (size_t)output->dims[d];
    return bytes;
}

size_t hc_split_bytes(const HcContext *c) {
    size_t bytes = c->split.parts.bytes + c->split.parts.room_bytes;
    for (uint32_t k = 0; k < c->plan.n_inputs; k++)
        bytes += c->split.own_bytes[k];
    for (uint32_t k = 0; k < c->plan.n_outputs; k++)
        if (c->split.outputs[k])
            bytes += output_bytes(c, &c->plan.outputs[k]) * (size_t)c->split.parts.count;
    return bytes;
}

/* --- running -----------------------------------------------------------------------------------*/

void hc_split_tell(HcContext *c, int64_t first_sample) {
    const bool loaded = !c->training && c->loaded_step >= 0; /* what is evaluated is another's */
    const HcExecRun run = {.training = c->training,
                           .random_key = hc_rng_step_key(c->seed, c->steps_done),
                           .done = loaded ? c->loaded_step : c->steps_done,
                           .steps =
                               loaded && c->loaded_steps >= 0 ? c->loaded_steps : c->recipe.steps,
                           .batch = c->split.samples,
                           .first_sample = first_sample};
    hc_exec_begin(&c->exec, &run);
}

static void begin_part(void *user, int64_t part) {
    HcContext *c = user;
    const int64_t samples = c->exec.samples;
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        const HcInputPlan *input = &c->plan.inputs[k];
        const size_t bytes =
            hc_plan_input_bytes(input, samples, hc_exec_positions(&c->exec, input->domain));
        if (c->split.inputs[k] != c->inputs[k])
            memcpy(c->split.inputs[k], (const uint8_t *)c->inputs[k] + (size_t)part * bytes, bytes);
    }
    hc_split_tell(c, part * samples);
}

static const void *output_place(const HcContext *c, const HcOutput *output) {
    return hc_context_address(c, output->buffer);
}

static void end_part(void *user, int64_t part) {
    HcContext *c = user;
    for (uint32_t k = 0; k < c->plan.n_outputs; k++) {
        const HcOutput *output = &c->plan.outputs[k];
        const size_t bytes = output_bytes(c, output);
        if (c->split.outputs[k])
            memcpy((uint8_t *)c->split.outputs[k] + (size_t)part * bytes, output_place(c, output),
                   bytes);
    }
}

HcStatus hc_split_run(HcContext *c, HcPass pass) {
    const HcPartsUser user = {c, begin_part, end_part};
    HcStatus status = HC_OK;
    if (is_split(c))
        status = hc_parts_run(&c->split.parts, pass == HC_FORWARD ? HC_FORWARD : HC_BOTH,
                              hc_context_places(c), &user, &c->error);
    else
        hc_exec_run(&c->exec, pass);
    return status == HC_OK ? hc_way_back_status(&c->optim.way_back, &c->error) : status;
}

HcStatus hc_split_share(HcContext *c, bool shared) {
    if ((c->split.parts.ranks != NULL) == (shared && c->ranks))
        return HC_OK;
    if (hc_await_weights(c) != HC_OK)
        return c->error.status;
    return hc_parts_share(&c->split.parts, shared ? &c->optim.shards : NULL, &c->error);
}

HcStatus hc_split_output(HcContext *c, uint32_t index, const void **data) {
    const HcOutput *output = &c->plan.outputs[index];
    const size_t bytes = output_bytes(c, output) * (size_t)c->split.parts.count;
    *data = output_place(c, output);
    if (!is_split(c) || bytes == 0)
        return HC_OK;
    if (!c->split.outputs[index]) {
        c->split.outputs[index] = hc_aligned_zero(bytes);
        if (!c->split.outputs[index])
            return hc_fail_size(&c->error, output->name, (double)bytes);
        HcStatus status = hc_split_run(c, HC_FORWARD);
        if (status != HC_OK)
            return status;
    }
    *data = c->split.outputs[index];
    return HC_OK;
}
