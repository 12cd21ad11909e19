/* A TAKE by a long table without order (a permutation, `floor(3 * c / 2) % d`, the inverse of such)
 * as a GATHER: what it reads is stored, and each entry is a load. Inside a kernel each would be
 * compared with all entries of the table.
 *
 *     take(x[2, n, 3], axis 1, table)  ->  gather(reshape(x, [2 * n, 3]), [table, n + table]) */
#include "pass/take_stored.h"
#include "machine/limits.h"
#include "pass/take_runs.h"

static bool is_stored(const TirBuilder *b, const TirNode *node) {
    TakeRuns runs;
    return node->op == TIR_TAKE && node->type.elem != TIR_BOOL &&
           node->type.dims[node->attr.axis] > TAKE_STORED &&
           !take_runs(b->program->arena, node, TAKE_RUNS, &runs);
}

TirId take_stored(TirBuilder *b, TirId id) {
    const TirNode node = *tir_node(b->block, id);
    if (!is_stored(b, &node))
        return id;
    const TirType x = tir_node(b->block, node.operands[0])->type;
    const uint32_t axis = node.attr.axis, extent = x.dims[axis], taken = node.type.dims[axis];
    uint32_t dims[TIR_MAX_RANK], leading = 1;
    for (uint32_t k = 0; k < axis; k++)
        leading *= x.dims[k];
    double *rows = ARENA_ARRAY(b->program->arena, double, (size_t)leading *taken);
    for (uint32_t l = 0; l < leading; l++)
        for (uint32_t i = 0; i < taken; i++) {
            const int32_t from = node.attr.indices[i];
            rows[(size_t)l * taken + i] = from < 0 ? -1 : (double)l * extent + from;
        }
    dims[0] = leading * extent;
    for (uint32_t k = axis + 1u; k < x.rank; k++)
        dims[k - axis] = x.dims[k];
    const TirId from = tir_reshape(b, node.operands[0], x.rank - axis, dims);
    const TirId table = tir_table(b, TIR_INT, 1, (uint32_t[]){leading * taken}, rows);
    return tir_reshape(b, tir_gather(b, from, table), node.type.rank, node.type.dims);
}
