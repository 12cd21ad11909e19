#include "runtime/app/print_sample.h"
#include "runtime/app/show_text.h"
#include "runtime/files/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PROMPT = 64 << 20 };

/* All of a file, or of the standard input where it is "-"; *text is the caller's to free. */
static HcStatus read_prompt(const char *path, char **text, size_t *length, HcError *error) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    HcStatus status = HC_OK;
    size_t room = 0;
    *text = NULL;
    *length = 0;
    if (!file)
        return hc_fail_errno(error, HC_ERROR_DATA, "read the prompt", path);
    for (size_t n = 1; status == HC_OK && n > 0; *length += n) {
        if (*length == room) {
            room = room ? 2 * room : 4096;
            char *grown = realloc(*text, room);
            n = 0;
            *text = grown ? grown : *text;
            if (!grown)
                status = hc_fail_memory(error, "the prompt");
            else if (room > MOST_PROMPT)
                status = hc_fail(error, HC_ERROR_DATA, "the prompt `%s` is longer than %d MiB",
                                 path, MOST_PROMPT >> 20);
            if (status != HC_OK)
                continue;
        }
        n = fread(*text + *length, 1, room - *length, file);
        if (ferror(file)) /* a folder, too */
            status = hc_fail_errno(error, HC_ERROR_DATA, "read the prompt", path);
    }
    if (file != stdin)
        fclose(file);
    if (status != HC_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

static int emit(void *user, const char *bytes, size_t count) {
    return !hc_show_more(user, bytes, count);
}

static int next(void *user) {
    HcShownText *shown = user;
    return !hc_show_end(shown) || fputs("\n---\n", shown->to) == EOF;
}

HcStatus hc_print_sample(const HcModel *model, const HcRunOptions *given, const char *run, FILE *to,
                         FILE *err, HcError *error) {
    char *prompt = NULL;
    size_t length = 0;
    HcSampleOptions options = hc_sample_options(given, run, err);
    HcShownText shown = hc_show_text(to, given->raw);
    HcStatus status =
        given->prompt_file ? read_prompt(given->prompt_file, &prompt, &length, error) : HC_OK;
    if (prompt) {
        options.prompt = prompt;
        options.prompt_length = length;
    }
    options.emit = emit;
    options.next = next;
    options.user = &shown;
    if (status == HC_OK)
        status = hc_sample(model, &options, error);
    if (status == HC_OK && (!hc_show_end(&shown) || fputc('\n', to) == EOF))
        status = hc_fail_errno(error, HC_ERROR_IO, "write", "the output");
    free(prompt);
    return status;
}
