/* What stop_gradient holds becomes an input.
 *
 * requires   a program with its loss, before or after its gradient
 * maintains  the loss, when each new input is given the value of that name
 * changes    nothing of the program: two new ones have the loss as their only use. `values` outputs
 *            the operand of every stop_gradient, in order; in `loss` the stop_gradients are inputs
 *            "held 0", "held 1" ... of these types, after the program's own. Loops around one are
 *            written out, as far as pass_write_out does.
 *
 *     %2 = stop_gradient %1 : real[4]     →     output "held 0" %1;   %2 = input 3 : real[4]
 */
#include "pass/pass.h"
#include "pass/rebuild.h"
#include "pass/write_out.h"

static bool hold_in_block(const TirBlock *block) {
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (node->op == TIR_STOP_GRADIENT ||
            (tir_op_has_body(node->op) && hold_in_block(node->attr.body)))
            return true;
    }
    return false;
}

static bool hold_in_loop(const TirProgram *p, const TirNode *loop) {
    (void)p;
    return hold_in_block(loop->attr.body);
}

/* The program with no output but the loss; that has what `tir_program_like` keeps. */
static TirProgram *hold_loss_alone(TirProgram *p) {
    TirProgram *alone = tir_program_like(p);
    alone->block = p->block;
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == TIR_OUT_LOSS)
            tir_add_output(alone, TIR_OUT_LOSS, p->outputs.at[k].name, 0, p->outputs.at[k].value);
    return pass_dce(alone);
}

static const char *hold_name(const TirProgram *p, uint32_t number) {
    return arena_printf(p->arena, "held %u", number);
}

/* Each stop_gradient's operand an output. Returns how many. */
static uint32_t hold_name_values(TirProgram *p) {
    uint32_t n = 0;
    for (TirId id = 1; id < p->block->nodes.count; id++)
        if (tir_node(p->block, id)->op == TIR_STOP_GRADIENT) {
            tir_add_output(p, TIR_OUT_NAMED, hold_name(p, n), n,
                           tir_node(p->block, id)->operands[0]);
            n++;
        }
    return n;
}

static TirProgram *hold_as_inputs(const TirProgram *p, TirId loss) {
    TirProgram *to = tir_program_like(p);
    TirBuilder b = tir_builder(to, to->block);
    TirId *map = ARENA_ARRAY(to->arena, TirId, p->block->nodes.count);
    TirIdVec operands = {0};
    uint32_t n = 0;
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        const TirNode *node = tir_node(p->block, id);
        if (node->op == TIR_STOP_GRADIENT)
            map[id] = tir_input(
                &b,
                tir_add_input(to, (TirInput){.name = hold_name(to, n++),
                                             .type = tir_node(p->block, node->operands[0])->type,
                                             .span = node->span}));
        else
            map[id] = pass_rebuild_mapped(&b, p->block, id, map, &operands);
    }
    tir_add_output(to, TIR_OUT_LOSS, "loss", 0, map[loss]);
    return pass_dce(to);
}

bool pass_hold(TirProgram *p, TirProgram **values, TirProgram **loss) {
    TirProgram *alone = hold_loss_alone(p);
    if (!hold_in_block(alone->block))
        return false;
    alone = pass_write_out_where(alone, hold_in_loop);
    if (!hold_name_values(alone))
        return false; /* in loops too long to be written out */
    *values = alone;
    *loss = hold_as_inputs(alone, alone->outputs.at[0].value);
    return true;
}
