/* Random well-typed programs of all ops, over all domains, with extents on both sides of every
 * decision of planning and lowering: compiled code against the interpreter, loss and gradients.
 *
 * HCC_TEST_SEED: the first program's seed; HCC_TEST_PROGRAMS: how many. A failure names its seed.
 */
#define CASE_SAMPLES 3
#define CASE_POSITIONS 21
#define CASE_MOST_POSITIONS 28
#include "native_case.h"

enum { POOL = 96, STEPS = 16, PROGRAMS = 60, MOST_ELEMENTS = 700, MOST_RANK = 4, COLUMNS = 7 };

typedef struct {
    Case *c;
    TirBuilder *b;
    TirId real[POOL], whole[POOL]; /* values made so far */
    uint32_t n_real, n_whole;
    uint32_t extents[4]; /* what axes are as long as */
} Pool;

static const TirType *type_of(const Pool *p, TirId id) {
    return &tir_node(p->b->block, id)->type;
}

static TirId pick(Pool *p) { /* late values more often */
    const uint32_t x = case_below(p->c, p->n_real), y = case_below(p->c, p->n_real);
    return p->real[x > y ? x : y];
}

static TirId pick_like(Pool *p, const TirType *like) {
    for (uint32_t tries = 0; tries < 60; tries++) {
        const TirId x = pick(p);
        if (type_of(p, x)->rank == 0 || tir_shape_equal(type_of(p, x), like))
            return x;
    }
    return 0;
}

static TirId pick_whole(Pool *p) {
    return p->whole[case_below(p->c, p->n_whole)];
}

static uint32_t random_dims(Pool *p, uint32_t *dims) {
    const uint32_t rank = case_below(p->c, 4);
    for (uint32_t k = 0; k < rank; k++)
        dims[k] = p->extents[case_below(p->c, 4)];
    return rank;
}

static TirId sum_of_square(Pool *p, TirId x, double more) {
    return tir_binary(p->b, TIR_ADD, tir_binary(p->b, TIR_MUL, x, x), tir_real(p->b, more));
}

/* --- elementwise -------------------------------------------------------------------------------*/

static TirId random_unary(Pool *p) {
    static const TirOp plain[] = {TIR_NEG,     TIR_SIN, TIR_COS, TIR_TANH,
                                  TIR_SIGMOID, TIR_ABS, TIR_ERF};
    static const TirOp positive[] = {TIR_LOG, TIR_SQRT, TIR_RSQRT};
    TirBuilder *b = p->b;
    const TirId x = pick(p);
    switch (case_below(p->c, 8)) {
    case 0:
        return tir_unary(b, positive[case_below(p->c, 3)], sum_of_square(p, x, 0.3));
    case 1:
        return tir_unary(b, TIR_EXP, tir_unary(b, TIR_TANH, x));
    case 2: { /* away from the steps of what is often exact */
        const TirId scaled = tir_binary(b, TIR_MUL, x, tir_real(b, 3.7));
        return tir_unary(b, TIR_FLOOR, tir_binary(b, TIR_ADD, scaled, tir_real(b, 0.3)));
    }
    case 3:
        return tir_unary(b, TIR_STOP_GRADIENT, x);
    default:
        return tir_unary(b, plain[case_below(p->c, 7)], x);
    }
}

static TirId random_binary(Pool *p) {
    static const TirOp ops[] = {TIR_ADD, TIR_ADD, TIR_SUB, TIR_MUL, TIR_MUL, TIR_MIN, TIR_MAX};
    TirBuilder *b = p->b;
    const TirId x = pick(p), y = pick_like(p, type_of(p, x));
    if (!y)
        return 0;
    switch (case_below(p->c, 9)) {
    case 0:
        return tir_binary(b, TIR_DIV, x, sum_of_square(p, y, 0.7));
    case 1:
        return tir_binary(b, TIR_POW, sum_of_square(p, x, 0.4), tir_unary(b, TIR_TANH, y));
    default:
        return tir_binary(b, ops[case_below(p->c, 7)], x, y);
    }
}

static TirId random_select(Pool *p) {
    TirBuilder *b = p->b;
    const TirId x = pick(p), y = pick_like(p, type_of(p, x)), z = pick_like(p, type_of(p, x));
    if (!y || !z)
        return 0;
    TirId c = tir_binary(b, case_below(p->c, 2) ? TIR_LT : TIR_LE, y, tir_real(b, 0.37));
    if (case_below(p->c, 2))
        c = tir_binary(b, case_below(p->c, 2) ? TIR_AND : TIR_OR, c,
                       tir_binary(b, TIR_LT, tir_unary(b, TIR_SIN, z), tir_real(b, 0.41)));
    return tir_select(b, case_below(p->c, 3) ? c : tir_unary(b, TIR_NOT, c), x, z);
}

/* --- views -------------------------------------------------------------------------------------*/

static TirId random_broadcast(Pool *p) {
    const TirId x = pick(p);
    const TirType t = *type_of(p, x);
    uint32_t dims[TIR_MAX_RANK] = {0}, rank = 1 + case_below(p->c, MOST_RANK);
    uint8_t axes[TIR_MAX_RANK] = {0};
    for (uint32_t k = 0; k < t.rank; k++) {
        axes[k] = (uint8_t)case_below(p->c, rank);
        if (dims[axes[k]] && dims[axes[k]] != t.dims[k])
            return 0;
        dims[axes[k]] = t.dims[k];
    }
    for (uint32_t k = 0; k < rank; k++)
        dims[k] = dims[k] ? dims[k] : p->extents[case_below(p->c, 4)];
    return tir_broadcast(p->b, x, rank, dims, axes);
}

/* One axis cut in two, or all made one, or two made one. */
static TirId random_reshape(Pool *p, TirId x) {
    const TirType t = *type_of(p, x);
    uint32_t dims[TIR_MAX_RANK], n = 0;
    const uint32_t at = case_below(p->c, t.rank), how = case_below(p->c, 3);
    if (how == 0) {
        dims[n++] = (uint32_t)tir_element_count(&t);
        return tir_reshape(p->b, x, n, dims);
    }
    for (uint32_t k = 0; k < t.rank; k++) {
        if (how == 1 && k == at && t.dims[k] % 2 == 0 && t.rank < MOST_RANK) {
            dims[n++] = t.dims[k] / 2;
            dims[n++] = 2;
        } else if (how == 2 && k > 0 && k == at) {
            dims[n - 1] *= t.dims[k];
        } else {
            dims[n++] = t.dims[k];
        }
    }
    return tir_reshape(p->b, x, n, dims);
}

static TirId random_take(Pool *p, TirId x, uint32_t axis, uint32_t extent) {
    int32_t indices[7];
    const uint32_t n = 2 + case_below(p->c, 5);
    for (uint32_t k = 0; k < n; k++)
        indices[k] = (int32_t)case_below(p->c, extent + 1) - 1;
    return tir_take(p->b, x, axis, n, indices);
}

static TirId random_view(Pool *p) {
    const TirId x = pick(p);
    const TirType t = *type_of(p, x);
    if (t.rank == 0)
        return random_broadcast(p);
    const uint32_t axis = case_below(p->c, t.rank), extent = t.dims[axis];
    const uint32_t start = case_below(p->c, extent), before = case_below(p->c, 3);
    switch (case_below(p->c, 6)) {
    case 0:
        return tir_slice(p->b, x, axis, start, 1 + case_below(p->c, extent - start));
    case 1:
        return tir_pad(p->b, x, axis, before, extent + before + case_below(p->c, 3));
    case 2:
        return random_take(p, x, axis, extent);
    case 3:
        return random_reshape(p, x);
    default:
        return random_broadcast(p);
    }
}

/* Parts of one value, moved and mapped; few or many. */
static TirId random_concat(Pool *p) {
    const TirId x = pick(p);
    const TirType t = *type_of(p, x);
    if (t.rank == 0)
        return 0;
    TirId parts[24];
    const uint32_t axis = case_below(p->c, t.rank),
                   n = case_below(p->c, 3) ? 2 + case_below(p->c, 4) : 20;
    if (tir_element_count(&t) * n > MOST_ELEMENTS)
        return 0;
    for (uint32_t k = 0; k < n; k++) {
        const TirId y = pick_like(p, &t);
        parts[k] = y && type_of(p, y)->rank ? y : x;
        if (case_below(p->c, 2))
            parts[k] = tir_binary(p->b, TIR_MUL, parts[k], tir_real(p->b, 0.5 + k));
        else if (t.dims[axis] > 1 && case_below(p->c, 2))
            parts[k] = tir_slice(p->b, parts[k], axis, 1, t.dims[axis] - 1);
    }
    return tir_concat(p->b, axis, n, parts);
}

/* --- sums --------------------------------------------------------------------------------------*/

static TirId random_contract(Pool *p) {
    const TirId x = pick(p), y = pick(p);
    const TirType tx = *type_of(p, x), ty = *type_of(p, y);
    uint8_t lx[TIR_MAX_RANK], ly[TIR_MAX_RANK], out[TIR_MAX_RANK];
    uint32_t extents[6] = {0}, rank = 0;
    for (uint32_t o = 0; o < 2; o++)
        for (uint32_t k = 0; k < (o ? ty : tx).rank; k++) {
            const uint32_t extent = (o ? ty : tx).dims[k];
            uint32_t l = case_below(p->c, 6);
            for (uint32_t tries = 0; tries < 8 && extents[l] && extents[l] != extent; tries++)
                l = case_below(p->c, 6);
            if (extents[l] && extents[l] != extent)
                return 0;
            extents[l] = extent;
            (o ? ly : lx)[k] = (uint8_t)l;
        }
    for (uint32_t l = 0; l < 6; l++)
        if (extents[l] && case_below(p->c, 2) && rank < MOST_RANK)
            out[rank++] = (uint8_t)l;
    for (uint32_t k = rank; k > 1; k--) { /* in any order */
        const uint32_t at = case_below(p->c, k);
        const uint8_t l = out[at];
        out[at] = out[k - 1];
        out[k - 1] = l;
    }
    TirDomain joined;
    tir_domain_join(tx.domain, ty.domain, &joined);
    TirDomain to =
        case_below(p->c, 3) ? joined : tir_domain_meet(joined, DOMAINS[case_below(p->c, 4)]);
    return tir_contract(p->b, x, y, lx, ly, rank, out, to);
}

static TirId random_fold(Pool *p) {
    static const TirOp ops[] = {TIR_REDUCE_SUM, TIR_REDUCE_SUM, TIR_REDUCE_MAX, TIR_REDUCE_MIN,
                                TIR_REDUCE_PROD};
    const TirId x = pick(p);
    const TirType t = *type_of(p, x);
    const TirOp op = ops[case_below(p->c, 5)];
    const uint32_t mask = case_below(p->c, 1u << t.rank);
    uint64_t folded = 1;
    for (uint32_t k = 0; k < t.rank; k++)
        folded *= mask >> k & 1 ? t.dims[k] : 1;
    return op == TIR_REDUCE_PROD && folded > 12 ? 0 : tir_reduce(p->b, op, x, mask);
}

/* --- across positions --------------------------------------------------------------------------*/

static TirId random_cross(Pool *p) {
    static const int32_t by[][2] = {{1, 0}, {-1, 0}, {3, 0}, {1, -1}, {0, 2}, {-1, 1}};
    const TirId x = pick(p);
    const TirType t = *type_of(p, x);
    const bool grid = p->c->p->spaces.at[0].rank == 2;
    if (!t.domain.space || case_below(p->c, 3) == 0)
        return tir_position_sum(p->b, x, tir_domain_meet(t.domain, DOMAINS[case_below(p->c, 4)]));
    return tir_shift_by(p->b, x, by[case_below(p->c, grid ? 6 : 3)]);
}

/* A state that is kept in part: by another value of its shape, by one number, or in half. */
static TirId random_recurrence(Pool *p) {
    const TirId u = pick(p);
    const TirType t = *type_of(p, u);
    if (!t.domain.space || p->c->p->spaces.at[0].rank == 2)
        return 0;
    for (uint32_t tries = 0; tries < 20; tries++) {
        const TirId f = pick(p);
        if (type_of(p, f)->rank == 0 || tir_shape_equal(type_of(p, f), &t))
            return tir_recur(p->b, tir_unary(p->b, TIR_SIGMOID, f), u, case_below(p->c, 2));
    }
    return tir_recur(p->b, tir_real(p->b, 0.5), u, case_below(p->c, 2));
}

static TirId random_attend(Pool *p) {
    for (uint32_t tries = 0; tries < 40; tries++) {
        const TirId x = pick(p), k = pick(p), v = pick(p);
        const TirType tx = *type_of(p, x), tk = *type_of(p, k), tv = *type_of(p, v);
        if (tx.rank != 2 || tk.rank != 2 || tv.rank != 2 || tx.dims[1] != tk.dims[1] ||
            tk.dims[0] != tv.dims[0] || tx.dims[0] % tk.dims[0] ||
            !(tx.domain.space || tk.domain.space || tv.domain.space))
            continue;
        return tir_result(p->b, tir_attend(p->b, x, k, v, case_below(p->c, 2), 0.3), 0);
    }
    return 0;
}

/* --- indices of the run ------------------------------------------------------------------------*/

static void random_whole(Pool *p) {
    TirId x = 0;
    const TirId y = pick(p), old = pick_whole(p);
    const TirType t = *type_of(p, y);
    if (case_below(p->c, 2) && t.rank)
        x = tir_reduce(p->b, TIR_ARGMAX, y, 1u << case_below(p->c, t.rank));
    else
        x = tir_binary(p->b, case_below(p->c, 2) ? TIR_ADD : TIR_SUB, old, tir_int(p->b, 1));
    if (type_of(p, x)->rank <= 2 && tir_element_count(type_of(p, x)) <= 50 && p->n_whole < POOL)
        p->whole[p->n_whole++] = x;
}

static TirId random_rows(Pool *p) {
    const TirId index = pick_whole(p);
    const TirType ti = *type_of(p, index);
    if (case_below(p->c, 3) == 0) {
        for (uint32_t tries = 0; tries < 30; tries++) {
            const TirId g = pick(p);
            const TirType tg = *type_of(p, g);
            bool fits = tg.rank >= ti.rank;
            for (uint32_t k = 0; fits && k < ti.rank; k++)
                fits = tg.dims[k] == ti.dims[k];
            if (!fits)
                continue;
            TirDomain joined;
            tir_domain_join(ti.domain, tg.domain, &joined);
            const TirDomain to = tir_domain_meet(joined, DOMAINS[case_below(p->c, 4)]);
            return tir_scatter_add(p->b, index, g, 1 + case_below(p->c, 9), to);
        }
        return 0;
    }
    if (case_below(p->c, 4) == 0)
        return tir_onehot(p->b, index, 1 + case_below(p->c, 2) * 35 + case_below(p->c, 6));
    const TirId x = pick(p);
    return type_of(p, x)->rank ? tir_gather(p->b, x, index) : 0;
}

/* --- loops -------------------------------------------------------------------------------------*/

static TirId random_step(Pool *p, bool loops);

/* The bodies are random too; sometimes with a stack read slice by slice. */
static TirId random_loop(Pool *p) {
    Case *c = p->c;
    const TirId start = pick(p), w = pick(p), scanned = pick(p);
    const TirType t0 = *type_of(p, start), tw = *type_of(p, w), ts = *type_of(p, scanned);
    const bool slices = ts.rank > 0 && ts.dims[0] <= 4 && case_below(c, 2);
    TirType t = t0, slice = ts;
    tir_domain_join(t.domain, tw.domain, &t.domain);
    if (slices) {
        tir_domain_join(t.domain, ts.domain, &t.domain);
        slice.rank--;
        for (uint32_t k = 0; k < slice.rank; k++)
            slice.dims[k] = ts.dims[k + 1];
    }
    TirBlock *body = tir_block_create(c->p);
    TirBuilder inner = tir_builder_inner(p->b, body);
    Pool in = {.c = c, .b = &inner};
    memcpy(in.extents, p->extents, sizeof in.extents);
    in.real[in.n_real++] = tir_arg(&inner, t);
    in.real[in.n_real++] = tir_arg(&inner, tw);
    if (slices)
        in.real[in.n_real++] = tir_arg(&inner, slice);
    in.whole[in.n_whole++] = tir_arg(&inner, (TirType){.elem = TIR_INT});
    for (uint32_t k = 0; k < 5; k++) {
        const TirId x = random_step(&in, false);
        if (x && type_of(&in, x)->rank <= 3 && tir_element_count(type_of(&in, x)) <= 200)
            in.real[in.n_real++] = tir_unary(&inner, TIR_TANH, x);
    }
    TirId next = in.real[0];
    for (uint32_t k = 1; k < in.n_real; k++)
        if (tir_shape_equal(type_of(&in, in.real[k]), &t))
            next = in.real[k];
    vec_push(c->p->arena, &body->results, next);
    vec_push(c->p->arena, &body->results, in.real[in.n_real - 1]);
    const uint32_t trips = slices ? ts.dims[0] : 1 + case_below(c, 3);
    const TirId scan =
        tir_scan(p->b, trips, case_below(c, 2), body, 1, &start, 1, &w, slices ? 1 : 0, &scanned);
    return tir_result(p->b, scan, case_below(c, 2));
}

static TirId random_step(Pool *p, bool loops) {
    if (loops && case_below(p->c, 4) == 0)
        random_whole(p);
    switch (case_below(p->c, loops ? 16 : 13)) {
    case 0:
    case 1:
        return random_unary(p);
    case 2:
    case 3:
        return random_binary(p);
    case 4:
        return random_select(p);
    case 5:
    case 6:
        return random_view(p);
    case 7:
        return random_concat(p);
    case 8:
    case 9:
        return random_contract(p);
    case 10:
        return random_fold(p);
    case 11:
        return random_rows(p);
    case 12:
        return case_below(p->c, 3) ? random_cross(p) : random_recurrence(p);
    case 13:
        return random_attend(p);
    case 14:
        return random_loop(p);
    default:
        return random_broadcast(p);
    }
}

/* --- programs ----------------------------------------------------------------------------------*/

static void choose_extents(Pool *p) {
    static const uint32_t narrow[] = {1, 2, 3, 4, 5}, middle[] = {4, 6, 9, 17, 20},
                          wide[] = {32, 33, 36, 40, 64, 70};
    p->extents[0] = narrow[case_below(p->c, 5)];
    p->extents[1] = middle[case_below(p->c, 5)];
    p->extents[2] = wide[case_below(p->c, 6)];
    p->extents[3] = narrow[case_below(p->c, 5)] + case_below(p->c, 3) * 8;
}

static TirId random_program(Case *c) {
    Pool p = {.c = c, .b = &c->b};
    uint32_t dims[TIR_MAX_RANK];
    if (case_below(c, 3) == 0)
        case_grid(c, COLUMNS);
    choose_extents(&p);
    for (uint32_t k = 0; k < 6; k++) {
        const TirDomain d = DOMAINS[k < 4 ? k : 2];
        const uint32_t rank = random_dims(&p, dims);
        p.real[p.n_real++] = case_real(c, d, rank <= 2 ? rank : 2, dims);
        p.real[p.n_real++] = case_real(c, GLOBAL, rank <= 2 ? rank : 2, dims);
    }
    for (uint32_t k = 0; k < 3; k++)
        p.whole[p.n_whole++] = case_int(c, DOMAINS[case_below(c, 4)], case_below(c, 2),
                                        &p.extents[case_below(c, 4)], 6);
    p.whole[p.n_whole++] = tir_position(&c->b, 1);
    for (uint32_t k = 0; k < STEPS; k++) {
        const TirId x = random_step(&p, true);
        if (!x || type_of(&p, x)->elem != TIR_REAL || type_of(&p, x)->rank > MOST_RANK ||
            tir_element_count(type_of(&p, x)) > MOST_ELEMENTS)
            continue;
        p.real[p.n_real++] = case_below(c, 2) ? tir_unary(&c->b, TIR_TANH, x) : x;
    }
    const TirId last = p.real[p.n_real - 1], other = pick(&p);
    return tir_binary(&c->b, TIR_ADD, case_weigh(c, tir_unary(&c->b, TIR_TANH, last)),
                      case_weigh(c, tir_unary(&c->b, TIR_SIN, other)));
}

static void test_random_programs(void **state) {
    static const Form fast = {true, true, true, 1, NULL, false},
                      plain = {true, false, false, 0, NULL, false};
    Case *c = *state;
    const char *seed = getenv("HCC_TEST_SEED"), *programs = getenv("HCC_TEST_PROGRAMS");
    const uint32_t first = seed ? (uint32_t)atoi(seed) : 1;
    const uint32_t n = programs ? (uint32_t)atoi(programs) : PROGRAMS;
    for (uint32_t k = first; k < first + n; k++) {
        c->random = (k + 1) * 0x9e3779b97f4a7c15u;
        case_begin(c);
        TirProgram *p = native_program(c, random_program(c));
        if (n > 200 || getenv("HCC_TEST_VERBOSE"))
            fprintf(stderr, "program %u: %u values\n", k, p->block->nodes.count);
        c->seed = k;
        run_form(c, p, &fast);
        if (k % 4 == 0)
            run_form(c, p, &plain);
    }
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {NATIVE_TEST(test_random_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
