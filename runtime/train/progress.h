/* step 120/5000 | loss 4.812 | gn 0.91 | lr 3.0e-04 | gain 1.02 | 18.4k tok/s | eta 7m12s
 * redrawn on a terminal, plain lines at intervals elsewhere. */
#ifndef HC_PROGRESS_H
#define HC_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    FILE *to; /* NULL: silent */
    bool terminal, drawn;
    int64_t first, steps; /* done before, and in the end */
    double started, last; /* seconds */
    const char *unit;     /* what is counted: "tok/s" */
    double count;         /* since `started` */
    double gain;          /* composite, of the mixing maps; NaN: not known */
} HcProgress;

/* first: how many steps were done before. */
void hc_progress_begin(HcProgress *progress, FILE *to, int64_t first, int64_t steps,
                       const char *unit);
/* step: from 1; it went through `count` of what the unit counts. */
void hc_progress_step(HcProgress *progress, int64_t step, double loss, double gradient_norm,
                      double lr, double count);
/* A line of its own. */
void hc_progress_note(HcProgress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, printed by the caller between these two; NULL: silent. */
FILE *hc_progress_begin_note(HcProgress *progress);
void hc_progress_end_note(HcProgress *progress);
void hc_progress_end(HcProgress *progress);

/* 3h05m, 7m12s, 12s */
void hc_duration_text(char *text, size_t size, double seconds);

#endif
