/* What a value is to a plan: in memory already, looked through, computed where, a barrier or not.
 */
#include "abi/layout.h"
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

/* What is counted in instances is long wherever it matters. */
static uint64_t side_of(bool per_instance, uint64_t side) {
    return per_instance ? UINT64_MAX : side;
}

/* At most one side is short, and none thinner than `thin`. */
static bool is_large(const GemmWork *g, uint32_t thin) {
    const uint64_t sides[] = {side_of(g->m_per_instance, g->m), g->n,
                              side_of(g->k_per_instance, g->k)};
    uint32_t n_short = 0;
    for (uint32_t k = 0; k < 3; k++) {
        if (sides[k] < thin)
            return false;
        n_short += sides[k] < PRODUCT_SIDE;
    }
    return n_short <= 1;
}

bool plan_has_product_kernels(const Call *call, uint32_t thin) {
    return call->kind == CALL_GEMM && call->buffers.at[2].element != ELEMENT_F64 &&
           is_large(&call->gemm, thin);
}

static uint32_t thin_of(const Plan *plan) {
    return machine_product_thin(&plan->options.machine,
                                hc_precision_rounds(plan->options.precision));
}

bool plan_gemm_has_kernels(const Plan *plan, TirId value) {
    return machine_has_products(&plan->options.machine) &&
           plan->options.precision != HC_PRECISION_F64 &&
           is_large(&plan->gemm[value], thin_of(plan));
}

bool plan_product_is_own(const Plan *plan, const Call *call) {
    return machine_has_products(&plan->options.machine) &&
           plan_has_product_kernels(call, thin_of(plan));
}

bool plan_product_is_direct(const Plan *plan, const Call *call) {
    const GemmWork *g = &call->gemm;
    const MachineProduct m =
        machine_product(&plan->options.machine, hc_precision_rounds(plan->options.precision));
    return m.way == PRODUCT_TILES && call->buffers.at[0].element == ELEMENT_BF16 &&
           !g->transpose_a && !g->k_per_instance && g->k % m.left_group == 0 && g->lda % 2 == 0;
}

HcPrecision plan_product_takes(const Plan *plan, const Call *call) {
    if (call->buffers.at[call->n_reads].element == ELEMENT_F64)
        return HC_PRECISION_F64;
    return plan_product_is_own(plan, call) && hc_precision_rounds(plan->options.precision)
               ? HC_PRECISION_BF16
               : HC_PRECISION_F32;
}

bool plan_is_barrier(WorkKind work) {
    return work != WORK_NONE && work != WORK_LOCAL;
}

bool plan_runs_kernel(const Call *call) {
    return call->kind == CALL_KERNEL || call->kind == CALL_ATTEND || call->kind == CALL_RECUR ||
           call->kind == CALL_SEQUENCE || call->kind == CALL_SUM_INSTANCES;
}

enum { WHOLE_VECTORS = 16 }; /* elements: of every processor's vectors a whole number */

uint32_t plan_recur_run(const TirType *state) {
    const uint64_t elements = tir_element_count(state), parts = hc_divide_up(elements, RECUR_RUN);
    return (uint32_t)hc_round_up(hc_divide_up(elements, parts), WHOLE_VECTORS);
}

uint32_t plan_recur_tasks(const TirType *state) {
    return (uint32_t)hc_divide_up(tir_element_count(state), plan_recur_run(state));
}

/* A shift reads other positions than those that its kernel computes: what it reads must be complete
 * before the kernel begins. */
bool plan_reads_across(const TirNode *node) {
    return node->op == TIR_SHIFT;
}

bool plan_is_called(const TirProgram *p) {
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == TIR_OUT_RESULT)
            return true;
    return false;
}

bool plan_is_given(const Plan *plan, TirId value) {
    return tir_node(plan->program->block, value)->op == TIR_INPUT || plan->output[value];
}

/* Of what the caller wants, a call makes some as it makes other values: one of several results of
 * one call, parameters' gradients, and what lies elsewhere already are handed out afterwards. */
static bool is_made_in_place(const Plan *plan, const TirOutput *out) {
    const TirBlock *block = plan->program->block;
    const TirId root = tir_storage(block, out->value);
    const TirNode *node = tir_node(block, root);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *other = &plan->program->outputs.at[k];
        if (other->role == TIR_OUT_GRAD && tir_storage(block, other->value) == root)
            return false;
    }
    return plan->work[root] != WORK_NONE && node->op != TIR_RESULT && node->type.elem == TIR_REAL &&
           !plan->output[root];
}

/* Results come first, then the gradients of inputs, by input. */
void plan_outputs(Plan *plan) {
    const TirProgram *p = plan->program;
    uint32_t results = 0;
    plan->output = ARENA_ARRAY(plan->arena, uint32_t, p->block->nodes.count);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        if (out->role != TIR_OUT_RESULT)
            continue;
        results++;
        if (is_made_in_place(plan, out))
            plan->output[tir_storage(p->block, out->value)] = results;
    }
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        if (out->role == TIR_OUT_INPUT_GRAD && is_made_in_place(plan, out))
            plan->output[tir_storage(p->block, out->value)] = results + out->index + 1;
    }
}
