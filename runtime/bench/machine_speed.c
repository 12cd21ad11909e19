#include "runtime/bench/machine_speed.h"
#include "runtime/run/clock.h"
#include "runtime/run/exec.h"

#include <stdlib.h>
#include <string.h>

enum { REPEATS = 5, WIDTH = 512 };
#define COPIED ((size_t)64 << 20) /* by all threads together */

typedef struct {
    const HcBlas *blas;
    uint8_t *from, *to;
    size_t share; /* of a task */
    bool doubles;
} Buffers;

static void copy(void *argument, int64_t task, int32_t worker) {
    const Buffers *b = argument;
    (void)worker;
    memcpy(b->to + (size_t)task * b->share, b->from + (size_t)task * b->share, b->share);
}

static void multiply(void *argument, int64_t task, int32_t worker) {
    const Buffers *b = argument;
    const size_t first = (size_t)task * WIDTH * WIDTH;
    (void)worker;
    if (b->doubles) {
        const double *x = (const double *)(const void *)b->from;
        double *y = (double *)(void *)b->to + first;
        b->blas->dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, WIDTH, WIDTH, WIDTH, 1, x, WIDTH,
                       x + WIDTH * WIDTH, WIDTH, 0, y, WIDTH);
    } else {
        const float *x = (const float *)(const void *)b->from;
        float *y = (float *)(void *)b->to + first;
        b->blas->sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, WIDTH, WIDTH, WIDTH, 1, x, WIDTH,
                       x + WIDTH * WIDTH, WIDTH, 0, y, WIDTH);
    }
}

static double fastest(HcPool *pool, HcTask *task, Buffers *buffers, int64_t tasks) {
    double best = 1e30;
    for (int k = 0; k < REPEATS; k++) {
        const double begun = hc_now();
        hc_pool_run(pool, tasks, task, buffers);
        const double seconds = hc_now() - begun;
        best = seconds < best ? seconds : best;
    }
    return best;
}

HcMachineSpeed hc_machine_speed(const HcBlas *blas, HcPool *pool, size_t element_size) {
    const int64_t threads = hc_pool_threads(pool);
    const size_t products = (size_t)(threads + 2) * WIDTH * WIDTH * element_size;
    const size_t bytes = COPIED > products ? COPIED : products;
    Buffers buffers = {blas, hc_aligned_zero(bytes), hc_aligned_zero(bytes),
                       COPIED / (size_t)threads, element_size == sizeof(double)};
    HcMachineSpeed speed = {0, 0};
    if (buffers.from && buffers.to) {
        memset(buffers.from, 0x3c, bytes); /* pages of its own; as a number 0.0115, or 1.5e-17 */
        const double copied = (double)(buffers.share * (size_t)threads);
        speed.bytes = 2 * copied / fastest(pool, copy, &buffers, threads);
        const double one = 2.0 * WIDTH * WIDTH * WIDTH;
        speed.operations = one * (double)threads / fastest(pool, multiply, &buffers, threads);
    }
    free(buffers.from);
    free(buffers.to);
    return speed;
}
