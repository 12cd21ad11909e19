/* A Sema as it begins, and a fresh program for it to build. */
#include "sema/elaboration.h"
#include "sema/frame.h"
#include <string.h>

static Network *network_create(Compilation *c) {
    Network *network = ARENA_NEW(c->arena, Network);
    network->program = tir_program_create(c);
    return network;
}

/* A fresh program to elaborate into. */
void sema_enter_program(Sema *s) {
    s->network = network_create(s->c);
    s->program = s->network->program;
    s->loop = ARENA_NEW(s->arena, Loop);
    s->loop->builder = tir_builder(s->program, s->program->block);
    s->instances = map_create(s->arena);
    s->once = map_create(s->arena);
    s->probes = map_create(s->arena);
    s->random_calls = map_create(s->arena);
    s->updates = map_create(s->arena);
    s->constraints = map_create(s->arena);
    s->built = (BuiltList){0};
    s->branches = (BranchUseList){0};
    s->aside = (StateAsideList){0};
    memset(s->causal, 0, sizeof s->causal);
    s->penalties = (TirIdVec){0};
    s->losses.count = s->penalty_terms.count = 0;
    s->loss = s->logits = s->loss_weight = 0;
    s->metrics = 0;
    s->frame = NULL;
    s->model_scope = NULL;
    s->mode = (Mode){0};
}

Sema *sema_create(Compilation *c, const Ast *ast, const SemaOptions *options) {
    static const char *const words[WORD_COUNT] = {"site",     "sites",         "block", "blocks",
                                                  "branches", "branch_inputs", "here",  "identity",
                                                  "training", "step",          "steps"};
    Sema *s = ARENA_NEW(c->arena, Sema);
    s->c = c;
    s->arena = c->arena;
    s->d = c->diagnostics;
    s->ast = ast;
    s->options = options;
    s->usage = map_create(s->arena);
    s->used_items = map_create(s->arena);
    s->syntax_errors = diag_error_count(s->d) > 0;
    for (uint32_t k = 0; k < WORD_COUNT; k++)
        s->words[k] = intern_str(c->interner, words[k]);
    s->library = scope_create(s, NULL, NULL);
    s->library->is_library = true;
    s->root = scope_create(s, NULL, NULL);
    sema_enter_program(s);
    return s;
}
