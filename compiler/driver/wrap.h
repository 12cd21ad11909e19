/* Prose that fits the terminal. */
#ifndef HCC_DRIVER_WRAP_H
#define HCC_DRIVER_WRAP_H

#include <stdint.h>
#include <stdio.h>

/* Columns of the terminal that `to` is, or that COLUMNS says; UINT32_MAX where neither is so: what
 * is searched or kept has a line for each entry. */
uint32_t wrap_width(FILE *to);
/* Lines of it, or what LINES says; UINT32_MAX likewise. */
uint32_t wrap_height(FILE *to);
/* `length` bytes of text, from the present column, which is `indent`, with all lines that follow
 * indented to it, and a newline. Line ends of the text are spaces like any other. */
void wrap_print(FILE *to, const char *text, size_t length, uint32_t indent, uint32_t width);

#endif
