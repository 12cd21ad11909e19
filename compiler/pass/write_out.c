/* Loops are written out: their turns stand one after another.
 *
 * requires   a program, before or after its gradient
 * maintains  every output and its value; n_forward follows. The program given stays as it is, for
 *            others are compiled from it
 * changes    each SCAN that a predicate names, also in others, becomes its turns. Values are
 *            renumbered. A loop that would become too long stays.
 *
 * pass_write_out names those in whose body one position sees another (SHIFT, ATTEND, a sum over
 * positions): a kernel's loop goes through all turns at one position before it comes to the next,
 * which such a body cannot wait for.
 *
 *     %3 = scan %2 trips 2 carried 1 { %1 = arg 0  %2 = shift %1 offset 1  yield %2 }
 *     →   %3 = shift %2 offset 1   %4 = shift %3 offset 1
 */
#include "pass/write_out.h"
#include "pass/pass.h"
#include "pass/rebuild.h"

enum { WRITTEN_MOST = 2000000 }; /* values of one loop, written out */

bool pass_loop_crosses(const TirProgram *p, const TirNode *loop) {
    const TirBlock *body = loop->attr.body;
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        if (node->op == TIR_SCAN ? pass_loop_crosses(p, node)
                                 : tir_own_dependence(p, body, node) != TIR_DEPENDS_SELF)
            return true;
    }
    return false;
}

/* More than anybody counts; a few of them are still a number. */
#define UNCOUNTED (UINT64_MAX / 4)

uint64_t pass_written_size(const TirProgram *p, const TirNode *node, PassLoop *wanted,
                           uint64_t most) {
    if (node->op != TIR_SCAN || !wanted(p, node))
        return 0;
    const TirBlock *body = node->attr.body;
    uint64_t n = 0;
    for (TirId id = 1; id < body->nodes.count && n <= most; id++)
        n += 1 + pass_written_size(p, tir_node(body, id), wanted, most);
    return n > UNCOUNTED / node->attr.trips ? UNCOUNTED : node->attr.trips * n;
}

typedef struct {
    TirBuilder b;
    PassLoop *wanted;
    Arena *scratch;
} WriteOut;

static bool writes_out(const WriteOut *w, const TirNode *node) {
    const uint64_t size = pass_written_size(w->b.program, node, w->wanted, WRITTEN_MOST);
    return size > 0 && size <= WRITTEN_MOST;
}

static void write_block(WriteOut *w, const TirBlock *from, const TirId *arguments, TirId *map,
                        uint32_t *n_forward);

/* The loop's results, in order: final carried values, then stacked ones. */
static TirId *write_loop(WriteOut *w, const TirNode *loop, const TirId *map_of_operands) {
    const TirAttr *a = &loop->attr;
    const uint32_t n = loop->n_operands, before = a->n_carried + a->n_invariant;
    TirId *arguments = ARENA_ARRAY(w->scratch, TirId, n + 1);
    TirId *results = ARENA_ARRAY(w->scratch, TirId, a->n_carried + a->n_stacked);
    TirId *stacked = ARENA_ARRAY(w->scratch, TirId, (size_t)a->n_stacked * a->trips);
    TirId *map = ARENA_ARRAY(w->scratch, TirId, a->body->nodes.count);
    for (uint32_t k = 0; k < before; k++)
        arguments[k] = map_of_operands[loop->operands[k]];
    for (uint32_t turn = 0; turn < a->trips; turn++) {
        const uint32_t trip = a->reverse ? a->trips - 1 - turn : turn;
        for (uint32_t k = before; k < n; k++)
            arguments[k] = pass_stack_entry(&w->b, map_of_operands[loop->operands[k]], trip);
        arguments[n] = tir_int(&w->b, trip);
        write_block(w, a->body, arguments, map, NULL);
        for (uint32_t k = 0; k < a->n_carried; k++)
            arguments[k] = map[a->body->results.at[k]];
        for (uint32_t k = 0; k < a->n_stacked; k++)
            stacked[k * a->trips + trip] = map[a->body->results.at[a->n_carried + k]];
    }
    for (uint32_t k = 0; k < a->n_carried; k++)
        results[k] = arguments[k];
    for (uint32_t k = 0; k < a->n_stacked; k++)
        results[a->n_carried + k] = pass_stack(&w->b, a->trips, stacked + (size_t)k * a->trips);
    return results;
}

/* `from` again, in w's block; map[id] is where value id went, and the last of *n_forward values
 * (NULL: nobody asks) where that went. Loops stand in loops as deep as text nests. */
static void write_block(WriteOut *w, const TirBlock *from, const TirId *arguments, TirId *map,
                        uint32_t *n_forward) {
    TirId **results = ARENA_ARRAY(w->scratch, TirId *, from->nodes.count); /* of written loops */
    TirIdVec operands = {0};
    const uint32_t last = n_forward ? *n_forward : 0;
    for (TirId id = 1; id < from->nodes.count; id++) {
        const TirNode *node = tir_node(from, id);
        if (node->op == TIR_ARG) {
            map[id] = arguments[node->attr.index];
        } else if (node->op == TIR_RESULT && results[node->operands[0]]) {
            map[id] = results[node->operands[0]][node->attr.index];
        } else if (writes_out(w, node)) {
            w->b.span = node->span;
            w->b.name = node->name;
            results[id] = write_loop(w, node, map);
        } else {
            map[id] = pass_rebuild_mapped(&w->b, from, id, map, &operands);
        }
        if (id == last)
            *n_forward = w->b.block->nodes.count - 1;
    }
}

TirProgram *pass_write_out(TirProgram *p) {
    return pass_write_out_where(p, pass_loop_crosses);
}

TirProgram *pass_write_out_where(TirProgram *p, PassLoop *wanted) {
    WriteOut w = {.b = tir_builder(p, p->block), .wanted = wanted};
    bool any = false;
    for (TirId id = 1; id < p->block->nodes.count; id++)
        any = any || writes_out(&w, tir_node(p->block, id));
    if (!any)
        return p;
    TirProgram *to = tir_program_like(p);
    to->n_forward = p->n_forward;
    w.b = tir_builder(to, to->block);
    w.scratch = arena_create_child(p->arena);
    TirId *map = ARENA_ARRAY(w.scratch, TirId, p->block->nodes.count);
    write_block(&w, p->block, NULL, map, &to->n_forward);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *o = &p->outputs.at[k];
        tir_add_output(to, o->role, o->name, o->index, map[o->value]);
    }
    arena_destroy(w.scratch);
    return to;
}
