/* Shape rules of views, reductions, contractions, indexing, loops and ops across positions; and
 * tir_infer, which adds dependence. */
#include "tir/tir_attr.h"
#include "tir/tir_internal.h"

static const TirType *operand(const TirShapeContext *s, const TirNode *node, uint32_t k) {
    return &s->block->nodes.at[node->operands[k]].type;
}

static const char *shape_numeric(const TirType *t) {
    return t->elem == TIR_REAL || t->elem == TIR_INT ? NULL : "the operand is not a number";
}

static bool shape_append(TirType *t, const TirType *from, uint32_t first) {
    for (uint32_t k = first; k < from->rank; k++) {
        if (t->rank == TIR_MAX_RANK)
            return false;
        t->dims[t->rank++] = from->dims[k];
    }
    return true;
}

/* The requested shape stays; element and domain come from the operand. */
static void view_of(TirNode *node, const TirType *x) {
    node->type.elem = x->elem;
    node->type.domain = x->domain;
}

const char *tir_shape_BROADCAST(const TirShapeContext *s, TirNode *node) {
    const TirType *x = operand(s, node, 0);
    view_of(node, x);
    for (uint32_t k = 0; k < x->rank; k++) {
        const uint32_t to = node->attr.axes[k];
        if (to >= node->type.rank || node->type.dims[to] != x->dims[k])
            return arena_printf(s->program->arena, "axis %u of %s does not fit axis %u of %s", k,
                                tir_type_text(s->program->arena, x), to,
                                tir_type_text(s->program->arena, &node->type));
    }
    return NULL;
}

/* SLICE and PAD: the shapes differ on one axis, where `large` holds `small` at `start`. */
static const char *shape_window(const TirNode *node, const TirType *small, const TirType *large) {
    const uint32_t axis = node->attr.axis;
    if (small->rank != large->rank || axis >= large->rank)
        return "the axis or rank is wrong";
    for (uint32_t k = 0; k < large->rank; k++)
        if (k != axis && small->dims[k] != large->dims[k])
            return "an axis changes that should not";
    if ((uint64_t)node->attr.start + small->dims[axis] > large->dims[axis])
        return "the range leaves the axis";
    return NULL;
}

const char *tir_shape_SLICE(const TirShapeContext *s, TirNode *node) {
    view_of(node, operand(s, node, 0));
    return shape_window(node, &node->type, operand(s, node, 0));
}

const char *tir_shape_PAD(const TirShapeContext *s, TirNode *node) {
    view_of(node, operand(s, node, 0));
    return shape_window(node, operand(s, node, 0), &node->type);
}

const char *tir_shape_RESHAPE(const TirShapeContext *s, TirNode *node) {
    view_of(node, operand(s, node, 0));
    if (tir_element_count(operand(s, node, 0)) != tir_element_count(&node->type))
        return arena_printf(s->program->arena, "%s and %s have different numbers of elements",
                            tir_type_text(s->program->arena, operand(s, node, 0)),
                            tir_type_text(s->program->arena, &node->type));
    return NULL;
}

const char *tir_shape_CONCAT(const TirShapeContext *s, TirNode *node) {
    const uint32_t axis = node->attr.axis;
    if (node->n_operands == 0)
        return "nothing to concatenate";
    TirType out = *operand(s, node, 0);
    if (axis >= out.rank)
        return "the axis is outside the rank";
    uint64_t extent = out.dims[axis];
    for (uint32_t k = 1; k < node->n_operands; k++) {
        TirType part = *operand(s, node, k);
        if (part.elem != out.elem || part.rank != out.rank)
            return "parts differ in element or rank";
        if (!tir_domain_join(out.domain, part.domain, &out.domain))
            return "parts lie in different position spaces";
        extent += part.dims[axis];
        part.dims[axis] = out.dims[axis];
        if (!tir_shape_equal(&part, &out))
            return "parts differ on another axis";
    }
    if (extent > UINT32_MAX)
        return tir_too_large;
    out.dims[axis] = (uint32_t)extent;
    node->type = out;
    return NULL;
}

const char *tir_shape_TAKE(const TirShapeContext *s, TirNode *node) {
    const TirType *x = operand(s, node, 0);
    const uint32_t axis = node->attr.axis;
    view_of(node, x);
    if (node->type.rank != x->rank || axis >= x->rank)
        return "the axis or rank is wrong";
    for (uint32_t k = 0; k < x->rank; k++)
        if (k != axis && node->type.dims[k] != x->dims[k])
            return "an axis changes that should not";
    for (uint32_t i = 0; i < node->type.dims[axis]; i++)
        if (node->attr.indices[i] < -1 || node->attr.indices[i] >= (int64_t)x->dims[axis])
            return "an index is outside the axis";
    return NULL;
}

static const char *shape_reduce(const TirShapeContext *s, TirNode *node) {
    const TirType *x = operand(s, node, 0);
    if (node->attr.axis_mask >> x->rank)
        return "an axis is outside the rank";
    node->type = *x;
    node->type.rank = 0;
    for (uint32_t k = 0; k < TIR_MAX_RANK; k++)
        node->type.dims[k] = 0;
    for (uint32_t k = 0; k < x->rank; k++)
        if (!(node->attr.axis_mask >> k & 1))
            node->type.dims[node->type.rank++] = x->dims[k];
    return shape_numeric(x);
}

#define REDUCE_RULE(ident)                                                                         \
    const char *tir_shape_##ident(const TirShapeContext *s, TirNode *node) {                       \
        return shape_reduce(s, node);                                                              \
    }
REDUCE_RULE(REDUCE_SUM)
REDUCE_RULE(REDUCE_MAX)
REDUCE_RULE(REDUCE_MIN)
REDUCE_RULE(REDUCE_PROD)

const char *tir_shape_ARGMAX(const TirShapeContext *s, TirNode *node) {
    const TirType *x = operand(s, node, 0);
    if (node->attr.axis >= x->rank)
        return "the axis is outside the rank";
    node->type = (TirType){.elem = TIR_INT, .domain = x->domain};
    for (uint32_t k = 0; k < x->rank; k++)
        if (k != node->attr.axis)
            node->type.dims[node->type.rank++] = x->dims[k];
    return shape_numeric(x);
}

const char *tir_shape_POSITION_SUM(const TirShapeContext *s, TirNode *node) {
    const TirType *x = operand(s, node, 0);
    const TirDomain to = node->type.domain;
    node->type = *x;
    node->type.domain = to;
    if (x->elem != TIR_REAL)
        return "the operand is not real";
    return tir_domain_outer(to, x->domain) ? NULL
                                           : "the result's domain is not outer to the operand's";
}

const char *tir_shape_CONTRACT(const TirShapeContext *s, TirNode *node) {
    enum { LABELS = 26 }; /* so that text can write them as letters */
    uint32_t extents[LABELS] = {0};
    TirDomain joined = {0, 0};
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *t = operand(s, node, o);
        if (t->elem != TIR_REAL)
            return "an operand is not real";
        if (!tir_domain_join(joined, t->domain, &joined))
            return "operands lie in different position spaces";
        for (uint32_t k = 0; k < t->rank; k++) {
            if (node->attr.labels[o][k] >= LABELS)
                return "a label is too large";
            uint32_t *extent = &extents[node->attr.labels[o][k]];
            if (*extent && *extent != t->dims[k])
                return arena_printf(s->program->arena, "label %u has extents %u and %u",
                                    node->attr.labels[o][k], *extent, t->dims[k]);
            *extent = t->dims[k];
        }
    }
    if (!tir_domain_outer(node->type.domain, joined))
        return "the result's domain is not outer to the operands'";
    uint8_t seen[LABELS] = {0};
    node->type.elem = TIR_REAL;
    for (uint32_t k = 0; k < node->type.rank; k++) {
        const uint8_t label = node->attr.labels[2][k];
        if (label >= LABELS || !extents[label] || seen[label]++)
            return arena_printf(s->program->arena, "result label %u is unknown or repeated", label);
        node->type.dims[k] = extents[label];
    }
    return NULL;
}

const char *tir_shape_GATHER(const TirShapeContext *s, TirNode *node) {
    const TirType *x = operand(s, node, 0), *index = operand(s, node, 1);
    if (index->elem != TIR_INT || x->elem == TIR_TUPLE || x->rank == 0)
        return "operands are not a tensor of rank 1 or more and int indices";
    TirType out = *index;
    out.elem = x->elem;
    if (!tir_domain_join(x->domain, index->domain, &out.domain))
        return "operands lie in different position spaces";
    if (!shape_append(&out, x, 1))
        return "the result's rank is too high";
    node->type = out;
    return NULL;
}

const char *tir_shape_SCATTER_ADD(const TirShapeContext *s, TirNode *node) {
    const TirType *index = operand(s, node, 0), *g = operand(s, node, 1);
    TirDomain joined;
    if (index->elem != TIR_INT || g->elem != TIR_REAL)
        return "operands are not int indices and real values";
    if (!tir_domain_join(index->domain, g->domain, &joined))
        return "operands lie in different position spaces";
    if (!tir_domain_outer(node->type.domain, joined))
        return "the result's domain is not outer to the operands'";
    if (g->rank < index->rank)
        return "the values lack the index's axes";
    for (uint32_t k = 0; k < index->rank; k++)
        if (g->dims[k] != index->dims[k])
            return "the values' first axes are not the index's";
    TirType out = {.elem = TIR_REAL, .domain = node->type.domain, .rank = 1};
    out.dims[0] = node->attr.rows;
    if (!shape_append(&out, g, index->rank))
        return "the result's rank is too high";
    node->type = out;
    return NULL;
}

const char *tir_shape_ONEHOT(const TirShapeContext *s, TirNode *node) {
    TirType out = *operand(s, node, 0);
    if (out.elem != TIR_INT || out.rank == TIR_MAX_RANK)
        return "the operand is not int, or of too high a rank";
    out.elem = TIR_REAL;
    out.dims[out.rank++] = node->attr.rows;
    node->type = out;
    return NULL;
}

static const char *scan_argument(const TirShapeContext *s, const TirNode *node, uint32_t k,
                                 bool scanned) {
    const TirType *t = operand(s, node, k), *arg = &node->attr.body->arguments.at[k];
    TirType expected = *t;
    if (scanned) {
        if (t->rank == 0 || t->dims[0] != node->attr.trips)
            return arena_printf(s->program->arena, "operand %u has no leading axis of trips", k);
        expected.rank = (uint8_t)(t->rank - 1);
        for (uint32_t i = 0; i < expected.rank; i++)
            expected.dims[i] = t->dims[i + 1];
    }
    if (arg->elem != t->elem || !tir_shape_equal(arg, &expected) ||
        !tir_domain_outer(t->domain, arg->domain))
        return arena_printf(s->program->arena, "operand %u is %s, but the body's argument is %s", k,
                            tir_type_text(s->program->arena, t),
                            tir_type_text(s->program->arena, arg));
    return NULL;
}

const char *tir_shape_SCAN(const TirShapeContext *s, TirNode *node) {
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    const uint32_t n = a->n_carried + a->n_invariant + a->n_scanned;
    if (!body || a->trips == 0)
        return "there is no body, or no trip";
    if (node->n_operands != n || body->arguments.count != n + 1)
        return "the body's arguments are not carried, invariant, scanned and the trip number";
    if (body->results.count != a->n_carried + a->n_stacked)
        return "the body's results are not the carried and the stacked values";
    for (uint32_t k = 0; k < n; k++) {
        const char *wrong = scan_argument(s, node, k, k >= a->n_carried + a->n_invariant);
        if (wrong)
            return wrong;
    }
    const TirType *trip = &body->arguments.at[n];
    if (trip->elem != TIR_INT || trip->rank || trip->domain.sample || trip->domain.space)
        return "the trip number is not a global int";
    TirType *results = ARENA_ARRAY(s->program->arena, TirType, body->results.count);
    for (uint32_t k = 0; k < body->results.count; k++) {
        const TirType *t = &body->nodes.at[body->results.at[k]].type;
        if (k < a->n_carried) {
            const TirType *arg = &body->arguments.at[k];
            if (t->elem != arg->elem || !tir_shape_equal(t, arg) ||
                !tir_domain_outer(t->domain, arg->domain))
                return arena_printf(
                    s->program->arena, "carried value %u begins as %s and goes on as %s", k,
                    tir_type_text(s->program->arena, arg), tir_type_text(s->program->arena, t));
            results[k] = *arg;
        } else {
            results[k] = (TirType){.elem = t->elem, .domain = t->domain, .rank = 1};
            results[k].dims[0] = a->trips;
            if (t->elem == TIR_TUPLE || !shape_append(&results[k], t, 0))
                return "a stacked value's rank is too high";
        }
    }
    node->n_results = body->results.count;
    node->result_types = results;
    node->type = (TirType){.elem = TIR_TUPLE};
    for (uint32_t k = 0; k < n; k++) { /* of several spaces the first: no kernel runs such a loop */
        const TirDomain domain = body->arguments.at[k].domain;
        if (!tir_domain_join(node->type.domain, domain, &node->type.domain))
            node->type.domain.sample |= domain.sample;
    }
    return NULL;
}

const char *tir_shape_RESULT(const TirShapeContext *s, TirNode *node) {
    const TirNode *tuple = &s->block->nodes.at[node->operands[0]];
    if (node->attr.index >= tuple->n_results)
        return "no such result";
    node->type = tuple->result_types[node->attr.index];
    return NULL;
}

/* q[h,e], k[g,e], v[g,f]; where queries and what comes of them live, and where keys and values do.
 * A side without positions of its own lives at the other's. */
static const char *shape_attention(const TirShapeContext *s, const TirNode *node, TirDomain *domain,
                                   TirDomain *of_keys) {
    const TirType *q = operand(s, node, 0), *k = operand(s, node, 1), *v = operand(s, node, 2);
    const uint32_t bias = tir_attend_bias(node), others = node->op == TIR_ATTEND ? 3 : 6;
    *domain = *of_keys = TIR_GLOBAL;
    if (node->n_operands != others + (bias > 0))
        return "the number of operands is wrong";
    for (uint32_t o = 0; o < others; o++) {
        const TirType *t = operand(s, node, o);
        TirDomain *side = o == 1 || o == 2 ? of_keys : domain;
        if (t->elem != TIR_REAL || !tir_domain_join(*side, t->domain, side))
            return "operands are not real values, queries of one position space, and keys and "
                   "values of one";
    }
    if (!domain->space)
        domain->space = of_keys->space;
    if (!of_keys->space)
        of_keys->space = domain->space;
    domain->sample = of_keys->sample = domain->sample || of_keys->sample;
    if (!domain->space)
        return "no operand has positions";
    if (node->attr.causal && domain->space != of_keys->space)
        return "queries and keys of two position spaces have no order";
    if (bias) {
        const TirType *b = operand(s, node, bias);
        const TirSpace *spaces = s->program->spaces.at;
        const uint64_t ahead = spaces[domain->space - 1].maximum,
                       behind = spaces[of_keys->space - 1].maximum;
        if (b->elem != TIR_REAL || !tir_domain_equal(b->domain, TIR_GLOBAL) || b->rank != 2 ||
            b->dims[0] != q->dims[0] || node->attr.start + 1 < behind ||
            b->dims[1] < node->attr.start + ahead)
            return "the bias has not a number for each head and distance";
    }
    if (q->rank != 2 || k->rank != 2 || v->rank != 2 || q->dims[1] != k->dims[1] ||
        k->dims[0] != v->dims[0] || q->dims[0] % k->dims[0])
        return arena_printf(
            s->program->arena, "shapes %s, %s, %s do not fit", tir_type_text(s->program->arena, q),
            tir_type_text(s->program->arena, k), tir_type_text(s->program->arena, v));
    return NULL;
}

const char *tir_shape_ATTEND(const TirShapeContext *s, TirNode *node) {
    TirDomain domain, of_keys;
    const char *wrong = shape_attention(s, node, &domain, &of_keys);
    if (wrong)
        return wrong;
    const uint32_t heads = operand(s, node, 0)->dims[0], f = operand(s, node, 2)->dims[1];
    TirType *results = ARENA_ARRAY(s->program->arena, TirType, 2);
    results[0] = (TirType){.elem = TIR_REAL, .domain = domain, .rank = 2, .dims = {heads, f}};
    results[1] = (TirType){.elem = TIR_REAL, .domain = domain, .rank = 1, .dims = {heads}};
    node->n_results = 2;
    node->result_types = results;
    node->type = (TirType){.elem = TIR_TUPLE, .domain = domain};
    return NULL;
}

const char *tir_shape_ATTEND_GRAD(const TirShapeContext *s, TirNode *node) {
    TirDomain domain, of_keys;
    const char *wrong = shape_attention(s, node, &domain, &of_keys);
    if (wrong)
        return wrong;
    const uint32_t heads = operand(s, node, 0)->dims[0], f = operand(s, node, 2)->dims[1];
    const TirType o = {.rank = 2, .dims = {heads, f}}, lse = {.rank = 1, .dims = {heads}};
    if (!tir_shape_equal(operand(s, node, 3), &o) || !tir_shape_equal(operand(s, node, 4), &lse) ||
        !tir_shape_equal(operand(s, node, 5), &o))
        return "o, lse or do do not fit q and v";
    const uint32_t bias = tir_attend_bias(node);
    TirType *results = ARENA_ARRAY(s->program->arena, TirType, 4);
    for (uint32_t k = 0; k < 3; k++) {
        results[k] = *operand(s, node, k);
        results[k].domain = k ? of_keys : domain;
    }
    if (bias) {
        results[3] = *operand(s, node, bias);
        results[3].domain.sample = domain.sample;
    }
    node->n_results = bias ? 4 : 3;
    node->result_types = results;
    node->type = (TirType){.elem = TIR_TUPLE, .domain = domain};
    return NULL;
}

const char *tir_shape_SHIFT(const TirShapeContext *s, TirNode *node) {
    node->type = *operand(s, node, 0);
    const uint8_t space = node->type.domain.space;
    if (!space)
        return "the operand has no positions";
    if (node->attr.offset[1] && s->program->spaces.at[space - 1].rank < 2)
        return "the operand's positions have one coordinate";
    return NULL;
}

const char *tir_shape_RECUR(const TirShapeContext *s, TirNode *node) {
    const TirType *f = operand(s, node, 0), *u = operand(s, node, 1);
    TirDomain domain;
    if (f->elem != TIR_REAL || u->elem != TIR_REAL ||
        !tir_domain_join(f->domain, u->domain, &domain))
        return "operands are not real values of one position space";
    if (!domain.space)
        return "no operand has positions";
    if (s->program->spaces.at[domain.space - 1].rank > 1)
        return "its positions are a grid";
    if (f->rank && !tir_shape_equal(f, u))
        return "the factor has neither the shape of what is added nor rank 0";
    node->type = *u;
    node->type.domain = domain;
    return NULL;
}

/* A value that a body makes at one position by itself. */
static bool is_of_one_position(const TirProgram *p, const TirBlock *body, const TirNode *node) {
    return node->op == TIR_ARG || node->op == TIR_CONST ||
           (tir_op_class(node->op) != TIR_CLASS_LEAF && node->op != TIR_RANDOM &&
            tir_own_dependence(p, body, node) == TIR_DEPENDS_SELF);
}

const TirNode *tir_sees_others(const TirProgram *p, const TirBlock *body) {
    for (TirId id = 1; id < body->nodes.count; id++)
        if (!is_of_one_position(p, body, tir_node(body, id)))
            return tir_node(body, id);
    return NULL;
}

static const char *sequence_argument(const TirShapeContext *s, const TirNode *node, uint32_t k,
                                     TirDomain domain) {
    const TirType *t = operand(s, node, k), *arg = &node->attr.body->arguments.at[k];
    const bool carried = k < node->attr.n_carried;
    if (arg->elem != t->elem || !tir_shape_equal(arg, t) ||
        !tir_domain_outer(t->domain, arg->domain))
        return arena_printf(s->program->arena, "operand %u is %s, but the body's argument is %s", k,
                            tir_type_text(s->program->arena, t),
                            tir_type_text(s->program->arena, arg));
    if (!tir_domain_outer(arg->domain, domain))
        return "an argument of the body does not live where its states do";
    if (carried &&
        (arg->elem != TIR_REAL || t->domain.space || !tir_domain_equal(arg->domain, domain)))
        return "states are not real, with positions, of initial values without";
    return NULL;
}

const char *tir_shape_SEQUENCE(const TirShapeContext *s, TirNode *node) {
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    if (!body || a->n_carried == 0)
        return "there is no body, or no state";
    if (node->n_operands != a->n_carried + a->n_invariant ||
        body->arguments.count != node->n_operands || body->results.count != a->n_carried)
        return "the body's arguments and results are not the operands and the states";
    const TirDomain domain = body->arguments.at[0].domain;
    if (!domain.space || s->program->spaces.at[domain.space - 1].rank > 1)
        return "the states have no positions, or those of a grid";
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const char *wrong = sequence_argument(s, node, k, domain);
        if (wrong)
            return wrong;
    }
    TirType *results = ARENA_ARRAY(s->program->arena, TirType, a->n_carried);
    for (uint32_t k = 0; k < a->n_carried; k++) {
        const TirType *t = &body->nodes.at[body->results.at[k]].type;
        results[k] = body->arguments.at[k];
        if (t->elem != TIR_REAL || !tir_shape_equal(t, &results[k]) ||
            !tir_domain_outer(t->domain, domain))
            return arena_printf(s->program->arena, "state %u begins as %s and goes on as %s", k,
                                tir_type_text(s->program->arena, &results[k]),
                                tir_type_text(s->program->arena, t));
    }
    if (tir_sees_others(s->program, body))
        return "a value of the body is not of one position";
    node->n_results = a->n_carried;
    node->result_types = results;
    node->type = (TirType){.elem = TIR_TUPLE, .domain = domain};
    return NULL;
}

static TirShapeRule *const shape_rules[] = {
#define OP(ident, ...) tir_shape_##ident,
#include "tir/tir_ops.def"
};

static const uint8_t own_dependence[] = {
#define OP(ident, text, arity, class, dependence, ...) TIR_DEPENDS_##dependence,
#include "tir/tir_ops.def"
};

TirDomain tir_operand_domain(const TirBlock *block, uint32_t n, const TirId *operands) {
    TirDomain d = TIR_GLOBAL;
    for (uint32_t k = 0; k < n; k++)
        tir_domain_join(d, tir_node(block, operands[k])->type.domain, &d);
    return d;
}

uint32_t tir_attend_bias(const TirNode *node) {
    const uint32_t others = node->op == TIR_ATTEND ? 3 : 6;
    return node->n_operands > others ? others : 0;
}

TirDomain tir_attend_keys(const TirBlock *block, const TirNode *node) {
    TirDomain d = tir_operand_domain(block, 2, node->operands + 1);
    return (TirDomain){node->type.domain.sample, d.space ? d.space : node->type.domain.space};
}

bool tir_sums_places(const TirBlock *block, const TirNode *node) {
    return tir_op_sums(node->op) &&
           !tir_domain_equal(tir_operand_domain(block, node->n_operands, node->operands),
                             node->type.domain);
}

TirDependence tir_own_dependence(const TirProgram *p, const TirBlock *block, const TirNode *node) {
    if (node->op == TIR_ATTEND)
        return node->attr.causal ? TIR_DEPENDS_PAST : TIR_DEPENDS_ALL;
    if (node->op == TIR_SHIFT)
        return tir_shift_distance(&p->spaces.at[node->type.domain.space - 1], node->attr.offset) >=
                       0
                   ? TIR_DEPENDS_PAST
                   : TIR_DEPENDS_ALL;
    if (node->op == TIR_RECUR || node->op == TIR_SEQUENCE)
        return node->attr.reverse ? TIR_DEPENDS_ALL : TIR_DEPENDS_PAST;
    if (tir_op_sums(node->op) && !tir_sums_places(block, node))
        return TIR_DEPENDS_SELF;
    return (TirDependence)own_dependence[node->op];
}

static void infer_dependence(const TirProgram *p, const TirBlock *block, TirNode *node) {
    TirDependence d = tir_own_dependence(p, block, node);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirDependence o = block->nodes.at[node->operands[k]].type.dependence;
        d = o > d ? o : d;
    }
    if (node->op == TIR_SCAN)
        for (uint32_t k = 0; k < node->attr.body->results.count; k++) {
            const TirDependence o =
                node->attr.body->nodes.at[node->attr.body->results.at[k]].type.dependence;
            d = o > d ? o : d;
        }
    node->type.dependence = d;
    for (uint32_t k = 0; k < node->n_results; k++)
        ((TirType *)node->result_types)[k].dependence = d; /* the shape rule just made them */
}

const char tir_too_large[] = "the tensor is too large";

static const char *infer_extents(const TirType *t) {
    uint64_t count = 1;
    if (t->rank > TIR_MAX_RANK)
        return "the rank is too high";
    for (uint32_t k = 0; k < t->rank; k++) {
        if (t->dims[k] == 0)
            return "an extent is 0";
        if (t->dims[k] > TIR_MAX_ELEMENTS / count)
            return tir_too_large;
        count *= t->dims[k];
    }
    return NULL;
}

const char *tir_infer(const TirProgram *p, const TirBlock *block, TirNode *node) {
    const int arity = tir_op_arity(node->op);
    if (arity >= 0 && node->n_operands != (uint32_t)arity)
        return "the number of operands is wrong";
    if (!tir_attr_is_of_op(&node->attr, node->op))
        return "it has an attribute of another op";
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirId id = node->operands[k];
        if (id == 0 || id >= block->nodes.count)
            return arena_printf(p->arena, "operand %u is not a value made before", k);
        const bool tuple = block->nodes.at[id].type.elem == TIR_TUPLE;
        if (tuple != (node->op == TIR_RESULT))
            return "a many-valued op is used as one value, or the reverse";
    }
    /* Views and RANDOM are handed their result's shape; other rules make theirs. */
    const bool asked = (tir_op_class(node->op) == TIR_CLASS_VIEW && node->op != TIR_CONCAT) ||
                       node->op == TIR_RANDOM;
    const char *wrong = asked || node->type.rank > TIR_MAX_RANK ? infer_extents(&node->type) : NULL;
    if (wrong)
        return wrong;
    const TirShapeContext s = {p, block};
    wrong = shape_rules[node->op](&s, node);
    if (!wrong)
        wrong = infer_extents(&node->type);
    for (uint32_t k = 0; !wrong && k < node->n_results; k++)
        wrong = infer_extents(&node->result_types[k]);
    if (!wrong)
        infer_dependence(p, block, node);
    return wrong;
}
