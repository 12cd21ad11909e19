/* Checks every invariant of a program: each value is inferred afresh and compared with what it
 * claims, in loop bodies too. */
#include "tir/tir_internal.h"
#include <math.h>

static const char *verify_type(const TirProgram *p, const TirType *t) {
    if (t->domain.space > p->spaces.count || t->domain.sample > 1)
        return "its domain is of no declared space";
    if (t->rank > TIR_MAX_RANK)
        return "its rank is too high";
    for (uint32_t k = 0; k < t->rank; k++)
        if (t->dims[k] == 0)
            return "an extent is 0";
    return NULL;
}

static const char *verify_constant(const TirNode *node) {
    const double v = node->attr.number;
    if (node->type.elem == TIR_INT && floor(v) != v)
        return "an int constant is not whole";
    if (node->type.elem == TIR_BOOL && v != 0 && v != 1)
        return "a bool constant is neither 0 nor 1";
    return NULL;
}

static const char *verify_node(const TirProgram *p, const TirBlock *block, TirId id) {
    const TirNode *node = &block->nodes.at[id];
    if (node->op >= TIR_OP_COUNT)
        return "it has no op";
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (node->operands[k] >= id)
            return "an operand does not come before its user";
    TirNode fresh = *node;
    fresh.n_results = 0;
    const char *wrong = tir_infer(p, block, &fresh);
    if (!wrong)
        wrong = verify_type(p, &node->type);
    if (!wrong && node->op == TIR_CONST)
        wrong = verify_constant(node);
    if (wrong)
        return wrong;
    if (!tir_type_equal(&fresh.type, &node->type) ||
        fresh.type.dependence != node->type.dependence || fresh.n_results != node->n_results)
        return arena_printf(p->arena, "its type is %s, which should be %s",
                            tir_type_text(p->arena, &node->type),
                            tir_type_text(p->arena, &fresh.type));
    for (uint32_t k = 0; k < node->n_results; k++)
        if (!tir_type_equal(&fresh.result_types[k], &node->result_types[k]) ||
            fresh.result_types[k].dependence != node->result_types[k].dependence)
            return arena_printf(p->arena, "result %u's type is wrong", k);
    return NULL;
}

static const char *verify_block(const TirProgram *p, const TirBlock *block, bool body) {
    for (uint32_t k = 0; k < block->arguments.count; k++) {
        const char *wrong = verify_type(p, &block->arguments.at[k]);
        if (wrong || block->arguments.at[k].elem == TIR_TUPLE)
            return arena_printf(p->arena, "argument %u: %s", k, wrong ? wrong : "it is a tuple");
    }
    if (!body && (block->arguments.count || block->results.count))
        return "the program's own block has arguments or results";
    for (uint32_t k = 0; k < block->results.count; k++)
        if (block->results.at[k] == 0 || block->results.at[k] >= block->nodes.count)
            return arena_printf(p->arena, "result %u is no value", k);
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = &block->nodes.at[id];
        const char *wrong = NULL;
        if (tir_op_has_body(node->op)) /* first, for the op's own rule reads its body */
            wrong = node->attr.body ? verify_block(p, node->attr.body, true) : "it has no body";
        if (!wrong)
            wrong = verify_node(p, block, id);
        if (wrong)
            return arena_printf(p->arena, "%%%u (%s): %s", id,
                                node->op < TIR_OP_COUNT ? tir_op_name(node->op) : "?", wrong);
    }
    return NULL;
}

static const char *verify_output(const TirProgram *p, const TirOutput *o) {
    if (o->value == 0 || o->value >= p->block->nodes.count)
        return "it is no value";
    if (p->n_forward && o->value > p->n_forward && !tir_comes_with_gradients(o->role))
        return "the forward pass gives it, and the backward pass makes it";
    const TirType *t = &p->block->nodes.at[o->value].type;
    if (t->elem == TIR_TUPLE)
        return "it is a tuple";
    if (o->role == TIR_OUT_LOSS || o->role == TIR_OUT_METRIC || o->role == TIR_OUT_TERM)
        if (t->elem != TIR_REAL || t->rank || t->domain.sample || t->domain.space)
            return "it is not a global real number";
    if (o->role == TIR_OUT_GRAD)
        if (o->index >= p->params.count || !tir_type_equal(t, &p->params.at[o->index].type))
            return "it does not have its parameter's type";
    if (o->role == TIR_OUT_UPDATE)
        if (o->index >= p->params.count || !p->params.at[o->index].buffer ||
            !tir_type_equal(t, &p->params.at[o->index].type))
            return "it does not have its buffer's type";
    if (o->role == TIR_OUT_PROJECT)
        if (o->index >= p->params.count || p->params.at[o->index].buffer ||
            !tir_type_equal(t, &p->params.at[o->index].type))
            return "it does not have its parameter's type";
    if (o->role == TIR_OUT_RESULT && (!o->name || tir_find_result(p, o->name) != o))
        return "it has no name, or another result's";
    if (o->role == TIR_OUT_INPUT_GRAD)
        if (o->index >= p->inputs.count || !tir_type_equal(t, &p->inputs.at[o->index].type))
            return "it does not have its input's type";
    return NULL;
}

static bool is_gradient(const TirInput *in) {
    return in->upstream || in->beside;
}

static const char *verify_input(const TirProgram *p, const TirInput *in) {
    const char *wrong = verify_type(p, &in->type);
    if (wrong || !is_gradient(in))
        return wrong;
    const TirOutput *of = in->upstream ? tir_find_result(p, in->upstream) : NULL;
    const TirInput *other = in->beside ? tir_find_input(p, in->beside) : NULL;
    const TirType *type = other ? &other->type : NULL;
    if (of && of->value < p->block->nodes.count)
        type = &tir_node(p->block, of->value)->type;
    if (in->type.elem != TIR_REAL || !type || !tir_type_equal(&in->type, type))
        return "it is no gradient of a result or an input of its type";
    return NULL;
}

static const char *verify_declarations(const TirProgram *p) {
    for (uint32_t k = 0; k < p->params.count; k++) {
        const TirParam *q = &p->params.at[k];
        const char *wrong = verify_type(p, &q->type);
        if (!wrong && (q->type.elem != TIR_REAL || q->type.domain.sample || q->type.domain.space))
            wrong = "it is not real and global";
        if (!wrong && q->buffer && !q->frozen)
            wrong = "it is a buffer, and not frozen";
        if (!wrong && q->init == TIR_INIT_DATA && !q->data)
            wrong = "its initial data is missing";
        if (wrong)
            return arena_printf(p->arena, "parameter %u (%s): %s", k, q->name, wrong);
    }
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *before = k ? &p->inputs.at[k - 1] : NULL;
        const char *wrong = verify_input(p, &p->inputs.at[k]);
        if (before && is_gradient(before) && !is_gradient(&p->inputs.at[k]))
            wrong = "it comes after gradients";
        if (wrong)
            return arena_printf(p->arena, "input %u (%s): %s", k, p->inputs.at[k].name, wrong);
    }
    for (uint32_t k = 0; k < p->tables.count; k++) {
        const TirType *t = &p->tables.at[k].type;
        const char *wrong = verify_type(p, t);
        if (!wrong && (t->domain.sample || t->domain.space || !p->tables.at[k].data))
            wrong = "it is not global data";
        if (wrong)
            return arena_printf(p->arena, "table %u: %s", k, wrong);
    }
    return NULL;
}

const char *tir_verify(const TirProgram *p) {
    const char *wrong = verify_declarations(p);
    if (!wrong)
        wrong = verify_block(p, p->block, false);
    if (wrong)
        return wrong;
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        wrong = verify_output(p, &p->outputs.at[k]);
        if (wrong)
            return arena_printf(p->arena, "output %u (%s): %s", k,
                                p->outputs.at[k].name ? p->outputs.at[k].name : "", wrong);
    }
    if (p->n_forward >= p->block->nodes.count)
        return "n_forward is no value";
    return NULL;
}
