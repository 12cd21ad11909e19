#include "runtime/trained/run_tokenizer.h"
#include "runtime/data/sequence.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/trained/find_run.h"
#include "runtime/trained/tokenizer_copy.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

/* Each held-out token is one of the tokenizer's; of how many bytes they are. */
static HcStatus count_bytes(HcRunTokenizer *t, const HcTokenizer *tokenizer,
                            const HcSequence *sequence, HcError *error) {
    enum { CHUNK = 4096 };
    int32_t tokens[CHUNK];
    HcStatus status = HC_OK;
    for (int64_t at = sequence->train_count; at < sequence->count && status == HC_OK;) {
        const int64_t left = sequence->count - at, n = left < CHUNK ? left : CHUNK;
        status = hc_sequence_read(sequence, at, n, INT64_MAX, tokens, error);
        for (int64_t k = 0; k < n && status == HC_OK; k++) {
            size_t bytes = 0;
            char place[400];
            if (!hc_tokenizer_bytes(tokenizer, tokens[k], &bytes)) {
                hc_sequence_place(sequence, at + k, 1, place, sizeof place);
                status = hc_fail(error, HC_ERROR_DATA,
                                 "the data are not of this tokenizer: it has no token %d (%s)",
                                 (int)tokens[k], place);
            }
            t->held_out_bytes += (int64_t)bytes;
        }
        at += n;
    }
    return status;
}

HcStatus hc_run_tokenizer_read(HcRunTokenizer *t, const char *path, const HcPlan *plan,
                               const HcData *data, HcError *error) {
    HcTokenizer *tokenizer = NULL;
    *t = (HcRunTokenizer){.path = path};
    if (!path)
        return HC_OK;
    if (!data->sequence || data->sequence->is_text)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "--tokenizer is for `data tokens`: the model `%s` reads `data %s`",
                       plan->model, plan->data_source);
    HcStatus status = hc_tokenizer_files(path, &t->files, error);
    if (status == HC_OK)
        status = hc_tokenizer_open(path, &tokenizer, error);
    if (status != HC_OK)
        return status;
    t->size = hc_tokenizer_size(tokenizer);
    if (t->size > hc_least_token_limit(plan))
        status = hc_fail(error, HC_ERROR_ARGUMENT,
                         "the tokenizer `%s` has %lld tokens, and the model's vocabulary is %lld",
                         path, (long long)t->size, (long long)hc_least_token_limit(plan));
    if (status == HC_OK)
        status = count_bytes(t, tokenizer, data->sequence, error);
    hc_tokenizer_free(tokenizer);
    return status;
}

void hc_run_tokenizer_free(HcRunTokenizer *t) {
    hc_tokenizer_files_free(&t->files);
    *t = (HcRunTokenizer){0};
}

void hc_run_tokenizer_set_json(const HcRunTokenizer *t, json_t **data) {
    if (!t->path)
        return;
    uint64_t hash = 0;
    char text[HC_HASH_TEXT];
    for (uint32_t k = 0; k < t->files.count; k++)
        hash = XXH3_64bits_withSeed(t->files.at[k].text, t->files.at[k].length, hash);
    hc_hash_text(hash, text);
    json_t *about = json_object();
    hc_json_set(&about, "path", hc_json_path(t->path));
    hc_json_set(&about, "tokens", json_integer(t->size));
    hc_json_set(&about, "xxh3", json_string(text));
    hc_json_set(data, "tokenizer", about);
    hc_json_set(data, "held_out_text_bytes", json_integer(t->held_out_bytes));
}

HcStatus hc_run_tokenizer_open(const char *given, const char *run, HcTokenizer **tokenizer,
                               HcError *error) {
    char *folder = NULL, *checkpoint = NULL;
    *tokenizer = NULL;
    if (given)
        return hc_tokenizer_open(given, tokenizer, error);
    HcStatus status = hc_find_run(run, &folder, &checkpoint, error);
    char *copy = status == HC_OK ? hc_path_join(folder, HC_RUN_TOKENIZER) : NULL;
    if (status == HC_OK && !copy)
        status = hc_fail_memory(error, "a path");
    if (status == HC_OK && access(copy, F_OK) == 0)
        status = hc_tokenizer_open(copy, tokenizer, error);
    free(copy);
    free(folder);
    free(checkpoint);
    return status;
}
