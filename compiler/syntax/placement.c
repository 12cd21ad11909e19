/* The grammar reads any statement in any block, so that one in the wrong place is told what is
 * wrong and the rest is still read. This check then says which block each belongs to.
 *
 * requires: a parsed tree. maintains: the tree's shape. changes: a misplaced statement becomes a
 * STMT_ERROR, so that nobody complains about it again.
 * Smallest example: `fn f(x) -> y { state h[d]; }` gives E0106. */
#include "syntax/placement.h"
#include "syntax/foreign.h"
#include "syntax/words.h"
#include <string.h>

typedef enum {
    IN_CONNECTION = 1 << 0,
    IN_BRANCH = 1 << 1,
    IN_MODULE = 1 << 2,
    IN_MODEL = 1 << 3,
    IN_TRAIN = 1 << 4,
    IN_FN = 1 << 5,
    IN_ITERATE = 1 << 6,
    IN_TRUNK = 1 << 7,
    IN_FOR = 1 << 8,
    IN_FOR_HOLDING = 1 << 9, /* `for` in what holds parameters */
} Place;

enum {
    HOLDS_PARAMETERS = IN_CONNECTION | IN_BRANCH | IN_MODULE | IN_MODEL | IN_FOR_HOLDING,
    COMPUTES = HOLDS_PARAMETERS | IN_FN | IN_ITERATE | IN_FOR,
};

/* The places that words.def names. */
enum {
    PLACE_HOLDER = HOLDS_PARAMETERS,
    PLACE_COMPUTING = COMPUTES,
    PLACE_ANY_BUT_TRAIN = COMPUTES | IN_TRUNK,
    PLACE_ONCE = HOLDS_PARAMETERS | IN_FN | IN_FOR, /* not turn after turn */
    PLACE_CONNECTION = IN_CONNECTION,
    PLACE_MODEL = IN_MODEL,
    PLACE_TRUNK = IN_TRUNK,
    PLACE_TRAIN = IN_TRAIN,
};

/* By kind of statement; 0: anywhere. */
static const unsigned places_of[] = {
#define STATEMENT(text, token, standing, place) [STMT_##token] = PLACE_##place,
#include "words.def"
    [STMT_EACH] = PLACE_CONNECTION,
    [STMT_ASSIGN] = IN_ITERATE | IN_FOR | IN_FOR_HOLDING,
    [STMT_SITE] = IN_TRUNK,
    [STMT_SETTING] = IN_TRAIN,
    [STMT_ERROR] = 0,
};

static const char *placement_belongs(StmtKind kind) {
    switch (places_of[kind]) {
    case PLACE_HOLDER:
        return "in a connection, branch, module or model";
    case PLACE_ANY_BUT_TRAIN:
        return "outside `train`";
    case PLACE_CONNECTION:
        return "in a connection";
    case PLACE_MODEL:
        return "in a model";
    case PLACE_TRUNK:
        return "inside `trunk(x) { … }`";
    case PLACE_TRAIN:
        return "in a train block";
    default:
        return "in a model or a definition";
    }
}

#define PLACEMENT_SITE "a trunk is made of sites: `attn = residual : attention(4);`"

static void placement_report(Compilation *c, const Stmt *s, unsigned place) {
    Diagnostics *d = c->diagnostics;
    if (s->kind == STMT_SETTING) {
        Name name = s->setting.name;
        diag_error(d, DIAG_PLACE, name.span, "there is no statement `%s`", name.text);
        uint32_t count;
        const char *const *words = word_statements(&count);
        const char *meant = nearest_name(name.text, words, count);
        const char *foreign = foreign_help(name.text, FOREIGN_BEGINS);
        if (foreign)
            diag_help(d, "%s", foreign);
        else if (meant)
            diag_help(d, "did you mean `%s`?", meant);
        else if (place & IN_TRUNK)
            diag_help(d, PLACEMENT_SITE);
        else
            diag_help(d, "settings such as `steps 2000;` stand in a train block");
        return;
    }
    if (s->kind == STMT_ASSIGN && (place & IN_TRUNK)) {
        const Name name = s->bindings.at[0].target.name;
        const Expr *value = s->bindings.at[0].value;
        const bool alone = value->kind == EXPR_CALL || value->kind == EXPR_NAME;
        diag_error(d, DIAG_PLACE, s->span, "the site `%s` has no connection", name.text);
        diag_help(d,
                  alone ? "write which one stands around the branch: `%s = residual : …;`"
                        : "what is added to what is a connection's: `%s = residual : …;`",
                  name.text);
        return;
    }
    if (s->kind == STMT_ASSIGN) {
        Target target = s->bindings.at[0].target;
        diag_error(d, DIAG_PLACE, target.span,
                   "only `iterate`, `scan` and `for` may assign to a name again");
        if (place == IN_TRAIN)
            diag_help(d, "a setting is written without `=`: `%s …;`", target.name.text);
        else
            diag_help(d, "write `let %s … = …;`", target.name.text);
        return;
    }
    if (s->kind == STMT_SITE) {
        diag_error(d, DIAG_PLACE, s->site.name.span, "a site belongs %s",
                   placement_belongs(s->kind));
        return;
    }
    const char *word = word_of_statement(s->kind);
    Span at = {s->span.file, s->span.begin, s->span.begin + (uint32_t)strlen(word)};
    diag_error(d, DIAG_PLACE, at, "`%s` belongs %s", word, placement_belongs(s->kind));
    if (place & IN_TRUNK)
        diag_help(d, s->kind == STMT_FOR || s->kind == STMT_ITERATE
                         ? "sites are repeated by `repeat n { … }`"
                         : PLACEMENT_SITE);
    if (s->kind == STMT_PARAM && (place & IN_FN))
        diag_help(
            d, "a `fn` holds no parameters: take the tensor as an argument, or write a `module`");
}

static void placement_block(Compilation *c, const StmtList *block, unsigned place, bool silent);

/* A trunk stands only as the value of a binding, as the grammar has it. */
static void placement_bindings(Compilation *c, const BindingList *bindings, bool silent) {
    for (uint32_t k = 0; k < bindings->count; k++) {
        const Expr *value = bindings->at[k].value;
        if (value->kind == EXPR_TRUNK)
            placement_block(c, &value->trunk.body, IN_TRUNK, silent);
    }
}

static void placement_block(Compilation *c, const StmtList *block, unsigned place, bool silent) {
    bool lost = false; /* a statement, so that an assignment may be of the loop that it began */
    for (uint32_t k = 0; k < block->count; k++) {
        Stmt *s = block->at[k];
        unsigned places = places_of[s->kind];
        lost = lost || s->kind == STMT_ERROR;
        if (places && !(places & place)) {
            if (!silent && !(lost && s->kind == STMT_ASSIGN))
                placement_report(c, s, place);
            *s = (Stmt){.kind = STMT_ERROR, .span = s->span};
        }
        switch (s->kind) {
        case STMT_CONST:
        case STMT_LET:
        case STMT_CARRY:
        case STMT_BEGIN:
        case STMT_READ:
        case STMT_WRITE:
        case STMT_APPEND:
        case STMT_END:
        case STMT_UPDATE:
        case STMT_PROJECT:
        case STMT_ASSIGN:
            placement_bindings(c, &s->bindings, silent);
            break;
        case STMT_ITERATE:
        case STMT_SCAN:
            placement_block(c, &s->loop.body, IN_ITERATE, silent);
            break;
        case STMT_FOR:
            placement_block(c, &s->loop.body, place & HOLDS_PARAMETERS ? IN_FOR_HOLDING : IN_FOR,
                            silent);
            break;
        case STMT_REPEAT:
            placement_block(c, &s->loop.body, IN_TRUNK, silent);
            break;
        case STMT_IF:
            placement_block(c, &s->branch.then_body, place, silent);
            placement_block(c, &s->branch.else_body, place, silent);
            break;
        default:
            break;
        }
    }
}

void placement_check(Compilation *c, const Ast *ast, bool silent) {
    static const unsigned PLACES[] = {
        [ITEM_CONNECTION] = IN_CONNECTION,
        [ITEM_BRANCH] = IN_BRANCH,
        [ITEM_MODULE] = IN_MODULE,
        [ITEM_MODEL] = IN_MODEL,
        [ITEM_TRAIN] = IN_TRAIN,
        [ITEM_FN] = IN_FN,
        [ITEM_USE] = 0,
        [ITEM_CONST] = 0,
    };
    for (uint32_t k = 0; k < ast->items.count; k++) {
        const Item *item = ast->items.at[k];
        placement_bindings(c, &item->constants, silent);
        placement_block(c, &item->body, PLACES[item->kind], silent);
    }
}
