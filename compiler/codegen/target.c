/* The machine compiled for: features, vector width, LLVM's target machine.
 *
 * LLVM's name for the host can be wrong under a hypervisor, so the name only guides scheduling and
 * the features it reports decide. Names of CPUs are a table of our own: for each the features our
 * code may use, which the manifest lists and loading checks. */
#include "abi/arm.h"
#include "abi/tiles.h"
#include "codegen/emit.h"
#include <stdlib.h>
#include <string.h>

#define V2 "sse3 ssse3 sse4.1 sse4.2 popcnt"
#define V3 V2 " avx avx2 bmi bmi2 f16c fma lzcnt movbe"
#define V4 V3 " avx512f avx512bw avx512cd avx512dq avx512vl"
#define BF16 " avx512bf16"
#define TILES " amx-tile amx-bf16"

/* By name: the architecture, LLVM's name, the features. */
#define TARGET_CPUS(CPU)                                                                           \
    CPU("x86-64", "x86_64", "x86-64", "")                                                          \
    CPU("x86-64-v2", "x86_64", "x86-64-v2", V2)                                                    \
    CPU("x86-64-v3", "x86_64", "x86-64-v3", V3)                                                    \
    CPU("x86-64-v4", "x86_64", "x86-64-v4", V4)                                                    \
    CPU("haswell", "x86_64", "haswell", V3)                                                        \
    CPU("skylake", "x86_64", "skylake", V3)                                                        \
    CPU("znver2", "x86_64", "znver2", V3)                                                          \
    CPU("znver3", "x86_64", "znver3", V3)                                                          \
    CPU("skylake-avx512", "x86_64", "skylake-avx512", V4)                                          \
    CPU("icelake-server", "x86_64", "icelake-server", V4)                                          \
    CPU("sapphirerapids", "x86_64", "sapphirerapids", V4 BF16 TILES)                               \
    CPU("znver4", "x86_64", "znver4", V4 BF16)                                                     \
    CPU("cortex-a72", "aarch64", "cortex-a72", "neon")                                             \
    CPU("cortex-a76", "aarch64", "cortex-a76", "neon")                                             \
    CPU("neoverse-n1", "aarch64", "neoverse-n1", "neon")                                           \
    CPU("neoverse-v1", "aarch64", "neoverse-v1", "neon sve bf16")

static const struct {
    const char *name, *architecture, *llvm, *features;
} target_cpus[] = {
#define CPU(name, architecture, llvm, features) {name, architecture, llvm, features},
    TARGET_CPUS(CPU)
#undef CPU
};
enum { N_CPUS = sizeof target_cpus / sizeof *target_cpus };

const char *const *codegen_cpu_names(uint32_t *count) {
#define CPU(name, architecture, llvm, features) name,
    static const char *const names[] = {"native", "baseline", TARGET_CPUS(CPU)};
#undef CPU
    *count = sizeof names / sizeof *names;
    return names;
}

/* "x86_64", "aarch64": the first word of a triple, or its other name. */
static bool target_is(const CodegenTarget *target, const char *architecture) {
    const char *own = strncmp(target->triple, "arm64-", 6) == 0   ? "aarch64-"
                      : strncmp(target->triple, "amd64-", 6) == 0 ? "x86_64-"
                                                                  : target->triple;
    size_t length = strlen(architecture);
    return strncmp(own, architecture, length) == 0 && (own[length] == '-' || own[length] == 0);
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

/* LLVM does not ask an AArch64 host for bf16. */
static bool target_host_has_bf16(void) {
#if defined __linux__ && defined __aarch64__
    return hc_arm_has("bf16");
#else
    return false;
#endif
}

/* The host's own features among those our code may use. `list` is LLVM's "+sse2,-avx512f,...". */
static void target_host_features(CodegenTarget *target, const char *list) {
    while (*list) {
        size_t n = strcspn(list, ",");
        if (*list == '+' && target_lists(V4 BF16 TILES, list + 1, n - 1))
            target_add_feature(target, list + 1, n - 1);
        list += n + (list[n] == ',');
    }
}

static void target_list_features(CodegenTarget *target, const char *list) {
    while (*list) {
        size_t n = strcspn(list, " ");
        target_add_feature(target, list, n);
        list += n + strspn(list + n, " ");
    }
}

/* LLVM's text in the arena; it gives none where there is no memory for it. */
static char *target_text(Arena *arena, char *text) {
    if (!text)
        arena_exhausted(arena);
    char *copy = arena_copy_string(arena, text, strlen(text));
    LLVMDisposeMessage(text);
    return copy;
}

static bool target_choose(CodegenTarget *target, const char **error) {
    target->llvm_features = "";
    if (strcmp(target->cpu, "native") == 0) {
        if (target->foreign) {
            *error = arena_printf(target->arena, "`native` is this machine, not %s; try `baseline`",
                                  target->triple);
            return false;
        }
        target->llvm_cpu = target_text(target->arena, LLVMGetHostCPUName());
        target->llvm_features = target_text(target->arena, LLVMGetHostCPUFeatures());
        target_host_features(target, target->llvm_features);
        if (target_host_has_bf16()) {
            target->llvm_features = arena_printf(target->arena, "%s,+bf16", target->llvm_features);
            target_list_features(target, "bf16");
        }
        target->tiles_denied = !hc_tiles_ask();
        return true;
    }
    if (strcmp(target->cpu, "baseline") == 0) {
        bool x86 = target_is(target, "x86_64"), arm = target_is(target, "aarch64");
        target->llvm_cpu = x86 ? "x86-64" : arm ? "generic" : "";
        target_list_features(target, arm ? "neon" : "");
        return true;
    }
    const char *list = target->foreign ? "baseline" : "native, baseline";
    for (uint32_t k = 0; k < N_CPUS; k++) {
        if (!target_is(target, target_cpus[k].architecture))
            continue;
        list = arena_printf(target->arena, "%s, %s", list, target_cpus[k].name);
        if (strcmp(target_cpus[k].name, target->cpu) != 0)
            continue;
        target->llvm_cpu = target_cpus[k].llvm;
        target_list_features(target, target_cpus[k].features);
        return true;
    }
    *error = arena_printf(target->arena, "unknown processor `%s`; known for %s are %s", target->cpu,
                          target->triple, list);
    return false;
}

/* What stands behind a triple's architecture and vendor: the system, and whose libraries. */
static const char *target_system(const char *triple) {
    for (int k = 0; k < 2; k++) {
        triple += strcspn(triple, "-");
        triple += *triple == '-';
    }
    return triple;
}

/* The triple asked for, in LLVM's spelling; this machine's when none was. False when it is of
 * another architecture or system than this machine. */
static bool target_place(CodegenTarget *target, const char *asked) {
    target->triple = target_text(target->arena, LLVMGetDefaultTargetTriple());
    if (!asked)
        return true;
    const char *own = target->triple;
    target->triple = target_text(target->arena, LLVMNormalizeTargetTriple(asked));
    char *architecture = arena_copy_string(target->arena, own, strcspn(own, "-"));
    const bool here = target_is(target, architecture) &&
                      strcmp(target_system(own), target_system(target->triple)) == 0;
    return here;
}

/* What we generate takes addresses for 64-bit integers, least byte first, and so does the runtime.
 */
static bool target_fits(CodegenTarget *target, const char **error) {
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(target->machine);
    bool fits = LLVMPointerSize(layout) == 8 && LLVMByteOrder(layout) == LLVMLittleEndian;
    LLVMDisposeTargetData(layout);
    if (!fits)
        *error = arena_printf(target->arena,
                              "%s has no 64-bit little-endian addresses, which models need",
                              target->triple);
    return fits;
}

LLVMTargetMachineRef codegen_target_machine(const CodegenTarget *target, const char **error) {
    char *message = NULL;
    LLVMTargetRef llvm;
    if (LLVMGetTargetFromTriple(target->triple, &llvm, &message)) {
        *error =
            arena_printf(target->arena, "this LLVM has no code generator for %s", target->triple);
        LLVMDisposeMessage(message);
        return NULL;
    }
    LLVMTargetMachineOptionsRef options = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(options, target->llvm_cpu);
    LLVMTargetMachineOptionsSetFeatures(options, target->llvm_features);
    /* A check before every access makes so many blocks that allocating registers well takes
     * minutes: whoever asks for the sanitizer asks for answers, not for speed. */
    const bool quick = target->opt_level == 0 || target->sanitizer;
    LLVMTargetMachineOptionsSetCodeGenOptLevel(options, quick ? LLVMCodeGenLevelNone
                                                              : LLVMCodeGenLevelAggressive);
    LLVMTargetMachineOptionsSetRelocMode(options, LLVMRelocPIC);
    LLVMTargetMachineRef machine =
        LLVMCreateTargetMachineWithOptions(llvm, target->triple, options);
    LLVMDisposeTargetMachineOptions(options);
    if (!machine)
        *error = arena_printf(target->arena, "no target machine for %s", target->triple);
    return machine;
}

/* Nests come as SSA with their loops and vectors decided, so what pays is little: redundant loads
 * and arithmetic, what can leave a loop, dead code. What leaves loops does so before addresses are
 * taken apart, or each gets a pointer of its own outside that has to be kept. A fifth of the time
 * of LLVM's own O3 for the same code. */
const char *codegen_pipeline(const CodegenTarget *target) {
    static const char *const plain[] = {
        [SANITIZER_NONE] = "default<O0>",
        [SANITIZER_ADDRESS] = "default<O0>,asan",
        [SANITIZER_THREAD] = "default<O0>,tsan-module,function(tsan)",
    };
    /* Loops that passes make a memset of would call a function that not every libtsan has. */
    if (target->opt_level == 0 || target->sanitizer == SANITIZER_THREAD)
        return plain[target->sanitizer];
    if (target->sanitizer == SANITIZER_ADDRESS)
        return "default<O1>,asan";
    return "function(early-cse<memssa>,simplifycfg,loop-mssa(licm<allowspeculation>),"
           "instcombine<no-verify-fixpoint>,early-cse<memssa>,dse,adce,simplifycfg)";
}

CodegenTarget *codegen_target_create(Arena *arena, const CodegenOptions *options,
                                     const char **error) {
    CodegenTarget *target = ARENA_NEW(arena, CodegenTarget);
    target->arena = arena;
    target->opt_level = options->opt_level;
    target->sanitizer = options->sanitizer;
    *error = NULL;
    if (options->triple) {
        LLVMInitializeAllTargetInfos();
        LLVMInitializeAllTargets();
        LLVMInitializeAllTargetMCs();
        LLVMInitializeAllAsmPrinters();
    } else if (LLVMInitializeNativeTarget() || LLVMInitializeNativeAsmPrinter()) {
        *error = "this LLVM has no code generator for this machine";
        return NULL;
    }
    target->foreign = !target_place(target, options->triple);
    target->cpu = options->cpu ? options->cpu : options->triple ? "baseline" : "native";
    if (target_choose(target, error))
        target->machine = codegen_target_machine(target, error);
    if (!target->machine || !target_fits(target, error)) {
        codegen_target_destroy(target);
        return NULL;
    }
    target->x86 = target_is(target, "x86_64");
    target->avx512 = target_has(target, "avx512f") && target_has(target, "avx512vl");
    target->dot_bf16 = target->avx512 && target_has(target, "avx512bf16");
    target->tiles =
        !target->tiles_denied && target_has(target, "amx-tile") && target_has(target, "amx-bf16");
    target->matrix_bf16 = target_is(target, "aarch64") && target_has(target, "bf16");
    target->fma = target_has(target, "fma") || target_is(target, "aarch64");
    target->vector_bytes = target->avx512 ? 64 : target_has(target, "avx2") ? 32 : 16;
    if (options->vector_bytes == 16 || options->vector_bytes == 32 || options->vector_bytes == 64)
        target->vector_bytes = options->vector_bytes;
    if (target->sanitizer == SANITIZER_THREAD)
        target->vector_bytes = 16;
    return target;
}

void codegen_target_destroy(CodegenTarget *target) {
    if (!target)
        return;
    if (target->machine)
        LLVMDisposeTargetMachine(target->machine);
    target->machine = NULL;
    target->triple = NULL;
}

bool codegen_target_foreign(const CodegenTarget *target) {
    return target->foreign;
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

CodegenProducts codegen_target_products(const CodegenTarget *target) {
    return (CodegenProducts){.fma = target->fma,
                             .dots = target->dot_bf16,
                             .matrices = target->matrix_bf16,
                             .tiles = target->tiles};
}

const char *const *codegen_target_features(const CodegenTarget *target, uint32_t *count) {
    *count = target->n_features;
    return target->features;
}

const char *codegen_host_lacks(const char *const *features, uint32_t count) {
    char *list = LLVMGetHostCPUFeatures();
    const char *lacking = NULL;
    for (uint32_t k = 0; k < count && !lacking; k++) {
        bool found = strcmp(features[k], "bf16") == 0 && target_host_has_bf16();
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

const char *codegen_llvm_version(Arena *arena) {
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    return arena_printf(arena, "%u.%u.%u", major, minor, patch);
}
