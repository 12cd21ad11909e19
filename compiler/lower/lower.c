/* Kernels from plan kernels; see lower.h. */
#include "lower/attend.h"
#include "lower/lower_internal.h"

uint32_t lower_scratch(Lower *l, const char *name, TirElem elem, uint64_t elements) {
    NestElem e = elem == TIR_REAL ? l->options.real : NEST_I32;
    return nest_add_buffer(l->kernel, (NestBuffer){.name = name,
                                                   .kind = NEST_SCRATCH,
                                                   .elem = e,
                                                   .written = true,
                                                   .read = true,
                                                   .elements = elements});
}

static const char *value_name(const TirNode *node) {
    return node->name ? node->name : tir_op_name(node->op);
}

void lower_stored(Lower *l, Value *v, StoreKind kind) {
    const TirNode *node = tir_node(l->block, v->id);
    v->store = kind;
    uint64_t row = kind == SCRATCH_ROWS ? schedule_pitch(l, v->elements) : v->elements;
    v->buffer = lower_scratch(l, value_name(node), node->type.elem, row * l->rows);
    v->ready = true;
}

static uint32_t argument(Lower *l, TirId id, bool written) {
    const TirNode *node = tir_node(l->block, id);
    NestElem elem = node->type.elem == TIR_REAL ? l->options.real : NEST_I32;
    return nest_add_buffer(l->kernel, (NestBuffer){.name = value_name(node),
                                                   .kind = NEST_ARGUMENT,
                                                   .elem = elem,
                                                   .written = written,
                                                   .read = true});
}

static StoreKind kind_of_input(const Lower *l, TirDomain domain) {
    if (tir_domain_equal(domain, TIR_GLOBAL))
        return STORE_GLOBAL;
    if (tir_domain_equal(domain, l->group->domain))
        return STORE_ROWS;
    return domain.sample ? STORE_SAMPLE : STORE_TIME;
}

static Value *add_value(Lower *l, TirId id) {
    Value *v = ARENA_NEW(l->arena, Value);
    v->id = id;
    const TirType *type = &tir_node(l->block, id)->type;
    v->elements = type->elem == TIR_TUPLE ? 0 : tir_element_count(type);
    l->values[id] = v;
    return v;
}

static void add_group_value(Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    Value *v = add_value(l, id);
    v->in_group = true;
    if (node->op == TIR_SCAN)
        v->results = ARENA_ARRAY(l->arena, Value *, node->n_results);
    else if (node->op == TIR_RESULT) /* stands after its scan */
        schedule_value(l, node->operands[0])->results[node->attr.index] = v;
}

/* The kernel's argument buffers are the group's inputs, outputs and sums, in this order: the plan
 * binds them so. */
static void add_values(Lower *l) {
    const Group *g = l->group;
    for (uint32_t k = 0; k < g->inputs.count; k++) {
        TirId id = g->inputs.at[k];
        Value *v = add_value(l, id);
        v->store = kind_of_input(l, tir_node(l->block, id)->type.domain);
        v->buffer = argument(l, id, false);
        v->ready = true;
    }
    for (uint32_t k = 0; k < g->values.count; k++) {
        add_group_value(l, g->values.at[k]);
        vec_push(l->arena, &l->order, g->values.at[k]);
        l->has_shift |= tir_node(l->block, g->values.at[k])->op == TIR_SHIFT;
    }
    for (uint32_t k = 0; k < g->outputs.count; k++) {
        Value *v = l->values[g->outputs.at[k]];
        v->output = true;
        v->out_buffer = argument(l, v->id, true);
    }
    for (uint32_t k = 0; k < g->sums.count; k++) {
        Value *v = l->values[g->sums.at[k]];
        v->sum = true;
        v->out_buffer = argument(l, v->id, true);
    }
}

/* Values per sample or per position cannot be loaded with positions in lanes (the lanes may cross
 * samples): small ones get a copy by lanes at the start of every micro-tile. */
static void copy_in(Lower *l) {
    for (uint32_t k = 0; k < l->group->inputs.count; k++) {
        Value *v = schedule_value(l, l->group->inputs.at[k]);
        if (v->store != STORE_TIME && v->store != STORE_SAMPLE)
            continue;
        const TirType *type = &tir_node(l->block, v->id)->type;
        bool small_user = !schedule_is_wide(type);
        for (uint32_t m = 0; m < l->order.count && !small_user; m++) {
            const TirNode *user = tir_node(l->block, l->order.at[m]);
            if (schedule_value(l, l->order.at[m])->side != SIDE_LANE || schedule_by_position(user))
                continue;
            for (uint32_t o = 0; o < user->n_operands; o++) {
                bool in_step;
                small_user |= schedule_operand(l, l->order.at[m], o, &in_step) == v->id;
            }
        }
        if (!small_user)
            continue;
        uint32_t lanes = lower_scratch(l, value_name(tir_node(l->block, v->id)), type->elem,
                                       v->elements * l->rows);
        NestLoop *rows = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, l->rows), 1, 0, NULL);
        lower_scope_begin(l);
        Context old = lower_context(l, affine_var(rows->variable), 1, 0);
        Index index;
        lower_loops_begin(l, type, 0, &index);
        NestId x = lower_load(l, v, type, &index);
        Affine flat = affine_flat(&index, type);
        lower_store(l, lanes, SCRATCH_LANES, &l->context.row, &flat, v->elements, x, 0);
        lower_loops_end(l, type, 0);
        l->context = old;
        lower_scope_end(l);
        nest_loop_end(&l->b, NULL);
        v->second = SCRATCH_LANES;
        v->second_buffer = lanes;
    }
}

static void micro_tile(Lower *l) {
    lower_scope_begin(l);
    Affine row = {.lane = l->rows > 1};
    lower_context(l, row, l->rows, 0);
    copy_in(l);
    int32_t last = 0;
    for (uint32_t k = 0; k < l->order.count; k++) {
        const Value *v = schedule_value(l, l->order.at[k]);
        last = v->time > last ? v->time : last;
    }
    for (int32_t time = 0; time <= last + 1; time++) {
        if (time % 2 == 0)
            lower_wide_stage(l, time);
        else
            lower_lane_stage(l, time);
    }
    lower_scope_end(l);
}

static NestKernel *lower_group(Lower *l, const char *name) {
    l->kernel = nest_kernel_create(l->arena, name);
    l->b = nest_builder(l->kernel);
    bool global = tir_domain_equal(l->group->domain, TIR_GLOBAL);
    l->rows = global ? 1 : l->options.lanes;
    l->frame = (Frame){.block = l->block};
    add_values(l);
    schedule_stages(l);
    schedule_packs(l);
    lower_sums_begin(l);
    lower_pack_weights(l);
    if (global) {
        l->tile0 = nest_i64(&l->b, 0);
        l->valid_rows = nest_i64(&l->b, 1);
        micro_tile(l);
    } else {
        NestId tile = nest_extent(&l->b, NEST_TILE);
        NestId begin = nest_binary(&l->b, NEST_MUL, nest_task(&l->b), tile);
        NestId end = nest_binary(&l->b, NEST_MIN, nest_binary(&l->b, NEST_ADD, begin, tile),
                                 nest_extent(&l->b, NEST_INSTANCES));
        NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, begin, end, l->rows, 0, NULL);
        l->tile0 = loop->variable;
        l->valid_rows = nest_binary(&l->b, NEST_MIN, nest_i64(&l->b, l->rows),
                                    nest_binary(&l->b, NEST_SUB, end, loop->variable));
        micro_tile(l);
        nest_loop_end(&l->b, NULL);
    }
    lower_sums_end(l);
    for (uint32_t k = 0; k < l->group->inputs.count; k++)
        l->values[l->group->inputs.at[k]] = NULL;
    for (uint32_t k = 0; k < l->order.count; k++)
        l->values[l->order.at[k]] = NULL;
    return l->kernel;
}

static NestKernel *lower_attend(const Plan *plan, const PlanKernel *k, LowerOptions options) {
    const TirBlock *block = plan->program->block;
    const TirNode *node = tir_node(block, k->value);
    const TirType *q = &tir_node(block, node->operands[0])->type;
    const TirType *key = &tir_node(block, node->operands[1])->type;
    const TirType *value = &tir_node(block, node->operands[2])->type;
    AttendShape shape = {.heads = q->dims[0],
                         .key_heads = key->dims[0],
                         .e = q->dims[1],
                         .f = value->dims[1],
                         .causal = node->attr.causal,
                         .scale = node->attr.scale,
                         .elem = options.real,
                         .lanes = options.lanes};
    return node->op == TIR_ATTEND ? attend_forward(plan->arena, &shape)
                                  : attend_backward(plan->arena, &shape);
}

NestKernel **lower_kernels(const Plan *plan, LowerOptions options) {
    Arena *arena = plan->arena;
    NestKernel **kernels = ARENA_ARRAY(arena, NestKernel *, plan->kernels.count + 1);
    Value **values = ARENA_ARRAY(arena, Value *, plan->program->block->nodes.count);
    for (uint32_t k = 0; k < plan->kernels.count; k++) {
        const PlanKernel *from = &plan->kernels.at[k];
        const char *name = arena_printf(arena, "k%u_%s", k, from->name);
        if (from->kind == CALL_ATTEND) {
            kernels[k] = lower_attend(plan, from, options);
        } else if (from->kind == CALL_FOLD) {
            kernels[k] = lower_fold_kernel(plan, from->value, options, arena, name);
        } else {
            Lower l = {.plan = plan,
                       .group = from->group,
                       .block = plan->program->block,
                       .options = options,
                       .arena = arena,
                       .values = values};
            kernels[k] = lower_group(&l, name);
        }
    }
    return kernels;
}
