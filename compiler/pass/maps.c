/* Maps without names.
 *
 * requires   a network whose sites stand by themselves (SemaOptions.maps), before its gradient
 * maintains  the outputs that there are, and their values
 * changes    the program is another: its outputs are besides, for every site k,
 *                maps.k.read  .mix  .write   [destination, source] and, with `.variance`, of what
 *                                            is not the same at all positions
 *                maps.k.begin .end           likewise, of a trunk's first and last site
 *                maps.k.norms .similarity    of the streams that the site finds
 *            network->maps names them, or says why there is no such map.
 *
 * The read map is the derivative of what the branches read by the streams, the mixing map that of
 * the streams after the site by those before, the write map that of the streams after by what the
 * branches give; at a trunk's ends the begin map is that of the first streams by the trunk's input,
 * the end map that of what it gives by the last streams. Features go alike in all of them, and
 * values that have no feature index are held. The norm at the end of a read is left out, as the
 * unfolded map of a network wants it; a norm in a write is held like any coefficient.
 *
 *     x = norm(u), u[c] = sum[i] a[i] H[i,c]        read[0, i]  = a[i]
 *     H[k,c] = sum[j] M[k,j] H[j,c] + b[k] y[c]     mix[k, j]   = M[k,j],   write[k, 0] = b[k]
 */
#include "base/source.h"
#include "pass/maps_internal.h"

typedef struct {
    Network *network;
    TirProgram *p;
    TirBuilder b;
    uint32_t site;
    SiteInfo *info;
    SiteMaps *maps;
    Arena *scratch;
} Maps;

/* --- outputs -----------------------------------------------------------------------------------*/

static const char *add_output(Maps *m, const char *what, TirId value) {
    const char *name = arena_printf(m->p->arena, "maps.%u.%s", m->site, what);
    tir_add_output(m->p, TIR_OUT_PROBE, name, 0, value);
    return name;
}

static TirId mean_over_places(Maps *m, TirId value) {
    const TirDomain domain = tir_node(m->b.block, value)->type.domain;
    const TirId sum = tir_domain_sum(&m->b, value, domain, TIR_GLOBAL);
    return domain.sample || domain.space ? tir_binary(&m->b, TIR_DIV, sum, tir_count(&m->b, domain))
                                         : sum;
}

static void map_output(Maps *m, SiteMap *map, const char *what, TirId value) {
    const TirDomain domain = tir_node(m->b.block, value)->type.domain;
    const TirId mean = mean_over_places(m, value);
    map->mean = add_output(m, what, mean);
    if (!domain.sample && !domain.space)
        return;
    const TirId off = tir_binary(&m->b, TIR_SUB, value, mean);
    const TirId variance = mean_over_places(m, tir_binary(&m->b, TIR_MUL, off, off));
    map->variance = add_output(m, arena_printf(m->p->arena, "%s.variance", what), variance);
}

/* --- one map -----------------------------------------------------------------------------------*/

static const char *why_broken(Maps *m, const char *name, const Flow *flow) {
    Arena *arena = m->p->arena;
    const SourceSet *sources = m->p->compilation->sources;
    const Span span = tir_node(m->b.block, flow->at)->span;
    const char *op = tir_op_name(tir_node(m->b.block, flow->at)->op);
    if (!span.file)
        return arena_printf(arena, "`%s`: %s (`%s`)", name, flow->why, op);
    const LineColumn at = source_line_column(sources, span.file, span.begin);
    return arena_printf(arena, "`%s`: %s (`%s`, %s:%u:%u)", name, flow->why, op,
                        source_name(sources, span.file), at.line, at.column);
}

static const char held_only[] =
    "it enters only through values without its features, which are held fixed";

/* The map of one value: [its streams, sources]; 0, with map->why, when there is none. */
static TirId map_of(Maps *m, Flows *f, const char *name, TirId value, SiteMap *map) {
    const TirType type = *flow_type(f, value);
    const Flow flow = flow_of(f, value);
    const uint32_t n = flow_streams(&type, f->unit);
    if (flow.kind == FLOW_BROKEN)
        map->why = why_broken(m, name, &flow);
    else if (flow.kind == FLOW_HELD)
        map->why = arena_printf(m->p->arena, "`%s`: %s", name, held_only);
    else if (n == 0)
        map->why =
            arena_printf(m->p->arena, "`%s` is no list of vectors of the state's width", name);
    else if (flow.kind == FLOW_LINEAR)
        return slope_map(f, &type, &flow);
    else
        return tir_broadcast(&m->b, tir_real(&m->b, 0), 2, (uint32_t[]){n, f->count}, NULL);
    return 0;
}

typedef enum { MAP_READ, MAP_MIX, MAP_WRITE, MAP_BEGIN, MAP_END } MapKind;
static const char *const kind_names[] = {"read", "mix", "write", "begin", "end"};

static void map_between(Maps *m, Flows *f, MapKind kind, const SiteValueList *to, SiteMap *map) {
    TirId *rows = ARENA_ARRAY(m->scratch, TirId, to->count + 1);
    for (uint32_t k = 0; k < to->count && !map->why; k++) {
        const TirId value = to->at[k].value;
        const TirId of = kind == MAP_READ || kind == MAP_END ? flow_without_norm(f, value) : value;
        rows[k] = map_of(m, f, to->at[k].name, of, map);
    }
    if (to->count == 0)
        map->why = "nothing of it is a tensor of numbers";
    if (!map->why)
        map_output(m, map, kind_names[kind], tir_concat(&m->b, 0, to->count, rows));
}

/* Whether a value would go better in smaller parts of the width. */
static uint32_t finer_unit(const Flows *f, const SiteValueList *values, uint32_t unit) {
    for (uint32_t k = 0; k < values->count; k++) {
        const Flow flow = flow_of(f, values->at[k].value);
        if (flow.kind == FLOW_BROKEN && flow.finer && flow.finer < unit)
            unit = flow.finer;
    }
    return unit;
}

/* --- one site ----------------------------------------------------------------------------------*/

static TirId last_of(const SiteValueList *values, TirId last) {
    for (uint32_t k = 0; k < values->count; k++)
        last = values->at[k].value > last ? values->at[k].value : last;
    return last;
}

/* In the order in which the site leaves them. */
static void sort_states(Maps *m) {
    SiteValueList *states = &m->info->states, *written = &m->info->written, sorted = {0};
    for (uint32_t w = 0; w < written->count; w++)
        for (uint32_t k = 0; k < states->count; k++)
            if (states->at[k].name == written->at[w].name)
                vec_push(m->p->arena, &sorted, states->at[k]);
    *states = sorted;
}

/* The width of the first state's vectors; 0: it has none. */
static uint32_t width_of(Maps *m, const SiteValueList *values) {
    if (values->count == 0)
        return 0;
    const TirType *type = &tir_node(m->b.block, values->at[0].value)->type;
    return type->rank ? type->dims[type->rank - 1] : 0;
}

/* What is no list of vectors of the state's width is no stream, nor made of streams: keys of few
 * heads, say, or a number that a branch is told. It is left aside, as what comes from elsewhere. */
static void leave_aside(Maps *m, SiteValueList *values, uint32_t width) {
    SiteValueList streams = {0};
    for (uint32_t k = 0; k < values->count; k++)
        if (flow_streams(&tir_node(m->b.block, values->at[k].value)->type, width))
            vec_push(m->p->arena, &streams, values->at[k]);
    if (streams.count) /* else there is no map, and who asks is told why */
        *values = streams;
}

/* A walk from these streams; again with smaller parts of the width where that helps. False: *why
 * there is no map of them. */
static bool walk(Maps *m, Flows *f, const SiteValueList *from, const SiteValueList *to,
                 const SiteValueList *and, uint32_t unit, const char **why) {
    const TirId last = last_of(to, last_of(and, last_of(from, 0)));
    *why = "the state is no vector";
    for (uint32_t next = unit; next; unit = next) {
        *f = (Flows){.b = &m->b, .scratch = m->scratch, .unit = next};
        if (!flow_run(f, from, last, why))
            return false;
        next = finer_unit(f, to, finer_unit(f, and, unit));
        if (next == unit)
            return true;
    }
    return false;
}

static TirId each_stream(Maps *m, TirId value, uint32_t unit) {
    const TirType type = tir_node(m->b.block, value)->type;
    return tir_reshape(&m->b, value, 2, (uint32_t[]){flow_streams(&type, unit), unit});
}

/* Roots of mean squares, and the mean cosine between two different streams. */
static void describe_streams(Maps *m, uint32_t unit, uint32_t count) {
    TirBuilder *b = &m->b;
    const SiteValueList *states = &m->info->states;
    TirId *all = ARENA_ARRAY(m->scratch, TirId, states->count + 1);
    for (uint32_t k = 0; k < states->count; k++)
        all[k] = each_stream(m, states->at[k].value, unit);
    const TirId H = tir_concat(b, 0, states->count, all);
    const TirId squares = tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, H, H), 2);
    const TirId rms =
        tir_unary(b, TIR_SQRT, tir_binary(b, TIR_DIV, squares, tir_real(b, (double)unit)));
    m->maps->norms = add_output(m, "norms", mean_over_places(m, rms));
    if (count < 2)
        return;
    const TirId inverse =
        tir_unary(b, TIR_RSQRT, tir_binary(b, TIR_MAX, squares, tir_real(b, 1e-30)));
    const uint32_t dims[2] = {count, unit};
    const TirId directions =
        tir_binary(b, TIR_MUL, H, tir_broadcast(b, inverse, 2, dims, (uint8_t[]){0}));
    const TirId sum = tir_reduce(b, TIR_REDUCE_SUM, directions, 1);
    const TirId square = tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, sum, sum), 1);
    const TirId own =
        tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, directions, directions), 3);
    const TirId cosine = tir_binary(b, TIR_DIV, tir_binary(b, TIR_SUB, square, own),
                                    tir_real(b, (double)count * (count - 1)));
    m->maps->similarity = add_output(m, "similarity", mean_over_places(m, cosine));
}

static const char other_parts[] = "it takes parts of the width that the streams do not have";

/* A map between other ends of the trunk than its sites': in the same parts of the width. */
static void map_ends(Maps *m, MapKind kind, const SiteValueList *from, const SiteValueList *to,
                     uint32_t unit, SiteMap *map) {
    Flows f;
    const char *why;
    if (!walk(m, &f, from, to, to, unit, &why))
        map->why = why;
    else if (f.unit != unit)
        map->why = other_parts;
    else
        map_between(m, &f, kind, to, map);
}

/* How the trunk's first streams are made of its input: the values that the states stand for. */
static void map_begin(Maps *m, uint32_t unit) {
    const SiteInfo *info = m->info;
    SiteValueList begun = {0};
    for (uint32_t k = 0; k < info->states.count; k++) {
        const TirNode *argument = tir_node(m->b.block, info->states.at[k].value);
        const TirId value = m->network->given.at[argument->attr.index];
        vec_push(m->scratch, &begun, (SiteValue){info->states.at[k].name, value, false});
    }
    m->maps->first = true;
    map_ends(m, MAP_BEGIN, &info->input, &begun, unit, &m->maps->begin);
    map_names(m->p->arena, m->p, &info->input, unit, &m->maps->input);
}

static void map_end(Maps *m, uint32_t unit) {
    const SiteInfo *info = m->info;
    m->maps->last = true;
    map_ends(m, MAP_END, &info->left, &info->ended, unit, &m->maps->end);
    map_names(m->p->arena, m->p, &info->ended, unit, &m->maps->ended);
}

/* Maps by the branches' results, and with `good` by the streams, which flows `f` follow. */
static void maps_of_flows(Maps *m, Flows *f, bool good, bool widens) {
    Arena *arena = m->p->arena;
    SiteMaps *maps = m->maps;
    const SiteInfo *info = m->info;
    const SiteValueList *written = &info->written;
    const char *why = maps->mix.why;
    uint32_t unit = good && !widens ? f->unit : width_of(m, written);
    Flows g;
    if (walk(m, &g, &info->results, written, written, unit, &maps->write.why)) {
        if (good && !widens && g.unit < unit) /* the streams come in the parts that results do */
            good = walk(m, f, &info->states, &info->reads, written, g.unit, &why);
        unit = g.unit;
        maps->write.why = NULL;
        map_between(m, &g, MAP_WRITE, written, &maps->write);
        map_names(arena, m->p, &info->results, unit, &maps->results);
    }
    map_names(arena, m->p, written, unit, &maps->written);
    maps->read.why = maps->mix.why = good ? NULL : why;
    if (widens)
        maps->mix.why = "the site changes the width";
    if (!good)
        return;
    map_between(m, f, MAP_READ, &info->reads, &maps->read);
    if (!widens)
        map_between(m, f, MAP_MIX, written, &maps->mix);
    describe_streams(m, f->unit, f->count);
    map_names(arena, m->p, &info->states, f->unit, &maps->streams);
    map_names(arena, m->p, &info->reads, f->unit, &maps->reads);
}

static void maps_of_site(Maps *m) {
    SiteInfo *info = m->info;
    Flows f = {0};
    sort_states(m);
    const uint32_t width = width_of(m, &info->states), after = width_of(m, &info->written);
    leave_aside(m, &info->states, width);
    leave_aside(m, &info->reads, width);
    leave_aside(m, &info->written, after);
    leave_aside(m, &info->left, after);
    const bool good =
        walk(m, &f, &info->states, &info->reads, &info->written, width, &m->maps->mix.why);
    maps_of_flows(m, &f, good, width != after);
    if (info->input.count)
        map_begin(m, good ? f.unit : width);
    if (info->ended.count)
        map_end(m, good && width == after ? f.unit : after);
}

/* --- the program -------------------------------------------------------------------------------*/

/* What each argument stands for takes its place. */
static void put_back(Maps *m, TirProgram *to) {
    const TirBlock *block = m->p->block;
    TirBuilder b = tir_builder(to, to->block);
    TirId *map = ARENA_ARRAY(m->scratch, TirId, block->nodes.count);
    bool *live = ARENA_ARRAY(m->scratch, bool, block->nodes.count);
    TirIdVec operands = {0};
    for (uint32_t k = 0; k < m->p->outputs.count; k++)
        live[m->p->outputs.at[k].value] = true;
    for (TirId id = block->nodes.count; id-- > 1;) {
        const TirNode *node = tir_node(block, id);
        if (live[id] && node->op == TIR_ARG)
            live[m->network->given.at[node->attr.index]] = true;
        for (uint32_t k = 0; live[id] && k < node->n_operands; k++)
            live[node->operands[k]] = true;
    }
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (live[id])
            map[id] = node->op == TIR_ARG ? map[m->network->given.at[node->attr.index]]
                                          : pass_rebuild_mapped(&b, block, id, map, &operands);
    }
    for (uint32_t k = 0; k < m->p->outputs.count; k++) {
        const TirOutput *o = &m->p->outputs.at[k];
        tir_add_output(to, o->role, o->name, o->index, map[o->value]);
    }
}

void pass_maps(Network *network) {
    TirProgram *p = network->program;
    Maps m = {.network = network,
              .p = p,
              .b = tir_builder(p, p->block),
              .scratch = arena_create_child(p->arena)};
    for (; m.site < network->sites.count; m.site++) {
        vec_push(p->arena, &network->maps, (SiteMaps){0});
        m.info = &network->sites.at[m.site];
        m.maps = &network->maps.at[m.site];
        maps_of_site(&m);
    }
    TirProgram *to = tir_program_like(p);
    put_back(&m, to);
    arena_destroy(m.scratch);
    network->program = to;
}
