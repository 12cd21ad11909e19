/* The lexer: text to words, with doc comments set aside. */
#ifndef HCC_SYNTAX_LEXER_H
#define HCC_SYNTAX_LEXER_H

#include "base/compilation.h"
#include "base/map.h"
#include "hc.tab.h"

typedef struct {
    int kind;
    Span span;
    GRAMMAR_STYPE value;
    bool first_on_line;
    const Missing *missing; /* of a virtual token, else NULL */
} Token;

typedef struct Lexer Lexer;

/* `docs` takes each doc comment under the offset of the token it stands above. */
Lexer *lexer_create(Arena *scratch, Compilation *c, uint32_t file, Map *docs);
void lexer_destroy(Lexer *lexer); /* NULL is fine */
void lexer_next(Lexer *lexer, Token *out);

/* "`let`", "the end of the file", "a string": how messages name a token. */
const char *token_describe(const Compilation *c, Arena *arena, int kind, Span span);

#endif
