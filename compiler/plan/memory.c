/* Memory plan: slots get buffers.
 *
 * Requires: calls that name slots. Fills plan->buffer, tables and region_bytes, and puts buffers in
 * the place of slots in calls. Changes nothing else.
 *
 * A buffer lives from the call that writes it to the last that reads it; outputs live to the end,
 * and what extend.c keeps lives through the forward pass.
 * Regions are packed apart, each in bytes per unit of its count (a position, a sample, ...), so one
 * plan serves every batch and length: address = region base + offset * count. A parameter's
 * gradient is written where it belongs, and so is what a caller wants in its own memory. First fit
 * by offset, in order of definition. */
#include "abi/layout.h"
#include "plan/lives.h"
#include "plan/plan_internal.h"
#include <string.h>

typedef struct {
    Plan *plan;
    const TirBlock *block;
    Lives lives; /* of slots, by call */
    bool *saved; /* by slot: what the caller keeps between the passes */
} Placement;

Region plan_region(TirDomain d) {
    if (!d.space)
        return d.sample ? REGION_SAMPLE : REGION_GLOBAL;
    if (d.space == 1)
        return d.sample ? REGION_POSITION : REGION_TIME;
    return (Region)((d.sample ? REGION_POSITION_2 : REGION_TIME_2) +
                    (d.space - 2) * HC_WORDS_OF_SPACE);
}

/* What a region's units are of. */
static TirDomain domain_of(Region region) {
    for (uint8_t space = 1; space <= HC_SPACES_MOST; space++)
        for (uint8_t sample = 0; sample < 2; sample++)
            if (plan_region((TirDomain){sample, space}) == region)
                return (TirDomain){sample, space};
    return (TirDomain){region == REGION_SAMPLE, 0};
}

Element plan_real(const PlanOptions *options) {
    static const uint8_t reals[HC_PRECISION_COUNT] = {
#define HC_PRECISION(ident, text, real) [HC_PRECISION_##ident] = ELEMENT_##real,
#include "abi/words.def"
    };
    return (Element)reals[options->precision];
}

Element plan_element(const PlanOptions *options, const TirType *type) {
    return type->elem == TIR_REAL ? plan_real(options) : ELEMENT_I32;
}

uint64_t plan_element_bytes(Element element) {
    static const uint8_t bytes[ELEMENT_COUNT] = {
#define HC_ELEMENT(ident, text, bytes) [ELEMENT_##ident] = bytes,
#include "abi/words.def"
    };
    return bytes[element];
}

uint64_t plan_type_bytes(const PlanOptions *options, const TirType *type) {
    return tir_element_count(type) * plan_element_bytes(plan_element(options, type));
}

uint64_t plan_value_bytes(const Plan *plan, TirId value) {
    return plan_type_bytes(&plan->options, &tir_node(plan->program->block, value)->type);
}

/* So that every buffer begins at a multiple of HC_ALIGN, whatever lies before it. */
uint64_t plan_slot_bytes(const Plan *plan, uint32_t slot) {
    const PlanSlot *of = &plan->slots.at[slot];
    const TirType *type = &tir_node(plan->program->block, of->value)->type;
    const uint64_t bytes = tir_element_count(type) * plan_element_bytes(of->element);
    return plan_region(type->domain) == REGION_GLOBAL ? hc_align(bytes) : hc_align_unit(bytes);
}

uint64_t plan_partial_bytes(const Plan *plan, TirId sum) {
    return hc_align(plan_value_bytes(plan, sum));
}

/* What a chunked walk touches lives through all of it, for the walk comes back; only what a chunk
 * holds itself follows the calls. */
static void widen_to_walk(Placement *m) {
    const Plan *plan = m->plan;
    const uint32_t walk = plan->chunks.forward[0], end = plan->chunks.backward[1];
    for (uint32_t slot = 0; plan->chunks.positions && slot < plan->slots.count; slot++) {
        uint32_t *first = &m->lives.first[slot], *last = &m->lives.last[slot];
        if (plan->buffer[slot].region == REGION_CHUNK)
            continue;
        if (*first >= walk && *first < end)
            *first = walk;
        if (*last >= walk && *last < end)
            *last = end - 1;
    }
}

/* They come first, as place_buffers goes by definition. */
static void widen_kept(Placement *m) {
    const Plan *plan = m->plan;
    const bool *kept = plan->extend.kept;
    if (!kept)
        return;
    TirIdVec born = {0};
    for (int others = 0; others < 2; others++)
        for (uint32_t k = 0; k < m->lives.born.count; k++)
            if (kept[m->lives.born.at[k]] != others)
                vec_push(plan->arena, &born, m->lives.born.at[k]);
    memcpy(m->lives.born.at, born.at, born.count * sizeof *born.at);
    for (uint32_t slot = 0; slot < plan->slots.count; slot++) {
        if (!kept[slot] || m->lives.first[slot] == NEVER)
            continue;
        m->lives.first[slot] = 0;
        if (m->lives.last[slot] < plan->n_forward_calls)
            m->lives.last[slot] = plan->n_forward_calls - 1;
    }
}

/* Between the passes other calls of the program may run: what the forward pass leaves to the
 * backward pass is the caller's to keep. Nothing where the passes follow each other. */
static void find_saved(Placement *m) {
    const Plan *plan = m->plan;
    const uint32_t forward = plan->n_forward_calls;
    m->saved = ARENA_ARRAY(plan->arena, bool, plan->slots.count);
    for (uint32_t slot = 0; slot < plan->slots.count && plan_is_called(plan->program); slot++)
        m->saved[slot] = m->lives.first[slot] < forward && m->lives.last[slot] != NEVER &&
                         m->lives.last[slot] >= forward;
}

static void find_lives(Placement *m) {
    Plan *plan = m->plan;
    m->lives = lives_create(plan->arena, plan->slots.count);
    for (uint32_t c = 0; c < plan->calls.count; c++)
        lives_touch(&m->lives, c, &plan->calls.at[c], NULL);
    widen_to_walk(m);
    find_saved(m);
    widen_kept(m);
    lives_keep_outputs(&m->lives, plan->program, FOR_EVER);
}

/* First fit: the lowest offset free for the whole interval. A region is kept as its gaps,
 * which are few, for what lives long lies side by side. The last gap has no end. */
typedef struct {
    uint64_t from, to;
} Gap;

typedef struct {
    VEC(Gap) gaps; /* in order, none empty, none touching the next */
} RegionGaps;

static const uint64_t NO_END = UINT64_MAX;

static uint64_t region_take(RegionGaps *r, uint64_t size) {
    uint32_t k = 0;
    while (r->gaps.at[k].to - r->gaps.at[k].from < size)
        k++;
    Gap *gap = &r->gaps.at[k];
    const uint64_t at = gap->from;
    gap->from += size;
    if (gap->from == gap->to) {
        r->gaps.count--;
        memmove(gap, gap + 1, (r->gaps.count - k) * sizeof *gap);
    }
    return at;
}

static void region_give(Plan *plan, RegionGaps *r, Gap given) {
    uint32_t k = 0;
    while (r->gaps.at[k].to < given.from)
        k++;
    Gap *gap = &r->gaps.at[k];
    if (gap->to == given.from) { /* the next may touch, too */
        gap->to = given.to;
        if (gap[1].from == given.to) {
            gap->to = gap[1].to;
            r->gaps.count--;
            memmove(gap + 1, gap + 2, (r->gaps.count - k - 1) * sizeof *gap);
        }
    } else if (gap->from == given.to) {
        gap->from = given.from;
    } else {
        vec_push(plan->arena, &r->gaps, given);
        gap = &r->gaps.at[k];
        memmove(gap + 1, gap, (r->gaps.count - k - 1) * sizeof *gap);
        *gap = given;
    }
}

/* Buffers by the last call that uses them, to be given back before a later one is defined. */
typedef struct {
    TirId *slots;   /* by call: the first slot that ends there, 0 = none */
    TirId *another; /* by slot: one more of the same call */
    uint32_t given; /* calls before this one have given theirs back */
} Endings;

static void give_back(Placement *m, RegionGaps *regions, Endings *e, uint32_t call) {
    Plan *plan = m->plan;
    for (; e->given < call; e->given++)
        for (TirId slot = e->slots[e->given]; slot; slot = e->another[slot]) {
            const CallBuffer *buffer = &plan->buffer[slot];
            region_give(plan, &regions[buffer->region],
                        (Gap){buffer->offset, buffer->offset + plan_slot_bytes(plan, slot)});
        }
}

/* All of it is there at once, when the forward pass has ended. */
static void place_saved(Placement *m) {
    Plan *plan = m->plan;
    for (uint32_t k = 0; k < m->lives.born.count; k++) {
        const uint32_t slot = m->lives.born.at[k];
        CallBuffer *buffer = &plan->buffer[slot];
        if (!m->saved[slot] || buffer->region != REGION_NONE)
            continue;
        const PlanSlot *of = &plan->slots.at[slot];
        const Region region = plan_region(tir_node(m->block, of->value)->type.domain);
        *buffer = (CallBuffer){region, of->element, plan->region_bytes[region], slot};
        plan->region_bytes[region] += plan_slot_bytes(plan, slot);
    }
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++)
        if (region != REGION_PARTIAL && region != REGION_CHUNK)
            plan->saved_bytes[region] = plan->region_bytes[region];
}

static void place_buffers(Placement *m) {
    Plan *plan = m->plan;
    RegionGaps regions[REGION_NONE] = {0};
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++)
        vec_push(plan->arena, &regions[region].gaps, (Gap){plan->saved_bytes[region], NO_END});
    Endings endings = {.slots = ARENA_ARRAY(plan->arena, TirId, plan->calls.count),
                       .another = ARENA_ARRAY(plan->arena, TirId, plan->slots.count)};
    for (uint32_t k = 0; k < m->lives.born.count; k++) {
        const uint32_t slot = m->lives.born.at[k];
        CallBuffer *buffer = &plan->buffer[slot];
        const bool chunked = buffer->region == REGION_CHUNK;
        if (buffer->region != REGION_NONE && !chunked)
            continue; /* it lies elsewhere */
        const PlanSlot *of = &plan->slots.at[slot];
        if (!chunked)
            *buffer =
                (CallBuffer){.region = plan_region(tir_node(m->block, of->value)->type.domain),
                             .element = of->element,
                             .index = slot};
        give_back(m, regions, &endings, m->lives.first[slot]);
        const uint64_t size = plan_slot_bytes(plan, slot);
        buffer->offset = region_take(&regions[buffer->region], size);
        if (buffer->offset + size > plan->region_bytes[buffer->region])
            plan->region_bytes[buffer->region] = buffer->offset + size;
        if (m->lives.last[slot] != FOR_EVER) {
            endings.another[slot] = endings.slots[m->lives.last[slot]];
            endings.slots[m->lives.last[slot]] = slot;
        }
    }
}

void plan_leaves(Plan *plan) {
    const TirBlock *block = plan->program->block;
    plan->buffer = ARENA_ARRAY(plan->arena, CallBuffer, plan->slots.count);
    for (uint32_t slot = 0; slot < plan->slots.count; slot++)
        plan->buffer[slot] =
            (CallBuffer){.region = REGION_NONE, .element = plan->slots.at[slot].element};
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (node->op != TIR_PARAM && node->op != TIR_INPUT)
            continue;
        plan->buffer[id].region = node->op == TIR_PARAM ? REGION_PARAMS : REGION_INPUT;
        plan->buffer[id].index = node->attr.index;
    }
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *out = &plan->program->outputs.at[k];
        CallBuffer *buffer = &plan->buffer[tir_storage(block, out->value)];
        if (out->role == TIR_OUT_GRAD && buffer->region == REGION_NONE) {
            buffer->region = REGION_GRADS;
            buffer->index = out->index;
        }
    }
    for (TirId id = 1; id < block->nodes.count; id++)
        if (plan->output[id]) {
            plan->buffer[id].region = REGION_OUTPUT;
            plan->buffer[id].index = plan->output[id] - 1;
        }
}

/* Tables that a call or the caller reads live at the end of the global region for ever. */
static void place_tables(Placement *m) {
    Plan *plan = m->plan;
    for (TirId id = 1; id < m->block->nodes.count; id++) {
        const TirNode *node = tir_node(m->block, id);
        if (node->op != TIR_TABLE || m->lives.last[id] == NEVER)
            continue;
        const CallBuffer buffer = {.region = REGION_GLOBAL,
                                   .element = plan->slots.at[id].element,
                                   .offset = plan->region_bytes[REGION_GLOBAL],
                                   .index = id};
        plan->region_bytes[REGION_GLOBAL] += plan_slot_bytes(plan, id);
        plan->buffer[id] = buffer;
        PlanTable table = {id, buffer};
        vec_push(plan->arena, &plan->tables, table);
    }
}

void plan_pack(Plan *plan) {
    Placement m = {.plan = plan, .block = plan->program->block};
    const CallBuffer *before = plan->buffer; /* says what is chunked */
    plan_leaves(plan);
    for (TirId id = 1; id < m.block->nodes.count; id++)
        if (before[id].region == REGION_CHUNK)
            plan->buffer[id] = before[id];
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++)
        if (region != REGION_PARTIAL)
            plan->region_bytes[region] = 0;
    plan->tables.count = 0;
    find_lives(&m);
    place_saved(&m);
    place_buffers(&m);
    place_tables(&m);
}

void plan_memory(Plan *plan) {
    plan_pack(plan);
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        Call *call = &plan->calls.at[c];
        for (uint32_t k = 0; k < call->buffers.count; k++) {
            CallBuffer *buffer = &call->buffers.at[k];
            if (buffer->region == REGION_NONE)
                *buffer = plan->buffer[buffer->index];
        }
    }
}

/* --- the size of it ----------------------------------------------------------------------------*/

static uint64_t instances_of(const Plan *plan, TirDomain domain) {
    const PlanStep *step = &plan->options.step;
    uint64_t positions = 1;
    if (domain.space == 1)
        positions = step->positions;
    else if (domain.space && domain.space <= plan->program->spaces.count)
        positions = plan->program->spaces.at[domain.space - 1].maximum;
    return (domain.sample ? step->samples : 1) * positions;
}

static uint64_t tasks_of(const Plan *plan, const Call *call) {
    if (call->per_sample)
        return hc_sample_tasks(call->domain.sample, plan->options.step.samples, call->per_sample);
    return hc_tile_tasks(instances_of(plan, call->domain));
}

uint64_t plan_units(const Plan *plan, Region region) {
    uint64_t units = 1;
    if (region == REGION_PARTIAL) {
        for (uint32_t c = 0; c < plan->calls.count; c++) {
            const Call *call = &plan->calls.at[c];
            bool has_tasks = plan_runs_kernel(call) || call->kind == CALL_REDUCE;
            uint64_t tasks = has_tasks ? tasks_of(plan, call) : 1;
            units = tasks > units ? tasks : units;
        }
    } else if (region == REGION_CHUNK) {
        units = hc_chunk_units(plan->chunks.positions, instances_of(plan, (TirDomain){1, 1}));
    } else if (region != REGION_GLOBAL) {
        units = hc_units(instances_of(plan, domain_of(region)));
    }
    return units;
}

static bool is_chunked(const Plan *plan, uint32_t call) {
    const uint32_t *f = plan->chunks.forward, *b = plan->chunks.backward;
    return (call >= f[0] && call < f[1]) || (call >= b[0] && call < b[1]);
}

bool plan_keeps_packed(const Plan *plan, uint32_t call) {
    const GemmWork *g = &plan->calls.at[call].gemm;
    const TirBlock *block = plan->program->block;
    return is_chunked(plan, call) && !g->k_per_instance &&
           tir_node(block, tir_storage(block, g->b))->op == TIR_PARAM;
}

bool plan_packs_in_step(const Plan *plan) {
    return plan->program->n_forward > 0 && hc_precision_rounds(plan->options.precision) &&
           plan->options.step.packs && plan->options.step.most == 0;
}

bool plan_is_packed_in_step(const Plan *plan, const Call *call) {
    const TirBlock *block = plan->program->block;
    return plan_packs_in_step(plan) &&
           tir_node(block, tir_storage(block, call->gemm.b))->op == TIR_PARAM;
}

uint64_t plan_packed_in_step(const Plan *plan) {
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++) {
        const Call *call = &plan->calls.at[k];
        if (plan_has_product_kernels(call, PRODUCT_THIN) && plan_is_packed_in_step(plan, call) &&
            !plan_keeps_packed(plan, k))
            bytes += hc_packed_most(call->gemm.n, call->gemm.k, 2);
    }
    return bytes;
}

uint64_t plan_beside(const Plan *plan) {
    uint64_t most = 0, kept = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++) {
        const GemmWork *g = &plan->calls.at[k].gemm;
        const bool narrow = hc_precision_rounds(plan->options.precision);
        if (!plan_has_product_kernels(&plan->calls.at[k], narrow ? PRODUCT_THIN : PRODUCT_SIDE))
            continue; /* on no processor */
        const uint64_t units =
            plan_units(plan, is_chunked(plan, k) ? REGION_CHUNK : plan_region(g->domain));
        const uint64_t terms = g->k * (g->k_per_instance ? units : 1),
                       rows = g->m * (g->m_per_instance ? units : 1);
        uint64_t bytes = hc_packed_most(g->n, terms, narrow ? 2 : 4);
        bytes += narrow ? hc_packed_most(rows, terms, 2) : 0; /* both operands whole */
        if (plan_keeps_packed(plan, k) || plan_is_packed_in_step(plan, &plan->calls.at[k]))
            kept += hc_packed_most(g->n, g->k, narrow ? 2 : 4);
        most = bytes > most ? bytes : most;
    }
    return most + kept;
}

uint64_t plan_regions(const Plan *plan) {
    uint64_t bytes = 0;
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++) {
        uint64_t units = plan_units(plan, region), more;
        if (__builtin_mul_overflow(plan->region_bytes[region], units, &more) ||
            more > UINT64_MAX / 16)
            return UINT64_MAX; /* more than all */
        bytes += hc_align(more);
    }
    return bytes;
}

uint64_t plan_workspace(const Plan *plan) {
    const uint64_t regions = plan_regions(plan), beside = plan_beside(plan);
    return regions > UINT64_MAX - beside ? UINT64_MAX : regions + beside;
}
