/* The training recipe: reading one value from text, its JSON, the learning-rate schedule. */
#include "abi/nearest.h"
#include "abi/settings.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/run/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROW(...) HC_SETTING_RULE(HcRecipe, __VA_ARGS__)
static const HcSettingRule rules[] = {HC_SETTINGS(ROW)};
enum { N_RULES = sizeof rules / sizeof rules[0] };

/* --- names -------------------------------------------------------------------------------------*/

const char *const hc_optimizer_names[HC_OPTIMIZER_COUNT] = {
#define HC_OPTIMIZER(ident, text, first, second) [HC_##ident] = text,
#include "abi/words.def"
};

const char *const hc_optimizer_moments[HC_OPTIMIZER_COUNT][HC_MOMENTS] = {
#define HC_OPTIMIZER(ident, text, first, second) [HC_##ident] = {first, second},
#include "abi/words.def"
};

const char *const hc_schedule_names[HC_SCHEDULE_COUNT] = {
#define HC_SCHEDULE(ident, text) [HC_##ident] = text,
#include "abi/words.def"
};

/* The choice that a setting depends on. */
static const char *chosen(const HcRecipe *recipe, const HcSettingRule *rule) {
    return strcmp(rule->group, "optimizer") == 0 ? hc_optimizer_names[recipe->optimizer]
                                                 : hc_schedule_names[recipe->schedule];
}

static bool applies(const HcRecipe *recipe, const HcSettingRule *rule) {
    return hc_setting_takes(rule, chosen(recipe, rule));
}

/* Names of what the recipe takes: of one group, or all. */
static void list_names(const HcRecipe *recipe, const char *group, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < N_RULES && used < size; k++)
        if (applies(recipe, &rules[k]) && (!group || strcmp(rules[k].group, group) == 0) &&
            hc_setting_stands_alone(rules[k].name))
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", rules[k].name);
}

/* What code and moments were made for. */
static bool is_fixed(const char *key) {
    return strcmp(key, "optimizer") == 0 || strcmp(key, "schedule") == 0 ||
           strcmp(key, "precision") == 0;
}

static HcStatus unknown_key(const HcRecipe *recipe, const char *key, HcError *error) {
    if (is_fixed(key))
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "train.%s: the %s of a model is fixed when it is compiled", key, key);
    const char *taken[N_RULES];
    for (int k = 0; k < N_RULES; k++)
        taken[k] = applies(recipe, &rules[k]) && hc_setting_stands_alone(rules[k].name)
                       ? rules[k].name
                       : NULL;
    const char *nearest = hc_nearest_name(key, taken, N_RULES);
    if (nearest)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "the recipe has no value `%s`; did you mean `train.%s`?", key, nearest);
    char names[256];
    list_names(recipe, NULL, names, sizeof names);
    return hc_fail(error, HC_ERROR_ARGUMENT,
                   "the recipe has no value `%s` (there are %s; constants of the model are fixed "
                   "when it is built)",
                   key, names);
}

/* A value that the recipe's optimiser or schedule has no use for. */
static HcStatus without_effect(const HcRecipe *recipe, const HcSettingRule *rule, HcError *error) {
    char names[256];
    list_names(recipe, rule->group, names, sizeof names);
    return hc_fail(error, HC_ERROR_ARGUMENT, "train.%s: `%s` has no `%s`; it takes %s", rule->name,
                   chosen(recipe, rule), rule->name, names);
}

/* --- values ------------------------------------------------------------------------------------*/

static HcStatus set_number(HcRecipe *recipe, const HcSettingRule *rule, const json_t *number,
                           const char *text, HcError *error) {
    double x = json_number_value(number);
    const bool exact = json_is_integer(number) || fabs(x) < HC_SETTING_EXACT;
    if (!json_is_number(number))
        return hc_fail(error, HC_ERROR_ARGUMENT, "train.%s = %s: not a number", rule->name, text);
    if (!hc_setting_in_range(rule, x))
        return hc_fail(error, HC_ERROR_ARGUMENT, "train.%s = %s: must be from %g to %s%g",
                       rule->name, text, rule->low, rule->below ? "less than " : "", rule->high);
    if (rule->kind == HC_SETTING_WHOLE && (x != floor(x) || !exact))
        return hc_fail(error, HC_ERROR_ARGUMENT, "train.%s = %s: must be a whole number%s",
                       rule->name, text, exact ? "" : ", and one this large in digits alone");
    char *at = (char *)recipe + rule->offset;
    if (rule->kind == HC_SETTING_REAL)
        *(double *)(void *)at = x;
    else /* int64_t and uint64_t alike: values are below 2^63 */
        *(int64_t *)(void *)at = json_is_integer(number) ? json_integer_value(number) : (int64_t)x;
    return HC_OK;
}

/* A number of JSON, because reading those does not depend on the locale. */
static HcStatus set_text(HcRecipe *recipe, const HcSettingRule *rule, const char *value,
                         size_t length, HcError *error) {
    HcJsonRead read;
    json_t *number = hc_json_read(value, length, 1, &read);
    HcStatus status = read.outcome == HC_JSON_NO_MEMORY
                          ? hc_fail_memory(error, "a setting")
                          : set_number(recipe, rule, number, value, error);
    json_decref(number);
    return status;
}

/* The row of a name that means the same for all optimisers and schedules. */
static const HcSettingRule *rule_named(const char *name) {
    int k = 0;
    while (strcmp(rules[k].name, name) != 0)
        k++;
    return &rules[k];
}

/* "32 in 8"; without `in` it is one part. Nothing changes on failure. */
static HcStatus set_batch(HcRecipe *recipe, const char *value, HcError *error) {
    const char *in = strstr(value, " in ");
    HcRecipe changed = *recipe;
    changed.parts = 1;
    HcStatus status = set_text(&changed, rule_named("batch"), value,
                               in ? (size_t)(in - value) : strlen(value), error);
    if (status == HC_OK && in)
        status = set_text(&changed, rule_named("parts"), in + 4, strlen(in + 4), error);
    if (status == HC_OK && changed.batch % changed.parts != 0)
        status = hc_fail(error, HC_ERROR_ARGUMENT,
                         "train.batch = %s: %lld samples do not come in %lld equal parts", value,
                         (long long)changed.batch, (long long)changed.parts);
    if (status == HC_OK)
        *recipe = changed;
    return status;
}

HcStatus hc_recipe_set(HcRecipe *recipe, const char *key, const char *value, HcError *error) {
    if (strncmp(key, "train.", 6) == 0)
        key += 6;
    if (strcmp(key, "batch") == 0)
        return set_batch(recipe, value, error);
    if (!hc_setting_stands_alone(key))
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "the parts are the batch's: train.batch = \"%lld in %s\"",
                       (long long)recipe->batch, value);
    const HcSettingRule *rule = NULL, *other = NULL;
    for (int k = 0; k < N_RULES; k++)
        if (strcmp(rules[k].name, key) == 0)
            *(applies(recipe, &rules[k]) ? &rule : &other) = &rules[k];
    if (!rule)
        return other ? without_effect(recipe, other, error) : unknown_key(recipe, key, error);
    HcStatus status = set_text(recipe, rule, value, strlen(value), error);
    if (status == HC_OK && strcmp(key, "steps") == 0)
        recipe->epochs = 0;
    return status;
}

HcStatus hc_recipe_read(HcRecipe *recipe, const json_t *json, HcError *error) {
    for (int k = 0; k < N_RULES; k++) {
        if (!applies(recipe, &rules[k]))
            continue;
        const json_t *value = json_object_get(json, rules[k].name);
        json_t *fallback = value ? NULL : json_real(rules[k].fallback);
        if (!value && !fallback)
            return hc_fail_memory(error, "the recipe");
        HcStatus status =
            set_number(recipe, &rules[k], value ? value : fallback, "(manifest)", error);
        json_decref(fallback);
        if (status != HC_OK)
            return status;
    }
    return HC_OK;
}

bool hc_recipe_takes_lr(double lr) {
    for (int k = 0; k < N_RULES; k++)
        if (rules[k].offset == offsetof(HcRecipe, lr))
            return hc_setting_in_range(&rules[k], lr);
    return false;
}

json_t *hc_recipe_json(const HcRecipe *recipe) {
    json_t *json = json_object();
    hc_json_set(&json, "optimizer", json_string(hc_optimizer_names[recipe->optimizer]));
    hc_json_set(&json, "schedule", json_string(hc_schedule_names[recipe->schedule]));
    for (int k = 0; k < N_RULES; k++) {
        const char *at = (const char *)recipe + rules[k].offset;
        if (applies(recipe, &rules[k]))
            hc_json_set(&json, rules[k].name,
                        rules[k].kind == HC_SETTING_REAL
                            ? hc_json_number(*(const double *)(const void *)at)
                            : json_integer(*(const int64_t *)(const void *)at));
    }
    return json;
}

/* --- the schedule ------------------------------------------------------------------------------*/

/* The last step at the peak, from which the rate falls. */
static int64_t falls_from(const HcRecipe *recipe) {
    if (recipe->schedule != HC_WSD)
        return recipe->warmup;
    const double falling = floor(recipe->decay * (double)recipe->steps + 0.5);
    const int64_t from = recipe->steps - 1 - (int64_t)falling;
    return from > recipe->warmup ? from : recipe->warmup;
}

double hc_recipe_lr(const HcRecipe *recipe, int64_t step) {
    if (step < recipe->warmup)
        return recipe->lr * (double)(step + 1) / (double)recipe->warmup;
    const int64_t from = falls_from(recipe), span = recipe->steps - 1 - from;
    /* a single step after the warm-up has no way to go: it stays at the peak */
    if (recipe->schedule == HC_CONSTANT || step < from || span <= 0)
        return recipe->lr;
    double t = (double)(step - from) / (double)span;
    if (t > 1)
        t = 1;
    double shape =
        recipe->schedule == HC_COSINE ? 0.5 * (1 + cos(3.14159265358979323846 * t)) : 1 - t;
    return recipe->lr * (recipe->floor + (1 - recipe->floor) * shape);
}
