/* The tables of commands and options, which parsing and help both read. */
#include "driver/options.h"
#include <stddef.h>

const HcOptionRow option_rows[OPTION_ROWS] = {
#define OPTION(ident, long_name, short_name, kind, value, commands, help)                          \
    {long_name, short_name, HC_OPTION_##kind, value, commands, help, offsetof(Options, ident)},
#include "driver/options.def"
#undef OPTION
};

const HcCommandRow command_rows[CMD_COUNT] = {
#define COMMAND(ident, name, arguments, summary, text) {name, arguments},
#include "driver/commands.def"
#undef COMMAND
};

const char *command_name(Command command) {
    return command_rows[command].name;
}
