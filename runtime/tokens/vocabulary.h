/* Tokens by number and pairs to merge, as files name them: in letters that stand for bytes. */
#ifndef HC_VOCABULARY_H
#define HC_VOCABULARY_H

#include "runtime/tokens/tokenizer_internal.h"

#include <jansson.h>

/* Of one file; its name is not in messages. `room` is the caller's to free. */
typedef struct {
    HcTokenizer *t;
    HcError *error;
    uint8_t *room; /* for the bytes of a token */
    size_t n_room;
} HcVocabularyReader;

/* {"a": 64, ...} */
HcStatus hc_vocabulary_read(HcVocabularyReader *reader, const json_t *vocabulary);
/* ["a b", ...] or [["a", "b"], ...] */
HcStatus hc_vocabulary_merges(HcVocabularyReader *reader, const json_t *merges);
/* "a b" */
HcStatus hc_vocabulary_merge(HcVocabularyReader *reader, const char *line, size_t length);
/* What was said of the inside of a file, with its name. */
HcStatus hc_in_tokenizer_file(const char *path, HcStatus status, const HcError *inside,
                              HcError *error);

#endif
