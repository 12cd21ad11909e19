/* The loop that is open is one 64-bit word: its generation above, the next task below. A thread
 * claims a task by compare-and-swap on that word, so a thread that wakes late, with an old
 * generation in hand, can neither run nor miscount a task of the next loop; and nobody waits for
 * threads that never claimed anything. Between generations the word is "closed" (no task left)
 * while the fields of the next loop are written. */
#include "runtime/run/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPIN_IDLE = 4000, SPIN_FINISH = 20000 };

typedef struct {
    HcPool *pool;
    int32_t index;
    pthread_t thread;
} Worker;

struct HcPool {
    _Alignas(64) _Atomic uint64_t claim; /* generation << 32 | next task */
    _Alignas(64) _Atomic uint32_t finished;
    _Atomic uint32_t caller_waits;
    _Alignas(64) _Atomic uint32_t wake; /* futex word idle workers sleep on */
    _Atomic uint32_t sleepers;
    _Atomic uint32_t stop;
    _Alignas(64) _Atomic uint32_t tasks;
    _Atomic(HcTask *) task;
    _Atomic(void *) argument;
    int32_t threads;
    bool spin;
    pid_t owner;     /* the process that has the workers */
    Worker *workers; /* threads - 1 */
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static bool pool_open(HcPool *pool) {
    uint32_t next = (uint32_t)atomic_load(&pool->claim);
    return next < atomic_load(&pool->tasks);
}

/* Claims and runs tasks until none is left. */
static void pool_work(HcPool *pool, int32_t worker) {
    uint64_t claim = atomic_load(&pool->claim);
    for (;;) {
        uint32_t tasks = atomic_load(&pool->tasks);
        HcTask *task = atomic_load(&pool->task);
        void *argument = atomic_load(&pool->argument);
        uint32_t next = (uint32_t)claim;
        if (next >= tasks)
            return;
        /* Success proves that no other loop was opened since the fields were read. */
        if (!atomic_compare_exchange_weak(&pool->claim, &claim, claim + 1))
            continue;
        task(argument, next, worker);
        if (atomic_fetch_add(&pool->finished, 1) + 1 == tasks && atomic_load(&pool->caller_waits))
            futex_wake(&pool->finished);
        claim = atomic_load(&pool->claim);
    }
}

static void *worker_main(void *argument) {
    Worker *worker = argument;
    HcPool *pool = worker->pool;
    int spins = 0;
    for (;;) {
        if (atomic_load(&pool->stop))
            return NULL;
        if (pool_open(pool)) {
            pool_work(pool, worker->index);
            spins = 0;
        } else if (pool->spin && spins < SPIN_IDLE) {
            spins++;
            relax();
        } else {
            uint32_t wake = atomic_load(&pool->wake);
            atomic_fetch_add(&pool->sleepers, 1);
            if (!pool_open(pool) && !atomic_load(&pool->stop))
                futex_wait(&pool->wake, wake);
            atomic_fetch_sub(&pool->sleepers, 1);
            spins = 0;
        }
    }
}

static void pool_wake(HcPool *pool) {
    if (atomic_load(&pool->sleepers)) {
        atomic_fetch_add(&pool->wake, 1);
        futex_wake(&pool->wake);
    }
}

void hc_pool_run(HcPool *pool, int64_t tasks, HcTask *task, void *argument) {
    if (pool->threads == 1 || tasks <= 1) {
        for (int64_t k = 0; k < tasks; k++)
            task(argument, k, 0);
        return;
    }
    uint32_t generation = (uint32_t)(atomic_load(&pool->claim) >> 32) + 1;
    atomic_store(&pool->claim, (uint64_t)generation << 32 | UINT32_MAX);
    atomic_store(&pool->task, task);
    atomic_store(&pool->argument, argument);
    atomic_store(&pool->tasks, (uint32_t)tasks);
    atomic_store(&pool->finished, 0);
    atomic_store(&pool->caller_waits, 0);
    atomic_store(&pool->claim, (uint64_t)(generation + 1) << 32);
    pool_wake(pool);
    pool_work(pool, 0);
    int limit = pool->spin ? SPIN_FINISH : 0;
    for (int spins = 0; spins < limit; spins++) {
        if (atomic_load(&pool->finished) == (uint32_t)tasks)
            return;
        relax();
    }
    atomic_store(&pool->caller_waits, 1);
    for (;;) {
        uint32_t finished = atomic_load(&pool->finished);
        if (finished == (uint32_t)tasks)
            return;
        futex_wait(&pool->finished, finished);
    }
}

int32_t hc_pool_threads(const HcPool *pool) {
    return pool->threads;
}

static void pool_join(HcPool *pool) {
    atomic_store(&pool->stop, 1);
    atomic_fetch_add(&pool->wake, 1);
    futex_wake(&pool->wake);
    for (int32_t k = 0; k < pool->threads - 1; k++)
        pthread_join(pool->workers[k].thread, NULL);
}

HcStatus hc_pool_create(int32_t threads, HcPool **result, HcError *error) {
    *result = NULL;
    if (threads < 0 || threads > 4096)
        return hc_fail(error, HC_ERROR_ARGUMENT, "%d threads: choose 1 to 4096, or 0 for all",
                       (int)threads);
    if (threads == 0)
        threads = hc_cpu_count();
    HcPool *pool = aligned_alloc(64, sizeof(HcPool));
    Worker *workers = calloc((size_t)threads, sizeof(Worker));
    if (!pool || !workers) {
        free(pool);
        free(workers);
        return hc_fail_memory(error, "the thread pool");
    }
    memset(pool, 0, sizeof *pool);
    pool->workers = workers;
    pool->owner = getpid();
    pool->spin = threads <= hc_cpu_count(); /* else spinning takes time from who has work */
    pool->threads = 1;
    /* Where the process may have no more threads, those that it has do the work. */
    for (; pool->threads < threads; pool->threads++) {
        Worker *worker = &workers[pool->threads - 1];
        worker->pool = pool;
        worker->index = pool->threads;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            break;
    }
    *result = pool;
    return HC_OK;
}

void hc_pool_destroy(HcPool *pool) {
    if (!pool)
        return;
    if (pool->owner == getpid()) /* a forked child has none of the threads */
        pool_join(pool);
    free(pool->workers);
    free(pool);
}
