/* A page of its own: style, pictures and the tables behind them, and nothing from elsewhere. */
#ifndef HCC_DRIVER_REPORT_PAGE_H
#define HCC_DRIVER_REPORT_PAGE_H

#include "driver/report/curves.h"
#include "runtime/maps/maps_depth.h"

/* Of a group the maps of its first run. */
typedef struct {
    const char *run; /* its folder */
    const char *why; /* they could not be had, for this reason; NULL: here they are */
    HcMaps maps;
    HcDepths depths; /* and what they make of a trunk */
} GroupMaps;

typedef struct {
    Arena *arena;
    const HcComparison *comparison;
    const GroupCurves *curves; /* one a group */
    const GroupMaps *maps;     /* one a group; NULL: they were not asked for */
} Report;

void report_print(const Report *report, FILE *to);

/* --- tables.c ----------------------------------------------------------------------------------*/

/* A table's name, for who does not see where it stands. */
void page_table_begin(FILE *to, const char *caption);
/* `<tr>` with a heading cell; then cells; then `</tr>`. */
void page_row_begin(FILE *to, const char *heading);
void page_cell(FILE *to, const char *text);
void page_number(FILE *to, const char *format, double value); /* nothing where it is not known */
void page_head(FILE *to, const char *const *names, uint32_t count);
void page_row_end(FILE *to);
void page_table_end(FILE *to);
/* What is opened on demand. */
void page_details_begin(FILE *to, const char *summary);
void page_details_end(FILE *to);
void page_tag(FILE *to, const char *tag, const char *text); /* <TAG>text</TAG> */

void page_comparison(const Report *report, FILE *to);

/* --- pictures.c --------------------------------------------------------------------------------*/

void page_curves(const Report *report, FILE *to);
void page_quality(const Report *report, FILE *to);

/* --- wiring.c ----------------------------------------------------------------------------------*/

void page_wiring(const Report *report, uint32_t group, FILE *to);

#endif
