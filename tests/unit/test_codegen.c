/* Compiled nests against a plain evaluator: at O0 and O3, several widths, f32 and f64, for this
 * machine and for older ones of its kind; objects, libraries and executables made of them. */
#include "codegen_support.h"
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- random nests over small whole numbers, where every operation is exact ---------------------*/

typedef struct {
    NestBuilder b;
    NestElem elem;
    uint16_t lanes;
    uint64_t seed;
    NestIdVec reals, flags, wholes; /* visible vectors */
    uint32_t depth, budget;
    Arena *arena;
} Random;

enum { RANDOM_CELLS = 4096 };

static uint32_t pick(Random *r, uint32_t n) {
    return (uint32_t)(random_next(&r->seed) % n);
}
static NestId pick_of(Random *r, const NestIdVec *v) {
    return v->at[pick(r, v->count)];
}

static NestId clamp(Random *r, NestId x) {
    NestType t = {r->elem, r->lanes};
    x = nest_binary(&r->b, NEST_MIN, x, nest_const(&r->b, t, 50));
    return nest_binary(&r->b, NEST_MAX, x, nest_const(&r->b, t, -50));
}

static NestAddress random_place(Random *r, NestId index) {
    return nest_at_plus(nest_at(pick(r, 512)), index, 1 + pick(r, 3));
}

static void random_body(Random *r, NestId index);

static void random_loop(Random *r, NestId index) {
    NestBuilder *b = &r->b;
    (void)index;
    uint32_t n = pick(r, 3);
    NestId initial[2] = {pick_of(r, &r->reals), pick_of(r, &r->reals)}, yield[2];
    /* The other kinds promise something of bodies. */
    NestLoopKind kind = pick(r, 4) == NEST_UNROLL ? NEST_UNROLL : NEST_SEQUENTIAL;
    NestId end = pick(r, 2) ? nest_i64(b, pick(r, 7)) : nest_extent(b, NEST_SAMPLES);
    NestLoop *loop =
        nest_loop_begin(b, kind, nest_i64(b, pick(r, 3)), end, 1 + pick(r, 2), n, initial);
    uint32_t held[3] = {r->reals.count, r->flags.count, r->wholes.count};
    for (uint32_t k = 0; k < n; k++)
        vec_push(r->arena, &r->reals, loop->inner[k]);
    random_body(r, loop->variable);
    for (uint32_t k = 0; k < n; k++)
        yield[k] = pick_of(r, &r->reals);
    r->reals.count = held[0], r->flags.count = held[1], r->wholes.count = held[2];
    nest_loop_end(b, n ? yield : NULL);
    for (uint32_t k = 0; k < n; k++)
        vec_push(r->arena, &r->reals, nest_result(b, loop, k));
}

static void random_if(Random *r, NestId index) {
    NestBuilder *b = &r->b;
    uint32_t held[3] = {r->reals.count, r->flags.count, r->wholes.count};
    nest_if_begin(b, nest_lane(b, pick_of(r, &r->flags), pick(r, r->lanes)));
    random_body(r, index);
    r->reals.count = held[0], r->flags.count = held[1], r->wholes.count = held[2];
    nest_if_end(b);
}

static void random_instruction(Random *r, NestId index) {
    static const NestOp real2[] = {NEST_ADD, NEST_SUB, NEST_MUL, NEST_MIN, NEST_MAX};
    static const NestOp whole2[] = {NEST_ADD, NEST_SUB, NEST_MUL, NEST_MIN, NEST_MAX};
    static const NestOp compare[] = {NEST_LT, NEST_LE, NEST_EQ};
    static const NestOp fold[] = {NEST_SUM_LANES, NEST_MAX_LANES, NEST_MIN_LANES};
    NestBuilder *b = &r->b;
    NestId x = pick_of(r, &r->reals), y = pick_of(r, &r->reals), f = pick_of(r, &r->flags);
    NestId w = pick_of(r, &r->wholes), u = pick_of(r, &r->wholes);
    NestId real = 0, flag = 0, whole = 0;
    NestId valid = pick(r, 2) ? nest_binary(b, NEST_SUB, nest_extent(b, NEST_TILE), index) : 0;
    switch (pick(r, 19)) {
    case 0:
    case 1:
        real = clamp(r, nest_binary(b, real2[pick(r, 5)], x, y));
        break;
    case 2:
        real = clamp(r, nest_fma(b, x, y, pick_of(r, &r->reals)));
        break;
    case 3:
        real = nest_unary(b, pick(r, 2) ? NEST_NEG : NEST_ABS, x);
        break;
    case 4:
        flag = nest_binary(b, compare[pick(r, 3)], x, y);
        break;
    case 5:
        flag = nest_binary(b, compare[pick(r, 3)], w, u);
        break;
    case 6:
        flag = nest_binary(b, pick(r, 2) ? NEST_AND : NEST_OR, f, pick_of(r, &r->flags));
        break;
    case 7:
        flag = nest_unary(b, NEST_NOT, f);
        break;
    case 8:
        real = nest_select(b, f, x, y);
        break;
    case 9:
        whole = nest_select(b, f, w, u);
        break;
    case 10:
        real = clamp(r, nest_splat(b, r->lanes, nest_unary(b, fold[pick(r, 3)], x)));
        break;
    case 11:
        real = nest_splat(b, r->lanes, nest_lane(b, x, pick(r, r->lanes)));
        break;
    case 12:
        real = clamp(r, nest_cast(b, r->elem, pick(r, 2) ? w : f));
        break;
    case 13:
        whole = nest_cast(b, NEST_I32, pick(r, 2) ? x : f);
        break;
    case 14: {
        NestType t = {NEST_I32, r->lanes};
        whole = nest_binary(b, whole2[pick(r, 5)], w, u);
        whole = nest_unary(b, NEST_ABS, whole);
        whole = nest_binary(b, NEST_REM, whole, nest_const(b, t, 37));
        whole = nest_binary(b, NEST_DIV, whole, nest_const(b, t, 2));
        break;
    }
    case 15:
    case 16: {
        static const int64_t strides[] = {1, 1, 2, 3, 4, 5, 17, -1};
        int64_t stride = strides[pick(r, 8)];
        NestAddress at = random_place(r, index);
        if (stride < 0)
            at.offset += r->lanes;
        real = nest_load(b, 0, at, r->lanes, stride, valid);
        break;
    }
    case 17:
        nest_store(b, 1, random_place(r, index), x, valid, false);
        break;
    default: {
        NestAddress at = nest_at(pick(r, 32) * 16);
        nest_store(b, 2, at, x, 0, pick(r, 2));
        nest_prefetch(b, 0, at);
        real = nest_load(b, 2, at, r->lanes, 1, valid);
        break;
    }
    }
    if (real)
        vec_push(r->arena, &r->reals, real);
    if (flag)
        vec_push(r->arena, &r->flags, flag);
    if (whole)
        vec_push(r->arena, &r->wholes, whole);
}

static void random_body(Random *r, NestId index) {
    r->depth++;
    for (uint32_t k = 0, n = 2 + pick(r, 12); k < n && r->budget; k++) {
        r->budget--;
        uint32_t what = pick(r, 16);
        if (what == 0 && r->depth < 4)
            random_loop(r, index);
        else if (what == 1 && r->depth < 4)
            random_if(r, index);
        else
            random_instruction(r, index);
    }
    r->depth--;
}

static NestKernel *random_kernel(Arena *arena, uint64_t seed, NestElem elem, uint16_t lanes) {
    NestKernel *kernel = nest_kernel_create(arena, arena_printf(arena, "random%d", (int)seed));
    nest_add_buffer(kernel, (NestBuffer){.name = "in", .elem = elem, .read = true});
    nest_add_buffer(kernel,
                    (NestBuffer){.name = "out", .elem = elem, .written = true, .read = true});
    nest_add_buffer(kernel, (NestBuffer){.name = "own",
                                         .kind = NEST_SCRATCH,
                                         .elem = elem,
                                         .written = true,
                                         .read = true,
                                         .elements = 1024});
    Random r = {.b = nest_builder(kernel),
                .elem = elem,
                .lanes = lanes,
                .seed = seed,
                .budget = 60,
                .arena = arena};
    for (uint32_t k = 0; k < 20; k++)
        random_next(&r.seed);
    NestId index = nest_task(&r.b);
    NestId x = nest_load(&r.b, 0, nest_at(0), lanes, 1, 0);
    vec_push(arena, &r.reals, x);
    vec_push(arena, &r.reals, nest_const(&r.b, (NestType){elem, lanes}, 3));
    vec_push(arena, &r.flags, nest_binary(&r.b, NEST_LT, x, r.reals.at[1]));
    vec_push(arena, &r.wholes, nest_lanes(&r.b, lanes));
    random_body(&r, index);
    const NestType one = {NEST_I32, 1};
    const NestId counter[4] = {nest_lanes(&r.b, lanes), nest_const(&r.b, one, (double)(seed % 97)),
                               nest_const(&r.b, one, -5), nest_cast(&r.b, NEST_I32, index)};
    vec_push(arena, &r.reals, nest_random(&r.b, elem, counter));
    for (uint32_t k = 0; k < r.reals.count; k++)
        nest_store(&r.b, 1, nest_at(600 + (int64_t)k * lanes), r.reals.at[k], 0, false);
    return kernel;
}

static void check_random(const CodegenOptions *options, NestElem elem, uint16_t lanes,
                         uint64_t seed, uint32_t count) {
    Compilation *c = compilation_create();
    const NestKernel *kernels[64];
    for (uint32_t k = 0; k < count; k++)
        kernels[k] = random_kernel(c->arena, seed + k, elem, lanes);
    Loaded l = load(c, options, kernels, count);
    size_t size = elem == NEST_F32 ? 4 : 8, bytes = RANDOM_CELLS * size;
    unsigned char *in = aligned_alloc(64, bytes), *got = aligned_alloc(64, bytes),
                  *want = aligned_alloc(64, bytes), *scratch = aligned_alloc(64, 65536);
    for (uint32_t k = 0; k < RANDOM_CELLS; k++) {
        int x = (int)(k * 7919 % 41) - 20;
        if (elem == NEST_F32)
            ((float *)in)[k] = (float)x;
        else
            ((double *)in)[k] = x;
    }
    HcExtents extents = {.samples = 3,
                         .positions = 5,
                         .instances = 100,
                         .tile = 7,
                         .random_key = (int64_t)0xfedcba9876543210u};
    for (uint32_t k = 0; k < count; k++)
        for (int64_t task = 0; task < 3; task++) {
            memset(got, 0, bytes), memset(want, 0, bytes), memset(scratch, 0, 65536);
            assert_true(nest_scratch_bytes(kernels[k]) <= 65536);
            l.model->kernels[k]((void *const[]){in, got}, &extents, task, scratch);
            eval_kernel(kernels[k], (void *const[]){in, want}, &extents, task);
            for (uint32_t j = 0; j < RANDOM_CELLS; j++) {
                double g = elem == NEST_F32 ? ((float *)got)[j] : ((double *)got)[j];
                double w = elem == NEST_F32 ? ((float *)want)[j] : ((double *)want)[j];
                if (g != w) {
                    nest_print(kernels[k], stderr);
                    fail_msg("seed %d task %d %s O%d x%u: cell %u is %g, not %g", (int)(seed + k),
                             (int)task, options->cpu, options->opt_level, lanes, j, g, w);
                }
            }
        }
    free(in), free(got), free(want), free(scratch);
    unload(&l);
    compilation_destroy(c);
}

static void test_random_nests(void **state) {
    (void)state;
    static const uint16_t lanes[] = {1, 4, 8, 16};
    for (uint32_t m = 0; m < N_MACHINES; m++)
        for (uint32_t w = 0; w < 4; w++)
            for (NestElem elem = NEST_F32; elem <= NEST_F64; elem++)
                if (host_runs(machines[m].cpu))
                    check_random(&machines[m], elem, lanes[w], 1000 * m + 100 * w + 50 * elem, 24);
}

/* --- pieces with a meaning of their own --------------------------------------------------------*/

/* The record says what went in; two loads live side by side; unloading leaves no trace. */
static void test_model_record(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    NestKernel *kernel = map_kernel(c->arena, NEST_NEG, NEST_F32, 8, 1);
    Loaded a = load(c, &machines[0], (const NestKernel *const[]){kernel}, 1);
    Loaded b = load(c, &machines[1], (const NestKernel *const[]){kernel}, 1);
    assert_int_equal(a.model->abi_version, HC_ABI_VERSION);
    assert_int_equal(a.model->element_size, 4);
    assert_int_equal(a.model->kernel_count, 1);
    assert_string_equal(a.model->manifest, "{\"format\": 1}");
    assert_int_equal(a.model->manifest_length, strlen(a.model->manifest));
    assert_true(a.model != b.model);
    unload(&b);
    float x[3] = {1, 2, 3}, z[4] = {0, 0, 0, 9};
    HcExtents extents = {.instances = 3};
    a.model->kernels[0]((void *const[]){x, x, z}, &extents, 0, NULL);
    assert_true(z[0] == -1 && z[2] == -3 && z[3] == 9);
    unload(&a);
    compilation_destroy(c);
}

/* An executable whose main is ours and whose work is the "runtime's"; returns its exit status. */
static int run_executable(Compilation *c, bool sanitize, int instances) {
    char folder[] = "/tmp/hcc_test_XXXXXX";
    assert_non_null(mkdtemp(folder));
    const NestKernel *kernel = map_kernel(c->arena, NEST_NEG, NEST_F32, 8, 1);
    const char *error;
    CodegenTarget *t = codegen_target_create(
        c->arena,
        &(CodegenOptions){.opt_level = 3,
                          .sanitizer = sanitize ? SANITIZER_ADDRESS : SANITIZER_NONE},
        &error);
    CodegenModel model = {.kernels = &kernel,
                          .n_kernels = 1,
                          .symbol = "record",
                          .element_size = 4,
                          .main_callee = "rt_main"};
    CodegenResult object = codegen_compile(c->arena, t, &model, CODEGEN_OBJECT);
    if (object.error)
        fail_msg("%s", object.error);
    const char *path = arena_printf(c->arena, "%s/m.o", folder);
    const char *source = arena_printf(c->arena, "%s/rt.c", folder);
    const char *output = arena_printf(c->arena, "%s/m", folder);
    const char *text = arena_printf(
        c->arena,
        "#include <stdlib.h>\n"
        "typedef void Kernel(void **, const long *, long, void *);\n"
        "struct model { int v, e; const char *m; long n; Kernel *const *kernels; long count; };\n"
        "int rt_main(const struct model *m, int count, char **words) {\n"
        "  float *x = calloc(16, 4), *z = calloc(16, 4);\n"
        "  void *buffers[3] = {x, x, z};\n"
        "  long extents[4] = {0, 0, %d, 0};\n"
        "  x[3] = 5;\n"
        "  m->kernels[0](buffers, extents, 0, 0);\n"
        "  int good = z[3] == -5 && count == 1 && words[0] != 0;\n"
        "  free(x), free(z);\n"
        "  return good ? 3 : 4;\n"
        "}\n",
        instances);
    assert_null(codegen_write_file(c->arena, path, object.bytes, object.length));
    assert_null(codegen_write_file(c->arena, source, text, strlen(text)));
    const char *objects[] = {path, source};
    LinkJob job = {.objects = objects,
                   .n_objects = 2,
                   .output = output,
                   .sanitizer = sanitize ? SANITIZER_ADDRESS : SANITIZER_NONE};
    error = link_executable(c->arena, &job);
    if (error)
        fail_msg("%s", error);
    int status = system(arena_printf(c->arena, "%s > /dev/null 2>&1", output));
    unlink(path), unlink(source), unlink(output);
    assert_int_equal(rmdir(folder), 0);
    codegen_target_destroy(t);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_executable(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    assert_int_equal(run_executable(c, false, 16), 3);
    assert_int_equal(run_executable(c, true, 16), 3);
    /* 17 of 16: the sanitizer sees generated code. */
    int status = run_executable(c, true, 17);
    assert_true(status != 3 && status != 4);
    compilation_destroy(c);
}

/* However many threads compile, the kernels are the same and in their order. */
static void test_threads(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    static const NestOp ops[] = {NEST_NEG, NEST_ABS, NEST_EXP, NEST_FLOOR, NEST_SQRT};
    const NestKernel *kernels[5];
    for (int k = 0; k < 5; k++)
        kernels[k] = map_kernel(c->arena, ops[k], NEST_F32, 8, 1);
    const char *error;
    CodegenTarget *t = codegen_target_create(c->arena, &machines[0], &error);
    CodegenModel model = {.kernels = kernels, .n_kernels = 5, .symbol = "m", .element_size = 4};
    for (uint32_t threads = 0; threads < 9; threads += 4) {
        const HcModel *loaded;
        Jit *jit = codegen_load(c->arena, t, &model, threads, &loaded, &error);
        if (!jit)
            fail_msg("%s", error);
        assert_int_equal(loaded->kernel_count, 5);
        for (int k = 0; k < 5; k++) {
            float x[3] = {1.5f, 4, 0.25f}, z[3];
            HcExtents extents = {.instances = 3};
            loaded->kernels[k]((void *const[]){x, x, z}, &extents, 0, NULL);
            for (int j = 0; j < 3; j++)
                assert_true(fabs(z[j] - eval_real_op(ops[k], x[j], 0, 0)) < 1e-5);
        }
        jit_unload(jit);
    }
    codegen_target_destroy(t);
    compilation_destroy(c);
}

static void test_errors_are_values(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    const char *error = NULL;
    assert_null(codegen_target_create(c->arena, &(CodegenOptions){.cpu = "z80"}, &error));
    assert_non_null(strstr(error, "z80"));
    assert_non_null(strstr(error, "x86-64-v3"));
    const HcModel *model;
    assert_null(jit_load(c->arena, "not an object", 13, "m", &model, &error));
    assert_non_null(error);
    const char *const lost[] = {"/dev/null/a.o"}; /* below what is no folder nothing can be */
    error = link_shared(
        c->arena, &(LinkJob){.objects = lost, .n_objects = 1, .output = "/tmp/hcc_test_link.so"});
    assert_non_null(error);
    assert_non_null(strstr(error, "a.o"));
    assert_int_not_equal(access("/tmp/hcc_test_link.so", F_OK), 0);
    error = link_shared(c->arena, &(LinkJob){.output = "/dev/null/x.so"});
    assert_non_null(error);
    compilation_destroy(c);
}

static void test_text_forms(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    const NestKernel *kernel = map_kernel(c->arena, NEST_EXP, NEST_F32, 16, 1);
    const char *error;
    CodegenTarget *t = codegen_target_create(c->arena, &machines[0], &error);
    CodegenModel model = {.kernels = &kernel, .n_kernels = 1, .symbol = "m", .element_size = 4};
    CodegenResult llvm = codegen_compile(c->arena, t, &model, CODEGEN_LLVM);
    CodegenResult text = codegen_compile(c->arena, t, &model, CODEGEN_ASM);
    assert_null(llvm.error);
    assert_null(text.error);
    assert_non_null(strstr(llvm.bytes, "@m = "));
    assert_non_null(strstr(llvm.bytes, "<16 x float>"));
    assert_non_null(strstr(text.bytes, "map:"));
    assert_null(strstr(text.bytes, "expf"));
    codegen_target_destroy(t);
    compilation_destroy(c);
}

/* Code says which line it comes from. */
static void test_lines(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    static const char text[] = "kernel \"k\" {\n"
                               "  buffer @0 \"x\" argument f32 read write\n"
                               "\n"
                               "  %1 = load f32x8 @0[0]\n"
                               "  %2 = exp f32x8 %1\n"
                               "  store @0[0], %2\n"
                               "}\n";
    const NestKernel *kernel =
        nest_read(c, source_add(c->sources, "folder/k.nest", text, strlen(text)));
    assert_non_null(kernel);
    const char *error;
    for (int level = 0; level < 4; level += 3) {
        CodegenTarget *t =
            codegen_target_create(c->arena, &(CodegenOptions){.opt_level = level}, &error);
        CodegenModel model = {
            .kernels = &kernel, .n_kernels = 1, .symbol = "m", .sources = c->sources};
        CodegenResult out = codegen_compile(c->arena, t, &model, CODEGEN_ASM);
        if (out.error)
            fail_msg("%s", out.error);
        assert_non_null(strstr(out.bytes, "\"k.nest\""));
        assert_non_null(strstr(out.bytes, ".loc\t1 5 3"));
        assert_non_null(strstr(out.bytes, ".loc\t1 6 3"));
        const HcModel *loaded;
        Jit *jit = codegen_load(c->arena, t, &model, 1, &loaded, &error);
        if (!jit)
            fail_msg("%s", error);
        float x[8] = {0, 1};
        loaded->kernels[0]((void *const[]){x}, &(HcExtents){0}, 0, NULL);
        assert_true(x[0] == 1 && x[1] > 2.718f && x[1] < 2.719f);
        jit_unload(jit);
        codegen_target_destroy(t);
    }
    compilation_destroy(c);
}

/* A shared library with thunks of "runtime" functions, one of them as it is; all else hidden. */
static void test_link_shared(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    char folder[] = "/tmp/hcc_test_XXXXXX";
    assert_non_null(mkdtemp(folder));
    const NestKernel *kernel = map_kernel(c->arena, NEST_NEG, NEST_F32, 8, 1);
    const char *error;
    CodegenTarget *t = codegen_target_create(c->arena, &machines[0], &error);
    CodegenThunk thunks[] = {
        {.name = "m_model", .callee = "rt_model", .with_model = true, .n_arguments = 1},
        {.name = "m_mixed", .callee = "rt_mixed"}};
    CodegenModel model = {.kernels = &kernel,
                          .n_kernels = 1,
                          .symbol = "record",
                          .element_size = 4,
                          .thunks = thunks,
                          .n_thunks = 2};
    CodegenResult object = codegen_compile(c->arena, t, &model, CODEGEN_OBJECT);
    assert_null(object.error);
    const char *path = arena_printf(c->arena, "%s/m.o", folder);
    assert_null(codegen_write_file(c->arena, path, object.bytes, object.length));
    static const char runtime[] =
        "#include <stdint.h>\n"
        "void *rt_model(const void *m, int64_t *at) { *at = 7; return (void "
        "*)m; }\n"
        "double rt_mixed(int a, double b, int *c, long d, long e, long f, long g, float h) {\n"
        "    *c = a; return b + (double)(d + e + f + g) + h; }\n";
    const char *source = arena_printf(c->arena, "%s/rt.c", folder);
    assert_null(codegen_write_file(c->arena, source, runtime, sizeof runtime - 1));
    const char *output = arena_printf(c->arena, "%s/m.so", folder);
    const char *exports[] = {"m_*"}, *objects[] = {path, source};
    LinkJob job = {
        .objects = objects, .n_objects = 2, .output = output, .exports = exports, .n_exports = 1};
    error = link_shared(c->arena, &job);
    if (error)
        fail_msg("%s", error);
    void *library = dlopen(output, RTLD_NOW);
    if (!library)
        fail_msg("%s", dlerror());
    double (*mixed)(int, double, int *, long, long, long, long, float);
    const HcModel *(*get)(int64_t *);
    int64_t at = 0;
    *(void **)&mixed = dlsym(library, "m_mixed");
    *(void **)&get = dlsym(library, "m_model");
    assert_non_null(mixed);
    assert_non_null(get);
    int first = 0;
    assert_true(mixed(5, 0.5, &first, 1, 2, 3, 4, 0.25f) == 10.75);
    assert_int_equal(first, 5);
    assert_int_equal(get(&at)->kernel_count, 1);
    assert_int_equal(at, 7);
    assert_null(dlsym(library, "rt_mixed"));
    dlclose(library);
    unlink(path), unlink(source), unlink(output);
    assert_int_equal(rmdir(folder), 0); /* no temporary file was left */
    codegen_target_destroy(t);
    compilation_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_record), cmocka_unit_test(test_errors_are_values),
        cmocka_unit_test(test_text_forms),   cmocka_unit_test(test_link_shared),
        cmocka_unit_test(test_threads),      cmocka_unit_test(test_executable),
        cmocka_unit_test(test_lines),        cmocka_unit_test(test_random_nests),

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
