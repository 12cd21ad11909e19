/* Calls: groups and barriers become calls, in order.
 *
 * Requires: groups with inputs, outputs and sums. Fills plan->calls, kernels, slots,
 * n_forward_calls and the size of the region of partial results. Changes nothing else.
 *
 * What a call reads and writes is a slot: the memory of a value, by the value's id. Memory is given
 * to slots later. */
#include "plan/group_key.h"
#include "plan/plan_internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *defined; /* by value: some call so far writes it */
    GroupKeys *keys;
    Map *kernel_of; /* key -> index + 1 into plan->kernels */
} Calls;

static CallBuffer slot_of(const Plan *plan, TirId id) {
    return (CallBuffer){.region = REGION_NONE, .element = plan->slots.at[id].element, .index = id};
}

/* What each task adds up of a value. */
static CallBuffer partial_of(const Plan *plan, TirId sum, uint64_t offset) {
    const TirType *type = &tir_node(plan->program->block, sum)->type;
    return (CallBuffer){.region = REGION_PARTIAL,
                        .element = plan_element(&plan->options, type),
                        .offset = offset,
                        .index = sum};
}

static void reads(Calls *m, Call *call, TirId id) {
    vec_push(m->plan->arena, &call->buffers, slot_of(m->plan, tir_storage(m->block, id)));
    call->n_reads = call->buffers.count;
}

static void writes(Calls *m, Call *call, TirId id) {
    vec_push(m->plan->arena, &call->buffers, slot_of(m->plan, id));
    if (!m->defined[id])
        vec_push(m->plan->arena, &m->plan->stored, id);
    m->defined[id] = true;
}

static void push_call(Calls *m, Call call) {
    vec_push(m->plan->arena, &m->plan->calls, call);
}

/* The plan's kernel with this key, which is `kernel` if there is none yet. */
static uint32_t kernel_for(Calls *m, WideHash key, PlanKernel kernel) {
    void **slot = map_slot(m->kernel_of, &key, sizeof key);
    if (!*slot) {
        vec_push(m->plan->arena, &m->plan->kernels, kernel);
        *slot = (void *)(uintptr_t)m->plan->kernels.count;
    }
    return (uint32_t)(uintptr_t)*slot - 1;
}

static const char *group_name(Calls *m, const Group *group) {
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

static void emit_group(Calls *m, Group *group) {
    Plan *plan = m->plan;
    Call call = {
        .kind = CALL_KERNEL, .group = group, .domain = group->domain, .value = group->values.at[0]};
    call.kernel = group->kernel =
        kernel_for(m, group_key(m->keys, group),
                   (PlanKernel){.kind = CALL_KERNEL, .group = group, .name = group_name(m, group)});
    call.label = plan->kernels.at[call.kernel].name;
    for (uint32_t k = 0; k < group->inputs.count; k++)
        reads(m, &call, group->inputs.at[k]);
    for (uint32_t k = 0; k < group->outputs.count; k++) {
        writes(m, &call, group->outputs.at[k]);
    }
    uint64_t partial = 0;
    for (uint32_t k = 0; k < group->sums.count; k++) {
        const TirId sum = group->sums.at[k];
        vec_push(plan->arena, &call.buffers, partial_of(plan, sum, partial));
        partial += plan_partial_bytes(plan, sum);
    }
    push_call(m, call);
    if (partial > plan->region_bytes[REGION_PARTIAL])
        plan->region_bytes[REGION_PARTIAL] = partial;
    partial = 0;
    for (uint32_t k = 0; k < group->sums.count; k++) {
        TirId sum = group->sums.at[k];
        Call reduce = {.kind = CALL_REDUCE,
                       .n_reads = 1,
                       .domain = group->domain,
                       .elements = tir_element_count(&tir_node(m->block, sum)->type),
                       .value = sum,
                       .label = "reduce"};
        vec_push(plan->arena, &reduce.buffers, partial_of(plan, sum, partial));
        writes(m, &reduce, sum);
        push_call(m, reduce);
        partial += plan_partial_bytes(plan, sum);
    }
}

static void emit_gemm(Calls *m, TirId id) {
    Plan *plan = m->plan;
    const GemmWork *g = &plan->gemm[id];
    Call call = {.kind = CALL_GEMM, .domain = g->domain, .gemm = *g, .value = id, .label = "gemm"};
    reads(m, &call, g->a);
    reads(m, &call, g->b);
    call.gemm.accumulate = m->defined[g->into];
    writes(m, &call, g->into);
    push_call(m, call);
}

/* Attention: operands, then every result, wanted or not. */
static void emit_attend(Calls *m, TirId id, const TirId *results) {
    const TirNode *node = tir_node(m->block, id);
    Call call = {.kind = CALL_ATTEND, .domain = node->result_types[0].domain, .value = id};
    call.label = tir_op_name(node->op);
    call.kernel = kernel_for(m, single_key(m->keys, id, results, node->n_results),
                             (PlanKernel){.kind = CALL_ATTEND, .value = id, .name = call.label});
    /* The forward has a task per query head, the backward one per key head. */
    uint32_t heads_of = node->op == TIR_ATTEND ? 0 : 1;
    call.per_sample = tir_node(m->block, node->operands[heads_of])->type.dims[0];
    for (uint32_t k = 0; k < node->n_operands; k++)
        reads(m, &call, node->operands[k]);
    for (uint32_t k = 0; k < node->n_results; k++) {
        writes(m, &call, results[k]);
    }
    push_call(m, call);
}

/* A recurrence: threads share out the elements of its state. */
static void emit_recur(Calls *m, TirId id) {
    const TirNode *node = tir_node(m->block, id);
    Call call = {.kind = CALL_RECUR, .domain = node->type.domain, .value = id};
    call.label = tir_op_name(node->op);
    call.kernel = kernel_for(m, single_key(m->keys, id, &id, 1),
                             (PlanKernel){.kind = CALL_RECUR, .value = id, .name = call.label});
    call.per_sample = plan_recur_tasks(&node->type);
    for (uint32_t k = 0; k < node->n_operands; k++)
        reads(m, &call, node->operands[k]);
    writes(m, &call, id);
    push_call(m, call);
}

/* What goes from position to position: operands, then every state, wanted or not. */
static void emit_sequence(Calls *m, TirId id, const TirId *results) {
    const TirNode *node = tir_node(m->block, id);
    Call call = {.kind = CALL_SEQUENCE, .domain = node->type.domain, .value = id};
    call.per_sample = m->plan->sequences[id]->parts;
    const char *name = tir_node(m->block, results[0])->name;
    call.label = name ? arena_printf(m->plan->arena, "scan_%s", name) : "scan";
    call.kernel = kernel_for(m, single_key(m->keys, id, results, node->n_results),
                             (PlanKernel){.kind = CALL_SEQUENCE,
                                          .sequence = m->plan->sequences[id],
                                          .value = id,
                                          .name = call.label});
    call.label = m->plan->kernels.at[call.kernel].name;
    for (uint32_t k = 0; k < node->n_operands; k++)
        reads(m, &call, node->operands[k]);
    for (uint32_t k = 0; k < node->n_results; k++)
        writes(m, &call, results[k]);
    push_call(m, call);
}

static void emit_sum_instances(Calls *m, TirId id) {
    const TirNode *node = tir_node(m->block, id);
    Call call = {.kind = CALL_SUM_INSTANCES, .domain = node->type.domain, .value = id};
    call.label = "sum_instances";
    call.kernel =
        kernel_for(m, single_key(m->keys, id, &id, 1),
                   (PlanKernel){.kind = CALL_SUM_INSTANCES, .value = id, .name = call.label});
    reads(m, &call, node->operands[0]);
    writes(m, &call, id);
    push_call(m, call);
}

static void emit_scatter(Calls *m, TirId id) {
    const TirNode *node = tir_node(m->block, id);
    const TirType *index = &tir_node(m->block, node->operands[0])->type;
    const TirType *values = &tir_node(m->block, node->operands[1])->type;
    uint64_t elements = tir_element_count(&node->type);
    const TirId into = m->plan->gemm[id].into;
    Call zero = {.kind = CALL_ZERO,
                 .domain = node->type.domain,
                 .value = id,
                 .label = "zero",
                 .elements = elements};
    if (!m->defined[into]) {
        writes(m, &zero, into);
        push_call(m, zero);
    }
    Call call = {.kind = CALL_SCATTER_ADD,
                 .domain = plan_run_domain(m->block, id),
                 .value = id,
                 .label = "scatter_add",
                 .elements = elements / node->attr.rows,
                 .rows = node->attr.rows,
                 .indices = tir_element_count(index),
                 .scatter_domains = {index->domain, values->domain, node->type.domain}};
    reads(m, &call, node->operands[0]);
    reads(m, &call, node->operands[1]);
    writes(m, &call, into);
    push_call(m, call);
}

static void emit_barrier(Calls *m, TirId id, TirId *const *results_of) {
    switch (m->plan->work[id]) {
    case WORK_GEMM:
        emit_gemm(m, id);
        break;
    case WORK_ATTEND:
        emit_attend(m, id, results_of[id]);
        break;
    case WORK_RECUR:
        emit_recur(m, id);
        break;
    case WORK_SEQUENCE:
        emit_sequence(m, id, results_of[id]);
        break;
    case WORK_SUM_INSTANCES:
        emit_sum_instances(m, id);
        break;
    case WORK_SCATTER:
        emit_scatter(m, id);
        break;
    default:
        break;
    }
}

/* RESULT nodes of each attention and sequence. */
static TirId **find_results(Calls *m) {
    uint32_t count = m->block->nodes.count;
    TirId **results = ARENA_ARRAY(m->plan->arena, TirId *, count);
    for (TirId id = 1; id < count; id++) {
        const TirNode *node = tir_node(m->block, id);
        if (m->plan->work[id] != WORK_ATTEND && m->plan->work[id] != WORK_SEQUENCE)
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
static void copy_shared_gradients(Calls *m) {
    Plan *plan = m->plan;
    Map *first = map_create(plan->arena);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *out = &plan->program->outputs.at[k];
        if (out->role != TIR_OUT_GRAD)
            continue;
        TirId root = tir_storage(m->block, out->value);
        void **slot = map_slot_u64(first, root);
        if (*slot) {
            Call copy = {.kind = CALL_REDUCE,
                         .domain = TIR_GLOBAL,
                         .value = root,
                         .label = "copy",
                         .elements = tir_element_count(&tir_node(m->block, root)->type)};
            reads(m, &copy, root);
            CallBuffer to = slot_of(plan, root);
            to.region = REGION_GRADS;
            to.index = out->index;
            vec_push(plan->arena, &copy.buffers, to);
            push_call(m, copy);
        }
        *slot = (void *)(uintptr_t)1;
    }
}

void plan_calls(Plan *plan) {
    uint32_t count = plan->program->block->nodes.count, top = 0;
    Calls calls = {.plan = plan,
                   .block = plan->program->block,
                   .defined = ARENA_ARRAY(plan->arena, bool, count),
                   .keys = group_keys_create(plan),
                   .kernel_of = map_create(plan->arena)};
    Calls *m = &calls;
    plan_outputs(plan);
    for (TirId id = 0; id < count; id++) {
        const TirType *type = &tir_node(m->block, id)->type;
        vec_push(plan->arena, &plan->slots, (PlanSlot){id, plan_element(&plan->options, type)});
    }
    plan_narrow(plan);
    TirId **results_of = find_results(m);
    for (TirId id = 1; id < count; id++)
        if (plan->work[id] != WORK_NONE && plan->level[id] > top)
            top = plan->level[id];
    TirIdVec *barriers = ARENA_ARRAY(plan->arena, TirIdVec, top + 1);
    for (TirId id = 1; id < count; id++)
        if (plan_is_barrier(plan->work[id]) && tir_node(m->block, id)->op != TIR_RESULT)
            vec_push(plan->arena, &barriers[plan->level[id]], id);
    uint32_t g = 0;
    plan->n_forward_calls = UINT32_MAX;
    for (uint32_t level = 0; level <= top; level++) {
        if (level == plan->first_backward_level)
            plan->n_forward_calls = plan->calls.count;
        for (; g < plan->groups.count && plan->groups.at[g]->level == level; g++)
            emit_group(m, plan->groups.at[g]);
        for (uint32_t k = 0; k < barriers[level].count; k++)
            emit_barrier(m, barriers[level].at[k], results_of);
    }
    if (plan->n_forward_calls == UINT32_MAX)
        plan->n_forward_calls = plan->calls.count;
    copy_shared_gradients(m);
    plan_leaves(plan);
}
