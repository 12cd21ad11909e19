/* Names of values to a cut; see export.h. */
#include "base/diag.h"
#include "compile/compile_internal.h"
#include "pass/cut.h"
#include <string.h>

typedef struct {
    const CompileExport *e;
    Network *network;
    Arena *arena;
    Cut cut;
    const char *wrong; /* or NULL */
} Exporting;

/* --- lists -------------------------------------------------------------------------------------*/

static void add(Exporting *x, CutValueList *list, const SiteValue *of, bool beside) {
    const char *name = of->name;
    const TirId value = of->value;
    const TirType *type = &tir_node(x->network->program->block, value)->type;
    const bool given = list == &x->cut.given;
    if (type->elem != TIR_REAL && !(given && type->elem == TIR_INT))
        x->wrong = arena_printf(x->arena, "`%s` is no tensor of real numbers", name);
    for (uint32_t k = 0; k < list->count; k++)
        if (strcmp(list->at[k].name, name) == 0)
            x->wrong = arena_printf(x->arena, "`%s` is named twice", name);
        else if (given && list->at[k].value == value)
            x->wrong = arena_printf(x->arena, "`%s` and `%s` are one value: give it once",
                                    list->at[k].name, name);
    vec_push(x->arena, list, (CutValue){name, value, x->e->apart, of->grows, beside});
}

static void add_all(Exporting *x, CutValueList *list, const SiteValueList *values, bool beside) {
    for (uint32_t k = 0; k < values->count; k++)
        add(x, list, &values->at[k], beside);
}

/* The results of branches are called by the connection `y`, or are entries of `ys`. */
static const char *result_name(Exporting *x, const SiteValueList *results, uint32_t k) {
    return results->count == 1 ? "y" : arena_printf(x->arena, "y.%u", k);
}

static void add_branches(Exporting *x, const SiteInfo *info) {
    const SiteValueList *of = &info->results;
    for (uint32_t k = 0; k < of->count; k++)
        add(x, &x->cut.given, &(SiteValue){result_name(x, of, k), of->at[k].value, false}, false);
}

static void add_kept(Exporting *x, CutValueList *list, TirIdVec kept) {
    for (uint32_t k = 0; k < kept.count; k++) {
        add(x, list, &(SiteValue){arena_printf(x->arena, "kept.%u", k), kept.at[k], false}, false);
        list->at[list->count - 1].apart = false;
    }
}

static void name_params(Exporting *x, const SiteInfo *info, const char *instead) {
    x->cut.naming[x->cut.n_naming++] =
        (CutNaming){arena_printf(x->arena, "%s.hc", info->path), instead};
}

/* --- sites -------------------------------------------------------------------------------------*/

/* Where no site is named: the first one, and for the end the first one that ends a trunk. */
static bool is_meant(Exporting *x, uint32_t index) {
    const SiteInfo *info = &x->network->sites.at[index];
    if (x->e->site)
        return strcmp(info->path, x->e->site) == 0 ||
               strcmp(arena_printf(x->arena, "%u", index), x->e->site) == 0;
    return !x->e->part || strcmp(x->e->part, "end") != 0 || info->ended.count;
}

static const SiteInfo *find_site(Exporting *x, uint32_t *index) {
    const char **paths = ARENA_ARRAY(x->arena, const char *, x->network->sites.count + 1);
    for (uint32_t k = 0; k < x->network->sites.count; k++) {
        paths[k] = x->network->sites.at[k].path;
        if (is_meant(x, k)) {
            *index = k;
            return &x->network->sites.at[k];
        }
    }
    if (!x->e->site) {
        x->wrong = "the model has no site";
        return NULL;
    }
    const char *near = nearest_name(x->e->site, paths, x->network->sites.count);
    x->wrong = arena_printf(x->arena, "there is no site `%s`%s%s%s", x->e->site,
                            near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
    return NULL;
}

/* The values that the first site's states stand for. */
static SiteValueList begun(Exporting *x, const SiteInfo *info) {
    SiteValueList list = {0};
    for (uint32_t k = 0; k < info->states.count; k++) {
        const TirNode *argument = tir_node(x->network->program->block, info->states.at[k].value);
        vec_push(x->arena, &list,
                 (SiteValue){info->states.at[k].name, x->network->given.at[argument->attr.index],
                             info->states.at[k].grows});
    }
    return list;
}

static void cut_begin(Exporting *x, const SiteInfo *info) {
    if (!info->input.count) {
        x->wrong = arena_printf(x->arena, "`%s` is not the first site of its trunk", info->path);
        return;
    }
    const SiteValueList states = begun(x, info);
    add_all(x, &x->cut.given, &info->input, x->e->beside);
    add_all(x, &x->cut.results, &states, false);
}

static void cut_read(Exporting *x, const SiteInfo *info) {
    add_all(x, &x->cut.given, &info->states, x->e->beside);
    add_all(x, &x->cut.results, &info->reads, false);
    add_kept(x, &x->cut.results, pass_kept(x->network, info, x->arena));
}

static void cut_write(Exporting *x, const SiteInfo *info) {
    add_all(x, &x->cut.given, &info->states, false);
    add_kept(x, &x->cut.given, pass_kept(x->network, info, x->arena));
    add_branches(x, info);
    add_all(x, &x->cut.results, &info->written, false);
    if (info->ended.count)
        add_kept(x, &x->cut.results, pass_kept_to_end(x->network, info, x->arena));
}

static void cut_turn(Exporting *x, const SiteInfo *info, const SiteInfo *next) {
    if (!next || next->site != info->site + 1) {
        x->wrong = arena_printf(x->arena, "no site follows `%s` in its trunk", info->path);
        return;
    }
    cut_write(x, info);
    add_all(x, &x->cut.results, &next->reads, false);
    add_kept(x, &x->cut.results, pass_kept(x->network, next, x->arena));
    name_params(x, info, "write.");
    name_params(x, next, "read.");
}

static void cut_end(Exporting *x, const SiteInfo *info) {
    if (!info->ended.count) {
        x->wrong = arena_printf(x->arena, "`%s` is not the last site of its trunk", info->path);
        return;
    }
    add_all(x, &x->cut.given, &info->left, x->e->beside);
    add_kept(x, &x->cut.given, pass_kept_to_end(x->network, info, x->arena));
    add_all(x, &x->cut.results, &info->ended, false);
}

static bool stands_alone(const Exporting *x, const SiteInfo *next, TirId argument) {
    for (uint32_t k = 0; k < x->cut.given.count; k++)
        if (x->cut.given.at[k].value == argument)
            return true;
    for (uint32_t k = 0; next && k < next->states.count; k++) /* which the write makes */
        if (next->states.at[k].value == argument)
            return true;
    return false;
}

/* What the site or another one holds besides would be made again of all that comes before it. */
static void check_reach(Exporting *x, const SiteInfo *info, const SiteInfo *next) {
    const TirBlock *block = x->network->program->block;
    bool *live = ARENA_ARRAY(x->arena, bool, block->nodes.count);
    for (uint32_t k = 0; k < x->cut.results.count; k++)
        live[x->cut.results.at[k].value] = true;
    for (uint32_t k = 0; k < x->cut.given.count; k++)
        live[x->cut.given.at[k].value] = false;
    for (TirId id = block->nodes.count; id-- > 1;) {
        const TirNode *node = tir_node(block, id);
        const bool given = live[id] && stands_alone(x, NULL, id);
        for (uint32_t k = 0; live[id] && !given && k < node->n_operands; k++)
            live[node->operands[k]] = true;
        if (live[id] && node->op == TIR_ARG && !stands_alone(x, next, id))
            x->wrong = arena_printf(x->arena,
                                    "the `%s` of `%s` takes more than is handed to it: it uses "
                                    "what was computed before, and cannot stand alone",
                                    x->e->part, info->path);
    }
}

/* Between what is read and what is written stands the branch, once: whoever calls it instead of
 * reading for it cannot be cut there. */
static bool is_whole(Exporting *x, const SiteInfo *info, const SiteInfo *next) {
    const SiteInfo *calls = info->calls_branch ? info : NULL;
    const char *part = x->e->part;
    if (!calls && next && strcmp(part, "turn") == 0 && next->calls_branch)
        calls = next;
    if (!calls || strcmp(part, "begin") == 0 || strcmp(part, "end") == 0)
        return false;
    x->wrong =
        arena_printf(x->arena,
                     "the connection `%s` of `%s` calls its branch, so there is no `%s` apart "
                     "from it; `begin` and `end` are",
                     calls->connection, calls->path, part);
    return true;
}

static void cut_part(Exporting *x, const SiteInfo *info, uint32_t index) {
    const SiteInfo *next =
        index + 1 < x->network->sites.count ? &x->network->sites.at[index + 1] : NULL;
    if (is_whole(x, info, next))
        return;
    if (strcmp(x->e->part, "turn") == 0) {
        cut_turn(x, info, next);
        if (!x->wrong)
            check_reach(x, info, next);
        return;
    }
    name_params(x, info, "");
    if (strcmp(x->e->part, "begin") == 0)
        cut_begin(x, info);
    else if (strcmp(x->e->part, "read") == 0)
        cut_read(x, info);
    else if (strcmp(x->e->part, "write") == 0)
        cut_write(x, info);
    else if (strcmp(x->e->part, "end") == 0)
        cut_end(x, info);
    else
        x->wrong = arena_printf(x->arena,
                                "a connection has no part `%s`: there are begin, read, write, "
                                "turn and end",
                                x->e->part);
    if (!x->wrong)
        check_reach(x, info, NULL);
}

/* --- names -------------------------------------------------------------------------------------*/

/* Lists of what may be named; of two of a name the first is meant. */

static void offer(Exporting *x, SiteValueList *names, const SiteValueList *list) {
    for (uint32_t k = 0; k < list->count; k++)
        vec_push(x->arena, names, list->at[k]);
}

static void offer_branches(Exporting *x, SiteValueList *names, const SiteInfo *info) {
    for (uint32_t k = 0; k < info->results.count; k++)
        vec_push(x->arena, names,
                 (SiteValue){result_name(x, &info->results, k), info->results.at[k].value, false});
}

/* All that has a name; of what was made bit by bit, the whole is the last. */
static void offer_values(Exporting *x, SiteValueList *names) {
    const SiteValueList *all = &x->network->values;
    for (uint32_t k = all->count; k-- > 0;)
        vec_push(x->arena, names, all->at[k]);
}

/* Lets below the path, by what follows it. */
static void offer_lets(Exporting *x, SiteValueList *names, const char *path) {
    const size_t length = strlen(path);
    const SiteValueList *all = &x->network->values;
    for (uint32_t k = all->count; k-- > 0;) {
        const SiteValue *v = &all->at[k];
        if (strncmp(v->name, path, length) == 0 && v->name[length] == '.')
            vec_push(x->arena, names, (SiteValue){v->name + length + 1, v->value, false});
    }
}

static void offer_outputs(Exporting *x, SiteValueList *names) {
    const TirProgram *p = x->network->program;
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].name && p->outputs.at[k].role != TIR_OUT_UPDATE &&
            p->outputs.at[k].role != TIR_OUT_PROJECT)
            vec_push(x->arena, names,
                     (SiteValue){p->outputs.at[k].name, p->outputs.at[k].value, false});
}

static void by_name(Exporting *x, CutValueList *list, const SiteValueList *names,
                    const char *const *wanted, uint32_t count) {
    const uint32_t n = names->count;
    const char **all = ARENA_ARRAY(x->arena, const char *, n + 1);
    for (uint32_t k = 0; k < n; k++)
        all[k] = names->at[k].name;
    for (uint32_t w = 0; w < count && !x->wrong; w++) {
        uint32_t k = 0;
        while (k < n && strcmp(all[k], wanted[w]) != 0)
            k++;
        if (k < n) {
            add(x, list, &(SiteValue){wanted[w], names->at[k].value, false},
                list == &x->cut.given && x->e->beside);
            continue;
        }
        const char *near = nearest_name(wanted[w], all, n);
        x->wrong = arena_printf(x->arena, "there is no value `%s`%s%s%s", wanted[w],
                                near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
    }
}

static void cut_names(Exporting *x, const SiteInfo *info) {
    SiteValueList given = {0}, results = {0};
    if (info) {
        offer(x, &given, &info->states);
        offer(x, &results, &info->written);
        offer(x, &results, &info->reads);
        for (int side = 0; side < 2; side++) {
            offer_branches(x, side ? &results : &given, info);
            offer_lets(x, side ? &results : &given, arena_printf(x->arena, "%s.hc", info->path));
        }
        name_params(x, info, "");
    }
    offer_values(x, &given);
    offer_outputs(x, &results);
    offer_values(x, &results);
    by_name(x, &x->cut.given, &given, x->e->given, x->e->n_given);
    by_name(x, &x->cut.results, &results, x->e->results, x->e->n_results);
    if (!x->wrong && !x->cut.results.count)
        x->wrong = "a part of a model has results: say which values";
}

/* --- the pass ----------------------------------------------------------------------------------*/

void compile_prepare_export(CompileRun *run) {
    const CompileExport *e = &run->options.export;
    run->options.sema.exports = compile_exports(e);
    run->options.sema.given = e->given;
    run->options.sema.n_given = e->n_given;
    run->options.sema.apart = run->options.sema.exports && (e->part || e->site || e->later);
}

CompileStatus compile_export(CompileRun *run) {
    Exporting x = {
        .e = &run->options.export, .network = run->network, .arena = run->network->program->arena};
    uint32_t index = 0;
    const bool site = x.e->part || x.e->site;
    const SiteInfo *info = site ? find_site(&x, &index) : NULL;
    if (!x.wrong && !x.e->part && x.e->beside && x.e->n_given == 0)
        x.wrong = "`beside` is of values that are given: there are none";
    if (!x.wrong && x.e->part && (x.e->n_given || x.e->n_results))
        x.wrong = "a connection's part has the values that it has: name either it or values";
    if (!x.wrong && x.e->part)
        cut_part(&x, info, index);
    else if (!x.wrong)
        cut_names(&x, info);
    if (!x.wrong) {
        pass_cut(run->network, &x.cut);
        run->program = run->network->program;
        return COMPILE_DONE;
    }
    run->message = x.wrong;
    return COMPILE_OPTIONS;
}
