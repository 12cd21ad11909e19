/* GPT-2's two files: vocab.json names the tokens, merges.txt has a line for each pair. */
#include "runtime/files/json_file.h"
#include "runtime/tokens/vocabulary.h"

#include <stdlib.h>
#include <string.h>

static const char end_of_text[] = "<|endoftext|>";

static HcStatus read_merge_lines(HcVocabularyReader *r, const char *text, size_t length) {
    HcStatus status = HC_OK;
    for (const char *line = text, *end = text + length; line < end && status == HC_OK;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *next = stop ? stop + 1 : end;
        stop = stop ? stop : end;
        stop -= stop > line && stop[-1] == '\r';
        const bool comment = stop - line >= 8 && memcmp(line, "#version", 8) == 0;
        if (stop > line && !comment)
            status = hc_vocabulary_merge(r, line, (size_t)(stop - line));
        line = next;
    }
    return status;
}

static HcStatus finish_gpt2(HcVocabularyReader *r, const json_t *vocabulary) {
    const json_t *end = json_object_get(vocabulary, end_of_text);
    HcPattern *pattern;
    HcStatus status =
        hc_pattern_make(hc_pattern_gpt2, strlen(hc_pattern_gpt2), "GPT-2", &pattern, r->error);
    if (status == HC_OK)
        status = hc_tokenizer_cut(r->t, HC_CUT_APART, pattern, r->error);
    return status == HC_OK && end ? hc_tokenizer_add_text(r->t, end_of_text, strlen(end_of_text),
                                                          json_integer_value(end), 0, r->error)
                                  : status;
}

HcStatus hc_tokenizer_read_gpt2(HcTokenizer *t, const char *vocabulary, const char *merges,
                                HcError *error) {
    HcError inside = {0};
    HcVocabularyReader r = {.t = t, .error = &inside};
    json_t *json;
    char *text = NULL;
    size_t length;
    HcStatus status = hc_json_file(vocabulary, &json, error);
    if (status == HC_OK)
        status = hc_in_tokenizer_file(vocabulary, hc_vocabulary_read(&r, json), &inside, error);
    if (status == HC_OK)
        status = hc_text_file(merges, &text, &length, error);
    if (status == HC_OK)
        status = hc_in_tokenizer_file(merges, read_merge_lines(&r, text, length), &inside, error);
    if (status == HC_OK)
        status = hc_in_tokenizer_file(vocabulary, finish_gpt2(&r, json), &inside, error);
    json_decref(json);
    free(text);
    free(r.room);
    return status;
}
