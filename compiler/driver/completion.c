/* Completion of command lines by bash, zsh and fish, from the tables.
 *
 * What an option or argument takes is told by what the help calls it: PATH is a file, WHEN one of
 * three words. A word that is called otherwise is the user's own, and nothing is offered. */
#include "compile/compile.h"
#include "driver/help.h"
#include "driver/pipeline.h"
#include <string.h>

typedef enum { OFFER_NOTHING, OFFER_FILES, OFFER_FOLDERS, OFFER_WORDS, OFFER_PRINTED } Offer;

/* Words of an argument: with the same name they are the same everywhere. `command` prints them, a
 * line each. */
typedef struct {
    const char *value;
    Offer offer;
    const char *words;
} ValueOffer;

static const ValueOffer value_offers[] = {
    {"PATH", OFFER_FILES, NULL},
    {"FILE", OFFER_FILES, NULL},
    {"FOLDER", OFFER_FOLDERS, NULL},
    {"RUN", OFFER_FOLDERS, NULL},
    {"WHEN", OFFER_WORDS, "auto always never"},
    {"PART", OFFER_WORDS, "begin read turn write end"},
    {"[NAME]", OFFER_PRINTED, "hcc show 2>/dev/null | awk '{print $2}'"},
    {"[CODE]", OFFER_PRINTED, "hcc explain 2>/dev/null | awk '{print $1}'"},
};

static void completion_passes(FILE *to) {
    for (uint32_t k = 0; k < PASS_COUNT; k++)
        fprintf(to, "%s%s", k ? " " : "", compile_passes[k].name);
}

static void completion_stages(FILE *to) {
    for (uint32_t k = 0; k < STAGE_NAMES; k++)
        fprintf(to, "%s%s", k ? " " : "", stage_names[k]);
}

static void completion_words(FILE *to, const ValueOffer *offer) {
    if (strcmp(offer->value, "PASS") == 0)
        completion_passes(to);
    else if (strcmp(offer->value, "STAGE") == 0)
        completion_stages(to);
    else
        fputs(offer->words, to);
}

/* By what the help calls it: "RUN ..." and "[FILE]" as RUN and FILE. */
static ValueOffer completion_offer(const char *value) {
    if (strcmp(value, "PASS") == 0 || strcmp(value, "STAGE") == 0)
        return (ValueOffer){value, OFFER_WORDS, NULL};
    for (size_t k = 0; k < sizeof value_offers / sizeof *value_offers; k++)
        if (strcmp(value, value_offers[k].value) == 0)
            return value_offers[k];
    const size_t bracket = *value == '[', length = strcspn(value + bracket, " ]");
    for (size_t k = 0; k < sizeof value_offers / sizeof *value_offers; k++)
        if (strlen(value_offers[k].value) == length &&
            strncmp(value + bracket, value_offers[k].value, length) == 0)
            return value_offers[k];
    return (ValueOffer){value, OFFER_NOTHING, NULL};
}

/* --- bash --------------------------------------------------------------------------------------*/

static void bash_pattern(FILE *to, const HcOptionRow *row) {
    if (row->short_name)
        fprintf(to, "-%c|", row->short_name);
    fprintf(to, "--%s", row->long_name);
}

static void bash_offer(FILE *to, const ValueOffer *offer) {
    switch (offer->offer) {
    case OFFER_NOTHING:
        fputs("return", to);
        break;
    case OFFER_FILES:
        fputs("_hcc_files -f; return", to);
        break;
    case OFFER_FOLDERS:
        fputs("_hcc_files -d; return", to);
        break;
    case OFFER_WORDS:
        fputs("words=\"", to);
        completion_words(to, offer);
        fputc('"', to);
        break;
    case OFFER_PRINTED:
        fprintf(to, "words=$(%s)", offer->words);
        break;
    }
}

/* What comes after an option that takes a value; the commands do not matter. */
static void bash_values(FILE *to) {
    fputs("    case $previous in\n", to);
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        const HcOptionRow *row = &option_rows[k];
        if (!row->value)
            continue;
        const ValueOffer offer = completion_offer(row->value);
        fputs("    ", to);
        bash_pattern(to, row);
        fputs(") ", to);
        bash_offer(to, &offer);
        fputs(" ;;\n", to);
    }
    fputs("    esac\n", to);
}

static void bash_options(FILE *to, const char *command) {
    fprintf(to, "    %s) words=\"", command);
    const char *space = "";
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        if (!hc_command_takes(command, option_rows[k].commands))
            continue;
        fprintf(to, "%s--%s", space, option_rows[k].long_name);
        space = " ";
    }
    fputs("\" ;;\n", to);
}

static void bash_arguments(FILE *to, const CommandHelp *command) {
    const ValueOffer offer = completion_offer(command->arguments);
    fprintf(to, "    %s) ", command->name);
    bash_offer(to, &offer);
    fputs(" ;;\n", to);
}

void completion_bash(FILE *to) {
    fputs(
        "# Completion of hcc for bash; printed by `hcc --help=bash`.\n"
        "_hcc_files() {\n"
        "    compopt -o filenames 2>/dev/null\n"
        "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$current\")\n"
        "}\n\n"
        "_hcc() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\n"
        "    # bash cuts --option=value into three words.\n"
        "    if [[ $current == = ]]; then\n"
        "        current=\n"
        "    elif [[ $previous == = ]]; then\n"
        "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
        "    fi\n"
        "    COMPREPLY=()\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        words=\"",
        to);
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        fprintf(to, "%s ", command_helps[k].name);
    fputs("help --help --version\"\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "        return\n"
          "    fi\n",
          to);
    bash_values(to);
    fputs("    if [[ -n $words ]]; then\n        :\n    elif [[ $current == -* ]]; then\n"
          "    case ${COMP_WORDS[1]} in\n",
          to);
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        bash_options(to, command_helps[k].name);
    fputs("    esac\n    else\n    case ${COMP_WORDS[1]} in\n", to);
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        bash_arguments(to, &command_helps[k]);
    fputs("    esac\n    fi\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "}\n"
          "complete -F _hcc hcc\n",
          to);
}

/* --- zsh ---------------------------------------------------------------------------------------*/

/* Within '...': what _arguments and _describe part by is escaped. */
static void zsh_text(FILE *to, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:\\", *text))
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static void zsh_offer(FILE *to, const ValueOffer *offer) {
    fputc(':', to);
    zsh_text(to, offer->value);
    fputc(':', to);
    switch (offer->offer) {
    case OFFER_NOTHING:
        fputc(' ', to);
        break;
    case OFFER_FILES:
        fputs("_files", to);
        break;
    case OFFER_FOLDERS:
        fputs("_files -/", to);
        break;
    case OFFER_WORDS:
        fputc('(', to);
        completion_words(to, offer);
        fputc(')', to);
        break;
    case OFFER_PRINTED: /* within '...' */
        fputs("{compadd -- $(", to);
        for (const char *c = offer->words; *c; c++)
            fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, to);
        fputs(")}", to);
        break;
    }
}

static void zsh_option(FILE *to, const HcOptionRow *row) {
    fputs(" \\\n            ", to);
    const char *repeated = row->kind == HC_OPTION_LIST ? "*" : "";
    if (row->short_name)
        fprintf(to, "%s{-%c,--%s}'", *repeated ? "'*'" : "", row->short_name, row->long_name);
    else
        fprintf(to, "'%s--%s", repeated, row->long_name);
    fputs(row->value && !row->short_name ? "=[" : "[", to);
    zsh_text(to, row->help);
    fputc(']', to);
    if (row->value) {
        const ValueOffer offer = completion_offer(row->value);
        zsh_offer(to, &offer);
    }
    fputc('\'', to);
}

static void zsh_command(FILE *to, const CommandHelp *command) {
    fprintf(to, "    %s)\n        _arguments -s", command->name);
    for (uint32_t k = 0; k < OPTION_ROWS; k++)
        if (hc_command_takes(command->name, option_rows[k].commands))
            zsh_option(to, &option_rows[k]);
    if (*command->arguments) {
        const ValueOffer offer = completion_offer(command->arguments);
        fprintf(to, " \\\n            '%s", strstr(command->arguments, "...") ? "*" : "1");
        zsh_offer(to, &offer);
        fputc('\'', to);
    }
    fputs("\n        ;;\n", to);
}

void completion_zsh(FILE *to) {
    fputs("#compdef hcc\n# Completion of hcc for zsh; printed by `hcc --help=zsh`.\n"
          "_hcc() {\n"
          "    local context state state_descr line\n"
          "    typeset -A opt_args\n"
          "    local -a commands=(\n",
          to);
    for (uint32_t k = 0; k < CMD_COUNT; k++) {
        fprintf(to, "        '%s:", command_helps[k].name);
        zsh_text(to, command_helps[k].summary);
        fputs("'\n", to);
    }
    fputs("    )\n"
          "    _arguments -C '--help[show help]' '--version[show the version]' '1: :->command' "
          "'*:: :->rest'\n"
          "    if [[ $state == command ]]; then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    case $words[1] in\n",
          to);
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        zsh_command(to, &command_helps[k]);
    fputs("    esac\n}\n_hcc \"$@\"\n", to);
}

/* --- fish --------------------------------------------------------------------------------------*/

/* Within '...'. */
static void fish_text(FILE *to, const char *text) {
    for (; *text; text++)
        fprintf(to, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void fish_offer(FILE *to, const ValueOffer *offer) {
    switch (offer->offer) {
    case OFFER_NOTHING:
        break;
    case OFFER_FILES:
        fputs(" -F", to);
        break;
    case OFFER_FOLDERS:
        fputs(" -a '(__fish_complete_directories)'", to);
        break;
    case OFFER_WORDS:
        fputs(" -a '", to);
        completion_words(to, offer);
        fputc('\'', to);
        break;
    case OFFER_PRINTED:
        fputs(" -a '(", to);
        fish_text(to, offer->words);
        fputs(")'", to);
        break;
    }
}

static void fish_option(FILE *to, const HcOptionRow *row) {
    fputs("complete -c hcc -n '__fish_seen_subcommand_from", to);
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        if (hc_command_takes(command_helps[k].name, row->commands))
            fprintf(to, " %s", command_helps[k].name);
    fprintf(to, "' -l %s", row->long_name);
    if (row->short_name)
        fprintf(to, " -s %c", row->short_name);
    if (row->value) {
        const ValueOffer offer = completion_offer(row->value);
        fputs(" -r", to);
        fish_offer(to, &offer);
    }
    fputs(" -d '", to);
    fish_text(to, row->help);
    fputs("'\n", to);
}

void completion_fish(FILE *to) {
    fputs("# Completion of hcc for fish; printed by `hcc --help=fish`.\ncomplete -c hcc -f\n", to);
    for (uint32_t k = 0; k < CMD_COUNT; k++) {
        const CommandHelp *command = &command_helps[k];
        fprintf(to, "complete -c hcc -n __fish_use_subcommand -a %s -d '", command->name);
        fish_text(to, command->summary);
        fputs("'\n", to);
        const ValueOffer offer = completion_offer(command->arguments);
        if (offer.offer == OFFER_NOTHING)
            continue;
        fprintf(to, "complete -c hcc -n '__fish_seen_subcommand_from %s'", command->name);
        fish_offer(to, &offer);
        fputc('\n', to);
    }
    fputs("complete -c hcc -n __fish_use_subcommand -l version -d 'show the version'\n", to);
    for (uint32_t k = 0; k < OPTION_ROWS; k++)
        fish_option(to, &option_rows[k]);
}
