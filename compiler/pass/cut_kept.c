/* What a site hands from its read to its write.
 *
 * The write may make again of the states whatever it needs, but what was folded over features (the
 * coefficients of a dynamic connection) is small, and what a large product made is dear: both are
 * handed on. Everything else costs less to make again than to store and load. */
#include "pass/cut.h"

enum { FEW = 64 }; /* terms of a sum that is cheap to make again for every feature */

typedef struct {
    const TirBlock *block;
    bool *by_result, *by_state, *seen;
    uint64_t small; /* elements at most */
    TirIdVec kept, todo;
    Arena *arena;
} Keeping;

static bool among(const SiteValueList *list, TirId id) {
    for (uint32_t k = 0; k < list->count; k++)
        if (list->at[k].value == id)
            return true;
    return false;
}

/* Other arguments than the site's own stand for what is there before it and after it: neither. */
static void find_dependence(Keeping *k, const SiteInfo *info) {
    for (TirId id = 1; id < k->block->nodes.count; id++) {
        const TirNode *node = tir_node(k->block, id);
        k->by_result[id] = among(&info->results, id);
        k->by_state[id] = among(&info->states, id);
        for (uint32_t i = 0; i < node->n_operands; i++) {
            k->by_result[id] |= k->by_result[node->operands[i]];
            k->by_state[id] |= k->by_state[node->operands[i]];
        }
    }
}

/* The terms of each of its elements, where it adds some up at one place. */
static uint64_t terms_of(const Keeping *k, const TirNode *node) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const uint64_t count = tir_element_count(&tir_node(k->block, node->operands[i])->type);
        most = count > most ? count : most;
    }
    const uint64_t own = tir_element_count(&node->type);
    return own ? most / own : most;
}

static bool is_cheap(const Keeping *k, const TirNode *node) {
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_MAP:
    case TIR_CLASS_VIEW:
        return true;
    case TIR_CLASS_REDUCE:
    case TIR_CLASS_CONTRACT:
        return !tir_sums_places(k->block, node) && terms_of(k, node) <= FEW;
    default:
        return false;
    }
}

static void visit(Keeping *k, TirId id) {
    const TirNode *node = tir_node(k->block, id);
    if (k->seen[id])
        return;
    k->seen[id] = true;
    const bool number = node->type.elem == TIR_REAL;
    const bool leaf = tir_op_class(node->op) == TIR_CLASS_LEAF;
    if (!k->by_result[id] && (leaf || !k->by_state[id]))
        return; /* at hand */
    if (!k->by_result[id] && number &&
        (tir_element_count(&node->type) <= k->small || !is_cheap(k, node))) {
        vec_push(k->arena, &k->kept, id);
        return;
    }
    for (uint32_t i = 0; i < node->n_operands; i++)
        vec_push(k->arena, &k->todo, node->operands[i]);
}

TirIdVec pass_kept(const Network *network, const SiteInfo *info, Arena *arena) {
    const TirBlock *block = network->program->block;
    const uint32_t n = block->nodes.count;
    Keeping k = {.block = block,
                 .by_result = ARENA_ARRAY(arena, bool, n),
                 .by_state = ARENA_ARRAY(arena, bool, n),
                 .seen = ARENA_ARRAY(arena, bool, n),
                 .arena = arena};
    for (uint32_t i = 0; i < info->states.count; i++) {
        const TirType *type = &tir_node(block, info->states.at[i].value)->type;
        const uint64_t quarter = tir_element_count(type) / 4;
        k.small = quarter > k.small ? quarter : k.small;
    }
    find_dependence(&k, info);
    for (uint32_t i = 0; i < info->written.count; i++)
        vec_push(arena, &k.todo, info->written.at[i].value);
    while (k.todo.count)
        visit(&k, k.todo.at[--k.todo.count]);
    /* in the order in which they are made */
    for (uint32_t i = 1; i < k.kept.count; i++)
        for (uint32_t j = i; j && k.kept.at[j - 1] > k.kept.at[j]; j--) {
            const TirId swapped = k.kept.at[j];
            k.kept.at[j] = k.kept.at[j - 1];
            k.kept.at[j - 1] = swapped;
        }
    return k.kept;
}
