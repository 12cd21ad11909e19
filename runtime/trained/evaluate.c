/* The held-out part: its loss and metrics, and where one of them is not finite. */
#include "runtime/trained/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t hc_data_windows(const HcData *data, const HcContext *c, int64_t positions, HcPart part) {
    int64_t first, last;
    if (data->samples)
        return part == HC_TRAIN_PART ? data->train_count : data->count - data->train_count;
    hc_data_starts(data, &c->plan, positions, part, &first, &last);
    return last < first ? 0 : (last - first) / positions + 1;
}

/* Which of `all` the k-th of `count` is: at equal distances. */
static int64_t spread(int64_t k, int64_t count, int64_t all) {
    return k * (all / count) + k * (all % count) / count;
}

int64_t hc_data_window(const HcData *data, const HcContext *c, int64_t positions, HcPart part,
                       int64_t w) {
    int64_t first, last;
    if (data->samples)
        return hc_samples_of_part(data->samples, part, w);
    hc_data_starts(data, &c->plan, positions, part, &first, &last);
    return first + w * positions;
}

static double scalar_of(const HcContext *c, const HcView *view) {
    return hc_real_at(view->data, c->plan.element_size, 0);
}

/* By what the batch just run counts for a mean: the sum of the mean's own weights where the model
 * gives some, else the number of windows. */
static double weight_of(HcContext *c, const char *name, int64_t n) {
    HcView view;
    return hc_has_output(c, name) && hc_output(c, name, &view) == HC_OK ? scalar_of(c, &view)
                                                                        : (double)n;
}

/* Sums over batches, and of what they count for: of the loss, then of each metric. */
typedef struct {
    double sum, weight;
} Mean;

/* The loss that counts (k = 0), then the metrics. */
static HcStatus value_at(HcContext *c, uint32_t k, double *value) {
    static const char plain[] = "loss_without_penalties";
    HcView view;
    HcStatus status = k > 0 ? hc_output_at(c, c->plan.first_metric + k - 1, &view)
                            : hc_output(c, hc_has_output(c, plain) ? plain : "loss", &view);
    if (status == HC_OK)
        *value = scalar_of(c, &view);
    return status;
}

/* *bad: the first that is not finite, as for value_at; -1: none. */
static HcStatus read_batch(HcContext *c, int64_t n, const HcEvaluation *e, Mean *means,
                           int32_t *bad) {
    HcStatus status = HC_OK;
    *bad = -1;
    for (uint32_t k = 0; status == HC_OK && k <= e->n_metrics; k++) {
        char name[32] = "loss_weight";
        double value;
        if (k > 0)
            snprintf(name, sizeof name, "metric_weight.%u", (unsigned)k - 1);
        status = value_at(c, k, &value);
        if (status != HC_OK)
            break;
        double weight = weight_of(c, name, n);
        means[k] = (Mean){weight * value, weight};
        if (!isfinite(value) && *bad < 0)
            *bad = (int32_t)k;
    }
    return status;
}

/* 0 where nothing counts, as for a batch in which nothing does. */
static double mean_of(const Mean *m) {
    double mean = m->weight != 0 ? m->sum / m->weight : m->sum;
    return isnan(mean) ? NAN : mean; /* of one sign */
}

/* --- naming what is not finite -----------------------------------------------------------------*/

/* Where the data of one sample are, as a phrase. */
static void place_of(const HcData *data, int64_t start, int64_t positions, char *text,
                     size_t size) {
    text[0] = 0;
    const HcSamples *s = data->samples;
    if (!s)
        hc_sequence_place(data->sequence, start, positions, text, size);
    for (uint32_t k = 0; s && k < s->files.count && !text[0]; k++) {
        const HcPartFile *file = &s->files.at[k];
        if (start < file->first || start >= file->first + file->count)
            continue;
        if (s->lines)
            snprintf(text, size, "%s:%lld", file->path, (long long)s->lines[start]);
        else
            snprintf(text, size, "%s, its sample %lld", file->path,
                     (long long)(start - file->first + 1));
    }
}

static int64_t start_in(const HcBatch *b, const HcContext *c, int64_t sample) {
    return b->held_out ? hc_data_window(b->data, c, hc_positions(c), HC_HELD_OUT_PART,
                                        spread(b->first + sample, b->count, b->all))
                       : hc_batch_start(b->data, &c->plan, hc_positions(c), c->recipe.seed, b->step,
                                        b->n, sample);
}

/* Runs samples first .. first + n - 1 of the batch; whether the value is finite. */
static bool run_part(const HcBatch *b, HcContext *c, int64_t first, int64_t n) {
    double value = 0;
    if (n != hc_samples(c) && hc_resize(c, n, hc_positions(c)) != HC_OK)
        return true;
    HcStatus status = HC_OK;
    for (int64_t s = 0; s < n && status == HC_OK; s++)
        status = hc_data_fill(b->data, c, s, start_in(b, c, first + s));
    if (status != HC_OK)
        return true;
    hc_forward(c);
    status = b->held_out ? value_at(c, b->value, &value) : hc_loss(c, &value);
    return status != HC_OK || isfinite(value);
}

void hc_data_name_not_finite(const HcBatch *b, HcContext *c, char *text, size_t size) {
    char place[160], what[200];
    int64_t bad = 0;
    while (bad < b->n && run_part(b, c, bad, 1))
        bad++;
    if (bad == b->n) { /* none by itself */
        run_part(b, c, 0, b->n);
        snprintf(place, sizeof place, "its batch of %lld", (long long)b->n);
    } else {
        place_of(b->data, start_in(b, c, bad), hc_positions(c), place, sizeof place);
    }
    hc_name_not_finite(c, what, sizeof what);
    if (bad == b->n)
        snprintf(text, size, "%s: %s", place, what);
    else if (b->held_out)
        snprintf(text, size, "held-out %s %lld (%s): %s", b->data->samples ? "sample" : "window",
                 (long long)spread(b->first + bad, b->count, b->all) + 1, place, what);
    else
        snprintf(text, size, "sample %lld of its batch (%s): %s", (long long)(bad + 1), place,
                 what);
}

/* Once for an evaluation: in the batch where it happens. */
static void name_in_evaluation(const HcBatch *batch, HcContext *c, int32_t bad, HcEvaluation *e) {
    char where[sizeof e->not_finite - 96];
    hc_data_name_not_finite(batch, c, where, sizeof where);
    if (bad == 0)
        snprintf(e->not_finite, sizeof e->not_finite, "the held-out loss is not finite: %s", where);
    else
        snprintf(e->not_finite, sizeof e->not_finite, "the held-out metric %s is not finite: %s",
                 e->metrics[bad - 1].name, where);
}

/* --- evaluating --------------------------------------------------------------------------------*/

/* The batch from sample `first` on of those that count. */
static HcBatch batch_from(const HcData *data, const HcContext *c, const HcEvaluationSize *size,
                          int64_t positions, int64_t first) {
    const int64_t all = hc_data_windows(data, c, positions, HC_HELD_OUT_PART), batch = size->batch;
    const int64_t most = size->batches > 0 ? size->batches * batch : all;
    const int64_t count = most < all ? most : all, left = count - first;
    return (HcBatch){.data = data,
                     .held_out = true,
                     .first = first,
                     .n = left < batch ? left : batch,
                     .count = count,
                     .all = all};
}

static HcStatus fill_batch(const HcBatch *b, HcContext *c, int64_t positions) {
    HcStatus status = HC_OK;
    if (b->n != hc_samples(c) || positions != hc_positions(c))
        status = hc_resize(c, b->n, positions);
    for (int64_t s = 0; s < b->n && status == HC_OK; s++)
        status = hc_data_fill(b->data, c, s, start_in(b, c, s));
    return status;
}

HcStatus hc_data_held_out(const HcData *data, HcContext *c, const HcEvaluationSize *size, int64_t k,
                          int64_t *n) {
    const int64_t positions = hc_max_positions(c) ? hc_max_positions(c) : 1;
    const HcBatch b = batch_from(data, c, size, positions, k * size->batch);
    *n = b.n > 0 ? b.n : 0;
    return b.n > 0 ? fill_batch(&b, c, positions) : HC_OK;
}

/* What batches found, and where one was not finite, of the first such batch. */
typedef struct {
    Mean *means; /* by batch: of the loss, then of each metric */
    uint32_t values;
    int64_t bad_batch; /* -1: none */
    char not_finite[sizeof((HcEvaluation *)0)->not_finite];
} Found;

static HcStatus run_batch(HcBatch *b, HcContext *c, int64_t number, HcEvaluation *e, Found *f) {
    int32_t bad = -1;
    const int64_t positions = hc_max_positions(c) ? hc_max_positions(c) : 1;
    HcStatus status = fill_batch(b, c, positions);
    if (status != HC_OK)
        return status;
    hc_forward(c);
    status = read_batch(c, b->n, e, f->means + number * f->values, &bad);
    b->value = (uint32_t)bad;
    if (status == HC_OK && bad >= 0 && f->bad_batch < 0) {
        name_in_evaluation(b, c, bad, e);
        f->bad_batch = number;
    }
    return status;
}

static HcStatus run_batches(const HcData *data, HcContext *c, const HcEvaluationSize *size,
                            int64_t positions, const HcStop *stop, HcEvaluation *e, Found *f) {
    const int64_t ranks = hc_ranks_size(size->ranks), rank = hc_ranks_rank(size->ranks);
    HcStatus status = HC_OK;
    HcBatch b = batch_from(data, c, size, positions, 0);
    for (int64_t number = 0; b.n > 0 && status == HC_OK; number++) {
        if (number % ranks == rank)
            status = run_batch(&b, c, number, e, f);
        e->windows += b.n;
        if (status == HC_OK && e->windows < b.count && stop && stop->ask && stop->ask(stop->user))
            status = hc_fail(&c->error, HC_INTERRUPTED, "interrupted while evaluating");
        b = batch_from(data, c, size, positions, e->windows);
    }
    return status;
}

/* Takes the batches of others; each has told where one of its own was not finite. */
static HcStatus take_others(HcRanks *ranks, int64_t batches, HcEvaluation *e, Found *f,
                            HcError *error) {
    const size_t count = (size_t)batches * f->values, bytes = count * sizeof *f->means,
                 size = (size_t)hc_ranks_size(ranks);
    Mean *means = calloc(size * count, sizeof *means);
    Found *said = calloc(size, sizeof *said);
    HcStatus status = means && said ? hc_ranks_gather(ranks, f->means, means, bytes, error)
                                    : hc_fail_memory(error, "an evaluation");
    memcpy(f->not_finite, e->not_finite, sizeof f->not_finite);
    if (status == HC_OK)
        status = hc_ranks_gather(ranks, f, said, sizeof *said, error);
    for (size_t k = 0; k < count && status == HC_OK; k++)
        f->means[k] = means[(k / f->values) % size * count + k];
    for (size_t r = 0; r < size && status == HC_OK; r++) {
        const int64_t bad = said[r].bad_batch;
        if (bad >= 0 && (f->bad_batch < 0 || bad < f->bad_batch)) {
            f->bad_batch = bad;
            memcpy(e->not_finite, said[r].not_finite, sizeof e->not_finite);
        }
    }
    free(means);
    free(said);
    return status;
}

/* In the order of the batches, whoever ran them. */
static double mean_over(const Found *f, int64_t batches, uint32_t value) {
    Mean all = {0, 0};
    for (int64_t b = 0; b < batches; b++) {
        all.sum += f->means[b * f->values + value].sum;
        all.weight += f->means[b * f->values + value].weight;
    }
    return mean_of(&all);
}

static HcStatus evaluate(const HcData *data, HcContext *c, const HcEvaluationSize *size,
                         int64_t positions, const HcStop *stop, HcEvaluation *e) {
    const HcBatch first = batch_from(data, c, size, positions, 0);
    const int64_t batches = (first.count + size->batch - 1) / size->batch;
    Found f = {.values = 1 + e->n_metrics, .bad_batch = -1};
    if (first.count <= 0)
        return hc_fail(&c->error, HC_ERROR_DATA,
                       "the held-out part (%lld %s) is shorter than one window of %lld positions",
                       (long long)(data->count - data->train_count), data->sequence->stream,
                       (long long)positions);
    f.means = calloc((size_t)batches * f.values, sizeof *f.means);
    HcStatus status = f.means ? run_batches(data, c, size, positions, stop, e, &f)
                              : hc_fail_memory(&c->error, "an evaluation");
    if (status == HC_OK && size->ranks)
        status = take_others(size->ranks, batches, e, &f, &c->error);
    if (status == HC_OK)
        e->loss = mean_over(&f, batches, 0);
    for (uint32_t k = 0; k < e->n_metrics && status == HC_OK; k++)
        e->metrics[k].value = mean_over(&f, batches, k + 1);
    free(f.means);
    return status;
}

/* Room for the metrics, and their names. */
static HcStatus name_metrics(HcContext *c, HcEvaluation *e) {
    const HcOutput *of = c->plan.outputs + c->plan.first_metric;
    const uint32_t n = c->plan.n_metrics;
    size_t size = n * sizeof *e->metrics;
    for (uint32_t k = 0; k < n; k++)
        size += strlen(of[k].name) + 1;
    if (n == 0)
        return HC_OK;
    e->metrics = calloc(1, size);
    if (!e->metrics)
        return hc_fail_memory(&c->error, "metrics");
    e->n_metrics = n;
    char *to = (char *)(e->metrics + n);
    for (uint32_t k = 0; k < n; k++) {
        e->metrics[k].name = to;
        e->metrics[k].term = of[k].term;
        to = stpcpy(to, of[k].name) + 1;
    }
    return HC_OK;
}

void hc_evaluation_free(HcEvaluation *e) {
    free(e->metrics);
    e->metrics = NULL;
    e->n_metrics = 0;
}

HcStatus hc_data_evaluate(const HcData *data, HcContext *c, const HcEvaluationSize *size,
                          const HcStop *stop, HcEvaluation *e) {
    int64_t samples = hc_samples(c), positions = hc_positions(c);
    int64_t context = hc_max_positions(c) ? hc_max_positions(c) : 1;
    *e = (HcEvaluation){.samples = data->samples != NULL};
    HcStatus status = name_metrics(c, e);
    int training = hc_training(c);
    hc_set_training(c, 0);
    if (status == HC_OK)
        status = evaluate(data, c, size, context, stop, e);
    hc_set_training(c, training);
    if (status != HC_OK) {
        hc_evaluation_free(e);
        *e = (HcEvaluation){.loss = NAN, .samples = e->samples};
    }
    if (samples != hc_samples(c) || positions != hc_positions(c)) {
        HcStatus restored = hc_resize(c, samples, positions);
        status = status == HC_OK ? restored : status;
    }
    return status;
}
