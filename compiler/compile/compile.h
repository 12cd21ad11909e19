/* The compiler as a library: text, a file's text, tensor IR or loop nests in; any form after it,
 * an object, or a model loaded into this process out.
 *
 *     CompileRun run = compile_begin(c, &options, NULL);
 *     compile_from_text(&run, file);
 *     CompileStatus status = compile_to(&run, PASS_MEMORY);    run.plan, run.network, ...
 *     compile_end(&run);
 *
 * Nothing is printed, no file is opened and no process ended here; what is wrong with the text
 * stands in the compilation's diagnostics, anything else in run.message. A compilation belongs to
 * one thread at a time; two compilations share nothing. */
#ifndef HCC_COMPILE_COMPILE_H
#define HCC_COMPILE_COMPILE_H

#include "codegen/codegen.h"
#include "compile/export.h"
#include "plan/plan.h"
#include "schedule/schedule.h"
#include "sema/sema.h"

/* What a program is between two passes; each but the first has a verifier. */
typedef enum {
    FORM_TEXT,
    FORM_AST,
    FORM_TIR,
    FORM_PLAN,
    FORM_SCHEDULE,
    FORM_NESTS,
    FORM_OBJECT,
} CompileForm;

typedef enum {
#define PASS(ident, name, takes, gives, when, purpose) PASS_##ident,
#include "compile/passes.def"
#undef PASS
    PASS_COUNT
} PassId;

/* A row of the table. */
typedef struct {
    const char *name, *purpose;
    CompileForm takes, gives;
} PassInfo;
extern const PassInfo compile_passes[PASS_COUNT];
extern const char *const compile_forms[]; /* "text", "tree", ... */

typedef enum {
    COMPILE_DONE,
    COMPILE_REFUSED,   /* the text is wrong: see run->refused, run->message, or the diagnostics */
    COMPILE_OPTIONS,   /* an option is wrong */
    COMPILE_RESOURCES, /* out of memory, or --memory is too little */
    COMPILE_FAULT,     /* the compiler is wrong */
} CompileStatus;

/* Not given: as the recipe says. */
typedef struct {
    bool given;
    HcPrecision is;
} CompilePrecision;

/* A file that a text uses, as whoever compiles finds it. */
typedef struct {
    const char *name; /* what it is called from here on, however it was found */
    const char *text;
    size_t length;
    const char *why; /* it was not read; NULL: it was */
} UsedFile;

/* Where `use "file.hc";` finds its file; nothing: there are no files. */
typedef struct {
    void *context;
    /* `by`: the name of the file that says it; NULL: the text itself */
    UsedFile (*find)(void *context, const char *by, const char *said);
} CompileUses;

typedef struct {
    CompileUses uses;     /* of text */
    SemaOptions sema;     /* of text: --set, --model */
    CompileExport export; /* of text: which part of the model; nothing in it: all */
    CodegenOptions machine;
    CompilePrecision precision;
    bool plain;             /* neither fused nor made again: a kernel a value */
    bool load;              /* a backward kernel makes nothing again that it could load */
    uint64_t memory;        /* the most bytes that a training step may take; 0: no bound */
    const SourceSet *debug; /* code carries the lines it comes from; or NULL */
    struct Cache *cache;    /* where objects are kept from run to run; or NULL */
} CompileOptions;

struct CompileRun;
/* Told of every pass; for times, printing after passes, and the message of a crash. */
typedef struct {
    void *context;
    void (*begins)(void *context, const char *pass);
    void (*ended)(void *context, const char *pass, double seconds, const struct CompileRun *run);
} CompileWatch;

/* What a compilation has come to. Everything lies in its arena but the target, which compile_end
 * frees; before a pass has run, its results are NULL. */
typedef struct CompileRun {
    Compilation *c;
    CompileOptions options;
    CompileWatch watch;
    CompileForm form;
    PassId next; /* the first row that has not run */

    uint32_t file; /* of the compilation's sources */
    Ast *ast;
    Network *network;    /* NULL for a text without a model; a nameless one for tensor IR */
    TirProgram *program; /* up to LEGALISE; network->program stays the one with its gradient */
    Plan *plan;
    CodegenTarget *target; /* from compile_target on */
    Machine machine;       /* the target, for those who decide; before it, of none in particular */
    Schedule **schedules;  /* as many as kernels */
    Products *products;    /* from the schedule on */
    NestKernel **kernels;
    uint32_t n_kernels;
    const char *manifest;
    CodegenModel model; /* how the object is wrapped: set before OBJECT; kernels are filled in */
    CodegenForm code;   /* what OBJECT makes: an object, or LLVM's text, or assembly */
    CodegenResult object;
    Jit *jit;
    const HcModel *loaded;

    const char *at;      /* the pass that ran last */
    PlanRefusal refused; /* why what is right cannot be compiled; no message: it can */
    const char *message; /* what else is wrong; NULL where the diagnostics say it */
} CompileRun;

/* `watch` may be NULL. Options are copied, what they point to is not. */
CompileRun compile_begin(Compilation *c, const CompileOptions *options, const CompileWatch *watch);
void compile_end(CompileRun *run);

/* Where a run starts, one of them: a file of the sources that is .hc, .tir or .nest text; a
 * program that `first` takes. A text that cannot be read is refused. */
void compile_from_text(CompileRun *run, uint32_t file);
CompileStatus compile_from_tir_text(CompileRun *run, uint32_t file);
CompileStatus compile_from_nest_text(CompileRun *run, uint32_t file);
void compile_from_program(CompileRun *run, TirProgram *program, PassId first);
/* A part of a network, as the run's options say, that another run has come to with `later`; any
 * number of runs may have parts of it. */
CompileStatus compile_from_cut(CompileRun *run, const CompileRun *of);

/* Runs the rows up to `last`, verifying what each gives. After anything but DONE the run can only
 * be ended. */
CompileStatus compile_to(CompileRun *run, PassId last);
/* What it computes in; after SEMA, if there is a text. */
HcPrecision compile_precision(const CompileRun *run);
/* What there is to be known of a target, for those who decide. */
Machine compile_machine(const CodegenTarget *target);
/* The machine of the options, as run->target: rows from SCHEDULE on call it themselves. */
CompileStatus compile_target(CompileRun *run);
/* After MANIFEST: the model, loaded into this process, as run->loaded; free run->jit with
 * jit_unload when nothing of it is used any more. */
CompileStatus compile_load(CompileRun *run);
/* What run->refused says, said in the diagnostics; nothing where it says nothing. */
void compile_say_refusal(CompileRun *run);

/* Work with what the run has come to, done as a pass is: timed, the watch told of it, lack of
 * memory and broken rules of ops turned into a status. */
typedef CompileStatus CompileWork(CompileRun *run, void *context);
CompileStatus compile_work(CompileRun *run, const char *name, CompileWork *work, void *context);

/* What the run has come to, as `hcc emit` and --print-after show it. */
void compile_print(const CompileRun *run, FILE *to);

#endif
