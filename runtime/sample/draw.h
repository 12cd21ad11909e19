/* Which token it is, of those that may come next. */
#ifndef HC_DRAW_H
#define HC_DRAW_H

#include <stdint.h>

typedef struct {
    double temperature; /* 0: always the likeliest */
    int64_t top_k;      /* among the k likeliest; 0: all */
    double top_p;       /* of those among the likeliest that have so much together; 1: all */
    uint64_t seed;
} HcDrawRule;

/* Draws one of n by their logits, which become likelihoods up to a factor; room: n numbers. Of two
 * that are as likely the first counts as likelier. `number` says which of the seed's draws it is.
 */
int64_t hc_draw(const HcDrawRule *rule, double *logits, int64_t n, uint32_t *room, uint64_t number);

#endif
