/* Split: a kernel that would grow too large becomes several, one after the other.
 *
 * Requires: groups of one level and domain, their values ascending. Maintains: what is computed,
 * and that no group waits for a later one: the parts of a group run in the order of their values.
 * Changes plan->groups and group_of.
 *
 * A kernel is written out: a narrow network's elements are registers, and a hundred of its blocks
 * without a barrier between them would be one kernel with every number of every block in it. No
 * compiler takes such code in linear time, and blocks that are equal are not equal any more within
 * it. So a group of more than PLAN_KERNEL_SIZE operations is cut: a part ends at PLAN_PART_SIZE, or
 * up to half of that before, where the fewest elements go on living. Between equal blocks that is
 * the same place in each, and their parts are one kernel.
 *
 *     40 blocks of 600 operations     one kernel of 24000   →   13 calls of one of 1800, and a rest
 */
#include "plan/plan_internal.h"
#include <stdlib.h>

typedef struct {
    TirId id;
    TirId after;    /* what it belongs behind: a loop's result, its loop; else itself */
    uint64_t size;  /* operations, of all before as well */
    int64_t living; /* elements that are made before it, and read by it or later */
} Step;

/* --- sizes -------------------------------------------------------------------------------------*/

/* Terms of each result that are written out; long sums are loops. */
static uint64_t written_terms(const TirBlock *block, const TirNode *node) {
    const TirOpClass class = tir_op_class(node->op);
    uint64_t terms = 1;
    if (class == TIR_CLASS_REDUCE) {
        const uint64_t of = tir_element_count(&tir_node(block, node->operands[0])->type);
        terms = of / (tir_element_count(&node->type) ? tir_element_count(&node->type) : 1);
    } else if (class == TIR_CLASS_CONTRACT) {
        const TirType *type = &tir_node(block, node->operands[0])->type;
        for (uint32_t k = 0; k < type->rank; k++) /* what is summed stands on both sides */
            terms *= node->attr.labels[0][k] < node->type.rank ? 1 : type->dims[k];
    }
    return terms > 0 && terms <= UNROLL_REDUCE ? terms : 1;
}

/* Elements that are written out: features in lanes are one, and so are those of a loop. */
static uint64_t written_elements(const TirType *type) {
    const uint64_t elements = tir_element_count(type);
    const uint32_t last = type->rank ? type->dims[type->rank - 1] : 1;
    if (last >= WIDE_EXTENT)
        return elements / last <= UNROLL_LEADING ? elements / last : 1;
    return elements <= UNROLL_LANE ? elements : 1;
}

/* Both; of a small value with more terms than are written out, those of one element, in a loop. */
static uint64_t written(const TirBlock *block, const TirNode *node) {
    const TirType *type = &node->type;
    const uint64_t terms = written_terms(block, node), elements = written_elements(type);
    const bool wide = type->rank && type->dims[type->rank - 1] >= WIDE_EXTENT;
    return !wide && terms > 1 && elements * terms > UNROLL_TERMS ? terms : elements * terms;
}

static uint64_t block_size(const TirBlock *block) {
    uint64_t size = 0;
    for (TirId id = 1; id < block->nodes.count; id++) { /* all of it in registers */
        const TirNode *node = tir_node(block, id);
        if (node->type.elem != TIR_TUPLE && tir_op_class(node->op) != TIR_CLASS_LEAF)
            size += tir_element_count(&node->type) * written_terms(block, node);
    }
    return size;
}

/* Operations at a position that computing a value once takes, written out. */
static uint64_t value_size(const TirBlock *block, TirId id) {
    const TirNode *node = tir_node(block, id);
    if (node->op == TIR_SCAN)
        return block_size(node->attr.body);
    if (node->op == TIR_RESULT || node->type.elem == TIR_TUPLE)
        return 0;
    return written(block, node);
}

/* --- where to cut ------------------------------------------------------------------------------*/

static int compare_steps(const void *a, const void *b) {
    const Step *x = a, *y = b;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A value lives from its place to its last use. `at`: by value, its place. */
static void count_living(const Plan *plan, const Group *group, Step *steps, const uint32_t *at) {
    const TirBlock *block = plan->program->block;
    const uint32_t n = group->values.count;
    uint32_t *last = ARENA_ARRAY(plan->arena, uint32_t, n);
    for (uint32_t k = 0; k < n; k++) {
        const TirNode *node = tir_node(block, steps[k].id);
        for (uint32_t o = 0; o < node->n_operands; o++) {
            const TirId root = plan_root(plan, node->operands[o]);
            if (plan->group_of[root] == group)
                last[at[root]] = k;
        }
    }
    for (uint32_t k = 0; k < n; k++) {
        const TirType *type = &tir_node(block, steps[k].id)->type;
        const uint64_t elements = type->elem == TIR_TUPLE ? 0 : tir_element_count(type);
        if (last[k] > k) {
            steps[k + 1].living += (int64_t)elements;
            steps[last[k] + 1].living -= (int64_t)elements;
        }
    }
    for (uint32_t k = 1; k < n; k++)
        steps[k].living += steps[k - 1].living;
}

/* The group's values in the order of computation. */
static Step *steps_of(const Plan *plan, const Group *group, uint32_t *at) {
    const TirBlock *block = plan->program->block;
    const uint32_t n = group->values.count;
    Step *steps = ARENA_ARRAY(plan->arena, Step, n + 1);
    for (uint32_t k = 0; k < n; k++) {
        const TirId id = group->values.at[k];
        const TirNode *node = tir_node(block, id);
        steps[k] = (Step){.id = id, .after = node->op == TIR_RESULT ? node->operands[0] : id};
    }
    qsort(steps, n, sizeof *steps, compare_steps);
    for (uint32_t k = 0; k < n; k++) {
        at[steps[k].id] = k;
        steps[k].size = value_size(block, steps[k].id) + (k ? steps[k - 1].size : 0);
    }
    count_living(plan, group, steps, at);
    return steps;
}

/* The end of the part that begins at `begin`. */
static uint32_t part_end(const Step *steps, uint32_t n, uint32_t begin) {
    const uint64_t before = begin ? steps[begin - 1].size : 0;
    if (steps[n - 1].size - before <= PLAN_PART_SIZE)
        return n;
    uint32_t best = 0;
    for (uint32_t k = begin + 1; k < n; k++) {
        const uint64_t size = steps[k - 1].size - before;
        if (size > PLAN_PART_SIZE && best)
            break;
        if (steps[k].id != steps[k].after) /* a loop stays with its results */
            continue;
        if (!best || steps[best - 1].size - before < PLAN_PART_SIZE / 2 ||
            steps[k].living <= steps[best].living)
            best = k;
    }
    return best ? best : n;
}

/* --- parts -------------------------------------------------------------------------------------*/

static int compare_ids(const void *a, const void *b) {
    const TirId x = *(const TirId *)a, y = *(const TirId *)b;
    return x < y ? -1 : x > y;
}

/* Cuts `group` into parts, which are appended to plan->groups in their order; the first is `group`
 * itself. */
static void split_group(Plan *plan, Group *group, uint32_t *at) {
    const Step *steps = steps_of(plan, group, at);
    const uint32_t n = group->values.count;
    if (steps[n - 1].size <= PLAN_KERNEL_SIZE)
        return;
    Group *part = group;
    for (uint32_t begin = 0, end; begin < n; begin = end) {
        end = part_end(steps, n, begin);
        if (begin) {
            Group *next = ARENA_NEW(plan->arena, Group);
            *next = (Group){
                .level = group->level, .domain = group->domain, .backward = group->backward};
            part->goes_on = next;
            part = next;
            vec_push(plan->arena, &plan->groups, part);
        }
        part->values = (TirIdVec){0};
        for (uint32_t k = begin; k < end; k++) {
            vec_push(plan->arena, &part->values, steps[k].id);
            plan->group_of[steps[k].id] = part;
        }
        qsort(part->values.at, part->values.count, sizeof(TirId), compare_ids);
    }
}

void plan_split(Plan *plan) {
    uint32_t *at = ARENA_ARRAY(plan->arena, uint32_t, plan->program->block->nodes.count);
    const uint32_t count = plan->groups.count;
    for (uint32_t g = 0; g < count; g++)
        split_group(plan, plan->groups.at[g], at);
}
