/* Which values are taken apart, and where: lists (CONCAT) that all users can read piece by piece,
 * what follows from them, and values of which only slices are read. */
#include "pass/pieces_internal.h"

/* Pieces along these axes are worth having: large, and not cut through a row of features. */
static bool worth_cutting(const Cutter *c, const TirType *t, PieceAxes axes) {
    return t->elem != TIR_TUPLE && (t->domain.sample || t->domain.space) &&
           (uint32_t)axes.axis + axes.span < t->rank &&
           tir_element_count(t) / pieces_extent(t, axes) >= c->least;
}

bool pieces_are_product(const Cutter *c, TirId id, GemmPattern *pattern) {
    ContractRoles roles;
    *pattern = pieces_old(c, id)->op == TIR_CONTRACT ? gemm_pattern(c->from, id, &roles) : GEMM_NOT;
    return *pattern != GEMM_NOT;
}

bool pieces_sum_instances(const Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    return node->op == TIR_CONTRACT && tir_sums_places(c->from, node);
}

/* --- from lists down ---------------------------------------------------------------------------*/

/* Products are made of pieces where each would be a product, and their sums too. */
static bool good_for_product(GemmPattern pattern, PieceKind kind) {
    return kind == (pattern == GEMM_GRADIENT ? PIECES_SUM : PIECES_FREE);
}

static bool takes_apart(const Cutter *c, TirId id, uint32_t k, PieceAxes axes) {
    const TirNode *node = pieces_old(c, id);
    PieceAxes to;
    GemmPattern pattern;
    if (node->op == TIR_SLICE || (node->op == TIR_CONCAT && node->attr.axis == axes.axis))
        return true;
    const PieceKind kind = pieces_follow(c->from, node, k, axes, &to);
    return pieces_are_product(c, id, &pattern) ? good_for_product(pattern, kind)
                                               : kind != PIECES_NO;
}

static void find_lists(Cutter *c, const TirProgram *p) {
    for (TirId id = 1; id < c->from->nodes.count; id++) {
        const TirNode *node = pieces_old(c, id);
        c->apart[id] = node->op == TIR_CONCAT && node->n_operands <= PIECES_MOST &&
                       worth_cutting(c, &node->type, (PieceAxes){node->attr.axis, 1});
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const TirId x = node->operands[k];
            const PieceAxes axes = {pieces_old(c, x)->attr.axis, 1};
            if (c->apart[x] && !takes_apart(c, id, k, axes))
                c->apart[x] = false;
        }
    }
    for (uint32_t k = 0; k < p->outputs.count; k++)
        c->apart[p->outputs.at[k].value] = false;
}

/* Pieces of operands laid end to end. */
static Cut cut_of_list(Cutter *c, const TirNode *node) {
    Cut cut = {.axes = {node->attr.axis, 1}};
    VEC(uint32_t) starts = {0};
    uint32_t at = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        TirId x = node->operands[k];
        const Cut *inner = &c->cut[x];
        const uint32_t extent = pieces_old(c, x)->type.dims[node->attr.axis];
        const bool split = inner->n && inner->axes.axis == cut.axes.axis && inner->axes.span == 1;
        for (uint32_t m = 0; m < (split ? inner->n : 1); m++)
            vec_push(c->scratch, &starts, at + (split ? inner->starts[m] : 0));
        while (tir_op_class(pieces_old(c, x)->op) == TIR_CLASS_VIEW)
            x = pieces_old(c, x)->operands[0];
        cut.window |= pieces_old(c, x)->op == TIR_SHIFT || (split && inner->window);
        at += extent;
    }
    cut.n = starts.count;
    vec_push(c->scratch, &starts, at);
    cut.starts = starts.at;
    return cut;
}

static Cut cut_of_slice(Cutter *c, const TirNode *node) {
    const Cut *whole = &c->cut[node->operands[0]];
    const uint32_t begin = node->attr.start, end = begin + node->type.dims[node->attr.axis];
    Cut cut = {.axes = whole->axes, .window = whole->window};
    VEC(uint32_t) starts = {0};
    for (uint32_t k = 0; k < whole->n; k++)
        if (whole->starts[k + 1] > begin && whole->starts[k] < end)
            vec_push(c->scratch, &starts, whole->starts[k] > begin ? whole->starts[k] - begin : 0);
    cut.n = starts.count;
    vec_push(c->scratch, &starts, end - begin);
    cut.starts = starts.at;
    return cut;
}

static bool follows(const Cutter *c, TirId id, uint32_t k, Along *along) {
    const TirNode *node = pieces_old(c, id);
    const Cut *cut = &c->cut[node->operands[k]];
    GemmPattern pattern;
    PieceAxes to = {0, 0};
    if (!cut->n || node->op == TIR_POSITION_SUM)
        return false;
    const PieceKind kind = pieces_follow(c->from, node, k, cut->axes, &to);
    const bool one_by_one = cut->starts[cut->n] == cut->n;
    if (kind == PIECES_NO || (kind == PIECES_FREE && to.span > 1 && !one_by_one))
        return false;
    if (pieces_are_product(c, id, &pattern) && (cut->window || !good_for_product(pattern, kind)))
        return false;
    *along = (Along){kind, k, cut->axes, *cut};
    if (kind == PIECES_FREE)
        along->cut.axes = to;
    return true;
}

static void find_pieces(Cutter *c) {
    for (TirId id = 1; id < c->from->nodes.count; id++) {
        const TirNode *node = pieces_old(c, id);
        const Cut *first = node->n_operands ? &c->cut[node->operands[0]] : NULL;
        Along *along = &c->along[id];
        Cut cut = {0};
        if (c->apart[id])
            cut = cut_of_list(c, node);
        else if (node->op == TIR_SLICE && first->n && first->axes.span == 1 &&
                 first->axes.axis == node->attr.axis)
            cut = cut_of_slice(c, node);
        else
            for (uint32_t k = 0; k < node->n_operands && along->cut.n == 0; k++)
                if (follows(c, id, k, along) && along->kind == PIECES_FREE)
                    cut = along->cut;
        /* Small values are one again; so is what a sum over positions joins. */
        if (cut.n > 1 && worth_cutting(c, &node->type, cut.axes) && !pieces_sum_instances(c, id))
            c->cut[id] = cut;
    }
}

/* --- from readers up ---------------------------------------------------------------------------*/

static void read_whole(Cutter *c, TirId id) {
    c->reading[id].how = READ_WHOLE;
}

/* `id` is read from `begin` on; within, where `cuts` says. */
static void read_slices(Cutter *c, TirId id, uint8_t axis, const uint8_t *cuts, uint32_t begin,
                        uint32_t extent) {
    Reading *r = &c->reading[id];
    const TirType *t = &pieces_old(c, id)->type;
    if (r->how == READ_WHOLE || (r->how == READ_SLICES && r->axis != axis) ||
        !worth_cutting(c, t, (PieceAxes){axis, 1})) {
        read_whole(c, id);
        return;
    }
    if (r->how == READ_NOT) {
        r->how = READ_SLICES;
        r->axis = axis;
        r->cuts = ARENA_ARRAY(c->scratch, uint8_t, t->dims[axis] + 1);
    }
    r->cuts[begin] = r->cuts[begin + extent] = 1;
    for (uint32_t k = 0; cuts && k < extent; k++)
        r->cuts[begin + k] |= cuts[k];
}

/* Whether slices can be computed one by one at no loss. */
static bool cuts_well(const Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    GemmPattern pattern;
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_MAP:
        return node->op != TIR_RANDOM;
    case TIR_CLASS_VIEW:
        return true;
    case TIR_CLASS_REDUCE:
        return node->op != TIR_POSITION_SUM && node->op != TIR_ARGMAX;
    case TIR_CLASS_CONTRACT:
        return !pieces_are_product(c, id, &pattern) && !pieces_sum_instances(c, id);
    default:
        return node->op == TIR_SHIFT;
    }
}

/* `id` is read in slices: so are those of its operands that go along. */
static void pass_slices_on(Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    const Reading *r = &c->reading[id];
    const PieceAxes axes = {r->axis, 1};
    bool good = cuts_well(c, id);
    PieceAxes of;
    for (uint32_t k = 0; good && k < node->n_operands; k++)
        good = pieces_independent(c->from, node, k, axes) ||
               (pieces_source(c->from, node, k, axes, &of) && of.span == 1);
    if (!good)
        read_whole(c, id);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        if (good && pieces_source(c->from, node, k, axes, &of))
            read_slices(c, node->operands[k], of.axis, r->cuts, 0, node->type.dims[r->axis]);
        else
            read_whole(c, node->operands[k]);
    }
}

/* `id` is cut like one operand: the others are read in slices. */
static void pass_cut_on(Cutter *c, TirId id) {
    const TirNode *node = pieces_old(c, id);
    const Along *along = &c->along[id];
    const Cut *cut = &along->cut;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        PieceAxes of = along->of;
        bool goes = k == along->k;
        if (!goes)
            goes = along->kind == PIECES_SUM
                       ? pieces_partner(c->from, node, along->k, along->of, &of)
                       : pieces_source(c->from, node, k, cut->axes, &of);
        if (!goes || of.span != 1) {
            read_whole(c, node->operands[k]);
            continue;
        }
        for (uint32_t m = 0; m < cut->n; m++)
            read_slices(c, node->operands[k], of.axis, NULL, cut->starts[m],
                        cut->starts[m + 1] - cut->starts[m]);
    }
}

static void find_readers(Cutter *c, const TirProgram *p) {
    for (uint32_t k = 0; k < p->outputs.count; k++)
        read_whole(c, p->outputs.at[k].value);
    for (TirId id = c->from->nodes.count; id-- > 1;) {
        const TirNode *node = pieces_old(c, id);
        const Reading *r = &c->reading[id];
        if (node->op == TIR_SLICE)
            read_slices(c, node->operands[0], node->attr.axis,
                        r->how == READ_SLICES && r->axis == node->attr.axis ? r->cuts : NULL,
                        node->attr.start, node->type.dims[node->attr.axis]);
        else if (c->along[id].cut.n)
            pass_cut_on(c, id);
        else if (r->how == READ_SLICES)
            pass_slices_on(c, id);
        else
            for (uint32_t k = 0; k < node->n_operands; k++)
                read_whole(c, node->operands[k]);
    }
}

bool pieces_in_slices(Cutter *c, TirId id, Along *along) {
    const Reading *r = &c->reading[id];
    const TirNode *node = pieces_old(c, id);
    if (r->how != READ_SLICES || node->n_operands == 0 || !cuts_well(c, id) ||
        (node->op == TIR_SLICE && node->attr.axis == r->axis))
        return false;
    VEC(uint32_t) starts = {0};
    for (uint32_t k = 0; k < node->type.dims[r->axis]; k++)
        if (k == 0 || r->cuts[k])
            vec_push(c->scratch, &starts, k);
    const uint32_t n = starts.count;
    vec_push(c->scratch, &starts, node->type.dims[r->axis]);
    *along = (Along){.kind = PIECES_FREE,
                     .k = UINT32_MAX,
                     .cut = {.axes = {r->axis, 1}, .n = n, .starts = starts.at}};
    return n > 1 && n <= PIECES_MOST;
}

void pieces_find(Cutter *c, const TirProgram *p) {
    find_lists(c, p);
    find_pieces(c);
    find_readers(c, p);
}
