/* What attention adds to scores by head and distance, and the gradient of that. */
#ifndef HCC_LOWER_ATTEND_BIAS_H
#define HCC_LOWER_ATTEND_BIAS_H

#include "lower/attend/tile.h"

/* The bias of queries first_query + c * lanes on, of a key: where it lies; so many of the lanes are
 * queries. */
NestAddress attend_bias_at(Attend *a, const AttendMatrix *bias, NestId first_query, NestId key,
                           uint32_t c);
NestId attend_queries_in(Attend *a, NestId queries, uint32_t c);
AttendPairs attend_pairs(Attend *a, int64_t width);
/* Once, before all tiles. */
void attend_pairs_clear(Attend *a, const AttendPairs *p);
/* x is what vector c of the panel's queries, of which there are so many, and a key come to. */
void attend_pair(Attend *a, const AttendPairs *p, NestId key, NestId queries, uint32_t c, NestId x);
/* The panel's share of the gradient. */
void attend_pairs_add(Attend *a, const AttendPairs *p, const AttendMatrix *d_bias,
                      NestId first_query, NestId queries, NestId first_key, NestId keys);

#endif
