/* What a trained model loses without some of its parameters: its held-out loss with others in their
 * place, and how much that changes it. */
#ifndef HC_ABLATE_H
#define HC_ABLATE_H

#include "runtime/trained/eval.h"

#include <stdbool.h>

typedef struct {
    const char *name;
    double loss; /* with it alone set; NaN unless each was asked for */
} HcAblatedTensor;

typedef struct {
    struct HcTrained *trained;  /* which names belong to */
    HcEvaluation before, after; /* as it was trained; with all of them set */
    HcAblatedTensor *tensors;
    uint32_t count;
    bool each;
} HcAblation;

/* overrides: as hc_override_read takes them; of several that match a parameter the last counts.
 * Losses that are not finite are results. Whatever comes of it, hc_ablation_free frees it. */
HcStatus hc_ablate(const HcModel *model, const HcEvalOptions *options, const char *const *overrides,
                   uint32_t n_overrides, bool each, HcAblation *ablation, HcError *error);
void hc_ablation_free(HcAblation *ablation);
bool hc_ablation_print(const HcAblation *ablation, FILE *to); /* for people; false: no memory */
json_t *hc_ablation_json(const HcAblation *ablation);         /* the caller's */

#endif
