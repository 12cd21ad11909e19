/* The command line of built executables: a model that trains, evaluates and samples by itself. This
 * file alone prints and decides exit codes; what it prints is worded as hcc's commands word it. */
#include "runtime/app/app.h"
#include "runtime/app/command_line.h"
#include "runtime/app/info.h"
#include "runtime/app/print_sample.h"
#include "runtime/app/run_options.h"
#include "runtime/app/signals.h"
#include "runtime/app/with_ranks.h"
#include "runtime/files/json.h"
#include "runtime/run/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- options -----------------------------------------------------------------------------------*/

typedef struct {
    HcRunOptions run;
    HcOptionFlag help;
} Options;

static const HcOptionRow rows[] = {
#define RUN_OPTION(ident, long_name, short_name, kind, value, of_hcc, commands, help)              \
    {long_name, short_name, HC_OPTION_##kind, value, commands, help, offsetof(Options, run.ident)},
#include "runtime/app/options.def"
    {"help", 'h', HC_OPTION_FLAG, NULL, "*", "show help", offsetof(Options, help)},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

typedef struct {
    const HcModel *model;
    const char *program, *argument;
    Options options;
    HcSetting *settings; /* room for one of each argument, and two more */
    char *texts;         /* keys of settings; there is room for all arguments */
} App;

typedef int AppCommand(App *app);
static AppCommand train, evaluate, sample, bench, info;

static const struct {
    const char *summary;
    AppCommand *run;
} commands[] = {
    {"train the model", train},
    {"the loss of a trained model over the held-out part of its data", evaluate},
    {"continue a prompt with a trained model", sample},
    {"time training steps", bench},
    {"parameters of the model", info},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0], TRAIN = 0, BENCH = 3 };

static const HcCommandRow command_rows[N_COMMANDS] = {
    {"train", ""}, {"eval", "RUN"}, {"sample", "RUN"}, {"bench", ""}, {"info", ""}};

static void print_overview(const char *program, FILE *to) {
    fprintf(to, "usage: %s COMMAND [ARGUMENT] [OPTION ...]\n\ncommands:\n", program);
    for (int k = 0; k < N_COMMANDS; k++)
        fprintf(to, "  %-10s %-7s %s\n", command_rows[k].name, command_rows[k].arguments,
                commands[k].summary);
    fprintf(to,
            "\n'%s COMMAND --help' tells the options of a command. RUN is a run folder or a "
            "checkpoint file.\n",
            program);
}

static void print_help(const char *program, uint32_t command, FILE *to) {
    const HcCommandRow *row = &command_rows[command];
    fprintf(to, "%s %s: %s\n\nusage: %s %s%s%s [OPTION ...]\n\noptions:\n", program, row->name,
            commands[command].summary, program, row->name, *row->arguments ? " " : "",
            row->arguments);
    for (int k = 0; k < N_ROWS; k++) {
        char name[64];
        hc_option_text(&rows[k], name, sizeof name);
        if (hc_command_takes(row->name, rows[k].commands))
            fprintf(to, "  %-24s %s\n", name, rows[k].help);
    }
}

static void add_setting(HcSetting **to, const char *key, const char *value) {
    *(*to)++ = (HcSetting){key, value};
}

/* --set and what is short for one; how many there are. */
static int32_t make_settings(App *app, char seed[24], char steps[24]) {
    const HcRunOptions *o = &app->options.run;
    HcSetting *to = app->settings;
    for (uint32_t k = 0; k < o->set.count; k++) {
        const char *equals = strchr(o->set.at[k], '=');
        char *key = app->texts;
        app->texts = mempcpy(key, o->set.at[k], (size_t)(equals - o->set.at[k]));
        *app->texts++ = 0;
        add_setting(&to, key, equals + 1);
    }
    snprintf(seed, 24, "%llu", (unsigned long long)o->seed.value);
    snprintf(steps, 24, "%llu", (unsigned long long)o->steps.value);
    if (o->steps.given)
        add_setting(&to, "train.steps", steps);
    if (o->seed.given)
        add_setting(&to, "train.seed", seed);
    return (int32_t)(to - app->settings);
}

/* --- commands ----------------------------------------------------------------------------------*/

static int report(const App *app, HcStatus status, const HcError *error) {
    if (status != HC_OK)
        fprintf(stderr, "%s: %s%s\n", app->program,
                status == HC_INTERRUPTED ? "" : "error: ", error->message);
    return hc_signals_exit_code(status);
}

/* Takes `json` over; NULL: it could not be made. */
static int print_json(const App *app, json_t *json) {
    char *text = hc_json_dump(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    HcError error = {0};
    HcStatus status = text ? HC_OK : hc_fail_memory(&error, "the results");
    json_decref(json);
    if (text)
        puts(text);
    free(text);
    return report(app, status, &error);
}

static int train(App *app) {
    const HcRunOptions *o = &app->options.run;
    char seed[24], steps[24];
    HcTrainResult result;
    HcError error = {0};
    HcTrainOptions options = hc_train_options(o, stderr);
    options.settings = app->settings;
    options.n_settings = make_settings(app, seed, steps);
    hc_signals_install();
    HcTogether all = {0};
    HcStatus status = hc_join_ranks(&options, &error);
    if (status == HC_OK)
        status = hc_ranks_prepared(&options, 0, "", &all, &error);
    if (status == HC_OK && all.exit_code) {
        hc_leave_ranks(&options, status, all.exit_code);
        return all.exit_code;
    }
    if (status == HC_OK)
        status = hc_train(app->model, &options, &result, &error);
    const bool reports = hc_rank_reports(&options, status, &result, &error);
    if (status != HC_OK) {
        const int failed = reports ? report(app, status, &error) : hc_signals_exit_code(status);
        hc_leave_ranks(&options, status, failed);
        return failed;
    }
    int code = 0;
    if (!reports) {
    } else if (o->json) {
        json_t *json = hc_train_json(&result);
        hc_json_set(&json, "run", hc_json_path(result.run));
        code = print_json(app, json);
    } else {
        hc_train_print(&result, stdout);
    }
    hc_evaluation_free(&result.evaluation);
    hc_leave_ranks(&options, status, code);
    return code;
}

static int evaluate(App *app) {
    const HcRunOptions *o = &app->options.run;
    const HcEvalOptions options = hc_eval_options(o, app->argument, stderr);
    HcError error = {0};
    HcEvaluation e;
    HcStatus status = hc_evaluate(app->model, &options, &e, &error);
    if (status != HC_OK)
        return report(app, status, &error);
    int code = 0;
    if (o->json)
        code = print_json(app, hc_evaluation_json(&e));
    else
        hc_evaluation_print(&e, stdout);
    hc_evaluation_free(&e);
    return code;
}

static int sample(App *app) {
    HcError error = {0};
    return report(
        app, hc_print_sample(app->model, &app->options.run, app->argument, stdout, stderr, &error),
        &error);
}

static int bench(App *app) {
    const HcRunOptions *o = &app->options.run;
    const HcBenchOptions options = hc_bench_options(o, stderr);
    HcBenchResult r;
    HcError error = {0};
    HcStatus status = hc_bench(app->model, &options, &r, &error);
    if (status != HC_OK)
        return report(app, status, &error);
    json_t *json = o->json ? hc_bench_json(&r) : NULL;
    if (!o->json)
        hc_bench_print(&r, stdout);
    hc_bench_free(&r);
    return o->json ? print_json(app, json) : 0;
}

/* --- info --------------------------------------------------------------------------------------*/

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void gather_sites(const json_t *manifest, HcInfoSite *sites, HcInfo *to) {
    size_t i;
    json_t *site;
    json_array_foreach(json_object_get(manifest, "sites"), i, site) {
        sites[to->n_sites++] =
            (HcInfoSite){.path = text_of(site, "path"),
                         .connection = text_of(site, "connection"),
                         .branch = text_of(site, "branch"),
                         .site = (uint32_t)json_integer_value(json_object_get(site, "site")),
                         .block = (uint32_t)json_integer_value(json_object_get(site, "block"))};
    }
}

/* Of a matrix; 0 of what is none. */
static uint64_t side(const HcParameterPlan *p, uint32_t axes) {
    return p->matrix.free ? (uint64_t)hc_parameter_extent(p, axes) : 0;
}

static bool is_held(const HcPlan *plan, uint32_t parameter) {
    bool held = false;
    for (uint32_t k = 0; k < plan->n_projects; k++)
        held = held || plan->projects[k].parameter == parameter;
    return held;
}

static void gather_parameters(const HcPlan *plan, HcInfoParameter *parameters, HcInfo *to) {
    for (uint32_t p = 0; p < plan->n_parameters; p++) {
        const HcParameterPlan *of = &plan->parameters[p];
        if (!of->buffer)
            parameters[to->n_parameters++] =
                (HcInfoParameter){.name = of->name,
                                  .group = of->group,
                                  .elements = (uint64_t)of->count,
                                  .of_connection = of->of_connection,
                                  .decay = of->decay,
                                  .held = is_held(plan, p),
                                  .lost = !of->gradient && !of->frozen,
                                  .apart = side(of, of->matrix.apart),
                                  .free = side(of, of->matrix.free),
                                  .summed = side(of, of->matrix.summed)};
    }
}

static void gather_constants(const json_t *manifest, HcInfoConstant *constants, HcInfo *to) {
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(manifest, "constants"), key, value) {
        if (json_is_string(value))
            constants[to->n_constants++] = (HcInfoConstant){key, json_string_value(value)};
    }
}

static int print_info(const App *app, const HcPlan *plan) {
    HcInfoConstant *constants =
        calloc(json_object_size(json_object_get(plan->json, "constants")) + 1, sizeof *constants);
    HcInfoSite *sites =
        calloc(json_array_size(json_object_get(plan->json, "sites")) + 1, sizeof *sites);
    HcInfoParameter *parameters = calloc(plan->n_parameters + 1, sizeof *parameters);
    HcInfo of = {.model = plan->model,
                 .precision = hc_precision_word(plan->precision),
                 .constants = constants,
                 .sites = sites,
                 .parameters = parameters,
                 .positions = plan->max_positions ? (uint64_t)plan->max_positions : 1,
                 .batch = plan->recipe.batch > 0 ? (uint64_t)plan->recipe.batch : 1,
                 .parts = (uint64_t)plan->recipe.parts};
    bool good = constants && sites && parameters;
    int code = 0;
    if (good) {
        gather_constants(plan->json, constants, &of);
        gather_sites(plan->json, sites, &of);
        gather_parameters(plan, parameters, &of);
        if (app->options.run.json)
            code = print_json(app, hc_info_json(&of));
        else
            good = hc_info_print(&of, stdout);
    }
    free(constants);
    free(sites);
    free(parameters);
    HcError error = {0};
    return good ? code : report(app, hc_fail_memory(&error, "what the model is"), &error);
}

static int info(App *app) {
    HcPlan plan;
    HcError error = {0};
    HcStatus status = hc_plan_read(app->model, &plan, &error);
    if (status != HC_OK)
        return report(app, status, &error);
    const int code = print_info(app, &plan);
    hc_plan_free(&plan);
    return code;
}

/* --- the program -------------------------------------------------------------------------------*/

enum { USAGE = 2, NO_MEMORY = 6 };

static int usage(const HcCommandLine *line) {
    if (line->command < N_COMMANDS)
        fprintf(line->err, "Try '%s %s --help'.\n", line->program,
                command_rows[line->command].name);
    else
        fprintf(line->err, "Try '%s --help'.\n", line->program);
    return USAGE;
}

/* USAGE, or 0: it is right. */
static int read_line(App *app, HcCommandLine *line) {
    const Options *o = &app->options;
    const bool parsed = hc_command_line_parse(line), chosen = line->command < N_COMMANDS;
    if (!parsed)
        return usage(line);
    if (o->help)
        return 0;
    if (!chosen) {
        hc_command_line_wrong(line, "which command?");
        return usage(line);
    }
    if (!hc_run_options_valid(line, &o->run, line->command == BENCH) ||
        (line->command == TRAIN && !hc_train_options_valid(line, o->run.resume)) ||
        !hc_command_line_complete(line))
        return usage(line);
    app->argument = line->argument;
    return 0;
}

static int run(App *app, HcCommandLine *line) {
    char *said = NULL;
    size_t length = 0;
    line->err = open_memstream(&said, &length);
    int code = line->err ? read_line(app, line) : NO_MEMORY;
    const bool told = line->err && fclose(line->err) == 0, chosen = line->command < N_COMMANDS;
    if (!told)
        code = NO_MEMORY;
    else if (code != 0 && (line->command == TRAIN || !chosen))
        hc_ranks_refuse(said, code, stderr);
    else
        fputs(said, stderr);
    free(said);
    if (code == NO_MEMORY)
        fprintf(stderr, "%s: out of memory\n", app->program);
    if (code != 0)
        return code;
    if (!app->options.help)
        return commands[line->command].run(app);
    if (chosen)
        print_help(app->program, line->command, stdout);
    else
        print_overview(app->program, stdout);
    return 0;
}

int hc_main(const HcModel *model, int argc, char **argv) {
    hc_process_init();
    hc_signals_of_files();
    App app = {.model = model, .program = argv[0]};
    HcCommandLine line = {.program = argv[0],
                          .rows = rows,
                          .n_rows = N_ROWS,
                          .commands = command_rows,
                          .n_commands = N_COMMANDS,
                          .argc = argc,
                          .argv = (const char *const *)argv,
                          .options = &app.options};
    size_t length = 1;
    for (int k = 0; k < argc; k++)
        length += strlen(argv[k]) + 1;
    const char **room = line.room = calloc(hc_command_line_room(&line), sizeof *room);
    char *texts = app.texts = malloc(length);
    app.settings = calloc((size_t)argc + 3, sizeof *app.settings);
    int code = NO_MEMORY;
    if (room && texts && app.settings)
        code = run(&app, &line);
    else
        fprintf(stderr, "%s: out of memory\n", app.program);
    free(room);
    free(texts);
    free(app.settings);
    if (fflush(stdout) != 0 && code == 0) {
        fprintf(stderr, "%s: cannot write the output: %s\n", app.program, strerror(errno));
        code = 6;
    }
    return code;
}
