/* From syntax tree to checked network. */
#ifndef HCC_SEMA_SEMA_H
#define HCC_SEMA_SEMA_H

#include "sema/network.h"

/* `--set key=value`: key names a model constant ("d"), or a recipe value ("train.lr"); the value is
 * an expression in .hc syntax. */
typedef struct {
    const char *key;
    const char *value;
} Override;

typedef struct {
    const Override *overrides;
    uint32_t n_overrides;
    const char *model; /* NULL: the file's only model */
    bool maps;         /* every site by itself: states and results of branches are arguments of the
                          program's block, for pass_maps; nothing is warned of */
    bool exports;      /* values are remembered by name, for pass_cut, and no loss need be there */
    const char *const *given; /* of these, those that the caller gives */
    uint32_t n_given;
    bool apart; /* every site by itself, as with maps, for the programs of a connection */
} SemaOptions;

/* Checks the file and elaborates its model. All errors go to c->diagnostics; returns NULL when
 * there is any. A file without a model (a library of definitions) is checked as far as that goes
 * and gives NULL without an error when options->model is NULL. */
Network *sema_check(Compilation *c, const Ast *ast, const SemaOptions *options);

/* The standard library's definitions, parsed on demand: for `hcc show`. */
typedef struct {
    const char *name, *kind, *doc, *text; /* kind: "connection", "branch", "fn" ... */
} StdDefinition;
const StdDefinition *std_definitions(Compilation *c, uint32_t *count);

#endif
