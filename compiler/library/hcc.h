/* The compiler in a library: `.hc` text in, a model that runs in this process out. libhcc holds
 * this and the runtime (runtime/hc.h), and needs nothing of `hcc` itself.
 *
 *   HccOptions options = {.size = sizeof options};
 *   HccModule *module = hcc_compile_file("gpt.hc", &options);
 *   if (hcc_status(module) != HCC_OK) { ... hcc_report(module) ... }
 *   hc_create(hcc_model(module), NULL, &context, &error);
 *   ...
 *   hc_destroy(context);
 *   hcc_free(module);
 *
 * Nothing here exits, prints, installs signal handlers or keeps global state. Any number of threads
 * may compile at once, and any number of modules may be there; a module is only read once it has
 * been made, by as many threads as like.
 *
 * This header compiles as C99, C11 and C++. */
#ifndef HCC_HCC_H
#define HCC_HCC_H

#include "runtime/hc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What came of a compilation; the values are the exit codes of `hcc`. */
typedef enum {
    HCC_OK = 0,
    HCC_ERROR_TEXT = 1,     /* the text is wrong, or holds no model: see the diagnostics */
    HCC_ERROR_ARGUMENT = 2, /* an option is wrong, or a file cannot be read */
    HCC_ERROR_MEMORY = 6,   /* memory ran out, or a step takes more than `memory` */
    HCC_FAULT = 70          /* the compiler is wrong */
} HccStatus;

/* Zero but for what is set, and `size`, by which an older caller is known. */
typedef struct {
    uint32_t size;          /* sizeof(HccOptions) */
    int32_t no_cache;       /* 1: compile everything, and keep nothing for the next time; 0: code is
                               kept in a folder of the user's as `hcc` keeps it (HCC_CACHE_DIR) */
    const char *model;      /* of a text with several; NULL: its only one */
    const char *const *set; /* "key=value", as --set takes them: constants, recipe values */
    uint64_t n_set;
    const char *precision; /* "f32", "bf16", "bf16_streams", "f64"; NULL: the recipe's, or f32 */
    const char *cpu;       /* "native" (NULL), "baseline", or a processor's name as LLVM has it */
    uint64_t memory;       /* the most bytes that a training step may take; 0: no bound */
    /* A program that is part of the caller's, in the place of a model with a loss, as `hcc build`
     * takes it (docs/commands.md): it gives `results`, of what is `given`; or it is a `part` of the
     * connection of a `site`. */
    const char *const *results; /* names of values */
    uint64_t n_results;
    const char *const *given; /* names of values that the caller gives, not their makers */
    uint64_t n_given;
    const char *part;      /* begin, read, write, turn, end; NULL: by names */
    const char *site;      /* its path, or its number from 0; NULL: the first one */
    int32_t streams_apart; /* 1: every stream is an input, or a result, of its own: NAME.0, ... */
    int32_t beside; /* 1: the gradients that states get by other ways are given, too, and added */
    int32_t maps;   /* 1: a program of the model's maps alone, for hcc_maps */
    /* A connection as a trunk says it, "mhc(n = 4)", of the library or of the text (which may be
     * ""): the text is then that of a model around it, whose constants are `d`, `sites`, `blocks`
     * and `most` (positions), as `hcc build --connection` has it. NULL: the text's own model. */
    const char *connection;
} HccOptions;

/* A compilation, whatever came of it. */
typedef struct HccModule HccModule;

/* Compiles `length` bytes; `name` is what diagnostics call them ("<text>" where it is NULL).
 * `options` may be NULL. Nothing of the arguments is needed afterwards. NULL where there is no
 * memory for a module at all: hcc_status says so of NULL. */
HccModule *hcc_compile_text(const char *text, uint64_t length, const char *name,
                            const HccOptions *options);
HccModule *hcc_compile_file(const char *path, const HccOptions *options);
/* NULL is fine. No context of the model may be there any more. */
void hcc_free(HccModule *module);

/* What follows is owned by the module, and NULL or "" where there is none. */

HccStatus hcc_status(const HccModule *module);
/* Everything that is to be said, errors and warnings, as `hcc check` prints it: lines of UTF-8. */
const char *hcc_report(const HccModule *module);
/* Errors and warnings about the text, in the order of their places:
 *   [{"severity": "error", "code": "E0207", "message": "...", "file": "gpt.hc", "line": 3,
 *     "column": 8, "end_line": 3, "end_column": 9, "begin": 60, "end": 61,
 *     "notes": [{"message": "...", "file": ...}], "help": ["..."]}]
 * `file` is null, and there is no line, where something has no place. Columns count characters from
 * 1, begin and end bytes from 0. What is not about the text is in hcc_message alone. */
const char *hcc_diagnostics(const HccModule *module);
/* In one line, what is wrong besides: with an option, a file, memory, the compiler. */
const char *hcc_message(const HccModule *module);
/* The model, for hc_create; NULL unless the status is HCC_OK. It lives as long as the module. */
const HcModel *hcc_model(const HccModule *module);
/* Its name in the text, and its manifest as JSON (docs/manifest.md). */
const char *hcc_model_name(const HccModule *module);
const char *hcc_manifest(const HccModule *module);

/* What the sites of a run's model do with their streams: the text that `hcc inspect RUN --maps
 * --json` prints (docs/maps.md), over `batches` batches (0: 8) of the data that the run names. The
 * module was compiled with `maps`. *json is to be released with hcc_free_text; after a failure it
 * is NULL, and *error (which may be NULL) says why. */
HcStatus hcc_maps(const HccModule *module, const char *run, uint64_t batches, char **json,
                  HcError *error);
void hcc_free_text(char *text); /* NULL is fine */

/* "0.1.0" */
const char *hcc_version(void);

#ifdef __cplusplus
}
#endif
#endif
