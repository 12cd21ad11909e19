/* Weights that stay packed from one product to the next: through a walk over chunks, where every
 * chunk multiplies with the same ones, and from pass to pass where it is known that parameters are
 * what they were (hc_parameters_unchanged), or what a step has packed of them (behind.h). Where
 * there is no memory for them, products pack again, as ever. */
#include "runtime/run/exec.h"

#include <stdlib.h>

/* On large pages products read them in less time: small ones share a block. */
static const size_t most_shared = (size_t)32 << 20;

bool hc_exec_keeps(const HcExec *exec, const HcCall *call) {
    return (exec->keeps || exec->walks) && call->pack_b >= 0 &&
           exec->plan->buffers[call->first + 1].region == HC_REGION_PARAMS;
}

static HcKept *find(HcExec *exec, const HcCall *call, const HcProduct *product) {
    const HcBuffer *from = &exec->plan->buffers[call->first + 1];
    for (uint32_t k = 0; k < exec->n_kept; k++) {
        HcKept *kept = &exec->kept[k];
        if (kept->from.index == from->index && kept->from.offset == from->offset &&
            kept->pack == call->pack_b && kept->of.n == product->n && kept->of.k == product->k)
            return kept;
    }
    return NULL;
}

static size_t bytes_of(const HcExec *exec, int64_t n, int64_t k) {
    return hc_align(hc_product_right_bytes(&exec->plan->products, n, k));
}

/* Of all that may still be kept; of what several products read, more. */
static size_t bytes_to_come(const HcExec *exec) {
    size_t bytes = 0, placed = 0;
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        const HcCall *call = &exec->plan->calls[k];
        if (call->kind == HC_CALL_GEMM && hc_exec_keeps(exec, call))
            bytes += bytes_of(exec, call->n.value, call->k.value);
    }
    for (uint32_t k = 0; k < exec->n_kept_blocks; k++)
        placed += exec->kept_blocks[k].used;
    return bytes > placed ? bytes - placed : 0;
}

/* Memory for one more, or NULL. */
static uint8_t *place(HcExec *exec, size_t bytes) {
    HcKeptBlock *last = exec->n_kept_blocks ? &exec->kept_blocks[exec->n_kept_blocks - 1] : NULL;
    if (!last || last->bytes - last->used < bytes) {
        const size_t most = exec->keeps ? bytes_to_come(exec) : 0,
                     shared = most < most_shared ? most : most_shared;
        const HcKeptBlock block = {.bytes = bytes > shared ? bytes : shared};
        last = realloc(exec->kept_blocks, (exec->n_kept_blocks + 1) * sizeof *last);
        if (!last)
            return NULL;
        exec->kept_blocks = last;
        last += exec->n_kept_blocks;
        *last = block;
        last->at = hc_aligned(block.bytes);
        if (!last->at)
            return NULL;
        exec->n_kept_blocks++;
    }
    last->used += bytes;
    return last->at + last->used - bytes;
}

static HcKept *add(HcExec *exec, const HcCall *call, const HcProduct *product) {
    HcKept *grown = realloc(exec->kept, (exec->n_kept + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    exec->kept = grown;
    HcKept *kept = &grown[exec->n_kept];
    *kept = (HcKept){.from = exec->plan->buffers[call->first + 1],
                     .pack = call->pack_b,
                     .of = *product,
                     .packed = place(exec, bytes_of(exec, product->n, product->k))};
    if (!kept->packed)
        return NULL;
    exec->n_kept++;
    return kept;
}

const uint8_t *hc_exec_kept(HcExec *exec, const HcCall *call, const HcProduct *product) {
    if (!hc_exec_keeps(exec, call))
        return NULL;
    HcKept *kept = find(exec, call, product);
    if (!kept)
        kept = add(exec, call, product);
    if (!kept)
        return NULL;
    if (!kept->good || kept->of.b != product->b)
        hc_product_pack_right(exec->pool, &exec->plan->products, product, kept->packed);
    kept->of = *product;
    kept->good = true;
    return kept->packed;
}

void hc_exec_forget(HcExec *exec) {
    for (uint32_t k = 0; k < exec->n_kept; k++)
        exec->kept[k].good = false;
}

size_t hc_exec_kept_bytes(const HcExec *exec) {
    size_t bytes = exec->n_kept * sizeof *exec->kept + exec->n_kept_blocks * sizeof(HcKeptBlock);
    for (uint32_t k = 0; k < exec->n_kept_blocks; k++)
        bytes += exec->kept_blocks[k].bytes;
    return bytes;
}

void hc_exec_drop_kept(HcExec *exec) {
    for (uint32_t k = 0; k < exec->n_kept_blocks; k++)
        free(exec->kept_blocks[k].at);
    free(exec->kept_blocks);
    free(exec->kept);
    exec->kept_blocks = NULL;
    exec->kept = NULL;
    exec->n_kept = exec->n_kept_blocks = 0;
}
