/* The token stream the grammar reads: words from the lexer, made balanced.
 *
 * Every opening bracket gets its closing one and every statement its `;`. Where the author left one
 * out a virtual token stands in, carrying a Missing; it is the grammar that reports it, once it has
 * accepted it. That keeps error recovery inside the bracket or statement in which it began. */
#ifndef HCC_SYNTAX_TOKENS_H
#define HCC_SYNTAX_TOKENS_H

#include "base/compilation.h"
#include "base/map.h"
#include "hc.tab.h"
#include "syntax/lexer.h"

typedef struct TokenStream TokenStream;

/* `is_expression`: the text is one expression, which no `;` ends. */
TokenStream *tokens_create(Arena *scratch, Compilation *c, uint32_t file, Lexer *lexer,
                           bool is_expression);
/* False at a place where reading must stop: nested too deeply (which has been reported). */
bool tokens_next(TokenStream *tokens, Token *out);
/* The first token of the statement being read, and the innermost open bracket (or NULL). */
const Token *tokens_statement_start(const TokenStream *tokens);
const Token *tokens_open_bracket(const TokenStream *tokens);

#endif
