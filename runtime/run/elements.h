/* Numbers in a row, moved and added by all threads. */
#ifndef HC_ELEMENTS_H
#define HC_ELEMENTS_H

#include "runtime/run/plan.h"
#include "runtime/run/threads.h"

void hc_elements_copy(HcPool *pool, void *to, const void *from, int64_t count, HcElement element);
/* to[k] = earlier[k] + to[k], of f32 or f64 */
void hc_elements_add(HcPool *pool, void *to, const void *earlier, int64_t count, HcElement element);

#endif
