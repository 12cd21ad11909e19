/* One way to fail: fill an HcError and return its status. */
#ifndef HC_ERROR_H
#define HC_ERROR_H

#include "runtime/hc.h"

/* `error` may be NULL. Returns `status`. */
HcStatus hc_fail(HcError *error, HcStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
HcStatus hc_fail_memory(HcError *error, const char *what);
/* Says how much was wanted. */
HcStatus hc_fail_size(HcError *error, const char *what, double bytes);

#endif
