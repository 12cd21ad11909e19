#include "runtime/run/blas.h"
#include "abi/needs.h"
#include "runtime/hc.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

/* A function's address; C has no cast from void * to it. */
static bool blas_find(void *library, const char *name, void *function) {
    *(void **)function = dlsym(library, name);
    return *(void **)function != NULL;
}

HcStatus hc_blas_open(HcBlas *blas, HcError *error) {
    char *(*core)(void);
    void *library = dlopen(HC_LOADED_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library && blas_find(library, "cblas_sgemm", &blas->sgemm) &&
        blas_find(library, "cblas_dgemm", &blas->dgemm) &&
        blas_find(library, "openblas_get_corename", &core)) {
        blas->core = core();
        return HC_OK;
    }
    const char *why = dlerror();
    return hc_fail(error, HC_ERROR_IO, "cannot load OpenBLAS, which multiplies matrices: %s",
                   why ? why : HC_LOADED_LIBRARY);
}

void hc_process_init(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1); /* read when it is loaded */
    void (*set_threads)(int);
    void *loaded = dlopen(HC_LOADED_LIBRARY, RTLD_NOW | RTLD_NOLOAD); /* by somebody else */
    if (loaded && blas_find(loaded, "openblas_set_num_threads", &set_threads))
        set_threads(1);
}
