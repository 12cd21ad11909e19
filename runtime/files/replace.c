#include "runtime/files/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY ".tmp-"
#define BEFORE ".old"
#define FILES ".safetensors" /* what folders hold */
enum { DIGITS = 8, TRIES = 1000 };

static HcStatus failed(HcError *error, const char *what, const char *path) {
    return hc_fail_errno(error, HC_ERROR_IO, what, path);
}

/* --- temporaries -------------------------------------------------------------------------------*/

/* Another name at every call, by any thread of any process. */
static void draw_digits(char *to) {
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
    uint64_t drawn;
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != (ssize_t)sizeof drawn) {
        struct timespec now; /* taken names are found out by who makes the file */
        clock_gettime(CLOCK_MONOTONIC, &now);
        drawn = ((uint64_t)now.tv_nsec << 20 ^ (uint64_t)getpid()) * 0x9e3779b97f4a7c15u;
    }
    for (int k = 0; k < DIGITS; k++)
        to[k] = digits[drawn >> (5 * k) & 31];
}

/* Makes it, as a file or as a folder; a link that someone put there is never followed. */
static int make_temporary(const char *name, bool folder) {
    if (!folder)
        return open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (mkdir(name, 0777) != 0)
        return -1;
    int opened = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), why = errno;
    if (opened < 0)
        rmdir(name);
    errno = why;
    return opened;
}

/* -1: errno says why. The lock tells who cleans up that somebody writes. */
static int open_temporary(const char *path, bool folder, char **name) {
    size_t length = strlen(path), size = length + sizeof TEMPORARY + DIGITS;
    char *made = malloc(size);
    *name = NULL;
    for (int k = 0; made && k < TRIES; k++) {
        struct stat info;
        snprintf(made, size, "%s" TEMPORARY, path);
        draw_digits(made + length + sizeof TEMPORARY - 1);
        made[size - 1] = 0;
        int file = make_temporary(made, folder);
        if (file < 0 && (errno == EEXIST || errno == EINTR))
            continue;
        if (file < 0)
            break;
        flock(file, LOCK_EX | LOCK_NB); /* where locks are unknown, nothing is cleaned up */
        if (fstat(file, &info) == 0 && info.st_nlink > 0) {
            *name = made;
            return file;
        }
        close(file); /* somebody cleaned up just before it was locked */
    }
    int why = made ? errno : ENOMEM;
    free(made);
    errno = why;
    return -1;
}

/* --- files -------------------------------------------------------------------------------------*/

HcStatus hc_writer_open(HcWriter *w, const char *path, HcError *error) {
    *w = (HcWriter){path, NULL, -1, error};
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return hc_fail(error, HC_ERROR_IO, "cannot write `%s`: it is no regular file", path);
    w->file = open_temporary(path, false, &w->temporary);
    if (w->file >= 0)
        return HC_OK;
    return failed(error, "write", path);
}

HcStatus hc_writer_put(HcWriter *w, const void *bytes, size_t count) {
    const uint8_t *from = bytes;
    while (count > 0) {
        ssize_t n = write(w->file, from, count < 1 << 30 ? count : 1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(w->error, "write", w->path);
        from += n;
        count -= (size_t)n;
    }
    return HC_OK;
}

HcStatus hc_writer_put_at(HcWriter *w, size_t at, const void *bytes, size_t count) {
    const uint8_t *from = bytes;
    while (count > 0) {
        const ssize_t n = pwrite(w->file, from, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(w->error, "write", w->path);
        from += n;
        at += (size_t)n;
        count -= (size_t)n;
    }
    return HC_OK;
}

/* 0 also where the file system has no such thing. */
static int sync_file(int file) {
    int result;
    do
        result = fsync(file);
    while (result != 0 && errno == EINTR); /* by a signal, over a network */
    return result != 0 && errno != EINVAL && errno != ENOTSUP ? -1 : 0;
}

/* Some file systems cannot sync folders: then renames are as safe as they make them. Nothing is
 * allocated: what has its name by now is there, and must not be called a failure for lack of
 * memory.
 */
static HcStatus sync_above(const char *path, HcError *error) {
    char above[PATH_MAX] = "."; /* no call of the system takes a longer one */
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(above, sizeof above, "%.*s", (int)(slash - path) + 1, path);
    int file = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    HcStatus status = HC_OK;
    if (file >= 0 && sync_file(file) != 0)
        status = failed(error, "sync the folder of", path);
    if (file >= 0)
        close(file);
    return status;
}

HcStatus hc_writer_close(HcWriter *w, HcStatus status) {
    if (status == HC_OK && sync_file(w->file) != 0)
        status = failed(w->error, "sync", w->path);
    if (status == HC_OK && rename(w->temporary, w->path) != 0)
        status = failed(w->error, "rename to", w->path);
    if (status != HC_OK)
        unlink(w->temporary);
    close(w->file); /* not before: it is locked until it has its name */
    free(w->temporary);
    return status == HC_OK ? sync_above(w->path, w->error) : status;
}

HcStatus hc_file_replace(const char *path, const void *bytes, size_t count, HcError *error) {
    HcWriter w;
    HcStatus status = hc_writer_open(&w, path, error);
    return status == HC_OK ? hc_writer_close(&w, hc_writer_put(&w, bytes, count)) : status;
}

/* --- folders -----------------------------------------------------------------------------------*/

/* Where the digits of a temporary's name begin, or NULL. */
static const char *temporary_part(const char *name) {
    const char *at = strstr(name, TEMPORARY), *next;
    while (at && (next = strstr(at + 1, TEMPORARY)))
        at = next;
    if (!at || at == name)
        return NULL;
    const char *digits = at + sizeof TEMPORARY - 1;
    return *digits && strspn(digits, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(digits)
               ? at
               : NULL;
}

static bool is_own_file(const char *name) {
    const char *end = temporary_part(name);
    size_t length = end ? (size_t)(end - name) : strlen(name), tail = sizeof FILES - 1;
    return length > tail && strncmp(name + length - tail, FILES, tail) == 0;
}

/* Calls `act` with every name in the folder until it says no. Takes the descriptor over. */
static bool each_entry(int folder, bool (*act)(void *user, int folder, const char *name),
                       void *user) {
    DIR *stream = folder >= 0 ? fdopendir(folder) : NULL;
    if (!stream) {
        if (folder >= 0)
            close(folder);
        return false;
    }
    bool good = true;
    struct dirent *entry;
    while (good && (entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            good = act(user, dirfd(stream), entry->d_name);
    }
    closedir(stream);
    return good;
}

static int open_folder(int at, const char *path) {
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool keep_own(void *user, int folder, const char *name) {
    (void)user;
    (void)folder;
    return is_own_file(name);
}

static bool unlink_own(void *user, int folder, const char *name) {
    (void)user;
    if (is_own_file(name))
        unlinkat(folder, name, 0);
    return true;
}

/* Whether it is gone. Files that are not ours stay, and so does the folder then. */
static bool remove_folder(int at, const char *path) {
    int folder = open_folder(at, path);
    if (folder < 0)
        return errno == ENOENT;
    each_entry(folder, unlink_own, NULL);
    return unlinkat(at, path, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

char *hc_folder_before(const char *path) {
    size_t size = strlen(path) + sizeof BEFORE;
    char *before = malloc(size);
    if (before)
        snprintf(before, size, "%s" BEFORE, path);
    return before;
}

HcStatus hc_folder_remove(const char *path, HcError *error) {
    char *before = hc_folder_before(path);
    if (!before)
        return hc_fail_memory(error, "a path");
    bool gone = remove_folder(AT_FDCWD, before) && remove_folder(AT_FDCWD, path);
    free(before);
    return gone ? HC_OK : failed(error, "remove", path);
}

static HcStatus check_in_the_way(const char *path, HcError *error) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return HC_OK;
    if (!S_ISDIR(info.st_mode))
        return hc_fail(error, HC_ERROR_IO, "`%s` is in the way: it is not a folder", path);
    if (!each_entry(open_folder(AT_FDCWD, path), keep_own, NULL))
        return hc_fail(error, HC_ERROR_IO,
                       "`%s` is in the way: it holds files that belong to no checkpoint", path);
    return HC_OK;
}

HcStatus hc_folder_begin(HcFolder *f, const char *path, HcError *error) {
    *f = (HcFolder){.path = strdup(path), .folder = -1, .error = error};
    if (!f->path)
        return hc_fail_memory(error, "a path");
    for (size_t n = strlen(path); n > 1 && f->path[n - 1] == '/'; n--)
        f->path[n - 1] = 0;
    HcStatus status = check_in_the_way(f->path, error);
    if (status == HC_OK) {
        f->folder = open_temporary(f->path, true, &f->temporary);
        if (f->folder < 0)
            status = failed(error, "make the folder", path);
    }
    if (status != HC_OK)
        free(f->path);
    return status;
}

/* Without an exchange in one step: the earlier one under its second name, until the new one is
 * there. */
static int exchange_in_steps(const HcFolder *f, const char *before) {
    if (!remove_folder(AT_FDCWD, before) || rename(f->path, before) != 0)
        return -1;
    if (rename(f->temporary, f->path) == 0)
        return 0;
    int why = errno;
    rename(before, f->path);
    errno = why;
    return -1;
}

/* Then what was there before is at the temporary name, or at `before`, or nowhere. */
static int put_in_place(const HcFolder *f, const char *before) {
    if (rename(f->temporary, f->path) == 0)
        return 0;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return -1;
    if (renameat2(AT_FDCWD, f->temporary, AT_FDCWD, f->path, RENAME_EXCHANGE) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS || errno == ENOTSUP ? exchange_in_steps(f, before)
                                                                  : -1;
}

HcStatus hc_folder_finish(HcFolder *f, HcStatus status) {
    char *before = hc_folder_before(f->path);
    if (status == HC_OK && !before)
        status = hc_fail_memory(f->error, "a path");
    if (status == HC_OK && put_in_place(f, before) != 0)
        status = failed(f->error, "rename to", f->path);
    bool placed = status == HC_OK;
    if (placed)
        status = sync_above(f->path, f->error);
    if (status == HC_OK) /* not before the new one is sure to stay */
        remove_folder(AT_FDCWD, before);
    if (status == HC_OK || !placed)
        remove_folder(AT_FDCWD, f->temporary);
    close(f->folder);
    free(before);
    free(f->temporary);
    free(f->path);
    return status;
}

/* --- what was left -----------------------------------------------------------------------------*/

typedef struct {
    int (*ours)(const char *name);
} Sweep;

static bool sweep(void *user, int folder, const char *name) {
    const Sweep *s = user;
    const char *end = temporary_part(name);
    char *base = end ? strndup(name, (size_t)(end - name)) : NULL;
    bool ours = base && (!s->ours || s->ours(base));
    free(base);
    int file = ours ? openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (file < 0)
        return true;
    struct stat info;
    if (fstat(file, &info) == 0 && flock(file, LOCK_EX | LOCK_NB) == 0) {
        if (S_ISDIR(info.st_mode))
            remove_folder(folder, name);
        else if (S_ISREG(info.st_mode))
            unlinkat(folder, name, 0);
    }
    close(file);
    return true;
}

void hc_remove_temporaries(const char *folder, int (*ours)(const char *name)) {
    Sweep s = {ours};
    each_entry(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sweep, &s);
}
