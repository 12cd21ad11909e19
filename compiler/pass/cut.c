/* Cuts a program out of a network; cut.h says what that is. */
#include "pass/cut.h"
#include "pass/rebuild.h"
#include <string.h>

typedef struct {
    const Network *network;
    const Cut *cut;
    const TirProgram *from;
    TirProgram *to;
    TirBuilder b;
    TirId *map; /* by value: what it is in `to`, 0: not yet */
    bool *live, *given;
    VEC(TirInput) beside; /* which come behind the others */
    Arena *scratch;
} Cutting;

static const TirNode *old_node(const Cutting *c, TirId id) {
    return tir_node(c->from->block, id);
}

static TirId stands_for(const Cutting *c, const TirNode *argument) {
    return c->network->given.at[argument->attr.index];
}

/* --- what is needed ----------------------------------------------------------------------------*/

static void mark_needed(Cutting *c) {
    for (uint32_t k = 0; k < c->cut->given.count; k++)
        c->given[c->cut->given.at[k].value] = true;
    for (uint32_t k = 0; k < c->cut->results.count; k++)
        c->live[c->cut->results.at[k].value] = true;
    for (TirId id = c->from->block->nodes.count; id-- > 1;) {
        const TirNode *node = old_node(c, id);
        if (!c->live[id] || c->given[id])
            continue;
        if (node->op == TIR_ARG)
            c->live[stands_for(c, node)] = true;
        for (uint32_t k = 0; k < node->n_operands; k++)
            c->live[node->operands[k]] = true;
    }
}

/* --- what is given -----------------------------------------------------------------------------*/

static TirId add_input(Cutting *c, const CutValue *of, const char *name, const TirType *type) {
    const TirNode *old = old_node(c, of->value);
    TirInput input = {.name = name, .type = *type, .span = old->span};
    if (old->op == TIR_INPUT) { /* which may hold no other numbers than before */
        input.limit = c->from->inputs.at[old->attr.index].limit;
        input.is_target = c->from->inputs.at[old->attr.index].is_target;
    }
    input.type.dependence = TIR_DEPENDS_SELF;
    c->b.name = name;
    if (of->beside && type->elem == TIR_REAL) {
        TirInput beside = input;
        beside.beside = name;
        beside.name = arena_printf(c->to->arena, "beside.%s", name);
        vec_push(c->scratch, &c->beside, beside);
    }
    return tir_input(&c->b, tir_add_input(c->to, input));
}

static bool is_list(const CutValue *value, const TirType *type) {
    return (value->apart || value->grows) && type->rank >= 2 &&
           (type->domain.sample || type->domain.space);
}

static const char *entry_name(Cutting *c, const CutValue *of, uint32_t k) {
    return arena_printf(c->to->arena, "%s.%u", of->name, k);
}

static TirId give(Cutting *c, const CutValue *of) {
    const TirType type = old_node(c, of->value)->type;
    if (!is_list(of, &type))
        return add_input(c, of, of->name, &type);
    TirType entry = type;
    entry.rank--;
    memmove(entry.dims, entry.dims + 1, entry.rank * sizeof *entry.dims);
    TirId *entries = ARENA_ARRAY(c->scratch, TirId, type.dims[0]);
    for (uint32_t k = 0; k < type.dims[0]; k++)
        entries[k] = add_input(c, of, entry_name(c, of, k), &entry);
    c->b.name = of->name;
    return pass_stack(&c->b, type.dims[0], entries);
}

/* --- what stays --------------------------------------------------------------------------------*/

static const char *renamed(Cutting *c, const char *name) {
    for (uint32_t k = 0; k < c->cut->n_naming; k++) {
        const CutNaming *n = &c->cut->naming[k];
        const size_t length = strlen(n->path);
        if (strncmp(name, n->path, length) == 0 && name[length] == '.')
            return arena_printf(c->to->arena, "%s%s", n->instead, name + length + 1);
    }
    return name;
}

/* Parameters and inputs that are needed, in the order in which they were declared. */
static void take_leaves(Cutting *c, TirOp op, uint32_t declared) {
    TirId *of = ARENA_ARRAY(c->scratch, TirId, declared + 1);
    for (TirId id = 1; id < c->from->block->nodes.count; id++)
        if (c->live[id] && !c->given[id] && old_node(c, id)->op == op)
            of[old_node(c, id)->attr.index] = id;
    for (uint32_t k = 0; k < declared; k++) {
        if (!of[k])
            continue;
        c->b.name = old_node(c, of[k])->name;
        if (op == TIR_INPUT) {
            c->map[of[k]] = tir_input(&c->b, tir_add_input(c->to, c->from->inputs.at[k]));
            continue;
        }
        TirParam param = c->from->params.at[k];
        param.name = renamed(c, param.name);
        c->map[of[k]] = tir_param(&c->b, tir_add_param(c->to, param));
    }
}

static void take(Cutting *c, TirId id, TirIdVec *operands) {
    const TirNode *node = old_node(c, id);
    if (c->map[id])
        return;
    if (node->op == TIR_ARG) {
        take(c, stands_for(c, node), operands);
        c->map[id] = c->map[stands_for(c, node)];
        return;
    }
    c->map[id] = pass_rebuild_mapped(&c->b, c->from->block, id, c->map, operands);
}

/* What has no operands is one value of the network, made where that first needed it. Here it is
 * made where this program does, so that the programs of equal sites are equal. */
static void take_rest(Cutting *c) {
    TirIdVec operands = {0};
    for (TirId id = 1; id < c->from->block->nodes.count; id++) {
        const TirNode *node = old_node(c, id);
        if (!c->live[id] || (node->n_operands == 0 && node->op != TIR_ARG))
            continue;
        for (uint32_t k = 0; !c->given[id] && k < node->n_operands; k++)
            take(c, node->operands[k], &operands);
        take(c, id, &operands);
    }
    for (uint32_t k = 0; k < c->cut->results.count; k++)
        take(c, c->cut->results.at[k].value, &operands);
}

/* The caller has it already. */
static bool stays(const Cutting *c, TirId entry, const char *name) {
    const TirNode *node = tir_node(c->to->block, entry);
    return node->op == TIR_INPUT && strcmp(c->to->inputs.at[node->attr.index].name, name) == 0;
}

static void add_result(Cutting *c, const CutValue *of) {
    const TirId value = c->map[of->value];
    const TirType type = tir_node(c->to->block, value)->type;
    if (!is_list(of, &type)) {
        tir_add_output(c->to, TIR_OUT_RESULT, of->name, 0, value);
        return;
    }
    for (uint32_t k = 0; k < type.dims[0]; k++) {
        const TirId entry = pass_stack_entry(&c->b, value, k);
        const char *name = entry_name(c, of, k);
        if (!of->grows || !stays(c, entry, name))
            tir_add_output(c->to, TIR_OUT_RESULT, name, 0, entry);
    }
}

void pass_cut(Network *network, const Cut *cut) {
    const TirProgram *from = network->program;
    TirProgram *to = tir_program_like(from);
    to->params.count = to->inputs.count = 0;
    Arena *scratch = arena_create_child(from->arena);
    const uint32_t n = from->block->nodes.count;
    Cutting c = {.network = network,
                 .cut = cut,
                 .from = from,
                 .to = to,
                 .b = tir_builder(to, to->block),
                 .map = ARENA_ARRAY(scratch, TirId, n),
                 .live = ARENA_ARRAY(scratch, bool, n),
                 .given = ARENA_ARRAY(scratch, bool, n),
                 .scratch = scratch};
    mark_needed(&c);
    for (uint32_t k = 0; k < cut->given.count; k++)
        c.map[cut->given.at[k].value] = give(&c, &cut->given.at[k]);
    take_leaves(&c, TIR_PARAM, from->params.count);
    take_leaves(&c, TIR_INPUT, from->inputs.count);
    for (uint32_t k = 0; k < c.beside.count; k++)
        tir_add_input(to, c.beside.at[k]);
    take_rest(&c);
    for (uint32_t k = 0; k < cut->results.count; k++)
        add_result(&c, &cut->results.at[k]);
    pass_upstream(to);
    arena_destroy(scratch);
    network->program = to;
    network->data = (DataSpec){0};
    network->sites.count = 0;
}

void pass_upstream(TirProgram *p) {
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        TirInput input = {.type = tir_node(p->block, out->value)->type};
        bool there = out->role != TIR_OUT_RESULT || input.type.elem != TIR_REAL;
        for (uint32_t i = 0; i < p->inputs.count && !there; i++)
            there = p->inputs.at[i].upstream && strcmp(p->inputs.at[i].upstream, out->name) == 0;
        if (there)
            continue;
        input.upstream = out->name;
        input.name = arena_printf(p->arena, "upstream.%s", out->name);
        input.type.dependence = TIR_DEPENDS_SELF;
        tir_add_input(p, input);
    }
}
