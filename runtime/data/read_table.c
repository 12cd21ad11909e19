/* Tables of numbers: which line names the columns, and the rows of all files by those names. */
#include "runtime/data/samples.h"
#include "runtime/data/table_text.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    HcSamples *samples;
    HcTableText text;
    int64_t n_columns; /* of this file */
    int64_t *place; /* of each column among the table's, -1: it is none of them; NULL: the same */
    double *row;
    int64_t rows; /* before this file */
} Table;

/* --- columns -----------------------------------------------------------------------------------*/

static bool asks_by_name(const HcPlan *plan, const char **name) {
    for (uint32_t k = 0; k < plan->n_bindings; k++)
        for (uint32_t i = 0; i < plan->bindings[k].n_subscripts; i++)
            if (plan->bindings[k].subscripts[i].column) {
                *name = plan->bindings[k].subscripts[i].column;
                return true;
            }
    return false;
}

static void free_names(char **names, int64_t n) {
    for (int64_t k = 0; names && k < n; k++)
        free(names[k]);
    free(names);
}

/* The fields of the record as names; NULL: out of memory. */
static char **take_names(const HcTableText *t) {
    char **names = calloc((size_t)t->n_fields + 1, sizeof *names);
    for (int64_t k = 0; names && k < t->n_fields; k++) {
        names[k] = hc_table_name(t->fields[k]);
        if (!names[k]) {
            free_names(names, t->n_fields);
            return NULL;
        }
    }
    return names;
}

/* Which of several columns of one name this is, from 0. */
static int64_t occurrence(char *const *names, int64_t at) {
    int64_t n = 0;
    for (int64_t k = 0; k < at; k++)
        n += strcmp(names[k], names[at]) == 0;
    return n;
}

static int64_t find_name(char *const *names, int64_t n, const char *name, int64_t which) {
    for (int64_t k = 0; k < n; k++)
        if (strcmp(names[k], name) == 0 && which-- == 0)
            return k;
    return -1;
}

static HcStatus lacks_column(const Table *t, char *const *names, const char *name) {
    char list[300];
    hc_column_list(names, t->n_columns, list, sizeof list);
    return hc_fail(t->text.error, HC_ERROR_DATA,
                   "`%s` has no column `%s`, which the table's first file has (its columns: %s)",
                   t->text.path, name, list);
}

/* Where this file, whose columns are called `names`, has those of the table. */
static HcStatus match_columns(Table *t, char *const *names) {
    const HcSamples *s = t->samples;
    t->place = malloc((size_t)t->n_columns * sizeof *t->place);
    if (!t->place)
        return hc_fail_memory(t->text.error, "the names of columns");
    for (int64_t k = 0; k < t->n_columns; k++)
        t->place[k] = -1;
    for (int64_t k = 0; k < s->n_columns; k++) {
        const int64_t at = find_name(names, t->n_columns, s->columns[k], occurrence(s->columns, k));
        if (at < 0)
            return lacks_column(t, names, s->columns[k]);
        t->place[at] = k;
    }
    return HC_OK;
}

static HcStatus with_header(Table *t) {
    HcSamples *s = t->samples;
    char **names = take_names(&t->text);
    if (!names)
        return hc_fail_memory(t->text.error, "the names of columns");
    if (!s->n_columns) { /* the table's first file */
        s->columns = names;
        s->n_columns = t->n_columns;
        return HC_OK;
    }
    HcStatus status = s->columns ? match_columns(t, names) : HC_OK;
    free_names(names, t->n_columns);
    return status;
}

static HcStatus without_header(Table *t) {
    HcSamples *s = t->samples;
    const char *name;
    if (s->columns && asks_by_name(s->plan, &name))
        return hc_fail(t->text.error, HC_ERROR_DATA,
                       "`%s`, line %lld does not name the columns, so there is no column `%s`",
                       t->text.path, (long long)t->text.line, name);
    if (!s->n_columns)
        s->n_columns = t->n_columns;
    return HC_OK;
}

/* --- the first line ----------------------------------------------------------------------------*/

/* It names the columns when no field of it is a number in any notation, and is a row when all are
 * numbers; anything else is neither. */
static HcStatus see_header(const Table *t, bool *header) {
    const HcTableText *text = &t->text;
    int64_t like = 0, bad = -1;
    double number;
    for (int64_t k = 0; k < text->n_fields; k++) {
        like += hc_table_like_number(text, text->fields[k]);
        if (bad < 0 && !hc_table_number(text, text->fields[k], &number))
            bad = k;
    }
    *header = like == 0;
    if (*header || bad < 0)
        return HC_OK;
    return hc_table_not_a_number(text, bad, NULL,
                                 ", and a line that is partly numbers does not name columns "
                                 "(`header = true;` says that it does)");
}

static void say_header(const Table *t, bool header) {
    const HcSamples *s = t->samples;
    FILE *notes = s->request->notes;
    char list[300];
    const bool known = t->rows > 0 || s->request->run;
    if (!notes || (known && header == (s->columns != NULL)))
        return; /* as it was said of the first file */
    hc_column_list(s->columns, s->n_columns, list, sizeof list);
    if (header && s->columns)
        fprintf(notes, "`%s`: line %lld names the columns: %s\n", t->text.path,
                (long long)t->text.line, list);
    else
        fprintf(notes, "`%s`: line %lld %s\n", t->text.path, (long long)t->text.line,
                header ? "names columns, which go by place as in the files before"
                       : "is taken for a row of numbers, not for names");
}

static HcStatus first_line(Table *t, bool *header) {
    const HcPlan *plan = t->samples->plan;
    HcStatus status = HC_OK;
    *header = plan->table_header == 1;
    t->n_columns = t->text.n_fields;
    if (plan->table_header < 0)
        status = see_header(t, header);
    if (status == HC_OK)
        status = *header ? with_header(t) : without_header(t);
    if (status != HC_OK)
        return status;
    if (!t->place && t->n_columns != t->samples->n_columns)
        return hc_fail(t->text.error, HC_ERROR_DATA,
                       "`%s` has %lld columns, but the files before it have %lld", t->text.path,
                       (long long)t->n_columns, (long long)t->samples->n_columns);
    say_header(t, *header);
    t->row = calloc((size_t)t->samples->n_columns, sizeof *t->row);
    return t->row ? HC_OK : hc_fail_memory(t->text.error, "a row of the table");
}

/* --- rows --------------------------------------------------------------------------------------*/

static HcStatus remember_line(Table *t, int64_t row) {
    HcSamples *s = t->samples;
    if ((size_t)row == s->line_capacity) {
        const size_t capacity = s->line_capacity ? 2 * s->line_capacity : 1024;
        int64_t *grown = realloc(s->lines, capacity * sizeof *grown);
        if (!grown)
            return hc_fail_memory(t->text.error, "the training data");
        s->lines = grown;
        s->line_capacity = capacity;
    }
    s->lines[row] = t->text.line;
    return HC_OK;
}

static HcStatus take_row(Table *t, HcStream *columns) {
    HcSamples *s = t->samples;
    const int64_t n = t->text.n_fields;
    for (int64_t k = 0; k < n && k < t->n_columns; k++) {
        const int64_t to = t->place ? t->place[k] : k;
        if (to >= 0 && !hc_table_number(&t->text, t->text.fields[k], &t->row[to]))
            return hc_table_not_a_number(&t->text, k, s->columns ? s->columns[to] : NULL, "");
    }
    if (n != t->n_columns)
        return hc_fail(t->text.error, HC_ERROR_DATA,
                       "`%s`, line %lld has %lld %s, but those before it have %lld", t->text.path,
                       (long long)t->text.line, (long long)n, n == 1 ? "column" : "columns",
                       (long long)t->n_columns);
    HcStatus status = remember_line(t, columns->samples);
    if (status != HC_OK)
        return status;
    columns->samples++;
    return hc_block_append(&s->blocks[columns->block], t->row,
                           (size_t)s->n_columns * sizeof *t->row, t->text.error);
}

static HcStatus read_rows(Table *t, HcStream *columns) {
    const HcPlan *plan = t->samples->plan;
    bool any = true, header = false;
    for (int64_t k = 0; k < plan->table_skip; k++)
        hc_table_skip_line(&t->text);
    t->text.separator =
        plan->table_separator ? plan->table_separator : hc_table_guess_separator(&t->text);
    HcStatus status = hc_table_record(&t->text, &any);
    if (status == HC_OK && any)
        status = first_line(t, &header);
    if (status == HC_OK && header)
        status = hc_table_record(&t->text, &any);
    while (status == HC_OK && any) {
        status = take_row(t, columns);
        if (status == HC_OK)
            status = hc_table_record(&t->text, &any);
    }
    if (status == HC_OK && columns->samples == t->rows)
        status = hc_fail(t->text.error, HC_ERROR_DATA, "`%s` has no row of numbers", t->text.path);
    return status;
}

HcStatus hc_read_table(HcSamples *samples, HcPartFile *file, HcError *error) {
    uint8_t *bytes;
    size_t size = 0;
    HcStatus status = hc_samples_read(samples, file, &bytes, &size, error);
    if (status != HC_OK)
        return status;
    HcStream *columns = hc_stream(samples, "columns");
    Table t = {.samples = samples, .rows = columns->samples};
    status = hc_table_begin(&t.text, file->path, bytes, size, error);
    columns->element = HC_F64;
    if (status == HC_OK)
        status = read_rows(&t, columns);
    if (status == HC_OK) {
        columns->rank = 1;
        columns->dims[0] = columns->elements = samples->n_columns;
        columns->stride = (size_t)samples->n_columns * sizeof(double);
        file->first = t.rows;
        file->count = columns->samples - t.rows;
    }
    hc_table_end(&t.text);
    free(t.place);
    free(t.row);
    free(bytes);
    return status;
}
