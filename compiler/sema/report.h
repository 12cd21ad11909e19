/* What elaboration says, and of which instance. */
#ifndef HCC_SEMA_REPORT_H
#define HCC_SEMA_REPORT_H

#include "sema/value/value.h"

/* Reports; when an instance is being elaborated and the place lies in a definition, a note says
 * which instance. Returns poison, for `return sema_error(...)`. */
Value sema_error(Sema *s, DiagCode code, Span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void sema_warning(Sema *s, DiagCode code, Span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The other place, unless it is nowhere. */
void sema_note(Sema *s, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void sema_help(Sema *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a text that stands where a definition is wanted, told where it was written. */
Value sema_error_text(Sema *s, Value text, const char *wanted, Span used_at);

const char *item_kind_text(ItemKind kind);

#endif
