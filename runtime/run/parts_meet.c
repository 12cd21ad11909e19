/* Where the sums of several ranks' parts are added: each rank adds up its own elements of every sum
 * of a round, for which the others send it what their parts came to. Gradients stay with it, whose
 * elements it updates (shards.h); of all else all get all. What is added to what, and in which
 * order, is the tree's to say, so the bits are those of one process. */
#include "abi/layout.h"
#include "runtime/run/aligned.h"
#include "runtime/run/elements.h"
#include "runtime/run/parts.h"

#include <stdlib.h>
#include <string.h>

/* --- who adds up what --------------------------------------------------------------------------*/

static uint32_t nodes_of(const HcParts *parts, int32_t rank, HcPartNode nodes[HC_PART_NODES]) {
    return hc_part_nodes(parts->bounds[rank], parts->bounds[rank + 1], nodes);
}

static uint8_t *slot(const HcParts *parts, uint32_t number) {
    return parts->memory + number * parts->stride;
}

static void add_piece(HcParts *parts, uint32_t *count, HcSumPiece next) {
    HcSumPiece *last = *count > parts->rounds[parts->round] ? &parts->pieces[*count - 1] : NULL;
    if (last && last->kept && next.kept && last->owner == next.owner &&
        last->at + hc_align(last->bytes) == next.at &&
        last->slab + hc_align(last->bytes) == next.slab)
        last->bytes = hc_align(last->bytes) + next.bytes;
    else if (next.bytes > 0)
        parts->pieces[(*count)++] = next;
}

/* What all get of a round: as many cache lines for each rank as goes. */
static void share_round(HcParts *parts, uint32_t *count) {
    const size_t begin = parts->round ? parts->ends[parts->round - 1] : 0;
    const size_t lines = (parts->ends[parts->round] - begin) / HC_ALIGN;
    const size_t size = (size_t)hc_ranks_size(parts->ranks);
    for (size_t r = 0; r < size; r++) {
        const size_t first = lines * r / size, end = lines * (r + 1) / size;
        add_piece(parts, count,
                  (HcSumPiece){.owner = (int32_t)r,
                               .at = begin + first * HC_ALIGN,
                               .bytes = (end - first) * HC_ALIGN});
    }
}

/* Gradients, in the order of their buckets. */
static void share_kept(HcParts *parts, uint32_t *count) {
    const HcShards *shards = parts->shards;
    const HcPlan *plan = parts->exec->plan;
    for (uint32_t k = 0; k < shards->n_ready; k++) {
        const uint32_t p = shards->ready[k];
        for (int64_t c = shards->first[p]; shards->sum[p] && c < shards->n_trained; c++) {
            const HcChunk *chunk = &shards->chunks[c];
            if (chunk->parameter != p)
                break;
            const size_t within = (size_t)(chunk->at - plan->parameters[p].offset);
            add_piece(parts, count,
                      (HcSumPiece){.owner = chunk->owner,
                                   .kept = true,
                                   .at = parts->places[shards->sum[p] - 1] + within,
                                   .slab = (size_t)chunk->at,
                                   .bytes = (size_t)chunk->count * plan->element_size});
        }
    }
}

static HcStatus share_sums(HcParts *parts, HcError *error) {
    const uint32_t rounds = parts->exec->plan->n_rounds;
    const size_t most =
        (size_t)rounds * (size_t)hc_ranks_size(parts->ranks) + (size_t)parts->shards->n_trained;
    uint32_t count = 0;
    hc_parts_meet_destroy(parts);
    parts->rounds = calloc((size_t)rounds + 1, sizeof *parts->rounds);
    parts->pieces = calloc(most + 1, sizeof *parts->pieces);
    if (!parts->rounds || !parts->pieces)
        return hc_fail_memory(error, "the sums of other ranks");
    for (parts->round = 0; parts->round < rounds; parts->round++) {
        parts->rounds[parts->round] = count;
        share_round(parts, &count);
        if (parts->round + 1 == rounds)
            share_kept(parts, &count);
    }
    parts->rounds[rounds] = count;
    return HC_OK;
}

static const HcSumPiece *round_end(const HcParts *parts) {
    return parts->pieces + parts->rounds[parts->round + 1];
}

static const HcSumPiece *round_begin(const HcParts *parts) {
    return parts->pieces + parts->rounds[parts->round];
}

/* Bytes that this rank adds up in the round. */
static size_t own_bytes(const HcParts *parts) {
    size_t bytes = 0;
    for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++)
        bytes += p->owner == hc_ranks_rank(parts->ranks) ? hc_align(p->bytes) : 0;
    return bytes;
}

/* Nodes of all ranks but this one. */
static uint32_t count_others(const HcParts *parts) {
    HcPartNode nodes[HC_PART_NODES];
    uint32_t count = 0;
    for (int32_t r = 0; r < hc_ranks_size(parts->ranks); r++)
        count += r == hc_ranks_rank(parts->ranks) ? 0 : nodes_of(parts, r, nodes);
    return count;
}

/* --- memory ------------------------------------------------------------------------------------*/

/* Messages and terms of the largest round. */
static HcStatus make_ways(HcParts *parts, HcError *error) {
    HcPartNode nodes[HC_PART_NODES];
    const int32_t me = hc_ranks_rank(parts->ranks);
    const uint32_t others = count_others(parts), mine = nodes_of(parts, me, nodes),
                   size = (uint32_t)hc_ranks_size(parts->ranks);
    size_t most = 0;
    for (parts->round = 0; parts->round < parts->exec->plan->n_rounds; parts->round++) {
        size_t received = 0, sent = 0;
        for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++) {
            received += p->owner == me;
            sent += p->owner != me;
        }
        const size_t back = received * size + sent; /* the way back */
        const size_t there = received * others + sent * mine;
        most = there > most ? there : most;
        most = back > most ? back : most;
    }
    parts->messages = calloc(most + 1, sizeof *parts->messages);
    parts->n_terms = others + mine;
    parts->terms = calloc(parts->n_terms, sizeof *parts->terms);
    parts->waiting = calloc(parts->n_terms, sizeof *parts->waiting);
    return parts->messages && parts->terms && parts->waiting ? HC_OK
                                                             : hc_fail_memory(error, "messages");
}

static HcStatus make_room(HcParts *parts, HcError *error) {
    size_t largest = 0;
    for (parts->round = 0; parts->round < parts->exec->plan->n_rounds; parts->round++) {
        const size_t bytes = own_bytes(parts);
        largest = bytes > largest ? bytes : largest;
    }
    parts->room_bytes = largest * count_others(parts);
    parts->room = hc_aligned(parts->room_bytes + HC_ALIGN);
    return parts->room ? HC_OK
                       : hc_fail_size(error, "the sums of other ranks", (double)parts->room_bytes);
}

HcStatus hc_parts_meet_bind(HcParts *parts, HcError *error) {
    HcStatus status = share_sums(parts, error);
    if (status == HC_OK)
        status = make_ways(parts, error);
    return status == HC_OK ? make_room(parts, error) : status;
}

void hc_parts_meet_destroy(HcParts *parts) {
    free(parts->rounds);
    free(parts->pieces);
    free(parts->room);
    free(parts->messages);
    free(parts->terms);
    free(parts->waiting);
    parts->rounds = NULL;
    parts->pieces = NULL;
    parts->room = NULL;
    parts->messages = NULL;
    parts->terms = parts->waiting = NULL;
    parts->room_bytes = 0;
}

/* --- the way there and back --------------------------------------------------------------------*/

/* What this rank's parts came to of others' elements. Messages between two ranks are in the order
 * of pieces, and of a piece in that of nodes. */
static uint32_t send_all(const HcParts *parts, uint32_t n) {
    HcPartNode nodes[HC_PART_NODES];
    const int32_t me = hc_ranks_rank(parts->ranks), size = hc_ranks_size(parts->ranks);
    const uint32_t count = nodes_of(parts, me, nodes);
    for (int32_t k = 1; k < size; k++)
        for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++)
            for (uint32_t j = 0; j < count && p->owner == (me + k) % size; j++)
                parts->messages[n++] =
                    (HcMessage){p->owner, true, slot(parts, j) + p->at, p->bytes};
    return n;
}

/* A node's elements lie side by side in the room, those of pieces one behind the other. */
static uint32_t receive_all(const HcParts *parts, uint32_t n) {
    const int32_t me = hc_ranks_rank(parts->ranks);
    const size_t own = own_bytes(parts);
    uint32_t term = 0, received = 0;
    for (int32_t r = 0; r < hc_ranks_size(parts->ranks); r++) {
        HcPartNode nodes[HC_PART_NODES];
        const uint32_t count = nodes_of(parts, r, nodes);
        uint8_t *room = parts->room + received * own;
        for (uint32_t j = 0; j < count; j++)
            parts->terms[term++] =
                (HcTerm){nodes[j], r == me, r == me ? slot(parts, j) : room + j * own};
        if (r == me)
            continue;
        received += count;
        size_t within = 0;
        for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++) {
            for (uint32_t j = 0; j < count && p->owner == me; j++)
                parts->messages[n++] = (HcMessage){r, false, room + j * own + within, p->bytes};
            within += p->owner == me ? hc_align(p->bytes) : 0;
        }
    }
    return n;
}

/* The last term becomes the sum of all, whose place this is. `within`: where the piece lies in the
 * room. */
static uint8_t *add_terms(const HcParts *parts, const HcSumPiece *piece, size_t within) {
    const HcElement element =
        parts->exec->plan->element_size == 8 ? HC_ELEMENT_F64 : HC_ELEMENT_F32;
    const int64_t elements = (int64_t)piece->bytes / hc_element_bytes(element);
    uint32_t waiting = 0; /* before the term at hand */
    for (uint32_t k = 0; k < parts->n_terms; k++) {
        HcTerm mine = parts->terms[k];
        mine.at += mine.here ? piece->at : within;
        const bool last = k + 1 == parts->n_terms;
        for (; waiting > 0 && (last || hc_part_pair(parts->waiting[waiting - 1].node, mine.node));
             waiting--) {
            const HcTerm *earlier = &parts->waiting[waiting - 1];
            hc_elements_add(parts->exec->pool, mine.at, earlier->at, elements, element);
            mine.node = (HcPartNode){earlier->node.first, mine.node.level + 1};
        }
        parts->waiting[waiting++] = mine;
    }
    return parts->waiting[0].at;
}

static void add_all(const HcParts *parts) {
    uint8_t *all = slot(parts, parts->slots), *gradients = parts->outside.grads;
    size_t within = 0;
    for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++) {
        if (p->owner != hc_ranks_rank(parts->ranks))
            continue;
        const uint8_t *sum = add_terms(parts, p, within);
        memcpy(p->kept ? gradients + p->slab : all + p->at, sum, p->bytes);
        within += hc_align(p->bytes);
    }
}

/* Every rank's share of what all get to the last slot. */
static uint32_t hand_out(const HcParts *parts) {
    const int32_t me = hc_ranks_rank(parts->ranks), size = hc_ranks_size(parts->ranks);
    uint8_t *all = slot(parts, parts->slots);
    uint32_t n = 0;
    for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++)
        if (!p->kept && p->owner != me)
            parts->messages[n++] = (HcMessage){p->owner, false, all + p->at, p->bytes};
    for (int32_t k = 1; k < size; k++)
        for (const HcSumPiece *p = round_begin(parts); p < round_end(parts); p++)
            if (!p->kept && p->owner == me)
                parts->messages[n++] = (HcMessage){(me + k) % size, true, all + p->at, p->bytes};
    return n;
}

HcStatus hc_parts_meet(HcParts *parts, HcError *error) {
    const uint32_t there = send_all(parts, receive_all(parts, 0));
    HcStatus status = hc_ranks_exchange(parts->ranks, parts->messages, there, error);
    if (status != HC_OK)
        return status;
    add_all(parts);
    return hc_ranks_exchange(parts->ranks, parts->messages, hand_out(parts), error);
}
