/* Who packs what a matrix product reads, where and how often, for people. Products that are alike
 * but for their place in the network (equal layers) are one. */
#include "plan/call_lines.h"
#include "plan/plan_internal.h"
#include <inttypes.h>
#include <string.h>

enum { OPERAND_TEXT = 192 };

typedef struct {
    char lines[CALL_LINES_TEXT], operands[2][OPERAND_TEXT];
    bool backward, own;
    uint32_t calls;
} PackingLine;

typedef struct {
    const Plan *plan;
    const TirBlock *block;
    VEC(PackingLine) lines;
} Packing;

/* "`u`, which k6 stored as bf16", of the storage of an operand. */
static size_t origin(const Packing *p, const Call *call, uint32_t side, char text[OPERAND_TEXT]) {
    const TirId id = tir_storage(p->block, side ? call->gemm.b : call->gemm.a);
    const TirNode *node = tir_node(p->block, id);
    const char *as = plan_element_names[call->buffers.at[side].element];
    const Group *group = p->plan->group_of[id];
    const char *quote = node->name ? "`" : "";
    const int n =
        snprintf(text, OPERAND_TEXT, "%s%s%s, ", quote, node->name ? node->name : "a value", quote);
    const size_t at = n < OPERAND_TEXT ? (size_t)n : OPERAND_TEXT - 1;
    const char *made = node->op == TIR_PARAM   ? "a parameter"
                       : node->op == TIR_INPUT ? "an input"
                                               : "made by a call";
    const int more =
        group ? snprintf(text + at, OPERAND_TEXT - at, "stored by k%u as %s", group->kernel, as)
              : snprintf(text + at, OPERAND_TEXT - at, "%s in %s", made, as);
    return at + (size_t)more < OPERAND_TEXT ? at + (size_t)more : OPERAND_TEXT - 1;
}

/* Who packs it and when: see runtime/run/product.c and kept.c. */
static const char *packed(const Packing *p, const Call *call, uint32_t index, uint32_t side) {
    const bool narrow = plan_product_takes(p->plan, call) == HC_PRECISION_BF16;
    if (side == 0 && !narrow)
        return ": by each task, the rows that it multiplies";
    if (side == 0 && plan_product_is_direct(p->plan, call))
        return ": not packed, where rows are whole panels";
    if (side == 1 && plan_is_packed_in_step(p->plan, call))
        return ": whole, by the step that writes it";
    if (side == 1 && plan_keeps_packed(p->plan, index))
        return ": whole, once for all chunks of a pass";
    return ": whole, by all threads before they multiply";
}

static void add(Packing *p, const Call *call, uint32_t index, const SourceSet *sources) {
    PackingLine line = {.backward = index >= p->plan->n_forward_calls,
                        .own = plan_product_is_own(p->plan, call),
                        .calls = 1};
    call_lines(p->plan, call, sources, line.lines);
    for (uint32_t side = 0; side < 2 && line.own; side++) {
        char *text = line.operands[side];
        const size_t n = origin(p, call, side, text);
        snprintf(text + n, OPERAND_TEXT - n, "%s", packed(p, call, index, side));
    }
    for (uint32_t k = 0; k < p->lines.count; k++) {
        PackingLine *at = &p->lines.at[k];
        const uint32_t calls = at->calls;
        at->calls = 1;
        const bool same = memcmp(at, &line, sizeof line) == 0;
        at->calls = calls + same;
        if (same)
            return;
    }
    vec_push(p->plan->arena, &p->lines, line);
}

void plan_explain_packing(const Plan *plan, const SourceSet *sources, FILE *to) {
    Packing p = {.plan = plan, .block = plan->program->block};
    for (uint32_t c = 0; c < plan->calls.count; c++)
        if (plan->calls.at[c].kind == CALL_GEMM)
            add(&p, &plan->calls.at[c], c, sources);
    if (p.lines.count == 0)
        return;
    fprintf(to,
            "\nWhat products read is packed, in every call: a pass that follows "
            "hc_parameters_unchanged takes\nparameters as the last one packed them, or the "
            "step after it.%s\n\n",
            plan_packs_in_step(plan) ? " So does training." : "");
    for (uint32_t k = 0; k < p.lines.count; k++) {
        const PackingLine *line = &p.lines.at[k];
        fprintf(to, "  %s, %u %s: %s\n", line->backward ? "backward" : "forward", line->calls,
                line->calls == 1 ? "call" : "calls", line->lines[0] ? line->lines : "generated");
        if (line->own)
            fprintf(to, "      left      %s\n      right     %s\n", line->operands[0],
                    line->operands[1]);
        else
            fprintf(to, "      both      by OpenBLAS\n");
    }
}
