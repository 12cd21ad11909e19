/* The command line: what was asked for. One pair of tables (commands.def, options.def) stands
 * behind parsing, help and the generated reference. */
#ifndef HCC_DRIVER_OPTIONS_H
#define HCC_DRIVER_OPTIONS_H

#include "base/arena.h"
#include "runtime/app/run_options.h"

/* What the process ends with; documented in the README. */
typedef enum {
    EXIT_OK = 0,
    EXIT_SPEC = 1,     /* the .hc file is wrong */
    EXIT_USAGE = 2,    /* the command line is wrong */
    EXIT_DATA = 3,     /* bad data or checkpoint */
    EXIT_DIVERGED = 4, /* training diverged */
    EXIT_CHECK = 5,    /* a check failed */
    EXIT_RESOURCE = 6, /* out of memory or disk */
    EXIT_FAULT = 70,   /* a fault of the compiler */
    EXIT_INTERRUPTED = 130,
} ExitCode;

typedef enum {
#define COMMAND(ident, name, arguments, summary, text) CMD_##ident,
#include "driver/commands.def"
#undef COMMAND
    CMD_COUNT,
    CMD_NONE = CMD_COUNT
} Command;

typedef struct {
    Command command;
    const char *argument;   /* FILE, RUN, NAME or CODE; NULL when not given; "-" is stdin */
    HcOptionList arguments; /* all of them, where a command takes several */
    int argc;               /* the whole line, for the reproducing command of a fault */
    const char *const *argv;
    HcRunOptions run; /* of rows that built executables have, too */
#define RUN_OPTION(ident, long_name, short_name, kind, value, commands, of_executables, help)
#define OPTION(ident, long_name, short_name, kind, value, commands, help)                          \
    HC_OPTION_TYPE_##kind ident;
#include "driver/options.def"
#undef OPTION
} Options;

typedef enum {
    OPTIONS_RUN,  /* go on with options->command */
    OPTIONS_DONE, /* help or the version was printed: exit 0 */
    OPTIONS_BAD,  /* said on stderr what is wrong: exit EXIT_USAGE */
} OptionsResult;

/* Strings of `argv` are kept by reference. */
OptionsResult options_parse(Options *options, Arena *arena, int argc, const char *const *argv,
                            FILE *out, FILE *err);

enum {
    OPTION_ROWS = 0
#define OPTION(ident, long_name, short_name, kind, value, commands, help) +1
#include "driver/options.def"
#undef OPTION
};
extern const HcOptionRow option_rows[OPTION_ROWS];
extern const HcCommandRow command_rows[CMD_COUNT];

const char *command_name(Command command);

#endif
