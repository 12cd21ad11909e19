#include "runtime/runs/print_log.h"
#include "runtime/files/json.h"
#include "runtime/files/table.h"
#include "runtime/runs/read_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* --- for people --------------------------------------------------------------------------------*/

/* What a row stands for: lines of steps that follow each other. */
typedef struct {
    int64_t n, last; /* lines; the last one's step */
    double loss, norm, rate, speed, held_out;
    bool evaluated;
} Stretch;

/* 1, 2, 5, 10, 20, ...: so that evaluations, which lie at round steps, lie at ends of rows. */
static int64_t round_stretch(int64_t least) {
    static const int64_t factors[] = {1, 2, 5};
    int64_t ten = 1;
    for (;; ten *= 10)
        for (int k = 0; k < 3; k++)
            if (factors[k] * ten >= least)
                return factors[k] * ten;
}

/* NAN for null, which is what was not finite. */
static double number_of(const json_t *line, const char *name) {
    const json_t *value = json_object_get(line, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void add_line(Stretch *s, const json_t *line) {
    s->n++;
    s->last = json_integer_value(json_object_get(line, "step"));
    s->loss += number_of(line, "loss");
    s->norm += number_of(line, "grad_norm");
    s->speed += number_of(line, "positions_per_s");
    s->rate = number_of(line, "lr");
    if (json_object_get(line, "val_loss")) {
        s->evaluated = true;
        s->held_out = number_of(line, "val_loss");
    }
}

static void add_row(HcTable *t, Stretch *s) {
    if (s->n == 0)
        return;
    const double n = (double)s->n;
    hc_table_add(t, "%" PRId64, s->last);
    hc_table_add(t, "%.4f", s->loss / n);
    if (s->evaluated)
        hc_table_add(t, "%.4f", s->held_out);
    else
        hc_table_add(t, "%s", "");
    hc_table_add(t, "%.3f", s->norm / n);
    hc_table_add(t, "%.2e", s->rate);
    hc_table_add(t, "%.0f", s->speed / n);
    *s = (Stretch){0};
}

/* The evaluation behind the last step stands in summary.json. */
static void add_last(const HcPastRun *run, Stretch *s) {
    const HcRunPoint *last = run->n_points ? &run->points[run->n_points - 1] : NULL;
    if (run->state == HC_RUN_FINISHED && last && last->step == s->last) {
        s->evaluated = true;
        s->held_out = last->loss;
    }
}

static HcStatus fill(HcTable *t, const HcPastRun *run, int64_t stretch, HcError *error) {
    static const char *const heading[] = {"step",      "loss", "val_loss",
                                          "grad_norm", "lr",   "positions/s"};
    HcLogReader reader;
    Stretch s = {0};
    json_t *line;
    for (size_t k = 0; k < sizeof heading / sizeof heading[0]; k++)
        hc_table_add(t, "%s", heading[k]);
    HcStatus status = hc_log_open(&reader, run->path, error);
    if (status != HC_OK)
        return status;
    while ((status = hc_log_next(&reader, &line)) == HC_OK && line) {
        if (s.n && (reader.step - 1) / stretch != (s.last - 1) / stretch)
            add_row(t, &s);
        add_line(&s, line);
        json_decref(line);
    }
    add_last(run, &s);
    add_row(t, &s);
    hc_log_close(&reader);
    return status;
}

static void print_end(const HcPastRun *run, FILE *to) {
    const HcRunPoint *last = run->n_points ? &run->points[run->n_points - 1] : NULL;
    if (run->state == HC_RUN_FINISHED && last)
        fprintf(to, "finished: held-out loss %.4f after step %" PRId64 "\n", last->loss,
                last->step);
    else
        fprintf(to, "%s\n", run->why);
}

HcStatus hc_log_print(const HcPastRun *run, uint32_t rows, FILE *to, HcError *error) {
    HcTable t = {.n_columns = 6};
    const int64_t stretch = round_stretch(run->steps / rows + (run->steps % rows != 0));
    HcStatus status = fill(&t, run, stretch, error);
    if (status == HC_OK && !hc_table_print(&t, "rrrrrr", to))
        status = hc_fail_memory(error, "a log");
    hc_table_free(&t);
    if (status != HC_OK)
        return status;
    if (stretch > 1)
        fprintf(to, "a row for %" PRId64 " steps: the means of loss, grad_norm and positions/s\n",
                stretch);
    print_end(run, to);
    return HC_OK;
}

/* --- CSV ---------------------------------------------------------------------------------------*/

/* Fields of a line into *to, those of an object as OBJECT.NAME. */
static void flatten(json_t **to, const char *before, json_t *of) {
    const char *key;
    json_t *value;
    json_object_foreach(of, key, value) {
        char name[256];
        snprintf(name, sizeof name, "%s%s%s", before, *before ? "." : "", key);
        if (json_is_object(value))
            flatten(to, name, value);
        else
            hc_json_set(to, name, json_incref(value));
    }
}

static HcStatus print_value(const json_t *value, bool last, FILE *to, HcError *error) {
    if (!value || json_is_null(value) || json_is_string(value)) {
        hc_csv_field(to,
                     !value                ? ""
                     : json_is_null(value) ? "nan"
                                           : json_string_value(value),
                     last);
        return HC_OK;
    }
    char *text = hc_json_dump(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return hc_fail_memory(error, "a line of a log");
    hc_csv_field(to, text, last);
    free(text);
    return HC_OK;
}

static HcStatus print_row(json_t *columns, json_t *line, FILE *to, HcError *error) {
    json_t *fields = json_object(), *value;
    const char *name;
    size_t left = json_object_size(columns);
    HcStatus status = HC_OK;
    flatten(&fields, "", line);
    if (!fields)
        return hc_fail_memory(error, "a line of a log");
    json_object_foreach(columns, name, value) {
        left--;
        if (status == HC_OK)
            status = print_value(json_object_get(fields, name), left == 0, to, error);
    }
    json_decref(fields);
    return status;
}

/* *columns: all fields of all lines, in the order in which they are found. *count: the lines. */
static HcStatus find_columns(HcLogReader *reader, json_t **columns, int64_t *count) {
    json_t *line;
    HcStatus status;
    *columns = json_object();
    *count = 0;
    while ((status = hc_log_next(reader, &line)) == HC_OK && line) {
        ++*count;
        flatten(columns, "", line);
        json_decref(line);
    }
    if (status == HC_OK && !*columns)
        return hc_fail_memory(reader->error, "the fields of a log");
    return status;
}

static HcStatus print_rows(HcLogReader *reader, json_t *columns, int64_t count, FILE *to) {
    json_t *line;
    HcStatus status = HC_OK;
    for (; status == HC_OK && count > 0; count--) { /* a run that goes on may have written more */
        status = hc_log_next(reader, &line);
        if (status == HC_OK && line)
            status = print_row(columns, line, to, reader->error);
        json_decref(line);
    }
    return status;
}

HcStatus hc_log_print_csv(const HcPastRun *run, FILE *to, HcError *error) {
    HcLogReader reader;
    HcStatus status = hc_log_open(&reader, run->path, error);
    if (status != HC_OK)
        return status;
    json_t *columns, *value;
    int64_t count;
    status = find_columns(&reader, &columns, &count);
    if (status == HC_OK) {
        const char *name;
        size_t left = json_object_size(columns);
        json_object_foreach(columns, name, value) hc_csv_field(to, name, --left == 0);
        hc_log_again(&reader);
        status = print_rows(&reader, columns, count, to);
    }
    json_decref(columns);
    hc_log_close(&reader);
    return status;
}
