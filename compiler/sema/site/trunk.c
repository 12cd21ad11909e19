/* Trunks: `repeat` and `if` unfold into sites in a row; then site after site is elaborated, the
 * state going from one to the next.
 *
 * Parameter paths: trunk.3.attn (block 3 of a `repeat`), trunk.attn outside one. */
#include "sema/site/trunk.h"
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/site/held.h"

typedef struct {
    VEC(PlacedSite) sites;
    uint32_t blocks;
    bool failed, constants;
} Unfolded;

enum { MAX_SITES = 100000 };

static void unfold_body(Sema *s, Scope *scope, const StmtList *body, const char *path,
                        bool repeated, Unfolded *to);

static void unfold_site(Sema *s, Scope *scope, const Stmt *stmt, const char *path, Unfolded *to) {
    const Name name = stmt->site.name;
    if (!name.text)
        return;
    if (to->sites.count == MAX_SITES) {
        sema_error(s, DIAG_SIZE, stmt->span, "a trunk of more than %d sites is too large",
                   MAX_SITES);
        to->failed = true;
        return;
    }
    PlacedSite site = {stmt, scope, path_join(s, path, name.text), s->frame->block};
    void **slot = map_slot_str(s->instances, arena_printf(s->arena, "site %s", site.path));
    if (*slot) {
        sema_error(s, DIAG_DUPLICATE, name.span, "two sites would have the name `%s`", site.path);
        sema_note(s, ((const Stmt *)*slot)->site.name.span, "the first one");
        to->failed = true;
        return;
    }
    *slot = (void *)(uintptr_t)stmt;
    vec_push(s->arena, &to->sites, site);
    s->frame->site++;
}

static void unfold_repeat(Sema *s, Scope *scope, const Stmt *stmt, const char *path, bool repeated,
                          Unfolded *to) {
    int64_t count;
    if (!elaborate_whole(s, scope, stmt->loop.count, "the number of repetitions", 0, MAX_SITES,
                         &count)) {
        to->failed = true;
        return;
    }
    for (int64_t k = 0; k < count && !to->failed; k++) {
        if (!repeated)
            s->frame->block = to->blocks++;
        const uint64_t number = repeated ? (uint64_t)k : s->frame->block;
        const char *inner =
            path_join(s, path, arena_printf(s->arena, "%llu", (unsigned long long)number));
        unfold_body(s, scope_create(s, scope, scope->frame), &stmt->loop.body, inner, true, to);
    }
}

static void unfold_statement(Sema *s, Scope *scope, const Stmt *stmt, const char *path,
                             bool repeated, Unfolded *to) {
    bool condition;
    switch (stmt->kind) {
    case STMT_SITE:
        unfold_site(s, scope, stmt, path, to);
        return;
    case STMT_REPEAT:
        unfold_repeat(s, scope, stmt, path, repeated, to);
        return;
    case STMT_IF:
        if (!elaborate_bool(s, scope, stmt->branch.condition, "a condition", &condition))
            to->failed = true;
        else
            unfold_body(s, scope, condition ? &stmt->branch.then_body : &stmt->branch.else_body,
                        path, repeated, to);
        return;
    case STMT_CONST:
        to->constants = true;
        body_statement(s, scope, stmt);
        return;
    case STMT_ERROR:
        to->failed = true;
        return;
    default:
        to->failed = true; /* in the wrong place: the syntax check has said so */
    }
}

static void unfold_body(Sema *s, Scope *scope, const StmtList *body, const char *path,
                        bool repeated, Unfolded *to) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k])
            unfold_statement(s, scope, body->at[k], path, repeated, to);
}

static bool trunk_input(Sema *s, const Expr *e, Value *input) {
    const Tensor *t = value_as_real(s, *input, e->trunk.input->span);
    if (!t)
        return false;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    if (rank != 1 || t->type.rank != 1) {
        sema_error(s, DIAG_TRUNK, e->trunk.input->span,
                   "a trunk goes over one vector a position, `x[d]`; this has %u axes: %s", rank,
                   dims_text(s, rank, dims));
        return false;
    }
    *input = (Value){.kind = VALUE_TENSOR, .span = e->trunk.input->span, .tensor = t};
    return true;
}

/* The frame that sites share; it names the trunk. */
static Frame *trunk_frame(Sema *s, const Expr *e) {
    const char *name = s->trunks > 1 && s->mode.let_name ? s->mode.let_name : "trunk";
    Frame *frame = frame_push(s, s->frame ? s->frame->item : NULL,
                              path_join(s, s->frame ? s->frame->path : "", name), e->span);
    frame->in_trunk = true;
    frame->trunk = frame->path;
    frame->let = s->mode.let_name;
    frame->sites_known = false;
    frame->site = frame->block = frame->blocks = 0;
    return frame;
}

static void count_blocks(Sema *s, Scope *scope, const StmtList *body, Frame *frame) {
    for (uint32_t k = 0; k < body->count; k++) { /* of outermost repeats whose count stands alone */
        const Stmt *stmt = body->at[k];
        int64_t count;
        if (stmt && stmt->kind == STMT_REPEAT && numeric_is_number(s, scope, stmt->loop.count) &&
            elaborate_whole(s, scope, stmt->loop.count, "the number of repetitions", 0, MAX_SITES,
                            &count))
            frame->blocks += (uint32_t)count;
    }
}

/* After an error in the trunk only what the site itself says is checked. */
static bool trunk_site(Sema *s, TrunkState *trunk, const PlacedSite *site, bool good, bool last,
                       Value *result) {
    SiteUse use;
    site_use(s, site, &use);
    if (!good || !use.connection)
        return false;
    vec_push(s->arena, &s->network->sites,
             (SiteInfo){.path = site->path,
                        .connection = use.connection->item->name.text,
                        .branch = "",
                        .site = s->frame->site,
                        .block = s->frame->block});
    return connection_elaborate(s, trunk, &use, site, last, result);
}

/* Sites of one text, after the one at hand: each does what that did. */
static uint64_t equal_sites_left(const Unfolded *unfolded, uint32_t site) {
    uint64_t left = 0;
    for (uint32_t k = site + 1; k < unfolded->sites.count; k++)
        left += unfolded->sites.at[k].stmt == unfolded->sites.at[site].stmt;
    return left;
}

/* One site after the other; after the second of a text it is known what the others will cost,
 * unless constants of the trunk make them differ. */
static bool trunk_sites(Sema *s, TrunkState *trunk, Frame *frame, const Unfolded *unfolded,
                        bool good, Value *result) {
    Map *const seen = map_create(s->arena); /* how often, by the site's text */
    for (uint32_t k = 0; k < unfolded->sites.count; k++) {
        const PlacedSite *site = &unfolded->sites.at[k];
        const Spent before = s->spent;
        frame->site = k;
        frame->block = site->block;
        good = trunk_site(s, trunk, site, good, k + 1 == unfolded->sites.count, result);
        void **times = map_slot_u64(seen, (uintptr_t)site->stmt);
        *times = (void *)((uintptr_t)*times + 1);
        if (good && !unfolded->constants && (uintptr_t)*times == 2 &&
            budget_rest_exceeds(s, site->stmt->span, before, equal_sites_left(unfolded, k), "sites",
                                "a trunk is written out site by site: take fewer sites, or a "
                                "connection and a branch of less work"))
            return false;
    }
    return good;
}

Value elaborate_trunk(Sema *s, Scope *scope, const Expr *e) {
    if (s->loop->level)
        return sema_error(s, DIAG_NOT_HERE, e->span, "a trunk cannot stand in `%s`",
                          sema_loop_word(s));
    s->spent.decisions++; /* its repeats and conditions */
    Value input = elaborate(s, scope, e->trunk.input);
    const bool have_input = !is_poison(input) && trunk_input(s, e, &input);
    Frame *frame = trunk_frame(s, e);
    if (have_input)
        frame->space = input.tensor->type.domain.space;
    const Mode outer = mode_enter(s, mode_of_let(s, NULL, NULL));
    Unfolded unfolded = {.failed = false};
    count_blocks(s, scope, &e->trunk.body, frame);
    unfold_body(s, scope_create(s, scope, frame), &e->trunk.body, frame->path, false, &unfolded);
    frame->sites = frame->site;
    frame->sites_known = true;
    frame->blocks = unfolded.blocks ? unfolded.blocks : 1;
    Value result = POISON;
    if (!unfolded.failed && unfolded.sites.count == 0)
        result = sema_error(s, DIAG_TRUNK, e->span, "this trunk has no sites");
    TrunkState trunk = {.input = have_input ? input : POISON,
                        .width = have_input ? input.tensor->type.dims[0] : 0,
                        .held = held_trunk(s, frame->path)};
    const bool good =
        trunk_sites(s, &trunk, frame, &unfolded, have_input && !unfolded.failed, &result);
    mode_leave(s, outer);
    frame_pop(s);
    for (uint32_t k = 0; k < trunk.states.count; k++)
        held_note(s, trunk.held, trunk.states.at[k].name, trunk.states.at[k].value);
    result.held = trunk.held;
    return good ? result : POISON;
}
