/* Looking into a model, as a run left it or as it begins: batches of its held-out data one after
 * the other, and what its parameters and probes are. */
#ifndef HC_INSPECT_H
#define HC_INSPECT_H

#include "runtime/trained/eval.h"

#include <stdbool.h>

typedef struct {
    HcEvalOptions eval;      /* checkpoint NULL: initial values; `data` is then what they are read
                                from, or none */
    const char *data_folder; /* where relative names of the train block begin, or NULL */
    uint64_t seed;           /* of initial values */
    int64_t batches;         /* to look at, of the recipe's size; 0: 8 */
} HcInspectOptions;

/* A model with its values, and its data. */
typedef struct HcInspect HcInspect;

/* After a failure *inspect is NULL. */
HcStatus hc_inspect_open(const HcModel *model, const HcInspectOptions *options, HcInspect **inspect,
                         HcError *error);
void hc_inspect_close(HcInspect *inspect); /* NULL is fine */
HcContext *hc_inspect_context(HcInspect *inspect);
/* False: none were given. */
bool hc_inspect_has_data(const HcInspect *inspect);
/* Batches are of the held-out part; where nothing is held out, of the training part. */
bool hc_inspect_of_held_out(const HcInspect *inspect);
/* A forward pass over batch k: *samples of it; 0 behind the last. */
HcStatus hc_inspect_batch(HcInspect *inspect, int64_t k, int64_t *samples);

/* --- numbers of tensors ------------------------------------------------------------------------*/

typedef struct {
    const char *name;
    const char *group; /* of a parameter: the definition that declares it; of a probe NULL */
    int32_t rank;
    int64_t dims[HC_MAX_RANK]; /* of a probe: at one position or sample, where it has some */
    int64_t count;             /* numbers looked at; the rest speaks of the finite ones */
    int64_t not_finite;
    double mean, deviation, norm, least, greatest;
    double zeros; /* their share */
} HcTensorNumbers;

typedef struct {
    HcTensorNumbers *parameters, *probes; /* probes: over all batches; none without data */
    int32_t n_parameters, n_probes;
    int64_t samples; /* of which probes are, */
    bool of_held_out;
    HcInspect *of; /* which names belong to */
} HcInspection;

/* After a failure nothing is to be freed. */
HcStatus hc_inspect(const HcModel *model, const HcInspectOptions *options, HcInspection *found,
                    HcError *error);
void hc_inspection_free(HcInspection *found);
bool hc_inspection_print(const HcInspection *found, FILE *to); /* for people; false: no memory */
json_t *hc_inspection_json(const HcInspection *found);         /* the caller releases it */

#endif
