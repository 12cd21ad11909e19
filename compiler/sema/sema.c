/* The entry: definitions are gathered, the model elaborated, the rest tried, warnings given. */
#include "sema/sema.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include "std/std.h"
#include "syntax/parse.h"
#include <string.h>

/* --- items -------------------------------------------------------------------------------------*/

static void check_uses(Sema *s, const Ast *ast) {
    for (uint32_t k = 0; k < ast->items.count; k++) {
        const Item *item = ast->items.at[k];
        if (item->kind != ITEM_USE || !item->name.text || strcmp(item->name.text, "std") == 0)
            continue;
        s->lacks_library = true;
        sema_error(s, DIAG_UNKNOWN_NAME, item->name.span, "there is no library `%s`",
                   item->name.text);
        sema_help(s,
                  "the only one is `std`, which is there anyway; a file of yours is used by `use "
                  "\"%s.hc\";`",
                  item->name.text);
    }
}

static const Item *find_item(const Ast *ast, ItemKind kind, const char *name, uint32_t *count) {
    const Item *found = NULL;
    *count = 0;
    for (uint32_t k = 0; k < ast->items.count; k++) {
        const Item *item = ast->items.at[k];
        if (item->kind != kind ||
            (name && (!item->name.text || strcmp(item->name.text, name) != 0)))
            continue;
        if (!found)
            found = item;
        ++*count;
    }
    return found;
}

static void check_duplicates(Sema *s, ItemKind kind) {
    for (uint32_t k = 0; k < s->ast->items.count; k++)
        for (uint32_t j = 0; s->ast->items.at[k]->kind == kind && j < k; j++) {
            const Item *a = s->ast->items.at[j], *b = s->ast->items.at[k];
            if (a->kind != kind || !a->name.text || a->name.text != b->name.text)
                continue;
            sema_error(s, DIAG_DUPLICATE, b->name.span, "the %s `%s` is defined twice",
                       item_kind_text(kind), b->name.text);
            sema_note(s, a->name.span, "the first definition");
            break;
        }
}

static const char *model_names(Sema *s) {
    const char *text = "";
    for (uint32_t k = 0; k < s->ast->items.count; k++)
        if (s->ast->items.at[k]->kind == ITEM_MODEL && s->ast->items.at[k]->name.text)
            text = arena_printf(s->arena, text[0] ? "%s, `%s`" : "%s`%s`", text,
                                s->ast->items.at[k]->name.text);
    return text;
}

/* NULL, with an error when one was wanted. */
static const Item *choose_model(Sema *s) {
    uint32_t count, all;
    const char *wanted = s->options->model;
    const Span nowhere = {s->ast->file, 0, 0};
    const Item *any = find_item(s->ast, ITEM_MODEL, NULL, &all);
    const Item *model = find_item(s->ast, ITEM_MODEL, wanted, &count);
    if (wanted && !model) {
        sema_error(s, DIAG_MODEL, nowhere, "the file has no model `%s`", wanted);
        if (any)
            sema_help(s, "its models are: %s", model_names(s));
        return NULL;
    }
    if (!wanted && all > 1) {
        sema_error(s, DIAG_MODEL, any->name.span, "the file has %u models; say which", all);
        sema_help(s, "its models are: %s; choose with `--model NAME`", model_names(s));
        return NULL;
    }
    if (!any && s->options->n_overrides && !s->syntax_errors)
        sema_error(s, DIAG_MODEL, nowhere, "the file has no model, so there is nothing to set");
    return model;
}

static void elaborate_chosen(Sema *s, const Item *model) {
    uint32_t count;
    s->network->name = model->name.text;
    s->network->named = model->name.span;
    model_elaborate(s, model);
    const Item *train = find_item(s->ast, ITEM_TRAIN, model->name.text, &count);
    recipe_elaborate(s, train);
    for (uint32_t k = 0; k < s->ast->items.count; k++) {
        const Item *item = s->ast->items.at[k];
        if (item->kind != ITEM_TRAIN || !item->name.text)
            continue;
        uint32_t models;
        if (find_item(s->ast, ITEM_MODEL, item->name.text, &models))
            continue;
        sema_error(s, DIAG_MODEL, item->name.span, "there is no model `%s` to train",
                   item->name.text);
        sema_help(s, "the file's models are: %s", model_names(s));
    }
}

/* A loss, or results. */
static bool has_purpose(const Network *network) {
    for (uint32_t k = 0; k < network->program->outputs.count; k++)
        if (network->program->outputs.at[k].role == TIR_OUT_LOSS ||
            network->program->outputs.at[k].role == TIR_OUT_RESULT)
            return true;
    return false;
}

Network *sema_check(Compilation *c, const Ast *ast, const SemaOptions *options) {
    Sema *s = sema_create(c, ast, options);
    check_uses(s, ast);
    for (uint32_t k = 0; k < ast->used.count; k++)
        check_uses(s, ast->used.at[k]);
    check_duplicates(s, ITEM_MODEL);
    check_duplicates(s, ITEM_TRAIN);
    scope_add_items(s, s->root, ast);
    for (uint32_t k = 0; k < ast->used.count; k++)
        scope_add_items(s, s->root, ast->used.at[k]);
    for (uint32_t k = 0; k < s->root->symbols.count; k++)
        if (s->root->symbols.at[k]->kind == SYMBOL_CONST)
            symbol_constant(s, s->root->symbols.at[k]);
    const Item *model = choose_model(s);
    Network *network = s->network;
    if (model)
        elaborate_chosen(s, model);
    Scope *const model_scope = s->model_scope;
    TirProgram *const program = s->program;
    Map *const instances = s->instances;
    const BranchUseList branches = s->branches;
    const StateAsideList aside = s->aside;
    for (uint32_t k = 0; k < ast->items.count; k++) {
        const Item *item = ast->items.at[k];
        if (item == model)
            continue;
        trial_elaborate(s, item, item->kind == ITEM_MODEL ? NULL : model_scope);
    }
    for (uint32_t f = 0; f < ast->used.count; f++)
        for (uint32_t k = 0; k < ast->used.at[f]->items.count; k++)
            if (ast->used.at[f]->items.at[k]->kind != ITEM_MODEL)
                trial_elaborate(s, ast->used.at[f]->items.at[k], model_scope);
    s->program = program;
    s->network = network;
    s->instances = instances;
    s->branches = branches;
    s->aside = aside;
    if (model && diag_error_count(s->d) == 0 && !options->exports &&
        !has_purpose(network)) /* poison without a word */
        sema_error(s, DIAG_LOSS, model->name.span, "the loss of `%s` cannot be determined",
                   model->name.text);
    if (diag_error_count(s->d) == 0 && !options->maps && !options->exports)
        warn_unused(s);
    return model && diag_error_count(s->d) == 0 ? network : NULL;
}
