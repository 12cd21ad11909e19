#include "runtime/ranks/part_tree.h"

#include <stdlib.h>

uint32_t hc_part_nodes(int64_t first, int64_t end, HcPartNode nodes[HC_PART_NODES]) {
    uint32_t count = 0;
    while (first < end) {
        uint32_t level = 0;
        while (first % (INT64_C(2) << level) == 0 && first + (INT64_C(2) << level) <= end)
            level++;
        nodes[count++] = (HcPartNode){first, level};
        first += INT64_C(1) << level;
    }
    return count;
}

bool hc_part_pair(HcPartNode earlier, HcPartNode later) {
    return earlier.level == later.level &&
           later.first == earlier.first + (INT64_C(1) << earlier.level) &&
           earlier.first % (INT64_C(2) << earlier.level) == 0;
}

/* --- ways --------------------------------------------------------------------------------------*/

enum {
    SEND = 1024,       /* what it costs to send a term, */
    ASIDE = 1,         /* not to its owner besides, so that ways are short */
    NEVER = 1 << 28,   /* more than any way */
    CHOOSING_MOST = 96 /* ranks, for it takes their number's cube of time */
};

static uint32_t count_leaves(const int64_t *bounds, int32_t ranks) {
    HcPartNode nodes[HC_PART_NODES];
    uint32_t count = 0;
    for (int32_t r = 0; r < ranks; r++)
        count += hc_part_nodes(bounds[r], bounds[r + 1], nodes);
    return count;
}

/* *of: room for all terms' nodes; *waiting: for numbers of terms. */
static void list_sums(HcPartWays *w, const int64_t *bounds, HcPartNode *of, uint32_t *waiting) {
    uint32_t leaf = 0, count = 0;
    for (int32_t r = 0; r < w->ranks; r++) {
        const uint32_t mine = hc_part_nodes(bounds[r], bounds[r + 1], of + leaf);
        for (uint32_t k = 0; k < mine; k++, leaf++) {
            w->rank[leaf] = r;
            w->node[leaf] = k;
        }
    }
    for (uint32_t k = 0; k < w->n_leaves; k++) {
        uint32_t term = k;
        const bool last = k + 1 == w->n_leaves;
        for (; count > 0 && (last || hc_part_pair(of[waiting[count - 1]], of[term])); count--) {
            const uint32_t earlier = waiting[count - 1], made = w->n_leaves + w->n_sums;
            w->sums[w->n_sums++] = (HcPartSum){earlier, term};
            of[made] = (HcPartNode){of[earlier].first, of[term].level + 1};
            term = made;
        }
        waiting[count++] = term;
    }
}

/* The cheapest way of an owner's elements. By term and rank: what it costs to have the term there,
 * and from where; by rank: what sending costs it. */
typedef struct {
    HcPartWays *ways;
    int32_t owner;
    int64_t *cost;
    int32_t *from;
    int64_t *send;
} Choice;

static void weigh_term(const Choice *c, uint32_t term) {
    const HcPartWays *w = c->ways;
    const size_t row = (size_t)w->ranks;
    int64_t *cost = c->cost + term * row, least = NEVER;
    int32_t *from = c->from + term * row, best = 0;
    for (int32_t r = 0; r < w->ranks; r++) {
        const HcPartSum *sum = term < w->n_leaves ? NULL : &w->sums[term - w->n_leaves];
        cost[r] =
            sum ? c->cost[sum->earlier * row + (size_t)r] + c->cost[sum->later * row + (size_t)r]
            : r == w->rank[term] ? 0
                                 : NEVER;
        from[r] = r;
        if (cost[r] + c->send[r] < least) {
            least = cost[r] + c->send[r];
            best = r;
        }
    }
    for (int32_t r = 0; r < w->ranks; r++) {
        const int64_t sent = least + (r == c->owner ? 0 : ASIDE);
        if (sent < cost[r]) {
            cost[r] = sent;
            from[r] = best;
        }
    }
}

/* From the sum of all, which its owner needs, to the leaves. */
static void choose_places(const Choice *c) {
    HcPartWays *w = c->ways;
    const uint32_t terms = hc_part_terms(w);
    int32_t *places = w->places + (uint32_t)c->owner * terms;
    for (uint32_t t = 0; t < terms; t++)
        places[t] = c->owner; /* for now: where it is needed */
    for (uint32_t t = terms; t-- > 0;) {
        const int32_t needed = places[t], from = c->from[t * (size_t)w->ranks + (size_t)needed];
        places[t] = from;
        w->sent[from] += from != needed;
        if (t >= w->n_leaves)
            places[w->sums[t - w->n_leaves].earlier] = places[w->sums[t - w->n_leaves].later] =
                from;
    }
}

/* Of many ranks the owners make all sums themselves. */
static void go_straight(HcPartWays *w, int32_t owner) {
    const uint32_t terms = hc_part_terms(w);
    int32_t *places = w->places + (uint32_t)owner * terms;
    for (uint32_t t = 0; t < terms; t++) {
        places[t] = t < w->n_leaves ? w->rank[t] : owner;
        w->sent[places[t]] += places[t] != owner;
    }
}

static void choose_ways(HcPartWays *w, int64_t *cost, int32_t *from, int64_t *send) {
    for (int32_t owner = 0; owner < w->ranks; owner++) {
        const Choice c = {w, owner, cost, from, send};
        if (w->ranks > CHOOSING_MOST) {
            go_straight(w, owner);
            continue;
        }
        for (int32_t r = 0; r < w->ranks; r++)
            send[r] = SEND + (int64_t)SEND * w->sent[r] / (owner + 1);
        for (uint32_t t = 0; t < hc_part_terms(w); t++)
            weigh_term(&c, t);
        choose_places(&c);
    }
}

HcStatus hc_part_ways(const int64_t *bounds, int32_t ranks, HcPartWays *w, HcError *error) {
    const uint32_t leaves = count_leaves(bounds, ranks);
    const size_t terms = 2 * (size_t)leaves, size = (size_t)ranks;
    *w = (HcPartWays){.ranks = ranks, .n_leaves = leaves};
    w->rank = calloc(leaves, sizeof *w->rank);
    w->node = calloc(leaves, sizeof *w->node);
    w->sums = calloc(leaves, sizeof *w->sums);
    w->sent = calloc(size, sizeof *w->sent);
    w->places = calloc(terms * size, sizeof *w->places);
    HcPartNode *of = calloc(terms, sizeof *of);
    uint32_t *waiting = calloc(leaves, sizeof *waiting);
    const size_t weighed = ranks > CHOOSING_MOST ? 1 : terms * size;
    int64_t *cost = calloc(weighed, sizeof *cost), *send = calloc(size, sizeof *send);
    int32_t *from = calloc(weighed, sizeof *from);
    const bool there = w->rank && w->node && w->sums && w->sent && w->places && of && waiting &&
                       cost && send && from;
    if (there) {
        list_sums(w, bounds, of, waiting);
        choose_ways(w, cost, from, send);
    } else {
        hc_part_ways_free(w);
    }
    free(of);
    free(waiting);
    free(cost);
    free(send);
    free(from);
    return there ? HC_OK : hc_fail_memory(error, "the sums of other ranks");
}

void hc_part_ways_free(HcPartWays *w) {
    free(w->rank);
    free(w->node);
    free(w->sums);
    free(w->sent);
    free(w->places);
    *w = (HcPartWays){0};
}

/* --- bounds ------------------------------------------------------------------------------------*/

/* Of at most `most` parts each, and so that they come to few nodes. least[r * (parts + 1) + b]:
 * nodes of the first r ranks where they have the first b parts. */
static bool find_bounds(int64_t parts, int32_t ranks, int64_t most, int64_t *bounds) {
    const int64_t row = parts + 1;
    uint32_t *least = calloc((size_t)(row * (ranks + 1)), sizeof *least);
    int64_t *before = calloc((size_t)(row * (ranks + 1)), sizeof *before);
    HcPartNode nodes[HC_PART_NODES];
    for (int32_t r = 1; r <= ranks && least && before; r++)
        for (int64_t end = r; end <= parts; end++) {
            uint32_t *found = &least[r * row + end];
            *found = UINT32_MAX;
            for (int64_t first = end - 1; first >= end - most && first >= r - 1; first--) {
                const uint32_t so_far = r == 1 ? 0 : least[(r - 1) * row + first];
                if ((r == 1 && first != 0) || so_far == UINT32_MAX)
                    continue;
                const uint32_t all = so_far + hc_part_nodes(first, end, nodes);
                if (all < *found) {
                    *found = all;
                    before[r * row + end] = first;
                }
            }
        }
    const bool there = least && before;
    bounds[ranks] = parts;
    for (int32_t r = ranks; r > 0 && there; r--)
        bounds[r - 1] = before[r * row + bounds[r]];
    free(least);
    free(before);
    return there;
}

/* Terms that a rank may send, of as many as there are others. */
enum { SENT_MOST = 3 };

static bool sends_too_much(const HcPartWays *w) {
    for (int32_t r = 0; r < w->ranks; r++)
        if (w->sent[r] > SENT_MOST * (uint32_t)(w->ranks - 1))
            return true;
    return false;
}

HcStatus hc_part_bounds(int64_t parts, int32_t ranks, int64_t *bounds, HcError *error) {
    const int64_t equal = (parts + ranks - 1) / ranks, most = equal + equal / 8;
    HcStatus status = HC_OK;
    bool good = false;
    for (int64_t k = equal; k <= most && !good && status == HC_OK; k++) {
        HcPartWays ways;
        if (!find_bounds(parts, ranks, k, bounds))
            return hc_fail_memory(error, "the parts of a batch");
        status = hc_part_ways(bounds, ranks, &ways, error);
        good = status == HC_OK && (ranks > CHOOSING_MOST || !sends_too_much(&ways));
        if (status == HC_OK)
            hc_part_ways_free(&ways);
    }
    if (status == HC_OK && !good && !find_bounds(parts, ranks, equal, bounds))
        status = hc_fail_memory(error, "the parts of a batch");
    return status;
}
