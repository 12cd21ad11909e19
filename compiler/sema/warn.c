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

/* Marks what the loss depends on; loops count as a whole. */
static void mark_reached(Sema *s) {
    const TirBlock *block = s->program->block;
    bool *reached = ARENA_ARRAY(s->arena, bool, block->nodes.count);
    for (uint32_t k = 0; k < s->program->outputs.count; k++)
        if (s->program->outputs.at[k].role == TIR_OUT_LOSS)
            reached[s->program->outputs.at[k].value] = true;
    for (TirId id = block->nodes.count; id-- > 1;) {
        const TirNode *node = tir_node(block, id);
        if (!reached[id] || node->op == TIR_STOP_GRADIENT)
            continue;
        for (uint32_t k = 0; k < node->n_operands; k++)
            reached[node->operands[k]] = true;
        if (node->op != TIR_PARAM)
            continue;
        Usage *usage = usage_at(s, s->program->params.at[node->attr.index].span);
        if (usage)
            usage->reached = true;
    }
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
        } else if (!u->used) {
            sema_warning(s, DIAG_UNUSED, u->span, "the %s `%s` is never used",
                         declared_text(u->declared), u->name);
        } else if (u->declared == DECLARED_PARAM && !u->reached && usage_in_model(s, u)) {
            sema_warning(s, DIAG_NO_PATH, u->span, "the parameter `%s` has no path to the loss",
                         u->name);
            sema_help(s, "it will stay as it begins; use it in what the loss depends on, or "
                         "declare it `freeze`");
        }
    }
}
