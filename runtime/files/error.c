#include "runtime/files/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hc_make_printable(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = *text == '\t' ? ' ' : '?';
}

HcStatus hc_fail(HcError *error, HcStatus status, const char *format, ...) {
    if (!error)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    hc_make_printable(error->message);
    return status;
}

HcStatus hc_fail_memory(HcError *error, const char *what) {
    return hc_fail(error, HC_ERROR_MEMORY, "out of memory for %s", what);
}

HcStatus hc_fail_errno(HcError *error, HcStatus status, const char *what, const char *path) {
    const int why = errno;
    return hc_fail(error, why == ENOMEM ? HC_ERROR_MEMORY : status, "cannot %s `%s`: %s", what,
                   path, why == ENOMEM ? "out of memory" : strerror(why));
}

HcStatus hc_fail_size(HcError *error, const char *what, double bytes) {
    return hc_fail(error, HC_ERROR_MEMORY, "out of memory: %s need %.1f GiB", what, bytes / 0x1p30);
}

int hc_exit_code(HcStatus status) {
    switch (status) {
    case HC_OK:
        return 0;
    case HC_ERROR_ARGUMENT:
        return 2;
    case HC_ERROR_MODEL:
        return 70;
    case HC_ERROR_CPU:
        return 5;
    case HC_ERROR_DATA:
    case HC_ERROR_CHECKPOINT:
        return 3;
    case HC_ERROR_DIVERGED:
        return 4;
    case HC_ERROR_MEMORY:
    case HC_ERROR_IO:
        return 6;
    case HC_INTERRUPTED:
        return 130;
    }
    return 70;
}
