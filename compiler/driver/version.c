#include "driver/version.h"
#include "codegen/codegen.h"
#include "machine/machine.h"

static void print_machine(Arena *arena, FILE *to) {
    const CodegenOptions native = {0};
    const char *error = NULL;
    CodegenTarget *target = codegen_target_create(arena, &native, &error);
    if (!target) {
        fprintf(to, "this machine: %s\n", error);
        return;
    }
    const Machine machine =
        machine_of(codegen_target_vector_bytes(target), codegen_target_vector_registers(target));
    fprintf(to, "this machine: %s\n", codegen_target_cpu(target));
    machine_print(&machine, "  ", to);
    codegen_target_destroy(target);
}

void version_print(bool verbose, Arena *arena, FILE *to) {
#ifdef __SANITIZE_ADDRESS__
    fprintf(to, "hcc %s, sanitized\n", HCC_VERSION);
#else
    fprintf(to, "hcc %s\n", HCC_VERSION);
#endif
    if (verbose)
        print_machine(arena, to);
}
