/* How OpenBLAS is loaded: told what to do, and nothing of it left behind in the process; which of
 * its kernels it takes, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "abi/needs.h"
#include "runtime/run/blas.h"
#include "runtime/run/cpus.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPENERS = 4, READERS = 2 };

typedef struct {
    atomic_bool ends;
    atomic_int lost; /* looks at a variable that did not find it */
    HcBlas blas[OPENERS];
    HcStatus status[OPENERS];
} Process;

typedef struct {
    Process *process;
    int k;
} Opener;

static void *read_environment(void *context) {
    Process *process = context;
    while (!process->ends) {
        const char *found = getenv("HCC_TEST_VARIABLE");
        process->lost += !found || strcmp(found, "stays") != 0;
    }
    return NULL;
}

static void *open_blas(void *context) {
    const Opener *opener = context;
    Process *process = opener->process;
    process->status[opener->k] = hc_blas_open(&process->blas[opener->k], NULL);
    return NULL;
}

/* The first to load it, from several threads at once, while others read the environment. */
static void test_loading(void **state) {
    (void)state;
    Process process = {0};
    pthread_t readers[READERS], openers[OPENERS];
    Opener tasks[OPENERS];
    unsetenv("OPENBLAS_CORETYPE");
    unsetenv("OPENBLAS_NUM_THREADS");
    setenv("HCC_TEST_VARIABLE", "stays", 1);
    char **before = environ;
    assert_null(dlopen(HC_LOADED_LIBRARY, RTLD_NOW | RTLD_NOLOAD));
    for (int k = 0; k < READERS; k++)
        assert_int_equal(pthread_create(&readers[k], NULL, read_environment, &process), 0);
    for (int k = 0; k < OPENERS; k++) {
        tasks[k] = (Opener){&process, k};
        assert_int_equal(pthread_create(&openers[k], NULL, open_blas, &tasks[k]), 0);
    }
    for (int k = 0; k < OPENERS; k++)
        pthread_join(openers[k], NULL);
    process.ends = true;
    for (int k = 0; k < READERS; k++)
        pthread_join(readers[k], NULL);
    assert_int_equal(process.lost, 0);
    assert_ptr_equal(environ, before);
    assert_null(getenv("OPENBLAS_CORETYPE"));
    assert_null(getenv("OPENBLAS_NUM_THREADS"));
    for (int k = 0; k < OPENERS; k++) {
        assert_int_equal(process.status[k], HC_OK);
        assert_string_equal(process.blas[k].core, process.blas[0].core);
    }
    int (*threads)(void);
    void *library = dlopen(HC_LOADED_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    *(void **)&threads = dlsym(library, "openblas_get_num_threads");
    assert_int_equal(threads(), 1);
    dlclose(library);
}

/* An Intel processor's kernels are those for its vectors, whatever its number is. */
static void test_choice(void **state) {
    (void)state;
    HcBlas blas;
    char text[320];
    assert_int_equal(hc_blas_open(&blas, NULL), HC_OK);
    const char *setting = hc_blas_core_setting();
    assert_false(hc_blas_core_slowed(blas.core, text, sizeof text));
    if (!setting) {
        assert_int_equal(blas.core_by, HC_CORE_BY_OPENBLAS);
        return;
    }
    assert_string_equal(setting + strlen("OPENBLAS_CORETYPE="), blas.core);
    assert_string_equal(blas.core, hc_cpu_has("avx512f") ? "SkylakeX" : "Haswell");
    assert_int_equal(blas.core_by, HC_CORE_BY_VECTORS);
}

static void test_what_is_said(void **state) {
    (void)state;
    char text[320];
    setenv("OPENBLAS_CORETYPE", "nehalem", 1);
    assert_int_equal(hc_blas_core_by("Nehalem"), HC_CORE_BY_ENVIRONMENT);
#if defined(__x86_64__)
    const bool better = hc_cpu_has("avx");
    assert_int_equal(hc_blas_core_slowed("Nehalem", text, sizeof text), better);
    if (better)
        assert_non_null(strstr(text, "OPENBLAS_CORETYPE=nehalem: for the products that it makes "
                                     "OpenBLAS takes its kernels for Nehalem, where this "
                                     "processor could have those for "));
#endif
    assert_false(hc_blas_core_slowed("LaterLake", text, sizeof text));
    unsetenv("OPENBLAS_CORETYPE");
    assert_int_equal(hc_blas_core_by("Nehalem"), HC_CORE_BY_OPENBLAS);
    assert_false(hc_blas_core_slowed("Nehalem", text, sizeof text)); /* its own choice */
    setenv("OPENBLAS_L2_SIZE", "64", 1);
    assert_true(hc_blas_core_slowed("SkylakeX", text, sizeof text));
    assert_non_null(strstr(text, "OPENBLAS_L2_SIZE=64"));
    unsetenv("OPENBLAS_L2_SIZE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_what_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
