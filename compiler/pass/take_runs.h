/* A table of indices as few runs of arithmetic, for whoever reads it by a run-time index. */
#ifndef HCC_PASS_TAKE_RUNS_H
#define HCC_PASS_TAKE_RUNS_H

#include "tir/tir.h"

/* Entries up to `end` (not included): entry i reads base + stride * i; base -1, stride 0 reads 0.
 */
typedef struct {
    uint32_t end;
    int64_t base, stride;
} TakeRun;

/* With j = (i + ahead) / divide, entry i of the table is entry j % period of the runs, and
 * j / period times `drift` further on. */
typedef struct {
    uint32_t ahead, divide, period;
    int64_t drift;
    uint32_t n;
    const TakeRun *run;
} TakeRuns;

enum { TAKE_RUNS = 8 }; /* of arithmetic at most */

/* False when there are more than `most`. */
bool take_runs(Arena *arena, const TirNode *take, uint32_t most, TakeRuns *runs);

#endif
