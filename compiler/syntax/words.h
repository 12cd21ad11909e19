/* What the language's words are (grammar/words.def), asked by text, by token or by what they begin.
 */
#ifndef HCC_SYNTAX_WORDS_H
#define HCC_SYNTAX_WORDS_H

#include "syntax/ast.h"
#include <stdbool.h>

typedef struct {
    const char *text;
    int token;
    bool reserved;
    ReduceKind reduction; /* of TOKEN_REDUCTION */
} Word;

const Word *word_find(const char *text); /* NULL: a name like any other */

bool word_is_reduction(const char *text);
/* A word that cannot be a name. */
bool word_is_reserved(int token);
/* One that begins statements, or definitions, and is a name elsewhere. */
bool word_begins_statement(int token);
bool word_begins_definition(int token);

/* All that begin statements, or definitions, reserved ones too: for suggestions. */
const char *const *word_statements(uint32_t *count);
const char *const *word_definitions(uint32_t *count);

/* NULL: it begins with a sign or a name of the text's. */
const char *word_of_statement(StmtKind kind);
const char *word_of_definition(ItemKind kind);
const char *word_of_reduction(ReduceKind kind);

#endif
