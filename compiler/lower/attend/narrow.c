/* Attention whose products round their operands to bf16: a larger tile of queries, and the five
 * products by the kernels that all products have (product.h), inside this one. What softmax is made
 * of stays f32, with queries in lanes; weights are packed as they are made. */
#include "lower/attend/narrow.h"
#include "abi/layout.h"
#include "lower/attend/bias.h"
#include <math.h>

static MachineProduct of_depth(const MachineProduct *m, int64_t depth) {
    MachineProduct product = *m;
    const uint32_t group = m->left_group > m->right_group ? m->left_group : m->right_group;
    product.depth = (uint32_t)hc_round_up((uint64_t)depth, group);
    product.block = m->rows;
    return product;
}

AttendNarrow *attend_narrow_begin(Attend *a) {
    AttendNarrow *n = ARENA_NEW(a->b.kernel->arena, AttendNarrow);
    const MachineProduct *m = a->s->product;
    *n = (AttendNarrow){.a = a,
                        .tile = a->tile,
                        .by_e = of_depth(m, a->s->e),
                        .by_f = of_depth(m, a->s->f),
                        .by_keys = of_depth(m, ATTEND_KEYS),
                        .by_queries = of_depth(m, a->tile)};
    n->edge = product_edge(&a->b, m);
    return n;
}

NarrowMatrix narrow_matrix(const AttendMatrix *m, NestId head, int64_t width) {
    return (NarrowMatrix){
        .buffer = m->buffer, .step = m->step, .width = width, .head = head, .of_keys = m->of_keys};
}

uint32_t narrow_panels(AttendNarrow *n, const char *name, const MachineProduct *m, bool right,
                       int64_t count) {
    const uint64_t width = right ? m->columns : m->rows;
    return nest_add_buffer(
        n->a->b.kernel,
        (NestBuffer){.name = name,
                     .kind = NEST_SCRATCH,
                     .elem = product_packed(m),
                     .written = true,
                     .read = true,
                     .elements = hc_round_up((uint64_t)count, width) * m->depth * m->bytes / 4});
}

/* Counted in fours where all steps are, so that loads of neighbours share their work. */
static ProductPlace place(AttendNarrow *n, const NarrowMatrix *m, NestId row) {
    Attend *a = n->a;
    if (!m->head)
        return (ProductPlace){m->buffer, m->fours, 4};
    const int64_t unit = m->step % 4 == 0 && m->width % 4 == 0 ? 4 : 1;
    NestId first = attend_mul(a, a->sample, m->of_keys ? a->keys : a->positions);
    first = attend_add(a, first, row);
    NestId base = attend_mul(a, first, attend_number(a, m->step / unit));
    NestId head = attend_mul(a, m->head, attend_number(a, m->width / unit));
    return (ProductPlace){m->buffer, attend_add(a, base, head), unit};
}

void narrow_pack(AttendNarrow *n, const MachineProduct *m, bool right, bool across,
                 const NarrowMatrix *from, NestId row, NestId all, int64_t covers, NestId depth,
                 uint32_t to) {
    const bool narrow = n->a->b.kernel->buffers.at[from->buffer].elem == NEST_BF16;
    const ProductPack pack = {.product = m,
                              .right = right,
                              .from = narrow ? OPERAND_BF16 : OPERAND_F32,
                              .across = across,
                              .step = from->step};
    const ProductPlace at = place(n, from, row);
    product_emit_pack(&n->a->b, &pack, &at, all, attend_number(n->a, covers), depth, to);
}

void narrow_product(AttendNarrow *n, const NarrowSum *of, const NarrowMatrix *to, NestId row,
                    NestId rows, int64_t columns, bool adds) {
    Attend *a = n->a;
    const ProductSum sum = {.left = of->left,
                            .right = of->right,
                            .edge = n->edge,
                            .result = place(n, to, row),
                            .rows = rows,
                            .columns = attend_number(a, columns),
                            .depth = of->depth,
                            .step = attend_number(a, to->step),
                            .adds = attend_number(a, adds),
                            .skips = of->skips};
    product_emit(&a->b, of->product, &sum);
}

void narrow_panel_product(AttendNarrow *n, const NarrowSum *of, NestId panel,
                          const AttendMatrix *to, NestId column, int64_t rows, bool adds) {
    Attend *a = n->a;
    const ProductSum sum = {.left = of->left,
                            .right = of->right,
                            .result = {to->buffer, column, 1},
                            .rows = attend_number(a, attend_product_rows(a->s, rows)),
                            .depth = of->depth,
                            .step = attend_number(a, to->step),
                            .adds = attend_number(a, adds),
                            .skips = of->skips,
                            .panel = panel};
    product_emit(&a->b, of->product, &sum);
}

void narrow_clear(AttendNarrow *n, const AttendMatrix *m, int64_t rows) {
    Attend *a = n->a;
    NestLoop *all =
        attend_loop(a, NEST_SEQUENTIAL, attend_number(a, rows * n->tile), a->s->lanes, 0, NULL);
    nest_store(&a->b, m->buffer, nest_at_plus(nest_at(0), all->variable, 1),
               nest_const(&a->b, a->vector, 0), 0, false);
    nest_loop_end(&a->b, NULL);
}

NestId narrow_first_panel(AttendNarrow *n, NestId first_query, NestId first_key) {
    Attend *a = n->a;
    if (!a->s->causal)
        return a->zero;
    NestId behind = nest_binary(&a->b, NEST_MAX, attend_sub(a, first_key, first_query), a->zero);
    return nest_binary(&a->b, NEST_DIV, behind, attend_number(a, n->by_keys.columns));
}

NestLoop *narrow_panel_loop(AttendNarrow *n, NestId begin, NestId queries) {
    Attend *a = n->a;
    NestId end = attend_add(a, queries, attend_number(a, n->by_keys.columns - 1));
    end = nest_binary(&a->b, NEST_DIV, end, attend_number(a, n->by_keys.columns));
    return nest_loop_begin(&a->b, NEST_SEQUENTIAL, begin, end, 1, 0, NULL);
}

/* Which queries of vector v see the key `row` behind the one that is `offset` behind the panel's
 * first query. */
static NestId seen(AttendNarrow *n, NestId offset, NestId row, uint32_t v) {
    Attend *a = n->a;
    const uint16_t lanes = a->s->lanes;
    NestId least = attend_sub(a, attend_add(a, offset, row), attend_number(a, (int64_t)v * lanes));
    return nest_binary(&a->b, NEST_LE, nest_splat(&a->b, lanes, nest_cast(&a->b, NEST_I32, least)),
                       nest_lanes(&a->b, lanes));
}

/* The scale is left to the exponents' factor where it can be: a bias is not scaled, and -inf times
 * it is to stay what it is. */
static bool scales_scores(const Attend *a) {
    return a->s->distances || a->s->scale <= 0;
}

NestId narrow_factor(AttendNarrow *n) {
    Attend *a = n->a;
    return nest_const(&a->b, a->vector, (scales_scores(a) ? 1 : a->s->scale) * M_LOG2E);
}

static void scale_and_bias(AttendNarrow *n, const AttendMatrix *bias, const AttendMatrix *scores,
                           NestId column, const NarrowPairs *of) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestId scale = nest_const(b, a->vector, a->s->scale);
    NestLoop *rows = attend_loop(a, NEST_SEQUENTIAL, of->keys, 1, 0, NULL);
    NestId key = attend_add(a, of->first_key, rows->variable);
    for (uint32_t v = 0; v < narrow_vectors(n); v++) {
        NestAddress at = narrow_at(n, scores, rows->variable, column, v);
        NestId x = nest_load(b, scores->buffer, at, a->s->lanes, 1, 0);
        x = nest_binary(b, NEST_MUL, x, scale);
        if (a->s->distances) {
            NestAddress from = attend_bias_at(a, bias, of->first_query, key, v);
            NestId valid = attend_queries_in(a, of->queries, v);
            x = nest_binary(b, NEST_ADD, x,
                            nest_load(b, bias->buffer, from, a->s->lanes, 1, valid));
        }
        nest_store(b, scores->buffer, at, x, 0, false);
    }
    nest_loop_end(b, NULL);
}

/* Scores of keys that there are not, or that their query does not see, weigh nothing. */
static void hide(AttendNarrow *n, const AttendMatrix *scores, NestId column,
                 const NarrowPairs *of) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestId offset = attend_sub(a, of->first_key, of->first_query);
    NestId last = attend_add(a, offset, attend_number(a, ATTEND_KEYS - 1));
    NestId hides = nest_binary(b, NEST_LT, of->keys, attend_number(a, ATTEND_KEYS));
    if (a->s->causal)
        hides = nest_binary(b, NEST_OR, hides, nest_binary(b, NEST_LT, a->zero, last));
    nest_if_begin(b, hides);
    NestLoop *rows = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS), 1, 0, NULL);
    NestId is = nest_binary(b, NEST_LT, rows->variable, of->keys);
    NestId none = nest_const(b, a->vector, -__builtin_inf());
    for (uint32_t v = 0; v < narrow_vectors(n); v++) {
        NestAddress at = narrow_at(n, scores, rows->variable, column, v);
        NestId x = nest_load(b, scores->buffer, at, a->s->lanes, 1, 0);
        x = nest_select(b, is, x, none);
        if (a->s->causal)
            x = nest_select(b, seen(n, offset, rows->variable, v), x, none);
        nest_store(b, scores->buffer, at, x, 0, false);
    }
    nest_loop_end(b, NULL);
    nest_if_end(b);
}

void narrow_scores(AttendNarrow *n, const AttendMatrix *bias, const AttendMatrix *scores,
                   NestId column, const NarrowPairs *of) {
    if (scales_scores(n->a))
        scale_and_bias(n, bias, scores, column, of);
    hide(n, scores, column, of);
}
