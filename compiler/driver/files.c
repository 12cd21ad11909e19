/* Reading sources, and where hcc lies. */
#include "base/read_text.h"
#include "driver/driver.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder is no source. That of a run is taken by other commands. */
static ExitCode source_is_folder(Driver *d, const char *path) {
    if (access(arena_printf(d->c->arena, "%s/config.json", path), F_OK) == 0)
        driver_error(
            d,
            "'%s' is the folder of a run, not a model\n  help: `hcc train --resume %s` goes on "
            "with it, `hcc eval`, `hcc sample` and `hcc inspect` take it; `hcc %s` takes the .hc "
            "file, and --out names its run",
            path, path, command_name(d->options.command));
    else
        driver_error(d, "cannot read '%s': %s", path, strerror(EISDIR));
    return EXIT_USAGE;
}

ExitCode driver_read_source(Driver *d, const char *path, uint32_t *file) {
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *from = is_stdin ? stdin : fopen(path, "rb");
    struct stat status;
    if (from && !is_stdin && fstat(fileno(from), &status) == 0 && S_ISDIR(status.st_mode)) {
        fclose(from);
        return source_is_folder(d, path);
    }
    if (!from) {
        driver_error(d, "cannot read '%s': %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    const char *text;
    size_t length;
    const ReadResult read = read_text(d->c->arena, from, READ_SOURCE_MOST, &text, &length);
    const int why = errno;
    if (!is_stdin)
        fclose(from);
    if (read == READ_FAILED) {
        driver_error(d, "cannot read '%s': %s", path, strerror(why));
        return EXIT_USAGE;
    }
    if (read == READ_TOO_LONG) {
        driver_error(d, "'%s' is longer than %d MiB", path, READ_SOURCE_MOST / 1024 / 1024);
        return EXIT_SPEC;
    }
    *file = source_add(d->c->sources, is_stdin ? "<stdin>" : path, text, length);
    return EXIT_OK;
}

const char *driver_program_folder(Driver *d) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) { /* no /proc: the name the program was started by */
        const char *started = (const char *)getauxval(AT_EXECFN);
        if (!started || !realpath(started, path))
            return NULL;
        length = (ssize_t)strlen(path);
    }
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    return slash ? arena_copy_string(d->c->arena, path, (size_t)(slash - path)) : NULL;
}
