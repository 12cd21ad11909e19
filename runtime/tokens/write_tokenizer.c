/* A tokenizer as tokenizer.json. */
#include "runtime/tokens/write_tokenizer.h"
#include "runtime/files/replace.h"
#include "runtime/tokens/letters.h"
#include "runtime/tokens/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes as letters in quotes; of letters only these two need more in JSON. */
static void put_token(FILE *to, const uint8_t *bytes, size_t length) {
    fputc('"', to);
    for (size_t k = 0; k < length; k++) {
        char letter[HC_LETTER];
        const size_t n = hc_letter(bytes[k], letter);
        if (bytes[k] == '"' || bytes[k] == '\\')
            fputc('\\', to);
        fwrite(letter, 1, n, to);
    }
    fputc('"', to);
}

static void put_vocabulary(FILE *to, const HcTokenizer *t, int64_t count) {
    fputs("    \"vocab\": {", to);
    for (int64_t k = 0; k < count; k++) {
        size_t length = 0;
        const uint8_t *bytes = hc_tokenizer_bytes(t, k, &length);
        fputs(k ? ",\n      " : "\n      ", to);
        put_token(to, bytes, length);
        fprintf(to, ": %lld", (long long)k);
    }
    fputs("\n    },\n", to);
}

static void put_merges(FILE *to, const HcTokenizer *t, const HcMade *made) {
    fputs("    \"merges\": [", to);
    for (uint32_t k = 0; k < made->count; k++) {
        fputs(k ? ",\n      [" : "\n      [", to);
        for (int half = 0; half < 2; half++) {
            size_t length = 0;
            const uint8_t *bytes = hc_tokenizer_bytes(t, made->pairs[k][half], &length);
            put_token(to, bytes, length);
            fputs(half ? "]" : ", ", to);
        }
    }
    fputs("\n    ]\n", to);
}

static void put_all(FILE *to, const HcMade *made) {
    const int64_t count = 256 + (int64_t)made->count;
    fputs("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n", to);
    fprintf(to,
            "  \"added_tokens\": [\n    {\"id\": %lld, \"content\": \"%s\", \"single_word\": false,"
            " \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}\n"
            "  ],\n",
            (long long)count, HC_END_OF_TEXT);
    fputs(
        "  \"normalizer\": null,\n"
        "  \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
        "\"trim_offsets\": true, \"use_regex\": true},\n"
        "  \"post_processor\": null,\n"
        "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": "
        "true, \"use_regex\": true},\n"
        "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
        "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
        "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n",
        to);
    put_vocabulary(to, made->tokenizer, count);
    put_merges(to, made->tokenizer, made);
    fputs("  }\n}\n", to);
}

HcStatus hc_tokenizer_write(const HcMade *made, const char *path, HcError *error) {
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    if (to)
        put_all(to, made);
    const bool failed = !to || ferror(to);
    HcStatus status = HC_OK;
    if ((to && fclose(to) != 0) || failed)
        status = hc_fail_memory(error, "a tokenizer");
    else
        status = hc_file_replace(path, text, length, error);
    free(text);
    return status;
}
