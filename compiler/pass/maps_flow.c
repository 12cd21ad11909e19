/* Where the features of some streams go: one walk over the values of a site.
 *
 * A value is held when it has no feature index, for instance a coefficient made of all features; it
 * is linear while its features are sums of those of the streams, each of its own place; and it is
 * broken when it has features in another way. What is broken is held again once its features are
 * summed. Features are followed as places along an axis, so that streams may be laid side by side
 * in one axis, as fractions of the width are. */
#include "base/source.h"
#include "pass/maps_internal.h"

typedef Flow FlowRule(Flows *f, TirId id, const TirNode *node);

static Flow flow_broken(TirId at, const char *why, uint32_t axis, uint32_t inner) {
    return (Flow){.kind = FLOW_BROKEN, .axis = axis, .inner = inner, .at = at, .why = why};
}

static bool same_place(const Flow *x, const Flow *y) {
    return x->axis == y->axis && x->inner == y->inner;
}

static bool too_many_axes(const TirNode *node) {
    return node->type.rank >= TIR_MAX_RANK;
}

static const char other_order[] = "its features come in another order or from other places";
static const char other_positions[] = "it comes from other positions";
static const char one_by_one[] = "its features enter one by one, and not as a sum";
static const char with_itself[] = "its features are multiplied with each other";
static const char in_loop[] = "it goes through `iterate`";
static const char many_axes[] = "it goes through a tensor of 8 axes";

/* --- element by element ------------------------------------------------------------------------*/

/* Where an elementwise result of these has its features: broken when one of them is, or when two
 * have them in different places. */
static Flow flow_joined(const Flows *f, TirId id, const TirNode *node) {
    Flow joined = {.kind = FLOW_HELD};
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const Flow x = flow_of(f, node->operands[k]);
        if (!flow_active(&x))
            continue;
        if (joined.kind != FLOW_HELD && !same_place(&x, &joined)) {
            if (joined.kind == FLOW_BROKEN || x.kind == FLOW_BROKEN) {
                joined = joined.kind == FLOW_BROKEN ? joined : x;
                joined.axis = FLOW_NOWHERE;
                return joined;
            }
            return flow_broken(id, other_order, FLOW_NOWHERE, 1);
        }
        if (joined.kind != FLOW_BROKEN)
            joined = x;
    }
    return joined;
}

static Flow nonlinear(const Flows *f, TirId id, const TirNode *node, const char *why) {
    const Flow at = flow_joined(f, id, node);
    return at.kind == FLOW_LINEAR ? flow_broken(id, why, at.axis, at.inner) : at;
}

static Flow rule_map(Flows *f, TirId id, const TirNode *node) {
    return nonlinear(f, id, node, one_by_one);
}

static Flow rule_neg(Flows *f, TirId id, const TirNode *node) {
    (void)id;
    Flow x = flow_of(f, node->operands[0]);
    if (x.kind == FLOW_LINEAR)
        x.slope = tir_unary(f->b, TIR_NEG, x.slope);
    return x;
}

static Flow rule_add(Flows *f, TirId id, const TirNode *node) {
    const Flow joined = flow_joined(f, id, node);
    if (joined.kind != FLOW_LINEAR)
        return joined;
    Flow x = flow_of(f, node->operands[0]), y = flow_of(f, node->operands[1]);
    if (y.kind != FLOW_LINEAR)
        return x;
    if (x.kind == FLOW_LINEAR) {
        slope_match(f, &node->type, &x, &y);
        y.slope = tir_binary(f->b, node->op, x.slope, y.slope);
    } else if (node->op == TIR_SUB) {
        y.slope = tir_unary(f->b, TIR_NEG, y.slope);
    }
    return y;
}

static Flow rule_mul(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]), y = flow_of(f, node->operands[1]);
    if (flow_active(&x) && flow_active(&y))
        return nonlinear(f, id, node, with_itself);
    Flow *active = flow_active(&x) ? &x : &y;
    if (active->kind == FLOW_LINEAR)
        slope_scale(f, &node->type, active, TIR_MUL, node->operands[active == &x ? 1 : 0]);
    return *active;
}

static Flow rule_div(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]);
    const Flow y = flow_of(f, node->operands[1]);
    if (flow_active(&y) || x.kind != FLOW_LINEAR)
        return nonlinear(f, id, node, flow_active(&x) ? with_itself : one_by_one);
    slope_scale(f, &node->type, &x, TIR_DIV, node->operands[1]);
    return x;
}

/* The choice itself is held. */
static Flow rule_select(Flows *f, TirId id, const TirNode *node) {
    Flow joined = flow_joined(f, id, node);
    const Flow condition = flow_of(f, node->operands[0]);
    if (flow_active(&condition))
        return nonlinear(f, id, node, one_by_one);
    if (joined.kind != FLOW_LINEAR)
        return joined;
    Flow side[2];
    for (uint32_t k = 0; k < 2; k++) {
        side[k] = flow_of(f, node->operands[k + 1]);
        if (side[k].kind != FLOW_LINEAR) {
            side[k] = joined;
            side[k].slope = slope_zero(f, &node->type, &joined);
        }
    }
    slope_match(f, &node->type, &side[0], &side[1]);
    const TirId beside = slope_beside(f, &node->type, &side[0], node->operands[0]);
    slope_match(f, &node->type, &side[0], &side[1]);
    side[0].slope = tir_select(f->b, beside, side[0].slope, side[1].slope);
    return side[0];
}

/* What stop_gradient gives is a constant to derivatives. */
static Flow rule_held(Flows *f, TirId id, const TirNode *node) {
    (void)f;
    (void)id;
    (void)node;
    return (Flow){.kind = FLOW_HELD};
}

/* --- views -------------------------------------------------------------------------------------*/

static Flow rule_broadcast(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]);
    if (x.axis == FLOW_NOWHERE)
        return x;
    const uint32_t rank = flow_type(f, node->operands[0])->rank, axis = node->attr.axes[x.axis];
    for (uint32_t k = 0; k < rank; k++)
        if (k != x.axis && node->attr.axes[k] == axis)
            return flow_broken(id, other_order, FLOW_NOWHERE, 1);
    x.axis = axis;
    if (x.kind == FLOW_BROKEN)
        return x;
    if (too_many_axes(node))
        return flow_broken(id, many_axes, x.axis, x.inner);
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t slope_rank = slope_dims(f, &node->type, &x, dims);
    uint8_t axes[TIR_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++)
        axes[k] = node->attr.axes[k];
    axes[rank] = (uint8_t)node->type.rank;
    x.slope = tir_broadcast(f->b, x.slope, slope_rank, dims, axes);
    return x;
}

/* Of a cut along the axis of features: whether it keeps streams whole. */
static bool cuts_streams(const Flows *f, const Flow *x, uint32_t start, uint32_t extent) {
    const uint32_t whole = f->unit * x->inner;
    return start % whole == 0 && extent % whole == 0;
}

static Flow rule_cut(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]);
    const uint32_t axis = node->attr.axis;
    const bool along = x.axis == axis;
    if (x.axis == FLOW_NOWHERE)
        return x;
    if (along && !(cuts_streams(f, &x, node->attr.start, node->type.dims[axis]) &&
                   cuts_streams(f, &x, 0, flow_type(f, node->operands[0])->dims[axis])))
        return x.kind == FLOW_BROKEN ? flow_broken(x.at, x.why, FLOW_NOWHERE, 1)
                                     : flow_broken(id, other_order, FLOW_NOWHERE, 1);
    if (x.kind == FLOW_BROKEN)
        return x;
    const uint32_t per = along && !x.wide ? f->unit : 1;
    const uint32_t start = node->attr.start / per, extent = node->type.dims[axis] / per;
    x.slope = node->op == TIR_SLICE ? tir_slice(f->b, x.slope, axis, start, extent)
                                    : tir_pad(f->b, x.slope, axis, start, extent);
    return x;
}

/* The axis of `to` on which the features of `from` lie, which has the same elements in order. */
static bool relocate(const Flows *f, const TirType *from, const TirType *to, Flow *x) {
    uint64_t stride = x->inner, size = 1;
    for (uint32_t k = x->axis + 1; k < from->rank; k++)
        stride *= from->dims[k];
    for (uint32_t k = to->rank; k-- > 0; size *= to->dims[k]) {
        const uint64_t end = size * to->dims[k];
        if (stride % size || stride >= end)
            continue;
        if (end % (stride * f->unit) == 0) {
            x->axis = k;
            x->inner = (uint32_t)(stride / size);
            return true;
        }
        const uint64_t part = end / stride;
        x->finer = part > 1 && f->unit % part == 0 ? (uint32_t)part : 0;
        return false;
    }
    return false;
}

static Flow rule_reshape(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]);
    if (x.axis == FLOW_NOWHERE)
        return x;
    if (!relocate(f, flow_type(f, node->operands[0]), &node->type, &x)) {
        Flow lost = x.kind == FLOW_BROKEN ? x : flow_broken(id, other_order, 0, 1);
        lost.axis = FLOW_NOWHERE;
        lost.finer = x.finer;
        return lost;
    }
    if (x.kind == FLOW_BROKEN)
        return x;
    if (too_many_axes(node))
        return flow_broken(id, many_axes, x.axis, x.inner);
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = slope_dims(f, &node->type, &x, dims);
    x.slope = tir_reshape(f->b, x.slope, rank, dims);
    return x;
}

static Flow rule_concat(Flows *f, TirId id, const TirNode *node) {
    Flow joined = flow_joined(f, id, node);
    const uint32_t axis = node->attr.axis;
    if (joined.axis == FLOW_NOWHERE || !flow_active(&joined))
        return joined;
    for (uint32_t k = 0; joined.axis == axis && k < node->n_operands; k++)
        if (!cuts_streams(f, &joined, 0, flow_type(f, node->operands[k])->dims[axis]))
            return flow_broken(id, other_order, FLOW_NOWHERE, 1);
    if (joined.kind == FLOW_BROKEN)
        return joined;
    TirId *parts = ARENA_ARRAY(f->scratch, TirId, node->n_operands);
    for (uint32_t k = 0; k < node->n_operands; k++)
        joined.wide = joined.wide || flow_of(f, node->operands[k]).wide;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirType type = *flow_type(f, node->operands[k]);
        Flow x = flow_of(f, node->operands[k]);
        if (x.kind == FLOW_LINEAR && joined.wide)
            slope_widen(f, &type, &x);
        parts[k] = x.kind == FLOW_LINEAR ? x.slope : slope_zero(f, &type, &joined);
    }
    joined.slope = tir_concat(f->b, axis, node->n_operands, parts);
    return joined;
}

/* Along the axis of features whole streams may be taken, one after the other. */
static bool takes_streams(const Flows *f, const TirNode *node, int32_t *streams) {
    const uint32_t unit = f->unit, n = node->type.dims[node->attr.axis];
    if (n % unit)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t from = node->attr.indices[i];
        const int32_t whole = from < 0 ? -1 : from / (int32_t)unit;
        if (i % unit == 0)
            streams[i / unit] = whole;
        if (whole != streams[i / unit] ||
            (from >= 0 && from % (int32_t)unit != (int32_t)(i % unit)))
            return false;
    }
    return true;
}

static Flow rule_take(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]);
    const uint32_t axis = node->attr.axis, extent = node->type.dims[axis];
    if (x.axis == FLOW_NOWHERE)
        return x;
    const bool along = x.axis == axis;
    int32_t *streams = along ? ARENA_ARRAY(f->b->program->arena, int32_t, extent) : NULL;
    if (along && (x.inner != 1 || !takes_streams(f, node, streams)))
        return flow_broken(x.kind == FLOW_BROKEN ? x.at : id,
                           x.kind == FLOW_BROKEN ? x.why : other_order, FLOW_NOWHERE, 1);
    if (x.kind == FLOW_LINEAR && along && !x.wide)
        x.slope = tir_take(f->b, x.slope, axis, extent / f->unit, streams);
    else if (x.kind == FLOW_LINEAR)
        x.slope = tir_take(f->b, x.slope, axis, extent, node->attr.indices);
    return x;
}

/* --- sums --------------------------------------------------------------------------------------*/

static Flow rule_reduce(Flows *f, TirId id, const TirNode *node) {
    Flow x = flow_of(f, node->operands[0]);
    const uint32_t mask = node->attr.axis_mask;
    if (x.axis == FLOW_NOWHERE)
        return node->type.rank == 0 ? (Flow){.kind = FLOW_HELD} : x;
    if (mask >> x.axis & 1)
        return (Flow){.kind = FLOW_HELD};
    x.axis -= (uint32_t)__builtin_popcount(mask & ((1u << x.axis) - 1));
    if (x.kind == FLOW_LINEAR && node->op != TIR_REDUCE_SUM)
        return flow_broken(id, one_by_one, x.axis, x.inner);
    if (x.kind == FLOW_LINEAR)
        x.slope = tir_reduce(f->b, TIR_REDUCE_SUM, x.slope, mask);
    return x;
}

enum { SOURCES = 200 }; /* a label that no axis has */

/* The place of a label among the result's; its rank when it is summed. */
static uint32_t label_place(const TirNode *node, uint8_t label) {
    uint32_t k = 0;
    while (k < node->type.rank && node->attr.labels[2][k] != label)
        k++;
    return k;
}

/* The features of operand `o` in the result: an axis, FLOW_NOWHERE, or its rank when they are
 * summed. */
static uint32_t contracted_place(const Flows *f, const TirNode *node, uint32_t o, const Flow *x) {
    const uint8_t *labels = node->attr.labels[o];
    const uint32_t rank = flow_type(f, node->operands[o])->rank;
    uint32_t kept = 0, same = 0;
    for (uint32_t k = 0; k < rank; k++) {
        kept += label_place(node, labels[k]) < node->type.rank;
        same += x->axis != FLOW_NOWHERE && labels[k] == labels[x->axis];
    }
    if (x->axis == FLOW_NOWHERE || same > 1)
        return kept ? FLOW_NOWHERE : node->type.rank;
    return label_place(node, labels[x->axis]);
}

static bool has_label(const Flows *f, const TirNode *node, uint32_t o, uint8_t label) {
    for (uint32_t k = 0; k < tir_rank(flow_type(f, node->operands[o])); k++)
        if (node->attr.labels[o][k] == label)
            return true;
    return false;
}

/* Operand `o` is linear, the other is held. */
static Flow contract_linear(Flows *f, const TirNode *node, uint32_t o, Flow x, uint32_t place) {
    const TirType type = *flow_type(f, node->operands[o]);
    const TirId held = node->operands[1 - o];
    uint8_t labels[TIR_MAX_RANK + 1], results[TIR_MAX_RANK + 1];
    for (uint32_t k = 0; k < type.rank; k++)
        labels[k] = node->attr.labels[o][k];
    for (uint32_t k = 0; k < node->type.rank; k++)
        results[k] = node->attr.labels[2][k];
    labels[type.rank] = results[node->type.rank] = SOURCES;
    if (has_label(f, node, 1 - o, labels[x.axis]))
        slope_widen(f, &type, &x);
    TirDomain to;
    tir_domain_join(flow_type(f, x.slope)->domain, flow_type(f, held)->domain, &to);
    x.slope = tir_contract(f->b, x.slope, held, labels, node->attr.labels[1 - o],
                           node->type.rank + 1u, results, to);
    x.axis = place;
    return x;
}

static Flow rule_contract(Flows *f, TirId id, const TirNode *node) {
    Flow found = {.kind = FLOW_HELD};
    uint32_t n_active = 0, of = 0;
    for (uint32_t o = 0; o < 2; o++) {
        Flow x = flow_of(f, node->operands[o]);
        if (!flow_active(&x))
            continue;
        const uint32_t place = contracted_place(f, node, o, &x);
        if (place == node->type.rank) /* its features are summed */
            continue;
        if (x.kind == FLOW_LINEAR && place == FLOW_NOWHERE)
            x = flow_broken(id, other_order, FLOW_NOWHERE, 1);
        if (n_active++ == 0 || x.kind == FLOW_BROKEN) {
            found = x;
            found.axis = place;
            of = o;
        }
    }
    const Flow other = flow_of(f, node->operands[1 - of]);
    if (found.kind != FLOW_LINEAR)
        return found;
    if (flow_active(&other))
        return flow_broken(id, with_itself, n_active == 1 ? found.axis : FLOW_NOWHERE, found.inner);
    if (tir_sums_places(f->b->block, node))
        return flow_broken(id, other_positions, found.axis, found.inner);
    if (too_many_axes(node))
        return flow_broken(id, many_axes, found.axis, found.inner);
    return contract_linear(f, node, of, flow_of(f, node->operands[of]), found.axis);
}

/* --- across positions, and the rest ------------------------------------------------------------*/

static Flow rule_positions(Flows *f, TirId id, const TirNode *node) {
    return nonlinear(f, id, node, other_positions);
}

static Flow elsewhere(const Flows *f, TirId id, const TirNode *node, const char *why) {
    for (uint32_t k = 0; k < node->n_operands; k++) {
        Flow x = flow_of(f, node->operands[k]);
        x.axis = FLOW_NOWHERE;
        if (x.kind == FLOW_BROKEN)
            return x;
    }
    return flow_broken(id, why, FLOW_NOWHERE, 1);
}

static Flow rule_across(Flows *f, TirId id, const TirNode *node) {
    return elsewhere(f, id, node, other_positions);
}
static Flow rule_loop(Flows *f, TirId id, const TirNode *node) {
    return elsewhere(f, id, node, in_loop);
}
static Flow rule_other(Flows *f, TirId id, const TirNode *node) {
    return elsewhere(f, id, node, one_by_one);
}

static FlowRule *const rules[TIR_OP_COUNT] = {
    [TIR_NEG] = rule_neg,
    [TIR_ADD] = rule_add,
    [TIR_SUB] = rule_add,
    [TIR_MUL] = rule_mul,
    [TIR_DIV] = rule_div,
    [TIR_SELECT] = rule_select,
    [TIR_STOP_GRADIENT] = rule_held,
    [TIR_BROADCAST] = rule_broadcast,
    [TIR_SLICE] = rule_cut,
    [TIR_PAD] = rule_cut,
    [TIR_RESHAPE] = rule_reshape,
    [TIR_CONCAT] = rule_concat,
    [TIR_TAKE] = rule_take,
    [TIR_REDUCE_SUM] = rule_reduce,
    [TIR_REDUCE_MAX] = rule_reduce,
    [TIR_REDUCE_MIN] = rule_reduce,
    [TIR_REDUCE_PROD] = rule_reduce,
    [TIR_CONTRACT] = rule_contract,
    [TIR_POSITION_SUM] = rule_positions,
    [TIR_SHIFT] = rule_positions,
    [TIR_RECUR] = rule_positions,
    [TIR_ATTEND] = rule_across,
    [TIR_SEQUENCE] = rule_across,
    [TIR_SCAN] = rule_loop,
    [TIR_RESULT] = rule_loop,
};

/* --- the walk ----------------------------------------------------------------------------------*/

static Flow flow_step(Flows *f, TirId id) {
    const TirNode node = *tir_node(f->b->block, id);
    bool depends = false, active = false;
    for (uint32_t k = 0; k < node.n_operands; k++) {
        const Flow x = flow_of(f, node.operands[k]);
        depends = depends || x.kind != FLOW_NONE;
        active = active || flow_active(&x);
    }
    if (!active)
        return (Flow){.kind = depends ? FLOW_HELD : FLOW_NONE};
    f->b->span = node.span;
    f->b->name = node.name;
    if (rules[node.op])
        return rules[node.op](f, id, &node);
    return tir_op_class(node.op) == TIR_CLASS_MAP ? rule_map(f, id, &node)
                                                  : rule_other(f, id, &node);
}

uint32_t flow_streams(const TirType *type, uint32_t unit) {
    if (unit == 0 || type->rank == 0 || type->dims[type->rank - 1] % unit)
        return 0;
    const uint64_t count = tir_element_count(type) / unit;
    return count < UINT32_MAX ? (uint32_t)count : 0;
}

/* The streams of one value, of which `before` come before: slope 1 by each itself. */
static Flow flow_begin(Flows *f, const TirType *type, uint32_t before) {
    Flow flow = {.kind = FLOW_LINEAR, .axis = type->rank - 1u, .inner = 1};
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t n = flow_streams(type, f->unit), rank = slope_dims(f, type, &flow, dims);
    double *data = ARENA_ARRAY(f->scratch, double, (size_t)n * f->count);
    for (uint32_t k = 0; k < n; k++)
        data[(size_t)k * f->count + before + k] = 1;
    flow.slope = tir_table(f->b, TIR_REAL, rank, dims, data);
    return flow;
}

enum { MOST_STREAMS = 1024 };

bool flow_run(Flows *f, const SiteValueList *streams, TirId last, const char **why) {
    f->first = last;
    f->count = 0;
    for (uint32_t k = 0; k < streams->count; k++) {
        const TirType *type = flow_type(f, streams->at[k].value);
        const uint32_t n = type->rank < TIR_MAX_RANK ? flow_streams(type, f->unit) : 0;
        if (n == 0 || n > MOST_STREAMS) {
            *why = arena_printf(f->b->program->arena, "`%s` %s", streams->at[k].name,
                                n ? "has more than 1024 streams"
                                  : "is no list of vectors of the state's width");
            return false;
        }
        f->count += n;
        f->first = streams->at[k].value < f->first ? streams->at[k].value : f->first;
    }
    f->flows = ARENA_ARRAY(f->scratch, Flow, last - f->first + 1);
    uint32_t before = 0;
    for (uint32_t k = 0; k < streams->count; k++) {
        const TirType type = *flow_type(f, streams->at[k].value);
        f->flows[streams->at[k].value - f->first] = flow_begin(f, &type, before);
        before += flow_streams(&type, f->unit);
    }
    for (TirId id = f->first; id <= last; id++)
        if (tir_node(f->b->block, id)->op != TIR_ARG)
            f->flows[id - f->first] = flow_step(f, id);
    return true;
}
