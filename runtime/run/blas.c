#include "runtime/run/blas.h"
#include "abi/needs.h"
#include "runtime/hc.h"
#include "runtime/run/blas_load.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* A function's address; C has no cast from void * to it. */
static bool blas_find(void *library, const char *name, void *function) {
    *(void **)function = dlsym(library, name);
    return *(void **)function != NULL;
}

HcStatus hc_blas_open(HcBlas *blas, HcError *error) {
    char *(*core)(void);
    void *library = hc_blas_load(hc_blas_core_setting());
    if (library && blas_find(library, "cblas_sgemm", &blas->sgemm) &&
        blas_find(library, "cblas_dgemm", &blas->dgemm) &&
        blas_find(library, "openblas_get_corename", &core)) {
        blas->core = core();
        blas->core_by = hc_blas_core_by(blas->core);
        return HC_OK;
    }
    const char *why = dlerror();
    return hc_fail(error, HC_ERROR_IO, "cannot load OpenBLAS, which multiplies matrices: %s",
                   why ? why : HC_LOADED_LIBRARY);
}

const char *const hc_core_by_names[] = {
    [HC_CORE_BY_OPENBLAS] = "openblas",
    [HC_CORE_BY_VECTORS] = "vectors",
    [HC_CORE_BY_ENVIRONMENT] = "environment",
};

/* For people. */
static const char *const choosers[] = {
    [HC_CORE_BY_OPENBLAS] = "itself",
    [HC_CORE_BY_VECTORS] = "the processor's vectors",
    [HC_CORE_BY_ENVIRONMENT] = "OPENBLAS_CORETYPE",
};

void hc_blas_say(char *text, size_t size) {
    HcBlas blas;
    HcError error = {HC_OK, "a library of that name that is not OpenBLAS"};
    char *(*config)(void), version[32] = "of an unknown version";
    int (*threads)(void);
    void *library = NULL;
    if (hc_blas_open(&blas, &error) == HC_OK)
        library = dlopen(HC_LOADED_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    if (!library || !blas_find(library, "openblas_get_num_threads", &threads)) {
        snprintf(text, size, "%s", error.message);
        return;
    }
    if (blas_find(library, "openblas_get_config", &config)) /* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
        sscanf(config(), "OpenBLAS %31s", version);
    snprintf(text, size, "OpenBLAS %s (%s), kernels for %s (chosen by %s), threads: %d", version,
             HC_LOADED_LIBRARY, blas.core, choosers[blas.core_by], threads());
    dlclose(library);
}

void hc_blas_note(const HcBlas *blas, FILE *to) {
    char text[320];
    if (to && hc_blas_core_slowed(blas->core, text, sizeof text))
        fprintf(to, "note: %s\n", text);
}

void hc_process_init(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1); /* read when it is loaded */
    void (*set_threads)(int);
    void *loaded = dlopen(HC_LOADED_LIBRARY, RTLD_NOW | RTLD_NOLOAD); /* by somebody else */
    if (loaded && blas_find(loaded, "openblas_set_num_threads", &set_threads))
        set_threads(1);
}
