/* Values that go from one place to another, where samples may lie apart from each other. */
#ifndef HC_MOVE_H
#define HC_MOVE_H

#include "runtime/run/exec.h"

/* How a value lies in memory: one of so many bytes for each instance of a domain, its samples so
 * many bytes apart. */
typedef struct {
    HcDomain domain;
    int64_t bytes, stride;
} HcLayout;

/* strides[index]: elements from a sample to the next; 0, or no strides: dense. */
HcLayout hc_layout(const HcExec *exec, HcDomain domain, int64_t elements, HcElement element,
                   const int64_t *strides, int64_t index);
bool hc_layout_is_dense(const HcExec *exec, const HcLayout *layout);
/* `from` (NULL: zeros) may be the same for several instances of `to`. */
void hc_move(const HcExec *exec, void *to, const HcLayout *as, const void *from,
             const HcLayout *of);

#endif
