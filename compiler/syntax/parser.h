/* What one run of the parser owns. Private to syntax/. */
#ifndef HCC_SYNTAX_PARSER_H
#define HCC_SYNTAX_PARSER_H

#include "base/map.h"
#include "syntax/parse.h"
#include "syntax/tokens.h"

struct Parser {
    Compilation *c;
    Arena *arena;   /* the tree's: the compilation's own */
    Arena *scratch; /* the lexer's and the token stream's; freed after parsing */
    uint32_t file;
    Ast *ast;
    Expr *expression, *parts; /* parse_value's results */
    Map *docs;                /* offset of a token to the doc comment above it */
    TokenStream *tokens;
    Token current;         /* the one the grammar is looking at */
    Token previous;        /* the last one it took */
    uint32_t last_error;   /* offset behind the last syntax error's beginning; 0 = none yet */
    uint32_t last_missing; /* offset of the last missing `;` or bracket that was reported */
    bool nesting_reported;
    bool block_unclosed;
    bool lost_at_top; /* what stands outside of definitions has been reported; none has begun since
                       */
};

#endif
