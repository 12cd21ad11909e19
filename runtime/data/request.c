#include "runtime/data/request.h"

#include <stdarg.h>

void hc_hash_text(uint64_t hash, char text[HC_HASH_TEXT]) {
    snprintf(text, HC_HASH_TEXT, "%016llx", (unsigned long long)hash);
}

HcStatus hc_data_changed(const HcDataRequest *request, HcError *error, const char *format, ...) {
    char what[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (!request->may_differ)
        return hc_fail(error, HC_ERROR_DATA,
                       "the data have changed since the run: %s (--changed-data goes on with them "
                       "all the same)",
                       what);
    if (request->notes)
        fprintf(request->notes, "warning: the data have changed since the run: %s\n", what);
    return HC_OK;
}
