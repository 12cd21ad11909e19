/* Replay: which forward calls the backward pass makes again, so that a step fits into less memory.
 *
 * Requires: calls that name slots. Changes, when plan->options.step.most says so: puts forward
 * calls into the backward pass, where they write second copies of values that are then not kept in
 * between. A call made again runs the same kernel on the same bits, so the results are the same.
 * Fills plan->replays.
 *
 * Calls that are equal but for what they read (those of equal layers) are decided on together, the
 * cheapest first by seconds for each byte that they free, until the step fits; of the last kind
 * only as many as it takes. Where calls made again feed one another, as along the streams, the
 * forward pass is cut into segments: what crosses from one to the next is kept, and a segment is
 * made again as a whole. More segments keep more and make less again at a time; the number is found
 * by trying.
 *
 *     streams 0 -> 1 -> 2 -> 3 -> 4        all dropped but 0 and 2: the backward pass makes 3 again
 *                                          (of 2) for itself, and later 1 (of 0) */
#include "plan/cost.h"
#include "plan/replay_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Equal units. */
typedef struct {
    CallVec units; /* in forward order */
    double price;  /* seconds a byte */
    bool taken;
} Kind;

typedef struct {
    Replay r;
    Call *calls; /* as they were */
    uint32_t n_calls;
    VEC(Kind) kinds;
    CallVec by_price; /* kinds */
    double segment;   /* the best trial's bound on what a segment makes */
    double *before;   /* by forward call: bytes that units of a chain make before it */
    double *cross;    /* by forward call: bytes kept when a segment begins there */
    double *best;
    uint32_t *from, *queue, *last_reader;
} Search;

/* --- time --------------------------------------------------------------------------------------*/

static double in_a_step(const Cost *cost, const PlanStep *step) {
    double samples = (double)step->samples;
    return cost->per_position * samples * (double)step->positions + cost->per_sample * samples +
           cost->per_step;
}

static double call_seconds(const Plan *plan, const Call *call) {
    const PlanStep *step = &plan->options.step;
    const Machine *machine = &plan->options.machine;
    CallCost cost = plan_call_cost(plan, call);
    double operations = in_a_step(&cost.operations, step);
    if (call->kind == CALL_GEMM)
        return operations / machine->product_a_second;
    if (call->kind == CALL_ATTEND)
        return operations / machine->attend_a_second;
    return operations / machine->kernel_a_second +
           in_a_step(&cost.bytes, step) / machine->bytes_a_second;
}

/* --- units -------------------------------------------------------------------------------------*/

static void push_once(Arena *arena, TirIdVec *ids, TirId id) {
    for (uint32_t k = 0; k < ids->count; k++)
        if (ids->at[k] == id)
            return;
    vec_push(arena, ids, id);
}

static bool same_call(const Call *a, const Call *b) {
    if (a->kind != b->kind || a->elements != b->elements)
        return false;
    if (a->kind == CALL_GEMM)
        return a->gemm.m == b->gemm.m && a->gemm.n == b->gemm.n && a->gemm.k == b->gemm.k &&
               a->gemm.m_per_instance == b->gemm.m_per_instance &&
               tir_domain_equal(a->gemm.domain, b->gemm.domain);
    return a->kernel == b->kernel;
}

static bool same_unit(const Search *s, const ReplayUnit *a, const ReplayUnit *b) {
    if (a->calls.count != b->calls.count)
        return false;
    for (uint32_t k = 0; k < a->calls.count; k++)
        if (!same_call(&s->calls[a->calls.at[k]], &s->calls[b->calls.at[k]]))
            return false;
    return true;
}

/* Calls that write one memory are one unit. */
static void find_units(Search *s) {
    Replay *r = &s->r;
    for (uint32_t v = 0; v < r->n_values; v++)
        r->unit_of_value[v] = NO_UNIT;
    for (uint32_t c = 0; c < r->n_forward; c++) {
        const Call *call = &s->calls[c];
        uint32_t u = NO_UNIT;
        for (uint32_t k = call->n_reads; k < call->buffers.count; k++)
            if (call->buffers.at[k].region == REGION_NONE &&
                r->unit_of_value[call->buffers.at[k].index] != NO_UNIT)
                u = r->unit_of_value[call->buffers.at[k].index];
        if (u == NO_UNIT) {
            u = r->units.count;
            vec_push(r->arena, &r->units, (ReplayUnit){0});
        }
        ReplayUnit *unit = &r->units.at[u];
        vec_push(r->arena, &unit->calls, c);
        unit->seconds += call_seconds(r->plan, call);
        for (uint32_t k = 0; k < call->buffers.count; k++) {
            TirId value = call->buffers.at[k].index;
            if (call->buffers.at[k].region != REGION_NONE)
                continue;
            push_once(r->arena, k < call->n_reads ? &unit->reads : &unit->writes, value);
            if (k >= call->n_reads)
                r->unit_of_value[value] = u;
        }
    }
}

/* What is kept in any case, and what the backward pass reads. A walk by chunks and all between its
 * two halves is near the loss: what it touches is wanted again at once. */
static void find_uses(Search *s) {
    Replay *r = &s->r;
    const TirProgram *p = r->plan->program;
    for (TirId v = 1; v < r->n_values; v++) {
        const TirType *type = &tir_node(p->block, v)->type;
        Region region = plan_region(type->domain);
        r->pinned[v] = region == REGION_GLOBAL;
        if (type->elem != TIR_TUPLE)
            r->bytes[v] = (double)(plan_slot_bytes(r->plan, v) * plan_units(r->plan, region));
    }
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        TirId root = tir_storage(p->block, p->outputs.at[k].value);
        r->pinned[root] = true;
    }
    const bool walks = r->plan->chunks.positions > 0;
    const uint32_t walk = walks ? r->plan->chunks.forward[0] : r->n_forward;
    const uint32_t end = walks ? r->plan->chunks.backward[1] : r->n_forward;
    for (uint32_t c = 0; c < s->n_calls; c++) {
        const Call *call = &s->calls[c];
        for (uint32_t k = 0; k < call->buffers.count; k++) {
            TirId value = call->buffers.at[k].index;
            if (call->buffers.at[k].region != REGION_NONE)
                continue;
            if (c >= r->n_forward && k < call->n_reads)
                r->wanted[value] = true;
            if ((c >= r->n_forward && k >= call->n_reads) || (c >= walk && c < end))
                r->pinned[value] = true;
        }
    }
    for (TirId v = 1; v < r->n_values; v++) /* lie elsewhere */
        if (r->plan->buffer[v].region < REGION_GLOBAL || r->plan->buffer[v].region == REGION_CHUNK)
            r->bytes[v] = 0;
}

static void find_kinds(Search *s) {
    Replay *r = &s->r;
    for (uint32_t u = 0; u < r->units.count; u++) {
        ReplayUnit *unit = &r->units.at[u];
        uint32_t k = 0;
        while (k < s->kinds.count && !same_unit(s, &r->units.at[s->kinds.at[k].units.at[0]], unit))
            k++;
        if (k == s->kinds.count)
            vec_push(r->arena, &s->kinds, (Kind){0});
        unit->kind = k;
        vec_push(r->arena, &s->kinds.at[k].units, u);
    }
}

/* --- prices ------------------------------------------------------------------------------------*/

/* Bytes that a kind frees, when `had` says what there is anyway: kept, or made again. */
static double bytes_freed(const Search *s, const Kind *kind, const bool *had) {
    const Replay *r = &s->r;
    double bytes = 0;
    for (uint32_t k = 0; k < kind->units.count; k++) {
        const ReplayUnit *unit = &r->units.at[kind->units.at[k]];
        for (uint32_t m = 0; m < unit->writes.count; m++)
            if (!r->pinned[unit->writes.at[m]] && had[unit->writes.at[m]])
                bytes += r->bytes[unit->writes.at[m]];
        for (uint32_t m = 0; m < unit->reads.count; m++) {
            TirId value = unit->reads.at[m];
            bool own = r->unit_of_value[value] != NO_UNIT &&
                       r->units.at[r->unit_of_value[value]].kind == unit->kind;
            if (!had[value] && !own && r->unit_of_value[value] != NO_UNIT)
                bytes -= r->bytes[value];
        }
    }
    return bytes;
}

static double kind_seconds(const Search *s, const Kind *kind) {
    double seconds = 0;
    for (uint32_t k = 0; k < kind->units.count; k++)
        seconds += s->r.units.at[kind->units.at[k]].seconds;
    return seconds;
}

/* Kinds in the order in which they are taken. What one needs, the next has for nothing. */
static void price_kinds(Search *s) {
    Replay *r = &s->r;
    bool *had = ARENA_ARRAY(r->arena, bool, r->n_values);
    memcpy(had, r->wanted, r->n_values * sizeof *had);
    for (;;) {
        uint32_t cheapest = NO_UNIT;
        for (uint32_t k = 0; k < s->kinds.count; k++) {
            Kind *kind = &s->kinds.at[k];
            if (kind->taken)
                continue;
            double bytes = bytes_freed(s, kind, had);
            kind->price = bytes > 0 ? kind_seconds(s, kind) / bytes : INFINITY;
            if (bytes > 0 && (cheapest == NO_UNIT || kind->price < s->kinds.at[cheapest].price))
                cheapest = k;
        }
        if (cheapest == NO_UNIT)
            return;
        Kind *kind = &s->kinds.at[cheapest];
        kind->taken = true;
        vec_push(r->arena, &s->by_price, cheapest);
        for (uint32_t k = 0; k < kind->units.count; k++) {
            const ReplayUnit *unit = &r->units.at[kind->units.at[k]];
            for (uint32_t m = 0; m < unit->reads.count; m++)
                had[unit->reads.at[m]] = true;
        }
    }
}

/* --- segments ----------------------------------------------------------------------------------*/

/* For the units chosen: what chains of them make, and what a cut before each call would keep. */
static void measure_chains(Search *s) {
    Replay *r = &s->r;
    memset(s->before, 0, (r->n_forward + 1) * sizeof *s->before);
    memset(s->cross, 0, (r->n_forward + 1) * sizeof *s->cross);
    memset(s->last_reader, 0, r->n_values * sizeof *s->last_reader);
    for (uint32_t u = 0; u < r->units.count; u++) {
        const ReplayUnit *unit = &r->units.at[u];
        for (uint32_t k = 0; unit->chosen && k < unit->reads.count; k++)
            if (unit->calls.at[0] > s->last_reader[unit->reads.at[k]])
                s->last_reader[unit->reads.at[k]] = unit->calls.at[0];
    }
    for (uint32_t u = 0; u < r->units.count; u++) {
        const ReplayUnit *unit = &r->units.at[u];
        uint32_t first = unit->calls.at[0];
        double made = 0;
        bool chain = false;
        for (uint32_t k = 0; unit->chosen && k < unit->writes.count; k++) {
            TirId value = unit->writes.at[k];
            made += r->bytes[value];
            if (r->pinned[value] || s->last_reader[value] <= first)
                continue;
            chain = true;
            s->cross[first + 1] += r->bytes[value];
            s->cross[s->last_reader[value] + 1] -= r->bytes[value];
        }
        if (chain)
            s->before[first + 1] += made;
    }
    for (uint32_t c = 1; c <= r->n_forward; c++) {
        s->before[c] += s->before[c - 1];
        s->cross[c] += s->cross[c - 1];
    }
}

/* Cuts such that no segment's chains make more than `most`, and as little as possible crosses. The
 * cheapest way to every call, from the cheapest of those a segment back (kept in a queue). */
static void cut(Search *s, double most) {
    Replay *r = &s->r;
    uint32_t head = 0, tail = 0;
    for (uint32_t c = 0; c <= r->n_forward; c++) {
        while (head < tail && s->before[c] - s->before[s->queue[head]] > most)
            head++;
        /* a unit larger than a segment makes one of its own */
        uint32_t from = head < tail ? s->queue[head] : c ? c - 1 : 0;
        s->from[c] = from;
        s->best[c] = c ? s->best[from] + (c < r->n_forward ? s->cross[c] : 0) : 0;
        while (head < tail && s->best[s->queue[tail - 1]] > s->best[c])
            tail--;
        s->queue[tail++] = c;
    }
    memset(r->segment, 0, (r->n_forward + 1) * sizeof *r->segment);
    for (uint32_t c = s->from[r->n_forward]; c > 0; c = s->from[c])
        r->segment[c] = 1;
    for (uint32_t c = 1; c <= r->n_forward; c++)
        r->segment[c] += r->segment[c - 1];
}

/* --- search ------------------------------------------------------------------------------------*/

static bool try_cut(Search *s, double segment, double most) {
    measure_chains(s);
    cut(s, segment);
    replay_try(&s->r);
    return s->r.bytes_needed <= most;
}

/* The best way to cut, for the units chosen: the fastest that needs at most `most` bytes, or else
 * the smallest. Leaves that trial in place and tells whether it fits. */
static bool try_segments(Search *s, double most) {
    static const uint32_t parts[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64};
    enum { PARTS = sizeof parts / sizeof *parts };
    double best_bytes = INFINITY, best_seconds = INFINITY, chain = 0;
    for (uint32_t k = 0; k < PARTS && (k == 0 || chain > 0); k++) {
        bool fits = try_cut(s, k == 0 ? INFINITY : chain / parts[k], most);
        chain = s->before[s->r.n_forward];
        bool best_fits = best_bytes <= most;
        if (fits ? !best_fits || s->r.seconds < best_seconds : s->r.bytes_needed < best_bytes) {
            s->segment = k == 0 ? INFINITY : chain / parts[k];
            best_bytes = s->r.bytes_needed;
            best_seconds = s->r.seconds;
        }
    }
    return try_cut(s, s->segment, most);
}

static void choose_kind(Search *s, uint32_t kind, uint32_t units) {
    const Kind *k = &s->kinds.at[kind];
    for (uint32_t m = 0; m < k->units.count; m++)
        s->r.units.at[k->units.at[m]].chosen = m < units;
}

static void choose_none(Search *s) {
    for (uint32_t u = 0; u < s->r.units.count; u++)
        s->r.units.at[u].chosen = false;
}

/* The first units of a kind, as few as it takes: the last ones of a pass are wanted again at once.
 */
static void trim_kind(Search *s, uint32_t kind, double most) {
    uint32_t low = 0, high = s->kinds.at[kind].units.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        choose_kind(s, kind, middle);
        if (try_cut(s, s->segment, most))
            high = middle;
        else
            low = middle + 1;
    }
    choose_kind(s, kind, high);
}

/* Chooses units until a step fits `most` bytes, and as few as that takes. */
static bool search(Search *s, double most) {
    uint32_t n = 0;
    choose_none(s);
    bool fits = try_segments(s, most);
    while (!fits && n < s->by_price.count) {
        choose_kind(s, s->by_price.at[n++], UINT32_MAX);
        fits = try_segments(s, most);
    }
    while (fits && n > 0)
        trim_kind(s, s->by_price.at[--n], most);
    return try_cut(s, s->segment, most);
}

/* The smallest step there is among all kinds, the first, the first two, ... */
static void search_least(Search *s) {
    choose_none(s);
    double least = INFINITY;
    uint32_t best = 0;
    for (uint32_t n = 0; n <= s->by_price.count; n++) {
        if (n)
            choose_kind(s, s->by_price.at[n - 1], UINT32_MAX);
        try_segments(s, 0);
        if (s->r.bytes_needed < least) {
            least = s->r.bytes_needed;
            best = n;
        }
    }
    for (uint32_t n = best; n < s->by_price.count; n++)
        choose_kind(s, s->by_price.at[n], 0);
    try_segments(s, 0);
}

static void report(Search *s) {
    Replay *r = &s->r;
    PlanReplays *replays = &r->plan->replays;
    replays->calls.count = 0;
    replays->segments = r->segment[r->n_forward] + 1;
    replays->seconds = r->seconds;
    for (uint32_t p = 0; p < s->by_price.count; p++) {
        const Kind *kind = &s->kinds.at[s->by_price.at[p]];
        const Call *call = &s->calls[r->units.at[kind->units.at[0]].calls.at[0]];
        PlanReplay line = {.label = call->label, .value = call->value, .of = kind->units.count};
        for (uint32_t k = 0; k < kind->units.count; k++) {
            uint32_t u = kind->units.at[k];
            const ReplayUnit *unit = &r->units.at[u];
            if (!r->again[u])
                continue;
            line.again++;
            line.seconds += unit->seconds;
            for (uint32_t m = 0; m < unit->writes.count; m++)
                if (r->dropped[unit->writes.at[m]] && r->wanted[unit->writes.at[m]])
                    line.bytes += r->bytes[unit->writes.at[m]];
        }
        if (line.again)
            vec_push(r->plan->arena, &replays->calls, line);
    }
}

/* Packs the calls as they are in the trial at hand; tells what that takes. */
static uint64_t packed(Search *s) {
    replay_apply(&s->r, s->calls);
    plan_pack(s->r.plan);
    return plan_regions(s->r.plan);
}

/* Replaying needs the plan's calls as they were; afterwards they are those of the last trial. */
static void restore(Search *s) {
    s->r.plan->calls.at = s->calls;
    s->r.plan->calls.count = s->n_calls;
}

static Search *begin(Plan *plan, Arena *arena) {
    Search *s = ARENA_NEW(arena, Search);
    uint32_t values = plan->program->block->nodes.count, forward = plan->n_forward_calls + 1;
    Replay *r = &s->r;
    *s = (Search){.calls = plan->calls.at, .n_calls = plan->calls.count};
    *r = (Replay){
        .plan = plan,
        .arena = arena,
        .n_values = values,
        .n_forward = plan->n_forward_calls,
        .unit_of_value = ARENA_ARRAY(arena, uint32_t, values),
        .bytes = ARENA_ARRAY(arena, double, values),
        .pinned = ARENA_ARRAY(arena, bool, values),
        .wanted = ARENA_ARRAY(arena, bool, values),
        .segment = ARENA_ARRAY(arena, uint32_t, forward),
        .dropped = ARENA_ARRAY(arena, bool, values),
        .lives = lives_create(arena, values),
        .change = ARENA_ARRAY(arena, double, (size_t)REGION_NONE * (2 * plan->calls.count + 1))};
    s->before = ARENA_ARRAY(arena, double, forward + 1);
    s->cross = ARENA_ARRAY(arena, double, forward + 1);
    s->best = ARENA_ARRAY(arena, double, forward);
    s->from = ARENA_ARRAY(arena, uint32_t, forward);
    s->queue = ARENA_ARRAY(arena, uint32_t, forward);
    s->last_reader = ARENA_ARRAY(arena, uint32_t, values);
    find_units(s);
    r->again = ARENA_ARRAY(arena, bool, r->units.count + 1);
    r->at = ARENA_ARRAY(arena, uint32_t, r->units.count + 1);
    find_uses(s);
    find_kinds(s);
    price_kinds(s);
    return s;
}

void plan_replay(Plan *plan) {
    enum { ATTEMPTS = 6 };
    PlanReplays *replays = &plan->replays;
    const uint64_t beside = plan_beside(plan), asked = plan->options.step.most;
    const uint64_t most = asked > beside ? asked - beside : 1; /* for regions */
    for (uint32_t c = 0; c < plan->calls.count; c++)
        replays->step_seconds += call_seconds(plan, &plan->calls.at[c]);
    plan_pack(plan);
    const uint64_t stored = plan_regions(plan);
    replays->stored = replays->needed = stored + beside;
    if (asked == 0 || replays->stored <= asked)
        return;
    Arena *arena = arena_create_child(plan->arena);
    Search *s = begin(plan, arena);
    double target = (double)most;
    bool fits = false;
    for (uint32_t k = 0; k < ATTEMPTS && !fits; k++) {
        restore(s);
        if (!search(s, target))
            break;
        const uint64_t needed = packed(s);
        replays->needed = needed + beside;
        fits = needed <= most;
        target = s->r.bytes_needed - ((double)needed - (double)most) - 1;
    }
    if (!fits) {
        restore(s);
        search_least(s);
        replays->needed = packed(s) + beside;
        replays->least = replays->needed <= asked ? 0 : replays->needed;
    }
    report(s);
    arena_destroy(arena);
}
