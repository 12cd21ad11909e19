/* The machine's half of the pipeline: plan, kernels, code, and code in this process. */
#ifndef HCC_DRIVER_NATIVE_H
#define HCC_DRIVER_NATIVE_H

#include "codegen/codegen.h"
#include "driver/driver.h"
#include "driver/gradcheck.h"
#include "pass/plan.h"
#include "sema/network.h"

/* A program as kernels with a plan; everything in the compilation's arena but the target. */
typedef struct {
    const Network *network;
    Plan *plan;
    NestKernel **kernels;
    CodegenTarget *target;
    Cache *cache; /* or NULL */
    const char *manifest;
    uint32_t element_size;
} NativeProgram;

/* `program` has its gradient. After success call native_free. */
ExitCode native_lower(Driver *d, const Network *network, TirProgram *program, bool f64,
                      NativeProgram *native);
void native_free(NativeProgram *native);
/* The whole model in a form; `wrapping` says the symbol, thunks and main (kernels, manifest and
 * element size are filled in here). */
ExitCode native_compile(Driver *d, const NativeProgram *native, CodegenModel wrapping,
                        CodegenForm form, CodegenResult *result);

/* What a plan says before anything is compiled, in bytes of f32 values. */
typedef struct {
    double workspace; /* between kernels, for a batch */
    double moved;     /* read and written by kernels and products at one position, a step */
    PlanReplays replays;
    const char *refused; /* or NULL */
} NativeCost;
/* False when the program cannot be planned: warns of why, which `refused` says. */
bool native_cost(Driver *d, TirProgram *program, PlanStep step, NativeCost *cost);

/* Whether the address sanitizer watches generated code: as asked, and always in a sanitized hcc. */
bool native_sanitized(const Driver *d);

/* Compiled and loaded into this process. */
typedef struct {
    Jit *jit;
    const HcModel *model;
} NativeModel;
ExitCode native_load(Driver *d, const Network *network, TirProgram *program, bool f64,
                     NativeModel *loaded);
void native_unload(NativeModel *loaded);

/* Stages fused, nests, llvm and asm of a program with its gradient. `network` may be NULL. */
ExitCode native_emit(Driver *d, const Network *network, TirProgram *program, const char *stage,
                     FILE *to);
/* Stages nests, llvm and asm of a kernel read from the argument's text. */
ExitCode native_emit_nest(Driver *d, const char *stage, FILE *to);

/* Compiled code in f64, for gradcheck. network->program has its gradient. */
ExitCode native_gradcheck_evaluator(Driver *d, const Network *network, uint32_t samples,
                                    uint32_t positions, uint64_t seed, GradEvaluator **evaluator);

#endif
