/* Derivative rules of views, reductions, contractions, run-time indices and ops across positions.
 */
#include "machine/limits.h"
#include "pass/vjp.h"
#include <string.h>

void tir_grad_ARGMAX(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)v, (void)id, (void)node, (void)g;
}

void tir_grad_ONEHOT(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)v, (void)id, (void)node, (void)g;
}

/* --- views -------------------------------------------------------------------------------------*/

void tir_grad_BROADCAST(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirType x = *vjp_type(v, node->operands[0]);
    uint32_t named = 0, n = 0;
    uint8_t kept[TIR_MAX_RANK];
    (void)id;
    for (uint32_t k = 0; k < x.rank; k++)
        named |= 1u << node->attr.axes[k];
    for (uint8_t r = 0; r < node->type.rank; r++)
        if (named >> r & 1)
            kept[n++] = r;
    const uint32_t all = (1u << node->type.rank) - 1;
    TirId c = tir_reduce(v->b, TIR_REDUCE_SUM, g, all & ~named);
    c = vjp_embed(v->b, c, n, kept, x.rank, x.dims, node->attr.axes);
    vjp_add(v, node->operands[0], c, node->type.domain);
}

void tir_grad_SLICE(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const uint32_t axis = node->attr.axis;
    (void)id;
    const uint32_t extent = vjp_type(v, node->operands[0])->dims[axis];
    vjp_add(v, node->operands[0], tir_pad(v->b, g, axis, node->attr.start, extent),
            node->type.domain);
}

void tir_grad_PAD(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const uint32_t axis = node->attr.axis;
    (void)id;
    const uint32_t extent = vjp_type(v, node->operands[0])->dims[axis];
    vjp_add(v, node->operands[0], tir_slice(v->b, g, axis, node->attr.start, extent),
            node->type.domain);
}

void tir_grad_RESHAPE(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirType x = *vjp_type(v, node->operands[0]);
    (void)id;
    vjp_add(v, node->operands[0], tir_reshape(v->b, g, x.rank, x.dims), node->type.domain);
}

void tir_grad_CONCAT(Vjp *v, TirId id, const TirNode *node, TirId g) {
    uint32_t start = 0;
    (void)id;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const uint32_t extent = vjp_type(v, node->operands[k])->dims[node->attr.axis];
        if (vjp_wants(v, node->operands[k]))
            vjp_add(v, node->operands[k], tir_slice(v->b, g, node->attr.axis, start, extent),
                    node->type.domain);
        start += extent;
    }
}

/* --- reductions --------------------------------------------------------------------------------*/

/* g of the reduced shape, repeated to the shape of x. */
static TirId unreduce(Vjp *v, TirId g, const TirType *x, uint32_t mask) {
    uint8_t axes[TIR_MAX_RANK];
    uint32_t n = 0;
    for (uint8_t k = 0; k < x->rank; k++)
        if (!(mask >> k & 1))
            axes[n++] = k;
    return tir_broadcast(v->b, g, x->rank, x->dims, axes);
}

void tir_grad_REDUCE_SUM(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirType x = *vjp_type(v, node->operands[0]);
    (void)id;
    vjp_add(v, node->operands[0], unreduce(v, g, &x, node->attr.axis_mask), node->type.domain);
}

/* The reduced axes moved last and made one, so that rules need know one axis only. */
typedef struct {
    TirType x;                    /* the operand's type */
    uint8_t to[TIR_MAX_RANK];     /* operand axis k is axis to[k] of `moved` */
    uint8_t from[TIR_MAX_RANK];   /* the inverse */
    uint32_t moved[TIR_MAX_RANK]; /* extents, kept first */
    uint32_t flat[TIR_MAX_RANK];  /* kept extents, then the product of the reduced */
    uint32_t n_kept;
} Lines;

static Lines lines_of(const TirType *x, uint32_t mask) {
    Lines l = {.x = *x};
    uint32_t n = 0;
    for (uint32_t reduced = 0; reduced < 2; reduced++) {
        for (uint8_t k = 0; k < tir_rank(x); k++)
            if ((mask >> k & 1) == reduced) {
                l.to[k] = (uint8_t)n;
                l.from[n] = k;
                l.moved[n++] = x->dims[k];
            }
        if (!reduced)
            l.n_kept = n;
    }
    uint32_t extent = 1;
    for (uint32_t k = 0; k < x->rank; k++)
        if (k < l.n_kept)
            l.flat[k] = l.moved[k];
        else
            extent *= l.moved[k];
    l.flat[l.n_kept] = extent;
    return l;
}

static TirId lines_out(TirBuilder *b, const Lines *l, TirId x) {
    const TirId moved = tir_broadcast(b, x, l->x.rank, l->moved, l->to);
    return tir_reshape(b, moved, l->n_kept + 1, l->flat);
}

static TirId lines_back(TirBuilder *b, const Lines *l, TirId flat) {
    const TirId moved = tir_reshape(b, flat, l->x.rank, l->moved);
    return tir_broadcast(b, moved, l->x.rank, l->x.dims, l->from);
}

static void grad_extreme(Vjp *v, const TirNode *node, TirId g, bool smallest) {
    TirBuilder *b = v->b;
    const TirId x = node->operands[0];
    const Lines l = lines_of(vjp_type(v, x), node->attr.axis_mask);
    const bool one_axis = l.n_kept + 1 == l.x.rank;
    TirId flat = one_axis ? x : lines_out(b, &l, x);
    if (smallest)
        flat = tir_unary(b, TIR_NEG, flat);
    const uint32_t last = 1u << l.n_kept;
    const TirId first = tir_reduce(b, TIR_ARGMAX, flat, one_axis ? node->attr.axis_mask : last);
    const TirId mark = lines_back(b, &l, tir_onehot(b, first, l.flat[l.n_kept]));
    const TirId spread = unreduce(v, g, &l.x, node->attr.axis_mask);
    vjp_add(v, x, tir_binary(b, TIR_MUL, spread, mark), node->type.domain);
}

void tir_grad_REDUCE_MAX(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    grad_extreme(v, node, g, false);
}

void tir_grad_REDUCE_MIN(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    grad_extreme(v, node, g, true);
}

/* The product of the others, without dividing: a line of n becomes n lines with a 1 each. Beyond
 * PRODUCT_OTHERS_MOST, y / x, which wants x without zeros. */
void tir_grad_REDUCE_PROD(Vjp *v, TirId id, const TirNode *node, TirId g) {
    TirBuilder *b = v->b;
    const TirId x = node->operands[0];
    const Lines l = lines_of(vjp_type(v, x), node->attr.axis_mask);
    const uint32_t n = l.flat[l.n_kept];
    const TirId spread = unreduce(v, g, &l.x, node->attr.axis_mask);
    TirId others;
    if (n <= PRODUCT_OTHERS_MOST && l.n_kept <= TIR_MAX_RANK - 2) {
        uint8_t axes[TIR_MAX_RANK];
        uint32_t dims[TIR_MAX_RANK];
        double same[PRODUCT_OTHERS_MOST * PRODUCT_OTHERS_MOST] = {0};
        for (uint8_t k = 0; k < l.n_kept; k++) {
            dims[k] = l.flat[k];
            axes[k] = k;
        }
        dims[l.n_kept] = dims[l.n_kept + 1] = n;
        axes[l.n_kept] = (uint8_t)(l.n_kept + 1);
        for (uint32_t k = 0; k < n; k++)
            same[k * n + k] = 1;
        const TirId table = tir_table(b, TIR_REAL, 2, (uint32_t[]){n, n}, same);
        const uint8_t last[2] = {(uint8_t)l.n_kept, (uint8_t)(l.n_kept + 1)};
        const TirId diagonal = tir_binary(
            b, TIR_EQ, tir_broadcast(b, table, l.n_kept + 2, dims, last), tir_real(b, 1));
        const TirId rows = tir_broadcast(b, lines_out(b, &l, x), l.n_kept + 2, dims, axes);
        const TirId without = tir_select(b, diagonal, tir_real(b, 1), rows);
        const TirId product = tir_reduce(b, TIR_REDUCE_PROD, without, 1u << (l.n_kept + 1));
        others = lines_back(b, &l, product);
    } else {
        others = tir_binary(b, TIR_DIV, unreduce(v, id, &l.x, node->attr.axis_mask), x);
    }
    vjp_add(v, x, tir_binary(b, TIR_MUL, spread, others), node->type.domain);
}

void tir_grad_POSITION_SUM(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id; /* g repeats implicitly: nothing to compute */
    vjp_add(v, node->operands[0], g, vjp_type(v, node->operands[0])->domain);
}

/* --- contraction -------------------------------------------------------------------------------*/

static void grad_contract(Vjp *v, const TirNode *node, TirId g, uint32_t side) {
    TirBuilder *b = v->b;
    const TirId x = node->operands[side], y = node->operands[1 - side];
    const TirType tx = *vjp_type(v, x), ty = *vjp_type(v, y), tg = *vjp_type(v, g);
    const uint8_t *lx = node->attr.labels[side], *ly = node->attr.labels[1 - side],
                  *lo = node->attr.labels[2];
    uint32_t known = 0, n = 0;
    uint8_t have[TIR_MAX_RANK];
    for (uint32_t k = 0; k < ty.rank; k++)
        known |= 1u << ly[k];
    for (uint32_t k = 0; k < node->type.rank; k++)
        known |= 1u << lo[k];
    for (uint32_t k = 0; k < tx.rank; k++)
        if (known >> lx[k] & 1) {
            have[n++] = lx[k];
            known &= ~(1u << lx[k]); /* once each */
        }
    TirDomain joined;
    tir_domain_join(tg.domain, ty.domain, &joined);
    /* What is summed, (x's and y's domain) minus x's, lies in y's: no factor is missing. */
    const TirId c = tir_contract(b, g, y, lo, ly, n, have, tir_domain_meet(joined, tx.domain));
    vjp_add(v, x, vjp_embed(b, c, n, have, tx.rank, tx.dims, lx), tx.domain);
}

void tir_grad_CONTRACT(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    /* A square counts twice: twice the adjoint, which is smaller than the gradient, once. */
    if (node->operands[0] == node->operands[1] &&
        memcmp(node->attr.labels[0], node->attr.labels[1], sizeof node->attr.labels[0]) == 0) {
        grad_contract(v, node, tir_binary(v->b, TIR_MUL, g, tir_real(v->b, 2)), 0);
        return;
    }
    for (uint32_t side = 0; side < 2; side++)
        if (vjp_wants(v, node->operands[side]))
            grad_contract(v, node, g, side);
}

/* --- run-time indices --------------------------------------------------------------------------*/

void tir_grad_GATHER(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId x = node->operands[0], index = node->operands[1];
    const TirType tx = *vjp_type(v, x);
    TirDomain joined;
    (void)id;
    tir_domain_join(vjp_type(v, index)->domain, vjp_type(v, g)->domain, &joined);
    const TirId c = tir_scatter_add(v->b, index, g, tx.dims[0], tir_domain_meet(joined, tx.domain));
    vjp_add(v, x, c, tx.domain);
}

void tir_grad_SCATTER_ADD(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId index = node->operands[0], x = node->operands[1];
    TirDomain joined;
    (void)id;
    tir_domain_join(vjp_type(v, index)->domain, vjp_type(v, x)->domain, &joined);
    vjp_add(v, x, tir_gather(v->b, g, index), joined);
}

/* --- across positions --------------------------------------------------------------------------*/

void tir_grad_RESULT(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId tuple = node->operands[0];
    (void)id;
    if (!v->results[tuple])
        v->results[tuple] = ARENA_ARRAY(v->scratch, TirId, tir_node(v->b->block, tuple)->n_results);
    TirId *slot = &v->results[tuple][node->attr.index];
    *slot = *slot ? tir_binary(v->b, TIR_ADD, *slot, g) : g;
}

static TirAttend attention_of(const TirNode *node) {
    const uint32_t bias = tir_attend_bias(node);
    return (TirAttend){node->attr.causal, node->attr.scale, bias ? node->operands[bias] : 0,
                       node->attr.start};
}

/* lse = log sum exp(s): its adjoint times the weights is added to that of the scores s. The sums
 * over weights are attention over the keys as values, forward for q and backward for k. */
static void grad_attend_lse(Vjp *v, const TirNode *node, TirId d_lse) {
    TirBuilder *b = v->b;
    const TirId q = node->operands[0], k = node->operands[1];
    const TirType tq = *vjp_type(v, q);
    const TirId share = tir_binary(b, TIR_MUL, d_lse, tir_real(b, node->attr.scale));
    const TirId spread = tir_broadcast(b, share, 2, tq.dims, (uint8_t[]){0});
    const TirAttend how = attention_of(node);
    const TirId over_keys = tir_attend_as(b, q, k, k, &how);
    const TirId mean = tir_result(b, over_keys, 0);
    vjp_add(v, q, tir_binary(b, TIR_MUL, spread, mean), node->type.domain);
    const TirDomain of_keys = tir_attend_keys(b->block, node);
    if (vjp_wants(v, k)) {
        const TirId back = tir_attend_grad_as(b, q, k, k, mean, tir_result(b, over_keys, 1),
                                              tir_binary(b, TIR_MUL, spread, q), &how);
        vjp_add(v, k, tir_result(b, back, 2), of_keys);
    }
}

void tir_grad_ATTEND(Vjp *v, TirId id, const TirNode *node, TirId g) {
    TirBuilder *b = v->b;
    const TirId *adjoints = v->results[id];
    (void)g;
    if (adjoints[0]) {
        const TirAttend how = attention_of(node);
        const TirId back =
            tir_attend_grad_as(b, node->operands[0], node->operands[1], node->operands[2],
                               tir_result(b, id, 0), tir_result(b, id, 1), adjoints[0], &how);
        if (how.bias && vjp_wants(v, how.bias))
            vjp_add(v, how.bias, tir_result(b, back, 3), (TirDomain){node->type.domain.sample, 0});
        const TirDomain of_keys = tir_attend_keys(b->block, node);
        for (uint32_t k = 0; k < 3; k++)
            if (vjp_wants(v, node->operands[k]))
                vjp_add(v, node->operands[k], tir_result(b, back, k),
                        k ? of_keys : node->type.domain);
    }
    if (adjoints[1] && tir_attend_bias(node))
        b->program->on_fault(b->program->fault_context, node->op, node->span,
                             "the normaliser of attention with a bias has no derivative here");
    if (adjoints[1])
        grad_attend_lse(v, node, adjoints[1]);
}

void tir_grad_ATTEND_GRAD(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id, (void)g;
    const TirBuilder *b = v->b;
    b->program->on_fault(b->program->fault_context, node->op, node->span,
                         "attention has no second derivative here");
}

/* d u is what comes back through all later positions; of f each element has one factor, the state
 * that it multiplies. */
void tir_grad_RECUR(Vjp *v, TirId id, const TirNode *node, TirId g) {
    TirBuilder *b = v->b;
    const TirId f = node->operands[0], u = node->operands[1];
    const bool reverse = node->attr.reverse;
    const TirDomain domain = node->type.domain;
    const TirId back = tir_recur(b, f, tir_at_positions(b, g, domain.space), !reverse);
    vjp_add(v, u, back, domain);
    if (!vjp_wants(v, f))
        return;
    const TirId before = tir_shift_in(b, reverse ? back : id, (int32_t[2]){1, 0}, domain.space);
    vjp_add(v, f, tir_binary(b, TIR_MUL, reverse ? id : back, before), domain);
}

void tir_grad_SHIFT(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    const int32_t back[2] = {-node->attr.offset[0], -node->attr.offset[1]};
    vjp_add(v, node->operands[0], tir_shift_in(v->b, g, back, node->type.domain.space),
            node->type.domain);
}
