/* Entries looked up by numbers of the run: `image[4 * r + a, 4 * c + b, k]`, `E[tokens, c]`.
 *
 * All such subscripts of one tensor together choose among the product of their axes, so they make
 * one GATHER. What positions decide is a table by position, evaluated here and checked against the
 * axes; integers of the run (tokens, an argmax) are used as they are, and one outside the axis
 * finds 0. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/expr/subscript.h"
#include "sema/report.h"
#include <math.h>

enum { LOOKUP_LARGEST = 1 << 27 }; /* so that sums of numbers outside stay in 32 bits */

const char *subscript_base_text(Sema *s, const Expr *base) {
    return base->kind == EXPR_NAME ? arena_printf(s->arena, "`%s`", base->name) : "this value";
}

bool subscript_in_range(Sema *s, double v, uint32_t dim, const Expr *base, Span span) {
    if (v != floor(v)) {
        sema_error(s, DIAG_INDEX_RANGE, span, "%.10g is not a whole number", v);
        return false;
    }
    if (v < 0 || v >= dim) {
        sema_error(s, DIAG_INDEX_RANGE, span,
                   "this reaches entry %.0f, but the axis of %s has %u (0 to %u)", v,
                   subscript_base_text(s, base), dim, dim - 1);
        return false;
    }
    return true;
}

bool lookup_mark(Sema *s, Work *w, uint32_t axis, const Expr *e, const Tensor *value) {
    Index *marker = ARENA_NEW(s->arena, Index);
    marker->name = "";
    marker->span = e->span;
    marker->serial = ++s->next_serial;
    marker->extent = w->dims[axis];
    w->axes[axis] = marker;
    w->lookups[w->n_lookups++] = (Lookup){e, marker, value};
    return true;
}

/* Marked axes come first, in the order of their subscripts, and become one: `rows` entries. */
static bool bring_forward(Sema *s, Work *w, uint32_t *strides, uint32_t *rows, Span span) {
    uint8_t to[TIR_MAX_RANK];
    uint32_t moved[TIR_MAX_RANK], flat[TIR_MAX_RANK], n = 0;
    Index *axes[TIR_MAX_RANK] = {NULL};
    uint64_t product = 1;
    for (uint32_t m = 0; m < w->n_lookups; m++)
        for (uint32_t k = 0; k < w->rank; k++)
            if (w->axes[k] == w->lookups[m].marker) {
                to[k] = (uint8_t)m;
                moved[m] = w->dims[k];
            }
    for (uint32_t m = w->n_lookups; m-- > 0;) {
        strides[m] = (uint32_t)product;
        product *= moved[m];
        if (product > LOOKUP_LARGEST) {
            sema_error(s, DIAG_SIZE, span, "more than %d entries to choose from", LOOKUP_LARGEST);
            return false;
        }
    }
    *rows = (uint32_t)product;
    flat[0] = *rows;
    for (uint32_t k = 0; k < w->rank; k++) {
        bool marked = false;
        for (uint32_t m = 0; m < w->n_lookups; m++)
            marked = marked || w->axes[k] == w->lookups[m].marker;
        if (marked)
            continue;
        to[k] = (uint8_t)(w->n_lookups + n);
        moved[w->n_lookups + n] = flat[1 + n] = w->dims[k];
        axes[n++] = w->axes[k];
    }
    TirBuilder *b = sema_builder(s, span);
    w->id = tir_reshape(b, tir_broadcast(b, w->id, w->rank, moved, to), n + 1, flat);
    w->rank = n;
    for (uint32_t k = 0; k < n; k++) {
        w->axes[k] = axes[k];
        w->dims[k] = flat[1 + k];
    }
    return true;
}

/* --- subscripts of positions -------------------------------------------------------------------*/

enum { POSITION_NAMES = 3 }; /* of one space: its two axes, and `here` */

typedef struct {
    Scope *scope;                  /* in which positions are indices */
    bool outside;                  /* subscripts may be: then they choose no entry */
    uint32_t space, n_names;       /* names that the positions go by, */
    Index *names[POSITION_NAMES];  /* an index for each, */
    uint32_t axis[POSITION_NAMES]; /* and which axis it means */
    uint32_t n_indices;
    Index *indices[MAX_MENTIONED];
} PositionTable;

static bool add_positions(Sema *s, Scope *scope, PositionTable *t, const Lookup *lookup) {
    NamedPosition found[MAX_MENTIONED];
    const uint32_t n = numeric_positions(s, scope, lookup->e, found);
    for (uint32_t k = 0; k < n; k++) {
        bool known = false;
        for (uint32_t j = 0; j < t->n_names; j++)
            known = known || t->names[j]->name == found[k].name;
        if (t->space && t->space != found[k].space) {
            sema_error(s, DIAG_DOMAIN, found[k].span, "positions of two spaces choose one entry");
            return false;
        }
        t->space = found[k].space;
        if (known)
            continue;
        Index *index = index_add(s, t->scope, found[k].name, found[k].span);
        index->fixed = true; /* stands for one position at a time */
        t->axis[t->n_names] = found[k].axis;
        t->names[t->n_names++] = index;
    }
    return true;
}

static bool add_indices(Sema *s, PositionTable *t, const Lookup *lookup) {
    Index *found[MAX_MENTIONED];
    uint32_t n;
    if (!numeric_indices(s, t->scope, lookup->e, found, &n))
        return false;
    for (uint32_t k = 0; k < n; k++) {
        bool known = false;
        for (uint32_t j = 0; j < t->n_indices; j++)
            known = known || t->indices[j] == found[k];
        if (known)
            continue;
        if (!found[k]->extent) {
            sema_error(s, DIAG_INDEX_EXTENT, lookup->e->span,
                       "the range of index `%s` cannot be told here", found[k]->name);
            sema_help(s, "give it on the left: `[%s < 4]`", found[k]->name);
            return false;
        }
        if (t->n_indices == MAX_MENTIONED) {
            sema_error(s, DIAG_RANK, lookup->e->span, "a tensor has at most %d axes", TIR_MAX_RANK);
            return false;
        }
        t->indices[t->n_indices++] = found[k];
    }
    return true;
}

/* More than all entries together. */
#define OUTSIDE (-(double)((uint64_t)1 << 40))

static bool check_entry(Sema *s, const PositionTable *t, const Lookup *lookup, double *at,
                        const Expr *base) {
    const uint32_t extent = lookup->marker->extent;
    if (t->outside && *at == floor(*at)) {
        *at = *at < 0 || *at >= extent ? OUTSIDE : *at;
        return true;
    }
    if (subscript_in_range(s, *at, extent, base, lookup->e->span))
        return true;
    if (t->n_names)
        sema_note(s, lookup->e->span, "at `%s` = %lld", t->names[0]->name,
                  (long long)t->names[0]->current);
    return false;
}

/* Adds stride * subscript to every entry of `data`, [positions][indices...]. */
static bool tabulate(Sema *s, PositionTable *t, const Lookup *lookup, uint32_t stride,
                     uint64_t entries, double *data, double *scratch, const Expr *base) {
    const TirSpace *space = t->space ? &s->program->spaces.at[t->space - 1] : NULL;
    for (uint32_t p = 0; p < (space ? space->maximum : 1); p++) {
        for (uint32_t k = 0; k < t->n_names; k++)
            t->names[k]->current = space->rank == 1  ? p
                                   : t->axis[k] == 0 ? p / space->extents[1]
                                                     : p % space->extents[1];
        if (!numeric_evaluate(s, t->scope, lookup->e, t->n_indices, t->indices, scratch))
            return false;
        for (uint64_t k = 0; k < entries; k++) {
            if (!check_entry(s, t, lookup, &scratch[k], base))
                return false;
            data[(uint64_t)p * entries + k] += stride * scratch[k];
        }
    }
    return true;
}

bool lookup_table(Sema *s, Scope *scope, uint32_t n_lookups, const Lookup *lookups,
                  const uint32_t *strides, bool outside, const Expr *base, Span span,
                  LookupTable *to) {
    PositionTable t = {.scope = scope_create(s, scope, scope->frame), .outside = outside};
    uint32_t dims[TIR_MAX_RANK + 1], n = 0;
    bool good = true;
    for (uint32_t m = 0; good && m < n_lookups; m++)
        good = lookups[m].value || add_positions(s, scope, &t, &lookups[m]);
    for (uint32_t m = 0; good && m < n_lookups; m++)
        good = lookups[m].value || add_indices(s, &t, &lookups[m]);
    if (!good)
        return false;
    const uint32_t positions = t.space ? s->program->spaces.at[t.space - 1].maximum : 1;
    dims[n++] = positions;
    uint64_t entries = 1, count;
    for (uint32_t k = 0; k < t.n_indices; k++) {
        if (n == TIR_MAX_RANK) {
            sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
            return false;
        }
        dims[n++] = t.indices[k]->extent;
        entries *= t.indices[k]->extent;
    }
    if (!budget_elements(s, n, dims, span, &count))
        return false;
    double *data = budget_table(s, count, span);
    double *scratch = data ? budget_table(s, entries, span) : NULL;
    if (!scratch)
        return false;
    for (uint32_t m = 0; m < n_lookups; m++)
        if (!lookups[m].value &&
            !tabulate(s, &t, &lookups[m], strides[m], entries, data, scratch, base))
            return false;
    for (uint64_t k = 0; outside && k < count; k++)
        data[k] = data[k] < 0 ? -1 : data[k];
    *to = (LookupTable){.space = t.space, .data = data, .positions = positions, .entries = entries};
    to->n_indices = t.n_indices;
    for (uint32_t k = 0; k < t.n_indices; k++)
        to->indices[k] = t.indices[k];
    return true;
}

/* The integers that all subscripts of positions together make, labelled by their indices. */
static const Tensor *positions_lookup(Sema *s, Scope *scope, const Work *w, const uint32_t *strides,
                                      const Expr *base, Span span) {
    LookupTable table;
    if (!lookup_table(s, scope, w->n_lookups, w->lookups, strides, false, base, span, &table))
        return NULL;
    return lookup_integers(s, &table, span);
}

/* --- all together ------------------------------------------------------------------------------*/

/* stride * value as integers. Among several, one outside its axis makes the sum negative, and so
 * finds 0 instead of an entry of another row. */
static const Tensor *scaled(Sema *s, const Work *w, uint32_t m, uint32_t stride, uint32_t rows,
                            Span span) {
    const Tensor *t = w->lookups[m].value;
    if (w->n_lookups == 1)
        return t;
    const TirId id = tensor_use(s, t);
    TirBuilder *b = sema_builder(s, span);
    const TirId at = tir_binary(b, TIR_MUL, id, tir_int(b, stride));
    const TirId low = tir_binary(b, TIR_LE, tir_int(b, 0), id);
    const TirId high = tir_binary(b, TIR_LT, id, tir_int(b, w->lookups[m].marker->extent));
    const TirId inside = tir_binary(b, TIR_AND, low, high);
    const TirId id_or_not = tir_select(b, inside, at, tir_int(b, -(int64_t)rows));
    return value_derived(s, id_or_not, t->type.domain, t->axes, span).tensor;
}

static const Tensor *added(Sema *s, const Tensor *x, const Tensor *y, Span span) {
    Layout layout = {0};
    TirDomain joined;
    uint64_t count;
    if (!tir_domain_join(x->type.domain, y->type.domain, &joined)) {
        sema_error(s, DIAG_DOMAIN, span, "subscripts live at positions of two spaces");
        return NULL;
    }
    if (!layout_join(s, &layout, x, span) || !layout_join(s, &layout, y, span) ||
        !budget_elements(s, layout.rank, layout.dims, span, &count))
        return NULL;
    const TirId p = tensor_align(s, x, &layout, span), q = tensor_align(s, y, &layout, span);
    const TirId id = tir_binary(sema_builder(s, span), TIR_ADD, p, q);
    return value_derived(s, id, joined, layout.axes, span).tensor;
}

bool lookup_apply(Sema *s, Scope *scope, Work *w, const Expr *base, Span span) {
    uint32_t strides[TIR_MAX_RANK], rows;
    bool of_positions = false;
    for (uint32_t i = 0, k = w->n_lookups; i + 1 < k; i++) { /* first axis first */
        const Lookup swap = w->lookups[i];
        w->lookups[i] = w->lookups[--k];
        w->lookups[k] = swap;
    }
    if (!bring_forward(s, w, strides, &rows, span))
        return false;
    for (uint32_t m = 0; m < w->n_lookups; m++)
        of_positions = of_positions || !w->lookups[m].value;
    const Tensor *at = of_positions ? positions_lookup(s, scope, w, strides, base, span) : NULL;
    if (of_positions && !at)
        return false;
    for (uint32_t m = 0; m < w->n_lookups; m++) {
        if (!w->lookups[m].value)
            continue;
        const Tensor *more = scaled(s, w, m, strides[m], rows, span);
        at = at ? added(s, at, more, span) : more;
        if (!at)
            return false;
    }
    if (!tir_domain_join(at->type.domain, w->domain, &w->domain)) {
        sema_error(s, DIAG_DOMAIN, span,
                   "%s lives at positions of another space than its subscript",
                   subscript_base_text(s, base));
        return false;
    }
    if (at->type.rank + w->rank > TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
        return false;
    }
    const TirId index = tensor_use(s, at);
    w->id = tir_gather(sema_builder(s, span), w->id, index);
    for (uint32_t k = w->rank; k-- > 0;) {
        w->axes[at->type.rank + k] = w->axes[k];
        w->dims[at->type.rank + k] = w->dims[k];
    }
    for (uint32_t k = 0; k < at->type.rank; k++) {
        w->axes[k] = at->axes[k];
        w->dims[k] = at->type.dims[k];
    }
    w->rank += at->type.rank;
    return true;
}
