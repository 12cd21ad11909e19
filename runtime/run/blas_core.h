/* Which of its kernels OpenBLAS should take on this processor, and which it was made to take. It
 * goes by the model's number, and takes one that came after it for the oldest of all, several times
 * slower; what counts is which vectors there are. */
#ifndef HC_BLAS_CORE_H
#define HC_BLAS_CORE_H

#include <stdbool.h>
#include <stddef.h>

/* "OPENBLAS_CORETYPE=NAME"; NULL: its own choice is as good. */
const char *hc_blas_core_setting(void);

/* Who chose: OpenBLAS itself, we for it, or OPENBLAS_CORETYPE. */
typedef enum { HC_CORE_BY_OPENBLAS, HC_CORE_BY_VECTORS, HC_CORE_BY_ENVIRONMENT } HcCoreBy;
/* Of a core that it took. */
HcCoreBy hc_blas_core_by(const char *core);

/* That the environment makes products slower than this machine can: a sentence of its own; false:
 * it does not. */
bool hc_blas_core_slowed(const char *core, char *text, size_t size);

#endif
