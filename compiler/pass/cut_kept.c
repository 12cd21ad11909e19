/* What a site hands from its read to its write, and the last one of a trunk from its write to the
 * end: what it needs of values made before.
 *
 * The write may make again of the states whatever it needs, but what was folded over features (the
 * coefficients of a dynamic connection) is small, and what a large product made is dear: both are
 * handed on. Everything else costs less to make again than to store and load; but what takes
 * parameters to make again would give them a second gradient, to be added to the read's, and so is
 * handed on as long as it is smaller than a state. The end has the states as they are then, of
 * which nothing can be made again. */
#include "pass/cut.h"

enum { FEW = 64 }; /* terms of a sum that is cheap to make again for every feature */

typedef struct {
    const TirBlock *block;
    bool *later, *now; /* by value: it waits for what is given later; it is of the site */
    bool *trained;     /* by value: parameters are in it */
    bool *seen;
    bool has_states; /* who is handed them has what the site found, too */
    uint64_t small;  /* elements at most that are always handed on */
    uint64_t state;  /* of the largest state */
    TirIdVec kept, todo;
    Arena *arena;
} Keeping;

static bool among(const SiteValueList *list, TirId id) {
    for (uint32_t k = 0; list && k < list->count; k++)
        if (list->at[k].value == id)
            return true;
    return false;
}

/* Other arguments than the site's own stand for what is there before it and after it: neither. */
static void find_dependence(Keeping *k, const SiteValueList *later, const SiteValueList *now,
                            const SiteValueList *and_now) {
    for (TirId id = 1; id < k->block->nodes.count; id++) {
        const TirNode *node = tir_node(k->block, id);
        k->later[id] = among(later, id);
        k->now[id] = among(now, id) || among(and_now, id);
        k->trained[id] = node->op == TIR_PARAM;
        for (uint32_t i = 0; i < node->n_operands; i++) {
            k->later[id] |= k->later[node->operands[i]];
            k->now[id] |= k->now[node->operands[i]];
            k->trained[id] |= k->trained[node->operands[i]];
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

static bool at_hand(const Keeping *k, TirId id) {
    const bool leaf = tir_op_class(tir_node(k->block, id)->op) == TIR_CLASS_LEAF;
    return !k->later[id] && (!k->now[id] || (leaf && k->has_states));
}

/* One step of making it takes a parameter, or what is made of parameters alone. */
static bool takes_parameter(const Keeping *k, const TirNode *node) {
    for (uint32_t i = 0; i < node->n_operands; i++)
        if (k->trained[node->operands[i]] && !k->now[node->operands[i]])
            return true;
    return false;
}

static bool is_small(const Keeping *k, const TirNode *node) {
    const uint64_t count = tir_element_count(&node->type);
    return count <= k->small || (count < k->state && takes_parameter(k, node));
}

static void visit(Keeping *k, TirId id) {
    const TirNode *node = tir_node(k->block, id);
    if (k->seen[id])
        return;
    k->seen[id] = true;
    if (at_hand(k, id))
        return;
    if (!k->later[id] && node->type.elem == TIR_REAL && (is_small(k, node) || !is_cheap(k, node))) {
        vec_push(k->arena, &k->kept, id);
        return;
    }
    for (uint32_t i = 0; i < node->n_operands; i++)
        vec_push(k->arena, &k->todo, node->operands[i]);
}

/* In the order in which they are made. */
static void sort(TirIdVec *kept) {
    for (uint32_t i = 1; i < kept->count; i++)
        for (uint32_t j = i; j && kept->at[j - 1] > kept->at[j]; j--) {
            const TirId swapped = kept->at[j];
            kept->at[j] = kept->at[j - 1];
            kept->at[j - 1] = swapped;
        }
}

static Keeping keeping(const Network *network, Arena *arena) {
    const uint32_t n = network->program->block->nodes.count;
    return (Keeping){.block = network->program->block,
                     .later = ARENA_ARRAY(arena, bool, n),
                     .now = ARENA_ARRAY(arena, bool, n),
                     .trained = ARENA_ARRAY(arena, bool, n),
                     .seen = ARENA_ARRAY(arena, bool, n),
                     .arena = arena};
}

static TirIdVec keep(Keeping *k, const SiteValueList *wanted) {
    for (uint32_t i = 0; i < wanted->count; i++)
        vec_push(k->arena, &k->todo, wanted->at[i].value);
    while (k->todo.count)
        visit(k, k->todo.at[--k->todo.count]);
    sort(&k->kept);
    return k->kept;
}

TirIdVec pass_kept(const Network *network, const SiteInfo *info, Arena *arena) {
    Keeping k = keeping(network, arena);
    for (uint32_t i = 0; i < info->states.count; i++) {
        const TirType *type = &tir_node(k.block, info->states.at[i].value)->type;
        const uint64_t count = tir_element_count(type);
        k.state = count > k.state ? count : k.state;
    }
    k.small = k.state / 4;
    k.has_states = true;
    find_dependence(&k, &info->results, &info->states, NULL);
    return keep(&k, &info->written);
}

TirIdVec pass_kept_to_end(const Network *network, const SiteInfo *info, Arena *arena) {
    Keeping k = keeping(network, arena);
    k.small = UINT64_MAX;
    find_dependence(&k, &info->left, &info->states, &info->results);
    return keep(&k, &info->ended);
}
