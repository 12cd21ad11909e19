/* Files that a text uses: found by whoever compiles, parsed here, and kept beside the text's tree.
 *
 * Depth first, in the order of the text; a file that several others use is there once. One that
 * uses itself, by way of others or not, is refused. */
#include "compile/compile_internal.h"
#include "syntax/parse.h"
#include <string.h>

typedef struct {
    const char *name; /* NULL: the text itself */
    Span at;          /* where it is used */
    bool open;        /* what it uses is being taken */
} Taken;

enum { USES_DEEP = 64 };

typedef struct {
    CompileRun *run;
    VEC(Taken) files;
    uint32_t deep;
} Uses;

static void take_uses(Uses *u, uint32_t self, const Ast *ast);

static void say_cycle(Uses *u, const Item *item, uint32_t begun) {
    Diagnostics *d = u->run->c->diagnostics;
    const Taken *files = u->files.at;
    diag_error(d, DIAG_CYCLE, item->name.span, "`%s` would use itself", item->used);
    for (uint32_t k = begun + 1; k < u->files.count; k++)
        if (files[k].open)
            diag_note(d, files[k].at, "by way of this");
    diag_help(d, "put what both files need into a third one");
}

static void take_use(Uses *u, uint32_t by, const Item *item) {
    CompileRun *run = u->run;
    Diagnostics *d = run->c->diagnostics;
    const CompileUses *uses = &run->options.uses;
    if (!uses->find) {
        diag_error(d, DIAG_USE, item->name.span, "this text has no files beside it");
        diag_help(d, "put the definitions that it needs into it");
        return;
    }
    const UsedFile file = uses->find(uses->context, u->files.at[by].name, item->used);
    if (file.why) {
        diag_error(d, DIAG_USE, item->name.span, "%s", file.why);
        diag_help(d, "a file is looked for beside the one that uses it, and then in the folders of "
                     "`-I` and HCC_PATH");
        return;
    }
    for (uint32_t k = 0; k < u->files.count; k++) {
        const char *name = k ? u->files.at[k].name : source_name(run->c->sources, run->file);
        if (strcmp(name, file.name) != 0)
            continue;
        if (u->files.at[k].open)
            say_cycle(u, item, k);
        return;
    }
    if (u->deep == USES_DEEP) {
        diag_error(d, DIAG_NESTING, item->name.span, "more than %d files use each other in a row",
                   USES_DEEP);
        return;
    }
    const uint32_t added = source_add(run->c->sources, file.name, file.text, file.length);
    const Ast *ast = parse_file(run->c, added);
    const uint32_t self = u->files.count;
    vec_push(run->c->arena, &u->files, (Taken){file.name, item->name.span, true});
    vec_push(run->c->arena, &run->ast->used, ast);
    u->deep++;
    take_uses(u, self, ast);
    u->deep--;
    u->files.at[self].open = false;
}

static void take_uses(Uses *u, uint32_t self, const Ast *ast) {
    for (uint32_t k = 0; k < ast->items.count; k++)
        if (ast->items.at[k]->kind == ITEM_USE && ast->items.at[k]->used)
            take_use(u, self, ast->items.at[k]);
}

void compile_uses(CompileRun *run) {
    Uses u = {.run = run};
    vec_push(run->c->arena, &u.files, (Taken){.open = true});
    take_uses(&u, 0, run->ast);
}
