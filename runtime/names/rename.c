#include "runtime/names/rename.h"
#include "runtime/names/layout.h"
#include "runtime/names/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPE_TEXT = 120 };

typedef struct {
    const HcNameMap *map;
    const HcMapRule *rule; /* at hand */
    const char *of;        /* the file that is read */
    bool to_ours;
    const HcTensorList *from;
    HcTensorList *to; /* to_ours: what the model has; else it grows */
    bool *used;       /* of `from` */
    HcError *error;
} Renaming;

/* What a line makes of one set of numbers: tensors by the parts of either side. */
typedef struct {
    const HcTensor *from[HC_MAP_PARTS];
    HcTensor to[HC_MAP_PARTS];    /* copies of the list's, which may move while it grows */
    int64_t places[HC_MAP_PARTS]; /* in the list */
    bool there[HC_MAP_PARTS];     /* it has values already */
    HcAxisExtents extents;
} Instance;

static const HcMapSide *from_side(const Renaming *r) {
    return r->to_ours ? &r->rule->theirs : &r->rule->ours;
}

static const HcMapSide *to_side(const Renaming *r) {
    return r->to_ours ? &r->rule->ours : &r->rule->theirs;
}

/* --- what is wrong -----------------------------------------------------------------------------*/

static void shape_text(const HcTensor *t, char *text) {
    int used = snprintf(text, SHAPE_TEXT, "[");
    for (int32_t d = 0; d < t->rank && used < SHAPE_TEXT - 24; d++)
        used += snprintf(text + used, (size_t)(SHAPE_TEXT - used), "%s%lld", d ? ", " : "",
                         (long long)t->dims[d]);
    snprintf(text + used, (size_t)(SHAPE_TEXT - used), "]");
}

/* `other`: of the other side; NULL: it has no shape of its own. */
static HcStatus shape_wrong(const Renaming *r, const HcTensor *t, const HcTensor *other) {
    char shape[SHAPE_TEXT], beside[3 * SHAPE_TEXT] = "";
    if (other) {
        shape_text(other, shape);
        snprintf(beside, sizeof beside, ", and `%.100s` %s (--set gives the model's sizes)",
                 other->name, shape);
    }
    shape_text(t, shape);
    return hc_fail(r->error, HC_ERROR_DATA, "%s:%d: the axes do not fit: `%.100s` is %s%s",
                   r->map->path, r->rule->line, t->name, shape, beside);
}

static HcStatus lacks(const Renaming *r, const char *where, const char *name) {
    return hc_fail(r->error, HC_ERROR_DATA, "%s:%d: %s has no tensor `%.150s`", r->map->path,
                   r->rule->line, where, name);
}

/* --- the tensors of a rule ---------------------------------------------------------------------*/

/* The tensor of the list that fits, and the only one; -1: there is none, -2: there are several. */
static int64_t find_one(const HcTensorList *list, const char *pattern, const HcPlaces *places) {
    int64_t found = -1;
    for (int64_t k = 0; k < list->count; k++) {
        HcPlaces tried = *places;
        if (hc_pattern_matches(pattern, list->at[k].name, &tried))
            found = found == -1 ? k : -2;
    }
    return found;
}

/* The other parts beside the first, which was found. */
static HcStatus find_from(Renaming *r, const HcPlaces *places, int64_t first, Instance *in) {
    const HcMapSide *side = from_side(r);
    for (int k = 0; k < side->count; k++) {
        const char *pattern = side->parts[k].name;
        const int64_t at = k == 0 ? first : find_one(r->from, pattern, places);
        if (at < 0)
            return hc_fail(r->error, HC_ERROR_DATA, "%s:%d: `%s` has `%.120s`, but no `%.120s`%s",
                           r->map->path, r->rule->line, r->of, r->from->at[first].name, pattern,
                           at == -2 ? " that is the only one" : "");
        in->from[k] = &r->from->at[at];
        r->used[at] = true;
        if (!in->from[k]->data)
            return hc_fail(r->error, HC_ERROR_DATA,
                           "%s:%d: `%.150s` does not hold F32, F64, F16 or BF16", r->map->path,
                           r->rule->line, in->from[k]->name);
    }
    return HC_OK;
}

/* Where a tensor of the model is wanted. */
static HcStatus find_to(Renaming *r, const HcPlaces *places, Instance *in) {
    const HcMapSide *side = to_side(r);
    for (int k = 0; k < side->count; k++) {
        const int64_t at = in->places[k] = find_one(r->to, side->parts[k].name, places);
        if (at == -2)
            return hc_fail(r->error, HC_ERROR_DATA,
                           "%s:%d: several tensors of the model are called `%.150s`", r->map->path,
                           r->rule->line, side->parts[k].name);
        if (at < 0)
            return hc_fail(r->error, HC_ERROR_DATA,
                           "%s:%d: `%s` has `%.120s`, and the model has no tensor `%.120s`",
                           r->map->path, r->rule->line, r->of, in->from[0]->name,
                           side->parts[k].name);
        in->to[k] = r->to->at[at];
        in->there[k] = in->to[k].data != NULL;
        if (in->there[k] && r->rule->kind != HC_RULE_TIED)
            return hc_fail(r->error, HC_ERROR_DATA, "%s:%d: `%.150s` has its values already",
                           r->map->path, r->rule->line, in->to[k].name);
        in->to[k].data = NULL;
    }
    return HC_OK;
}

/* --- values ------------------------------------------------------------------------------------*/

static HcStatus learn(const Renaming *r, Instance *in) {
    const HcMapSide *from = from_side(r), *to = to_side(r);
    in->extents = hc_extents();
    if (!from->parts[0].shaped)
        return HC_OK;
    for (int turn = 0; turn <= r->rule->n_names; turn++) { /* one more tells what contradicts */
        for (int k = 0; k < from->count; k++)
            if (!hc_extents_learn(&in->extents, r->rule, &from->parts[k], in->from[k]))
                return shape_wrong(r, in->from[k], r->to_ours ? &in->to[0] : NULL);
        for (int k = 0; r->to_ours && k < to->count; k++)
            if (!hc_extents_learn(&in->extents, r->rule, &to->parts[k], &in->to[k]))
                return shape_wrong(r, in->from[0], &in->to[k]);
    }
    const char *lack = hc_extents_lack(&in->extents, r->rule);
    return lack ? hc_fail(r->error, HC_ERROR_DATA,
                          "%s:%d: how long the axis `%s` is follows from no shape", r->map->path,
                          r->rule->line, lack)
                : HC_OK;
}

/* A tensor of theirs, by the axes; without names of axes it is as ours. */
static HcStatus make_to(Renaming *r, const HcPlaces *places, int k, Instance *in) {
    const HcMapPart *part = &to_side(r)->parts[k];
    int64_t dims[HC_MAP_NODES];
    int32_t rank;
    HcTensor *made = NULL;
    if (!hc_layout_shape(&in->extents, r->rule, part, dims, &rank))
        return hc_fail(r->error, HC_ERROR_DATA, "%s:%d: `%s` would be too large", r->map->path,
                       r->rule->line, part->name);
    char *name = hc_pattern_name(part->name, places);
    HcStatus status = name ? HC_OK : hc_fail_memory(r->error, "the names of tensors");
    if (status == HC_OK && hc_tensor_list_find(r->to, name))
        status = hc_fail(r->error, HC_ERROR_DATA, "%s:%d: `%.150s` is mapped twice", r->map->path,
                         r->rule->line, name);
    if (status == HC_OK)
        status = part->shaped ? hc_tensor_list_add(r->to, name, rank, dims, &made, r->error)
                              : hc_tensor_list_add(r->to, name, in->from[0]->rank,
                                                   in->from[0]->dims, &made, r->error);
    free(name);
    in->places[k] = r->to->count - 1;
    in->there[k] = false;
    if (status == HC_OK)
        in->to[k] = *made;
    return status;
}

static bool same_shape(const HcTensor *a, const HcTensor *b) {
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0);
}

static HcStatus copy(const Renaming *r, const Instance *in) {
    const HcMapSide *from = from_side(r), *to = to_side(r);
    const int parts = from->count > to->count ? from->count : to->count;
    if (!to->parts[0].shaped) {
        if (!same_shape(in->from[0], &in->to[0]))
            return shape_wrong(r, in->from[0], &in->to[0]);
        if (in->to[0].count)
            memcpy(in->to[0].data, in->from[0]->data,
                   (size_t)in->to[0].count * in->to[0].element_size);
        return HC_OK;
    }
    for (int k = 0; k < parts; k++) {
        const int f = from->count > 1 ? k : 0, t = to->count > 1 ? k : 0;
        hc_layout_copy(&in->extents, r->rule, k, &from->parts[f], in->from[f], &to->parts[t],
                       &in->to[t]);
    }
    return HC_OK;
}

/* Values that are ours once more are the same, to the bit. */
static HcStatus take(Renaming *r, Instance *in, int k) {
    HcTensor *to = &r->to->at[in->places[k]];
    if (!in->there[k]) {
        *to = in->to[k];
        return HC_OK;
    }
    const bool same = to->element_size == in->to[k].element_size &&
                      memcmp(to->data, in->to[k].data, (size_t)to->count * to->element_size) == 0;
    free(in->to[k].data);
    return same ? HC_OK
                : hc_fail(r->error, HC_ERROR_DATA,
                          "%s:%d: `%.120s` is tied to `%.120s`, and holds other values",
                          r->map->path, r->rule->line, in->from[0]->name, to->name);
}

static HcStatus fill(Renaming *r, Instance *in) {
    const HcMapSide *from = from_side(r), *to = to_side(r);
    HcStatus status = HC_OK;
    for (int k = 1; k < from->count; k++)
        if (in->from[k]->element_size != in->from[0]->element_size)
            return hc_fail(r->error, HC_ERROR_DATA,
                           "%s:%d: `%.120s` and `%.120s` are of two precisions", r->map->path,
                           r->rule->line, in->from[0]->name, in->from[k]->name);
    for (int k = 0; k < to->count && status == HC_OK; k++)
        status = hc_tensor_room(&in->to[k], in->from[0]->element_size, r->error);
    if (status == HC_OK)
        status = copy(r, in);
    for (int k = 0; k < to->count; k++) {
        if (status == HC_OK)
            status = take(r, in, k);
        else
            free(in->to[k].data);
    }
    return status;
}

/* --- rules -------------------------------------------------------------------------------------*/

static HcStatus apply_to(Renaming *r, const HcPlaces *places, int64_t first) {
    Instance in = {0};
    HcStatus status = find_from(r, places, first, &in);
    if (status == HC_OK && r->to_ours)
        status = find_to(r, places, &in);
    if (status == HC_OK)
        status = learn(r, &in);
    for (int k = 0; !r->to_ours && k < to_side(r)->count && status == HC_OK; k++)
        status = make_to(r, places, k, &in);
    return status == HC_OK ? fill(r, &in) : status;
}

static HcStatus apply(Renaming *r) {
    const HcMapSide *side = from_side(r);
    bool any = false;
    for (int64_t k = 0; k < r->from->count; k++) {
        HcPlaces places = {0};
        if (!hc_pattern_matches(side->parts[0].name, r->from->at[k].name, &places))
            continue;
        any = true;
        HcStatus status = apply_to(r, &places, k);
        if (status != HC_OK)
            return status;
    }
    const bool may_lack =
        r->rule->kind == HC_RULE_MAYBE || (r->rule->kind == HC_RULE_TIED && r->to_ours);
    return any || may_lack ? HC_OK : lacks(r, r->of, side->parts[0].name);
}

static bool passed_over(const HcNameMap *map, HcRuleKind kind, const char *name) {
    for (int k = 0; k < map->count; k++) {
        const HcMapRule *rule = &map->rules[k];
        const HcMapSide *side = kind == HC_RULE_SKIP ? &rule->theirs : &rule->ours;
        HcPlaces places = {0};
        if (rule->kind == kind && hc_pattern_matches(side->parts[0].name, name, &places))
            return true;
    }
    return false;
}

/* `first` and `more` others. */
static HcStatus left_over(const Renaming *r, const char *first, int64_t more, const char *what,
                          const char *word) {
    char others[40] = "";
    if (more > 0)
        snprintf(others, sizeof others, " and %lld more", (long long)more);
    return hc_fail(r->error, HC_ERROR_DATA, "%s: %s `%.150s`%s (`%s NAME` passes over it)",
                   r->map->path, what, first, others, word);
}

static HcStatus check_from(const Renaming *r) {
    const HcRuleKind kind = r->to_ours ? HC_RULE_SKIP : HC_RULE_OMIT;
    const char *first = NULL;
    int64_t n = 0;
    for (int64_t k = 0; k < r->from->count; k++) {
        if (r->used[k] || passed_over(r->map, kind, r->from->at[k].name))
            continue;
        first = n++ ? first : r->from->at[k].name;
    }
    return n == 0 ? HC_OK
                  : left_over(r, first, n - 1, "the map does not say what becomes of",
                              r->to_ours ? "skip" : "omit");
}

static HcStatus check_to(const Renaming *r) {
    const char *first = NULL;
    int64_t n = 0;
    for (int64_t k = 0; r->to_ours && k < r->to->count; k++) {
        const HcTensor *t = &r->to->at[k];
        if (t->data || passed_over(r->map, HC_RULE_OMIT, t->name))
            continue;
        first = n++ ? first : t->name;
    }
    return n == 0 ? HC_OK : left_over(r, first, n - 1, "nothing gives the model's", "omit");
}

static HcStatus rename_all(Renaming *r) {
    r->used = calloc((size_t)r->from->count + 1, sizeof *r->used);
    HcStatus status = r->used ? HC_OK : hc_fail_memory(r->error, "the names of tensors");
    /* what is tied is compared with what is there by then */
    for (int turn = 0; turn < 2; turn++)
        for (int k = 0; k < r->map->count && status == HC_OK; k++) {
            r->rule = &r->map->rules[k];
            const bool tied = r->rule->kind == HC_RULE_TIED;
            if (r->rule->kind != HC_RULE_SKIP && r->rule->kind != HC_RULE_OMIT && tied == turn)
                status = apply(r);
        }
    if (status == HC_OK)
        status = check_from(r);
    if (status == HC_OK)
        status = check_to(r);
    free(r->used);
    return status;
}

HcStatus hc_rename_to_theirs(const HcNameMap *map, const char *of, const HcTensorList *ours,
                             HcTensorList *theirs, HcError *error) {
    Renaming r = {.map = map, .of = of, .from = ours, .to = theirs, .error = error};
    *theirs = (HcTensorList){0};
    return rename_all(&r);
}

HcStatus hc_rename_to_ours(const HcNameMap *map, const char *of, const HcTensorList *theirs,
                           HcTensorList *ours, HcError *error) {
    Renaming r = {
        .map = map, .of = of, .to_ours = true, .from = theirs, .to = ours, .error = error};
    return rename_all(&r);
}
