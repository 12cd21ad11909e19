/* One way to fail: fill an HcError and return its status. */
#ifndef HC_ERROR_H
#define HC_ERROR_H

#include "runtime/hc.h"

/* `error` may be NULL. Returns `status`. What files hold may be in a message: of control
 * characters, which terminals obey, it has none. */
HcStatus hc_fail(HcError *error, HcStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
HcStatus hc_fail_memory(HcError *error, const char *what);
/* "cannot WHAT `PATH`: " and what errno says; where that is that memory ran out, HC_ERROR_MEMORY.
 */
HcStatus hc_fail_errno(HcError *error, HcStatus status, const char *what, const char *path);
/* For what is shown to people: `?` for control characters. */
void hc_make_printable(char *text);
/* Says how much was wanted. */
HcStatus hc_fail_size(HcError *error, const char *what, double bytes);

#endif
