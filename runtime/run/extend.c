/* The forward pass for positions that are added to those of before: the same calls, each for the
 * new positions alone. What they read of earlier ones lies where an earlier run left it: the plan
 * gives it memory of its own (see docs/manifest.md, `extend`). */
#include "abi/layout.h"
#include "runtime/run/context.h"

typedef struct {
    HcExec *exec;
    int64_t first, end; /* positions */
    int64_t chunk;      /* where the chunk at hand begins, whose memory holds it alone */
} Extension;

static bool is_at_positions(const HcCall *call) {
    const int32_t domain = call->kind == HC_CALL_GEMM ? call->m.domain : (int32_t)call->domain;
    return domain >= 0 && hc_is_by_position((HcDomain)domain);
}

static void extend_kernel(const Extension *x, uint32_t c, int64_t first, int64_t end) {
    const HcBoundCall *bound = &x->exec->bound[c];
    HcExtents extents = bound->extents;
    extents.first = first;
    extents.positions = extents.instances = end;
    int64_t tasks = bound->tasks;
    if (x->exec->plan->calls[c].per_sample == 0) { /* no more than have partial results */
        extents.tile = (int64_t)hc_units(hc_divide_up((uint64_t)(end - first), (uint64_t)tasks));
        tasks = (int64_t)hc_divide_up((uint64_t)(end - first), (uint64_t)extents.tile);
    }
    hc_exec_run_kernel(x->exec, c, &extents, 0, tasks,
                       hc_exec_chunk_buffers(x->exec, &x->exec->plan->calls[c], x->chunk));
}

static void widen(const void *from, int64_t count, float *to) {
    for (int64_t k = 0; k < count; k++)
        to[k] = (float)hc_real_at(from, sizeof(uint16_t), k);
}

/* Few rows, in f32: `beside` holds many more. */
static void extend_rows(HcExec *exec, const HcCall *call, HcGemmSplit of, void *abc[3]) {
    const HcBuffer *buffers = &exec->plan->buffers[call->first];
    const bool rounds = buffers[2].element == HC_ELEMENT_BF16;
    HcCall rows = *call;
    float *beside = exec->beside, *sums = beside + of.m * call->lda;
    uint16_t *result = abc[2];
    if (buffers[0].element == HC_ELEMENT_BF16) {
        widen(abc[0], (of.m - 1) * call->lda + of.k, beside);
        abc[0] = beside;
    }
    if (rounds) {
        rows.ldc = of.n;
        abc[2] = sums;
    }
    const int64_t bytes = rounds ? (int64_t)sizeof(float) : hc_element_bytes(buffers[2].element);
    hc_rows_run(exec->pool, &rows, of.m, of.n, of.k, bytes, abc);
    for (int64_t r = 0; rounds && r < of.m; r++)
        for (int64_t j = 0; j < of.n; j++)
            result[r * call->ldc + j] = hc_bf16(sums[r * of.n + j]);
}

static void extend_product(const Extension *x, uint32_t c, int64_t first, int64_t end) {
    HcExec *exec = x->exec;
    const HcCall *call = &exec->plan->calls[c];
    void *const *buffers = hc_exec_chunk_buffers(exec, call, x->chunk);
    const HcBuffer *of = &exec->plan->buffers[call->first];
    const int64_t row = first * call->m.value, m = (end - first) * call->m.value;
    const int64_t n = call->n.value, k = call->k.value;
    void *abc[3] = {(uint8_t *)buffers[0] + (call->transpose_a ? row : row * call->lda) *
                                                hc_element_bytes(of[0].element),
                    buffers[1],
                    (uint8_t *)buffers[2] + row * call->ldc * hc_element_bytes(of[2].element)};
    const bool packed =
        hc_exec_keeps(exec, call) && exec->plan->products.bytes < (int64_t)sizeof(float);
    if (!packed && hc_rows_take(call, m)) {
        extend_rows(exec, call, (HcGemmSplit){.m = m, .n = n, .k = k}, abc);
        return;
    }
    const HcGemmSplit split = hc_gemm_panels(m, n, k);
    hc_exec_multiply(exec, call, &split, abc);
}

/* For those of the positions first .. end - 1 that it is asked for. */
static void extend_call(const Extension *x, uint32_t c, int64_t first, int64_t end) {
    const HcCall *call = &x->exec->plan->calls[c];
    const int64_t from =
        call->extends == HC_EXTENDS_LAST && first < x->end - 1 ? x->end - 1 : first;
    if (call->extends == HC_EXTENDS_NOT || from >= end)
        return;
    if (!is_at_positions(call)) {
        if (x->first == 0)
            hc_exec_run_call(x->exec, c);
    } else if (call->kind == HC_CALL_GEMM) {
        extend_product(x, c, from, end);
    } else {
        extend_kernel(x, c, from, end);
    }
}

static void extend_calls(const Extension *x, uint32_t first, uint32_t last) {
    for (uint32_t c = first; c < last; c++)
        extend_call(x, c, x->first, x->end);
}

void hc_exec_extend(HcExec *exec, int64_t first, int64_t end) {
    const HcChunks *chunks = &exec->plan->chunks;
    Extension x = {.exec = exec, .first = first, .end = end, .chunk = first};
    extend_calls(&x, 0, chunks->forward[0]);
    for (; chunks->positions && x.chunk < end; x.chunk += exec->chunk) {
        const int64_t left = end - x.chunk, count = left < exec->chunk ? left : exec->chunk;
        for (uint32_t c = chunks->forward[0]; c < chunks->forward[1]; c++)
            extend_call(&x, c, x.chunk, x.chunk + count);
        exec->last_chunk = x.chunk;
    }
    extend_calls(&x, chunks->forward[1], exec->plan->n_forward);
}

/* --- the C interface ---------------------------------------------------------------------------*/

const char *hc_extend_refused(const HcContext *c) {
    return c ? c->plan.extends_not : "the context is NULL";
}

static HcStatus can_extend(HcContext *c, int64_t first, int64_t count) {
    if (c->plan.extends_not)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "the model `%s` computes no position by itself: %s", c->plan.model,
                       c->plan.extends_not);
    if (c->split.samples != 1)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "positions are added to one sample, not %lld: hc_resize first",
                       (long long)c->split.samples);
    if (first < 0 || count < 1 || first > c->exec.positions - count)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "%lld positions from %lld on, of %lld",
                       (long long)count, (long long)first, (long long)c->exec.positions);
    if (first > c->extended)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "position %lld, where only the first %lld are computed", (long long)first,
                       (long long)c->extended);
    return hc_check_bound(c);
}

HcStatus hc_extend(HcContext *c, int64_t first, int64_t count) {
    if (!c)
        return hc_null(c, "the context");
    if (c->moved || !c->exec.room)
        c->extended = 0; /* memory is another */
    HcStatus status = can_extend(c, first, count);
    if (status == HC_OK && !c->exec.room) {
        status = hc_exec_make_room(&c->exec, &c->error);
        c->moved = true;
    }
    if (status != HC_OK)
        return status;
    if (hc_await_weights(c) != HC_OK)
        return c->error.status;
    hc_begin_pass(c);
    hc_exec_extend(&c->exec, first, first + count);
    c->ran = false;
    c->extended = first + count;
    return HC_OK;
}

HcStatus hc_extended_logits(HcContext *c, HcView *view) {
    if (!c || !view)
        return hc_null(c, "the view of the logits");
    if (c->extended == 0 || c->moved)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "hc_extended_logits needs hc_extend first");
    const HcOutput *logits = hc_plan_output(&c->plan, "logits");
    *view = (HcView){.count = 1,
                     .rank = logits->rank,
                     .element_size = (uint32_t)hc_element_bytes(logits->buffer.element)};
    for (int32_t d = 0; d < logits->rank; d++)
        view->count *= view->dims[d] = logits->dims[d];
    const bool chunked = logits->buffer.region == HC_REGION_CHUNK && !c->exec.whole;
    const int64_t position = c->extended - 1 - (chunked ? c->exec.last_chunk : 0);
    view->data = (const uint8_t *)hc_context_address(c, logits->buffer) +
                 position * view->count * hc_element_bytes(logits->buffer.element);
    return HC_OK;
}
