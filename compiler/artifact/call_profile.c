#include "artifact/call_profile.h"
#include "plan/call_lines.h"
#include "plan/cost.h"

/* Counts are whole, but for the shares of a replay. */
static void add_count(JsonText *t, double count) {
    const double exact = 0x1p53;
    if (count >= 0 && count < exact && count == (double)(uint64_t)count)
        json_text_integer(t, NULL, (uint64_t)count);
    else
        json_text_real(t, NULL, count);
}

static void add_cost(JsonText *t, const char *key, Cost cost) {
    json_text_open(t, key, '[');
    add_count(t, cost.per_step);
    add_count(t, cost.per_sample);
    add_count(t, cost.per_position);
    json_text_close(t, ']');
}

void call_profile_add(JsonText *t, const Plan *plan, const Call *call, const SourceSet *sources) {
    const CallCost cost = plan_call_cost(plan, call);
    add_cost(t, "operations", cost.operations);
    add_cost(t, "bytes", cost.bytes);
    if (!sources)
        return;
    char text[CALL_LINES_TEXT];
    call_lines(plan, call, sources, text);
    const bool not_utf8 = t->not_utf8; /* so far; a file's name need not be */
    if (text[0])
        json_text_string(t, "lines", text);
    t->not_utf8 = not_utf8;
}
