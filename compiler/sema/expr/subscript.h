/* Subscripts at work: what subscript.c and lookup.c share. */
#ifndef HCC_SEMA_SUBSCRIPT_H
#define HCC_SEMA_SUBSCRIPT_H

#include "sema/expr/expr.h"

/* A subscript that differs from position to position, or is known only when the model runs. It is
 * looked up when all others are bound; until then `marker` labels its axis. */
typedef struct {
    const Expr *e;
    Index *marker;
    const Tensor *value; /* integers of the run; NULL: computed from positions */
} Lookup;

/* x while its axes are being bound, last axis first. */
typedef struct {
    TirId id;
    TirDomain domain;
    uint32_t rank, dims[TIR_MAX_RANK];
    Index *axes[TIR_MAX_RANK];
    Lookup lookups[TIR_MAX_RANK]; /* last axis first */
    uint32_t n_lookups;
} Work;

/* lookup.c, which subscript.c stands on. Says so when `v` is no entry of an axis of `dim` of
 * `base`. */
bool subscript_in_range(Sema *s, double v, uint32_t dim, const Expr *base, Span span);
const char *subscript_base_text(Sema *s, const Expr *base);
/* Takes a subscript that mentions positions, or whose value (NULL: positions) is a tensor. */
bool lookup_mark(Sema *s, Work *w, uint32_t axis, const Expr *e, const Tensor *value);
/* Replaces all marked axes by what the lookups find there. */
bool lookup_apply(Sema *s, Scope *scope, Work *w, const Expr *base, Span span);

#endif
