#include "runtime/sample/draw.h"
#include "runtime/run/rng.h"

#include <math.h>

/* The tokens by their weights: a heap with the likeliest on top, from which only those are taken
 * that are needed. */
typedef struct {
    const double *weights;
    uint32_t *at;
    int64_t count;
} Heap;

static int likelier(const double *weights, uint32_t a, uint32_t b) {
    return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
}

static void sink(Heap *h, int64_t i) {
    for (int64_t child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && likelier(h->weights, h->at[child + 1], h->at[child]))
            child++;
        if (!likelier(h->weights, h->at[child], h->at[i]))
            return;
        const uint32_t swap = h->at[i];
        h->at[i] = h->at[child];
        h->at[child] = swap;
    }
}

static void make(Heap *h) {
    for (int64_t v = 0; v < h->count; v++)
        h->at[v] = (uint32_t)v;
    for (int64_t i = h->count / 2 - 1; i >= 0; i--)
        sink(h, i);
}

/* What is taken stands behind the rest. */
static uint32_t take(Heap *h) {
    const uint32_t top = h->at[0];
    h->at[0] = h->at[--h->count];
    h->at[h->count] = top;
    sink(h, 0);
    return top;
}

/* Only the likeliest keep their weights; the sum of those. */
static double keep_likeliest(const HcDrawRule *rule, double *weights, int64_t n, uint32_t *room,
                             double total) {
    Heap heap = {weights, room, n};
    int64_t kept = n;
    make(&heap);
    if (rule->top_k > 0 && rule->top_k < n) {
        kept = rule->top_k;
        total = 0;
        for (int64_t k = 0; k < kept; k++)
            total += weights[take(&heap)];
    }
    if (rule->top_p < 1) {
        const double enough = rule->top_p * total;
        const int64_t most = kept; /* some of them may be taken already */
        total = 0;
        for (kept = 0; kept < most && (kept == 0 || total < enough); kept++) {
            if (n - kept == heap.count)
                take(&heap);
            total += weights[room[n - 1 - kept]];
        }
    }
    for (int64_t i = 0; i < n - kept; i++)
        weights[room[i]] = 0;
    return total;
}

int64_t hc_draw(const HcDrawRule *rule, double *weights, int64_t n, uint32_t *room,
                uint64_t number) {
    int64_t best = 0;
    double total = 0, u;
    for (int64_t v = 1; v < n; v++)
        best = weights[v] > weights[best] ? v : best;
    if (rule->temperature == 0)
        return best;
    const double top = weights[best];
    for (int64_t v = 0; v < n; v++) {
        weights[v] = exp((weights[v] - top) / rule->temperature);
        total += weights[v];
    }
    if ((rule->top_k > 0 && rule->top_k < n) || rule->top_p < 1)
        total = keep_likeliest(rule, weights, n, room, total);
    hc_rng_uniform(rule->seed, hc_rng_stream("hc.sample"), number, 1, 0, total, 8, &u);
    for (int64_t v = 0; v < n; v++) {
        u -= weights[v];
        if (u < 0)
            return v;
    }
    return best; /* rounding */
}
