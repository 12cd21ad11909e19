/* What a connection asks of its site: `branches`, `branch_inputs`, `takes(v0)`, `gives(v)`. All of
 * it is written where the branches are defined, so it is known before anything of the site is.
 *
 * A connection that is only tried out stands around one branch that takes and gives whatever it is
 * asked for. */
#include "sema/site/trunk.h"

static const Item *branch_item(const SiteUse *use, uint32_t branch) {
    const Value v = use->branches[branch];
    return v.kind == VALUE_CALLABLE ? v.callable->item : NULL; /* NULL: poison */
}

uint32_t asked_branches(const SiteUse *use) {
    return !use ? 0 : use->n_branches ? use->n_branches : 1;
}

uint32_t asked_inputs(const SiteUse *use) {
    uint32_t least = 0;
    for (uint32_t k = 0; use && k < use->n_branches; k++) {
        const Item *item = branch_item(use, k);
        const uint32_t n = item ? item->inputs.count : 0;
        if (n && (!least || n < least))
            least = n;
    }
    return use && !least ? 1 : least;
}

static bool has_input(const Item *item, const char *name) {
    for (uint32_t k = 0; k < item->inputs.count; k++)
        if (item->inputs.at[k].target.name.text == name)
            return true;
    return false;
}

static bool is_given(const BoundArgumentList *given, const char *name) {
    for (uint32_t k = 0; k < given->count; k++)
        if (given->at[k].name.text == name)
            return true;
    return false;
}

bool asked_takes(const SiteUse *use, const char *name) {
    bool takes = use != NULL;
    for (uint32_t k = 0; takes && k < use->n_branches; k++) {
        const Item *item = branch_item(use, k);
        takes = !item || (has_input(item, name) && !is_given(&use->given[k], name));
    }
    return takes;
}

bool asked_gives(const SiteUse *use, const char *name) {
    bool gives = use && use->n_branches == 0;
    for (uint32_t k = 0; use && k < use->n_branches; k++) {
        const Item *item = branch_item(use, k);
        for (uint32_t o = 0; item && o < item->outputs.count; o++)
            gives = gives || item->outputs.at[o].name.text == name;
    }
    return gives;
}
