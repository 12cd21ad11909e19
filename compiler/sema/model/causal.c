/* `positions t <= 64 causal;`: nothing that reaches the loss or a metric sees later positions.
 *
 * Requires: the program is complete. Of every value is known which position it sees at the latest:
 * at each position of its own space, or once where it has none (a mean over `t` sees the last, and
 * so does every position of `s` that attends to all of what was pooled from `t`). Inputs of the
 * model at a position are seen there; targets are not inputs here: what the loss at a position
 * compares with may be the future's. A leak begins where a value at a position sees a later one.
 *
 * Smallest example: `attend(q, k, v)` of embedded tokens, without `causal = true`. */
#include "sema/elaboration.h"
#include "sema/frame.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include <string.h>

enum { LOOKED_AT = 1 << 16 }; /* positions of a space at most: maps repeat themselves */

/* What a value sees at the latest; `latest` NULL: nothing of the space, else one number for each
 * position of the value's own space (-1: nothing), or one. */
typedef struct {
    const int32_t *latest;
    const TirNode *by; /* what made it see others than its own */
} Sees;

/* A position that sees a later one. */
typedef struct {
    const TirNode *by; /* NULL: none does */
    uint32_t at, sees;
} Leak;

typedef struct {
    Sema *s;
    const TirBlock *block;
    uint32_t space;
    const int32_t *itself; /* each position its own */
    Sees *sees;
    Leak *leaks; /* where they begin */
} Causal;

static uint8_t space_of(const TirNode *node) {
    return node->n_results ? node->result_types[0].domain.space : node->type.domain.space;
}

static uint32_t positions_of(const Causal *c, uint8_t space) {
    const uint32_t all = space ? c->s->program->spaces.at[space - 1].maximum : 1;
    return all < LOOKED_AT ? all : LOOKED_AT;
}

/* The op sees later ones among the positions, or all of them; or such an op is in a loop's body. */
static bool crosses(const Causal *c, const TirBlock *block, const TirNode *node) {
    if (node->op != TIR_SCAN)
        return tir_own_dependence(c->s->program, block, node) == TIR_DEPENDS_ALL;
    const TirBlock *body = node->attr.body;
    for (TirId id = 1; id < body->nodes.count; id++)
        if (crosses(c, body, tir_node(body, id)))
            return true;
    return false;
}

/* --- which positions are seen ------------------------------------------------------------------*/

static const int32_t *same(const Causal *c, uint8_t space, int32_t latest) {
    const uint32_t n = positions_of(c, space);
    int32_t *to = ARENA_ARRAY(c->s->arena, int32_t, n);
    for (uint32_t p = 0; p < n; p++)
        to[p] = latest;
    return to;
}

/* Of all positions together. */
static int32_t last_seen(const Causal *c, Sees x, uint8_t space) {
    int32_t last = -1;
    if (x.latest && x.latest == c->itself)
        return (int32_t)c->s->program->spaces.at[c->space - 1].maximum - 1;
    for (uint32_t p = 0; x.latest && p < positions_of(c, space); p++)
        last = x.latest[p] > last ? x.latest[p] : last;
    return last;
}

/* What is seen at each position of `space` of all that `x`, at `from`, has seen. */
static Sees spread(const Causal *c, Sees x, uint8_t from, uint8_t space, const TirNode *by) {
    if (x.latest)
        x.latest = same(c, space, last_seen(c, x, from));
    if (from)
        x.by = by;
    return x;
}

/* Both at once. */
static Sees joined(const Causal *c, Sees x, Sees y, uint8_t space) {
    const uint32_t n = positions_of(c, space);
    bool of_x = true, of_y = true;
    if (!y.latest || x.latest == y.latest)
        return x;
    if (!x.latest)
        return y;
    for (uint32_t p = 0; p < n; p++) {
        of_x = of_x && x.latest[p] >= y.latest[p];
        of_y = of_y && y.latest[p] >= x.latest[p];
    }
    if (of_x || of_y)
        return of_x ? x : y;
    int32_t *to = ARENA_ARRAY(c->s->arena, int32_t, n);
    for (uint32_t p = 0; p < n; p++)
        to[p] = x.latest[p] > y.latest[p] ? x.latest[p] : y.latest[p];
    return (Sees){to, y.by ? y.by : x.by};
}

/* Of all positions up to each, or from each on. */
static Sees gone_on(const Causal *c, Sees x, uint8_t space, bool reverse, const TirNode *by) {
    const uint32_t n = positions_of(c, space);
    if (!x.latest || (x.latest == c->itself && !reverse))
        return x;
    int32_t *to = ARENA_ARRAY(c->s->arena, int32_t, n), last = -1;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t p = reverse ? n - 1 - k : k;
        last = x.latest[p] > last ? x.latest[p] : last;
        to[p] = last;
    }
    return (Sees){to, by};
}

static Sees shifted(const Causal *c, Sees x, uint8_t space, const TirNode *by) {
    const TirSpace *of = &c->s->program->spaces.at[space - 1];
    const int64_t n = positions_of(c, space), distance = tir_shift_distance(of, by->attr.offset);
    const int64_t columns = of->rank == 2 ? of->extents[1] : 1;
    if (!x.latest)
        return x;
    int32_t *to = ARENA_ARRAY(c->s->arena, int32_t, n);
    for (int64_t p = 0; p < n; p++) {
        const int64_t column = p % columns - (of->rank == 2 ? by->attr.offset[1] : 0);
        const int64_t at = p - distance;
        const bool inside = at >= 0 && at < n && column >= 0 && column < columns;
        to[p] = inside ? x.latest[at] : -1;
    }
    return (Sees){to, by};
}

/* The numbers by which a lookup chooses, [positions of its space][...], where they are known. */
static const double *known_choice(const Causal *c, TirId index, uint64_t *entries) {
    const TirNode *node = tir_node(c->block, index), *table = node;
    *entries = tir_element_count(&node->type);
    if (node->op == TIR_CONST)
        return &node->attr.number;
    if (node->op == TIR_GATHER) {
        table = tir_node(c->block, node->operands[0]);
        if (tir_node(c->block, node->operands[1])->op != TIR_POSITION)
            return NULL;
    }
    return table->op == TIR_TABLE ? c->s->program->tables.at[table->attr.index].data : NULL;
}

/* What was laid out along an axis by its positions, and is chosen from it. */
static Sees looked_up(const Causal *c, const TirNode *node, const TirNode *laid_out) {
    const TirId x = laid_out->operands[1], index = node->operands[1];
    const uint8_t from = tir_node(c->block, x)->type.domain.space, space = space_of(node);
    const uint32_t n = positions_of(c, space);
    const bool itself = tir_node(c->block, index)->op == TIR_POSITION;
    uint64_t entries = 1;
    const double *choice = itself ? NULL : known_choice(c, index, &entries);
    const Sees seen = c->sees[x];
    if (!seen.latest)
        return seen;
    if (!choice && !itself)
        return spread(c, seen, from, space, node);
    int32_t *to = ARENA_ARRAY(c->s->arena, int32_t, n);
    for (uint32_t p = 0; p < n; p++) {
        to[p] = -1;
        for (uint64_t k = 0; k < (itself ? 1 : entries); k++) {
            const double at = itself ? p : choice[(uint64_t)p * entries + k];
            if (at >= 0 && at < positions_of(c, from) && seen.latest[(uint32_t)at] > to[p])
                to[p] = seen.latest[(uint32_t)at];
        }
    }
    return (Sees){to, node};
}

/* What a loop's result at `space` sees by way of the loop's k-th operand. Where nothing in the loop
 * crosses positions, what has those of no space or of another one is made of none of its own. */
static Sees seen_by_loop(const Causal *c, uint8_t space, const TirNode *loop, uint32_t k,
                         bool across) {
    const uint8_t from = space_of(tir_node(c->block, loop->operands[k]));
    const Sees x = c->sees[loop->operands[k]];
    if (across)
        return spread(c, x, from, space, loop);
    if (from != space)
        return from ? (Sees){NULL, NULL} : spread(c, x, from, space, loop);
    return x;
}

/* What `node` sees by way of its k-th operand. */
static Sees seen_through(const Causal *c, const TirNode *node, uint32_t k) {
    const TirNode *operand = tir_node(c->block, node->operands[k]);
    const uint8_t from = space_of(operand), space = space_of(node);
    const Sees x = c->sees[node->operands[k]];
    if (node->op == TIR_GATHER && k == 0 && operand->op == TIR_SCATTER_ADD &&
        tir_node(c->block, operand->operands[0])->op == TIR_POSITION)
        return looked_up(c, node, operand);
    if (from != space)
        return spread(c, x, from, space, node);
    if (node->op == TIR_ATTEND && k > 0)
        return node->attr.causal ? gone_on(c, x, space, false, node)
                                 : spread(c, x, from, space, node);
    if (node->op == TIR_RECUR || node->op == TIR_SEQUENCE)
        return gone_on(c, x, space, node->attr.reverse, node);
    return node->op == TIR_SHIFT ? shifted(c, x, space, node) : x;
}

static void mark(Causal *c, TirId id) {
    const TirNode *node = tir_node(c->block, id);
    const uint8_t space = space_of(node);
    Sees *sees = &c->sees[id];
    if (node->op == TIR_INPUT && space == c->space &&
        !c->s->program->inputs.at[node->attr.index].is_target)
        sees->latest = c->itself;
    const TirNode *loop = node->op == TIR_RESULT ? tir_node(c->block, node->operands[0]) : NULL;
    if (node->op == TIR_SCAN)
        return; /* each of its results by itself: they may live at different places */
    if (loop && loop->op == TIR_SCAN) {
        const bool across = crosses(c, c->block, loop);
        for (uint32_t k = 0; k < loop->n_operands; k++)
            *sees = joined(c, *sees, seen_by_loop(c, space, loop, k, across), space);
    } else {
        for (uint32_t k = 0; k < node->n_operands; k++)
            *sees = joined(c, *sees, seen_through(c, node, k), space);
    }
    if (space != c->space || !sees->latest || sees->latest == c->itself)
        return;
    for (uint32_t p = 0; p < positions_of(c, space); p++)
        if (sees->latest[p] > (int32_t)p) {
            c->leaks[id] = (Leak){sees->by ? sees->by : node, p, (uint32_t)sees->latest[p]};
            *sees = (Sees){c->itself, NULL}; /* said once, where it comes back */
            return;
        }
}

/* --- reports -----------------------------------------------------------------------------------*/

/* Whose positions a lookup chooses among; 0: it does not. */
static uint8_t chosen_from(const Causal *c, const TirNode *lookup) {
    const TirNode *x = tir_node(c->block, lookup->operands[0]);
    return x->op == TIR_SCATTER_ADD ? tir_node(c->block, x->operands[1])->type.domain.space : 0;
}

static const char *what_leaks(const Causal *c, const TirNode *node, const TirNode *by) {
    if (by == node && by->op == TIR_GATHER) {
        const uint8_t from = chosen_from(c, by);
        return from && from != c->space
                   ? arena_printf(c->s->arena,
                                  "what is taken from the positions `%s` here was made of later "
                                  "positions of `%s`",
                                  c->s->program->spaces.at[from - 1].name,
                                  c->s->program->spaces.at[c->space - 1].name)
                   : "this takes a value from a later position";
    }
    switch (by->op) {
    case TIR_ATTEND:
        return "attention that is not causal sees later positions";
    case TIR_SHIFT:
        return "this takes a value from a later position";
    case TIR_RECUR:
    case TIR_SEQUENCE:
        return "this goes through the positions from the last one";
    default:
        return "what comes back to each position here was summed over all of them";
    }
}

/* By way of example: `t = 0` would see `t = 15`. */
static const char *who_sees(Sema *s, const TirSpace *space, Leak leak) {
    if (space->rank == 1)
        return arena_printf(s->arena, "position %u would see position %u", leak.at, leak.sees);
    const uint32_t columns = space->extents[1];
    return arena_printf(s->arena, "position (%u, %u) would see position (%u, %u)",
                        leak.at / columns, leak.at % columns, leak.sees / columns,
                        leak.sees % columns);
}

/* Where the user's own text has it: the place itself, or the use that leads there. */
static Span user_place(const Sema *s, const Frame *frame, Span at) {
    for (const Frame *f = frame; f && !ast_has_file(s->ast, at.file); f = f->outer)
        if (ast_has_file(s->ast, f->used_at.file))
            return f->used_at;
    return at;
}

static void report(const Causal *c, TirId id, const char *reaches) {
    Sema *s = c->s;
    const Leak leak = c->leaks[id];
    const TirNode *node = tir_node(c->block, id), *by = leak.by;
    const Frame *frame = frame_of(s, id);
    const Span at = user_place(s, frame, node->span);
    const TirSpace *space = &s->program->spaces.at[c->space - 1];
    sema_error(s, DIAG_CAUSAL, at, "%s, and %s depends on it: %s", what_leaks(c, node, by), reaches,
               who_sees(s, space, leak));
    while (frame && frame->is_function)
        frame = frame->outer;
    const bool moved = at.begin != node->span.begin || at.file != node->span.file;
    if (frame && frame->item && frame->path && frame->path[0])
        sema_note(s, moved ? node->span : frame->used_at, "%sin `%s`, an instance of the %s `%s`",
                  moved ? "here, " : "", frame->path, item_kind_text(frame->item->kind),
                  frame->item->name.text);
    else if (moved)
        sema_note(s, node->span, "here");
    if (by != node)
        sema_note(s, by->span, "summed here");
    sema_note(s, s->causal[c->space], "the positions `%s` are declared causal", space->name);
    if (by == node && by->op == TIR_GATHER && chosen_from(c, by) != c->space)
        sema_help(s,
                  "take it from a position further back, as in `p[floor(%s / 4) - 1]`: one that "
                  "was made of no later ones",
                  space->name);
    else if (by->op == TIR_ATTEND && tir_attend_keys(c->block, by).space == c->space)
        sema_help(s, "write `causal = true`");
    else if (by->op == TIR_ATTEND)
        sema_help(s, "what it attends to was made of positions `%s`", space->name);
    else if (by->op == TIR_RECUR || by->op == TIR_SEQUENCE)
        sema_help(s, "`reverse` sees what is to come; without it only what has been is seen");
    else if (by->op == TIR_SHIFT)
        sema_help(s, "what the loss compares with may be later: declare that as a `target`");
    else
        sema_help(s,
                  "use what is summed over `%s` where there are no positions, or sum over the "
                  "last few alone, as `window` gives them",
                  space->name);
}

static void check_space(Sema *s, uint32_t space) {
    const TirBlock *block = s->program->block;
    const uint32_t n = block->nodes.count;
    Causal c = {.s = s,
                .block = block,
                .space = space,
                .sees = ARENA_ARRAY(s->arena, Sees, n),
                .leaks = ARENA_ARRAY(s->arena, Leak, n)};
    const uint32_t positions = positions_of(&c, (uint8_t)space);
    int32_t *itself = ARENA_ARRAY(s->arena, int32_t, positions);
    for (uint32_t p = 0; p < positions; p++)
        itself[p] = (int32_t)p;
    c.itself = itself;
    const char **reaches = ARENA_ARRAY(s->arena, const char *, n);
    for (TirId id = 1; id < n; id++)
        mark(&c, id);
    for (uint32_t k = 0; k < s->program->outputs.count; k++) {
        const TirOutput *o = &s->program->outputs.at[k];
        if (o->role == TIR_OUT_LOSS)
            reaches[o->value] = "the loss";
        else if (o->role == TIR_OUT_RESULT && !reaches[o->value])
            reaches[o->value] = arena_printf(s->arena, "the output `%s`", o->name);
        else if (o->role == TIR_OUT_METRIC && !reaches[o->value])
            reaches[o->value] = arena_printf(s->arena, "the metric `%s`", o->name);
    }
    for (TirId id = n; id-- > 1;) { /* users come after what they use */
        const TirNode *node = tir_node(block, id);
        for (uint32_t k = 0; reaches[id] && k < node->n_operands; k++)
            if (!reaches[node->operands[k]] || strcmp(reaches[id], "the loss") == 0)
                reaches[node->operands[k]] = reaches[id];
    }
    for (TirId id = 1; id < n; id++)
        if (reaches[id] && c.leaks[id].by)
            report(&c, id, reaches[id]);
}

void check_causal(Sema *s) {
    for (uint32_t space = 1; space <= s->program->spaces.count; space++)
        if (s->causal[space].file)
            check_space(s, space);
}
