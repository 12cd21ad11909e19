/* Who makes a matrix product: the model's own kernels, where it has some for it, else OpenBLAS. */
#include "runtime/run/exec.h"

static bool has_kernels(const HcCall *call) {
    return call->pack_a >= 0;
}

size_t hc_exec_multiply_bytes(const HcExec *exec, const HcCall *call, const HcGemmSplit *s) {
    return has_kernels(call)
               ? hc_product_packed_bytes(&exec->plan->products, s->m, s->n, s->k)
               : (size_t)(hc_gemm_slice_elements(s) * hc_call_element_bytes(exec, call));
}

size_t hc_exec_multiply_scratch(const HcPlan *plan) {
    return plan->products.depth > 0
               ? hc_product_scratch_bytes(&plan->products, plan->products_round) + HC_ALIGN
               : 0;
}

void hc_exec_multiply(HcExec *exec, const HcCall *call, const HcGemmSplit *split,
                      void *const *abc) {
    const HcPlan *plan = exec->plan;
    HcKernel *const *kernels = exec->model->kernels;
    if (!has_kernels(call)) {
        hc_gemm_run(&exec->blas, exec->pool, call, split, hc_call_element_bytes(exec, call), abc,
                    exec->beside);
        return;
    }
    HcProduct product = {.pack_left = kernels[call->pack_a],
                         .pack_right = kernels[call->pack_b],
                         .multiply = &kernels[plan->multiply],
                         .direct = call->direct >= 0 ? &kernels[call->direct] : NULL,
                         .rounds = plan->buffers[call->first + 2].element == HC_ELEMENT_BF16,
                         .m = split->m,
                         .n = split->n,
                         .k = split->k,
                         .transpose_a = call->transpose_a,
                         .transpose_b = call->transpose_b,
                         .lda = call->lda,
                         .ldb = call->ldb,
                         .ldc = call->ldc,
                         .adds = call->beta != 0,
                         .bytes_a = hc_element_bytes(plan->buffers[call->first].element),
                         .bytes_b = hc_element_bytes(plan->buffers[call->first + 1].element),
                         .a = abc[0],
                         .b = abc[1],
                         .c = abc[2]};
    product.right = hc_exec_kept(exec, call, &product);
    hc_product_run(exec->pool, &plan->products, &product, exec->beside,
                   (HcProductScratch){exec->scratch, exec->scratch_stride,
                                      (size_t)hc_align((uint64_t)plan->scratch_bytes)});
}
