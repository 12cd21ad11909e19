/* Manual pages: hcc.1, and hcc-COMMAND.1 of each command, from the tables. */
#include "driver/help.h"
#include <ctype.h>
#include <string.h>

/* Text of a page: what `...` holds is bold; nothing of it is a request or an escape. Lines are
 * filled, so that their ends are spaces. */
static void man_text(FILE *to, const char *text) {
    bool bold = false;
    for (const char *c = text; *c; c++) {
        if (*c == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", to);
        } else if (*c == '\\') {
            fputs("\\e", to);
        } else if (*c == '-') {
            fputs("\\-", to);
        } else if ((*c == '.' || *c == '\'') && (c == text || c[-1] == '\n')) {
            fprintf(to, "\\&%c", *c);
        } else {
            fputc(*c, to);
        }
    }
    fputc('\n', to);
}

/* An entry of a list: its name in bold, and what is said of it. */
static void man_entry(FILE *to, const char *name, const char *text) {
    fputs(".TP\n\\fB", to);
    for (; *name; name++)
        fputs(*name == '-' ? "\\-" : (char[]){*name, '\0'}, to);
    fputs("\\fR\n", to);
    man_text(to, text);
}

static void man_title(FILE *to, const char *page) {
    fputs(".TH ", to);
    for (; *page; page++)
        fputc(toupper((unsigned char)*page), to);
    fprintf(to, " 1 \"\" \"hcc %s\" \"hcc\"\n", HCC_VERSION);
}

static void man_overview(FILE *to) {
    man_title(to, "hcc");
    fputs(".SH NAME\nhcc \\- a compiler for hyper\\-connection networks\n"
          ".SH SYNOPSIS\n\\fBhcc\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR ...] [\\fIOPTION\\fR ...]\n"
          ".SH DESCRIPTION\n",
          to);
    man_text(to, "Compiles networks written in the language .hc to native code, trains them, looks "
                 "into them and makes programs and libraries of them.\nResults go to the standard "
                 "output, progress and diagnostics to the standard error; `-` in place of FILE "
                 "reads the standard input.\n`hcc COMMAND --help` tells the options of a command, "
                 "`hcc --version --verbose` what hcc was built with and runs on.");
    fputs(".SH COMMANDS\n", to);
    for (uint32_t k = 0; k < CMD_COUNT; k++) {
        char name[64];
        snprintf(name, sizeof name, "hcc %s %s", command_helps[k].name, command_helps[k].arguments);
        man_entry(to, name, command_helps[k].summary);
    }
    fputs(".SH ENVIRONMENT\n", to);
    for (uint32_t k = 0; k < ENVIRONMENT_HELPS; k++)
        man_entry(to, environment_helps[k].name, environment_helps[k].meaning);
    fputs(".SH FILES\n", to);
    man_entry(to, "~/.cache/hcc", help_cache);
    fputs(".SH EXIT STATUS\n", to);
    for (uint32_t k = 0; k < EXIT_HELPS; k++) {
        char code[16];
        snprintf(code, sizeof code, "%d", exit_helps[k].code);
        man_entry(to, code, exit_helps[k].meaning);
    }
    fputs(".SH SEE ALSO\n", to);
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        fprintf(to, "\\fBhcc\\-%s\\fR(1)%s\n", command_helps[k].name, k + 1 < CMD_COUNT ? "," : "");
}

static void man_command(const CommandHelp *help, FILE *to) {
    char page[64];
    snprintf(page, sizeof page, "hcc-%s", help->name);
    man_title(to, page);
    fprintf(to, ".SH NAME\nhcc\\-%s \\- ", help->name);
    man_text(to, help->summary);
    fprintf(to, ".SH SYNOPSIS\n\\fBhcc %s\\fR %s [\\fIOPTION\\fR ...]\n.SH DESCRIPTION\n",
            help->name, help->arguments);
    man_text(to, help->text);
    fputs(".SH OPTIONS\n", to);
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        if (!hc_command_takes(help->name, option_rows[k].commands))
            continue;
        char name[64];
        hc_option_text(&option_rows[k], name, sizeof name);
        man_entry(to, name, option_rows[k].help);
    }
    fputs(".SH SEE ALSO\n\\fBhcc\\fR(1)\n", to);
}

void help_man(Command command, FILE *to) {
    if (command == CMD_NONE)
        man_overview(to);
    else
        man_command(&command_helps[command], to);
}
