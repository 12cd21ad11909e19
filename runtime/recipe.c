/* The training recipe: reading one value from text, its JSON, the learning-rate schedule. */
#include "runtime/plan.h"

#include <math.h>
#include <string.h>

typedef enum { REAL, COUNT, SEED } Kind;

typedef struct {
    const char *key;
    Kind kind;
    size_t offset;
    double low, high; /* inclusive */
} Field;

#define FIELD(name, kind, low, high) {#name, kind, offsetof(HcRecipe, name), low, high}
static const Field fields[] = {
    FIELD(lr, REAL, 0, 1e6),
    FIELD(beta1, REAL, 0, 0.9999999),
    FIELD(beta2, REAL, 0, 0.9999999999),
    FIELD(eps, REAL, 0, 1),
    FIELD(weight_decay, REAL, 0, 1e3),
    FIELD(momentum, REAL, 0, 0.9999999),
    FIELD(floor, REAL, 0, 1),
    FIELD(clip, REAL, 0, 1e12),
    FIELD(warmup, COUNT, 0, 1e12),
    FIELD(batch, COUNT, 1, 1 << 20),
    FIELD(steps, COUNT, 0, 1e12),
    FIELD(eval_every, COUNT, 0, 1e12),
    FIELD(seed, SEED, 0, 9.2e18),
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static size_t common_prefix(const char *a, const char *b) {
    size_t k = 0;
    while (a[k] && a[k] == b[k])
        k++;
    return k;
}

/* Levenshtein distance of short words; long ones are simply far. */
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), row[33];
    if (n > 32 || m > 32)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

static HcStatus unknown_key(const char *key, HcError *error) {
    const Field *nearest = NULL;
    size_t least = 4;
    for (int k = 0; k < N_FIELDS; k++) {
        size_t d = distance(key, fields[k].key);
        if (d < least || (common_prefix(key, fields[k].key) >= 4 && d < 8 && !nearest)) {
            least = d < least ? d : least;
            nearest = &fields[k];
        }
    }
    if (nearest)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "the recipe has no value `%s`; did you mean `train.%s`?", key, nearest->key);
    return hc_fail(error, HC_ERROR_ARGUMENT,
                   "the recipe has no value `%s` (there are lr, beta1, beta2, eps, weight_decay, "
                   "momentum, warmup, floor, batch, steps, clip, seed, eval_every; constants of "
                   "the model are fixed when it is built)",
                   key);
}

HcStatus hc_recipe_set(HcRecipe *recipe, const char *key, const char *value, HcError *error) {
    if (strncmp(key, "train.", 6) == 0)
        key += 6;
    const Field *field = NULL;
    for (int k = 0; k < N_FIELDS; k++) {
        if (strcmp(fields[k].key, key) == 0)
            field = &fields[k];
    }
    if (!field)
        return unknown_key(key, error);
    /* JSON's numbers, because reading them does not depend on the locale. */
    json_t *number = json_loads(value, JSON_DECODE_ANY, NULL);
    HcStatus status = HC_OK;
    if (!json_is_number(number)) {
        status = hc_fail(error, HC_ERROR_ARGUMENT, "train.%s = %s: not a number", key, value);
    } else {
        double x = json_number_value(number);
        if (!(x >= field->low && x <= field->high))
            status = hc_fail(error, HC_ERROR_ARGUMENT, "train.%s = %s: must be from %g to %g", key,
                             value, field->low, field->high);
        else if (field->kind != REAL && x != floor(x))
            status = hc_fail(error, HC_ERROR_ARGUMENT, "train.%s = %s: must be a whole number", key,
                             value);
        else if (field->kind == REAL)
            *(double *)((char *)recipe + field->offset) = x;
        else /* int64_t and uint64_t alike: values are below 2^63 */
            *(int64_t *)((char *)recipe + field->offset) =
                json_is_integer(number) ? json_integer_value(number) : (int64_t)x;
    }
    json_decref(number);
    return status;
}

json_t *hc_recipe_json(const HcRecipe *recipe) {
    json_t *json = json_object();
    json_object_set_new(json, "optimizer",
                        json_string(recipe->optimizer == HC_SGD ? "sgd" : "adamw"));
    json_object_set_new(json, "schedule",
                        json_string(recipe->schedule == HC_COSINE ? "cosine" : "constant"));
    for (int k = 0; k < N_FIELDS; k++) {
        const char *at = (const char *)recipe + fields[k].offset;
        json_object_set_new(json, fields[k].key,
                            fields[k].kind == REAL ? json_real(*(const double *)at)
                                                   : json_integer(*(const int64_t *)at));
    }
    return json;
}

double hc_recipe_lr(const HcRecipe *recipe, int64_t step) {
    if (step < recipe->warmup)
        return recipe->lr * (double)(step + 1) / (double)recipe->warmup;
    if (recipe->schedule == HC_CONSTANT)
        return recipe->lr;
    int64_t span = recipe->steps - 1 - recipe->warmup;
    if (span <= 0) /* a single step after the warm-up has no way to go: it stays at the peak */
        return recipe->lr;
    double t = (double)(step - recipe->warmup) / (double)span;
    if (t > 1)
        t = 1;
    double shape = 0.5 * (1 + cos(3.14159265358979323846 * t));
    return recipe->lr * (recipe->floor + (1 - recipe->floor) * shape);
}
