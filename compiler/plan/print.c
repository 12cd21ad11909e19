/* The plan as text: groups with what they load, compute and store, then the calls. */
#include "plan/plan_internal.h"
#include <inttypes.h>

const char *const plan_region_names[REGION_NONE + 1] = {
#define HC_REGION(ident, text) [REGION_##ident] = text,
#include "abi/words.def"
    [REGION_NONE] = "none",
};

const char *const plan_call_names[CALL_KIND_COUNT] = {
#define HC_CALL(ident, text) [CALL_##ident] = text,
#include "abi/words.def"
    [CALL_ATTEND] = "attend",
    [CALL_RECUR] = "recur",
    [CALL_SEQUENCE] = "scan",
    [CALL_SUM_INSTANCES] = "sum_instances",
};

const char *const plan_element_names[ELEMENT_COUNT] = {
#define HC_ELEMENT(ident, text, bytes) [ELEMENT_##ident] = text,
#include "abi/words.def"
};

const char *plan_domain_name(TirDomain d) {
    enum {
#define HC_DOMAIN(ident, text) ident,
#include "abi/words.def"
    };
    static const char *const names[] = {
#define HC_DOMAIN(ident, text) [ident] = text,
#include "abi/words.def"
    };
    if (!d.space)
        return names[d.sample ? SAMPLE : GLOBAL];
    return names[(d.sample ? POSITION : TIME) + (d.space - 1) * HC_WORDS_OF_SPACE];
}

static void print_value(const Plan *plan, TirId id, FILE *to) {
    const TirNode *node = tir_node(plan->program->block, id);
    fprintf(to, "    %%%u = %s", id, tir_op_name(node->op));
    for (uint32_t k = 0; k < node->n_operands; k++)
        fprintf(to, " %%%u", node->operands[k]);
    fprintf(to, " [");
    for (uint32_t k = 0; k < node->type.rank; k++)
        fprintf(to, "%s%u", k ? "," : "", node->type.dims[k]);
    fprintf(to, "]%s%s\n", node->name ? "  " : "", node->name ? node->name : "");
}

static uint64_t instance_bytes(const Plan *plan, const TirIdVec *values, TirDomain domain) {
    uint64_t total = 0;
    for (uint32_t k = 0; k < values->count; k++) {
        const TirType *type = &tir_node(plan->program->block, values->at[k])->type;
        if (tir_domain_equal(type->domain, domain))
            total += plan_value_bytes(plan, values->at[k]);
    }
    return total;
}

static void print_ids(const char *label, const TirIdVec *ids, FILE *to) {
    if (ids->count == 0)
        return;
    fprintf(to, "    %s", label);
    for (uint32_t k = 0; k < ids->count; k++)
        fprintf(to, " %%%u", ids->at[k]);
    fprintf(to, "\n");
}

static void print_group(const Plan *plan, const Group *group, FILE *to) {
    fprintf(to,
            "  group %u level %u %s%s: kernel k%u, loads %" PRIu64 ", stores %" PRIu64
            " bytes per instance\n",
            group->id, group->level, plan_domain_name(group->domain),
            group->backward ? " backward" : "", group->kernel,
            instance_bytes(plan, &group->inputs, group->domain),
            instance_bytes(plan, &group->outputs, group->domain));
    print_ids("loads", &group->inputs, to);
    for (uint32_t k = 0; k < group->values.count; k++) {
        print_value(plan, group->values.at[k], to);
        if (plan->group_of[group->values.at[k]] != group)
            fprintf(to, "        computed again here\n");
    }
    print_ids("stores", &group->outputs, to);
    print_ids("sums", &group->sums, to);
    if (group->goes_on)
        fprintf(to, "    ended for its size, goes on in group %u\n", group->goes_on->id);
}

static void print_chunks(const Plan *plan, uint32_t call, FILE *to) {
    const uint32_t *ranges[] = {plan->chunks.forward, plan->chunks.backward};
    for (uint32_t k = 0; k < 2; k++) {
        if (ranges[k][0] == ranges[k][1])
            continue;
        if (call == ranges[k][0])
            fprintf(to, "  -- by chunks of %u positions\n", plan->chunks.positions);
        else if (call == ranges[k][1])
            fprintf(to, "  -- at once\n");
    }
}

void plan_print_replays(const PlanReplays *replays, const char *indent, FILE *to) {
    if (replays->calls.count == 0)
        return;
    fprintf(to, "%sworkspace %.0f MB instead of %.0f MB, for about %.1f %% more time\n", indent,
            (double)replays->needed / 1e6, (double)replays->stored / 1e6,
            100 * replays->seconds / replays->step_seconds);
    for (uint32_t k = 0; k < replays->calls.count; k++) {
        const PlanReplay *line = &replays->calls.at[k];
        fprintf(to, "%smade again: %u of %u x %s, %.0f MB less kept for %.2f %% more time\n",
                indent, line->again, line->of, line->label, line->bytes / 1e6,
                100 * line->seconds / replays->step_seconds);
    }
}

/* Nothing where a part runs once. */
static void print_rounds(const Plan *plan, FILE *to) {
    for (uint32_t k = 0; k + 1 < plan->rounds.count; k++) {
        fprintf(to, "  -- for each part of a batch first calls");
        for (uint32_t i = 0; i < plan->rounds.at[k].calls.count; i++)
            fprintf(to, " %u", plan->rounds.at[k].calls.at[i]);
        fprintf(to, "\n");
    }
}

void plan_print(const Plan *plan, FILE *to) {
    fprintf(to, "plan {\n");
    plan_print_replays(&plan->replays, "  ", to);
    print_rounds(plan, to);
    for (uint32_t g = 0; g < plan->groups.count; g++)
        print_group(plan, plan->groups.at[g], to);
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        if (c == plan->n_forward_calls)
            fprintf(to, "  -- backward\n");
        print_chunks(plan, c, to);
        fprintf(to, "  %s ", plan_call_names[call->kind]);
        if (call->kind == CALL_KERNEL || call->kind == CALL_SUM_INSTANCES)
            fprintf(to, "k%u_", call->kernel); /* as lowering will name it */
        fprintf(to, "%s %s", call->label ? call->label : "", plan_domain_name(call->domain));
        if (call->kind == CALL_GEMM)
            fprintf(to, " %s%s%" PRIu64 " x %" PRIu64 " x %s%" PRIu64,
                    call->gemm.accumulate ? "add " : "", call->gemm.m_per_instance ? "N*" : "",
                    call->gemm.m, call->gemm.n, call->gemm.k_per_instance ? "N*" : "",
                    call->gemm.k);
        for (uint32_t k = 0; k < call->buffers.count; k++) {
            const CallBuffer *b = &call->buffers.at[k];
            bool indexed = b->region < REGION_GLOBAL;
            fprintf(to, " %s%c%" PRIu64, plan_region_names[b->region], indexed ? '#' : '+',
                    indexed ? b->index : b->offset);
            if (b->element != plan_real(&plan->options))
                fprintf(to, ":%s", plan_element_names[b->element]);
        }
        fprintf(to, "\n");
    }
    fprintf(to, "}\n");
}
