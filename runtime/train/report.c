/* A result in words. */
#include "runtime/train/train.h"

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
