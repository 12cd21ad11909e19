/* Parsing of command lines by a table of options, for hcc and for built executables: COMMAND
 * [ARGUMENT ...] [OPTION ...]. What is wrong is said in the same words by both. */
#ifndef HC_COMMAND_LINE_H
#define HC_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* FLAG, TEXT, COUNT (a whole number), BYTES (2G), REAL or LIST (may be repeated). */
typedef enum {
    HC_OPTION_FLAG,
    HC_OPTION_TEXT,
    HC_OPTION_COUNT,
    HC_OPTION_BYTES,
    HC_OPTION_REAL,
    HC_OPTION_LIST
} HcOptionKind;

typedef bool HcOptionFlag;
typedef const char *HcOptionText;

typedef struct {
    bool given;
    uint64_t value;
} HcOptionCount;

typedef struct {
    bool given;
    double value;
} HcOptionReal;

typedef struct {
    const char **at;
    uint32_t count, capacity;
} HcOptionList;

#define HC_OPTION_TYPE_FLAG HcOptionFlag
#define HC_OPTION_TYPE_TEXT HcOptionText
#define HC_OPTION_TYPE_COUNT HcOptionCount
#define HC_OPTION_TYPE_BYTES HcOptionCount
#define HC_OPTION_TYPE_REAL HcOptionReal
#define HC_OPTION_TYPE_LIST HcOptionList

typedef struct {
    const char *long_name;
    char short_name;
    HcOptionKind kind;
    const char *value;    /* what the help calls it; NULL: it takes none */
    const char *commands; /* those that take it; "*": all */
    const char *help;
    size_t field; /* of the options */
} HcOptionRow;

typedef struct {
    const char *name;
    const char *arguments; /* "RUN"; "RUN ...": one or more; "": it takes none; "[NAME]": it can do
                              without */
} HcCommandRow;

typedef struct {
    const char *program; /* begins what is said */
    const HcOptionRow *rows;
    uint32_t n_rows;
    const HcCommandRow *commands;
    uint32_t n_commands;
    int argc;
    const char *const *argv;
    const char **room; /* for hc_command_line_room texts */
    FILE *err;
    void *options;          /* zero-initialised; rows are fields of it */
    uint32_t command;       /* found: an index; n_commands: none so far */
    HcOptionList arguments; /* of the command */
    const char *argument;   /* the first of them; NULL: not given */
} HcCommandLine;

/* Says what is wrong, on a line after the program's name; false. */
bool hc_command_line_wrong(const HcCommandLine *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* False, and what is wrong was said. Texts are kept by reference. */
bool hc_command_line_parse(HcCommandLine *line);
/* False, and that the command needs its argument was said. */
bool hc_command_line_complete(const HcCommandLine *line);
/* n_commands: there is none of the name. */
uint32_t hc_command_find(const HcCommandLine *line, const char *name);
bool hc_command_takes(const char *command, const char *commands);
/* How many texts the lists of such a line may hold. */
size_t hc_command_line_room(const HcCommandLine *line);
/* "-o, --out PATH" into `text`. */
void hc_option_text(const HcOptionRow *row, char *text, size_t size);

#endif
