#include "plan/call_profile.h"
#include "pass/call_lines.h"
#include "pass/cost.h"

/* Counts are whole, but for the shares of a replay. */
static json_t *count_json(double count) {
    const double exact = 0x1p53;
    return count >= 0 && count < exact && count == (double)(json_int_t)count
               ? json_integer((json_int_t)count)
               : json_real(count);
}

static json_t *cost_json(Cost cost) {
    return json_pack("[o, o, o]", count_json(cost.per_step), count_json(cost.per_sample),
                     count_json(cost.per_position));
}

void call_profile_add(json_t *call_json, const Plan *plan, const Call *call,
                      const SourceSet *sources) {
    const CallCost cost = plan_call_cost(plan, call);
    json_object_set_new(call_json, "operations", cost_json(cost.operations));
    json_object_set_new(call_json, "bytes", cost_json(cost.bytes));
    if (!sources)
        return;
    char text[CALL_LINES_TEXT];
    call_lines(plan, call, sources, text);
    if (text[0])
        json_object_set_new(call_json, "lines", json_string(text));
}
