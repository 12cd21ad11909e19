/* Kernels from schedules; see lower.h. */
#include "lower/attend/attend.h"
#include "lower/lower_internal.h"
#include "lower/product/product.h"
#include "lower/recur.h"

static NestElem real_of(const Schedule *s) {
    return s->real_bytes == 8 ? NEST_F64 : NEST_F32;
}

/* As what a value is stored. */
static NestElem element_of(const Schedule *s, TirId id) {
    const TirBlock *block = s->plan->program->block;
    const Element stored = s->plan->slots.at[tir_storage(block, id)].element;
    return tir_node(block, id)->type.elem != TIR_REAL ? NEST_I32
           : stored == ELEMENT_BF16                   ? NEST_BF16
                                                      : real_of(s);
}

void lower_argument(Lower *l, TirId id, bool written) {
    nest_add_buffer(l->kernel, (NestBuffer){.name = schedule_name(l->schedule, id),
                                            .kind = NEST_ARGUMENT,
                                            .elem = element_of(l->schedule, id),
                                            .written = written,
                                            .read = true});
}

/* In the order of their numbers in the schedule. */
static void kernel_arguments(Lower *l) {
    const Group *g = l->schedule->group;
    for (uint32_t k = 0; k < g->inputs.count; k++) {
        lower_argument(l, g->inputs.at[k], false);
        l->held[k].buffer = l->schedule->values[k].argument;
        l->held[k].ready = true;
    }
    for (uint32_t k = 0; k < g->outputs.count; k++)
        lower_argument(l, g->outputs.at[k], true);
    for (uint32_t k = 0; k < g->sums.count; k++)
        lower_argument(l, g->sums.at[k], true);
    for (uint32_t k = 0; k < g->values.count; k++)
        l->has_shift |= tir_node(l->block, g->values.at[k])->op == TIR_SHIFT;
}

/* An input's copy by lanes, made at the start of every micro-tile. */
static void kernel_copy_by_lanes(Lower *l, const ScheduleValue *v) {
    const TirType *type = &tir_node(l->block, v->id)->type;
    LowerHeld *held = lower_held(l, v);
    held->lanes_buffer =
        lower_scratch(l, schedule_name(l->schedule, v->id), type->elem, v->elements * l->rows);
    NestLoop *rows = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, l->rows), 1, 0, NULL);
    lower_memo_begin(l);
    LowerContext old = lower_context(l, affine_var(rows->variable), 1, 0);
    AffineIndex index = {.rank = type->rank};
    for (uint32_t k = 0; k < type->rank; k++) {
        const ScheduleLoop axis = {
            .over = OVER_AXIS, .axis = k, .extent = type->dims[k], .step = 1};
        index.at[k] = lower_axis_begin(l, &axis);
    }
    NestId x = lower_load(l, v, type, &index);
    Affine flat = affine_flat(&index, type);
    lower_store(l, held->lanes_buffer, PLACE_TILE_LANES, &l->context.row, &flat, v->elements, x, 0);
    for (uint32_t k = type->rank; k-- > 0;)
        lower_axis_end(l, type->dims[k]);
    l->context = old;
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
    held->lanes_ready = true;
}

void lower_micro_tile(Lower *l) {
    const Schedule *s = l->schedule;
    lower_memo_begin(l);
    Affine row = {.lane = l->rows > 1};
    lower_context(l, row, l->rows, 0);
    for (uint32_t k = 0; k < s->n_inputs; k++)
        if (s->values[k].also_lanes)
            kernel_copy_by_lanes(l, &s->values[k]);
    for (uint32_t k = 0; k < s->stages.count; k++) {
        if (k % 2 == 0)
            lower_wide_stage(l, &s->stages.at[k]);
        else
            lower_lane_stage(l, &s->stages.at[k]);
    }
    lower_memo_end(l);
}

/* The micro-tiles of a task's tile of instances. */
static void kernel_micro_tiles(Lower *l) {
    NestId tile = nest_extent(&l->b, NEST_TILE);
    NestId begin = nest_binary(&l->b, NEST_ADD, nest_extent(&l->b, NEST_FIRST),
                               nest_binary(&l->b, NEST_MUL, nest_task(&l->b), tile));
    NestId end = nest_binary(&l->b, NEST_MIN, nest_binary(&l->b, NEST_ADD, begin, tile),
                             nest_extent(&l->b, NEST_INSTANCES));
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, begin, end, l->rows, 0, NULL);
    l->tile0 = loop->variable;
    l->valid_rows = nest_binary(&l->b, NEST_MIN, nest_i64(&l->b, l->rows),
                                nest_binary(&l->b, NEST_SUB, end, loop->variable));
    lower_micro_tile(l);
    nest_loop_end(&l->b, NULL);
}

static NestKernel *kernel_of_group(const Schedule *s) {
    Arena *arena = s->plan->arena;
    NestKernel *kernel = nest_kernel_create(arena, s->name);
    Lower l = {.schedule = s,
               .block = s->plan->program->block,
               .arena = arena,
               .kernel = kernel,
               .b = nest_builder(kernel),
               .real = real_of(s),
               .lanes = s->lanes,
               .rows = s->rows,
               .held = ARENA_ARRAY(arena, LowerHeld, s->n_values)};
    l.frame = (LowerFrame){.block = l.block};
    if (s->sequence)
        return lower_sequence(s, &l);
    kernel_arguments(&l);
    lower_sums_begin(&l);
    lower_pack_weights(&l);
    if (l.rows == 1) {
        l.tile0 = nest_i64(&l.b, 0);
        l.valid_rows = nest_i64(&l.b, 1);
        lower_micro_tile(&l);
    } else {
        kernel_micro_tiles(&l);
    }
    lower_sums_end(&l);
    return kernel;
}

/* In the order of its arguments: operands, then results. */
static const NestElem *stored_of_attention(const Schedule *s, const TirNode *node) {
    NestElem *stored = ARENA_ARRAY(s->plan->arena, NestElem, node->n_operands + node->n_results);
    for (uint32_t k = 0; k < node->n_operands; k++)
        stored[k] = element_of(s, node->operands[k]);
    for (uint32_t k = 0; k < node->n_results; k++)
        stored[node->n_operands + k] = real_of(s);
    for (TirId id = s->value + 1; id < s->plan->program->block->nodes.count; id++) {
        const TirNode *result = schedule_node(s, id);
        if (result->op == TIR_RESULT && result->operands[0] == s->value)
            stored[node->n_operands + result->attr.index] = element_of(s, id);
    }
    return stored;
}

static NestKernel *kernel_of_attention(const Schedule *s) {
    const TirNode *node = schedule_node(s, s->value);
    const TirType *q = &schedule_node(s, node->operands[0])->type;
    const TirType *key = &schedule_node(s, node->operands[1])->type;
    const TirType *value = &schedule_node(s, node->operands[2])->type;
    const uint8_t space = node->result_types[0].domain.space, of_keys = key->domain.space;
    const uint32_t bias = tir_attend_bias(node);
    AttendShape shape = {.heads = q->dims[0],
                         .key_heads = key->dims[0],
                         .e = q->dims[1],
                         .f = value->dims[1],
                         .causal = node->attr.causal,
                         .scale = node->attr.scale,
                         .elem = real_of(s),
                         .stored = stored_of_attention(s, node),
                         .lanes = s->lanes,
                         .columns = s->columns,
                         .product = s->product,
                         .longest = s->longest,
                         .distances =
                             bias ? schedule_node(s, node->operands[bias])->type.dims[1] : 0,
                         .start = node->attr.start,
                         .key_space = of_keys == space ? 0 : of_keys};
    return node->op == TIR_ATTEND ? attend_forward(s->plan->arena, &shape)
                                  : attend_backward(s->plan->arena, &shape);
}

static NestKernel *kernel_of_recurrence(const Schedule *s) {
    const TirNode *node = schedule_node(s, s->value);
    const TirType *f = &schedule_node(s, node->operands[0])->type;
    const TirType *u = &schedule_node(s, node->operands[1])->type;
    const RecurShape shape = {.name = s->name,
                              .elements = tir_element_count(&node->type),
                              .run = s->run,
                              .single = f->rank == 0,
                              .reverse = node->attr.reverse,
                              .f = f->domain,
                              .u = u->domain,
                              .m = node->type.domain,
                              .elem = s->real_bytes == 8 ? NEST_F64 : NEST_F32,
                              .lanes = s->lanes,
                              .span = node->span};
    return recur_kernel(s->plan->arena, &shape);
}

static NestKernel *kernel_of_product(const Schedule *s) {
    Arena *arena = s->plan->arena;
    return s->pack ? product_pack(arena, s->name, s->pack)
                   : product_multiply(arena, s->name, s->product,
                                      &(ProductForm){.direct = s->direct, .rounds = s->rounds});
}

NestKernel **lower_kernels(Arena *arena, Schedule *const *schedules, uint32_t count) {
    NestKernel **kernels = ARENA_ARRAY(arena, NestKernel *, count + 1);
    for (uint32_t k = 0; k < count; k++) {
        const Schedule *s = schedules[k];
        kernels[k] = s->kind == CALL_ATTEND          ? kernel_of_attention(s)
                     : s->kind == CALL_RECUR         ? kernel_of_recurrence(s)
                     : s->kind == CALL_GEMM          ? kernel_of_product(s)
                     : s->kind == CALL_SUM_INSTANCES ? lower_sum_kernel(s)
                                                     : kernel_of_group(s);
    }
    return kernels;
}
