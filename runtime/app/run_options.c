#include "runtime/app/run_options.h"
#include "runtime/app/signals.h"

#include <inttypes.h>
#include <string.h>

static bool within(const HcCommandLine *l, const char *name, HcOptionCount count, uint64_t low,
                   uint64_t high) {
    return !count.given || (count.value >= low && count.value <= high) ||
           hc_command_line_wrong(l, "--%s is %" PRIu64 " to %" PRIu64, name, low, high);
}

bool hc_run_options_valid(const HcCommandLine *l, const HcRunOptions *given, bool bench) {
    if (given->temperature.given && given->temperature.value < 0)
        return hc_command_line_wrong(l, "--temperature is not negative");
    if (given->top_p.given && !(given->top_p.value > 0 && given->top_p.value <= 1))
        return hc_command_line_wrong(l, "--top-p is more than 0, and at most 1");
    if (given->prompt && given->prompt_file)
        return hc_command_line_wrong(l, "--prompt and --prompt-file are one thing: give one");
    if (given->minutes.given && given->minutes.value <= 0)
        return hc_command_line_wrong(l, "--minutes is more than 0");
    for (uint32_t k = 0; k < given->set.count; k++) {
        const char *text = given->set.at[k], *equals = strchr(text, '=');
        if (!equals || equals == text || equals[1] == '\0')
            return hc_command_line_wrong(l, "--set takes NAME=VALUE, not '%s'", text);
    }
    return within(l, "threads", given->threads, 1, 1024) &&
           within(l, "steps", given->steps, bench, UINT32_MAX) && /* training may end at once */
           within(l, "samples", given->samples, 1, INT32_MAX) &&
           within(l, "batch", given->batch, 1, INT32_MAX) &&
           within(l, "wiring-every", given->wiring_every, 0, INT32_MAX) &&
           within(l, "positions", given->positions, 1, INT32_MAX);
}

static bool given(const HcCommandLine *l, const HcOptionRow *row) {
    const void *field = (const char *)l->options + row->field;
    switch (row->kind) {
    case HC_OPTION_FLAG:
        return *(const HcOptionFlag *)field;
    case HC_OPTION_TEXT:
        return *(const HcOptionText *)field;
    case HC_OPTION_COUNT:
    case HC_OPTION_BYTES:
        return ((const HcOptionCount *)field)->given;
    case HC_OPTION_REAL:
        return ((const HcOptionReal *)field)->given;
    case HC_OPTION_LIST:
        return ((const HcOptionList *)field)->count > 0;
    }
    return false;
}

bool hc_train_options_valid(const HcCommandLine *l, const char *resume) {
    const char *what = l->commands[l->command].arguments;
    for (uint32_t k = 0; k < l->n_rows; k++) {
        const HcOptionRow *row = &l->rows[k];
        if (given(l, row) && resume && !hc_command_takes("resume", row->commands))
            return hc_command_line_wrong(
                l, "--%s is for a new run: '--resume %s' goes on with one as it began",
                row->long_name, resume);
        if (given(l, row) && !resume && strcmp(row->long_name, "changed-data") == 0)
            return hc_command_line_wrong(l, "--%s is for a run that goes on: --resume RUN",
                                         row->long_name);
    }
    if (resume && l->argument)
        return hc_command_line_wrong(
            l, "'--resume %s' goes on with the model of that run, and takes no '%s'", resume,
            l->argument);
    return resume || l->argument || !*what ||
           hc_command_line_wrong(l, "'train' needs FILE, or --resume RUN");
}

HcTrainOptions hc_train_options(const HcRunOptions *given, FILE *err) {
    return (HcTrainOptions){.data = given->data.at,
                            .n_data = (int32_t)given->data.count,
                            .data_is_bytes = given->data_is_bytes,
                            .changed_data = given->changed_data,
                            .resume = given->resume,
                            .out = given->out,
                            .runs = given->resume ? NULL : "runs",
                            .force = given->force,
                            .threads = (int32_t)given->threads.value,
                            .from = given->from,
                            .tokenizer = given->tokenizer,
                            .tensorboard = given->tensorboard,
                            .minutes = given->minutes.value,
                            .wiring_every = !given->wiring_every.given ? 0
                                            : given->wiring_every.value
                                                ? (int64_t)given->wiring_every.value
                                                : -1,
                            .batch_log = given->batch_log,
                            .progress = given->quiet ? NULL : err,
                            .stop = hc_signals_stop};
}

HcEvalOptions hc_eval_options(const HcRunOptions *given, const char *run, FILE *err) {
    return (HcEvalOptions){.checkpoint = run,
                           .data = given->data.at,
                           .n_data = (int32_t)given->data.count,
                           .threads = (int32_t)given->threads.value,
                           .data_is_bytes = given->data_is_bytes,
                           .changed_data = given->changed_data,
                           .notes = err};
}

static uint64_t seed(const HcRunOptions *given) {
    return given->seed.given ? given->seed.value : 1;
}

HcSampleOptions hc_sample_options(const HcRunOptions *given, const char *run, FILE *err) {
    return (HcSampleOptions){
        .checkpoint = run,
        .prompt = given->prompt ? given->prompt : "",
        .prompt_length = given->prompt ? strlen(given->prompt) : 0,
        .length = given->length.given ? (int64_t)given->length.value : HC_SAMPLE_LENGTH,
        .temperature = given->temperature.given ? given->temperature.value : HC_SAMPLE_TEMPERATURE,
        .tokenizer = given->tokenizer,
        .samples = (int64_t)given->samples.value,
        .top_k = (int64_t)given->top_k.value,
        .top_p = given->top_p.value,
        .seed = seed(given),
        .threads = (int32_t)given->threads.value,
        .whole = given->recompute,
        .notes = err};
}

HcBenchOptions hc_bench_options(const HcRunOptions *given, FILE *notes) {
    const HcOptionCount warmup = given->warmup;
    return (HcBenchOptions){.steps = (int64_t)given->steps.value,
                            .warmup = !warmup.given  ? 0
                                      : warmup.value ? (int64_t)warmup.value
                                                     : -1,
                            .samples = (int64_t)given->batch.value,
                            .positions = (int64_t)given->positions.value,
                            .threads = (int32_t)given->threads.value,
                            .seed = seed(given),
                            .profile = given->profile,
                            .notes = notes};
}
