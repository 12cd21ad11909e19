#include "driver/explain_code.h"
#include "machine/limits.h"
#include <string.h>

enum { LINES = 4 }; /* of a kernel, told */

typedef struct {
    uint32_t file, line, count;
} LineCode;
typedef VEC(LineCode) LineCodeVec;

static void line_add(const CompileRun *run, LineCodeVec *lines, Span span) {
    if (!span.file)
        return;
    const uint32_t line = source_line_column(run->c->sources, span.file, span.begin).line;
    for (uint32_t k = 0; k < lines->count; k++)
        if (lines->at[k].file == span.file && lines->at[k].line == line) {
            lines->at[k].count++;
            return;
        }
    vec_push(run->c->arena, lines, ((LineCode){span.file, line, 1}));
}

/* The line with the most; its count is taken away. */
static LineCode line_take(LineCodeVec *lines) {
    LineCode none = {0}, *most = &none;
    for (uint32_t k = 0; k < lines->count; k++)
        most = lines->at[k].count > most->count ? &lines->at[k] : most;
    const LineCode taken = *most;
    most->count = 0;
    return taken;
}

static void explain_kernel(const CompileRun *run, const NestKernel *kernel, FILE *to) {
    LineCodeVec lines = {0};
    for (uint32_t k = 1; k < kernel->instructions.count; k++)
        line_add(run, &lines, kernel->instructions.at[k].span);
    fprintf(to, "  %s: %u instructions\n", kernel->name, kernel->instructions.count);
    for (uint32_t k = 0; k < LINES; k++) {
        const LineCode line = line_take(&lines);
        if (line.count * LINES * LINES < kernel->instructions.count)
            return;
        const char *name = source_name(run->c->sources, line.file), *slash = strrchr(name, '/');
        fprintf(to, "      %-9u of %s:%u\n", line.count, slash ? slash + 1 : name, line.line);
    }
}

void explain_code(const CompileRun *run, FILE *to) {
    bool any = false;
    for (uint32_t k = 0; k < run->n_kernels; k++) {
        if (run->kernels[k]->instructions.count <= CODE_LONG)
            continue;
        if (!any)
            fprintf(to,
                    "\nKernels of more than %d instructions, which take long to compile. What is "
                    "small at a position is\nwritten out, an instruction for each element, and of "
                    "sums for each term; from %d elements or %d terms\nin all on it is a loop. "
                    "`for` writes its turns out, `iterate` does not.\n\n",
                    CODE_LONG, UNROLL_LANE + 1, UNROLL_TERMS + 1);
        any = true;
        explain_kernel(run, run->kernels[k], to);
    }
}
