/* Programs, blocks, and the builders of leaves. */
#include "tir/tir_internal.h"
#include <stdlib.h>
#include <string.h>

static void program_fault(void *context, TirOp op, Span span, const char *message) {
    (void)context;
    fprintf(stderr, "hcc: internal fault: tensor IR op %s (file %u, bytes %u to %u): %s\n",
            tir_op_name(op), span.file, span.begin, span.end, message);
    abort();
}

_Noreturn void tir_fault(const TirBuilder *b, TirOp op, const char *message) {
    b->program->on_fault(b->program->fault_context, op, b->span, message);
    abort();
}

TirProgram *tir_program_create(Compilation *c) {
    TirProgram *p = ARENA_NEW(c->arena, TirProgram);
    p->compilation = c;
    p->arena = c->arena;
    p->on_fault = program_fault;
    p->unique_tables = map_create(c->arena);
    p->block = tir_block_create(p);
    return p;
}

TirBlock *tir_block_create(TirProgram *p) {
    TirBlock *block = ARENA_NEW(p->arena, TirBlock);
    vec_push(p->arena, &block->nodes, (TirNode){.op = TIR_OP_COUNT}); /* id 0 is no value */
    return block;
}

TirBuilder tir_builder(TirProgram *p, TirBlock *block) {
    return (TirBuilder){.program = p, .block = block};
}

TirBuilder tir_builder_inner(const TirBuilder *outer, TirBlock *body) {
    TirBuilder inner = *outer;
    inner.block = body;
    return inner;
}

TirId tir_append(TirBuilder *b, TirNode *node) {
    const char *wrong = tir_infer(b->program, b->block, node);
    if (wrong)
        tir_fault(b, node->op, wrong);
    return tir_insert(b, node);
}

/* --- what a program declares -------------------------------------------------------------------*/

uint32_t tir_add_space(TirProgram *p, const char *name, uint32_t rank, const uint32_t *extents) {
    TirSpace space = {.name = name, .maximum = 1, .rank = rank};
    for (uint32_t k = 0; k < rank && k < 2; k++) {
        space.extents[k] = extents[k];
        space.maximum *= extents[k];
    }
    vec_push(p->arena, &p->spaces, space);
    return p->spaces.count;
}

uint32_t tir_add_param(TirProgram *p, TirParam param) {
    vec_push(p->arena, &p->params, param);
    return p->params.count - 1;
}

uint32_t tir_add_input(TirProgram *p, TirInput input) {
    vec_push(p->arena, &p->inputs, input);
    return p->inputs.count - 1;
}

void tir_add_output(TirProgram *p, TirOutputRole role, const char *name, uint32_t index,
                    TirId value) {
    vec_push(p->arena, &p->outputs,
             (TirOutput){.role = role, .name = name, .index = index, .value = value});
}

const TirOutput *tir_find_result(const TirProgram *p, const char *name) {
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        if (out->role == TIR_OUT_RESULT && out->name && strcmp(out->name, name) == 0)
            return out;
    }
    return NULL;
}

const TirInput *tir_find_input(const TirProgram *p, const char *name) {
    for (uint32_t k = 0; k < p->inputs.count; k++)
        if (strcmp(p->inputs.at[k].name, name) == 0)
            return &p->inputs.at[k];
    return NULL;
}

/* --- leaves ------------------------------------------------------------------------------------*/

static TirId leaf(TirBuilder *b, TirOp op, TirAttr attr, TirElem elem) {
    TirNode node = {.op = op, .attr = attr, .type = {.elem = elem}};
    return tir_append(b, &node);
}

TirId tir_param(TirBuilder *b, uint32_t index) {
    return leaf(b, TIR_PARAM, (TirAttr){.index = index}, TIR_REAL);
}

TirId tir_input(TirBuilder *b, uint32_t index) {
    return leaf(b, TIR_INPUT, (TirAttr){.index = index}, TIR_REAL);
}

TirId tir_real(TirBuilder *b, double value) {
    return leaf(b, TIR_CONST, (TirAttr){.number = value}, TIR_REAL);
}

TirId tir_int(TirBuilder *b, int64_t value) {
    return leaf(b, TIR_CONST, (TirAttr){.number = (double)value}, TIR_INT);
}

TirId tir_bool(TirBuilder *b, bool value) {
    return leaf(b, TIR_CONST, (TirAttr){.number = value}, TIR_BOOL);
}

/* The index of an equal table, or of this one, which is then added. */
static uint32_t table_index(TirProgram *p, const TirTable *table, bool copy) {
    const uint64_t count = tir_element_count(&table->type);
    uint32_t words[1 + TIR_MAX_RANK];
    const uint32_t n = tir_type_words(words, &table->type);
    uint64_t h = hash_bytes(words, n * sizeof *words, 1);
    h = hash_bytes(table->data, count * sizeof *table->data, h);
    void **slot;
    while (*(slot = map_slot_u64(p->unique_tables, h))) {
        const uint32_t index = (uint32_t)(uintptr_t)*slot - 1;
        const TirTable *have = &p->tables.at[index];
        if (tir_type_equal(&have->type, &table->type) &&
            memcmp(have->data, table->data, count * sizeof *table->data) == 0)
            return index;
        h++;
    }
    TirTable added = *table;
    if (copy) {
        double *data = ARENA_ARRAY(p->arena, double, count);
        memcpy(data, table->data, count * sizeof *data);
        added.data = data;
    }
    vec_push(p->arena, &p->tables, added);
    *slot = (void *)(uintptr_t)p->tables.count;
    return p->tables.count - 1;
}

TirId tir_table(TirBuilder *b, TirElem elem, uint32_t rank, const uint32_t *dims,
                const double *data) {
    TirTable table = {.name = b->name, .type = {.elem = elem, .rank = (uint8_t)rank}, .data = data};
    if (rank > TIR_MAX_RANK || (elem != TIR_REAL && elem != TIR_INT))
        tir_fault(b, TIR_TABLE, "a table is a real or int tensor");
    for (uint32_t k = 0; k < rank; k++)
        table.type.dims[k] = dims[k];
    return leaf(b, TIR_TABLE, (TirAttr){.index = table_index(b->program, &table, true)}, elem);
}

TirProgram *tir_program_like(const TirProgram *p) {
    TirProgram *to = tir_program_create(p->compilation);
    to->on_fault = p->on_fault;
    to->fault_context = p->fault_context;
    for (uint32_t k = 0; k < p->spaces.count; k++)
        vec_push(to->arena, &to->spaces, p->spaces.at[k]);
    for (uint32_t k = 0; k < p->params.count; k++)
        vec_push(to->arena, &to->params, p->params.at[k]);
    for (uint32_t k = 0; k < p->inputs.count; k++)
        vec_push(to->arena, &to->inputs, p->inputs.at[k]);
    for (uint32_t k = 0; k < p->tables.count; k++)
        if (table_index(to, &p->tables.at[k], false) != k)
            vec_push(to->arena, &to->tables, p->tables.at[k]); /* a reader's file repeats one */
    return to;
}

TirId tir_position(TirBuilder *b, uint32_t space) {
    return leaf(b, TIR_POSITION, (TirAttr){.index = space}, TIR_INT);
}

TirId tir_count(TirBuilder *b, TirDomain domain) {
    if (!domain.sample && !domain.space)
        return tir_real(b, 1);
    return leaf(b, TIR_COUNT, (TirAttr){.domain = domain}, TIR_REAL);
}

TirId tir_training(TirBuilder *b) {
    return leaf(b, TIR_TRAINING, (TirAttr){0}, TIR_REAL);
}

TirId tir_step(TirBuilder *b) {
    return leaf(b, TIR_STEP, (TirAttr){0}, TIR_REAL);
}

TirId tir_steps(TirBuilder *b) {
    return leaf(b, TIR_STEPS, (TirAttr){0}, TIR_REAL);
}

TirId tir_random(TirBuilder *b, TirId call, TirType type) {
    TirNode node = {.op = TIR_RANDOM, .n_operands = 1, .operands = &call, .type = type};
    return tir_append(b, &node);
}

TirId tir_arg(TirBuilder *b, TirType type) {
    type.dependence = TIR_DEPENDS_SELF; /* the loop adds its operands' */
    vec_push(b->program->arena, &b->block->arguments, type);
    return leaf(b, TIR_ARG, (TirAttr){.index = b->block->arguments.count - 1}, type.elem);
}

/* --- what a value is ---------------------------------------------------------------------------*/

bool tir_is_constant(const TirBlock *block, TirId id, double *value) {
    const TirNode *node = tir_node(block, id);
    if (node->op == TIR_BROADCAST)
        node = tir_node(block, node->operands[0]);
    if (node->op != TIR_CONST)
        return false;
    *value = node->attr.number;
    return true;
}

bool tir_is_product(const TirBlock *block, const TirNode *node) {
    if (node->op != TIR_CONTRACT)
        return false;
    for (uint32_t o = 0; o < 2; o++)
        for (uint32_t k = 0; k < tir_node(block, node->operands[o])->type.rank; k++)
            if (node->attr.labels[o][k] >= node->type.rank)
                return false; /* the result's labels are its axes; a further one is summed */
    return true;
}
