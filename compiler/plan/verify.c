/* Whether a plan can be run: what is read was written and is still there, what is asked for is
 * there in the end, everything a call names exists, begins where its elements may lie and is of the
 * type that its slot is stored as.
 *
 * The plan is walked as the runtime walks it, chunks as if there were two, with the names of values
 * in the place of numbers: a buffer holds what was written there last. That one rule finds slots
 * that overlap while both are live, reads before their write, and values that a chunk lost. */
#include "abi/layout.h"
#include "plan/plan_internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t from, to;
    uint32_t slot;
} Held;

typedef VEC(Held) HeldVec; /* in order, none over another */

typedef struct {
    const Plan *plan;
    const TirBlock *block;
    Arena *arena;
    HeldVec memory[REGION_NONE]; /* of regions with places */
    bool *written;               /* by slot, while there are no places */
    bool *summed;                /* by parameter: its gradient is there */
    bool *given;                 /* by output of the caller's: it is there */
    const char *wrong;
} Walk;

#define WRONG(w, ...)                                                                              \
    do {                                                                                           \
        if (!(w)->wrong)                                                                           \
            (w)->wrong = arena_printf((w)->plan->arena, __VA_ARGS__);                              \
    } while (0)

static const char *name_of(const Walk *w, uint32_t slot) {
    const TirId value = w->plan->slots.at[slot].value;
    const char *name = tir_node(w->block, value)->name;
    return arena_printf(w->plan->arena, "%%%u%s%s", value, name ? " " : "", name ? name : "");
}

/* --- values of a group -------------------------------------------------------------------------*/

static int by_id(const void *a, const void *b) {
    const TirId x = *(const TirId *)a, y = *(const TirId *)b;
    return (x > y) - (x < y);
}

static const TirId *find(const TirIdVec *values, TirId id) {
    return values->count ? bsearch(&id, values->at, values->count, sizeof id, by_id) : NULL;
}

static bool contains(const TirIdVec *values, TirId id) {
    return find(values, id) != NULL;
}

/* --- what calls name ---------------------------------------------------------------------------*/

/* How many buffers a call of its kind has, and how many of them it only reads. */
static void counts(const Plan *plan, const Call *call, uint32_t *all, uint32_t *reads) {
    static const uint8_t fixed[][2] = {
        [CALL_RECUR] = {3, 2},  [CALL_SUM_INSTANCES] = {2, 1}, [CALL_GEMM] = {3, 2},
        [CALL_REDUCE] = {2, 1}, [CALL_ZERO] = {1, 0},          [CALL_SCATTER_ADD] = {3, 2},
        [CALL_KERNEL] = {0, 0}};
    if (call->kind == CALL_KERNEL) {
        const Group *group = call->group;
        *reads = group->inputs.count;
        *all = *reads + group->outputs.count + group->sums.count;
    } else if (call->kind == CALL_ATTEND || call->kind == CALL_SEQUENCE) {
        const TirNode *node = tir_node(plan->program->block, call->value);
        *reads = node->n_operands;
        *all = *reads + node->n_results;
    } else {
        *all = fixed[call->kind][0];
        *reads = fixed[call->kind][1];
    }
}

/* The value that is made as an output of the caller's. */
static TirId made_as(const Plan *plan, uint32_t output) {
    TirId id = 1;
    while (plan->output[id] != output + 1)
        id++;
    return id;
}

/* What a buffer's slot, or the program, says of its elements; ELEMENT_COUNT: nothing does. */
static Element stored_as(const Walk *w, const CallBuffer *b) {
    const TirProgram *p = w->plan->program;
    const PlanOptions *options = &w->plan->options;
    switch (b->region) {
    case REGION_PARAMS:
    case REGION_GRADS:
        return plan_element(options, &p->params.at[b->index].type);
    case REGION_INPUT:
        return w->plan->input_elements[b->index];
    case REGION_OUTPUT:
        return w->plan->slots.at[made_as(w->plan, b->index)].element;
    case REGION_PARTIAL:
    case REGION_CHUNK:
        return ELEMENT_COUNT;
    default:
        return w->plan->slots.at[b->index].element;
    }
}

/* Whether a product that gives elements of a type takes them of another: its own kernels widen, and
 * round. */
static bool multiplies(bool own, Element takes, Element gives) {
    const bool narrow = takes == ELEMENT_BF16 || gives == ELEMENT_BF16;
    return takes != ELEMENT_I32 && (own && narrow ? takes != ELEMENT_F64 : takes == gives);
}

/* What adds or multiplies elements does it in one type; rows are found by whole numbers. */
static void check_elements(Walk *w, uint32_t c) {
    const Call *call = &w->plan->calls.at[c];
    const CallBuffer *b = call->buffers.at;
    const bool product = call->kind == CALL_GEMM, scatter = call->kind == CALL_SCATTER_ADD;
    for (uint32_t k = 0; k < call->buffers.count && !w->wrong; k++) {
        const Element stored = stored_as(w, &b[k]);
        if (b[k].element >= ELEMENT_COUNT || (stored != ELEMENT_COUNT && b[k].element != stored))
            WRONG(w, "buffer %u of call %u (%s) is not of the type that it is stored as", k, c,
                  call->label);
    }
    if (w->wrong)
        return;
    const bool own = plan_product_is_own(w->plan, call);
    if ((product && (!multiplies(own, b[0].element, b[2].element) ||
                     !multiplies(own, b[1].element, b[2].element))) ||
        (scatter && (b[0].element != ELEMENT_I32 || b[1].element != b[2].element)) ||
        (call->kind == CALL_REDUCE && b[0].element != b[1].element))
        WRONG(w, "call %u (%s) mixes types of elements", c, call->label);
}

/* Values of one text: what a kernel loads may come from elsewhere, what it makes is made alike. */
static bool is_alike(const Walk *w, TirId x, TirId y, bool made) {
    const TirNode *a = tir_node(w->block, x), *b = tir_node(w->block, y);
    const TirDomain of_a = a->type.domain, of_b = b->type.domain;
    return (!made || a->op == b->op) && a->type.elem == b->type.elem &&
           tir_shape_equal(&a->type, &b->type) && of_a.sample == of_b.sample &&
           !of_a.space == !of_b.space;
}

static bool all_alike(const Walk *w, const TirIdVec *x, const TirIdVec *y, bool made) {
    bool alike = x->count == y->count;
    for (uint32_t k = 0; alike && k < x->count; k++)
        alike = is_alike(w, x->at[k], y->at[k], made);
    return alike;
}

/* Whether both give what they compute in the same place. */
static bool give_alike(const Group *x, const Group *y, const TirIdVec *of_x, const TirIdVec *of_y) {
    bool alike = of_x->count == of_y->count;
    for (uint32_t k = 0; alike && k < of_x->count; k++)
        alike = find(&x->values, of_x->at[k]) - x->values.at ==
                find(&y->values, of_y->at[k]) - y->values.at;
    return alike;
}

static bool is_same_kernel(const Walk *w, const Group *x, const Group *y) {
    return x == y ||
           (all_alike(w, &x->inputs, &y->inputs, false) &&
            all_alike(w, &x->values, &y->values, true) &&
            give_alike(x, y, &x->outputs, &y->outputs) && give_alike(x, y, &x->sums, &y->sums));
}

/* A kernel is written from the first call that runs it: all others ask for the same. */
static void check_kernel(Walk *w, uint32_t c) {
    const Call *call = &w->plan->calls.at[c];
    const PlanKernel *kernel = &w->plan->kernels.at[call->kernel];
    const bool same = kernel->kind == call->kind &&
                      (call->kind == CALL_KERNEL ? is_same_kernel(w, call->group, kernel->group)
                                                 : is_alike(w, call->value, kernel->value, true));
    if (!same)
        WRONG(w, "call %u (%s) runs kernel %u, which computes something else", c, call->label,
              call->kernel);
}

/* Of the caller's memory: results, then a gradient for each input. */
static uint32_t count_outputs(const TirProgram *p) {
    uint32_t results = 0;
    for (uint32_t k = 0; k < p->outputs.count; k++)
        results += p->outputs.at[k].role == TIR_OUT_RESULT;
    return results + p->inputs.count;
}

static void check_call(Walk *w, uint32_t c) {
    const Plan *plan = w->plan;
    const Call *call = &plan->calls.at[c];
    uint32_t all, reads;
    counts(plan, call, &all, &reads);
    if (call->buffers.count != all || call->n_reads != reads)
        WRONG(w, "call %u (%s) has %u buffers and reads %u, not %u and %u", c, call->label,
              call->buffers.count, call->n_reads, all, reads);
    if (plan_runs_kernel(call) && call->kernel >= plan->kernels.count)
        WRONG(w, "call %u (%s) runs kernel %u of %u", c, call->label, call->kernel,
              plan->kernels.count);
    for (uint32_t k = 0; k < call->buffers.count; k++) {
        const CallBuffer *b = &call->buffers.at[k];
        const uint32_t most = b->region == REGION_PARAMS || b->region == REGION_GRADS
                                  ? plan->program->params.count
                              : b->region == REGION_INPUT  ? plan->program->inputs.count
                              : b->region == REGION_OUTPUT ? count_outputs(plan->program)
                              : b->region == REGION_CHUNK  ? UINT32_MAX
                                                           : plan->slots.count;
        const bool no_slot = b->index == 0 && b->region >= REGION_GLOBAL &&
                             b->region != REGION_CHUNK; /* of no value */
        if (b->region > REGION_NONE || b->index >= most || no_slot)
            WRONG(w, "buffer %u of call %u (%s) is of nothing that there is", k, c, call->label);
    }
    if (!w->wrong && plan_runs_kernel(call))
        check_kernel(w, c);
    if (!w->wrong)
        check_elements(w, c);
}

static void check_ranges(Walk *w) {
    const Plan *plan = w->plan;
    const uint32_t *f = plan->chunks.forward, *b = plan->chunks.backward;
    const uint32_t forward = plan->n_forward_calls, all = plan->calls.count;
    if (forward > all)
        WRONG(w, "%u calls of %u are forward", forward, all);
    if (f[0] > f[1] || f[1] > forward || b[0] > b[1] || b[1] > all ||
        (b[0] != b[1] && b[0] < forward))
        WRONG(w, "chunks of calls %u to %u and %u to %u, of %u forward and %u", f[0], f[1], b[0],
              b[1], forward, all);
    if ((f[0] != f[1] || b[0] != b[1]) != (plan->chunks.positions > 0))
        WRONG(w, "calls in chunks of %u positions", plan->chunks.positions);
}

/* --- what memory holds -------------------------------------------------------------------------*/

/* The slot that a buffer's values are of. A chunk's buffer says its size instead: its place tells.
 */
static uint32_t slot_of(const CallBuffer *buffer) {
    return buffer->region == REGION_CHUNK ? 0 : buffer->index;
}

static uint64_t size_of(const Walk *w, const CallBuffer *buffer) {
    if (buffer->region == REGION_CHUNK)
        return buffer->index;
    if (buffer->region == REGION_PARTIAL)
        return plan_value_bytes(w->plan, buffer->index);
    return plan_slot_bytes(w->plan, buffer->index);
}

/* The first that ends behind a place. */
static uint32_t first_behind(const HeldVec *memory, uint64_t place) {
    uint32_t low = 0, high = memory->count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (memory->at[middle].to <= place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_leaf(const Walk *w, uint32_t slot) {
    return slot < w->block->nodes.count && plan_is_leaf(tir_node(w->block, slot));
}

static bool holds(const Walk *w, const CallBuffer *b) {
    if (b->region == REGION_NONE)
        return is_leaf(w, b->index) || w->written[b->index];
    if (b->region == REGION_PARAMS || b->region == REGION_INPUT)
        return true;
    if (b->region == REGION_GRADS)
        return w->summed[b->index];
    if (b->region == REGION_OUTPUT)
        return w->given[b->index];
    if (b->region == REGION_GLOBAL && is_leaf(w, b->index))
        return true; /* a table */
    const HeldVec *memory = &w->memory[b->region];
    const uint32_t k = first_behind(memory, b->offset);
    return k < memory->count && memory->at[k].from == b->offset && memory->at[k].slot == slot_of(b);
}

static void hold(Walk *w, const CallBuffer *b) {
    if (b->region == REGION_NONE)
        w->written[b->index] = true;
    if (b->region == REGION_GRADS)
        w->summed[b->index] = true;
    if (b->region == REGION_OUTPUT)
        w->given[b->index] = true;
    if (b->region < REGION_GLOBAL || b->region >= REGION_NONE)
        return;
    HeldVec *memory = &w->memory[b->region];
    const Held new = {b->offset, b->offset + size_of(w, b), slot_of(b)};
    const uint32_t first = first_behind(memory, new.from);
    uint32_t end = first;
    while (end < memory->count && memory->at[end].from < new.to)
        end++;
    if (first == end) { /* over nothing */
        vec_push(w->arena, memory, new);
        end = first + 1;
        memmove(&memory->at[end], &memory->at[first], (memory->count - end) * sizeof *memory->at);
    } else {
        memmove(&memory->at[first + 1], &memory->at[end],
                (memory->count - end) * sizeof *memory->at);
        memory->count -= end - first - 1;
    }
    memory->at[first] = new;
}

static void check_place(Walk *w, uint32_t c, const CallBuffer *b) {
    const Plan *plan = w->plan;
    if (b->region < REGION_GLOBAL || b->region >= REGION_NONE)
        return;
    const bool once = b->region == REGION_GLOBAL || b->region == REGION_PARTIAL;
    if (b->offset + size_of(w, b) > plan->region_bytes[b->region])
        WRONG(w, "call %u (%s) has a buffer at %llu of a region of %llu bytes", c,
              plan->calls.at[c].label, (unsigned long long)b->offset,
              (unsigned long long)plan->region_bytes[b->region]);
    else if ((once ? hc_align(b->offset) : hc_align_unit(b->offset)) != b->offset)
        WRONG(w, "call %u (%s) has a buffer at byte %llu, where none may begin", c,
              plan->calls.at[c].label, (unsigned long long)b->offset);
}

/* Partial sums are named after the sum, also where they are read. */
static CallBuffer named(const Call *call, uint32_t k) {
    CallBuffer b = call->buffers.at[k];
    if (b.region == REGION_PARTIAL && call->kind == CALL_REDUCE)
        b.index = call->value;
    return b;
}

static const char *what_is(const Walk *w, const CallBuffer *b) {
    if (b->region == REGION_CHUNK)
        return "a chunk";
    if (b->region == REGION_GRADS)
        return w->plan->program->params.at[b->index].name;
    if (b->region == REGION_OUTPUT)
        return arena_printf(w->plan->arena, "output %u", b->index);
    return name_of(w, b->index);
}

static void walk_call(Walk *w, uint32_t c) {
    const Call *call = &w->plan->calls.at[c];
    for (uint32_t k = 0; k < call->buffers.count && !w->wrong; k++) {
        const CallBuffer b = named(call, k);
        check_place(w, c, &b);
        if (k >= call->n_reads)
            hold(w, &b);
        else if (!holds(w, &b))
            WRONG(w, "call %u (%s) reads %s, which is not there", c, call->label, what_is(w, &b));
    }
    /* What a call reads must be there after it, too: it writes while it still reads. */
    for (uint32_t k = 0; k < call->n_reads && !w->wrong; k++) {
        const CallBuffer b = named(call, k);
        if (!holds(w, &b))
            WRONG(w, "call %u (%s) writes over %s, which it reads", c, call->label, what_is(w, &b));
    }
}

static void walk_calls(Walk *w, uint32_t first, uint32_t end) {
    for (uint32_t c = first; c < end && !w->wrong; c++)
        walk_call(w, c);
}

/* As hc_exec_run of the runtime does; chunks as if there were two. */
static void walk_pass(Walk *w, bool forward, bool backward) {
    const Plan *plan = w->plan;
    const uint32_t *f = plan->chunks.forward, *b = plan->chunks.backward;
    if (forward)
        walk_calls(w, 0, f[0]);
    if (backward)
        walk_calls(w, plan->n_forward_calls, b[0]);
    for (int chunk = 0; chunk < 2 && plan->chunks.positions; chunk++) {
        w->memory[REGION_CHUNK].count = 0;
        for (uint32_t c = f[0]; c < f[1]; c++)
            if (forward || plan->calls.at[c].repeated)
                walk_calls(w, c, c + 1);
        if (backward)
            walk_calls(w, b[0], b[1]);
    }
    if (forward)
        walk_calls(w, f[1], plan->n_forward_calls);
    if (backward)
        walk_calls(w, b[1], plan->calls.count);
}

/* As hc_exec_extend does: the first positions, then one more. What is kept of the first is there
 * whenever a call of the second comes to it. */
static void walk_extended(Walk *w, bool more) {
    const Plan *plan = w->plan;
    for (uint32_t c = 0; c < plan->n_forward_calls && !w->wrong; c++) {
        const Call *call = &plan->calls.at[c];
        if (!call->extends || (more && !call->domain.space))
            continue;
        for (uint32_t k = 0; more && k < call->buffers.count; k++) {
            const CallBuffer *b = &call->buffers.at[k];
            if (b->region >= REGION_GLOBAL && b->region != REGION_CHUNK &&
                plan->extend.kept[b->index] && !holds(w, b))
                WRONG(w, "call %u (%s) finds %s written over, which is kept", c, call->label,
                      what_is(w, b));
        }
        walk_call(w, c);
    }
}

static bool is_placed(const Plan *plan) {
    for (uint32_t c = 0; c < plan->calls.count; c++)
        for (uint32_t k = 0; k < plan->calls.at[c].buffers.count; k++)
            if (plan->calls.at[c].buffers.at[k].region == REGION_NONE)
                return false;
    return true;
}

/* After the forward pass alone what gradients come with is not asked for. */
static void check_outputs(Walk *w, bool gradients) {
    const TirProgram *p = w->plan->program;
    const bool placed = is_placed(w->plan);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        if (!gradients && tir_comes_with_gradients(p->outputs.at[k].role))
            continue;
        const uint32_t slot = tir_storage(w->block, p->outputs.at[k].value);
        const CallBuffer *at = &w->plan->buffer[slot];
        const CallBuffer unplaced = {.region = REGION_NONE, .index = slot};
        const bool chunked = at->region == REGION_CHUNK;
        if (chunked &&
            p->outputs.at[k].role != TIR_OUT_LOGITS) /* which are made again when asked for */
            WRONG(w, "output %u (%s) is never whole", k, name_of(w, slot));
        if (placed && at->region == REGION_NONE && !is_leaf(w, slot))
            WRONG(w, "output %u (%s) has no place", k, name_of(w, slot));
        else if (!chunked && !holds(w, placed && at->region != REGION_NONE ? at : &unplaced))
            WRONG(w, "output %u (%s) is not there %s", k, name_of(w, slot),
                  gradients ? "in the end" : "after the forward pass");
    }
}

static const char *verify_walk(const Plan *plan, bool together) {
    Walk w = {.plan = plan, .block = plan->program->block};
    w.arena = arena_create_child(plan->arena);
    w.written = ARENA_ARRAY(w.arena, bool, plan->slots.count);
    w.summed = ARENA_ARRAY(w.arena, bool, plan->program->params.count + 1);
    w.given = ARENA_ARRAY(w.arena, bool, count_outputs(plan->program) + 1);
    if (together) {
        walk_pass(&w, true, true);
    } else {
        walk_pass(&w, true, false);
        if (!w.wrong)
            check_outputs(&w, false);
        walk_pass(&w, false, true);
    }
    if (!w.wrong)
        check_outputs(&w, true);
    arena_destroy(w.arena);
    return w.wrong;
}

static const char *verify_extended(const Plan *plan) {
    Walk w = {.plan = plan, .block = plan->program->block};
    if (!plan->extend.kept)
        return NULL;
    w.arena = arena_create_child(plan->arena);
    w.written = ARENA_ARRAY(w.arena, bool, plan->slots.count);
    w.summed = ARENA_ARRAY(w.arena, bool, plan->program->params.count + 1);
    w.given = ARENA_ARRAY(w.arena, bool, count_outputs(plan->program) + 1);
    walk_extended(&w, false);
    walk_extended(&w, true);
    arena_destroy(w.arena);
    return w.wrong;
}

static const char *verify_calls(const Plan *plan) {
    Walk w = {.plan = plan, .block = plan->program->block};
    check_ranges(&w);
    for (uint32_t c = 0; c < plan->calls.count && !w.wrong; c++)
        check_call(&w, c);
    return w.wrong;
}

/* --- groups ------------------------------------------------------------------------------------*/

/* What `id` reads of a group that neither computes nor loads it, though it is stored or computed;
 * 0: nothing. */
static TirId missing_operand(const Plan *plan, const Group *group, TirId id) {
    const TirBlock *block = plan->program->block;
    const TirNode *node = tir_node(block, id);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirId root = plan_root(plan, node->operands[k]);
        const bool made = contains(&group->values, root) &&
                          (node->op == TIR_RESULT || !plan_sums_instances(block, root));
        const bool nowhere =
            plan->work[root] == WORK_NONE && !tir_op_stored(tir_node(block, root)->op);
        if (!made && !nowhere && !contains(&group->inputs, root))
            return root;
    }
    return 0;
}

/* Once it is decided what groups give, it is decided what they take. */
static const char *verify_operands(const Plan *plan) {
    bool decided = false;
    for (uint32_t g = 0; g < plan->groups.count; g++)
        decided |= plan->groups.at[g]->outputs.count || plan->groups.at[g]->sums.count;
    for (uint32_t g = 0; decided && g < plan->groups.count; g++) {
        const Group *group = plan->groups.at[g];
        for (uint32_t k = 0; k < group->values.count; k++) {
            const TirId root = missing_operand(plan, group, group->values.at[k]);
            if (root)
                return arena_printf(
                    plan->arena, "group %u reads %%%u, which it neither takes nor holds", g, root);
        }
    }
    return NULL;
}

static const char *verify_groups(const Plan *plan) {
    const uint32_t count = plan->program->block->nodes.count;
    for (uint32_t g = 0; g < plan->groups.count; g++) {
        const Group *group = plan->groups.at[g];
        if (group->values.count == 0 || group->id != g)
            return arena_printf(plan->arena, "group %u of %u holds nothing, or says it is %u", g,
                                plan->groups.count, group->id);
        const TirIdVec *made[] = {&group->outputs, &group->sums};
        for (uint32_t k = 1; k < group->values.count; k++)
            if (group->values.at[k - 1] >= group->values.at[k])
                return arena_printf(plan->arena, "group %u has its values out of order", g);
        for (int m = 0; m < 2; m++)
            for (uint32_t k = 0; k < made[m]->count; k++)
                if (!contains(&group->values, made[m]->at[k]))
                    return arena_printf(plan->arena, "group %u gives %%%u, which it does not hold",
                                        g, made[m]->at[k]);
        for (uint32_t k = 0; k < group->inputs.count; k++)
            if (contains(&group->values, group->inputs.at[k]))
                return arena_printf(plan->arena, "group %u takes %%%u, which it holds", g,
                                    group->inputs.at[k]);
    }
    for (TirId id = 1; id < count; id++)
        if (plan->work[id] == WORK_LOCAL &&
            (!plan->group_of[id] || !contains(&plan->group_of[id]->values, id)))
            return arena_printf(plan->arena, "%%%u is computed in no group", id);
    return verify_operands(plan);
}

const char *plan_verify(const Plan *plan) {
    const char *wrong = verify_groups(plan);
    if (wrong || plan->calls.count == 0)
        return wrong;
    wrong = verify_calls(plan);
    if (!wrong)
        wrong = verify_walk(plan, true);
    if (!wrong)
        wrong = verify_walk(plan, false);
    return wrong ? wrong : verify_extended(plan);
}
