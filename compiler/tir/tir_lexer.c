/* Splits tensor IR text into tokens; see tir_text.h for the form. */
#include "tir/tir_lexer.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void tir_lexer_fail(TirLexer *s, const char *message) {
    if (!s->failed) {
        const Span at = {s->file, s->token.begin, s->token.end};
        diag_error(s->c->diagnostics, DIAG_TIR_TEXT, at, "%s", message);
    }
    s->failed = true;
    s->token.kind = TOKEN_END;
    s->at = s->length;
}

static int peek(const TirLexer *s, uint32_t ahead) {
    return s->at + ahead < s->length ? (unsigned char)s->text[s->at + ahead] : -1;
}

static bool word_char(int c) {
    return c == '_' || (c >= 0 && c < 128 && isalnum(c));
}

static bool scan_string(TirLexer *s) {
    Arena *arena = s->c->arena;
    VEC(char) bytes = {0};
    s->at++;
    for (;; s->at++) {
        int c = peek(s, 0);
        if (c < 32)
            return false;
        if (c == '"')
            break;
        if (c == '\\') {
            c = peek(s, 1);
            if (c == 'x' && isxdigit(peek(s, 2) & 127) && isxdigit(peek(s, 3) & 127)) {
                const char hex[3] = {s->text[s->at + 2], s->text[s->at + 3], 0};
                c = (int)strtol(hex, NULL, 16);
                s->at += 2;
            } else if (c != '"' && c != '\\') {
                return false;
            }
            s->at++;
        }
        vec_push(arena, &bytes, (char)c);
    }
    s->at++;
    s->token.text = intern(s->c->interner, bytes.count ? bytes.at : "", bytes.count);
    return true;
}

/* What strtod reads, but only from here to the token's end. */
static bool scan_number(TirLexer *s) {
    char few[64];
    const uint32_t begin = s->at;
    for (int c = peek(s, 0); word_char(c) || c == '.' || c == '+' || c == '-'; c = peek(s, 0))
        s->at++;
    const uint32_t n = s->at - begin;
    char *copy = n < sizeof few ? few : arena_alloc(s->c->arena, n + 1), *end;
    memcpy(copy, s->text + begin, n);
    copy[n] = 0;
    s->token.number = strtod(copy, &end);
    return n > 0 && *end == 0;
}

void tir_lexer_next(TirLexer *s) {
    if (s->failed)
        return;
    const bool line_open = s->token.kind != TOKEN_LINE && s->token.kind != TOKEN_END;
    bool newline = false;
    for (int c = peek(s, 0); c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';';
         c = peek(s, 0)) {
        if (c == ';')
            while (peek(s, 0) >= 0 && peek(s, 0) != '\n')
                s->at++;
        else
            s->at++;
        newline |= c == '\n';
    }
    s->token = (TirToken){.begin = s->at, .end = s->at + 1};
    const int c = peek(s, 0);
    if (c < 0)
        s->token.end = s->at;
    if ((newline || c < 0) && line_open) {
        s->token.kind = TOKEN_LINE;
        return;
    }
    bool fine = true;
    if (c < 0) {
        s->token.kind = TOKEN_END;
    } else if (c == '"') {
        s->token.kind = TOKEN_STRING;
        fine = scan_string(s);
    } else if (c == '%') {
        s->token.kind = TOKEN_VALUE;
        s->at++;
        fine = isdigit(peek(s, 0) & 127) && scan_number(s);
    } else if (c < 128 && (isdigit(c) || c == '-' || c == '+' || c == '.')) {
        s->token.kind = TOKEN_NUMBER;
        fine = scan_number(s);
    } else if (word_char(c) || c == '@') {
        const uint32_t begin = s->at++;
        while (word_char(peek(s, 0)))
            s->at++;
        s->token.kind = c == '@' ? TOKEN_AT : TOKEN_WORD;
        s->token.text = intern(s->c->interner, s->text + begin, s->at - begin);
        if (strcmp(s->token.text, "inf") == 0 || strcmp(s->token.text, "nan") == 0) {
            s->token.kind = TOKEN_NUMBER;
            s->token.number = s->token.text[0] == 'i' ? (double)INFINITY : (double)NAN;
        }
    } else {
        s->token.kind = TOKEN_SIGN;
        s->token.sign = (char)c;
        s->at++;
    }
    s->token.end = s->at;
    if (!fine)
        tir_lexer_fail(s, "malformed number, value or string");
}

void tir_lexer_start(TirLexer *s, Compilation *c, uint32_t file) {
    size_t length;
    *s = (TirLexer){.c = c, .file = file};
    s->text = source_text(c->sources, file, &length);
    s->length = (uint32_t)length;
    tir_lexer_next(s);
}

bool tir_lexer_sign(TirLexer *s, char sign) {
    if (s->token.kind != TOKEN_SIGN || s->token.sign != sign)
        return false;
    tir_lexer_next(s);
    return true;
}

bool tir_lexer_word(TirLexer *s, const char *word) {
    if (s->token.kind != TOKEN_WORD || strcmp(s->token.text, word) != 0)
        return false;
    tir_lexer_next(s);
    return true;
}

void tir_lexer_expect_word(TirLexer *s, const char *word) {
    if (!tir_lexer_word(s, word))
        tir_lexer_fail(s, arena_printf(s->c->arena, "expected `%s`", word));
}

void tir_lexer_expect_sign(TirLexer *s, char sign) {
    if (!tir_lexer_sign(s, sign))
        tir_lexer_fail(s, arena_printf(s->c->arena, "expected `%c`", sign));
}

void tir_lexer_expect_line(TirLexer *s) {
    if (s->token.kind == TOKEN_LINE)
        tir_lexer_next(s);
    else
        tir_lexer_fail(s, "expected the end of the line");
}

const char *tir_lexer_string(TirLexer *s) {
    const char *text = s->token.text;
    if (s->token.kind == TOKEN_STRING) {
        tir_lexer_next(s);
        return text;
    }
    tir_lexer_fail(s, "expected a string");
    return "";
}

double tir_lexer_number(TirLexer *s) {
    const double number = s->token.number;
    if (s->token.kind == TOKEN_NUMBER) {
        tir_lexer_next(s);
        return number;
    }
    tir_lexer_fail(s, "expected a number");
    return 0;
}

int64_t tir_lexer_integer(TirLexer *s, int64_t low, int64_t high) {
    const double number = s->token.number;
    if (s->token.kind != TOKEN_NUMBER || !(number >= (double)low && number <= (double)high) ||
        floor(number) != number) {
        tir_lexer_fail(s, arena_printf(s->c->arena, "expected a whole number from %lld to %lld",
                                       (long long)low, (long long)high));
        return low;
    }
    tir_lexer_next(s);
    return (int64_t)number;
}

uint32_t tir_lexer_value(TirLexer *s) {
    const double number = s->token.number;
    if (s->token.kind != TOKEN_VALUE || number < 1 || number > 4294967295.0 ||
        floor(number) != number) {
        tir_lexer_fail(s, "expected a value");
        return 0;
    }
    tir_lexer_next(s);
    return (uint32_t)number;
}
