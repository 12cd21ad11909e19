/* Where the sums of several ranks' parts are added: each rank adds up a shard of the elements, the
 * same elements of every sum of a round, for which the others send it what their parts came to;
 * then all get all shards. What is added to what, and in which order, is the tree's to say, so the
 * bits are those of one process. */
#include "abi/layout.h"
#include "runtime/run/aligned.h"
#include "runtime/run/elements.h"
#include "runtime/run/parts.h"

#include <stdlib.h>
#include <string.h>

/* --- who has what ------------------------------------------------------------------------------*/

static uint32_t nodes_of(const HcParts *parts, int32_t rank, HcPartNode nodes[HC_PART_NODES]) {
    return hc_part_nodes(parts->bounds[rank], parts->bounds[rank + 1], nodes);
}

/* Bytes of a slot that hold the round's sums, and which of them are a rank's to add up: whole cache
 * lines, as sums begin at such. */
typedef struct {
    size_t first, bytes;
} Stretch;

static Stretch round_of(const HcParts *parts) {
    const size_t first = parts->round ? parts->ends[parts->round - 1] : 0;
    return (Stretch){first, parts->ends[parts->round] - first};
}

static Stretch shard_of(const HcParts *parts, int32_t rank) {
    const Stretch all = round_of(parts);
    const size_t size = (size_t)hc_ranks_size(parts->ranks), lines = all.bytes / HC_ALIGN;
    const size_t first = lines * (size_t)rank / size, end = lines * ((size_t)rank + 1) / size;
    return (Stretch){all.first + first * HC_ALIGN, (end - first) * HC_ALIGN};
}

static uint8_t *slot(const HcParts *parts, uint32_t number) {
    return parts->memory + number * parts->stride;
}

/* Nodes of all ranks but this one. */
static uint32_t count_others(const HcParts *parts) {
    HcPartNode nodes[HC_PART_NODES];
    uint32_t count = 0;
    for (int32_t r = 0; r < hc_ranks_size(parts->ranks); r++)
        count += r == hc_ranks_rank(parts->ranks) ? 0 : nodes_of(parts, r, nodes);
    return count;
}

HcStatus hc_parts_meet_bind(HcParts *parts, HcError *error) {
    size_t largest = 0;
    for (parts->round = 0; parts->round < parts->exec->plan->n_rounds; parts->round++) {
        const size_t bytes = shard_of(parts, hc_ranks_rank(parts->ranks)).bytes;
        largest = bytes > largest ? bytes : largest;
    }
    const size_t total = largest * count_others(parts);
    if (total <= parts->shard_bytes)
        return HC_OK;
    uint8_t *grown = hc_aligned(total);
    if (!grown)
        return hc_fail_size(error, "the sums of other ranks", (double)total);
    free(parts->shards);
    parts->shards = grown;
    parts->shard_bytes = total;
    return HC_OK;
}

/* --- the way there and back --------------------------------------------------------------------*/

typedef struct {
    HcPartNode node;
    uint8_t *at; /* this rank's shard of its sums */
} Term;

typedef struct {
    HcMessage *messages;
    Term *terms; /* in the tree's order */
    uint32_t n_messages, n_terms;
} Meeting;

static void send_all(const HcParts *parts, Meeting *m) {
    HcPartNode nodes[HC_PART_NODES];
    const int32_t me = hc_ranks_rank(parts->ranks), size = hc_ranks_size(parts->ranks);
    const uint32_t count = nodes_of(parts, me, nodes);
    for (int32_t k = 1; k < size; k++) {
        const int32_t to = (me + k) % size;
        const Stretch shard = shard_of(parts, to);
        for (uint32_t j = 0; j < count; j++)
            m->messages[m->n_messages++] =
                (HcMessage){to, true, slot(parts, j) + shard.first, shard.bytes};
    }
}

static void receive_all(const HcParts *parts, Meeting *m) {
    const int32_t me = hc_ranks_rank(parts->ranks);
    const Stretch shard = shard_of(parts, me);
    uint8_t *room = parts->shards;
    for (int32_t r = 0; r < hc_ranks_size(parts->ranks); r++) {
        HcPartNode nodes[HC_PART_NODES];
        const uint32_t count = nodes_of(parts, r, nodes);
        for (uint32_t j = 0; j < count; j++) {
            Term *term = &m->terms[m->n_terms++];
            *term = (Term){nodes[j], r == me ? slot(parts, j) + shard.first : room};
            if (r == me)
                continue;
            m->messages[m->n_messages++] = (HcMessage){r, false, room, shard.bytes};
            room += shard.bytes;
        }
    }
}

/* The last term becomes the sum of all. */
static void add_terms(const HcParts *parts, Meeting *m) {
    const HcElement element =
        parts->exec->plan->element_size == 8 ? HC_ELEMENT_F64 : HC_ELEMENT_F32;
    const int64_t elements =
        (int64_t)shard_of(parts, hc_ranks_rank(parts->ranks)).bytes / hc_element_bytes(element);
    uint32_t waiting = 0; /* before the term at hand */
    for (uint32_t k = 0; k < m->n_terms; k++) {
        Term mine = m->terms[k];
        const bool last = k + 1 == m->n_terms;
        for (; waiting > 0 && (last || hc_part_pair(m->terms[waiting - 1].node, mine.node));
             waiting--) {
            hc_elements_add(parts->exec->pool, mine.at, m->terms[waiting - 1].at, elements,
                            element);
            mine.node = (HcPartNode){m->terms[waiting - 1].node.first, mine.node.level + 1};
        }
        m->terms[waiting++] = mine;
    }
}

/* Every rank's shard to the last slot. */
static HcStatus hand_out(const HcParts *parts, Meeting *m, HcError *error) {
    const int32_t me = hc_ranks_rank(parts->ranks), size = hc_ranks_size(parts->ranks);
    uint8_t *to = slot(parts, parts->slots);
    const Stretch mine = shard_of(parts, me);
    memcpy(to + mine.first, m->terms[0].at, mine.bytes);
    m->n_messages = 0;
    for (int32_t k = 1; k < size; k++) {
        const int32_t other = (me + size - k) % size;
        const Stretch theirs = shard_of(parts, other);
        m->messages[m->n_messages++] = (HcMessage){other, false, to + theirs.first, theirs.bytes};
    }
    for (int32_t k = 1; k < size; k++)
        m->messages[m->n_messages++] =
            (HcMessage){(me + k) % size, true, to + mine.first, mine.bytes};
    return hc_ranks_exchange(parts->ranks, m->messages, m->n_messages, error);
}

HcStatus hc_parts_meet(HcParts *parts, HcError *error) {
    HcPartNode nodes[HC_PART_NODES];
    const uint32_t size = (uint32_t)hc_ranks_size(parts->ranks),
                   mine = nodes_of(parts, hc_ranks_rank(parts->ranks), nodes),
                   others = count_others(parts);
    Meeting m = {.messages = calloc(others + (size_t)size * (mine + 2), sizeof *m.messages),
                 .terms = calloc(others + mine, sizeof *m.terms)};
    HcStatus status = m.messages && m.terms ? HC_OK : hc_fail_memory(error, "messages");
    if (status == HC_OK) {
        receive_all(parts, &m);
        send_all(parts, &m);
        status = hc_ranks_exchange(parts->ranks, m.messages, m.n_messages, error);
    }
    if (status == HC_OK) {
        add_terms(parts, &m);
        status = hand_out(parts, &m, error);
    }
    free(m.messages);
    free(m.terms);
    return status;
}
