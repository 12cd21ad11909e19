/* Tables inside a loop become arguments of the loop, which never change: a table lies in memory,
 * and the loop's kernel loads what it needs before the first turn. */
#include "pass/legal_scan.h"
#include "pass/rebuild.h"

static uint32_t count_tables(const TirBlock *body) {
    uint32_t n = 0;
    for (TirId id = 1; id < body->nodes.count; id++)
        n += tir_node(body, id)->op == TIR_TABLE;
    return n;
}

static bool has_tables_inside(const TirBlock *body) {
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        if (node->op == TIR_SCAN &&
            (count_tables(node->attr.body) > 0 || has_tables_inside(node->attr.body)))
            return true;
    }
    return false;
}

/* The same with the tables of loops inside moved to it. */
static TirBlock *tables_of_inner(TirProgram *p, TirBlock *body) {
    if (!has_tables_inside(body))
        return body;
    TirBlock *to = tir_block_create(p);
    TirBuilder b = tir_builder(p, to);
    TirId *map = ARENA_ARRAY(p->arena, TirId, body->nodes.count);
    TirId *arguments = ARENA_ARRAY(p->arena, TirId, body->arguments.count);
    TirIdVec scratch = {0};
    for (uint32_t k = 0; k < body->arguments.count; k++)
        arguments[k] = tir_arg(&b, body->arguments.at[k]);
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        map[id] = node->op == TIR_ARG    ? arguments[node->attr.index]
                  : node->op == TIR_SCAN ? legal_scan_mapped(&b, body, id, map)
                                         : pass_rebuild_mapped(&b, body, id, map, &scratch);
    }
    for (uint32_t k = 0; k < body->results.count; k++)
        vec_push(p->arena, &to->results, map[body->results.at[k]]);
    return to;
}

/* The arguments again, with the tables' after the invariant ones. */
static void add_arguments(TirBuilder *b, const TirBlock *body, uint32_t before, TirId *arguments,
                          TirId *map) {
    for (uint32_t k = 0; k < before; k++)
        arguments[k] = tir_arg(b, body->arguments.at[k]);
    for (TirId id = 1; id < body->nodes.count; id++)
        if (tir_node(body, id)->op == TIR_TABLE)
            map[id] = tir_arg(b, tir_node(body, id)->type);
    for (uint32_t k = before; k < body->arguments.count; k++)
        arguments[k] = tir_arg(b, body->arguments.at[k]);
}

static TirBlock *body_without_tables(TirProgram *p, const TirBlock *body, uint32_t before) {
    TirBlock *to = tir_block_create(p);
    TirBuilder b = tir_builder(p, to);
    TirId *map = ARENA_ARRAY(p->arena, TirId, body->nodes.count);
    TirId *arguments = ARENA_ARRAY(p->arena, TirId, body->arguments.count);
    TirIdVec operands = {0};
    add_arguments(&b, body, before, arguments, map);
    for (TirId id = 1; id < body->nodes.count; id++) {
        const TirNode *node = tir_node(body, id);
        if (node->op == TIR_ARG)
            map[id] = arguments[node->attr.index];
        else if (node->op != TIR_TABLE)
            map[id] = pass_rebuild_mapped(&b, body, id, map, &operands);
    }
    for (uint32_t k = 0; k < body->results.count; k++)
        vec_push(p->arena, &to->results, map[body->results.at[k]]);
    return to;
}

TirId legal_scan(TirBuilder *b, const TirBlock *from, TirId scan, const TirId *operands) {
    const TirAttr *a = &tir_node(from, scan)->attr;
    TirBlock *with = tables_of_inner(b->program, a->body);
    const uint32_t n_tables = count_tables(with), before = a->n_carried + a->n_invariant;
    if (n_tables == 0)
        return pass_rebuild_value(b, from, scan, operands);
    TirId *invariant = ARENA_ARRAY(b->program->arena, TirId, a->n_invariant + n_tables);
    uint32_t n = 0;
    while (n < a->n_invariant) {
        invariant[n] = operands[a->n_carried + n];
        n++;
    }
    for (TirId id = 1; id < with->nodes.count; id++)
        if (tir_node(with, id)->op == TIR_TABLE)
            invariant[n++] = tir_rebuild(b, tir_node(with, id), NULL);
    TirBlock *body = body_without_tables(b->program, with, before);
    return tir_scan(b, a->trips, a->reverse, body, a->n_carried, operands, n, invariant,
                    a->n_scanned, operands + before);
}

TirId legal_scan_mapped(TirBuilder *b, const TirBlock *from, TirId scan, const TirId *map) {
    const TirNode *node = tir_node(from, scan);
    TirId *operands = ARENA_ARRAY(b->program->arena, TirId, node->n_operands);
    for (uint32_t k = 0; k < node->n_operands; k++)
        operands[k] = map[node->operands[k]];
    b->span = node->span;
    b->name = node->name;
    return legal_scan(b, from, scan, operands);
}
