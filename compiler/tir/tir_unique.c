/* Hash-consing: one value for every op, operands and attributes in a block.
 *
 * A block keeps the hash of each of its nodes and a table of ids, open and at most half full. Nodes
 * are entered when somebody asks for one: a block that only ever receives the nodes of another, as
 * where a pass changes nothing, never fills its table. */
#include "tir/tir_attr.h"
#include "tir/tir_internal.h"
#include <string.h>

enum { FIRST_TABLE = 32 }; /* a power of two, as every later size */

uint32_t tir_type_words(uint32_t *to, const TirType *t) {
    uint32_t n = 0;
    to[n++] = (uint32_t)t->elem | (uint32_t)t->domain.sample << 8 |
              (uint32_t)t->domain.space << 16 | (uint32_t)t->rank << 24;
    for (uint32_t k = 0; k < t->rank; k++)
        to[n++] = t->dims[k];
    return n;
}

static uint64_t block_hash(const TirBlock *block, uint64_t seed) {
    for (uint32_t k = 1; k < block->nodes.count; k++) {
        const uint64_t h = tir_node_hash(&block->nodes.at[k]);
        seed = hash_bytes(&h, sizeof h, seed);
    }
    return hash_bytes(block->results.at, block->results.count * sizeof *block->results.at, seed);
}

uint64_t tir_node_hash(const TirNode *node) {
    const TirAttr *a = &node->attr;
    uint32_t words[2 + TIR_MAX_RANK];
    uint8_t attrs[sizeof *a];
    words[0] = (uint32_t)node->op | node->n_operands << 8;
    const uint32_t n = 1 + tir_type_words(words + 1, &node->type);
    uint64_t h = hash_bytes(words, n * sizeof *words, 0);
    h = hash_bytes(attrs, tir_attr_bytes(attrs, a), h);
    if (node->n_operands)
        h = hash_bytes(node->operands, node->n_operands * sizeof *node->operands, h);
    if (a->indices)
        h = hash_bytes(a->indices, node->type.dims[a->axis] * sizeof *a->indices, h);
    return a->body ? block_hash(a->body, h) : h;
}

static bool block_equal(const TirBlock *a, const TirBlock *b) {
    if (a == b)
        return true;
    if (a->nodes.count != b->nodes.count || a->arguments.count != b->arguments.count ||
        a->results.count != b->results.count)
        return false;
    for (uint32_t k = 0; k < a->arguments.count; k++)
        if (!tir_type_equal(&a->arguments.at[k], &b->arguments.at[k]))
            return false;
    for (uint32_t k = 0; k < a->results.count; k++)
        if (a->results.at[k] != b->results.at[k])
            return false;
    for (uint32_t k = 1; k < a->nodes.count; k++)
        if (!tir_node_equal(&a->nodes.at[k], &b->nodes.at[k]))
            return false;
    return true;
}

static bool attr_equal(const TirAttr *a, const TirAttr *b, uint32_t n_indices) {
    uint8_t of_a[sizeof *a], of_b[sizeof *b];
    const uint32_t n = tir_attr_bytes(of_a, a);
    tir_attr_bytes(of_b, b);
    return memcmp(of_a, of_b, n) == 0 && !a->indices == !b->indices && !a->body == !b->body &&
           (!a->indices || memcmp(a->indices, b->indices, n_indices * sizeof *a->indices) == 0) &&
           (!a->body || block_equal(a->body, b->body));
}

bool tir_node_equal(const TirNode *a, const TirNode *b) {
    return a->op == b->op && a->n_operands == b->n_operands && tir_type_equal(&a->type, &b->type) &&
           (a->n_operands == 0 ||
            memcmp(a->operands, b->operands, a->n_operands * sizeof *a->operands) == 0) &&
           attr_equal(&a->attr, &b->attr, a->type.dims[a->attr.axis % TIR_MAX_RANK]);
}

static void unique_put(TirUnique *u, TirId id) {
    const uint32_t mask = u->n_cells - 1;
    uint32_t i = (uint32_t)u->hashes.at[id] & mask;
    while (u->cells[i] != 0)
        i = (i + 1) & mask;
    u->cells[i] = id;
}

/* Enters all nodes that the table does not have. */
static void unique_catch_up(TirBlock *block, Arena *arena) {
    TirUnique *u = &block->unique;
    const uint32_t count = block->nodes.count;
    uint32_t entered = u->hashes.count ? u->hashes.count : 1; /* id 0 is no value */
    if (u->n_cells < 2 * (count + 1)) {                       /* room for one more */
        u->n_cells = u->n_cells ? u->n_cells : FIRST_TABLE;
        while (u->n_cells < 2 * (count + 1))
            u->n_cells *= 2;
        u->cells = ARENA_ARRAY(arena, TirId, u->n_cells);
        for (TirId id = 1; id < entered; id++)
            unique_put(u, id);
    }
    vec_reserve(arena, &u->hashes, count);
    for (; entered < count; entered++) {
        u->hashes.at[entered] = tir_node_hash(&block->nodes.at[entered]);
        unique_put(u, entered);
    }
    u->hashes.count = count;
}

/* The block's value that equals the node, or 0. */
static TirId unique_find(const TirBlock *block, const TirNode *node, uint64_t hash) {
    const TirUnique *u = &block->unique;
    const uint32_t mask = u->n_cells - 1;
    for (uint32_t i = (uint32_t)hash & mask; u->cells[i] != 0; i = (i + 1) & mask) {
        const TirId id = u->cells[i];
        if (u->hashes.at[id] == hash && tir_node_equal(&block->nodes.at[id], node))
            return id;
    }
    return 0;
}

static TirId block_push(TirBuilder *b, TirNode *node) {
    if (node->n_operands) {
        TirId *operands = ARENA_ARRAY(b->program->arena, TirId, node->n_operands);
        memcpy(operands, node->operands, node->n_operands * sizeof *operands);
        node->operands = operands;
    }
    node->span = b->span;
    node->name = b->name;
    vec_push(b->program->arena, &b->block->nodes, *node);
    return b->block->nodes.count - 1;
}

TirId tir_insert(TirBuilder *b, TirNode *node) {
    Arena *arena = b->program->arena;
    TirBlock *block = b->block;
    const uint64_t hash = tir_node_hash(node);
    unique_catch_up(block, arena);
    const TirId have = unique_find(block, node, hash);
    if (have)
        return have;
    if (node->attr.indices) {
        const uint32_t n = node->type.dims[node->attr.axis];
        int32_t *indices = ARENA_ARRAY(arena, int32_t, n);
        memcpy(indices, node->attr.indices, n * sizeof *indices);
        node->attr.indices = indices;
    }
    block->copies.only = false;
    const TirId id = block_push(b, node);
    vec_push(arena, &block->unique.hashes, hash);
    unique_put(&block->unique, id);
    return id;
}

/* --- copies ------------------------------------------------------------------------------------*/

/* By induction all that the value stands on, to whatever depth a folding rule looks. */
static bool operands_are_copies(const TirCopies *copies, const TirNode *node,
                                const TirId *operands) {
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (operands[k] >= copies->of.count || copies->of.at[operands[k]] != node->operands[k])
            return false;
    return node->op != TIR_ARG; /* the block declares its own */
}

TirId tir_copy(TirBuilder *b, const TirBlock *from, TirId id, const TirId *operands) {
    TirBlock *block = b->block;
    TirCopies *copies = &block->copies;
    TirNode node = from->nodes.at[id];
    if (!copies->from) {
        copies->from = from;
        copies->only = block->nodes.count == 1;
    }
    if (copies->from != from || from->as_read || !operands_are_copies(copies, &node, operands))
        return 0;
    node.operands = operands;
    TirId copy;
    if (copies->only && id > copies->last) { /* the values of `from` are distinct, so are these */
        copy = block_push(b, &node);
        copies->last = id;
    } else {
        copy = tir_insert(b, &node);
    }
    vec_reserve(b->program->arena, &copies->of, copy + 1);
    while (copies->of.count <= copy)
        copies->of.at[copies->of.count++] = 0;
    copies->of.at[copy] = id;
    return copy;
}
