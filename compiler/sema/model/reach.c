/* What the loss does not learn from: branches and parameters, wherever they are defined, that no
 * gradient comes to.
 *
 * A declaration of the user's file is named where it stands when it is lost in all its instances.
 * What is lost in one instance, or declared in the library, is named where the user wrote the
 * instance; a branch takes the parameters of its site with it, for they are lost with it. */
#include "sema/elaboration.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include "sema/usage.h"
#include "syntax/ast_find.h"
#include <string.h>

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
    return !tir_op_stops(node->op) && (elem == TIR_REAL || elem == TIR_TUPLE);
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
        if (r->reached[id] && tir_op_has_body(node->op)) {
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

/* --- branches ----------------------------------------------------------------------------------*/

static bool result_found(const BranchUse *use, const bool *reached) {
    for (uint32_t k = 0; k < use->results.count; k++)
        if (reached[use->results.at[k]])
            return true;
    return use->results.count == 0;
}

/* The last value that is made of the branch's results, outside the branch; 0: none is. */
static TirId last_made_of(Sema *s, const BranchUse *use) {
    const TirBlock *block = s->program->block;
    bool *made = ARENA_ARRAY(s->arena, bool, block->nodes.count);
    TirId last = 0;
    for (uint32_t k = 0; k < use->results.count; k++)
        made[use->results.at[k]] = true;
    for (TirId id = use->after; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        bool follows = false;
        for (uint32_t k = 0; k < node->n_operands; k++)
            follows = follows || made[node->operands[k]];
        if (follows) {
            made[id] = true;
            last = id;
        }
    }
    return last;
}

/* It went into a state that the trunk's last connection does not keep. */
static bool note_aside(Sema *s, TirId last) {
    for (uint32_t k = 0; k < s->aside.count; k++) {
        const StateAside *aside = &s->aside.at[k];
        if (aside->value != last)
            continue;
        sema_note(s, aside->declared,
                  "its result goes into the state `%s`, which `%s`, the trunk's last connection, "
                  "does not keep",
                  aside->name, aside->last);
        return true;
    }
    return false;
}

static void note_cause(Sema *s, const Reach *r, const BranchUse *use) {
    const char *y = intern_str(s->c->interner, "y"), *ys = intern_str(s->c->interner, "ys");
    const Item *connection = use->connection;
    for (uint32_t k = 0; k < use->results.count; k++)
        if (r->blocked[use->results.at[k]]) {
            sema_note(s, r->blocked[use->results.at[k]]->span,
                      "the loss depends on it only by way of this, which has no derivative");
            return;
        }
    const char *branch = intern_str(s->c->interner, "branch");
    const bool mentioned = use->of_inner || ast_mentions(&connection->body, y) ||
                           ast_mentions(&connection->body, ys) ||
                           ast_mentions(&connection->body, branch);
    const TirId last = mentioned ? last_made_of(s, use) : 0;
    if (last && note_aside(s, last))
        return;
    if (last)
        sema_note(s, tir_node(s->program->block, last)->span,
                  "what is made of its result ends here, and the loss depends on none of it");
    else if (!mentioned)
        sema_note(s, connection->name.span, "`%s` never uses `y`, which its branch gives",
                  connection->name.text);
    else
        sema_note(s, connection->name.span, "`%s` does not use it at this site",
                  connection->name.text);
}

static void warn_branches(Sema *s, const Reach *r) {
    for (uint32_t k = 0; k < s->branches.count; k++) {
        BranchUse *use = &s->branches.at[k];
        use->lost = !result_found(use, r->reached);
        if (!use->lost)
            continue;
        sema_warning(s, DIAG_NO_PATH, use->at, "the branch `%s` of `%s` has no path to the loss",
                     use->name, use->site);
        note_cause(s, r, use);
        sema_help(s, "it is computed for nothing, and its parameters stay as they begin");
    }
}

/* --- parameters --------------------------------------------------------------------------------*/

/* By parameter: the value that stands for it in the program; 0: none does. */
static TirId *param_values(Sema *s) {
    const TirBlock *block = s->program->block;
    TirId *values = ARENA_ARRAY(s->arena, TirId, s->program->params.count + 1);
    for (TirId id = 1; id < block->nodes.count; id++)
        if (tir_node(block, id)->op == TIR_PARAM)
            values[tir_node(block, id)->attr.index] = id;
    return values;
}

/* Of a site whose branch is lost. */
static bool lost_with_branch(const Sema *s, const char *name) {
    for (uint32_t k = 0; k < s->branches.count; k++) {
        const size_t length = strlen(s->branches.at[k].site);
        if (s->branches.at[k].lost && strncmp(name, s->branches.at[k].site, length) == 0 &&
            name[length] == '.')
            return true;
    }
    return false;
}

static void warn_declaration(Sema *s, const Usage *u) {
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

/* Those of one place in one message. */
static void warn_instances(Sema *s, const bool *lost, uint32_t first, Span at) {
    enum { NAMED = 3 };
    const char *names = "";
    uint32_t count = 0;
    for (uint32_t k = first; k < s->program->params.count; k++) {
        const char *name = s->program->params.at[k].name;
        const Instance *instance = map_get_str(s->instances, name);
        if (!lost[k] || !instance || instance->used_at.file != at.file ||
            instance->used_at.begin != at.begin)
            continue;
        if (count++ < NAMED)
            names = arena_printf(s->arena, "%s%s`%s`", names, count > 1 ? ", " : "", name);
    }
    if (count > NAMED)
        names = arena_printf(s->arena, "%s and %u more", names, count - NAMED);
    sema_warning(s, DIAG_NO_PATH, at, "%s %s no path to the loss", names,
                 count == 1 ? "has" : "have");
    sema_note(s, s->program->params.at[first].span, "declared here");
    sema_help(s, "training leaves %s as %s", count == 1 ? "it" : "them",
              count == 1 ? "it begins" : "they begin");
}

static void warn_params(Sema *s, const Reach *r) {
    const TirProgram *program = s->program;
    const TirId *values = param_values(s);
    bool *lost = ARENA_ARRAY(s->arena, bool, program->params.count + 1);
    for (uint32_t k = 0; k < program->params.count; k++) {
        const TirParam *p = &program->params.at[k];
        Usage *usage = usage_at(s, p->span);
        const bool reached = values[k] && r->reached[values[k]];
        lost[k] = !reached && !p->frozen && !p->buffer && !lost_with_branch(s, p->name);
        if (!usage)
            continue;
        usage->reached = usage->reached || reached || p->frozen;
        if (values[k] && r->blocked[values[k]])
            usage->blocked = r->blocked[values[k]]->span;
    }
    for (uint32_t k = 0; k < program->params.count; k++) {
        const TirParam *p = &program->params.at[k];
        const Usage *usage = usage_at(s, p->span);
        const Instance *instance = map_get_str(s->instances, p->name);
        if (!lost[k] || (usage && !usage->used))
            continue; /* what is never used is said so */
        if (usage && ast_has_file(s->ast, usage->span.file) && !usage->reached)
            warn_declaration(s, usage);
        else if (instance && instance->used_at.file)
            warn_instances(s, lost, k, instance->used_at);
    }
}

void warn_unreached(Sema *s) {
    const TirBlock *block = s->program->block;
    const Reach r = reach_create(s, block);
    for (uint32_t k = 0; k < s->program->outputs.count; k++)
        if (s->program->outputs.at[k].role == TIR_OUT_LOSS ||
            s->program->outputs.at[k].role == TIR_OUT_RESULT)
            r.reached[s->program->outputs.at[k].value] = true;
    reach_block(s, block, &r);
    warn_branches(s, &r);
    warn_params(s, &r);
}

void warn_branch_unreached(Sema *s, TirId ended) {
    const Reach r = reach_create(s, s->program->block);
    r.reached[ended] = true;
    for (uint32_t k = 0; k < s->penalties.count; k++)
        r.reached[s->penalties.at[k]] = true;
    reach_block(s, s->program->block, &r);
    for (uint32_t k = 0; k < s->branches.count; k++) {
        const BranchUse *use = &s->branches.at[k];
        if (result_found(use, r.reached))
            continue;
        sema_warning(s, DIAG_NO_PATH, use->at,
                     "nothing is learnt from what a branch gives at the last site of `%s`",
                     use->connection->name.text);
        note_cause(s, &r, use);
        sema_help(s, "the branch is computed for nothing, and its parameters stay as they begin: "
                     "have a state that `end` reads written with `y`");
    }
}
