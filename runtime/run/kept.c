/* Weights that stay packed from one product to the next: through a walk over chunks, where every
 * chunk multiplies with the same ones, and from pass to pass where it is known that parameters are
 * what they were (hc_parameters_unchanged). Where there is no memory for them, products pack again,
 * as ever. */
#include "runtime/run/exec.h"

#include <stdlib.h>

bool hc_exec_keeps(const HcExec *exec, const HcCall *call) {
    return (exec->keeps || exec->walks) && call->pack_b >= 0 &&
           exec->plan->buffers[call->first + 1].region == HC_REGION_PARAMS;
}

static HcKept *find(HcExec *exec, const HcCall *call, const HcProduct *product) {
    for (uint32_t k = 0; k < exec->n_kept; k++) {
        HcKept *kept = &exec->kept[k];
        if (kept->from == product->b && kept->pack == call->pack_b && kept->n == product->n &&
            kept->k == product->k)
            return kept;
    }
    return NULL;
}

/* Memory for one more, or NULL. */
static HcKept *add(HcExec *exec, const HcCall *call, const HcProduct *product) {
    HcKept *grown = realloc(exec->kept, (exec->n_kept + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    exec->kept = grown;
    HcKept *kept = &grown[exec->n_kept];
    *kept = (HcKept){.from = product->b, .pack = call->pack_b, .n = product->n, .k = product->k};
    kept->bytes = hc_product_right_bytes(&exec->plan->products, product->n, product->k);
    kept->packed = hc_aligned(kept->bytes);
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
    if (!kept->good)
        hc_product_pack_right(exec->pool, &exec->plan->products, product, kept->packed);
    kept->good = true;
    return kept->packed;
}

void hc_exec_forget(HcExec *exec) {
    for (uint32_t k = 0; k < exec->n_kept; k++)
        exec->kept[k].good = false;
}

size_t hc_exec_kept_bytes(const HcExec *exec) {
    size_t bytes = exec->n_kept * sizeof *exec->kept;
    for (uint32_t k = 0; k < exec->n_kept; k++)
        bytes += exec->kept[k].bytes;
    return bytes;
}

void hc_exec_drop_kept(HcExec *exec) {
    for (uint32_t k = 0; k < exec->n_kept; k++)
        free(exec->kept[k].packed);
    free(exec->kept);
    exec->kept = NULL;
    exec->n_kept = 0;
}
