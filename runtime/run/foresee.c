#include "runtime/run/foresee.h"
#include "runtime/run/parts.h"

#include <stdlib.h>

/* --- the messages of a step --------------------------------------------------------------------*/

static HcStatus foresee_sums(HcParts *parts, HcError *error) {
    HcStatus status = HC_OK;
    for (parts->round = 0; parts->round < parts->n_meets && status == HC_OK; parts->round++)
        status = hc_parts_meet(parts, error);
    return status;
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

static HcStatus foresee_update(const HcShards *s, HcError *error) {
    uint64_t somewhere = 0; /* nothing is read or written there */
    uint32_t bits = 0;
    HcStatus status = hc_shards_hand_out(s, &somewhere, error);
    return status == HC_OK ? hc_ranks_any(s->ranks, &bits, error) : status;
}

/* --- one rank ----------------------------------------------------------------------------------*/

static void add_exchanges(HcForeseen *f, const HcExchanges *of) {
    for (uint32_t k = 0; k < of->count; k++) {
        f->sent += of->at[k].sent;
        f->messages += of->at[k].n_sent;
    }
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
        status = foresee_sums(&parts, error);
    }
    if (status == HC_OK)
        status = foresee_norm(shards, error);
    f->meeting = *exchanges;
    *exchanges = (HcExchanges){.whole = exchanges->whole};
    if (status == HC_OK)
        status = foresee_update(shards, error);
    f->updated = *exchanges;
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
    add_exchanges(f, &f->meeting);
    add_exchanges(f, &f->updated);
    if (status != HC_OK)
        hc_foreseen_free(f);
    return status;
}

void hc_foreseen_free(HcForeseen *f) {
    free(f->meeting.at);
    free(f->updated.at);
    f->meeting = f->updated = (HcExchanges){0};
}
