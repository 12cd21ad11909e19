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

/* What subscripts come to at each position and for each value of their indices. */
typedef struct {
    uint32_t space; /* whose positions they mention; 0: none */
    uint32_t positions, n_indices;
    Index *indices[MAX_MENTIONED];
    uint64_t entries; /* at a position */
    double *data;     /* [positions][indices...] */
} LookupTable;

/* Sums of stride * subscript, of the subscripts that are no values of the run. Each lies within its
 * marker's extent; where `outside` is allowed the sum is -1 when one does not. */
bool lookup_table(Sema *s, Scope *scope, uint32_t n_lookups, const Lookup *lookups,
                  const uint32_t *strides, bool outside, const Expr *base, Span span,
                  LookupTable *to);
/* elsewhere.c: the same as integers of the run. */
const Tensor *lookup_integers(Sema *s, const LookupTable *t, Span span);

/* elsewhere.c: takes what lives at positions from those that `table` says, or integers of the run.
 * *w gets their axes first, so many more than before; -1 after an error. */
int elsewhere_apply(Sema *s, Work *w, const LookupTable *table, const Tensor *at, Span span);

#endif
