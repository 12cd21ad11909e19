/* Tables as text: records of fields, as RFC 4180 has them. Fields are separated by one character,
 * or by runs of blanks; a field may stand in quotes, and hold separators, line ends and doubled
 * quotes there. Blanks around a field are not part of it. Lines that are empty or begin with # are
 * passed over; a line ends with LF, CR LF or CR. */
#ifndef HC_TABLE_TEXT_H
#define HC_TABLE_TEXT_H

#include "runtime/files/error.h"

#include <locale.h>
#include <stdbool.h>

typedef struct {
    const char *at, *end; /* without the quotes */
    bool quoted;          /* two quotes stand for one */
} HcField;

typedef struct {
    const char *path; /* for messages */
    HcError *error;
    locale_t c_locale;    /* numbers are read alike in every locale */
    const char *at, *end; /* of the text that is left */
    int64_t line;         /* where the record last taken begins, from 1 */
    int64_t next_line;    /* that of `at` */
    char separator;       /* ' ': runs of blanks */
    HcField *fields;      /* of the record last taken; owned */
    int64_t n_fields;
    size_t capacity;
} HcTableText;

HcStatus hc_table_begin(HcTableText *t, const char *path, const void *text, size_t size,
                        HcError *error);
void hc_table_end(HcTableText *t);
void hc_table_skip_line(HcTableText *t);
/* What separates the fields of the next record: the first of tab, semicolon and comma that it has
 * outside of quotes, or else blanks. */
char hc_table_guess_separator(HcTableText *t);
/* The next record's fields; *any is false at the end. */
HcStatus hc_table_record(HcTableText *t, bool *any);

/* -12.5e3, +.5, 7.; nothing else, and finite. */
bool hc_table_number(const HcTableText *t, HcField field, double *number);
/* Whether a field is a number in some notation, if not in ours: nan, 1e999, 0x10, 1,5. */
bool hc_table_like_number(const HcTableText *t, HcField field);
/* HC_ERROR_DATA: what is wrong with field `column` (from 0) of the record, which is no number.
 * name: of the column, or NULL; more: what follows, or "". */
HcStatus hc_table_not_a_number(const HcTableText *t, int64_t column, const char *name,
                               const char *more);
/* A field as a column's name, in UTF-8 (what is not is taken for Latin-1); the caller's to free.
 * NULL: out of memory. */
char *hc_table_name(HcField field);
/* "a, b, c", as far as there is room. */
void hc_column_list(char *const *names, int64_t n, char *text, size_t size);

#endif
