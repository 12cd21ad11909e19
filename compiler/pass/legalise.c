/* Legalise: every op takes a form the machine executes.
 *
 * Requires: canonical TIR. Maintains: values. Changes:
 *   - a contraction that is a matrix product by size gets operands and result in BLAS order, with
 *     explicit transposes where they lie otherwise; one that is not gets weights in the order that
 *     kernels come to them (lane_order.c); of low rank, it is not even where it could (low_rank.c);
 *   - a contraction that sums positions although one operand does not have them becomes a
 *     POSITION_SUM of that other operand and a product; one that keeps samples or positions becomes
 *     a local product and a POSITION_SUM;
 *   - operands of attention that lie in outer domains are repeated for every position;
 *   - tables inside loops become arguments of the loops;
 *   - products in the body of a sequence get weights in the order that its kernel comes to them;
 *   - entries of a small value that are taken to be entries of a small matrix are no row of
 * features in between, whose every lane would look for its own;
 *   - what reads through a long table without order reads from memory (take_stored.c);
 *   - add(pad(a), pad(b)) that together cover the axis becomes concat(a, b);
 *   - a gradient that is a leaf or a view becomes a copy (stop_gradient), so that some work writes
 * it where gradients belong. */
#include "machine/limits.h"
#include "pass/gemm_match.h"
#include "pass/lane_order.h"
#include "pass/legal_scan.h"
#include "pass/low_rank.h"
#include "pass/pass.h"
#include "pass/rebuild.h"
#include "pass/take_stored.h"
#include <string.h>

typedef struct {
    TirProgram *new;
    TirBuilder builder;
    TirId *map;    /* old id -> new id */
    uint32_t thin; /* products of such sides may have kernels of their own */
} Legalise;

static void join_labels(uint8_t *out, const uint8_t *first, uint32_t n_first, const uint8_t *second,
                        uint32_t n_second) {
    memcpy(out, first, n_first);
    memcpy(out + n_first, second, n_second);
}

/* The product in BLAS order, then its result in the order asked for. */
static TirId reorder_product(Legalise *l, TirId id, GemmPattern pattern, const ContractRoles *r) {
    TirBuilder *b = &l->builder;
    const TirNode node = *tir_node(b->block, id);
    const uint8_t *lx = node.attr.labels[0], *ly = node.attr.labels[1];
    uint8_t to_x[TIR_MAX_RANK], to_y[TIR_MAX_RANK], to_out[TIR_MAX_RANK];
    if (pattern == GEMM_GRADIENT) {
        join_labels(to_x, r->sum, r->n_sum, r->free_x, r->n_free_x);
        join_labels(to_y, r->sum, r->n_sum, r->free_y, r->n_free_y);
    } else {
        join_labels(to_x, r->free_x, r->n_free_x, r->sum, r->n_sum);
        join_labels(to_y, r->free_y, r->n_free_y, r->sum, r->n_sum);
    }
    if (pattern == GEMM_APPLY_X)
        join_labels(to_out, r->free_y, r->n_free_y, r->free_x, r->n_free_x);
    else
        join_labels(to_out, r->free_x, r->n_free_x, r->free_y, r->n_free_y);
    TirId x = lane_transposed(b, node.operands[0], lx, to_x);
    TirId y = lane_transposed(b, node.operands[1], ly, to_y);
    TirId product = tir_contract(b, x, y, to_x, to_y, node.type.rank, to_out, node.type.domain);
    return lane_transposed(b, product, to_out, node.attr.labels[2]);
}

/* Sums `x` over the instances that `to` lacks. */
static TirId sum_to(TirBuilder *b, TirId x, TirDomain to) {
    return tir_position_sum(b, x, tir_domain_meet(tir_node(b->block, x)->type.domain, to));
}

static TirId legal_contract(Legalise *l, TirId id) {
    TirBuilder *b = &l->builder;
    const TirNode node = *tir_node(b->block, id);
    if (node.op != TIR_CONTRACT)
        return id;
    TirDomain to = node.type.domain, join;
    TirDomain dx = tir_node(b->block, node.operands[0])->type.domain;
    TirDomain dy = tir_node(b->block, node.operands[1])->type.domain;
    if (tir_domain_join(dx, dy, &join) && !tir_domain_equal(join, to)) {
        const uint8_t(*labels)[TIR_MAX_RANK] = node.attr.labels;
        /* Sum first what can be summed alone: where one operand does not vary with the instances
         * that disappear. */
        if (tir_domain_outer(dx, to) || tir_domain_outer(dy, to)) {
            bool x_outer = tir_domain_outer(dx, to);
            TirId x = x_outer ? node.operands[0] : sum_to(b, node.operands[0], to);
            TirId y = x_outer ? sum_to(b, node.operands[1], to) : node.operands[1];
            id = tir_contract(b, x, y, labels[0], labels[1], node.type.rank, labels[2], to);
        } else if (!tir_domain_equal(to, TIR_GLOBAL)) {
            TirId local = tir_contract(b, node.operands[0], node.operands[1], labels[0], labels[1],
                                       node.type.rank, labels[2], join);
            return sum_to(b, local, to);
        }
    }
    ContractRoles roles;
    GemmWork work;
    GemmPattern pattern = gemm_pattern(b->block, id, &roles);
    LowRank low;
    if (pattern == GEMM_NOT)
        return lane_ordered(b, id);
    if (gemm_low_rank(b->block, id, &roles, &low) && low.extent < l->thin)
        return low_rank_apart(b, id, &low);
    return gemm_match(b->block, id, &work) ? id : reorder_product(l, id, pattern, &roles);
}

static TirId legal_add_of_pads(Legalise *l, TirId id) {
    const TirNode *node = tir_node(l->builder.block, id);
    const TirId joined =
        node->op == TIR_ADD ? pass_join_pads(&l->builder, node->operands[0], node->operands[1]) : 0;
    return joined ? joined : id;
}

static bool is_small(const TirType *type) {
    return type->rank == 0 || type->dims[type->rank - 1] < WIDE_EXTENT;
}

/* By itself, or as what it is a reshape of. */
static bool is_small_below(const TirBlock *block, TirId id) {
    const TirNode *node = tir_node(block, id);
    return is_small(&node->type) ||
           (node->op == TIR_RESHAPE && is_small(&tir_node(block, node->operands[0])->type));
}

/* The same as a reshape of a take, with an axis of one entry behind what is taken. */
static TirId legal_take(Legalise *l, TirId id) {
    TirBuilder *b = &l->builder;
    const TirNode node = *tir_node(b->block, id);
    if (node.op != TIR_RESHAPE || tir_domain_equal(node.type.domain, TIR_GLOBAL))
        return id;
    const TirNode take = *tir_node(b->block, node.operands[0]);
    if (take.op != TIR_TAKE || take.type.rank != 1 || is_small(&take.type) ||
        take.type.dims[0] > UNROLL_LANE || !is_small(&node.type))
        return id;
    if (!is_small_below(b->block, take.operands[0]))
        return id;
    const uint32_t extent = tir_node(b->block, take.operands[0])->type.dims[0];
    const TirId x = tir_reshape(b, take.operands[0], 2, (uint32_t[]){extent, 1});
    const TirId taken = tir_take(b, x, 0, take.type.dims[0], take.attr.indices);
    return tir_reshape(b, taken, node.type.rank, node.type.dims);
}

/* Attention reads a row of each operand at each position. */
static void spread_operands(Legalise *l, const TirBlock *from, const TirNode *node,
                            TirId *operands) {
    if (node->op != TIR_ATTEND && node->op != TIR_ATTEND_GRAD)
        return;
    const TirDomain queries = node->type.domain, keys = tir_attend_keys(from, node);
    const uint32_t bias = tir_attend_bias(node), n = bias ? bias : node->n_operands;
    for (uint32_t k = 0; k < n; k++)
        operands[k] = tir_spread(&l->builder, operands[k], k == 1 || k == 2 ? keys : queries);
}

/* A gradient that no work produces by itself (a leaf, a view, one of several results) is copied, so
 * that it can be written where gradients belong; so is a buffer's next value, and a parameter's,
 * which may be another's memory. */
static void copy_gradients(Legalise *l) {
    TirProgram *p = l->new;
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        TirOutput *out = &p->outputs.at[k];
        const TirNode *root = tir_node(p->block, tir_storage(p->block, out->value));
        TirOpClass class = tir_op_class(root->op);
        if ((out->role == TIR_OUT_GRAD || out->role == TIR_OUT_UPDATE ||
             out->role == TIR_OUT_PROJECT) &&
            (class == TIR_CLASS_LEAF || class == TIR_CLASS_VIEW || root->op == TIR_RESULT))
            out->value = tir_unary(&l->builder, TIR_STOP_GRADIENT, out->value);
    }
}

/* Its body's weights in the lanes' order, and tables of loops inside, are made before it. */
static TirId legal_sequence(TirBuilder *b, const TirNode *node, const TirId *operands) {
    const TirBlock *old = node->attr.body;
    Arena *arena = b->program->arena;
    TirBlock *body = tir_block_create(b->program);
    TirBuilder inner = tir_builder_inner(b, body);
    TirId *arguments = ARENA_ARRAY(arena, TirId, node->n_operands);
    TirId *map = ARENA_ARRAY(arena, TirId, old->nodes.count);
    TirIdVec scratch = {0};
    for (uint32_t k = 0; k < node->n_operands; k++) {
        TirType type = old->arguments.at[k];
        if (k >= node->attr.n_carried)
            type.domain = tir_node(b->block, operands[k])->type.domain;
        arguments[k] = tir_arg(&inner, type);
    }
    for (TirId id = 1; id < old->nodes.count; id++) {
        const TirNode *of = tir_node(old, id);
        map[id] = of->op == TIR_ARG    ? arguments[of->attr.index]
                  : of->op == TIR_SCAN ? legal_scan_mapped(&inner, old, id, map)
                                       : pass_rebuild_mapped(&inner, old, id, map, &scratch);
        if (tir_node(body, map[id])->op == TIR_CONTRACT)
            map[id] = lane_ordered(&inner, map[id]);
    }
    for (uint32_t k = 0; k < node->attr.n_carried; k++)
        vec_push(arena, &body->results, map[old->results.at[k]]);
    return tir_sequence(b, node->attr.reverse, body, node->attr.n_carried, operands,
                        operands + node->attr.n_carried, NULL);
}

TirProgram *pass_legalise(TirProgram *p, uint32_t thin) {
    TirProgram *new = tir_program_like(p);
    Legalise l = {.new = new, .builder = tir_builder(new, new->block), .thin = thin};
    l.map = ARENA_ARRAY(p->arena, TirId, p->block->nodes.count);
    TirId operands_small[64];
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        const TirNode *node = tir_node(p->block, id);
        TirId *operands = node->n_operands <= 64 ? operands_small
                                                 : ARENA_ARRAY(p->arena, TirId, node->n_operands);
        for (uint32_t k = 0; k < node->n_operands; k++)
            operands[k] = l.map[node->operands[k]];
        l.builder.span = node->span;
        l.builder.name = node->name;
        spread_operands(&l, p->block, node, operands);
        TirId made = node->op == TIR_SCAN ? legal_scan(&l.builder, p->block, id, operands)
                     : node->op == TIR_SEQUENCE
                         ? legal_sequence(&l.builder, node, operands)
                         : pass_rebuild_value(&l.builder, p->block, id, operands);
        made = take_stored(&l.builder, legal_take(&l, legal_contract(&l, made)));
        l.map[id] = legal_add_of_pads(&l, made);
        if (id == p->n_forward)
            new->n_forward = new->block->nodes.count - 1;
    }
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        TirOutput out = p->outputs.at[k];
        tir_add_output(new, out.role, out.name, out.index, l.map[out.value]);
    }
    copy_gradients(&l);
    return pass_dce(new);
}
