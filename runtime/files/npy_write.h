/* The head of an array of NumPy (.npy), to write. */
#ifndef HC_NPY_WRITE_H
#define HC_NPY_WRITE_H

#include "runtime/hc.h"

enum { HC_NPY_HEAD = 384 };

/* type: "<f4"; dims: the last is the fastest. How many bytes it has: a multiple of 64. */
size_t hc_npy_head(char head[HC_NPY_HEAD], const char *type, int32_t rank, const int64_t *dims);

#endif
