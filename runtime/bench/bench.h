/* Measuring training steps. Nothing here prints but to the FILE it is given; options are
 * zero-initialised by the caller. */
#ifndef HC_BENCH_H
#define HC_BENCH_H

#include "runtime/hc.h"

#include <jansson.h>
#include <stdio.h>

typedef struct {
    int64_t steps;              /* measured; 0: 20 */
    int64_t warmup;             /* before; 0: 3, below 0: none */
    int64_t samples, positions; /* 0: the recipe's batch, the model's maximum */
    int32_t threads;
    uint64_t seed;
    int profile; /* 1: fill `calls` */
    FILE *notes; /* where to say what makes it slower than it could be; or NULL */
} HcBenchOptions;

typedef struct {
    const char *name; /* kernel or kind of call; owned by the result */
    int64_t calls;    /* a step */
    double ms;        /* of its calls in a step, each in its fastest */
    int backward, gemm;
    int own;                  /* a product that kernels of the model's own make, not OpenBLAS */
    double operations, bytes; /* of its calls in a step: arithmetic, memory read and written */
    double roofline;          /* bytes at `bandwidth` and operations at `peak`, over `ms` */
    char *lines;              /* of the model's source, `gpt.hc:18, mhc.hc:14-31`; or NULL */
} HcBenchCall;

typedef struct {
    const char *precision;
    int64_t samples, positions, parameters;
    uint64_t parameter_bytes;
    int32_t threads;
    double step_ms, forward_ms, backward_ms, optimizer_ms; /* medians */
    double positions_per_s;
    uint64_t peak_bytes;                     /* all memory of the context */
    double gemm_share;                       /* of the step's time spent in matrix products */
    int64_t own_products, openblas_products; /* calls of a step, by who makes them */
    char product_way[8];                     /* of the model's own kernels; "": it has none */
    double gemm_operations, operations;      /* arithmetic of a step: in these, and in all calls */
    HcBenchCall *calls;                      /* slowest first */
    int64_t n_calls;
    double bandwidth; /* with calls: bytes a second of a copy between large buffers */
    double peak;      /* with calls: operations a second of matrix products */
} HcBenchResult;

/* Times training steps on random inputs. */
HcStatus hc_bench(const HcModel *model, const HcBenchOptions *options, HcBenchResult *result,
                  HcError *error);
void hc_bench_free(HcBenchResult *result);
json_t *hc_bench_json(const HcBenchResult *result);
void hc_bench_print(const HcBenchResult *result, FILE *to); /* for people */

#endif
