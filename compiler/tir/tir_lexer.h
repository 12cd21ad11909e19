/* The tokens of tensor IR text. Private to the reader. */
#ifndef HCC_TIR_LEXER_H
#define HCC_TIR_LEXER_H

#include "tir/tir_text.h"

typedef enum {
    TOKEN_END,
    TOKEN_LINE, /* end of a line that held something */
    TOKEN_WORD,
    TOKEN_NUMBER, /* also inf, -inf, nan */
    TOKEN_STRING,
    TOKEN_VALUE, /* %7 */
    TOKEN_AT,    /* @pos1 */
    TOKEN_SIGN,
    TOKEN_BAD
} TirTokenKind;

typedef struct {
    TirTokenKind kind;
    uint32_t begin, end;
    double number;    /* NUMBER, VALUE */
    const char *text; /* WORD, STRING, AT: interned */
    char sign;
} TirToken;

typedef struct {
    Compilation *c;
    uint32_t file;
    const char *text;
    uint32_t length, at;
    TirToken token; /* the one ahead */
    bool failed;
} TirLexer;

void tir_lexer_start(TirLexer *s, Compilation *c, uint32_t file);
void tir_lexer_next(TirLexer *s);
/* Reports once at the token ahead; afterwards every token is END. */
void tir_lexer_fail(TirLexer *s, const char *message);

bool tir_lexer_sign(TirLexer *s, char sign); /* consumes it if ahead */
bool tir_lexer_word(TirLexer *s, const char *word);
void tir_lexer_expect_word(TirLexer *s, const char *word);
void tir_lexer_expect_sign(TirLexer *s, char sign);
void tir_lexer_expect_line(TirLexer *s);
const char *tir_lexer_string(TirLexer *s);
double tir_lexer_number(TirLexer *s);
int64_t tir_lexer_integer(TirLexer *s, int64_t low, int64_t high);
uint32_t tir_lexer_value(TirLexer *s);

#endif
