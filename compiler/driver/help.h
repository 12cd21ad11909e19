/* What help, the reference page, manual pages and completion are made from, besides the options. */
#ifndef HCC_DRIVER_HELP_H
#define HCC_DRIVER_HELP_H

#include "driver/options.h"

typedef struct {
    const char *name, *arguments, *summary, *text;
} CommandHelp;
extern const CommandHelp command_helps[CMD_COUNT];

typedef struct {
    const char *name, *meaning;
} EnvironmentHelp;
enum { ENVIRONMENT_HELPS = 7 };
extern const EnvironmentHelp environment_helps[ENVIRONMENT_HELPS];

typedef struct {
    ExitCode code;
    const char *meaning;
} ExitHelp;
enum { EXIT_HELPS = 9 };
extern const ExitHelp exit_helps[EXIT_HELPS];

extern const char help_cache[]; /* a paragraph on what HCC_CACHE_DIR holds */

void help_overview(FILE *to);
void help_command(Command command, FILE *to);

/* `hcc --help=FORM` and `hcc COMMAND --help=FORM`, for files and not for readers: markdown
 * (docs/commands.md), man, bash, zsh, fish. False: there is no such form (of a command: man alone).
 */
bool help_form(const char *form, Command command, FILE *to);

void help_markdown(FILE *to);
void help_man(Command command, FILE *to); /* CMD_NONE: hcc.1 */
void completion_bash(FILE *to);
void completion_zsh(FILE *to);
void completion_fish(FILE *to);

#endif
