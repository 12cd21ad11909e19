/* Labelled tensors: alignment by index, elementwise ops, arrangement of axes.
 *
 * Requires: values of the block under construction, or of one around it (imported on use).
 * Maintains: result axes are labels in order of creation, then bare axes; so the equations of one
 * `let` agree on their layout and transposes appear only where the text transposes. */
#include "sema/internal.h"
#include <math.h>

TirBuilder *sema_builder(Sema *s, Span span) {
    s->loop->builder.span = span;
    s->loop->builder.name = s->let_name;
    return &s->loop->builder;
}

const TirType *sema_type(Sema *s, TirId id) {
    return &tir_node(s->loop->builder.block, id)->type;
}

static Tensor *tensor_create(Sema *s, TirId id, Index *const *axes, Span span) {
    if (++s->values > SEMA_MAX_VALUES)
        sema_give_up(s, span);
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

uint32_t tensor_bare_dims(const Tensor *t, uint32_t *dims, uint32_t *axes) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < t->type.rank; k++)
        if (!t->axes[k]) {
            if (dims)
                dims[n] = t->type.dims[k];
            if (axes)
                axes[n] = k;
            n++;
        }
    return n;
}

uint32_t tensor_bare_rank(const Tensor *t) {
    return tensor_bare_dims(t, NULL, NULL);
}

const char *dims_text(Sema *s, uint32_t rank, const uint32_t *dims) {
    const char *text = "[";
    for (uint32_t k = 0; k < rank; k++)
        text = arena_printf(s->arena, k ? "%s, %u" : "%s%u", text, dims[k]);
    return arena_printf(s->arena, "%s]", text);
}

const char *value_text(Sema *s, Value v) {
    uint32_t dims[TIR_MAX_RANK], rank;
    switch (v.kind) {
    case VALUE_POISON:
        return "an erroneous value";
    case VALUE_NUMBER:
        return arena_printf(s->arena, "the number %.10g", v.number);
    case VALUE_BOOL:
        return v.boolean ? "`true`" : "`false`";
    case VALUE_STRING:
        return "a text";
    case VALUE_TUPLE:
        return "a tuple";
    case VALUE_TENSOR:
        rank = tensor_bare_dims(v.tensor, dims, NULL);
        if (rank == 0)
            return v.tensor->type.elem == TIR_BOOL ? "a condition" : "a single value";
        return arena_printf(s->arena, "a tensor %s", dims_text(s, rank, dims));
    case VALUE_REPEAT:
        return "a repeated value";
    case VALUE_PATTERN:
        return v.pattern->kind == PATTERN_IDENTITY ? "`identity`" : "a `onehot`";
    case VALUE_CALLABLE:
        return v.callable->item
                   ? arena_printf(s->arena, "the %s `%s`", item_kind_text(v.callable->item->kind),
                                  v.callable->item->name.text)
                   : "a built-in function";
    }
    return "a value";
}

/* --- conversion --------------------------------------------------------------------------------*/

/* A REPEAT whose extents are all known, as a tensor. */
Value repeat_lay_out(Sema *s, Value v, Span span) {
    const Repeat *r = v.repeat;
    for (uint32_t k = 0; k < r->rank; k++)
        if (!r->extents[k]) {
            Value poison = sema_error(s, DIAG_INDEX_EXTENT, v.span,
                                      "the extent of axis %u cannot be told: nothing on the right "
                                      "side has this index, and no later use settles it",
                                      k + 1);
            sema_note(s, span, "it is needed here");
            sema_help(s, "give the range: `let u[k < 4] = ...`");
            return poison;
        }
    const Tensor *e = value_as_tensor(s, *r->element, span);
    if (!e)
        return POISON;
    Layout layout = {0};
    uint8_t map[TIR_MAX_RANK];
    for (uint32_t k = 0; k < e->type.rank; k++) { /* labels that ride along come first */
        bool repeated = false;
        for (uint32_t r_axis = 0; r_axis < r->rank; r_axis++)
            if (r->labels[r_axis] == e->axes[k]) {
                map[k] = (uint8_t)r_axis; /* shifted below */
                repeated = true;
            }
        if (!repeated) {
            layout.axes[layout.rank] = e->axes[k];
            layout.dims[layout.rank] = e->type.dims[k];
            map[k] = (uint8_t)(0x80 | layout.rank++);
        }
    }
    const uint32_t leading = layout.rank;
    if (leading + r->rank > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < r->rank; k++) {
        layout.axes[layout.rank] = NULL;
        layout.dims[layout.rank++] = r->extents[k];
    }
    for (uint32_t k = 0; k < e->type.rank; k++)
        map[k] = map[k] & 0x80 ? map[k] & 0x7f : (uint8_t)(map[k] + leading);
    uint64_t count;
    if (!element_count(s, layout.rank, layout.dims, span, &count))
        return POISON;
    const TirId id =
        tir_broadcast(sema_builder(s, span), tensor_use(s, e), layout.rank, layout.dims, map);
    return value_derived(s, id, e->type.domain, layout.axes, v.span);
}

const Tensor *value_as_tensor(Sema *s, Value v, Span span) {
    switch (v.kind) {
    case VALUE_POISON:
        return NULL;
    case VALUE_NUMBER:
        return value_tensor(s, tir_real(sema_builder(s, span), v.number), NULL, span).tensor;
    case VALUE_BOOL:
        return value_tensor(s, tir_bool(sema_builder(s, span), v.boolean), NULL, span).tensor;
    case VALUE_TENSOR:
        return v.tensor;
    case VALUE_REPEAT:
        v = repeat_lay_out(s, v, span);
        return is_poison(v) ? NULL : v.tensor;
    case VALUE_PATTERN:
        sema_error(s, DIAG_BARE_AXIS, span, "%s needs its indices here", value_text(s, v));
        sema_help(s, v.pattern->kind == PATTERN_IDENTITY ? "write `identity[i, j]`"
                                                         : "write `onehot(...)[i]`");
        return NULL;
    case VALUE_CALLABLE:
        sema_error(s, DIAG_KIND, span, "%s stands where a number is needed", value_text(s, v));
        if (v.callable->item && v.callable->item->kind == ITEM_FN)
            sema_help(s, "call it: `%s(...)`", v.callable->item->name.text);
        return NULL;
    default:
        sema_error(s, DIAG_KIND, span, "%s stands where a number is needed", value_text(s, v));
        return NULL;
    }
}

/* Integers become reals; conditions do not. */
const Tensor *value_as_real(Sema *s, Value v, Span span) {
    const Tensor *t = value_as_tensor(s, v, span);
    if (!t || t->type.elem == TIR_REAL)
        return t;
    if (t->type.elem == TIR_BOOL) {
        sema_error(s, DIAG_CONDITION, span, "a condition stands where a number is needed");
        sema_help(s, "write `select(condition, 1, 0)`");
        return NULL;
    }
    const TirId id = tir_unary(sema_builder(s, span), TIR_TO_REAL, tensor_use(s, t));
    return value_derived(s, id, t->type.domain, t->axes, span).tensor;
}

/* --- alignment ---------------------------------------------------------------------------------*/

static bool layout_add_label(Sema *s, Layout *layout, Index *label, uint32_t extent, Span span) {
    uint32_t at = 0;
    while (at < layout->rank && layout->axes[at] && layout->axes[at]->serial < label->serial)
        at++;
    if (at < layout->rank && layout->axes[at] == label)
        return true; /* extents agree: both are the index's */
    if (layout->rank == TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, span, "this has more than %d axes; a tensor has at most that many",
                   TIR_MAX_RANK);
        return false;
    }
    for (uint32_t k = layout->rank++; k > at; k--) {
        layout->axes[k] = layout->axes[k - 1];
        layout->dims[k] = layout->dims[k - 1];
    }
    layout->axes[at] = label;
    layout->dims[at] = extent;
    return true;
}

bool layout_join(Sema *s, Layout *layout, const Tensor *t, Span span) {
    uint32_t have[TIR_MAX_RANK], n_have = 0, dims[TIR_MAX_RANK];
    for (uint32_t k = 0; k < layout->rank; k++)
        if (!layout->axes[k])
            have[n_have++] = layout->dims[k];
    const uint32_t n = tensor_bare_dims(t, dims, NULL);
    if (n && n_have) {
        bool same = n == n_have;
        for (uint32_t k = 0; same && k < n; k++)
            same = dims[k] == have[k];
        if (!same) {
            if (n == n_have)
                trial_dims_differ(s, n, have, dims);
            sema_error(s, DIAG_SHAPE, span, "whole tensors %s and %s do not fit each other",
                       dims_text(s, n_have, have), dims_text(s, n, dims));
            return false;
        }
    } else {
        for (uint32_t k = 0; k < n; k++) {
            if (layout->rank == TIR_MAX_RANK) {
                sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
                return false;
            }
            layout->axes[layout->rank] = NULL;
            layout->dims[layout->rank++] = dims[k];
        }
    }
    for (uint32_t k = 0; k < t->type.rank; k++)
        if (t->axes[k] && !layout_add_label(s, layout, t->axes[k], t->type.dims[k], span))
            return false;
    return true;
}

TirId tensor_align(Sema *s, const Tensor *t, const Layout *layout, Span span) {
    const TirId id = tensor_use(s, t);
    if (t->type.rank == 0)
        return id;
    uint8_t map[TIR_MAX_RANK];
    uint32_t bare = 0;
    bool same = t->type.rank == layout->rank;
    for (uint32_t k = 0; k < t->type.rank; k++) {
        uint32_t at = 0, skip = t->axes[k] ? 0 : bare++;
        for (; at < layout->rank; at++)
            if (layout->axes[at] == t->axes[k] && (t->axes[k] || skip-- == 0))
                break;
        map[k] = (uint8_t)at;
        same = same && at == k;
    }
    return same ? id : tir_broadcast(sema_builder(s, span), id, layout->rank, layout->dims, map);
}

static bool layout_check_size(Sema *s, const Layout *layout, Span span) {
    uint64_t count;
    return element_count(s, layout->rank, layout->dims, span, &count);
}

/* Joins where x lives to `all`. */
static bool domain_meets(Sema *s, TirDomain *all, const Tensor *x, Span span) {
    if (tir_domain_join(*all, x->type.domain, all))
        return true;
    const TirSpace *spaces = s->program->spaces.at;
    sema_error(s, DIAG_DOMAIN, span, "one operand lives at positions `%s`, the other at `%s`",
               spaces[all->space - 1].name, spaces[x->type.domain.space - 1].name);
    sema_help(s, "pool one of them over its positions first: `mean[%s] ...`",
              spaces[all->space - 1].name);
    return false;
}

/* --- elementwise -------------------------------------------------------------------------------*/

static double fold_unary(TirOp op, double a) {
    switch (op) {
    case TIR_NEG:
        return -a;
    case TIR_ABS:
        return fabs(a);
    case TIR_EXP:
        return exp(a);
    case TIR_LOG:
        return log(a);
    case TIR_SQRT:
        return sqrt(a);
    case TIR_RSQRT:
        return 1 / sqrt(a);
    case TIR_TANH:
        return tanh(a);
    case TIR_SIGMOID:
        return 1 / (1 + exp(-a));
    case TIR_ERF:
        return erf(a);
    case TIR_SIN:
        return sin(a);
    case TIR_COS:
        return cos(a);
    case TIR_FLOOR:
        return floor(a);
    default:
        return a; /* STOP_GRADIENT, TO_REAL */
    }
}

static double fold_binary(TirOp op, double a, double b) {
    switch (op) {
    case TIR_ADD:
        return a + b;
    case TIR_SUB:
        return a - b;
    case TIR_MUL:
        return a * b;
    case TIR_DIV:
        return a / b;
    case TIR_POW:
        return pow(a, b);
    case TIR_MIN:
        return a < b ? a : b;
    case TIR_MAX:
        return a > b ? a : b;
    case TIR_LT:
        return a < b;
    case TIR_LE:
        return a <= b;
    default:
        return a == b; /* EQ */
    }
}

static bool op_compares(TirOp op) {
    return op == TIR_LT || op == TIR_LE || op == TIR_EQ;
}
static bool op_is_logic(TirOp op) {
    return op == TIR_AND || op == TIR_OR || op == TIR_NOT;
}

static const Tensor *value_as_condition(Sema *s, Value v, Span span) {
    const Tensor *t = value_as_tensor(s, v, span);
    if (t && t->type.elem != TIR_BOOL) {
        sema_error(s, DIAG_CONDITION, span, "a number stands where a condition is needed");
        sema_help(s, "compare it: `... > 0`");
        return NULL;
    }
    return t;
}

Value value_unary(Sema *s, TirOp op, Value a, Span span) {
    if (a.kind == VALUE_NUMBER && op != TIR_NOT)
        return value_number(fold_unary(op, a.number), span);
    if (a.kind == VALUE_BOOL && op == TIR_NOT)
        return value_bool(!a.boolean, span);
    const Tensor *t = op == TIR_NOT ? value_as_condition(s, a, span) : value_as_real(s, a, span);
    if (!t)
        return POISON;
    const TirId id = tir_unary(sema_builder(s, span), op, tensor_use(s, t));
    return value_derived(s, id, t->type.domain, t->axes, span);
}

/* Equality of definitions and texts, for conditions such as `wiring == mhc`. */
static bool fold_equal(Value a, Value b, bool *equal) {
    if (a.kind != b.kind)
        return false;
    if (a.kind == VALUE_BOOL)
        *equal = a.boolean == b.boolean;
    else if (a.kind == VALUE_STRING)
        *equal = a.string == b.string;
    else if (a.kind == VALUE_CALLABLE)
        *equal = a.callable->item == b.callable->item && a.callable->builtin == b.callable->builtin;
    else
        return false;
    return true;
}

Value value_binary(Sema *s, TirOp op, Value a, Value b, Span span) {
    if (is_poison(a) || is_poison(b)) { /* what is wrong anyway is said */
        if (a.kind == VALUE_CALLABLE && op != TIR_EQ)
            value_as_tensor(s, a, span);
        if (b.kind == VALUE_CALLABLE && op != TIR_EQ)
            value_as_tensor(s, b, span);
        return POISON;
    }
    bool equal;
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER && !op_is_logic(op)) {
        const double r = fold_binary(op, a.number, b.number);
        return op_compares(op) ? value_bool(r != 0, span) : value_number(r, span);
    }
    if (a.kind == VALUE_BOOL && b.kind == VALUE_BOOL && op_is_logic(op))
        return value_bool(op == TIR_AND ? a.boolean && b.boolean : a.boolean || b.boolean, span);
    if (op == TIR_EQ && fold_equal(a, b, &equal))
        return value_bool(equal, span);
    const Tensor *x, *y;
    const bool both_integers = op_compares(op) && a.kind == VALUE_TENSOR &&
                               b.kind == VALUE_TENSOR && a.tensor->type.elem == TIR_INT &&
                               b.tensor->type.elem == TIR_INT;
    if (op_is_logic(op)) {
        x = value_as_condition(s, a, span);
        y = value_as_condition(s, b, span);
    } else if (both_integers) {
        x = a.tensor;
        y = b.tensor;
    } else {
        x = value_as_real(s, a, span);
        y = value_as_real(s, b, span);
    }
    Layout layout = {0};
    TirDomain domain = x ? x->type.domain : TIR_GLOBAL;
    if (!x || !y || !domain_meets(s, &domain, y, span) || !layout_join(s, &layout, x, span) ||
        !layout_join(s, &layout, y, span) || !layout_check_size(s, &layout, span))
        return POISON;
    const TirId p = tensor_align(s, x, &layout, span), q = tensor_align(s, y, &layout, span);
    const TirId id = tir_binary(sema_builder(s, span), op, p, q);
    return value_derived(s, id, domain, layout.axes, span);
}

Value value_select(Sema *s, Value condition, Value a, Value b, Span span) {
    if (is_poison(condition) || is_poison(a) || is_poison(b))
        return POISON;
    if (condition.kind == VALUE_BOOL) {
        if (a.kind != VALUE_NUMBER && a.kind != VALUE_TENSOR)
            s->decisions++; /* of what is called */
        return condition.boolean ? a : b;
    }
    const Tensor *c = value_as_condition(s, condition, span);
    const Tensor *x = value_as_real(s, a, span), *y = value_as_real(s, b, span);
    Layout layout = {0};
    TirDomain domain = c ? c->type.domain : TIR_GLOBAL;
    if (!c || !x || !y || !domain_meets(s, &domain, x, span) ||
        !domain_meets(s, &domain, y, span) || !layout_join(s, &layout, c, span) ||
        !layout_join(s, &layout, x, span) || !layout_join(s, &layout, y, span) ||
        !layout_check_size(s, &layout, span))
        return POISON;
    const TirId k = tensor_align(s, c, &layout, span), p = tensor_align(s, x, &layout, span),
                q = tensor_align(s, y, &layout, span);
    const TirId id = tir_select(sema_builder(s, span), k, p, q);
    return value_derived(s, id, domain, layout.axes, span);
}

/* --- arrangement -------------------------------------------------------------------------------*/

Value tensor_arrange(Sema *s, const Tensor *t, uint32_t n, Index *const *order, Span span) {
    Layout layout = {0};
    uint8_t map[TIR_MAX_RANK];
    uint32_t leading = 0;
    for (uint32_t k = 0; k < t->type.rank; k++) {
        bool named = false;
        for (uint32_t j = 0; j < n; j++)
            named = named || t->axes[k] == order[j];
        if (!named)
            leading++;
    }
    if (leading + n > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < t->type.rank; k++) {
        uint32_t j = 0;
        while (j < n && order[j] != t->axes[k])
            j++;
        if (j < n) {
            map[k] = (uint8_t)(leading + j);
        } else {
            layout.axes[layout.rank] = t->axes[k];
            layout.dims[layout.rank] = t->type.dims[k];
            map[k] = (uint8_t)layout.rank++;
        }
    }
    for (uint32_t j = 0; j < n; j++) {
        layout.axes[layout.rank] = NULL;
        layout.dims[layout.rank++] = order[j]->extent;
    }
    if (!layout_check_size(s, &layout, span))
        return POISON;
    bool same = t->type.rank == layout.rank;
    for (uint32_t k = 0; same && k < t->type.rank; k++)
        same = map[k] == k;
    TirId id = tensor_use(s, t);
    if (!same)
        id = tir_broadcast(sema_builder(s, span), id, layout.rank, layout.dims, map);
    return value_derived(s, id, t->type.domain, layout.axes, span);
}
