/* Builds sums of products; see sum_product.h.
 *
 *     sum[j] u[k] * K[k,j] * v[j]    →    u[k] * contract(K, v)
 */
#include "pass/sum_product.h"
#include <math.h>

static const TirType *type_of(const SumProduct *s, TirId id) {
    return &tir_node(s->b->block, id)->type;
}

static uint32_t mask_of(const SumProduct *s, const SumFactor *f) {
    uint32_t mask = 0;
    for (uint32_t k = 0; k < type_of(s, f->value)->rank; k++)
        mask |= 1u << f->labels[k];
    return mask;
}

static bool all_different(const uint8_t *labels, uint32_t n) {
    uint32_t seen = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (seen >> labels[k] & 1)
            return false;
        seen |= 1u << labels[k];
    }
    return true;
}

/* A diagonal is taken first, so that a factor's labels are all different. */
static SumFactor factor_of(SumProduct *s, TirId x, const uint8_t *labels) {
    const TirType t = *type_of(s, x);
    SumFactor f = {.value = x};
    uint8_t axes[TIR_MAX_RANK];
    uint32_t dims[TIR_MAX_RANK], rank = 0;
    for (uint32_t k = 0; k < t.rank; k++) {
        uint32_t at = 0;
        while (at < rank && f.labels[at] != labels[k])
            at++;
        if (at == rank) {
            f.labels[rank] = labels[k];
            dims[rank++] = t.dims[k];
        }
        axes[k] = (uint8_t)at;
    }
    if (rank != t.rank)
        f.value = tir_broadcast(s->b, x, rank, dims, axes);
    return f;
}

static bool used_once(const SumProduct *s, TirId id) {
    return id >= s->n_uses || s->uses[id] <= 1;
}

/* Recursion is bounded by the number of factors: repetitions and signs do not follow each other.
 * `alone` says that nobody else reads x, on the whole way from the sum; only then is x taken apart,
 * for otherwise its value is there anyhow. */
static void add(SumProduct *s, TirId x, const uint8_t *labels, bool flatten, bool alone,
                uint32_t budget) {
    const TirNode node = *tir_node(s->b->block, x);
    if (node.op == TIR_CONST) {
        s->scale *= node.attr.number;
        return;
    }
    if (node.op == TIR_BROADCAST) {
        uint8_t inner[TIR_MAX_RANK];
        const uint32_t rank = type_of(s, node.operands[0])->rank;
        for (uint32_t k = 0; k < rank; k++)
            inner[k] = labels[node.attr.axes[k]];
        if (all_different(inner, rank)) {
            add(s, node.operands[0], inner, flatten, alone && used_once(s, node.operands[0]),
                budget);
            return;
        }
    }
    if (node.op == TIR_NEG && alone) {
        s->scale = -s->scale;
        add(s, node.operands[0], labels, flatten, used_once(s, node.operands[0]), budget);
        return;
    }
    if (node.op == TIR_MUL && node.type.elem == TIR_REAL && flatten && alone && budget > 1) {
        const uint32_t before = s->n_factors;
        for (uint32_t k = 0; k < 2; k++) {
            const TirId y = node.operands[k];
            const uint32_t added = s->n_factors - before;
            const uint8_t *own = type_of(s, y)->rank ? labels : NULL;
            add(s, y, own, flatten, used_once(s, y),
                k == 0           ? budget - 1
                : budget > added ? budget - added
                                 : 1);
        }
        return;
    }
    s->factors[s->n_factors++] = factor_of(s, x, labels);
}

void sum_product_add(SumProduct *s, TirId x, const uint8_t *labels, bool flatten, bool alone) {
    const uint32_t room = SUM_FACTORS - s->n_factors;
    add(s, x, labels, flatten, alone, room > 1 ? room - 1 : 1);
}

/* f repeated to exactly the labels in `mask`, in ascending order. */
static SumFactor spread(SumProduct *s, const SumFactor *f, uint32_t mask) {
    SumFactor out = {0};
    uint32_t dims[TIR_MAX_RANK], rank = 0;
    uint8_t axes[TIR_MAX_RANK];
    for (uint8_t l = 0; l < SUM_LABELS; l++) {
        if (!(mask >> l & 1))
            continue;
        for (uint32_t k = 0; k < tir_rank(type_of(s, f->value)); k++)
            if (f->labels[k] == l)
                axes[k] = (uint8_t)rank;
        out.labels[rank] = l;
        dims[rank++] = s->extents[l];
    }
    out.value = tir_broadcast(s->b, f->value, rank, dims, axes);
    return out;
}

static uint64_t elements(const SumProduct *s, uint32_t mask) {
    uint64_t n = 1;
    for (uint32_t l = 0; l < SUM_LABELS; l++)
        n *= mask >> l & 1 ? s->extents[l] : 1;
    return n;
}

/* What a value of these labels, over these two factors' places, costs: a place of an inner domain
 * stands for many. */
static double cost(const SumProduct *s, const SumFactor *x, const SumFactor *y) {
    TirDomain d;
    tir_domain_join(type_of(s, x->value)->domain, type_of(s, y->value)->domain, &d);
    return (double)elements(s, mask_of(s, x) | mask_of(s, y)) * (d.sample ? 64 : 1) *
           (d.space ? 1024 : 1);
}

static SumFactor multiply(SumProduct *s, const SumFactor *x, const SumFactor *y) {
    const uint32_t mask = mask_of(s, x) | mask_of(s, y);
    const SumFactor a = spread(s, x, mask), b = spread(s, y, mask);
    SumFactor product = a;
    product.value = tir_binary(s->b, TIR_MUL, a.value, b.value);
    return product;
}

/* Multiplies until at most `wanted` factors are left, the cheapest product first. */
static uint32_t multiply_down(SumProduct *s, SumFactor *f, uint32_t n, uint32_t wanted) {
    while (n > wanted) {
        uint32_t best_x = 0, best_y = 1;
        double best = INFINITY;
        for (uint32_t y = 1; y < n; y++)
            for (uint32_t x = 0; x < y; x++) {
                const double size = cost(s, &f[x], &f[y]);
                if (size < best) {
                    best = size;
                    best_x = x;
                    best_y = y;
                }
            }
        f[best_x] = multiply(s, &f[best_x], &f[best_y]);
        for (uint32_t k = best_y; k + 1 < n; k++)
            f[k] = f[k + 1];
        n--;
    }
    return n;
}

/* Sums the labels in `mask` out of one factor. */
static SumFactor reduce(SumProduct *s, const SumFactor *f, uint32_t mask) {
    SumFactor out = {0};
    uint32_t axes = 0, rank = 0;
    for (uint32_t k = 0; k < type_of(s, f->value)->rank; k++)
        if (mask >> f->labels[k] & 1)
            axes |= 1u << k;
        else
            out.labels[rank++] = f->labels[k];
    out.value = tir_reduce(s->b, TIR_REDUCE_SUM, f->value, axes);
    return out;
}

static SumFactor contract(SumProduct *s, const SumFactor *x, const SumFactor *y, uint32_t kept,
                          TirDomain to) {
    SumFactor out = {0};
    uint32_t rank = 0;
    const uint32_t all = (mask_of(s, x) | mask_of(s, y)) & kept;
    for (uint32_t k = 0; k < s->rank; k++) /* in the result's order: no transpose after */
        if (all >> s->labels[k] & 1)
            out.labels[rank++] = s->labels[k];
    /* The side that holds the result's first axis of its own comes first, so that equal
     * contractions are one. */
    const uint32_t of_x = mask_of(s, x), of_y = mask_of(s, y);
    bool swap = x->value > y->value;
    for (uint32_t k = rank; k-- > 0;)
        if ((of_x ^ of_y) >> out.labels[k] & 1)
            swap = of_y >> out.labels[k] & 1;
    const SumFactor *a = swap ? y : x, *b = swap ? x : y;
    out.value = tir_contract(s->b, a->value, b->value, a->labels, b->labels, rank, out.labels, to);
    return out;
}

/* The sum of the factors that vary over what is summed; there is one at least. */
static SumFactor sum_inner(SumProduct *s, SumFactor *f, uint32_t n, uint32_t kept) {
    TirDomain joined = TIR_GLOBAL;
    uint32_t carried = 0;
    for (uint32_t k = 0; k < n; k++) {
        tir_domain_join(joined, type_of(s, f[k].value)->domain, &joined);
        carried |= mask_of(s, &f[k]);
    }
    const uint32_t summed = carried & ~kept;
    n = multiply_down(s, f, n, 2);
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t others = n == 2 ? mask_of(s, &f[1 - k]) : 0;
        f[k] = reduce(s, &f[k], mask_of(s, &f[k]) & summed & ~others);
    }
    const TirDomain to = tir_domain_meet(joined, s->to);
    SumFactor out = f[0];
    if (n == 2 && tir_domain_equal(joined, to) && !(mask_of(s, &f[0]) & mask_of(s, &f[1]) & summed))
        out = multiply(s, &f[0], &f[1]); /* each was summed alone */
    else if (n == 2)
        out = contract(s, &f[0], &f[1], kept, to);
    else
        out.value = tir_position_sum(s->b, f[0].value, to);
    const TirDomain missing = tir_domain_minus(tir_domain_minus(s->from, s->to), joined);
    out.value = tir_times_count(s->b, out.value, missing);
    return out;
}

TirId sum_product_emit(SumProduct *s) {
    SumFactor outer[SUM_FACTORS + 2], inner[SUM_FACTORS];
    uint32_t n_outer = 0, n_inner = 0, kept = 0, carried = 0, all = 0;
    for (uint32_t k = 0; k < s->rank; k++)
        kept |= 1u << s->labels[k];
    for (uint32_t l = 0; l < SUM_LABELS; l++)
        all |= s->extents[l] ? 1u << l : 0;
    for (uint32_t k = 0; k < s->n_factors; k++) {
        const SumFactor *f = &s->factors[k];
        const bool varies =
            (mask_of(s, f) & ~kept) || !tir_domain_outer(type_of(s, f->value)->domain, s->to);
        if (varies)
            inner[n_inner++] = *f;
        else
            outer[n_outer++] = *f;
        carried |= varies ? mask_of(s, f) : 0;
    }
    s->scale *= (double)elements(s, all & ~kept & ~carried);
    if (n_inner) {
        outer[n_outer++] = sum_inner(s, inner, n_inner, kept);
    } else {
        const TirDomain summed = tir_domain_minus(s->from, s->to);
        if (n_outer == 0 || summed.sample || summed.space)
            outer[n_outer++] = (SumFactor){.value = tir_count(s->b, summed)};
    }
    if (fabs(s->scale) != 1)
        outer[n_outer++] = (SumFactor){.value = tir_real(s->b, s->scale)};
    multiply_down(s, outer, n_outer, 1);
    if (s->scale == -1) /* last, where it may become a subtraction */
        outer[0].value = tir_unary(s->b, TIR_NEG, outer[0].value);
    uint8_t axes[TIR_MAX_RANK];
    uint32_t dims[TIR_MAX_RANK];
    for (uint32_t r = 0; r < s->rank; r++) {
        dims[r] = s->extents[s->labels[r]];
        for (uint32_t k = 0; k < type_of(s, outer[0].value)->rank; k++)
            if (outer[0].labels[k] == s->labels[r])
                axes[k] = (uint8_t)r;
    }
    return tir_broadcast(s->b, outer[0].value, s->rank, dims, axes);
}
