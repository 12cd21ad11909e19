/* OpenBLAS is told what it is to do in the environment, which it reads while it is loaded and not
 * again. setenv is no way to say it: other threads of this process may be reading. So for as long
 * as it is loaded the process has another environment, an array made of the settings and then of
 * all that it had; whoever looks for a name in between finds it in either. The array stays, as one
 * may be reading it still. Whoever sets a variable in between replaces the array, which is then
 * left to him, the two settings in it. */
#include "runtime/run/blas_load.h"
#include "abi/needs.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char one_thread[] = "OPENBLAS_NUM_THREADS=1";

/* Of an array that also holds two settings and the end. */
static size_t extended_bytes(char **before) {
    size_t n = 3;
    for (size_t k = 0; before && before[k]; k++)
        n++;
    return n * sizeof *before;
}

/* The settings before what there was, since the first of a name counts. NULL: no memory. A mapping,
 * because it is never freed. */
static char **extended(char **before, size_t bytes, const char *setting) {
    char **with = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (with == MAP_FAILED)
        return NULL;
    size_t k = 0;
    with[k++] = (char *)(uintptr_t)one_thread;
    if (setting)
        with[k++] = (char *)(uintptr_t)setting;
    for (size_t n = 0; before && before[n]; n++)
        with[k++] = before[n];
    return with;
}

/* The environment before, and in *with that of now; they are the same where another thread is
 * loading, or there is no memory. */
static char **enter(const char *setting, char ***with) {
    char **before = __atomic_load_n(&environ, __ATOMIC_ACQUIRE);
    for (;;) {
        if (before && before[0] == one_thread)
            return *with = before;
        const size_t bytes = extended_bytes(before);
        *with = extended(before, bytes, setting);
        if (!*with)
            return *with = before;
        char **seen = before;
        if (__atomic_compare_exchange_n(&environ, &seen, *with, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return before;
        munmap(*with, bytes);
        before = seen;
    }
}

void *hc_blas_load(const char *core_setting) {
    const int how = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    void *library = dlopen(HC_LOADED_LIBRARY, how | RTLD_NOLOAD);
    if (library)
        return library;
    const char *asked = getenv("OPENBLAS_CORETYPE");
    char **with, **before = enter(asked && *asked ? NULL : core_setting, &with);
    library = dlopen(HC_LOADED_LIBRARY, how);
    if (with != before)
        __atomic_compare_exchange_n(&environ, &with, before, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
    return library;
}
