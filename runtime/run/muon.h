/* Muon: momentum of matrices, made nearly orthogonal (Jordan et al. 2024, kellerjordan.github.io/
 * posts/muon). What a matrix is, the compiler says: free by summed axes of a product, one matrix
 * for each element of the axes apart. */
#ifndef HC_MUON_H
#define HC_MUON_H

#include "runtime/run/blas.h"
#include "runtime/run/plan.h"
#include "runtime/run/shards.h"
#include "runtime/run/threads.h"

/* A parameter as matrices; element (i, r, c) lies at apart[i] + free[r] + summed[c]. */
typedef struct {
    uint32_t parameter;
    int64_t n_apart, n_free, n_summed;
    int64_t *apart, *free, *summed; /* in elements; the first owns all */
} HcMatrix;

typedef struct {
    const HcPlan *plan;
    const HcBlas *blas;
    HcMatrix *matrices;
    uint32_t n_matrices;
    double *sums;              /* by row of the one that is worked on */
    void *x, *y, *gram, *next; /* of the largest */
    uint64_t bytes;
} HcMuon;

/* What a step does to one parameter. */
typedef struct {
    double lr, keep; /* keep: 1 - lr * decay */
    double momentum, scale;
} HcMuonNumbers;

/* Whether any trained parameter is a matrix. */
bool hc_muon_finds(const HcPlan *plan);
/* For those that are, and this rank's; after failure it is empty. */
HcStatus hc_muon_create(HcMuon *muon, const HcShards *shards, const HcPlan *plan,
                        const HcBlas *blas, HcError *error);
void hc_muon_destroy(HcMuon *muon);
/* One update of the k-th of muon->matrices, whose parameter, gradient and momentum these are:
 *   m = mu m + (1 - mu) g;  X = (1 - mu) g + mu m, over its Frobenius norm
 *   five times: A = X X', X = 3.4445 X + (-4.7750 A + 2.0315 A A) X
 *   p = keep p - lr sqrt(max(1, free / summed)) X
 * The same bits for any number of threads. */
void hc_muon_step(HcMuon *muon, HcPool *pool, uint32_t k, const HcMuonNumbers *numbers, void *p,
                  const void *g, void *m);

#endif
