/* What is told of a site: its definition, what it was given, which of its parts hold, and what the
 * trunk keeps after it. */
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/site/site.h"
#include <string.h>

/* NULL: the site stands in for a definition that nobody uses. */
static SiteInfo *told_info(Site *x) {
    return x->s->trial ? NULL : &x->s->network->sites.at[x->info];
}

void told_use(Site *x) {
    const Callable *connection = x->use->connection;
    SiteInfo *info = told_info(x);
    if (!info)
        return;
    info->stmt = x->site->stmt;
    info->definition = connection->item;
    for (uint32_t k = 0; k < connection->arguments.count; k++) {
        const BoundArgument *a = &connection->arguments.at[k];
        const FormalList *formals = &connection->item->formals;
        const char *name = a->name.text         ? a->name.text
                           : k < formals->count ? formals->at[k].target.name.text
                                                : NULL;
        if (name)
            vec_push(x->s->arena, &info->arguments,
                     (NetworkConstant){name, value_written(x->s, a->value)});
    }
}

void told_text(Site *x) {
    SiteInfo *info = told_info(x);
    if (info)
        vec_push(x->s->arena, &info->texts, x->item);
}

void told_part(Site *x, const Stmt *stmt) {
    SiteInfo *info = told_info(x);
    if (info)
        vec_push(x->s->arena, &info->parts, stmt);
}

void told_states(Site *x) {
    SiteInfo *info = told_info(x);
    for (uint32_t k = 0; info && k < x->trunk->states.count; k++) {
        const StateSlot *slot = &x->trunk->states.at[k];
        StateInfo state = {.name = slot->name, .rank = slot->rank};
        memcpy(state.dims, slot->dims, sizeof state.dims);
        vec_push(x->s->arena, &info->kept, state);
    }
}
