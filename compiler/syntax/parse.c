/* Running the grammar over a file: lexer -> token stream -> parser -> placement check. */
#include "syntax/parse.h"
#include "syntax/ast_build.h"
#include "syntax/parser.h"
#include "syntax/placement.h"
#include <stdlib.h>

/* What must be given back on every way out, jumps included. */
typedef struct {
    Parser *parser;
    Lexer *lexer;
    grammar_pstate *state;
} ParseRun;

static void parse_release(ParseRun *run) {
    if (run->state)
        grammar_pstate_delete(run->state);
    lexer_destroy(run->lexer);
    arena_destroy(run->parser->scratch);
    *run = (ParseRun){.parser = run->parser};
}

static int parse_push(ParseRun *run, const Token *token) {
    Parser *p = run->parser;
    p->current = *token;
    int status = grammar_push_parse(run->state, token->kind, &token->value, &p->current.span, p);
    p->previous = *token;
    return status;
}

/* An error threw away an opening bracket: its whole group goes with it, or the commas inside would
 * pass for those outside. */
static bool parse_skip_group(Parser *p) {
    for (uint32_t depth = 1; depth > 0;) {
        Token token;
        if (!tokens_next(p->tokens, &token) || token.kind == TOKEN_EOF)
            return false;
        bool opens = token.kind == TOKEN_LPAREN || token.kind == TOKEN_LBRACKET ||
                     token.kind == TOKEN_LBRACE;
        bool closes = token.kind == TOKEN_RPAREN || token.kind == TOKEN_RBRACKET ||
                      token.kind == TOKEN_RBRACE;
        depth += opens ? 1 : closes ? -1u : 0;
        p->previous = token;
    }
    return true;
}

static void parse_tokens(ParseRun *run, int start) {
    Parser *p = run->parser;
    p->scratch = arena_create_child(p->arena);
    p->docs = map_create(p->scratch);
    run->lexer = lexer_create(p->scratch, p->c, p->file, p->docs);
    p->tokens =
        tokens_create(p->scratch, p->c, p->file, run->lexer, start == TOKEN_START_EXPRESSION);
    run->state = grammar_pstate_new();
    if (!run->state)
        arena_alloc(p->arena, SIZE_MAX); /* out of memory, said the arena's way */
    Token token = {.kind = start, .span = {p->file, 0, 0}};
    int status = parse_push(run, &token);
    while (status == YYPUSH_MORE && tokens_next(p->tokens, &token)) {
        status = parse_push(run, &token);
        bool opens = token.kind == TOKEN_LPAREN || token.kind == TOKEN_LBRACKET ||
                     token.kind == TOKEN_LBRACE;
        if (opens && status == YYPUSH_MORE && grammar_discarding(run->state) &&
            !parse_skip_group(p))
            break;
    }
}

static Parser *parse_run(Compilation *c, uint32_t file, int start) {
    ParseRun *run = ARENA_NEW(c->arena, ParseRun); /* not a local: it outlives a longjmp */
    Parser *p = ARENA_NEW(c->arena, Parser);
    run->parser = p;
    p->c = c;
    p->arena = c->arena;
    p->file = file;
    p->last_missing = UINT32_MAX;
    p->ast = ARENA_NEW(c->arena, Ast);
    p->ast->file = file;
    jmp_buf here, *outer = c->out_of_memory;
    int jumped = setjmp(here); /* 1: memory is exhausted; 2: lexer_fault has reported */
    if (jumped == 0) {
        c->out_of_memory = &here;
        parse_tokens(run, start);
    }
    c->out_of_memory = outer;
    parse_release(run);
    if (jumped == 1) {
        if (!outer)
            abort(); /* what arena.h promises when nobody handles it */
        longjmp(*outer, 1);
    }
    return p;
}

Ast *parse_file(Compilation *c, uint32_t file) {
    Parser *p = parse_run(c, file, TOKEN_START_FILE);
    placement_check(c, p->ast, p->block_unclosed);
    return p->ast;
}

Expr *parse_value(Compilation *c, uint32_t file, Expr **parts) {
    uint32_t errors = diag_error_count(c->diagnostics);
    Parser *p = parse_run(c, file, TOKEN_START_EXPRESSION);
    const bool good = diag_error_count(c->diagnostics) == errors;
    *parts = good ? p->parts : NULL;
    return good ? p->expression : NULL;
}
