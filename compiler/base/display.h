/* Text as it may be shown: valid UTF-8 without control characters, so that a hostile file cannot
 * steer a terminal or break a JSON reader. Private to base/. */
#ifndef HCC_BASE_DISPLAY_H
#define HCC_BASE_DISPLAY_H

#include "base/arena.h"
#include <stdbool.h>

/* Bytes of the character at `text` (1 when it is not valid UTF-8). `shown` says whether it may be
 * printed as it is. */
size_t display_character(const char *text, size_t length, bool *shown);

/* A copy with what may not be shown replaced (tab: four spaces, others: U+FFFD); cut with an
 * ellipsis after about `longest` bytes. Newlines stay when `keep_lines`. */
char *display_copy(Arena *arena, const char *text, size_t length, size_t longest, bool keep_lines);

/* Replacement for one character that may not be shown. */
const char *display_replacement(const char *text);

#endif
