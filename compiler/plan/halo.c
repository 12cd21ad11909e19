/* Halo: what a kernel makes and reads at other positions is made there again.
 *
 * Requires: a legalised program. A new one: a shift whose operand the same kernel could make
 * becomes the operand's own computation, of shifts of what lies in memory before that kernel
 * begins. Nothing then has to be complete first, so the kernel goes on. Rows of memory that are
 * read twice, a few positions apart, come out of the cache the second time.
 *
 *     %4 = mul %3 %2             %3 in memory       %6 = shift %3 offset 1
 *     %5 = shift %4 offset 1                        %5 = mul %6 %2
 *
 * Outside of the positions a shift is 0, and so is what is made of zeros alone by sums and
 * products; anything else is set to 0 there. A shift stays as it is where its operand takes too
 * much, where it is no function of its own position, and where nobody could read the shift any
 * earlier.
 */
#include "pass/pass.h"
#include "pass/rebuild.h"
#include "plan/cost.h"
#include "plan/plan_internal.h"
#include <stdlib.h>
#include <string.h>

/* A value at another position than that of the shift, or at its own (offset 0). */
typedef struct {
    TirId id;
    int32_t offset[2];
    bool stored; /* it lies in memory: a shift of it; else it is made of its operands */
    bool zero;   /* 0 where the shift is outside */
    bool wild;   /* anything there: what a division by 0 gives, too */
    TirId made;
} HaloItem;

typedef VEC(HaloItem) HaloItemVec;

typedef struct {
    Plan *plan; /* kinds of work and levels alone */
    const TirBlock *block;
    Arena *scratch;
    uint32_t *wanted; /* by value: the level at which it is read, with shifts that end no kernel */
    uint32_t *early;  /* by value: when it is computed then */
    uint32_t *asked; /* by forward value: when the backward pass reads it, or what it makes of it */
    uint32_t *first; /* by value: where its readers begin; one more than values */
    TirId *readers;  /* of all values; views are read through */
    bool *kept;      /* by forward value: in memory for the backward pass; NULL: not known yet */
    HaloItemVec **items; /* by shift: what it becomes, or NULL */
    TirBuilder b;
    TirId *map;    /* by value */
    TirId *back;   /* by forward value: as the backward pass makes it again; 0: as it is */
    bool backward; /* what is made is of the backward pass */
} Halo;

/* --- which shifts ------------------------------------------------------------------------------*/

static bool is_forward(const Halo *h, TirId id) {
    return id <= h->plan->program->n_forward || h->plan->program->n_forward == 0;
}

static bool never_across(void *context, TirId shift) {
    (void)context, (void)shift;
    return false;
}

/* When each value is read first, if those that only pass it on wait until they are read. */
static void find_wanted(Halo *h) {
    Plan *plan = h->plan;
    const uint32_t count = h->block->nodes.count;
    plan_assign_levels(plan, never_across, NULL);
    h->wanted = ARENA_ARRAY(h->scratch, uint32_t, count);
    memset(h->wanted, 0xff, count * sizeof *h->wanted);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        h->wanted[plan->program->outputs.at[k].value] = 0;
    for (TirId id = count - 1; id >= 1; id--) {
        const bool waits = plan->work[id] == WORK_NONE || plan_may_wait(plan, id);
        if (!waits || h->wanted[id] < plan->level[id])
            h->wanted[id] = plan->level[id];
        const TirNode *node = tir_node(h->block, id);
        for (uint32_t k = 0; k < node->n_operands; k++)
            if (h->wanted[id] < h->wanted[node->operands[k]])
                h->wanted[node->operands[k]] = h->wanted[id];
    }
}

static void find_readers(Halo *h) {
    const uint32_t count = h->block->nodes.count;
    uint32_t n = 0;
    h->first = ARENA_ARRAY(h->scratch, uint32_t, count + 1);
    for (TirId id = 1; id < count; id++)
        for (uint32_t k = 0; k < tir_node(h->block, id)->n_operands; k++, n++)
            h->first[plan_root(h->plan, tir_node(h->block, id)->operands[k])]++;
    for (TirId id = 0, at = 0; id <= count; id++) {
        const uint32_t own = id < count ? h->first[id] : 0;
        at += own;
        h->first[id] = at; /* the end, until they are entered */
    }
    h->readers = ARENA_ARRAY(h->scratch, TirId, n + 1);
    for (TirId id = count - 1; id >= 1; id--)
        for (uint32_t k = 0; k < tir_node(h->block, id)->n_operands; k++)
            h->readers[--h->first[plan_root(h->plan, tir_node(h->block, id)->operands[k])]] = id;
}

/* When it is computed: not before somebody reads it, if it may wait. */
static uint32_t level_of(const Halo *h, TirId id) {
    const uint32_t level = h->plan->level[id], wanted = h->wanted[id];
    return wanted > level && wanted != UINT32_MAX && plan_may_wait(h->plan, id) ? wanted : level;
}

static void find_early(Halo *h) {
    const uint32_t count = h->block->nodes.count;
    find_wanted(h);
    find_readers(h);
    h->early = ARENA_ARRAY(h->scratch, uint32_t, count);
    for (TirId id = 1; id < count; id++)
        h->early[id] = level_of(h, id);
}

/* Barriers read forward values from memory, and so do kernels of other levels. */
static void find_kept(Halo *h) {
    const Plan *plan = h->plan;
    h->kept = ARENA_ARRAY(h->scratch, bool, h->block->nodes.count);
    for (TirId id = 1; id <= plan->program->n_forward; id++) {
        const TirNode *node = tir_node(h->block, id);
        for (uint32_t k = 0; k < node->n_operands && plan->work[id] != WORK_NONE; k++) {
            const TirId root = plan_root(plan, node->operands[k]);
            h->kept[root] = h->kept[root] || plan_is_barrier(plan->work[id]) ||
                            level_of(h, root) != level_of(h, id);
        }
    }
    h->asked = ARENA_ARRAY(h->scratch, uint32_t, h->block->nodes.count);
    memset(h->asked, 0xff, h->block->nodes.count * sizeof *h->asked);
    for (TirId id = h->block->nodes.count - 1; id >= 1; id--) {
        const TirNode *node = tir_node(h->block, id);
        const uint32_t asked = !is_forward(h, id) ? h->early[id]
                               : h->kept[id]      ? UINT32_MAX
                                                  : h->asked[id];
        for (uint32_t k = 0; k < node->n_operands; k++)
            if (asked < h->asked[node->operands[k]])
                h->asked[node->operands[k]] = asked;
    }
}

/* --- what a shift becomes ----------------------------------------------------------------------*/

static bool is_own_place(const int32_t offset[2]) {
    return offset[0] == 0 && offset[1] == 0;
}

static HaloItem *find_item(HaloItemVec *items, TirId id, const int32_t offset[2]) {
    for (uint32_t k = 0; k < items->count; k++)
        if (items->at[k].id == id && items->at[k].offset[0] == offset[0] &&
            items->at[k].offset[1] == offset[1])
            return &items->at[k];
    return NULL;
}

/* What is made of its operands at its own position. */
static bool can_make(const Halo *h, const TirNode *node) {
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_MAP:
        return node->op != TIR_RANDOM;
    case TIR_CLASS_VIEW:
        return true;
    case TIR_CLASS_REDUCE:
    case TIR_CLASS_CONTRACT:
        return !tir_sums_places(h->block, node);
    case TIR_CLASS_GATHER:
        return node->op == TIR_ONEHOT ||
               (node->op == TIR_GATHER &&
                !tir_node(h->block, node->operands[0])->type.domain.space);
    default:
        return node->op == TIR_SHIFT;
    }
}

/* Coefficients: what the backward pass wants of the forward pass's is stored. */
static bool is_small(const Halo *h, TirId id) {
    return tir_element_count(&tir_node(h->block, id)->type) <= PLAN_SMALL_ELEMENTS;
}

/* More terms than are worth adding up again. */
static bool is_long_sum(const Halo *h, const TirNode *node) {
    const TirOpClass class = tir_op_class(node->op);
    if (class != TIR_CLASS_REDUCE && class != TIR_CLASS_CONTRACT)
        return false;
    uint64_t most = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const uint64_t n = tir_element_count(&tir_node(h->block, node->operands[k])->type);
        most = n > most ? n : most;
    }
    return most > RECOMPUTE_TERMS * tir_element_count(&node->type);
}

/* Whether a kernel of the backward pass reads a forward value at its own positions. */
static bool is_read_at(const Halo *h, TirId id, uint32_t level) {
    for (uint32_t k = h->first[id]; k < h->first[id + 1]; k++) {
        const TirId by = h->readers[k];
        if (!is_forward(h, by) && h->early[by] == level && h->plan->work[by] != WORK_NONE)
            return true;
    }
    return false;
}

/* What a kernel of the backward pass would make of a few values that it loads anyway, rather than
 * load it, too: the streams that a site wrote, of those it found and its branch's result. */
static bool is_made_of_loaded(const Halo *h, TirId id, uint32_t level, uint32_t depth) {
    enum { DEEPEST = 4 };
    const TirNode *node = tir_node(h->block, id);
    const bool light = tir_op_price(node->op) == TIR_PRICE_LIGHT || node->op == TIR_CONTRACT;
    if (h->plan->work[id] != WORK_LOCAL || !light || depth == DEEPEST || !can_make(h, node) ||
        is_long_sum(h, node))
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirId root = plan_root(h->plan, node->operands[k]);
        if (!tir_node(h->block, root)->type.domain.space || is_small(h, root) ||
            is_read_at(h, root, level))
            continue;
        if (!is_made_of_loaded(h, root, level, depth + 1))
            return false;
    }
    return true;
}

/* Whether a value is in memory before a kernel of `level` begins. */
static bool is_stored(const Halo *h, TirId id, uint32_t level, uint32_t back, bool loads) {
    const Plan *plan = h->plan;
    const TirNode *node = tir_node(h->block, id);
    if (plan->work[id] == WORK_NONE && plan_is_view(node))
        return false;
    if (plan->work[id] != WORK_LOCAL)
        return node->op != TIR_POSITION;
    if (back && is_forward(h, id))
        return is_small(h, id) || (h->kept[id] && (loads || !is_made_of_loaded(h, id, back, 0)));
    return level_of(h, id) < level;
}

/* Adds an operand; one that is everywhere the same is none. */
static void add_item(const Halo *h, HaloItemVec *items, TirId id, const int32_t offset[2]) {
    if (tir_node(h->block, id)->type.domain.space && !find_item(items, id, offset))
        vec_push(h->scratch, items, (HaloItem){.id = id, .offset = {offset[0], offset[1]}});
}

static double work_of(const Halo *h, TirId id) {
    enum { FUNCTION = 16 }; /* operations of a polynomial */
    Cost cost = {0};
    cost_add_value(&cost, h->block, id, 1);
    const TirNode *node = tir_node(h->block, id);
    const bool function =
        tir_op_class(node->op) == TIR_CLASS_MAP && tir_op_price(node->op) == TIR_PRICE_DEAR;
    return (function ? FUNCTION : 1) * (cost.per_position + cost.per_step);
}

static int by_id(const void *a, const void *b) {
    const HaloItem *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static HaloItemVec *find_items_of(const Halo *h, TirId shift, uint32_t back, bool loads) {
    const TirNode *root = tir_node(h->block, shift);
    const TirId x = root->operands[0];
    const uint32_t level = h->plan->level[plan_root(h->plan, x)];
    double work = 0;
    HaloItemVec *items = ARENA_NEW(h->scratch, HaloItemVec);
    add_item(h, items, x, root->attr.offset);
    for (uint32_t k = 0; k < items->count; k++) {
        const HaloItem item = items->at[k];
        const TirNode *node = tir_node(h->block, item.id);
        if (is_own_place(item.offset))
            continue;
        if (is_stored(h, item.id, level, back, loads)) {
            items->at[k].stored = true;
            continue;
        }
        if (node->op == TIR_POSITION)
            continue;
        work += work_of(h, item.id);
        if (!can_make(h, node) || items->count > HALO_MOST ||
            work > HALO_WORK * (double)tir_element_count(&root->type))
            return NULL;
        int32_t offset[2] = {item.offset[0], item.offset[1]};
        for (uint32_t o = 0; o < 2 && node->op == TIR_SHIFT; o++)
            offset[o] += node->attr.offset[o];
        for (uint32_t o = 0; o < node->n_operands; o++)
            add_item(h, items, node->operands[o], offset);
    }
    qsort(items->at, items->count, sizeof *items->at, by_id);
    return items;
}

/* What the operand of a shift is made of; for a kernel of the backward pass, at level `back`, if
 * that is not 0. NULL when it cannot be made again, or takes too much. */
static HaloItemVec *find_items(const Halo *h, TirId shift, uint32_t back) {
    HaloItemVec *items = find_items_of(h, shift, back, false);
    return items || !back ? items : find_items_of(h, shift, back, true);
}

/* A kernel ends at a shift whose operand it makes, if somebody reads the shift then. */
static bool decide(void *context, TirId shift) {
    Halo *h = context;
    const TirId root = plan_root(h->plan, tir_node(h->block, shift)->operands[0]);
    if (!is_forward(h, shift) && !h->kept)
        find_kept(h);
    if (h->plan->work[root] != WORK_LOCAL || h->wanted[shift] > h->plan->level[root])
        return true;
    h->items[shift] = find_items(h, shift, is_forward(h, shift) ? 0 : h->early[shift]);
    return !h->items[shift];
}

/* --- rewriting ---------------------------------------------------------------------------------*/

/* 0 where the operands are: all of them, of a product of numbers one. */
static bool keeps_zero(TirOp op, uint32_t zeros, uint32_t operands, bool wild) {
    switch (op) {
    case TIR_MUL:
    case TIR_CONTRACT:
        return zeros > 0 && !wild;
    case TIR_ADD:
    case TIR_SUB:
    case TIR_NEG:
    case TIR_ABS:
    case TIR_SQRT:
    case TIR_TANH:
    case TIR_ERF:
    case TIR_SIN:
    case TIR_REDUCE_SUM:
        return zeros == operands;
    default:
        return tir_op_class(op) == TIR_CLASS_VIEW && zeros == operands;
    }
}

/* Of zeros it may make what is no number. */
static bool makes_wild(TirOp op) {
    return op == TIR_DIV || op == TIR_LOG || op == TIR_RSQRT || op == TIR_POW || op == TIR_EXP;
}

/* What has become of a value, as whoever is made now finds it. */
static TirId mapped(const Halo *h, TirId id) {
    return h->backward && h->back[id] ? h->back[id] : h->map[id];
}

static void make_item(Halo *h, HaloItemVec *items, HaloItem *item, const TirNode *shift) {
    const TirNode *node = tir_node(h->block, item->id);
    const int32_t *outside = shift->attr.offset;
    const uint8_t space = node->type.domain.space;
    const bool together = item->offset[0] == outside[0] && item->offset[1] == outside[1];
    TirBuilder *b = &h->b;
    b->span = node->span;
    b->name = node->name;
    if (is_own_place(item->offset)) {
        item->made = mapped(h, item->id);
        return;
    }
    if (item->stored) {
        b->span = shift->span;
        item->made = tir_shift_in(b, mapped(h, item->id), item->offset, space);
        item->zero = together;
        return;
    }
    if (node->op == TIR_POSITION) {
        const int64_t distance =
            tir_shift_distance(&h->plan->program->spaces.at[space - 1], item->offset);
        item->made = tir_binary(b, TIR_SUB, mapped(h, item->id), tir_int(b, distance));
        return;
    }
    int32_t offset[2] = {item->offset[0], item->offset[1]};
    for (uint32_t o = 0; o < 2 && node->op == TIR_SHIFT; o++)
        offset[o] += node->attr.offset[o];
    TirId *operands = ARENA_ARRAY(h->scratch, TirId, node->n_operands);
    uint32_t zeros = 0;
    for (uint32_t o = 0; o < node->n_operands; o++) {
        const HaloItem *of = find_item(items, node->operands[o], offset);
        operands[o] = of ? of->made : mapped(h, node->operands[o]);
        zeros += of && of->zero;
        item->wild = item->wild || (of && of->wild);
    }
    if (node->op == TIR_SHIFT) {
        item->made = is_own_place(offset) ? operands[0] : tir_inside(b, operands[0], offset, space);
        item->wild = false;
        return;
    }
    item->made = tir_rebuild_moved(b, h->block, node, operands);
    item->zero = keeps_zero(node->op, zeros, node->n_operands, item->wild);
    item->wild = !item->zero && (item->wild || makes_wild(node->op));
}

static TirId make_shift(Halo *h, TirId shift, HaloItemVec *items) {
    const TirNode *node = tir_node(h->block, shift);
    for (uint32_t k = 0; k < items->count; k++)
        make_item(h, items, &items->at[k], node);
    const HaloItem *x = find_item(items, node->operands[0], node->attr.offset);
    h->b.span = node->span;
    h->b.name = node->name;
    return x->zero ? x->made
                   : tir_inside(&h->b, x->made, node->attr.offset, node->type.domain.space);
}

/* --- the backward pass -------------------------------------------------------------------------*/

/* What the forward pass made of shifts in its own kernels lies nowhere. The backward pass makes it
 * again, of what does: what a kernel wrote, where the forward pass knew only what that was made
 * of. */
static void make_back(Halo *h, TirId last) {
    TirIdVec operands = {0};
    h->backward = true;
    for (TirId id = 1; id <= last; id++) {
        const TirNode *node = tir_node(h->block, id);
        const bool view = h->plan->work[id] == WORK_NONE && plan_is_view(node);
        const bool again = view || (h->plan->work[id] == WORK_LOCAL && !h->kept[id] &&
                                    !is_small(h, id) && can_make(h, node));
        if (h->items[id]) {
            HaloItemVec *items = again ? find_items(h, id, h->asked[id]) : NULL;
            h->back[id] = items ? make_shift(h, id, items) : 0;
            continue;
        }
        bool moved = false;
        operands.count = 0;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            moved = moved || h->back[node->operands[k]];
            vec_push(h->scratch, &operands, mapped(h, node->operands[k]));
        }
        if (!moved || !again || plan_reads_across(node) || is_long_sum(h, node))
            continue;
        h->b.span = node->span;
        h->b.name = node->name;
        h->back[id] = tir_rebuild_moved(&h->b, h->block, node, operands.at);
    }
}

static TirId rebuild(Halo *h, TirId id) {
    const TirNode *node = tir_node(h->block, id);
    TirId *operands = ARENA_ARRAY(h->scratch, TirId, node->n_operands);
    for (uint32_t k = 0; k < node->n_operands; k++)
        operands[k] = mapped(h, node->operands[k]);
    h->b.span = node->span;
    h->b.name = node->name;
    return pass_rebuild_value(&h->b, h->block, id, operands);
}

static TirProgram *rewrite(Halo *h, TirProgram *p) {
    TirProgram *new = tir_program_like(p);
    h->b = tir_builder(new, new->block);
    h->map = ARENA_ARRAY(h->scratch, TirId, p->block->nodes.count);
    h->back = ARENA_ARRAY(h->scratch, TirId, p->block->nodes.count);
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        h->map[id] = h->items[id] ? make_shift(h, id, h->items[id]) : rebuild(h, id);
        if (id == p->n_forward) {
            new->n_forward = new->block->nodes.count - 1;
            make_back(h, id);
        }
    }
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        tir_add_output(new, out->role, out->name, out->index, h->map[out->value]);
    }
    return pass_dce(new);
}

TirProgram *plan_halo(TirProgram *p) {
    const TirBlock *block = p->block;
    bool any = false;
    for (TirId id = 1; id < block->nodes.count; id++)
        any = any || plan_reads_across(tir_node(block, id));
    if (!any)
        return p;
    Halo h = {.plan = plan_create(p, (PlanOptions){.fuse = true}),
              .block = block,
              .scratch = arena_create_child(p->arena)};
    h.items = ARENA_ARRAY(h.scratch, HaloItemVec *, block->nodes.count);
    plan_classify(h.plan);
    find_early(&h);
    plan_assign_levels(h.plan, decide, &h);
    if (!h.kept)
        find_kept(&h);
    any = false;
    for (TirId id = 1; id < block->nodes.count; id++)
        any = any || h.items[id];
    TirProgram *new = any ? rewrite(&h, p) : p;
    arena_destroy(h.scratch);
    return new;
}
