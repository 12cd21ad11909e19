/* The interpreter's rules for ops in which one position sees others. */
#include "tir/interp_internal.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct {
    uint32_t heads, groups, e, f;
    uint32_t positions; /* of keys */
    double scale;
    bool causal;
    TirDomain of_keys;
    uint32_t bias, distances, start; /* the operand's number, or 0 */
} Attention;

static Attention eval_attention(const Eval *e, const TirNode *node) {
    const uint32_t bias = tir_attend_bias(node);
    return (Attention){.of_keys = tir_attend_keys(e->block, node),
                       .heads = eval_type(e, 0)->dims[0],
                       .groups = eval_type(e, 1)->dims[0],
                       .e = eval_type(e, 0)->dims[1],
                       .f = eval_type(e, 2)->dims[1],
                       .positions = eval_positions(e, tir_attend_keys(e->block, node).space),
                       .scale = node->attr.scale,
                       .causal = node->attr.causal,
                       .bias = bias,
                       .distances = bias ? eval_type(e, bias)->dims[1] : 0,
                       .start = node->attr.start};
}

static uint64_t eval_distance(const Attention *a, uint32_t h, EvalPlace t, EvalPlace u) {
    return (uint64_t)h * a->distances + t.position + a->start - u.position;
}

/* scale * q[t,h] . k[u,group of h] + bias[h, t - u + start] */
static double eval_score(const Eval *e, const Attention *a, uint32_t h, EvalPlace t, EvalPlace u) {
    const double *q = eval_operand(e, 0, t) + (uint64_t)h * a->e;
    const double *k = eval_operand(e, 1, u) + (uint64_t)(h / (a->heads / a->groups)) * a->e;
    double score = 0;
    for (uint32_t i = 0; i < a->e; i++)
        score += q[i] * k[i];
    return a->scale * score +
           (a->bias ? eval_operand(e, a->bias, t)[eval_distance(a, h, t, u)] : 0);
}

void tir_eval_ATTEND(const Eval *e, const TirNode *node, EvalValue *value) {
    const Attention a = eval_attention(e, node);
    const TirDomain domain = node->type.domain;
    value->results = ARENA_ARRAY(e->arena, double *, 2);
    value->results[0] = eval_alloc(e, &node->result_types[0]);
    value->results[1] = eval_alloc(e, &node->result_types[1]);
    EvalPlace t = {0, 0};
    do {
        for (uint32_t h = 0; h < a.heads; h++) {
            const uint64_t row = eval_instance(e, domain, t) * a.heads + h;
            const uint32_t group = h / (a.heads / a.groups);
            const uint32_t end = a.causal ? t.position + 1 : a.positions;
            double top = -DBL_MAX,
                   sum = 0; /* a score of -inf is that of a key that does not count */
            for (uint32_t u = 0; u < end; u++)
                top = fmax(top, eval_score(e, &a, h, t, (EvalPlace){t.sample, u}));
            for (uint32_t u = 0; u < end; u++) {
                const EvalPlace at = {t.sample, u};
                const double w = exp(eval_score(e, &a, h, t, at) - top);
                const double *v = eval_operand(e, 2, at) + (uint64_t)group * a.f;
                for (uint32_t i = 0; i < a.f; i++)
                    value->results[0][row * a.f + i] += w * v[i];
                sum += w;
            }
            for (uint32_t i = 0; i < a.f && sum != 0; i++)
                value->results[0][row * a.f + i] /= sum;
            value->results[1][row] = sum == 0 ? 0 : top + log(sum);
        }
    } while (eval_next(e, domain, &t));
}

/* One pair of positions of one head: its share of dq[t], dk[u] and dv[u]. */
static void eval_attend_pair(const Eval *e, const Attention *a, TirDomain domain, EvalValue *value,
                             uint32_t h, EvalPlace t, EvalPlace u) {
    const uint32_t group = h / (a->heads / a->groups);
    const double *v = eval_operand(e, 2, u) + (uint64_t)group * a->f;
    const double *o = eval_operand(e, 3, t) + (uint64_t)h * a->f;
    const double *d_o = eval_operand(e, 5, t) + (uint64_t)h * a->f;
    const double p = exp(eval_score(e, a, h, t, u) - eval_operand(e, 4, t)[h]);
    double d_score = 0;
    double *dv =
        value->results[2] + (eval_instance(e, a->of_keys, u) * a->groups + group) * (uint64_t)a->f;
    for (uint32_t i = 0; i < a->f; i++) {
        d_score += d_o[i] * (v[i] - o[i]);
        dv[i] += p * d_o[i];
    }
    d_score *= p;
    if (a->bias) {
        const TirDomain of_bias = {domain.sample, 0};
        const uint64_t row = eval_instance(e, of_bias, t) * a->heads * a->distances;
        value->results[3][row + eval_distance(a, h, t, u)] += d_score;
    }
    d_score *= a->scale;
    const double *q = eval_operand(e, 0, t) + (uint64_t)h * a->e;
    const double *k = eval_operand(e, 1, u) + (uint64_t)group * a->e;
    double *dq = value->results[0] + (eval_instance(e, domain, t) * a->heads + h) * (uint64_t)a->e;
    double *dk =
        value->results[1] + (eval_instance(e, a->of_keys, u) * a->groups + group) * (uint64_t)a->e;
    for (uint32_t i = 0; i < a->e; i++) {
        dq[i] += d_score * k[i];
        dk[i] += d_score * q[i];
    }
}

void tir_eval_ATTEND_GRAD(const Eval *e, const TirNode *node, EvalValue *value) {
    const Attention a = eval_attention(e, node);
    value->results = ARENA_ARRAY(e->arena, double *, node->n_results);
    for (uint32_t k = 0; k < node->n_results; k++)
        value->results[k] = eval_alloc(e, &node->result_types[k]);
    EvalPlace t = {0, 0};
    do {
        const uint32_t end = a.causal ? t.position + 1 : a.positions;
        for (uint32_t h = 0; h < a.heads; h++)
            for (uint32_t u = 0; u < end; u++)
                eval_attend_pair(e, &a, node->type.domain, value, h, t, (EvalPlace){t.sample, u});
    } while (eval_next(e, node->type.domain, &t));
}

void tir_eval_RECUR(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirDomain domain = node->type.domain;
    const uint64_t n = tir_element_count(&node->type);
    const uint32_t positions = eval_positions(e, domain.space);
    const bool one = eval_type(e, 0)->rank == 0, reverse = node->attr.reverse;
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    do {
        const EvalPlace t = {at.sample, reverse ? positions - 1 - at.position : at.position};
        const EvalPlace last = {t.sample, reverse ? t.position + 1 : t.position - 1};
        const double *u = eval_operand(e, 1, t);
        double *to = value->at + eval_instance(e, domain, t) * n;
        memcpy(to, u, n * sizeof(double));
        if (at.position == 0)
            continue;
        const double *f = eval_operand(e, 0, reverse ? last : t);
        const double *from = value->at + eval_instance(e, domain, last) * n;
        for (uint64_t i = 0; i < n; i++)
            to[i] += f[one ? 0 : i] * from[i];
    } while (eval_next(e, domain, &at));
}

void tir_eval_SHIFT(const Eval *e, const TirNode *node, EvalValue *value) {
    const uint64_t n = tir_element_count(&node->type);
    const TirSpace *space = &e->p->spaces.at[node->type.domain.space - 1];
    const int64_t distance = tir_shift_distance(space, node->attr.offset);
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    do {
        const int64_t from = (int64_t)at.position - distance;
        bool inside = from >= 0 && from < eval_positions(e, node->type.domain.space);
        if (space->rank == 2) {
            const int64_t c = at.position % space->extents[1] - (int64_t)node->attr.offset[1];
            inside = inside && c >= 0 && c < space->extents[1];
        }
        if (inside)
            memcpy(value->at + eval_instance(e, node->type.domain, at) * n,
                   eval_operand(e, 0, (EvalPlace){at.sample, (uint32_t)from}), n * sizeof(double));
    } while (eval_next(e, node->type.domain, &at));
}
