/* Reading a manifest into a plan: its fields, checked, and the parts of it that have a file of
 * their own. Whatever is wrong is said once, with where it stands. */
#ifndef HC_PLAN_READ_H
#define HC_PLAN_READ_H

#include "runtime/run/plan.h"

typedef struct {
    HcPlan *plan;
    HcError *error;
    const char *where; /* what is being read, for messages */
    uint32_t buffer_capacity;
} HcPlanReader;

/* Of a region's unit or all parameters, so that sums stay far below 2^63. */
#define MAX_BYTES (INT64_C(1) << 50)

#define TRY(expression)                                                                            \
    do {                                                                                           \
        HcStatus status_ = (expression);                                                           \
        if (status_ != HC_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

#define ALLOCATE(to, n)                                                                            \
    do {                                                                                           \
        HcStatus status_;                                                                          \
        (to) = hc_plan_take(r, (n), sizeof *(to), &status_);                                       \
        if (status_ != HC_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

HcStatus hc_plan_bad(HcPlanReader *r, const char *what);
/* Zeros, never NULL when the status is good; the plan frees them. */
void *hc_plan_take(HcPlanReader *r, size_t count, size_t size, HcStatus *status);

/* --- a field of an object, by its key (plan_fields.c) ------------------------------------------*/

/* Within low .. high; a field that is missing is `fallback`, if that is not below `low`. */
HcStatus hc_field_whole(HcPlanReader *r, const json_t *object, const char *key, int64_t low,
                        int64_t high, int64_t fallback, int64_t *to);
HcStatus hc_field_text(HcPlanReader *r, const json_t *object, const char *key, const char **to);
HcStatus hc_field_real(HcPlanReader *r, const json_t *object, const char *key, double fallback,
                       double *to);
bool hc_field_flag(const json_t *object, const char *key, bool fallback);

/* --- a value -----------------------------------------------------------------------------------*/

/* Which of the words it is, as an enumerator. */
HcStatus hc_field_word(HcPlanReader *r, const json_t *value, const char *const *words, int count,
                       const char *wrong, int *to);
HcStatus hc_field_element(HcPlanReader *r, const json_t *value, HcElement *to);
HcStatus hc_field_domain(HcPlanReader *r, const json_t *value, HcDomain *to);
/* dims[], and their product, which must stay below 2^48. */
HcStatus hc_field_shape(HcPlanReader *r, const json_t *array, int32_t *rank, int64_t *dims,
                        int64_t *count);
/* Regions, parameters and inputs have been read. */
HcStatus hc_field_buffer(HcPlanReader *r, const json_t *array, HcBuffer *to);

extern const char *const hc_region_names[HC_REGION_COUNT];

/* --- parts of a manifest -----------------------------------------------------------------------*/

/* plan_data.c: which files, and what of a sample fills which input; inputs and space have been
 * read. */
HcStatus hc_plan_read_data(HcPlanReader *r, const json_t *json);
/* plan_tables.c */
HcStatus hc_plan_read_tables(HcPlanReader *r, const json_t *array);
/* plan_calls.c: the calls of both passes, then which of them run a chunk at a time; kernels have
 * been read. */
HcStatus hc_plan_read_calls(HcPlanReader *r, const json_t *json);
/* What holds parameters to their constraints. */
HcStatus hc_plan_read_keep(HcPlanReader *r, const json_t *json);
HcStatus hc_plan_read_chunks(HcPlanReader *r, const json_t *json);
/* Which calls run for positions that are added, to get logits (NULL: there are none). */
HcStatus hc_plan_read_extend(HcPlanReader *r, const json_t *json, const HcOutput *logits);
/* plan_parts.c: how a batch runs in parts; calls have been read. */
HcStatus hc_plan_read_parts(HcPlanReader *r, const json_t *json);
void hc_plan_free_parts(HcPlan *plan);

#endif
