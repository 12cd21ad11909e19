#include "runtime/files/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *hc_path_join(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

char *hc_path_beside(const char *file, const char *name) {
    const char *slash = strrchr(file, '/');
    const size_t folder = slash ? (size_t)(slash - file) + 1 : 0;
    char *path = malloc(folder + strlen(name) + 1);
    if (path)
        strcpy((char *)memcpy(path, file, folder) + folder, name);
    return path;
}

char *hc_path_in(const char *folder, const char *path) {
    const bool inside = folder && path[0] != '/';
    const size_t size = strlen(path) + (inside ? strlen(folder) + 1 : 0) + 1;
    char *joined = malloc(size);
    if (joined)
        snprintf(joined, size, "%s%s%s", inside ? folder : "", inside ? "/" : "", path);
    return joined;
}

bool hc_path_ends(const char *path, const char *end) {
    const size_t length = path ? strlen(path) : 0, n = strlen(end);
    return length > n && strcmp(path + length - n, end) == 0;
}

bool hc_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool hc_same_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

HcStatus hc_make_folder(const char *path, HcError *error) {
    char *copy = strdup(path);
    if (!copy)
        return hc_fail_memory(error, "a path");
    HcStatus status = HC_OK;
    for (char *at = copy + 1; status == HC_OK && *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        mkdir(copy, 0777); /* the last one tells */
        *at = '/';
    }
    struct stat info;
    if (mkdir(copy, 0777) != 0 && errno != EEXIST)
        status = hc_fail_errno(error, HC_ERROR_IO, "make the folder", path);
    else if (stat(copy, &info) != 0 || !S_ISDIR(info.st_mode))
        status = hc_fail(error, HC_ERROR_IO, "`%s` is in the way: it is not a folder", path);
    else if (access(copy, W_OK | X_OK) != 0)
        status = hc_fail_errno(error, HC_ERROR_IO, "write to the folder", path);
    free(copy);
    return status;
}

bool hc_is_path_pattern(const char *path) {
    struct stat info;
    return strpbrk(path, "*?[") && lstat(path, &info) != 0;
}
