/* Which contractions are matrix products for BLAS.
 *
 * Requires: canonical TIR. Changes nothing.
 *
 * Two patterns, both over memory as it lies (positions outermost, axes row-major):
 *
 *   apply        out[Fx.., Fw..] = sum[S..] x[Fx.., S..] * w[Fw.., S..]      w global, or [S..,
 * Fw..] weight grad  out[Fx.., Fy..] = sum over positions and [S..] of x[S.., Fx..] * y[S.., Fy..]
 *
 * Thin products stay in the kernels around them, where their operands are in registers or cache:
 * BLAS wants at least GEMM_THIN in both free and summed extents, and of what low_rank.c has set
 * apart nothing. */
#include "pass/gemm_match.h"
#include "machine/limits.h"
#include <string.h>

static bool has_label(const uint8_t *labels, uint32_t n, uint8_t label) {
    for (uint32_t i = 0; i < n; i++)
        if (labels[i] == label)
            return true;
    return false;
}

bool contract_roles(const TirBlock *block, TirId id, ContractRoles *r) {
    const TirNode *node = tir_node(block, id);
    const TirNode *x = tir_node(block, node->operands[0]);
    const TirNode *y = tir_node(block, node->operands[1]);
    const uint8_t *lx = node->attr.labels[0], *ly = node->attr.labels[1];
    const uint8_t *lo = node->attr.labels[2];
    memset(r, 0, sizeof *r);
    r->free_x_size = r->free_y_size = r->sum_size = 1;
    for (uint32_t i = 0; i < x->type.rank; i++) {
        bool in_y = has_label(ly, y->type.rank, lx[i]);
        bool in_out = has_label(lo, node->type.rank, lx[i]);
        if (has_label(lx, i, lx[i]) || in_y == in_out) /* diagonal, batch, or summed alone */
            return false;
        if (in_out) {
            r->free_x[r->n_free_x++] = lx[i];
            r->free_x_size *= x->type.dims[i];
        } else {
            r->sum[r->n_sum++] = lx[i];
            r->sum_size *= x->type.dims[i];
        }
    }
    for (uint32_t i = 0; i < y->type.rank; i++) {
        bool in_x = has_label(lx, x->type.rank, ly[i]);
        bool in_out = has_label(lo, node->type.rank, ly[i]);
        if (has_label(ly, i, ly[i]) || in_x == in_out)
            return false;
        if (in_out) {
            r->free_y[r->n_free_y++] = ly[i];
            r->free_y_size *= y->type.dims[i];
        }
    }
    return true;
}

enum { LOW_RANK_SHARE = 8 }; /* the other side is so many times as long */

typedef struct {
    const uint8_t *labels;
    uint32_t count;
    uint64_t size;
} Side;

static uint64_t extent_of(const TirBlock *block, const TirNode *node, uint8_t label) {
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *type = &tir_node(block, node->operands[o])->type;
        for (uint32_t k = 0; k < type->rank; k++)
            if (node->attr.labels[o][k] == label)
                return type->dims[k];
    }
    return 1;
}

/* One axis, or one followed by an axis of one entry. */
static bool is_single(const TirBlock *block, const TirNode *node, const Side *side) {
    return side->count == 1 || (side->count == 2 && extent_of(block, node, side->labels[1]) == 1);
}

bool gemm_low_rank(const TirBlock *block, TirId id, const ContractRoles *r, LowRank *found) {
    const TirNode *node = tir_node(block, id);
    const bool x_global =
        tir_domain_equal(tir_node(block, node->operands[0])->type.domain, TIR_GLOBAL);
    const bool y_global =
        tir_domain_equal(tir_node(block, node->operands[1])->type.domain, TIR_GLOBAL);
    const bool gradient = tir_domain_equal(node->type.domain, TIR_GLOBAL);
    const Side sum = {r->sum, r->n_sum, r->sum_size}, x = {r->free_x, r->n_free_x, r->free_x_size},
               y = {r->free_y, r->n_free_y, r->free_y_size};
    if (gradient ? x_global || y_global : x_global == y_global)
        return false;
    /* two sides of one matrix; what is left is the positions' */
    const Side first = gradient ? x : sum, second = gradient || y_global ? y : x;
    const uint64_t left = gradient ? sum.size : x_global ? y.size : x.size;
    const Side rank = first.size < second.size ? first : second,
               other = first.size < second.size ? second : first;
    if (left != 1 || rank.count == 0 || rank.size > LOW_RANK || rank.size < WIDE_EXTENT ||
        !is_single(block, node, &rank) || other.size < LOW_RANK_SHARE * rank.size ||
        extent_of(block, node, other.labels[other.count - 1]) < WIDE_EXTENT ||
        rank.size * other.size > GEMM_THIN_GRADIENT_ELEMENTS)
        return false;
    *found = (LowRank){.label = rank.labels[0], .extent = rank.size, .set_apart = rank.count == 2};
    return true;
}

GemmPattern gemm_pattern(const TirBlock *block, TirId id, ContractRoles *r) {
    const TirNode *node = tir_node(block, id);
    const TirType *x = &tir_node(block, node->operands[0])->type;
    const TirType *y = &tir_node(block, node->operands[1])->type;
    if (!contract_roles(block, id, r) || node->type.elem != TIR_REAL)
        return GEMM_NOT;
    if (r->free_x_size > INT32_MAX || r->free_y_size > INT32_MAX || r->sum_size > INT32_MAX)
        return GEMM_NOT; /* BLAS counts in int */
    LowRank low;
    if (gemm_low_rank(block, id, r, &low) && low.set_apart)
        return GEMM_NOT;
    bool x_global = tir_domain_equal(x->domain, TIR_GLOBAL);
    bool y_global = tir_domain_equal(y->domain, TIR_GLOBAL);
    bool out_global = tir_domain_equal(node->type.domain, TIR_GLOBAL);
    if (out_global && x_global && y_global)
        return r->free_x_size >= GEMM_THIN && r->free_y_size >= GEMM_THIN &&
                       r->sum_size >= GEMM_THIN
                   ? GEMM_APPLY_Y
                   : GEMM_NOT;
    if (out_global) {
        if (!tir_domain_equal(x->domain, y->domain))
            return GEMM_NOT;
        uint64_t small = r->free_x_size < r->free_y_size ? r->free_x_size : r->free_y_size;
        if (small <= GEMM_THIN && r->free_x_size * r->free_y_size <= GEMM_THIN_GRADIENT_ELEMENTS)
            return GEMM_NOT;
        return GEMM_GRADIENT;
    }
    if (r->sum_size <= GEMM_THIN || x_global == y_global)
        return GEMM_NOT;
    if (y_global && tir_domain_equal(x->domain, node->type.domain))
        return r->free_y_size > GEMM_THIN ? GEMM_APPLY_Y : GEMM_NOT;
    if (x_global && tir_domain_equal(y->domain, node->type.domain))
        return r->free_x_size > GEMM_THIN ? GEMM_APPLY_X : GEMM_NOT;
    return GEMM_NOT;
}

/* labels == first followed by second */
static bool laid_out(const uint8_t *labels, uint32_t rank, const uint8_t *first, uint32_t n_first,
                     const uint8_t *second, uint32_t n_second) {
    return rank == n_first + n_second && memcmp(labels, first, n_first) == 0 &&
           memcmp(labels + n_first, second, n_second) == 0;
}

bool gemm_match(const TirBlock *block, TirId id, GemmWork *gemm) {
    const TirNode *node = tir_node(block, id);
    ContractRoles r;
    GemmPattern pattern = gemm_pattern(block, id, &r);
    if (pattern == GEMM_NOT)
        return false;
    TirId x = node->operands[0], y = node->operands[1];
    const uint8_t *lx = node->attr.labels[0], *ly = node->attr.labels[1];
    const uint8_t *lo = node->attr.labels[2];
    uint32_t rank_x = tir_node(block, x)->type.rank, rank_y = tir_node(block, y)->type.rank;
    *gemm = (GemmWork){.domain = tir_node(block, x)->type.domain};
    if (pattern == GEMM_GRADIENT) {
        if (!laid_out(lx, rank_x, r.sum, r.n_sum, r.free_x, r.n_free_x) ||
            !laid_out(ly, rank_y, r.sum, r.n_sum, r.free_y, r.n_free_y))
            return false;
        bool swapped = laid_out(lo, node->type.rank, r.free_y, r.n_free_y, r.free_x, r.n_free_x);
        if (!swapped && !laid_out(lo, node->type.rank, r.free_x, r.n_free_x, r.free_y, r.n_free_y))
            return false;
        gemm->a = swapped ? y : x;
        gemm->b = swapped ? x : y;
        gemm->m = swapped ? r.free_y_size : r.free_x_size;
        gemm->n = swapped ? r.free_x_size : r.free_y_size;
        gemm->k = r.sum_size;
        gemm->k_per_instance = true;
        gemm->transpose_a = true;
        gemm->lda = gemm->m;
        gemm->ldb = gemm->ldc = gemm->n;
        return true;
    }
    bool by_y = pattern == GEMM_APPLY_Y; /* y is the weight */
    const uint8_t *la = by_y ? lx : ly, *lw = by_y ? ly : lx;
    uint32_t rank_a = by_y ? rank_x : rank_y, rank_w = by_y ? rank_y : rank_x;
    const uint8_t *free_a = by_y ? r.free_x : r.free_y, *free_w = by_y ? r.free_y : r.free_x;
    uint32_t n_free_a = by_y ? r.n_free_x : r.n_free_y, n_free_w = by_y ? r.n_free_y : r.n_free_x;
    /* The summed labels must come in the same order in both. */
    const uint8_t *sum = la + n_free_a;
    if (rank_a != n_free_a + r.n_sum || memcmp(la, free_a, n_free_a) != 0)
        return false;
    gemm->transpose_b = laid_out(lw, rank_w, free_w, n_free_w, sum, r.n_sum);
    if (!gemm->transpose_b && !laid_out(lw, rank_w, sum, r.n_sum, free_w, n_free_w))
        return false;
    if (!laid_out(lo, node->type.rank, free_a, n_free_a, free_w, n_free_w))
        return false;
    gemm->a = by_y ? x : y;
    gemm->b = by_y ? y : x;
    gemm->m = by_y ? r.free_x_size : r.free_y_size;
    gemm->n = by_y ? r.free_y_size : r.free_x_size;
    gemm->k = r.sum_size;
    gemm->domain = node->type.domain;
    gemm->m_per_instance = !tir_domain_equal(gemm->domain, TIR_GLOBAL);
    gemm->lda = gemm->k;
    gemm->ldb = gemm->transpose_b ? gemm->k : gemm->n;
    gemm->ldc = gemm->n;
    return true;
}
