/* Memory plan: groups and barriers become calls in order; values get buffers.
 *
 * Requires: groups with inputs, outputs and sums. Fills plan->calls, buffer, kernels, tables and
 * region_size. Changes nothing else.
 *
 * A buffer lives from the call that writes it to the last that reads it; outputs live to the end.
 * Regions are packed apart, each in elements per unit of its count (a position, a sample, ...), so
 * one plan serves every batch and length: address = region base + offset * count. A parameter's
 * gradient is written where it belongs. First fit by offset, in order of definition. */
#include "pass/group_key.h"
#include "pass/plan_internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t offset, size;
    uint32_t first, last; /* calls */
} Interval;

typedef struct {
    Plan *plan;
    const TirBlock *block;
    uint32_t *first, *last; /* by value: defining and last reading call; first UINT32_MAX = none */
    TirIdVec stored;        /* values in order of definition */
    Map *kernel_of;         /* group key -> index + 1 into plan->kernels */
} MemPlan;

enum { NEVER = UINT32_MAX, ALIGN_GLOBAL = 16 };

static Region region_of(TirDomain d) {
    if (d.sample)
        return d.space ? REGION_POSITION : REGION_SAMPLE;
    return d.space ? REGION_TIME : REGION_GLOBAL;
}

static void define(MemPlan *m, TirId id) {
    if (m->first[id] != NEVER)
        return;
    m->first[id] = m->last[id] = m->plan->calls.count;
    vec_push(m->plan->arena, &m->stored, id);
}

/* `id` (or what it is a view of in memory) is read by the call about to be pushed. */
static TirId use(MemPlan *m, TirId id) {
    id = plan_storage(m->block, id);
    m->last[id] = m->plan->calls.count;
    return id;
}

static Buffer placeholder(TirId id) {
    return (Buffer){.region = REGION_NONE, .index = id};
}

static void push_call(MemPlan *m, Call call) {
    vec_push(m->plan->arena, &m->plan->calls, call);
}

static uint32_t kernel_for(MemPlan *m, CallKind kind, const Group *group, TirId value,
                           const char *name) {
    size_t length;
    const void *key =
        group ? group_key(m->plan, group, &length) : single_key(m->plan, value, &length);
    void **slot = map_slot(m->kernel_of, key, length);
    if (!*slot) {
        PlanKernel kernel = {kind, group, value, name};
        vec_push(m->plan->arena, &m->plan->kernels, kernel);
        *slot = (void *)(uintptr_t)m->plan->kernels.count;
    }
    return (uint32_t)(uintptr_t)*slot - 1;
}

static const char *group_name(MemPlan *m, const Group *group) {
    const char *first = NULL, *last = NULL;
    for (uint32_t k = 0; k < group->values.count; k++) {
        const char *name = tir_node(m->block, group->values.at[k])->name;
        if (name && !first)
            first = name;
        if (name)
            last = name;
    }
    if (!first)
        first = last = tir_op_name(tir_node(m->block, group->values.at[0])->op);
    return arena_printf(m->plan->arena, "%s_%s%s%s", group->backward ? "bwd" : "fwd", first,
                        first == last ? "" : "_", first == last ? "" : last);
}

static void emit_group(MemPlan *m, Group *group) {
    Plan *plan = m->plan;
    Call call = {.kind = CALL_KERNEL,
                 .domain = group->domain,
                 .value = group->values.at[0],
                 .n_reads = group->inputs.count,
                 .group = group};
    call.kernel = group->kernel = kernel_for(m, CALL_KERNEL, group, 0, group_name(m, group));
    call.label = plan->kernels.at[call.kernel].name;
    for (uint32_t k = 0; k < group->inputs.count; k++)
        vec_push(plan->arena, &call.buffers, placeholder(use(m, group->inputs.at[k])));
    for (uint32_t k = 0; k < group->outputs.count; k++) {
        define(m, group->outputs.at[k]);
        vec_push(plan->arena, &call.buffers, placeholder(group->outputs.at[k]));
    }
    uint64_t partial = 0;
    for (uint32_t k = 0; k < group->sums.count; k++) {
        uint64_t size = tir_element_count(&tir_node(m->block, group->sums.at[k])->type);
        Buffer buffer = {.region = REGION_PARTIAL, .offset = partial, .index = group->sums.at[k]};
        vec_push(plan->arena, &call.buffers, buffer);
        partial += (size + ALIGN_GLOBAL - 1) / ALIGN_GLOBAL * ALIGN_GLOBAL;
    }
    push_call(m, call);
    if (partial > plan->region_size[REGION_PARTIAL])
        plan->region_size[REGION_PARTIAL] = partial;
    partial = 0;
    for (uint32_t k = 0; k < group->sums.count; k++) {
        TirId sum = group->sums.at[k];
        uint64_t size = tir_element_count(&tir_node(m->block, sum)->type);
        define(m, sum);
        Call reduce = {.kind = CALL_REDUCE,
                       .domain = group->domain,
                       .n_reads = 1,
                       .elements = size,
                       .value = sum,
                       .label = "reduce"};
        vec_push(plan->arena, &reduce.buffers,
                 (Buffer){.region = REGION_PARTIAL, .offset = partial});
        vec_push(plan->arena, &reduce.buffers, placeholder(sum));
        push_call(m, reduce);
        partial += (size + ALIGN_GLOBAL - 1) / ALIGN_GLOBAL * ALIGN_GLOBAL;
    }
}

static void emit_gemm(MemPlan *m, TirId id) {
    Plan *plan = m->plan;
    const GemmWork *g = &plan->gemm[id];
    Call call = {.kind = CALL_GEMM,
                 .domain = g->domain,
                 .gemm = *g,
                 .value = id,
                 .label = "gemm",
                 .n_reads = 2};
    vec_push(plan->arena, &call.buffers, placeholder(use(m, g->a)));
    vec_push(plan->arena, &call.buffers, placeholder(use(m, g->b)));
    call.gemm.accumulate = m->first[g->into] != NEVER;
    define(m, g->into);
    vec_push(plan->arena, &call.buffers, placeholder(use(m, g->into)));
    push_call(m, call);
}

/* Attention: operands, then every result, wanted or not. */
static void emit_attend(MemPlan *m, TirId id, const TirId *results) {
    Plan *plan = m->plan;
    const TirNode *node = tir_node(m->block, id);
    Call call = {.kind = CALL_ATTEND,
                 .domain = node->result_types[0].domain,
                 .value = id,
                 .n_reads = node->n_operands};
    call.label = tir_op_name(node->op);
    call.kernel = kernel_for(m, CALL_ATTEND, NULL, id, call.label);
    /* The forward has a task per query head, the backward one per key head. */
    uint32_t heads_of = node->op == TIR_ATTEND ? 0 : 1;
    call.per_sample = tir_node(m->block, node->operands[heads_of])->type.dims[0];
    for (uint32_t k = 0; k < node->n_operands; k++)
        vec_push(plan->arena, &call.buffers, placeholder(use(m, node->operands[k])));
    for (uint32_t k = 0; k < node->n_results; k++) {
        define(m, results[k]);
        vec_push(plan->arena, &call.buffers, placeholder(results[k]));
    }
    push_call(m, call);
}

static void emit_fold(MemPlan *m, TirId id) {
    Plan *plan = m->plan;
    const TirNode *node = tir_node(m->block, id);
    Call call = {.kind = CALL_FOLD, .domain = node->type.domain, .value = id, .n_reads = 1};
    call.label = "sum_instances";
    call.kernel = kernel_for(m, CALL_FOLD, NULL, id, call.label);
    vec_push(plan->arena, &call.buffers, placeholder(use(m, node->operands[0])));
    define(m, id);
    vec_push(plan->arena, &call.buffers, placeholder(id));
    push_call(m, call);
}

static void emit_scatter(MemPlan *m, TirId id) {
    Plan *plan = m->plan;
    const TirNode *node = tir_node(m->block, id);
    const TirType *index = &tir_node(m->block, node->operands[0])->type;
    const TirType *values = &tir_node(m->block, node->operands[1])->type;
    uint64_t elements = tir_element_count(&node->type);
    const TirId into = plan->gemm[id].into;
    Call zero = {.kind = CALL_ZERO,
                 .domain = node->type.domain,
                 .value = id,
                 .label = "zero",
                 .elements = elements};
    vec_push(plan->arena, &zero.buffers, placeholder(into));
    if (m->first[into] == NEVER) {
        define(m, into);
        push_call(m, zero);
    }
    Call call = {.kind = CALL_SCATTER,
                 .domain = plan_run_domain(m->block, id),
                 .n_reads = 2,
                 .value = id,
                 .label = "scatter_add",
                 .elements = elements / node->attr.rows,
                 .rows = node->attr.rows,
                 .indices = tir_element_count(index),
                 .scatter_domains = {index->domain, values->domain, node->type.domain}};
    vec_push(plan->arena, &call.buffers, placeholder(use(m, node->operands[0])));
    vec_push(plan->arena, &call.buffers, placeholder(use(m, node->operands[1])));
    vec_push(plan->arena, &call.buffers, placeholder(use(m, into)));
    push_call(m, call);
}

static void emit_barrier(MemPlan *m, TirId id, TirId *const *results_of) {
    switch (m->plan->work[id]) {
    case WORK_GEMM:
        emit_gemm(m, id);
        break;
    case WORK_ATTEND:
        emit_attend(m, id, results_of[id]);
        break;
    case WORK_FOLD:
        emit_fold(m, id);
        break;
    case WORK_SCATTER:
        emit_scatter(m, id);
        break;
    default:
        break;
    }
}

/* RESULT nodes of each attention. */
static TirId **find_results(MemPlan *m) {
    uint32_t count = m->block->nodes.count;
    TirId **results = ARENA_ARRAY(m->plan->arena, TirId *, count);
    for (TirId id = 1; id < count; id++) {
        const TirNode *node = tir_node(m->block, id);
        if (m->plan->work[id] != WORK_ATTEND)
            continue;
        if (node->op == TIR_RESULT)
            results[node->operands[0]][node->attr.index] = id;
        else
            results[id] = ARENA_ARRAY(m->plan->arena, TirId, node->n_results);
    }
    return results;
}

/* Parameters that have the same gradient: the first has it in place, the others get copies (a
 * reduction over one partial result is one). */
static void copy_shared_gradients(MemPlan *m) {
    Plan *plan = m->plan;
    Map *first = map_create(plan->arena);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *out = &plan->program->outputs.at[k];
        if (out->role != TIR_OUT_GRAD)
            continue;
        TirId root = plan_storage(m->block, out->value);
        void **slot = map_slot_u64(first, root);
        if (*slot) {
            Call copy = {.kind = CALL_REDUCE,
                         .domain = TIR_GLOBAL,
                         .n_reads = 1,
                         .value = root,
                         .label = "copy",
                         .elements = tir_element_count(&tir_node(m->block, root)->type)};
            vec_push(plan->arena, &copy.buffers, placeholder(root));
            vec_push(plan->arena, &copy.buffers,
                     (Buffer){.region = REGION_GRADS, .index = out->index});
            push_call(m, copy);
        }
        *slot = (void *)(uintptr_t)1;
    }
}

static void emit_calls(MemPlan *m) {
    Plan *plan = m->plan;
    uint32_t count = m->block->nodes.count, top = 0;
    TirId **results_of = find_results(m);
    for (TirId id = 1; id < count; id++)
        if (plan->work[id] != WORK_NONE && plan->level[id] > top)
            top = plan->level[id];
    TirIdVec *barriers = ARENA_ARRAY(plan->arena, TirIdVec, top + 1);
    for (TirId id = 1; id < count; id++)
        if (plan_is_barrier(plan->work[id]) && tir_node(m->block, id)->op != TIR_RESULT)
            vec_push(plan->arena, &barriers[plan->level[id]], id);
    uint32_t g = 0;
    plan->n_forward_calls = NEVER;
    for (uint32_t level = 0; level <= top; level++) {
        if (level == plan->first_backward_level)
            plan->n_forward_calls = plan->calls.count;
        for (; g < plan->groups.count && plan->groups.at[g]->level == level; g++)
            emit_group(m, plan->groups.at[g]);
        for (uint32_t k = 0; k < barriers[level].count; k++)
            emit_barrier(m, barriers[level].at[k], results_of);
    }
    if (plan->n_forward_calls == NEVER)
        plan->n_forward_calls = plan->calls.count;
    copy_shared_gradients(m);
}

/* First fit: the lowest offset free for the whole interval. Intervals that ended before the current
 * definition leave the list, so it stays as short as what is alive. */
typedef struct {
    VEC(Interval) live; /* sorted by offset */
} RegionPlan;

static uint64_t place(Plan *plan, RegionPlan *r, Interval want, uint64_t *high) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < r->live.count; k++)
        if (r->live.at[k].last >= want.first)
            r->live.at[kept++] = r->live.at[k];
    r->live.count = kept;
    uint64_t at = 0;
    uint32_t slot = 0;
    for (; slot < kept; slot++) {
        if (at + want.size <= r->live.at[slot].offset)
            break;
        uint64_t end = r->live.at[slot].offset + r->live.at[slot].size;
        at = end > at ? end : at;
    }
    want.offset = at;
    vec_push(plan->arena, &r->live, want);
    for (uint32_t k = r->live.count - 1; k > slot; k--)
        r->live.at[k] = r->live.at[k - 1];
    r->live.at[slot] = want;
    if (at + want.size > *high)
        *high = at + want.size;
    return at;
}

/* From the calls as they are ordered now. What a chunked walk touches lives through all of it, for
 * the walk comes back; only what a chunk holds itself follows the calls. */
static void find_intervals(MemPlan *m) {
    const Plan *plan = m->plan;
    const uint32_t walk = plan->chunks.forward[0], end = plan->chunks.backward[1];
    const bool walks = plan->chunks.positions > 0;
    memset(m->first, 0xff, m->block->nodes.count * sizeof *m->first);
    memset(m->last, 0xff, m->block->nodes.count * sizeof *m->last);
    m->stored.count = 0;
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        for (uint32_t k = 0; k < call->buffers.count; k++) {
            if (call->buffers.at[k].region != REGION_NONE)
                continue;
            TirId id = call->buffers.at[k].index;
            const bool inside =
                walks && c >= walk && c < end && plan->buffer[id].region != REGION_CHUNK;
            m->last[id] = inside ? end - 1 : c;
            if (k < call->n_reads || m->first[id] != NEVER)
                continue;
            m->first[id] = inside ? walk : c;
            vec_push(plan->arena, &m->stored, id);
        }
    }
}

static void place_buffers(MemPlan *m) {
    Plan *plan = m->plan;
    RegionPlan regions[REGION_NONE] = {0};
    for (uint32_t k = 0; k < m->stored.count; k++) {
        TirId id = m->stored.at[k];
        const bool chunked = plan->buffer[id].region == REGION_CHUNK;
        if (plan->buffer[id].region != REGION_NONE && !chunked)
            continue; /* a gradient */
        const TirType *type = &tir_node(m->block, id)->type;
        Region region = chunked ? REGION_CHUNK : region_of(type->domain);
        uint64_t size = tir_element_count(type);
        if (region == REGION_GLOBAL)
            size = (size + ALIGN_GLOBAL - 1) / ALIGN_GLOBAL * ALIGN_GLOBAL;
        Interval want = {.size = size, .first = m->first[id], .last = m->last[id]};
        uint64_t offset = place(plan, &regions[region], want, &plan->region_size[region]);
        plan->buffer[id].region = region;
        plan->buffer[id].offset = offset;
    }
}

static void place_leaves(MemPlan *m) {
    Plan *plan = m->plan;
    for (TirId id = 1; id < m->block->nodes.count; id++) {
        const TirNode *node = tir_node(m->block, id);
        plan->buffer[id].region = REGION_NONE;
        if (node->op == TIR_PARAM)
            plan->buffer[id] = (Buffer){.region = REGION_PARAMS, .index = node->attr.index};
        else if (node->op == TIR_INPUT)
            plan->buffer[id] = (Buffer){.region = REGION_INPUT, .index = node->attr.index};
    }
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *out = &plan->program->outputs.at[k];
        Buffer *buffer = &plan->buffer[plan_storage(m->block, out->value)];
        if (out->role == TIR_OUT_GRAD && buffer->region == REGION_NONE)
            *buffer = (Buffer){.region = REGION_GRADS, .index = out->index};
    }
}

/* Tables that some call reads live at the front of the global region for ever. */
static void place_tables(MemPlan *m) {
    Plan *plan = m->plan;
    for (TirId id = 1; id < m->block->nodes.count; id++) {
        const TirNode *node = tir_node(m->block, id);
        if (node->op != TIR_TABLE || m->last[id] == NEVER)
            continue;
        uint64_t size = tir_element_count(&node->type);
        Buffer buffer = {.region = REGION_GLOBAL, .offset = plan->region_size[REGION_GLOBAL]};
        plan->region_size[REGION_GLOBAL] += (size + ALIGN_GLOBAL - 1) / ALIGN_GLOBAL * ALIGN_GLOBAL;
        plan->buffer[id] = buffer;
        PlanTable table = {id, buffer};
        vec_push(plan->arena, &plan->tables, table);
    }
}

static void resolve_buffers(MemPlan *m) {
    for (uint32_t c = 0; c < m->plan->calls.count; c++) {
        Call *call = &m->plan->calls.at[c];
        for (uint32_t k = 0; k < call->buffers.count; k++) {
            Buffer *buffer = &call->buffers.at[k];
            if (buffer->region == REGION_NONE)
                *buffer = m->plan->buffer[buffer->index];
        }
    }
}

void plan_memory(Plan *plan) {
    MemPlan m = {.plan = plan, .block = plan->program->block};
    uint32_t count = m.block->nodes.count;
    m.first = ARENA_ARRAY(plan->arena, uint32_t, count);
    m.last = ARENA_ARRAY(plan->arena, uint32_t, count);
    memset(m.first, 0xff, count * sizeof *m.first);
    memset(m.last, 0xff, count * sizeof *m.last);
    m.kernel_of = map_create(plan->arena);
    emit_calls(&m);
    place_leaves(&m);
    plan_chunks(plan, &m.stored);
    find_intervals(&m);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        m.last[plan_storage(m.block, plan->program->outputs.at[k].value)] = NEVER;
    place_buffers(&m);
    place_tables(&m);
    resolve_buffers(&m);
}

/* Attention writes all its results, wanted or not: give each a value. */
static void name_all_results(TirProgram *p) {
    TirBuilder b = tir_builder(p, p->block);
    for (TirId id = 1, end = p->block->nodes.count; id < end; id++) {
        TirNode node = *tir_node(p->block, id);
        if (node.op == TIR_ATTEND || node.op == TIR_ATTEND_GRAD)
            for (uint32_t k = 0; k < node.n_results; k++)
                tir_result(&b, id, k);
    }
}

Plan *plan_build(TirProgram *p, PlanOptions options) {
    Plan *plan = ARENA_NEW(p->arena, Plan);
    plan->arena = p->arena;
    plan->options = options;
    TirProgram *cut = plan_pieces(plan_unroll(p), PLAN_PIECE_ELEMENTS);
    plan->program = plan_legalise(options.fuse ? plan_merge_products(cut) : cut);
    name_all_results(plan->program);
    uint32_t count = plan->program->block->nodes.count;
    plan->work = ARENA_ARRAY(plan->arena, WorkKind, count);
    plan->level = ARENA_ARRAY(plan->arena, uint32_t, count);
    plan->group_of = ARENA_ARRAY(plan->arena, Group *, count);
    plan->gemm = ARENA_ARRAY(plan->arena, GemmWork, count);
    plan->buffer = ARENA_ARRAY(plan->arena, Buffer, count);
    plan_fuse(plan);
    if (plan->unsupported)
        return plan;
    plan_recompute(plan);
    plan_memory(plan);
    return plan;
}
