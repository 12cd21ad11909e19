/* What a measurement prints: JSON for programs, a table for people. */
#include "runtime/json.h"
#include "runtime/train.h"

#include <stdio.h>
#include <stdlib.h>

json_t *hc_bench_json(const HcBenchResult *r) {
    json_t *json = json_pack(
        "{s:I,s:I,s:I,s:i,s:f,s:f,s:f,s:f,s:f,s:I,s:f}", "samples", (json_int_t)r->samples,
        "positions", (json_int_t)r->positions, "parameters", (json_int_t)r->parameters, "threads",
        (int)r->threads, "step_ms", r->step_ms, "forward_ms", r->forward_ms, "backward_ms",
        r->backward_ms, "optimizer_ms", r->optimizer_ms, "positions_per_s", r->positions_per_s,
        "peak_bytes", (json_int_t)r->peak_bytes, "gemm_share", r->gemm_share);
    if (!r->calls)
        return json;
    json_t *calls = json_array();
    for (int64_t k = 0; k < r->n_calls; k++) {
        const HcBenchCall *call = &r->calls[k];
        json_array_append_new(
            calls,
            json_pack("{s:s,s:s,s:b,s:I,s:f,s:f,s:f,s:f,s:s?}", "name", call->name, "pass",
                      call->backward ? "backward" : "forward", "gemm", call->gemm, "calls",
                      (json_int_t)call->calls, "ms", call->ms, "operations", call->operations,
                      "bytes", call->bytes, "roofline", call->roofline, "lines", call->lines));
    }
    json_object_set_new(json, "calls", calls);
    json_object_set_new(json, "bandwidth", hc_json_number(r->bandwidth));
    json_object_set_new(json, "peak", hc_json_number(r->peak));
    return json;
}

static void write_calls(FILE *to, const HcBenchResult *r) {
    double sum = 0;
    fprintf(
        to,
        "\nmeasured beside it: %.1f GB/s copied, %.0f GFLOP/s in matrix products; `roofline` is "
        "the time that\na call's bytes and operations take at these speeds, over its own: more "
        "than 100 %% comes out of caches\n\n",
        r->bandwidth / 1e9, r->peak / 1e9);
    fprintf(to, "%10s %6s %6s %9s %9s %9s  %-8s  %-28s %s\n", "ms", "step", "calls", "MB", "MFLOP",
            "roofline", "pass", "call", "source");
    for (int64_t k = 0; k < r->n_calls; k++) {
        const HcBenchCall *call = &r->calls[k];
        fprintf(to, "%10.3f %5.1f%% %6lld %9.1f %9.1f %8.0f%%  %-8s  %-28s %s\n", call->ms,
                100 * call->ms / r->step_ms, (long long)call->calls, call->bytes / 1e6,
                call->operations / 1e6, 100 * call->roofline,
                call->backward ? "backward" : "forward", call->name,
                call->lines ? call->lines : "");
        sum += call->ms;
    }
    fprintf(to,
            "%10.3f %5.1f%%  all rows. A row holds each call's fastest run; the step above is a "
            "median and has the\n                   optimiser (%.3f ms) in it: %.3f ms are slower "
            "runs and what lies between calls\n",
            sum, 100 * sum / r->step_ms, r->optimizer_ms, r->step_ms - r->optimizer_ms - sum);
}

char *hc_bench_text(const HcBenchResult *r) {
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return NULL;
    fprintf(to, "%lld samples of %lld positions, %d threads\n", (long long)r->samples,
            (long long)r->positions, (int)r->threads);
    fprintf(to, "  %-18s %10.3f ms\n", "step", r->step_ms);
    fprintf(to, "  %-18s %10.3f ms\n", "forward", r->forward_ms);
    fprintf(to, "  %-18s %10.3f ms\n", "backward", r->backward_ms);
    fprintf(to, "  %-18s %10.3f ms\n", "optimizer", r->optimizer_ms);
    fprintf(to, "  %-18s %10.0f\n", "positions a second", r->positions_per_s);
    fprintf(to, "  %-18s %10.1f MB\n", "memory", (double)r->peak_bytes / 1e6);
    fprintf(to, "  %-18s %10.1f %%\n", "matrix products", 100 * r->gemm_share);
    if (r->n_calls)
        write_calls(to, r);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}
