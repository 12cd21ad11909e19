#include "runtime/trained/tokenizer_copy.h"
#include "runtime/files/paths.h"
#include "runtime/files/replace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const copies[] = {"tokenizer.json", "vocab.json", "merges.txt"};

HcStatus hc_tokenizer_copy(const char *run, const HcTokenizerFiles *files, HcError *error) {
    char *folder = hc_path_join(run, HC_RUN_TOKENIZER);
    if (!folder)
        return hc_fail_memory(error, "a path");
    HcStatus status = hc_make_folder(folder, error);
    for (uint32_t k = 0; k < files->count && status == HC_OK; k++) {
        char *path = hc_path_join(folder, files->at[k].name);
        status = path ? hc_file_replace(path, files->at[k].text, files->at[k].length, error)
                      : hc_fail_memory(error, "a path");
        free(path);
    }
    free(folder);
    return status;
}

HcStatus hc_tokenizer_copy_remove(const char *run, HcError *error) {
    char *folder = hc_path_join(run, HC_RUN_TOKENIZER);
    HcStatus status = folder ? HC_OK : hc_fail_memory(error, "a path");
    for (size_t k = 0; k < sizeof copies / sizeof copies[0] && status == HC_OK; k++) {
        char *path = hc_path_join(folder, copies[k]);
        if (!path)
            status = hc_fail_memory(error, "a path");
        else if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
            status = hc_fail_errno(error, HC_ERROR_IO, "replace", path);
        free(path);
    }
    if (status == HC_OK)
        rmdir(folder); /* stays where somebody else's files are in it */
    free(folder);
    return status;
}
