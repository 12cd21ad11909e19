/* Runs beside each other. Those that differ in the seed alone are a group, of which means are
 * taken; groups are compared with a baseline, after the same number of steps and after the same
 * time of training. */
#ifndef HC_COMPARE_H
#define HC_COMPARE_H

#include "runtime/runs/past_run.h"
#include <stdio.h>

/* Over the seeds of a group. */
typedef struct {
    uint32_t n;
    double mean;      /* NAN: of none */
    double deviation; /* of a sample, by n - 1; NAN: of less than two */
    double squares;
} HcMean;

typedef enum {
    HC_GAP_NONE, /* of the baseline itself, or one of the two has no loss */
    HC_GAP_ONE_SEED,
    HC_GAP_WITHIN,
    HC_GAP_EXCEEDS, /* the seeds' spread */
} HcGapKind;

typedef struct {
    HcMean loss;
    int64_t first_step, last_step; /* where that was, over the seeds */
    double gap;                    /* to the baseline's mean; NAN: none */
    double spread;                 /* 2 sqrt(s1^2 / n1 + s2^2 / n2); NAN: one seed */
    HcGapKind kind;
} HcStanding;

typedef struct {
    char *name;
    uint32_t first; /* its first run */
    HcStanding at_step, at_time, best;
    HcMean positions_per_s, memory_bytes, minutes, parameters, flops_per_position;
    double bytes; /* of text a held-out token; NAN: not known */
} HcRunGroup;

typedef struct {
    HcPastRun *runs;
    uint32_t n_runs;
    int32_t *group_of;   /* of each run; -1: it does not count */
    const char **differ; /* settings in which groups differ */
    uint32_t n_differ;
    HcRunGroup *groups;
    uint32_t n_groups, baseline;
    int64_t step;   /* the last at which all were evaluated; -1: none */
    double seconds; /* the longest that all trained; NAN: not known of all */
    bool lettered;  /* groups are named by numbers: what they differ in is too long for a name */
    bool bytes;     /* of all groups it is known how many bytes a token has */
} HcComparison;

/* baseline: a group's name, NAME=VALUE or VALUE of a setting that differs, or a run; NULL: the
 * first group with a constant that is `residual`, else the first. HC_ERROR_ARGUMENT where it names
 * none, or several. `runs` must stay; whatever comes of it, hc_comparison_free frees it. */
HcStatus hc_compare(HcComparison *comparison, const HcPastRuns *runs, const char *baseline,
                    HcError *error);
void hc_comparison_free(HcComparison *comparison);

/* A loss of the group in bits a byte; NAN: not known. */
double hc_bits_per_byte(const HcRunGroup *group, double loss);

/* For people; as a row a group of CSV. False: out of memory. */
bool hc_comparison_print(const HcComparison *comparison, FILE *to);
bool hc_comparison_print_csv(const HcComparison *comparison, FILE *to);
/* docs/compare.md says what is in it; the caller's. NULL: out of memory. */
json_t *hc_comparison_json(const HcComparison *comparison);

#endif
