/* How the features of some streams go through a site: what the files of pass_maps share. */
#ifndef HCC_PASS_MAPS_INTERNAL_H
#define HCC_PASS_MAPS_INTERNAL_H

#include "pass/maps.h"
#include "pass/rebuild.h"

typedef enum {
    FLOW_NONE,   /* it does not depend on the streams */
    FLOW_HELD,   /* it does, and has no feature index: taken as a constant */
    FLOW_LINEAR, /* a sum over streams, feature by feature; what else depends on them is held */
    FLOW_BROKEN, /* it has features, in another way: `why` */
} FlowKind;

enum { FLOW_NOWHERE = 255 }; /* axis: features stand on no one axis */

/* Of a value: along `axis`, element k is of feature k / inner % unit. */
typedef struct {
    FlowKind kind;
    uint32_t axis, inner;
    /* LINEAR: the derivative by each stream, of the value's shape with one axis more, the streams.
     * As all features go alike, `axis` is `unit` times shorter; `wide`: they do not, it is not. */
    TirId slope;
    bool wide;
    /* BROKEN: at which value it broke; parts of so many features might go better, or 0 */
    TirId at;
    const char *why;
    uint32_t finer;
} Flow;

typedef struct {
    TirBuilder *b;
    Arena *scratch;
    TirId first;    /* values before do not depend on the streams */
    uint32_t unit;  /* features of a stream */
    uint32_t count; /* of streams */
    Flow *flows;    /* from `first` on */
} Flows;

static inline const TirType *flow_type(const Flows *f, TirId id) {
    return &tir_node(f->b->block, id)->type;
}
static inline Flow flow_of(const Flows *f, TirId id) {
    return id < f->first ? (Flow){.kind = FLOW_NONE} : f->flows[id - f->first];
}

static inline bool flow_active(const Flow *flow) {
    return flow->kind == FLOW_LINEAR || flow->kind == FLOW_BROKEN;
}

/* Streams along the last axis of these values, which each have that many features; entry after
 * entry, value after value. Follows them through all values up to `last`. False when a value has no
 * such axis: *why. */
bool flow_run(Flows *f, const SiteValueList *streams, TirId last, const char **why);
/* Streams among the elements of a value of this type; 0: it has none of `unit` features. */
uint32_t flow_streams(const TirType *type, uint32_t unit);
/* --- maps_norm.c -------------------------------------------------------------------------------*/

/* The value without the norm that it ends with, or itself. */
TirId flow_without_norm(const Flows *f, TirId x);

/* --- maps_slope.c: slopes of results from those of operands ------------------------------------*/

/* Dimensions of a slope of a value of this type; returns their number. */
uint32_t slope_dims(const Flows *f, const TirType *type, const Flow *flow, uint32_t *dims);
TirId slope_zero(Flows *f, const TirType *type, const Flow *flow);
/* Two slopes of one shape, so that both are wide or neither is. */
void slope_match(Flows *f, const TirType *type, Flow *x, Flow *y);
void slope_widen(Flows *f, const TirType *type, Flow *flow);
/* The slope times (or over) a held value of the same shape, or of rank 0. */
void slope_scale(Flows *f, const TirType *type, Flow *flow, TirOp op, TirId held);
/* A held value that goes with the slope: with its axes and, unless it has rank 0, its streams. */
TirId slope_beside(Flows *f, const TirType *type, Flow *flow, TirId held);
/* The map: [elements but features, streams], the mean over features. */
TirId slope_map(Flows *f, const TirType *type, const Flow *flow);

/* --- maps_names.c ------------------------------------------------------------------------------*/

/* Adds the streams of these values by name: h, H[2], or H[2].0 for a part of the width. */
void map_names(Arena *arena, const TirProgram *p, const SiteValueList *values, uint32_t unit,
               MapNames *names);

#endif
