/* What an index ranges over: learnt from what it indexes, before an expression is elaborated. */
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"

typedef struct {
    bool weak;       /* x[i + 1] says something only when nothing else does */
    bool open;       /* something was not known at its use */
    bool every_axis; /* as in Mode: what lacks a subscript is in error and says nothing */
    bool ahead;      /* of a loop's body, whose own names are not defined yet */
} Inference;

static void infer(Sema *s, Scope *scope, const Expr *e, Inference *how);

static void infer_list(Sema *s, Scope *scope, const ExprList *list, Inference *how) {
    for (uint32_t k = 0; k < list->count; k++)
        infer(s, scope, list->at[k], how);
}

typedef struct {
    uint32_t rank, dims[TIR_MAX_RANK];
    uint32_t space; /* the positions that its value lives at; 0: none */
} Shape;

/* The bare axes of what is indexed. A value that is not a name is elaborated once to see. */
static Shape *base_shape(Sema *s, Scope *scope, const Expr *base, bool ahead, Repeat **repeat) {
    *repeat = NULL;
    Value v = POISON;
    if (base->kind == EXPR_NAME) {
        const Symbol *symbol = scope_find(s, scope, base->name);
        if (!symbol || symbol->kind != SYMBOL_VALUE)
            return NULL;
        v = symbol->value;
    } else {
        if (s->mode.numeric || !s->frame || (ahead && !numeric_names_known(s, scope, base)))
            return NULL;
        if (!s->frame->shapes)
            s->frame->shapes = map_create(s->arena);
        void **slot = map_slot_u64(s->frame->shapes, (uint64_t)(uintptr_t)base);
        if (*slot)
            return *slot;
        Mode mode = s->mode;
        mode.looking = true;
        const Mode outer = mode_enter(s, mode);
        v = elaborate(s, scope, base);
        mode_leave(s, outer);
        if (v.kind == VALUE_TENSOR) {
            Shape *shape = ARENA_NEW(s->arena, Shape);
            shape->rank = tensor_bare_dims(v.tensor, shape->dims, NULL);
            shape->space = v.tensor->type.domain.space;
            *map_slot_u64(s->frame->shapes, (uint64_t)(uintptr_t)base) = shape;
            return shape;
        }
    }
    Shape *shape = ARENA_NEW(s->arena, Shape);
    if (v.kind == VALUE_REPEAT) {
        *repeat = v.repeat;
        shape->rank = v.repeat->rank;
        for (uint32_t k = 0; k < shape->rank; k++)
            shape->dims[k] = v.repeat->extents[k];
        return shape;
    }
    if (v.kind != VALUE_TENSOR)
        return NULL;
    shape->rank = tensor_bare_dims(v.tensor, shape->dims, NULL);
    shape->space = v.tensor->type.domain.space;
    return shape;
}

/* A number, without a word when it is none. */
static bool quiet_number(Sema *s, Scope *scope, const Expr *e, double *number) {
    if (e->kind == EXPR_NUMBER) {
        *number = e->number;
        return true;
    }
    if (numeric_mentions_index(s, scope, e) || !numeric_is_number(s, scope, e))
        return false;
    const Value v = elaborate_constant(s, scope, e);
    if (v.kind == VALUE_NUMBER)
        *number = v.number;
    return v.kind == VALUE_NUMBER;
}

/* i + 1, f*e + a: what the axis says about its indices. */
static void infer_sum(Sema *s, Scope *scope, const Expr *e, uint32_t dim, Inference *how) {
    if (e->chain.terms.count != 2 || e->chain.ops.at[1] != OP_ADD)
        return;
    const Expr *first = e->chain.terms.at[0], *second = e->chain.terms.at[1];
    for (uint32_t turn = 0; turn < 2; turn++) {
        const Expr *p = turn ? second : first, *q = turn ? first : second;
        Index *a = index_named(s, scope, q);
        double number;
        if (!a)
            continue;
        if (quiet_number(s, scope, p, &number)) {
            if (how->weak && number >= 0 && number < dim)
                index_fix(a, dim - (uint32_t)number, e->span);
            how->open = how->open || !a->extent;
            return;
        }
        if (p->kind != EXPR_PRODUCT || p->chain.terms.count != 2 || p->chain.ops.at[1] != OP_MUL)
            continue;
        for (uint32_t k = 0; k < 2; k++) {
            const Expr *term = p->chain.terms.at[k];
            Index *f = index_named(s, scope, term);
            if ((f || position_named(s, scope, term)) &&
                quiet_number(s, scope, p->chain.terms.at[1 - k], &number) && number >= 1 &&
                number <= dim) {
                index_fix(a, (uint32_t)number, e->span);
                if (f)
                    index_fix(f, dim / (uint32_t)number, e->span);
            }
        }
    }
}

static void infer_subscript(Sema *s, Scope *scope, const Expr *e, uint32_t *dim, Span *dim_at,
                            Inference *how) {
    Index *index = index_named(s, scope, e);
    if (index) {
        if (*dim && !index->extent)
            index_fix(index, *dim, e->span);
        else if (!*dim && index->extent) {
            *dim = index->extent;
            *dim_at = e->span;
        }
        how->open = how->open || !index->extent || !*dim;
    } else if (*dim && e->kind == EXPR_SUM) {
        infer_sum(s, scope, e, *dim, how);
    }
}

/* Within an argument, or of what is indexed as a whole. */
static void infer_whole(Sema *s, Scope *scope, const Expr *e, Inference *how) {
    const bool every_axis = how->every_axis;
    how->every_axis = false;
    infer(s, scope, e, how);
    how->every_axis = every_axis;
}

static bool lacks_subscript(Sema *s, Scope *scope, const Expr *e, const Shape *shape,
                            uint32_t taken) {
    uint32_t given = 0;
    for (uint32_t k = taken; k < e->index.indices.count; k++) {
        const Symbol *position = position_named(s, scope, e->index.indices.at[k]);
        given += taken || !position || position->space != shape->space;
    }
    return given < shape->rank;
}

static void infer_index(Sema *s, Scope *scope, const Expr *e, Inference *how) {
    if (e->index.base->kind != EXPR_NAME)
        infer_whole(s, scope, e->index.base, how);
    infer_list(s, scope, &e->index.indices, how);
    Repeat *repeat;
    Shape *shape = base_shape(s, scope, e->index.base, how->ahead, &repeat);
    uint32_t axis = 0;
    const uint32_t taken =
        shape ? elsewhere_subscripts(s, scope, &e->index.indices, shape->rank, shape->space) : 0;
    if (shape && how->every_axis && lacks_subscript(s, scope, e, shape, taken))
        return;
    for (uint32_t k = taken; shape && k < e->index.indices.count && axis < shape->rank; k++) {
        const Expr *subscript = e->index.indices.at[k];
        const Symbol *position = position_named(s, scope, subscript);
        if (position && !taken && position->space == shape->space)
            continue;
        Span at = {0};
        infer_subscript(s, scope, subscript, &shape->dims[axis], &at, how);
        if (repeat && !repeat->extents[axis]) {
            repeat->extents[axis] = shape->dims[axis];
            repeat->spans[axis] = at;
        }
        axis++;
    }
}

static void infer_reduce(Sema *s, Scope *scope, const Expr *e, Inference *how) {
    Scope *inner = scope_create(s, scope, scope->frame);
    for (uint32_t k = 0; e->reduce.op != REDUCE_SOFTMAX && k < e->reduce.indices.count; k++) {
        const Name name = e->reduce.indices.at[k];
        const Symbol *old = name.text ? scope_find(s, scope, name.text) : NULL;
        if (!name.text || (old && old->kind == SYMBOL_POSITION))
            continue;
        /* stands in: the rule against rebinding is applied when the reduction is built */
        Index *index = index_add(s, inner, name.text, name.span);
        double range;
        if (e->reduce.ranges.at[k] && quiet_number(s, scope, e->reduce.ranges.at[k], &range) &&
            range >= 1 && range <= INT32_MAX) {
            index_fix(index, (uint32_t)range, name.span);
            index->bounded = true;
        }
    }
    infer(s, inner, e->reduce.operand, how);
}

static void infer(Sema *s, Scope *scope, const Expr *e, Inference *how) {
    if (++s->spent.steps > SEMA_MAX_STEPS) /* the evaluator says so */
        return;
    switch (e->kind) {
    case EXPR_UNARY:
        infer(s, scope, e->unary.operand, how);
        return;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        infer_list(s, scope, &e->chain.terms, how);
        return;
    case EXPR_LOGIC:
        infer_list(s, scope, &e->logic.terms, how);
        return;
    case EXPR_TUPLE:
        infer_list(s, scope, &e->tuple, how);
        return;
    case EXPR_LIST:
        for (uint32_t k = 0; k < e->tuple.count; k++)
            infer_whole(s, scope, e->tuple.at[k], how);
        return;
    case EXPR_POWER:
        infer(s, scope, e->power.base, how);
        infer(s, scope, e->power.exponent, how);
        return;
    case EXPR_COMPARE:
        infer(s, scope, e->compare.left, how);
        infer(s, scope, e->compare.right, how);
        return;
    case EXPR_CALL:
        for (uint32_t k = 0; k < e->call.arguments.count; k++)
            infer_whole(s, scope, e->call.arguments.at[k].value, how);
        return;
    case EXPR_INDEX:
        infer_index(s, scope, e, how);
        return;
    case EXPR_REDUCE:
        infer_reduce(s, scope, e, how);
        return;
    default:
        return;
    }
}

static void infer_again(Sema *s, Scope *scope, const Expr *e, bool ahead) {
    static const bool weak[] = {false, false, true, false};
    for (uint32_t k = 0; k < 4; k++) {
        Inference how = {.weak = weak[k], .every_axis = s->mode.every_axis, .ahead = ahead};
        infer(s, scope, e, &how);
        if (!how.open)
            return;
    }
}

void infer_extents(Sema *s, Scope *scope, const Expr *e) {
    infer_again(s, scope, e, false);
}

void infer_repeat(Sema *s, Scope *scope, const Expr *e) {
    Inference how = {0};
    infer_index(s, scope, e, &how);
}

/* --- from the equations of a loop --------------------------------------------------------------*/

static void learn_binding(Sema *s, Scope *scope, const Binding *b) {
    Symbol *symbol = b->target.name.text ? scope_find_local(scope, b->target.name.text) : NULL;
    if (!symbol || symbol->kind != SYMBOL_VALUE || !b->target.bracketed)
        return;
    uint32_t dims[TIR_MAX_RANK] = {0};
    Repeat *r = symbol->value.kind == VALUE_REPEAT ? symbol->value.repeat : NULL;
    if (symbol->value.kind == VALUE_TENSOR)
        tensor_bare_dims(symbol->value.tensor, dims, NULL);
    Scope *inner = scope_create(s, scope, scope->frame);
    Index *indices[TIR_MAX_RANK] = {0};
    for (uint32_t k = 0; k < b->target.indices.count && k < TIR_MAX_RANK; k++) {
        const Expr *e = b->target.indices.at[k];
        if (e->kind != EXPR_NAME)
            continue;
        const Symbol *old = scope_find_local(scope, e->name);
        if (old && old->kind == SYMBOL_CONST) /* one entry */
            continue;
        Index *index = index_add(s, inner, e->name, e->span);
        const uint32_t dim = r && k < r->rank ? r->extents[k] : dims[k];
        if (dim)
            index_fix(index, dim, e->span);
        indices[k] = index;
    }
    infer_again(s, inner, b->value, true);
    for (uint32_t k = 0; r && k < r->rank && k < TIR_MAX_RANK; k++)
        if (!r->extents[k] && indices[k] && indices[k]->extent) {
            r->extents[k] = indices[k]->extent;
            r->spans[k] = indices[k]->extent_at;
        }
}

/* A walk of its own among those over assignments: a turn's number has a scope, and what stands
 * under a condition may never hold. */
void learn_extents(Sema *s, Scope *scope, const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        if (stmt->kind == STMT_ASSIGN)
            for (uint32_t b = 0; b < stmt->bindings.count; b++)
                learn_binding(s, scope, &stmt->bindings.at[b]);
        else if (stmt->kind == STMT_ITERATE || stmt->kind == STMT_SCAN)
            learn_extents(s, scope, &stmt->loop.body);
        else if (stmt->kind == STMT_FOR && stmt->loop.name.text)
            learn_extents(s, scope_turn(s, scope, stmt, 0), &stmt->loop.body);
    }
}
