/* What the rules of grammar/hc.l do: values of words, numbers and strings, and complaints. */
#include "base/utf8.h"
#include "syntax/lexer_internal.h"
#include "syntax/words.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void lexer_fault(Lexer *lexer, const char *message) {
    diag_error(lexer->c->diagnostics, DIAG_LEX, (Span){lexer->file, 0, 0},
               "the file could not be read into words: %s", message);
    longjmp(*lexer->c->out_of_memory, 2); /* parse.c set it and tells 1 from 2 */
}

/* flex asks for memory a few times a file; a header word remembers the size for growing. */
void *lexer_memory(Lexer *lexer, void *old, size_t size) {
    enum { HEADER = 16 };
    char *memory = (char *)arena_alloc(lexer->scratch, HEADER + size) + HEADER;
    memcpy(memory - HEADER, &size, sizeof size);
    if (old) {
        size_t old_size;
        memcpy(&old_size, (char *)old - HEADER, sizeof old_size);
        memcpy(memory, old, old_size < size ? old_size : size);
    }
    return memory;
}

static Span lexer_span(const Lexer *lexer, const char *text, size_t length) {
    uint32_t begin = (uint32_t)(text - lexer->text);
    return (Span){lexer->file, begin, begin + (uint32_t)length};
}

void lexer_newline(Lexer *lexer) {
    lexer->line_has_tokens = false;
}

void lexer_doc(Lexer *lexer, const char *text, size_t length) {
    if (length && *text == ' ') {
        text++;
        length--;
    }
    while (length && (text[length - 1] == '\r' || text[length - 1] == ' '))
        length--;
    Arena *arena = lexer->c->arena;
    size_t before = lexer->doc ? strlen(lexer->doc) + 1 : 0;
    char *doc = arena_alloc(arena, before + length + 1);
    if (before) {
        memcpy(doc, lexer->doc, before - 1);
        doc[before - 1] = '\n';
    }
    memcpy(doc + before, text, length);
    lexer->doc = doc;
}

void lexer_open_comment(Lexer *lexer, const char *at) {
    lexer->comment = (uint32_t)(at - lexer->text);
}

void lexer_unclosed_comment(Lexer *lexer) {
    Span at = {lexer->file, lexer->comment, lexer->comment + 2};
    diag_error(lexer->c->diagnostics, DIAG_UNCLOSED, at, "this comment is never closed");
    diag_help(lexer->c->diagnostics, "end it with `*/`");
}

void lexer_byte_order_mark(Lexer *lexer, const char *at) {
    if (at != lexer->text)
        lexer_stray(lexer, at, 3);
}

/* What people mean by signs that editors and papers put in. */
static const char *lexer_meant(const char *text, size_t length) {
    static const struct {
        const char *sign, *help;
    } MEANT[] = {
        {"#", "comments begin with `//`"},
        {"|", "write `||` for or"},
        {"'", "strings stand in double quotes"},
        {"@", "products are written with indices: `sum[k] A[i,k] * B[k,j]`"},
        {"?", "write `select(condition, a, b)`"},
        {"×", "write `*`"},
        {"·", "write `*`"},
        {"−", "write `-`"},
        {"–", "write `-`"},
        {"≤", "write `<=`"},
        {"≥", "write `>=`"},
        {"≠", "write `!=`"},
        {"→", "write `->`"},
        {"“", "write `\"`"},
        {"”", "write `\"`"},
        {"\xC2\xA0", "this is a no-break space; write an ordinary one"},
    };
    for (size_t k = 0; k < sizeof MEANT / sizeof *MEANT; k++)
        if (strlen(MEANT[k].sign) == length && memcmp(MEANT[k].sign, text, length) == 0)
            return MEANT[k].help;
    return NULL;
}

void lexer_stray(Lexer *lexer, const char *text, size_t length) {
    Diagnostics *d = lexer->c->diagnostics;
    for (size_t i = 0; i < length;) {
        uint32_t code_point;
        size_t size = utf8_decode(text + i, length - i, &code_point);
        if (size == 0 || code_point == 0) {
            i++; /* lexer_check_encoding has reported it */
            continue;
        }
        Span at = lexer_span(lexer, text + i, size);
        bool control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
        if (control)
            diag_error(d, DIAG_LEX, at, "stray control character U+%04X", code_point);
        else
            diag_error(d, DIAG_LEX, at, "`%.*s` has no meaning here", (int)size, text + i);
        const char *help = lexer_meant(text + i, size);
        if (help)
            diag_help(d, "%s", help);
        else if (code_point >= 0x80)
            diag_help(d, "names are made of ASCII letters, digits and `_`");
        i += size;
    }
}

int lexer_word(Lexer *lexer, const char *text, size_t length) {
    const char *name = intern(lexer->c->interner, text, length);
    const Word *word = word_find(name);
    if (word && word->token == TOKEN_REDUCTION)
        lexer->value->reduction = word->reduction;
    if (word && word->reserved)
        return word->token;
    lexer->value->name.text = name;
    lexer->is_name = true;
    return word ? word->token : TOKEN_NAME;
}

int lexer_number(Lexer *lexer, const char *text, size_t length) {
    double value = strtod_l(text, NULL, lexer->locale);
    bool zero = true;
    for (size_t i = 0; i < length && text[i] != 'e' && text[i] != 'E'; i++)
        zero = zero && (text[i] == '0' || text[i] == '.');
    if (isinf(value) || (value == 0 && !zero)) {
        diag_error(lexer->c->diagnostics, DIAG_NUMBER, lexer_span(lexer, text, length),
                   "this number is too %s for a double", isinf(value) ? "large" : "small");
        value = 1;
    }
    lexer->value->number = value;
    return TOKEN_NUMBER;
}

int lexer_bad_number(Lexer *lexer, const char *text, size_t length) {
    Diagnostics *d = lexer->c->diagnostics;
    diag_error(d, DIAG_NUMBER, lexer_span(lexer, text, length), "`%.*s%s` is not a number",
               (int)(length > LEXER_QUOTED ? LEXER_QUOTED : length), text,
               length > LEXER_QUOTED ? "…" : "");
    size_t digits = strspn(text, "0123456789");
    if (text[0] == '.')
        diag_help(d, "write `0%.*s`", (int)(length > LEXER_QUOTED ? LEXER_QUOTED : length), text);
    else if (text[digits] == '.' && digits + 1 == length && length <= LEXER_QUOTED)
        diag_help(d, "write `%.*s` or `%.*s0`", (int)digits, text, (int)length, text);
    else
        diag_help(d, "numbers are written `12`, `0.5`, `1e-3`");
    lexer->value->number = 1;
    return TOKEN_NUMBER;
}

int lexer_string(Lexer *lexer, const char *text, size_t length, bool closed) {
    Diagnostics *d = lexer->c->diagnostics;
    if (!closed) {
        while (length > 1 && text[length - 1] == '\r')
            length--;
        diag_error(d, DIAG_UNCLOSED, lexer_span(lexer, text, length),
                   "this string is not closed on its line");
        diag_help(d, "end it with `\"`");
    }
    char *copy = arena_alloc(lexer->scratch, length + 1);
    size_t used = 0, end = closed ? length - 1 : length;
    for (size_t i = 1; i < end; i++) {
        if (text[i] != '\\' || i + 1 >= end) {
            copy[used++] = text[i];
            continue;
        }
        char escape = text[++i];
        const char *known = strchr("n\nt\tr\r\"\"\\\\", escape);
        if (escape != '\0' && known && (known - "n\nt\tr\r\"\"\\\\") % 2 == 0) {
            copy[used++] = known[1];
        } else {
            diag_error(d, DIAG_LEX, lexer_span(lexer, text + i - 1, 2),
                       "unknown escape in a string");
            diag_help(d, "the escapes are `\\n`, `\\t`, `\\r`, `\\\"` and `\\\\`");
        }
    }
    lexer->value->string = intern(lexer->c->interner, copy, used);
    return TOKEN_STRING;
}
