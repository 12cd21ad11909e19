/* That the kinds of loops are true: the turns of a VECTOR loop may run at once and those of a
 * REDUCE loop in any order, up to rounding.
 *
 * What either carries is a fold: from a turn's value to the next one's leads a chain of one
 * operation, and nobody else sees what lies on it, so that terms can be added in another order and
 * to several accumulators. A REDUCE loop may also select, turn by turn, by comparisons (where the
 * first of several equals is wanted, its order is). A REDUCE loop writes nothing; each turn of a
 * VECTOR loop writes places of its own, and of what the loop writes reads those. */
#include "nest/nest_internal.h"

typedef struct {
    const NestKernel *kernel;
    uint32_t *uses; /* by value */
    const char *wrong;
} Kinds;

static const NestInstruction *instruction_of(const Kinds *v, NestId id) {
    return &v->kernel->instructions.at[id];
}

/* --- who uses what -----------------------------------------------------------------------------*/

static void use_address(Kinds *v, const NestAddress *at) {
    for (uint32_t k = 0; k < at->n_terms; k++)
        v->uses[at->value[k]]++;
}

static void use_body(Kinds *v, const NestBody *body);

static void use_loop(Kinds *v, const NestLoop *loop) {
    v->uses[loop->begin]++;
    v->uses[loop->end]++;
    for (uint32_t k = 0; k < loop->n_carried; k++) {
        v->uses[loop->initial[k]]++;
        v->uses[loop->yield[k]]++;
    }
    use_body(v, &loop->body);
}

static void use_body(Kinds *v, const NestBody *body) {
    for (uint32_t k = 0; k < body->instructions.count; k++) {
        const NestInstruction *i = instruction_of(v, body->instructions.at[k]);
        for (uint32_t m = 0; m < i->n_operands; m++)
            v->uses[i->operands[m]]++;
        use_address(v, &i->address);
        if (i->op == NEST_LOOP)
            use_loop(v, i->loop);
        if (i->op == NEST_IF)
            use_body(v, i->body);
    }
}

/* --- folds -------------------------------------------------------------------------------------*/

static bool is_fold(Kinds *v, const NestLoop *loop, uint32_t k, NestOp *by);

/* Whether a chain leads from `from` to `id`, by the operation *by; NEST_OP_COUNT: by any one. */
static bool leads(Kinds *v, NestId from, NestId id, NestOp *by) {
    if (v->uses[id] != 1)
        return false;
    if (id == from)
        return true;
    const NestInstruction *i = instruction_of(v, id);
    const NestOp op = i->op == NEST_FMA ? NEST_ADD : i->op;
    switch (i->op) {
    case NEST_RESULT:
        return is_fold(v, i->loop, i->index, by) && leads(v, from, i->loop->initial[i->index], by);
    case NEST_ADD:
    case NEST_MUL:
    case NEST_MIN:
    case NEST_MAX:
    case NEST_FMA:
        if (*by != NEST_OP_COUNT && *by != op)
            return false;
        *by = op;
        return i->op == NEST_FMA
                   ? leads(v, from, i->operands[2], by)
                   : leads(v, from, i->operands[0], by) || leads(v, from, i->operands[1], by);
    default:
        return false;
    }
}

static bool is_fold(Kinds *v, const NestLoop *loop, uint32_t k, NestOp *by) {
    return leads(v, loop->inner[k], loop->yield[k], by);
}

/* The next value is the last one, or another where a comparison says so. */
static bool is_selection(Kinds *v, const NestLoop *loop, uint32_t k) {
    const NestInstruction *i = instruction_of(v, loop->yield[k]);
    return i->op == NEST_SELECT && v->uses[loop->yield[k]] == 1 &&
           (i->operands[1] == loop->inner[k] || i->operands[2] == loop->inner[k]);
}

/* --- what turns write --------------------------------------------------------------------------*/

static int64_t step_of(const NestAddress *at, NestId variable) {
    int64_t step = 0;
    for (uint32_t k = 0; k < at->n_terms; k++)
        if (at->value[k] == variable)
            step += at->coefficient[k];
    return step;
}

/* By how much the places move that a loop writes of a buffer; 0: it writes nothing of it. */
typedef struct {
    NestId variable;
    int64_t *steps;
    bool writes, same;
} Writes;

static void writes_of(const Kinds *v, const NestBody *body, Writes *w) {
    for (uint32_t k = 0; k < body->instructions.count; k++) {
        const NestInstruction *i = instruction_of(v, body->instructions.at[k]);
        if (i->op == NEST_LOOP)
            writes_of(v, &i->loop->body, w);
        if (i->op == NEST_IF)
            writes_of(v, i->body, w);
        if (i->op != NEST_STORE)
            continue;
        w->writes = true;
        const int64_t step = step_of(&i->address, w->variable);
        if (step == 0 || (w->steps[i->buffer] && w->steps[i->buffer] != step))
            w->same = true;
        w->steps[i->buffer] = step;
    }
}

static bool reads_others(const Kinds *v, const NestBody *body, const Writes *w) {
    for (uint32_t k = 0; k < body->instructions.count; k++) {
        const NestInstruction *i = instruction_of(v, body->instructions.at[k]);
        if ((i->op == NEST_LOOP && reads_others(v, &i->loop->body, w)) ||
            (i->op == NEST_IF && reads_others(v, i->body, w)))
            return true;
        if (i->op == NEST_LOAD && w->steps[i->buffer] &&
            w->steps[i->buffer] != step_of(&i->address, w->variable))
            return true;
    }
    return false;
}

/* --- loops -------------------------------------------------------------------------------------*/

static void check_loop(Kinds *v, NestId id, const NestLoop *loop, Arena *scratch) {
    const bool reduce = loop->kind == NEST_REDUCE;
    const char *why = NULL;
    for (uint32_t k = 0; k < loop->n_carried && !why; k++) {
        NestOp by = NEST_OP_COUNT;
        if (!is_fold(v, loop, k, &by) && !(reduce && is_selection(v, loop, k)))
            why = "carries what is no fold";
    }
    Writes w = {.variable = loop->variable,
                .steps = ARENA_ARRAY(scratch, int64_t, v->kernel->buffers.count + 1)};
    writes_of(v, &loop->body, &w);
    if (reduce && (w.writes || loop->n_carried == 0))
        why = w.writes ? "is a reduction, and writes" : "is a reduction of nothing";
    if (!reduce && w.same)
        why = "has turns that write the same places";
    if (!reduce && !why && reads_others(v, &loop->body, &w))
        why = "has turns that read what others write";
    if (why)
        v->wrong = arena_printf(v->kernel->arena, "kernel %s: %%%u: the %s loop %s",
                                v->kernel->name, id, nest_loop_text[loop->kind], why);
}

static void check_body(Kinds *v, const NestBody *body, Arena *scratch) {
    for (uint32_t k = 0; k < body->instructions.count && !v->wrong; k++) {
        const NestInstruction *i = instruction_of(v, body->instructions.at[k]);
        if (i->op == NEST_IF)
            check_body(v, i->body, scratch);
        if (i->op != NEST_LOOP)
            continue;
        if (i->loop->kind == NEST_VECTOR || i->loop->kind == NEST_REDUCE)
            check_loop(v, body->instructions.at[k], i->loop, scratch);
        check_body(v, &i->loop->body, scratch);
    }
}

const char *nest_verify_kinds(const NestKernel *kernel, Arena *scratch) {
    Kinds v = {.kernel = kernel,
               .uses = ARENA_ARRAY(scratch, uint32_t, kernel->instructions.count)};
    use_body(&v, &kernel->body);
    check_body(&v, &kernel->body, scratch);
    return v.wrong;
}
