/* Pieces: values put together from pieces are taken apart where they are read.
 *
 * requires   canonical TIR
 * maintains  outputs and their values (up to the rounding of sums that are cut); n_forward follows
 * changes    what is made of a large CONCAT is made of its parts instead: a fold over the axis
 *            becomes a sum over parts, anything else parts of its own. What is only read in slices
 *            is made slice by slice. So a list of states that grows by one a site is never put
 *            together in memory, and the gradient of one of them is one sum over its readers. The
 *            whole is built only for an op that needs it (a matrix product over a window).
 *
 *     %3 = concat %1 %2 axis 0            %5 = contract %1 %4[0:1] "ab,a->b"
 *     %6 = contract %3 %4 "ab,a->b"   →   %7 = contract %2 %4[1:2] "ab,a->b"    %6 = add %5 %7 */
#include "pass/pieces_internal.h"
#include <string.h>

enum { CHAIN = 16 }; /* terms of a sum in a row; sums of these are summed again */

static const TirNode *new_node(const Cutter *c, TirId id) {
    return tir_node(c->b.block, id);
}

/* A slice, taken before repetition. */
static TirId slice_of(Cutter *c, TirId x, uint32_t axis, uint32_t start, uint32_t extent) {
    const TirNode node = *new_node(c, x);
    if (extent == node.type.dims[axis])
        return x;
    if (node.op != TIR_BROADCAST)
        return tir_slice(&c->b, x, axis, start, extent);
    TirId inner = node.operands[0];
    uint32_t dims[TIR_MAX_RANK];
    memcpy(dims, node.type.dims, sizeof dims);
    dims[axis] = extent;
    for (uint32_t k = 0, rank = new_node(c, inner)->type.rank; k < rank; k++)
        if (node.attr.axes[k] == axis)
            inner = tir_slice(&c->b, inner, k, start, extent);
    return tir_broadcast(&c->b, inner, node.type.rank, dims, node.attr.axes);
}

static TirId joined(Cutter *c, TirId id, const Cut *cut, const TirId *parts) {
    const TirType *t = &pieces_old(c, id)->type;
    const TirId all = tir_concat(&c->b, cut->axes.axis, cut->n, parts);
    return tir_reshape(&c->b, all, t->rank, t->dims);
}

static TirId whole_of(Cutter *c, TirId id) {
    if (!c->whole[id])
        c->whole[id] = joined(c, id, &c->cut[id], c->parts[id]);
    return c->whole[id];
}

/* Elements start .. start + extent of a value in pieces. */
static TirId part_across(Cutter *c, TirId id, uint32_t start, uint32_t extent) {
    const Cut *cut = &c->cut[id];
    TirIdVec parts = {0};
    for (uint32_t k = 0; k < cut->n; k++) {
        const uint32_t from = cut->starts[k] > start ? cut->starts[k] : start;
        const uint32_t after = start + extent;
        const uint32_t end = cut->starts[k + 1] < after ? cut->starts[k + 1] : after;
        if (from >= end)
            continue;
        TirId part = c->parts[id][k];
        if (cut->axes.span == 1)
            part = slice_of(c, part, cut->axes.axis, from - cut->starts[k], end - from);
        vec_push(c->scratch, &parts, part);
    }
    return tir_concat(&c->b, cut->axes.axis, parts.count, parts.at);
}

/* Elements start .. start + extent of old value `id` along `axes`. */
static TirId part_of(Cutter *c, TirId id, PieceAxes axes, uint32_t start, uint32_t extent) {
    const PieceAxes own = c->cut[id].axes;
    if (c->parts[id] && own.axis == axes.axis && own.span == axes.span)
        return part_across(c, id, start, extent);
    TirId x = whole_of(c, id);
    if (axes.span == 1)
        return slice_of(c, x, axes.axis, start, extent);
    for (uint32_t k = axes.span; k-- > 0;) { /* one element: its place on each axis */
        const uint32_t dim = new_node(c, x)->type.dims[axes.axis + k];
        x = slice_of(c, x, axes.axis + k, start % dim, 1);
        start /= dim;
    }
    return x;
}

/* Piece m of a value that is cut. */
static TirId rebuild_piece(Cutter *c, TirId id, const Along *along, TirDomain domain, uint32_t m) {
    const Cut *cut = &along->cut;
    const uint32_t start = cut->starts[m], extent = cut->starts[m + 1] - start;
    TirNode node = *pieces_old(c, id);
    TirId *operands = ARENA_ARRAY(c->scratch, TirId, node.n_operands);
    for (uint32_t o = 0; o < node.n_operands; o++) {
        PieceAxes of = along->of;
        bool goes = o == along->k;
        if (!goes)
            goes = along->kind == PIECES_SUM
                       ? pieces_partner(c->from, &node, along->k, along->of, &of)
                       : pieces_source(c->from, &node, o, cut->axes, &of);
        operands[o] =
            goes ? part_of(c, node.operands[o], of, start, extent) : whole_of(c, node.operands[o]);
    }
    for (uint32_t k = 0; along->kind == PIECES_FREE && k < cut->axes.span; k++)
        node.type.dims[cut->axes.axis + k] = cut->axes.span == 1 ? extent : 1;
    node.type.domain = domain;
    return tir_rebuild_moved(&c->b, c->from, &node, operands);
}

static TirId sum_terms(Cutter *c, TirOp op, uint32_t n, TirId *terms) {
    while (n > 1) {
        uint32_t sums = 0;
        for (uint32_t k = 0; k < n; k += CHAIN) {
            TirId sum = terms[k];
            for (uint32_t m = k + 1; m < n && m < k + CHAIN; m++)
                sum = tir_binary(&c->b, op, sum, terms[m]);
            terms[sums++] = sum;
        }
        n = sums;
    }
    return terms[0];
}

static TirOp fold_op(TirOp op) {
    return op == TIR_REDUCE_MAX    ? TIR_MAX
           : op == TIR_REDUCE_MIN  ? TIR_MIN
           : op == TIR_REDUCE_PROD ? TIR_MUL
                                   : TIR_ADD;
}

static void rebuild_along(Cutter *c, TirId id, const Along *along) {
    const TirNode *node = pieces_old(c, id);
    const TirDomain operands = tir_operand_domain(c->from, node->n_operands, node->operands);
    const Cut *cut = &along->cut;
    GemmPattern pattern;
    /* What also sums over positions does so after the pieces met, unless products accumulate. */
    const bool local = pieces_sum_instances(c, id) && !pieces_are_product(c, id, &pattern);
    TirId *parts = ARENA_ARRAY(c->scratch, TirId, cut->n);
    for (uint32_t m = 0; m < cut->n; m++)
        parts[m] = rebuild_piece(c, id, along, local ? operands : node->type.domain, m);
    if (c->cut[id].n) {
        c->parts[id] = parts;
        return;
    }
    const TirId all = along->kind == PIECES_SUM ? sum_terms(c, fold_op(node->op), cut->n, parts)
                                                : joined(c, id, cut, parts);
    c->whole[id] = local ? tir_domain_sum(&c->b, all, operands, node->type.domain) : all;
}

static void rebuild_list(Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    TirIdVec parts = {0};
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirId x = node->operands[k];
        const Cut *inner = &c->cut[x];
        const bool split = inner->n && inner->axes.axis == node->attr.axis && inner->axes.span == 1;
        for (uint32_t m = 0; m < (split ? inner->n : 1); m++)
            vec_push(c->scratch, &parts, split ? c->parts[x][m] : whole_of(c, x));
    }
    c->parts[id] = parts.at;
}

/* A slice across pieces: pieces, or one value. */
static void rebuild_slice(Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    const Cut *cut = &c->cut[id];
    if (cut->n == 0) {
        c->whole[id] =
            part_across(c, node->operands[0], node->attr.start, node->type.dims[node->attr.axis]);
        return;
    }
    TirId *parts = ARENA_ARRAY(c->scratch, TirId, cut->n);
    for (uint32_t k = 0; k < cut->n; k++)
        parts[k] = part_across(c, node->operands[0], node->attr.start + cut->starts[k],
                               cut->starts[k + 1] - cut->starts[k]);
    c->parts[id] = parts;
}

static bool slices_pieces(const Cutter *c, const TirNode *node) {
    if (node->op != TIR_SLICE || !c->parts[node->operands[0]])
        return false;
    const PieceAxes axes = c->cut[node->operands[0]].axes;
    return axes.span == 1 && axes.axis == node->attr.axis;
}

static void rebuild(Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    Along slices;
    c->b.span = node->span;
    c->b.name = node->name;
    if (c->apart[id]) {
        rebuild_list(c, id);
    } else if (slices_pieces(c, node)) {
        rebuild_slice(c, id);
    } else if (c->along[id].cut.n) {
        rebuild_along(c, id, &c->along[id]);
    } else if (pieces_in_slices(c, id, &slices)) {
        c->cut[id] = slices.cut;
        rebuild_along(c, id, &slices);
    } else {
        TirId *operands = ARENA_ARRAY(c->scratch, TirId, node->n_operands);
        for (uint32_t k = 0; k < node->n_operands; k++)
            operands[k] = whole_of(c, node->operands[k]);
        c->whole[id] = pass_rebuild_value(&c->b, c->from, id, operands);
    }
}

/* What the caller wants whole is put together in the pass that makes its pieces, whoever reads
 * them: the forward pass runs by itself. */
static void join_outputs(Cutter *c, const TirProgram *p, TirId last) {
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirId value = p->outputs.at[k].value;
        if (value > last)
            continue;
        c->b.span = pieces_old(c, value)->span;
        c->b.name = pieces_old(c, value)->name;
        whole_of(c, value);
    }
}

TirProgram *pass_pieces(TirProgram *p, uint32_t least) {
    TirProgram *to = tir_program_like(p);
    Arena *scratch = arena_create_child(p->arena);
    const uint32_t count = p->block->nodes.count;
    Cutter c = {.from = p->block, .scratch = scratch, .least = least};
    c.b = tir_builder(to, to->block);
    c.apart = ARENA_ARRAY(scratch, bool, count);
    c.along = ARENA_ARRAY(scratch, Along, count);
    c.cut = ARENA_ARRAY(scratch, Cut, count);
    c.reading = ARENA_ARRAY(scratch, Reading, count);
    c.whole = ARENA_ARRAY(scratch, TirId, count);
    c.parts = ARENA_ARRAY(scratch, const TirId *, count);
    pieces_find(&c, p);
    for (TirId id = 1; id < count; id++) {
        rebuild(&c, id);
        if (id == p->n_forward) {
            join_outputs(&c, p, id);
            to->n_forward = to->block->nodes.count - 1;
        }
    }
    join_outputs(&c, p, count - 1);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *o = &p->outputs.at[k];
        tir_add_output(to, o->role, o->name, o->index, c.whole[o->value]);
    }
    arena_destroy(scratch);
    return pass_dce(to);
}
