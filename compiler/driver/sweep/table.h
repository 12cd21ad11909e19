/* How a sweep stands: a table that is redrawn in place on a terminal, a line for whatever happens
 * elsewhere. */
#ifndef HCC_DRIVER_SWEEP_TABLE_H
#define HCC_DRIVER_SWEEP_TABLE_H

#include "driver/sweep/sweep.h"

typedef struct {
    FILE *to;
    bool terminal;
    uint32_t drawn; /* lines that stand there */
    double last;
} SweepTable;

SweepTable sweep_table(FILE *to); /* NULL: nothing is shown */
SweepWatch sweep_table_show;      /* its `user` is the table */

#endif
