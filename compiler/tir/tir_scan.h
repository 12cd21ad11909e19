/* The tokens of tensor IR text. Private to the reader. */
#ifndef HCC_TIR_SCAN_H
#define HCC_TIR_SCAN_H

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
} TirScanner;

void tir_scanner_start(TirScanner *s, Compilation *c, uint32_t file);
void tir_scanner_next(TirScanner *s);
/* Reports once at the token ahead; afterwards every token is END. */
void tir_scanner_fail(TirScanner *s, const char *message);

bool tir_scanner_sign(TirScanner *s, char sign); /* consumes it if ahead */
bool tir_scanner_word(TirScanner *s, const char *word);
void tir_scanner_expect_word(TirScanner *s, const char *word);
void tir_scanner_expect_sign(TirScanner *s, char sign);
void tir_scanner_expect_line(TirScanner *s);
const char *tir_scanner_string(TirScanner *s);
double tir_scanner_number(TirScanner *s);
int64_t tir_scanner_integer(TirScanner *s, int64_t low, int64_t high);
uint32_t tir_scanner_value(TirScanner *s);

#endif
