/* Loop nests to machine code, through LLVM. Transliterates: every decision was made in the nest.
 *
 * Order of use: a target; codegen_compile for a whole model; then jit_load for this process, or
 * link_shared / link_executable for files. The same object bytes serve both. Errors are strings in
 * the given arena; nothing is printed, and LLVM's types stay inside. */
#ifndef HCC_CODEGEN_CODEGEN_H
#define HCC_CODEGEN_CODEGEN_H

#include "abi/abi.h"
#include "codegen/cache.h"
#include "nest/nest.h"

/* --- the machine compiled for ------------------------------------------------------------------*/

/* Who watches generated code; it is linked with it, too. Threads are watched where accesses are of
 * 16 bytes at most, so vectors are no longer. */
typedef enum { SANITIZER_NONE, SANITIZER_ADDRESS, SANITIZER_THREAD } CodegenSanitizer;

typedef struct {
    const char *triple;    /* NULL: this machine; else ARCHITECTURE-SYSTEM, as LLVM names them */
    const char *cpu;       /* "native", "baseline", or a name codegen_cpu_names knows; NULL: native,
                              or baseline where there is a triple */
    uint32_t vector_bytes; /* 0: the widest the machine has (16, 32 or 64) */
    int opt_level;         /* 0 or 3 */
    CodegenSanitizer sanitizer;
} CodegenOptions;

typedef struct CodegenTarget CodegenTarget;

/* NULL and *error (in `arena`) when the machine is unknown. */
CodegenTarget *codegen_target_create(Arena *arena, const CodegenOptions *options,
                                     const char **error);
void codegen_target_destroy(CodegenTarget *target); /* NULL is fine */
const char *codegen_target_cpu(const CodegenTarget *target);
bool codegen_target_foreign(const CodegenTarget *target); /* of another architecture than ours */
uint32_t codegen_target_vector_bytes(const CodegenTarget *target);
uint32_t codegen_target_vector_registers(const CodegenTarget *target);
/* What it multiplies and adds at once: f32, pairs of bf16, matrices of two by four, tiles. */
typedef struct {
    bool fma, dots, matrices, tiles;
} CodegenProducts;
CodegenProducts codegen_target_products(const CodegenTarget *target);
/* From now on objects for this target are looked up and kept there, by all that decides what is in
 * them: the kernels, the machine, the options, and this build of hcc and of LLVM. */
void codegen_target_keep(CodegenTarget *target, Cache *cache);
/* Names of the features the code needs, as the manifest lists them ("avx2", "avx512f", ...). */
const char *const *codegen_target_features(const CodegenTarget *target, uint32_t *count);
/* NULL, or the first of these features that this very machine lacks. */
const char *codegen_host_lacks(const char *const *features, uint32_t count);
const char *const *codegen_cpu_names(uint32_t *count);

/* "19.1.7", of the library that is loaded. */
const char *codegen_llvm_version(Arena *arena);

/* --- compiling ---------------------------------------------------------------------------------*/

/* A function of the object that stands for `callee` of the runtime. With the model it is
 * `NAME(ptr a0, ... ptr a(n-1))` and returns what `callee(const HcModel *, a0, ...)` does; without
 * it takes and returns whatever callee does, and jumps there. */
typedef struct {
    const char *name, *callee;
    bool with_model;
    uint32_t n_arguments; /* with the model */
} CodegenThunk;

/* A model whose kernels other models of the same library may run, and that may run theirs. */
typedef struct {
    const char *const *symbols; /* by kernel */
    const bool *elsewhere;      /* by kernel: another object defines it */
} CodegenShared;

typedef struct {
    const NestKernel *const *kernels; /* in the order of the manifest's "kernels" */
    uint32_t n_kernels;
    const char *manifest; /* JSON, carried inside */
    uint32_t element_size;
    const char *symbol; /* of the HcModel record, the one global of the object but for thunks, */
    const CodegenShared *shared; /* and for kernels that are; or NULL */
    const char *const *sites; /* records' symbols, its own among them: the programs of its sites */
    uint32_t n_sites;
    const CodegenThunk *thunks;
    uint32_t n_thunks;
    const SourceSet *sources; /* or NULL; else code carries the lines it comes from */
    const char *main_callee;  /* or NULL; else the object has a main(argc, argv) that returns
                                 int callee(const HcModel *, int argc, char **argv) */
    bool linked;              /* the object goes into a file that hcc links itself */
} CodegenModel;

typedef enum { CODEGEN_OBJECT, CODEGEN_LLVM, CODEGEN_ASM } CodegenForm;

typedef struct {
    const char *bytes; /* NUL-terminated beyond `length`, in the arena */
    size_t length;
    const char *error; /* NULL when all went well */
} CodegenResult;

CodegenResult codegen_compile(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                              CodegenForm form);

/* --- running in this process -------------------------------------------------------------------*/

typedef struct Jit Jit;

/* NULL and *error on failure. The record lives until jit_unload, or as long as the arena. */
Jit *jit_load(Arena *arena, const void *object, size_t length, const char *symbol,
              const HcModel **model, const char **error);
void jit_unload(Jit *jit); /* NULL is fine */
/* From now on jit_unload alone ends it: its arena may go before. */
void jit_disown(Jit *jit);
/* codegen_compile and jit_load in one, the kernels spread over `n_threads` threads (0: as many as
 * the machine has). What is loaded does not depend on their number. */
Jit *codegen_load(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                  uint32_t n_threads, const HcModel **loaded, const char **error);

/* --- linking with `cc` -------------------------------------------------------------------------*/

typedef struct {
    const char *const *objects; /* paths */
    uint32_t n_objects;
    const char *runtime;          /* static library, or NULL */
    const char *const *libraries; /* further arguments: -ljansson, ... */
    uint32_t n_libraries;
    const char *const
        *exports; /* shared only: patterns kept visible, "NAME_*"; the rest is local */
    uint32_t n_exports;
    const char *soname; /* shared only: by which programs ask for it; NULL: by its path */
    CodegenSanitizer sanitizer;
    const char *output;
} LinkJob;

/* The first of `names` that the static library defines; NULL: none, or it has no index. */
const char *codegen_archive_defines(Arena *arena, const char *path, const char *const *names,
                                    uint32_t n_names);
/* Whether hcc made this object, library or executable: a note in it says so. */
bool codegen_file_marked(const char *path);
/* NULL, or what went wrong. The output appears whole or not at all. */
const char *link_shared(Arena *arena, const LinkJob *job);
const char *link_executable(Arena *arena, const LinkJob *job);
/* Writes bytes to a file the same way. */
const char *codegen_write_file(Arena *arena, const char *path, const void *bytes, size_t length);

#endif
