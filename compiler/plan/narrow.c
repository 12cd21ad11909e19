/* Which values are stored as bf16 though they are computed in f32, where products round what they
 * take:
 *
 *   - what kernels make and only products or attention read, that round it anyway. What they see is
 *     the same; half the bytes are written, read as often as they are packed, and kept for the
 *     backward pass.
 *   - what products and attention themselves make, whoever reads it: the sum is rounded once. Left
 *     out is a result of the forward pass behind which there is no other product: the loss is made
 *     of it.
 *   - in precision bf16_streams also what kernels hand to kernels at each position, streams and
 *     their gradients above all: they are rounded on the way. So is what a program that is part of
 *     another takes and gives at each position: its caller's streams are bf16, too.
 *
 * Requires: groups with inputs and outputs, and which values lie in the caller's memory. Changes
 * elements of slots, before calls are made, and says how inputs are stored. */
#include "plan/plan_internal.h"
#include <string.h>

/* Who reads a value. Products that round it are nobody. */
enum {
    BY_KERNELS = 1 << 0,
    BY_OTHERS = 1 << 1,
};

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *made;        /* by value: a kernel stores it */
    bool *multiplied;  /* by value: a product does, or attention, once and for all */
    bool *feeds;       /* by value: a product of the forward pass depends on it */
    uint8_t *readers;  /* by value: BY_... */
    bool *handed_over; /* by value: its caller gives it, or takes it */
} Narrow;

static void note_read(const Narrow *n, TirId id, uint8_t by) {
    n->readers[tir_storage(n->block, id)] |= by;
}

/* What its own kernel reads it may read again as others see it. */
static void note_group(const Narrow *n, const Group *group) {
    for (uint32_t k = 0; k < group->outputs.count; k++)
        n->made[group->outputs.at[k]] = true;
    for (uint32_t k = 0; k < group->inputs.count; k++)
        note_read(n, group->inputs.at[k], BY_KERNELS);
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirNode *node = tir_node(n->block, group->values.at[k]);
        for (uint32_t o = 0; o < node->n_operands; o++)
            if (n->plan->group_of[tir_storage(n->block, node->operands[o])] == group)
                note_read(n, node->operands[o], BY_KERNELS);
    }
    for (uint32_t k = 0; k < group->sums.count; k++)
        note_read(n, group->sums.at[k], BY_OTHERS);
}

/* Queries, keys and values are rounded; what the gradient's kernel takes of the result, and of its
 * gradient, is not. */
static void note_attention(const Narrow *n, const TirNode *node) {
    static const uint8_t by[] = {0, 0, 0, BY_KERNELS, BY_OTHERS, BY_KERNELS};
    for (uint32_t k = 0; k < node->n_operands; k++)
        note_read(n, node->operands[k], by[k]);
}

/* What attention makes in several parts is added up where it lies: gradients of keys and values. */
static bool is_made_at_once(const TirNode *attends, uint32_t result) {
    return result == 0 && (attends->op == TIR_ATTEND || attends->op == TIR_ATTEND_GRAD);
}

static void note_barrier(const Narrow *n, TirId id) {
    const Plan *plan = n->plan;
    const TirNode *node = tir_node(n->block, id);
    if (node->op == TIR_RESULT) {
        n->multiplied[id] =
            is_made_at_once(tir_node(n->block, node->operands[0]), node->attr.index);
        return;
    }
    if (plan->work[id] == WORK_GEMM && plan_gemm_has_kernels(plan, id)) {
        n->multiplied[id] = plan->gemm[id].into == id;
        return;
    }
    if (plan->work[id] == WORK_ATTEND) {
        note_attention(n, node);
        return;
    }
    for (uint32_t k = 0; k < node->n_operands; k++)
        note_read(n, node->operands[k], BY_OTHERS);
}

/* What products of the forward pass, and attention, are made of: from the last value on. */
static void note_feeding(const Narrow *n) {
    const uint32_t n_forward = n->plan->program->n_forward;
    for (TirId id = n->block->nodes.count - 1; id >= 1; id--) {
        const TirNode *node = tir_node(n->block, id);
        const WorkKind work = n->plan->work[id];
        if ((n_forward && id > n_forward) ||
            !(n->feeds[id] || work == WORK_GEMM || work == WORK_ATTEND))
            continue;
        for (uint32_t k = 0; k < node->n_operands; k++)
            n->feeds[node->operands[k]] = true;
    }
}

static bool is_final(const Narrow *n, TirId id) {
    const uint32_t n_forward = n->plan->program->n_forward;
    return (!n_forward || id <= n_forward) && !n->feeds[id];
}

/* Of reals, of which a packed pair lies in one value, and rows lie without gaps; and there is more
 * than one value of it. */
static bool may_be_narrow(const TirType *type) {
    return type->elem == TIR_REAL && tir_element_count(type) % 2 == 0 &&
           plan_region(type->domain) != REGION_GLOBAL;
}

/* Coefficients are few: what they weigh is what takes memory. */
static bool is_like_a_stream(const TirType *type) {
    return type->domain.sample && type->domain.space && tir_element_count(type) >= NARROW_STREAM;
}

/* --- what a caller gives and takes
 * --------------------------------------------------------------*/

static bool is_handed_over(const Narrow *n, const TirOutput *out) {
    return n->plan->options.precision == HC_PRECISION_BF16_STREAMS &&
           plan_is_called(n->plan->program) &&
           (out->role == TIR_OUT_RESULT || out->role == TIR_OUT_INPUT_GRAD);
}

/* By input of the program: the node that reads it; 0: none does. */
static const TirId *find_input_nodes(const Plan *plan) {
    const TirBlock *block = plan->program->block;
    TirId *nodes = ARENA_ARRAY(plan->arena, TirId, plan->program->inputs.count);
    for (TirId id = 1; id < block->nodes.count; id++)
        if (tir_node(block, id)->op == TIR_INPUT)
            nodes[tir_node(block, id)->attr.index] = id;
    return nodes;
}

/* Where the value of an output lies; 0: the program has no such output. */
static TirId place_of_output(const TirProgram *p, TirOutputRole role, uint32_t index,
                             const char *name) {
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        if (out->role == role && (name ? strcmp(out->name, name) == 0 : out->index == index))
            return tir_storage(p->block, out->value);
    }
    return 0;
}

/* What a gradient that is given is of: a result, or an input; 0: no value. */
static TirId value_of_gradient(const TirProgram *p, const TirId *nodes, const TirInput *in) {
    if (in->upstream)
        return place_of_output(p, TIR_OUT_RESULT, 0, in->upstream);
    return in->beside ? nodes[tir_find_input(p, in->beside) - p->inputs.at] : 0;
}

/* A value and a gradient of it, which are stored alike. */
typedef struct {
    TirId value, gradient;
} Tie;

typedef VEC(Tie) TieVec;

static TieVec find_ties(const Narrow *n, const TirId *nodes) {
    const TirProgram *p = n->plan->program;
    TieVec ties = {0};
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirId value = value_of_gradient(p, nodes, &p->inputs.at[k]),
                    gradient = place_of_output(p, TIR_OUT_INPUT_GRAD, k, NULL);
        const Tie tie = value ? (Tie){value, nodes[k]} : (Tie){nodes[k], gradient};
        if (tie.value && tie.gradient)
            vec_push(n->plan->arena, &ties, tie);
    }
    return ties;
}

/* Of what is handed over: what is stored as bf16. */
static const bool *find_shared(const Narrow *n) {
    const TirProgram *p = n->plan->program;
    bool *shared = ARENA_ARRAY(n->plan->arena, bool, n->block->nodes.count);
    if (n->plan->options.precision != HC_PRECISION_BF16_STREAMS || !plan_is_called(p))
        return shared;
    const TirId *nodes = find_input_nodes(n->plan);
    for (uint32_t k = 0; k < p->inputs.count; k++)
        n->handed_over[nodes[k]] = true;
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (is_handed_over(n, &p->outputs.at[k]))
            n->handed_over[tir_storage(n->block, p->outputs.at[k].value)] = true;
    for (TirId id = 1; id < n->block->nodes.count; id++) {
        const TirNode *node = tir_node(n->block, id);
        const bool rounds = node->op == TIR_INPUT || n->made[id] || n->multiplied[id];
        shared[id] = n->handed_over[id] && rounds && !(n->readers[id] & BY_OTHERS) &&
                     may_be_narrow(&node->type) && is_like_a_stream(&node->type);
    }
    const TieVec ties = find_ties(n, nodes);
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t k = 0; k < ties.count; k++) {
            bool *value = &shared[ties.at[k].value], *gradient = &shared[ties.at[k].gradient];
            changed = changed || *value != *gradient;
            *value = *gradient = *value && *gradient;
        }
    }
    return shared;
}

/* One that nothing reads is stored as what it is the gradient of. */
static void note_inputs(Plan *plan) {
    const TirProgram *p = plan->program;
    const TirId *nodes = find_input_nodes(plan);
    plan->input_elements = ARENA_ARRAY(plan->arena, Element, p->inputs.count);
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *in = &p->inputs.at[k];
        const TirId like = nodes[k] ? nodes[k] : value_of_gradient(p, nodes, in);
        plan->input_elements[k] =
            like ? plan->slots.at[like].element : plan_element(&plan->options, &in->type);
    }
}

static void narrow_slots(Plan *plan) {
    const HcPrecision precision = plan->options.precision;
    const TirBlock *block = plan->program->block;
    const uint32_t count = block->nodes.count;
    const Narrow n = {.plan = plan,
                      .block = block,
                      .made = ARENA_ARRAY(plan->arena, bool, count),
                      .multiplied = ARENA_ARRAY(plan->arena, bool, count),
                      .feeds = ARENA_ARRAY(plan->arena, bool, count),
                      .readers = ARENA_ARRAY(plan->arena, uint8_t, count),
                      .handed_over = ARENA_ARRAY(plan->arena, bool, count)};
    for (uint32_t k = 0; k < plan->groups.count; k++)
        note_group(&n, plan->groups.at[k]);
    for (TirId id = 1; id < count; id++)
        if (plan_is_barrier(plan->work[id]))
            note_barrier(&n, id);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        if (!is_handed_over(&n, &plan->program->outputs.at[k]))
            note_read(&n, plan->program->outputs.at[k].value, BY_OTHERS);
    note_feeding(&n);
    const bool *shared = find_shared(&n);
    for (TirId id = 1; id < count; id++) {
        const TirType *type = &tir_node(block, id)->type;
        const bool multiplied = n.multiplied[id] && !is_final(&n, id);
        const bool streams = precision == HC_PRECISION_BF16_STREAMS && is_like_a_stream(type);
        const uint8_t wide = streams || multiplied ? BY_OTHERS : BY_KERNELS | BY_OTHERS;
        const bool own = !n.handed_over[id] && (n.made[id] || multiplied);
        if (shared[id] || (own && !(n.readers[id] & wide) && may_be_narrow(type)))
            plan->slots.at[id].element = ELEMENT_BF16;
    }
}

void plan_narrow(Plan *plan) {
    const HcPrecision precision = plan->options.precision;
    if (hc_precision_rounds(precision) && machine_has_products(&plan->options.machine))
        narrow_slots(plan);
    note_inputs(plan);
}
