/* Canonical form.
 *
 * requires   any program
 * maintains  outputs and their values (up to the rounding of reordered sums and products);
 *            parameters, inputs, tables, spaces and their indices; n_forward follows
 * changes    sums of products become CONTRACT with no repeated operand, no sum of one operand
 *            alone and nothing in it that could stand outside; sums over positions join the sum
 *            below them; elementwise work moves before repetition; signs meet; division by a
 *            power of two is multiplication. Dead values go.
 *
 *     %3 = broadcast %x axes 1       %4 = mul %w %3      %5 = reduce_sum %4 axes 1
 *     →  %3 = contract %w %x "ab,b->a"
 */
#include "pass/rebuild.h"
#include "pass/sum_product.h"
#include <math.h>

typedef struct {
    TirBuilder b;
    Arena *scratch;
    const TirBlock *from;
    uint32_t *uses; /* by new id */
    uint32_t n_uses;
} Canon;

static const uint8_t own_labels[TIR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static const TirNode *new_node(const Canon *c, TirId id) {
    return tir_node(c->b.block, id);
}

static bool used_once(const Canon *c, TirId id) {
    return id >= c->n_uses || c->uses[id] <= 1;
}

static SumProduct sum_of(Canon *c, TirDomain from, TirDomain to) {
    return (SumProduct){
        .b = &c->b, .uses = c->uses, .n_uses = c->n_uses, .from = from, .to = to, .scale = 1};
}

/* --- sums --------------------------------------------------------------------------------------*/

/* The contraction `node` with only the result axes that are not in `dropped`, summed to `to`. */
static TirId canon_contract(Canon *c, const TirNode *node, const TirId *operands, uint32_t dropped,
                            TirDomain to) {
    SumProduct s = sum_of(c, tir_operand_domain(c->b.block, 2, operands), to);
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *t = &new_node(c, operands[o])->type;
        for (uint32_t k = 0; k < t->rank; k++)
            s.extents[node->attr.labels[o][k]] = t->dims[k];
    }
    for (uint32_t k = 0; k < node->type.rank; k++)
        if (!(dropped >> k & 1))
            s.labels[s.rank++] = node->attr.labels[2][k];
    for (uint32_t o = 0; o < 2; o++)
        sum_product_add(&s, operands[o], node->attr.labels[o], false, used_once(c, operands[o]));
    return sum_product_emit(&s);
}

/* The sum of x over its axes in `mask` and to the domain `to`. */
static TirId canon_sum(Canon *c, TirId x, uint32_t mask, TirDomain to) {
    const TirNode node = *new_node(c, x);
    if (node.type.elem != TIR_REAL)
        return tir_reduce(&c->b, TIR_REDUCE_SUM, x, mask);
    if (node.op == TIR_CONTRACT && used_once(c, x))
        return canon_contract(c, &node, node.operands, mask, to);
    SumProduct s = sum_of(c, node.type.domain, to);
    for (uint32_t k = 0; k < node.type.rank; k++) {
        s.extents[k] = node.type.dims[k];
        if (!(mask >> k & 1))
            s.labels[s.rank++] = (uint8_t)k;
    }
    sum_product_add(&s, x, own_labels, true, used_once(c, x));
    return sum_product_emit(&s);
}

static TirId canon_position_sum(Canon *c, const TirNode *node, TirId x) {
    /* What the old operand had and the new lacks (it folded) is counted. */
    const TirDomain before = tir_node(c->from, node->operands[0])->type.domain;
    const TirDomain now = new_node(c, x)->type.domain, to = node->type.domain;
    const TirDomain summed = tir_domain_minus(before, to);
    const TirId sum = canon_sum(c, x, 0, tir_domain_minus(now, summed));
    return tir_times_count(&c->b, sum, tir_domain_minus(summed, now));
}

/* --- elementwise -------------------------------------------------------------------------------*/

static bool same_axes(const Canon *c, const TirNode *x, const TirNode *y) {
    const TirType *tx = &new_node(c, x->operands[0])->type,
                  *ty = &new_node(c, y->operands[0])->type;
    if (!tir_shape_equal(tx, ty))
        return false;
    for (uint32_t k = 0; k < tx->rank; k++)
        if (x->attr.axes[k] != y->attr.axes[k])
            return false;
    return true;
}

/* f(repeat x, repeat y, scalar) = repeat f(x, y, scalar), when all repeat alike and it is less. */
static TirId canon_map_of_repeats(Canon *c, const TirNode *node, const TirId *operands) {
    TirId inner[3];
    TirNode like = {.op = TIR_OP_COUNT};
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirNode *x = new_node(c, operands[k]);
        inner[k] = operands[k];
        if (x->type.rank == 0)
            continue;
        if (x->op != TIR_BROADCAST || (like.op == TIR_BROADCAST && !same_axes(c, &like, x)))
            return 0;
        like = *x;
        inner[k] = x->operands[0];
    }
    if (like.op != TIR_BROADCAST)
        return 0;
    const TirType small = new_node(c, like.operands[0])->type;
    if (tir_element_count(&small) >= tir_element_count(&like.type))
        return 0;
    const TirId f = tir_rebuild(&c->b, node, inner);
    return tir_broadcast(&c->b, f, like.type.rank, like.type.dims, like.attr.axes);
}

static TirId operand_if(const Canon *c, TirId id, TirOp op) {
    const TirNode *node = new_node(c, id);
    return node->op == op ? node->operands[0] : 0;
}

/* Exact rewrites of signs and of constant factors. */
static TirId canon_arithmetic(Canon *c, TirOp op, TirId x, TirId y) {
    TirBuilder *b = &c->b;
    const TirId minus_x = operand_if(c, x, TIR_NEG), minus_y = operand_if(c, y, TIR_NEG);
    double d;
    if (op == TIR_ADD && minus_y)
        return tir_binary(b, TIR_SUB, x, minus_y);
    if (op == TIR_ADD && minus_x)
        return tir_binary(b, TIR_SUB, y, minus_x);
    if (op == TIR_SUB && minus_y)
        return tir_binary(b, TIR_ADD, x, minus_y);
    if ((op == TIR_MUL || op == TIR_DIV) && minus_x && minus_y)
        return tir_binary(b, op, minus_x, minus_y);
    if (op == TIR_MUL && (minus_x || minus_y)) {
        double k;
        if (tir_is_constant(b->block, minus_x ? y : x, &k))
            return tir_binary(b, TIR_MUL, minus_x ? minus_x : minus_y, tir_real(b, -k));
    }
    if (op == TIR_DIV && tir_is_constant(b->block, y, &d)) {
        int exponent;
        if (isfinite(d) && fabs(frexp(d, &exponent)) == 0.5 && isnormal(1 / d))
            return tir_binary(b, TIR_MUL, x, tir_real(b, 1 / d));
    }
    return 0;
}

/* A product of three or more: what is cheap meets first, (x * s) * t = x * (s * t). */
static TirId canon_product(Canon *c, const TirNode *node, const TirId *operands) {
    TirDomain d = tir_operand_domain(c->b.block, 2, operands);
    SumProduct s = sum_of(c, d, d);
    for (uint32_t k = 0; k < node->type.rank; k++) {
        s.extents[k] = node->type.dims[k];
        s.labels[s.rank++] = (uint8_t)k;
    }
    for (uint32_t k = 0; k < 2; k++)
        sum_product_add(&s, operands[k], own_labels, true, used_once(c, operands[k]));
    return s.n_factors + (fabs(s.scale) != 1) > 2 ? sum_product_emit(&s) : 0;
}

static TirId canon_map(Canon *c, const TirNode *node, const TirId *operands) {
    /* so that x + y and y + x are one */
    if (tir_op_commutes(node->op) && operands[0] > operands[1]) {
        const TirId swapped[2] = {operands[1], operands[0]};
        const TirId better = canon_map(c, node, swapped);
        return better ? better : tir_rebuild(&c->b, node, swapped);
    }
    TirId better = node->op == TIR_ADD ? pass_join_pads(&c->b, operands[0], operands[1]) : 0;
    if (!better)
        better = canon_map_of_repeats(c, node, operands);
    if (!better && node->op == TIR_NEG) {
        const TirNode inner = *new_node(c, operands[0]);
        if (inner.op == TIR_SUB)
            better = tir_binary(&c->b, TIR_SUB, inner.operands[1], inner.operands[0]);
    } else if (!better && node->n_operands == 2 && node->type.elem == TIR_REAL) {
        better = canon_arithmetic(c, node->op, operands[0], operands[1]);
        if (!better && node->op == TIR_MUL)
            better = canon_product(c, node, operands);
    }
    return better;
}

/* --- blocks ------------------------------------------------------------------------------------*/

static TirId *canon_block(Canon *c, const TirBlock *from, uint32_t n_roots, const TirId *roots,
                          uint32_t *n_forward);

static TirId canon_loop(Canon *c, const TirNode *node, const TirId *operands) {
    Canon inner = {.scratch = c->scratch};
    TirBlock *body = tir_block_create(c->b.program);
    const TirBlock *old = node->attr.body;
    inner.b = tir_builder_inner(&c->b, body);
    for (uint32_t k = 0; k < old->arguments.count; k++)
        tir_arg(&inner.b, old->arguments.at[k]); /* ids 1, 2, … */
    const TirId *map = canon_block(&inner, old, old->results.count, old->results.at, NULL);
    for (uint32_t k = 0; k < old->results.count; k++)
        vec_push(c->b.program->arena, &body->results, map[old->results.at[k]]);
    TirNode loop = *node;
    loop.attr.body = body;
    return tir_rebuild(&c->b, &loop, operands);
}

static TirId canon_node(Canon *c, TirId id, const TirId *operands) {
    const TirNode *node = tir_node(c->from, id);
    TirId better = 0;
    if (node->op == TIR_ARG)
        return node->attr.index + 1;
    if (tir_op_has_body(node->op))
        return canon_loop(c, node, operands);
    if (node->op == TIR_REDUCE_SUM)
        return canon_sum(c, operands[0], node->attr.axis_mask,
                         new_node(c, operands[0])->type.domain);
    if (node->op == TIR_POSITION_SUM)
        return canon_position_sum(c, node, operands[0]);
    if (node->op == TIR_CONTRACT) {
        const TirDomain before = tir_operand_domain(c->from, node->n_operands, node->operands);
        const TirDomain now = tir_operand_domain(c->b.block, 2, operands);
        const TirDomain summed = tir_domain_minus(before, node->type.domain);
        better = canon_contract(c, node, operands, 0, tir_domain_minus(now, summed));
        return tir_times_count(&c->b, better, tir_domain_minus(summed, now));
    }
    if (tir_op_class(node->op) == TIR_CLASS_MAP)
        better = canon_map(c, node, operands);
    return better ? better : pass_rebuild_value(&c->b, c->from, id, operands);
}

static void count_use(Canon *c, TirId id, uint32_t uses) {
    if (id >= c->n_uses) {
        const uint32_t n = id * 2 + 64;
        c->uses = arena_grow(c->scratch, c->uses, c->n_uses * sizeof *c->uses, n * sizeof *c->uses);
        c->n_uses = n;
    }
    c->uses[id] += uses;
}

static TirId *canon_block(Canon *c, const TirBlock *from, uint32_t n_roots, const TirId *roots,
                          uint32_t *n_forward) {
    TirId *map = ARENA_ARRAY(c->scratch, TirId, from->nodes.count);
    uint32_t *uses = ARENA_ARRAY(c->scratch, uint32_t, from->nodes.count);
    TirIdVec operands = {0};
    c->from = from;
    for (uint32_t k = 0; k < n_roots; k++)
        uses[roots[k]]++;
    for (TirId id = 1; id < from->nodes.count; id++)
        for (uint32_t k = 0; k < tir_node(from, id)->n_operands; k++)
            uses[tir_node(from, id)->operands[k]]++;
    for (TirId id = 1; id < from->nodes.count; id++) {
        const TirNode *node = tir_node(from, id);
        operands.count = 0;
        for (uint32_t k = 0; k < node->n_operands; k++)
            vec_push(c->scratch, &operands, map[node->operands[k]]);
        c->b.span = node->span;
        c->b.name = node->name;
        map[id] = canon_node(c, id, operands.at);
        count_use(c, map[id], uses[id]);
        if (n_forward && *n_forward == id) {
            *n_forward = c->b.block->nodes.count - 1;
            n_forward = NULL;
        }
    }
    return map;
}

TirProgram *pass_canon(TirProgram *p) {
    Arena *scratch = arena_create_child(p->arena);
    TirProgram *lean = pass_dce(p), *to = tir_program_like(lean);
    Canon c = {.b = tir_builder(to, to->block), .scratch = scratch};
    TirId *roots = ARENA_ARRAY(scratch, TirId, lean->outputs.count);
    for (uint32_t k = 0; k < lean->outputs.count; k++)
        roots[k] = lean->outputs.at[k].value;
    to->n_forward = lean->n_forward;
    const TirId *map = canon_block(&c, lean->block, lean->outputs.count, roots, &to->n_forward);
    for (uint32_t k = 0; k < lean->outputs.count; k++) {
        const TirOutput *o = &lean->outputs.at[k];
        tir_add_output(to, o->role, o->name, o->index, map[o->value]);
    }
    arena_destroy(scratch);
    return pass_dce(to);
}
