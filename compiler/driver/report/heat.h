/* Matrices as pictures: a cell is the fuller the larger its magnitude, in one colour where it is
 * positive, in another where negative. */
#ifndef HCC_DRIVER_REPORT_HEAT_H
#define HCC_DRIVER_REPORT_HEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    const double *at; /* [to][from]; NAN: nothing stands there */
    uint32_t to, from;
    const char *const *to_names, *const *from_names; /* for tooltips; or NULL */
    double full;                                     /* the magnitude of full colour */
} Heat;

/* Cells of `cell` pixels from (x, y) on. */
void heat_print(const Heat *heat, int x, int y, int cell, FILE *to);
/* The greatest magnitude that is finite; at least `least`. */
double heat_most(const double *at, uint32_t count, double least);

#endif
