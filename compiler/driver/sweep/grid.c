#include "driver/sweep/grid.h"
#include "base/map.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 10000 };

/* --- values ------------------------------------------------------------------------------------*/

/* Whoever gave the text at hand: "--vary" or a line of a file. */
typedef struct {
    Driver *d;
    SweepGrid *grid;
    const char *from;
} GridReader;

__attribute__((format(printf, 2, 3))) static ExitCode grid_wrong(const GridReader *r,
                                                                 const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(r->d->err, "hcc: %s: ", r->from);
    vfprintf(r->d->err, format, arguments);
    fputc('\n', r->d->err);
    va_end(arguments);
    return EXIT_USAGE;
}

static const char *grid_trim(Arena *arena, const char *text, size_t length) {
    while (length && isspace((unsigned char)text[0])) {
        text++;
        length--;
    }
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    return arena_copy_string(arena, text, length);
}

/* Bytes of the first value: to a comma that stands in no brackets and no quotes, or to the end. */
static size_t grid_value_length(const char *text) {
    int depth = 0;
    bool quoted = false;
    size_t k = 0;
    for (; text[k] && (text[k] != ',' || depth > 0 || quoted); k++) {
        quoted ^= text[k] == '"';
        if (!quoted && strchr("([{", text[k]))
            depth++;
        if (!quoted && strchr(")]}", text[k]))
            depth--;
    }
    return k;
}

static bool grid_has_value(const SweepAxis *axis, const char *value) {
    for (uint32_t k = 0; k < axis->values.count; k++)
        if (strcmp(axis->values.at[k], value) == 0)
            return true;
    return false;
}

static ExitCode grid_values(const GridReader *r, SweepAxis *axis, const char *text) {
    for (bool more = true; more;) {
        const size_t length = grid_value_length(text);
        const char *value = grid_trim(r->d->c->arena, text, length);
        if (!*value)
            return grid_wrong(r, "a value of `%s` is missing", axis->name);
        if (grid_has_value(axis, value))
            return grid_wrong(r, "`%s` has the value `%s` twice", axis->name, value);
        vec_push(r->d->c->arena, &axis->values, value);
        more = text[length] == ',';
        text += length + more;
    }
    return EXIT_OK;
}

static ExitCode grid_seeds(const GridReader *r, const SweepAxis *axis) {
    if (r->grid->seeds.count)
        return grid_wrong(r, "seeds are given twice");
    for (uint32_t k = 0; k < axis->values.count; k++) {
        const char *text = axis->values.at[k];
        errno = 0;
        const unsigned long long seed = strtoull(text, NULL, 10);
        if (text[strspn(text, "0123456789")] || errno)
            return grid_wrong(r, "a seed is a whole number, not `%s`", text);
        for (uint32_t j = 0; j < k; j++)
            if (r->grid->seeds.at[j] == seed)
                return grid_wrong(r, "the seed %llu is given twice", seed);
        vec_push(r->d->c->arena, &r->grid->seeds, seed);
    }
    return EXIT_OK;
}

/* What is the same for all runs cannot vary, too. */
static ExitCode grid_check_name(const GridReader *r, const char *name) {
    const HcRunOptions *o = &r->d->options.run;
    for (uint32_t k = 0; k < r->grid->axes.count; k++)
        if (strcmp(r->grid->axes.at[k].name, name) == 0)
            return grid_wrong(r, "`%s` is varied twice", name);
    for (uint32_t k = 0; k < o->set.count; k++)
        if (strncmp(o->set.at[k], name, strlen(name)) == 0 && o->set.at[k][strlen(name)] == '=')
            return grid_wrong(r, "`%s` is varied, and --set gives it one value", name);
    if (strcmp(name, "train.steps") == 0 && o->steps.given)
        return grid_wrong(r, "`%s` is varied, and --steps gives it one value", name);
    return EXIT_OK;
}

/* NAME=VALUE,VALUE... */
static ExitCode grid_axis(const GridReader *r, const char *text) {
    const char *equals = strchr(text, '=');
    SweepAxis axis = {0};
    if (equals)
        axis.name = grid_trim(r->d->c->arena, text, (size_t)(equals - text));
    if (!equals || !*axis.name)
        return grid_wrong(r, "what varies is NAME=VALUE,VALUE..., not '%s'", text);
    ExitCode code = grid_check_name(r, axis.name);
    if (code == EXIT_OK)
        code = grid_values(r, &axis, equals + 1);
    if (code == EXIT_OK && strcmp(axis.name, "train.seed") == 0)
        return grid_seeds(r, &axis);
    if (code == EXIT_OK)
        vec_push(r->d->c->arena, &r->grid->axes, axis);
    return code;
}

/* --- where they are given ----------------------------------------------------------------------*/

/* Lines as --vary takes them, comments behind `#`. */
static ExitCode grid_file(Driver *d, SweepGrid *grid, const char *path) {
    uint32_t file;
    ExitCode code = driver_read_source(d, path, &file);
    size_t length = 0, all = 0;
    const char *text = code == EXIT_OK ? source_text(d->c->sources, file, &all) : "";
    for (size_t begin = 0, number = 1; begin < all && code == EXIT_OK; begin += length + 1) {
        const char *at = text + begin, *end = memchr(at, '\n', all - begin);
        length = end ? (size_t)(end - at) : all - begin;
        const char *comment = memchr(at, '#', length);
        const char *line = grid_trim(d->c->arena, at, comment ? (size_t)(comment - at) : length);
        const GridReader reader = {d, grid, arena_printf(d->c->arena, "%s:%zu", path, number++)};
        if (*line)
            code = grid_axis(&reader, line);
    }
    return code;
}

static ExitCode grid_count_seeds(Driver *d, SweepGrid *grid) {
    const HcOptionCount seed = d->options.run.seed, seeds = d->options.seeds;
    const GridReader reader = {d, grid, seeds.given ? "--seeds" : "--seed"};
    if (grid->seeds.count && (seeds.given || seed.given))
        return grid_wrong(&reader, "seeds are given twice: `train.seed` is varied");
    for (uint64_t k = 0; !grid->seeds.count || k < (seeds.given ? seeds.value : 0); k++)
        vec_push(d->c->arena, &grid->seeds, (seed.given ? seed.value : 1) + k);
    return EXIT_OK;
}

/* --- the runs ----------------------------------------------------------------------------------*/

/* Names of folders that every shell and file system takes as they are; what had to give way for
 * that is told apart by a hash of all. */
static const char *grid_name(Arena *arena, const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                ".,_+=-";
    enum { LONGEST = 180 };
    const size_t length = strlen(text);
    char *name = arena_copy_string(arena, text, length);
    for (size_t k = 0; k < length; k++)
        if (!strchr(plain, name[k]))
            name[k] = '-';
    if (length <= LONGEST && strcmp(name, text) == 0)
        return name;
    return arena_printf(arena, "%.*s~%08" PRIx32, LONGEST, name,
                        (uint32_t)hash_bytes(text, length, 0));
}

static bool grid_is_constant(const char *name) {
    return strncmp(name, "train.", 6) != 0;
}

/* The `which`-th combination of values. */
static SweepRun grid_run(Arena *arena, const SweepGrid *grid, uint64_t which, uint64_t seed) {
    const char **settings = ARENA_ARRAY(arena, const char *, grid->axes.count + 1),
               **constants = ARENA_ARRAY(arena, const char *, grid->axes.count + 1);
    SweepRun run = {
        .settings = settings, .constants = constants, .n_settings = grid->axes.count, .seed = seed};
    const char *text = "";
    for (uint32_t k = grid->axes.count; k-- > 0;) { /* the last one changes fastest */
        const SweepAxis *axis = &grid->axes.at[k];
        settings[k] =
            arena_printf(arena, "%s=%s", axis->name, axis->values.at[which % axis->values.count]);
        which /= axis->values.count;
    }
    for (uint32_t k = 0; k < grid->axes.count; k++) {
        text = arena_printf(arena, "%s%s,", text, settings[k]);
        if (grid_is_constant(grid->axes.at[k].name))
            constants[run.n_constants++] = settings[k];
    }
    run.name = grid_name(arena, arena_printf(arena, "%sseed=%" PRIu64, text, seed));
    return run;
}

static ExitCode grid_runs(Driver *d, SweepGrid *grid) {
    uint64_t combinations = 1;
    for (uint32_t k = 0; k < grid->axes.count && combinations <= MOST_RUNS; k++)
        combinations *= grid->axes.at[k].values.count;
    if (combinations * grid->seeds.count > MOST_RUNS) {
        fprintf(d->err, "hcc: these are more than %d runs\n", MOST_RUNS);
        return EXIT_USAGE;
    }
    for (uint32_t s = 0; s < grid->seeds.count; s++)
        for (uint64_t k = 0; k < combinations; k++)
            vec_push(d->c->arena, &grid->runs, grid_run(d->c->arena, grid, k, grid->seeds.at[s]));
    return EXIT_OK;
}

ExitCode sweep_grid(Driver *d, SweepGrid *grid) {
    *grid = (SweepGrid){0};
    const GridReader reader = {d, grid, "--vary"};
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < d->options.vary.count && code == EXIT_OK; k++)
        code = grid_axis(&reader, d->options.vary.at[k]);
    if (code == EXIT_OK && d->options.vary_from)
        code = grid_file(d, grid, d->options.vary_from);
    if (code == EXIT_OK)
        code = grid_count_seeds(d, grid);
    return code == EXIT_OK ? grid_runs(d, grid) : code;
}
