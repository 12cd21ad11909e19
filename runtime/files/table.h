/* Tables: for people, with columns as wide as what stands in them, and as CSV for programs. */
#ifndef HC_TABLE_H
#define HC_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Filled cell by cell, row after row; the first row is the heading. Once there was no memory it
 * stays without: it is enough to look at the end. */
typedef struct {
    char **cells;
    uint32_t n_columns, n_cells, capacity;
    bool failed;
} HcTable;

void hc_table_add(HcTable *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* alignment: a letter for each column, `l` or `r`. Control characters, which terminals obey, become
 * `?`. False: there was no memory for the table. */
bool hc_table_print(HcTable *table, const char *alignment, FILE *to);
bool hc_table_print_csv(const HcTable *table, FILE *to);
void hc_table_free(HcTable *table);

/* A field of CSV as RFC 4180 has it, in quotes where it needs them, and what ends it: a comma, or
 * with `last` the line. */
void hc_csv_field(FILE *to, const char *text, bool last);

#endif
