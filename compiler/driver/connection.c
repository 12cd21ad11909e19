/* A command's text: of its file, or of a model around a connection. */
#include "driver/connection.h"
#include "compile/connection.h"
#include <string.h>

static ExitCode connection_source(Driver *d, uint32_t *file) {
    Arena *arena = d->c->arena;
    const char *call = d->options.connection, *own = NULL, *path = d->options.argument;
    size_t length;
    if (path) {
        const ExitCode code = driver_read_source(d, path, file);
        if (code != EXIT_OK)
            return code;
        own = source_text(d->c->sources, *file, &length);
    }
    const char *text = connection_text(arena, call, own);
    if (!text) {
        driver_error(d, "--connection '%s' does not begin with the name of a connection", call);
        return EXIT_USAGE;
    }
    *file = source_add(d->c->sources,
                       path ? arena_printf(arena, "%s, --connection %s", path, call)
                            : arena_printf(arena, "--connection %s", call),
                       text, strlen(text));
    return EXIT_OK;
}

ExitCode connection_or_file(Driver *d, uint32_t *file) {
    if (d->options.connection)
        return connection_source(d, file);
    if (d->options.argument)
        return driver_read_source(d, d->options.argument, file);
    driver_error(d, "'%s' needs FILE, or --connection", command_name(d->options.command));
    return EXIT_USAGE;
}
