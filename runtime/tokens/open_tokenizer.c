/* Which files a tokenizer is in. */
#include "runtime/files/json_file.h"
#include "runtime/files/paths.h"
#include "runtime/tokens/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static HcStatus add(HcTokenizerFiles *files, const char *name, char *path, HcError *error) {
    if (!path)
        return hc_fail_memory(error, "a path");
    files->at[files->count].name = name;
    files->at[files->count++].path = path;
    return HC_OK;
}

static HcStatus find_in_folder(HcTokenizerFiles *files, const char *folder, HcError *error) {
    HcStatus status = add(files, "tokenizer.json", hc_path_join(folder, "tokenizer.json"), error);
    if (status != HC_OK || access(files->at[0].path, F_OK) == 0)
        return status;
    hc_tokenizer_files_free(files);
    status = add(files, "vocab.json", hc_path_join(folder, "vocab.json"), error);
    if (status == HC_OK)
        status = add(files, "merges.txt", hc_path_join(folder, "merges.txt"), error);
    if (status == HC_OK && access(files->at[0].path, F_OK) != 0)
        status = hc_fail(error, HC_ERROR_DATA,
                         "`%s` holds no tokenizer: neither tokenizer.json nor vocab.json and "
                         "merges.txt",
                         folder);
    return status;
}

/* merges.txt lies beside vocab.json. */
static HcStatus find_beside(HcTokenizerFiles *files, const char *path, HcError *error) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
    HcStatus status = add(files, "vocab.json", strdup(path), error);
    if (status == HC_OK)
        status =
            add(files, "merges.txt", folder ? hc_path_join(folder, "merges.txt") : NULL, error);
    free(folder);
    return status;
}

static HcStatus find(HcTokenizerFiles *files, const char *path, HcError *error) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *files = (HcTokenizerFiles){0};
    if (hc_is_folder(path))
        return find_in_folder(files, path, error);
    return strcmp(name, "vocab.json") == 0 ? find_beside(files, path, error)
                                           : add(files, "tokenizer.json", strdup(path), error);
}

HcStatus hc_tokenizer_files(const char *path, HcTokenizerFiles *files, HcError *error) {
    HcStatus status = find(files, path, error);
    for (uint32_t k = 0; k < files->count && status == HC_OK; k++)
        status = hc_text_file(files->at[k].path, &files->at[k].text, &files->at[k].length, error);
    return status;
}

void hc_tokenizer_files_free(HcTokenizerFiles *files) {
    for (uint32_t k = 0; k < files->count; k++) {
        free(files->at[k].path);
        free(files->at[k].text);
    }
    *files = (HcTokenizerFiles){0};
}

HcStatus hc_tokenizer_open(const char *path, HcTokenizer **tokenizer, HcError *error) {
    HcTokenizerFiles files;
    HcTokenizer *t = hc_tokenizer_new();
    *tokenizer = NULL;
    if (!t)
        return hc_fail_memory(error, "a tokenizer");
    HcStatus status = find(&files, path, error);
    if (status == HC_OK)
        status = files.count == 1
                     ? hc_tokenizer_read_json(t, files.at[0].path, error)
                     : hc_tokenizer_read_gpt2(t, files.at[0].path, files.at[1].path, error);
    hc_tokenizer_files_free(&files);
    if (status != HC_OK) {
        hc_tokenizer_free(t);
        return status;
    }
    hc_tokenizer_finish(t);
    *tokenizer = t;
    return HC_OK;
}
