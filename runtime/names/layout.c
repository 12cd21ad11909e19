#include "runtime/names/layout.h"

#include <string.h>

HcAxisExtents hc_extents(void) {
    HcAxisExtents extents;
    for (int k = 0; k < HC_MAP_NAMES; k++)
        extents.extents[k] = -1;
    return extents;
}

const char *hc_extents_lack(const HcAxisExtents *extents, const HcMapRule *rule) {
    for (int k = 0; k < rule->n_names; k++)
        if (extents->extents[k] < 0)
            return rule->names[k];
    return NULL;
}

/* --- extents -----------------------------------------------------------------------------------*/

/* times * (the extent of `name`) + plus; of one name that is not known at most. */
typedef struct {
    int64_t times, plus;
    int name; /* -1: none */
    bool good;
} Linear;

static Linear number(int64_t n) {
    return (Linear){.plus = n, .name = -1, .good = true};
}

static Linear product(Linear a, Linear b) {
    const Linear known = a.name < 0 ? a : b, other = a.name < 0 ? b : a;
    Linear c = {.name = other.name, .good = a.good && b.good && known.name < 0};
    c.good = !__builtin_mul_overflow(known.plus, other.times, &c.times) &&
             !__builtin_mul_overflow(known.plus, other.plus, &c.plus) && c.good;
    return c;
}

static Linear sum(Linear a, Linear b) {
    Linear c = {.name = a.name < 0 ? b.name : a.name,
                .good = a.good && b.good && (a.name < 0 || b.name < 0 || a.name == b.name)};
    c.good = !__builtin_add_overflow(a.times, b.times, &c.times) &&
             !__builtin_add_overflow(a.plus, b.plus, &c.plus) && c.good;
    return c;
}

static Linear extent_of(const HcAxisExtents *e, const HcMapRule *rule, uint8_t at) {
    const HcAxis *axis = &rule->axes[at];
    if (axis->kind == HC_AXIS_NAME && e->extents[axis->name] < 0)
        return (Linear){.times = 1, .name = axis->name, .good = true};
    if (axis->kind == HC_AXIS_NAME)
        return number(e->extents[axis->name]);
    Linear all = number(axis->kind == HC_AXIS_JOIN ? 0 : 1);
    for (uint8_t k = axis->inside; k != HC_MAP_NONE; k = rule->axes[k].next)
        all = (axis->kind == HC_AXIS_JOIN ? sum : product)(all, extent_of(e, rule, k));
    return all;
}

static bool learn_axis(HcAxisExtents *e, const HcMapRule *rule, uint8_t at, int64_t extent) {
    const Linear is = extent_of(e, rule, at);
    if (!is.good)
        return true; /* two that are not known: another axis may tell */
    if (is.name < 0)
        return is.plus == extent;
    if (is.times == 0)
        return true;
    const int64_t rest = extent - is.plus;
    if (rest < 0 || rest % is.times != 0)
        return false;
    e->extents[is.name] = rest / is.times;
    return true;
}

bool hc_extents_learn(HcAxisExtents *e, const HcMapRule *rule, const HcMapPart *part,
                      const HcTensor *tensor) {
    bool good = true;
    int32_t d = 0;
    for (uint8_t at = part->axes; at != HC_MAP_NONE; at = rule->axes[at].next, d++)
        good = good && d < tensor->rank && learn_axis(e, rule, at, tensor->dims[d]);
    return good && d == tensor->rank;
}

bool hc_layout_shape(const HcAxisExtents *e, const HcMapRule *rule, const HcMapPart *part,
                     int64_t *dims, int32_t *rank) {
    Linear all = number(1);
    *rank = 0;
    for (uint8_t at = part->axes; at != HC_MAP_NONE; at = rule->axes[at].next) {
        const Linear extent = extent_of(e, rule, at);
        dims[(*rank)++] = extent.plus;
        all = product(all, extent);
    }
    return all.good && all.plus <= INT64_MAX / 8;
}

/* --- copying -----------------------------------------------------------------------------------*/

/* Where an entry lies: at base + the sum of its indices times these. */
typedef struct {
    int64_t base, strides[HC_MAP_NAMES];
    bool has[HC_MAP_NAMES];
} Places;

/* Axes from `first` on, the last of which has `stride`; of a join the k-th part alone. Returns the
 * stride of what stands before them. */
static int64_t place_axes(const HcAxisExtents *e, const HcMapRule *rule, uint8_t first, int k,
                          int64_t stride, Places *p);

static void place_axis(const HcAxisExtents *e, const HcMapRule *rule, uint8_t at, int k,
                       int64_t stride, Places *p) {
    const HcAxis *axis = &rule->axes[at];
    if (axis->kind == HC_AXIS_NAME) {
        p->strides[axis->name] = stride;
        p->has[axis->name] = true;
    }
    if (axis->kind == HC_AXIS_PRODUCT)
        place_axes(e, rule, axis->inside, k, stride, p);
    if (axis->kind != HC_AXIS_JOIN)
        return;
    uint8_t part = axis->inside;
    for (int before = 0; before < k; before++, part = rule->axes[part].next)
        p->base += stride * extent_of(e, rule, part).plus;
    place_axes(e, rule, rule->axes[part].inside, k, stride, p);
}

static int64_t place_axes(const HcAxisExtents *e, const HcMapRule *rule, uint8_t first, int k,
                          int64_t stride, Places *p) {
    if (first == HC_MAP_NONE)
        return stride;
    const int64_t mine = place_axes(e, rule, rule->axes[first].next, k, stride, p);
    place_axis(e, rule, first, k, mine, p);
    return mine * extent_of(e, rule, first).plus;
}

typedef struct {
    const uint8_t *from;
    uint8_t *to;
    size_t size;
    int n;
    int64_t extents[HC_MAP_NAMES], of_from[HC_MAP_NAMES], of_to[HC_MAP_NAMES];
} Copy;

static void copy_axis(const Copy *c, int axis, int64_t from, int64_t to) {
    if (axis == c->n) {
        memcpy(c->to + (size_t)to * c->size, c->from + (size_t)from * c->size, c->size);
        return;
    }
    for (int64_t k = 0; k < c->extents[axis]; k++)
        copy_axis(c, axis + 1, from + k * c->of_from[axis], to + k * c->of_to[axis]);
}

void hc_layout_copy(const HcAxisExtents *e, const HcMapRule *rule, int k,
                    const HcMapPart *from_part, const HcTensor *from, const HcMapPart *to_part,
                    const HcTensor *to) {
    Places at_from = {0}, at_to = {0};
    place_axes(e, rule, from_part->axes, k, 1, &at_from);
    place_axes(e, rule, to_part->axes, k, 1, &at_to);
    Copy c = {from->data, to->data, from->element_size, 0, {0}, {0}, {0}};
    for (int name = 0; name < rule->n_names; name++) {
        if (!at_to.has[name]) /* it is of another part */
            continue;
        c.extents[c.n] = e->extents[name];
        c.of_from[c.n] = at_from.strides[name];
        c.of_to[c.n++] = at_to.strides[name];
    }
    copy_axis(&c, 0, at_from.base, at_to.base);
}
