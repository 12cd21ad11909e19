/* OpenBLAS, loaded when the first context is made. Linked, it would start its threads before
 * main(), in commands that multiply nothing, too: where a process may have few threads or little
 * memory that ends it, or keeps it from ending. */
#ifndef HC_BLAS_H
#define HC_BLAS_H

#include "runtime/files/error.h"
#include "runtime/run/blas_core.h"

#include <cblas.h>
#include <stdio.h>

typedef struct {
    void (*sgemm)(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint m, blasint n, blasint k,
                  float alpha, const float *a, blasint lda, const float *b, blasint ldb, float beta,
                  float *c, blasint ldc);
    void (*dgemm)(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint m, blasint n, blasint k,
                  double alpha, const double *a, blasint lda, const double *b, blasint ldb,
                  double beta, double *c, blasint ldc);
    const char *core; /* its kernels on this processor, */
    HcCoreBy core_by; /* and who chose them */
} HcBlas;

extern const char *const hc_core_by_names[]; /* in config.json */

/* Once loaded it stays for as long as the process. */
HcStatus hc_blas_open(HcBlas *blas, HcError *error);
/* In one line, which it is and how it works in this process, or why there is none. */
void hc_blas_say(char *text, size_t size);
/* Says on `to` (NULL: not at all) what the environment makes it slower by, if it does. */
void hc_blas_note(const HcBlas *blas, FILE *to);

#endif
