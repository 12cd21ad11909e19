/* An evaluation in words and as JSON. */
#include "runtime/files/json.h"
#include "runtime/trained/eval.h"

void hc_metrics_print(const HcEvaluation *e, FILE *to) {
    for (uint32_t k = 0; k < e->n_metrics; k++)
        fprintf(to, ", %s %.4f", e->metrics[k].name, e->metrics[k].value);
}

void hc_evaluation_print(const HcEvaluation *e, FILE *to) {
    fprintf(to, "held-out loss %.6f", e->loss);
    hc_metrics_print(e, to);
    fprintf(to, " over %lld %s\n", (long long)e->windows, e->samples ? "samples" : "windows");
}

json_t *hc_evaluation_json(const HcEvaluation *e) {
    json_t *json = json_object(), *of[] = {json_object(), json_object()}; /* metrics, terms */
    if (e->windows > 0)
        hc_json_set(&json, "val_loss", hc_json_number(e->loss));
    hc_json_set(&json, "val_windows", json_integer(e->windows));
    for (uint32_t k = 0; k < e->n_metrics; k++)
        hc_json_set(&of[e->metrics[k].term], e->metrics[k].name,
                    hc_json_number(e->metrics[k].value));
    hc_json_set_filled(&json, "val_metrics", of[0]);
    hc_json_set_filled(&json, "val_terms", of[1]);
    if (e->not_finite[0])
        hc_json_set(&json, "val_not_finite", hc_json_text(e->not_finite));
    return json;
}
