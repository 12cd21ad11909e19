/* Unroll: loops that no kernel can run are written out.
 *
 * requires   any program
 * maintains  outputs and their values; n_forward follows
 * changes    a SCAN whose body crosses positions, loads parameters or inputs, holds a loop, whose
 * values live at different places, or that works on more than registers hold becomes its trips, one
 * after the other
 *
 *     %3 = scan %1 %2 trips 2 { tanh(shift(arg0, 1) + arg1) }     %4 = result %3 0
 *     →  %5 = shift %1    %6 = tanh(%5 + %2)    %7 = shift %6    %8 = tanh(%7 + %2) */
#include "pass/limits.h"
#include "pass/pass.h"
#include "pass/rebuild.h"

typedef struct {
    const TirBlock *from;
    TirBuilder b;
    Arena *scratch;
    TirId *map;            /* old id -> new id */
    const TirId **results; /* by old id, of loops written out */
    bool again;            /* a body held a loop */
} Unroll;

/* Of each of a sum's results. */
static uint64_t terms(const TirBlock *block, const TirNode *node) {
    const TirType *type = &tir_node(block, node->operands[0])->type;
    if (tir_op_class(node->op) == TIR_CLASS_REDUCE)
        return tir_element_count(type) / tir_element_count(&node->type);
    uint64_t n = 1;
    for (uint32_t k = 0; k < type->rank; k++) /* what is summed stands on both sides */
        n *= node->attr.labels[0][k] < node->type.rank ? 1 : type->dims[k];
    return n;
}

/* Adds the node's operations, an instruction each, to *size. */
static bool fits_registers(const TirBlock *body, const TirNode *node, uint64_t *size) {
    const TirOpClass class = tir_op_class(node->op);
    if (node->type.elem == TIR_TUPLE || class == TIR_CLASS_VIEW || node->op == TIR_ARG ||
        node->op == TIR_TABLE)
        return true;
    const bool folds = class == TIR_CLASS_REDUCE || class == TIR_CLASS_CONTRACT;
    const uint64_t elements = tir_element_count(&node->type), of = folds ? terms(body, node) : 1;
    if (elements > SCAN_VALUE_MOST || of > SCAN_TERMS_MOST)
        return false;
    *size += elements * of;
    return *size <= SCAN_BODY_MOST;
}

static bool is_local(const TirBlock *body, const TirNode *node) {
    return node->op != TIR_PARAM && node->op != TIR_INPUT && node->op != TIR_SCAN &&
           node->op != TIR_POSITION_SUM && !tir_sums_places(body, node) &&
           tir_op_class(node->op) != TIR_CLASS_CROSS;
}

static bool fits_kernel(const TirNode *loop) {
    const TirBlock *body = loop->attr.body;
    uint64_t carried = 0, size = 0;
    bool fits = true;
    for (uint32_t k = 0; k < loop->n_results; k++) { /* a kernel runs at the places of one domain */
        const TirType *type = &loop->result_types[k];
        fits = fits && tir_domain_equal(type->domain, loop->result_types[0].domain);
        carried += k < loop->attr.n_carried ? tir_element_count(type) : 0;
    }
    fits = fits && carried <= SCAN_CARRIED_MOST;
    for (TirId id = 1; fits && id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        fits = is_local(body, node) && fits_registers(body, node, &size);
    }
    return fits;
}

static void write_out(Unroll *u, TirId id, const TirNode *loop) {
    const TirAttr *a = &loop->attr;
    const TirBlock *body = a->body;
    const uint32_t n = loop->n_operands, before = a->n_carried + a->n_invariant;
    TirId *arguments = ARENA_ARRAY(u->scratch, TirId, n + 1);
    TirId *next = ARENA_ARRAY(u->scratch, TirId, a->n_carried);
    TirId *map = ARENA_ARRAY(u->scratch, TirId, body->nodes.count);
    TirId *results = ARENA_ARRAY(u->scratch, TirId, loop->n_results);
    TirId **stacks = ARENA_ARRAY(u->scratch, TirId *, a->n_stacked);
    TirIdVec operands = {0};
    for (uint32_t k = 0; k < a->n_stacked; k++)
        stacks[k] = ARENA_ARRAY(u->scratch, TirId, a->trips);
    for (uint32_t k = 0; k < before; k++)
        arguments[k] = u->map[loop->operands[k]];
    for (uint32_t i = 0; i < a->trips; i++) {
        const uint32_t t = a->reverse ? a->trips - 1 - i : i;
        for (uint32_t k = before; k < n; k++)
            arguments[k] = pass_stack_entry(&u->b, u->map[loop->operands[k]], t);
        arguments[n] = tir_int(&u->b, t);
        for (TirId m = 1; m < body->nodes.count; m++) {
            const TirNode *node = tir_node(body, m);
            map[m] = node->op == TIR_ARG ? arguments[node->attr.index]
                                         : pass_rebuild_mapped(&u->b, body, m, map, &operands);
            u->again |= node->op == TIR_SCAN;
        }
        for (uint32_t k = 0; k < a->n_carried; k++)
            next[k] = map[body->results.at[k]];
        for (uint32_t k = 0; k < a->n_carried; k++)
            arguments[k] = next[k];
        for (uint32_t k = 0; k < a->n_stacked; k++)
            stacks[k][t] = map[body->results.at[a->n_carried + k]];
    }
    for (uint32_t k = 0; k < a->n_carried; k++)
        results[k] = arguments[k];
    for (uint32_t k = 0; k < a->n_stacked; k++)
        results[a->n_carried + k] = pass_stack(&u->b, a->trips, stacks[k]);
    u->results[id] = results;
}

static TirProgram *unroll_once(TirProgram *p, bool *again) {
    TirProgram *to = tir_program_like(p);
    Arena *scratch = arena_create_child(p->arena);
    const uint32_t count = p->block->nodes.count;
    Unroll u = {.from = p->block, .b = tir_builder(to, to->block), .scratch = scratch};
    u.map = ARENA_ARRAY(scratch, TirId, count);
    u.results = ARENA_ARRAY(scratch, const TirId *, count);
    TirIdVec operands = {0};
    for (TirId id = 1; id < count; id++) {
        const TirNode *node = tir_node(p->block, id);
        u.b.span = node->span;
        u.b.name = node->name;
        if (node->op == TIR_SCAN && !fits_kernel(node))
            write_out(&u, id, node);
        else if (node->op == TIR_RESULT && u.results[node->operands[0]])
            u.map[id] = u.results[node->operands[0]][node->attr.index];
        else
            u.map[id] = pass_rebuild_mapped(&u.b, p->block, id, u.map, &operands);
        if (id == p->n_forward)
            to->n_forward = to->block->nodes.count - 1;
    }
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *o = &p->outputs.at[k];
        tir_add_output(to, o->role, o->name, o->index, u.map[o->value]);
    }
    *again = u.again;
    arena_destroy(scratch);
    return pass_dce(to);
}

static uint64_t written_size(const TirNode *loop);

/* Values of a block once its loops are written out, loops in loops, too; counted no further than
 * what is too many. */
static uint64_t block_size(const TirBlock *block) {
    uint64_t n = 0;
    for (TirId id = 1; id < block->nodes.count && n <= UNROLL_MOST; id++)
        n += 1 + written_size(tir_node(block, id));
    return n;
}

/* What a loop adds; 0: a kernel runs it. */
static uint64_t written_size(const TirNode *loop) {
    return loop->op == TIR_SCAN && !fits_kernel(loop)
               ? loop->attr.trips * block_size(loop->attr.body)
               : 0;
}

bool pass_unroll_fits(const TirProgram *p, TirId *loop, uint64_t *values) {
    uint64_t all = 0;
    for (*loop = 1; *loop < p->block->nodes.count; ++*loop) {
        *values = written_size(tir_node(p->block, *loop));
        all += *values;
        if (all > UNROLL_MOST)
            return false;
    }
    return true;
}

TirProgram *pass_unroll(TirProgram *p) {
    bool again = false;
    for (TirId id = 1; id < p->block->nodes.count && !again; id++) {
        const TirNode *node = tir_node(p->block, id);
        again = node->op == TIR_SCAN && !fits_kernel(node);
    }
    while (again) /* once more for each depth of nesting */
        p = unroll_once(p, &again);
    return p;
}
