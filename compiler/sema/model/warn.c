/* What is of no use: never read, never written. Said once for a declaration, and only of what holds
 * in all its instances; of the user's file, not the library's. What has no path to the loss:
 * reach.c.
 */
#include "sema/elaboration.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include "sema/usage.h"

static const char *declared_text(DeclaredAs declared) {
    switch (declared) {
    case DECLARED_PARAM:
        return "parameter";
    case DECLARED_STATE:
        return "state";
    case DECLARED_BUFFER:
        return "buffer";
    default:
        return "value";
    }
}

void warn_unused(Sema *s) {
    warn_unreached(s);
    for (uint32_t k = 0; k < map_count(s->usage); k++) {
        const Usage *u = map_value_at(s->usage, k);
        if (!ast_has_file(s->ast, u->span.file))
            continue;
        if (u->declared == DECLARED_STATE && !u->written) {
            sema_warning(s, DIAG_UNWRITTEN, u->span, "the state `%s` is never written", u->name);
            sema_help(s,
                      "no site changes it: write `write %s... = ...`; where it is meant to stay, "
                      "say so with `write %s = %s`",
                      u->name, u->name, u->name);
        } else if (u->declared == DECLARED_STATE && !u->used && u->self_used) {
            sema_warning(s, DIAG_UNUSED, u->span, "the state `%s` is written but never read",
                         u->name);
            sema_help(s, "only its own `write` uses it: read it, or leave it out");
        } else if (u->declared == DECLARED_BUFFER && !u->written) {
            sema_warning(s, DIAG_UNWRITTEN, u->span, "the buffer `%s` is never updated", u->name);
            sema_help(s, "no step changes it: write `update %s... = ...`", u->name);
        } else if (!u->used) {
            sema_warning(s, DIAG_UNUSED, u->span, "the %s `%s` is never used",
                         declared_text(u->declared), u->name);
        }
    }
}
