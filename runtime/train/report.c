/* Results in words. */
#include "runtime/train/train.h"

void hc_metrics_print(const HcEvaluation *e, FILE *to) {
    for (uint32_t k = 0; k < e->n_metrics; k++)
        fprintf(to, ", %s %.4f", e->metrics[k].name, e->metrics[k].value);
}

void hc_train_print(const HcTrainResult *result, FILE *to) {
    const HcEvaluation *e = &result->evaluation;
    fprintf(to, "%lld steps in %.1f s", (long long)result->steps, result->seconds);
    if (e->windows > 0) {
        fprintf(to, ", held-out loss %.4f", e->loss);
        hc_metrics_print(e, to);
        fprintf(to, " over %lld %s", (long long)e->windows, e->samples ? "samples" : "windows");
    } else {
        fprintf(to, ", loss %.4f over the last steps", result->train_loss);
    }
    fprintf(to, "; the run is in %s\n", result->run);
}

void hc_evaluation_print(const HcEvaluation *e, FILE *to) {
    fprintf(to, "held-out loss %.6f", e->loss);
    hc_metrics_print(e, to);
    fprintf(to, " over %lld %s\n", (long long)e->windows, e->samples ? "samples" : "windows");
}
