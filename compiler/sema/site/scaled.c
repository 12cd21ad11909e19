/* `begin branch = 0.5;`: what the branches of a site are made of begins so many times as large.
 *
 * Requires: the statement stands at the site, before or after its branches have run. Maintains: a
 * parameter is scaled once, where it is declared: what sites share, at the first of them. Concerned
 * are parameters that are drawn (`~`) and that the branch's results are made of other than by way
 * of what `attend` compares and of what only chooses: how large that is, is no matter of how much
 * of a branch a stream gets. What begins as written, gains and offsets, stays. A connection around
 * another that says so, too, multiplies. Smallest example: of attention, Wv and Wo; of an MLP, both
 * matrices. */
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/site/site.h"

void scaled_expect(Site *x) {
    Sema *s = x->s;
    x->scale.branch = intern_str(s->c->interner, "branch");
    if (!parts_begin(&x->item->body, x->scale.branch))
        return;
    x->scale.made_of = map_create(s->arena);
    x->scale.first_param = s->program->params.count;
    x->scale.first_value = s->program->block->nodes.count;
}

void scaled_begin(Site *x, const Binding *b, double factor) {
    Sema *s = x->s;
    SiteScale *scale = &x->scale;
    const Binding *before = scale->said;
    scale->said = b;
    scale->factor = factor;
    if (before) {
        sema_error(s, DIAG_DUPLICATE, b->target.span, "how the branch begins is said twice");
        sema_note(s, before->target.span, "the first time");
    } else if (b->target.bracketed) {
        sema_error(s, DIAG_INDEX_RANK, b->target.span,
                   "all branches of a site begin alike: `begin branch = 0.5;`");
        sema_help(s, "what one of several begins with is said where it is defined");
    } else if (factor < 0) {
        sema_error(s, DIAG_INIT, b->value->span,
                   "how many times as large a branch begins is not negative, and this is %g",
                   factor);
    } else {
        return;
    }
    x->failed = true;
}

/* --- what a result is made of ------------------------------------------------------------------*/

/* A value of the program's block, or of a loop's body. */
typedef struct {
    const Loop *loop;
    TirId id;
} Made;
typedef VEC(Made) MadeList;

static void add_operands(Sema *s, const Loop *loop, const TirNode *node, MadeList *open) {
    enum { VALUES = 2 }; /* behind q and k; a bias of scores may follow */
    for (uint32_t k = 0; k < node->n_operands; k++) {
        if (node->op == TIR_ATTEND && k != VALUES)
            continue;
        const TirElem elem = tir_node(loop->builder.block, node->operands[k])->type.elem;
        if (elem == TIR_REAL || elem == TIR_TUPLE) /* conditions and places only choose */
            vec_push(s->arena, open, (Made){loop, node->operands[k]});
    }
}

/* An argument of a loop's body that comes from outside. */
static void add_outside(Sema *s, const Loop *loop, TirId argument, MadeList *open) {
    for (uint32_t k = 0; k < loop->imports.count; k++)
        if (loop->imports.at[k].argument == argument)
            vec_push(s->arena, open, (Made){loop->outer, loop->imports.at[k].outside});
}

static void find_made_of(Site *x, Value result) {
    Sema *s = x->s;
    if (result.kind != VALUE_TENSOR || !x->scale.made_of)
        return;
    Map *const seen = map_create(s->arena);
    const Loop *loop = s->loop;
    while (loop->level > result.tensor->level)
        loop = loop->outer;
    MadeList open = {0};
    vec_push(s->arena, &open, (Made){loop, result.tensor->id});
    while (open.count) {
        const Made made = open.at[--open.count];
        if (made.loop->level == 0 && made.id < x->scale.first_value)
            continue; /* there before the branch, so nothing of it is in there */
        const TirNode *node = tir_node(made.loop->builder.block, made.id);
        void **slot = map_slot_u64(seen, (uint64_t)made.loop->level << 32 | made.id);
        if (*slot)
            continue;
        *slot = x;
        if (node->op == TIR_PARAM)
            *map_slot_u64(x->scale.made_of, (uint64_t)node->attr.index + 1) = x;
        else if (node->op == TIR_ARG && made.loop->level)
            add_outside(s, made.loop, made.id, &open);
        else
            add_operands(s, made.loop, node, &open);
    }
}

void scaled_result(Site *x, Value result) {
    while (x->outer)
        x = x->outer;
    for (; x; x = x->inner)
        find_made_of(x, result);
}

static void scale_params(Site *x) {
    const SiteScale *scale = &x->scale;
    for (uint32_t k = scale->first_param; scale->said && k < x->s->program->params.count; k++) {
        TirParam *p = &x->s->program->params.at[k];
        const bool drawn = p->init == TIR_INIT_NORMAL || p->init == TIR_INIT_UNIFORM;
        if (!drawn || p->buffer || p->of_connection ||
            !map_get_u64(scale->made_of, (uint64_t)k + 1))
            continue;
        p->init_a *= scale->factor;
        p->init_b *= scale->factor;
    }
}

void scaled_params(Site *x) {
    for (; x; x = x->inner)
        scale_params(x);
}
