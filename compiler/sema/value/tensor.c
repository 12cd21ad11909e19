/* Tensors of the block under construction.
 *
 * Requires: values of that block, or of one around it (imported on use). */
#include "sema/value/tensor.h"
#include "sema/budget.h"
#include "sema/elaboration.h"

TirBuilder *sema_builder(Sema *s, Span span) {
    s->loop->builder.span = span;
    s->loop->builder.name = s->mode.let_name;
    return &s->loop->builder;
}

const TirType *sema_type(Sema *s, TirId id) {
    return &tir_node(s->loop->builder.block, id)->type;
}

Loop *sema_leave_loops(Sema *s) {
    Loop *const left = s->loop;
    while (s->loop->outer)
        s->loop = s->loop->outer;
    return left;
}

void sema_return_to(Sema *s, Loop *loop) {
    s->loop = loop;
}

static Tensor *tensor_create(Sema *s, TirId id, Index *const *axes, Span span) {
    budget_value(s, span);
    Tensor *t = ARENA_NEW(s->arena, Tensor);
    t->id = id;
    t->level = s->loop->level;
    t->type = *sema_type(s, id);
    for (uint32_t k = 0; axes && k < t->type.rank; k++)
        t->axes[k] = axes[k];
    return t;
}

Value value_tensor(Sema *s, TirId id, Index *const *axes, Span span) {
    const Tensor *t = tensor_create(s, id, axes, span);
    return (Value){.kind = VALUE_TENSOR, .span = span, .tensor = t};
}

Value value_derived(Sema *s, TirId id, TirDomain domain, Index *const *axes, Span span) {
    Tensor *t = tensor_create(s, id, axes, span);
    tir_domain_join(t->type.domain, domain, &t->type.domain);
    return (Value){.kind = VALUE_TENSOR, .span = span, .tensor = t};
}

Value value_filled(Sema *s, uint32_t rank, const uint32_t *dims, double number, Span span) {
    const uint8_t none[1] = {0};
    TirBuilder *b = sema_builder(s, span);
    TirId id = tir_real(b, number);
    if (rank)
        id = tir_broadcast(b, id, rank, dims, none);
    return value_tensor(s, id, NULL, span);
}

const char *sema_loop_word(const Sema *s) {
    return s->loop->scans ? "scan" : "iterate";
}

/* Values of outer blocks become invariant arguments of the loops between. */
static TirId loop_import(Loop *loop, uint32_t level, TirId id, const TirType *type, Arena *arena) {
    if (loop->level <= level)
        return id;
    const TirId outside = loop_import(loop->outer, level, id, type, arena);
    for (uint32_t k = 0; k < loop->imports.count; k++)
        if (loop->imports.at[k].outside == outside)
            return loop->imports.at[k].argument;
    const TirId argument = tir_arg(&loop->builder, *type);
    vec_push(arena, &loop->imports, (LoopImport){outside, argument});
    return argument;
}

TirId tensor_use(Sema *s, const Tensor *t) {
    return loop_import(s->loop, t->level, t->id, &t->type, s->arena);
}

uint32_t token_limit(const Sema *s, const Tensor *t) {
    const TirNode *node = tir_node(s->program->block, t->id);
    return node->op == TIR_INPUT ? s->program->inputs.at[node->attr.index].limit : 0;
}
