/* What a run's config.json says of the machine that it was made on, where this one differs. */
#ifndef HC_OTHER_MACHINE_H
#define HC_OTHER_MACHINE_H

#include "runtime/hc.h"
#include <jansson.h>
#include <stdio.h>

/* Warns on `to` (NULL: not at all) of whatever rounding may depend on; what the config does not say
 * is not compared. `now`: what is rounded differently, as a phrase. */
void hc_warn_other_machine(const json_t *config, const HcContext *context, const char *now,
                           FILE *to);

#endif
