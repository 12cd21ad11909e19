/* Runs of a table of indices; see take_runs.h.
 *
 *     c % 7     0 1 2 3 4 5 6 0 1 ...   period 7, one run: i
 *     c / 2     0 0 1 1 2 2 ...         divide 2, one run: i
 *     (c + 3) / 4   0 1 1 1 1 2 2 ...   ahead 3, divide 4, one run: i
 *     c + 3, turned at 8    3 4 5 6 7 0 1 2   two runs: 3 + i up to 5, then i - 5
 *     3 * c / 4     0 0 1 2 3 3 4 5 ...   period 4, drift 3, two runs: 0 up to 1, then i - 1 */
#include "pass/take_runs.h"

/* How often each entry stands in a row: all equally often, but for the last, and for the first, of
 * which some stand ahead of the table. */
static uint32_t repeats(const int32_t *at, uint32_t n, uint32_t *ahead) {
    uint32_t first = 0, times = n, begin = 0;
    for (uint32_t k = 1; k < n; k++)
        if (at[k] != at[k - 1]) {
            if (first == 0)
                first = k;
            else
                times = k - begin < times ? k - begin : times;
            begin = k;
        }
    if (begin == first) /* at most one more entry, which is the last */
        times = first ? first : n;
    *ahead = (times - first % times) % times;
    for (uint32_t k = 1; k < n; k++)
        if ((k + *ahead) % times && at[k] != at[k - 1]) {
            *ahead = 0;
            return 1;
        }
    return times;
}

/* After how many entries the table begins again: its length less its longest border. */
static uint32_t period_of(Arena *arena, const int32_t *at, uint32_t n) {
    uint32_t *border = ARENA_ARRAY(arena, uint32_t, n);
    for (uint32_t k = 1, length = 0; k < n; k++) {
        while (length > 0 && at[k] != at[length])
            length = border[length - 1];
        length += at[k] == at[length];
        border[k] = length;
    }
    return n - border[n - 1];
}

/* The run that begins at entry `begin` of `n`. */
static TakeRun run_from(const int32_t *at, uint32_t n, uint32_t begin) {
    TakeRun run = {.end = begin + 1, .base = at[begin]};
    if (run.end < n && (at[begin] < 0) == (at[run.end] < 0))
        run.stride = (int64_t)at[run.end] - at[begin];
    if (at[begin] < 0)
        run.stride = 0;
    while (run.end < n && (at[run.end] < 0) == (at[begin] < 0) &&
           at[run.end] - (int64_t)at[run.end - 1] == run.stride)
        run.end++;
    run.base -= run.stride * begin;
    return run;
}

/* The same where each period reads further on than the one before by *drift; 0: some entry is 0. */
static uint32_t drift_of(Arena *arena, const int32_t *at, uint32_t n, int64_t *drift) {
    int32_t *step = ARENA_ARRAY(arena, int32_t, n);
    for (uint32_t k = 0; k < n; k++) {
        if (at[k] < 0)
            return 0;
        step[k] = k + 1 < n ? at[k + 1] - at[k] : 0;
    }
    const uint32_t period = n > 2 ? period_of(arena, step, n - 1) : 0;
    *drift = period ? (int64_t)at[period] - at[0] : 0;
    return period;
}

static bool find_runs(TakeRuns *runs, const int32_t *at, uint32_t most, TakeRun *run) {
    runs->n = 0;
    for (uint32_t k = 0; k < runs->period; k = run[runs->n++].end) {
        if (runs->n == most)
            return false;
        run[runs->n] = run_from(at, runs->period, k);
    }
    runs->run = run;
    return true;
}

bool take_runs(Arena *arena, const TirNode *take, uint32_t most, TakeRuns *runs) {
    const uint32_t extent = take->type.dims[take->attr.axis];
    *runs = (TakeRuns){0};
    runs->divide = repeats(take->attr.indices, extent, &runs->ahead);
    const uint32_t n = (runs->ahead + extent + runs->divide - 1) / runs->divide;
    int32_t *at = ARENA_ARRAY(arena, int32_t, n);
    for (uint32_t k = 0; k < n; k++)
        at[k] = take->attr.indices[k ? k * runs->divide - runs->ahead : 0];
    runs->period = period_of(arena, at, n);
    TakeRun *run = ARENA_ARRAY(arena, TakeRun, most);
    if (find_runs(runs, at, most, run))
        return true;
    runs->period = drift_of(arena, at, n, &runs->drift);
    return runs->period && find_runs(runs, at, most, run);
}
