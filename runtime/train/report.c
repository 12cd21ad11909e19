/* Results in words. */
#include "runtime/train/train.h"

void hc_train_print(const HcTrainResult *result, FILE *to) {
    const HcEvaluation *e = &result->evaluation;
    fprintf(to, "%lld steps in %.1f s", (long long)result->steps, result->seconds);
    if (e->windows > 0) {
        char metrics[256];
        hc_metrics_text(e, metrics, sizeof metrics);
        fprintf(to, ", held-out loss %.4f%s over %lld %s", e->loss, metrics, (long long)e->windows,
                e->samples ? "samples" : "windows");
    } else {
        fprintf(to, ", loss %.4f over the last steps", result->train_loss);
    }
    fprintf(to, "; the run is in %s\n", result->run);
}

void hc_evaluation_print(const HcEvaluation *e, FILE *to) {
    char metrics[256];
    hc_metrics_text(e, metrics, sizeof metrics);
    fprintf(to, "held-out loss %.6f%s over %lld %s\n", e->loss, metrics, (long long)e->windows,
            e->samples ? "samples" : "windows");
}
