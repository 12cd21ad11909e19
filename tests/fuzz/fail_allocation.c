/* Preloaded into a command: the n-th allocation that hcc itself asks for, or jansson for it, fails.
 * FAIL_ALLOCATION=N; COUNT_ALLOCATIONS=FILE is told how many there were. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RANGES = 64 };
static struct {
    uintptr_t low, high;
} ranges[MOST_RANGES]; /* of code whose allocations count */
static int n_ranges;
static atomic_long count;
static long failing;

static int note_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    const bool counts = !info->dlpi_name[0] || strstr(info->dlpi_name, "jansson");
    for (int k = 0; counts && k < info->dlpi_phnum && n_ranges < MOST_RANGES; k++) {
        if (info->dlpi_phdr[k].p_type != PT_LOAD)
            continue;
        ranges[n_ranges].low = info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
        ranges[n_ranges].high = ranges[n_ranges].low + info->dlpi_phdr[k].p_memsz;
        n_ranges++;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *n = getenv("FAIL_ALLOCATION");
    failing = n ? strtol(n, NULL, 10) : 0;
    dl_iterate_phdr(note_object, NULL);
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("COUNT_ALLOCATIONS");
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)count);
    int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (file >= 0 && write(file, text, (size_t)length) == length)
        close(file);
}

static bool fails(const void *caller) {
    bool counts = false;
    for (int k = 0; k < n_ranges; k++)
        counts |= (uintptr_t)caller >= ranges[k].low && (uintptr_t)caller < ranges[k].high;
    if (!counts || atomic_fetch_add(&count, 1) + 1 != failing)
        return false;
    errno = ENOMEM;
    return true;
}
#define FAILS fails(__builtin_return_address(0))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    return FAILS ? NULL : __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
    return FAILS ? NULL : __libc_calloc(n, size);
}
void *realloc(void *old, size_t size) {
    return FAILS ? NULL : __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    return FAILS ? NULL : __libc_memalign(alignment, size);
}
char *strndup(const char *text, size_t most) {
    const size_t length = strnlen(text, most);
    char *copy = FAILS ? NULL : __libc_malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}
char *strdup(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = FAILS ? NULL : __libc_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}
