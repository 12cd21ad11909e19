/* Balancing the words: see tokens.h.
 *
 * Smallest example: `let a = f(b` newline `let c = 1;` reads as `let a = f(b) ; let c = 1 ;` where
 * the first `)` and the first `;` are virtual. */
#include "syntax/tokens.h"
#include "base/vec.h"
#include "syntax/ast.h"
#include "syntax/ast_build.h"
#include "syntax/words.h"
#include <string.h>

enum { AHEAD = 2 };

typedef struct {
    Token token;       /* the bracket */
    bool trunk;        /* a `{` whose `}` ends an expression */
    bool reduction;    /* the brackets of one */
    uint32_t else_ifs; /* of the chain being read inside it: each nests one deeper in the tree */
} OpenBracket;

struct TokenStream {
    Arena *arena;
    Compilation *c;
    uint32_t file;
    Lexer *lexer;
    bool is_expression; /* the text is one expression: no `;` at its end */
    Token ahead[AHEAD];
    uint32_t n_ahead;
    VEC(OpenBracket) open;
    uint32_t nesting;         /* open brackets and else-ifs together */
    uint32_t top_else_ifs;    /* outside all brackets: only in broken files */
    Token previous;           /* the last one given, virtual ones too */
    uint32_t end;             /* of the last one that was written */
    bool previous_is_operand; /* an expression may end with it */
    bool behind_reduction;    /* the previous token ended a reduction's brackets */
    bool started;             /* anything but file start is behind us */
    bool trunk_ahead;         /* `trunk` read, its `{` to come */
    Token statement;
    uint32_t item_column;
};

TokenStream *tokens_create(Arena *scratch, Compilation *c, uint32_t file, Lexer *lexer,
                           bool is_expression) {
    TokenStream *t = ARENA_NEW(scratch, TokenStream);
    t->arena = scratch;
    t->c = c;
    t->file = file;
    t->lexer = lexer;
    t->is_expression = is_expression;
    t->item_column = 1;
    return t;
}

static const Token *tokens_ahead(TokenStream *t, uint32_t k) {
    while (t->n_ahead <= k) {
        bool at_end = t->n_ahead && t->ahead[t->n_ahead - 1].kind == TOKEN_EOF;
        if (at_end)
            t->ahead[t->n_ahead] = t->ahead[t->n_ahead - 1];
        else
            lexer_next(t->lexer, &t->ahead[t->n_ahead]);
        t->n_ahead++;
    }
    return &t->ahead[k];
}

const Token *tokens_statement_start(const TokenStream *t) {
    return &t->statement;
}

static OpenBracket *tokens_top(TokenStream *t) {
    return t->open.count ? &t->open.at[t->open.count - 1] : NULL;
}

const Token *tokens_open_bracket(const TokenStream *t) {
    return t->open.count ? &t->open.at[t->open.count - 1].token : NULL;
}

static bool tokens_top_is(TokenStream *t, int kind) {
    const OpenBracket *top = tokens_top(t);
    return top && top->token.kind == kind;
}

/* Inside `(` or `[`. */
static bool tokens_in_expression(TokenStream *t) {
    return tokens_top_is(t, TOKEN_LPAREN) || tokens_top_is(t, TOKEN_LBRACKET);
}

static int tokens_closer(int opener) {
    return opener == TOKEN_LPAREN     ? TOKEN_RPAREN
           : opener == TOKEN_LBRACKET ? TOKEN_RBRACKET
                                      : TOKEN_RBRACE;
}

static const char *tokens_text(int kind) {
    return kind == TOKEN_RPAREN     ? ")"
           : kind == TOKEN_RBRACKET ? "]"
           : kind == TOKEN_RBRACE   ? "}"
                                    : ";";
}

/* Is there an open `opener` above the innermost `{`? */
static bool tokens_has_open(const TokenStream *t, int opener) {
    for (uint32_t k = t->open.count; k-- > 0;) {
        int kind = t->open.at[k].token.kind;
        if (kind == opener)
            return true;
        if (kind == TOKEN_LBRACE)
            return false;
    }
    return false;
}

static bool tokens_report_nesting(TokenStream *t, Span at) {
    diag_error(t->c->diagnostics, DIAG_NESTING, at, "nested more than %d deep", AST_NESTING);
    diag_help(t->c->diagnostics, "name a part of it with `let` and use the name");
    return false;
}

static void tokens_push(TokenStream *t, const Token *token) {
    OpenBracket bracket = {.token = *token, .reduction = t->previous.kind == TOKEN_REDUCTION};
    if (token->kind == TOKEN_LBRACE) {
        bracket.trunk = t->trunk_ahead;
        t->trunk_ahead = false;
    }
    vec_push(t->arena, &t->open, bracket);
    t->nesting++;
}

/* Returns whether the bracket was a trunk's `{`. */
static bool tokens_pop(TokenStream *t) {
    OpenBracket bracket = t->open.at[--t->open.count];
    t->nesting -= 1 + bracket.else_ifs;
    return bracket.trunk;
}

/* Gives `token` to the parser and remembers what the next decision needs. */
static bool tokens_give(TokenStream *t, Token *out, Token token) {
    int kind = token.kind;
    bool begins_statement = !t->started || t->previous.kind == TOKEN_SEMICOLON ||
                            t->previous.kind == TOKEN_LBRACE ||
                            (t->previous.kind == TOKEN_RBRACE && !t->previous_is_operand);
    if (begins_statement) {
        t->statement = token;
        if (t->open.count == 0 && token.first_on_line)
            t->item_column = source_line_column(t->c->sources, t->file, token.span.begin).column;
    }
    bool operand = kind == TOKEN_NAME || kind == TOKEN_NUMBER || kind == TOKEN_STRING ||
                   kind == TOKEN_TRUE || kind == TOKEN_FALSE || kind == TOKEN_RPAREN ||
                   kind == TOKEN_RBRACKET;
    t->behind_reduction =
        kind == TOKEN_RBRACKET && t->open.count && t->open.at[t->open.count - 1].reduction;
    bool opener = kind == TOKEN_LPAREN || kind == TOKEN_LBRACKET || kind == TOKEN_LBRACE;
    if (opener)
        tokens_push(t, &token);
    else if (kind == TOKEN_RPAREN || kind == TOKEN_RBRACKET)
        tokens_pop(t);
    else if (kind == TOKEN_RBRACE)
        operand = tokens_pop(t);
    else if (kind == TOKEN_TRUNK)
        t->trunk_ahead = true;
    else if (kind == TOKEN_SEMICOLON)
        t->trunk_ahead = false;

    bool goes_on = true;
    if (kind == TOKEN_IF) {
        uint32_t *else_ifs = t->open.count ? &tokens_top(t)->else_ifs : &t->top_else_ifs;
        if (t->previous.kind == TOKEN_ELSE) {
            *else_ifs += 1;
            t->nesting += 1;
        } else {
            t->nesting -= *else_ifs;
            *else_ifs = 0;
        }
    }
    if (t->nesting > AST_NESTING && (opener || kind == TOKEN_IF))
        goes_on = tokens_report_nesting(t, token.span);

    t->started = true;
    t->previous = token;
    t->previous_is_operand = operand;
    if (!token.missing)
        t->end = token.span.end;
    *out = token;
    return goes_on;
}

/* `loss e weight w`, `batch 32 in 8`: behind what could be a whole value these are no names; 0 for
 * what is one. (In `sum[k] weight` nothing is whole yet.) */
static int tokens_behind_value(TokenStream *t) {
    const Token *token = tokens_ahead(t, 0);
    if (token->kind != TOKEN_NAME || !t->previous_is_operand || t->behind_reduction ||
        tokens_in_expression(t))
        return 0;
    const char *text = token->value.name.text;
    const bool weighed = t->statement.kind == TOKEN_LOSS || t->statement.kind == TOKEN_METRIC;
    if (weighed && strcmp(text, "weight") == 0)
        return TOKEN_WEIGHT;
    const bool setting = t->statement.kind == TOKEN_NAME || (t->is_expression && !t->open.count);
    return setting && strcmp(text, "in") == 0 ? TOKEN_IN : 0;
}

/* `linear(x, 64) as up`: behind a call, before a name, it is none. */
static bool tokens_names_call(TokenStream *t) {
    const Token *token = tokens_ahead(t, 0);
    if (token->kind != TOKEN_NAME || t->previous.kind != TOKEN_RPAREN ||
        strcmp(token->value.name.text, "as") != 0)
        return false;
    const int next = tokens_ahead(t, 1)->kind;
    return next == TOKEN_NAME || word_begins_statement(next) || word_begins_definition(next);
}

/* What the next token is where it stands. */
static int tokens_meaning(TokenStream *t) {
    return tokens_names_call(t) ? TOKEN_AS : tokens_behind_value(t);
}

/* Takes the next written token. */
static bool tokens_take(TokenStream *t, Token *out) {
    Token token = *tokens_ahead(t, 0);
    const int meaning = tokens_meaning(t);
    if (meaning)
        token.kind = meaning;
    if (token.kind != TOKEN_EOF) {
        for (uint32_t k = 1; k < t->n_ahead; k++)
            t->ahead[k - 1] = t->ahead[k];
        t->n_ahead--;
    }
    if (token.kind == TOKEN_RPAREN || token.kind == TOKEN_RBRACKET || token.kind == TOKEN_RBRACE ||
        token.kind == TOKEN_SEMICOLON)
        token.value.missing = NULL;
    return tokens_give(t, out, token);
}

static bool tokens_insert(TokenStream *t, Token *out, int kind) {
    const Token *found = tokens_ahead(t, 0);
    Missing *missing = ARENA_NEW(t->arena, Missing);
    missing->text = tokens_text(kind);
    missing->at = (Span){t->file, t->end, t->end};
    missing->found_kind = found->kind;
    missing->found = found->span;
    if (kind != TOKEN_SEMICOLON)
        missing->opened = tokens_top(t)->token.span;
    Token token = {.kind = kind, .span = missing->at, .missing = missing};
    token.value.missing = missing;
    return tokens_give(t, out, token);
}

/* The statement before has no `;` yet. */
static bool tokens_needs_semicolon(const TokenStream *t) {
    if (!t->started || t->previous.kind == TOKEN_SEMICOLON || t->previous.kind == TOKEN_LBRACE)
        return false;
    if (t->is_expression && t->open.count == 0)
        return false;
    return t->previous.kind != TOKEN_RBRACE || t->previous_is_operand;
}

/* A word of ours can stand inside an expression as a name; it begins a statement only when no
 * expression could go on with it. Reserved words leave no doubt. */
static bool tokens_begins_statement(TokenStream *t) {
    const Token *token = tokens_ahead(t, 0);
    switch (token->kind) {
    case TOKEN_LET:
    case TOKEN_CONST:
    case TOKEN_PARAM:
    case TOKEN_IF:
        if (t->previous.kind == TOKEN_ELSE)
            return false;
        /* `let if = 1;` is one wrong statement rather than two. */
        return token->first_on_line || t->previous_is_operand || !tokens_needs_semicolon(t);
    default:
        break;
    }
    if (!t->previous_is_operand || tokens_in_expression(t) || tokens_meaning(t))
        return false;
    if (word_begins_statement(token->kind))
        return token->first_on_line || t->previous.kind != TOKEN_NAME;
    if (token->kind != TOKEN_NAME || !token->first_on_line)
        return false;
    if (t->open.count == 0)
        return true; /* no definition goes on like this */
    int next = tokens_ahead(t, 1)->kind;
    return next == TOKEN_ASSIGN || next == TOKEN_LBRACKET || next == TOKEN_NUMBER ||
           next == TOKEN_STRING;
}

/* A definition begins: `connection name` at the start of a line, no further in than the
 * definition we are in. */
static bool tokens_begins_item(TokenStream *t) {
    const Token *token = tokens_ahead(t, 0);
    if (!word_begins_definition(token->kind) || !token->first_on_line ||
        tokens_ahead(t, 1)->kind != TOKEN_NAME)
        return false;
    if (t->open.count == 0)
        return true;
    LineColumn place = source_line_column(t->c->sources, t->file, token->span.begin);
    return place.column <= t->item_column;
}

/* Drops a closing bracket that nothing opened. */
static void tokens_drop_unmatched(TokenStream *t) {
    Token token = *tokens_ahead(t, 0);
    diag_error(t->c->diagnostics, DIAG_SYNTAX, token.span, "this `%s` closes nothing",
               tokens_text(token.kind));
    diag_help(t->c->diagnostics, "remove it");
    for (uint32_t k = 1; k < t->n_ahead; k++)
        t->ahead[k - 1] = t->ahead[k];
    t->n_ahead--;
}

/* `(a]`: taken for the bracket that was meant. */
static void tokens_replace_closer(TokenStream *t, int meant) {
    Token *token = &t->ahead[0];
    diag_error(t->c->diagnostics, DIAG_SYNTAX, token->span, "expected `%s`, found `%s`",
               tokens_text(meant), tokens_text(token->kind));
    diag_note(t->c->diagnostics, tokens_top(t)->token.span, "opened here");
    token->kind = meant;
}

bool tokens_next(TokenStream *t, Token *out) {
    for (;;) {
        int kind = tokens_ahead(t, 0)->kind;
        bool item = tokens_begins_item(t);
        bool boundary =
            item || kind == TOKEN_EOF || kind == TOKEN_RBRACE || tokens_begins_statement(t);
        if (tokens_in_expression(t) &&
            (boundary || kind == TOKEN_SEMICOLON || kind == TOKEN_LBRACE))
            return tokens_insert(t, out, tokens_closer(tokens_top(t)->token.kind));
        if (boundary && tokens_needs_semicolon(t))
            return tokens_insert(t, out, TOKEN_SEMICOLON);
        if ((item || kind == TOKEN_EOF) && tokens_top(t))
            return tokens_insert(t, out, TOKEN_RBRACE);

        if (kind == TOKEN_RPAREN || kind == TOKEN_RBRACKET) {
            int opener = kind == TOKEN_RPAREN ? TOKEN_LPAREN : TOKEN_LBRACKET;
            if (!tokens_in_expression(t)) {
                tokens_drop_unmatched(t);
                continue;
            }
            if (!tokens_top_is(t, opener)) {
                int meant = tokens_closer(tokens_top(t)->token.kind);
                if (tokens_has_open(t, opener))
                    return tokens_insert(t, out, meant);
                tokens_replace_closer(t, meant);
            }
        } else if (kind == TOKEN_RBRACE && !tokens_top(t)) {
            tokens_drop_unmatched(t);
            continue;
        }
        return tokens_take(t, out);
    }
}
