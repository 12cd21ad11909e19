#include "driver/foreseen.h"
#include "compile/memory.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/run/foresee.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double bytes_a_second, latency;
} Wires;

/* --- the network -------------------------------------------------------------------------------*/

typedef struct {
    const char *name;
    double factor;
} Unit;

static double unit_factor(const Unit *units, const char *name) {
    while (units->name && strcmp(units->name, name) != 0)
        units++;
    return units->factor;
}

/* 25Gb/s,10us */
static bool wires_read(const char *text, Wires *wires) {
    static const Unit rates[] = {{"Mb/s", 1e6 / 8},
                                 {"Gb/s", 1e9 / 8},
                                 {"Tb/s", 1e12 / 8},
                                 {NULL, 0}},
                      times[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {NULL, 0}};
    char rate[5], time[3];
    int used = 0;
    double bits = 0, late = -1;
    const int found = sscanf(text, "%lf%4[A-Za-z/],%lf%2[a-z]%n", &bits, rate, &late, time, &used);
    if (found != 4 || text[used])
        return false;
    *wires = (Wires){bits * unit_factor(rates, rate), late * unit_factor(times, time)};
    return wires->bytes_a_second > 0 && late >= 0 && unit_factor(times, time) > 0;
}

/* --- all ranks ---------------------------------------------------------------------------------*/

/* In each exchange the links of all are busy as long as that of the rank with most. */
typedef struct {
    uint64_t *most;
    uint32_t count;
} Busiest;

static void busiest_grow(Arena *arena, Busiest *b, uint32_t count) {
    if (count <= b->count)
        return;
    uint64_t *grown = ARENA_ARRAY(arena, uint64_t, count);
    for (uint32_t k = 0; k < b->count; k++)
        grown[k] = b->most[k];
    *b = (Busiest){grown, count};
}

static void busiest_take(Busiest *b, uint32_t k, const HcExchanged *one) {
    const uint64_t bytes = one->sent > one->received ? one->sent : one->received;
    b->most[k] = bytes > b->most[k] ? bytes : b->most[k];
}

static void busiest_add(Arena *arena, Busiest *b, const HcExchanges *of) {
    busiest_grow(arena, b, of->count);
    for (uint32_t k = 0; k < of->count; k++)
        busiest_take(b, k, &of->at[k]);
}

static double busiest_seconds(const Busiest *b, const Wires *wires) {
    double seconds = 0;
    for (uint32_t k = 0; k < b->count; k++)
        if (b->most[k])
            seconds += wires->latency + (double)b->most[k] / wires->bytes_a_second;
    return seconds;
}

/* Of messages that are under way while calls run: of those at hand, and of all up to them. By which
 * call is the same for all ranks. */
typedef struct {
    Busiest own, all;
    uint32_t *calls;
} Travels;

static void travels_add(Arena *arena, Travels *t, const HcTravel *of, uint32_t count) {
    if (!t->calls) {
        t->calls = ARENA_ARRAY(arena, uint32_t, count + 1);
        busiest_grow(arena, &t->own, count);
        busiest_grow(arena, &t->all, count);
    }
    HcExchanged all = {0};
    for (uint32_t k = 0; k < count; k++) {
        t->calls[k] = of[k].call;
        all.sent += of[k].messages.sent;
        all.received += of[k].messages.received;
        busiest_take(&t->own, k, &of[k].messages);
        busiest_take(&t->all, k, &all);
    }
}

typedef struct {
    Busiest waited;
    Travels gradients, weights;
    uint64_t state, most_kept; /* all that optimisers keep; the most of a rank, with its sums
                                   and what its thread works in */
    uint64_t most_state;
} AllRanks;

static HcStatus foresee_all(Driver *d, const HcPlan *plan, int64_t samples, Foreseen *f,
                            AllRanks *all, HcError *error) {
    HcStatus status = HC_OK;
    for (uint32_t r = 0; r < f->ranks && status == HC_OK; r++) {
        HcForeseen one;
        status = hc_foresee(plan, f->parts, samples, (int32_t)f->ranks, (int32_t)r, &one, error);
        if (status != HC_OK)
            return status;
        const uint64_t kept = one.state_bytes + one.waiting_bytes + one.scratch_bytes;
        f->sent += one.sent;
        f->most_sent = one.sent > f->most_sent ? one.sent : f->most_sent;
        f->messages = one.messages > f->messages ? one.messages : f->messages;
        f->most_parts = one.parts > f->most_parts ? one.parts : f->most_parts;
        all->state += one.state_bytes;
        all->most_state = one.state_bytes > all->most_state ? one.state_bytes : all->most_state;
        all->most_kept = kept > all->most_kept ? kept : all->most_kept;
        busiest_add(d->c->arena, &all->waited, &one.waited);
        travels_add(d->c->arena, &all->gradients, one.gradients, one.n_gradients);
        travels_add(d->c->arena, &all->weights, one.weights, one.n_weights);
        hc_foreseen_free(&one);
    }
    f->sent /= f->ranks;
    return status;
}

/* --- time --------------------------------------------------------------------------------------*/

/* A part, as it runs (parts.c). */
typedef struct {
    double *behind; /* by call: seconds from the part's beginning until it is through */
    double *takes;
    double all;
} Course;

static double call_seconds(const HcCall *call, const PlanStep *step, const Machine *machine) {
    const double of[] = {1, (double)step->samples, (double)step->samples * (double)step->positions};
    double operations = 0, bytes = 0;
    for (int k = 0; k < 3; k++) {
        operations += call->operations[k] * of[k];
        bytes += call->bytes[k] * of[k];
    }
    return call->kind == HC_CALL_GEMM
               ? operations / machine->product_a_second
               : operations / machine->kernel_a_second + bytes / machine->bytes_a_second;
}

static void course_run(Course *c, const HcCallRun *run) {
    for (uint32_t k = run->first; k < run->end; k++) {
        c->all += c->takes[k];
        c->behind[k] = c->all;
    }
}

/* Calls share out what a part takes as they are thought to. */
static Course course_of(const Driver *d, const Plan *plan, const HcPlan *of, double seconds) {
    Course c = {.behind = ARENA_ARRAY(d->c->arena, double, of->n_calls + 1),
                .takes = ARENA_ARRAY(d->c->arena, double, of->n_calls + 1)};
    HcCallRun runs[HC_CALL_RUNS];
    hc_plan_runs(of, runs);
    for (uint32_t k = 0; k < of->n_calls; k++)
        if (!of->calls[k].keeps)
            c.takes[k] = call_seconds(&of->calls[k], &plan->options.step, &plan->options.machine);
    for (uint32_t k = 0; k < HC_CALL_RUNS; k++)
        course_run(&c, &runs[k]);
    const double times = c.all > 0 ? seconds / c.all : 0;
    for (uint32_t k = 0; k < of->n_calls; k++) {
        c.behind[k] *= times;
        c.takes[k] *= times;
    }
    c.all = seconds;
    return c;
}

/* When messages are through that begin at some time, those before them at another: links of other
 * ranks than those with most have room for them beside these. */
static double through_at(const Travels *t, uint32_t k, double begun, double before,
                         const Wires *wires) {
    const uint64_t more = t->all.most[k] - (k ? t->all.most[k - 1] : 0);
    const double alone = begun + wires->latency + (double)t->own.most[k] / wires->bytes_a_second,
                 behind = before + (double)more / wires->bytes_a_second;
    return alone > behind ? alone : behind;
}

/* How long buckets take behind the last part: one after the other, each once it is complete. */
static double gradients_wait(const Travels *t, const Course *c, const Wires *wires) {
    double begun = 0, through = 0;
    for (uint32_t k = 0; k < t->own.count; k++) {
        const double complete = t->calls[k] == UINT32_MAX ? c->all : c->behind[t->calls[k]];
        begun = complete > begun ? complete : begun;
        if (t->own.most[k])
            through = through_at(t, k, begun, through, wires);
    }
    return through > c->all ? through - c->all : 0;
}

/* How long calls of the first part wait for turns: one after the other, each once a call has waited
 * for as many as let it begin (way_back.h). */
static double weights_wait(Arena *arena, const Travels *t, const Course *c, const Wires *wires) {
    double *here = ARENA_ARRAY(arena, double, t->own.count + 1), through = 0, late = 0;
    for (uint32_t k = 0; k < t->own.count; k++) {
        through = through_at(t, k, k ? here[(k - 1) / 2] : 0, through, wires);
        const uint32_t call = t->calls[k];
        const double wanted =
            late + (call == UINT32_MAX ? c->all : c->behind[call] - c->takes[call]);
        here[k] = through > wanted ? through : wanted;
        late += here[k] - wanted;
    }
    return late;
}

static double wait_seconds(Arena *arena, const AllRanks *all, const Course *c, const Wires *wires) {
    return busiest_seconds(&all->waited, wires) + gradients_wait(&all->gradients, c, wires) +
           weights_wait(arena, &all->weights, c, wires);
}

/* What it was told a step takes here, or what the plan is thought to take, of which the update is
 * the part that goes through memory: parameters and what is kept of them are read and written,
 * gradients read. */
static void foresee_time(const Driver *d, const Plan *plan, const HcPlan *of, const AllRanks *all,
                         const Wires *wires, Foreseen *f) {
    const double slab = (double)of->slab_bytes, kept = (double)all->state;
    const double update = (3 * slab + 2 * kept) / plan->options.machine.bytes_a_second;
    double part = plan->replays.step_seconds;
    if (d->options.step_ms.given) {
        const double rest = d->options.step_ms.value / 1e3 - update;
        part = (rest > 0 ? rest : 0) / (double)f->parts;
    }
    f->timed = true;
    f->measured = d->options.step_ms.given;
    f->alone = part * (double)f->parts + update;
    f->computing = part * (double)f->most_parts +
                   update * (all->state ? (double)all->most_state / kept : 1.0 / f->ranks);
    const Course course = course_of(d, plan, of, part), none = course_of(d, plan, of, 0);
    f->talking = wait_seconds(d->c->arena, all, &none, wires);
    f->waiting = wait_seconds(d->c->arena, all, &course, wires);
}

/* --- the command's part ------------------------------------------------------------------------*/

static HcStatus read_plan(const CompileRun *run, HcPlan *plan, HcError *error) {
    HcJsonRead read;
    const size_t length = strlen(run->manifest);
    json_t *json = hc_json_read(run->manifest, length, UINT64_MAX, &read);
    const json_t *kernels = json_object_get(json_object_get(json, "plan"), "kernels");
    const HcModel model = {
        .abi_version = HC_ABI_VERSION,
        .element_size = run->plan->options.precision == HC_PRECISION_F64 ? 8 : 4,
        .manifest = run->manifest,
        .manifest_length = length,
        .kernel_count = json_array_size(kernels ? kernels : json_object_get(json, "kernels"))};
    json_decref(json);
    return hc_plan_read(&model, plan, error);
}

ExitCode foreseen_make(Driver *d, CompileRun *run, double memory, Foreseen *f) {
    Wires wires = {0};
    HcError error;
    HcPlan plan;
    AllRanks all = {0};
    const Network *network = run->network;
    *f = (Foreseen){.ranks = (uint32_t)d->options.ranks.value,
                    .parts = network->recipe.parts > 1 ? network->recipe.parts : 1};
    if (d->options.network && !wires_read(d->options.network, &wires)) {
        driver_error(d, "--network is bandwidth and latency, such as 25Gb/s,10us, not '%s'",
                     d->options.network);
        return EXIT_USAGE;
    }
    ExitCode code = pipeline_to(d, run, PASS_MANIFEST);
    if (code != EXIT_OK)
        return code;
    HcStatus status = read_plan(run, &plan, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    status = foresee_all(d, &plan, (int64_t)run->plan->options.step.samples, f, &all, &error);
    /* the rest of it, and what the optimiser works in, each has whole; nothing is packed as it is
     * updated, for it is not updated where it is packed */
    f->memory = memory - (double)all.state - (double)memory_waiting(network, plan.precision) -
                (double)plan_packed_in_step(run->plan) + (double)all.most_kept;
    if (status == HC_OK && d->options.network)
        foresee_time(d, run->plan, &plan, &all, &wires, f);
    hc_plan_free(&plan);
    return status == HC_OK ? EXIT_OK : driver_failed(d, status, &error);
}

/* --- what it says ------------------------------------------------------------------------------*/

static double step_of(const Foreseen *f) {
    return f->computing + f->waiting;
}

json_t *foreseen_json(const Foreseen *f) {
    json_t *json = json_object();
    hc_json_set(&json, "ranks", json_integer(f->ranks));
    hc_json_set(&json, "parts_of_a_rank", json_integer((json_int_t)f->most_parts));
    hc_json_set(&json, "bytes_sent", json_integer((json_int_t)f->most_sent));
    hc_json_set(&json, "mean_bytes_sent", json_integer((json_int_t)f->sent));
    hc_json_set(&json, "messages_sent", json_integer((json_int_t)f->messages));
    hc_json_set(&json, "memory_bytes", hc_json_number(f->memory));
    if (f->timed) {
        hc_json_set(&json, "step_measured", json_boolean(f->measured));
        hc_json_set(&json, "step_seconds_alone", hc_json_number(f->alone));
        hc_json_set(&json, "step_seconds", hc_json_number(step_of(f)));
        hc_json_set(&json, "computing_seconds", hc_json_number(f->computing));
        hc_json_set(&json, "talking_seconds", hc_json_number(f->talking));
        hc_json_set(&json, "waiting_seconds", hc_json_number(f->waiting));
        hc_json_set(&json, "efficiency", hc_json_number(f->alone / step_of(f) / f->ranks));
    }
    return json;
}

void foreseen_print(Driver *d, const Foreseen *f) {
    fprintf(d->out,
            "\nranks\n  %-16s %12" PRIu32 "  of at most %" PRId64 " of %" PRId64
            " parts of a batch\n  %-16s %9.1f MB  by a rank in a step, at most, in %" PRIu64
            " messages\n  %-16s %9.1f MB  of a rank, at most\n",
            "ranks", f->ranks, f->most_parts, f->parts, "sent", (double)f->most_sent / 1e6,
            f->messages, "memory", f->memory / 1e6);
    if (f->timed)
        fprintf(
            d->out,
            "  %-16s %9.2f ms  computes for %.2f ms, waits for %.2f of %.2f that messages take; "
            "one process: %.2f\n"
            "  %-16s %10.1f %%\n",
            "step", 1e3 * step_of(f), 1e3 * f->computing, 1e3 * f->waiting, 1e3 * f->talking,
            1e3 * f->alone, "efficiency", 100 * f->alone / step_of(f) / f->ranks);
    if (f->timed && !f->measured)
        fprintf(d->out,
                "  (by speeds of no machine in particular, in f32: --step-ms says what a step "
                "takes one process, as `hcc bench --threads 1` measures it)\n");
}
