#include "runtime/run/way_back.h"

#include <stdlib.h>

/* --- life --------------------------------------------------------------------------------------*/

HcStatus hc_way_back_create(HcWayBack *w, const HcShards *shards, HcError *error) {
    uint8_t nowhere = 0; /* nothing is read or written there */
    *w = (HcWayBack){.shards = shards,
                     .received.lane = HC_LANE_BEHIND,
                     .sent.lane = HC_LANE_BEHIND,
                     .ends = calloc((size_t)shards->n_buckets + 1, sizeof *w->ends)};
    if (!w->ends)
        return hc_fail_memory(error, "messages");
    uint32_t count = hc_shards_incoming(shards, 0, shards->n_buckets, &nowhere);
    HcStatus status = hc_flight_reserve(&w->received, shards->messages, count, error);
    count = hc_shards_outgoing(shards, 0, shards->n_buckets, &nowhere);
    return status == HC_OK ? hc_flight_reserve(&w->sent, shards->messages, count, error) : status;
}

static void take(HcWayBack *w, HcStatus status) {
    if (status != HC_OK)
        w->status = status;
}

/* So many turns. */
static void receive(HcWayBack *w, uint32_t turns) {
    const HcShards *s = w->shards;
    while (w->coming < s->n_buckets && w->coming < turns && w->status == HC_OK) {
        const uint32_t turn = w->coming++, count = hc_shards_incoming(s, turn, turn + 1, w->slab);
        take(w, hc_ranks_begin(s->ranks, &w->received, s->messages, count, &w->error));
        w->ends[turn] = w->received.n_begun;
    }
}

/* The next turn has: as many as have are under way then, and one more. */
static void arrive(HcWayBack *w) {
    w->arrived++;
    receive(w, 2 * w->arrived + 1);
}

static void move_on(HcWayBack *w) {
    const HcShards *s = w->shards;
    take(w, hc_ranks_move_on(s->ranks, &w->received, &w->error));
    while (w->arrived < w->coming && w->received.n_through >= w->ends[w->arrived])
        arrive(w);
    if (w->status == HC_OK)
        take(w, hc_ranks_move_on(s->ranks, &w->sent, &w->error));
}

/* Until so many turns are here. */
static void wait(HcWayBack *w, uint32_t turns) {
    while (w->arrived < turns && w->status == HC_OK) {
        take(w, hc_ranks_wait(w->shards->ranks, &w->received, w->ends[w->arrived], &w->error));
        arrive(w);
    }
}

/* --- its end -----------------------------------------------------------------------------------*/

void hc_way_back_destroy(HcWayBack *w) {
    if (w->slab && w->status == HC_OK) {
        receive(w, w->shards->n_buckets);
        hc_ranks_leave(w->shards->ranks, &w->received);
        hc_ranks_leave(w->shards->ranks, &w->sent);
    }
    hc_flight_free(&w->received);
    hc_flight_free(&w->sent);
    free(w->ends);
    *w = (HcWayBack){0};
}

/* --- a step ------------------------------------------------------------------------------------*/

void hc_way_back_begin(HcWayBack *w, void *slab) {
    w->slab = slab;
    w->leaving = w->coming = w->arrived = 0;
    receive(w, 1);
}

void hc_way_back_send(HcWayBack *w) {
    const HcShards *s = w->shards;
    const uint32_t turn = w->leaving++, count = hc_shards_outgoing(s, turn, turn + 1, w->slab);
    if (w->status == HC_OK)
        take(w, hc_ranks_begin(s->ranks, &w->sent, s->messages, count, &w->error));
    if (w->status == HC_OK)
        move_on(w);
}

void hc_way_back_before(HcWayBack *w, uint32_t call) {
    if (!w->slab || w->status != HC_OK)
        return;
    wait(w, w->shards->needs[call]);
    if (w->status == HC_OK)
        move_on(w);
}

HcStatus hc_way_back_status(const HcWayBack *w, HcError *error) {
    if (w->status != HC_OK && error)
        *error = w->error;
    return w->status;
}

HcStatus hc_way_back_await(HcWayBack *w, HcError *error) {
    if (w->slab)
        wait(w, w->shards->n_buckets);
    return hc_way_back_status(w, error);
}

static void finish(HcWayBack *w, HcFlight *flight) {
    if (w->status == HC_OK)
        take(w, hc_ranks_finish(w->shards->ranks, flight, &w->error));
}

HcStatus hc_way_back_end(HcWayBack *w, HcError *error) {
    if (hc_way_back_await(w, error) == HC_OK && w->slab) {
        finish(w, &w->received);
        finish(w, &w->sent);
        w->slab = NULL;
    }
    return hc_way_back_status(w, error);
}
