/* The numbers of a model's tensors for people. */
#include "runtime/files/table.h"
#include "runtime/maps/inspect.h"

static void add_shape(HcTable *t, const HcTensorNumbers *n) {
    char text[24 * HC_MAX_RANK + 1] = "";
    size_t at = 0;
    for (int32_t k = 0; k < n->rank; k++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", k ? " " : "",
                               (long long)n->dims[k]);
    hc_table_add(t, "%s", text);
}

static void add_row(HcTable *t, const HcTensorNumbers *n) {
    hc_table_add(t, "%s", n->name);
    add_shape(t, n);
    hc_table_add(t, "%.4g", n->mean);
    hc_table_add(t, "%.4g", n->deviation);
    hc_table_add(t, "%.4g", n->norm);
    hc_table_add(t, "%.4g", n->least);
    hc_table_add(t, "%.4g", n->greatest);
    hc_table_add(t, "%.1f %%", 100 * n->zeros);
    if (n->not_finite)
        hc_table_add(t, "%lld not finite", (long long)n->not_finite);
    else
        hc_table_add(t, "%s", "");
}

static bool print_list(const char *what, const HcTensorNumbers *of, int32_t n, FILE *to) {
    static const char *const heading[] = {"shape", "mean",     "deviation", "norm",
                                          "least", "greatest", "zeros",     ""};
    enum { COLUMNS = 1 + sizeof heading / sizeof *heading };
    HcTable t = {.n_columns = COLUMNS};
    hc_table_add(&t, "%s", what);
    for (int k = 0; k < COLUMNS - 1; k++)
        hc_table_add(&t, "%s", heading[k]);
    for (int32_t k = 0; k < n; k++)
        add_row(&t, &of[k]);
    const bool printed = hc_table_print(&t, "lrrrrrrrl", to);
    hc_table_free(&t);
    return printed;
}

bool hc_inspection_print(const HcInspection *found, FILE *to) {
    bool printed = print_list("parameter", found->parameters, found->n_parameters, to);
    if (!printed || found->n_probes == 0)
        return printed;
    fprintf(to, "\nprobes, over %lld samples %s\n", (long long)found->samples,
            found->of_held_out ? "held out" : "of the training part");
    return print_list("probe", found->probes, found->n_probes, to);
}
