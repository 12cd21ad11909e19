/* From the command line to a command. */
#include "driver/driver.h"
#include "driver/pipeline.h"
#include "runtime/app/with_ranks.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef ExitCode CommandFunction(Driver *d);

static CommandFunction *const command_functions[] = {
    [CMD_CHECK] = command_check,       [CMD_INFO] = command_info,
    [CMD_INSPECT] = command_inspect,   [CMD_SHOW] = command_show,
    [CMD_EMIT] = command_emit,         [CMD_GRADCHECK] = command_gradcheck,
    [CMD_TRAIN] = command_train,       [CMD_EVAL] = command_eval,
    [CMD_PREDICT] = command_predict,   [CMD_SAMPLE] = command_sample,
    [CMD_TOKENIZE] = command_tokenize, [CMD_LOG] = command_log,
    [CMD_COMPARE] = command_compare,   [CMD_SWEEP] = command_sweep,
    [CMD_GRAPH] = command_graph,       [CMD_REPORT] = command_report,
    [CMD_BENCH] = command_bench,       [CMD_BUILD] = command_build,
    [CMD_EXPLAIN] = command_explain,   [CMD_EXPORT] = command_export,
    [CMD_IMPORT] = command_import,
};
_Static_assert(sizeof command_functions / sizeof *command_functions == CMD_COUNT,
               "every command of commands.def has its function");

static bool driver_color(const Options *options, FILE *err) {
    if (options->color && strcmp(options->color, "auto") != 0)
        return strcmp(options->color, "always") == 0;
    const char *no_color = getenv("NO_COLOR");
    return isatty(fileno(err)) && !(no_color && *no_color);
}

static void driver_print_times(const Driver *d) {
    double total = 0;
    for (uint32_t k = 0; k < d->times.count; k++) {
        fprintf(d->err, "%10.3f ms  %s\n", 1e3 * d->times.at[k].seconds, d->times.at[k].name);
        total += d->times.at[k].seconds;
    }
    fprintf(d->err, "%10.3f ms  total\n", 1e3 * total);
    if (d->cache_use)
        fprintf(d->err, "cache: %s\n", d->cache_use);
}

/* Of several ranks that are given the same mistake one tells it. */
static ExitCode driver_read_line(Driver *d, OptionsResult *parsed) {
    *parsed = OPTIONS_BAD;
    if (!driver_hold(d)) {
        driver_error(d, "out of memory");
        return EXIT_RESOURCE;
    }
    Options *o = &d->options;
    *parsed = options_parse(o, d->c->arena, o->argc, o->argv, d->out, d->err);
    if (*parsed == OPTIONS_RUN && !pipeline_options_valid(d))
        *parsed = OPTIONS_BAD;
    const bool bad = *parsed == OPTIONS_BAD,
               refused = bad && (o->command == CMD_TRAIN || o->command == CMD_NONE);
    if (refused)
        hc_ranks_refuse(driver_held(d), EXIT_USAGE, d->held.err);
    driver_release(d, !refused);
    return bad ? EXIT_USAGE : EXIT_OK;
}

static ExitCode driver_run(Driver *d) {
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) {
        d->c->out_of_memory = NULL;
        driver_release(d, true);
        driver_error(d, "out of memory");
        return EXIT_RESOURCE;
    }
    d->c->out_of_memory = &out_of_memory;
    jmp_buf fault;
    if (setjmp(fault)) {
        d->c->out_of_memory = NULL;
        driver_release(d, true);
        return EXIT_FAULT;
    }
    d->fault = &fault;
    OptionsResult parsed;
    ExitCode code = driver_read_line(d, &parsed);
    if (parsed == OPTIONS_RUN) {
        d->color = driver_color(&d->options, d->err);
        fault_handlers_install(d);
        code = command_functions[d->options.command](d);
        if (d->options.time_passes)
            driver_print_times(d);
    }
    d->c->out_of_memory = NULL;
    return code;
}

int driver_main(int argc, const char *const *argv, FILE *out, FILE *err) {
    Driver driver = {.options = {.argc = argc, .argv = argv}, .out = out, .err = err};
    driver.c = compilation_create();
    if (!driver.c) {
        fprintf(err, "hcc: error: out of memory\n");
        return EXIT_RESOURCE;
    }
    ExitCode code = driver_run(&driver);
    compilation_destroy(driver.c);
    if ((fflush(out) != 0 || ferror(out)) && code == EXIT_OK) {
        fprintf(err, "hcc: error: cannot write the output\n");
        code = EXIT_RESOURCE;
    }
    return code;
}
