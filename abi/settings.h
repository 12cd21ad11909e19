/* What a recipe takes, once: the compiler's `train` block and --set, the runtime's hc_set_recipe
 * and the reader of manifests all follow this table. A value has one row for each set of choices
 * that share its default; where it has no row for the chosen optimiser or schedule it means nothing
 * there, and is refused.
 *
 * Smallest example: `weight_decay` is 0.01 with adamw and 0 with sgd; `momentum` is sgd's alone. */
#ifndef HC_SETTINGS_H
#define HC_SETTINGS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Every value once: MEMBER(kind, name) is what a recipe's record holds, and its name in manifests
 * and in config.json. */
#define HC_SETTING_MEMBERS(MEMBER)                                                                 \
    MEMBER(REAL, lr)                                                                               \
    MEMBER(REAL, adamw_lr) /* muon's, of what is no matrix */                                      \
    MEMBER(REAL, beta1)                                                                            \
    MEMBER(REAL, beta2)                                                                            \
    MEMBER(REAL, eps)                                                                              \
    MEMBER(REAL, weight_decay)                                                                     \
    MEMBER(REAL, momentum)                                                                         \
    MEMBER(WHOLE, warmup)                                                                          \
    MEMBER(REAL, floor)         /* what falls ends at lr * floor */                                \
    MEMBER(REAL, decay)         /* wsd: the fraction of the steps in which it falls */             \
    MEMBER(REAL, connection_lr) /* times the rate, for the parameters of connections */            \
    MEMBER(WHOLE, batch)        /* samples of a step */                                            \
    MEMBER(WHOLE, parts)        /* that they run in */                                             \
    MEMBER(WHOLE, steps)                                                                           \
    MEMBER(REAL, clip) /* global gradient norm; 0 = off */                                         \
    MEMBER(REAL, ema)  /* of parameters, a step; 0 = none */                                       \
    MEMBER(WHOLE, seed)                                                                            \
    MEMBER(WHOLE, eval_every)   /* steps between evaluations in training; 0 = only at the end */   \
    MEMBER(WHOLE, eval_batches) /* of an evaluation; 0 = all that is held out */                   \
    MEMBER(WHOLE, patience)     /* evaluations without a better one that end it; 0 = never */      \
    MEMBER(REAL, epochs)        /* in place of steps; 0 = steps count */                           \
    MEMBER(WHOLE, save_every)   /* steps between checkpoints; 0 = by time alone */                 \
    MEMBER(REAL, save_minutes)                                                                     \
    MEMBER(WHOLE, keep) /* checkpoints besides the newest and the best */

/* As a declaration in a record. */
#define HC_SETTING_MEMBER(kind, name) HC_SETTING_##kind##_TYPE name;
#define HC_SETTING_REAL_TYPE double
#define HC_SETTING_WHOLE_TYPE int64_t

/* ROW(name, kind, default, lowest, highest, end, group, choices): kind is REAL or WHOLE; end says
 * whether the highest value is INCLUDED; group is what it belongs to, `optimizer` or `schedule`,
 * and choices those of the group that take it. */
#define HC_SETTINGS(ROW)                                                                           \
    ROW(lr, REAL, 1e-3, 0, 1e6, INCLUDED, "optimizer", "adamw sgd")                                \
    ROW(lr, REAL, 1e-4, 0, 1e6, INCLUDED, "optimizer", "lion")                                     \
    ROW(lr, REAL, 0.02, 0, 1e6, INCLUDED, "optimizer", "muon")                                     \
    ROW(adamw_lr, REAL, 3e-4, 0, 1e6, INCLUDED, "optimizer", "muon")                               \
    ROW(beta1, REAL, 0.9, 0, 1, EXCLUDED, "optimizer", "adamw lion muon")                          \
    ROW(beta2, REAL, 0.999, 0, 1, EXCLUDED, "optimizer", "adamw")                                  \
    ROW(beta2, REAL, 0.99, 0, 1, EXCLUDED, "optimizer", "lion")                                    \
    ROW(beta2, REAL, 0.95, 0, 1, EXCLUDED, "optimizer", "muon")                                    \
    ROW(eps, REAL, 1e-8, 0, 1e6, INCLUDED, "optimizer", "adamw")                                   \
    ROW(eps, REAL, 1e-10, 0, 1e6, INCLUDED, "optimizer", "muon")                                   \
    ROW(weight_decay, REAL, 0.01, 0, 1e6, INCLUDED, "optimizer", "adamw")                          \
    ROW(weight_decay, REAL, 0, 0, 1e6, INCLUDED, "optimizer", "sgd lion muon")                     \
    ROW(momentum, REAL, 0.9, 0, 1, EXCLUDED, "optimizer", "sgd")                                   \
    ROW(momentum, REAL, 0.95, 0, 1, EXCLUDED, "optimizer", "muon")                                 \
    ROW(warmup, WHOLE, 0, 0, 1e12, INCLUDED, "schedule", "constant cosine linear wsd")             \
    ROW(floor, REAL, 0, 0, 1, INCLUDED, "schedule", "cosine linear wsd")                           \
    ROW(decay, REAL, 0.1, 0, 1, INCLUDED, "schedule", "wsd")                                       \
    ROW(connection_lr, REAL, 1, 0, 1e6, INCLUDED, "", "")                                          \
    ROW(batch, WHOLE, 16, 1, 1 << 20, INCLUDED, "", "")                                            \
    ROW(parts, WHOLE, 1, 1, 1 << 20, INCLUDED, "", "") /* of the batch: `batch 32 in 8` */         \
    ROW(steps, WHOLE, 1000, 0, 1e12, INCLUDED, "", "")                                             \
    ROW(clip, REAL, 0, 0, 1e30, INCLUDED, "", "")                                                  \
    ROW(ema, REAL, 0, 0, 1, EXCLUDED, "", "")                                                      \
    ROW(seed, WHOLE, 1, 0, 9.2e18, INCLUDED, "", "")                                               \
    ROW(eval_every, WHOLE, 0, 0, 1e12, INCLUDED, "", "")                                           \
    ROW(eval_batches, WHOLE, 0, 0, 1e9, INCLUDED, "", "")                                          \
    ROW(patience, WHOLE, 0, 0, 1e9, INCLUDED, "", "")                                              \
    ROW(epochs, REAL, 0, 0, 1e9, INCLUDED, "", "")                                                 \
    ROW(save_every, WHOLE, 0, 0, 1e12, INCLUDED, "", "")                                           \
    ROW(save_minutes, REAL, 5, 0, 1e6, INCLUDED, "", "")                                           \
    ROW(keep, WHOLE, 0, 0, 1e6, INCLUDED, "", "")

typedef enum { HC_SETTING_REAL, HC_SETTING_WHOLE } HcSettingKind; /* double, int64_t */
enum { HC_SETTING_INCLUDED = false, HC_SETTING_EXCLUDED = true };

typedef struct {
    const char *name;
    size_t offset; /* in the recipe */
    HcSettingKind kind;
    double fallback, low, high;
    bool below; /* the highest value is not allowed itself */
    const char *group, *choices;
} HcSettingRule;

/* A row for a recipe kept as `type`, whose members have the settings' names. */
#define HC_SETTING_RULE(type, name, kind, fallback, low, high, end, group, choices)                \
    {                                                                                              \
        #name,                                                                                     \
        offsetof(type, name),                                                                      \
        HC_SETTING_##kind,                                                                         \
        fallback,                                                                                  \
        low,                                                                                       \
        high,                                                                                      \
        HC_SETTING_##end,                                                                          \
        group,                                                                                     \
        choices},

/* Whether it has a statement and a key of its own: the parts are said behind the batch. */
static inline bool hc_setting_stands_alone(const char *name) {
    return strcmp(name, "parts") != 0;
}

/* Whether `word` stands among words separated by blanks; all of none. */
static inline bool hc_setting_takes(const HcSettingRule *rule, const char *word) {
    const size_t length = strlen(word);
    const char *at = rule->choices;
    for (; (at = strstr(at, word)); at += length)
        if ((at == rule->choices || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return !rule->choices[0];
}

static inline bool hc_setting_in_range(const HcSettingRule *rule, double x) {
    return x >= rule->low && (rule->below ? x < rule->high : x <= rule->high);
}

/* Whole numbers that a double holds are exact below this. */
#define HC_SETTING_EXACT 9007199254740992.0

#endif
