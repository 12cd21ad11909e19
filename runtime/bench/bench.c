/* Times training steps on random inputs, call by call. */
#include "runtime/bench/bench.h"
#include "runtime/bench/machine_speed.h"
#include "runtime/run/clock.h"
#include "runtime/run/context.h"
#include "runtime/run/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double *forward, *backward, *optimizer, *step; /* by measured step */
    double *total, *fastest;                       /* by call: over all steps, of any step */
} Times;                                           /* seconds */

static void random_inputs(HcContext *c, uint64_t seed) {
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        const HcInputPlan *input = &c->plan.inputs[k];
        uint64_t stream = hc_rng_stream(input->name);
        int64_t count = hc_input_elements(c, k);
        void *memory = hc_input_memory(c, k);
        uint64_t bound = input->limit > 0 ? (uint64_t)input->limit : 2;
        if (!input->integer)
            hc_rng_normal(seed, stream, 0, count, 0, 1, c->plan.element_size, memory);
        for (int64_t i = 0; input->integer && i < count; i++)
            ((int32_t *)memory)[i] = (int32_t)hc_rng_below(seed, stream, (uint64_t)i, bound);
    }
}

static HcStatus one_step(HcContext *c, double seconds[3]) {
    double started = hc_now();
    hc_parameters_ours(c);
    hc_forward_backward(c);
    double ended = hc_now();
    HcStatus status = hc_step(c, -1);
    seconds[0] = 0;
    for (uint32_t k = 0; k < c->plan.n_forward; k++)
        seconds[0] += c->exec.latest[k];
    seconds[1] = ended - started - seconds[0];
    seconds[2] = hc_now() - ended;
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_ms(double *seconds, int64_t count) {
    qsort(seconds, (size_t)count, sizeof *seconds, by_value);
    return 500 * (seconds[(count - 1) / 2] + seconds[count / 2]);
}

static int by_time(const void *a, const void *b) {
    const HcBenchCall *x = a, *y = b;
    return x->ms > y->ms ? -1 : x->ms < y->ms;
}

/* The calls of one step. */
static void add_calls(const HcContext *c, Times *times) {
    for (uint32_t k = 0; k < c->plan.n_calls; k++) {
        double took = c->exec.latest[k];
        times->total[k] += took;
        if (took < times->fastest[k])
            times->fastest[k] = took;
    }
}

/* Whether a list with ", " between its places has this one. */
static bool has_place(const char *list, const char *place) {
    const size_t length = strlen(place);
    for (const char *at = list; (at = strstr(at, place)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == 0 || at[length] == ','))
            return true;
    return false;
}

/* Adds the lines of one more call; an entry names a few places at most. */
static bool add_lines(HcBenchCall *entry, const char *lines) {
    enum { LONGEST = 120 };
    if (!lines || (entry->lines && (has_place(entry->lines, lines) ||
                                    strlen(entry->lines) + strlen(lines) > LONGEST)))
        return true;
    const size_t size = (entry->lines ? strlen(entry->lines) + 2 : 0) + strlen(lines) + 1;
    char *joined = malloc(size);
    if (!joined)
        return false;
    snprintf(joined, size, "%s%s%s", entry->lines ? entry->lines : "", entry->lines ? ", " : "",
             lines);
    free(entry->lines);
    entry->lines = joined;
    return true;
}

/* Of what a manifest tells for a step, a sample and a position. */
static double in_a_step(const HcContext *c, const double amount[3]) {
    const double samples = (double)hc_samples(c);
    return amount[0] + samples * (amount[1] + (double)c->exec.positions * amount[2]);
}

/* Calls of one name and direction make one entry; products are told apart by their shape. Each call
 * counts with its fastest step: what other processes took from it is not its own. */
static HcStatus profile(const HcContext *c, const Times *times, HcBenchResult *result,
                        HcError *error) {
    result->calls = calloc(c->plan.n_calls + 1, sizeof *result->calls);
    if (!result->calls)
        return hc_fail_memory(error, "the profile");
    for (uint32_t k = 0; k < c->plan.n_calls; k++) {
        const HcCall *call = &c->plan.calls[k];
        const HcGemmSplit *g = &c->exec.bound[k].gemm;
        int backward = k >= c->plan.n_forward, gemm = call->kind == HC_CALL_GEMM;
        char name[256];
        if (gemm)
            snprintf(name, sizeof name, "%s %lldx%lldx%lld", call->name, (long long)g->m,
                     (long long)g->n, (long long)g->k);
        else
            snprintf(name, sizeof name, "%s", call->name);
        int64_t at = 0;
        while (at < result->n_calls && (result->calls[at].backward != backward ||
                                        strcmp(result->calls[at].name, name) != 0))
            at++;
        HcBenchCall *entry = &result->calls[at];
        if (at == result->n_calls) {
            entry->name = strdup(name);
            result->n_calls++; /* owned from here on */
            if (!entry->name)
                return hc_fail_memory(error, "the profile");
            entry->backward = backward;
            entry->gemm = gemm;
            entry->own = gemm && call->pack_a >= 0;
        }
        if (!add_lines(entry, call->lines))
            return hc_fail_memory(error, "the profile");
        entry->calls++;
        entry->ms += 1e3 * times->fastest[k];
        entry->operations += in_a_step(c, call->operations);
        entry->bytes += in_a_step(c, call->bytes);
    }
    const HcMachineSpeed speed =
        hc_machine_speed(&c->exec.blas, c->exec.pool, c->plan.element_size);
    result->bandwidth = speed.bytes;
    result->peak = speed.operations;
    for (int64_t k = 0; k < result->n_calls && speed.bytes > 0 && speed.operations > 0; k++) {
        HcBenchCall *entry = &result->calls[k];
        const double least = entry->bytes / speed.bytes + entry->operations / speed.operations;
        entry->roofline = entry->ms > 0 ? 1e3 * least / entry->ms : 0;
    }
    qsort(result->calls, (size_t)result->n_calls, sizeof *result->calls, by_time);
    return HC_OK;
}

static HcStatus measure(HcContext *c, const HcBenchOptions *o, int64_t steps, Times *times,
                        HcBenchResult *result, HcError *error) {
    int64_t warmup = o->warmup > 0 ? o->warmup : o->warmup < 0 ? 0 : 3;
    double seconds[3], gemm = 0, total = 0;
    for (int64_t k = -warmup; k < steps; k++) {
        HcStatus status = one_step(c, seconds);
        if (status != HC_OK) {
            if (error)
                *error = c->error;
            return status;
        }
        if (k < 0)
            continue;
        add_calls(c, times);
        times->forward[k] = seconds[0];
        times->backward[k] = seconds[1];
        times->optimizer[k] = seconds[2];
        times->step[k] = seconds[0] + seconds[1] + seconds[2];
        total += times->step[k];
    }
    for (uint32_t k = 0; k < c->plan.n_calls; k++) {
        const bool product = c->plan.calls[k].kind == HC_CALL_GEMM;
        const double operations = in_a_step(c, c->plan.calls[k].operations);
        gemm += product ? times->total[k] : 0;
        result->gemm_operations += product ? operations : 0;
        result->operations += operations;
    }
    result->forward_ms = median_ms(times->forward, steps);
    result->backward_ms = median_ms(times->backward, steps);
    result->optimizer_ms = median_ms(times->optimizer, steps);
    result->step_ms = median_ms(times->step, steps);
    result->gemm_share = gemm / total;
    result->positions_per_s =
        1e3 * (double)result->samples * (double)result->positions / result->step_ms;
    result->peak_bytes = hc_memory_bytes(c);
    return o->profile ? profile(c, times, result, error) : HC_OK;
}

static void note_products(const HcContext *c, FILE *notes, HcBenchResult *result) {
    const HcProductCalls calls = hc_plan_products(&c->plan);
    const char *way = c->plan.product_way;
    if (calls.openblas)
        hc_blas_note(&c->exec.blas, notes);
    result->own_products = calls.own;
    result->openblas_products = calls.openblas;
    snprintf(result->product_way, sizeof result->product_way, "%s", way ? way : "");
}

HcStatus hc_bench(const HcModel *model, const HcBenchOptions *o, HcBenchResult *result,
                  HcError *error) {
    *result = (HcBenchResult){0};
    int64_t steps = o->steps > 0 ? o->steps : 20;
    HcOptions options = {o->threads, o->samples, o->positions};
    HcContext *c;
    HcStatus status = hc_create(model, &options, &c, error);
    if (status != HC_OK)
        return status;
    size_t n = (size_t)steps, calls = c->plan.n_calls;
    double *memory = n < SIZE_MAX / 64 ? calloc(4 * n + 2 * calls, sizeof *memory) : NULL;
    c->exec.latest = calloc(calls + 1, sizeof(double));
    if (!memory || !c->exec.latest) {
        status = hc_fail_memory(error, "the measurements");
    } else {
        Times times = {memory,         memory + n,     memory + 2 * n,
                       memory + 3 * n, memory + 4 * n, memory + 4 * n + calls};
        for (size_t k = 0; k < calls; k++)
            times.fastest[k] = INFINITY;
        note_products(c, o->notes, result);
        result->precision = hc_precision_word(c->plan.precision);
        result->samples = hc_samples(c);
        result->positions = hc_positions(c);
        result->threads = hc_threads(c);
        result->parameters = hc_plan_parameter_elements(&c->plan);
        result->parameter_bytes = (uint64_t)result->parameters * c->plan.element_size;
        hc_init(c, o->seed);
        random_inputs(c, o->seed);
        status = measure(c, o, steps, &times, result, error);
    }
    free(memory);
    hc_destroy(c);
    if (status != HC_OK)
        hc_bench_free(result);
    return status;
}

void hc_bench_free(HcBenchResult *result) {
    for (int64_t k = 0; k < result->n_calls; k++) {
        free((void *)(uintptr_t)result->calls[k].name);
        free(result->calls[k].lines);
    }
    free(result->calls);
    *result = (HcBenchResult){0};
}
