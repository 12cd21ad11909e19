/* Words that people bring along from other languages and frameworks, and what is written here. */
#ifndef HCC_SYNTAX_FOREIGN_H
#define HCC_SYNTAX_FOREIGN_H

typedef enum {
    FOREIGN_NAMED,  /* as a name, or called */
    FOREIGN_CALLED, /* called */
    FOREIGN_BEGINS, /* a statement or definition begins with it */
} ForeignUse;

/* What to write in the place of `word`; NULL: it is none of them. */
const char *foreign_help(const char *word, ForeignUse use);

#endif
