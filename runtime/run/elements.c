#include "runtime/run/elements.h"

#include <string.h>

enum { TASK_ELEMENTS = 1 << 15 };

typedef struct {
    void *to;
    const void *from;
    int64_t count;
    bool add;
    HcElement element;
} Move;

#define DEFINE_ADD(name, real)                                                                     \
    static void name(real *to, const real *earlier, int64_t n) {                                   \
        for (int64_t k = 0; k < n; k++)                                                            \
            to[k] = earlier[k] + to[k];                                                            \
    }
DEFINE_ADD(add_f32, float)
DEFINE_ADD(add_f64, double)

static void move_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Move *m = argument;
    const int64_t first = task * TASK_ELEMENTS, left = m->count - first;
    const int64_t n = left < TASK_ELEMENTS ? left : TASK_ELEMENTS;
    const int64_t size = hc_element_bytes(m->element);
    uint8_t *to = (uint8_t *)m->to + first * size;
    const uint8_t *from = (const uint8_t *)m->from + first * size;
    if (!m->add)
        memcpy(to, from, (size_t)(n * size));
    else if (m->element == HC_ELEMENT_F64)
        add_f64((double *)(void *)to, (const double *)(const void *)from, n);
    else
        add_f32((float *)(void *)to, (const float *)(const void *)from, n);
}

static void run(HcPool *pool, Move m) {
    hc_pool_run(pool, (m.count + TASK_ELEMENTS - 1) / TASK_ELEMENTS, move_task, &m);
}

void hc_elements_copy(HcPool *pool, void *to, const void *from, int64_t count, HcElement element) {
    run(pool, (Move){to, from, count, false, element});
}

void hc_elements_add(HcPool *pool, void *to, const void *earlier, int64_t count,
                     HcElement element) {
    run(pool, (Move){to, earlier, count, true, element});
}
