/* Places: that every reader finds a value where it lies.
 *
 * What a loop carries lies in registers, an element each, with positions in lanes. A reader with
 * features in lanes, one that takes positions one by one, and one that comes to elements by an
 * index known only at run time find nothing there: for them the results are stored. */
#include "lower/lower_internal.h"
#include "nest/nest_internal.h"

/* Whether a value's own loops, if it has any, evaluate it apart: not with positions in lanes, or by
 * run-time index. */
static bool has_loops_apart(const Lower *l, const Value *v) {
    const TirNode *node = tir_node(l->block, v->id);
    if (v->side != SIDE_LANE)
        return true;
    if (node->op == TIR_SCAN || node->op == TIR_RESULT)
        return false;
    return v->by_parts || schedule_by_position(node) || v->elements > UNROLL_LANE;
}

/* Whether `node`, the program's `id`, comes to its operand `k` by an index of its own, known only
 * at run time. */
static bool walks(Lower *l, TirId id, const TirNode *node, uint32_t k) {
    const TirType *from = &tir_node(l->block, node->operands[k])->type;
    switch (node->op) {
    case TIR_CONTRACT:
        return schedule_terms(l, id) > UNROLL_REDUCE;
    case TIR_GATHER:
        return k == 0;
    case TIR_SCAN: /* an entry a turn */
        return k >= node->attr.n_carried + node->attr.n_invariant;
    case TIR_SCATTER_ADD:
        return tir_element_count(&tir_node(l->block, node->operands[0])->type) > UNROLL_REDUCE;
    default:
        return tir_op_class(node->op) == TIR_CLASS_REDUCE &&
               tir_element_count(from) > UNROLL_REDUCE * tir_element_count(&node->type);
    }
}

void schedule_place_results(Lower *l) {
    for (uint32_t k = l->order.count; k-- > 0;) {
        TirId id = l->order.at[k];
        const TirNode *node = tir_node(l->block, id);
        Value *v = schedule_value(l, id);
        v->apart |= has_loops_apart(l, v); /* or its readers' loops do */
        for (uint32_t o = 0; o < node->n_operands; o++) {
            bool in_step;
            Value *from = schedule_value(l, schedule_operand(l, id, o, &in_step));
            if (!from || !from->in_group || !(v->apart || walks(l, id, node, o)))
                continue;
            if (tir_node(l->block, from->id)->op == TIR_RESULT)
                from->must_store = true;
            else if (!from->must_store && !from->sum)
                from->apart = true;
        }
    }
}

void lower_check_place(const Lower *l, const Value *v, const Affine *flat) {
    const TirNode *node = tir_node(l->block, v->id);
    const char *name = node->name ? node->name : "";
    if (v->store == STORE_NONE)
        lower_fault(l, node->op,
                    arena_printf(l->arena, "%%%u %s is read from memory and lies nowhere there",
                                 v->id, name));
    NestAddress at = affine_address(flat);
    NestRange first = nest_address_range(l->kernel, &at);
    bool features = flat->lane != 0 && l->context.row.lane == 0;
    NestRange all = features ? nest_lanes_range(l->kernel, first, l->context.lanes, flat->lane,
                                                l->context.valid)
                             : first;
    if (nest_range_outside(all, v->elements))
        lower_fault(l, node->op,
                    arena_printf(l->arena, "%%%u %s is read at %.0f to %.0f of %llu elements",
                                 v->id, name, all.low, all.high, (unsigned long long)v->elements));
}
