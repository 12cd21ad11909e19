/* What inputs are filled with: elements of streams, standardised, times and plus numbers; and
 * whether every value of every sample can be had in the model's precision. */
#include "runtime/data/samples.h"
#include "runtime/files/json.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- values ------------------------------------------------------------------------------------*/

static double stream_value(const HcSamples *samples, const HcStream *s, int64_t row, int64_t at) {
    const uint8_t *bytes = samples->blocks[s->block].bytes + s->offset + (size_t)row * s->stride +
                           (size_t)at * hc_stream_element_bytes(s->element);
    union {
        int16_t i16;
        int32_t i32;
        float f32;
        double f64;
    } v;
    switch (s->element) {
    case HC_U8:
        return *bytes;
    case HC_I8:
        return (int8_t)*bytes;
    case HC_I16:
        memcpy(&v.i16, bytes, 2);
        return v.i16;
    case HC_I32:
        memcpy(&v.i32, bytes, 4);
        return v.i32;
    case HC_F32:
        memcpy(&v.f32, bytes, 4);
        return (double)v.f32;
    default:
        memcpy(&v.f64, bytes, 8);
        return v.f64;
    }
}

static double standardised(const HcSampleFill *fill, int64_t k, double v) {
    const double mean = fill->mean[k], deviation = fill->deviation[k], off = v - mean;
    if (!(deviation > 0))
        return 0;
    return isfinite(off) ? off / deviation : (v / 2 - mean / 2) / (deviation / 2);
}

static double input_value(const HcSampleFill *fill, const HcBinding *b, int64_t k, double v) {
    return (fill->mean ? standardised(fill, k, v) : v) * b->scale + b->shift;
}

static double fill_value(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                         int64_t row, int64_t k) {
    return input_value(fill, b, k, stream_value(s, &s->streams[fill->stream], row, fill->at[k]));
}

void hc_samples_fill(const HcSamples *s, HcContext *c, int64_t sample, int64_t row) {
    for (uint32_t k = 0; k < s->plan->n_bindings; k++) {
        const HcSampleFill *fill = &s->fills[k];
        const HcBinding *b = &s->plan->bindings[k];
        const HcInputPlan *input = &s->plan->inputs[fill->input];
        /* a context may hold fewer positions than the model's most */
        const int64_t n = hc_exec_positions(&c->exec, input->domain) * input->count;
        void *memory = hc_input_memory(c, fill->input);
        for (int64_t i = 0; i < n; i++) {
            const double v = fill_value(s, fill, b, row, i);
            if (input->integer)
                ((int32_t *)memory)[sample * n + i] = (int32_t)v;
            else if (c->plan.element_size == 4)
                ((float *)memory)[sample * n + i] = (float)v;
            else
                ((double *)memory)[sample * n + i] = v;
        }
    }
}

/* --- messages ----------------------------------------------------------------------------------*/

/* Where a sample was read from: a line, or its number within its file. */
static void describe(const HcSamples *s, const char *stream, int64_t row, char *text, size_t size) {
    const bool lines = s->lines != NULL;
    for (uint32_t k = 0; k < s->files.count; k++) {
        const HcPartFile *f = &s->files.at[k];
        if ((f->stream && strcmp(f->stream, stream) != 0) || row < f->first ||
            row >= f->first + f->count)
            continue;
        snprintf(text, size, "`%.200s`, %s %lld", f->path, lines ? "line" : "sample",
                 (long long)(lines ? s->lines[row] : row - f->first));
        return;
    }
    snprintf(text, size, "sample %lld", (long long)row);
}

/* Which column of a table fills element k, as the end of a message: " (column 3, `age`)". */
static void describe_column(const HcSamples *s, const HcSampleFill *fill, int64_t k, char *text,
                            size_t size) {
    text[0] = '\0';
    if (!s->lines)
        return;
    const long long column = (long long)fill->at[k];
    if (s->columns)
        snprintf(text, size, " (column %lld, `%.80s`)", column + 1, s->columns[column]);
    else
        snprintf(text, size, " (column %lld)", column + 1);
}

/* "WHERE: `INPUT` would be VALUE, WHAT (COLUMN)" */
static HcStatus bad_value(const HcSamples *s, const HcSampleFill *fill, int64_t row, int64_t k,
                          double value, const char *what, HcError *error) {
    char where[300], column[160];
    describe(s, s->streams[fill->stream].name, row, where, sizeof where);
    describe_column(s, fill, k, column, sizeof column);
    return hc_fail(error, HC_ERROR_DATA, "%s: `%s` would be %.10g, %s%s", where,
                   s->plan->inputs[fill->input].name, value, what, column);
}

static HcStatus not_finite(const HcSamples *s, const HcSampleFill *fill, int64_t row,
                           HcError *error) {
    char where[300];
    describe(s, s->streams[fill->stream].name, row, where, sizeof where);
    return hc_fail(error, HC_ERROR_DATA, "%s: a value for `%s` is not finite", where,
                   s->plan->inputs[fill->input].name);
}

/* --- whether every value fits ------------------------------------------------------------------*/

static HcStatus check_integer(const HcSamples *s, const HcSampleFill *fill, int64_t row, int64_t k,
                              double v, HcError *error) {
    const int64_t limit = s->plan->inputs[fill->input].limit;
    char what[80];
    if (v >= 0 && v == floor(v) && v < (limit ? (double)limit : 0x1p31))
        return HC_OK;
    snprintf(what, sizeof what, "but it must be a whole number from 0 to %lld",
             (long long)(limit ? limit : INT64_C(1) << 31) - 1);
    return bad_value(s, fill, row, k, v, what, error);
}

static bool fits(const HcSamples *s, double v) {
    return s->plan->element_size == 4 ? isfinite((float)v) : isfinite(v);
}

static HcStatus check_real(const HcSamples *s, const HcSampleFill *fill, int64_t row, int64_t k,
                           double v, HcError *error) {
    if (fits(s, v))
        return HC_OK;
    if (isfinite(v))
        return bad_value(s, fill, row, k, v,
                         "which f32 cannot hold (at most 3.4e38): scale it, or use --precision f64",
                         error);
    return not_finite(s, fill, row, error);
}

/* Whether a stream of small integers fits whatever they are. */
static bool always_fits(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b) {
    static const double ends[][2] = {
        [HC_U8] = {0, 255}, [HC_I8] = {-128, 127}, [HC_I16] = {-32768, 32767}};
    const HcStreamElement element = s->streams[fill->stream].element;
    if (element > HC_I16 || s->plan->inputs[b->input].integer)
        return false;
    for (int64_t k = 0; k < fill->n; k++)
        for (int e = 0; e < 2; e++)
            if (!fits(s, input_value(fill, b, k, ends[element][e])))
                return false;
    return true;
}

static HcStatus check_values(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                             HcError *error) {
    const bool integer = s->plan->inputs[b->input].integer;
    HcStatus status = HC_OK;
    if (always_fits(s, fill, b))
        return HC_OK;
    for (int64_t row = 0; row < s->count && status == HC_OK; row++)
        for (int64_t k = 0; k < fill->n && status == HC_OK; k++) {
            const double v = fill_value(s, fill, b, row, k);
            status = integer ? check_integer(s, fill, row, k, v, error)
                             : check_real(s, fill, row, k, v, error);
        }
    return status;
}

/* --- whether what varies still does ------------------------------------------------------------*/

/* Of every element of a fill, over the training part. */
typedef struct {
    double *low, *high;
} Ranges;

typedef double Value(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b, int64_t row,
                     int64_t k);

static double raw_value(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                        int64_t row, int64_t k) {
    (void)b;
    return stream_value(s, &s->streams[fill->stream], row, fill->at[k]);
}

static HcStatus take_ranges(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                            Value *value, Ranges *r, HcError *error) {
    r->low = malloc(2 * (size_t)fill->n * sizeof *r->low);
    if (!r->low)
        return hc_fail_memory(error, "the training data");
    r->high = r->low + fill->n;
    for (int64_t n = 0; n < s->train_count; n++) {
        const int64_t row = hc_samples_of_part(s, HC_TRAIN_PART, n);
        for (int64_t k = 0; k < fill->n; k++) {
            const double v = value(s, fill, b, row, k);
            r->low[k] = n == 0 || v < r->low[k] ? v : r->low[k];
            r->high[k] = n == 0 || v > r->high[k] ? v : r->high[k];
        }
    }
    return HC_OK;
}

/* Names the first sample of the training part that differs from the part's first one. */
static HcStatus too_alike(const HcSamples *s, const HcSampleFill *fill, int64_t k, const Ranges *r,
                          const char *what, HcError *error) {
    char where[300], column[160];
    const int64_t first = hc_samples_of_part(s, HC_TRAIN_PART, 0);
    int64_t row = first;
    for (int64_t n = 1; n < s->train_count; n++) {
        row = hc_samples_of_part(s, HC_TRAIN_PART, n);
        if (raw_value(s, fill, NULL, row, k) != raw_value(s, fill, NULL, first, k))
            break;
    }
    describe(s, s->streams[fill->stream].name, row, where, sizeof where);
    describe_column(s, fill, k, column, sizeof column);
    return hc_fail(error, HC_ERROR_DATA,
                   "%s: the values for `%s`%s are all between %.17g and %.17g, %s", where,
                   s->plan->inputs[fill->input].name, column, r->low[k], r->high[k], what);
}

/* Of what varies, f32 must keep at least ten steps. */
static HcStatus check_digits(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                             HcError *error) {
    const HcStreamElement element = s->streams[fill->stream].element;
    Ranges r = {NULL, NULL};
    if (s->plan->element_size != 4 || s->plan->inputs[b->input].integer || s->train_count == 0 ||
        (element != HC_F64 && element != HC_I32))
        return HC_OK;
    HcStatus status = take_ranges(s, fill, b, fill_value, &r, error);
    for (int64_t k = 0; k < fill->n && status == HC_OK; k++) {
        const double most = fmax(fabs(r.low[k]), fabs(r.high[k]));
        const int exponent = most > 0 && ilogb(most) > -126 ? ilogb(most) : -126;
        if (r.high[k] > r.low[k] && r.high[k] - r.low[k] < ldexp(10, exponent - 23))
            status = too_alike(s, fill, k, &r,
                               "which f32 cannot tell apart: take a number off, scale it, "
                               "standardise it, or use --precision f64",
                               error);
    }
    free(r.low);
    return status;
}

/* --- standardising -----------------------------------------------------------------------------*/

static HcStatus read_statistics(const HcSamples *s, const HcBinding *b, HcSampleFill *fill,
                                const json_t *known, HcError *error) {
    const char *name = s->plan->inputs[b->input].name;
    const json_t *entry = json_object_get(known, name);
    const json_t *means = json_object_get(entry, "mean"),
                 *deviations = json_object_get(entry, "deviation");
    if ((int64_t)json_array_size(means) != fill->n ||
        (int64_t)json_array_size(deviations) != fill->n)
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       "the run's config.json does not hold the means and deviations of `%s`",
                       name);
    for (int64_t k = 0; k < fill->n; k++) {
        fill->mean[k] = json_number_value(json_array_get(means, (size_t)k));
        fill->deviation[k] = json_number_value(json_array_get(deviations, (size_t)k));
    }
    return HC_OK;
}

static void take_sums(const HcSamples *s, HcSampleFill *fill) {
    const double n = (double)s->train_count;
    for (int64_t row = 0; row < s->train_count; row++) {
        const int64_t at = hc_samples_of_part(s, HC_TRAIN_PART, row);
        for (int64_t k = 0; k < fill->n; k++)
            fill->mean[k] += raw_value(s, fill, NULL, at, k);
    }
    for (int64_t k = 0; k < fill->n; k++)
        fill->mean[k] /= n;
    for (int64_t row = 0; row < s->train_count; row++) {
        const int64_t at = hc_samples_of_part(s, HC_TRAIN_PART, row);
        for (int64_t k = 0; k < fill->n; k++) {
            const double off = raw_value(s, fill, NULL, at, k) - fill->mean[k];
            fill->deviation[k] += off * off;
        }
    }
    for (int64_t k = 0; k < fill->n; k++)
        fill->deviation[k] = sqrt(fill->deviation[k] / n);
}

/* The same for one element whose squares, or sum, a double might not hold: of values brought near
 * 1 by a power of two, then of what they are off likewise. */
static void take_scaled_sums(const HcSamples *s, HcSampleFill *fill, int64_t k, const Ranges *r) {
    const double n = (double)s->train_count;
    const int large = ilogb(fmax(fabs(r->low[k]), fabs(r->high[k])));
    double mean = 0, squares = 0;
    for (int64_t row = 0; row < s->train_count; row++)
        mean +=
            ldexp(raw_value(s, fill, NULL, hc_samples_of_part(s, HC_TRAIN_PART, row), k), -large) /
            n;
    const double most = fmax(ldexp(r->high[k], -large) - mean, mean - ldexp(r->low[k], -large));
    const int small = most > 0 ? ilogb(most) : 0;
    for (int64_t row = 0; row < s->train_count; row++) {
        const int64_t at = hc_samples_of_part(s, HC_TRAIN_PART, row);
        const double off = ldexp(raw_value(s, fill, NULL, at, k), -large) - mean;
        squares += ldexp(off, -small) * ldexp(off, -small) / n;
    }
    fill->mean[k] = ldexp(mean, large);
    fill->deviation[k] = fmin(ldexp(sqrt(squares), large + small), DBL_MAX);
}

static HcStatus check_finite(const HcSamples *s, const HcSampleFill *fill, int64_t row, int64_t k,
                             HcError *error) {
    const bool finite = isfinite(raw_value(s, fill, NULL, row, k));
    return finite ? HC_OK : not_finite(s, fill, row, error);
}

/* Over the training part alone. */
static HcStatus take_statistics(const HcSamples *s, HcSampleFill *fill, HcError *error) {
    Ranges r = {NULL, NULL};
    HcStatus status = HC_OK;
    for (int64_t n = 0; n < s->train_count * fill->n && status == HC_OK; n++)
        status = check_finite(s, fill, hc_samples_of_part(s, HC_TRAIN_PART, n / fill->n),
                              n % fill->n, error);
    if (status == HC_OK)
        status = take_ranges(s, fill, NULL, raw_value, &r, error);
    if (status == HC_OK)
        take_sums(s, fill);
    for (int64_t k = 0; k < fill->n && status == HC_OK; k++) {
        const double most = fmax(fabs(r.low[k]), fabs(r.high[k])), spread = r.high[k] - r.low[k];
        if (spread == 0) { /* whatever rounding made of the sums */
            fill->deviation[k] = 0;
            continue;
        }
        if (most > 1e140 || spread < 1e-140)
            take_scaled_sums(s, fill, k, &r);
        if (!(fill->deviation[k] > 1e-14 * fabs(fill->mean[k])))
            status = too_alike(s, fill, k, &r,
                               "too close for their digits to be standardised: leave it out, or "
                               "take a number off in the file",
                               error);
    }
    free(r.low);
    return status;
}

json_t *hc_samples_statistics(const HcSamples *s) {
    json_t *json = json_object();
    for (uint32_t k = 0; k < s->plan->n_bindings; k++) {
        const HcSampleFill *fill = &s->fills[k];
        if (!fill->mean)
            continue;
        json_t *mean = json_array(), *deviation = json_array(), *both = json_object();
        for (int64_t i = 0; i < fill->n; i++) {
            hc_json_append(&mean, hc_json_number(fill->mean[i]));
            hc_json_append(&deviation, hc_json_number(fill->deviation[i]));
        }
        hc_json_set(&both, "mean", mean);
        hc_json_set(&both, "deviation", deviation);
        hc_json_set(&json, s->plan->inputs[fill->input].name, both);
    }
    return json;
}

/* --- all together ------------------------------------------------------------------------------*/

HcStatus hc_samples_prepare_values(HcSamples *s, uint32_t binding, const json_t *known,
                                   HcError *error) {
    const HcBinding *b = &s->plan->bindings[binding];
    HcSampleFill *fill = &s->fills[binding];
    HcStatus status = HC_OK;
    if (b->standardise && known)
        status = read_statistics(s, b, fill, known, error);
    else if (b->standardise)
        status = take_statistics(s, fill, error);
    if (status == HC_OK)
        status = check_values(s, fill, b, error);
    return status == HC_OK && s->request->trains ? check_digits(s, fill, b, error) : status;
}
