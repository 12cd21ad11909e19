/* A pool of threads that share out the tasks of one loop at a time. Which thread runs a task is
 * accidental, so tasks must not depend on it: they write disjoint memory, and anything that is
 * summed over tasks is summed afterwards in a fixed order. */
#ifndef HC_THREADS_H
#define HC_THREADS_H

#include "runtime/files/error.h"
#include <stdbool.h>

typedef struct HcPool HcPool;
/* worker: 0 .. threads - 1, for per-thread scratch memory. */
typedef void HcTask(void *argument, int64_t task, int32_t worker);

/* threads includes the caller; 1 makes no thread. Fewer where the process may not have so many: see
 * hc_pool_threads. */
HcStatus hc_pool_create(int32_t threads, HcPool **pool, HcError *error);
void hc_pool_destroy(HcPool *pool);
int32_t hc_pool_threads(const HcPool *pool);
/* Runs task(argument, k, worker) for k = 0 .. tasks - 1 and returns when all have ended. Not to be
 * called from a task. tasks < 2^32. */
void hc_pool_run(HcPool *pool, int64_t tasks, HcTask *task, void *argument);

#endif
