/* Structural keys of groups; see group_key.h. */
#include "pass/group_key.h"
#include "pass/plan_internal.h"
#include <string.h>

typedef struct {
    const Plan *plan;
    const TirBlock *block;
    VEC(uint32_t) words;
    Map *number; /* value -> place + 1 */
} Key;

static void put(Key *k, uint32_t word) {
    vec_push(k->plan->arena, &k->words, word);
}

static void put_type(Key *k, const TirType *type) {
    put(k, (uint32_t)type->elem | (uint32_t)type->domain.sample << 4 |
               (uint32_t)(type->domain.space != 0) << 5 | (uint32_t)type->rank << 8);
    for (uint32_t d = 0; d < type->rank; d++)
        put(k, type->dims[d]);
}

static void put_block(Key *k, const TirBlock *block);

static void put_attributes(Key *k, const TirNode *node) {
    const TirAttr *a = &node->attr;
    uint32_t number[2];
    memcpy(number, &a->number, sizeof number);
    put(k, node->op);
    put(k, number[0]);
    put(k, number[1]);
    bool leaf_of_program = node->op == TIR_PARAM || node->op == TIR_INPUT || node->op == TIR_TABLE;
    put(k, leaf_of_program ? 0 : a->index);
    put(k, (uint32_t)a->domain.sample | (uint32_t)(a->domain.space != 0) << 1 |
               (uint32_t)a->axis << 8 | (uint32_t)a->causal << 16 | (uint32_t)a->reverse << 17);
    put(k, a->start);
    put(k, (uint32_t)a->offset[0]);
    put(k, (uint32_t)a->offset[1]);
    if (node->op == TIR_SHIFT) {
        const TirSpace *space = &k->plan->program->spaces.at[node->type.domain.space - 1];
        put(k, space->rank == 2 ? space->extents[1] : 0);
    }
    put(k, a->rows);
    put(k, a->axis_mask);
    for (uint32_t d = 0; d < TIR_MAX_RANK; d++)
        put(k, (uint32_t)a->axes[d] | (uint32_t)a->labels[0][d] << 8 |
                   (uint32_t)a->labels[1][d] << 16 | (uint32_t)a->labels[2][d] << 24);
    put(k, a->trips);
    put(k, a->n_carried);
    put(k, a->n_invariant);
    put(k, a->n_scanned);
    put(k, a->n_stacked);
    if (node->op == TIR_TAKE)
        for (uint32_t i = 0; i < node->type.dims[a->axis]; i++)
            put(k, (uint32_t)a->indices[i]);
    put_type(k, &node->type);
    if (node->op == TIR_SCAN)
        put_block(k, a->body);
}

static void put_block(Key *k, const TirBlock *block) {
    put(k, block->nodes.count);
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        put_attributes(k, node);
        for (uint32_t m = 0; m < node->n_operands; m++)
            put(k, node->operands[m]);
    }
    for (uint32_t m = 0; m < block->results.count; m++)
        put(k, block->results.at[m]);
}

/* An operand: its number, or the chain of views and constants in front of it. */
static void put_operand(Key *k, TirId id) {
    for (;;) {
        uint64_t key = id;
        void *place = map_get_u64(k->number, key);
        if (place) {
            put(k, (uint32_t)(uintptr_t)place);
            return;
        }
        const TirNode *node = tir_node(k->block, id);
        put(k, 0);
        put_attributes(k, node);
        if (node->n_operands == 0)
            return;
        id = node->operands[0]; /* views have one operand */
    }
}

static void number_value(Key *k, TirId id) {
    void **slot = map_slot_u64(k->number, id);
    *slot = (void *)(uintptr_t)map_count(k->number);
}

const void *group_key(const Plan *plan, const Group *group, size_t *length) {
    Key k = {.plan = plan, .block = plan->program->block, .number = map_create(plan->arena)};
    put(&k, (uint32_t)group->domain.sample | (uint32_t)(group->domain.space != 0) << 1);
    put(&k, group->inputs.count);
    for (uint32_t m = 0; m < group->inputs.count; m++) {
        const TirNode *node = tir_node(k.block, group->inputs.at[m]);
        put_type(&k, &node->type);
        if (node->op == TIR_INPUT) { /* the caller's memory ends with its rows; so do its numbers */
            put(&k, 1);
            put(&k, (uint32_t)plan->program->inputs.at[node->attr.index].limit);
        } else {
            put(&k, 0);
        }
        number_value(&k, group->inputs.at[m]);
    }
    for (uint32_t m = 0; m < group->values.count; m++) {
        const TirNode *node = tir_node(k.block, group->values.at[m]);
        put_attributes(&k, node);
        for (uint32_t o = 0; o < node->n_operands; o++)
            put_operand(&k, node->operands[o]);
        number_value(&k, group->values.at[m]);
    }
    put(&k, group->outputs.count);
    for (uint32_t m = 0; m < group->outputs.count; m++)
        put_operand(&k, group->outputs.at[m]);
    for (uint32_t m = 0; m < group->sums.count; m++)
        put_operand(&k, group->sums.at[m]);
    *length = k.words.count * sizeof *k.words.at;
    return k.words.at;
}

const void *single_key(const Plan *plan, TirId value, size_t *length) {
    Key k = {.plan = plan, .block = plan->program->block};
    const TirNode *node = tir_node(k.block, value);
    put_attributes(&k, node);
    for (uint32_t m = 0; m < node->n_operands; m++)
        put_type(&k, &tir_node(k.block, node->operands[m])->type);
    *length = k.words.count * sizeof *k.words.at;
    return k.words.at;
}
