/* A graph from a checked network and the text it comes from. */
#include "driver/graph/calls.h"
#include "driver/graph/graph.h"
#include "driver/graph/uses.h"
#include "syntax/ast_find.h"
#include <ctype.h>
#include <string.h>

typedef struct {
    Arena *arena;
    const SourceSet *sources;
    const Network *network;
    const char *y, *ys; /* what a connection calls its branches' results, */
    const char *branch; /* and the branches themselves */
    bool fold;
} Builder;

/* --- text --------------------------------------------------------------------------------------*/

/* As written, on one line, without comments. */
static const char *build_text(const Builder *b, Span span) {
    size_t length, n = 0;
    const char *all = source_text(b->sources, span.file, &length);
    char *text = arena_alloc(b->arena, span.end - span.begin + 1);
    for (uint32_t k = span.begin; k < span.end && k < length; k++) {
        if (all[k] == '/' && k + 1 < span.end && all[k + 1] == '/')
            while (k < span.end && all[k] != '\n')
                k++;
        const bool blank = k >= span.end || isspace((unsigned char)all[k]);
        if (!blank)
            text[n++] = all[k];
        else if (n && text[n - 1] != ' ')
            text[n++] = ' ';
    }
    while (n && (text[n - 1] == ' ' || text[n - 1] == ';'))
        n--;
    text[n] = '\0';
    return text;
}

static void build_line(const Builder *b, GraphLines *lines, Span span) {
    vec_push(b->arena, lines, build_text(b, span));
}

/* --- sites -------------------------------------------------------------------------------------*/

static bool build_within(Span inner, Span outer) {
    return inner.file == outer.file && inner.begin >= outer.begin && inner.end <= outer.end;
}

/* What the connection's own text reads, or else what one inside it does. */
static const Binding *build_read(const SiteInfo *info) {
    for (uint32_t t = 0; t < info->texts.count; t++)
        for (uint32_t k = 0; k < info->parts.count; k++) {
            const Stmt *stmt = info->parts.at[k];
            if (stmt->kind == STMT_READ && stmt->bindings.count &&
                build_within(stmt->span, info->texts.at[t]->span))
                return &stmt->bindings.at[0];
        }
    return NULL;
}

/* A text that holds here says the name. */
static bool build_says(const SiteInfo *info, const char *name) {
    for (uint32_t k = 0; k < info->texts.count; k++)
        if (ast_mentions(&info->texts.at[k]->body, name))
            return true;
    return false;
}

/* What a parameter of the definition was given, or its default. */
static const char *build_parameter(const Builder *b, const SiteInfo *info, const char *name) {
    for (uint32_t k = 0; k < info->arguments.count; k++)
        if (strcmp(info->arguments.at[k].name, name) == 0)
            return info->arguments.at[k].value;
    const FormalList *formals = &info->definition->formals;
    for (uint32_t k = 0; k < formals->count; k++)
        if (formals->at[k].target.name.text == name && formals->at[k].default_value)
            return build_text(b, formals->at[k].default_value->span);
    return NULL;
}

/* Calls of branches in what holds at a site. */
static ExprList build_calls(const Builder *b, const SiteInfo *info) {
    ExprList calls = {0};
    for (uint32_t k = 0; info->calls_branch && k < info->parts.count; k++)
        calls_find(info->parts.at[k], b->branch, b->arena, &calls);
    return calls;
}

/* What a call has its branch read: its arguments, or the call as a whole. */
static Span build_called(const Builder *b, const Expr *call) {
    const ArgumentList *list = &call->call.arguments;
    if (!calls_itself(call, b->branch) || list->count == 0)
        return call->span;
    return span_join(list->at[0].value->span, list->at[list->count - 1].value->span);
}

/* What the branches read, as written: of `read`, and of calls. */
static const char *build_reads(const Builder *b, const Binding *read, const ExprList *calls) {
    const char *text = read ? build_text(b, read->value->span) : "";
    for (uint32_t k = 0; k < calls->count; k++)
        text = arena_printf(b->arena, "%s%s%s", text, *text ? ", " : "",
                            build_text(b, build_called(b, calls->at[k])));
    return text;
}

/* The function that the branch's input went through, when that is a parameter: its norm. */
static const char *build_norm(const Builder *b, const SiteInfo *info, const Expr *e) {
    if (!e || e->kind != EXPR_CALL || e->call.callee->kind != EXPR_NAME)
        return "";
    const char *given = build_parameter(b, info, e->call.callee->name);
    return given ? given : "";
}

static const char *build_connection(const Builder *b, const SiteInfo *info) {
    const char *text = info->connection;
    for (uint32_t k = 0; k < info->arguments.count; k++)
        text = arena_printf(b->arena, "%s%s%s = %s", text, k ? ", " : "(",
                            info->arguments.at[k].name, info->arguments.at[k].value);
    return info->arguments.count ? arena_printf(b->arena, "%s)", text) : text;
}

static Uses build_uses(const Builder *b, const SiteInfo *info, const char *name) {
    return (Uses){.texts = &info->texts, .name = name, .branch = b->branch, .arena = b->arena};
}

static bool build_mentions(const Builder *b, const SiteInfo *info, const Expr *e,
                           const char *name) {
    Uses uses = build_uses(b, info, name);
    uses_find(&uses, e);
    return uses.mentioned;
}

/* `y`, or `ys`, or a call of `branch`; a text that names its results otherwise uses them wherever
 * it writes. */
static bool build_of_branch(const Builder *b, const SiteInfo *info, const Expr *e) {
    if (!build_says(info, b->y) && !build_says(info, b->ys) && !info->calls_branch)
        return true;
    return build_mentions(b, info, e, b->y) || build_mentions(b, info, e, b->ys) ||
           build_mentions(b, info, e, b->branch);
}

static void build_write(const Builder *b, const SiteInfo *info, const Binding *write,
                        GraphState *state) {
    const ExprList *indices = &write->target.indices;
    const Expr *first = indices->count > 1 ? indices->at[0] : NULL;
    Uses uses = build_uses(b, info, state->state->name);
    if (state->state->rank > 1)
        uses.index = first && first->kind == EXPR_NAME ? first->name : "";
    uses_find(&uses, write->value);
    state->of_branch |= build_of_branch(b, info, write->value);
    state->mixed |= uses.others;
    for (uint32_t k = 0; k < info->kept.count; k++)
        if (info->kept.at[k].name != state->state->name)
            state->mixed |= build_mentions(b, info, write->value, info->kept.at[k].name);
}

/* Somewhere in the text entries are appended to it: at which sites, the sites show. */
static bool build_grows(const StmtList *body, const char *state) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (stmt && stmt->kind == STMT_IF &&
            (build_grows(&stmt->branch.then_body, state) ||
             build_grows(&stmt->branch.else_body, state)))
            return true;
        for (uint32_t i = 0; stmt && stmt->kind == STMT_APPEND && i < stmt->bindings.count; i++)
            if (stmt->bindings.at[i].target.name.text == state)
                return true;
    }
    return false;
}

static GraphState build_state(const Builder *b, const SiteInfo *info, const ExprList *calls,
                              const StateInfo *of) {
    GraphState state = {.state = of};
    for (uint32_t k = 0; k < info->texts.count; k++)
        state.grows |= build_grows(&info->texts.at[k]->body, of->name);
    for (uint32_t k = 0; k < calls->count; k++)
        for (uint32_t a = 0; a < calls->at[k]->call.arguments.count; a++)
            state.read |=
                build_mentions(b, info, calls->at[k]->call.arguments.at[a].value, of->name);
    for (uint32_t k = 0; k < info->parts.count; k++) {
        const Stmt *stmt = info->parts.at[k];
        const bool bound =
            stmt->kind == STMT_READ || stmt->kind == STMT_WRITE || stmt->kind == STMT_APPEND;
        for (uint32_t i = 0; bound && i < stmt->bindings.count; i++) {
            const Binding *binding = &stmt->bindings.at[i];
            if (stmt->kind == STMT_READ)
                state.read |= build_mentions(b, info, binding->value, of->name);
            else if (binding->target.name.text == of->name)
                build_write(b, info, binding, &state);
        }
    }
    return state;
}

static GraphSite build_site(const Builder *b, const SiteInfo *info) {
    const char *dot = strrchr(info->path, '.');
    const Binding *read = build_read(info);
    const ExprList calls = build_calls(b, info);
    const Expr *first = read ? read->value : NULL;
    if (!read && calls.count && calls_itself(calls.at[0], b->branch) &&
        calls.at[0]->call.arguments.count)
        first = calls.at[0]->call.arguments.at[0].value;
    GraphSite site = {.info = info,
                      .name = dot ? dot + 1 : info->path,
                      .connection = build_connection(b, info),
                      .read = build_reads(b, read, &calls),
                      .norm = build_norm(b, info, first)};
    for (uint32_t k = 0; k < info->stmt->site.branches.count; k++)
        build_line(b, &site.branches, info->stmt->site.branches.at[k]->span);
    for (uint32_t k = 0; k < info->kept.count; k++)
        vec_push(b->arena, &site.states, build_state(b, info, &calls, &info->kept.at[k]));
    return site;
}

/* --- blocks ------------------------------------------------------------------------------------*/

/* `trunk.3.attn` and `trunk.3.mlp` are of one block, `trunk.3`; outside a `repeat` all sites are.
 */
static bool build_same_block(const SiteInfo *a, const SiteInfo *b) {
    const char *of_a = strrchr(a->path, '.'), *of_b = strrchr(b->path, '.');
    const size_t length = of_a ? (size_t)(of_a - a->path) : 0;
    return of_a && of_b && length == (size_t)(of_b - b->path) &&
           memcmp(a->path, b->path, length) == 0;
}

static bool build_equal_states(const GraphSite *a, const GraphSite *b) {
    if (a->states.count != b->states.count)
        return false;
    for (uint32_t k = 0; k < a->states.count; k++) {
        const GraphState *x = &a->states.at[k], *y = &b->states.at[k];
        const uint32_t from = x->grows || y->grows ? 1 : 0; /* longer at each site, as it must */
        if (x->state->rank != y->state->rank ||
            memcmp(x->state->dims + from, y->state->dims + from,
                   (x->state->rank - from) * sizeof *x->state->dims) != 0)
            return false;
    }
    return true;
}

static bool build_equal_sites(const GraphSite *a, const GraphSite *b) {
    if (a->info->stmt != b->info->stmt || strcmp(a->connection, b->connection) != 0 ||
        a->info->parts.count != b->info->parts.count || !build_equal_states(a, b))
        return false;
    for (uint32_t k = 0; k < a->info->parts.count; k++)
        if (a->info->parts.at[k]->kind != STMT_BEGIN &&
            a->info->parts.at[k] != b->info->parts.at[k])
            return false;
    return true;
}

static bool build_equal_blocks(const GraphBlock *a, const GraphBlock *b) {
    if (a->sites.count != b->sites.count || !a->repeated)
        return false;
    for (uint32_t k = 0; k < a->sites.count; k++)
        if (!build_equal_sites(&a->sites.at[k], &b->sites.at[k]))
            return false;
    return true;
}

/* `trunk.3.attn`: what stands before the site's name is a number. */
static bool build_repeated(const SiteInfo *info) {
    const char *dot = strrchr(info->path, '.');
    return dot && dot > info->path && isdigit((unsigned char)dot[-1]);
}

/* Sites [from, to) are a trunk's. */
static void build_blocks(const Builder *b, GraphPart *part, uint32_t from, uint32_t to) {
    const SiteInfo *sites = b->network->sites.at;
    for (uint32_t k = from; k < to;) {
        GraphBlock block = {
            .number = sites[k].block, .count = 1, .repeated = build_repeated(&sites[k])};
        const uint32_t begin = k;
        for (; k < to && (k == begin || build_same_block(&sites[begin], &sites[k])); k++)
            vec_push(b->arena, &block.sites, build_site(b, &sites[k]));
        GraphBlock *last = part->blocks.count ? &part->blocks.at[part->blocks.count - 1] : NULL;
        if (b->fold && last && build_equal_blocks(last, &block))
            last->count++;
        else
            vec_push(b->arena, &part->blocks, block);
    }
}

static void build_ends(const Builder *b, const SiteInfo *info, StmtKind kind, GraphLines *lines) {
    for (uint32_t k = 0; k < info->parts.count; k++)
        if (info->parts.at[k]->kind == kind)
            build_line(b, lines, info->parts.at[k]->span);
}

/* --- the model ---------------------------------------------------------------------------------*/

/* A trunk of the sites from *next on that are written in `within`, or of one trunk. */
static void build_trunk(const Builder *b, Graph *graph, Span within, uint32_t *next) {
    const uint32_t begin = *next;
    const SiteInfo *sites = b->network->sites.at;
    const uint32_t count = b->network->sites.count;
    while (*next < count && build_within(sites[*next].stmt->span, within) &&
           (*next == begin || sites[*next].site > sites[*next - 1].site))
        ++*next;
    if (*next == begin)
        return;
    GraphPart part = {.title = sites[begin].path};
    const char *dot = strchr(part.title, '.');
    part.title = arena_copy_string(b->arena, part.title,
                                   dot ? (size_t)(dot - part.title) : strlen(part.title));
    build_blocks(b, &part, begin, *next);
    build_ends(b, &sites[begin], STMT_BEGIN, &part.begins);
    build_ends(b, &sites[*next - 1], STMT_END, &part.ends);
    vec_push(b->arena, &graph->parts, part);
}

/* Adds to the last part, when that is text. */
static void build_statement(const Builder *b, Graph *graph, const Stmt *stmt) {
    const uint32_t n = graph->parts.count;
    GraphPart *last = n ? &graph->parts.at[n - 1] : NULL;
    if (!last || last->blocks.count) {
        vec_push(b->arena, &graph->parts, (GraphPart){.title = n ? "head and loss" : "input"});
        last = &graph->parts.at[n];
    }
    build_line(b, &last->lines, stmt->span);
}

static bool build_shown(const Stmt *stmt) {
    switch (stmt->kind) {
    case STMT_POSITIONS:
    case STMT_INPUT:
    case STMT_TARGET:
    case STMT_PARAM:
    case STMT_LET:
    case STMT_LOSS:
    case STMT_OUTPUT:
    case STMT_METRIC:
    case STMT_PENALTY:
        return true;
    default:
        return false;
    }
}

static void build_model(const Builder *b, Graph *graph, const Item *model) {
    uint32_t next = 0;
    for (uint32_t k = 0; k < model->body.count; k++) {
        const Stmt *stmt = model->body.at[k];
        if (!stmt)
            continue;
        const uint32_t before = next;
        while (next < b->network->sites.count) {
            const uint32_t at = next;
            build_trunk(b, graph, stmt->span, &next);
            if (next == at)
                break;
        }
        if (next == before && build_shown(stmt))
            build_statement(b, graph, stmt);
    }
    while (next < b->network->sites.count) /* of modules that the model calls */
        build_trunk(b, graph, b->network->sites.at[next].stmt->span, &next);
}

static bool build_has_connection(const Graph *graph, const SiteInfo *info) {
    for (uint32_t k = 0; k < graph->connections.count; k++) {
        const ConstItemList *texts = graph->connections.at[k].texts;
        if (texts->count == info->texts.count &&
            memcmp(texts->at, info->texts.at, texts->count * sizeof *texts->at) == 0)
            return true;
    }
    return false;
}

/* Once each: what holds at its first site. */
static void build_connections(const Builder *b, Graph *graph) {
    for (uint32_t k = 0; k < b->network->sites.count; k++) {
        const SiteInfo *info = &b->network->sites.at[k];
        GraphConnection connection = {.texts = &info->texts, .name = info->connection};
        if (build_has_connection(graph, info))
            continue;
        if (info->texts.count > 1)
            connection.name = build_connection(b, info);
        for (uint32_t i = 0; i < info->parts.count; i++)
            build_line(b, &connection.lines, info->parts.at[i]->span);
        vec_push(b->arena, &graph->connections, connection);
    }
}

Graph graph_of(Compilation *c, const Ast *ast, const Network *network, bool fold) {
    const Builder b = {.arena = c->arena,
                       .sources = c->sources,
                       .network = network,
                       .fold = fold,
                       .branch = intern_str(c->interner, "branch"),
                       .y = intern_str(c->interner, "y"),
                       .ys = intern_str(c->interner, "ys")};
    Graph graph = {.name = network->name, .constants = "", .n_sites = network->sites.count};
    for (uint32_t k = 0; k < network->constants.count; k++)
        graph.constants =
            arena_printf(c->arena, "%s%s%s = %s", graph.constants, k ? ", " : "",
                         network->constants.at[k].name, network->constants.at[k].value);
    for (uint32_t k = 0; k < ast->items.count; k++) {
        const Item *item = ast->items.at[k];
        if (item && item->kind == ITEM_MODEL && build_within(network->named, item->span))
            build_model(&b, &graph, item);
    }
    build_connections(&b, &graph);
    return graph;
}
