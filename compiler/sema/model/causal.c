/* `positions t <= 64 causal;`: nothing that reaches the loss or a metric sees later positions.
 *
 * Requires: the program is complete. A value is *informed* when it depends on an input of the
 * model, *whole* when it lies outside the positions but holds inputs of all of them (a mean over
 * `t`). A leak begins where an op lets a position see a later one's informed value, or where a
 * whole value meets positions again. Targets are not inputs here: what the loss at a position
 * compares with may be the future's.
 *
 * Smallest example: `attend(q, k, v)` of embedded tokens, without `causal = true`. */
#include "sema/elaboration.h"
#include "sema/frame.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include <string.h>

typedef struct {
    Sema *s;
    const TirBlock *block;
    uint32_t space;
    bool *informed;
    const TirNode **whole; /* the sum that makes it so */
    const TirNode **leaks; /* what a value leaks by; NULL: it does not begin a leak */
} Causal;

static uint8_t space_of(const TirNode *node) {
    return node->n_results ? node->result_types[0].domain.space : node->type.domain.space;
}

/* The op sees later ones among the positions, or all of them. */
static bool crosses(const Causal *c, const TirBlock *block, const TirNode *node) {
    if (tir_own_dependence(c->s->program, block, node) != TIR_DEPENDS_ALL)
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (tir_node(block, node->operands[k])->type.domain.space == c->space)
            return true;
    return false;
}

/* The op itself, or the first such in a loop's body (loops stand in loops as deep as text nests).
 */
static const TirNode *crossing(const Causal *c, const TirBlock *block, const TirNode *node) {
    if (node->op != TIR_SCAN)
        return crosses(c, block, node) ? node : NULL;
    for (TirId id = 1; id < node->attr.body->nodes.count; id++) {
        const TirNode *found = crossing(c, node->attr.body, tir_node(node->attr.body, id));
        if (found)
            return found;
    }
    return NULL;
}

static void mark(Causal *c, TirId id) {
    const TirNode *node = tir_node(c->block, id);
    if (node->op == TIR_INPUT)
        c->informed[id] = !c->s->program->inputs.at[node->attr.index].is_target;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirId operand = node->operands[k];
        c->informed[id] = c->informed[id] || c->informed[operand];
        if (!c->whole[id])
            c->whole[id] = c->whole[operand];
    }
    const TirNode *by = c->informed[id] ? crossing(c, c->block, node) : NULL;
    const bool inside = space_of(node) == c->space;
    if (by && !inside && !c->whole[id])
        c->whole[id] = by;
    if (!inside)
        return;
    c->leaks[id] = by ? by : c->whole[id];
    c->whole[id] = NULL; /* said once, where it comes back */
}

/* --- reports -----------------------------------------------------------------------------------*/

static const char *what_leaks(const TirNode *by) {
    switch (by->op) {
    case TIR_ATTEND:
        return "attention that is not causal sees later positions";
    case TIR_SHIFT:
        return "this takes a value from a later position";
    case TIR_RECUR:
        return "this goes through the positions from the last one";
    default:
        return "what comes back to each position here was summed over all of them";
    }
}

/* By way of example: `t = 0` would see `t = 15`. */
static const char *who_sees(Sema *s, const TirSpace *space, const TirNode *by) {
    uint32_t last[2] = {space->extents[0] - 1, space->rank > 1 ? space->extents[1] - 1 : 0};
    uint32_t first[2] = {0, 0};
    for (uint32_t k = 0; by->op == TIR_SHIFT && k < space->rank; k++) {
        const int32_t offset = by->attr.offset[k]; /* positions earlier */
        const uint32_t away = (uint32_t)(offset < 0 ? -offset : offset);
        first[k] = offset > 0 ? away : 0;
        last[k] = offset > 0 ? 0 : away;
    }
    if (space->rank == 1)
        return arena_printf(s->arena, "position %u would see position %u", first[0], last[0]);
    return arena_printf(s->arena, "position (%u, %u) would see position (%u, %u)", first[0],
                        first[1], last[0], last[1]);
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
    const TirNode *node = tir_node(c->block, id), *by = c->leaks[id];
    const Frame *frame = frame_of(s, id);
    const Span at = user_place(s, frame, node->span);
    const TirSpace *space = &s->program->spaces.at[c->space - 1];
    sema_error(s, DIAG_CAUSAL, at, "%s, and %s depends on it: %s", what_leaks(by), reaches,
               who_sees(s, space, by));
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
    if (by->op == TIR_ATTEND)
        sema_help(s, "write `causal = true`");
    else if (by->op == TIR_RECUR)
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
                .informed = ARENA_ARRAY(s->arena, bool, n),
                .whole = ARENA_ARRAY(s->arena, const TirNode *, n),
                .leaks = ARENA_ARRAY(s->arena, const TirNode *, n)};
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
        if (reaches[id] && c.leaks[id])
            report(&c, id, reaches[id]);
}

void check_causal(Sema *s) {
    for (uint32_t space = 1; space <= s->program->spaces.count; space++)
        if (s->causal[space].file)
            check_space(s, space);
}
