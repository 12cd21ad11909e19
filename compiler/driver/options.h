/* The command line: what was asked for. One pair of tables (commands.def, options.def) stands
 * behind parsing, help and the generated reference. */
#ifndef HCC_DRIVER_OPTIONS_H
#define HCC_DRIVER_OPTIONS_H

#include "base/arena.h"
#include "base/vec.h"
#include <stdbool.h>
#include <stdio.h>

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
    bool given;
    uint64_t value;
} OptionCount;

typedef struct {
    bool given;
    double value;
} OptionReal;

typedef bool OptionFlag;
typedef const char *OptionText;
typedef VEC(const char *) OptionList;

#define OPTION_TYPE_FLAG OptionFlag
#define OPTION_TYPE_TEXT OptionText
#define OPTION_TYPE_COUNT OptionCount
#define OPTION_TYPE_BYTES OptionCount
#define OPTION_TYPE_REAL OptionReal
#define OPTION_TYPE_LIST OptionList

typedef struct {
    Command command;
    const char *argument; /* FILE, RUN, NAME or CODE; NULL when not given; "-" is stdin */
    int argc;             /* the whole line, for the reproducing command of a fault */
    const char *const *argv;
#define OPTION(ident, long_name, short_name, kind, value, commands, help) OPTION_TYPE_##kind ident;
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

const char *command_name(Command command);
const char *command_arguments(Command command);
bool command_takes(Command command, const char *commands); /* `commands`: a row's list */

void help_overview(FILE *to);
void help_command(Command command, FILE *to);
void help_markdown(FILE *to); /* docs/commands.md */

#endif
