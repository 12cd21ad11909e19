#include "runtime/run/foresee.h"
#include "runtime/run/parts.h"

#include <stdlib.h>

/* --- the messages of a step --------------------------------------------------------------------*/

static HcExchanged exchanged(const HcMessage *messages, uint32_t count) {
    HcExchanged all = {0};
    for (uint32_t k = 0; k < count; k++) {
        all.sent += messages[k].send ? messages[k].bytes : 0;
        all.received += messages[k].send ? 0 : messages[k].bytes;
        all.n_sent += messages[k].send;
        all.n_received += !messages[k].send;
    }
    return all;
}

/* The first stage of the last round. */
static HcStatus foresee_gradients(HcForeseen *f, const HcParts *parts, HcError *error) {
    const HcMeet *m = &parts->meets[parts->n_meets - 1];
    const HcShards *s = parts->shards;
    f->n_gradients = s->n_buckets + 1;
    f->gradients = calloc(f->n_gradients, sizeof *f->gradients);
    if (!f->gradients)
        return hc_fail_memory(error, "messages");
    for (uint32_t b = 0; b < f->n_gradients; b++)
        f->gradients[b] =
            (HcTravel){b < s->n_buckets ? s->after[b] : UINT32_MAX,
                       exchanged(m->messages + m->begins[b], m->begins[b + 1] - m->begins[b])};
    return HC_OK;
}

/* That of the last round is told by itself. */
static void drop_first_stage(HcExchanges *of, uint32_t at, const HcMeet *m) {
    if (m->begins[0] == m->ends[0])
        return;
    of->count--;
    for (uint32_t k = at; k < of->count; k++)
        of->at[k] = of->at[k + 1];
}

static HcStatus foresee_sums(HcForeseen *f, HcParts *parts, HcExchanges *exchanges,
                             HcError *error) {
    HcStatus status = HC_OK;
    uint32_t before = 0;
    for (parts->round = 0; parts->round < parts->n_meets && status == HC_OK; parts->round++) {
        before = exchanges->count;
        status = hc_parts_meet(parts, error);
    }
    if (status != HC_OK || parts->n_meets == 0)
        return status;
    drop_first_stage(exchanges, before, &parts->meets[parts->n_meets - 1]);
    return foresee_gradients(f, parts, error);
}

/* Sums of squares of chunks, of which the norm of gradients is made. */
static HcStatus foresee_norm(const HcShards *s, HcError *error) {
    const int32_t size = hc_ranks_size(s->ranks), me = hc_ranks_rank(s->ranks);
    int64_t *of = calloc((size_t)size, sizeof *of);
    HcMessage *messages = calloc(2 * (size_t)size, sizeof *messages);
    HcStatus status = of && messages ? HC_OK : hc_fail_memory(error, "the norm of gradients");
    uint32_t count = 0;
    for (int64_t k = 0; k < s->n_trained && status == HC_OK; k++)
        of[s->chunks[k].owner] += (int64_t)sizeof(double);
    for (int32_t r = 0; r < size && status == HC_OK; r++) {
        if (r == me)
            continue;
        messages[count++] = (HcMessage){r, false, of, (size_t)of[r]};
        messages[count++] = (HcMessage){r, true, of, (size_t)of[me]};
    }
    if (status == HC_OK)
        status = hc_ranks_exchange(s->ranks, messages, count, error);
    free(of);
    free(messages);
    return status;
}

static HcStatus foresee_weights(HcForeseen *f, const HcShards *s, HcError *error) {
    uint64_t somewhere = 0; /* nothing is read or written there */
    f->n_weights = s->n_buckets;
    f->weights = calloc((size_t)f->n_weights + 1, sizeof *f->weights);
    if (!f->weights)
        return hc_fail_memory(error, "messages");
    for (uint32_t turn = 0; turn < f->n_weights; turn++) {
        HcTravel *to = &f->weights[turn];
        uint32_t count = hc_shards_incoming(s, turn, turn + 1, &somewhere);
        *to = (HcTravel){s->reader[turn], exchanged(s->messages, count)};
        count = hc_shards_outgoing(s, turn, turn + 1, &somewhere);
        const HcExchanged sent = exchanged(s->messages, count);
        to->messages.sent = sent.sent;
        to->messages.n_sent = sent.n_sent;
    }
    return HC_OK;
}

static HcStatus foresee_word(const HcShards *s, HcError *error) {
    uint32_t bits = 0;
    return hc_ranks_any(s->ranks, &bits, error);
}

/* --- one rank ----------------------------------------------------------------------------------*/

static void add(HcForeseen *f, const HcExchanged *of) {
    f->sent += of->sent;
    f->messages += of->n_sent;
}

static void add_all(HcForeseen *f) {
    for (uint32_t k = 0; k < f->waited.count; k++)
        add(f, &f->waited.at[k]);
    for (uint32_t k = 0; k < f->n_gradients; k++)
        add(f, &f->gradients[k].messages);
    for (uint32_t k = 0; k < f->n_weights; k++)
        add(f, &f->weights[k].messages);
}

static HcStatus foresee_rank(HcForeseen *f, const HcShards *shards, HcExec *exec, int64_t count,
                             HcExchanges *exchanges, HcError *error) {
    HcParts parts;
    HcStatus status = hc_parts_create(&parts, exec, error);
    if (status != HC_OK)
        return status;
    parts.imagined = parts.only_forward = true;
    status = hc_parts_bind(&parts, count, error); /* as runs begin: what that takes stays */
    if (status == HC_OK)
        status = hc_parts_share(&parts, shards, error);
    f->scratch_bytes = exec->scratch_stride;
    if (status == HC_OK) {
        f->parts = parts.end - parts.first;
        f->waiting_bytes = parts.bytes + parts.room_bytes;
        status = foresee_sums(f, &parts, exchanges, error);
    }
    if (status == HC_OK)
        status = foresee_norm(shards, error);
    if (status == HC_OK)
        status = foresee_weights(f, shards, error);
    if (status == HC_OK)
        status = foresee_word(shards, error);
    f->waited = *exchanges;
    hc_parts_destroy(&parts);
    return status;
}

HcStatus hc_foresee(const HcPlan *plan, int64_t parts, int64_t samples, int32_t ranks, int32_t rank,
                    HcForeseen *f, HcError *error) {
    HcExec exec;
    HcExchanges exchanges;
    HcShards shards;
    HcRanks *imagined;
    *f = (HcForeseen){0};
    HcStatus status = hc_ranks_imagine(&imagined, ranks, rank, &exchanges, error);
    if (status != HC_OK)
        return status;
    hc_exec_imagine(&exec, plan, samples, plan->max_positions > 0 ? plan->max_positions : 1);
    status = hc_shards_create(&shards, plan, &plan->recipe, imagined, error);
    if (status == HC_OK) {
        status = foresee_rank(f, &shards, &exec, parts, &exchanges, error);
        f->state_bytes = (uint64_t)(shards.own_bytes * (plan->recipe.ema > 0 ? 2 : 1)) +
                         (uint64_t)shards.own_second;
        hc_shards_destroy(&shards);
    }
    hc_ranks_close(imagined);
    add_all(f);
    if (status != HC_OK)
        hc_foreseen_free(f);
    return status;
}

void hc_foreseen_free(HcForeseen *f) {
    free(f->waited.at);
    free(f->gradients);
    free(f->weights);
    *f = (HcForeseen){0};
}
