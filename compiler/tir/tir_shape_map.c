/* Shape rules of leaves and elementwise ops. */
#include "tir/tir_internal.h"

enum { REAL = 1u << TIR_REAL, INT = 1u << TIR_INT, BOOL = 1u << TIR_BOOL };
enum { SAME_ELEM = -1 };

static const TirType *operand(const TirShapeContext *s, const TirNode *node, uint32_t k) {
    return &s->block->nodes.at[node->operands[k]].type;
}

/* Shapes equal or rank 0, domains joined; `from` skips leading operands of another element type. */
static const char *shape_map(const TirShapeContext *s, TirNode *node, unsigned allowed, int elem,
                             uint32_t from) {
    Arena *arena = s->program->arena;
    TirType out = *operand(s, node, 0);
    for (uint32_t k = 1; k < node->n_operands; k++) {
        const TirType *t = operand(s, node, k);
        if (!tir_domain_join(out.domain, t->domain, &out.domain))
            return "operands lie in different position spaces";
        if (t->rank && out.rank && !tir_shape_equal(t, &out))
            return arena_printf(arena, "operand shapes %s and %s differ",
                                tir_type_text(arena, &out), tir_type_text(arena, t));
        if (t->rank) {
            out.rank = t->rank;
            for (uint32_t i = 0; i < t->rank; i++)
                out.dims[i] = t->dims[i];
        }
    }
    const TirElem first = operand(s, node, from)->elem;
    for (uint32_t k = from; k < node->n_operands; k++) {
        const TirElem e = operand(s, node, k)->elem;
        if (!(allowed & (1u << e)) || e != first)
            return arena_printf(arena, "operand %u has a wrong element type: %s", k,
                                tir_type_text(arena, operand(s, node, k)));
    }
    out.elem = elem == SAME_ELEM ? first : (TirElem)elem;
    node->type = out;
    return NULL;
}

#define MAP_RULE(ident, allowed, elem)                                                             \
    const char *tir_shape_##ident(const TirShapeContext *s, TirNode *node) {                       \
        return shape_map(s, node, allowed, elem, 0);                                               \
    }

MAP_RULE(NEG, REAL | INT, SAME_ELEM)
MAP_RULE(ABS, REAL | INT, SAME_ELEM)
MAP_RULE(EXP, REAL, SAME_ELEM)
MAP_RULE(LOG, REAL, SAME_ELEM)
MAP_RULE(SQRT, REAL, SAME_ELEM)
MAP_RULE(RSQRT, REAL, SAME_ELEM)
MAP_RULE(TANH, REAL, SAME_ELEM)
MAP_RULE(SIGMOID, REAL, SAME_ELEM)
MAP_RULE(ERF, REAL, SAME_ELEM)
MAP_RULE(SIN, REAL, SAME_ELEM)
MAP_RULE(COS, REAL, SAME_ELEM)
MAP_RULE(FLOOR, REAL, SAME_ELEM)
MAP_RULE(NOT, BOOL, SAME_ELEM)
MAP_RULE(TO_REAL, INT | BOOL, TIR_REAL)
MAP_RULE(ADD, REAL | INT, SAME_ELEM)
MAP_RULE(SUB, REAL | INT, SAME_ELEM)
MAP_RULE(MUL, REAL | INT, SAME_ELEM)
MAP_RULE(DIV, REAL, SAME_ELEM)
MAP_RULE(POW, REAL, SAME_ELEM)
MAP_RULE(MIN, REAL | INT, SAME_ELEM)
MAP_RULE(MAX, REAL | INT, SAME_ELEM)
MAP_RULE(LT, REAL | INT, TIR_BOOL)
MAP_RULE(LE, REAL | INT, TIR_BOOL)
MAP_RULE(EQ, REAL | INT | BOOL, TIR_BOOL)
MAP_RULE(AND, BOOL, SAME_ELEM)
MAP_RULE(OR, BOOL, SAME_ELEM)

const char *tir_shape_STOP_GRADIENT(const TirShapeContext *s, TirNode *node) {
    const TirDomain asked = node->type.domain;
    const char *wrong = shape_map(s, node, REAL, SAME_ELEM, 0);
    if (!wrong && !tir_domain_join(node->type.domain, asked, &node->type.domain))
        wrong = "the result lies in another position space";
    return wrong;
}

const char *tir_shape_SELECT(const TirShapeContext *s, TirNode *node) {
    if (operand(s, node, 0)->elem != TIR_BOOL)
        return "the condition is not bool";
    return shape_map(s, node, REAL | INT | BOOL, SAME_ELEM, 1);
}

const char *tir_shape_PARAM(const TirShapeContext *s, TirNode *node) {
    if (node->attr.index >= s->program->params.count)
        return "no such parameter";
    node->type = s->program->params.at[node->attr.index].type;
    return NULL;
}

const char *tir_shape_INPUT(const TirShapeContext *s, TirNode *node) {
    if (node->attr.index >= s->program->inputs.count)
        return "no such input";
    node->type = s->program->inputs.at[node->attr.index].type;
    return NULL;
}

const char *tir_shape_CONST(const TirShapeContext *s, TirNode *node) {
    (void)s;
    if (node->type.elem == TIR_TUPLE)
        return "a constant is a number";
    node->type = (TirType){.elem = node->type.elem};
    return NULL;
}

const char *tir_shape_TABLE(const TirShapeContext *s, TirNode *node) {
    if (node->attr.index >= s->program->tables.count)
        return "no such table";
    node->type = s->program->tables.at[node->attr.index].type;
    return NULL;
}

const char *tir_shape_POSITION(const TirShapeContext *s, TirNode *node) {
    const uint32_t space = node->attr.index;
    if (space == 0 || space > s->program->spaces.count)
        return "no such position space";
    node->type = (TirType){.elem = TIR_INT, .domain = {0, (uint8_t)space}};
    return NULL;
}

const char *tir_shape_COUNT(const TirShapeContext *s, TirNode *node) {
    if (node->attr.domain.space > s->program->spaces.count)
        return "no such position space";
    node->type = (TirType){.elem = TIR_REAL};
    return NULL;
}

const char *tir_shape_TRAINING(const TirShapeContext *s, TirNode *node) {
    (void)s;
    node->type = (TirType){.elem = TIR_REAL};
    return NULL;
}

const char *tir_shape_STEP(const TirShapeContext *s, TirNode *node) {
    return tir_shape_TRAINING(s, node);
}

const char *tir_shape_STEPS(const TirShapeContext *s, TirNode *node) {
    return tir_shape_TRAINING(s, node);
}

/* The shape and domain are asked for. */
const char *tir_shape_RANDOM(const TirShapeContext *s, TirNode *node) {
    const TirType *call = operand(s, node, 0);
    node->type.elem = TIR_REAL;
    if (call->elem != TIR_INT || call->rank || !tir_domain_equal(call->domain, TIR_GLOBAL))
        return "which call it is, is not one int";
    return node->type.domain.space > s->program->spaces.count ? "no such position space" : NULL;
}

const char *tir_shape_ARG(const TirShapeContext *s, TirNode *node) {
    if (node->attr.index >= s->block->arguments.count)
        return "no such argument";
    node->type = s->block->arguments.at[node->attr.index];
    return NULL;
}
