/* One loop runs the rows of the table: times each, verifies what it gives, and turns broken rules
 * and lack of memory into values. */
#include "compile/compile_internal.h"
#include "syntax/ast_verify.h"
#include "syntax/parse.h"
#include <time.h>

const PassInfo compile_passes[PASS_COUNT] = {
#define PASS(ident, name, takes, gives, when, purpose)                                             \
    [PASS_##ident] = {#name, purpose, FORM_##takes, FORM_##gives},
#include "compile/passes.def"
#undef PASS
};

const char *const compile_forms[] = {
    [FORM_TEXT] = "text",   [FORM_AST] = "tree",           [FORM_TIR] = "tensor IR",
    [FORM_PLAN] = "plan",   [FORM_SCHEDULE] = "schedules", [FORM_NESTS] = "loop nests",
    [FORM_OBJECT] = "code",
};

typedef enum { ALWAYS, FUSED } PassWhen;

static const struct {
    CompilePass *run;
    PassWhen when;
} rows[PASS_COUNT] = {
#define PASS(ident, name, takes, gives, when, purpose) [PASS_##ident] = {run_##name, when},
#include "compile/passes.def"
#undef PASS
};

CompileRun compile_begin(Compilation *c, const CompileOptions *options, const CompileWatch *watch) {
    CompileRun run = {.c = c, .options = *options, .machine = machine_of(0, 0)};
    if (watch)
        run.watch = *watch;
    return run;
}

void compile_end(CompileRun *run) {
    codegen_target_destroy(run->target);
    run->target = NULL;
}

/* --- one pass ----------------------------------------------------------------------------------*/

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const char *broken(const CompileRun *run) {
    const char *wrong = NULL;
    switch (run->form) {
    case FORM_AST:
        return ast_verify(run->c, run->ast);
    case FORM_TIR:
        return run->program ? tir_verify(run->program) : NULL;
    case FORM_PLAN:
        return plan_verify(run->plan);
    case FORM_SCHEDULE:
        for (uint32_t k = 0; k < run->n_kernels && !wrong; k++)
            wrong = schedule_verify(run->schedules[k]);
        return wrong;
    case FORM_NESTS:
        for (uint32_t k = 0; k < run->n_kernels && !wrong; k++)
            wrong = nest_verify(run->kernels[k]);
        return wrong;
    default: /* the object is verified by LLVM, from which it comes */
        return NULL;
    }
}

/* Where passes jump to from within, with run->message. */
typedef struct {
    CompileRun *run;
    jmp_buf fault;
} Guard;

/* A rule of an op that its builder found broken. */
static void fault_in_tir(void *context, TirOp op, Span span, const char *message) {
    Guard *guard = context;
    Compilation *c = guard->run->c;
    if (message == tir_too_large) {
        guard->run->refused = (PlanRefusal){
            .code = DIAG_SIZE,
            .at = span,
            .message = "what is computed of this on the way has more than 2^40 entries",
            .help = "for the gradient, what `iterate` carries is kept of every turn: fewer turns, "
                    "or smaller extents"};
        longjmp(guard->fault, 1);
    }
    const char *where = "";
    if (span.file) {
        LineColumn place = source_line_column(c->sources, span.file, span.begin);
        where = arena_printf(c->arena, " at %s:%u:%u", source_name(c->sources, span.file),
                             place.line, place.column);
    }
    guard->run->message = arena_printf(c->arena, "op %s%s: %s", tir_op_name(op), where, message);
    longjmp(guard->fault, 1);
}

/* Programs made from a guarded one take its handler over; afterwards all have the old one again. */
static void handle_faults(const CompileRun *run, TirFaultHandler *handler, void *context) {
    TirProgram *programs[] = {run->program, run->network ? run->network->program : NULL};
    for (int k = 0; k < 2; k++)
        if (programs[k]) {
            programs[k]->on_fault = handler;
            programs[k]->fault_context = context;
        }
}

static CompileStatus run_guarded(CompileRun *run, Guard *guard, CompileWork *work,
                                 void *work_context) {
    jmp_buf *const outer = run->c->out_of_memory, here;
    if (setjmp(here)) {
        run->message = "out of memory";
        run->c->out_of_memory = outer;
        return COMPILE_RESOURCES;
    }
    if (setjmp(guard->fault)) {
        run->c->out_of_memory = outer;
        return run->refused.message ? COMPILE_REFUSED : COMPILE_FAULT;
    }
    run->c->out_of_memory = &here;
    CompileStatus status = work(run, work_context);
    run->c->out_of_memory = outer;
    return status;
}

static CompileStatus timed_step(CompileRun *run, const char *name, CompileForm gives,
                                CompileWork *work, void *work_context) {
    Guard guard = {.run = run};
    run->at = name;
    if (run->watch.begins)
        run->watch.begins(run->watch.context, name);
    const double begun = seconds_now();
    const TirProgram *before = run->program;
    TirFaultHandler *const handler = before ? before->on_fault : NULL;
    void *const context = before ? before->fault_context : NULL;
    if (before)
        handle_faults(run, fault_in_tir, &guard);
    CompileStatus status = run_guarded(run, &guard, work, work_context);
    const double seconds = seconds_now() - begun;
    if (before)
        handle_faults(run, handler, context);
    if (status == COMPILE_DONE) {
        run->form = gives;
        run->message = broken(run);
        if (run->message)
            status = COMPILE_FAULT;
    }
    if (run->watch.ended)
        run->watch.ended(run->watch.context, name, seconds, run);
    return status;
}

static CompileStatus do_pass(CompileRun *run, void *pass) {
    return (*(CompilePass **)pass)(run);
}

CompileStatus compile_step(CompileRun *run, const char *name, CompileForm gives,
                           CompilePass *pass) {
    return timed_step(run, name, gives, do_pass, &pass);
}

CompileStatus compile_work(CompileRun *run, const char *name, CompileWork *work, void *context) {
    return timed_step(run, name, run->form, work, context);
}

CompileStatus compile_load(CompileRun *run) {
    return compile_step(run, compile_passes[PASS_OBJECT].name, FORM_OBJECT, run_load);
}

CompileStatus compile_to(CompileRun *run, PassId last) {
    CompileStatus status = COMPILE_DONE;
    if (last >= PASS_SCHEDULE)
        status = compile_target(run); /* an option that is wrong is said before there is work */
    for (; status == COMPILE_DONE && run->next <= last; run->next++) {
        const PassId id = run->next;
        if (rows[id].when == FUSED && run->options.plain)
            continue;
        status = compile_step(run, compile_passes[id].name, compile_passes[id].gives, rows[id].run);
        if (status == COMPILE_DONE && id == PASS_SEMA && !run->network)
            return COMPILE_DONE; /* a library of definitions: there is nothing after it */
    }
    return status;
}

void compile_say_refusal(CompileRun *run) {
    const PlanRefusal *refused = &run->refused;
    if (!refused->message)
        return;
    diag_error(run->c->diagnostics, refused->code, refused->at, "%s", refused->message);
    if (refused->help)
        diag_help(run->c->diagnostics, "%s", refused->help);
}

/* --- where a run starts ------------------------------------------------------------------------*/

void compile_from_text(CompileRun *run, uint32_t file) {
    run->file = file;
    run->next = PASS_PARSE;
}

void compile_from_program(CompileRun *run, TirProgram *program, PassId first) {
    run->network = ARENA_NEW(run->c->arena, Network);
    *run->network = (Network){.name = "program", .program = program};
    run->program = program;
    run->form = FORM_TIR;
    run->next = first;
}

CompileStatus compile_from_cut(CompileRun *run, const CompileRun *of) {
    TirProgram *whole = of->network->program;
    TirFaultHandler *const handler = whole->on_fault;
    void *const context = whole->fault_context;
    run->file = of->file;
    run->ast = of->ast;
    run->network = ARENA_NEW(run->c->arena, Network);
    *run->network = *of->network;
    run->program = whole;
    run->next = PASS_SEMA + 1;
    const CompileStatus status = compile_step(run, "cut", FORM_TIR, compile_export);
    whole->on_fault = handler;
    whole->fault_context = context;
    return status;
}

static bool has_gradient(const TirProgram *program) {
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_GRAD)
            return true;
    return false;
}

static CompileStatus read_tir(CompileRun *run) {
    TirProgram *program = tir_read(run->c, run->file);
    CompileStatus status = compile_reported(run);
    if (status != COMPILE_DONE)
        return status;
    const char *wrong = tir_verify(program);
    if (wrong) {
        run->message = arena_printf(run->c->arena, "'%s' is not a valid program: %s",
                                    source_name(run->c->sources, run->file), wrong);
        return COMPILE_REFUSED;
    }
    compile_from_program(run, program, has_gradient(program) ? PASS_UNROLL : PASS_WRITE_OUT);
    return COMPILE_DONE;
}

CompileStatus compile_from_tir_text(CompileRun *run, uint32_t file) {
    run->file = file;
    return compile_step(run, "read", FORM_TIR, read_tir);
}

static CompileStatus read_nests(CompileRun *run) {
    NestKernelVec kernels = {0};
    nest_read_all(run->c, run->file, &kernels);
    CompileStatus status = compile_reported(run);
    for (uint32_t k = 0; k < kernels.count && status == COMPILE_DONE; k++) {
        const char *wrong = nest_verify(kernels.at[k]);
        if (wrong) {
            run->message = arena_printf(run->c->arena, "'%s' is not a valid loop nest: %s",
                                        source_name(run->c->sources, run->file), wrong);
            return COMPILE_REFUSED;
        }
    }
    run->kernels = kernels.at;
    run->n_kernels = kernels.count;
    run->manifest = "{}";
    run->next = PASS_OBJECT;
    return status;
}

CompileStatus compile_from_nest_text(CompileRun *run, uint32_t file) {
    run->file = file;
    return compile_step(run, "read", FORM_NESTS, read_nests);
}

void compile_print(const CompileRun *run, FILE *to) {
    switch (run->form) {
    case FORM_AST:
        ast_dump(run->c, run->ast, to);
        break;
    case FORM_TIR:
        if (run->program)
            tir_print(run->program, to);
        break;
    case FORM_PLAN:
        plan_print(run->plan, to);
        break;
    case FORM_SCHEDULE:
        for (uint32_t k = 0; k < run->n_kernels; k++)
            schedule_print(run->schedules[k], to);
        break;
    case FORM_NESTS:
        for (uint32_t k = 0; k < run->n_kernels; k++)
            nest_print(run->kernels[k], to);
        break;
    case FORM_OBJECT:
        if (run->code != CODEGEN_OBJECT)
            fwrite(run->object.bytes, 1, run->object.length, to);
        break;
    case FORM_TEXT:
        break;
    }
}
