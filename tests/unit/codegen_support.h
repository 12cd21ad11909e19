/* What the tests of code generation share: kernels of one operation, compiling and loading, the
 * machines compiled for. */
#ifndef HCC_TESTS_CODEGEN_SUPPORT_H
#define HCC_TESTS_CODEGEN_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "nest_eval.h"
#include <stdio.h>

/* --- compile, load, run ------------------------------------------------------------------------*/

typedef struct {
    Compilation *c;
    CodegenTarget *target;
    Jit *jit;
    const HcModel *model;
} Loaded;

static inline Loaded load(Compilation *c, const CodegenOptions *options,
                          const NestKernel *const *kernels, uint32_t n) {
    Loaded l = {.c = c};
    const char *error = NULL;
    for (uint32_t k = 0; k < n; k++) {
        const char *wrong = nest_verify(kernels[k]);
        if (wrong)
            fail_msg("%s", wrong);
    }
    l.target = codegen_target_create(c->arena, options, &error);
    if (!l.target)
        fail_msg("%s", error);
    CodegenModel model = {.kernels = kernels,
                          .n_kernels = n,
                          .manifest = "{\"format\": 1}",
                          .element_size = 4,
                          .symbol = "test_model"};
    CodegenResult object = codegen_compile(c->arena, l.target, &model, CODEGEN_OBJECT);
    if (object.error)
        fail_msg("%s", object.error);
    l.jit = jit_load(c->arena, object.bytes, object.length, "test_model", &l.model, &error);
    if (!l.jit)
        fail_msg("%s", error);
    return l;
}

static inline void unload(Loaded *l) {
    jit_unload(l->jit);
    codegen_target_destroy(l->target);
}

static inline bool host_runs(const char *cpu) {
    static const char *const v3[] = {"avx2", "fma"};
    return strcmp(cpu, "x86-64-v3") != 0 || !codegen_host_lacks(v3, 2);
}

/* Everything a test runs on. */
static const CodegenOptions machines[] = {
    {.cpu = "native", .opt_level = 3},    {.cpu = "native", .opt_level = 0},
    {.cpu = "x86-64-v3", .opt_level = 3}, {.cpu = "baseline", .opt_level = 3},
    {.cpu = "baseline", .opt_level = 0},
};
enum { N_MACHINES = sizeof machines / sizeof *machines };

static inline uint64_t random_next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *state >> 33;
    return x ^ (*state >> 61);
}

/* --- one operation over arrays -----------------------------------------------------------------*/

/* z[i] = op(x[i], y[i]) for all instances, `lanes` at a time with a ragged end. */
static inline NestKernel *map_kernel(Arena *arena, NestOp op, NestElem elem, uint16_t lanes,
                                     int operands) {
    NestKernel *kernel = nest_kernel_create(arena, "map");
    NestBuffer in = {.name = "x", .elem = elem, .read = true};
    NestBuffer out = {.name = "z", .elem = elem, .written = true};
    nest_add_buffer(kernel, in);
    nest_add_buffer(kernel, in);
    nest_add_buffer(kernel, out);
    NestBuilder b = nest_builder(kernel);
    NestId n = nest_extent(&b, NEST_INSTANCES);
    NestLoop *loop = nest_loop_begin(&b, NEST_VECTOR, nest_i64(&b, 0), n, lanes, 0, NULL);
    NestAddress at = nest_at_plus(nest_at(0), loop->variable, 1);
    NestId left = nest_binary(&b, NEST_SUB, n, loop->variable);
    NestId x = nest_load(&b, 0, at, lanes, 1, left);
    NestId z = operands == 1 ? nest_unary(&b, op, x)
                             : nest_binary(&b, op, x, nest_load(&b, 1, at, lanes, 1, left));
    nest_store(&b, 2, at, z, left, false);
    nest_loop_end(&b, NULL);
    return kernel;
}

#endif
