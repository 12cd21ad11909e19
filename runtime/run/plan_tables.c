/* The manifest's tables: constants that are put into the workspace once. */
#include "runtime/run/plan_read.h"

#include <math.h>
#include <string.h>

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64(const char *from, uint8_t *to, size_t size) {
    uint32_t bits = 0;
    int held = 0;
    size_t n = 0;
    for (; *from && *from != '='; from++) {
        int digit = base64_digit(*from);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            if (n == size)
                return false;
            to[n++] = (uint8_t)(bits >> held);
        }
    }
    return n == size;
}

/* A number, or what JSON has no number for. */
static bool table_entry(const json_t *value, double *x) {
    const char *word = json_string_value(value);
    *x = json_number_value(value);
    if (!word)
        return json_is_number(value);
    if (strcmp(word, "nan") == 0)
        *x = NAN;
    else
        *x = word[0] == '-' ? -INFINITY : INFINITY;
    return strcmp(word, "nan") == 0 || strcmp(word, "inf") == 0 || strcmp(word, "-inf") == 0;
}

static HcStatus table_numbers(HcPlanReader *r, const json_t *array, HcTablePlan *table) {
    const HcElement type = table->buffer.element;
    if ((int64_t)json_array_size(array) != table->count)
        return hc_plan_bad(r, "number of elements");
    for (int64_t k = 0; k < table->count; k++) {
        double x;
        if (!table_entry(json_array_get(array, (size_t)k), &x))
            return hc_plan_bad(r, "not a number");
        if (type == HC_ELEMENT_I32) {
            if (!(x >= INT32_MIN && x <= INT32_MAX))
                return hc_plan_bad(r, "not an i32");
            int32_t integer = (int32_t)x;
            memcpy(table->bytes + 4 * k, &integer, 4);
        } else if (type == HC_ELEMENT_F64) {
            memcpy(table->bytes + 8 * k, &x, 8);
        } else {
            float single = (float)x;
            memcpy(table->bytes + 4 * k, &single, 4);
        }
    }
    return HC_OK;
}

HcStatus hc_plan_read_tables(HcPlanReader *r, const json_t *array) {
    HcPlan *plan = r->plan;
    r->where = "plan.tables";
    size_t n = json_array_size(array);
    ALLOCATE(plan->tables, n);
    plan->n_tables = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k), *data = json_object_get(json, "data");
        HcTablePlan *table = &plan->tables[k];
        TRY(hc_field_buffer(r, json_object_get(json, "buffer"), &table->buffer));
        if (table->buffer.region < HC_REGION_GLOBAL || table->buffer.region >= HC_REGION_PARTIAL)
            return hc_plan_bad(r, "a table outside the workspace");
        TRY(hc_field_whole(r, json, "elements", 1, INT64_C(1) << 32, -1, &table->count));
        table->size = (size_t)table->count * (size_t)hc_element_bytes(table->buffer.element);
        ALLOCATE(table->bytes, table->size);
        if (!json_is_string(data))
            TRY(table_numbers(r, data, table));
        else if (!base64(json_string_value(data), table->bytes, table->size))
            return hc_plan_bad(r, "base64 data");
    }
    return HC_OK;
}
