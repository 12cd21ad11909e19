#ifndef HC_BLAS_LOAD_H
#define HC_BLAS_LOAD_H

/* Loads OpenBLAS, as dlopen does, to work on the thread of its caller alone and, with a setting of
 * blas_core.h that the environment does not have, with those kernels. Where it is loaded already
 * nothing is changed. */
void *hc_blas_load(const char *core_setting);

#endif
