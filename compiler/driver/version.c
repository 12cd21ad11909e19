#include "driver/version.h"
#include "abi/abi.h"
#include "commit.h"
#include "compile/compile.h"
#include "runtime/run/blas.h"

static void print_features(const CodegenTarget *target, FILE *to) {
    uint32_t count;
    const char *const *features = codegen_target_features(target, &count);
    fputs("  features    ", to);
    for (uint32_t k = 0; k < count; k++)
        fprintf(to, " %s", features[k]);
    fputc('\n', to);
}

static void print_machine(Arena *arena, FILE *to) {
    const CodegenOptions native = {0};
    const char *error = NULL;
    CodegenTarget *target = codegen_target_create(arena, &native, &error);
    if (!target) {
        fprintf(to, "this machine: %s\n", error);
        return;
    }
    const Machine machine = compile_machine(target);
    fprintf(to, "this machine: %s\n", codegen_target_cpu(target));
    print_features(target, to);
    machine_print(&machine, "  ", to);
    codegen_target_destroy(target);
}

/* What it was built from and runs with. */
static void print_parts(Arena *arena, FILE *to) {
    char blas[256];
    hc_blas_say(blas, sizeof blas);
    if (*HCC_COMMIT)
        fprintf(to, "commit: %s\n", HCC_COMMIT);
    fprintf(to, "models: ABI %d, manifest format %d\nLLVM: %s\nBLAS: %s\n", HC_ABI_VERSION,
            HC_MANIFEST_FORMAT, codegen_llvm_version(arena), blas);
}

void version_print(bool verbose, Arena *arena, FILE *to) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fprintf(to, "hcc %s, sanitized\n", HCC_VERSION);
#else
    fprintf(to, "hcc %s\n", HCC_VERSION);
#endif
    if (!verbose)
        return;
    print_parts(arena, to);
    print_machine(arena, to);
}
