/* Where the sums of several ranks' parts are added. Each rank owns some elements of every sum of a
 * round, and gets them: of gradients alone, whose elements it updates (shards.h); of all else every
 * rank gets all then. What is added to what, and in which order, is the tree's to say, so the bits
 * are those of one process; who adds is hc_part_ways's.
 *
 * All messages and sums of a round are listed when parts are bound. They go in stages: what is sent
 * in the first is there when the rank's own parts are through, what is sent in the next when that
 * has arrived and was added up, and so on. */
#include "abi/layout.h"
#include "runtime/run/aligned.h"
#include "runtime/run/elements.h"
#include "runtime/run/parts.h"

#include <stdlib.h>
#include <string.h>

/* --- who owns what -----------------------------------------------------------------------------*/

static uint8_t *slot(const HcParts *parts, uint32_t number) {
    return parts->memory + number * parts->stride;
}

/* A message should be as large as goes, but of one bucket. */
static void add_piece(HcMeet *m, HcSumPiece next) {
    HcSumPiece *last = m->n_pieces ? &m->pieces[m->n_pieces - 1] : NULL;
    if (last && last->kept && next.kept && last->owner == next.owner &&
        last->bucket == next.bucket && last->at + hc_align(last->bytes) == next.at &&
        last->slab + hc_align(last->bytes) == next.slab)
        last->bytes = hc_align(last->bytes) + next.bytes;
    else if (next.bytes > 0)
        m->pieces[m->n_pieces++] = next;
}

/* What all get of a round: as many cache lines for each rank as goes. */
static void share_round(const HcParts *parts, HcMeet *m, uint32_t round) {
    const size_t begin = round ? parts->ends[round - 1] : 0;
    const size_t lines = (parts->ends[round] - begin) / HC_ALIGN;
    const size_t size = (size_t)hc_ranks_size(parts->ranks);
    for (size_t r = 0; r < size; r++) {
        const size_t first = lines * r / size, end = lines * (r + 1) / size;
        add_piece(m, (HcSumPiece){.owner = (int32_t)r,
                                  .bucket = parts->shards->n_buckets,
                                  .at = begin + first * HC_ALIGN,
                                  .bytes = (end - first) * HC_ALIGN});
    }
}

static void share_gradient(const HcParts *parts, HcMeet *m, uint32_t parameter) {
    const HcShards *shards = parts->shards;
    const HcParameterPlan *p = &parts->exec->plan->parameters[parameter];
    const int64_t first = shards->first[parameter], count = hc_shards_chunks(p->count);
    for (int64_t c = first; shards->sum[parameter] && c < first + count; c++) {
        const HcChunk *chunk = &shards->chunks[c];
        const size_t within = (size_t)(chunk->at - p->offset);
        add_piece(m, (HcSumPiece){.owner = chunk->owner,
                                  .bucket = chunk->bucket,
                                  .kept = true,
                                  .at = parts->places[shards->sum[parameter] - 1] + within,
                                  .slab = (size_t)chunk->at,
                                  .bytes = (size_t)chunk->count * parts->exec->plan->element_size});
    }
}

static HcStatus share_sums(const HcParts *parts, HcMeet *m, uint32_t round, HcError *error) {
    const size_t most = (size_t)hc_ranks_size(parts->ranks) + (size_t)parts->shards->n_trained;
    m->pieces = calloc(most, sizeof *m->pieces);
    if (!m->pieces)
        return hc_fail_memory(error, "the sums of other ranks");
    for (uint32_t k = 0; round + 1 == parts->exec->plan->n_rounds && k < parts->shards->n_ready;
         k++)
        share_gradient(parts, m, parts->shards->ready[k]);
    share_round(parts, m, round);
    return HC_OK;
}

/* --- stages ------------------------------------------------------------------------------------*/

/* While a round's lists are made. */
typedef struct {
    HcParts *parts;
    HcMeet *meet;
    const HcPartWays *ways;
    uint32_t *stage;   /* by owner and term: the first in which it can be sent */
    size_t *room;      /* by owner and term: where it lies in the room, where it does; */
    uint32_t *slots;   /* else in which slot, */
    bool *in_room;     /* and which of the two */
    size_t *own_bytes; /* by owner: of its pieces, each at whole cache lines; */
    size_t *within;    /* of those that came before */
    int32_t *needed;   /* by term of the owner at hand: the rank that needs it */
    size_t room_bytes; /* of the round */
    uint32_t stages;
    bool lists; /* or else only counts */
} Making;

static uint32_t index_of(const Making *k, int32_t owner, uint32_t term) {
    return (uint32_t)owner * hc_part_terms(k->ways) + term;
}

/* Where a term is needed: where the sum is made that it is of, or with the owner. */
static void find_needs(const HcPartWays *w, int32_t owner, int32_t *needed) {
    for (uint32_t t = 0; t < w->n_sums; t++)
        needed[w->sums[t].earlier] = needed[w->sums[t].later] =
            hc_part_place(w, owner, w->n_leaves + t);
    needed[hc_part_terms(w) - 1] = owner;
}

static uint32_t arrives(const Making *k, int32_t owner, uint32_t term, int32_t place) {
    const uint32_t sent = k->stage[index_of(k, owner, term)];
    return sent + (hc_part_place(k->ways, owner, term) != place);
}

static void find_stages(Making *k) {
    const HcPartWays *w = k->ways;
    uint32_t last = 0;
    for (int32_t owner = 0; owner < w->ranks; owner++) {
        for (uint32_t s = 0; s < w->n_sums; s++) {
            const uint32_t made = w->n_leaves + s;
            const int32_t place = hc_part_place(w, owner, made);
            const uint32_t one = arrives(k, owner, w->sums[s].earlier, place),
                           other = arrives(k, owner, w->sums[s].later, place);
            k->stage[index_of(k, owner, made)] = one > other ? one : other;
        }
        const uint32_t end = arrives(k, owner, hc_part_terms(w) - 1, owner);
        last = end > last ? end : last;
    }
    k->stages = last;
}

/* --- what lies where ---------------------------------------------------------------------------*/

/* Which terms this rank gets, or makes, and where: a sum lies where its later term was. */
static void place_terms(Making *k, int32_t owner) {
    const HcPartWays *w = k->ways;
    const int32_t me = hc_ranks_rank(k->parts->ranks);
    for (uint32_t t = 0; t < hc_part_terms(w); t++) {
        const uint32_t index = index_of(k, owner, t);
        k->in_room[index] = false;
        if (hc_part_place(w, owner, t) != me && k->needed[t] == me) {
            k->in_room[index] = true;
            k->room[index] = k->room_bytes;
            k->room_bytes += k->own_bytes[owner];
        } else if (t < w->n_leaves) {
            k->slots[index] = w->node[t];
        } else if (hc_part_place(w, owner, t) == me) {
            const uint32_t later = index_of(k, owner, w->sums[t - w->n_leaves].later);
            k->in_room[index] = k->in_room[later];
            k->room[index] = k->room[later];
            k->slots[index] = k->slots[later];
        }
    }
}

/* `within`: where the piece lies among its owner's. */
static uint8_t *term_at(const Making *k, const HcSumPiece *piece, uint32_t term, size_t within) {
    const uint32_t index = index_of(k, piece->owner, term);
    return k->in_room[index] ? k->parts->room + k->room[index] + within
                             : slot(k->parts, k->slots[index]) + piece->at;
}

/* --- lists -------------------------------------------------------------------------------------*/

static void add_message(const Making *k, HcMessage message) {
    if (k->lists)
        k->meet->messages[k->meet->n_messages] = message;
    k->meet->n_messages++;
}

static void add_sum(const Making *k, HcAddition addition) {
    if (k->lists)
        k->meet->additions[k->meet->n_additions] = addition;
    k->meet->n_additions++;
}

/* A piece's messages of a stage. What is sent and what is received is in one order, the same on all
 * ranks. */
static void list_messages(const Making *k, const HcSumPiece *piece, uint32_t stage, size_t within) {
    const HcPartWays *w = k->ways;
    const int32_t me = hc_ranks_rank(k->parts->ranks);
    for (uint32_t t = 0; t < hc_part_terms(w); t++) {
        const int32_t from = hc_part_place(w, piece->owner, t), needed = k->needed[t];
        if (from == needed || k->stage[index_of(k, piece->owner, t)] != stage)
            continue;
        if (from == me)
            add_message(k, (HcMessage){needed, true, term_at(k, piece, t, within), piece->bytes});
        else if (needed == me)
            add_message(k, (HcMessage){from, false, term_at(k, piece, t, within), piece->bytes});
    }
}

/* What of a piece can be added up by then. */
static void list_additions(const Making *k, const HcSumPiece *piece, uint32_t stage,
                           size_t within) {
    const HcPartWays *w = k->ways;
    for (uint32_t s = 0; s < w->n_sums; s++) {
        const uint32_t made = w->n_leaves + s;
        if (hc_part_place(w, piece->owner, made) == hc_ranks_rank(k->parts->ranks) &&
            k->stage[index_of(k, piece->owner, made)] == stage)
            add_sum(k, (HcAddition){term_at(k, piece, w->sums[s].later, within),
                                    term_at(k, piece, w->sums[s].earlier, within), piece->bytes});
    }
}

/* The first stage goes bucket by bucket: what is listed from here on is of a later one. */
static void close_buckets(HcMeet *m, uint32_t *closed, uint32_t bucket) {
    for (; *closed <= bucket; ++*closed) {
        m->adds[*closed] = m->n_additions;
        m->begins[*closed] = m->n_messages;
    }
}

static void list_stage(const Making *k, uint32_t stage) {
    HcMeet *m = k->meet;
    uint32_t closed = 0;
    memset(k->within, 0, (size_t)k->ways->ranks * sizeof *k->within);
    for (uint32_t p = 0; p < m->n_pieces; p++) {
        const HcSumPiece *piece = &m->pieces[p];
        if (stage == 0)
            close_buckets(m, &closed, piece->bucket);
        list_additions(k, piece, stage, k->within[piece->owner]);
        find_needs(k->ways, piece->owner, k->needed);
        list_messages(k, piece, stage, k->within[piece->owner]);
        k->within[piece->owner] += hc_align(piece->bytes);
    }
    if (stage == 0)
        close_buckets(m, &closed, k->parts->shards->n_buckets + 1);
    m->added[stage] = m->n_additions;
    m->ends[stage] = m->n_messages;
}

/* The owner's own sums to where they belong. */
static void list_results(const Making *k) {
    HcMeet *m = k->meet;
    const int32_t me = hc_ranks_rank(k->parts->ranks);
    size_t within = 0;
    for (uint32_t p = 0; p < m->n_pieces; p++) {
        const HcSumPiece *piece = &m->pieces[p];
        if (piece->owner != me)
            continue;
        if (k->lists)
            m->results[m->n_results] =
                (HcSumResult){piece, term_at(k, piece, hc_part_terms(k->ways) - 1, within)};
        m->n_results++;
        within += hc_align(piece->bytes);
    }
}

/* Every rank's share of what all get, in the last slot. */
static void list_return(const Making *k) {
    HcMeet *m = k->meet;
    const int32_t me = hc_ranks_rank(k->parts->ranks), size = hc_ranks_size(k->parts->ranks);
    uint8_t *all = slot(k->parts, k->parts->slots);
    for (uint32_t p = 0; p < m->n_pieces; p++) {
        const HcSumPiece *piece = &m->pieces[p];
        for (int32_t other = 1; other < size && !piece->kept; other++)
            if (piece->owner == me)
                add_message(k,
                            (HcMessage){(me + other) % size, true, all + piece->at, piece->bytes});
        if (!piece->kept && piece->owner != me)
            add_message(k, (HcMessage){piece->owner, false, all + piece->at, piece->bytes});
    }
}

static void list_all(const Making *k) {
    HcMeet *m = k->meet;
    m->n_messages = m->n_additions = m->n_results = 0;
    for (uint32_t stage = 0; stage <= m->stages; stage++)
        list_stage(k, stage);
    list_results(k);
    list_return(k);
}

/* --- memory ------------------------------------------------------------------------------------*/

static HcStatus make_bounds(const HcParts *parts, HcMeet *m, HcError *error) {
    const size_t buckets = (size_t)parts->shards->n_buckets;
    m->ends = calloc((size_t)m->stages + 1, sizeof *m->ends);
    m->added = calloc((size_t)m->stages + 1, sizeof *m->added);
    m->begins = calloc(buckets + 2, sizeof *m->begins);
    m->adds = calloc(buckets + 2, sizeof *m->adds);
    m->sums = calloc(buckets + 1, sizeof *m->sums);
    m->left = calloc(buckets + 1, sizeof *m->left);
    return m->ends && m->added && m->begins && m->adds && m->sums && m->left
               ? HC_OK
               : hc_fail_memory(error, "messages");
}

static HcStatus make_lists(const Making *k, HcError *error) {
    HcMeet *m = k->meet;
    m->messages = calloc((size_t)m->n_messages + 1, sizeof *m->messages);
    m->additions = calloc((size_t)m->n_additions + 1, sizeof *m->additions);
    m->results = calloc((size_t)m->n_results + 1, sizeof *m->results);
    if (!m->messages || !m->additions || !m->results)
        return hc_fail_memory(error, "messages");
    return hc_flight_reserve(&k->parts->flight, k->meet->messages, k->meet->n_messages, error);
}

/* The places of a round's terms. */
static void place_round(Making *k) {
    memset(k->own_bytes, 0, (size_t)k->ways->ranks * sizeof *k->own_bytes);
    for (uint32_t p = 0; p < k->meet->n_pieces; p++)
        k->own_bytes[k->meet->pieces[p].owner] += hc_align(k->meet->pieces[p].bytes);
    k->room_bytes = 0;
    for (int32_t owner = 0; owner < k->ways->ranks; owner++) {
        find_needs(k->ways, owner, k->needed);
        place_terms(k, owner);
    }
}

static uint32_t bucket_of(const HcParts *parts, uint32_t parameter) {
    return parts->shards->chunks[parts->shards->first[parameter]].bucket;
}

/* Gradients of each bucket. */
static void count_sums(const HcParts *parts, HcMeet *m, uint32_t round) {
    const HcShards *shards = parts->shards;
    for (uint32_t k = 0; round + 1 == parts->exec->plan->n_rounds && k < shards->n_ready; k++)
        if (shards->sum[shards->ready[k]])
            m->sums[bucket_of(parts, shards->ready[k])]++;
}

static HcStatus make_room(Making *k, HcError *error) {
    HcParts *parts = k->parts;
    size_t most = 0;
    HcStatus status = HC_OK;
    for (uint32_t round = 0; round < parts->exec->plan->n_rounds && status == HC_OK; round++) {
        k->meet = &parts->meets[round];
        k->meet->stages = k->stages;
        status = share_sums(parts, k->meet, round, error);
        if (status == HC_OK)
            status = make_bounds(parts, k->meet, error);
        if (status == HC_OK) {
            count_sums(parts, k->meet, round);
            place_round(k);
        }
        most = k->room_bytes > most ? k->room_bytes : most;
    }
    parts->room = status == HC_OK ? hc_aligned((parts->imagined ? 0 : most) + HC_ALIGN) : NULL;
    parts->room_bytes = parts->room ? most : 0;
    return status != HC_OK || parts->room
               ? status
               : hc_fail_size(error, "the sums of other ranks", (double)most);
}

/* Twice: first they are counted. */
static HcStatus list_rounds(Making *k, HcError *error) {
    HcStatus status = HC_OK;
    for (uint32_t round = 0; round < k->parts->exec->plan->n_rounds && status == HC_OK; round++) {
        k->meet = &k->parts->meets[round];
        place_round(k);
        k->lists = false;
        list_all(k);
        status = make_lists(k, error);
        k->lists = true;
        if (status == HC_OK)
            list_all(k);
    }
    return status;
}

static HcStatus make_all(HcParts *parts, const HcPartWays *ways, HcError *error) {
    const size_t ranks = (size_t)ways->ranks, all = ranks * hc_part_terms(ways);
    Making k = {.parts = parts,
                .ways = ways,
                .stage = calloc(all, sizeof *k.stage),
                .room = calloc(all, sizeof *k.room),
                .slots = calloc(all, sizeof *k.slots),
                .in_room = calloc(all, sizeof *k.in_room),
                .own_bytes = calloc(ranks, sizeof *k.own_bytes),
                .within = calloc(ranks, sizeof *k.within),
                .needed = calloc(hc_part_terms(ways), sizeof *k.needed)};
    HcStatus status = k.stage && k.room && k.slots && k.in_room && k.own_bytes && k.within &&
                              k.needed && parts->meets
                          ? HC_OK
                          : hc_fail_memory(error, "messages");
    if (status == HC_OK) {
        find_stages(&k);
        status = make_room(&k, error);
    }
    if (status == HC_OK)
        status = list_rounds(&k, error);
    free(k.stage);
    free(k.room);
    free(k.slots);
    free(k.in_room);
    free(k.own_bytes);
    free(k.within);
    free(k.needed);
    return status;
}

HcStatus hc_parts_meet_bind(HcParts *parts, HcError *error) {
    HcPartWays ways;
    hc_parts_meet_destroy(parts);
    HcStatus status = hc_part_ways(parts->bounds, hc_ranks_size(parts->ranks), &ways, error);
    if (status != HC_OK)
        return status;
    parts->n_meets = parts->exec->plan->n_rounds;
    parts->meets = calloc((size_t)parts->n_meets + 1, sizeof *parts->meets);
    status = make_all(parts, &ways, error);
    hc_part_ways_free(&ways);
    return status;
}

void hc_parts_meet_destroy(HcParts *parts) {
    for (uint32_t k = 0; parts->meets && k < parts->n_meets; k++) {
        HcMeet *m = &parts->meets[k];
        free(m->pieces);
        free(m->messages);
        free(m->additions);
        free(m->results);
        free(m->ends);
        free(m->added);
        free(m->begins);
        free(m->adds);
        free(m->sums);
        free(m->left);
    }
    free(parts->meets);
    free(parts->room);
    hc_flight_free(&parts->flight);
    parts->meets = NULL;
    parts->room = NULL;
    parts->room_bytes = 0;
}

/* --- meeting -----------------------------------------------------------------------------------*/

/* Of imagined parts there is nothing to add. */
static void add(const HcParts *parts, const HcMeet *m, uint32_t first, uint32_t end) {
    const HcElement element =
        parts->exec->plan->element_size == 8 ? HC_ELEMENT_F64 : HC_ELEMENT_F32;
    for (uint32_t k = first; k < end && !parts->imagined; k++)
        hc_elements_add(parts->exec->pool, m->additions[k].to, m->additions[k].earlier,
                        (int64_t)m->additions[k].bytes / hc_element_bytes(element), element);
}

static void take_results(const HcParts *parts, const HcMeet *m) {
    uint8_t *all = slot(parts, parts->slots), *gradients = parts->outside.grads;
    for (uint32_t k = 0; k < m->n_results && !parts->imagined; k++) {
        const HcSumPiece *piece = m->results[k].piece;
        memcpy(piece->kept ? gradients + piece->slab : all + piece->at, m->results[k].from,
               piece->bytes);
    }
}

/* The first stage of one bucket, or of what all get. */
static void begin_bucket(HcParts *parts, HcMeet *m) {
    const uint32_t b = m->begun++;
    add(parts, m, m->adds[b], m->adds[b + 1]);
    if (m->status == HC_OK)
        m->status = hc_ranks_begin(parts->ranks, &parts->flight, m->messages + m->begins[b],
                                   m->begins[b + 1] - m->begins[b], &m->error);
}

void hc_parts_meet_expect(HcParts *parts) {
    HcMeet *m = &parts->meets[parts->round];
    memcpy(m->left, m->sums, parts->shards->n_buckets * sizeof *m->left);
    parts->expects = true;
}

void hc_parts_meet_ready(HcParts *parts, const HcSum *sum) {
    HcMeet *m = &parts->meets[parts->round];
    m->left[bucket_of(parts, sum->buffer.index)]--;
    while (m->begun < parts->shards->n_buckets && m->left[m->begun] == 0)
        begin_bucket(parts, m);
}

void hc_parts_meet_move_on(HcParts *parts) {
    HcMeet *m = &parts->meets[parts->round];
    if (m->begun > 0 && m->status == HC_OK)
        m->status = hc_ranks_move_on(parts->ranks, &parts->flight, &m->error);
}

/* What the first stage still has to begin, until all of it is through. */
static HcStatus end_first_stage(HcParts *parts, HcMeet *m, HcError *error) {
    while (m->begun <= parts->shards->n_buckets)
        begin_bucket(parts, m);
    HcStatus status = m->status;
    m->begun = 0;
    m->status = HC_OK;
    if (status != HC_OK && error)
        *error = m->error;
    return status == HC_OK ? hc_ranks_finish(parts->ranks, &parts->flight, error) : status;
}

HcStatus hc_parts_meet(HcParts *parts, HcError *error) {
    HcMeet *m = &parts->meets[parts->round];
    HcStatus status = end_first_stage(parts, m, error);
    uint32_t sent = m->ends[0], added = m->added[0];
    parts->expects = false;
    for (uint32_t stage = 1; stage <= m->stages && status == HC_OK; stage++) {
        add(parts, m, added, m->added[stage]);
        status = hc_ranks_exchange(parts->ranks, m->messages + sent, m->ends[stage] - sent, error);
        added = m->added[stage];
        sent = m->ends[stage];
    }
    if (status != HC_OK)
        return status;
    take_results(parts, m);
    return hc_ranks_exchange(parts->ranks, m->messages + sent, m->n_messages - sent, error);
}
