/* Attention writes all its results into memory, wanted or not: each gets a value, for the plan to
 * give memory to. Requires a legalised program; changes nothing that exists. */
#include "pass/pass.h"

void pass_name_results(TirProgram *p) {
    TirBuilder b = tir_builder(p, p->block);
    for (TirId id = 1, end = p->block->nodes.count; id < end; id++) {
        TirNode node = *tir_node(p->block, id);
        if (node.op == TIR_ATTEND || node.op == TIR_ATTEND_GRAD || node.op == TIR_SEQUENCE)
            for (uint32_t k = 0; k < node.n_results; k++)
                tir_result(&b, id, k);
    }
}
