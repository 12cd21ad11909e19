#include "driver/sweep/words.h"
#include "runtime/files/json.h"
#include <inttypes.h>
#include <string.h>

static bool words_of_each(const HcOptionRow *row) {
    return row->commands[0] != '*' && hc_command_takes("each", row->commands);
}

/* --- what was given ----------------------------------------------------------------------------*/

static json_t *words_list(const HcOptionList *list) {
    json_t *texts = json_array();
    for (uint32_t k = 0; k < list->count; k++)
        hc_json_append(&texts, hc_json_text(list->at[k]));
    return texts;
}

/* NULL: it was not given. */
static const char *words_text(Driver *d, const HcOptionRow *row, const void *field) {
    const HcOptionCount *count = field;
    const HcOptionReal *real = field;
    switch (row->kind) {
    case HC_OPTION_FLAG:
        return *(const HcOptionFlag *)field ? "" : NULL;
    case HC_OPTION_TEXT:
        return *(const HcOptionText *)field;
    case HC_OPTION_COUNT:
    case HC_OPTION_BYTES:
        return count->given ? arena_printf(d->c->arena, "%" PRIu64, count->value) : NULL;
    case HC_OPTION_REAL:
        return real->given ? arena_printf(d->c->arena, "%.17g", real->value) : NULL;
    case HC_OPTION_LIST:
        break;
    }
    return NULL;
}

json_t *sweep_made(Driver *d, uint32_t threads) {
    json_t *made = json_object();
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        const HcOptionRow *row = &option_rows[k];
        const void *field = (const char *)&d->options + row->field;
        const bool list = row->kind == HC_OPTION_LIST;
        const char *text = words_of_each(row) && !list ? words_text(d, row, field) : NULL;
        if (words_of_each(row) && list && ((const HcOptionList *)field)->count)
            hc_json_set(&made, row->long_name, words_list(field));
        if (text)
            hc_json_set(&made, row->long_name, hc_json_text(text));
    }
    char count[12];
    snprintf(count, sizeof count, "%" PRIu32, threads);
    hc_json_set(&made, "threads", json_string(count));
    return made;
}

/* --- command lines -----------------------------------------------------------------------------*/

static void words_push(Driver *d, WordVec *words, const char *name, const char *value) {
    vec_push(d->c->arena, words, arena_printf(d->c->arena, "--%s", name));
    if (value)
        vec_push(d->c->arena, words, value);
}

/* Those that also `command` takes. */
static void words_options(Driver *d, WordVec *words, const json_t *made, const char *command) {
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        const HcOptionRow *row = &option_rows[k];
        const json_t *of = json_object_get(made, row->long_name);
        if (!of || !hc_command_takes(command, row->commands))
            continue;
        if (row->kind != HC_OPTION_LIST)
            words_push(d, words, row->long_name,
                       row->kind == HC_OPTION_FLAG ? NULL : json_string_value(of));
        for (size_t i = 0; i < json_array_size(of); i++)
            words_push(d, words, row->long_name, json_string_value(json_array_get(of, i)));
    }
}

const char **sweep_train_words(Driver *d, const json_t *made, const SweepRun *run,
                               const char *folder, bool replace) {
    Arena *arena = d->c->arena;
    WordVec words = {0};
    vec_push(arena, &words, "hcc");
    vec_push(arena, &words, "train");
    words_options(d, &words, made, "train");
    for (uint32_t k = 0; k < run->n_settings; k++)
        words_push(d, &words, "set", run->settings[k]);
    words_push(d, &words, "seed", arena_printf(arena, "%" PRIu64, run->seed));
    words_push(d, &words, "out", folder);
    if (replace)
        words_push(d, &words, "force", NULL);
    vec_push(arena, &words, "--");
    vec_push(arena, &words, d->options.argument);
    vec_push(arena, &words, NULL);
    return words.at;
}

/* Its constants and recipe are the run's own. */
const char **sweep_resume_words(Driver *d, const json_t *made, const char *folder) {
    json_t *rest = json_copy((json_t *)(uintptr_t)made); /* shallow: its texts stay `made`'s */
    WordVec words = {0};
    if (!rest)
        arena_exhausted(d->c->arena);
    json_object_del(rest, "set");
    vec_push(d->c->arena, &words, "hcc");
    vec_push(d->c->arena, &words, "train");
    words_push(d, &words, "resume", folder);
    words_options(d, &words, rest, "resume");
    vec_push(d->c->arena, &words, NULL);
    json_decref(rest);
    return words.at;
}
