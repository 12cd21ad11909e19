#include "runtime/run/move.h"

#include <string.h>

enum { MOVED_BYTES = 1 << 18 };

/* Rows of bytes: `inner` of them in each of `outer`, so many bytes apart. */
typedef struct {
    uint8_t *to;
    const uint8_t *from; /* NULL: zeros */
    int64_t outer, inner, row;
    int64_t to_outer, to_inner, from_outer, from_inner;
    int64_t pieces; /* a row is moved in, or */
    int64_t rows;   /* that are moved at once */
} Move;

static void move_piece(const Move *m, int64_t row, int64_t first, int64_t bytes) {
    const int64_t outer = row / m->inner, inner = row % m->inner;
    uint8_t *to = m->to + outer * m->to_outer + inner * m->to_inner + first;
    if (m->from)
        memcpy(to, m->from + outer * m->from_outer + inner * m->from_inner + first, (size_t)bytes);
    else
        memset(to, 0, (size_t)bytes);
}

static void move_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Move *m = argument;
    const int64_t all = m->outer * m->inner;
    if (m->pieces > 1) {
        const int64_t first = task % m->pieces * MOVED_BYTES, left = m->row - first;
        move_piece(m, task / m->pieces, first, left < MOVED_BYTES ? left : MOVED_BYTES);
        return;
    }
    for (int64_t row = task * m->rows; row < (task + 1) * m->rows && row < all; row++)
        move_piece(m, row, 0, m->row);
}

static void move(HcPool *pool, Move m) {
    if (m.inner > 1 && m.to_inner == m.row && (!m.from || m.from_inner == m.row)) {
        m.row *= m.inner;
        m.inner = 1;
    }
    if (m.inner == 1 && m.to_outer == m.row && (!m.from || m.from_outer == m.row)) {
        m.row *= m.outer;
        m.outer = 1;
    }
    m.pieces = (m.row + MOVED_BYTES - 1) / MOVED_BYTES;
    m.rows = MOVED_BYTES / m.row > 1 ? MOVED_BYTES / m.row : 1;
    const int64_t all = m.outer * m.inner;
    hc_pool_run(pool, m.pieces > 1 ? all * m.pieces : (all + m.rows - 1) / m.rows, move_task, &m);
}

HcLayout hc_layout(const HcExec *exec, HcDomain domain, int64_t elements, HcElement element,
                   const int64_t *strides, int64_t index) {
    const int64_t size = hc_element_bytes(element);
    const int64_t given = strides ? strides[index] : 0, most = INT64_C(1) << 48;
    HcLayout l = {domain, elements * size, 0};
    if (hc_is_by_sample(domain) && given)
        l.stride = given < 0 || given > most ? -1 : given * size; /* -1 is refused */
    else if (hc_is_by_sample(domain))
        l.stride = l.bytes * hc_exec_positions(exec, domain);
    return l;
}

bool hc_layout_is_dense(const HcExec *exec, const HcLayout *l) {
    return !hc_is_by_sample(l->domain) ||
           l->stride == l->bytes * hc_exec_positions(exec, l->domain);
}

void hc_move(const HcExec *exec, void *to, const HcLayout *as, const void *from,
             const HcLayout *of) {
    move(exec->pool, (Move){.to = to,
                            .from = from,
                            .outer = hc_is_by_sample(as->domain) ? hc_exec_all_samples(exec) : 1,
                            .inner = hc_exec_positions(exec, as->domain),
                            .row = as->bytes,
                            .to_outer = as->stride,
                            .to_inner = as->bytes,
                            .from_outer = of->stride,
                            .from_inner = hc_is_by_position(of->domain) ? of->bytes : 0});
}
