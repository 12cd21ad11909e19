/* A connection by itself: the text of a model around it. */
#include "driver/connection.h"
#include <string.h>

const char *const connection_parts[CONNECTION_PARTS] = {"begin", "read", "write", "turn", "end"};

/* As many sites as there need be for one that is followed by another. */
enum { SITES = 2 };

static const char model_text[] = "\n/* --connection: what its branches give is the caller's. */\n"
                                 "branch outside : x[d] -> y[d] { let y[c] = x[c]; }\n"
                                 "model %s {\n"
                                 "  const d = 256, sites = %d, blocks = sites;\n"
                                 "  positions t <= 1048576;\n"
                                 "  input x[t, d] : real;\n"
                                 "  let h = trunk(x) {\n"
                                 "    repeat blocks { repeat sites / blocks { site = %s; } }\n"
                                 "  };\n"
                                 "  output h;\n"
                                 "}\n";

/* `mhc(n = 2)` is called mhc. */
static const char *called(Arena *arena, const char *call) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    call += strspn(call, " ");
    return arena_copy_string(arena, call, strspn(call, letters));
}

static ExitCode connection_source(Driver *d, uint32_t *file) {
    Arena *arena = d->c->arena;
    const char *call = d->options.connection, *own = "use std;\n", *path = d->options.argument;
    const char *name = called(arena, call);
    size_t length;
    if (!*name) {
        driver_error(d, "--connection '%s' does not begin with the name of a connection", call);
        return EXIT_USAGE;
    }
    if (path) {
        const ExitCode code = driver_read_source(d, path, file);
        if (code != EXIT_OK)
            return code;
        own = source_text(d->c->sources, *file, &length);
    }
    const char *site = strchr(call, ':') ? call : arena_printf(arena, "%s : outside", call);
    const char *model = arena_printf(arena, model_text, name, SITES, site);
    const char *text = arena_printf(arena, "%s%s", own, model);
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
