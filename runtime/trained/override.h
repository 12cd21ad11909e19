/* Parameters that are set to something else before a model is tried: what it is without them. */
#ifndef HC_OVERRIDE_H
#define HC_OVERRIDE_H

#include "runtime/run/context.h"

typedef enum {
    HC_OVERRIDE_NUMBER,
    HC_OVERRIDE_IDENTITY, /* 1 where both of its indices are the same, else 0 */
    HC_OVERRIDE_FILE,     /* an array of NumPy */
    HC_OVERRIDE_RUN       /* of another run */
} HcOverrideKind;

/* `PATTERN=VALUE`: all parameters whose names match. */
typedef struct {
    const char *text; /* all of it, the caller's */
    char *pattern, *source;
    const char *tensor; /* in another run; "": of the same name */
    HcOverrideKind kind;
    double number;
} HcOverride;

/* Whatever comes of it, hc_override_free frees it. */
HcStatus hc_override_read(HcOverride *override, const char *text, HcError *error);
void hc_override_free(HcOverride *override);
bool hc_override_matches(const HcOverride *override, const char *name);
/* HC_ERROR_ARGUMENT where it matches none. */
HcStatus hc_override_check(const HcOverride *override, const HcPlan *plan, HcError *error);
/* Sets a parameter. */
HcStatus hc_override_apply(const HcOverride *override, HcContext *context, uint32_t parameter,
                           HcError *error);

#endif
