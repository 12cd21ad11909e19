/* Unroll: loops that no kernel can run are written out.
 *
 * requires   any program
 * maintains  outputs and their values; n_forward follows
 * changes    a SCAN whose body crosses positions, loads parameters or inputs, holds a loop, whose
 * values live at different places, or that works on more than registers hold becomes its trips, one
 * after the other
 *
 *     %3 = scan %1 %2 trips 2 { tanh(shift(arg0, 1) + arg1) }     %4 = result %3 0
 *     →  %5 = shift %1    %6 = tanh(%5 + %2)    %7 = shift %6    %8 = tanh(%7 + %2) */
#include "machine/limits.h"
#include "pass/pass.h"
#include "pass/write_out.h"

/* Of each of a sum's results. */
static uint64_t terms(const TirBlock *block, const TirNode *node) {
    const TirType *type = &tir_node(block, node->operands[0])->type;
    if (tir_op_class(node->op) == TIR_CLASS_REDUCE)
        return tir_element_count(type) / tir_element_count(&node->type);
    uint64_t n = 1;
    for (uint32_t k = 0; k < type->rank; k++) /* what is summed stands on both sides */
        n *= node->attr.labels[0][k] < node->type.rank ? 1 : type->dims[k];
    return n;
}

/* Adds the node's operations, an instruction each, to *size. */
static bool fits_registers(const TirBlock *body, const TirNode *node, uint64_t *size) {
    const TirOpClass class = tir_op_class(node->op);
    if (node->type.elem == TIR_TUPLE || class == TIR_CLASS_VIEW || node->op == TIR_ARG ||
        node->op == TIR_TABLE)
        return true;
    const bool folds = class == TIR_CLASS_REDUCE || class == TIR_CLASS_CONTRACT;
    const uint64_t elements = tir_element_count(&node->type), of = folds ? terms(body, node) : 1;
    if (elements > SCAN_VALUE_MOST || of > SCAN_TERMS_MOST)
        return false;
    *size += elements * of;
    return *size <= SCAN_BODY_MOST;
}

static bool is_local(const TirBlock *body, const TirNode *node) {
    return node->op != TIR_PARAM && node->op != TIR_INPUT && node->op != TIR_SCAN &&
           node->op != TIR_POSITION_SUM && !tir_sums_places(body, node) &&
           tir_op_class(node->op) != TIR_CLASS_CROSS;
}

static bool fits_kernel(const TirNode *loop) {
    const TirBlock *body = loop->attr.body;
    uint64_t carried = 0, size = 0;
    bool fits = true;
    for (uint32_t k = 0; k < body->arguments.count; k++) /* it runs at the places of one domain */
        fits = fits && tir_domain_outer(body->arguments.at[k].domain, loop->type.domain);
    for (uint32_t k = 0; k < loop->n_results; k++) {
        const TirType *type = &loop->result_types[k];
        fits = fits && tir_domain_equal(type->domain, loop->result_types[0].domain);
        carried += k < loop->attr.n_carried ? tir_element_count(type) : 0;
    }
    fits = fits && carried <= SCAN_CARRIED_MOST;
    for (TirId id = 1; fits && id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        fits = is_local(body, node) && fits_registers(body, node, &size);
    }
    return fits;
}

static bool no_kernel_runs(const TirProgram *p, const TirNode *loop) {
    (void)p;
    return !fits_kernel(loop);
}

bool pass_unroll_fits(const TirProgram *p, TirId *loop, uint64_t *values) {
    uint64_t all = 0;
    for (*loop = 1; *loop < p->block->nodes.count; ++*loop) {
        *values = pass_written_size(p, tir_node(p->block, *loop), no_kernel_runs, UNROLL_MOST);
        all += *values;
        if (all > UNROLL_MOST)
            return false;
    }
    return true;
}

TirProgram *pass_unroll(TirProgram *p) {
    TirProgram *written = pass_write_out_where(p, no_kernel_runs);
    return written == p ? p : pass_dce(written);
}
