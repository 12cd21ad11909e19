/* Printing loop nests.
 *
 * Values are numbered in the order of their appearance, so that equal kernels print equally however
 * they were built, and print → read → print is the identity. Spans are not printed.
 *
 *     kernel "axpy" {
 *       buffer @0 "x" argument f32 read
 *       buffer @1 "y" argument f32 read write
 *       %1 = const i64 0
 *       %2 = extent instances
 *       loop %3 vector %4:i = %1 to %2 step 16 {
 *         %5 = load f32x16 @0[%4*1]
 *         store @1[%4*1], %5
 *       }
 *     } */
#include "base/map.h"
#include "nest/nest.h"
#include "nest/nest_internal.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const NestKernel *kernel;
    FILE *to;
    bool names;
    uint32_t *number; /* by id; 0 = not met yet */
    uint32_t next;
    Map *loops; /* address of a NestLoop: number of its instruction */
} Printer;

static uint32_t print_number(Printer *p, NestId id) {
    if (!p->number[id])
        p->number[id] = ++p->next;
    return p->number[id];
}

/* Most of what is printed is numbers, and printf takes its time. */
static void print_unsigned(Printer *p, uint64_t number) {
    char text[24], *at = text + sizeof text;
    *--at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    fputs(at, p->to);
}

static void print_signed(Printer *p, int64_t number) {
    if (number < 0)
        fputc('-', p->to);
    print_unsigned(p, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static void print_percent(Printer *p, uint32_t number) {
    fputc('%', p->to);
    print_unsigned(p, number);
}

/* A name as one word: letters, digits, '_' and '.'. */
static void print_name(Printer *p, const char *name) {
    if (!p->names || !name || !*name)
        return;
    fputc(':', p->to);
    for (; *name; name++) {
        char c = *name;
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '_';
        fputc(word ? c : '_', p->to);
    }
}

static void print_quoted(Printer *p, const char *name) {
    fputc('"', p->to);
    for (; p->names && name && *name; name++)
        fputc(*name == '"' || *name == '\\' || (unsigned char)*name < 32 ? '_' : *name, p->to);
    fputc('"', p->to);
}

static void print_definition(Printer *p, NestId id) {
    print_percent(p, print_number(p, id));
    print_name(p, p->kernel->instructions.at[id].name);
}

static void print_use(Printer *p, NestId id) {
    print_percent(p, print_number(p, id));
}

static void print_type(Printer *p, NestType type) {
    fputs(nest_elem_text[type.elem], p->to);
    if (type.lanes != 1) {
        fputc('x', p->to);
        print_unsigned(p, type.lanes);
    }
}

/* The shortest decimal that reads back the same. */
static void print_double(Printer *p, double x) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (isnan(x) || strtod(text, NULL) == x)
            break;
    }
    fputs(isnan(x) ? "nan" : text, p->to);
}

static void print_address(Printer *p, const NestAddress *at) {
    fputc('[', p->to);
    for (uint32_t k = 0; k < at->n_terms; k++) {
        print_use(p, at->value[k]);
        fputc('*', p->to);
        print_signed(p, at->coefficient[k]);
        fputs(" + ", p->to);
    }
    print_signed(p, at->offset);
    fputc(']', p->to);
}

static void print_place(Printer *p, uint32_t buffer, const NestAddress *at) {
    fputc('@', p->to);
    print_unsigned(p, buffer);
    print_address(p, at);
}

static void print_body(Printer *p, const NestBody *body, int depth);

static void print_indent(Printer *p, int depth) {
    for (; depth > 0; depth--)
        fputs("  ", p->to);
}

static void print_loop(Printer *p, NestId id, const NestLoop *loop, int depth) {
    *map_slot_u64(p->loops, (uintptr_t)loop) = (void *)(uintptr_t)print_number(p, id);
    print_use(p, id);
    fprintf(p->to, " %s ", nest_loop_text[loop->kind]);
    print_definition(p, loop->variable);
    fputs(" = ", p->to);
    print_use(p, loop->begin);
    fputs(" to ", p->to);
    print_use(p, loop->end);
    fprintf(p->to, " step %" PRId64, loop->step);
    for (uint32_t k = 0; k < loop->n_carried; k++) {
        fputs(k ? ", " : " carry ", p->to);
        print_definition(p, loop->inner[k]);
        fputs(" = ", p->to);
        print_use(p, loop->initial[k]);
    }
    fputs(" {\n", p->to);
    print_body(p, &loop->body, depth + 1);
    for (uint32_t k = 0; k < loop->n_carried; k++) {
        if (k == 0) {
            print_indent(p, depth + 1);
            fputs("yield ", p->to);
        } else {
            fputs(", ", p->to);
        }
        print_use(p, loop->yield[k]);
    }
    if (loop->n_carried)
        fputc('\n', p->to);
    print_indent(p, depth);
    fputs("}\n", p->to);
}

static void print_memory(Printer *p, const NestInstruction *i) {
    print_place(p, i->buffer, &i->address);
    NestId valid = 0;
    if (i->op == NEST_LOAD) {
        if (i->stride != 1)
            fprintf(p->to, " stride %" PRId64, i->stride);
        valid = i->n_operands ? i->operands[0] : 0;
    } else if (i->op == NEST_STORE) {
        fputs(", ", p->to);
        print_use(p, i->operands[0]);
        valid = i->n_operands > 1 ? i->operands[1] : 0;
    }
    if (valid) {
        fputs(" valid ", p->to);
        print_use(p, valid);
    }
    fputs(i->nontemporal ? " nontemporal\n" : "\n", p->to);
}

static void print_tile(Printer *p, const NestInstruction *i) {
    if (i->op == NEST_TILE_DOT)
        fprintf(p->to, " %u, %u, %u", i->index % 8, i->index / 8 % 8, i->index / 64);
    else if (i->op != NEST_TILE_BEGIN && i->op != NEST_TILE_END)
        fprintf(p->to, " %u", i->index);
    if (i->n_operands) {
        fputc(' ', p->to);
        print_place(p, i->buffer, &i->address);
        fputs(" step ", p->to);
        print_use(p, i->operands[0]);
    }
    fputc('\n', p->to);
}

static void print_value(Printer *p, const NestInstruction *i) {
    if (i->op == NEST_EXTENT) {
        fprintf(p->to, " %s\n", nest_extent_text[i->index]);
        return;
    }
    if (i->op == NEST_TASK) {
        fputc('\n', p->to);
        return;
    }
    fputc(' ', p->to);
    print_type(p, i->type);
    if (i->op == NEST_LOAD) {
        fputc(' ', p->to);
        print_memory(p, i);
        return;
    }
    if (i->op == NEST_CONST) {
        fputc(' ', p->to);
        print_double(p, i->number);
    }
    if (i->op == NEST_RESULT)
        fprintf(p->to, " %%%u", (uint32_t)(uintptr_t)map_get_u64(p->loops, (uintptr_t)i->loop));
    for (uint32_t k = 0; k < i->n_operands; k++) {
        fputs(k ? ", " : " ", p->to);
        print_use(p, i->operands[k]);
    }
    if (i->op == NEST_LANE || i->op == NEST_RESULT)
        fprintf(p->to, ", %u", i->index);
    fputc('\n', p->to);
}

static void print_body(Printer *p, const NestBody *body, int depth) {
    for (uint32_t k = 0; k < body->instructions.count; k++) {
        NestId id = body->instructions.at[k];
        const NestInstruction *i = &p->kernel->instructions.at[id];
        print_indent(p, depth);
        if (nest_defines(i)) {
            print_definition(p, id);
            fputs(" = ", p->to);
        }
        fputs(nest_op_text(i->op), p->to);
        switch (i->op) {
        case NEST_LOOP:
            fputc(' ', p->to);
            print_loop(p, id, i->loop, depth);
            break;
        case NEST_IF:
            fputc(' ', p->to);
            print_use(p, i->operands[0]);
            fputs(" {\n", p->to);
            print_body(p, i->body, depth + 1);
            print_indent(p, depth);
            fputs("}\n", p->to);
            break;
        case NEST_STORE:
        case NEST_PREFETCH:
            fputc(' ', p->to);
            print_memory(p, i);
            break;
        default:
            if (nest_is_tile(i->op))
                print_tile(p, i);
            else
                print_value(p, i);
            break;
        }
    }
}

static void print_kernel(const NestKernel *kernel, Arena *arena, FILE *to, bool names) {
    Arena *scratch = arena_create_child(arena);
    Printer p = {.kernel = kernel,
                 .to = to,
                 .names = names,
                 .number = ARENA_ARRAY(scratch, uint32_t, kernel->instructions.count),
                 .loops = map_create(scratch)};
    fputs("kernel ", to);
    print_quoted(&p, kernel->name);
    fputs(" {\n", to);
    for (uint32_t k = 0; k < kernel->buffers.count; k++) {
        const NestBuffer *b = &kernel->buffers.at[k];
        fprintf(to, "  buffer @%u ", k);
        print_quoted(&p, b->name);
        fprintf(to, " %s %s%s%s", b->kind == NEST_SCRATCH ? "scratch" : "argument",
                nest_elem_text[b->elem], b->read ? " read" : "", b->written ? " write" : "");
        if (b->kind == NEST_SCRATCH)
            fprintf(to, " elements %" PRIu64, b->elements);
        fputc('\n', to);
    }
    print_body(&p, &kernel->body, 1);
    fputs("}\n", to);
    arena_destroy(scratch);
}

void nest_print(const NestKernel *kernel, FILE *to) {
    print_kernel(kernel, kernel->arena, to, true);
}

void nest_print_nameless(const NestKernel *kernel, Arena *arena, FILE *to) {
    print_kernel(kernel, arena, to, false);
}
