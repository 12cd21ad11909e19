#include "runtime/trained/other_machine.h"
#include "runtime/run/context.h"

#include <string.h>

static void warn_of(const char *what, const char *was, const char *is, const char *now, FILE *to) {
    if (was && is && strcmp(was, is) != 0)
        fprintf(to,
                "warning: the run was made with %s %s, this is %s: %s may be rounded differently\n",
                what, was, is, now);
}

/* Names in `some` that `all` lacks; their first in *missing. */
static size_t count_missing(const json_t *some, const json_t *all, const char **missing) {
    size_t k, j, count = 0;
    json_t *one, *other;
    json_array_foreach(some, k, one) {
        bool found = false;
        json_array_foreach(all, j, other) found = found || json_equal(one, other);
        if (!found && count++ == 0)
            *missing = json_string_value(one);
    }
    return count;
}

/* Of one processor's name the instructions may differ nevertheless: `--cpu`, a virtual machine. */
static void warn_of_features(const json_t *was, const json_t *is, const char *now, FILE *to) {
    const json_t *before = json_object_get(was, "features"),
                 *after = json_object_get(is, "features");
    const char *name = NULL;
    if (!json_is_array(before) || !json_is_array(after))
        return;
    const size_t lost = count_missing(before, after, &name);
    const size_t more = lost ? 0 : count_missing(after, before, &name);
    if (lost + more > 0 && name)
        fprintf(to,
                "warning: the run was made %s the processor's %s: %s may be rounded differently\n",
                lost ? "with" : "without", name, now);
}

void hc_warn_other_machine(const json_t *config, const HcContext *c, const char *now, FILE *to) {
    if (!to)
        return;
    const json_t *was = json_object_get(config, "cpu"), *is = json_object_get(c->plan.json, "cpu");
    const json_t *was_name = json_object_get(was, "name"), *is_name = json_object_get(is, "name");
    warn_of("--precision", json_string_value(json_object_get(config, "precision")),
            hc_precision_word(c->plan.precision), now, to);
    if (hc_uses_openblas(c))
        warn_of("OpenBLAS's kernels for", json_string_value(json_object_get(config, "blas_core")),
                c->exec.blas.core, now, to);
    warn_of("code for", json_string_value(was_name), json_string_value(is_name), now, to);
    if (was_name && is_name && json_equal(was_name, is_name))
        warn_of_features(was, is, now, to);
}
