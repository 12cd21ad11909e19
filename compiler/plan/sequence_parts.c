/* Parts of a body that need not know of each other: along the first axis of every state.
 *
 * A body that computes each entry of that axis from the same entry of states and operands, and from
 * what has no such axis, is computed for some entries by one task, for others by another. Into how
 * many parts it is cut follows from its shapes and never from the number of threads, and no value
 * depends on it.
 *
 *     c[k] = f[k] * c[k] + u[k]                   each k by itself
 *     S[a,b] = S[a,b] + w[a] * k[b]               each row a by itself; all read k
 *     h[k] = tanh(sum[j] U[k,j] * h[j])           none */
#include "plan/sequence_parts.h"
#include "pass/rebuild.h"

typedef enum { UNKNOWN, APART, SHARED } Kind;

typedef struct {
    const TirBlock *block;
    uint32_t extent; /* of the axis */
    uint8_t *kind;   /* by value */
    bool changed, wrong;
} Parts;

static const TirType *type_of(const Parts *p, TirId id) {
    return &tir_node(p->block, id)->type;
}

/* A number has no axis: it is shared, whoever reads it. */
static void set(Parts *p, TirId id, Kind kind) {
    const TirType *t = type_of(p, id);
    if (kind == APART && (t->elem == TIR_TUPLE || t->rank == 0 || t->dims[0] != p->extent))
        p->wrong = true;
    if (p->kind[id] == kind)
        return;
    p->wrong = p->wrong || p->kind[id] != UNKNOWN;
    p->kind[id] = (uint8_t)kind;
    p->changed = true;
}

static bool any_apart(const Parts *p, TirId id) {
    const TirNode *node = tir_node(p->block, id);
    bool any = p->kind[id] == APART;
    for (uint32_t k = 0; k < node->n_operands; k++)
        any = any || p->kind[node->operands[k]] == APART;
    return any;
}

/* The result and these operands have the axis, each as its first, or none has. */
static void together(Parts *p, TirId id, TirId operand) {
    if (p->kind[id] == APART)
        set(p, operand, APART);
    if (p->kind[operand] == APART)
        set(p, id, APART);
}

static void rule_map(Parts *p, TirId id, const TirNode *node) {
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (type_of(p, node->operands[k])->rank > 0 || node->type.rank == 0)
            together(p, id, node->operands[k]);
}

static void rule_broadcast(Parts *p, TirId id, const TirNode *node) {
    const TirId x = node->operands[0];
    const uint32_t rank = type_of(p, x)->rank;
    bool has_first = false;
    for (uint32_t k = 0; k < rank; k++)
        has_first = has_first || node->attr.axes[k] == 0;
    if (rank > 0 && node->attr.axes[0] == 0)
        together(p, id, x);
    else if (has_first)
        p->wrong = true;
    else if (rank > 0)
        set(p, x, SHARED);
}

static void rule_contract(Parts *p, TirId id, const TirNode *node) {
    uint32_t label = UINT32_MAX;
    if (p->kind[id] == APART)
        label = node->attr.labels[2][0];
    for (uint32_t o = 0; o < 2; o++)
        if (p->kind[node->operands[o]] == APART)
            label = node->attr.labels[o][0];
    if (node->type.rank == 0 || node->attr.labels[2][0] != label) {
        p->wrong = true; /* summed, or moved */
        return;
    }
    set(p, id, APART);
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *t = type_of(p, node->operands[o]);
        bool has = false, first = t->rank > 0 && node->attr.labels[o][0] == label;
        for (uint32_t k = first; k < t->rank; k++)
            has = has || node->attr.labels[o][k] == label;
        if (has)
            p->wrong = true;
        else if (t->rank > 0)
            set(p, node->operands[o], first ? APART : SHARED);
    }
}

static void rule_of_axis(Parts *p, TirId id, const TirNode *node, bool first) {
    if (first)
        p->wrong = true;
    for (uint32_t k = 0; k < node->n_operands; k++)
        together(p, id, node->operands[k]);
}

static void rule_reshape(Parts *p, TirId id, const TirNode *node) {
    const TirType *from = type_of(p, node->operands[0]);
    if (from->rank == 0 || node->type.rank == 0 || from->dims[0] != node->type.dims[0])
        p->wrong = true;
    else
        together(p, id, node->operands[0]);
}

static void visit(Parts *p, TirId id) {
    const TirNode *node = tir_node(p->block, id);
    if (node->n_operands == 0 || !any_apart(p, id))
        return;
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_MAP:
        rule_map(p, id, node);
        return;
    case TIR_CLASS_CONTRACT:
        rule_contract(p, id, node);
        return;
    case TIR_CLASS_REDUCE:
        rule_of_axis(p, id, node, node->op == TIR_ARGMAX || (node->attr.axis_mask & 1));
        return;
    case TIR_CLASS_VIEW:
        if (node->op == TIR_BROADCAST)
            rule_broadcast(p, id, node);
        else if (node->op == TIR_RESHAPE)
            rule_reshape(p, id, node);
        else
            rule_of_axis(p, id, node, node->attr.axis == 0);
        return;
    default:
        p->wrong = true;
    }
}

/* Which values have the axis; false: some entry needs another's. */
static bool find(Parts *p, const TirProgram *of, uint32_t n_states) {
    const TirBlock *block = of->block;
    for (uint32_t k = 0; k < of->outputs.count; k++)
        set(p, of->outputs.at[k].value, APART);
    for (TirId id = 1; id < block->nodes.count; id++)
        if (tir_node(block, id)->op == TIR_INPUT && tir_node(block, id)->attr.index < n_states)
            set(p, id, APART);
    do {
        p->changed = false;
        for (TirId id = block->nodes.count; id-- > 1 && !p->wrong;)
            visit(p, id);
        for (TirId id = 1; id < block->nodes.count && !p->wrong; id++)
            visit(p, id);
    } while (p->changed && !p->wrong);
    return !p->wrong;
}

/* The largest number of parts of which each is worth a task, all alike; 1: it is one. A vector is
 * not cut, and what has features in lanes keeps them there. */
static uint32_t number_of_parts(const Parts *p, const TirProgram *of, uint32_t n_states) {
    uint64_t largest = 0;
    bool vectors = false;
    for (uint32_t k = 0; k < n_states; k++) {
        const uint64_t elements = tir_element_count(&of->inputs.at[k].type);
        largest = elements > largest ? elements : largest;
    }
    for (TirId id = 1; id < p->block->nodes.count; id++)
        vectors = vectors || (p->kind[id] == APART && type_of(p, id)->rank == 1);
    for (uint32_t parts = p->extent; parts > 1; parts--) {
        const uint32_t run = p->extent / parts;
        const bool whole = run % SEQUENCE_LANES == 0 && run >= WIDE_EXTENT;
        if (p->extent % parts == 0 && largest / parts >= RECUR_RUN && (whole || !vectors))
            return parts;
    }
    return 1;
}

/* The same for a part of the axis. */
static TirProgram *narrowed(const Parts *p, const TirProgram *of, uint32_t parts) {
    TirProgram *to = tir_program_like(of);
    TirBuilder b = tir_builder(to, to->block);
    TirId *map = ARENA_ARRAY(to->arena, TirId, p->block->nodes.count);
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        TirNode node = *tir_node(p->block, id);
        TirId *operands = ARENA_ARRAY(to->arena, TirId, node.n_operands);
        for (uint32_t k = 0; k < node.n_operands; k++)
            operands[k] = map[node.operands[k]];
        if (p->kind[id] == APART) {
            node.type.dims[0] /= parts;
            if (node.op == TIR_INPUT)
                to->inputs.at[node.attr.index].type.dims[0] /= parts;
        }
        b.span = node.span;
        b.name = node.name;
        map[id] = tir_rebuild_moved(&b, p->block, &node, operands);
    }
    for (uint32_t k = 0; k < of->outputs.count; k++) {
        const TirOutput *out = &of->outputs.at[k];
        tir_add_output(to, out->role, out->name, out->index, map[out->value]);
    }
    return to;
}

TirProgram *sequence_parts(TirProgram *of, uint32_t n_states, uint32_t *parts, bool *apart) {
    const uint32_t n = of->block->nodes.count, operands = of->inputs.count;
    const TirType *first = &of->inputs.at[0].type;
    Parts p = {.block = of->block, .extent = first->rank ? first->dims[0] : 0};
    p.kind = ARENA_ARRAY(of->arena, uint8_t, n);
    *parts = p.extent && find(&p, of, n_states) ? number_of_parts(&p, of, n_states) : 1;
    if (*parts == 1)
        return of;
    for (TirId id = 1; id < n; id++)
        if (tir_node(of->block, id)->op == TIR_INPUT)
            apart[tir_node(of->block, id)->attr.index] = p.kind[id] == APART;
    for (uint32_t k = 0; k < n_states; k++)
        apart[operands + k] = true;
    return narrowed(&p, of, *parts);
}
