/* Structural keys of groups; see group_key.h. */
#include "plan/group_key.h"
#include "plan/plan_internal.h"
#include "tir/tir_attr.h"
#include <string.h>

struct GroupKeys {
    const Plan *plan;
    const TirBlock *block;
    VEC(uint32_t) words; /* of the key being made */
    uint32_t *number;    /* by value: its place in the group, from 1; 0 = not of the group */
    uint32_t numbered;
};

GroupKeys *group_keys_create(const Plan *plan) {
    GroupKeys *k = ARENA_NEW(plan->arena, GroupKeys);
    k->plan = plan;
    k->block = plan->program->block;
    k->number = ARENA_ARRAY(plan->arena, uint32_t, k->block->nodes.count);
    return k;
}

static void put(GroupKeys *k, uint32_t word) {
    vec_push(k->plan->arena, &k->words, word);
}

static void put_type(GroupKeys *k, const TirType *type) {
    put(k, (uint32_t)type->elem | (uint32_t)type->domain.sample << 4 |
               (uint32_t)(type->domain.space != 0) << 5 | (uint32_t)type->rank << 8);
    for (uint32_t d = 0; d < type->rank; d++)
        put(k, type->dims[d]);
}

/* How the value's elements are stored: kernels load and store no other. */
static void put_slot(GroupKeys *k, TirId id) {
    put(k, k->plan->slots.at[id].element);
}

static void put_block(GroupKeys *k, const TirBlock *block);

/* What kernels of one text share: which parameter, input or table is an operand of theirs, and a
 * space is only there or not, but where a kernel asks how many positions another than its own has.
 */
static TirAttr shared_attributes(const TirNode *node) {
    TirAttr a = node->attr;
    if (tir_op_stored(node->op) || node->op == TIR_POSITION)
        a.index = 0;
    return a;
}

static void put_attributes(GroupKeys *k, const TirNode *node) {
    const TirAttr a = shared_attributes(node);
    uint8_t bytes[sizeof a];
    const uint32_t n = tir_attr_bytes(bytes, &a);
    put(k, node->op);
    for (uint32_t i = 0; i < n; i += sizeof(uint32_t)) {
        uint32_t word = 0;
        memcpy(&word, bytes + i, n - i < sizeof word ? n - i : sizeof word);
        put(k, word);
    }
    if (node->op == TIR_POSITION) /* whether it is within an axis is decided beforehand */
        put(k, k->plan->program->spaces.at[node->attr.index - 1].maximum);
    if (node->op == TIR_SHIFT) {
        const TirSpace *space = &k->plan->program->spaces.at[node->type.domain.space - 1];
        put(k, space->rank == 2 ? space->extents[1] : 0);
    }
    if (a.indices)
        for (uint32_t i = 0; i < node->type.dims[a.axis]; i++)
            put(k, (uint32_t)a.indices[i]);
    put_type(k, &node->type);
    if (a.body)
        put_block(k, a.body);
}

static void put_block(GroupKeys *k, const TirBlock *block) {
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
static void put_operand(GroupKeys *k, TirId id) {
    for (;;) {
        if (k->number[id]) {
            put(k, k->number[id]);
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

static void number_value(GroupKeys *k, TirId id) {
    k->number[id] = ++k->numbered;
}

/* Numbers that are loaded and known to be less than this index without a comparison; 0: others. */
static uint32_t known_limit(const GroupKeys *k, const TirNode *node) {
    const TirProgram *program = k->plan->program;
    return node->op == TIR_INPUT      ? program->inputs.at[node->attr.index].limit
           : node->op == TIR_POSITION ? program->spaces.at[node->attr.index - 1].maximum
                                      : 0;
}

static void put_input(GroupKeys *k, TirId id) {
    const TirNode *node = tir_node(k->block, id);
    /* The caller's memory ends with its rows; so do its numbers. */
    put_type(k, &node->type);
    put_slot(k, tir_storage(k->block, id));
    put(k, plan_is_given(k->plan, id));
    put(k, known_limit(k, node));
    number_value(k, id);
}

static void put_value(GroupKeys *k, TirId id) {
    const TirNode *node = tir_node(k->block, id);
    put_attributes(k, node);
    for (uint32_t o = 0; o < node->n_operands; o++)
        put_operand(k, node->operands[o]);
    number_value(k, id);
}

static WideHash key_of(const GroupKeys *k) {
    return hash_bytes_wide(k->words.at, k->words.count * sizeof *k->words.at);
}

WideHash group_key(GroupKeys *k, const Group *group) {
    k->words.count = k->numbered = 0;
    put(k, (uint32_t)group->domain.sample | (uint32_t)(group->domain.space != 0) << 1);
    put(k, group->inputs.count);
    for (uint32_t m = 0; m < group->inputs.count; m++)
        put_input(k, group->inputs.at[m]);
    for (uint32_t m = 0; m < group->values.count; m++)
        put_value(k, group->values.at[m]);
    put(k, group->outputs.count);
    for (uint32_t m = 0; m < group->outputs.count; m++) {
        put_operand(k, group->outputs.at[m]);
        put_slot(k, group->outputs.at[m]);
    }
    for (uint32_t m = 0; m < group->sums.count; m++)
        put_operand(k, group->sums.at[m]);
    for (uint32_t m = 0; m < group->inputs.count; m++)
        k->number[group->inputs.at[m]] = 0;
    for (uint32_t m = 0; m < group->values.count; m++)
        k->number[group->values.at[m]] = 0;
    return key_of(k);
}

WideHash single_key(GroupKeys *k, TirId value, const TirId *results, uint32_t n_results) {
    const TirNode *node = tir_node(k->block, value);
    const uint8_t own =
        node->n_results ? node->result_types[0].domain.space : node->type.domain.space;
    k->words.count = 0;
    put_attributes(k, node);
    for (uint32_t m = 0; m < node->n_operands; m++) {
        const uint8_t space = tir_node(k->block, node->operands[m])->type.domain.space;
        put(k, space && space != own ? space : 0);
        put_type(k, &tir_node(k->block, node->operands[m])->type);
        put_slot(k, tir_storage(k->block, node->operands[m]));
    }
    for (uint32_t m = 0; m < n_results; m++)
        put_slot(k, results[m]);
    return key_of(k);
}
