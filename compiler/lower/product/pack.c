/* Packing an operand of a matrix product; see product.h. */
#include "lower/product/blocks.h"
#include <string.h>

enum { MOST_PAIRS = 16 }; /* of a group of terms */

typedef struct {
    NestBuilder *b;
    const ProductPack *of;
    const ProductPlace *from;
    uint32_t to;
    int64_t width, group, words; /* of a panel; of terms; that a panel takes */
    int64_t padded;              /* terms are a multiple of it: those of both operands' groups */
    uint16_t lanes;
    bool by_pairs;              /* what is read are pairs of terms that lie there so */
    NestId panel, count, depth; /* rows or columns left from the panel's first on */
} Pack;

static NestId number(Pack *p, int64_t x) {
    return nest_i64(p->b, x);
}

/* Of elements, which all that is counted has an even number of. */
static NestAddress by_pairs(NestAddress at) {
    at.offset /= 2;
    for (uint32_t k = 0; k < at.n_terms; k++)
        at.coefficient[k] /= 2;
    return at;
}

/* Row (or column), or term, number `at` * scale + more of a panel. */
typedef struct {
    NestId at;
    int64_t scale, more;
} Part;

static NestAddress from_at(const Pack *p, Part row, Part term) {
    const int64_t by_row = p->of->across ? 1 : p->of->step,
                  by_term = p->of->across ? p->of->step : 1;
    NestAddress at = nest_at(row.more * by_row + term.more * by_term);
    at = nest_at_plus(at, p->from->base, p->from->scale);
    at = nest_at_plus(at, p->panel, p->width * by_row);
    at = nest_at_plus(at, row.at, row.scale * by_row);
    at = nest_at_plus(at, term.at, term.scale * by_term);
    return p->by_pairs ? by_pairs(at) : at;
}

static NestAddress to_at(const Pack *p, NestId term, int64_t scale, int64_t word) {
    return nest_at_plus(nest_at_plus(nest_at(word), p->panel, p->words), term, scale);
}

/* The count less `before`, where there is one. */
static NestId less(Pack *p, NestId count, int64_t before) {
    return count ? nest_binary(p->b, NEST_SUB, count, number(p, before)) : 0;
}

static void store(Pack *p, NestAddress to, NestId x) {
    nest_store(p->b, p->to, to, x, 0, false);
}

/* --- groups of one or two terms: rows in lanes -------------------------------------------------*/

/* A term of lanes rows from r on, or the pair that it begins. */
static NestId rows_of_term(Pack *p, int64_t r, Part term, NestId valid) {
    const int64_t stride = p->of->across ? 1 : p->by_pairs ? p->of->step / 2 : p->of->step;
    return nest_load(p->b, p->from->buffer, from_at(p, (Part){.more = r}, term), p->lanes, stride,
                     less(p, valid, r));
}

/* `n` groups from term `term` * n * group on; rows beyond `valid` are zero, and so are those of a
 * pair's second term beyond `second`. */
static void pack_groups(Pack *p, NestId term, int64_t n, NestId valid, NestId second) {
    const int64_t scale = n * p->group;
    for (int64_t r = 0; r < p->width; r += p->lanes)
        for (int64_t g = 0; g < n; g++) {
            NestId x = rows_of_term(p, r, (Part){term, scale, g * p->group}, valid);
            if (p->group == 2 && !p->by_pairs)
                x = nest_pair(p->b, x, rows_of_term(p, r, (Part){term, scale, 2 * g + 1}, second));
            store(p, to_at(p, term, n * p->width, g * p->width + r), x);
        }
}

/* Whether so many terms at a time may be there. */
static bool may_have(const Pack *p, int64_t terms) {
    double depth;
    return !nest_const_of(p->b, p->depth, &depth) || depth >= (double)terms;
}

/* Four terms at a time while all of the panel is there; the rest, term by term. */
static void pack_rows(Pack *p) {
    NestBuilder *b = p->b;
    enum { AT_ONCE = 4 };
    NestId full = nest_binary(b, NEST_LE, number(p, p->width), p->count);
    NestId turns = nest_binary(b, NEST_DIV, p->depth, number(p, AT_ONCE));
    turns = nest_select(b, full, turns, number(p, 0));
    NestLoop *loop;
    if (may_have(p, AT_ONCE)) {
        loop = nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), turns, 1, 0, NULL);
        pack_groups(p, loop->variable, AT_ONCE / p->group, 0, 0);
        nest_loop_end(b, NULL);
    }
    NestId begin = nest_binary(b, NEST_MUL, turns, number(p, AT_ONCE / p->group));
    NestId end = nest_binary(b, NEST_ADD, p->depth, number(p, p->padded - 1));
    end = nest_binary(b, NEST_DIV, end, number(p, p->padded));
    end = nest_binary(b, NEST_MUL, end, number(p, p->padded / p->group));
    loop = nest_loop_begin(b, NEST_SEQUENTIAL, begin, end, 1, 0, NULL);
    NestId term = nest_binary(b, NEST_MUL, loop->variable, number(p, p->group));
    NestId next = nest_binary(b, NEST_ADD, term, number(p, 1)), none = number(p, 0);
    pack_groups(p, loop->variable, 1,
                nest_select(b, nest_binary(b, NEST_LT, term, p->depth), p->count, none),
                nest_select(b, nest_binary(b, NEST_LT, next, p->depth), p->count, none));
    nest_loop_end(b, NULL);
}

/* --- groups of many terms: pairs of terms in lanes ---------------------------------------------*/

/* Every other term of a row, or its pairs, from group `turn`'s term k on. */
static NestId terms_of_row(Pack *p, Part row, NestId turn, int64_t k, NestId valid) {
    const int64_t stride = p->by_pairs ? 1 : 2 * (p->of->across ? p->of->step : 1);
    return nest_load(p->b, p->from->buffer, from_at(p, row, (Part){turn, p->group, k}), p->lanes,
                     stride, valid);
}

/* A whole group of a row whose terms lie side by side. */
static NestId neighbours(Pack *p, Part row, NestId turn) {
    NestId x[2];
    for (uint32_t k = 0; k < 2; k++)
        x[k] = nest_load(p->b, p->from->buffer,
                         from_at(p, row, (Part){turn, p->group, (int64_t)k * p->lanes}), p->lanes,
                         1, 0);
    return nest_narrow(p->b, x[0], x[1]);
}

/* So many firsts and seconds of pairs are valid; 0: all. */
static void pack_group(Pack *p, Part row, NestId turn, NestId firsts, NestId seconds) {
    NestId pairs;
    if (!firsts && !p->by_pairs) {
        pairs = neighbours(p, row, turn);
    } else {
        pairs = terms_of_row(p, row, turn, 0, firsts);
        if (!p->by_pairs)
            pairs = nest_pair(p->b, pairs, terms_of_row(p, row, turn, 1, seconds));
    }
    NestAddress to = to_at(p, turn, p->width * p->lanes, row.more * p->lanes);
    store(p, nest_at_plus(to, row.at, row.scale * p->lanes), pairs);
}

/* So many vectors of as many lanes, element (r, c) of which becomes (c, r): weaving the first half
 * of them with the second one moves the highest bit of r to the end of what r and c are. */
static void transpose(NestBuilder *b, NestId *x, uint32_t count) {
    NestId woven[MOST_PAIRS];
    for (uint32_t turns = 1; turns < count; turns *= 2) {
        for (uint32_t k = 0; k < count / 2; k++) {
            woven[2 * k] = nest_lanes_of(b, NEST_WEAVE_LOW, x[k], x[k + count / 2]);
            woven[2 * k + 1] = nest_lanes_of(b, NEST_WEAVE_HIGH, x[k], x[k + count / 2]);
        }
        memcpy(x, woven, count * sizeof *x);
    }
}

/* A group of all rows, where rows lie side by side: pairs of as many rows as a group has. */
static void pack_across(Pack *p, NestId turn) {
    NestBuilder *b = p->b;
    const uint32_t pairs = p->lanes;
    NestLoop *rows =
        nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), number(p, p->width), pairs, 0, NULL);
    const Part row = {rows->variable, 1, 0};
    NestId x[MOST_PAIRS];
    for (uint32_t k = 0; k < pairs; k++) {
        NestId of[2];
        for (uint32_t t = 0; t < 2; t++)
            of[t] = nest_load(b, p->from->buffer,
                              from_at(p, row, (Part){turn, p->group, 2 * k + t}), p->lanes, 1, 0);
        x[k] = nest_pair(b, of[0], of[1]);
    }
    transpose(b, x, pairs);
    for (uint32_t r = 0; r < pairs; r++) {
        NestAddress to = to_at(p, turn, p->width * p->lanes, (int64_t)r * p->lanes);
        store(p, nest_at_plus(to, rows->variable, p->lanes), x[r]);
    }
    nest_loop_end(b, NULL);
}

/* A group of all rows, each by itself. */
static void pack_whole_group(Pack *p, NestId turn) {
    NestBuilder *b = p->b;
    if (p->of->across) {
        pack_across(p, turn);
        return;
    }
    NestLoop *rows =
        nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), number(p, p->width), 1, 0, NULL);
    pack_group(p, (Part){rows->variable, 1, 0}, turn, 0, 0);
    nest_loop_end(b, NULL);
}

/* A group that ends early, or rows that do: seldom, so each by itself, which is little code. */
static void pack_part_of_group(Pack *p, NestId turn) {
    NestBuilder *b = p->b;
    NestId left = nest_binary(b, NEST_MUL, turn, number(p, p->group));
    left = nest_binary(b, NEST_SUB, p->depth, left);
    NestId seconds = nest_binary(b, NEST_MIN, left, number(p, p->group));
    NestId firsts = nest_binary(b, NEST_ADD, seconds, number(p, 1));
    firsts = nest_binary(b, NEST_DIV, firsts, number(p, 2));
    seconds = nest_binary(b, NEST_DIV, seconds, number(p, 2));
    NestLoop *rows =
        nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), number(p, p->width), 1, 0, NULL);
    NestId is = nest_binary(b, NEST_LT, rows->variable, p->count), none = number(p, 0);
    pack_group(p, (Part){rows->variable, 1, 0}, turn, nest_select(b, is, firsts, none),
               nest_select(b, is, seconds, none));
    nest_loop_end(b, NULL);
}

static void pack_terms(Pack *p) {
    NestBuilder *b = p->b;
    NestId full = nest_binary(b, NEST_LE, number(p, p->width), p->count);
    NestId turns = nest_binary(b, NEST_DIV, p->depth, number(p, p->group));
    turns = nest_select(b, full, turns, number(p, 0));
    NestLoop *loop;
    if (may_have(p, p->group)) {
        loop = nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), turns, 1, 0, NULL);
        pack_whole_group(p, loop->variable);
        nest_loop_end(b, NULL);
    }
    NestId end = nest_binary(b, NEST_ADD, p->depth, number(p, p->group - 1));
    end = nest_binary(b, NEST_DIV, end, number(p, p->group));
    loop = nest_loop_begin(b, NEST_SEQUENTIAL, turns, end, 1, 0, NULL);
    pack_part_of_group(p, loop->variable);
    nest_loop_end(b, NULL);
}

/* The panel `p->panel` of so many rows or columns. */
static void pack_panel(Pack *p, NestId all) {
    NestBuilder *b = p->b;
    p->count =
        nest_binary(b, NEST_SUB, all, nest_binary(b, NEST_MUL, p->panel, number(p, p->width)));
    if (p->group <= 2)
        pack_rows(p);
    else
        pack_terms(p);
}

static NestElem elem_of(const ProductPack *pack) {
    static const NestElem elems[] = {
        [OPERAND_F32] = NEST_F32, [OPERAND_BF16] = NEST_BF16, [OPERAND_PAIRS] = NEST_I32};
    return elems[pack->from];
}

static Pack pack_begin(NestBuilder *b, const ProductPack *pack, const ProductPlace *from,
                       uint32_t to, NestId depth) {
    const MachineProduct *m = pack->product;
    Pack p = {.b = b,
              .of = pack,
              .from = from,
              .to = to,
              .width = pack->right ? m->columns : m->rows,
              .group = pack->right ? m->right_group : m->left_group,
              .lanes = m->lanes,
              .by_pairs = pack->from == OPERAND_PAIRS,
              .depth = depth};
    p.padded = m->left_group > m->right_group ? m->left_group : m->right_group;
    p.words = p.width * m->depth * m->bytes / 4;
    if (p.group > 2)
        p.lanes = (uint16_t)(p.group / 2);
    while (p.group <= 2 && p.width % p.lanes != 0)
        p.lanes /= 2;
    return p;
}

void product_emit_pack(NestBuilder *b, const ProductPack *pack, const ProductPlace *from,
                       NestId all, NestId covers, NestId depth, uint32_t to) {
    Pack p = pack_begin(b, pack, from, to, depth);
    NestId end = nest_binary(b, NEST_ADD, covers, number(&p, p.width - 1));
    end = nest_binary(b, NEST_DIV, end, number(&p, p.width));
    NestLoop *panels = nest_loop_begin(b, NEST_SEQUENTIAL, number(&p, 0), end, 1, 0, NULL);
    p.panel = panels->variable;
    pack_panel(&p, all);
    nest_loop_end(b, NULL);
}

NestElem product_packed(const MachineProduct *m) {
    return m->way == PRODUCT_FMA ? NEST_F32 : NEST_I32;
}

NestKernel *product_pack(Arena *arena, const char *name, const ProductPack *pack) {
    NestBuilder b = nest_builder(nest_kernel_create(arena, name));
    const ProductPlace from = {
        .buffer = nest_add_buffer(
            b.kernel, (NestBuffer){.name = "from", .elem = elem_of(pack), .read = true})};
    const uint32_t to = nest_add_buffer(
        b.kernel,
        (NestBuffer){.name = "panels", .elem = product_packed(pack->product), .written = true});
    NestId task = nest_task(&b);
    Pack p = pack_begin(&b, pack, &from, to, nest_extent(&b, NEST_DEPTH));
    p.panel = task;
    pack_panel(&p, nest_extent(&b, NEST_COLUMNS));
    return b.kernel;
}
