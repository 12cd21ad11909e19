/* Which elements of a stream fill an input, as its binding's subscripts say. */
#include "runtime/data/samples.h"
#include "runtime/data/table_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void shape_text(const HcStream *s, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int32_t k = 0; k < s->rank && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", k ? " x " : "",
                                 (long long)s->dims[k]);
    if (s->rank == 0)
        snprintf(text, size, "one number");
}

static HcStatus find_column(const HcSamples *s, const char *name, int64_t *column, HcError *error) {
    char list[300];
    int64_t found = 0;
    if (!s->columns)
        return hc_fail(error, HC_ERROR_DATA,
                       "the table's columns have no names, so there is no column `%s`: its first "
                       "line is not a header",
                       name);
    for (int64_t k = 0; k < s->n_columns; k++) {
        if (strcmp(s->columns[k], name) == 0) {
            *column = k;
            found++;
        }
    }
    if (found == 1)
        return HC_OK;
    hc_column_list(s->columns, s->n_columns, list, sizeof list);
    return hc_fail(error, HC_ERROR_DATA,
                   found ? "the table has several columns `%s` (its columns: %s)"
                         : "the table has no column `%s` (its columns: %s)",
                   name, list);
}

static HcStatus out_of_stream(const HcSamples *s, const HcStream *stream, const HcBinding *b,
                              uint32_t subscript, int64_t entry, HcError *error) {
    char shape[128];
    shape_text(stream, shape, sizeof shape);
    return hc_fail(error, HC_ERROR_DATA,
                   "input `%s` asks for entry %lld of axis %u of `%s`, whose samples are %s",
                   s->plan->inputs[b->input].name, (long long)entry, (unsigned)subscript + 1,
                   stream->name, shape);
}

/* Element offsets of all elements of an input, checked against the stream's axes. */
static HcStatus lay_out(const HcSamples *s, const HcBinding *b, HcSampleFill *fill,
                        HcError *error) {
    const HcPlan *plan = s->plan;
    const HcInputPlan *input = &plan->inputs[b->input];
    const HcStream *stream = &s->streams[fill->stream];
    int64_t strides[HC_MAX_SUBSCRIPTS], columns[HC_MAX_SUBSCRIPTS] = {0}, stride = 1;
    if (b->n_subscripts != (uint32_t)stream->rank) {
        char shape[128];
        shape_text(stream, shape, sizeof shape);
        return hc_fail(error, HC_ERROR_DATA,
                       "input `%s` reads `%s` with %u %s, but its samples are %s", input->name,
                       stream->name, (unsigned)b->n_subscripts,
                       b->n_subscripts == 1 ? "subscript" : "subscripts", shape);
    }
    for (uint32_t k = b->n_subscripts; k-- > 0;) {
        strides[k] = stride;
        stride *= stream->dims[k];
        if (b->subscripts[k].column) {
            const HcStatus status = find_column(s, b->subscripts[k].column, &columns[k], error);
            if (status != HC_OK)
                return status;
        }
    }
    const int32_t of = hc_space_of(input->domain);
    const HcSpacePlan *space = &plan->spaces[of < 0 ? 0 : of];
    const bool grid = space->rank == 2;
    for (int64_t at = 0; at < fill->n; at++) {
        int64_t rest = at % input->count, index[HC_MAX_RANK], element = 0;
        const int64_t p = at / input->count;
        const int64_t place[2] = {grid ? p / space->extents[1] : p,
                                  grid ? p % space->extents[1] : 0};
        for (int32_t d = input->rank; d-- > 0; rest /= input->dims[d])
            index[d] = rest % input->dims[d];
        for (uint32_t k = 0; k < b->n_subscripts; k++) {
            const HcSubscript *u = &b->subscripts[k];
            int64_t entry =
                u->base + columns[k] + u->positions[0] * place[0] + u->positions[1] * place[1];
            for (int32_t d = 0; d < input->rank; d++)
                entry += u->axes[d] * index[d];
            if (entry < 0 || entry >= stream->dims[k])
                return out_of_stream(s, stream, b, k, entry, error);
            element += entry * strides[k];
        }
        fill->at[at] = element;
    }
    if (b->whole && fill->n != stream->elements) {
        char shape[128];
        shape_text(stream, shape, sizeof shape);
        return hc_fail(error, HC_ERROR_DATA,
                       "input `%s` is filled from all of `%s`, whose samples are %s: more than its "
                       "%lld elements",
                       input->name, stream->name, shape, (long long)fill->n);
    }
    return HC_OK;
}

HcStatus hc_samples_bind(HcSamples *s, uint32_t k, const json_t *known, HcError *error) {
    const HcPlan *plan = s->plan;
    const HcBinding *b = &plan->bindings[k];
    const HcInputPlan *input = &plan->inputs[b->input];
    HcSampleFill *fill = &s->fills[k];
    fill->input = b->input;
    while (fill->stream < s->n_streams && strcmp(s->streams[fill->stream].name, b->stream) != 0)
        fill->stream++;
    if (fill->stream == s->n_streams)
        return hc_fail(error, HC_ERROR_DATA, "the data have no `%s`", b->stream);
    if (!hc_is_by_sample(input->domain))
        return hc_fail(error, HC_ERROR_DATA, "input `%s` is not given for every sample",
                       input->name);
    const int64_t positions = hc_plan_longest(plan, input->domain);
    if (__builtin_mul_overflow(positions, input->count, &fill->n) || fill->n > INT64_C(1) << 32)
        return hc_fail_memory(error, input->name);
    fill->at = malloc((size_t)fill->n * sizeof *fill->at);
    if (b->standardise) {
        fill->mean = calloc((size_t)fill->n, sizeof *fill->mean);
        fill->deviation = calloc((size_t)fill->n, sizeof *fill->deviation);
    }
    if (!fill->at || (b->standardise && (!fill->mean || !fill->deviation)))
        return hc_fail_memory(error, input->name);
    HcStatus status = lay_out(s, b, fill, error);
    return status == HC_OK ? hc_samples_prepare_values(s, k, known, error) : status;
}

HcStatus hc_inputs_bound(const HcPlan *plan, HcError *error) {
    for (uint32_t k = 0; k < plan->n_inputs; k++) {
        bool bound = false;
        for (uint32_t b = 0; b < plan->n_bindings; b++)
            bound |= plan->bindings[b].input == k;
        if (!bound)
            return hc_fail(error, HC_ERROR_DATA, "input `%s` is bound to no data",
                           plan->inputs[k].name);
    }
    return HC_OK;
}
