/* What an object is kept under: a hash of the text of everything that decides what is in it.
 *
 * Which compiler made it is part of that, and "which" is exact: the build ids of hcc, LLVM and the
 * C library. Of other libraries nothing is asked, as a program that has hcc within may have
 * loaded any number of them, in any order. */
#include "base/text_stream.h"
#include "codegen/emit.h"
#include <link.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- who compiles ------------------------------------------------------------------------------*/

typedef struct {
    FILE *to;
    uintptr_t within[4]; /* addresses in the objects that are asked */
    bool known;          /* so far */
} Identity;

/* The build id in a segment of notes. */
static bool identity_print_note(FILE *to, const char *at, size_t length) {
    ElfW(Nhdr) note;
    while (length >= sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name = (note.n_namesz + 3u) & ~3u,
               whole = sizeof note + name + ((note.n_descsz + 3u) & ~3u);
        if (whole > length)
            return false;
        const unsigned char *id = (const unsigned char *)at + sizeof note + name;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(at + sizeof note, "GNU", 4) == 0) {
            for (uint32_t k = 0; k < note.n_descsz; k++)
                fprintf(to, "%02x", id[k]);
            return true;
        }
        at += whole;
        length -= whole;
    }
    return false;
}

static bool identity_asks(const Identity *identity, const struct dl_phdr_info *object) {
    for (int k = 0; k < object->dlpi_phnum; k++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[k];
        const uintptr_t at = object->dlpi_addr + segment->p_vaddr;
        for (size_t i = 0; segment->p_type == PT_LOAD && i < 4; i++)
            if (identity->within[i] - at < segment->p_memsz)
                return true;
    }
    return false;
}

static int identity_print_object(struct dl_phdr_info *object, size_t size, void *context) {
    Identity *identity = context;
    (void)size;
    if (!identity_asks(identity, object))
        return 0;
    bool found = false;
    for (int k = 0; k < object->dlpi_phnum && !found; k++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[k];
        const uintptr_t at = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_NOTE)
            found = identity_print_note(identity->to, (const char *)at, segment->p_memsz);
    }
    struct stat status;
    if (!found) { /* linked without one: the file as it lies there */
        const char *path = *object->dlpi_name ? object->dlpi_name : "/proc/self/exe";
        if (stat(path, &status) != 0)
            identity->known = false;
        else
            fprintf(identity->to, "%llu.%llu.%lld.%lld.%ld", (unsigned long long)status.st_dev,
                    (unsigned long long)status.st_ino, (long long)status.st_size,
                    (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    fputc('\n', identity->to);
    return 0;
}

/* What decides about code besides the kernels; NULL when this process cannot tell what it is. */
static const char *key_identity(Arena *arena, const CodegenTarget *target) {
    TextStream *text = text_stream_open(arena);
    Identity identity = {text->to,
                         {(uintptr_t)codegen_target_keep, (uintptr_t)LLVMCreateBuilder,
                          (uintptr_t)pow, (uintptr_t)strtod},
                         true};
    dl_iterate_phdr(identity_print_object, &identity);
    fprintf(identity.to, "llvm %s\ntarget %s %s %s\nvectors %u fma %d avx512 %d\nO%d %s\n",
            LLVM_VERSION_STRING, target->triple, target->llvm_cpu, target->llvm_features,
            target->vector_bytes, target->fma, target->avx512, target->opt_level,
            codegen_pipeline(target));
    text_stream_close(text);
    const char *copy = identity.known ? arena_copy_string(arena, text->text, text->length) : NULL;
    text_stream_free(text);
    return copy;
}

void codegen_target_keep(CodegenTarget *target, Cache *cache) {
    target->identity = cache ? key_identity(target->arena, target) : NULL;
    target->cache = target->identity ? cache : NULL;
}

/* --- what is compiled --------------------------------------------------------------------------*/

static bool key_applies(const CodegenTarget *target, const CodegenModel *model) {
    return target->cache && !model->sources;
}

static TextStream *key_open(Arena *arena, const CodegenTarget *target) {
    TextStream *key = text_stream_open(arena);
    fputs(target->identity, key->to);
    return key;
}

static WideHash key_close(TextStream *key) {
    text_stream_close(key);
    WideHash hash = hash_bytes_wide(key->text, key->length);
    text_stream_free(key);
    return hash;
}

bool key_kernel(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                const NestKernel *kernel, WideHash *hash) {
    if (!key_applies(target, model))
        return false;
    TextStream *key = key_open(arena, target);
    nest_print_nameless(kernel, arena, key->to);
    *hash = key_close(key);
    return true;
}

/* A word or nothing, so that it cannot run into what follows. */
static void key_put(FILE *to, const char *text) {
    if (text)
        fprintf(to, "%zu %s\n", strlen(text), text);
    else
        fputs("none\n", to);
}

bool key_model(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
               WideHash *hash) {
    if (!key_applies(target, model))
        return false;
    TextStream *key = key_open(arena, target);
    key_put(key->to, model->symbol);
    key_put(key->to, model->manifest);
    key_put(key->to, model->main_callee);
    fprintf(key->to, "%u %u %u %d\n", model->element_size, model->n_thunks, HC_ABI_VERSION,
            model->linked);
    for (uint32_t k = 0; k < model->n_thunks; k++) {
        key_put(key->to, model->thunks[k].name);
        key_put(key->to, model->thunks[k].callee);
        fprintf(key->to, "%d %u\n", model->thunks[k].with_model, model->thunks[k].n_arguments);
    }
    for (uint32_t k = 0; k < model->n_sites; k++)
        key_put(key->to, model->sites[k]);
    for (uint32_t k = 0; k < model->n_kernels; k++) {
        nest_print(model->kernels[k], key->to); /* names become symbols */
        if (model->shared)
            fprintf(key->to, "%s %d\n", model->shared->symbols[k], model->shared->elsewhere[k]);
    }
    *hash = key_close(key);
    return true;
}
