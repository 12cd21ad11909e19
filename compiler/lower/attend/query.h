/* Few queries, as at the end of a text that grows. */
#ifndef HCC_LOWER_ATTEND_QUERY_H
#define HCC_LOWER_ATTEND_QUERY_H

#include "lower/attend/tile.h"

/* Queries first .. first + count - 1, one after the other. */
void attend_queries(Attend *a, const AttendForward *m, NestId first, NestId count);

#endif
