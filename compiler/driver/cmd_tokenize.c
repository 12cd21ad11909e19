/* hcc tokenize: text to tokens and back, and tokenizers made from text. */
#include "driver/driver.h"
#include "driver/outputs.h"
#include "runtime/app/show_text.h"
#include "runtime/data/read_text.h"
#include "runtime/data/token_file.h"
#include "runtime/run/clock.h"
#include "runtime/tokens/tokenizer.h"
#include "runtime/tokens/write_tokenizer.h"
#include "runtime/tokens/write_tokens.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_TOKENS = 257, MOST_TOKENS = 1 << 24 }; /* the bytes, and what separates texts */

/* With the name of the text, where it is that which is wrong. */
static ExitCode tokenize_text_failed(Driver *d, HcStatus status, const HcError *error) {
    if (status != HC_ERROR_DATA)
        return driver_failed(d, status, error);
    driver_error(d, "`%s`: %s", d->options.argument, error->message);
    return EXIT_DATA;
}

static ExitCode tokenize_check(Driver *d) {
    const Options *o = &d->options;
    HcError error;
    const char *wrong = NULL;
    if (o->train_tokens.given && (o->decode || o->run.tokenizer))
        wrong = "--train makes a tokenizer: it takes no --decode and no --tokenizer";
    else if (o->train_tokens.given && !o->run.out)
        wrong = "--train needs --out: where to write the tokenizer (tokenizer.json)";
    else if (!o->train_tokens.given && !o->run.tokenizer)
        wrong = "'tokenize' needs --tokenizer FILE, or --train N to make one";
    if (wrong)
        fprintf(d->err, "hcc: %s\n", wrong);
    else if (o->train_tokens.given &&
             (o->train_tokens.value < LEAST_TOKENS || o->train_tokens.value > MOST_TOKENS))
        fprintf(d->err, "hcc: --train is %d to %d: the bytes, %s and what is made of them\n",
                LEAST_TOKENS, MOST_TOKENS, HC_END_OF_TEXT);
    else if (o->run.out && !o->decode && !o->train_tokens.given &&
             hc_tokens_check_name(o->run.out, &error) != HC_OK)
        fprintf(d->err, "hcc: %s\n", error.message);
    else
        return o->run.out ? output_allowed(d, o->run.out) : EXIT_OK;
    return EXIT_USAGE;
}

/* --- text --------------------------------------------------------------------------------------*/

static HcStatus tokenize_read_stdin(HcText *text, HcError *error) {
    size_t capacity = 0;
    for (*text = (HcText){.files = 1};;) {
        if ((size_t)text->count == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            uint8_t *grown = realloc(text->bytes, capacity);
            if (!grown)
                return hc_fail_memory(error, "the text");
            text->bytes = grown;
        }
        const size_t n = fread(text->bytes + text->count, 1, capacity - (size_t)text->count, stdin);
        text->count += (int64_t)n;
        if (n == 0)
            return ferror(stdin) ? hc_fail(error, HC_ERROR_DATA, "cannot read the standard input")
                                 : HC_OK;
    }
}

static HcStatus tokenize_read(Driver *d, HcText *text, HcError *error) {
    *text = (HcText){0};
    if (strcmp(d->options.argument, "-") != 0)
        return hc_read_text(d->options.argument, false, d->err, text, error);
    HcStatus status = tokenize_read_stdin(text, error);
    if (status != HC_OK)
        free(text->bytes);
    return status;
}

/* --- to tokens ---------------------------------------------------------------------------------*/

static void tokenize_say(Driver *d, const HcText *text, const HcTokens *tokens, double seconds,
                         int64_t size) {
    const double bytes = (double)text->count;
    fprintf(d->err, "%" PRId64 " bytes, %zu tokens of %" PRId64, text->count, tokens->count, size);
    if (tokens->count)
        fprintf(d->err, ", %.3f bytes each", bytes / (double)tokens->count);
    if (seconds > 0.1)
        fprintf(d->err, ", %.1f MB/s", bytes / seconds / 1e6);
    if (d->options.run.out)
        fprintf(d->err, ": %s, %d bits each", d->options.run.out, hc_tokens_width(size));
    fputc('\n', d->err);
}

static ExitCode tokenize_encode(Driver *d, HcTokenizer *tokenizer) {
    HcError error;
    HcText text;
    HcTokens tokens = {0};
    const int64_t size = hc_tokenizer_size(tokenizer);
    HcStatus status = tokenize_read(d, &text, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    const double begun = hc_now();
    status =
        hc_tokenizer_encode(tokenizer, text.bytes, (size_t)text.count, true, true, &tokens, &error);
    const double seconds = hc_now() - begun;
    ExitCode code = tokenize_text_failed(d, status, &error);
    if (status == HC_OK && d->options.run.out)
        status = hc_tokens_write(d->options.run.out, &tokens, size, &error);
    for (size_t k = 0; status == HC_OK && !d->options.run.out && k < tokens.count; k++)
        fprintf(d->out, "%d%c", (int)tokens.at[k], k + 1 < tokens.count ? ' ' : '\n');
    if (status == HC_OK)
        tokenize_say(d, &text, &tokens, seconds, size);
    hc_tokens_free(&tokens);
    free(text.bytes);
    return code == EXIT_OK ? driver_failed(d, status, &error) : code;
}

/* --- back --------------------------------------------------------------------------------------*/

static HcStatus tokenize_put(const HcTokenFile *file, const HcTokenizer *tokenizer, HcShownText *to,
                             HcError *error) {
    enum { CHUNK = 4096 };
    int32_t tokens[CHUNK];
    const int64_t size = hc_tokenizer_size(tokenizer);
    HcStatus status = HC_OK;
    for (int64_t first = 0; first < file->count && status == HC_OK; first += CHUNK) {
        const int64_t n = file->count - first < CHUNK ? file->count - first : CHUNK;
        status = hc_token_file_read(file, first, n, size, tokens, error);
        for (int64_t k = 0; k < n && status == HC_OK; k++) {
            size_t count = 0;
            const char *bytes = (const char *)hc_tokenizer_bytes(tokenizer, tokens[k], &count);
            if (!bytes)
                status = hc_fail(error, HC_ERROR_DATA,
                                 "`%s`: token %" PRId64 " is %d, which the tokenizer does not have",
                                 file->path, first + k, (int)tokens[k]);
            else if (!hc_show_more(to, bytes, count))
                return hc_fail(error, HC_ERROR_IO, "cannot write the text");
        }
    }
    return status;
}

static ExitCode tokenize_decode(Driver *d, const HcTokenizer *tokenizer) {
    HcError error;
    HcTokenFile file;
    uint64_t hash;
    OutputFile output;
    const int64_t size = hc_tokenizer_size(tokenizer);
    HcStatus status = hc_token_file_open(d->options.argument, hc_tokens_width(size), &file, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    status = hc_token_file_check(&file, size, &hash, &error);
    ExitCode code = driver_failed(d, status, &error);
    if (code == EXIT_OK)
        code = output_open(d, d->options.run.out, NULL, &output);
    if (code == EXIT_OK) {
        HcShownText to = hc_show_text(output.to, d->options.run.raw);
        status = tokenize_put(&file, tokenizer, &to, &error);
        if (status == HC_OK && !hc_show_end(&to))
            status = hc_fail(&error, HC_ERROR_IO, "cannot write the text");
        code = driver_failed(d, status, &error);
        if (code == EXIT_OK)
            code = output_finish(d, &output);
        else
            output_discard(&output);
    }
    hc_token_file_close(&file);
    return code;
}

/* --- tokenizers --------------------------------------------------------------------------------*/

static ExitCode tokenize_make(Driver *d) {
    HcError error;
    HcText text;
    HcMade made = {0};
    const int64_t wanted = (int64_t)d->options.train_tokens.value;
    HcStatus status = tokenize_read(d, &text, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    status = hc_tokenizer_make(text.bytes, (size_t)text.count, wanted, &made, &error);
    free(text.bytes);
    if (status != HC_OK)
        return tokenize_text_failed(d, status, &error);
    status = hc_tokenizer_write(&made, d->options.run.out, &error);
    if (status == HC_OK) {
        const int64_t size = LEAST_TOKENS + (int64_t)made.count;
        fprintf(d->err, "%s: %" PRId64 " tokens%s\n", d->options.run.out, size,
                size < wanted
                    ? ": no pair of them that makes at most 1024 bytes is in the text twice"
                    : "");
    }
    hc_made_free(&made);
    return driver_failed(d, status, &error);
}

ExitCode command_tokenize(Driver *d) {
    HcError error;
    HcTokenizer *tokenizer;
    ExitCode code = tokenize_check(d);
    if (code != EXIT_OK)
        return code;
    if (d->options.train_tokens.given)
        return tokenize_make(d);
    HcStatus status = hc_tokenizer_open(d->options.run.tokenizer, &tokenizer, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    code = d->options.decode ? tokenize_decode(d, tokenizer) : tokenize_encode(d, tokenizer);
    hc_tokenizer_free(tokenizer);
    return code;
}
