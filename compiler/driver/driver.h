/* The driver: the only part of the compiler that reads files, prints and decides exit codes. */
#ifndef HCC_DRIVER_DRIVER_H
#define HCC_DRIVER_DRIVER_H

#include "base/compilation.h"
#include "base/json_text.h"
#include "driver/options.h"
#include <jansson.h>

typedef struct {
    const char *name;
    double seconds;
} PassTime;

/* Where `out` and `err` go in truth while what is printed is held back, and that. */
typedef struct {
    FILE *out, *err; /* NULL: it is not */
    char *text[2];
    size_t size[2];
} Held;

struct Cache;
typedef struct Driver {
    Options options;
    Compilation *c;
    FILE *out, *err;
    Held held;
    bool color; /* on `err` */
    VEC(PassTime) times;
    struct Cache *cache;    /* of the run at hand; or NULL */
    struct UsedFiles *used; /* that the command's text uses; NULL: not asked for yet */
    const char *cache_use;  /* what came of the compile cache; NULL: nothing was compiled */
    jmp_buf *fault;         /* where a fault of a pass jumps to, after its message */
} Driver;

/* Runs the command line. Everything a test wants to look at goes to `out` and `err`. */
int driver_main(int argc, const char *const *argv, FILE *out, FILE *err);

/* --- files.c -----------------------------------------------------------------------------------*/

/* Adds the file (or stdin for "-") to the sources; says what is wrong and returns its exit code. */
ExitCode driver_read_source(Driver *d, const char *path, uint32_t *file);
/* Appends a word to the command in `to`, a space before it, as a shell reads it; what does not fit
 * is cut off. */
void driver_quote(char *to, size_t size, const char *word);
/* The folder the executable lies in, in the arena; NULL when it cannot be told. */
const char *driver_program_folder(Driver *d);

/* --- hold.c ------------------------------------------------------------------------------------*/

/* Holds back what is printed from now on; false: there is no memory for it. */
bool driver_hold(Driver *d);
/* What was held back of messages, else of results; "": nothing is. */
const char *driver_held(const Driver *d);
/* From now on all is printed again; what was held back too, or never. Nothing held back is fine. */
void driver_release(Driver *d, bool say);

/* --- fault.c -----------------------------------------------------------------------------------*/

/* A fault of the compiler itself: says where, and the command that reproduces it. Returns
 * EXIT_FAULT. `what` may be NULL. */
ExitCode driver_fault(Driver *d, const char *pass, const char *what);
/* Programs report broken rules of ops to the driver from now on. */
struct TirProgram;
void driver_watch(Driver *d, struct TirProgram *program);
/* Crashes (an abort, a bad access) print the same and end the process with EXIT_FAULT. */
void fault_handlers_install(const Driver *d);
/* What is being done, for the message of a crash: a pass's or command's name. */
void fault_handlers_note(const char *what);

/* --- report.c ----------------------------------------------------------------------------------*/

/* Prints the diagnostics so far (text to err; with --json as one array to out). Returns
 * EXIT_SPEC when there are errors. */
ExitCode driver_report(Driver *d);
void driver_error(Driver *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what the runtime complained about; EXIT_OK where it did not. */
ExitCode driver_failed(Driver *d, HcStatus status, const HcError *error);
/* Takes the reference; NULL: there was no memory for it. */
ExitCode driver_print_json(Driver *d, json_t *value);

/* --- commands, one file each -------------------------------------------------------------------*/

ExitCode command_check(Driver *d);
ExitCode command_info(Driver *d);
ExitCode command_inspect(Driver *d);
ExitCode command_show(Driver *d);
ExitCode command_emit(Driver *d);
ExitCode command_gradcheck(Driver *d);
ExitCode command_train(Driver *d);
ExitCode command_eval(Driver *d);
ExitCode command_predict(Driver *d);
ExitCode command_sample(Driver *d);
ExitCode command_tokenize(Driver *d);
ExitCode command_bench(Driver *d);
ExitCode command_log(Driver *d);
ExitCode command_compare(Driver *d);
ExitCode command_sweep(Driver *d);
ExitCode command_graph(Driver *d);
ExitCode command_report(Driver *d);
ExitCode command_build(Driver *d);
ExitCode command_export(Driver *d);
ExitCode command_import(Driver *d);
ExitCode command_explain(Driver *d);

#endif
