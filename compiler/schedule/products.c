#include "schedule/products.h"

static uint32_t pack_for(Products *p, Arena *arena, ProductPack pack) {
    pack.product = &p->shape;
    for (uint32_t k = 0; k < p->packs.count; k++) {
        const ProductPack *other = &p->packs.at[k];
        if (other->right == pack.right && other->from == pack.from &&
            other->across == pack.across && other->step == pack.step)
            return k;
    }
    vec_push(arena, &p->packs, pack);
    return p->packs.count - 1;
}

static uint32_t direct_for(Products *p, Arena *arena, int64_t step) {
    for (uint32_t k = 0; k < p->directs.count; k++)
        if (p->directs.at[k] == step)
            return k;
    vec_push(arena, &p->directs, step);
    return p->directs.count - 1;
}

ProductOperand products_narrow(const ProductPack *pack, uint64_t terms) {
    const bool pairs = !pack->across && pack->step % 2 == 0 && terms % 2 == 0;
    return pairs ? OPERAND_PAIRS : OPERAND_BF16;
}

static ProductPack pack_of(const Call *call, bool right) {
    const GemmWork *g = &call->gemm;
    ProductPack pack = {.right = right,
                        .across = right ? !g->transpose_b : g->transpose_a,
                        .step = right ? g->ldb : g->lda};
    if (call->buffers.at[right].element == ELEMENT_BF16)
        pack.from = products_narrow(&pack, g->k);
    return pack;
}

Products *schedule_products(const Plan *plan) {
    Arena *arena = plan->arena;
    const Machine *machine = &plan->options.machine;
    const bool bf16 = hc_precision_rounds(plan->options.precision);
    Products *p = ARENA_NEW(arena, Products);
    p->calls = ARENA_ARRAY(arena, ProductCall, plan->calls.count + 1);
    if (!machine_has_products(machine))
        return p;
    p->shape = machine_product(machine, bf16);
    for (uint32_t k = 0; k < plan->kernels.count; k++)
        p->attends |= bf16 && plan->kernels.at[k].kind == CALL_ATTEND;
    const uint32_t thin = machine_product_thin(machine, bf16);
    for (uint32_t k = 0; k < plan->calls.count; k++) {
        const Call *call = &plan->calls.at[k];
        if (!plan_has_product_kernels(call, thin))
            continue;
        p->any = true;
        p->rounds |= call->buffers.at[2].element == ELEMENT_BF16;
        p->calls[k] = (ProductCall){.runs = true,
                                    .left = pack_for(p, arena, pack_of(call, false)),
                                    .right = pack_for(p, arena, pack_of(call, true)),
                                    .direct = plan_product_is_direct(plan, call)
                                                  ? direct_for(p, arena, call->gemm.lda)
                                                  : PRODUCT_PACKS};
    }
    return p;
}
