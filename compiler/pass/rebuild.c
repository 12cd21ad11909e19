/* Copying values from block to block; see rebuild.h. */
#include "pass/rebuild.h"

TirId pass_rebuild_value(TirBuilder *b, const TirBlock *from, TirId id, const TirId *operands) {
    const TirId copy = tir_copy(b, from, id, operands);
    return copy ? copy : tir_rebuild_moved(b, from, tir_node(from, id), operands);
}

TirId pass_rebuild_mapped(TirBuilder *b, const TirBlock *from, TirId id, const TirId *map,
                          TirIdVec *operands) {
    const TirNode *node = tir_node(from, id);
    operands->count = 0;
    for (uint32_t k = 0; k < node->n_operands; k++)
        vec_push(b->program->arena, operands, map[node->operands[k]]);
    b->span = node->span;
    b->name = node->name;
    return pass_rebuild_value(b, from, id, operands->at);
}

TirBlock *pass_substitute_block(TirProgram *p, TirBlock *block, const VjpReplacedVec *replaced,
                                uint32_t n_roots, TirId *roots, uint32_t *n_forward) {
    if (replaced->count == 0)
        return block;
    Arena *scratch = arena_create_child(p->arena);
    TirBlock *to = tir_block_create(p);
    TirBuilder b = tir_builder(p, to);
    TirIdVec operands = {0};
    TirId *map = ARENA_ARRAY(scratch, TirId, block->nodes.count);
    TirId *instead = ARENA_ARRAY(scratch, TirId, block->nodes.count);
    for (uint32_t k = 0; k < replaced->count; k++)
        instead[replaced->at[k].old] = replaced->at[k].with_stacks;
    bool *live = ARENA_ARRAY(scratch, bool, block->nodes.count);
    for (uint32_t k = 0; k < n_roots; k++)
        live[roots[k]] = true;
    pass_mark_live(block, instead, live);
    TirId *arguments = ARENA_ARRAY(scratch, TirId, block->arguments.count);
    for (uint32_t k = 0; k < block->arguments.count; k++)
        arguments[k] = tir_arg(&b, block->arguments.at[k]);
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirId old = instead[id] ? instead[id] : id;
        const TirNode *node = tir_node(block, old);
        if (node->op == TIR_ARG)
            map[id] = arguments[node->attr.index];
        else if (live[id])
            map[id] = pass_rebuild_mapped(&b, block, old, map, &operands);
        if (n_forward && *n_forward == id) {
            *n_forward = to->nodes.count - 1;
            n_forward = NULL;
        }
    }
    for (uint32_t k = 0; k < n_roots; k++)
        roots[k] = map[roots[k]];
    arena_destroy(scratch);
    return to;
}

TirId pass_stack_entry(TirBuilder *b, TirId stack, uint32_t k) {
    const TirType type = tir_node(b->block, stack)->type;
    return tir_reshape(b, tir_slice(b, stack, 0, k, 1), type.rank - 1u, type.dims + 1);
}

TirId pass_stack(TirBuilder *b, uint32_t n, const TirId *entries) {
    TirId *rows = ARENA_ARRAY(b->program->arena, TirId, n);
    for (uint32_t k = 0; k < n; k++) {
        const TirType type = tir_node(b->block, entries[k])->type;
        uint32_t dims[TIR_MAX_RANK] = {1};
        for (uint32_t d = 0; d + 1 < TIR_MAX_RANK && d < type.rank; d++)
            dims[d + 1] = type.dims[d];
        rows[k] = tir_reshape(b, entries[k], type.rank + 1u, dims);
    }
    return tir_concat(b, 0, n, rows);
}

void pass_mark_live(const TirBlock *block, const TirId *instead, bool *live) {
    for (TirId id = block->nodes.count; id-- > 1;) {
        const TirNode *node = tir_node(block, instead && instead[id] ? instead[id] : id);
        for (uint32_t k = 0; live[id] && k < node->n_operands; k++)
            live[node->operands[k]] = true;
    }
}

TirId pass_join_pads(TirBuilder *b, TirId x, TirId y) {
    const TirNode a = *tir_node(b->block, x), z = *tir_node(b->block, y);
    const uint32_t axis = a.attr.axis;
    if (a.op != TIR_PAD || z.op != TIR_PAD || z.attr.axis != axis ||
        !tir_shape_equal(&a.type, &z.type))
        return 0;
    const uint32_t na = tir_node(b->block, a.operands[0])->type.dims[axis];
    const uint32_t nz = tir_node(b->block, z.operands[0])->type.dims[axis];
    const bool in_order = a.attr.start + na == z.attr.start;
    if (!in_order && z.attr.start + nz != a.attr.start)
        return 0;
    const TirNode *parts[2] = {in_order ? &a : &z, in_order ? &z : &a};
    TirIdVec all = {0};
    for (uint32_t k = 0; k < 2; k++) {
        const TirNode *part = tir_node(b->block, parts[k]->operands[0]);
        const bool joined = part->op == TIR_CONCAT && part->attr.axis == axis;
        for (uint32_t i = 0; i < (joined ? part->n_operands : 1); i++)
            vec_push(b->program->arena, &all, joined ? part->operands[i] : parts[k]->operands[0]);
    }
    const TirId joined = tir_concat(b, axis, all.count, all.at);
    return tir_pad(b, joined, axis, parts[0]->attr.start, a.type.dims[axis]);
}
