/* What has been computed, and for which rows and lanes: known from where it is computed to the end
 * of the loop around it. */
#include "lower/lower_internal.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

uint64_t lower_memo_hash(const Lower *l, TirId id, uint32_t frame, const AffineIndex *index) {
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u ^ (uint64_t)frame << 32 ^ l->context.number;
    for (uint32_t k = 0; k < index->rank; k++) {
        const Affine *a = &index->at[k];
        h = (h ^ (uint64_t)a->offset) * 0xbf58476d1ce4e5b9u;
        h ^= (uint64_t)a->lane << 7;
        for (uint32_t m = 0; m < a->n_terms; m++)
            h = (h ^ a->value[m] ^ (uint64_t)a->coefficient[m] << 24) * 0x94d049bb133111ebu;
    }
    return h ^ h >> 29;
}

static bool index_equal(const AffineIndex *x, const AffineIndex *y) {
    if (x->rank != y->rank)
        return false;
    for (uint32_t k = 0; k < x->rank; k++)
        if (!affine_equal(&x->at[k], &y->at[k]))
            return false;
    return true;
}

void lower_memo_begin(Lower *l) {
    if (!l->buckets) {
        l->buckets = ARENA_ARRAY(l->arena, int32_t, BUCKETS);
        memset(l->buckets, 0xff, BUCKETS * sizeof *l->buckets);
    }
    vec_push(l->arena, &l->marks, l->memos.count);
    vec_push(l->arena, &l->marks, l->shifted.count);
}

void lower_memo_end(Lower *l) {
    l->shifted.count = l->marks.at[--l->marks.count];
    uint32_t keep = l->marks.at[--l->marks.count];
    while (l->memos.count > keep) {
        const LowerMemo *memo = &l->memos.at[--l->memos.count];
        l->buckets[memo->hash % BUCKETS] = memo->next;
    }
}

NestId lower_memo_find(const Lower *l, TirId id, uint32_t frame, const AffineIndex *index,
                       uint64_t hash) {
    for (int32_t m = l->buckets[hash % BUCKETS]; m >= 0; m = l->memos.at[m].next) {
        const LowerMemo *memo = &l->memos.at[m];
        if (memo->hash == hash && memo->id == id && memo->frame == frame &&
            memo->context == l->context.number && index_equal(&memo->index, index))
            return memo->result;
    }
    return 0;
}

void lower_memo_add(Lower *l, TirId id, uint32_t frame, const AffineIndex *index, uint64_t hash,
                    NestId result) {
    LowerMemo memo = {.hash = hash,
                      .id = id,
                      .frame = frame,
                      .context = l->context.number,
                      .index = *index,
                      .result = result,
                      .next = l->buckets[hash % BUCKETS]};
    l->buckets[hash % BUCKETS] = (int32_t)l->memos.count;
    vec_push(l->arena, &l->memos, memo);
}

LowerContext lower_context(Lower *l, Affine row, uint16_t lanes, NestId valid) {
    LowerContext old = l->context;
    l->context =
        (LowerContext){.row = row, .lanes = lanes, .valid = valid, .number = ++l->contexts};
    return old;
}

_Noreturn void lower_fault(const Lower *l, TirOp op, const char *message) {
    const TirProgram *p = l->schedule->plan->program;
    p->on_fault(p->fault_context, op, l->b.span, message);
    abort(); /* a handler does not return */
}
