#include "runtime/run/behind.h"

#include <stdlib.h>

/* Elements of a row of a weight as it lies. */
static int64_t row_of(const HcKept *kept) {
    return kept->of.ldb;
}

/* Whether a weight is a parameter, and all of it, that a step updates element by element. */
static bool is_whole(const HcOptim *optim, const HcRecipe *recipe, const uint8_t *params,
                     const HcKept *kept) {
    const HcParameterPlan *p = &optim->plan->parameters[kept->from.index];
    const int64_t rows = kept->of.transpose_b ? kept->of.n : kept->of.k;
    return hc_is_trained(p) && hc_optim_of(recipe, p) != HC_MUON &&
           kept->of.b == params + p->offset && rows * row_of(kept) == p->count;
}

/* Elements of a parameter that one thread updates and then packs: whole rows of them. 0: rows of
 * what is kept of it are of different lengths. */
static int64_t piece_of(const HcExec *exec, uint32_t parameter) {
    int64_t row = 1;
    bool any = false;
    for (uint32_t k = 0; k < exec->n_kept; k++) {
        const HcKept *kept = &exec->kept[k];
        if (!kept->behind || kept->from.index != parameter)
            continue;
        if (any && row != row_of(kept))
            return 0;
        row = row_of(kept);
        any = true;
    }
    const int64_t least =
        any ? row * hc_product_row_step(&exec->plan->products) : HC_CHUNK_ELEMENTS;
    return least < HC_CHUNK_ELEMENTS ? HC_CHUNK_ELEMENTS / least * least : least;
}

static void take(HcExec *exec, const HcOptim *optim, const HcRecipe *recipe,
                 const uint8_t *params) {
    for (uint32_t k = 0; k < exec->n_kept; k++)
        exec->kept[k].behind = is_whole(optim, recipe, params, &exec->kept[k]);
    for (uint32_t k = 0; k < exec->n_kept; k++) {
        HcKept *kept = &exec->kept[k];
        kept->behind = kept->behind && piece_of(exec, kept->from.index) > 0;
    }
}

static void list_chunks(const HcExec *exec, const HcOptim *optim, HcBehind *behind) {
    behind->n_chunks = 0;
    for (uint32_t k = 0; k < optim->plan->n_parameters; k++) {
        const HcParameterPlan *p = &optim->plan->parameters[k];
        const int64_t piece = piece_of(exec, k);
        for (int64_t at = 0; hc_is_trained(p) && at < p->count; at += piece) {
            const int64_t count = p->count - at < piece ? p->count - at : piece;
            if (behind->chunks)
                behind->chunks[behind->n_chunks] = hc_optim_part(optim, k, at, count);
            behind->n_chunks++;
        }
    }
}

static void pack(void *of, const HcChunk *chunk) {
    const HcExec *exec = of;
    const HcParameterPlan *p = &exec->plan->parameters[chunk->parameter];
    const int64_t first = (chunk->at - p->offset) / exec->plan->element_size;
    for (uint32_t k = 0; k < exec->n_kept; k++) {
        const HcKept *kept = &exec->kept[k];
        if (kept->behind && kept->from.index == chunk->parameter)
            hc_product_pack_rows(&exec->plan->products, &kept->of, first / row_of(kept),
                                 chunk->count / row_of(kept), kept->packed);
    }
}

HcBehind hc_behind_begin(HcExec *exec, const HcOptim *optim, const HcRecipe *recipe,
                         const void *params) {
    HcBehind behind = {.run = pack, .of = exec};
    if (!exec->keeps || optim->shards.ranks)
        return behind;
    take(exec, optim, recipe, params);
    list_chunks(exec, optim, &behind);
    behind.chunks = calloc((size_t)behind.n_chunks + 1, sizeof *behind.chunks);
    if (behind.chunks)
        list_chunks(exec, optim, &behind);
    return behind;
}

void hc_behind_end(HcBehind *behind) {
    HcExec *exec = behind->of;
    for (uint32_t k = 0; k < exec->n_kept; k++)
        exec->kept[k].good = behind->chunks && exec->kept[k].behind;
    free(behind->chunks);
    *behind = (HcBehind){0};
}
