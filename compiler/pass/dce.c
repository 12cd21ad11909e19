/* Dead values.
 *
 * requires   any program
 * maintains  outputs and their values; parameters, inputs, tables and spaces with their indices
 * changes    keeps only what the outputs need, in the old order; of loops also drops carried and
 *            stacked values nobody reads, and arguments the body does not. n_forward follows.
 *            The program itself where everything is needed.
 *
 *     %1 = param 0 : real[]
 *     %2 = exp %1 : real[]      (nobody's operand, no output)      gone
 */
#include "pass/rebuild.h"

typedef struct BlockLive BlockLive;

/* What is kept of a loop. */
typedef struct {
    bool *results;
    bool *arguments; /* by operand */
    BlockLive *body;
    uint32_t *renumbered; /* by result: its index among those kept */
} LoopLive;

struct BlockLive {
    bool *values;
    LoopLive **loops; /* by id, of live loops */
};

static BlockLive *mark_block(const TirBlock *block, uint32_t n_roots, const TirId *roots,
                             const bool *kept_roots, Arena *scratch);

/* Carried values feed each other through the trips: repeat until no more become live. */
static void mark_loop(const TirNode *node, LoopLive *loop, Arena *scratch) {
    const TirBlock *body = node->attr.body;
    bool changed = true;
    while (changed) {
        changed = false;
        loop->body =
            mark_block(body, body->results.count, body->results.at, loop->results, scratch);
        for (TirId id = 1; id < body->nodes.count; id++) {
            const TirNode *inner = tir_node(body, id);
            if (inner->op != TIR_ARG || !loop->body->values[id])
                continue;
            const uint32_t k = inner->attr.index;
            loop->arguments[k] = true;
            if (k < node->attr.n_carried && !loop->results[k])
                loop->results[k] = changed = true;
        }
    }
    for (uint32_t k = 0; k < node->attr.n_carried; k++)
        loop->arguments[k] = loop->results[k];
}

static BlockLive *mark_block(const TirBlock *block, uint32_t n_roots, const TirId *roots,
                             const bool *kept_roots, Arena *scratch) {
    BlockLive *live = ARENA_NEW(scratch, BlockLive);
    live->values = ARENA_ARRAY(scratch, bool, block->nodes.count);
    live->loops = ARENA_ARRAY(scratch, LoopLive *, block->nodes.count);
    for (uint32_t k = 0; k < n_roots; k++)
        if (!kept_roots || kept_roots[k])
            live->values[roots[k]] = true;
    for (TirId id = block->nodes.count; id-- > 1;) {
        const TirNode *node = tir_node(block, id);
        if (!live->values[id])
            continue;
        if (node->op == TIR_SCAN)
            mark_loop(node, live->loops[id], scratch);
        for (uint32_t k = 0; k < node->n_operands; k++)
            if (node->op != TIR_SCAN || live->loops[id]->arguments[k])
                live->values[node->operands[k]] = true;
        if (node->op != TIR_RESULT || tir_node(block, node->operands[0])->op != TIR_SCAN)
            continue;
        LoopLive **loop = &live->loops[node->operands[0]];
        if (!*loop) {
            const TirNode *scan = tir_node(block, node->operands[0]);
            *loop = ARENA_NEW(scratch, LoopLive);
            (*loop)->results = ARENA_ARRAY(scratch, bool, scan->n_results);
            (*loop)->arguments = ARENA_ARRAY(scratch, bool, scan->n_operands + 1);
            (*loop)->renumbered = ARENA_ARRAY(scratch, uint32_t, scan->n_results);
        }
        (*loop)->results[node->attr.index] = true;
    }
    return live;
}

static bool all_live(const TirBlock *block, const BlockLive *live);
static TirId *copy_block(TirBuilder *b, const TirBlock *block, const BlockLive *live,
                         const TirId *arguments, uint32_t *n_forward, Arena *scratch);

static TirId copy_loop(TirBuilder *b, const TirNode *node, LoopLive *loop, const TirId *map,
                       Arena *scratch) {
    const TirAttr *a = &node->attr;
    Arena *arena = b->program->arena;
    TirBlock *body = tir_block_create(b->program);
    TirBuilder inner = tir_builder_inner(b, body);
    TirId *arguments = ARENA_ARRAY(scratch, TirId, node->n_operands + 1);
    TirIdVec operands = {0};
    uint32_t counts[3] = {0, 0, 0};
    for (uint32_t k = 0; k < node->n_operands; k++) {
        if (!loop->arguments[k])
            continue;
        arguments[k] = tir_arg(&inner, a->body->arguments.at[k]);
        vec_push(scratch, &operands, map[node->operands[k]]);
        counts[k < a->n_carried ? 0 : k < a->n_carried + a->n_invariant ? 1 : 2]++;
    }
    arguments[node->n_operands] = tir_arg(&inner, a->body->arguments.at[node->n_operands]);
    const TirId *body_map = copy_block(&inner, a->body, loop->body, arguments, NULL, scratch);
    for (uint32_t k = 0; k < node->n_results; k++)
        if (loop->results[k]) {
            loop->renumbered[k] = body->results.count;
            vec_push(arena, &body->results, body_map[a->body->results.at[k]]);
        }
    b->span = node->span;
    b->name = node->name;
    return tir_scan(b, a->trips, a->reverse, body, counts[0], operands.at, counts[1],
                    operands.at + counts[0], counts[2], operands.at + counts[0] + counts[1]);
}

static TirId copy_result(TirBuilder *b, const TirNode *node, const LoopLive *loop,
                         const TirId *map) {
    b->span = node->span;
    b->name = node->name;
    return tir_result(b, map[node->operands[0]], loop->renumbered[node->attr.index]);
}

/* Every argument, result and value of it is needed. */
static bool whole_loop(const TirNode *node, const LoopLive *loop) {
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (!loop->arguments[k])
            return false;
    for (uint32_t k = 0; k < node->n_results; k++)
        if (!loop->results[k])
            return false;
    return !node->attr.body->as_read && all_live(node->attr.body, loop->body);
}

static TirId *copy_block(TirBuilder *b, const TirBlock *block, const BlockLive *live,
                         const TirId *arguments, uint32_t *n_forward, Arena *scratch) {
    TirId *map = ARENA_ARRAY(scratch, TirId, block->nodes.count);
    bool *pruned = ARENA_ARRAY(scratch, bool, block->nodes.count);
    TirIdVec operands = {0};
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (live->values[id]) {
            pruned[id] = node->op == TIR_SCAN && !whole_loop(node, live->loops[id]);
            if (node->op == TIR_ARG)
                map[id] = arguments[node->attr.index];
            else if (pruned[id])
                map[id] = copy_loop(b, node, live->loops[id], map, scratch);
            else if (node->op == TIR_RESULT && pruned[node->operands[0]])
                map[id] = copy_result(b, node, live->loops[node->operands[0]], map);
            else
                map[id] = pass_rebuild_mapped(b, block, id, map, &operands);
        }
        if (n_forward && *n_forward == id) {
            *n_forward = b->block->nodes.count - 1;
            n_forward = NULL;
        }
    }
    return map;
}

/* Nothing to drop. After a round, too, there may be something: folding on the way left an operand
 * without users. */
static bool all_live(const TirBlock *block, const BlockLive *live) {
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (!live->values[id] && node->op != TIR_ARG)
            return false;
        if (live->loops[id] && !whole_loop(node, live->loops[id]))
            return false;
    }
    return true;
}

static TirProgram *dce_once(const TirProgram *p, const BlockLive *live, Arena *scratch) {
    TirProgram *to = tir_program_like(p);
    TirBuilder b = tir_builder(to, to->block);
    to->n_forward = p->n_forward;
    const TirId *map = copy_block(&b, p->block, live, NULL, &to->n_forward, scratch);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *o = &p->outputs.at[k];
        tir_add_output(to, o->role, o->name, o->index, map[o->value]);
    }
    return to;
}

static BlockLive *mark_program(const TirProgram *p, Arena *scratch) {
    TirId *roots = ARENA_ARRAY(scratch, TirId, p->outputs.count);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        roots[k] = p->outputs.at[k].value;
    return mark_block(p->block, p->outputs.count, roots, NULL, scratch);
}

TirProgram *pass_dce(TirProgram *p) {
    Arena *scratch = arena_create_child(p->arena);
    const BlockLive *live = mark_program(p, scratch);
    while (p->block->as_read || !all_live(p->block, live)) {
        const uint32_t before = p->block->nodes.count;
        p = dce_once(p, live, scratch);
        if (p->block->nodes.count >= before)
            break;
        live = mark_program(p, scratch);
    }
    arena_destroy(scratch);
    return p;
}
