#include "runtime/run/shards.h"

#include "abi/layout.h"

#include <stdlib.h>
#include <string.h>

/* A bucket is large enough for what a message costs besides its bytes, and small enough that the
 * first of them is on its way early. */
enum { BUCKET_BYTES = 4 << 20, BUCKETS = 16 };

/* --- gradients ---------------------------------------------------------------------------------*/

static bool is_gradient_of(const HcBuffer *buffer, uint32_t parameter) {
    return buffer->region == HC_REGION_GRADS && buffer->index == parameter;
}

/* Whether a call that is none of the sum's has the gradient among its buffers. */
static bool is_read(const HcPlan *plan, const HcSum *sum, uint32_t parameter) {
    for (uint32_t c = 0; c < plan->n_calls; c++) {
        const HcCall *call = &plan->calls[c];
        if (call->sum && &plan->sums[call->sum - 1] == sum)
            continue;
        for (uint32_t k = 0; k < call->count; k++)
            if (is_gradient_of(&plan->buffers[call->first + k], parameter))
                return true;
    }
    return false;
}

/* Only what is complete after the last round can wait for its owner. */
static bool is_kept(const HcPlan *plan, const HcSum *sum) {
    if (sum->buffer.region != HC_REGION_GRADS)
        return false;
    const HcParameterPlan *p = &plan->parameters[sum->buffer.index];
    return hc_is_trained(p) && sum->buffer.offset == 0 && sum->elements == p->count &&
           sum->round + 1 == plan->n_rounds && !is_read(plan, sum, sum->buffer.index);
}

static HcStatus find_sums(HcShards *s, const HcPlan *plan, HcError *error) {
    s->sum = calloc((size_t)plan->n_parameters + 1, sizeof *s->sum);
    s->ready = calloc((size_t)plan->n_parameters + 1, sizeof *s->ready);
    if (!s->sum || !s->ready)
        return hc_fail_memory(error, "the optimiser's shares");
    for (uint32_t k = 0; k < plan->n_sums; k++)
        if (is_kept(plan, &plan->sums[k]))
            s->sum[plan->sums[k].buffer.index] = k + 1;
    return HC_OK;
}

/* Behind which call of the backward pass the gradient is complete: what is summed in a walk through
 * chunks is so after it. */
static uint32_t complete_after(const HcShards *s, const HcPlan *plan, uint32_t parameter) {
    if (!s->sum[parameter])
        return UINT32_MAX;
    const HcSum *sum = &plan->sums[s->sum[parameter] - 1];
    const uint32_t last = sum->calls.at[sum->calls.count - 1];
    const uint32_t *walk = plan->chunks.backward;
    return last >= walk[0] && last < walk[1] ? walk[1] - 1 : last;
}

/* --- buckets -----------------------------------------------------------------------------------*/

typedef struct {
    uint32_t parameter, after; /* complete_after */
    uint32_t bucket;
    int64_t at, bytes;
} Ready;

static int by_time(const void *one, const void *other) {
    const Ready *a = one, *b = other;
    return a->after != b->after ? (a->after < b->after ? -1 : 1)
                                : (a->at > b->at) - (a->at < b->at);
}

static int by_bucket(const void *one, const void *other) {
    const Ready *a = one, *b = other;
    return a->bucket != b->bucket ? (a->bucket < b->bucket ? -1 : 1)
                                  : (a->at > b->at) - (a->at < b->at);
}

/* Trained parameters by bucket, in each as they lie in the slab. NULL: there is no memory. */
static Ready *make_buckets(const HcShards *s, const HcPlan *plan, uint32_t *count) {
    Ready *ready = calloc((size_t)plan->n_parameters + 1, sizeof *ready);
    int64_t all = 0, filled = 0;
    *count = 0;
    for (uint32_t k = 0; ready && k < plan->n_parameters; k++) {
        const HcParameterPlan *p = &plan->parameters[k];
        const int64_t bytes = p->count * plan->element_size;
        if (!hc_is_trained(p))
            continue;
        ready[(*count)++] = (Ready){k, complete_after(s, plan, k), 0, p->offset, bytes};
        all += bytes;
    }
    if (!ready)
        return NULL;
    const int64_t wanted = all / BUCKETS < BUCKET_BYTES ? all / BUCKETS : BUCKET_BYTES;
    qsort(ready, *count, sizeof *ready, by_time);
    for (uint32_t k = 0, bucket = 0; k < *count; k++) {
        /* what is no sum of its own is never sent with what is */
        const bool apart =
            k > 0 && ready[k].after == UINT32_MAX && ready[k - 1].after != UINT32_MAX;
        if (apart || filled > wanted) {
            bucket++;
            filled = 0;
        }
        ready[k].bucket = bucket;
        filled += ready[k].bytes;
    }
    qsort(ready, *count, sizeof *ready, by_bucket);
    return ready;
}

/* --- chunks ------------------------------------------------------------------------------------*/

static void list_chunks(HcShards *s, const HcPlan *plan, bool trained, int64_t *count) {
    for (uint32_t k = 0; k < plan->n_parameters; k++) {
        const HcParameterPlan *p = &plan->parameters[k];
        if (hc_is_trained(p) != trained)
            continue;
        if (s->first)
            s->first[k] = *count;
        for (int64_t at = 0; at < p->count; at += HC_CHUNK_ELEMENTS) {
            const int64_t left = p->count - at;
            if (s->chunks)
                s->chunks[*count] =
                    (HcChunk){.parameter = k,
                              .at = p->offset + at * plan->element_size,
                              .count = left < HC_CHUNK_ELEMENTS ? left : HC_CHUNK_ELEMENTS};
            ++*count;
        }
    }
}

static HcStatus make_chunks(HcShards *s, const HcPlan *plan, HcError *error) {
    int64_t count = 0;
    list_chunks(s, plan, true, &count);
    list_chunks(s, plan, false, &count);
    s->chunks = calloc((size_t)count + 1, sizeof *s->chunks);
    s->first = calloc((size_t)plan->n_parameters + 1, sizeof *s->first);
    if (!s->chunks || !s->first)
        return hc_fail_memory(error, "the optimiser's shares");
    list_chunks(s, plan, true, &s->n_trained);
    s->n_chunks = s->n_trained;
    list_chunks(s, plan, false, &s->n_chunks);
    return HC_OK;
}

/* --- who owns what -----------------------------------------------------------------------------*/

/* What ranks own so far, of all that was to be shared out so far. */
typedef struct {
    int64_t *owned, all;
    int32_t size, rank; /* ranks; and who is at hand */
} Dealt;

/* The next piece of a bucket, whose pieces are already in `all`: to the rank at hand as long as it
 * has not its share, then to whoever has least. */
static int32_t deal(Dealt *d, int64_t bytes) {
    if ((d->owned[d->rank] + bytes / 2) * d->size > d->all) {
        d->rank = 0;
        for (int32_t r = 1; r < d->size; r++)
            d->rank = d->owned[r] < d->owned[d->rank] ? r : d->rank;
    }
    d->owned[d->rank] += bytes;
    return d->rank;
}

static void deal_parameter(HcShards *s, const HcPlan *plan, const HcRecipe *recipe, Dealt *d,
                           uint32_t parameter, uint32_t bucket) {
    const HcParameterPlan *p = &plan->parameters[parameter];
    const bool whole = hc_is_trained(p) && hc_optim_of(recipe, p) == HC_MUON;
    const int64_t count = hc_shards_chunks(p->count), size = plan->element_size;
    const int32_t owner = whole && count ? deal(d, p->count * size) : 0;
    for (int64_t k = 0; k < count; k++) {
        HcChunk *chunk = &s->chunks[s->first[parameter] + k];
        chunk->owner = whole ? owner : deal(d, chunk->count * size);
        chunk->bucket = bucket;
    }
}

static void deal_trained(HcShards *s, const HcPlan *plan, const HcRecipe *recipe, Dealt *d,
                         const Ready *ready, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        s->ready[s->n_ready++] = ready[k].parameter;
        if (k == 0 || ready[k].bucket != ready[k - 1].bucket) {
            for (uint32_t j = k; j < count && ready[j].bucket == ready[k].bucket; j++)
                d->all += ready[j].bytes;
        }
        deal_parameter(s, plan, recipe, d, ready[k].parameter, ready[k].bucket);
    }
}

static void deal_rest(HcShards *s, const HcPlan *plan, const HcRecipe *recipe, Dealt *d,
                      uint32_t bucket) {
    d->all = 0;
    memset(d->owned, 0, (size_t)d->size * sizeof *d->owned);
    for (uint32_t k = 0; k < plan->n_parameters; k++)
        d->all += hc_is_trained(&plan->parameters[k])
                      ? 0
                      : plan->parameters[k].count * (int64_t)plan->element_size;
    for (uint32_t k = 0; k < plan->n_parameters; k++)
        if (!hc_is_trained(&plan->parameters[k]))
            deal_parameter(s, plan, recipe, d, k, bucket);
}

static HcStatus deal_out(HcShards *s, const HcPlan *plan, const HcRecipe *recipe, HcError *error) {
    uint32_t count;
    Ready *ready = make_buckets(s, plan, &count);
    Dealt d = {.size = hc_ranks_size(s->ranks)};
    d.owned = calloc((size_t)d.size, sizeof *d.owned);
    s->n_buckets = ready && count ? ready[count - 1].bucket + 1 : 0;
    s->after = calloc((size_t)s->n_buckets + 1, sizeof *s->after);
    const bool fits = ready && d.owned && s->after;
    if (fits) {
        for (uint32_t k = 0; k < count; k++)
            if (ready[k].after > s->after[ready[k].bucket])
                s->after[ready[k].bucket] = ready[k].after;
        deal_trained(s, plan, recipe, &d, ready, count);
        deal_rest(s, plan, recipe, &d, s->n_buckets);
    }
    HcStatus status = fits ? HC_OK : hc_fail_memory(error, "the optimiser's shares");
    free(ready);
    free(d.owned);
    return status;
}

/* Where in the owner's memory: alone as in the slab, else one behind the other. */
static void place_own(HcShards *s, const HcPlan *plan, const HcRecipe *recipe) {
    int64_t at = 0, second = 0;
    for (int64_t k = 0; k < s->n_chunks; k++) {
        HcChunk *chunk = &s->chunks[k];
        const HcOptimizer kind = hc_optim_of(recipe, &plan->parameters[chunk->parameter]);
        const int64_t bytes =
            (int64_t)hc_align((uint64_t)chunk->count * (uint64_t)plan->element_size);
        if (!hc_shards_own(s, chunk))
            continue;
        chunk->own = s->ranks ? at : chunk->at;
        chunk->second = second;
        at += bytes;
        second += hc_optimizer_moments[kind][1][0] ? bytes : 0;
    }
    s->own_bytes = s->ranks ? at : plan->slab_bytes;
    s->own_second = second;
}

/* --- turns -------------------------------------------------------------------------------------*/

typedef struct {
    HcShards *shards;
    const HcPlan *plan;
    uint32_t next;
} Turns;

/* A parameter that is trained, and that a buffer of a call is. */
static bool is_weight(const HcPlan *plan, const HcBuffer *buffer) {
    return buffer->region == HC_REGION_PARAMS && hc_is_trained(&plan->parameters[buffer->index]) &&
           plan->parameters[buffer->index].count > 0;
}

static void take_turns(Turns *t, const HcCallRun *run) {
    for (uint32_t c = run->first; c < run->end; c++) {
        const HcCall *call = &t->plan->calls[c];
        for (uint32_t k = call->first; k < call->first + call->count && !call->keeps; k++) {
            const HcBuffer *b = &t->plan->buffers[k];
            if (!is_weight(t->plan, b) || hc_shards_turn(t->shards, b->index) != UINT32_MAX)
                continue;
            t->shards->reader[t->next] = c;
            t->shards->turn[hc_shards_bucket(t->shards, b->index)] = t->next++;
        }
    }
}

/* As a part runs; what nothing reads comes last. */
static void find_turns(HcShards *s, const HcPlan *plan) {
    Turns t = {s, plan, 0};
    HcCallRun runs[HC_CALL_RUNS];
    hc_plan_runs(plan, runs);
    memset(s->turn, 0xff, s->n_buckets * sizeof *s->turn);
    memset(s->reader, 0xff, s->n_buckets * sizeof *s->reader);
    for (uint32_t k = 0; k < HC_CALL_RUNS; k++)
        take_turns(&t, &runs[k]);
    for (uint32_t b = 0; b < s->n_buckets; b++)
        if (s->turn[b] == UINT32_MAX)
            s->turn[b] = t.next++;
    for (uint32_t c = 0; c < plan->n_calls; c++) {
        const HcCall *call = &plan->calls[c];
        for (uint32_t k = call->first; k < call->first + call->count; k++) {
            const HcBuffer *b = &plan->buffers[k];
            if (is_weight(plan, b) && hc_shards_turn(s, b->index) >= s->needs[c])
                s->needs[c] = hc_shards_turn(s, b->index) + 1;
        }
    }
}

static void list_own(HcShards *s) {
    int64_t count = 0;
    for (uint32_t turn = 0; turn < s->n_buckets; turn++) {
        for (int64_t k = 0; k < s->n_trained; k++)
            if (s->turn[s->chunks[k].bucket] == turn && hc_shards_own(s, &s->chunks[k]))
                s->own[count++] = k;
        s->own_ends[turn] = count;
    }
}

static HcStatus make_turns(HcShards *s, const HcPlan *plan, HcError *error) {
    s->turn = calloc((size_t)s->n_buckets + 1, sizeof *s->turn);
    s->reader = calloc((size_t)s->n_buckets + 1, sizeof *s->reader);
    s->needs = calloc((size_t)plan->n_calls + 1, sizeof *s->needs);
    s->own = calloc((size_t)s->n_trained + 1, sizeof *s->own);
    s->own_ends = calloc((size_t)s->n_buckets + 1, sizeof *s->own_ends);
    if (!s->turn || !s->reader || !s->needs || !s->own || !s->own_ends)
        return hc_fail_memory(error, "the optimiser's shares");
    find_turns(s, plan);
    list_own(s);
    return HC_OK;
}

/* --- the way of a slab's elements --------------------------------------------------------------*/

static int by_turn(const void *one, const void *other) {
    const HcStretch *a = one, *b = other;
    return a->turn != b->turn ? (a->turn < b->turn ? -1 : 1) : (a->at > b->at) - (a->at < b->at);
}

/* What lies between two parameters is nobody's, and goes with the earlier. */
static void join_stretches(HcShards *s) {
    for (int64_t k = 0; k < s->n_trained; k++) {
        HcStretch *last = s->n_stretches ? &s->stretches[s->n_stretches - 1] : NULL;
        const HcStretch next = s->stretches[k];
        if (last && last->owner == next.owner && last->turn == next.turn &&
            (int64_t)hc_align((uint64_t)(last->at + last->bytes)) == next.at)
            last->bytes = next.at + next.bytes - last->at;
        else
            s->stretches[s->n_stretches++] = next;
        s->ends[next.turn] = s->n_stretches;
    }
    for (uint32_t turn = 1; turn < s->n_buckets; turn++) /* one may have no elements */
        s->ends[turn] = s->ends[turn] ? s->ends[turn] : s->ends[turn - 1];
}

static HcStatus make_stretches(HcShards *s, const HcPlan *plan, HcError *error) {
    const size_t n = (size_t)s->n_trained, size = (size_t)hc_ranks_size(s->ranks);
    s->stretches = calloc(n + 1, sizeof *s->stretches);
    s->ends = calloc((size_t)s->n_buckets + 1, sizeof *s->ends);
    if (!s->stretches || !s->ends)
        return hc_fail_memory(error, "the optimiser's shares");
    for (size_t k = 0; k < n; k++) {
        const HcChunk *chunk = &s->chunks[k];
        s->stretches[k] = (HcStretch){chunk->owner, s->turn[chunk->bucket], chunk->at,
                                      chunk->count * (int64_t)plan->element_size};
    }
    qsort(s->stretches, n, sizeof *s->stretches, by_turn);
    join_stretches(s);
    s->messages = calloc((size_t)s->n_stretches * size + 1, sizeof *s->messages);
    return s->messages ? HC_OK : hc_fail_memory(error, "messages");
}

static uint32_t first_stretch(const HcShards *s, uint32_t turn) {
    return turn ? s->ends[turn - 1] : 0;
}

/* Adds the messages of turns first .. end - 1 behind the first so many. */
static uint32_t list_incoming(const HcShards *s, uint32_t first, uint32_t end, uint8_t *slab,
                              uint32_t count) {
    for (uint32_t k = first_stretch(s, first); k < first_stretch(s, end); k++) {
        const HcStretch *of = &s->stretches[k];
        if (of->owner != hc_ranks_rank(s->ranks))
            s->messages[count++] = (HcMessage){of->owner, false, slab + of->at, (size_t)of->bytes};
    }
    return count;
}

static uint32_t list_outgoing(const HcShards *s, uint32_t first, uint32_t end, uint8_t *slab,
                              uint32_t count) {
    const int32_t me = hc_ranks_rank(s->ranks), size = hc_ranks_size(s->ranks);
    for (int32_t other = 1; other < size; other++)
        for (uint32_t k = first_stretch(s, first); k < first_stretch(s, end); k++) {
            const HcStretch *of = &s->stretches[k];
            if (of->owner == me)
                s->messages[count++] =
                    (HcMessage){(me + other) % size, true, slab + of->at, (size_t)of->bytes};
        }
    return count;
}

uint32_t hc_shards_incoming(const HcShards *s, uint32_t first, uint32_t end, void *slab) {
    return list_incoming(s, first, end, slab, 0);
}

uint32_t hc_shards_outgoing(const HcShards *s, uint32_t first, uint32_t end, void *slab) {
    return list_outgoing(s, first, end, slab, 0);
}

HcStatus hc_shards_hand_out(const HcShards *s, void *slab, HcError *error) {
    if (!s->ranks)
        return HC_OK;
    uint32_t count = list_incoming(s, 0, s->n_buckets, slab, 0);
    count = list_outgoing(s, 0, s->n_buckets, slab, count);
    return hc_ranks_exchange(s->ranks, s->messages, count, error);
}

/* --- life --------------------------------------------------------------------------------------*/

HcStatus hc_shards_create(HcShards *s, const HcPlan *plan, const HcRecipe *recipe, HcRanks *ranks,
                          HcError *error) {
    *s = (HcShards){.ranks = ranks};
    HcStatus status = make_chunks(s, plan, error);
    if (status == HC_OK)
        status = find_sums(s, plan, error);
    if (status == HC_OK && ranks)
        status = deal_out(s, plan, recipe, error);
    if (status == HC_OK)
        place_own(s, plan, recipe);
    if (status == HC_OK && ranks)
        status = make_turns(s, plan, error);
    if (status == HC_OK && ranks)
        status = make_stretches(s, plan, error);
    if (status != HC_OK)
        hc_shards_destroy(s);
    return status;
}

void hc_shards_destroy(HcShards *s) {
    free(s->chunks);
    free(s->first);
    free(s->sum);
    free(s->ready);
    free(s->after);
    free(s->turn);
    free(s->reader);
    free(s->needs);
    free(s->own);
    free(s->own_ends);
    free(s->stretches);
    free(s->ends);
    free(s->messages);
    *s = (HcShards){0};
}
