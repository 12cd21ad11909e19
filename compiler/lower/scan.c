/* Loops with carried values: what is carried lives in registers, what is stacked in scratch. */
#include "lower/lower_internal.h"

static uint32_t scan_carried_elements(const TirNode *scan) {
    uint64_t total = 0;
    for (uint32_t k = 0; k < scan->attr.n_carried; k++)
        total += tir_element_count(&scan->result_types[k]);
    return (uint32_t)total;
}

static void scan_initial_values(Lower *l, const TirNode *scan, NestId *initial) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < scan->attr.n_carried; k++) {
        const TirType *type = &scan->result_types[k];
        for (uint64_t e = 0; e < tir_element_count(type); e++) {
            AffineIndex index = affine_index(e, type);
            initial[n++] = lower_vector(l, lower_eval(l, &l->frame, scan->operands[k], &index));
        }
    }
}

static void scan_stack_results(Lower *l, const ScheduleValue *of, const TirNode *scan,
                               LowerFrame *frame) {
    const TirBlock *body = scan->attr.body;
    for (uint32_t k = 0; k < scan->attr.n_stacked; k++) {
        const ScheduleValue *v = of->results[scan->attr.n_carried + k];
        if (!v)
            continue;
        TirId result = body->results.at[scan->attr.n_carried + k];
        const TirType *slice = &tir_node(body, result)->type;
        uint64_t elements = tir_element_count(slice);
        for (uint64_t e = 0; e < elements; e++) {
            AffineIndex index = affine_index(e, slice);
            NestId x = lower_vector(l, lower_eval(l, frame, result, &index));
            Affine flat = affine_add(affine_scale(affine_var(frame->trip), (int64_t)elements),
                                     affine_const((int64_t)e));
            lower_store(l, lower_held(l, v)->buffer, v->place, &l->context.row, &flat, v->elements,
                        x, 0);
        }
    }
}

void lower_scan(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *of = step->value;
    const TirNode *scan = tir_node(l->block, of->id);
    const TirAttr *attr = &scan->attr;
    uint32_t n = scan_carried_elements(scan);
    NestId *initial = ARENA_ARRAY(l->arena, NestId, n + 1);
    NestId *next = ARENA_ARRAY(l->arena, NestId, n + 1);
    scan_initial_values(l, scan, initial);
    for (uint32_t k = 0; k < attr->n_stacked; k++) {
        const ScheduleValue *v = of->results[attr->n_carried + k];
        if (v)
            lower_stored(l, v);
    }
    const ScheduleLoop *turns = &step->loops[1];
    NestLoop *loop =
        lower_loop_begin(l, turns, nest_i64(&l->b, (int64_t)turns->extent), n, initial);
    lower_memo_begin(l);
    LowerFrame frame = {
        .block = attr->body, .parent = &l->frame, .scan = scan, .number = ++l->frames};
    frame.trip = loop->variable;
    if (attr->reverse)
        frame.trip =
            nest_binary(&l->b, NEST_SUB, nest_i64(&l->b, (int64_t)attr->trips - 1), loop->variable);
    frame.carried = ARENA_ARRAY(l->arena, NestId *, attr->n_carried + 1);
    for (uint32_t k = 0, at = 0; k < attr->n_carried; k++) {
        frame.carried[k] = loop->inner + at;
        at += (uint32_t)tir_element_count(&scan->result_types[k]);
    }
    for (uint32_t k = 0, at = 0; k < attr->n_carried; k++) {
        TirId result = attr->body->results.at[k];
        const TirType *type = &tir_node(attr->body, result)->type;
        for (uint64_t e = 0; e < tir_element_count(type); e++) {
            AffineIndex index = affine_index(e, type);
            next[at++] = lower_vector(l, lower_eval(l, &frame, result, &index));
        }
    }
    scan_stack_results(l, of, scan, &frame);
    lower_memo_end(l);
    nest_loop_end(&l->b, next);
    for (uint32_t k = 0; k < attr->n_stacked; k++)
        if (of->results[attr->n_carried + k])
            lower_held(l, of->results[attr->n_carried + k])->ready = true;
    for (uint32_t k = 0, at = 0; k < attr->n_carried; k++) {
        uint32_t elements = (uint32_t)tir_element_count(&scan->result_types[k]);
        if (of->results[k]) {
            LowerHeld *held = lower_held(l, of->results[k]);
            held->registers = ARENA_ARRAY(l->arena, NestId, elements);
            for (uint32_t e = 0; e < elements; e++)
                held->registers[e] = nest_result(&l->b, loop, at + e);
            held->ready = true;
        }
        at += elements;
    }
}
