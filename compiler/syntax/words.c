/* The table of words; see words.h. */
#include "syntax/words.h"
#include "hc.tab.h"
#include <stdlib.h>
#include <string.h>

enum { CONTEXTUAL, RESERVED };

/* In the order of the alphabet, for bsearch. */
static const Word words[] = {
#define WORD(text, token, standing, ...) {text, TOKEN_##token, standing, 0},
#define REDUCTION(text, kind) {text, TOKEN_REDUCTION, RESERVED, REDUCE_##kind},
#include "words.def"
};

static int word_compare(const void *text, const void *word) {
    return strcmp(text, ((const Word *)word)->text);
}

const Word *word_find(const char *text) {
    return bsearch(text, words, sizeof words / sizeof *words, sizeof *words, word_compare);
}

bool word_is_reduction(const char *text) {
    const Word *word = word_find(text);
    return word && word->token == TOKEN_REDUCTION;
}

bool word_is_reserved(int token) {
    switch (token) {
#define WORD(text, token, standing, ...)                                                           \
    case TOKEN_##token:                                                                            \
        return standing == RESERVED;
#include "words.def"
    default:
        return token == TOKEN_REDUCTION;
    }
}

bool word_begins_statement(int token) {
    switch (token) {
#define STATEMENT(text, token, standing, ...)                                                      \
    case TOKEN_##token:                                                                            \
        return standing == CONTEXTUAL;
#include "words.def"
    default:
        return false;
    }
}

bool word_begins_definition(int token) {
    switch (token) {
#define DEFINITION(text, token, standing)                                                          \
    case TOKEN_##token:                                                                            \
        return standing == CONTEXTUAL;
#include "words.def"
    default:
        return false;
    }
}

const char *const *word_statements(uint32_t *count) {
    static const char *const texts[] = {
#define STATEMENT(text, ...) text,
#include "words.def"
    };
    *count = sizeof texts / sizeof *texts;
    return texts;
}

const char *const *word_definitions(uint32_t *count) {
    static const char *const texts[] = {
#define DEFINITION(text, ...) text,
#define BOTH DEFINITION
#include "words.def"
    };
    *count = sizeof texts / sizeof *texts;
    return texts;
}

const char *word_of_statement(StmtKind kind) {
    static const char *const texts[STMT_ERROR + 1] = {
#define STATEMENT(text, token, ...) [STMT_##token] = text,
#include "words.def"
        [STMT_EACH] = "write",
    };
    return texts[kind];
}

const char *word_of_definition(ItemKind kind) {
    static const char *const texts[] = {
#define DEFINITION(text, token, ...) [ITEM_##token] = text,
#define BOTH DEFINITION
#include "words.def"
    };
    return texts[kind];
}

const char *word_of_reduction(ReduceKind kind) {
    static const char *const texts[] = {
#define REDUCTION(text, kind) [REDUCE_##kind] = text,
#include "words.def"
    };
    return texts[kind];
}
