/* The lexer: what is scanned, and the next word of it. */
#include "base/utf8.h"
#include "syntax/lexer_internal.h"

#include "hc.lex.h"
#include <locale.h>
#include <string.h>

enum { ENCODING_ERRORS = 20 };

const char *token_describe(const Compilation *c, Arena *arena, int kind, Span span) {
    if (kind == TOKEN_EOF)
        return "the end of the file";
    if (kind == TOKEN_STRING)
        return "a string";
    size_t length;
    const char *text = source_text(c->sources, span.file, &length);
    uint32_t size = span.end - span.begin;
    return arena_printf(arena, "`%.*s%s`", (int)(size > LEXER_QUOTED ? LEXER_QUOTED : size),
                        text + span.begin, size > LEXER_QUOTED ? "…" : "");
}

/* Reports every NUL and every run of bytes that is no UTF-8; the scanner then passes over them. */
static void lexer_check_encoding(Lexer *lexer) {
    uint32_t reported = 0;
    for (size_t i = 0; i < lexer->length && reported < ENCODING_ERRORS;) {
        uint32_t code_point;
        size_t size = utf8_decode(lexer->text + i, lexer->length - i, &code_point);
        if (size != 0 && code_point != 0) {
            i += size;
            continue;
        }
        bool nul = size != 0;
        size_t begin = i;
        while (i < lexer->length) {
            size = utf8_decode(lexer->text + i, lexer->length - i, &code_point);
            if (nul ? !(size == 1 && code_point == 0) : size != 0)
                break;
            i++;
        }
        reported++;
        Span at = {lexer->file, (uint32_t)begin, (uint32_t)i};
        diag_error(lexer->c->diagnostics, DIAG_ENCODING, at,
                   nul ? "the file contains a NUL byte" : "this is not UTF-8 text");
        if (!nul)
            diag_help(lexer->c->diagnostics, "save the file as UTF-8");
    }
}

Lexer *lexer_create(Arena *scratch, Compilation *c, uint32_t file, Map *docs) {
    Lexer *lexer = ARENA_NEW(scratch, Lexer);
    lexer->c = c;
    lexer->scratch = scratch;
    lexer->file = file;
    lexer->docs = docs;
    const char *text = source_text(c->sources, file, &lexer->length);
    lexer->text = arena_alloc(scratch, lexer->length + 2);
    memcpy(lexer->text, text, lexer->length);
    lexer_check_encoding(lexer);
    lexer->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (flex_lex_init_extra(lexer, &lexer->scanner) != 0 ||
        !flex__scan_buffer(lexer->text, lexer->length + 2, lexer->scanner))
        lexer_fault(lexer, "it could not start");
    return lexer;
}

void lexer_destroy(Lexer *lexer) {
    if (lexer && lexer->locale)
        freelocale(lexer->locale); /* the rest is the scratch arena's */
}

void lexer_next(Lexer *lexer, Token *out) {
    *out = (Token){0};
    lexer->value = &out->value;
    lexer->is_name = false;
    out->kind = flex_lex(lexer->scanner);
    uint32_t begin = (uint32_t)(flex_get_text(lexer->scanner) - lexer->text);
    uint32_t length = (uint32_t)flex_get_leng(lexer->scanner);
    if (out->kind == TOKEN_EOF) {
        begin = (uint32_t)lexer->length;
        length = 0;
    }
    out->span = (Span){lexer->file, begin, begin + length};
    if (lexer->is_name)
        out->value.name.span = out->span;
    out->first_on_line = !lexer->line_has_tokens;
    lexer->line_has_tokens = true;
    if (lexer->doc) {
        *map_slot_u64(lexer->docs, begin) = (void *)lexer->doc;
        lexer->doc = NULL;
    }
}
