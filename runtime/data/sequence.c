/* A sequence: its files one after another, and what a run remembers of them. */
#include "runtime/data/sequence.h"
#include "runtime/data/read_text.h"
#include "runtime/data/samples.h"
#include "runtime/files/json.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { BYTES = 256 };

/* --- vocabularies ------------------------------------------------------------------------------*/

int64_t hc_token_limit(const HcInputPlan *input) {
    return input->limit > 0 ? input->limit : (int64_t)INT32_MAX + 1;
}

static HcStatus check_bindings(const HcPlan *plan, const char *stream, HcError *error) {
    for (uint32_t k = 0; k < plan->n_bindings; k++) {
        const HcBinding *b = &plan->bindings[k];
        const HcInputPlan *input = &plan->inputs[b->input];
        if (strcmp(b->stream, stream) != 0)
            return hc_fail(error, HC_ERROR_DATA, "%s has no stream `%s` (there is: %s)",
                           plan->data_source, b->stream, stream);
        if (!input->integer || !hc_is_by_sample(input->domain) ||
            !hc_is_by_position(input->domain) || input->count != 1)
            return hc_fail(error, HC_ERROR_DATA,
                           "input `%s` cannot hold %s: it must be one token a position",
                           input->name, stream);
    }
    return hc_inputs_bound(plan, error);
}

int64_t hc_least_token_limit(const HcPlan *plan) {
    int64_t least = INT64_MAX;
    for (uint32_t k = 0; k < plan->n_bindings; k++) {
        const int64_t limit = hc_token_limit(&plan->inputs[plan->bindings[k].input]);
        least = limit < least ? limit : least;
    }
    return least;
}

static HcStatus check_bytes(const HcPartFile *file, const uint8_t *bytes, int64_t limit,
                            HcError *error) {
    for (int64_t k = 0; limit < BYTES && k < file->count; k++) {
        if (bytes[k] >= limit)
            return hc_fail(error, HC_ERROR_DATA,
                           "byte %d at offset %lld of `%s` is outside the model's vocabulary of "
                           "%lld",
                           bytes[k], (long long)k, file->path, (long long)limit);
    }
    return HC_OK;
}

/* --- opening -----------------------------------------------------------------------------------*/

/* Room for one more open file: the one that was opened first is closed. */
static void take_turn(const HcSequence *s, uint32_t k) {
    HcOpenPieces *open = s->open;
    if (open->count == HC_OPEN_PIECES)
        hc_token_file_close(&s->pieces[open->at[open->next]].tokens);
    else
        open->count++;
    open->at[open->next] = k;
    open->next = (open->next + 1) % HC_OPEN_PIECES;
}

static HcStatus open_tokens(const HcSequence *s, uint32_t k, int64_t width, int64_t limit,
                            HcError *error) {
    HcTokenFile *tokens = &s->pieces[k].tokens;
    HcPartFile *file = &s->files.at[k];
    take_turn(s, k);
    HcStatus status = hc_token_file_open(file->path, width, tokens, error);
    file->count = tokens->count;
    return status == HC_OK ? hc_token_file_check(tokens, limit, &file->hash, error) : status;
}

static HcStatus open_again(const HcSequence *s, uint32_t k, HcError *error) {
    if (s->pieces[k].tokens.is_open)
        return HC_OK;
    take_turn(s, k);
    return hc_token_file_reopen(&s->pieces[k].tokens, error);
}

static HcStatus open_text(HcSequence *s, uint32_t k, const HcDataRequest *request, int64_t limit,
                          HcError *error) {
    HcPartFile *file = &s->files.at[k];
    HcText text;
    HcStatus status = hc_read_text(file->path, s->as_bytes, request->notes, &text, error);
    if (status != HC_OK)
        return status;
    s->pieces[k].bytes = text.bytes;
    file->count = text.count;
    file->hash = XXH3_64bits(text.bytes, (size_t)text.count);
    return check_bytes(file, text.bytes, limit, error);
}

static void hash_more(HcSequence *s, uint64_t value) {
    s->hash = XXH3_64bits_withSeed(&value, sizeof value, s->hash);
}

/* Sums up what the files hold; where there are several their parts count as well. */
static HcStatus add_up(HcSequence *s, double held_out, HcError *error) {
    const bool separate = hc_part_files_separate(&s->files);
    s->hash = s->files.at[0].hash;
    for (uint32_t k = 0; k < s->files.count; k++) {
        HcPartFile *file = &s->files.at[k];
        if (file->count > INT64_MAX / 16 - s->count)
            return hc_fail(error, HC_ERROR_DATA, "the data hold too many %s", s->stream);
        file->first = s->count;
        s->count += file->count;
        s->train_count += file->part == HC_TRAIN_PART ? file->count : 0;
        if (k > 0)
            hash_more(s, file->hash);
    }
    if (separate)
        hash_more(s, (uint64_t)s->train_count);
    else
        s->train_count = (int64_t)((double)s->count * (1.0 - held_out));
    return HC_OK;
}

static HcStatus open_sequence(HcSequence *s, const HcPlan *plan, const HcDataRequest *request,
                              HcError *error) {
    s->is_text = strcmp(plan->data_source, "text") == 0;
    s->stream = s->is_text ? "bytes" : "tokens";
    s->as_bytes = s->is_text &&
                  (request->as_bytes || json_is_true(json_object_get(request->run, "as_bytes")));
    HcStatus status = check_bindings(plan, s->stream, error);
    if (status == HC_OK)
        status = hc_part_files(plan, request, &s->files, error);
    if (status != HC_OK)
        return status;
    if (!request->trains && !request->whole && hc_part_files_separate(&s->files))
        hc_part_files_keep_held_out(&s->files);
    s->pieces = calloc(s->files.count, sizeof *s->pieces);
    s->open = calloc(1, sizeof *s->open);
    if (!s->pieces || !s->open)
        return hc_fail_memory(error, "the training data");
    for (uint32_t k = 0; k < s->files.count && status == HC_OK; k++) {
        status = s->is_text
                     ? open_text(s, k, request, hc_least_token_limit(plan), error)
                     : open_tokens(s, k, plan->token_width, hc_least_token_limit(plan), error);
        if (status == HC_OK)
            status = hc_part_file_check(&s->files.at[k], request, error);
    }
    return status == HC_OK ? add_up(s, plan->held_out, error) : status;
}

HcStatus hc_sequence_open(const HcPlan *plan, const HcDataRequest *request, HcSequence **sequence,
                          HcError *error) {
    HcSequence *s = calloc(1, sizeof *s);
    *sequence = NULL;
    if (!s)
        return hc_fail_memory(error, "the training data");
    const HcStatus status = open_sequence(s, plan, request, error);
    if (status != HC_OK)
        hc_sequence_free(s);
    else
        *sequence = s;
    return status;
}

void hc_sequence_free(HcSequence *s) {
    if (!s)
        return;
    for (uint32_t k = 0; s->pieces && k < s->files.count; k++) {
        free(s->pieces[k].bytes);
        hc_token_file_close(&s->pieces[k].tokens);
    }
    free(s->pieces);
    free(s->open);
    hc_part_files_free(&s->files);
    free(s);
}

/* --- reading -----------------------------------------------------------------------------------*/

static uint32_t file_at(const HcSequence *s, int64_t token) {
    uint32_t low = 0, high = s->files.count; /* it is in low .. high - 1 */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (token < s->files.at[middle].first)
            high = middle;
        else
            low = middle;
    }
    return low;
}

HcStatus hc_sequence_read(const HcSequence *s, int64_t first, int64_t n, int64_t limit, int32_t *to,
                          HcError *error) {
    HcStatus status = HC_OK;
    for (uint32_t k = file_at(s, first); n > 0 && status == HC_OK; k++) {
        const HcPartFile *file = &s->files.at[k];
        const int64_t at = first - file->first, left = file->count - at;
        const int64_t count = n < left ? n : left;
        for (int64_t i = 0; s->is_text && i < count; i++)
            to[i] = s->pieces[k].bytes[at + i];
        if (!s->is_text)
            status = open_again(s, k, error);
        if (!s->is_text && status == HC_OK)
            status = hc_token_file_read(&s->pieces[k].tokens, at, count, limit, to, error);
        first += count;
        to += count;
        n -= count;
    }
    return status;
}

void hc_sequence_place(const HcSequence *s, int64_t first, int64_t n, char *text, size_t size) {
    const HcPartFile *file = &s->files.at[file_at(s, first)];
    const int64_t at = first - file->first;
    snprintf(text, size, "%.300s, %s %lld to %lld", file->path, s->stream, (long long)at,
             (long long)(at + n - 1));
}

/* --- what a run remembers ----------------------------------------------------------------------*/

json_t *hc_sequence_json(const HcSequence *s) {
    const struct {
        const char *before;
        int64_t count;
    } counts[] = {
        {"", s->count}, {"train_", s->train_count}, {"held_out_", s->count - s->train_count}};
    json_t *json = json_object();
    char text[HC_HASH_TEXT + 16];
    hc_part_files_set_json(&s->files, &json);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        snprintf(text, sizeof text, "%s%s", counts[k].before, s->stream);
        hc_json_set(&json, text, json_integer(counts[k].count));
    }
    hc_hash_text(s->hash, text);
    hc_json_set(&json, "xxh3", json_string(text));
    if (s->as_bytes)
        hc_json_set(&json, "as_bytes", json_true());
    return json;
}
