/* What a network may take: values, instances, steps, elements, entries of tables. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"

/* Ends elaboration: what follows is poison. */
static bool give_up(Sema *s, Span at) {
    if (!s->spent.gave_up)
        sema_error(s, DIAG_SIZE, at, "the network is too large to elaborate");
    s->spent.gave_up = true;
    s->spent.steps = SEMA_MAX_STEPS;
    return false;
}

bool budget_step(Sema *s, Span at) {
    return ++s->spent.steps <= SEMA_MAX_STEPS || give_up(s, at);
}

bool budget_value(Sema *s, Span at) {
    return ++s->spent.values <= SEMA_MAX_VALUES || give_up(s, at);
}

bool budget_instance(Sema *s, Span at) {
    return ++s->spent.instances <= SEMA_MAX_INSTANCES || give_up(s, at);
}

bool budget_descend(Sema *s, Span at) {
    if (s->spent.depth < SEMA_MAX_DEPTH) {
        s->spent.depth++;
        return true;
    }
    if (!s->spent.too_deep)
        sema_error(s, DIAG_NESTING, at, "expressions and calls nest too deeply");
    s->spent.too_deep = true;
    return false;
}

void budget_ascend(Sema *s) {
    s->spent.depth--;
}

bool budget_elements(Sema *s, uint32_t rank, const uint32_t *dims, Span span, uint64_t *count) {
    *count = 1;
    for (uint32_t k = 0; k < rank; k++) {
        *count *= dims[k]; /* both below 2^40 and 2^32: overflow is caught at the next step */
        if (*count > SEMA_MAX_ELEMENTS) {
            s->tried.too_large = true;
            sema_error(s, DIAG_SIZE, span, "a tensor %s would have more than 2^40 elements",
                       dims_text(s, rank, dims));
            return false;
        }
    }
    return true;
}

double *budget_table(Sema *s, uint64_t count, Span span) {
    if (count > NUMERIC_LARGEST) {
        sema_error(s, DIAG_SIZE, span, "a table of %llu entries is too large",
                   (unsigned long long)count);
        return NULL;
    }
    s->spent.table_entries += count;
    if (s->spent.table_entries > NUMERIC_TOTAL) {
        sema_error(s, DIAG_SIZE, span, "the tables of this file have more than %u entries together",
                   NUMERIC_TOTAL);
        return NULL;
    }
    return ARENA_ARRAY(s->arena, double, count);
}

bool budget_frames(Sema *s, const Item *item, Span at) {
    uint32_t n = 0;
    for (const Frame *f = s->frame; f; f = f->outer)
        n++;
    if (n < SEMA_MAX_FRAMES)
        return true;
    sema_error(s, DIAG_NESTING, at, "`%s` is used at the end of %d definitions that use each other",
               item->name.text, SEMA_MAX_FRAMES);
    return false;
}

bool budget_rest_exceeds(Sema *s, Span span, Spent before, uint64_t left, const char *each_is,
                         const char *help) {
    const Spent now = s->spent;
    if (now.decisions != before.decisions) /* another turn may do less */
        return false;
    const uint64_t each[] = {now.values - before.values, now.instances - before.instances,
                             now.steps - before.steps};
    const uint64_t most[] = {SEMA_MAX_VALUES, SEMA_MAX_INSTANCES, SEMA_MAX_STEPS};
    const uint64_t used[] = {now.values, now.instances, now.steps};
    static const char *const what[] = {"values", "instances of definitions", "steps"};
    for (size_t k = 0; k < sizeof each / sizeof *each; k++) {
        if (used[k] > most[k] || each[k] * left <= most[k] - used[k])
            continue;
        sema_error(s, DIAG_SIZE, span,
                   "%llu %s of %llu %s each are too many: a network is written with at most %llu",
                   (unsigned long long)left + 2, each_is, (unsigned long long)each[k], what[k],
                   (unsigned long long)most[k]);
        sema_help(s, "%s", help);
        return true;
    }
    return false;
}
