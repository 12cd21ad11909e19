/* The branches of a site: what `read` gives them, and the names their results get in the writes;
 * and their calls, `branch(v)`, which are further runs of the same instances. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/site/held.h"
#include "sema/site/site.h"
#include "sema/value/tensor.h"
#include "syntax/ast_find.h"
#include <string.h>

void site_read(Site *x, const Binding *b) {
    const Value v = body_binding(x->s, x->scope, b, NULL);
    if (is_poison(v))
        x->failed = true;
    for (uint32_t k = 0; x->inner && k < x->reads.count; k++)
        if (x->reads.at[k].name.text == b->target.name.text) { /* instead of the inner one's */
            x->reads.at[k] = (BoundArgument){b->target.name, v, b->value->span};
            return;
        }
    vec_push(x->s->arena, &x->reads, (BoundArgument){b->target.name, v, b->value->span});
}

/* `read xs[b,c] = ...` has an entry for each branch: its first input. Other reads are everyone's.
 */
static bool reads_of(Site *x, uint32_t branch, BoundArgumentList *reads) {
    Sema *s = x->s;
    const char *xs = intern_str(s->c->interner, "xs");
    for (uint32_t k = 0; k < x->reads.count; k++) {
        BoundArgument a = x->reads.at[k];
        if (a.name.text == xs && !is_poison(a.value)) {
            const uint32_t n = x->use->n_branches; /* 0: a stand-in for any number */
            const Tensor *t = value_as_tensor(s, a.value, a.at);
            if (!t)
                return false;
            uint32_t dims[TIR_MAX_RANK];
            const uint32_t rank = tensor_bare_dims(t, dims, NULL);
            if (rank == 0 || rank != t->type.rank || (n && dims[0] != n)) {
                sema_error(
                    s, DIAG_BRANCH_INPUT, a.at,
                    "`xs` has an entry for each branch, of which this site has %u; this is %s", n,
                    dims_text(s, rank, dims));
                return false;
            }
            TirBuilder *b = sema_builder(s, a.at);
            TirId id = tir_slice(b, tensor_use(s, t), 0, branch, 1);
            id = tir_reshape(b, id, rank - 1, dims + 1);
            a.value = value_derived(s, id, t->type.domain, NULL, a.at);
            a.name.text = NULL; /* by place: the first */
        }
        vec_push(s->arena, reads, a);
    }
    return true;
}

static const char *branch_path(Site *x, uint32_t k, const Value *branches) {
    Sema *s = x->s;
    if (x->use->n_branches == 1)
        return x->site->path;
    const Item *item = branches[k].callable->item;
    uint32_t same = 0, before = 0;
    for (uint32_t j = 0; j < x->use->n_branches; j++)
        if (!is_poison(branches[j]) && branches[j].callable->item == item) {
            same++;
            before += j < k;
        }
    const char *name = item->name.text;
    if (same > 1)
        name = arena_printf(s->arena, "%s_%u", name, before);
    return path_join(s, x->site->path, name);
}

/* --- results -----------------------------------------------------------------------------------*/

/* The first results side by side: one more axis, in front. */
static Value results_stacked(Sema *s, const SiteResults *r) {
    const Tensor **t = ARENA_ARRAY(s->arena, const Tensor *, r->count);
    TirId *parts = ARENA_ARRAY(s->arena, TirId, r->count);
    for (uint32_t k = 0; k < r->count; k++) {
        t[k] = value_as_real(s, r->first[k], r->at[k]);
        if (!t[k])
            return POISON;
        uint32_t have[TIR_MAX_RANK], want[TIR_MAX_RANK];
        const uint32_t n = tensor_bare_dims(t[k], have, NULL),
                       m = tensor_bare_dims(t[0], want, NULL);
        bool same = n == m && n < TIR_MAX_RANK;
        for (uint32_t a = 0; same && a < n; a++)
            same = have[a] == want[a];
        if (!same) {
            sema_error(s, DIAG_SHAPE, r->at[k],
                       "this branch gives %s, the first one %s: side by side in `ys` they have one "
                       "shape",
                       dims_text(s, n, have), dims_text(s, m, want));
            sema_note(s, r->at[0], "the first branch");
            return POISON;
        }
    }
    const uint32_t rank = t[0]->type.rank + 1u;
    uint32_t dims[TIR_MAX_RANK] = {1};
    uint8_t axes[TIR_MAX_RANK];
    for (uint32_t a = 1; a < rank; a++) {
        dims[a] = t[0]->type.dims[a - 1];
        axes[a - 1] = (uint8_t)a;
    }
    TirBuilder *b = sema_builder(s, r->at[0]);
    TirDomain domain = TIR_GLOBAL;
    for (uint32_t k = 0; k < r->count; k++) {
        parts[k] = tir_broadcast(b, tensor_use(s, t[k]), rank, dims, axes);
        tir_domain_join(domain, t[k]->type.domain, &domain);
    }
    const TirId all = r->count == 1 ? parts[0] : tir_concat(b, 0, r->count, parts);
    return value_derived(s, all, domain, NULL, r->at[0]);
}

static Value results_sum(Sema *s, const SiteResults *r) {
    Value sum = r->first[0];
    for (uint32_t k = 1; k < r->count; k++)
        sum = value_binary(s, TIR_ADD, sum, r->first[k], r->at[k]);
    return sum;
}

/* Outside the body's own scope: a connection's own names come before those of results. Of several
 * branches that give one name it is the sum. */
static void define_named(Site *x, const SiteResults *r) {
    Sema *s = x->s;
    Scope *outer = x->scope->parent;
    const char *text = "";
    for (uint32_t k = 0; k < r->count; k++)
        for (uint32_t o = 0; o < r->named[k].count; o++) {
            const BoundArgument *a = &r->named[k].at[o];
            if (!a->name.text || scope_find_here(outer, a->name.text))
                continue;
            Value sum = a->value;
            for (uint32_t j = k + 1; j < r->count; j++)
                for (uint32_t i = 0; i < r->named[j].count; i++)
                    if (r->named[j].at[i].name.text == a->name.text)
                        sum = value_binary(s, TIR_ADD, sum, r->named[j].at[i].value, r->at[j]);
            scope_define(s, outer, a->name.text, a->name.span, SYMBOL_VALUE)->value = sum;
            text = arena_printf(s->arena, "%s%s`%s`", text, *text ? ", " : "", a->name.text);
        }
    s->frame->results_text = text;
    s->frame->results_at = r->at[0];
}

/* `y`, the sum of the first results; `ys`, the first results side by side; the others by name. */
void site_name_results(Site *x, const SiteResults *r) {
    Sema *s = x->s;
    const StmtList *body = &x->item->body;
    const char *y = intern_str(s->c->interner, "y"), *ys = intern_str(s->c->interner, "ys");
    const Symbol *own = scope_find_here(x->scope, y);
    if (own) {
        sema_error(s, DIAG_DUPLICATE, own->span,
                   "in a connection `y` is the branch's result, so it cannot be another value");
        x->failed = true;
        return;
    }
    Value sum = POISON, all = POISON;
    const bool wants_all = ast_mentions(body, ys) && !scope_find_here(x->scope, ys);
    if (r && ast_mentions(body, y))
        sum = results_sum(s, r);
    if (r && wants_all)
        all = results_stacked(s, r);
    const Span at = r ? r->at[0] : x->site->stmt->span;
    scope_define(s, x->scope, y, at, SYMBOL_VALUE)->value = sum;
    if (wants_all)
        scope_define(s, x->scope, ys, at, SYMBOL_VALUE)->value = all;
    if (r)
        define_named(x, r);
    x->failed = x->failed || !r || (wants_all && is_poison(all)) ||
                (ast_mentions(body, y) && is_poison(sum));
}

/* --- the branches of a site --------------------------------------------------------------------*/

/* For the warning about branches that the loss does not depend on: a branch with all its runs. */
static void record_results(Site *x, BranchUse use, const TirIdVec *results) {
    Sema *s = x->s;
    BranchUse *found = NULL;
    for (uint32_t k = 0; k < s->branches.count; k++) {
        BranchUse *old = &s->branches.at[k];
        if (old->site == use.site && old->at.begin == use.at.begin && old->at.file == use.at.file)
            found = old;
    }
    if (!found) {
        vec_push(s->arena, &s->branches, use);
        found = &s->branches.at[s->branches.count - 1];
    }
    for (uint32_t k = 0; k < results->count; k++)
        vec_push(s->arena, &found->results, results->at[k]);
}

/* What whatever branch there may be gives: something of the shape that it reads. */
static Value stand_in_result(Site *x, Value read) {
    Sema *s = x->s;
    if (read.kind != VALUE_TENSOR)
        return read;
    Loop *const loop = sema_leave_loops(s);
    TirInput input = {.name = arena_printf(s->arena, "stand_in_%u", s->program->inputs.count),
                      .type = {.elem = TIR_REAL, .domain = {1, (uint8_t)frame_space(s)}},
                      .span = read.span};
    input.type.rank = (uint8_t)tensor_bare_dims(read.tensor, input.type.dims, NULL);
    const TirId id = tir_input(sema_builder(s, read.span), tir_add_input(s->program, input));
    TirIdVec results = {0};
    vec_push(s->arena, &results, id);
    record_results(
        x,
        (BranchUse){
            .connection = x->item, .of_inner = x->around, .at = x->item->name.span, .after = id},
        &results);
    const Value v = value_tensor(s, id, NULL, read.span);
    sema_return_to(s, loop);
    return v;
}

static void stand_in_branch(Site *x) {
    Sema *s = x->s;
    BoundArgumentList reads = {0};
    s->frame->results_unknown = true;
    if (x->failed || x->reads.count == 0 || !reads_of(x, 0, &reads)) {
        site_take_results(x, NULL);
        return;
    }
    SiteResults *r = ARENA_NEW(s->arena, SiteResults);
    r->count = 1;
    r->first = ARENA_NEW(s->arena, Value);
    r->at = ARENA_NEW(s->arena, Span);
    r->named = ARENA_NEW(s->arena, BoundArgumentList);
    r->first[0] = stand_in_result(x, reads.at[0].value);
    r->at[0] = x->site->stmt->span;
    site_take_results(x, r);
}

static bool has_input(const Item *item, const char *name) {
    for (uint32_t i = 0; i < item->inputs.count; i++)
        if (item->inputs.at[i].target.name.text == name)
            return true;
    return false;
}

/* The read that is a branch's first input, whatever the branch calls that: the only one, or that of
 * `x`. */
static uint32_t leading_read(Site *x, const BoundArgumentList *reads, const Item *item) {
    const char *name = intern_str(x->s->c->interner, "x");
    uint32_t k = 0;
    while (reads->count > 1 && k < reads->count && reads->at[k].name.text != name)
        k++;
    return reads->count > 1 && has_input(item, name) ? reads->count : k;
}

/* What a branch is given: what the connection reads, and what the site names. The leading read is
 * the first input that nothing else gives. */
static BoundArgumentList branch_inputs(Site *x, const BoundArgumentList *reads, const Item *item,
                                       const BoundArgumentList *given) {
    BoundArgumentList all = {0};
    for (uint32_t k = 0; k < reads->count; k++)
        vec_push(x->s->arena, &all, reads->at[k]);
    for (uint32_t k = 0; k < given->count; k++)
        vec_push(x->s->arena, &all, given->at[k]);
    const uint32_t leading = leading_read(x, reads, item);
    for (uint32_t i = 0; all.count > 1 && leading < reads->count && i < item->inputs.count; i++) {
        const Name name = item->inputs.at[i].target.name;
        bool taken = false;
        for (uint32_t k = 0; k < all.count; k++)
            taken = taken || (k != leading && all.at[k].name.text == name.text);
        if (taken)
            continue;
        all.at[leading].name = name;
        break;
    }
    return all;
}

/* One run of a branch: its first result, all by name. */
static Value run_branch(Site *x, uint32_t k, const BoundArgumentList *inputs, bool by_reading,
                        Span at, BoundArgumentList *named) {
    Sema *s = x->s;
    const Callable *branch = x->use->branches[k].callable;
    if (k == 0)
        s->network->sites.at[x->info].branch = branch->item->name.text;
    const BranchRun run = {.inputs = inputs->at,
                           .n_inputs = inputs->count,
                           .by_reading = by_reading,
                           .path = branch->instance ? branch->instance->path
                                                    : branch_path(x, k, x->use->branches),
                           .call = branch->instance ? branch->instance->made : x->call,
                           .used_at = at};
    const Value first = apply_branch(s, branch, &run, named);
    for (uint32_t i = 0; i < named->count; i++)
        scaled_result(x, named->at[i].value);
    TirIdVec results = {0}; /* of a loop's body none: it is not looked into */
    const bool recorded = s->loop->level == 0 && !s->mode.looking;
    for (uint32_t i = 0; recorded && i < named->count; i++)
        if (named->at[i].value.kind == VALUE_TENSOR)
            vec_push(s->arena, &results, named->at[i].value.tensor->id);
    if (recorded)
        record_results(x,
                       (BranchUse){.name = branch->item->name.text,
                                   .site = x->site->path,
                                   .connection = x->item,
                                   .of_inner = x->around,
                                   .at = x->site->stmt->site.branches.at[k]->span,
                                   .after = s->program->block->nodes.count},
                       &results);
    return first;
}

void site_branches(Site *x) {
    Sema *s = x->s;
    const uint32_t n = x->use->n_branches;
    if (n == 0) {
        stand_in_branch(x);
        return;
    }
    const Value *branches = x->use->branches;
    const ExprList *written = &x->site->stmt->site.branches;
    Value *first = ARENA_ARRAY(s->arena, Value, n);
    Span *at = ARENA_ARRAY(s->arena, Span, n);
    BoundArgumentList *named = ARENA_ARRAY(s->arena, BoundArgumentList, n);
    bool good = !x->failed;
    given_reads(x);
    Frame *const own =
        frame_switch(s, s->frame->outer); /* branches belong to the site, not to the connection */
    for (uint32_t k = 0; k < n && !x->failed; k++) {
        at[k] = written->at[k]->span;
        if (is_poison(branches[k])) {
            good = false;
            continue;
        }
        BoundArgumentList reads = {0};
        if (!reads_of(x, k, &reads)) {
            good = false;
            break;
        }
        const BoundArgumentList inputs =
            branch_inputs(x, &reads, branches[k].callable->item, &x->use->given[k]);
        first[k] = run_branch(x, k, &inputs, true, at[k], &named[k]);
        good = good && !is_poison(first[k]);
        given_result(x, branches[k].callable->item->name.text, &first[k], &named[k]);
    }
    frame_switch(s, own);
    const SiteResults r = {n, first, at, named};
    site_take_results(x, good ? &r : NULL);
}

/* --- calls of branches -------------------------------------------------------------------------*/

void site_define_branch(Site *x, Scope *scope) {
    Sema *s = x->s;
    const char *name = intern_str(s->c->interner, "branch");
    if (scope_find_here(scope, name)) /* the connection's own comes first */
        return;
    Callable *callable = ARENA_NEW(s->arena, Callable);
    callable->site = x;
    callable->branch = ALL_BRANCHES;
    Symbol *symbol = scope_define(s, scope, name, x->site->stmt->span, SYMBOL_VALUE);
    symbol->value = (Value){.kind = VALUE_CALLABLE, .span = symbol->span, .callable = callable};
}

Value site_entry(Sema *s, Scope *scope, Value branches, const Expr *e) {
    const Site *x = branches.callable->site;
    const uint32_t n = x->use->n_branches; /* 0: a stand-in for any number */
    int64_t entry;
    if (e->index.indices.count != 1 || branches.callable->branch != ALL_BRANCHES)
        return sema_error(s, DIAG_INDEX_RANK, e->span, "a branch is called by one number");
    const Expr *index = e->index.indices.at[0];
    if (!elaborate_whole(s, scope, index, "which branch is called", 0, n ? n - 1 : ALL_BRANCHES - 1,
                         &entry)) {
        if (numeric_mentions_index(s, scope, index))
            sema_help(s, "call one after the other: `for b < branches { ... branch[b](x) ... }`");
        return POISON;
    }
    Callable *one = ARENA_NEW(s->arena, Callable);
    *one = *branches.callable;
    one->branch = (uint32_t)entry;
    return (Value){.kind = VALUE_CALLABLE, .span = e->span, .callable = one};
}

/* Which run of this branch the call at hand is, from 1 on. */
static uint32_t run_number(Site *x, uint32_t branch, const Expr *e) {
    while (x->outer)
        x = x->outer;
    const char *place = arena_printf(x->s->arena, "%s %p", frame_place(x->s), (const void *)e);
    uint32_t run = x->runs ? 2 : 1; /* that of the `read`s is the first */
    for (uint32_t k = 0; k < x->calls.count; k++) {
        if (x->calls.at[k].branch != branch)
            continue;
        if (strcmp(x->calls.at[k].place, place) == 0)
            return run;
        run++;
    }
    vec_push(x->s->arena, &x->calls, (SiteCall){place, branch});
    return run;
}

static bool is_named(const BoundArgumentList *list, const char *name) {
    for (uint32_t k = 0; k < list->count; k++)
        if (list->at[k].name.text == name)
            return true;
    return false;
}

/* What a branch is called with, by the names of its inputs: what has no name comes in the order of
 * those that neither the call nor the site names. False after an error. */
static bool call_inputs(Site *x, const Item *item, const BoundArgumentList *given,
                        const BoundArgumentList *arguments, const Expr *e,
                        BoundArgumentList *inputs) {
    Sema *s = x->s;
    uint32_t next = 0;
    for (uint32_t k = 0; k < arguments->count; k++) {
        BoundArgument a = arguments->at[k];
        while (!a.name.text && next < item->inputs.count) {
            const Name name = item->inputs.at[next++].target.name;
            if (!is_named(arguments, name.text) && !is_named(given, name.text))
                a.name = name;
        }
        if (a.name.text) {
            vec_push(s->arena, inputs, a);
            continue;
        }
        const uint32_t n = item->inputs.count;
        sema_error(s, DIAG_BRANCH_INPUT, e->span, "`%s` has %u input%s%s, and is called with %u",
                   item->name.text, n, n == 1 ? "" : "s",
                   given->count ? ", of which its site gives some" : "", arguments->count);
        sema_note(s, item->name.span, "it is defined here");
        sema_note(s, x->site->stmt->span, "it stands at this site");
        return false;
    }
    return true;
}

/* No entry of something that indices stand for. */
static bool is_whole(Value v) {
    return v.kind == VALUE_TENSOR && tensor_bare_rank(v.tensor) == v.tensor->type.rank;
}

/* For who asks behind the site: `x` and `y`, of a second run `x_2` and `y_2`, as pictures of maps
 * call them. */
static void note_run(Site *x, uint32_t run, const BoundArgumentList *inputs, Value first) {
    Sema *s = x->s;
    if (x->use->n_branches > 1 || s->loop->level || s->mode.looking)
        return;
    const char *number = run > 1 ? arena_printf(s->arena, "_%u", run) : "";
    const char *read = arena_printf(s->arena, "x%s", number);
    const char *result = arena_printf(s->arena, "y%s", number);
    if (inputs->count && is_whole(inputs->at[0].value))
        held_note(s, x->held, intern_str(s->c->interner, read), inputs->at[0].value);
    if (is_whole(first))
        held_note(s, x->held, intern_str(s->c->interner, result), first);
}

/* One run of one branch. */
static Value call_one(Site *x, uint32_t k, const BoundArgumentList *arguments, const Expr *e,
                      BoundArgumentList *named) {
    Sema *s = x->s;
    if (is_poison(x->use->branches[k]))
        return POISON;
    const Item *item = x->use->branches[k].callable->item;
    const BoundArgumentList *given = &x->use->given[k];
    const uint32_t run = run_number(x, k, e);
    BoundArgumentList inputs = {0};
    s->network->sites.at[x->info].calls_branch = true;
    if (!call_inputs(x, item, given, arguments, e, &inputs))
        return POISON;
    given_call(x, k, run, &inputs);
    for (uint32_t i = 0; i < given->count; i++)
        vec_push(s->arena, &inputs, given->at[i]);
    Value first = run_branch(x, k, &inputs, false, e->span, named);
    given_called(x, k, run, &first, named);
    note_run(x, run, &inputs, first);
    return first;
}

/* Adds what another branch gave, name by name. */
void results_add(Sema *s, BoundArgumentList *sums, const BoundArgumentList *named, Span span) {
    for (uint32_t k = 0; k < named->count; k++) {
        bool found = false;
        for (uint32_t i = 0; i < sums->count && !found; i++) {
            found = sums->at[i].name.text == named->at[k].name.text;
            if (found)
                sums->at[i].value =
                    value_binary(s, TIR_ADD, sums->at[i].value, named->at[k].value, span);
        }
        if (!found)
            vec_push(s->arena, sums, named->at[k]);
    }
}

/* A connection that no model uses is tried around whatever branch there may be: of its results only
 * the first is known. */
static Value stand_in_call(Site *x, const BoundArgumentList *arguments, const Expr *e,
                           BoundArgumentList *results) {
    Sema *s = x->s;
    const Value read = arguments->count ? arguments->at[0].value : POISON;
    const Tensor *t = is_poison(read) ? NULL : value_as_real(s, read, e->span);
    if (!t)
        return POISON;
    const Value v = {.kind = VALUE_TENSOR, .span = read.span, .tensor = t};
    const Value y =
        value_binary(s, TIR_MUL, v, stand_in_result(x, v), e->span); /* of its indices */
    if (results)
        vec_push(s->arena, results, (BoundArgument){.value = y});
    return y;
}

static bool may_be_called(Site *x, const Expr *e) {
    Sema *s = x->s;
    if (s->mode.numeric || s->mode.constant) {
        sema_error(s, DIAG_CONSTANT, e->span, "what a branch gives is no constant");
        return false;
    }
    if (!x->uncalled)
        return true;
    sema_error(s, DIAG_NOT_HERE, e->span, "a branch cannot be called %s", x->uncalled);
    sema_help(s, "%s", x->call_help);
    return false;
}

Value site_call(Sema *s, const Callable *branch, const BoundArgumentList *arguments, const Expr *e,
                BoundArgumentList *results) {
    Site *x = branch->site;
    const bool all = branch->branch == ALL_BRANCHES;
    const uint32_t begin = all ? 0 : branch->branch,
                   end = all ? x->use->n_branches : branch->branch + 1;
    x->is_called = true;
    bool good = may_be_called(x, e);
    if (good && x->use->n_branches == 0)
        return stand_in_call(x, arguments, e, results);
    Value sum = POISON;
    for (uint32_t k = begin; k < end && good; k++) {
        BoundArgumentList named = {0};
        const Value first = call_one(x, k, arguments, e, &named);
        good = !is_poison(first);
        sum = k == begin ? first : value_binary(s, TIR_ADD, sum, first, e->span);
        if (results)
            results_add(s, results, &named, e->span);
    }
    x->failed = x->failed || !good;
    return good ? sum : POISON;
}
