/* Text that a model or a file holds, written piece by piece: a character as soon as all of its
 * bytes are there. On a terminal what would steer it is shown instead; elsewhere all bytes are
 * written. */
#ifndef HC_SHOW_TEXT_H
#define HC_SHOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct {
    FILE *to;
    bool safe;     /* control characters, and what is no UTF-8, are shown and not sent */
    char begun[4]; /* of a character that is not whole yet */
    size_t n_begun;
} HcShownText;

HcShownText hc_show_text(FILE *to, bool raw);
/* False: it cannot be written. */
bool hc_show_more(HcShownText *shown, const char *bytes, size_t count);
/* What is left of a character that stays incomplete. */
bool hc_show_end(HcShownText *shown);

#endif
