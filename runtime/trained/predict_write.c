/* Predictions as CSV, JSON lines, or an array of NumPy. */
#include "runtime/files/error.h"
#include "runtime/files/npy_write.h"
#include "runtime/run/plan.h"
#include "runtime/trained/predict.h"

#include <math.h>
#include <string.h>

/* As many digits as give the same number again. */
static void put_number(const HcPredictFile *f, double value) {
    fprintf(f->to, f->of.element_size == 4 ? "%.9g" : "%.17g", value);
}

static HcStatus written(const HcPredictFile *f, HcError *error) {
    return ferror(f->to) ? hc_fail_errno(error, HC_ERROR_IO, "write", "the values") : HC_OK;
}

/* --- NumPy -------------------------------------------------------------------------------------*/

static HcStatus begin_npy(const HcPredictFile *f, HcError *error) {
    char head[HC_NPY_HEAD];
    int64_t dims[HC_MAX_RANK + 1] = {f->of.samples};
    memcpy(dims + 1, f->of.dims, sizeof f->of.dims);
    const size_t n =
        hc_npy_head(head, f->of.element_size == 4 ? "<f4" : "<f8", f->of.rank + 1, dims);
    fwrite(head, 1, n, f->to);
    return written(f, error);
}

/* --- CSV ---------------------------------------------------------------------------------------*/

/* Values in a row: those of a position where it has some. */
static int64_t row_of(const HcPredicted *of) {
    return of->positions && of->dims[0] > 0 ? of->count / of->dims[0] : of->count;
}

/* logits.0, or map.0.1: by the indices behind the position. */
static void put_column(const HcPredictFile *f, int64_t k) {
    const HcPredicted *of = &f->of;
    int64_t below = row_of(of);
    fprintf(f->to, ",%s", of->name);
    for (int32_t d = of->positions; d < of->rank; d++) {
        below /= of->dims[d];
        fprintf(f->to, ".%lld", (long long)(k / below));
        k %= below;
    }
}

static HcStatus begin_csv(const HcPredictFile *f, HcError *error) {
    fputs(f->of.windows ? "start" : "sample", f->to);
    if (f->of.positions)
        fputs(",position", f->to);
    for (int64_t k = 0; k < row_of(&f->of); k++)
        put_column(f, k);
    fputs("\r\n", f->to);
    return written(f, error);
}

static void put_csv(const HcPredictFile *f, int64_t number, const void *values) {
    const int64_t row = row_of(&f->of);
    for (int64_t at = 0; at < f->of.count; at += row) {
        fprintf(f->to, "%lld", (long long)number);
        if (f->of.positions)
            fprintf(f->to, ",%lld", (long long)(at / row));
        for (int64_t k = 0; k < row; k++) {
            fputc(',', f->to);
            put_number(f, hc_real_at(values, f->of.element_size, at + k));
        }
        fputs("\r\n", f->to);
    }
}

/* --- JSON --------------------------------------------------------------------------------------*/

/* Brackets open before the first of a list and close behind its last. */
static void put_json(const HcPredictFile *f, int64_t number, const void *values) {
    const HcPredicted *of = &f->of;
    fprintf(f->to, "{\"%s\": %lld, \"%s\": ", of->windows ? "start" : "sample", (long long)number,
            of->name);
    for (int64_t k = 0; k < of->count; k++) {
        const double value = hc_real_at(values, of->element_size, k);
        int64_t below = 1;
        if (k > 0)
            fputs(", ", f->to);
        for (int32_t d = of->rank - 1; d >= 0; d--) {
            below *= of->dims[d];
            if (k % below == 0)
                fputc('[', f->to);
        }
        if (isfinite(value))
            put_number(f, value);
        else
            fputs("null", f->to);
        below = 1;
        for (int32_t d = of->rank - 1; d >= 0; d--) {
            below *= of->dims[d];
            if ((k + 1) % below == 0)
                fputc(']', f->to);
        }
    }
    fputs("}\n", f->to);
}

/* --- all ---------------------------------------------------------------------------------------*/

static HcStatus begin(void *user, const HcPredicted *of, HcError *error) {
    HcPredictFile *f = user;
    f->of = *of;
    return f->form == HC_AS_NPY   ? begin_npy(f, error)
           : f->form == HC_AS_CSV ? begin_csv(f, error)
                                  : HC_OK;
}

static HcStatus sample(void *user, int64_t number, const void *values, HcError *error) {
    HcPredictFile *f = user;
    if (f->form == HC_AS_NPY)
        fwrite(values, f->of.element_size, (size_t)f->of.count, f->to);
    else if (f->form == HC_AS_CSV)
        put_csv(f, number, values);
    else
        put_json(f, number, values);
    return written(f, error);
}

void hc_predict_file(HcPredictFile *file, FILE *to, HcPredictForm form) {
    *file = (HcPredictFile){.to = to, .form = form, .into = {begin, sample, file}};
}
