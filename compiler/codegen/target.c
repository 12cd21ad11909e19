/* The machine compiled for: features, vector width, LLVM's target machine.
 *
 * LLVM's name for the host can be wrong under a hypervisor, so the name only guides scheduling and
 * the features it reports decide. Names of CPUs are a table of our own: for each the features our
 * code may use, which the manifest lists and loading checks. */
#include "codegen/emit.h"
#include <stdlib.h>
#include <string.h>

#define V2 "sse3 ssse3 sse4.1 sse4.2 popcnt"
#define V3 V2 " avx avx2 bmi bmi2 f16c fma lzcnt movbe"
#define V4 V3 " avx512f avx512bw avx512cd avx512dq avx512vl"

static const struct {
    const char *name, *llvm, *features;
} target_cpus[] = {
    {"baseline", "x86-64", ""},
    {"x86-64", "x86-64", ""},
    {"x86-64-v2", "x86-64-v2", V2},
    {"x86-64-v3", "x86-64-v3", V3},
    {"x86-64-v4", "x86-64-v4", V4},
    {"haswell", "haswell", V3},
    {"skylake", "skylake", V3},
    {"znver2", "znver2", V3},
    {"znver3", "znver3", V3},
    {"skylake-avx512", "skylake-avx512", V4},
    {"icelake-server", "icelake-server", V4},
    {"sapphirerapids", "sapphirerapids", V4},
    {"znver4", "znver4", V4},
};
enum { N_CPUS = sizeof target_cpus / sizeof *target_cpus };

const char *const *codegen_cpu_names(uint32_t *count) {
    static const char *const names[] = {
        "native",         "baseline",       "x86-64",         "x86-64-v2", "x86-64-v3",
        "x86-64-v4",      "haswell",        "skylake",        "znver2",    "znver3",
        "skylake-avx512", "icelake-server", "sapphirerapids", "znver4"};
    _Static_assert(sizeof names / sizeof *names == N_CPUS + 1, "native and the table");
    *count = N_CPUS + 1;
    return names;
}

/* Is `name` one of the words of `list`? */
static bool target_lists(const char *list, const char *name, size_t length) {
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        if (n == length && memcmp(at, name, n) == 0)
            return true;
        at += n + strspn(at + n, " ");
    }
    return false;
}

static bool target_has(const CodegenTarget *target, const char *feature) {
    for (uint32_t k = 0; k < target->n_features; k++)
        if (strcmp(target->features[k], feature) == 0)
            return true;
    return false;
}

static void target_add_feature(CodegenTarget *target, const char *name, size_t length) {
    enum { MOST = 64 };
    if (!target->features)
        target->features = ARENA_ARRAY(target->arena, const char *, MOST);
    if (target->n_features < MOST)
        target->features[target->n_features++] = arena_copy_string(target->arena, name, length);
}

/* The host's own features among those our code may use. `list` is LLVM's "+sse2,-avx512f,...". */
static void target_host_features(CodegenTarget *target, const char *list) {
    while (*list) {
        size_t n = strcspn(list, ",");
        if (*list == '+' && target_lists(V4, list + 1, n - 1))
            target_add_feature(target, list + 1, n - 1);
        list += n + (list[n] == ',');
    }
}

static bool target_choose(CodegenTarget *target, const char **error) {
    if (strcmp(target->cpu, "native") == 0) {
        char *name = LLVMGetHostCPUName(), *list = LLVMGetHostCPUFeatures();
        target->llvm_cpu = arena_copy_string(target->arena, name, strlen(name));
        target->llvm_features = arena_copy_string(target->arena, list, strlen(list));
        target_host_features(target, list);
        LLVMDisposeMessage(name);
        LLVMDisposeMessage(list);
        return true;
    }
    for (uint32_t k = 0; k < N_CPUS; k++) {
        if (strcmp(target_cpus[k].name, target->cpu) != 0)
            continue;
        target->llvm_cpu = target_cpus[k].llvm;
        target->llvm_features = "";
        const char *at = target_cpus[k].features;
        while (*at) {
            size_t n = strcspn(at, " ");
            target_add_feature(target, at, n);
            at += n + strspn(at + n, " ");
        }
        return true;
    }
    uint32_t count;
    const char *const *names = codegen_cpu_names(&count);
    const char *list = names[0];
    for (uint32_t k = 1; k < count; k++)
        list = arena_printf(target->arena, "%s, %s", list, names[k]);
    *error = arena_printf(target->arena, "unknown processor `%s`; known are %s", target->cpu, list);
    return false;
}

LLVMTargetMachineRef codegen_target_machine(const CodegenTarget *target, const char **error) {
    char *message = NULL;
    LLVMTargetRef llvm;
    if (LLVMGetTargetFromTriple(target->triple, &llvm, &message)) {
        *error =
            arena_printf(target->arena, "no code generator for %s: %s", target->triple, message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    LLVMTargetMachineOptionsRef options = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(options, target->llvm_cpu);
    LLVMTargetMachineOptionsSetFeatures(options, target->llvm_features);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(
        options, target->opt_level == 0 ? LLVMCodeGenLevelNone : LLVMCodeGenLevelAggressive);
    LLVMTargetMachineOptionsSetRelocMode(options, LLVMRelocPIC);
    LLVMTargetMachineRef machine =
        LLVMCreateTargetMachineWithOptions(llvm, target->triple, options);
    LLVMDisposeTargetMachineOptions(options);
    if (!machine)
        *error = arena_printf(target->arena, "no target machine for %s", target->triple);
    return machine;
}

CodegenTarget *codegen_target_create(Arena *arena, const CodegenOptions *options,
                                     const char **error) {
    CodegenTarget *target = ARENA_NEW(arena, CodegenTarget);
    target->arena = arena;
    target->cpu = options->cpu ? options->cpu : "native";
    target->opt_level = options->opt_level;
    target->sanitize_address = options->sanitize_address;
    *error = NULL;
    if (LLVMInitializeNativeTarget() || LLVMInitializeNativeAsmPrinter()) {
        *error = "this LLVM has no code generator for this machine";
        return NULL;
    }
    target->triple = LLVMGetDefaultTargetTriple();
    if (target_choose(target, error))
        target->machine = codegen_target_machine(target, error);
    if (!target->machine) {
        codegen_target_destroy(target);
        return NULL;
    }
    target->x86 = strncmp(target->triple, "x86_64", 6) == 0;
    target->avx512 = target_has(target, "avx512f") && target_has(target, "avx512vl");
    target->fma = target_has(target, "fma") || strncmp(target->triple, "aarch64", 7) == 0;
    target->vector_bytes = target->avx512 ? 64 : target_has(target, "avx2") ? 32 : 16;
    if (options->vector_bytes == 16 || options->vector_bytes == 32 || options->vector_bytes == 64)
        target->vector_bytes = options->vector_bytes;
    return target;
}

void codegen_target_keep(CodegenTarget *target, Cache *cache) {
    target->identity = cache ? key_identity(target->arena, target) : NULL;
    target->cache = target->identity ? cache : NULL;
}

void codegen_target_destroy(CodegenTarget *target) {
    if (!target)
        return;
    if (target->machine)
        LLVMDisposeTargetMachine(target->machine);
    if (target->triple)
        LLVMDisposeMessage(target->triple);
    target->machine = NULL;
    target->triple = NULL;
}

const char *codegen_target_cpu(const CodegenTarget *target) {
    return target->llvm_cpu;
}

uint32_t codegen_target_vector_bytes(const CodegenTarget *target) {
    return target->vector_bytes;
}

uint32_t codegen_target_vector_registers(const CodegenTarget *target) {
    return target->x86 && !target->avx512 ? 16 : 32;
}

const char *const *codegen_target_features(const CodegenTarget *target, uint32_t *count) {
    *count = target->n_features;
    return target->features;
}

const char *codegen_host_lacks(const char *const *features, uint32_t count) {
    char *list = LLVMGetHostCPUFeatures();
    const char *lacking = NULL;
    for (uint32_t k = 0; k < count && !lacking; k++) {
        bool found = false;
        for (const char *at = list; *at && !found;) {
            size_t n = strcspn(at, ",");
            found = *at == '+' && strlen(features[k]) == n - 1 &&
                    memcmp(at + 1, features[k], n - 1) == 0;
            at += n + (at[n] == ',');
        }
        if (!found)
            lacking = features[k];
    }
    LLVMDisposeMessage(list);
    return lacking;
}
