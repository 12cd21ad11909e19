/* What a value is to a plan: in memory already, looked through, computed where, a barrier or not.
 */
#include "plan/plan_internal.h"

bool plan_is_leaf(const TirNode *node) {
    return tir_op_class(node->op) == TIR_CLASS_LEAF;
}

/* What is taken along the last axis is not in a row, where vectors read: that is computed. */
bool plan_is_view(const TirNode *node) {
    return tir_op_through(node->op) &&
           (node->op != TIR_TAKE || node->attr.axis + 1u < node->type.rank);
}

TirId plan_root(const Plan *plan, TirId id) {
    const TirBlock *block = plan->program->block;
    while (plan->work[id] == WORK_NONE && plan_is_view(tir_node(block, id)))
        id = tir_node(block, id)->operands[0];
    return id;
}

bool plan_sums_instances(const TirBlock *block, TirId id) {
    const TirNode *node = tir_node(block, id);
    return node->op != TIR_SCATTER_ADD && tir_sums_places(block, node);
}

TirDomain plan_run_domain(const TirBlock *block, TirId id) {
    const TirNode *node = tir_node(block, id);
    TirDomain domain = node->type.domain;
    if (tir_op_sums(node->op))
        tir_domain_join(domain, tir_operand_domain(block, node->n_operands, node->operands),
                        &domain);
    return domain;
}

bool plan_is_barrier(WorkKind work) {
    return work != WORK_NONE && work != WORK_LOCAL;
}

/* A shift reads other positions than those that its kernel computes: what it reads must be complete
 * before the kernel begins. */
bool plan_reads_across(const TirNode *node) {
    return node->op == TIR_SHIFT;
}
