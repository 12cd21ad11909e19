/* Evaluation of values at an index, on demand, with everything computed once while it is known.
 *
 * An expression's leaves are loads; a value that lies in memory is loaded, any other is computed
 * from its operands at the indices that its op says. Whether a load is a scalar, a vector or a
 * strided vector follows from how the address moves along the lanes. */
#include "lower/lower_internal.h"

/* Through a loop body's argument: what it stands for. */
static NestId eval_argument(Lower *l, LowerFrame *frame, const TirNode *node,
                            const AffineIndex *index) {
    const TirAttr *scan = &frame->scan->attr;
    uint32_t k = node->attr.index;
    if (k < scan->n_carried) {
        Affine flat = affine_flat(index, &node->type);
        if (!affine_is_const(&flat))
            lower_fault(l, node->op, "a loop's carried value is read by run-time index");
        return frame->carried[k][flat.offset];
    }
    if (k < scan->n_carried + scan->n_invariant)
        return lower_eval(l, frame->parent, frame->scan->operands[k], index);
    if (k < scan->n_carried + scan->n_invariant + scan->n_scanned) {
        AffineIndex whole = {.rank = index->rank + 1};
        whole.at[0] = affine_var(frame->trip);
        for (uint32_t m = 0; m < index->rank; m++)
            whole.at[m + 1] = index->at[m];
        return lower_eval(l, frame->parent, frame->scan->operands[k], &whole);
    }
    return nest_cast(&l->b, NEST_I32, frame->trip);
}

/* A register holds an element for the positions in its lanes: of no use where lanes are features,
 * or where one position is evaluated by itself. */
static bool in_registers_here(const Lower *l, const NestId *registers) {
    return l->context.row.lane != 0 || nest_type(l->kernel, registers[0]).lanes == 1;
}

static NestId eval_stored(Lower *l, LowerFrame *frame, TirId id, const TirNode *node,
                          const AffineIndex *index) {
    if (frame->scan)
        return 0;
    const ScheduleValue *v = lower_find(l, id);
    if (!v)
        return 0;
    const LowerHeld *held = lower_held(l, v);
    if (!held->ready)
        return 0;
    Affine flat = affine_flat(index, &node->type);
    if (held->registers && affine_is_const(&flat) && in_registers_here(l, held->registers))
        return held->registers[flat.offset];
    if (v->place == PLACE_REGISTERS)
        lower_fault(l, node->op, "a loop reads by run-time index what is in registers only");
    if (l->context.elsewhere && (v->place == PLACE_TILE_ROWS || v->place == PLACE_TILE_LANES))
        lower_fault(l, node->op, "another position's value is read that this kernel computes");
    return lower_load(l, v, &node->type, index);
}

NestId lower_eval(Lower *l, LowerFrame *frame, TirId id, const AffineIndex *index) {
    const TirNode *node = tir_node(frame->block, id);
    uint64_t hash = lower_memo_hash(l, id, frame->number, index);
    NestId found = lower_memo_find(l, id, frame->number, index, hash);
    if (found)
        return found;
    Span span = l->b.span;
    const char *name = l->b.name;
    l->b.span = node->span;
    l->b.name = node->name;
    NestId result = node->op == TIR_ARG ? eval_argument(l, frame, node, index)
                                        : eval_stored(l, frame, id, node, index);
    if (!result)
        result = lower_op(l, frame, node, index);
    l->b.span = span;
    l->b.name = name;
    lower_memo_add(l, id, frame->number, index, hash, result);
    return result;
}
