/* Reading sources, writing outputs whole or not at all. */
#include "driver/driver.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024, SOURCE_LIMIT = 16 * 1024 * 1024 };

ExitCode driver_read_source(Driver *d, const char *path, uint32_t *file) {
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *from = is_stdin ? stdin : fopen(path, "rb");
    struct stat status;
    if (from && !is_stdin && fstat(fileno(from), &status) == 0 && S_ISDIR(status.st_mode)) {
        fclose(from);
        errno = EISDIR;
        from = NULL;
    }
    if (!from) {
        driver_error(d, "cannot read '%s': %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    char *text = NULL;
    size_t length = 0, capacity = 0;
    bool bad = false;
    while (!bad) {
        if (length == capacity) {
            text = arena_grow(d->c->arena, text, capacity,
                              capacity + (capacity ? capacity : READ_STEP));
            capacity += capacity ? capacity : READ_STEP;
        }
        size_t got = fread(text + length, 1, capacity - length, from);
        length += got;
        if (got == 0)
            break;
        bad = length > SOURCE_LIMIT;
    }
    bool failed = ferror(from);
    if (!is_stdin)
        fclose(from);
    if (failed) {
        driver_error(d, "cannot read '%s': %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    if (bad) {
        driver_error(d, "'%s' is longer than %d MiB", path, SOURCE_LIMIT / 1024 / 1024);
        return EXIT_SPEC;
    }
    *file = source_add(d->c->sources, is_stdin ? "<stdin>" : path, text, length);
    return EXIT_OK;
}

ExitCode output_open(Driver *d, const char *path, OutputFile *output) {
    if (!path || strcmp(path, "-") == 0) {
        *output = (OutputFile){.to = d->out};
        return EXIT_OK;
    }
    *output = (OutputFile){.path = path};
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        output->to = fopen(path, "wb"); /* a device or a pipe: it must stay what it is */
        if (output->to)
            return EXIT_OK;
        driver_error(d, "cannot write '%s': %s", path, strerror(errno));
        return EXIT_RESOURCE;
    }
    char *temporary = arena_printf(d->c->arena, "%s.XXXXXX", path);
    int descriptor = mkstemp(temporary);
    if (descriptor >= 0) {
        mode_t mask = umask(0);
        umask(mask);
        fchmod(descriptor, 0666 & ~mask);
        output->to = fdopen(descriptor, "wb");
    }
    if (!output->to) {
        driver_error(d, "cannot write '%s': %s", path, strerror(errno));
        if (descriptor >= 0) {
            close(descriptor);
            unlink(temporary);
        }
        return EXIT_RESOURCE;
    }
    output->temporary = temporary;
    return EXIT_OK;
}

void output_discard(OutputFile *output) {
    if (!output->path)
        return;
    fclose(output->to);
    if (output->temporary)
        unlink(output->temporary);
    *output = (OutputFile){0};
}

ExitCode output_finish(Driver *d, OutputFile *output) {
    if (!output->path)
        return EXIT_OK;
    bool failed = ferror(output->to);
    failed = fclose(output->to) != 0 || failed;
    if (failed || (output->temporary && rename(output->temporary, output->path) != 0)) {
        driver_error(d, "cannot write '%s': %s", output->path, strerror(errno));
        if (output->temporary)
            unlink(output->temporary);
        return EXIT_RESOURCE;
    }
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
