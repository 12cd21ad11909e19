/* Lines and points in SVG, with axes, to stand in an HTML page: colours are those of its style
 * sheet
 * (`s0`, `s1`, ... for series), and each has a dash or mark of its own as well. */
#ifndef HCC_DRIVER_REPORT_CHART_H
#define HCC_DRIVER_REPORT_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CHART_SERIES = 8 }; /* that differ; the ones behind begin anew */

typedef struct {
    const char *name;
    const double *x, *y;
    const double *deviation; /* of y, a bar at each point; or NULL */
    uint32_t n;
    uint32_t series;
} ChartLine;

typedef struct {
    const char *title, *x, *y; /* what it shows, and along which axes */
    const ChartLine *lines;
    uint32_t n_lines;
    bool marks;     /* on the points, */
    bool alone;     /* which no line joins, and their names beside them */
    bool from_zero; /* y begins at 0 */
    bool whole;     /* x is counted */
} Chart;

/* Nothing where there is no point. */
void chart_print(const Chart *chart, FILE *to);
bool chart_empty(const Chart *chart);
/* The line and mark of a series, for a legend. */
void chart_print_key(uint32_t series, FILE *to);

#endif
