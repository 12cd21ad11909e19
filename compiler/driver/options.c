/* Parsing of the command line, by the tables. */
#include "abi/precision.h"
#include "driver/help.h"
#include "driver/version.h"
#include <string.h>

static bool options_in_range(const HcCommandLine *line, const char *name, HcOptionCount count,
                             uint64_t most) {
    return !count.given || (count.value >= 1 && count.value <= most) ||
           hc_command_line_wrong(line, "--%s is 1 to %llu", name, (unsigned long long)most);
}

/* Whether the values may be. */
static bool options_valid(const HcCommandLine *line, const Options *o) {
    if (o->color && strcmp(o->color, "auto") != 0 && strcmp(o->color, "always") != 0 &&
        strcmp(o->color, "never") != 0) {
        fprintf(line->err, "hcc: --color is auto, always or never, not '%s'\n", o->color);
        return false;
    }
    if (o->optimise.given && o->optimise.value > 3) {
        fprintf(line->err, "hcc: -O is 0, 1, 2 or 3\n");
        return false;
    }
    if (o->precision && hc_precision_named(o->precision) == HC_PRECISION_COUNT)
        return hc_command_line_wrong(
            line, "--precision is f32, bf16, bf16_streams or f64, not '%s'", o->precision);
    if (o->run.json && o->csv)
        return hc_command_line_wrong(line,
                                     "--json and --csv are two ways to print the same: give one");
    if (!options_in_range(line, "workers", o->workers, 1024) ||
        !options_in_range(line, "seeds", o->seeds, 10000) ||
        !options_in_range(line, "ranks", o->ranks, 4096))
        return false;
    if ((o->network && !o->ranks.given) || (o->step_ms.given && !o->network))
        return hc_command_line_wrong(line, "--network needs --ranks, and --step-ms --network");
    return hc_run_options_valid(line, &o->run, o->command == CMD_BENCH) &&
           (o->command != CMD_TRAIN || hc_train_options_valid(line, o->run.resume)) &&
           hc_command_line_complete(line);
}

/* `hcc help`, `hcc help train`, `hcc --version`, `hcc --help=man`: before the tables. */
static bool options_special(Arena *arena, int argc, const char *const *argv, FILE *out) {
    if (argc < 2)
        return false;
    if (strcmp(argv[1], "--version") == 0) {
        version_print(argc > 2 && strcmp(argv[2], "--verbose") == 0, arena, out);
        return true;
    }
    static const char form[] = "--help=";
    const HcCommandLine line = {.commands = command_rows, .n_commands = CMD_COUNT};
    const char *last = argv[argc - 1];
    if (argc <= 3 && strncmp(last, form, sizeof form - 1) == 0) {
        const Command of = argc == 3 ? (Command)hc_command_find(&line, argv[1]) : CMD_NONE;
        return (argc == 2 || of != CMD_NONE) && help_form(last + sizeof form - 1, of, out);
    }
    if (strcmp(argv[1], "help") != 0)
        return false;
    const Command command = argc > 2 ? (Command)hc_command_find(&line, argv[2]) : CMD_NONE;
    if (argc > 2 && command == CMD_NONE)
        return false;
    if (command == CMD_NONE)
        help_overview(out);
    else
        help_command(command, out);
    return true;
}

OptionsResult options_parse(Options *options, Arena *arena, int argc, const char *const *argv,
                            FILE *out, FILE *err) {
    *options = (Options){.command = CMD_NONE, .argc = argc, .argv = argv};
    if (options_special(arena, argc, argv, out))
        return OPTIONS_DONE;
    if (argc == 3 && strcmp(argv[1], "help") == 0) {
        fprintf(err, "hcc: unknown command '%s'\n", argv[2]);
        return OPTIONS_BAD;
    }
    HcCommandLine line = {.program = "hcc",
                          .rows = option_rows,
                          .n_rows = OPTION_ROWS,
                          .commands = command_rows,
                          .n_commands = CMD_COUNT,
                          .argc = argc,
                          .argv = argv,
                          .err = err,
                          .options = options};
    line.room = ARENA_ARRAY(arena, const char *, (uint32_t)hc_command_line_room(&line));
    bool parsed = hc_command_line_parse(&line);
    options->command = (Command)line.command;
    options->argument = line.argument;
    options->arguments = line.arguments;
    if (parsed && options->help) {
        if (options->command == CMD_NONE)
            help_overview(out);
        else
            help_command(options->command, out);
        return OPTIONS_DONE;
    }
    if (parsed && options->command == CMD_NONE) {
        fprintf(err, "hcc: which command?\n");
        parsed = false;
    }
    if (parsed && options_valid(&line, options))
        return OPTIONS_RUN;
    if (options->command == CMD_NONE)
        fprintf(err, "Try 'hcc --help'.\n");
    else
        fprintf(err, "Try 'hcc %s --help'.\n", command_name(options->command));
    return OPTIONS_BAD;
}
