/* Loops whose body crosses positions are written out.
 *
 * requires   a program, before or after its gradient
 * maintains  every output and its value
 * changes    a SCAN in whose body one position sees another (SHIFT, ATTEND, a sum over positions)
 *            becomes its turns one after another: a kernel's loop goes through all turns at one
 *            position before it comes to the next, which such a body cannot wait for. Values are
 *            renumbered. A loop that would become too long stays, and cannot be compiled.
 *
 *     %3 = scan %2 trips 2 carried 1 { %1 = arg 0  %2 = shift %1 offset 1  yield %2 }
 *     →   %3 = shift %2 offset 1   %4 = shift %3 offset 1
 */
#include "pass/pass.h"
#include "pass/rebuild.h"

enum { WRITTEN_MOST = 2000000 }; /* values of one loop, written out */

bool pass_loop_crosses(const TirProgram *p, const TirBlock *body) {
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        if (node->op == TIR_SCAN ? pass_loop_crosses(p, node->attr.body)
                                 : tir_own_dependence(p, body, node) != TIR_DEPENDS_SELF)
            return true;
    }
    return false;
}

/* Values of the body when its loops that `wanted` names are written out. */
static uint64_t written_size(const TirProgram *p, const TirBlock *body, PassLoop *wanted) {
    uint64_t n = 0;
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        const bool loop = node->op == TIR_SCAN && wanted(p, node->attr.body);
        n += loop ? node->attr.trips * written_size(p, node->attr.body, wanted) : 1;
        if (n > WRITTEN_MOST)
            return n;
    }
    return n;
}

static bool writes_out(const TirProgram *p, const TirNode *node, PassLoop *wanted) {
    return node->op == TIR_SCAN && wanted(p, node->attr.body) &&
           node->attr.trips * written_size(p, node->attr.body, wanted) <= WRITTEN_MOST;
}

static void write_block(TirBuilder *b, const TirBlock *from, PassLoop *wanted,
                        const TirId *arguments, TirId *map);

/* `x` of an outer domain where the body is given one a position: attention wants positions. */
static TirId at_positions(TirBuilder *b, TirId x, const TirType *as) {
    const TirType type = tir_node(b->block, x)->type;
    if (type.domain.space || !as->domain.space || type.elem != TIR_REAL)
        return x;
    const TirId inside = tir_binary(b, TIR_LE, tir_int(b, 0), tir_position(b, as->domain.space));
    const TirId zeros = tir_broadcast(b, tir_real(b, 0), type.rank, type.dims, NULL);
    return tir_select(b, inside, x, zeros);
}

/* The loop's results, in order: final carried values, then stacked ones. */
static TirId *write_loop(TirBuilder *b, const TirNode *node, PassLoop *wanted,
                         const TirId *operands) {
    Arena *arena = b->program->arena;
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    const uint32_t n = a->n_carried + a->n_invariant + a->n_scanned;
    TirId *arguments = ARENA_ARRAY(arena, TirId, n + 1);
    TirId *results = ARENA_ARRAY(arena, TirId, a->n_carried + a->n_stacked);
    TirId *stacked = ARENA_ARRAY(arena, TirId, (size_t)a->n_stacked * a->trips);
    TirId *map = ARENA_ARRAY(arena, TirId, body->nodes.count);
    for (uint32_t k = 0; k < n; k++)
        arguments[k] = operands[k];
    for (uint32_t turn = 0; turn < a->trips; turn++) {
        const uint32_t trip = a->reverse ? a->trips - 1 - turn : turn;
        for (uint32_t k = 0; k < a->n_carried; k++)
            arguments[k] = at_positions(b, arguments[k], &body->arguments.at[k]);
        for (uint32_t k = n - a->n_scanned; k < n; k++)
            arguments[k] = pass_stack_entry(b, operands[k], trip);
        arguments[n] = tir_int(b, trip);
        write_block(b, body, wanted, arguments, map);
        for (uint32_t k = 0; k < a->n_carried; k++)
            arguments[k] = map[body->results.at[k]];
        for (uint32_t k = 0; k < a->n_stacked; k++)
            stacked[k * a->trips + trip] = map[body->results.at[a->n_carried + k]];
    }
    for (uint32_t k = 0; k < a->n_carried; k++)
        results[k] = arguments[k];
    for (uint32_t k = 0; k < a->n_stacked; k++)
        results[a->n_carried + k] = pass_stack(b, a->trips, stacked + (size_t)k * a->trips);
    return results;
}

/* `from` again, in b's block; map[id] is where value id went. Loops stand in loops as deep as text
 * nests. */
static void write_block(TirBuilder *b, const TirBlock *from, PassLoop *wanted,
                        const TirId *arguments, TirId *map) {
    Arena *arena = b->program->arena;
    TirId **results = ARENA_ARRAY(arena, TirId *, from->nodes.count); /* of written loops */
    TirIdVec operands = {0};
    for (TirId id = 1; id < from->nodes.count; id++) {
        const TirNode *node = tir_node(from, id);
        if (node->op == TIR_ARG) {
            map[id] = arguments[node->attr.index];
        } else if (node->op == TIR_RESULT && results[node->operands[0]]) {
            map[id] = results[node->operands[0]][node->attr.index];
        } else if (writes_out(b->program, node, wanted)) {
            TirId *given = ARENA_ARRAY(arena, TirId, node->n_operands);
            for (uint32_t k = 0; k < node->n_operands; k++)
                given[k] = map[node->operands[k]];
            results[id] = write_loop(b, node, wanted, given);
        } else {
            map[id] = pass_rebuild_mapped(b, from, id, map, &operands);
        }
    }
}

void pass_write_out(TirProgram *p) {
    pass_write_out_where(p, pass_loop_crosses);
}

void pass_write_out_where(TirProgram *p, PassLoop *wanted) {
    bool any = false;
    for (TirId id = 1; id < p->block->nodes.count; id++)
        any = any || writes_out(p, tir_node(p->block, id), wanted);
    if (!any)
        return;
    TirBuilder b = tir_builder(p, tir_block_create(p));
    TirId *map = ARENA_ARRAY(p->arena, TirId, p->block->nodes.count);
    uint32_t n_forward = 0;
    write_block(&b, p->block, wanted, NULL, map);
    if (p->n_forward)
        for (TirId id = 1; id <= p->n_forward; id++)
            n_forward = map[id] > n_forward ? map[id] : n_forward;
    for (uint32_t k = 0; k < p->outputs.count; k++)
        p->outputs.at[k].value = map[p->outputs.at[k].value];
    p->block = b.block;
    p->n_forward = n_forward;
}
