/* Parsing of the command line, by the tables. */
#include "driver/options.h"
#include "base/diag.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum { KIND_FLAG, KIND_TEXT, KIND_COUNT, KIND_BYTES, KIND_REAL, KIND_LIST } OptionKind;

typedef struct {
    const char *long_name;
    char short_name;
    OptionKind kind;
    const char *commands;
    size_t field; /* offset in Options */
} OptionRow;

static const OptionRow option_rows[] = {
#define OPTION(ident, long_name, short_name, kind, value, commands, help)                          \
    {long_name, short_name, KIND_##kind, commands, offsetof(Options, ident)},
#include "driver/options.def"
#undef OPTION
};
enum { OPTION_ROWS = sizeof option_rows / sizeof *option_rows };

static const char *const command_names[] = {
#define COMMAND(ident, name, arguments, summary, text) name,
#include "driver/commands.def"
#undef COMMAND
};

static const char *const command_argument_texts[] = {
#define COMMAND(ident, name, arguments, summary, text) arguments,
#include "driver/commands.def"
#undef COMMAND
};

typedef struct {
    Options *options;
    Arena *arena;
    FILE *err;
} OptionParser;

const char *command_name(Command command) {
    return command_names[command];
}

const char *command_arguments(Command command) {
    return command_argument_texts[command];
}

bool command_takes(Command command, const char *commands) {
    if (*commands == '*')
        return true;
    size_t length = strlen(command_names[command]);
    for (const char *word = commands; *word;) {
        size_t size = strcspn(word, " ");
        if (size == length && memcmp(word, command_names[command], size) == 0)
            return true;
        word += size + (word[size] == ' ');
    }
    return false;
}

static Command command_find(const char *name) {
    for (uint32_t k = 0; k < CMD_COUNT; k++)
        if (strcmp(command_names[k], name) == 0)
            return (Command)k;
    return CMD_NONE;
}

static bool options_set_count(OptionParser *p, const OptionRow *row, const char *text) {
    OptionCount *count = (OptionCount *)((char *)p->options + row->field);
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[strspn(text, "0123456789")] != '\0' || *text == '\0' || errno) {
        fprintf(p->err, "hcc: --%s takes a whole number, not '%s'\n", row->long_name, text);
        return false;
    }
    *count = (OptionCount){true, value};
    return true;
}

/* 2G, 800M, 1.5GiB: K, M, G, T are powers of 1000, with `i` of 1024. */
static bool options_set_bytes(OptionParser *p, const OptionRow *row, const char *text) {
    OptionCount *count = (OptionCount *)((char *)p->options + row->field);
    static const char suffixes[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    const char *suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
    bool binary = suffix && end[1] == 'i';
    for (const char *s = suffixes; suffix && s <= suffix; s++)
        value *= binary ? 1024 : 1000;
    end += suffix ? 1 + binary : 0;
    end += *end == 'B';
    if (*text < '0' || *text > '9' || *end != '\0' || !(value >= 1 && value < 0x1p62)) {
        fprintf(p->err, "hcc: --%s takes a size such as 2G, 800M or 1.5GiB, not '%s'\n",
                row->long_name, text);
        return false;
    }
    *count = (OptionCount){true, (uint64_t)value};
    return true;
}

static bool options_set_real(OptionParser *p, const OptionRow *row, const char *text) {
    OptionReal *real = (OptionReal *)((char *)p->options + row->field);
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value)) {
        fprintf(p->err, "hcc: --%s takes a number, not '%s'\n", row->long_name, text);
        return false;
    }
    *real = (OptionReal){true, value};
    return true;
}

static bool options_set(OptionParser *p, const OptionRow *row, const char *text) {
    char *field = (char *)p->options + row->field;
    switch (row->kind) {
    case KIND_FLAG:
        *(OptionFlag *)field = true;
        return true;
    case KIND_TEXT:
        *(OptionText *)field = text;
        return true;
    case KIND_COUNT:
        return options_set_count(p, row, text);
    case KIND_BYTES:
        return options_set_bytes(p, row, text);
    case KIND_REAL:
        return options_set_real(p, row, text);
    case KIND_LIST: {
        OptionList *list = (OptionList *)field;
        vec_push(p->arena, list, text);
        return true;
    }
    }
    return false;
}

static void options_unknown_long(const OptionParser *p, const char *name) {
    const char *candidates[OPTION_ROWS];
    uint32_t n = 0;
    for (uint32_t k = 0; k < OPTION_ROWS; k++)
        if (p->options->command == CMD_NONE ||
            command_takes(p->options->command, option_rows[k].commands))
            candidates[n++] = option_rows[k].long_name;
    const char *near = nearest_name(name, candidates, n);
    fprintf(p->err, "hcc: unknown option '--%s'", name);
    if (near)
        fprintf(p->err, "; did you mean '--%s'?", near);
    fputc('\n', p->err);
}

static bool options_allowed(const OptionParser *p, const OptionRow *row) {
    Command command = p->options->command;
    if (command == CMD_NONE || command_takes(command, row->commands))
        return true;
    fprintf(p->err, "hcc: '%s' does not take --%s\n", command_name(command), row->long_name);
    return false;
}

/* One argument that begins with '-'. `next` moves past the words it used up. */
static bool options_parse_option(OptionParser *p, int *next) {
    const char *word = p->options->argv[*next];
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - (is_long ? 2 : 1);
    const OptionRow *row = NULL;
    for (uint32_t k = 0; k < OPTION_ROWS && !row; k++) {
        const OptionRow *candidate = &option_rows[k];
        if (is_long ? strlen(candidate->long_name) == length &&
                          memcmp(candidate->long_name, word + 2, length) == 0
                    : candidate->short_name == word[1])
            row = candidate;
    }
    (*next)++;
    if (!row) {
        if (is_long)
            options_unknown_long(p, arena_copy_string(p->arena, word + 2, length));
        else
            fprintf(p->err, "hcc: unknown option '%s'\n", word);
        return false;
    }
    if (!options_allowed(p, row))
        return false;
    if (row->kind == KIND_FLAG) {
        if (equals || (!is_long && length > 1)) {
            fprintf(p->err, "hcc: --%s takes no value\n", row->long_name);
            return false;
        }
        return options_set(p, row, NULL);
    }
    const char *value = equals ? equals + 1 : !is_long && length > 1 ? word + 2 : NULL;
    if (!value) {
        if (*next >= p->options->argc) {
            fprintf(p->err, "hcc: --%s needs a value\n", row->long_name);
            return false;
        }
        value = p->options->argv[(*next)++];
    }
    return options_set(p, row, value);
}

static bool options_parse_command(OptionParser *p, const char *word) {
    p->options->command = command_find(word);
    if (p->options->command != CMD_NONE)
        return true;
    const char *near = nearest_name(word, command_names, CMD_COUNT);
    fprintf(p->err, "hcc: unknown command '%s'", word);
    if (near)
        fprintf(p->err, "; did you mean '%s'?", near);
    fputc('\n', p->err);
    return false;
}

static bool options_valid(const OptionParser *p) {
    const Options *o = p->options;
    if (o->color && strcmp(o->color, "auto") != 0 && strcmp(o->color, "always") != 0 &&
        strcmp(o->color, "never") != 0) {
        fprintf(p->err, "hcc: --color is auto, always or never, not '%s'\n", o->color);
        return false;
    }
    if (o->optimise.given && o->optimise.value > 3) {
        fprintf(p->err, "hcc: -O is 0, 1, 2 or 3\n");
        return false;
    }
    if (o->temperature.given && o->temperature.value < 0) {
        fprintf(p->err, "hcc: --temperature is not negative\n");
        return false;
    }
    if (o->threads.given && (o->threads.value == 0 || o->threads.value > 1024)) {
        fprintf(p->err, "hcc: --threads is 1 to 1024\n");
        return false;
    }
    const uint64_t least = o->command == CMD_BENCH; /* training may end where it begins */
    if (o->steps.given && (o->steps.value < least || o->steps.value > UINT32_MAX)) {
        fprintf(p->err, "hcc: --steps is %d to 4294967295\n", (int)least);
        return false;
    }
    for (uint32_t k = 0; k < o->set.count; k++) {
        const char *equals = strchr(o->set.at[k], '=');
        if (!equals || equals == o->set.at[k] || equals[1] == '\0') {
            fprintf(p->err, "hcc: --set takes NAME=VALUE, not '%s'\n", o->set.at[k]);
            return false;
        }
    }
    const char *arguments = command_arguments(o->command);
    if (!o->argument && *arguments != '[') {
        fprintf(p->err, "hcc: '%s' needs %s\n", command_name(o->command), arguments);
        return false;
    }
    return true;
}

static bool options_parse_words(OptionParser *p) {
    Options *o = p->options;
    bool only_arguments = false;
    for (int k = 1; k < o->argc;) {
        const char *word = o->argv[k];
        if (!only_arguments && word[0] == '-' && word[1] != '\0') {
            if (strcmp(word, "--") == 0) {
                only_arguments = true;
                k++;
            } else if (!options_parse_option(p, &k)) {
                return false;
            }
            continue;
        }
        k++;
        if (o->command == CMD_NONE) {
            if (!options_parse_command(p, word))
                return false;
        } else if (!o->argument) {
            o->argument = word;
        } else {
            fprintf(p->err, "hcc: '%s' takes one %s, and '%s' is one too many\n",
                    command_name(o->command), command_arguments(o->command), word);
            return false;
        }
    }
    return true;
}

/* `hcc help`, `hcc help train`, `hcc --version`, `hcc --help=markdown`: before the tables. */
static bool options_special(int argc, const char *const *argv, FILE *out) {
    if (argc < 2)
        return false;
    if (strcmp(argv[1], "--version") == 0) {
#ifdef __SANITIZE_ADDRESS__
        fprintf(out, "hcc %s, sanitized\n", HCC_VERSION);
#else
        fprintf(out, "hcc %s\n", HCC_VERSION);
#endif
        return true;
    }
    if (strcmp(argv[1], "--help=markdown") == 0) {
        help_markdown(out);
        return true;
    }
    if (strcmp(argv[1], "help") != 0)
        return false;
    Command command = argc > 2 ? command_find(argv[2]) : CMD_NONE;
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
    if (options_special(argc, argv, out))
        return OPTIONS_DONE;
    if (argc == 3 && strcmp(argv[1], "help") == 0) {
        fprintf(err, "hcc: unknown command '%s'\n", argv[2]);
        return OPTIONS_BAD;
    }
    OptionParser parser = {options, arena, err};
    bool parsed = options_parse_words(&parser);
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
    if (parsed && options_valid(&parser))
        return OPTIONS_RUN;
    if (options->command == CMD_NONE)
        fprintf(err, "Try 'hcc --help'.\n");
    else
        fprintf(err, "Try 'hcc %s --help'.\n", command_name(options->command));
    return OPTIONS_BAD;
}
