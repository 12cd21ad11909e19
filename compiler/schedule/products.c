#include "schedule/products.h"

static uint32_t pack_for(Products *p, Arena *arena, ProductPack pack) {
    pack.product = &p->shape;
    for (uint32_t k = 0; k < p->packs.count; k++) {
        const ProductPack *other = &p->packs.at[k];
        if (other->right == pack.right && other->across == pack.across && other->step == pack.step)
            return k;
    }
    vec_push(arena, &p->packs, pack);
    return p->packs.count - 1;
}

Products *schedule_products(const Plan *plan, const Machine *machine, bool bf16) {
    Arena *arena = plan->arena;
    Products *p = ARENA_NEW(arena, Products);
    p->calls = ARENA_ARRAY(arena, ProductCall, plan->calls.count + 1);
    if (!machine_has_products(machine))
        return p;
    p->shape = machine_product(machine, bf16);
    for (uint32_t k = 0; k < plan->kernels.count; k++)
        p->attends |= bf16 && plan->kernels.at[k].kind == CALL_ATTEND;
    for (uint32_t k = 0; k < plan->calls.count; k++) {
        const Call *call = &plan->calls.at[k];
        const GemmWork *g = &call->gemm;
        if (!plan_has_product_kernels(call, machine_product_thin(machine, bf16)))
            continue;
        p->any = true;
        p->calls[k] = (ProductCall){
            .runs = true,
            .left = pack_for(p, arena, (ProductPack){.across = g->transpose_a, .step = g->lda}),
            .right = pack_for(
                p, arena, (ProductPack){.right = true, .across = !g->transpose_b, .step = g->ldb})};
    }
    return p;
}
