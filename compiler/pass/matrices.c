/* Which parameters are matrices: those that products read with free and summed axes.
 *
 * requires   canonical TIR, with its gradient or without
 * changes    nothing
 *
 *     %y = contract %W %x "kc,c->k"                  W[k, c]: k is free, c is summed
 *     %q = contract %Wq %x "hac,c->ha"               Wq[h, a, c]: h and a are free
 *     %z = contract %W2 %u "cek,ek->c"               W2[c, e, k] with `apart(1)`: one for each e
 *
 * A parameter is a matrix when all that the loss reads of it are products with the same roles of
 * its axes, and when it is hidden: what it multiplies has come through a layer, and what it gives
 * goes through another. A layer is a product with a parameter or a row gathered from one;
 * parameters of connections make none, so that a branch's matrices are the same in every wiring. */
#include "pass/matrices.h"

uint64_t matrix_extent(const TirParam *param, uint32_t axes) {
    uint64_t extent = 1;
    for (uint32_t i = 0; i < tir_rank(&param->type); i++)
        extent *= axes & 1u << i ? param->type.dims[i] : 1;
    return extent;
}

typedef struct {
    const TirProgram *program;
    const TirBlock *block;
    uint32_t end;        /* of the forward pass */
    bool *after, *later; /* by value: it has come through a layer; it goes through one */
    bool *needed;        /* by value: by the loss */
    bool *unfit;         /* by parameter */
    MatrixAxes *axes;
} Search;

/* --- layers ------------------------------------------------------------------------------------*/

static bool is_weight(const Search *s, TirId id) {
    const TirNode *node = tir_node(s->block, tir_storage(s->block, id));
    if (node->op != TIR_PARAM)
        return false;
    const TirParam *param = &s->program->params.at[node->attr.index];
    return !param->of_connection && !param->buffer;
}

static bool is_layer(const Search *s, const TirNode *node) {
    if (node->op == TIR_GATHER)
        return is_weight(s, node->operands[0]);
    if (node->op != TIR_SCAN && (node->op != TIR_CONTRACT || tir_is_product(s->block, node)))
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (is_weight(s, node->operands[k]))
            return true;
    return false;
}

static void find_layers(Search *s) {
    for (TirId id = 1; id < s->end; id++) {
        const TirNode *node = tir_node(s->block, id);
        s->after[id] = is_layer(s, node);
        for (uint32_t k = 0; k < node->n_operands; k++)
            s->after[id] = s->after[id] || s->after[node->operands[k]];
    }
    for (uint32_t k = 0; k < s->program->outputs.count; k++)
        if (s->program->outputs.at[k].role == TIR_OUT_LOSS)
            s->needed[s->program->outputs.at[k].value] = true;
    for (TirId id = s->end - 1; id > 0; id--) {
        const TirNode *node = tir_node(s->block, id);
        const bool through = s->later[id] || is_layer(s, node);
        for (uint32_t k = 0; s->needed[id] && k < node->n_operands; k++) {
            s->needed[node->operands[k]] = true;
            s->later[node->operands[k]] = s->later[node->operands[k]] || through;
        }
    }
}

/* --- roles of axes -----------------------------------------------------------------------------*/

static bool has_label(const uint8_t *labels, uint32_t n, uint8_t label) {
    for (uint32_t i = 0; i < n; i++)
        if (labels[i] == label)
            return true;
    return false;
}

/* False for a diagonal, and for what is summed alone. */
static bool axes_of(const Search *s, const TirNode *node, uint32_t operand, MatrixAxes *axes) {
    const TirType *of = &tir_node(s->block, node->operands[operand])->type,
                  *other = &tir_node(s->block, node->operands[1 - operand])->type;
    const uint8_t *labels = node->attr.labels[operand], *others = node->attr.labels[1 - operand];
    *axes = (MatrixAxes){0};
    for (uint32_t i = 0; i < tir_rank(of); i++) {
        const bool in_other = has_label(others, other->rank, labels[i]),
                   in_result = has_label(node->attr.labels[2], node->type.rank, labels[i]);
        if (has_label(labels, i, labels[i]) || !(in_other || in_result))
            return false;
        *(in_other && in_result ? &axes->apart
          : in_result           ? &axes->free
                                : &axes->summed) |= 1u << i;
    }
    return true;
}

static void read_by(Search *s, TirId id, uint32_t operand) {
    const TirNode *node = tir_node(s->block, id);
    const uint32_t index = tir_node(s->block, node->operands[operand])->attr.index;
    const TirParam *param = &s->program->params.at[index];
    MatrixAxes axes, *known = &s->axes[index];
    const bool fits = node->op == TIR_CONTRACT && s->after[node->operands[1 - operand]] &&
                      s->later[id] && axes_of(s, node, operand, &axes);
    if (!fits) {
        s->unfit[index] = true;
        return;
    }
    axes.apart |= param->apart;
    axes.free &= ~param->apart;
    axes.summed &= ~param->apart;
    const bool first = !(known->free | known->summed | known->apart);
    if (matrix_extent(param, axes.free) == 1 || matrix_extent(param, axes.summed) == 1 ||
        (!first && (known->free != axes.free || known->summed != axes.summed)))
        s->unfit[index] = true;
    *known = axes;
}

MatrixAxes *pass_matrices(const TirProgram *p, Arena *arena) {
    const uint32_t values = p->block->nodes.count;
    Search s = {.program = p,
                .block = p->block,
                .end = p->n_forward ? p->n_forward + 1 : values,
                .after = ARENA_ARRAY(arena, bool, values),
                .later = ARENA_ARRAY(arena, bool, values),
                .needed = ARENA_ARRAY(arena, bool, values),
                .unfit = ARENA_ARRAY(arena, bool, p->params.count + 1),
                .axes = ARENA_ARRAY(arena, MatrixAxes, p->params.count + 1)};
    find_layers(&s);
    for (TirId id = 1; id < s.end; id++)
        for (uint32_t k = 0; s.needed[id] && k < tir_node(s.block, id)->n_operands; k++)
            if (tir_node(s.block, tir_node(s.block, id)->operands[k])->op == TIR_PARAM)
                read_by(&s, id, k);
    for (uint32_t k = 0; k < p->params.count; k++)
        if (s.unfit[k] || p->params.at[k].frozen || p->params.at[k].of_connection)
            s.axes[k] = (MatrixAxes){0};
    return s.axes;
}
