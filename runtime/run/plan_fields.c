/* The fields of a manifest, each checked for itself. */
#include "abi/layout.h"
#include "runtime/run/plan_read.h"

#include <stdlib.h>
#include <string.h>

HcStatus hc_plan_bad(HcPlanReader *r, const char *what) {
    return hc_fail(r->error, HC_ERROR_MODEL, "the model's manifest is malformed: %s: %s", r->where,
                   what);
}

void *hc_plan_take(HcPlanReader *r, size_t count, size_t size, HcStatus *status) {
    void *memory = calloc(count ? count : 1, size);
    *status = memory ? HC_OK : hc_fail_memory(r->error, "the model's plan");
    return memory;
}

/* --- scalars -----------------------------------------------------------------------------------*/

HcStatus hc_field_whole(HcPlanReader *r, const json_t *object, const char *key, int64_t low,
                        int64_t high, int64_t fallback, int64_t *to) {
    const json_t *value = json_object_get(object, key);
    if (!value && fallback >= low) {
        *to = fallback;
        return HC_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high)
        return hc_plan_bad(r, key);
    *to = json_integer_value(value);
    return HC_OK;
}

HcStatus hc_field_text(HcPlanReader *r, const json_t *object, const char *key, const char **to) {
    *to = json_string_value(json_object_get(object, key));
    return *to ? HC_OK : hc_plan_bad(r, key);
}

HcStatus hc_field_real(HcPlanReader *r, const json_t *object, const char *key, double fallback,
                       double *to) {
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_number(value))
        return hc_plan_bad(r, key);
    *to = value ? json_number_value(value) : fallback;
    return HC_OK;
}

bool hc_field_flag(const json_t *object, const char *key, bool fallback) {
    const json_t *value = json_object_get(object, key);
    return value ? json_is_true(value) : fallback;
}

/* --- words -------------------------------------------------------------------------------------*/

const char *const hc_region_names[HC_REGION_COUNT] = {
#define HC_REGION(ident, text) [HC_REGION_##ident] = text,
#include "abi/words.def"
};
static const char *const element_names[HC_ELEMENT_COUNT] = {
#define HC_ELEMENT(ident, text, bytes) [HC_ELEMENT_##ident] = text,
#include "abi/words.def"
};
static const char *const domain_names[HC_DOMAIN_COUNT] = {
#define HC_DOMAIN(ident, text) [HC_##ident] = text,
#include "abi/words.def"
};

HcStatus hc_field_word(HcPlanReader *r, const json_t *value, const char *const *words, int count,
                       const char *wrong, int *to) {
    const char *name = json_string_value(value);
    for (*to = 0; name && *to < count; ++*to)
        if (strcmp(name, words[*to]) == 0)
            return HC_OK;
    return hc_plan_bad(r, wrong);
}

HcStatus hc_field_element(HcPlanReader *r, const json_t *value, HcElement *to) {
    int k;
    TRY(hc_field_word(r, value, element_names, HC_ELEMENT_COUNT, "unknown element type", &k));
    *to = (HcElement)k;
    return HC_OK;
}

HcStatus hc_field_domain(HcPlanReader *r, const json_t *value, HcDomain *to) {
    int k;
    TRY(hc_field_word(r, value, domain_names, HC_DOMAIN_COUNT, "unknown domain", &k));
    *to = (HcDomain)k;
    /* without a space there is one position, as of the first */
    const int32_t most = r->plan->n_spaces > 1 ? r->plan->n_spaces : 1;
    return hc_space_of(*to) < most ? HC_OK : hc_plan_bad(r, "a domain of no space");
}

HcStatus hc_field_shape(HcPlanReader *r, const json_t *array, int32_t *rank, int64_t *dims,
                        int64_t *count) {
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > HC_MAX_RANK)
        return hc_plan_bad(r, "dims");
    *rank = (int32_t)n;
    *count = 1;
    for (size_t k = 0; k < n; k++) {
        dims[k] = json_integer_value(json_array_get(array, k));
        if (dims[k] < 1 || __builtin_mul_overflow(*count, dims[k], count) ||
            *count > INT64_C(1) << 48)
            return hc_plan_bad(r, "dims");
    }
    return HC_OK;
}

/* A region with a count holds whole tiles of units, so what lies before is a multiple of so many.
 */
static bool is_aligned(const HcBuffer *buffer) {
    const bool counted = buffer->region > HC_REGION_GLOBAL && buffer->region != HC_REGION_PARTIAL;
    return buffer->offset * (counted ? HC_TILE_STEP : 1) % hc_element_bytes(buffer->element) == 0;
}

HcStatus hc_field_buffer(HcPlanReader *r, const json_t *array, HcBuffer *to) {
    const json_t *offset = json_array_get(array, 2);
    int region;
    TRY(hc_field_element(r, json_array_get(array, 1), &to->element));
    TRY(hc_field_word(r, json_array_get(array, 0), hc_region_names, HC_REGION_COUNT,
                      "unknown region", &region));
    if (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
        json_integer_value(offset) > MAX_BYTES)
        return hc_plan_bad(r, "buffer");
    to->region = (HcRegion)region;
    to->offset = json_integer_value(offset);
    to->index = 0;
    if (to->region == HC_REGION_CHUNK) {
        int64_t bytes = json_integer_value(json_array_get(array, 3));
        if (bytes < 1 || bytes > INT32_MAX)
            return hc_plan_bad(r, "bytes of a chunk's buffer");
        to->index = (uint32_t)bytes;
    }
    if (!is_aligned(to))
        return hc_plan_bad(r, "a buffer where none of its elements may lie");
    if (to->region >= HC_REGION_GLOBAL)
        return to->offset <= r->plan->region_bytes[to->region] ? HC_OK
                                                               : hc_plan_bad(r, "buffer offset");
    const int64_t limit = to->region == HC_REGION_INPUT    ? r->plan->n_inputs
                          : to->region == HC_REGION_OUTPUT ? hc_plan_given_count(r->plan)
                                                           : r->plan->n_parameters;
    const json_t *index = json_array_get(array, 3);
    if (!json_is_integer(index) || json_integer_value(index) < 0 ||
        json_integer_value(index) >= limit)
        return hc_plan_bad(r, "buffer index");
    to->index = (uint32_t)json_integer_value(index);
    return HC_OK;
}
