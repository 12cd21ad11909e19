#include "runtime/app/command_line.h"
#include "abi/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool hc_command_line_wrong(const HcCommandLine *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(l->err, "%s: ", l->program);
    vfprintf(l->err, format, arguments);
    fputc('\n', l->err);
    va_end(arguments);
    return false;
}

/* Likewise, with the nearest of some names: `before` stands before what was meant. */
static bool unknown(const HcCommandLine *l, const char *what, const char *before, const char *name,
                    const char *const *candidates, uint32_t count) {
    const char *near = hc_nearest_name(name, candidates, count);
    return near ? hc_command_line_wrong(l, "unknown %s '%s%s'; did you mean '%s%s'?", what, before,
                                        name, before, near)
                : hc_command_line_wrong(l, "unknown %s '%s%s'", what, before, name);
}

bool hc_command_takes(const char *command, const char *commands) {
    const size_t length = strlen(command);
    for (const char *word = commands; *word;) {
        const size_t size = strcspn(word, " ");
        if (*word == '*' || (size == length && memcmp(word, command, size) == 0))
            return true;
        word += size + (word[size] == ' ');
    }
    return false;
}

uint32_t hc_command_find(const HcCommandLine *l, const char *name) {
    uint32_t k = 0;
    while (k < l->n_commands && strcmp(l->commands[k].name, name) != 0)
        k++;
    return k;
}

size_t hc_command_line_room(const HcCommandLine *l) {
    size_t lists = 1; /* the arguments */
    for (uint32_t k = 0; k < l->n_rows; k++)
        lists += l->rows[k].kind == HC_OPTION_LIST;
    return lists * (size_t)l->argc + 1;
}

void hc_option_text(const HcOptionRow *row, char *text, size_t size) {
    char prefix[8] = "";
    if (row->short_name)
        snprintf(prefix, sizeof prefix, "-%c, ", row->short_name);
    snprintf(text, size, "%s--%s%s%s", prefix, row->long_name, row->value ? " " : "",
             row->value ? row->value : "");
}

/* --- values ------------------------------------------------------------------------------------*/

static bool set_count(const HcCommandLine *l, const HcOptionRow *row, const char *text) {
    HcOptionCount *count = (HcOptionCount *)(void *)((char *)l->options + row->field);
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (text[strspn(text, "0123456789")] != '\0' || *text == '\0' || errno)
        return hc_command_line_wrong(l, "--%s takes a whole number, not '%s'", row->long_name,
                                     text);
    *count = (HcOptionCount){true, value};
    return true;
}

/* 2G, 800M, 1.5GiB: K, M, G, T are powers of 1000, with `i` of 1024. */
static bool set_bytes(const HcCommandLine *l, const HcOptionRow *row, const char *text) {
    HcOptionCount *count = (HcOptionCount *)(void *)((char *)l->options + row->field);
    static const char suffixes[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    const char *suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
    const bool binary = suffix && end[1] == 'i';
    for (const char *s = suffixes; suffix && s <= suffix; s++)
        value *= binary ? 1024 : 1000;
    end += suffix ? 1 + binary : 0;
    end += *end == 'B';
    if (*text < '0' || *text > '9' || *end != '\0' || !(value >= 1 && value < 0x1p62))
        return hc_command_line_wrong(l, "--%s takes a size such as 2G, 800M or 1.5GiB, not '%s'",
                                     row->long_name, text);
    *count = (HcOptionCount){true, (uint64_t)value};
    return true;
}

static bool set_real(const HcCommandLine *l, const HcOptionRow *row, const char *text) {
    HcOptionReal *real = (HcOptionReal *)(void *)((char *)l->options + row->field);
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return hc_command_line_wrong(l, "--%s takes a number, not '%s'", row->long_name, text);
    *real = (HcOptionReal){true, value};
    return true;
}

static bool add_text(HcCommandLine *l, HcOptionList *list, const char *text) {
    if (!list->at) {
        *list = (HcOptionList){l->room, 0, (uint32_t)l->argc};
        l->room += l->argc;
    }
    list->at[list->count++] = text;
    return true;
}

static bool set(HcCommandLine *l, const HcOptionRow *row, const char *text) {
    void *field = (char *)l->options + row->field;
    switch (row->kind) {
    case HC_OPTION_FLAG:
        return *(HcOptionFlag *)field = true;
    case HC_OPTION_TEXT:
        *(HcOptionText *)field = text;
        return true;
    case HC_OPTION_COUNT:
        return set_count(l, row, text);
    case HC_OPTION_BYTES:
        return set_bytes(l, row, text);
    case HC_OPTION_REAL:
        return set_real(l, row, text);
    case HC_OPTION_LIST:
        return add_text(l, field, text);
    }
    return false;
}

/* --- words -------------------------------------------------------------------------------------*/

static bool has_command(const HcCommandLine *l) {
    return l->command < l->n_commands;
}

static bool allowed(const HcCommandLine *l, const HcOptionRow *row) {
    return !has_command(l) || hc_command_takes(l->commands[l->command].name, row->commands);
}

enum { MOST_NAMES = 128 };

static bool unknown_option(const HcCommandLine *l, const char *word, size_t length) {
    const char *candidates[MOST_NAMES];
    char name[HC_NEAREST_LONGEST + 2];
    uint32_t n = 0;
    if (word[1] != '-')
        return hc_command_line_wrong(l, "unknown option '%s'", word);
    for (uint32_t k = 0; k < l->n_rows && n < MOST_NAMES; k++)
        if (allowed(l, &l->rows[k]))
            candidates[n++] = l->rows[k].long_name;
    if (length >= sizeof name)
        return hc_command_line_wrong(l, "unknown option '%.*s'", (int)length + 2, word);
    snprintf(name, sizeof name, "%.*s", (int)length, word + 2);
    return unknown(l, "option", "--", name, candidates, n);
}

static const HcOptionRow *find_row(const HcCommandLine *l, const char *word, size_t length) {
    for (uint32_t k = 0; k < l->n_rows; k++) {
        const HcOptionRow *row = &l->rows[k];
        if (word[1] == '-'
                ? strlen(row->long_name) == length && memcmp(row->long_name, word + 2, length) == 0
                : row->short_name == word[1])
            return row;
    }
    return NULL;
}

/* One argument that begins with '-'. `next` moves past the words it used up. */
static bool parse_option(HcCommandLine *l, int *next) {
    const char *word = l->argv[*next];
    const bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    const size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - (is_long ? 2 : 1);
    const HcOptionRow *row = find_row(l, word, length);
    (*next)++;
    if (!row)
        return unknown_option(l, word, length);
    if (!allowed(l, row))
        return hc_command_line_wrong(l, "'%s' does not take --%s", l->commands[l->command].name,
                                     row->long_name);
    const char *value = equals ? equals + 1 : !is_long && length > 1 ? word + 2 : NULL;
    if (row->kind == HC_OPTION_FLAG)
        return value ? hc_command_line_wrong(l, "--%s takes no value", row->long_name)
                     : set(l, row, NULL);
    if (!value && *next >= l->argc)
        return hc_command_line_wrong(l, "--%s needs a value", row->long_name);
    return set(l, row, value ? value : l->argv[(*next)++]);
}

static bool parse_command(HcCommandLine *l, const char *word) {
    const char *candidates[MOST_NAMES];
    uint32_t n = 0;
    l->command = hc_command_find(l, word);
    for (uint32_t k = 0; k < l->n_commands && n < MOST_NAMES; k++)
        candidates[n++] = l->commands[k].name;
    return has_command(l) || unknown(l, "command", "", word, candidates, n);
}

static bool takes_several(const HcCommandRow *command) {
    return strstr(command->arguments, "...") != NULL;
}

static bool parse_word(HcCommandLine *l, const char *word) {
    if (!has_command(l))
        return parse_command(l, word);
    const HcCommandRow *command = &l->commands[l->command];
    if (!*command->arguments)
        return hc_command_line_wrong(l, "'%s' takes no argument, and '%s' is one", command->name,
                                     word);
    if (l->argument && !takes_several(command))
        return hc_command_line_wrong(l, "'%s' takes one %s, and '%s' is one too many",
                                     command->name, command->arguments, word);
    if (!l->argument)
        l->argument = word;
    return add_text(l, &l->arguments, word);
}

bool hc_command_line_parse(HcCommandLine *l) {
    bool only_words = false;
    l->command = l->n_commands;
    for (int k = 1; k < l->argc;) {
        const char *word = l->argv[k];
        if (only_words || word[0] != '-' || word[1] == '\0') {
            if (!parse_word(l, word))
                return false;
            k++;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
            k++;
        } else if (!parse_option(l, &k)) {
            return false;
        }
    }
    return true;
}

bool hc_command_line_complete(const HcCommandLine *l) {
    const HcCommandRow *command = &l->commands[l->command];
    if (l->argument || !*command->arguments || *command->arguments == '[')
        return true;
    return hc_command_line_wrong(l, "'%s' needs %s", command->name, command->arguments);
}
