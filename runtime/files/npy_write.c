#include "runtime/files/npy_write.h"

#include <stdio.h>
#include <string.h>

enum { BEFORE = 10 }; /* the magic, a version, a length */

size_t hc_npy_head(char head[HC_NPY_HEAD], const char *type, int32_t rank, const int64_t *dims) {
    size_t n = BEFORE;
    n += (size_t)snprintf(head + n, HC_NPY_HEAD - n,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int32_t k = 0; k < rank; k++)
        n += (size_t)snprintf(head + n, HC_NPY_HEAD - n, "%lld%s", (long long)dims[k],
                              k + 1 < rank ? ", "
                              : rank == 1  ? ","
                                           : "");
    n += (size_t)snprintf(head + n, HC_NPY_HEAD - n, "), }");
    while ((n + 1) % 64)
        head[n++] = ' ';
    head[n++] = '\n';
    memcpy(head, "\x93NUMPY\1\0", 8);
    head[8] = (char)((n - BEFORE) & 0xff);
    head[9] = (char)((n - BEFORE) >> 8);
    return n;
}
