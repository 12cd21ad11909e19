/* What was fused and what was not, and why, for people.
 *
 * Kernels between the same two barriers (of one level) could at best be one: it would load what
 * they load from elsewhere once, and store what others need. That is the least they can move; what
 * they do move beyond it is the price of not being one. */
#include "plan/call_lines.h"
#include "plan/cost.h"
#include "plan/plan_internal.h"
#include <inttypes.h>
#include <string.h>

enum { REASONS = 4, REASON_TEXT = CALL_LINES_TEXT + 64 };

typedef struct {
    char text[REASONS][REASON_TEXT];
    uint32_t count, more;
} Reasons;

typedef struct {
    const Plan *plan;
    const TirBlock *block;
    const SourceSet *sources;
    uint32_t *mark; /* by value */
    uint32_t stamp;
} Explain;

static void reason_add(Reasons *reasons, const char *text) {
    for (uint32_t k = 0; k < reasons->count; k++)
        if (strcmp(reasons->text[k], text) == 0)
            return;
    if (reasons->count == REASONS)
        reasons->more++;
    else
        snprintf(reasons->text[reasons->count++], REASON_TEXT, "%s", text);
}

static const char *kind_of_work(WorkKind work) {
    switch (work) {
    case WORK_GEMM:
    case WORK_ACCUMULATE:
        return "the matrix product";
    case WORK_ATTEND:
        return "the attention";
    case WORK_RECUR:
        return "the recurrence";
    case WORK_SEQUENCE:
        return "the scan";
    case WORK_SCATTER:
        return "the scatter";
    case WORK_SUM_INSTANCES:
        return "the sum over positions";
    default:
        return NULL;
    }
}

static const char *each_of(TirDomain d) {
    if (d.space)
        return d.sample ? "position" : "position, for all samples";
    return d.sample ? "sample" : "step";
}

static void reason_place(const Explain *e, char text[REASON_TEXT], const char *what, TirId id) {
    char lines[CALL_LINES_TEXT];
    value_lines(e->plan, id, e->sources, lines);
    snprintf(text, REASON_TEXT, lines[0] ? "%s of %s" : "%s", what, lines);
}

/* What has to end before the group can begin. */
static void reasons_before(const Explain *e, const Group *group, Reasons *reasons) {
    for (uint32_t k = 0; k < group->inputs.count; k++) {
        const TirId id = group->inputs.at[k];
        const Group *from = e->plan->group_of[id];
        const char *work = kind_of_work(e->plan->work[id]);
        char text[REASON_TEXT];
        if (work)
            reason_place(e, text, work, id);
        else if (from && plan_sums_instances(e->block, id))
            reason_place(e, text, "a sum over all positions,", id);
        else if (from && from->level == group->level && from != group)
            snprintf(text, sizeof text, "k%u, which runs once for each %s", from->kernel,
                     each_of(from->domain));
        else
            continue;
        reason_add(reasons, text);
    }
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirId id = group->values.at[k];
        const TirNode *node = tir_node(e->block, id);
        const Group *from = plan_reads_across(node)
                                ? e->plan->group_of[plan_root(e->plan, node->operands[0])]
                                : NULL;
        char text[REASON_TEXT];
        if (!from || from == group || from->backward != group->backward)
            continue;
        reason_place(e, text, "other positions, for the shift", id);
        reason_add(reasons, text);
    }
}

/* Barriers and shifts that read what the group stores: no kernel can go on past them. */
static void reasons_after(const Explain *e, const Group *group, Reasons *reasons) {
    for (TirId id = 1; id < e->block->nodes.count; id++) {
        const TirNode *node = tir_node(e->block, id);
        const Group *by = e->plan->group_of[id];
        const bool across =
            plan_reads_across(node) && by != group && by->backward == group->backward;
        const char *work = across ? "the shift" : kind_of_work(e->plan->work[id]);
        if (!work || node->op == TIR_RESULT)
            continue;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const TirId root = plan_root(e->plan, node->operands[k]);
            if (e->plan->group_of[root] == group) {
                char text[REASON_TEXT];
                reason_place(e, text, work, id);
                reason_add(reasons, text);
                break;
            }
        }
    }
}

/* `W`, 768 x 16. */
static void weights_text(const Explain *e, TirId id, char text[REASON_TEXT]) {
    const TirNode *node = tir_node(e->block, id);
    int n = snprintf(text, REASON_TEXT, "%s", node->name ? "" : "a matrix");
    if (node->name)
        n = snprintf(text, CALL_LINES_TEXT, "`%s`", node->name);
    for (uint32_t k = 0; k < node->type.rank && n < CALL_LINES_TEXT; k++)
        n += snprintf(text + n, REASON_TEXT - (size_t)n, "%s%u", k ? " × " : ", ",
                      node->type.dims[k]);
}

/* Matrices that are too thin for a product of their own: multiplied by at every position, as they
 * lie or in the order that the kernel comes to them. */
static void reasons_thin(const Explain *e, const Group *group, Reasons *reasons) {
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirNode *node = tir_node(e->block, group->values.at[k]);
        if (node->op != TIR_CONTRACT || tir_is_product(e->block, node))
            continue;
        for (uint32_t o = 0; o < node->n_operands; o++) {
            const TirId root = plan_root(e->plan, node->operands[o]);
            const TirNode *from = tir_node(e->block, root);
            if (!tir_domain_equal(from->type.domain, TIR_GLOBAL) || from->type.rank < 2)
                continue;
            const bool turned = from->op == TIR_BROADCAST && e->plan->group_of[root];
            char text[REASON_TEXT];
            weights_text(e, turned ? tir_storage(e->block, from->operands[0]) : root, text);
            const size_t n = strlen(text);
            if (turned)
                snprintf(text + n, sizeof text - n, ", as k%u turns them once a step",
                         e->plan->group_of[root]->kernel);
            else
                snprintf(text + n, sizeof text - n, ", as they lie");
            reason_add(reasons, text);
        }
    }
}

static void print_reasons(const char *label, const Reasons *reasons, FILE *to) {
    for (uint32_t k = 0; k < reasons->count; k++)
        fprintf(to, "      %-9s %s\n", k ? "" : label, reasons->text[k]);
    if (reasons->more)
        fprintf(to, "      %-9s and %u more\n", "", reasons->more);
}

static bool same_stretch(const Group *x, const Group *y) {
    return x->level == y->level && x->backward == y->backward &&
           tir_domain_equal(x->domain, y->domain);
}

/* Bytes a position that one kernel in the place of all of a stretch would move. */
static double least_bytes(Explain *e, const Group *of) {
    double total = 0;
    e->stamp++;
    for (uint32_t g = 0; g < e->plan->groups.count; g++) {
        const Group *group = e->plan->groups.at[g];
        if (!same_stretch(group, of))
            continue;
        for (uint32_t side = 0; side < 2; side++) {
            const TirIdVec *ids = side ? &group->outputs : &group->inputs;
            for (uint32_t k = 0; k < ids->count; k++) {
                const TirId id = ids->at[k];
                const TirType *type = &tir_node(e->block, id)->type;
                const Group *from = e->plan->group_of[id];
                const bool inner = !side && from && same_stretch(from, of);
                if (inner || e->mark[id] == e->stamp || !type->domain.sample || !type->domain.space)
                    continue;
                e->mark[id] = e->stamp;
                total += (double)plan_value_bytes(e->plan, id);
            }
        }
    }
    return total;
}

static uint32_t stretch_kernels(const Plan *plan, const Group *of) {
    uint32_t count = 0;
    for (uint32_t g = 0; g < plan->groups.count; g++)
        count += same_stretch(plan->groups.at[g], of);
    return count;
}

static void print_values(const Explain *e, const Group *group, FILE *to) {
    uint32_t again = 0;
    for (uint32_t k = 0; k < group->values.count; k++)
        again += e->plan->group_of[group->values.at[k]] != group;
    fprintf(to, "      fuses     %u operations", group->values.count);
    if (again)
        fprintf(to, "; %u of them computed again, not loaded", again);
    fprintf(to, "\n");
}

static void print_kernel(Explain *e, const Call *call, uint32_t calls, FILE *to) {
    const Group *group = call->group;
    char lines[CALL_LINES_TEXT];
    call_lines(e->plan, call, e->sources, lines);
    fprintf(to, "  k%u_%s %s, %u %s: %s\n", call->kernel, call->label ? call->label : "",
            group->backward ? "backward" : "forward", calls, calls == 1 ? "call" : "calls",
            lines[0] ? lines : "generated");
    print_values(e, group, to);
    if (group->domain.sample && group->domain.space) {
        const double bytes = plan_call_cost(e->plan, call).bytes.per_position;
        const double least = least_bytes(e, group);
        const uint32_t kernels = stretch_kernels(e->plan, group);
        fprintf(to, "      moves     %.0f bytes a position", bytes);
        if (kernels > 1)
            fprintf(to, "; it and the %u beside it could do with %.0f as one", kernels - 1, least);
        else
            fprintf(to, ", the least that these operations can in one pass");
        fprintf(to, "\n");
    } else {
        fprintf(to, "      runs      once for each %s\n", each_of(group->domain));
    }
    Reasons before = {0}, after = {0}, thin = {0};
    reasons_thin(e, group, &thin);
    print_reasons("weights", &thin, to);
    reasons_before(e, group, &before);
    reasons_after(e, group, &after);
    if (group->goes_on)
        fprintf(to, "      ended     for its size: k%u goes on\n", group->goes_on->kernel);
    print_reasons("after", &before, to);
    print_reasons("before", &after, to);
}

/* What goes from position to position. */
static void print_scan(const Explain *e, const Call *call, FILE *to) {
    const TirNode *node = tir_node(e->block, call->value);
    uint64_t elements = 0, operations = 0;
    for (uint32_t k = 0; k < node->n_results; k++)
        elements += tir_element_count(&node->result_types[k]);
    for (TirId id = 1; id < node->attr.body->nodes.count; id++)
        operations += tir_op_class(tir_node(node->attr.body, id)->op) != TIR_CLASS_LEAF;
    char lines[CALL_LINES_TEXT];
    call_lines(e->plan, call, e->sources, lines);
    fprintf(to,
            "  k%u_%s: %s\n"
            "      fuses     %llu operations, one position after the other\n"
            "      carries   %u states of %llu elements\n",
            call->kernel, call->label, lines[0] ? lines : "generated",
            (unsigned long long)operations, node->n_results, (unsigned long long)elements);
}

void plan_explain(const Plan *plan, const SourceSet *sources, FILE *to) {
    Explain e = {.plan = plan, .block = plan->program->block, .sources = sources};
    e.mark = ARENA_ARRAY(plan->arena, uint32_t, e.block->nodes.count);
    bool *told = ARENA_ARRAY(plan->arena, bool, plan->kernels.count + 1);
    fprintf(to,
            "A kernel ends where a matrix product, attention, a recurrence, a scan, a sum over "
            "positions or a "
            "shift that\ntakes too much to make again needs what it makes, and begins after those "
            "it needs.\nOne of more than %d operations at a position is cut into several of at "
            "most %d.\n\n",
            PLAN_KERNEL_SIZE, PLAN_PART_SIZE);
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        if (call->kind == CALL_SEQUENCE && !told[call->kernel]) {
            told[call->kernel] = true;
            print_scan(&e, call, to);
        }
        if (call->kind != CALL_KERNEL || told[call->kernel])
            continue;
        uint32_t calls = 0;
        told[call->kernel] = true;
        for (uint32_t k = 0; k < plan->calls.count; k++)
            calls +=
                plan->calls.at[k].kind == CALL_KERNEL && plan->calls.at[k].kernel == call->kernel;
        print_kernel(&e, call, calls, to);
    }
    plan_explain_packing(plan, sources, to);
}
