/* Help, for the terminal and as the reference page, from the tables. */
#include "driver/help.h"
#include "compile/compile.h"
#include "driver/wrap.h"
#include <string.h>

/* A row of a list: what was printed so far ends before column `indent`. */
static void help_prose(FILE *to, const char *text, uint32_t indent) {
    wrap_print(to, text, strlen(text), indent, wrap_width(to));
}

void help_overview(FILE *to) {
    fputs("hcc: a compiler for hyper-connection networks\n\n"
          "usage: hcc COMMAND [ARGUMENT ...] [OPTION ...]\n\ncommands:\n",
          to);
    for (uint32_t k = 0; k < CMD_COUNT; k++) {
        fprintf(to, "  %-10s %-7s ", command_helps[k].name, command_helps[k].arguments);
        help_prose(to, command_helps[k].summary, 21);
    }
    fputc('\n', to);
    help_prose(to,
               "'hcc COMMAND --help' tells the options of a command; 'hcc --version' the version, "
               "and with --verbose what is known of this machine.",
               0);
    help_prose(to, "'-' in place of FILE reads the standard input.", 0);
    fputs("\nenvironment:\n", to);
    for (uint32_t k = 0; k < ENVIRONMENT_HELPS; k++) {
        fprintf(to, "  %-15s ", environment_helps[k].name);
        help_prose(to, environment_helps[k].meaning, 18);
    }
    fputs("\nexit codes:\n", to);
    for (uint32_t k = 0; k < EXIT_HELPS; k++) {
        fprintf(to, "  %3d  ", exit_helps[k].code);
        help_prose(to, exit_helps[k].meaning, 7);
    }
}

static void help_passes(FILE *to) {
    fputs("\npasses:\n", to);
    for (uint32_t k = 0; k < PASS_COUNT; k++) {
        fprintf(to, "  %-15s ", compile_passes[k].name);
        help_prose(to, compile_passes[k].purpose, 18);
    }
}

void help_command(Command command, FILE *to) {
    const CommandHelp *help = &command_helps[command];
    fprintf(to, "hcc %s: ", help->name);
    help_prose(to, help->summary, (uint32_t)strlen(help->name) + 6);
    fprintf(to, "\nusage: hcc %s %s [OPTION ...]\n\n", help->name, help->arguments);
    help_prose(to, help->text, 0);
    fputs("\noptions:\n", to);
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        if (!hc_command_takes(help->name, option_rows[k].commands))
            continue;
        char name[64];
        hc_option_text(&option_rows[k], name, sizeof name);
        fprintf(to, "  %-24s ", name);
        help_prose(to, option_rows[k].help, 27);
    }
    if (command == CMD_EMIT)
        help_passes(to);
}

void help_markdown(FILE *to) {
    fputs("# Commands\n\n"
          "Printed by `hcc --help=markdown` from the tables that the command line is parsed with.\n"
          "\n`hcc COMMAND [ARGUMENT ...] [OPTION ...]`. Results go to stdout, progress and "
          "diagnostics "
          "to stderr;\n`-` in place of FILE reads the standard input.\n",
          to);
    for (uint32_t c = 0; c < CMD_COUNT; c++) {
        const CommandHelp *help = &command_helps[c];
        fprintf(to, "\n## `hcc %s%s%s`\n\n%s.\n\n%s\n\n| option | |\n|---|---|\n", help->name,
                *help->arguments ? " " : "", help->arguments, help->summary, help->text);
        for (uint32_t k = 0; k < OPTION_ROWS; k++) {
            if (!hc_command_takes(help->name, option_rows[k].commands))
                continue;
            char name[64];
            hc_option_text(&option_rows[k], name, sizeof name);
            fprintf(to, "| `%s` | %s |\n", name, option_rows[k].help);
        }
    }
    fputs("\n## Passes\n\nIn the order in which they run, for `--print-after` and "
          "`--time-passes`.\n\n| pass | from | to | |\n|---|---|---|---|\n",
          to);
    for (uint32_t k = 0; k < PASS_COUNT; k++)
        fprintf(to, "| `%s` | %s | %s | %s |\n", compile_passes[k].name,
                compile_forms[compile_passes[k].takes], compile_forms[compile_passes[k].gives],
                compile_passes[k].purpose);
    fputs("\n## Environment\n\n| variable | |\n|---|---|\n", to);
    for (uint32_t k = 0; k < ENVIRONMENT_HELPS; k++)
        fprintf(to, "| `%s` | %s |\n", environment_helps[k].name, environment_helps[k].meaning);
    fprintf(to, "\n%s", help_cache);
    fputs("\n## Exit codes\n\n| code | meaning |\n|---|---|\n", to);
    for (uint32_t k = 0; k < EXIT_HELPS; k++)
        fprintf(to, "| %d | %s |\n", exit_helps[k].code, exit_helps[k].meaning);
}
