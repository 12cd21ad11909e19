/* Between lexer.c, which calls what flex makes of grammar/hc.l, and the actions of its rules. */
#ifndef HCC_SYNTAX_LEXER_INTERNAL_H
#define HCC_SYNTAX_LEXER_INTERNAL_H

#include "syntax/lexer.h"
#include <locale.h>

enum { LEXER_QUOTED = 40 }; /* bytes of the text that a message repeats */

struct Lexer {
    Compilation *c;
    Arena *scratch;
    uint32_t file;
    char *text; /* a copy that flex may write into, with the two NULs it wants */
    size_t length;
    void *scanner;   /* flex's */
    locale_t locale; /* "C", whatever the user's is: a number has a point */
    Map *docs;
    const char *doc;      /* collected, waiting for the next token */
    uint32_t comment;     /* where the open comment began */
    bool line_has_tokens; /* before the one being read */
    GRAMMAR_STYPE *value; /* of the token being read */
    bool is_name;         /* its value is a name, whose span is still to be set */
};

/* flex would print and exit. */
#define YY_FATAL_ERROR(message) lexer_fault(flex_get_extra(yyscanner), message)
_Noreturn void lexer_fault(struct Lexer *lexer, const char *message);

void *lexer_memory(struct Lexer *lexer, void *old, size_t size);

void lexer_newline(struct Lexer *lexer);
void lexer_doc(struct Lexer *lexer, const char *text, size_t length);
void lexer_open_comment(struct Lexer *lexer, const char *at);
void lexer_unclosed_comment(struct Lexer *lexer);
void lexer_byte_order_mark(struct Lexer *lexer, const char *at);
void lexer_stray(struct Lexer *lexer, const char *text, size_t length);

/* These return the token's kind and leave its value. */
int lexer_word(struct Lexer *lexer, const char *text, size_t length);
int lexer_number(struct Lexer *lexer, const char *text, size_t length);
int lexer_bad_number(struct Lexer *lexer, const char *text, size_t length);
int lexer_string(struct Lexer *lexer, const char *text, size_t length, bool closed);

#endif
