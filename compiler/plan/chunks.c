/* Chunks: what is wide at every position is made and used a chunk of positions at a time.
 *
 * Requires: all calls in order, their buffers still naming values. Changes: the order of calls, and
 * plan->chunks, which says what the runtime walks chunk by chunk. A value that only such calls
 * touch has memory for one chunk.
 *
 *     logits = gemm h, E             ┐ forward    │ positions 0 .. 511, then
 *     losses = kernel logits         ┘            │ positions 512 .. 1023,
 *     g      = kernel logits, losses ┐            │ and so on
 *     dh     = gemm g, E             │ backward   │
 *     dE    += gemm g, h             ┘            │
 *
 * A run of calls can be walked like that when each treats positions alike: kernels of positions,
 * and matrix products whose rows are positions or that sum over them. Where the forward and the
 * backward run touch and nothing comes between them, both are one walk; a backward pass by itself
 * makes wide forward values again.
 *
 * Calls move for that: those that the walk needs come before it, those that need what it sums come
 * after. */
#include "abi/layout.h"
#include "plan/plan_internal.h"
#include <string.h>

enum { MAX_WIDE = 64 };

/* What may read a value, as far as calls have been ordered. */
typedef enum {
    FREE,    /* anybody */
    CHUNK,   /* the walk, at the same positions; others after it */
    SUMMED,  /* by the walk; others after it */
    AFTER_IT /* only what comes after the walk */
} State;

typedef enum { BEFORE, WITHIN, AFTER } Place;

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *within;    /* by call: in the walk */
    bool *tried;     /* by call: with the values at hand */
    uint8_t *states; /* by value */
    uint8_t *places; /* by call */
} Chunks;

/* The value a buffer stands for; 0 for partial results. */
static TirId value_of(const CallBuffer *buffer) {
    return buffer->region == REGION_NONE ? buffer->index : 0;
}

static uint64_t elements(const Chunks *c, TirId id) {
    return tir_element_count(&tir_node(c->block, id)->type);
}

/* The memory of a chunk is counted in positions of the first space. */
static bool over_positions(TirDomain d) {
    return d.sample && d.space == 1;
}

static bool crosses_positions(const Chunks *c, const Group *group) {
    for (uint32_t k = 0; k < group->values.count; k++)
        if (plan_reads_across(tir_node(c->block, group->values.at[k])))
            return true;
    return false;
}

/* Whether `call` can be done a chunk of positions at a time, `wide` being chunked. */
static bool can_chunk(const Chunks *c, const Call *call, TirId wide) {
    if (!over_positions(call->domain))
        return false;
    if (call->kind == CALL_KERNEL)
        return !crosses_positions(c, call->group);
    if (call->kind != CALL_GEMM)
        return false;
    TirId b = value_of(&call->buffers.at[1]), to = value_of(&call->buffers.at[2]);
    return call->gemm.m_per_instance ? b != wide : call->gemm.k_per_instance && to != wide;
}

static bool touches(const Call *call, TirId value) {
    for (uint32_t k = 0; k < call->buffers.count; k++)
        if (value_of(&call->buffers.at[k]) == value)
            return true;
    return false;
}

/* Adds the calls that touch `wide` to those tried; false when one of them sees more than a chunk.
 */
static bool try_value(Chunks *c, TirId wide) {
    for (uint32_t k = 0; k < c->plan->calls.count; k++) {
        const Call *call = &c->plan->calls.at[k];
        if (!touches(call, wide))
            continue;
        if (!can_chunk(c, call, wide))
            return false;
        c->tried[k] = true;
    }
    return true;
}

static bool order_within(Chunks *c, const Call *call) {
    for (uint32_t k = 0; k < call->buffers.count; k++) {
        TirId value = value_of(&call->buffers.at[k]);
        State state = c->states[value];
        if (state == AFTER_IT || (k < call->n_reads && state == SUMMED))
            return false;
    }
    for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
        TirId value = value_of(&call->buffers.at[k]);
        c->states[value] = over_positions(tir_node(c->block, value)->type.domain) ? CHUNK : SUMMED;
    }
    return true;
}

static Place order_other(Chunks *c, const Call *call, Place last) {
    bool after = call->kind == CALL_REDUCE && !value_of(&call->buffers.at[0]) && last != BEFORE;
    for (uint32_t k = 0; k < call->buffers.count; k++)
        after |= c->states[value_of(&call->buffers.at[k])] != FREE;
    for (uint32_t k = call->n_reads; after && k < call->buffers.count; k++)
        if (value_of(&call->buffers.at[k]))
            c->states[value_of(&call->buffers.at[k])] = AFTER_IT;
    return after ? AFTER : BEFORE;
}

/* Where each call would come; false when the walk would need what it sums itself. */
static bool order(Chunks *c) {
    memset(c->states, 0, c->block->nodes.count * sizeof *c->states);
    Place last = BEFORE; /* of the last kernel, for the sums of its partial results */
    for (uint32_t k = 0; k < c->plan->calls.count; k++) {
        const Call *call = &c->plan->calls.at[k];
        if (c->tried[k] && !order_within(c, call))
            return false;
        c->states[0] = FREE; /* partial results are told apart by `last` */
        c->places[k] = c->tried[k] ? WITHIN : order_other(c, call, last);
        if (call->kind == CALL_KERNEL)
            last = c->places[k];
    }
    return true;
}

/* The widest values at a position, the widest first; of equal ones the first. */
static uint32_t find_wide(const Chunks *c, TirId *wide) {
    const TirIdVec *stored = &c->plan->stored;
    bool *kept = ARENA_ARRAY(c->plan->arena, bool, c->block->nodes.count);
    for (uint32_t k = 0; k < c->plan->program->outputs.count; k++) {
        const TirOutput *out = &c->plan->program->outputs.at[k];
        if (out->role != TIR_OUT_LOGITS)
            kept[tir_storage(c->block, out->value)] = true;
    }
    uint32_t n = 0;
    for (uint32_t k = 0; k < stored->count; k++) {
        TirId id = stored->at[k];
        const TirType *type = &tir_node(c->block, id)->type;
        bool own = c->plan->buffer[id].region == REGION_NONE && type->elem == TIR_REAL;
        if (!own || kept[id] || !over_positions(type->domain) || elements(c, id) < CHUNK_ELEMENTS ||
            plan_slot_bytes(c->plan, id) > INT32_MAX) /* as buffers say it */
            continue;
        if (n == MAX_WIDE && elements(c, wide[n - 1]) >= elements(c, id))
            continue;
        uint32_t at = n < MAX_WIDE ? n++ : n - 1;
        for (; at > 0 && elements(c, wide[at - 1]) < elements(c, id); at--)
            wide[at] = wide[at - 1];
        wide[at] = id;
    }
    return n;
}

/* Values that hang together by calls are chunked together or not at all: whatever is wide and
 * touched by a call of the walk. */
static void choose(Chunks *c) {
    Plan *plan = c->plan;
    TirId wide[MAX_WIDE];
    uint32_t n = find_wide(c, wide), n_calls = plan->calls.count;
    bool chosen[MAX_WIDE] = {0};
    for (uint32_t w = 0; w < n; w++) {
        if (chosen[w])
            continue;
        bool with[MAX_WIDE] = {0}, grown = true, fits = true;
        memcpy(c->tried, c->within, n_calls * sizeof *c->tried);
        with[w] = true;
        fits = try_value(c, wide[w]);
        while (fits && grown) {
            grown = false;
            for (uint32_t v = 0; v < n && fits; v++) {
                bool joined = false;
                for (uint32_t k = 0; k < n_calls && !with[v] && !chosen[v]; k++)
                    joined |= c->tried[k] && touches(&plan->calls.at[k], wide[v]);
                if (!joined)
                    continue;
                with[v] = grown = true;
                fits = try_value(c, wide[v]);
            }
        }
        if (!fits || !order(c))
            continue;
        memcpy(c->within, c->tried, n_calls * sizeof *c->within);
        for (uint32_t v = 0; v < n; v++)
            chosen[v] |= with[v];
    }
    for (uint32_t v = 0; v < n; v++)
        if (chosen[v])
            plan->buffer[wide[v]] = (CallBuffer){.region = REGION_CHUNK,
                                                 .element = plan->slots.at[wide[v]].element,
                                                 .index = (uint32_t)plan_slot_bytes(plan, wide[v])};
}

/* Brings calls first .. last - 1 into the order BEFORE, WITHIN, AFTER. */
static void reorder(const Chunks *c, uint32_t first, uint32_t last, uint32_t range[2]) {
    Plan *plan = c->plan;
    Call *calls = ARENA_ARRAY(plan->arena, Call, last - first + 1);
    uint32_t n = 0;
    for (Place place = BEFORE; place <= AFTER; place++) {
        if (place == WITHIN)
            range[0] = first + n;
        for (uint32_t k = first; k < last; k++)
            if (c->places[k] == place)
                calls[n++] = plan->calls.at[k];
        if (place == WITHIN)
            range[1] = first + n;
    }
    memcpy(&plan->calls.at[first], calls, n * sizeof *calls);
}

/* A backward pass by itself runs again what makes the chunked values that it reads. */
static void find_repeated(Chunks *c) {
    Plan *plan = c->plan;
    bool *wanted = ARENA_ARRAY(plan->arena, bool, c->block->nodes.count);
    for (uint32_t pass = 0; pass < 2; pass++) {
        const uint32_t *range = pass ? plan->chunks.forward : plan->chunks.backward;
        for (uint32_t k = range[1]; k-- > range[0];) {
            Call *call = &plan->calls.at[k];
            for (uint32_t b = call->n_reads; pass && b < call->buffers.count; b++)
                call->repeated |= wanted[value_of(&call->buffers.at[b])];
            for (uint32_t b = 0; (!pass || call->repeated) && b < call->n_reads; b++) {
                TirId value = value_of(&call->buffers.at[b]);
                wanted[value] |= plan->buffer[value].region == REGION_CHUNK;
            }
        }
    }
}

/* Partial results of the walk wait for its end: they lie behind those of all other calls. */
static void place_partial(Plan *plan) {
    uint64_t others = plan->region_bytes[REGION_PARTIAL], size = others;
    for (uint32_t pass = 0; pass < 2; pass++) {
        const uint32_t *range = pass ? plan->chunks.backward : plan->chunks.forward;
        uint32_t end = pass ? plan->calls.count : plan->n_forward_calls;
        for (uint32_t k = range[0]; k < range[1]; k++) {
            Call *call = &plan->calls.at[k];
            uint64_t top = size;
            for (uint32_t b = 0; b < call->buffers.count; b++) {
                CallBuffer *partial = &call->buffers.at[b];
                if (partial->region != REGION_PARTIAL)
                    continue;
                partial->offset += size;
                for (uint32_t r = range[1]; r < end; r++) /* its sum, by the value */
                    if (plan->calls.at[r].kind == CALL_REDUCE &&
                        plan->calls.at[r].value == partial->index)
                        plan->calls.at[r].buffers.at[0].offset = partial->offset;
                const uint64_t used = partial->offset + plan_partial_bytes(plan, partial->index);
                top = used > top ? used : top;
            }
            size = top;
        }
    }
    plan->region_bytes[REGION_PARTIAL] = size;
}

void plan_chunks(Plan *plan) {
    Chunks c = {.plan = plan, .block = plan->program->block};
    uint32_t n = plan->calls.count, n_forward = plan->n_forward_calls;
    c.within = ARENA_ARRAY(plan->arena, bool, n + 1);
    c.tried = ARENA_ARRAY(plan->arena, bool, n + 1);
    c.places = ARENA_ARRAY(plan->arena, uint8_t, n + 1);
    c.states = ARENA_ARRAY(plan->arena, uint8_t, c.block->nodes.count);
    plan->chunks.forward[0] = plan->chunks.forward[1] = n_forward;
    plan->chunks.backward[0] = plan->chunks.backward[1] = n_forward;
    choose(&c);
    bool any = false;
    for (uint32_t k = 0; k < n; k++)
        any |= c.within[k];
    if (!any)
        return;
    memcpy(c.tried, c.within, n * sizeof *c.tried);
    order(&c);
    reorder(&c, 0, n_forward, plan->chunks.forward);
    reorder(&c, n_forward, n, plan->chunks.backward);
    plan->chunks.positions = HC_SUM_POSITIONS;
    find_repeated(&c);
    place_partial(plan);
}
