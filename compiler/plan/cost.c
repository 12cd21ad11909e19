/* Counting operations on tensor IR, one rule a class of op. */
#include "plan/cost.h"

static double cost_contract(const TirBlock *block, const TirNode *node) {
    uint64_t extent[256] = {0};
    double product = 2;
    for (uint32_t side = 0; side < 2; side++) {
        const TirType *type = &tir_node(block, node->operands[side])->type;
        for (uint32_t axis = 0; axis < type->rank; axis++)
            extent[node->attr.labels[side][axis]] = type->dims[axis];
    }
    for (uint32_t label = 0; label < 256; label++)
        if (extent[label])
            product *= (double)extent[label];
    return product;
}

/* Scores and weighted values at one position; the gradient makes five such products of two. */
static double cost_attend(const TirBlock *block, const TirNode *node, uint32_t positions) {
    double seen = node->attr.causal ? (positions + 1) / 2.0 : positions;
    double q = (double)tir_element_count(&tir_node(block, node->operands[0])->type);
    double v = (double)tir_element_count(&tir_node(block, node->operands[2])->type);
    return node->op == TIR_ATTEND ? 2 * seen * (q + v) : 2 * seen * (3 * q + 2 * v);
}

static double cost_operand_elements(const TirBlock *block, const TirNode *node) {
    return (double)tir_element_count(&tir_node(block, node->operands[0])->type);
}

static double cost_node(const TirBlock *block, const TirNode *node, uint32_t positions);

static double cost_body(const TirBlock *body, uint32_t positions) {
    double sum = 0;
    for (TirId id = 1; id < body->nodes.count; id++)
        sum += cost_node(body, tir_node(body, id), positions);
    return sum;
}

/* Operations of a node at one element of its working domain. Loop bodies hold no loops of theirs
 * deeper than the nesting cap, so the recursion is bounded. */
static double cost_node(const TirBlock *block, const TirNode *node, uint32_t positions) {
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_MAP:
        return tir_op_price(node->op) == TIR_PRICE_NONE ? 0
                                                        : (double)tir_element_count(&node->type);
    case TIR_CLASS_REDUCE:
        return cost_operand_elements(block, node);
    case TIR_CLASS_CONTRACT:
        return cost_contract(block, node);
    case TIR_CLASS_LOOP:
        return node->op == TIR_SCAN ? cost_body(node->attr.body, positions) * node->attr.trips : 0;
    case TIR_CLASS_CROSS:
        if (node->op == TIR_ATTEND || node->op == TIR_ATTEND_GRAD)
            return cost_attend(block, node, positions);
        if (node->op == TIR_SEQUENCE)
            return cost_body(node->attr.body, positions);
        return node->op == TIR_RECUR ? 2 * (double)tir_element_count(&node->type) : 0;
    case TIR_CLASS_GATHER:
        return node->op == TIR_SCATTER_ADD
                   ? (double)tir_element_count(&tir_node(block, node->operands[1])->type)
                   : 0;
    case TIR_CLASS_LEAF:
    case TIR_CLASS_VIEW:
        return 0;
    }
    return 0;
}

/* Sums run over their operands' instances, so the work's domain is the largest one touched. */
static TirDomain cost_domain(const TirBlock *block, const TirNode *node) {
    TirDomain domain = node->type.domain;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        TirDomain joined;
        if (tir_domain_join(domain, tir_node(block, node->operands[k])->type.domain, &joined))
            domain = joined;
    }
    return domain;
}

void cost_add(Cost *cost, TirDomain domain, double amount, uint32_t positions) {
    if (domain.space && domain.sample)
        cost->per_position += amount;
    else if (domain.space)
        cost->per_step += amount * positions;
    else if (domain.sample)
        cost->per_sample += amount;
    else
        cost->per_step += amount;
}

void cost_add_value(Cost *cost, const TirBlock *block, TirId id, uint32_t positions) {
    const TirNode *node = tir_node(block, id);
    cost_add(cost, cost_domain(block, node), cost_node(block, node, positions), positions);
}

Cost cost_count(const TirProgram *p, bool forward, uint32_t positions) {
    Cost cost = {0};
    for (TirId id = 1; id < p->block->nodes.count; id++)
        if (p->n_forward == 0 ? forward : (id <= p->n_forward) == forward)
            cost_add_value(&cost, p->block, id, positions);
    return cost;
}

double cost_spread(Cost cost, uint32_t samples, uint32_t positions) {
    return cost.per_position + cost.per_sample / positions +
           cost.per_step / ((double)samples * positions);
}
