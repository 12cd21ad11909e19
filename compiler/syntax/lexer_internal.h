/* Between grammar/hc.l and lexer.c. */
#ifndef HCC_SYNTAX_LEXER_INTERNAL_H
#define HCC_SYNTAX_LEXER_INTERNAL_H

#include "syntax/lexer.h"

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
