/* A model around a connection, for parts that are cut out of it. */
#include "compile/connection.h"
#include <string.h>

const char *const connection_parts[CONNECTION_PARTS] = {"begin", "read", "write", "turn", "end"};

/* As many sites as there need be for one that is followed by another. */
static const char model_text[] =
    "%s\n"
    "/* around a connection: what its branches give is the caller's */\n"
    "branch outside : x[d] -> y[d] { let y[c] = x[c]; }\n"
    "model %s {\n"
    "  const d = 256, sites = 2, blocks = sites, most = 1048576;\n"
    "  positions t <= most;\n"
    "  input x[t, d] : real;\n"
    "  let h = trunk(x) {\n"
    "    repeat blocks { repeat sites / blocks { site = %s%s; } }\n"
    "  };\n"
    "  output h;\n"
    "}\n";

/* `mhc(n = 2)` is called mhc. */
static const char *called(Arena *arena, const char *call) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    call += strspn(call, " ");
    return arena_copy_string(arena, call, strspn(call, letters));
}

const char *connection_text(Arena *arena, const char *call, const char *own) {
    const char *name = called(arena, call);
    return *name ? arena_printf(arena, model_text, own ? own : "use std;", name, call,
                                strchr(call, ':') ? "" : " : outside")
                 : NULL;
}
