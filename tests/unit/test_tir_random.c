/* Random well-typed programs over mixed domains: gradients against finite differences, text round
 * trip, and passes that must keep every output. */
#include "tir_case.h"

enum { POOL = 64, STEPS = 22, PROGRAMS = 250 };

typedef struct {
    Case *c;
    TirId pool[POOL];
    uint32_t n;
} Pool;

static TirId pick(Pool *p) { /* late values more often */
    const uint32_t a = case_below(p->c, p->n), b = case_below(p->c, p->n);
    return p->pool[a > b ? a : b];
}

static TirId pick_shape(Pool *p, const TirType *like) {
    for (uint32_t tries = 0; tries < 40; tries++) {
        const TirId x = pick(p);
        const TirType *t = case_typeof(p->c, x);
        if (t->rank == 0 || like->rank == 0 || tir_shape_equal(t, like))
            return x;
    }
    return 0;
}

static TirId random_broadcast(Pool *p) {
    Case *c = p->c;
    const TirId x = pick(p);
    const TirType t = *case_typeof(c, x);
    uint32_t dims[TIR_MAX_RANK] = {0}, rank = 1 + case_below(c, 3);
    uint8_t axes[TIR_MAX_RANK] = {0};
    for (uint32_t k = 0; k < t.rank; k++) {
        axes[k] = (uint8_t)case_below(c, rank);
        if (dims[axes[k]] && dims[axes[k]] != t.dims[k])
            return 0;
        dims[axes[k]] = t.dims[k];
    }
    for (uint32_t k = 0; k < rank; k++)
        dims[k] = dims[k] ? dims[k] : 2 + case_below(c, 2);
    return tir_broadcast(&c->b, x, rank, dims, axes);
}

static TirId random_contract(Pool *p) {
    Case *c = p->c;
    const TirId x = pick(p), y = pick(p);
    const TirType tx = *case_typeof(c, x), ty = *case_typeof(c, y);
    uint8_t lx[TIR_MAX_RANK], ly[TIR_MAX_RANK], out[TIR_MAX_RANK];
    uint32_t extents[4] = {0}, rank = 0;
    for (uint32_t o = 0; o < 2; o++)
        for (uint32_t k = 0; k < (o ? ty : tx).rank; k++) {
            const uint32_t l = case_below(c, 4), extent = (o ? ty : tx).dims[k];
            if (extents[l] && extents[l] != extent)
                return 0;
            extents[l] = extent;
            (o ? ly : lx)[k] = (uint8_t)l;
        }
    for (uint32_t l = 0; l < 4; l++)
        if (extents[l] && case_below(c, 2))
            out[rank++] = (uint8_t)l;
    if (rank == 2 && case_below(c, 2)) {
        const uint8_t first = out[0];
        out[0] = out[1];
        out[1] = first;
    }
    TirDomain joined;
    tir_domain_join(tx.domain, ty.domain, &joined);
    TirDomain to = case_below(c, 3) ? joined : tir_domain_meet(joined, DOMAINS[case_below(c, 4)]);
    return tir_contract(&c->b, x, y, lx, ly, rank, out, to);
}

static TirId random_view(Pool *p) {
    Case *c = p->c;
    const TirId x = pick(p);
    const TirType t = *case_typeof(c, x);
    if (t.rank == 0)
        return random_broadcast(p);
    const uint32_t axis = case_below(c, t.rank), extent = t.dims[axis];
    const int32_t indices[3] = {(int32_t)case_below(c, extent), -1, (int32_t)case_below(c, extent)};
    const TirId parts[2] = {x, pick_shape(p, &t)};
    uint32_t flat = (uint32_t)tir_element_count(&t);
    switch (case_below(c, 6)) {
    case 0:
        return tir_slice(&c->b, x, axis, case_below(c, extent), 1);
    case 1:
        return tir_pad(&c->b, x, axis, case_below(c, 2), extent + 1);
    case 2:
        return tir_take(&c->b, x, axis, 3, indices);
    case 3:
        return tir_reshape(&c->b, x, 1, &flat);
    case 4:
        if (!parts[1] || case_typeof(c, parts[1])->rank != t.rank || extent > 4)
            return 0;
        return tir_concat(&c->b, axis, 2, parts);
    default:
        return random_broadcast(p);
    }
}

static TirId random_map(Pool *p) {
    static const TirOp binary[] = {TIR_ADD, TIR_ADD, TIR_SUB, TIR_MUL, TIR_MUL, TIR_MUL};
    static const TirOp unary[] = {TIR_NEG, TIR_SIN, TIR_TANH, TIR_SIGMOID};
    static const double constants[] = {0, 1, -1, 0.5, -2};
    Case *c = p->c;
    const TirId x = pick(p), y = pick_shape(p, case_typeof(c, x));
    switch (case_below(c, 4)) {
    case 0:
        return tir_unary(&c->b, unary[case_below(c, 4)], x);
    case 1:
        return tir_binary(&c->b, TIR_MUL, x, tir_real(&c->b, constants[case_below(c, 5)]));
    default:
        return y ? tir_binary(&c->b, binary[case_below(c, 6)], x, y) : 0;
    }
}

static TirId random_sum(Pool *p) {
    Case *c = p->c;
    const TirId x = pick(p);
    const TirType t = *case_typeof(c, x);
    switch (case_below(c, 4)) {
    case 0:
        return tir_position_sum(&c->b, x, tir_domain_meet(t.domain, DOMAINS[case_below(c, 4)]));
    case 1:
        if (t.domain.space && case_below(c, 2))
            return tir_recur(&c->b, tir_real(&c->b, 0.5), tir_unary(&c->b, TIR_TANH, x),
                             case_below(c, 2));
        return t.domain.space ? tir_shift(&c->b, x, case_below(c, 2) ? 1 : -1) : 0;
    case 2:
        return random_contract(p);
    default:
        return tir_reduce(&c->b, TIR_REDUCE_SUM, x, case_below(c, 1u << t.rank));
    }
}

/* The bodies are random too: c' = tanh(map(c, w)). */
static TirId random_loop(Pool *p) {
    Case *c = p->c;
    const TirId start = pick(p), w = pick_shape(p, case_typeof(c, start));
    if (!w)
        return 0;
    TirType t = *case_typeof(c, start);
    const TirType tw = *case_typeof(c, w);
    if (t.rank == 0 && tw.rank)
        return 0;
    tir_domain_join(t.domain, tw.domain, &t.domain);
    TirBlock *body = tir_block_create(c->p);
    Case inside = *c;
    inside.b = tir_builder_inner(&c->b, body);
    Pool in = {.c = &inside};
    in.pool[in.n++] = tir_arg(&inside.b, t);
    in.pool[in.n++] = tir_arg(&inside.b, tw);
    tir_arg(&inside.b, (TirType){.elem = TIR_INT});
    for (uint32_t k = 0; k < 4; k++) {
        const TirId x = case_below(&inside, 3) ? random_map(&in) : random_contract(&in);
        if (x && case_typeof(&inside, x)->rank <= 2)
            in.pool[in.n++] = tir_unary(&inside.b, TIR_TANH, x);
    }
    TirId next = in.pool[0];
    for (uint32_t k = 1; k < in.n; k++)
        if (tir_shape_equal(case_typeof(&inside, in.pool[k]), &t))
            next = in.pool[k];
    c->random = inside.random;
    vec_push(c->p->arena, &body->results, next);
    vec_push(c->p->arena, &body->results, in.pool[in.n - 1]);
    const TirId scan =
        tir_scan(&c->b, 1 + case_below(c, 3), case_below(c, 2), body, 1, &start, 1, &w, 0, NULL);
    const TirId y = tir_result(&c->b, scan, case_below(c, 2));
    return case_typeof(c, y)->rank <= 3 ? y : 0;
}

static void test_random_programs(void **state) {
    (void)state;
    const char *seed = getenv("HCC_TEST_SEED"), *programs = getenv("HCC_TEST_PROGRAMS");
    const uint32_t n = programs ? (uint32_t)atoi(programs) : PROGRAMS;
    Case c = {.random = seed ? (uint64_t)atoi(seed) : 20240917};
    for (uint32_t program = 0; program < n; program++) {
        case_begin(&c);
        Pool p = {.c = &c};
        static const uint32_t dims[2] = {2, 3};
        for (uint32_t d = 0; d < 4; d++)
            p.pool[p.n++] = case_real(&c, DOMAINS[d], case_below(&c, 3), dims);
        p.pool[p.n++] = case_real(&c, GLOBAL, 1, DIMS(3));
        for (uint32_t k = 0; k < STEPS; k++) {
            TirId x = 0;
            switch (case_below(&c, 6)) {
            case 0:
            case 1:
                x = random_map(&p);
                break;
            case 2:
                x = random_view(&p);
                break;
            case 3:
                x = random_sum(&p);
                break;
            case 4:
                x = random_contract(&p);
                break;
            default:
                x = case_below(&c, 3) ? random_map(&p) : random_loop(&p);
            }
            if (!x || case_typeof(&c, x)->rank > 3 || tir_element_count(case_typeof(&c, x)) > 60)
                continue;
            /* Half are bounded, so that numbers stay where differences mean something. */
            p.pool[p.n++] = case_below(&c, 2) ? tir_unary(&c.b, TIR_TANH, x) : x;
        }
        const TirId last = p.pool[p.n - 1], other = pick(&p);
        const TirId both =
            tir_binary(&c.b, TIR_ADD, case_weigh(&c, tir_unary(&c.b, TIR_TANH, last)),
                       case_weigh(&c, tir_unary(&c.b, TIR_SIN, other)));
        case_check(&c, both);
    }
    case_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
