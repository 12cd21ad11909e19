#include "plan/lives.h"
#include <string.h>

Lives lives_create(Arena *arena, uint32_t n) {
    Lives lives = {.arena = arena,
                   .n = n,
                   .first = ARENA_ARRAY(arena, uint32_t, 2 * (size_t)n),
                   .last = ARENA_ARRAY(arena, uint32_t, 2 * (size_t)n)};
    lives_begin(&lives);
    return lives;
}

void lives_begin(Lives *l) {
    memset(l->first, 0xff, 2 * (size_t)l->n * sizeof *l->first);
    memset(l->last, 0xff, 2 * (size_t)l->n * sizeof *l->last);
    l->born.count = 0;
}

void lives_touch(Lives *l, uint32_t step, const Call *call, const bool *second) {
    for (uint32_t k = 0; k < call->buffers.count; k++) {
        const CallBuffer *buffer = &call->buffers.at[k];
        if (buffer->region != REGION_NONE)
            continue;
        const uint32_t at = second && second[buffer->index] ? l->n + buffer->index : buffer->index;
        if (k >= call->n_reads && l->first[at] == NEVER) {
            l->first[at] = step;
            vec_push(l->arena, &l->born, at);
        }
        l->last[at] = step;
    }
}

void lives_keep_outputs(Lives *l, const TirProgram *p, uint32_t until) {
    for (uint32_t k = 0; k < p->outputs.count; k++)
        l->last[tir_storage(p->block, p->outputs.at[k].value)] = until;
}
