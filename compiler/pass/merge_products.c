/* Merge products: a sum of thin products with weights becomes one product over the joint axis.
 *
 * Requires: canonical TIR. Maintains: values, up to the order of a sum's terms. Changes: trees of
 * additions that nobody else reads. The gradient of a value that several projections read is such a
 * sum; as one product it is one pass over the features, with its terms summed in registers.
 *
 *     add(add(%x, contract W[4,d] a[4]), contract V[16,d] b[16])
 *  -> add(%x, contract concat(W, V)[20,d] concat(a, b)[20])
 *
 * The joint weights hang on no position: they are put side by side once a step. */
#include "machine/limits.h"
#include "pass/gemm_match.h"
#include "pass/pass.h"
#include "pass/rebuild.h"

typedef struct {
    const TirProgram *old;
    TirProgram *new;
    TirBuilder builder;
    TirId *map;
    uint32_t *users;
    bool *inner; /* additions that belong to a larger tree */
    TirIdVec leaves, work;
} Merge;

/* A product that can be joined with others: which operand holds the weights, how many terms. */
typedef struct {
    uint32_t weights;
    uint64_t terms;
} Product;

static bool mergeable(const Merge *m, TirId id, Product *product) {
    const TirBlock *block = m->old->block;
    const TirNode *node = tir_node(block, id);
    ContractRoles r;
    if (node->op != TIR_CONTRACT || m->users[id] != 1 || node->type.elem != TIR_REAL ||
        node->type.rank == 0 || tir_domain_equal(node->type.domain, TIR_GLOBAL) ||
        !contract_roles(block, id, &r) || gemm_pattern(block, id, &r) != GEMM_NOT)
        return false;
    for (uint32_t w = 0; w < 2; w++) {
        const TirType *weights = &tir_node(block, node->operands[w])->type;
        const TirType *other = &tir_node(block, node->operands[1 - w])->type;
        bool free_in_weights = w == 0 ? r.n_free_y == 0 : r.n_free_x == 0;
        if (tir_domain_equal(weights->domain, TIR_GLOBAL) && free_in_weights &&
            tir_domain_equal(other->domain, node->type.domain)) {
            *product = (Product){w, r.sum_size};
            return r.sum_size <= MERGED_TERMS / 2;
        }
    }
    return false;
}

/* Operand `k` of the contraction `id`, with its summed axes first and as one. */
static TirId summed_first(Merge *m, TirId id, uint32_t k, uint64_t terms) {
    const TirNode *node = tir_node(m->old->block, id);
    const TirType *type = &tir_node(m->old->block, node->operands[k])->type;
    ContractRoles r;
    contract_roles(m->old->block, id, &r);
    uint8_t axes[TIR_MAX_RANK];
    uint32_t dims[TIR_MAX_RANK], joint[TIR_MAX_RANK + 1] = {(uint32_t)terms}, rank = 1;
    for (uint32_t a = 0; a < type->rank; a++) {
        uint8_t label = node->attr.labels[k][a];
        uint32_t to = 0;
        while (to < r.n_sum && r.sum[to] != label)
            to++;
        if (to == r.n_sum) { /* kept: behind the summed ones, in the result's order */
            uint32_t kept = 0;
            while (node->attr.labels[2][kept] != label)
                kept++;
            to = r.n_sum + kept;
        }
        axes[a] = (uint8_t)to;
        dims[to] = type->dims[a];
    }
    for (uint32_t a = r.n_sum; a < type->rank; a++)
        joint[rank++] = dims[a];
    TirId x = tir_broadcast(&m->builder, m->map[node->operands[k]], type->rank, dims, axes);
    return tir_reshape(&m->builder, x, rank, joint);
}

static TirId joint_product(Merge *m, const TirId *ids, const Product *products, uint32_t n) {
    TirBuilder *b = &m->builder;
    TirIdVec weights = {0}, others = {0};
    for (uint32_t k = 0; k < n; k++) {
        uint32_t w = products[k].weights;
        vec_push(m->new->arena, &weights, summed_first(m, ids[k], w, products[k].terms));
        vec_push(m->new->arena, &others, summed_first(m, ids[k], 1 - w, products[k].terms));
    }
    TirId w = tir_concat(b, 0, n, weights.at), x = tir_concat(b, 0, n, others.at);
    uint8_t w_labels[TIR_MAX_RANK + 1], x_labels[1] = {0}, labels[TIR_MAX_RANK];
    uint32_t rank = tir_node(b->block, w)->type.rank;
    for (uint32_t k = 0; k < rank; k++)
        w_labels[k] = (uint8_t)k;
    for (uint32_t k = 0; k + 1 < rank; k++)
        labels[k] = (uint8_t)(k + 1);
    /* where the products live: what they are added to may live further in */
    const TirDomain to = tir_node(b->block, x)->type.domain;
    return tir_contract(b, w, x, w_labels, x_labels, rank - 1, labels, to);
}

static void collect_leaves(Merge *m, TirId root) {
    m->leaves.count = m->work.count = 0;
    vec_push(m->new->arena, &m->work, root);
    while (m->work.count) {
        TirId id = m->work.at[--m->work.count];
        const TirNode *node = tir_node(m->old->block, id);
        if (id != root && !m->inner[id]) {
            vec_push(m->new->arena, &m->leaves, id);
            continue;
        }
        vec_push(m->new->arena, &m->work, node->operands[1]);
        vec_push(m->new->arena, &m->work, node->operands[0]);
    }
}

/* The sum with its products joined, or 0 when there is nothing to join. */
static TirId merged_sum(Merge *m, TirId root) {
    const TirNode *node = tir_node(m->old->block, root);
    if (node->op != TIR_ADD || m->inner[root] || node->type.elem != TIR_REAL)
        return 0;
    collect_leaves(m, root);
    Product *products = ARENA_ARRAY(m->new->arena, Product, m->leaves.count);
    TirIdVec chosen = {0};
    uint64_t terms = 0;
    for (uint32_t k = 0; k < m->leaves.count; k++) {
        Product product;
        TirId id = m->leaves.at[k];
        if (!mergeable(m, id, &product) || terms + product.terms > MERGED_TERMS)
            continue;
        terms += product.terms;
        products[chosen.count] = product;
        vec_push(m->new->arena, &chosen, id);
    }
    if (chosen.count < 2)
        return 0;
    TirId sum = 0;
    for (uint32_t k = 0, c = 0; k < m->leaves.count; k++) {
        if (c < chosen.count && chosen.at[c] == m->leaves.at[k]) {
            c++;
            continue;
        }
        TirId x = m->map[m->leaves.at[k]];
        sum = sum ? tir_binary(&m->builder, TIR_ADD, sum, x) : x;
    }
    TirId joint = joint_product(m, chosen.at, products, chosen.count);
    return sum ? tir_binary(&m->builder, TIR_ADD, sum, joint) : joint;
}

/* Additions read by one addition of their own type, on the same side of the forward's end. */
static void find_inner(Merge *m) {
    const TirBlock *block = m->old->block;
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        for (uint32_t k = 0; k < node->n_operands; k++)
            m->users[node->operands[k]]++;
    }
    for (uint32_t k = 0; k < m->old->outputs.count; k++)
        m->users[m->old->outputs.at[k].value]++;
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        for (uint32_t k = 0; node->op == TIR_ADD && k < 2; k++) {
            TirId x = node->operands[k];
            bool same_pass = (x <= m->old->n_forward) == (id <= m->old->n_forward);
            m->inner[x] = tir_node(block, x)->op == TIR_ADD && m->users[x] == 1 && same_pass &&
                          tir_type_equal(&tir_node(block, x)->type, &node->type);
        }
    }
}

TirProgram *pass_merge_products(TirProgram *p) {
    TirProgram *new = tir_program_like(p);
    uint32_t count = p->block->nodes.count;
    Merge m = {.old = p,
               .new = new,
               .builder = tir_builder(new, new->block),
               .map = ARENA_ARRAY(p->arena, TirId, count),
               .users = ARENA_ARRAY(p->arena, uint32_t, count),
               .inner = ARENA_ARRAY(p->arena, bool, count)};
    find_inner(&m);
    TirIdVec operands = {0};
    for (TirId id = 1; id < count; id++) {
        const TirNode *node = tir_node(p->block, id);
        m.builder.span = node->span;
        m.builder.name = node->name;
        TirId merged = merged_sum(&m, id);
        m.map[id] =
            merged ? merged : pass_rebuild_mapped(&m.builder, p->block, id, m.map, &operands);
        if (id == p->n_forward)
            new->n_forward = new->block->nodes.count - 1;
    }
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        TirOutput out = p->outputs.at[k];
        tir_add_output(new, out.role, out.name, out.index, m.map[out.value]);
    }
    return pass_dce(new);
}
