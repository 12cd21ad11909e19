/* The folder of finished work by itself, and objects kept in it: found again only when everything
 * that decides about them is the same, never damaged, never larger than it may be. */
#include "codegen_support.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, PLENTY = 1 << 20 };

typedef struct {
    Compilation *c;
    char folder[64];
} Place;

static int place_setup(void **state) {
    Place *p = calloc(1, sizeof *p);
    p->c = compilation_create();
    strcpy(p->folder, "/tmp/hcc_test_XXXXXX");
    *state = p;
    return mkdtemp(p->folder) ? 0 : -1;
}

static char *place_path(const Place *p, const char *name) {
    return arena_printf(p->c->arena, "%s/%s", p->folder, name);
}

static int place_teardown(void **state) {
    Place *p = *state;
    DIR *folder = opendir(p->folder);
    for (struct dirent *d = folder ? readdir(folder) : NULL; d; d = readdir(folder))
        if (unlink(place_path(p, d->d_name)) != 0)
            rmdir(place_path(p, d->d_name));
    closedir(folder);
    rmdir(p->folder);
    compilation_destroy(p->c);
    free(p);
    return 0;
}

static Cache *place_open(Place *p, uint64_t most) {
    const char *why;
    Cache *cache = cache_open(p->c->arena, p->folder, most, &why);
    if (!cache)
        fail_msg("%s", why);
    return cache;
}

static CacheEntry entry(uint64_t key, const void *bytes, size_t length) {
    return (CacheEntry){.key = {key, ~key}, .bytes = bytes, .length = length};
}

static char *entry_path(const Place *p, uint64_t key) {
    return arena_printf(p->c->arena, "%s/%016llx%016llx.code", p->folder, (unsigned long long)key,
                        (unsigned long long)~key);
}

static void put(Place *p, Cache *cache, uint64_t key, const char *text) {
    CacheEntry e = entry(key, text, strlen(text));
    cache_write(cache, p->c->arena, &e, 1);
}

/* The text kept, or NULL. */
static const char *get(Place *p, Cache *cache, uint64_t key) {
    CacheEntry e = entry(key, NULL, 0);
    if (!cache_read(cache, p->c->arena, &e))
        return NULL;
    assert_int_equal(strlen(e.bytes), e.length);
    return e.bytes;
}

static void test_kept_and_found(void **state) {
    Place *p = *state;
    Cache *cache = place_open(p, PLENTY);
    assert_null(get(p, cache, 1));
    put(p, cache, 1, "one");
    put(p, cache, 2, "two");
    put(p, cache, 1, "eins");
    cache_close(cache);
    cache = place_open(p, PLENTY);
    assert_string_equal(get(p, cache, 1), "eins");
    assert_string_equal(get(p, cache, 2), "two");
    assert_null(get(p, cache, 3));
    uint32_t found, missed;
    cache_counts(cache, &found, &missed);
    assert_int_equal(found, 2);
    assert_int_equal(missed, 1);
    assert_string_equal(cache_folder(cache), p->folder);
    struct stat status;
    assert_int_equal(stat(entry_path(p, 1), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    cache_close(cache);
}

static void test_folders_are_made(void **state) {
    Place *p = *state;
    const char *why, *outer = place_path(p, "a"), *inner = place_path(p, "a/b");
    struct stat status;
    Cache *cache = cache_open(p->c->arena, inner, PLENTY, &why);
    assert_non_null(cache);
    assert_int_equal(stat(inner, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    cache_close(cache);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(outer), 0);
    const char *file = place_path(p, "file");
    assert_null(codegen_write_file(p->c->arena, file, "x", 1));
    assert_null(cache_open(p->c->arena, place_path(p, "file/under"), PLENTY, &why));
    assert_non_null(strstr(why, "file/under"));
    assert_null(cache_open(p->c->arena, file, PLENTY, &why));
}

static void damage(const char *path, off_t at) {
    char byte;
    int file = open(path, O_RDWR);
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    close(file);
}

/* Every byte counts, and so does the length; what was damaged can be written again. */
static void test_damage(void **state) {
    Place *p = *state;
    Cache *cache = place_open(p, PLENTY);
    const char *path = entry_path(p, 7);
    struct stat status;
    put(p, cache, 7, "seven");
    assert_int_equal(stat(path, &status), 0);
    for (off_t at = 0; at < status.st_size; at++) {
        put(p, cache, 7, "seven");
        assert_string_equal(get(p, cache, 7), "seven");
        damage(path, at);
        assert_null(get(p, cache, 7));
    }
    for (off_t length = 0; length < status.st_size + 3; length++) {
        put(p, cache, 7, "seven");
        assert_int_equal(truncate(path, length), 0);
        const char *got = get(p, cache, 7);
        assert_true(length == status.st_size ? got && strcmp(got, "seven") == 0 : !got);
    }
    put(p, cache, 7, "seven"); /* whole, but of another key */
    assert_int_equal(rename(path, entry_path(p, 8)), 0);
    assert_null(get(p, cache, 8));
    cache_close(cache);
}

static void test_trust(void **state) {
    Place *p = *state;
    Cache *cache = place_open(p, PLENTY);
    const char *path = entry_path(p, 1), *why;
    put(p, cache, 1, "one");
    assert_int_equal(chmod(path, 0620), 0);
    assert_null(get(p, cache, 1));
    assert_int_equal(chmod(path, 0602), 0);
    assert_null(get(p, cache, 1));
    assert_int_equal(chmod(path, 0644), 0);
    assert_string_equal(get(p, cache, 1), "one");
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1, 1), 0);
        assert_null(get(p, cache, 1));
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_int_equal(rename(path, place_path(p, "elsewhere")), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_null(get(p, cache, 1));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* reading must not wait */
    assert_null(get(p, cache, 1));
    cache_close(cache);
    static const mode_t open_to_others[] = {0770, 0702};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(chmod(p->folder, open_to_others[k]), 0);
        assert_null(cache_open(p->c->arena, p->folder, PLENTY, &why));
        assert_non_null(strstr(why, "others"));
    }
    assert_int_equal(chmod(p->folder, 0700), 0);
}

/* Where nothing can be written, what is there is found and nothing else happens. */
static void test_nothing_can_be_written(void **state) {
    Place *p = *state;
    Cache *cache = place_open(p, PLENTY);
    put(p, cache, 1, "one");
    assert_int_equal(unlink(place_path(p, "hcc.lock")), 0);
    assert_int_equal(mkdir(place_path(p, "hcc.lock"), 0700), 0); /* no lock to be had */
    put(p, cache, 2, "two");
    assert_null(get(p, cache, 2));
    assert_string_equal(get(p, cache, 1), "one");
    assert_int_equal(rmdir(place_path(p, "hcc.lock")), 0);
    assert_int_equal(mkdir(place_path(p, "hcc.new"), 0700), 0); /* no file to be made */
    put(p, cache, 2, "two");
    assert_null(get(p, cache, 2));
    assert_int_equal(rmdir(place_path(p, "hcc.new")), 0);
    if (geteuid() != 0) {
        assert_int_equal(chmod(p->folder, 0500), 0);
        put(p, cache, 2, "two");
        assert_null(get(p, cache, 2));
        assert_string_equal(get(p, cache, 1), "one");
        assert_int_equal(chmod(p->folder, 0700), 0);
    }
    /* A process was ended while it wrote. */
    assert_null(codegen_write_file(p->c->arena, place_path(p, "hcc.new"), "half", 4));
    put(p, cache, 2, "two");
    assert_string_equal(get(p, cache, 2), "two");
    assert_int_equal(access(place_path(p, "hcc.new"), F_OK), -1);
    cache_close(cache);
}

static uint64_t bytes_kept(const Place *p) {
    uint64_t total = 0;
    DIR *folder = opendir(p->folder);
    assert_non_null(folder);
    for (struct dirent *d = readdir(folder); d; d = readdir(folder)) {
        struct stat status;
        if (strstr(d->d_name, ".code") && stat(place_path(p, d->d_name), &status) == 0)
            total += ((uint64_t)status.st_size + BLOCK - 1) / BLOCK * BLOCK;
    }
    closedir(folder);
    return total;
}

static void set_age(const Place *p, uint64_t key, time_t seconds) {
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, entry_path(p, key), times, 0), 0);
}

/* The longest unread go first, and only entries go. */
static void test_eviction(void **state) {
    Place *p = *state;
    static const char foreign[] = "0123456789abcdef0123456789abcdef.txt";
    assert_null(codegen_write_file(p->c->arena, place_path(p, foreign), foreign, sizeof foreign));
    Cache *cache = place_open(p, 4 * BLOCK);
    for (uint64_t key = 1; key <= 4; key++) {
        put(p, cache, key, "small");
        set_age(p, key, (time_t)(100 - key));
    }
    assert_string_equal(get(p, cache, 1), "small"); /* the oldest no more */
    put(p, cache, 5, "small");
    assert_int_equal(bytes_kept(p), 4 * BLOCK);
    assert_null(get(p, cache, 2));
    for (uint64_t key = 1; key <= 5; key++)
        if (key != 2)
            assert_non_null(get(p, cache, key));
    /* Two at once, one of them of two blocks. */
    for (uint64_t key = 1; key <= 5; key++)
        if (key != 2)
            set_age(p, key, (time_t)(100 - key));
    char *large = arena_alloc(p->c->arena, BLOCK + 100);
    memset(large, 'x', BLOCK + 99);
    CacheEntry both[2] = {entry(6, large, BLOCK + 99), entry(7, "small", 5)};
    cache_write(cache, p->c->arena, both, 2);
    assert_int_equal(bytes_kept(p), 4 * BLOCK);
    assert_string_equal(get(p, cache, 6), large);
    assert_non_null(get(p, cache, 7));
    assert_non_null(get(p, cache, 5));
    assert_null(get(p, cache, 4));
    /* What can never fit changes nothing. */
    char *huge = arena_alloc(p->c->arena, 5 * BLOCK);
    memset(huge, 'y', 5 * BLOCK - 1);
    put(p, cache, 8, huge);
    assert_null(get(p, cache, 8));
    assert_string_equal(get(p, cache, 6), large);
    assert_int_equal(access(place_path(p, foreign), F_OK), 0);
    cache_close(cache);
}

/* Texts of several lengths, made from their key. */
static char *text_of(Arena *arena, uint64_t key) {
    size_t length = 100 + (size_t)key * 977 % 9000;
    char *text = arena_alloc(arena, length + 1);
    for (size_t k = 0; k < length; k++)
        text[k] = (char)('a' + (key + k * k) % 26);
    return text;
}

/* Writers and readers of the same few keys, with room for half of them. Exits 0 when all that was
 * ever found was right. */
static void work_in_child(Place *p, uint64_t seed) {
    enum { KEYS = 24, TURNS = 300 };
    Cache *cache = place_open(p, 20 * BLOCK);
    int found = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        uint64_t key = random_next(&seed) % KEYS;
        const char *want = text_of(p->c->arena, key), *got = get(p, cache, key);
        found += got != NULL;
        if (got && strcmp(got, want) != 0)
            _exit(1);
        if (!got)
            put(p, cache, key, want);
        if (bytes_kept(p) > 20 * BLOCK)
            _exit(2);
    }
    _exit(found > TURNS / 10 ? 0 : 3);
}

static void test_several_processes(void **state) {
    Place *p = *state;
    pid_t children[4];
    for (int k = 0; k < 4; k++) {
        children[k] = fork();
        assert_true(children[k] >= 0);
        if (children[k] == 0)
            work_in_child(p, 17 + (uint64_t)k);
    }
    for (int k = 0; k < 4; k++) {
        int status;
        assert_int_equal(waitpid(children[k], &status, 0), children[k]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_true(bytes_kept(p) <= 20 * BLOCK);
}

/* --- objects -----------------------------------------------------------------------------------*/

typedef struct {
    uint32_t found, missed;
    float z[3];
} Run;

/* Compiles and loads two kernels with the cache there, runs the first. */
static Run run_kernels(Place *p, const CodegenOptions *options, const NestKernel *const *kernels) {
    const float x[3] = {0.5f, -1.25f, 3};
    Run run = {0};
    const char *error;
    CodegenTarget *t = codegen_target_create(p->c->arena, options, &error);
    assert_non_null(t);
    Cache *cache = place_open(p, PLENTY);
    codegen_target_keep(t, cache);
    CodegenModel model = {.kernels = kernels, .n_kernels = 2, .symbol = "m", .element_size = 4};
    const HcModel *loaded;
    Jit *jit = codegen_load(p->c->arena, t, &model, 2, &loaded, &error);
    if (!jit)
        fail_msg("%s", error);
    assert_int_equal(loaded->kernel_count, 2);
    assert_string_equal(loaded->manifest, "{}");
    loaded->kernels[0]((void *const[]){(void *)x, (void *)x, run.z}, &(HcExtents){.instances = 3},
                       0, NULL);
    jit_unload(jit);
    cache_counts(cache, &run.found, &run.missed);
    cache_close(cache);
    codegen_target_destroy(t);
    return run;
}

static void expect_run(Run run, uint32_t found, uint32_t missed, const Run *same) {
    assert_int_equal(run.found, found);
    assert_int_equal(run.missed, missed);
    if (same)
        assert_memory_equal(run.z, same->z, sizeof run.z);
}

static void test_kernels(void **state) {
    Place *p = *state;
    Arena *arena = p->c->arena;
    CodegenOptions plain = {.cpu = "baseline", .opt_level = 3}, other = plain;
    const NestKernel *kernels[] = {map_kernel(arena, NEST_EXP, NEST_F32, 4, 1),
                                   map_kernel(arena, NEST_LOG, NEST_F32, 4, 1)};
    Run first = run_kernels(p, &plain, kernels);
    expect_run(first, 0, 2, NULL);
    assert_true(fabs(first.z[0] - exp(0.5)) < 1e-6);
    expect_run(run_kernels(p, &plain, kernels), 2, 0, &first);
    /* Equal kernels however they are called, in any order, beside any others. */
    NestKernel *named = map_kernel(arena, NEST_EXP, NEST_F32, 4, 1);
    named->name = "renamed";
    const NestKernel *swapped[] = {map_kernel(arena, NEST_SIN, NEST_F32, 4, 1), named};
    expect_run(run_kernels(p, &plain, swapped), 1, 1, NULL);
    /* Twice the same kernel in one model. */
    const NestKernel *twice[] = {kernels[0], named};
    expect_run(run_kernels(p, &plain, twice), 2, 0, &first);
    const NestKernel *new_twice[] = {map_kernel(arena, NEST_COS, NEST_F32, 4, 1),
                                     map_kernel(arena, NEST_COS, NEST_F32, 4, 1)};
    Run cosine = run_kernels(p, &plain, new_twice);
    assert_true(fabs(cosine.z[0] - cos(0.5)) < 1e-6);
    expect_run(run_kernels(p, &plain, new_twice), 2, 0, &cosine);
    /* Whatever changes code changes the key. */
    other.opt_level = 0;
    expect_run(run_kernels(p, &other, kernels), 0, 2, NULL);
    other = plain, other.cpu = "x86-64-v2";
    expect_run(run_kernels(p, &other, kernels), 0, 2, &first);
    other = plain, other.vector_bytes = 32;
    expect_run(run_kernels(p, &other, kernels), 0, 2, &first);
    const NestKernel *wider[] = {map_kernel(arena, NEST_EXP, NEST_F32, 8, 1),
                                 map_kernel(arena, NEST_EXP, NEST_F64, 4, 1)};
    expect_run(run_kernels(p, &plain, wider), 0, 2, &first);
    expect_run(run_kernels(p, &plain, kernels), 2, 0, &first);
}

static CodegenResult compile_model(Place *p, const CodegenModel *model, bool sanitize,
                                   uint32_t *found) {
    const char *error;
    CodegenOptions options = {.cpu = "baseline",
                              .opt_level = 3,
                              .sanitizer = sanitize ? SANITIZER_ADDRESS : SANITIZER_NONE};
    CodegenTarget *t = codegen_target_create(p->c->arena, &options, &error);
    assert_non_null(t);
    Cache *cache = place_open(p, PLENTY);
    codegen_target_keep(t, cache);
    CodegenResult result = codegen_compile(p->c->arena, t, model, CODEGEN_OBJECT);
    assert_null(result.error);
    uint32_t missed;
    cache_counts(cache, found, &missed);
    cache_close(cache);
    codegen_target_destroy(t);
    return result;
}

/* An object of a whole model is the same to the byte; everything that is in it counts. */
static void test_whole_models(void **state) {
    Place *p = *state;
    Arena *arena = p->c->arena;
    uint32_t found;
    const NestKernel *kernel = map_kernel(arena, NEST_EXP, NEST_F32, 4, 1);
    NestKernel *named = map_kernel(arena, NEST_EXP, NEST_F32, 4, 1);
    named->name = "renamed";
    const NestKernel *const renamed = named;
    CodegenThunk thunk = {"make", "hc_create", true, 3}, thunk4 = {"make", "hc_create", true, 4};
    CodegenModel base = {
        .kernels = &kernel, .n_kernels = 1, .symbol = "m", .element_size = 4, .manifest = "{}"};
    CodegenModel others[7];
    for (int k = 0; k < 7; k++)
        others[k] = base;
    others[0].kernels = &renamed;
    others[1].symbol = "n";
    others[2].element_size = 8;
    others[3].manifest = "{} ";
    others[4].main_callee = "hc_main";
    others[5].thunks = &thunk, others[5].n_thunks = 1;
    others[6].thunks = &thunk4, others[6].n_thunks = 1;
    CodegenResult first = compile_model(p, &base, false, &found);
    assert_int_equal(found, 0);
    CodegenResult again = compile_model(p, &base, false, &found);
    assert_int_equal(found, 1);
    assert_int_equal(first.length, again.length);
    assert_memory_equal(first.bytes, again.bytes, first.length);
    compile_model(p, &base, true, &found);
    assert_int_equal(found, 0);
    for (int k = 0; k < 7; k++) {
        compile_model(p, &others[k], false, &found);
        assert_int_equal(found, 0);
    }
    compile_model(p, &base, false, &found);
    assert_int_equal(found, 1);
    /* With lines of the source nothing is kept: a text may move and stay the same. */
    base.sources = p->c->sources;
    for (int k = 0; k < 2; k++) {
        compile_model(p, &base, false, &found);
        assert_int_equal(found, 0);
    }
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_kept_and_found),
        CACHE_TEST(test_folders_are_made),
        CACHE_TEST(test_damage),
        CACHE_TEST(test_trust),
        CACHE_TEST(test_nothing_can_be_written),
        CACHE_TEST(test_eviction),
        CACHE_TEST(test_several_processes),
        CACHE_TEST(test_kernels),
        CACHE_TEST(test_whole_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
