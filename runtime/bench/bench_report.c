/* What a measurement prints: JSON for programs, a table for people. */
#include "runtime/bench/bench.h"
#include "runtime/files/json.h"

#include <stdio.h>
#include <stdlib.h>

/* Who makes a product: the model's own kernels, or OpenBLAS; "": it is none. */
static const char *made_by(const HcBenchResult *r, const HcBenchCall *call) {
    return !call->gemm ? "" : call->own ? r->product_way : "OpenBLAS";
}

static json_t *call_json(const HcBenchResult *r, const HcBenchCall *call) {
    json_t *json = json_object();
    hc_json_set(&json, "name", hc_json_text(call->name));
    hc_json_set(&json, "pass", json_string(call->backward ? "backward" : "forward"));
    hc_json_set(&json, "gemm", json_boolean(call->gemm));
    hc_json_set(&json, "by", call->gemm ? hc_json_text(made_by(r, call)) : json_null());
    hc_json_set(&json, "calls", json_integer(call->calls));
    hc_json_set(&json, "ms", hc_json_number(call->ms));
    hc_json_set(&json, "operations", hc_json_number(call->operations));
    hc_json_set(&json, "bytes", hc_json_number(call->bytes));
    hc_json_set(&json, "roofline", hc_json_number(call->roofline));
    hc_json_set(&json, "lines", call->lines ? hc_json_text(call->lines) : json_null());
    return json;
}

json_t *hc_bench_json(const HcBenchResult *r) {
    json_t *json = json_object();
    hc_json_set(&json, "precision", json_string(r->precision));
    hc_json_set(&json, "samples", json_integer(r->samples));
    hc_json_set(&json, "positions", json_integer(r->positions));
    hc_json_set(&json, "parameters", json_integer(r->parameters));
    hc_json_set(&json, "parameter_bytes", json_integer((json_int_t)r->parameter_bytes));
    hc_json_set(&json, "threads", json_integer(r->threads));
    hc_json_set(&json, "step_ms", hc_json_number(r->step_ms));
    hc_json_set(&json, "forward_ms", hc_json_number(r->forward_ms));
    hc_json_set(&json, "backward_ms", hc_json_number(r->backward_ms));
    hc_json_set(&json, "optimizer_ms", hc_json_number(r->optimizer_ms));
    hc_json_set(&json, "positions_per_s", hc_json_number(r->positions_per_s));
    hc_json_set(&json, "peak_bytes", json_integer((json_int_t)r->peak_bytes));
    hc_json_set(&json, "gemm_share", hc_json_number(r->gemm_share));
    hc_json_set(&json, "own_products", json_integer(r->own_products));
    hc_json_set(&json, "openblas_products", json_integer(r->openblas_products));
    hc_json_set(&json, "product_way", *r->product_way ? hc_json_text(r->product_way) : json_null());
    hc_json_set(&json, "gemm_operations", hc_json_number(r->gemm_operations));
    hc_json_set(&json, "operations", hc_json_number(r->operations));
    if (!r->calls)
        return json;
    json_t *calls = json_array();
    for (int64_t k = 0; k < r->n_calls; k++)
        hc_json_append(&calls, call_json(r, &r->calls[k]));
    hc_json_set(&json, "calls", calls);
    hc_json_set(&json, "bandwidth", hc_json_number(r->bandwidth));
    hc_json_set(&json, "peak", hc_json_number(r->peak));
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
    fprintf(to, "%10s %6s %6s %9s %9s %9s  %-8s  %-19s %-8s %s\n", "ms", "step", "calls", "MB",
            "MFLOP", "roofline", "pass", "call", "by", "source");
    for (int64_t k = 0; k < r->n_calls; k++) {
        const HcBenchCall *call = &r->calls[k];
        fprintf(to, "%10.3f %5.1f%% %6lld %9.1f %9.1f %8.0f%%  %-8s  %-19s %-8s %s\n", call->ms,
                100 * call->ms / r->step_ms, (long long)call->calls, call->bytes / 1e6,
                call->operations / 1e6, 100 * call->roofline,
                call->backward ? "backward" : "forward", call->name, made_by(r, call),
                call->lines ? call->lines : "");
        sum += call->ms;
    }
    fprintf(to,
            "%10.3f %5.1f%%  all rows. A row holds each call's fastest run; the step above is a "
            "median and has the\n                   optimiser (%.3f ms) in it: %.3f ms are slower "
            "runs and what lies between calls\n",
            sum, 100 * sum / r->step_ms, r->optimizer_ms, r->step_ms - r->optimizer_ms - sum);
}

void hc_bench_print(const HcBenchResult *r, FILE *to) {
    const double seconds = r->gemm_share * r->step_ms / 1e3; /* in products */
    fprintf(to, "%lld samples of %lld positions, %d threads, in %s\n", (long long)r->samples,
            (long long)r->positions, (int)r->threads, r->precision);
    fprintf(to, "  %-18s %10.3f ms\n", "step", r->step_ms);
    fprintf(to, "  %-18s %10.3f ms\n", "forward", r->forward_ms);
    fprintf(to, "  %-18s %10.3f ms\n", "backward", r->backward_ms);
    fprintf(to, "  %-18s %10.3f ms\n", "optimizer", r->optimizer_ms);
    fprintf(to, "  %-18s %10.0f\n", "positions a second", r->positions_per_s);
    fprintf(to, "  %-18s %10.1f MB\n", "memory", (double)r->peak_bytes / 1e6);
    fprintf(to, "  %-18s %10.1f MB of them\n", "parameters", (double)r->parameter_bytes / 1e6);
    fprintf(to, "  %-18s %10.1f %%", "matrix products", 100 * r->gemm_share);
    if (r->gemm_operations > 0 && seconds > 0)
        fprintf(to, " of the time, for %.1f %% of the operations: %.3g GFLOP a step, %.3g a second",
                100 * r->gemm_operations / r->operations, r->gemm_operations / 1e9,
                r->gemm_operations / 1e9 / seconds);
    fputc('\n', to);
    if (r->own_products + r->openblas_products > 0)
        fprintf(to, "  %-18s %10lld by kernels of the model's own%s%s%s, %lld by OpenBLAS\n",
                "of them", (long long)r->own_products, *r->product_way ? " (" : "", r->product_way,
                *r->product_way ? ")" : "", (long long)r->openblas_products);
    if (r->n_calls)
        write_calls(to, r);
}
