/* Whether what the runtime itself does with a plan stays within its memory, for any number of
 * samples and positions: products, sums, clearing, tables, outputs. What kernels touch only their
 * code knows; that its plan is the one they were compiled for, hc_manifest_seal tells. */
#include "abi/layout.h"
#include "runtime/run/plan.h"

/* So many bytes, of each instance of the domain. */
typedef struct {
    HcDomain domain;
    int64_t bytes;
} Extent;

static int64_t times(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t bytes_of(int64_t elements, HcElement element) {
    return times(elements, hc_element_bytes(element));
}

/* What lies from the buffer's first byte on. */
static Extent room_of(const HcPlan *plan, HcBuffer buffer) {
    if (buffer.region == HC_REGION_INPUT)
        return (Extent){plan->inputs[buffer.index].domain,
                        bytes_of(plan->inputs[buffer.index].count, buffer.element)};
    if (buffer.region == HC_REGION_OUTPUT) {
        const HcGiven given = hc_plan_given(plan, buffer.index);
        return (Extent){given.domain, given.bytes};
    }
    const bool parameter = buffer.region < HC_REGION_INPUT;
    const bool saved = !parameter && buffer.offset < plan->saved_bytes[buffer.region];
    const int64_t all = parameter ? bytes_of(plan->parameters[buffer.index].count, buffer.element)
                        : saved   ? plan->saved_bytes[buffer.region]
                                  : plan->region_bytes[buffer.region];
    return (Extent){hc_region_domain(buffer.region), all - buffer.offset};
}

/* Of positions in time there is a largest number, of samples none; of each there is one at least.
 */
static bool holds(const HcPlan *plan, HcBuffer buffer, Extent need) {
    const Extent room = room_of(plan, buffer);
    if (buffer.region == HC_REGION_PARTIAL)
        return false;
    if (hc_is_within(need.domain, room.domain))
        return need.bytes <= room.bytes;
    if (hc_is_by_position(need.domain) &&
        (!hc_is_by_sample(need.domain) || room.domain == HC_SAMPLE))
        return times(need.bytes, hc_plan_longest(plan, need.domain)) <= room.bytes;
    return false;
}

/* What is not of the workspace is of the type that it was declared with. */
static bool is_as_declared(const HcPlan *plan, HcBuffer buffer) {
    if (buffer.region == HC_REGION_OUTPUT)
        return buffer.element == (buffer.index < plan->n_results
                                      ? hc_plan_result(plan, buffer.index)->buffer.element
                                      : plan->inputs[buffer.index - plan->n_results].element);
    return buffer.region >= HC_REGION_GLOBAL ||
           buffer.element == (buffer.region == HC_REGION_INPUT
                                  ? plan->inputs[buffer.index].element
                                  : plan->parameters[buffer.index].element);
}

static bool is_computed_with(HcElement element) {
    return element == HC_ELEMENT_F32 || element == HC_ELEMENT_F64;
}

/* Numbers that can be added up, one like the other. */
static bool are_real(HcBuffer a, HcBuffer b) {
    return a.element == b.element && is_computed_with(a.element);
}

static bool is_short(HcBuffer buffer) {
    return buffer.element == HC_ELEMENT_F32 || buffer.element == HC_ELEMENT_BF16;
}

/* A model's own kernels take bf16, too, and give it. */
static bool multiplies(bool own, HcBuffer takes, HcBuffer gives) {
    return own ? is_short(takes) && is_short(gives) : takes.element == gives.element;
}

static bool can_write(const HcPlan *plan, HcBuffer buffer, Extent need) {
    return buffer.region != HC_REGION_INPUT && holds(plan, buffer, need);
}

/* --- calls -------------------------------------------------------------------------------------*/

/* A matrix as it lies there, rows of `stride` elements; a size by a domain can only be its rows'.
 */
static bool holds_matrix(const HcPlan *plan, HcBuffer buffer, HcSize rows, HcSize columns,
                         int64_t stride) {
    if (columns.domain > HC_GLOBAL || columns.value > stride)
        return false;
    if (rows.domain <= HC_GLOBAL)
        return buffer.region != HC_REGION_CHUNK &&
               holds(plan, buffer,
                     (Extent){HC_GLOBAL, bytes_of(times(rows.value - 1, stride) + columns.value,
                                                  buffer.element)});
    const Extent need = {(HcDomain)rows.domain,
                         bytes_of(times(rows.value, stride), buffer.element)};
    if (buffer.region == HC_REGION_CHUNK && need.bytes != buffer.index)
        return false;
    return holds(plan, buffer, need);
}

static const char *check_gemm(const HcPlan *plan, const HcCall *call) {
    const HcBuffer *b = &plan->buffers[call->first];
    const bool ta = call->transpose_a, tb = call->transpose_b;
    if (!holds_matrix(plan, b[0], ta ? call->k : call->m, ta ? call->m : call->k, call->lda) ||
        !holds_matrix(plan, b[1], tb ? call->n : call->k, tb ? call->k : call->n, call->ldb) ||
        !holds_matrix(plan, b[2], call->m, call->n, call->ldc) || b[2].region == HC_REGION_INPUT)
        return "a product outside its memory";
    const bool own = call->pack_a >= 0;
    const bool rounds = own && b[2].element == HC_ELEMENT_BF16;
    if (rounds ? !plan->products_round || call->beta != 0
        : own  ? b[2].element != HC_ELEMENT_F32
               : !is_computed_with(b[2].element))
        return "a product of a type that its kernels do not give";
    return multiplies(own, b[0], b[2]) && multiplies(own, b[1], b[2])
               ? NULL
               : "a product of different types";
}

/* What is added up are the tasks' sums, or what lies elsewhere once: a gradient is handed on so. */
static const char *check_reduce(const HcPlan *plan, const HcCall *call) {
    const HcBuffer *b = &plan->buffers[call->first];
    const Extent sum = {HC_GLOBAL, bytes_of(call->elements, b[0].element)};
    const bool held = b[0].region == HC_REGION_PARTIAL
                          ? sum.bytes <= room_of(plan, b[0]).bytes
                          : call->domain == HC_GLOBAL && holds(plan, b[0], sum);
    if (!are_real(b[0], b[1]))
        return "a reduction of different types";
    return held && can_write(plan, b[1], sum) ? NULL : "a reduction outside its memory";
}

/* Of a region of the workspace every unit is cleared, whatever the call's domain. */
static const char *check_zero(const HcPlan *plan, const HcCall *call) {
    const HcBuffer b = plan->buffers[call->first];
    const HcDomain domain = b.region < HC_REGION_GLOBAL ? call->domain : room_of(plan, b).domain;
    return can_write(plan, b, (Extent){domain, call->cleared}) ? NULL
                                                               : "clearing outside its memory";
}

static const char *check_scatter(const HcPlan *plan, const HcCall *call) {
    const HcBuffer *b = &plan->buffers[call->first];
    const HcElement real = b[1].element;
    const Extent index = {call->index_domain, bytes_of(call->indices, b[0].element)},
                 values = {call->values_domain,
                           bytes_of(times(call->indices, call->elements), real)},
                 to = {call->to_domain, bytes_of(times(call->rows, call->elements), real)};
    if (b[0].element != HC_ELEMENT_I32 || !are_real(b[1], b[2]))
        return "a scatter of other types than it adds";
    return holds(plan, b[0], index) && holds(plan, b[1], values) && can_write(plan, b[2], to)
               ? NULL
               : "a scatter outside its memory";
}

static const char *check_call(const HcPlan *plan, const HcCall *call) {
    for (uint32_t k = call->first; k < call->first + call->count; k++)
        if (!is_as_declared(plan, plan->buffers[k]))
            return "a buffer of another type than what lies there";
        else if (plan->buffers[k].region == HC_REGION_OUTPUT &&
                 !hc_plan_is_in_place(plan, plan->buffers[k].index))
            return "a buffer of the caller's memory that is another's";
    switch (call->kind) {
    case HC_CALL_GEMM:
        return check_gemm(plan, call);
    case HC_CALL_REDUCE:
        return check_reduce(plan, call);
    case HC_CALL_ZERO:
        return check_zero(plan, call);
    case HC_CALL_SCATTER_ADD:
        return check_scatter(plan, call);
    default:
        break;
    }
    for (uint32_t k = call->first; k < call->first + call->count; k++) {
        const HcBuffer *b = &plan->buffers[k];
        if (room_of(plan, *b).bytes < 0)
            return "a kernel's buffer outside its memory";
        if (b->region == HC_REGION_OUTPUT && k >= call->first + call->reads &&
            room_of(plan, *b).domain != call->domain)
            return "a kernel's result of another domain";
    }
    return NULL;
}

/* --- outputs -----------------------------------------------------------------------------------*/

/* Of numbers with fractions; those that a caller gives and takes may be short ones. */
static bool may_be_given(const HcPlan *plan, HcElement element) {
    return element == hc_plan_real(plan) ||
           (element == HC_ELEMENT_BF16 && hc_plan_real(plan) == HC_ELEMENT_F32);
}

static const char *check_output(const HcPlan *plan, const HcOutput *output) {
    const HcBuffer b = output->buffer;
    const int64_t elements = hc_output_elements(output);
    const bool result = output >= plan->outputs + plan->first_result &&
                        output < plan->outputs + plan->first_result + plan->n_results;
    if (!(result ? may_be_given(plan, b.element) : b.element == hc_plan_real(plan)) ||
        !is_as_declared(plan, b))
        return "an output of another type than the model's";
    return holds(plan, b, (Extent){room_of(plan, b).domain, bytes_of(elements, b.element)})
               ? NULL
               : "an output outside its memory";
}

/* What is handed out: one for each instance of `domain`, of a value that may be the same for
 * several of them. */
static const char *check_handed_out(const HcPlan *plan, HcBuffer buffer, HcDomain domain,
                                    int64_t elements) {
    const HcDomain of = room_of(plan, buffer).domain;
    if (!may_be_given(plan, buffer.element) || !is_as_declared(plan, buffer))
        return "a result of another type than the model's";
    return hc_is_within(of, domain) &&
                   holds(plan, buffer, (Extent){of, bytes_of(elements, buffer.element)})
               ? NULL
               : "a result outside its memory";
}

static const char *check_result(const HcPlan *plan, const HcOutput *result) {
    return check_handed_out(plan, result->buffer, result->domain, hc_output_elements(result));
}

static const char *check_input(const HcPlan *plan, const HcInputPlan *input) {
    if (input->of_result >= 0) {
        const HcOutput *of = &plan->outputs[plan->first_result + (uint32_t)input->of_result];
        if (input->domain != of->domain || input->count != hc_output_elements(of) ||
            input->element != of->buffer.element)
            return "the gradient of a result of another shape";
    }
    if (input->has_gradient && input->gradient.element != input->element)
        return "a gradient of another type than its input";
    if (!input->integer && !may_be_given(plan, input->element))
        return "an input of another type than the model's";
    return input->has_gradient
               ? check_handed_out(plan, input->gradient, input->domain, input->count)
               : NULL;
}

/* A region holds whole steps of units, of `global` one. */
static const char *check_table(const HcPlan *plan, const HcTablePlan *table) {
    const Extent room = room_of(plan, table->buffer);
    const int64_t units = room.domain == HC_GLOBAL ? 1 : HC_TILE_STEP;
    return (int64_t)table->size <= times(room.bytes, units) ? NULL
                                                            : "a table larger than its region";
}

static const char *check_sum(const HcPlan *plan, const HcSum *sum) {
    const HcBuffer b = sum->buffer;
    const HcDomain domain = hc_region_domain(b.region);
    const bool summed = b.region == HC_REGION_GRADS || b.region == HC_REGION_GLOBAL ||
                        (hc_is_by_position(domain) && !hc_is_by_sample(domain));
    if (!summed || b.element == HC_ELEMENT_I32 || !is_as_declared(plan, b))
        return "a sum over samples where there can be none";
    return holds(plan, b, (Extent){room_of(plan, b).domain, bytes_of(sum->elements, b.element)})
               ? NULL
               : "a sum over samples outside its memory";
}

const char *hc_plan_check(const HcPlan *plan) {
    const char *wrong = NULL;
    for (uint32_t k = 0; k < plan->n_tables && !wrong; k++)
        wrong = check_table(plan, &plan->tables[k]);
    for (uint32_t k = 0; k < plan->n_calls && !wrong; k++)
        wrong = check_call(plan, &plan->calls[k]);
    for (uint32_t k = 0; k < plan->n_sums && !wrong; k++)
        wrong = check_sum(plan, &plan->sums[k]);
    for (uint32_t k = 0; k < plan->n_outputs && !wrong; k++)
        wrong = check_output(plan, &plan->outputs[k]);
    for (uint32_t k = 0; k < plan->n_results && !wrong; k++)
        wrong = check_result(plan, &plan->outputs[plan->first_result + k]);
    for (uint32_t k = 0; k < plan->n_inputs && !wrong; k++)
        wrong = check_input(plan, &plan->inputs[k]);
    return wrong;
}

/* --- samples by themselves ---------------------------------------------------------------------*/

static bool is_of_samples(const HcPlan *plan, HcBuffer buffer) {
    return buffer.region == HC_REGION_CHUNK ||
           (buffer.region != HC_REGION_PARTIAL && hc_is_by_sample(room_of(plan, buffer).domain));
}

/* A call by sample gives to its sample alone, or adds; others see no sample. */
static bool call_runs_apart(const HcPlan *plan, const HcCall *call) {
    const bool by_sample = hc_call_is_by_sample(call);
    const bool adds = call->kind != HC_CALL_KERNEL && call->kind != HC_CALL_ZERO;
    for (uint32_t k = 0; k < call->count; k++) {
        const HcBuffer b = plan->buffers[call->first + k];
        const bool of_samples = is_of_samples(plan, b), partial = b.region == HC_REGION_PARTIAL;
        const bool written = call->kind == HC_CALL_ZERO || k >= call->reads;
        if ((!by_sample && of_samples) || (partial && call->per_sample > 0) ||
            (by_sample && written && !adds && !of_samples && !partial))
            return false;
    }
    return true;
}

bool hc_plan_runs_apart(const HcPlan *plan) {
    bool apart = plan->n_results > 0 && plan->chunks.positions == 0;
    for (uint32_t c = 0; c < plan->n_calls && apart; c++)
        apart = call_runs_apart(plan, &plan->calls[c]);
    return apart;
}
