/* An ablation for people and as JSON. */
#include "runtime/files/json.h"
#include "runtime/files/table.h"
#include "runtime/trained/ablate.h"

static bool print_each(const HcAblation *a, FILE *to) {
    HcTable table = {.n_columns = 3};
    hc_table_add(&table, "set alone");
    hc_table_add(&table, "loss");
    hc_table_add(&table, "change");
    for (uint32_t k = 0; k < a->count; k++) {
        hc_table_add(&table, "%s", a->tensors[k].name);
        hc_table_add(&table, "%.6f", a->tensors[k].loss);
        hc_table_add(&table, "%+.6f", a->tensors[k].loss - a->before.loss);
    }
    const bool good = hc_table_print(&table, "lrr", to);
    hc_table_free(&table);
    return good;
}

bool hc_ablation_print(const HcAblation *a, FILE *to) {
    hc_evaluation_print(&a->before, to);
    if (a->each && !print_each(a, to))
        return false;
    if (a->count == 1)
        fprintf(to, "with `%s` set: ", a->tensors[0].name);
    else
        fprintf(to, "with %u tensors set: ", (unsigned)a->count);
    hc_evaluation_print(&a->after, to);
    fprintf(to, "change %+.6f\n", a->after.loss - a->before.loss);
    return true;
}

static void set_losses(json_t **json, double loss, double before) {
    hc_json_set(json, "val_loss", hc_json_number(loss));
    hc_json_set(json, "change", hc_json_number(loss - before));
}

json_t *hc_ablation_json(const HcAblation *a) {
    json_t *json = hc_evaluation_json(&a->before), *after = hc_evaluation_json(&a->after),
           *names = json_array(), *each = json_array();
    for (uint32_t k = 0; k < a->count; k++) {
        json_t *one = json_object();
        hc_json_append(&names, hc_json_text(a->tensors[k].name));
        hc_json_set(&one, "tensor", hc_json_text(a->tensors[k].name));
        set_losses(&one, a->tensors[k].loss, a->before.loss);
        hc_json_append(&each, one);
    }
    set_losses(&after, a->after.loss, a->before.loss);
    hc_json_set(&after, "tensors", names);
    hc_json_set(&json, "overridden", after);
    if (a->each)
        hc_json_set(&json, "each", each);
    else
        json_decref(each);
    return json;
}
