/* What is of no use: never read, never written, without a path to the loss. Said once for a
 * declaration, and only of what holds in all its instances; of the user's file, not the library's.
 */
#include "sema/internal.h"

static const char *declared_text(DeclaredAs declared) {
    switch (declared) {
    case DECLARED_PARAM:
        return "parameter";
    case DECLARED_STATE:
        return "state";
    case DECLARED_BUFFER:
        return "buffer";
    default:
        return "value";
    }
}

/* The model has an instance of the declaration (it is not only checked), and trains it. */
static bool usage_in_model(const Sema *s, const Usage *u) {
    for (uint32_t k = 0; k < s->program->params.count; k++) {
        const TirParam *p = &s->program->params.at[k];
        if (p->span.file == u->span.file && p->span.begin == u->span.begin && !p->frozen)
            return true;
    }
    return false;
}

/* --- what the loss's gradient reaches ----------------------------------------------------------*/

/* By value of a block: the gradient comes here; or the loss depends on this only by way of
 * `blocked`, an op without a derivative. */
typedef struct {
    bool *reached;
    const TirNode **blocked;
} Reach;

static Reach reach_create(Sema *s, const TirBlock *block) {
    return (Reach){ARENA_ARRAY(s->arena, bool, block->nodes.count),
                   ARENA_ARRAY(s->arena, const TirNode *, block->nodes.count)};
}

/* Whole numbers and conditions have no derivative, nor what is made of them. */
static bool passes(const TirBlock *block, const TirNode *node, uint32_t operand) {
    const TirElem elem = tir_node(block, node->operands[operand])->type.elem;
    return node->op != TIR_STOP_GRADIENT && node->op != TIR_FLOOR &&
           (elem == TIR_REAL || elem == TIR_TUPLE);
}

static void reach_operand(const Reach *r, TirId operand, bool reached, const TirNode *blocked) {
    if (reached)
        r->reached[operand] = true;
    else if (!r->blocked[operand])
        r->blocked[operand] = blocked;
}

static void reach_block(Sema *s, const TirBlock *block, const Reach *r);

/* A loop's operands are its body's arguments, in order; all results of the body are taken to be
 * wanted. */
static void reach_loop(Sema *s, const TirNode *node, const Reach *r) {
    const TirBlock *body = node->attr.body;
    const Reach inner = reach_create(s, body);
    for (uint32_t k = 0; k < body->results.count; k++)
        inner.reached[body->results.at[k]] = true;
    reach_block(s, body, &inner);
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *arg = tir_node(body, id);
        if (arg->op == TIR_ARG && arg->attr.index < node->n_operands)
            reach_operand(r, node->operands[arg->attr.index], inner.reached[id], inner.blocked[id]);
    }
}

static void reach_block(Sema *s, const TirBlock *block, const Reach *r) {
    for (TirId id = block->nodes.count; id-- > 1;) { /* users come after what they use */
        const TirNode *node = tir_node(block, id);
        if (node->op == TIR_RANDOM)
            continue; /* takes a shape from its operand, nothing else */
        if (r->reached[id] && node->op == TIR_SCAN) {
            reach_loop(s, node, r);
            continue;
        }
        for (uint32_t k = 0; k < node->n_operands; k++)
            if (r->reached[id])
                reach_operand(r, node->operands[k], passes(block, node, k), node);
            else if (r->blocked[id])
                reach_operand(r, node->operands[k], false, r->blocked[id]);
    }
}

static void mark_reached(Sema *s) {
    const TirBlock *block = s->program->block;
    const Reach r = reach_create(s, block);
    for (uint32_t k = 0; k < s->program->outputs.count; k++)
        if (s->program->outputs.at[k].role == TIR_OUT_LOSS)
            r.reached[s->program->outputs.at[k].value] = true;
    reach_block(s, block, &r);
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        Usage *usage = node->op == TIR_PARAM
                           ? usage_at(s, s->program->params.at[node->attr.index].span)
                           : NULL;
        if (!usage)
            continue;
        usage->reached = usage->reached || r.reached[id];
        if (r.blocked[id])
            usage->blocked = r.blocked[id]->span;
    }
}

static void warn_unreached(Sema *s, const Usage *u) {
    if (u->blocked.file) {
        sema_warning(s, DIAG_NO_PATH, u->span,
                     "the parameter `%s` never gets a gradient: the loss depends on it only by way "
                     "of what has no derivative",
                     u->name);
        sema_note(s, u->blocked, "this has none");
    } else {
        sema_warning(s, DIAG_NO_PATH, u->span, "the parameter `%s` has no path to the loss",
                     u->name);
    }
    sema_help(s, "it will stay as it begins; use it in what the loss depends on, or declare it "
                 "`freeze`");
}

void warn_unused(Sema *s) {
    mark_reached(s);
    for (uint32_t k = 0; k < map_count(s->usage); k++) {
        const Usage *u = map_value_at(s->usage, k);
        if (u->span.file != s->ast->file)
            continue;
        if (u->declared == DECLARED_STATE && !u->written) {
            sema_warning(s, DIAG_UNWRITTEN, u->span, "the state `%s` is never written", u->name);
            sema_help(s, "no site changes it: write `write %s... = ...`", u->name);
        } else if (u->declared == DECLARED_STATE && !u->used && u->self_used) {
            sema_warning(s, DIAG_UNUSED, u->span, "the state `%s` is written but never read",
                         u->name);
            sema_help(s, "only its own `write` uses it: read it, or leave it out");
        } else if (u->declared == DECLARED_BUFFER && !u->written) {
            sema_warning(s, DIAG_UNWRITTEN, u->span, "the buffer `%s` is never updated", u->name);
            sema_help(s, "no step changes it: write `update %s... = ...`", u->name);
        } else if (!u->used) {
            sema_warning(s, DIAG_UNUSED, u->span, "the %s `%s` is never used",
                         declared_text(u->declared), u->name);
        } else if (u->declared == DECLARED_PARAM && !u->reached && usage_in_model(s, u)) {
            warn_unreached(s, u);
        }
    }
}
