/* The grammar reads any statement in any block, so that one in the wrong place is told what is
 * wrong and the rest is still read. This check then says which block each belongs to.
 *
 * requires: a parsed tree. maintains: the tree's shape. changes: a misplaced statement becomes a
 * STMT_ERROR, so that nobody complains about it again.
 * Smallest example: `fn f(x) -> y { state h[d]; }` gives E0106. */
#include "syntax/placement.h"
#include "syntax/lexer.h"
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

static const struct {
    const char *word;
    unsigned places; /* 0: anywhere */
    const char *belongs;
} RULES[] = {
    [STMT_CONST] = {"const", COMPUTES | IN_TRUNK, "outside `train`"},
    [STMT_PARAM] = {"param", HOLDS_PARAMETERS, "in a connection, branch, module or model"},
    [STMT_BUFFER] = {"buffer", HOLDS_PARAMETERS, "in a connection, branch, module or model"},
    [STMT_UPDATE] = {"update", HOLDS_PARAMETERS, "in a connection, branch, module or model"},
    [STMT_STATE] = {"state", IN_CONNECTION, "in a connection"},
    [STMT_CARRY] = {"carry", IN_CONNECTION, "in a connection"},
    [STMT_LET] = {"let", COMPUTES, "in a model or a definition"},
    [STMT_BEGIN] = {"begin", IN_CONNECTION, "in a connection"},
    [STMT_READ] = {"read", IN_CONNECTION, "in a connection"},
    [STMT_WRITE] = {"write", IN_CONNECTION, "in a connection"},
    [STMT_APPEND] = {"append", IN_CONNECTION, "in a connection"},
    [STMT_END] = {"end", IN_CONNECTION, "in a connection"},
    [STMT_ASSIGN] = {"=", IN_ITERATE | IN_FOR | IN_FOR_HOLDING, "inside `iterate` or `for`"},
    [STMT_ITERATE] = {"iterate", COMPUTES, "in a model or a definition"},
    [STMT_FOR] = {"for", COMPUTES, "in a model or a definition"},
    [STMT_IF] = {"if", COMPUTES | IN_TRUNK, "outside `train`"},
    [STMT_PENALTY] = {"penalty", HOLDS_PARAMETERS, "in a connection, branch, module or model"},
    [STMT_PROBE] = {"probe", HOLDS_PARAMETERS, "in a connection, branch, module or model"},
    [STMT_REQUIRE] = {"require", HOLDS_PARAMETERS | IN_FN | IN_FOR, "in a model or a definition"},
    [STMT_POSITIONS] = {"positions", IN_MODEL, "in a model"},
    [STMT_INPUT] = {"input", IN_MODEL, "in a model"},
    [STMT_TARGET] = {"target", IN_MODEL, "in a model"},
    [STMT_LOSS] = {"loss", IN_MODEL, "in a model"},
    [STMT_METRIC] = {"metric", IN_MODEL, "in a model"},
    [STMT_REPEAT] = {"repeat", IN_TRUNK, "inside `trunk(x) { … }`"},
    [STMT_SITE] = {":", IN_TRUNK, "inside `trunk(x) { … }`"},
    [STMT_SETTING] = {"", IN_TRAIN, "in a train block"},
    [STMT_DATA] = {"data", IN_TRAIN, "in a train block"},
    [STMT_ERROR] = {"", 0, ""},
};

static void placement_report(Compilation *c, const Stmt *s, unsigned place) {
    Diagnostics *d = c->diagnostics;
    if (s->kind == STMT_SETTING) {
        Name name = s->setting.name;
        diag_error(d, DIAG_PLACE, name.span, "there is no statement `%s`", name.text);
        uint32_t count;
        const char *const *words = token_statement_words(&count);
        const char *meant = nearest_name(name.text, words, count);
        if (meant)
            diag_help(d, "did you mean `%s`?", meant);
        else
            diag_help(d, "settings such as `steps 2000;` stand in a train block");
        return;
    }
    if (s->kind == STMT_ASSIGN) {
        Target target = s->bindings.at[0].target;
        diag_error(d, DIAG_PLACE, target.span,
                   "only `iterate` and `for` may assign to a name again");
        if (place == IN_TRAIN)
            diag_help(d, "a setting is written without `=`: `%s …;`", target.name.text);
        else
            diag_help(d, "write `let %s … = …;`", target.name.text);
        return;
    }
    if (s->kind == STMT_SITE) {
        diag_error(d, DIAG_PLACE, s->site.name.span, "a site belongs %s", RULES[s->kind].belongs);
        return;
    }
    const char *word = RULES[s->kind].word;
    Span at = {s->span.file, s->span.begin, s->span.begin + (uint32_t)strlen(word)};
    diag_error(d, DIAG_PLACE, at, "`%s` belongs %s", word, RULES[s->kind].belongs);
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
    for (uint32_t k = 0; k < block->count; k++) {
        Stmt *s = block->at[k];
        unsigned places = RULES[s->kind].places;
        if (places && !(places & place)) {
            if (!silent)
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
        case STMT_ASSIGN:
            placement_bindings(c, &s->bindings, silent);
            break;
        case STMT_ITERATE:
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
