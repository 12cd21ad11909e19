/* Broken plans, one or more for every rule of the verifier: each is a good plan with one thing
 * changed, and is refused for that. */
#include "plan_case.h"

#include "machine/limits.h"
#include "plan/group_key.h"
#include "plan/plan_internal.h"

enum { D = 40 };

/* Two layers and a wide head: kernels, products, sums, memory that is used again, and chunks. */
static TirProgram *network(Case *c) {
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = tir_unary(b, TIR_SIN, case_real(c, POSITION, 1, DIMS(D)));
    for (int k = 0; k < 4; k++) {
        TirId up = tir_contract(b, case_real(c, GLOBAL, 2, DIMS(2 * D, D)), x, AXES(0, 1), AXES(1),
                                1, AXES(0), POSITION);
        TirId down =
            tir_contract(b, case_real(c, GLOBAL, 2, DIMS(D, 2 * D)), tir_unary(b, TIR_TANH, up),
                         AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
        x = tir_binary(b, TIR_ADD, x,
                       tir_binary(b, TIR_MUL, down, case_real(c, GLOBAL, 1, DIMS(D))));
    }
    TirId wide = tir_contract(b, case_real(c, GLOBAL, 2, DIMS(CHUNK_ELEMENTS, D)), x, AXES(0, 1),
                              AXES(1), 1, AXES(0), POSITION);
    TirId sum = tir_reduce(b, TIR_REDUCE_SUM, tir_unary(b, TIR_TANH, wide), 1);
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0,
                   tir_position_sum(b, tir_binary(b, TIR_MUL, sum, sum), GLOBAL));
    pass_grad(c->p);
    return pass_dce(pass_canon(pass_dce(c->p)));
}

/* Up to a pass. */
static Plan *planned_as(Case *c, PassId last, bool plain) {
    const CompileOptions options = {.precision = {true, HC_PRECISION_F64}, .plain = plain};
    CompileRun run = case_run(c, network(c), &options);
    case_passed(&run, compile_to(&run, last));
    compile_end(&run);
    assert_null(plan_verify(run.plan));
    return run.plan;
}

static Plan *planned(Case *c, PassId last) {
    return planned_as(c, last, false);
}

static void refused(const Plan *plan, const char *why) {
    const char *wrong = plan_verify(plan);
    if (!wrong || !strstr(wrong, why))
        fail_msg("said '%s', not '%s'", wrong ? wrong : "nothing", why);
}

/* --- groups ------------------------------------------------------------------------------------*/

static Group *large_group(const Plan *plan) {
    for (uint32_t g = 0; g < plan->groups.count; g++)
        if (plan->groups.at[g]->values.count > 2 && plan->groups.at[g]->outputs.count &&
            plan->groups.at[g]->inputs.count)
            return plan->groups.at[g];
    fail_msg("no group is large");
    return NULL;
}

static void test_groups(void **state) {
    Case *c = *state;
    Plan *plan = planned(c, PASS_RECOMPUTE);
    Group *group = large_group(plan);
    const TirId first = group->values.at[0], given = group->outputs.at[0],
                taken = group->inputs.at[0];
    group->values.at[0] = group->values.at[1];
    group->values.at[1] = first;
    refused(plan, "out of order");
    group->values.at[1] = group->values.at[0];
    group->values.at[0] = first;
    group->outputs.at[0] = taken;
    refused(plan, "which it does not hold");
    group->outputs.at[0] = given;
    group->inputs.at[0] = given;
    refused(plan, "which it holds");
    group->inputs.at[0] = taken;
    group->inputs.count--;
    refused(plan, "neither takes nor holds");
    group->inputs.count++;
    plan->group_of[first] = plan->groups.at[group->id ? 0 : 1];
    refused(plan, "computed in no group");
    plan->group_of[first] = group;
    const uint32_t count = group->values.count;
    group->values.count = 0;
    refused(plan, "holds nothing");
    group->values.count = count;
    assert_null(plan_verify(plan));
}

/* --- calls -------------------------------------------------------------------------------------*/

/* The first that reads what an earlier call wrote, and that call. */
static void dependent(const Plan *plan, uint32_t *writer, uint32_t *reader) {
    for (uint32_t r = 1; r < plan->n_forward_calls; r++)
        for (uint32_t w = 0; w < r; w++) {
            const Call *from = &plan->calls.at[w], *to = &plan->calls.at[r];
            for (uint32_t k = from->n_reads; k < from->buffers.count; k++)
                for (uint32_t m = 0; m < to->n_reads; m++)
                    if (from->buffers.at[k].index == to->buffers.at[m].index) {
                        *writer = w;
                        *reader = r;
                        return;
                    }
        }
    fail_msg("no call depends on another");
}

static void swap(Plan *plan, uint32_t a, uint32_t b) {
    const Call call = plan->calls.at[a];
    plan->calls.at[a] = plan->calls.at[b];
    plan->calls.at[b] = call;
}

static void test_calls(void **state) {
    Case *c = *state;
    Plan *plan = planned(c, PASS_CALLS);
    Call *call = &plan->calls.at[0];
    call->kernel += plan->kernels.count;
    refused(plan, "runs kernel");
    call->kernel -= plan->kernels.count;
    for (uint32_t k = 0; k < plan->kernels.count; k++) {
        const uint32_t own = call->kernel;
        call->kernel = k;
        if (k != own)
            refused(plan, "which computes something else");
        call->kernel = own;
    }
    call->n_reads++;
    refused(plan, "buffers and reads");
    call->n_reads--;
    call->buffers.count--;
    refused(plan, "buffers and reads");
    call->buffers.count++;
    const uint32_t index = call->buffers.at[0].index;
    call->buffers.at[0].index = plan->slots.count;
    refused(plan, "of nothing that there is");
    call->buffers.at[0].index = 0;
    refused(plan, "of nothing that there is");
    call->buffers.at[0].index = index;
    uint32_t writer = 0, reader = 0;
    dependent(plan, &writer, &reader);
    swap(plan, writer, reader);
    refused(plan, "is not there");
    swap(plan, writer, reader);
    plan->n_forward_calls += plan->calls.count;
    refused(plan, "are forward");
    plan->n_forward_calls -= plan->calls.count;
    plan->n_forward_calls--; /* the loss is made by the backward pass then */
    refused(plan, "is not there after the forward pass");
    plan->n_forward_calls++;
    plan->calls.count--;
    refused(plan, "is not there in the end");
    plan->calls.count++;
    assert_null(plan_verify(plan));
}

/* --- chunks ------------------------------------------------------------------------------------*/

static void test_chunks(void **state) {
    Case *c = *state;
    Plan *plan = planned(c, PASS_CHUNKS);
    assert_true(plan->chunks.forward[0] < plan->chunks.forward[1]);
    plan->chunks.forward[1] = plan->n_forward_calls + 1;
    refused(plan, "chunks of calls");
    plan->chunks.forward[1] = plan->n_forward_calls;
    const uint32_t positions = plan->chunks.positions;
    plan->chunks.positions = 0;
    refused(plan, "in chunks of 0 positions");
    plan->chunks.positions = positions;
    assert_null(plan_verify(plan));
    for (TirId id = 1; id < plan->program->block->nodes.count; id++)
        if (plan->buffer[id].region == REGION_CHUNK) {
            tir_add_output(plan->program, TIR_OUT_NAMED, "wide", 0, id);
            refused(plan, "is never whole");
            plan->program->outputs.count--;
        }
    assert_null(plan_verify(plan));
}

/* What the walk holds for a chunk is gone when the backward pass comes by itself. */
static void test_repeated(void **state) {
    Case *c = *state;
    Plan *plan = planned(c, PASS_MEMORY);
    uint32_t repeated = 0;
    for (uint32_t k = plan->chunks.forward[0]; k < plan->chunks.forward[1]; k++)
        if (plan->calls.at[k].repeated) {
            plan->calls.at[k].repeated = false;
            refused(plan, "is not there");
            plan->calls.at[k].repeated = true;
            repeated++;
        }
    assert_true(repeated > 0);
}

/* --- memory ------------------------------------------------------------------------------------*/

/* A buffer of positions that the first call writes, everywhere it is used. */
static void move(Plan *plan, uint32_t slot, uint64_t to) {
    for (uint32_t k = 0; k < plan->calls.count; k++)
        for (uint32_t b = 0; b < plan->calls.at[k].buffers.count; b++) {
            CallBuffer *buffer = &plan->calls.at[k].buffers.at[b];
            if (buffer->region == REGION_POSITION && buffer->index == slot)
                buffer->offset = to;
        }
}

static void test_places(void **state) {
    Case *c = *state;
    Plan *plan = planned(c, PASS_MEMORY);
    /* two buffers of positions of one call: both are live there */
    uint32_t slots[2], n = 0;
    uint64_t offsets[2];
    for (uint32_t k = 0; k < plan->calls.count && n < 2; k++) {
        n = 0;
        for (uint32_t b = 0; b < plan->calls.at[k].buffers.count && n < 2; b++) {
            const CallBuffer *buffer = &plan->calls.at[k].buffers.at[b];
            if (buffer->region == REGION_POSITION) {
                slots[n] = buffer->index;
                offsets[n++] = buffer->offset;
            }
        }
    }
    assert_int_equal(n, 2);
    move(plan, slots[1], offsets[0]);
    refused(plan, "call");
    move(plan, slots[1], offsets[0] + 4); /* over a part of it */
    refused(plan, "call");
    move(plan, slots[1], offsets[1] + 1);
    refused(plan, "where none may begin");
    move(plan, slots[1], plan->region_bytes[REGION_POSITION] - 4);
    refused(plan, "of a region of");
    move(plan, slots[1], offsets[1]);
    assert_null(plan_verify(plan));
    plan->region_bytes[REGION_POSITION] /= 2;
    refused(plan, "of a region of");
}

/* Without a gradient memory is used again in the forward pass; layers look back by a position. */
static TirProgram *text_network(Case *c) {
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = tir_unary(b, TIR_SIN, case_real(c, POSITION, 1, DIMS(D)));
    for (int k = 0; k < 4; k++) {
        TirId up = tir_contract(b, case_real(c, GLOBAL, 2, DIMS(D, D)), x, AXES(0, 1), AXES(1), 1,
                                AXES(0), POSITION);
        x = tir_binary(b, TIR_ADD, tir_unary(b, TIR_TANH, x), tir_shift(b, up, 1));
    }
    TirId sum = tir_reduce(b, TIR_REDUCE_SUM, x, 1);
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, tir_position_sum(b, sum, GLOBAL));
    tir_add_output(c->p, TIR_OUT_LOGITS, "logits", 0, x);
    return pass_dce(pass_canon(pass_dce(c->p)));
}

static uint32_t count_kept(const Plan *plan, const bool *kept) {
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < plan->slots.count; slot++)
        n += kept[slot];
    return n;
}

/* What later positions read has memory of its own, and it is found when it has not. */
static void test_kept(void **state) {
    Case *c = *state;
    const CompileOptions options = {.precision = {true, HC_PRECISION_F64}};
    CompileRun run = case_run(c, text_network(c), &options);
    case_passed(&run, compile_to(&run, PASS_EXTEND));
    Plan *plan = run.plan;
    assert_null(plan->extend.refused);
    bool *kept = plan->extend.kept;
    assert_int_equal(count_kept(plan, kept), 4);
    BufferVec *buffers = ARENA_ARRAY(plan->arena, BufferVec, plan->calls.count);
    for (uint32_t k = 0; k < plan->calls.count; k++)
        for (uint32_t b = 0; b < plan->calls.at[k].buffers.count; b++)
            vec_push(plan->arena, &buffers[k], plan->calls.at[k].buffers.at[b]);
    plan_memory(plan);
    assert_null(plan_verify(plan));
    for (uint32_t k = 0; k < plan->calls.count; k++)
        plan->calls.at[k].buffers = buffers[k];
    plan->extend.kept = ARENA_ARRAY(plan->arena, bool, plan->slots.count);
    plan_memory(plan);
    assert_null(plan_verify(plan));
    plan->extend.kept = kept;
    refused(plan, "written over, which is kept");
    compile_end(&run);
}

/* --- types of elements -------------------------------------------------------------------------*/

static const Call *first_of(const Plan *plan, CallKind kind) {
    for (uint32_t k = 0; k < plan->calls.count; k++)
        if (plan->calls.at[k].kind == kind)
            return &plan->calls.at[k];
    fail_msg("the plan has no such call");
    return NULL;
}

/* All that is stored of a slot, as another type; what it was. */
static Element store_as(Plan *plan, uint32_t slot, Element element) {
    const Element before = plan->slots.at[slot].element;
    plan->slots.at[slot].element = element;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        for (uint32_t b = 0; b < plan->calls.at[k].buffers.count; b++) {
            CallBuffer *buffer = &plan->calls.at[k].buffers.at[b];
            if (buffer->region > REGION_INPUT && buffer->region != REGION_PARTIAL &&
                buffer->region != REGION_CHUNK && buffer->index == slot)
                buffer->element = element;
        }
    return before;
}

static void test_elements(void **state) {
    Case *c = *state;
    Plan *plan = planned(c, PASS_CALLS);
    CallBuffer *buffer = &plan->calls.at[0].buffers.at[0];
    const Element element = buffer->element;
    buffer->element = ELEMENT_COUNT;
    refused(plan, "not of the type that it is stored as");
    buffer->element = element == ELEMENT_F64 ? ELEMENT_F32 : ELEMENT_F64;
    refused(plan, "not of the type that it is stored as");
    buffer->element = element;
    assert_null(plan_verify(plan));
    const CallKind mixing[] = {CALL_GEMM, CALL_REDUCE};
    for (uint32_t k = 0; k < 2; k++) {
        const Call *call = first_of(plan, mixing[k]);
        const uint32_t slot = call->buffers.at[call->buffers.count - 1].index;
        const Element before = store_as(plan, slot, ELEMENT_F32);
        refused(plan, "mixes types of elements");
        store_as(plan, slot, before);
        assert_null(plan_verify(plan));
    }
}

/* A slot of positions that kernels alone write and read. */
static uint32_t slot_of_kernels(const Plan *plan) {
    bool *other = calloc(plan->slots.count, sizeof *other);
    uint32_t found = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        for (uint32_t b = 0; b < plan->calls.at[k].buffers.count; b++)
            if (plan->calls.at[k].buffers.at[b].region == REGION_NONE)
                other[plan->calls.at[k].buffers.at[b].index] |=
                    plan->calls.at[k].kind != CALL_KERNEL;
    for (uint32_t k = 0; k < plan->calls.count && !found; k++)
        for (uint32_t b = plan->calls.at[k].n_reads; b < plan->calls.at[k].buffers.count; b++) {
            const CallBuffer *buffer = &plan->calls.at[k].buffers.at[b];
            if (plan->calls.at[k].kind == CALL_KERNEL && buffer->region == REGION_NONE &&
                !other[buffer->index] && plan->buffer[buffer->index].region == REGION_POSITION)
                found = buffer->index;
        }
    free(other);
    assert_true(found > 0);
    return found;
}

/* Slots of one plan may differ in type: each takes the bytes that its own asks for. */
static void test_slots_of_different_types(void **state) {
    Case *c = *state;
    Plan *plan = planned_as(c, PASS_REPLAY, true);
    const uint32_t slot = slot_of_kernels(plan);
    const uint64_t wide = plan_slot_bytes(plan, slot);
    assert_int_equal(store_as(plan, slot, ELEMENT_F32), ELEMENT_F64);
    assert_int_equal(2 * plan_slot_bytes(plan, slot), wide);
    plan_memory(plan);
    assert_null(plan_verify(plan));
    assert_int_equal(plan->buffer[slot].element, ELEMENT_F32);
    for (uint32_t k = 0; k < plan->calls.count; k++)
        for (uint32_t b = 0; b < plan->calls.at[k].buffers.count; b++)
            if (plan->calls.at[k].buffers.at[b].index == slot &&
                plan->calls.at[k].buffers.at[b].region == plan->buffer[slot].region)
                assert_int_equal(plan->calls.at[k].buffers.at[b].element, ELEMENT_F32);
}

/* 0: what the buffer is of is no slot. */
static uint32_t stored_slot(const CallBuffer *buffer) {
    return buffer->region == REGION_NONE ? buffer->index : 0;
}

/* Equal layers share a kernel, but not when one of them stores or finds something otherwise. */
static void test_keys_of_different_types(void **state) {
    Case *c = *state;
    const Plan *plan = planned_as(c, PASS_CALLS, true);
    GroupKeys *keys = group_keys_create(plan);
    uint32_t reads = 0, writes = 0;
    for (uint32_t k = 1; k < plan->calls.count; k++) {
        const Call *call = &plan->calls.at[k], *equal = call - 1;
        while (equal > plan->calls.at &&
               (equal->kind != call->kind || equal->kernel != call->kernel))
            equal--;
        if (call->kind != CALL_KERNEL || equal->kind != call->kind || equal->kernel != call->kernel)
            continue;
        const WideHash key = group_key(keys, equal->group);
        for (uint32_t b = 0; b < call->buffers.count; b++) {
            const uint32_t slot = stored_slot(&call->buffers.at[b]);
            WideHash now = group_key(keys, call->group);
            assert_memory_equal(&now, &key, sizeof key);
            if (!slot)
                continue;
            plan->slots.at[slot].element = ELEMENT_F32;
            now = group_key(keys, call->group);
            assert_memory_not_equal(&now, &key, sizeof key);
            plan->slots.at[slot].element = ELEMENT_F64;
            *(b < call->n_reads ? &reads : &writes) += 1;
        }
    }
    assert_true(reads > 0 && writes > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_calls, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_chunks, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_repeated, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_places, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_kept, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_elements, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_slots_of_different_types, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_keys_of_different_types, case_setup, case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
