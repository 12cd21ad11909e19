/* The manifest's part that is the plan: regions, tables, calls, outputs. */
#include "artifact/manifest_plan.h"
#include "artifact/call_profile.h"
#include "plan/call_lines.h"
#include <math.h>

static void add_buffer(JsonText *t, const char *key, const CallBuffer *b) {
    json_text_open(t, key, '[');
    json_text_plain(t, NULL, plan_region_names[b->region]);
    json_text_plain(t, NULL, plan_element_names[b->element]);
    json_text_integer(t, NULL, b->offset);
    if (b->region < REGION_GLOBAL || b->region == REGION_CHUNK)
        json_text_integer(t, NULL, b->index);
    json_text_close(t, ']');
}

static void add_call_buffer(JsonText *t, const char *key, const Call *call, uint32_t k) {
    add_buffer(t, key, &call->buffers.at[k]);
}

/* So many an instance of the domain, which is named; or a number. */
static void add_extent(JsonText *t, const char *key, bool per_instance, const char *domain,
                       uint64_t number) {
    if (per_instance)
        json_text_plain(t, key, domain);
    else
        json_text_integer(t, key, number);
}

static void add_gemm(JsonText *t, const Call *call) {
    const GemmWork *g = &call->gemm;
    const char *domain = plan_domain_name(g->domain);
    json_text_boolean(t, "ta", g->transpose_a);
    json_text_boolean(t, "tb", g->transpose_b);
    add_extent(t, "m", g->m_per_instance, domain, g->m);
    json_text_integer(t, "n", g->n);
    add_extent(t, "k", g->k_per_instance, domain, g->k);
    add_call_buffer(t, "a", call, 0);
    json_text_integer(t, "lda", g->lda);
    add_call_buffer(t, "b", call, 1);
    json_text_integer(t, "ldb", g->ldb);
    add_call_buffer(t, "c", call, 2);
    json_text_integer(t, "ldc", g->ldc);
    json_text_integer(t, "beta", g->accumulate);
    json_text_integer(t, "per_instance", /* several where the operand has free axes */
                      g->m_per_instance   ? g->m
                      : g->k_per_instance ? g->k
                                          : 1);
}

static void add_reduce(JsonText *t, const Call *call) {
    add_call_buffer(t, "partial", call, 0);
    json_text_plain(t, "tasks_of", plan_domain_name(call->domain));
    json_text_integer(t, "elements", call->elements);
    add_call_buffer(t, "to", call, 1);
}

static void add_zero(JsonText *t, const Call *call) {
    add_call_buffer(t, "buffer", call, 0);
    json_text_integer(t, "clears",
                      call->elements * plan_element_bytes(call->buffers.at[0].element));
    json_text_plain(t, "domain", plan_domain_name(call->domain));
}

static void add_scatter(JsonText *t, const Call *call) {
    add_call_buffer(t, "index", call, 0);
    add_call_buffer(t, "values", call, 1);
    json_text_plain(t, "domain", plan_domain_name(call->domain));
    json_text_integer(t, "elements", call->elements);
    json_text_integer(t, "rows", call->rows);
    add_call_buffer(t, "to", call, 2);
    json_text_integer(t, "indices", call->indices);
    json_text_plain(t, "index_domain", plan_domain_name(call->scatter_domains[0]));
    json_text_plain(t, "values_domain", plan_domain_name(call->scatter_domains[1]));
    json_text_plain(t, "to_domain", plan_domain_name(call->scatter_domains[2]));
}

static void add_kernel(JsonText *t, const Call *call) {
    json_text_integer(t, "kernel", call->kernel);
    json_text_plain(t, "domain", plan_domain_name(call->domain));
    json_text_open(t, "buffers", '[');
    for (uint32_t k = 0; k < call->buffers.count; k++)
        add_call_buffer(t, NULL, call, k);
    json_text_close(t, ']');
    json_text_integer(t, "reads", call->n_reads);
    json_text_plain(t, "tasks", call->per_sample ? "samples" : "tiles");
    if (call->per_sample)
        json_text_integer(t, "per_sample", call->per_sample);
}

static void add_call(JsonText *t, const Plan *plan, const Call *call, const SourceSet *sources) {
    json_text_plain(t, "kind", plan_call_names[plan_runs_kernel(call) ? CALL_KERNEL : call->kind]);
    switch (call->kind) {
    case CALL_GEMM:
        add_gemm(t, call);
        break;
    case CALL_REDUCE:
        add_reduce(t, call);
        break;
    case CALL_ZERO:
        add_zero(t, call);
        break;
    case CALL_SCATTER_ADD:
        add_scatter(t, call);
        break;
    default:
        add_kernel(t, call);
    }
    call_profile_add(t, plan, call, sources);
}

static void add_kernels(JsonText *t, const ManifestKernels *kernels) {
    json_text_open(t, "kernels", '[');
    for (uint32_t k = 0; k < kernels->count; k++) {
        json_text_open(t, NULL, '{');
        json_text_string(t, "name", kernels->at[k]->name);
        json_text_integer(t, "scratch", nest_scratch_bytes(kernels->at[k]));
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

/* JSON has no word for what is not finite. */
static void add_entry(JsonText *t, double x) {
    if (isfinite(x))
        json_text_real(t, NULL, x);
    else
        json_text_plain(t, NULL, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
}

static void add_tables(JsonText *t, const Plan *plan) {
    json_text_open(t, "tables", '[');
    for (uint32_t k = 0; k < plan->tables.count; k++) {
        const PlanTable *of = &plan->tables.at[k];
        const TirNode *node = tir_node(plan->program->block, of->value);
        const TirTable *table = &plan->program->tables.at[node->attr.index];
        const uint64_t elements = tir_element_count(&table->type);
        json_text_open(t, NULL, '{');
        add_buffer(t, "buffer", &of->buffer);
        json_text_integer(t, "elements", elements);
        json_text_open(t, "data", '[');
        for (uint64_t i = 0; i < elements; i++)
            add_entry(t, table->data[i]);
        json_text_close(t, ']');
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_output(JsonText *t, const char *key, const Plan *plan, const TirOutput *out) {
    add_buffer(t, key, &plan->buffer[tir_storage(plan->program->block, out->value)]);
}

/* The outputs of some roles as a list of objects. */
static void add_output_list(JsonText *t, const char *key, const Plan *plan, TirOutputRole role,
                            TirOutputRole or_role) {
    const TirProgram *p = plan->program;
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        const TirType *type = &tir_node(p->block, out->value)->type;
        if (out->role != role && out->role != or_role)
            continue;
        json_text_open(t, NULL, '{');
        if (role == TIR_OUT_UPDATE || role == TIR_OUT_PROJECT)
            json_text_integer(t, "param", out->index);
        else if (role == TIR_OUT_INPUT_GRAD)
            json_text_integer(t, "input", out->index);
        else
            json_text_string(t, "name", out->name);
        if (role == TIR_OUT_PROBE || role == TIR_OUT_RESULT) {
            json_text_integers(t, "dims", type->dims, type->rank);
            json_text_plain(t, "domain", plan_domain_name(type->domain));
        }
        if (out->role == TIR_OUT_TERM)
            json_text_boolean(t, "term", true);
        add_output(t, "buffer", plan, out);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_outputs(JsonText *t, const Plan *plan) {
    json_text_open(t, "outputs", '{');
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *out = &plan->program->outputs.at[k];
        if (out->role == TIR_OUT_LOSS || out->role == TIR_OUT_LOGITS)
            add_output(t, out->role == TIR_OUT_LOSS ? "loss" : "logits", plan, out);
        if (out->role == TIR_OUT_LOGITS) {
            const TirType *type = &tir_node(plan->program->block, out->value)->type;
            json_text_integers(t, "logits_dims", type->dims, type->rank);
        }
    }
    add_output_list(t, "metrics", plan, TIR_OUT_METRIC, TIR_OUT_TERM);
    add_output_list(t, "probes", plan, TIR_OUT_PROBE, TIR_OUT_NAMED);
    add_output_list(t, "updates", plan, TIR_OUT_UPDATE, TIR_OUT_UPDATE);
    if (plan->keep.any)
        add_output_list(t, "projects", plan, TIR_OUT_PROJECT, TIR_OUT_PROJECT);
    add_output_list(t, "results", plan, TIR_OUT_RESULT, TIR_OUT_RESULT);
    add_output_list(t, "input_grads", plan, TIR_OUT_INPUT_GRAD, TIR_OUT_INPUT_GRAD);
    json_text_close(t, '}');
}

/* Nothing when every call runs over all positions at once. */
static void add_chunks(JsonText *t, const Plan *plan) {
    const uint32_t *forward = plan->chunks.forward, n = plan->n_forward_calls;
    const uint32_t backward[2] = {plan->chunks.backward[0] - n, plan->chunks.backward[1] - n};
    if (!plan->chunks.positions)
        return;
    json_text_open(t, "chunks", '{');
    json_text_integer(t, "positions", plan->chunks.positions);
    json_text_integers(t, "forward", forward, 2);
    json_text_integers(t, "backward", backward, 2);
    json_text_open(t, "repeated", '[');
    for (uint32_t k = forward[0]; k < forward[1]; k++)
        if (plan->calls.at[k].repeated)
            json_text_integer(t, NULL, k);
    json_text_close(t, ']');
    json_text_close(t, '}');
}

/* Why a position cannot be computed by itself, with the lines that say so. */
static const char *refusal(const Plan *plan, const SourceSet *sources) {
    char lines[CALL_LINES_TEXT] = "";
    if (sources && plan->extend.refused_by)
        value_lines(plan, plan->extend.refused_by, sources, lines);
    if (!lines[0])
        return plan->extend.refused;
    return arena_printf(plan->arena, "%s (%s)", plan->extend.refused, lines);
}

static void add_extending(JsonText *t, const char *key, const Plan *plan, PlanExtends how) {
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < plan->n_forward_calls; k++)
        if (plan->calls.at[k].extends == how)
            json_text_integer(t, NULL, k);
    json_text_close(t, ']');
}

static void add_extend(JsonText *t, const Plan *plan, const SourceSet *sources) {
    json_text_open(t, "extend", '{');
    if (plan->extend.refused) {
        const bool not_utf8 = t->not_utf8; /* so far; a file's name need not be */
        json_text_string(t, "refused", refusal(plan, sources));
        t->not_utf8 = not_utf8;
    } else {
        add_extending(t, "all", plan, EXTENDS_ALL);
        add_extending(t, "last", plan, EXTENDS_LAST);
    }
    json_text_close(t, '}');
}

/* What makes that to which parameters are held, and of it what nothing else needs; nothing where
 * none is held. */
static void add_keep(JsonText *t, const Plan *plan) {
    if (!plan->keep.any)
        return;
    json_text_open(t, "keep", '{');
    for (uint32_t alone = 0; alone < 2; alone++) {
        const bool *of = alone ? plan->keep.alone : plan->keep.makes;
        json_text_open(t, alone ? "alone" : "calls", '[');
        for (uint32_t k = 0; k < plan->n_forward_calls; k++)
            if (of[k])
                json_text_integer(t, NULL, k);
        json_text_close(t, ']');
    }
    json_text_close(t, '}');
}

/* Runs of neighbouring calls: first, end, first, end, ... */
static void add_round(JsonText *t, const PlanRound *round) {
    json_text_open(t, NULL, '[');
    for (uint32_t k = 0; k < round->calls.count; k++) {
        const uint32_t call = round->calls.at[k];
        if (k == 0 || call != round->calls.at[k - 1] + 1)
            json_text_integer(t, NULL, call);
        if (k + 1 == round->calls.count || call + 1 != round->calls.at[k + 1])
            json_text_integer(t, NULL, call + 1);
    }
    json_text_close(t, ']');
}

static void add_sum(JsonText *t, const Plan *plan, const PlanSum *sum) {
    const TirType *type = &tir_node(plan->program->block, plan->slots.at[sum->slot].value)->type;
    json_text_open(t, NULL, '{');
    add_buffer(t, "buffer", &plan->buffer[sum->slot]);
    json_text_integer(t, "elements", tir_element_count(type));
    json_text_integer(t, "round", sum->round);
    json_text_integers(t, "calls", sum->calls.at, sum->calls.count);
    json_text_close(t, '}');
}

static void add_parts(JsonText *t, const Plan *plan) {
    if (plan->rounds.count == 0)
        return; /* it only runs whole */
    json_text_open(t, "parts", '{');
    json_text_open(t, "sums", '[');
    for (uint32_t k = 0; k < plan->sums.count; k++)
        add_sum(t, plan, &plan->sums.at[k]);
    json_text_close(t, ']');
    json_text_open(t, "rounds", '[');
    for (uint32_t k = 0; k < plan->rounds.count; k++)
        add_round(t, &plan->rounds.at[k]);
    json_text_close(t, ']');
    json_text_close(t, '}');
}

/* How products are made that have kernels of their own; nothing where none has. */
static void add_products(JsonText *t, const Plan *plan, const Products *p) {
    if (!p->any)
        return;
    json_text_open(t, "products", '{');
    json_text_integer(t, "kernel", plan->kernels.count + p->packs.count);
    if (p->rounds)
        json_text_boolean(t, "rounds", true);
    if (plan_packs_in_step(plan))
        json_text_boolean(t, "keeps", true);
    json_text_plain(t, "way", machine_product_ways[p->shape.way]);
    json_text_integer(t, "rows", p->shape.rows);
    json_text_integer(t, "columns", p->shape.columns);
    json_text_integer(t, "depth", p->shape.depth);
    json_text_integer(t, "block", p->shape.block);
    json_text_integer(t, "width", p->shape.width);
    json_text_integer(t, "bytes", p->shape.bytes);
    json_text_close(t, '}');
}

static void add_calls(JsonText *t, const char *key, const Plan *plan,
                      const ManifestKernels *kernels, const SourceSet *sources, uint32_t from,
                      uint32_t to) {
    const uint32_t packs = plan->kernels.count, /* the number of the first */
        each = 1 + kernels->products->rounds,
                   directs = packs + kernels->products->packs.count + each;
    json_text_open(t, key, '[');
    for (uint32_t k = from; k < to; k++) {
        const ProductCall *product = &kernels->products->calls[k];
        json_text_open(t, NULL, '{');
        add_call(t, plan, &plan->calls.at[k], sources);
        if (product->runs) {
            json_text_integer(t, "pack_a", packs + product->left);
            json_text_integer(t, "pack_b", packs + product->right);
            if (product->direct != PRODUCT_PACKS)
                json_text_integer(t, "direct", directs + each * product->direct);
        }
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_regions(JsonText *t, const char *key, const uint64_t *bytes) {
    json_text_open(t, key, '{');
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++)
        json_text_integer(t, plan_region_names[region], bytes[region]);
    json_text_close(t, '}');
}

void manifest_plan(JsonText *t, const Plan *plan, const ManifestKernels *kernels,
                   const SourceSet *sources) {
    json_text_open(t, "plan", '{');
    add_regions(t, "regions", plan->region_bytes);
    if (plan_is_called(plan->program))
        add_regions(t, "saved", plan->saved_bytes);
    add_tables(t, plan);
    add_kernels(t, kernels);
    add_products(t, plan, kernels->products);
    add_calls(t, "forward", plan, kernels, sources, 0, plan->n_forward_calls);
    add_calls(t, "backward", plan, kernels, sources, plan->n_forward_calls, plan->calls.count);
    add_outputs(t, plan);
    add_chunks(t, plan);
    add_extend(t, plan, sources);
    add_keep(t, plan);
    add_parts(t, plan);
    json_text_close(t, '}');
}
