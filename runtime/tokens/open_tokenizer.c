/* Which files a tokenizer is in. */
#include "runtime/files/paths.h"
#include "runtime/tokens/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static HcStatus read_folder(HcTokenizer *t, const char *folder, HcError *error) {
    char *json = hc_path_join(folder, "tokenizer.json"),
         *vocabulary = hc_path_join(folder, "vocab.json"),
         *merges = hc_path_join(folder, "merges.txt");
    HcStatus status;
    if (!json || !vocabulary || !merges)
        status = hc_fail_memory(error, "a path");
    else if (access(json, F_OK) == 0)
        status = hc_tokenizer_read_json(t, json, error);
    else if (access(vocabulary, F_OK) == 0)
        status = hc_tokenizer_read_gpt2(t, vocabulary, merges, error);
    else
        status = hc_fail(error, HC_ERROR_DATA,
                         "`%s` holds no tokenizer: neither tokenizer.json nor vocab.json and "
                         "merges.txt",
                         folder);
    free(json);
    free(vocabulary);
    free(merges);
    return status;
}

/* merges.txt lies beside vocab.json. */
static HcStatus read_beside(HcTokenizer *t, const char *path, HcError *error) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
    char *merges = folder ? hc_path_join(folder, "merges.txt") : NULL;
    HcStatus status =
        merges ? hc_tokenizer_read_gpt2(t, path, merges, error) : hc_fail_memory(error, "a path");
    free(folder);
    free(merges);
    return status;
}

HcStatus hc_tokenizer_open(const char *path, HcTokenizer **tokenizer, HcError *error) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    HcTokenizer *t = hc_tokenizer_new();
    *tokenizer = NULL;
    if (!t)
        return hc_fail_memory(error, "a tokenizer");
    HcStatus status = is_folder(path)                   ? read_folder(t, path, error)
                      : strcmp(name, "vocab.json") == 0 ? read_beside(t, path, error)
                                                        : hc_tokenizer_read_json(t, path, error);
    if (status != HC_OK) {
        hc_tokenizer_free(t);
        return status;
    }
    hc_tokenizer_finish(t);
    *tokenizer = t;
    return HC_OK;
}
