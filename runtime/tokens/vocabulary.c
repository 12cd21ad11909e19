/* Tokens by number and pairs to merge, as files name them: in letters that stand for bytes. */
#include "runtime/tokens/vocabulary.h"
#include "runtime/tokens/letters.h"

#include <stdlib.h>
#include <string.h>

/* The bytes of letters, behind `before` that are there; HC_OK and *known false: they are none. */
static HcStatus bytes_of(HcVocabularyReader *r, const char *text, size_t length, size_t before,
                         size_t *count, bool *known) {
    if (r->n_room < before + length) {
        uint8_t *grown = realloc(r->room, 2 * (before + length));
        if (!grown)
            return hc_fail_memory(r->error, "a vocabulary");
        r->room = grown;
        r->n_room = 2 * (before + length);
    }
    *known = hc_letters_read(text, length, r->room + before, count);
    return HC_OK;
}

HcStatus hc_vocabulary_read(HcVocabularyReader *r, const json_t *vocabulary) {
    const char *key;
    json_t *value;
    HcStatus status = HC_OK;
    if (!json_is_object(vocabulary))
        return hc_fail(r->error, HC_ERROR_DATA, "its vocabulary is no object");
    json_object_foreach((json_t *)(uintptr_t)vocabulary, key, value) {
        const size_t length = strlen(key);
        size_t count = 0;
        bool known = false;
        if (!json_is_integer(value))
            return hc_fail(r->error, HC_ERROR_DATA, "token `%.40s` has no whole number", key);
        status = bytes_of(r, key, length, 0, &count, &known);
        if (status == HC_OK)
            status =
                known && count > 0
                    ? hc_tokenizer_add(r->t, r->room, count, json_integer_value(value), r->error)
                    : hc_tokenizer_add_text(r->t, key, length, json_integer_value(value), -1,
                                            r->error);
        if (status != HC_OK)
            return status;
    }
    return status;
}

static HcStatus add_merge(HcVocabularyReader *r, const char *left, size_t n_left, const char *right,
                          size_t n_right) {
    size_t left_bytes = 0, right_bytes = 0;
    bool known = false, both = false;
    HcStatus status = bytes_of(r, left, n_left, 0, &left_bytes, &known);
    if (status == HC_OK && known)
        status = bytes_of(r, right, n_right, left_bytes, &right_bytes, &both);
    if (status != HC_OK)
        return status;
    if (!both)
        return hc_fail(r->error, HC_ERROR_DATA,
                       "merge %u (`%.30s`) holds what is no letter of byte-level vocabularies",
                       (unsigned)r->t->n_merges + 1, left);
    return hc_tokenizer_add_merge(r->t, r->room, left_bytes, left_bytes + right_bytes, r->error);
}

HcStatus hc_vocabulary_merge(HcVocabularyReader *r, const char *line, size_t length) {
    const char *space = memchr(line, ' ', length);
    if (!space || space == line || space + 1 == line + length ||
        memchr(space + 1, ' ', length - (size_t)(space + 1 - line)))
        return hc_fail(r->error, HC_ERROR_DATA, "merge %u (`%.*s`) is not two tokens",
                       (unsigned)r->t->n_merges + 1, (int)(length < 40 ? length : 40), line);
    return add_merge(r, line, (size_t)(space - line), space + 1,
                     length - (size_t)(space + 1 - line));
}

HcStatus hc_vocabulary_merges(HcVocabularyReader *r, const json_t *merges) {
    size_t index;
    json_t *merge;
    if (!json_is_array(merges))
        return hc_fail(r->error, HC_ERROR_DATA, "its `model.merges` is no list");
    json_array_foreach(merges, index, merge) {
        const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
        HcStatus status;
        if (json_is_string(merge))
            status = hc_vocabulary_merge(r, json_string_value(merge), json_string_length(merge));
        else if (json_array_size(merge) == 2 && json_is_string(left) && json_is_string(right))
            status = add_merge(r, json_string_value(left), json_string_length(left),
                               json_string_value(right), json_string_length(right));
        else
            status = hc_fail(r->error, HC_ERROR_DATA, "merge %zu is not two tokens", index + 1);
        if (status != HC_OK)
            return status;
    }
    return HC_OK;
}

HcStatus hc_in_tokenizer_file(const char *path, HcStatus status, const HcError *inside,
                              HcError *error) {
    if (status == HC_ERROR_DATA)
        return hc_fail(error, status, "`%.160s`: %.330s", path, inside->message);
    if (status != HC_OK && error)
        *error = *inside;
    return status;
}
