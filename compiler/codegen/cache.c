/* A folder of finished work; see cache.h.
 *
 * An entry is one file, KEY.code: a header and the bytes. Readers take no lock, as a file under its
 * final name never changes. Writers take one for the whole of looking around, making room and
 * writing, so the folder's size is right even with several of them; one who does not get it soon
 * keeps nothing. A file's time is when it was last read. */
#include "codegen/cache.h"
#include "base/vec.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE_SUFFIX ".code"
static const char cache_lock_name[] = "hcc.lock", cache_new_name[] = "hcc.new";
enum { CACHE_NAME = 32 + sizeof CACHE_SUFFIX, CACHE_BLOCK = 4096, CACHE_PATIENCE_MS = 200 };

struct Cache {
    const char *path;
    int folder;
    uint64_t most_bytes;
    atomic_uint found, missed;
};

typedef struct {
    uint64_t magic;
    WideHash key;
    uint64_t length, checksum;
} CacheHeader;
static const uint64_t cache_magic = 0x3165686361632d63; /* "c-cache1": changes with this layout */

static void cache_name(WideHash key, char name[CACHE_NAME]) {
    snprintf(name, CACHE_NAME, "%016llx%016llx" CACHE_SUFFIX, (unsigned long long)key.high,
             (unsigned long long)key.low);
}

static bool cache_is_name(const char *name) {
    return strspn(name, "0123456789abcdef") == 32 && strcmp(name + 32, CACHE_SUFFIX) == 0;
}

/* Ours alone to write: what others could have put there is not run. */
static bool cache_trusts(const struct stat *status) {
    return status->st_uid == geteuid() && (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* --- the folder --------------------------------------------------------------------------------*/

/* The folder and those above it. Failing is no matter: opening it will tell. */
static void cache_make_folders(Arena *arena, const char *folder) {
    char *path = arena_printf(arena, "%s/", folder);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

Cache *cache_open(Arena *arena, const char *folder, uint64_t most_bytes, const char **why) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int opened = open(folder, flags);
    if (opened < 0 && errno == ENOENT) {
        cache_make_folders(arena, folder);
        opened = open(folder, flags);
    }
    struct stat status;
    *why = NULL;
    if (opened < 0 || fstat(opened, &status) != 0)
        *why = arena_printf(arena, "%s: %s", folder, strerror(errno));
    else if (!cache_trusts(&status))
        *why = arena_printf(arena, "%s: others may write there", folder);
    if (*why) {
        if (opened >= 0)
            close(opened);
        return NULL;
    }
    Cache *cache = ARENA_NEW(arena, Cache);
    cache->path = arena_printf(arena, "%s", folder);
    cache->folder = opened;
    cache->most_bytes = most_bytes;
    return cache;
}

void cache_close(Cache *cache) {
    if (cache && cache->folder >= 0) {
        close(cache->folder);
        cache->folder = -1;
    }
}

const char *cache_folder(const Cache *cache) {
    return cache->path;
}

void cache_counts(const Cache *cache, uint32_t *found, uint32_t *missed) {
    *found = atomic_load(&cache->found);
    *missed = atomic_load(&cache->missed);
}

/* --- reading -----------------------------------------------------------------------------------*/

static bool cache_read_all(int file, void *to, size_t length) {
    for (char *at = to; length;) {
        ssize_t n = read(file, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

static bool cache_read_file(int file, uint64_t most_bytes, Arena *arena, CacheEntry *entry) {
    struct stat status;
    CacheHeader header;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || !cache_trusts(&status) ||
        (uint64_t)status.st_size < sizeof header || (uint64_t)status.st_size > most_bytes ||
        !cache_read_all(file, &header, sizeof header))
        return false;
    if (header.magic != cache_magic || header.key.high != entry->key.high ||
        header.key.low != entry->key.low ||
        header.length != (uint64_t)status.st_size - sizeof header)
        return false;
    char *bytes = arena_alloc(arena, header.length + 1);
    if (!cache_read_all(file, bytes, header.length) ||
        hash_bytes(bytes, header.length, 0) != header.checksum)
        return false;
    futimens(file, NULL); /* used just now; a folder that cannot be written keeps its order */
    entry->bytes = bytes;
    entry->length = header.length;
    return true;
}

bool cache_read(Cache *cache, Arena *arena, CacheEntry *entry) {
    char name[CACHE_NAME];
    cache_name(entry->key, name);
    int file = openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool found = file >= 0 && cache_read_file(file, cache->most_bytes, arena, entry);
    if (file >= 0)
        close(file);
    atomic_fetch_add(found ? &cache->found : &cache->missed, 1);
    return found;
}

/* --- writing -----------------------------------------------------------------------------------*/

typedef struct {
    char name[CACHE_NAME];
    uint64_t bytes;
    struct timespec used;
} CacheFile;
typedef VEC(CacheFile) CacheFiles;

/* What a file takes on disk. */
static uint64_t cache_bytes(uint64_t length) {
    return (length + CACHE_BLOCK - 1) / CACHE_BLOCK * CACHE_BLOCK;
}

static int cache_lock(const Cache *cache) {
    int lock =
        openat(cache->folder, cache_lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0)
        return -1;
    for (int waited = 0; flock(lock, LOCK_EX | LOCK_NB) != 0; waited++) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited == CACHE_PATIENCE_MS) {
            close(lock);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return lock;
}

/* The entries that are there, whoever made them, and what they take together. */
static uint64_t cache_list(const Cache *cache, Arena *arena, CacheFiles *files) {
    uint64_t total = 0;
    int again = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again >= 0 ? fdopendir(again) : NULL;
    if (!folder) {
        if (again >= 0)
            close(again);
        return UINT64_MAX;
    }
    for (struct dirent *d = readdir(folder); d; d = readdir(folder)) {
        struct stat status;
        if (!cache_is_name(d->d_name) ||
            fstatat(cache->folder, d->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        CacheFile file = {.bytes = cache_bytes((uint64_t)status.st_size), .used = status.st_mtim};
        memcpy(file.name, d->d_name, CACHE_NAME);
        vec_push(arena, files, file);
        total += file.bytes;
    }
    closedir(folder);
    return total;
}

static int cache_older(const void *x, const void *y) {
    const CacheFile *a = x, *b = y;
    if (a->used.tv_sec != b->used.tv_sec)
        return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    if (a->used.tv_nsec != b->used.tv_nsec)
        return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Removes what was used longest ago until `wanted` more bytes fit. Says whether they do. */
static bool cache_make_room(const Cache *cache, Arena *arena, uint64_t wanted) {
    CacheFiles files = {0};
    uint64_t total = cache_list(cache, arena, &files);
    if (total == UINT64_MAX || wanted > cache->most_bytes)
        return false;
    if (total + wanted <= cache->most_bytes)
        return true;
    qsort(files.at, files.count, sizeof *files.at, cache_older);
    for (uint32_t k = 0; k < files.count && total + wanted > cache->most_bytes; k++)
        if (unlinkat(cache->folder, files.at[k].name, 0) == 0 || errno == ENOENT)
            total -= files.at[k].bytes;
    return total + wanted <= cache->most_bytes;
}

static bool cache_write_all(int file, const void *from, size_t length) {
    for (const char *at = from; length;) {
        ssize_t n = write(file, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

/* Under the lock: the one new file at a time has the same name always. */
static bool cache_write_entry(const Cache *cache, const CacheEntry *entry) {
    CacheHeader header = {.magic = cache_magic,
                          .key = entry->key,
                          .length = entry->length,
                          .checksum = hash_bytes(entry->bytes, entry->length, 0)};
    unlinkat(cache->folder, cache_new_name, 0); /* of a process that was ended halfway */
    int file = openat(cache->folder, cache_new_name,
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool written = cache_write_all(file, &header, sizeof header) &&
                   cache_write_all(file, entry->bytes, entry->length);
    written = close(file) == 0 && written;
    char name[CACHE_NAME];
    cache_name(entry->key, name);
    if (written && renameat(cache->folder, cache_new_name, cache->folder, name) == 0)
        return true;
    unlinkat(cache->folder, cache_new_name, 0);
    return false;
}

void cache_write(Cache *cache, Arena *arena, const CacheEntry *entries, uint32_t n_entries) {
    uint64_t wanted = 0;
    for (uint32_t k = 0; k < n_entries; k++)
        wanted += cache_bytes(sizeof(CacheHeader) + entries[k].length);
    int lock = n_entries ? cache_lock(cache) : -1;
    if (lock < 0)
        return;
    if (cache_make_room(cache, arena, wanted))
        for (uint32_t k = 0; k < n_entries; k++)
            if (!cache_write_entry(cache, &entries[k]))
                break;
    close(lock);
}
