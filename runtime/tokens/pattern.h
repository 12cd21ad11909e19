/* Regular expressions that cut text into words. Tokenizers' files hold them in the dialect of
 * Oniguruma, and PCRE2 runs them: what would mean something else there is refused, not guessed. */
#ifndef HC_PATTERN_H
#define HC_PATTERN_H

#include "runtime/files/error.h"

#include <stdbool.h>

typedef struct HcPattern HcPattern;

/* Of GPT-2: what a file means that says ByteLevel and no more. */
extern const char hc_pattern_gpt2[];

/* HC_ERROR_DATA where it is wrong, or may mean two things; `where` begins the message. */
HcStatus hc_pattern_make(const char *text, size_t length, const char *where, HcPattern **pattern,
                         HcError *error);
/* A text that is found as it is. */
HcStatus hc_pattern_make_plain(const char *text, size_t length, const char *where,
                               HcPattern **pattern, HcError *error);
void hc_pattern_free(HcPattern *pattern); /* NULL is fine */
/* The next place from `from` on, in text that is UTF-8; *begin is `length` where there is none. */
HcStatus hc_pattern_next(HcPattern *pattern, const uint8_t *text, size_t length, size_t from,
                         size_t *begin, size_t *end, HcError *error);

#endif
