#include "runtime/sample/speech.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool are_bytes(const HcSpeech *s) {
    return !s->tokenizer && s->vocabulary <= 256;
}

bool hc_speech_has(const HcSpeech *s, int64_t token) {
    size_t length;
    return !s->tokenizer || hc_tokenizer_bytes(s->tokenizer, token, &length);
}

const char *hc_speech_of(const HcSpeech *s, int32_t token, char room[HC_SPEECH_ROOM],
                         size_t *length) {
    if (s->tokenizer)
        return (const char *)hc_tokenizer_bytes(s->tokenizer, token, length);
    room[0] = (char)token;
    *length = are_bytes(s) ? 1 : (size_t)snprintf(room, HC_SPEECH_ROOM, "%d ", (int)token);
    return room;
}

/* --- prompts -----------------------------------------------------------------------------------*/

static HcStatus push(HcTokens *tokens, int32_t token, HcError *error) {
    return hc_tokens_push(tokens, token) ? HC_OK : hc_fail_memory(error, "the prompt");
}

static HcStatus read_bytes(const HcSpeech *s, const char *prompt, size_t length, HcTokens *tokens,
                           HcError *error) {
    HcStatus status = HC_OK;
    for (size_t k = 0; k < length && status == HC_OK; k++) {
        if ((uint8_t)prompt[k] >= s->vocabulary)
            return hc_fail(error, HC_ERROR_DATA,
                           "byte %d of the prompt is outside the model's vocabulary of %lld",
                           (uint8_t)prompt[k], (long long)s->vocabulary);
        status = push(tokens, (uint8_t)prompt[k], error);
    }
    if (length == 0 && '\n' >= s->vocabulary)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "without a prompt the text begins after a newline (byte 10), which is "
                       "outside the model's vocabulary of %lld: give --prompt",
                       (long long)s->vocabulary);
    return length == 0 ? push(tokens, '\n', error) : status;
}

static HcStatus read_text(const HcSpeech *s, const char *prompt, size_t length, HcTokens *tokens,
                          HcError *error) {
    HcStatus status = hc_tokenizer_encode(s->tokenizer, (const uint8_t *)prompt, length, true,
                                          false, tokens, error);
    if (status == HC_OK && tokens->count == 0)
        status = hc_tokenizer_encode(s->tokenizer, (const uint8_t *)"\n", 1, false, false, tokens,
                                     error);
    for (size_t k = 0; k < tokens->count && status == HC_OK; k++)
        if (tokens->at[k] >= s->vocabulary)
            status = hc_fail(error, HC_ERROR_DATA,
                             "token %d of the prompt is outside the model's vocabulary of %lld",
                             (int)tokens->at[k], (long long)s->vocabulary);
    return status;
}

/* The next number of a text that ends with a NUL; false: there is none, or something else. */
static bool next_number(const char **at, long long *number) {
    char *end;
    *at += strspn(*at, " ,\t\r\n");
    errno = 0;
    *number = strtoll(*at, &end, 10);
    const bool good = end != *at && errno == 0 && (!*end || strchr(" ,\t\r\n", *end));
    *at = good ? end : *at;
    return good;
}

static HcStatus read_numbers(const HcSpeech *s, const char *prompt, size_t length, HcTokens *tokens,
                             HcError *error) {
    char *text = strndup(prompt, length);
    HcStatus status = text ? HC_OK : hc_fail_memory(error, "the prompt");
    const char *at = text;
    long long number;
    while (status == HC_OK && next_number(&at, &number)) {
        if (number < 0 || number >= s->vocabulary)
            status = hc_fail(error, HC_ERROR_DATA,
                             "token %lld of the prompt is outside the model's vocabulary of %lld",
                             number, (long long)s->vocabulary);
        else
            status = push(tokens, (int32_t)number, error);
    }
    if (status == HC_OK && (*at || tokens->count == 0))
        status =
            hc_fail(error, HC_ERROR_ARGUMENT,
                    "the model's vocabulary is %lld, and no tokenizer is known: --prompt takes "
                    "the numbers of tokens (\"1 20 300\"), or give --tokenizer",
                    (long long)s->vocabulary);
    free(text);
    return status;
}

static HcStatus say_numbers(const HcTokens *tokens, char **said, size_t *length, HcError *error) {
    char *to = *said = malloc(tokens->count * HC_SPEECH_ROOM + 1);
    if (!to)
        return hc_fail_memory(error, "the prompt");
    for (size_t k = 0; k < tokens->count; k++)
        to += sprintf(to, "%d ", (int)tokens->at[k]);
    *length = (size_t)(to - *said);
    return HC_OK;
}

HcStatus hc_speech_prompt(const HcSpeech *s, const char *prompt, size_t length, HcTokens *tokens,
                          char **said, size_t *said_length, HcError *error) {
    *said = NULL;
    *said_length = length;
    HcStatus status = are_bytes(s)   ? read_bytes(s, prompt, length, tokens, error)
                      : s->tokenizer ? read_text(s, prompt, length, tokens, error)
                                     : read_numbers(s, prompt, length, tokens, error);
    if (status == HC_OK && !are_bytes(s) && !s->tokenizer)
        return say_numbers(tokens, said, said_length, error);
    if (status != HC_OK || length == 0)
        return status;
    *said = malloc(length);
    if (!*said)
        return hc_fail_memory(error, "the prompt");
    memcpy(*said, prompt, length);
    return HC_OK;
}
