/* Reading what nest_print prints (its header shows the form).
 *
 * Requires: a file of the compilation's sources. Blank space is free, `//` starts a comment.
 * Maintains: what is returned has passed nest_verify; every fault becomes one diagnostic with its
 *   place. Instructions carry the span of their text. */
#include "base/map.h"
#include "nest/nest.h"
#include "nest/nest_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Compilation *c;
    uint32_t file;
    const char *text;
    uint32_t at, length;
    uint32_t token_begin;
    bool failed;
    NestKernel *kernel;
    Map *values; /* number in the text: id */
    uint32_t depth;
} Reader;

static bool read_fail(Reader *r, const char *what) {
    if (!r->failed) {
        uint32_t end = r->at > r->token_begin ? r->at : r->token_begin + 1;
        diag_error(r->c->diagnostics, DIAG_NEST_TEXT, (Span){r->file, r->token_begin, end}, "%s",
                   what);
    }
    r->failed = true;
    return false;
}

static void read_space(Reader *r) {
    while (r->at < r->length) {
        char c = r->text[r->at];
        if (c == '/' && r->at + 1 < r->length && r->text[r->at + 1] == '/') {
            while (r->at < r->length && r->text[r->at] != '\n')
                r->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            r->at++;
        } else {
            break;
        }
    }
    r->token_begin = r->at;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_';
}

/* Is the next token this word or sign? Takes it then. */
static bool read_match(Reader *r, const char *token) {
    read_space(r);
    size_t n = strlen(token);
    if (r->length - r->at < n || memcmp(r->text + r->at, token, n) != 0)
        return false;
    if (is_word(token[0]) && r->at + n < r->length && is_word(r->text[r->at + n]))
        return false;
    r->at += (uint32_t)n;
    return true;
}

static bool read_expect(Reader *r, const char *token) {
    if (r->failed)
        return false;
    if (read_match(r, token))
        return true;
    char what[64];
    snprintf(what, sizeof what, "expected `%s` here", token);
    return read_fail(r, what);
}

static const char *read_word(Reader *r, size_t *length) {
    read_space(r);
    uint32_t begin = r->at;
    while (r->at < r->length && is_word(r->text[r->at]))
        r->at++;
    *length = r->at - begin;
    return r->text + begin;
}

/* Index of the next word in a list of words; fails otherwise. */
static uint32_t read_choice(Reader *r, const char *const *words, uint32_t count, const char *what) {
    size_t length;
    const char *word = read_word(r, &length);
    for (uint32_t k = 0; k < count; k++)
        if (strlen(words[k]) == length && memcmp(words[k], word, length) == 0)
            return k;
    read_fail(r, what);
    return 0;
}

/* Copies a number's characters so that it ends where the token does. */
static bool read_number_text(Reader *r, char text[64]) {
    read_space(r);
    uint32_t n = 0;
    while (r->at < r->length && n < 63 &&
           (is_word(r->text[r->at]) || r->text[r->at] == '-' || r->text[r->at] == '+'))
        text[n++] = r->text[r->at++];
    text[n] = '\0';
    return n > 0;
}

static int64_t read_integer(Reader *r) {
    char text[64], *end;
    if (r->failed || !read_number_text(r, text)) {
        read_fail(r, "expected an integer");
        return 0;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno)
        read_fail(r, "not an integer");
    return value;
}

static double read_double(Reader *r) {
    char text[64], *end;
    if (r->failed || !read_number_text(r, text)) {
        read_fail(r, "expected a number");
        return 0;
    }
    double value = strtod(text, &end);
    if (*end)
        read_fail(r, "not a number");
    return value;
}

static uint32_t read_small(Reader *r, uint32_t most, const char *what) {
    int64_t value = read_integer(r);
    if (!r->failed && (value < 0 || value > (int64_t)most))
        read_fail(r, what);
    return r->failed ? 0 : (uint32_t)value;
}

static NestType read_type(Reader *r) {
    size_t length;
    const char *word = read_word(r, &length);
    NestType type = {NEST_F32, 1};
    for (uint32_t k = 0; k <= NEST_BOOL; k++) {
        size_t n = strlen(nest_elem_text[k]);
        if (length < n || memcmp(word, nest_elem_text[k], n) != 0)
            continue;
        type.elem = (NestElem)k;
        if (length == n)
            return type;
        if (word[n] == 'x' && length - n <= 5 && length - n >= 2) {
            uint32_t lanes = 0;
            for (size_t j = n + 1; j < length && word[j] >= '0' && word[j] <= '9'; j++)
                lanes = lanes * 10 + (uint32_t)(word[j] - '0');
            type.lanes = lanes <= NEST_MOST_LANES ? (uint16_t)lanes : 0;
            return type; /* the verifier judges the lanes */
        }
    }
    read_fail(r, "expected a type: f32, f64x8, i64, bool ...");
    return type;
}

static const char *read_string(Reader *r) {
    if (!read_expect(r, "\""))
        return "";
    uint32_t begin = r->at;
    while (r->at < r->length && r->text[r->at] != '"' && r->text[r->at] != '\n')
        r->at++;
    const char *text = arena_copy_string(r->c->arena, r->text + begin, r->at - begin);
    read_expect(r, "\"");
    return text;
}

/* --- values ------------------------------------------------------------------------------------*/

static NestId read_use(Reader *r) {
    if (!read_expect(r, "%"))
        return 0;
    NestId id = (NestId)(uintptr_t)map_get_u64(r->values, (uint64_t)read_integer(r));
    if (!r->failed && !id)
        read_fail(r, "no such value");
    return id;
}

static NestId read_new(Reader *r, uint64_t number, NestInstruction i) {
    vec_push(r->c->arena, &r->kernel->instructions, i);
    NestId id = r->kernel->instructions.count - 1;
    void **slot = map_slot_u64(r->values, number);
    if (*slot)
        read_fail(r, "this number is taken");
    *slot = (void *)(uintptr_t)id;
    return id;
}

/* `%12` or `%12:name`, to be defined. */
static uint64_t read_definition(Reader *r, const char **name) {
    *name = NULL;
    if (!read_expect(r, "%"))
        return 0;
    uint64_t number = (uint64_t)read_integer(r);
    if (!r->failed && r->at < r->length && r->text[r->at] == ':') {
        r->at++;
        size_t length;
        const char *word = read_word(r, &length);
        *name = arena_copy_string(r->c->arena, word, length);
    }
    return number;
}

static NestAddress read_address(Reader *r) {
    NestAddress at = {0};
    read_expect(r, "[");
    while (!r->failed && read_match(r, "%")) {
        r->at--;
        NestId value = read_use(r);
        read_expect(r, "*");
        int64_t coefficient = read_integer(r);
        read_expect(r, "+");
        if (at.n_terms == NEST_MAX_TERMS) {
            read_fail(r, "too many terms in an address");
            break;
        }
        at.value[at.n_terms] = value;
        at.coefficient[at.n_terms++] = coefficient;
    }
    at.offset = read_integer(r);
    read_expect(r, "]");
    return at;
}

static uint32_t read_buffer(Reader *r) {
    read_expect(r, "@");
    uint32_t buffer = read_small(r, UINT32_MAX, "no such buffer");
    if (!r->failed && buffer >= r->kernel->buffers.count)
        read_fail(r, "no such buffer");
    return buffer;
}

/* --- instructions ------------------------------------------------------------------------------*/

static void read_body(Reader *r, NestBody *body, NestLoop *loop);

static void read_loop(Reader *r, NestBody *body, uint32_t begin) {
    NestLoop *loop = ARENA_NEW(r->c->arena, NestLoop);
    const char *name;
    uint64_t number = read_definition(r, &name);
    loop->kind = (NestLoopKind)read_choice(r, nest_loop_text, 4, "expected a kind of loop");
    uint64_t variable = read_definition(r, &name);
    read_expect(r, "=");
    loop->begin = read_use(r);
    read_expect(r, "to");
    loop->end = read_use(r);
    read_expect(r, "step");
    loop->step = read_integer(r);
    if (r->failed)
        return;
    Span span = {r->file, begin, r->at};
    NestId id = read_new(r, number, (NestInstruction){.op = NEST_LOOP, .loop = loop, .span = span});
    loop->variable = read_new(
        r, variable,
        (NestInstruction){
            .op = NEST_VARIABLE, .type = {NEST_I64, 1}, .loop = loop, .name = name, .span = span});
    NestIdVec inner = {0}, initial = {0};
    if (read_match(r, "carry")) {
        do {
            uint64_t carried = read_definition(r, &name);
            read_expect(r, "=");
            NestId start = read_use(r);
            if (r->failed)
                return;
            vec_push(r->c->arena, &initial, start);
            NestInstruction i = {.op = NEST_INNER,
                                 .type = nest_type(r->kernel, start),
                                 .index = inner.count,
                                 .loop = loop,
                                 .name = name,
                                 .span = span};
            vec_push(r->c->arena, &inner, read_new(r, carried, i));
        } while (read_match(r, ","));
    }
    loop->n_carried = inner.count;
    loop->inner = inner.at;
    loop->initial = initial.at;
    loop->yield = ARENA_ARRAY(r->c->arena, NestId, inner.count);
    vec_push(r->c->arena, &body->instructions, id);
    read_expect(r, "{");
    read_body(r, &loop->body, loop);
}

static void read_valid(Reader *r, NestInstruction *i) {
    if (read_match(r, "valid"))
        i->operands[i->n_operands++] = read_use(r);
    if (i->op == NEST_STORE)
        i->nontemporal = read_match(r, "nontemporal");
}

/* `tile_zero 3`, `tile_load 3 @1[0] step %4`, `tile_dot 0, 4, 6`, ... */
static bool read_tile(Reader *r, NestInstruction *i) {
    for (NestOp op = NEST_TILE_BEGIN; nest_is_tile(op) && i->op == NEST_OP_COUNT; op++)
        if (read_match(r, nest_op_text(op)))
            i->op = op;
    if (i->op == NEST_OP_COUNT)
        return false;
    if (i->op != NEST_TILE_BEGIN && i->op != NEST_TILE_END)
        i->index = read_small(r, 7, "no such tile");
    for (uint32_t k = 8; i->op == NEST_TILE_DOT && k <= 64; k *= 8) {
        read_expect(r, ",");
        i->index += k * read_small(r, 7, "no such tile");
    }
    if (i->op == NEST_TILE_LOAD || i->op == NEST_TILE_STORE) {
        i->buffer = read_buffer(r);
        i->address = read_address(r);
        read_expect(r, "step");
        i->operands[i->n_operands++] = read_use(r);
    }
    return true;
}

/* Instructions that stand without `%n =`. */
static void read_effect(Reader *r, NestBody *body) {
    uint32_t begin = r->token_begin;
    NestInstruction i = {.op = NEST_OP_COUNT};
    if (read_match(r, "loop")) {
        read_loop(r, body, begin);
        return;
    }
    if (read_match(r, "store")) {
        i.op = NEST_STORE;
        i.stride = 1;
        i.buffer = read_buffer(r);
        i.address = read_address(r);
        read_expect(r, ",");
        i.operands[i.n_operands++] = read_use(r);
        read_valid(r, &i);
    } else if (read_match(r, "prefetch")) {
        i.op = NEST_PREFETCH;
        i.buffer = read_buffer(r);
        i.address = read_address(r);
    } else if (read_match(r, "if")) {
        i.op = NEST_IF;
        i.operands[i.n_operands++] = read_use(r);
        i.body = ARENA_NEW(r->c->arena, NestBody);
        read_expect(r, "{");
        read_body(r, i.body, NULL);
    } else if (!read_tile(r, &i)) {
        read_fail(r, "expected an instruction");
        return;
    }
    i.span = (Span){r->file, begin, r->at};
    vec_push(r->c->arena, &r->kernel->instructions, i);
    vec_push(r->c->arena, &body->instructions, r->kernel->instructions.count - 1);
}

static void read_value(Reader *r, NestBody *body) {
    uint32_t begin = r->token_begin;
    NestInstruction i = {0};
    uint64_t number = read_definition(r, &i.name);
    read_expect(r, "=");
    if (r->failed)
        return;
    size_t length;
    const char *word = read_word(r, &length);
    i.op = NEST_OP_COUNT;
    for (NestOp op = 0; op < NEST_OP_COUNT; op++)
        if (strlen(nest_op_text(op)) == length && memcmp(nest_op_text(op), word, length) == 0)
            i.op = op;
    if (i.op == NEST_OP_COUNT || !nest_defines(&i)) {
        read_fail(r, "no such operation");
        return;
    }
    i.type = (NestType){NEST_I64, 1};
    if (i.op == NEST_EXTENT)
        i.index = read_choice(r, nest_extent_text, NEST_EXTENT_COUNT, "no such extent");
    else if (i.op != NEST_TASK)
        i.type = read_type(r);
    if (i.op == NEST_CONST) {
        i.number = read_double(r);
    } else if (i.op == NEST_LOAD) {
        i.buffer = read_buffer(r);
        i.address = read_address(r);
        i.stride = read_match(r, "stride") ? read_integer(r) : 1;
        read_valid(r, &i);
    } else if (i.op == NEST_RESULT) {
        const NestInstruction *loop = &r->kernel->instructions.at[read_use(r)];
        i.loop = loop->loop;
        if (!r->failed && loop->op != NEST_LOOP)
            read_fail(r, "not a loop");
        read_expect(r, ",");
        i.index = read_small(r, UINT32_MAX, "no such carried value");
    } else {
        for (int k = 0; k < nest_op_operands(i.op); k++) {
            if (k)
                read_expect(r, ",");
            i.operands[i.n_operands++] = read_use(r);
        }
        if (i.op == NEST_LANE) {
            read_expect(r, ",");
            i.index = read_small(r, UINT32_MAX, "no such lane");
        }
    }
    if (r->failed)
        return;
    i.span = (Span){r->file, begin, r->at};
    vec_push(r->c->arena, &body->instructions, read_new(r, number, i));
}

/* What follows an opening brace, and the closing one. */
static void read_body(Reader *r, NestBody *body, NestLoop *loop) {
    if (++r->depth > NEST_DEEPEST)
        read_fail(r, "nested too deeply");
    while (!r->failed) {
        if (read_match(r, "}")) {
            r->depth--;
            if (loop && loop->n_carried)
                read_fail(r, "this loop carries values: it must end in `yield`");
            return;
        }
        if (loop && loop->n_carried && read_match(r, "yield")) {
            for (uint32_t k = 0; k < loop->n_carried && !r->failed; k++) {
                if (k)
                    read_expect(r, ",");
                loop->yield[k] = read_use(r);
            }
            read_expect(r, "}");
            r->depth--;
            return;
        }
        if (r->at == r->length)
            read_fail(r, "the text ends inside a body");
        else if (r->text[r->at] == '%')
            read_value(r, body);
        else
            read_effect(r, body);
    }
}

static void read_buffers(Reader *r) {
    static const char *const kinds[2] = {"argument", "scratch"};
    while (!r->failed && read_match(r, "buffer")) {
        read_expect(r, "@");
        if (read_integer(r) != (int64_t)r->kernel->buffers.count)
            read_fail(r, "buffers are numbered in order");
        NestBuffer b = {.name = read_string(r)};
        b.kind = (NestBufferKind)read_choice(r, kinds, 2, "expected `argument` or `scratch`");
        b.elem = (NestElem)read_choice(r, nest_elem_text, NEST_ELEMS, "expected an element type");
        b.read = read_match(r, "read");
        b.written = read_match(r, "write");
        if (b.kind == NEST_SCRATCH) {
            read_expect(r, "elements");
            b.elements = (uint64_t)read_small(r, INT32_MAX, "that is too long");
        }
        vec_push(r->c->arena, &r->kernel->buffers, b);
    }
}

static NestKernel *read_kernel(Reader *r) {
    r->values = map_create(r->c->arena);
    r->depth = 0;
    read_expect(r, "kernel");
    uint32_t begin = r->token_begin;
    r->kernel = nest_kernel_create(r->c->arena, read_string(r));
    read_expect(r, "{");
    read_buffers(r);
    read_body(r, &r->kernel->body, NULL);
    const char *wrong = r->failed ? NULL : nest_verify(r->kernel);
    if (wrong) {
        r->token_begin = begin;
        read_fail(r, wrong);
    }
    return r->kernel;
}

bool nest_read_all(Compilation *c, uint32_t file, NestKernelVec *kernels) {
    size_t length;
    const char *text = source_text(c->sources, file, &length);
    Reader r = {.c = c, .file = file, .text = text, .length = (uint32_t)length};
    do {
        NestKernel *kernel = read_kernel(&r);
        vec_push(c->arena, kernels, kernel);
        read_space(&r);
    } while (!r.failed && r.at < r.length);
    return !r.failed;
}

NestKernel *nest_read(Compilation *c, uint32_t file) {
    NestKernelVec kernels = {0};
    if (!nest_read_all(c, file, &kernels))
        return NULL;
    if (kernels.count == 1)
        return kernels.at[0];
    diag_error(c->diagnostics, DIAG_NEST_TEXT, (Span){file, 0, 1}, "one kernel is expected, not %u",
               kernels.count);
    return NULL;
}
