/* Data and checkpoints: what is read, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/data/read_text.h"
#include "runtime/files/checkpoint.h"
#include "runtime/trained/evaluate.h"
#include "runtime_model.h"
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/hcrt-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void remove_tree(const char *path) {
    DIR *stream = opendir(path);
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        char below[600];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (unlink(below) != 0)
            remove_tree(below);
    }
    if (stream)
        closedir(stream);
    rmdir(path);
}

static int remove_folder(void **state) {
    (void)state;
    remove_tree(folder);
    return 0;
}

/* A path in the folder; valid until eight more have been made. */
static const char *in(const char *name) {
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static uint8_t *get(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *count = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*count + 1);
    assert_int_equal(fread(bytes, 1, *count, file), *count);
    fclose(file);
    return bytes;
}

static HcContext *create(const HcModel *model, int64_t samples, int64_t positions) {
    HcOptions options = {1, samples, positions};
    HcContext *context;
    assert_int_equal(hc_create(model, &options, &context, NULL), HC_OK);
    return context;
}

/* --- data --------------------------------------------------------------------------------------*/

static void folders_are_read_in_order(void **state) {
    (void)state;
    mkdir(in("d"), 0777);
    mkdir(in("d/b"), 0777);
    mkdir(in("d/.git"), 0777);
    put(in("d/a.txt"), "one", 3);
    put(in("d/b/z"), "two", 3);
    put(in("d/b/A"), "TWO", 3);
    put(in("d/c"), "three", 5);
    put(in("d/.hidden"), "no", 2);
    put(in("d/.git/x"), "no", 2);
    assert_int_equal(symlink(folder, in("d/b/loop")), 0);
    HcText text;
    HcError error;
    assert_int_equal(hc_read_text(in("d"), false, NULL, &text, &error), HC_OK);
    assert_int_equal(text.count, 14);
    assert_memory_equal(text.bytes, "oneTWOtwothree", 14);
    assert_int_equal(text.files, 4);
    free(text.bytes);
}

/* What a folder of text also holds: passed over, and told. */
static void what_is_no_text_is_passed_over(void **state) {
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
    } files[] = {
        {"t/gz", "\x1f\x8b\x08 rest", 8},
        {"t/xz",
         "\xfd"
         "7zXZ\0 rest",
         11},
        {"t/bz2", "BZh91AY&SY rest", 15},
        {"t/zip", "PK\3\4 rest", 9},
        {"t/zst", "\x28\xb5\x2f\xfd rest", 9},
        {"t/utf16le",
         "\xff\xfe"
         "a\0",
         4},
        {"t/utf16be", "\xfe\xff\0a", 4},
        {"t/wide", "a\0b\0", 4},
        {"t/zero", "\0", 1},
        {"t/last", "text\0", 5},
    };
    static const char *const texts[][2] = {{"t/0", "BZh is how"},
                                           {"t/1", "PK has begun"},
                                           {"t/2", "gr\xf6\xdf"
                                                   "e, \xc3\xa4"},
                                           {"t/run/config.json", "{}"}};
    HcText text;
    HcError error;
    mkdir(in("t"), 0777);
    mkdir(in("t/run"), 0777);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        put(in(files[k].name), files[k].bytes, files[k].size);
        assert_int_equal(hc_read_text(in(files[k].name), false, NULL, &text, &error),
                         HC_ERROR_DATA);
        assert_non_null(strstr(error.message, in(files[k].name)));
        assert_int_equal(hc_read_text(in(files[k].name), true, NULL, &text, &error), HC_OK);
        assert_int_equal(text.count, files[k].size);
        free(text.bytes);
    }
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        put(in(texts[k][0]), texts[k][1], strlen(texts[k][1]));
    char said[300] = "", expected[300];
    for (int run = 0; run < 2; run++) { /* with a log, t/run is the folder of a run */
        FILE *notes = fmemopen(said, sizeof said, "w");
        assert_int_equal(hc_read_text(in("t"), false, notes, &text, &error), HC_OK);
        fclose(notes);
        assert_int_equal(text.files, 4 - run);
        assert_memory_equal(text.bytes, "BZh is howPK has begungr\xf6\xdf", 24);
        snprintf(expected, sizeof expected, "passed over %d that are no text, such as `%s`\n",
                 10 + run, in("t/bz2"));
        assert_non_null(strstr(said, expected));
        free(text.bytes);
        put(in("t/run/log.jsonl"), "{}", 2);
    }
    assert_int_equal(hc_read_text(in("t/run"), false, NULL, &text, &error), HC_ERROR_DATA);
    assert_non_null(strstr(error.message, "is the folder of a run"));
    assert_int_equal(hc_read_text(in("t/run"), true, NULL, &text, &error), HC_OK);
    free(text.bytes);
}

static void bad_data_is_named(void **state) {
    (void)state;
    HcText text;
    HcError error;
    put(in("empty"), "", 0);
    mkdir(in("none"), 0777);
    static const char *const cases[][2] = {
        {"missing", "No such file"},
        {"empty", "is empty"},
        {"none", "holds no regular file"},
    };
    for (int k = 0; k < 3; k++) {
        assert_int_equal(hc_read_text(in(cases[k][0]), false, NULL, &text, &error), HC_ERROR_DATA);
        assert_non_null(strstr(error.message, cases[k][1]));
        assert_null(text.bytes);
    }
    assert_int_equal(hc_read_text("/dev/zero", false, NULL, &text, &error), HC_ERROR_DATA);
    assert_non_null(strstr(error.message, "neither a file nor a folder"));
}

/* A text of `count` different bytes, of which so many are trained on. */
static HcData counting(int64_t count, int64_t train_count) {
    HcSequence *s = calloc(1, sizeof *s);
    s->is_text = true;
    s->stream = "bytes";
    s->files.at = calloc(1, sizeof *s->files.at);
    s->files.count = 1;
    s->files.at[0].path = strdup("counting");
    s->files.at[0].count = count;
    s->pieces = calloc(1, sizeof *s->pieces);
    s->pieces[0].bytes = malloc((size_t)count);
    for (int64_t k = 0; k < count; k++)
        s->pieces[0].bytes[k] = (uint8_t)k;
    return (HcData){.sequence = s, .count = count, .train_count = train_count};
}

static void windows_must_fit(void **state) {
    (void)state;
    char *manifest = bigram_manifest("\"limit\": 256", 4, "\"limit\": 100");
    HcModel model = bigram_model(4, manifest);
    HcPlan plan;
    HcError error;
    assert_int_equal(hc_plan_read(&model, &plan, &error), HC_OK);
    HcData data = counting(100, 83); /* 17 held out: exactly one window of 16 and its target */
    assert_int_equal(hc_data_check(&data, &plan, 16, HC_TRAIN_PART, &error), HC_OK);
    assert_int_equal(hc_data_check(&data, &plan, 16, HC_HELD_OUT_PART, &error), HC_OK);
    int64_t first, last;
    hc_data_starts(&data, &plan, 16, HC_TRAIN_PART, &first, &last);
    assert_true(first == 0 && last == 66);
    hc_data_starts(&data, &plan, 16, HC_HELD_OUT_PART, &first, &last);
    assert_true(first == 83 && last == 83);
    data.train_count = 84;
    assert_int_equal(hc_data_check(&data, &plan, 16, HC_HELD_OUT_PART, &error), HC_ERROR_DATA);
    assert_string_equal(error.message,
                        "the data (`counting`) are too short: a window of 16 positions needs 17 "
                        "bytes, and the held-out part has 16 (of 100 in all)");
    assert_int_equal(hc_data_check(&data, &plan, 16, HC_TRAIN_PART, &error), HC_OK);
    data.train_count = 16;
    assert_int_equal(hc_data_check(&data, &plan, 16, HC_TRAIN_PART, &error), HC_ERROR_DATA);
    assert_non_null(strstr(error.message, "training part has 16"));
    hc_data_free(&data);
    hc_plan_free(&plan);
    free(manifest);
}

static void bytes_must_be_in_the_vocabulary(void **state) {
    (void)state;
    char *manifest = bigram_manifest("\"limit\": 256", 4, "\"limit\": 100");
    HcModel model = bigram_model(4, manifest);
    HcPlan plan;
    HcError error;
    HcData data;
    char text[60];
    const char *given = in("text");
    const HcDataRequest request = {.given = &given, .n_given = 1, .trains = true};
    memset(text, 99, sizeof text);
    put(given, text, sizeof text);
    assert_int_equal(hc_plan_read(&model, &plan, &error), HC_OK);
    assert_int_equal(hc_data_open(&data, &plan, &request, 4, &error), HC_OK);
    hc_data_free(&data);
    text[41] = 100;
    put(given, text, sizeof text);
    assert_int_equal(hc_data_open(&data, &plan, &request, 4, &error), HC_ERROR_DATA);
    assert_non_null(strstr(error.message, "byte 100 at offset 41 of `"));
    hc_plan_free(&plan);
    free(manifest);
}

static void batches_follow_seed_and_step(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = create(&model, 3, 16);
    HcData data = counting(200, 180);
    int seen[200] = {0};
    for (int64_t step = 0; step < 2000; step++) {
        for (int64_t s = 0; s < 3; s++) {
            int64_t start = hc_batch_start(&data, &c->plan, 16, 4, step, hc_samples(c), s);
            assert_in_range(start, 0, 180 - 17);
            seen[start]++;
        }
    }
    for (int k = 0; k <= 180 - 17; k++)
        assert_true(seen[k] > 0);
    hc_data_batch(&data, c, 4, 7);
    for (int64_t s = 0; s < 3; s++) {
        int64_t start = hc_batch_start(&data, &c->plan, 16, 4, 7, hc_samples(c), s);
        for (int64_t t = 0; t < 16; t++) {
            assert_int_equal(((int32_t *)c->inputs[0])[s * 16 + t], start + t);
            assert_int_equal(((int32_t *)c->inputs[1])[s * 16 + t], start + t + 1);
        }
    }
    assert_true(hc_batch_start(&data, &c->plan, 16, 4, 7, hc_samples(c), 0) !=
                    hc_batch_start(&data, &c->plan, 16, 5, 7, hc_samples(c), 0) ||
                hc_batch_start(&data, &c->plan, 16, 4, 7, hc_samples(c), 1) !=
                    hc_batch_start(&data, &c->plan, 16, 5, 7, hc_samples(c), 1));
    hc_data_free(&data);
    hc_destroy(c);
    free(manifest);
}

static void evaluation_covers_every_window_once(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 8, NULL);
    HcModel model = bigram_model(8, manifest);
    HcContext *c = create(&model, 4, 5);
    hc_init(c, 1);
    HcData data = counting(250, 250 - (7 * 16 + 1 + 9));
    /* held out: 7 windows of 16, their targets, and 9 bytes more */
    double one, sum = 0;
    HcEvaluation found;
    assert_int_equal(hc_data_evaluate(&data, c, &(HcEvaluationSize){.batch = 4}, NULL, &found),
                     HC_OK);
    assert_int_equal(found.windows, 7);
    assert_int_equal(hc_samples(c), 4); /* as before */
    assert_int_equal(hc_positions(c), 5);
    assert_int_equal(hc_resize(c, 1, 16), HC_OK);
    for (int64_t w = 0; w < 7; w++) {
        hc_data_fill(&data, c, 0, data.train_count + 16 * w);
        hc_forward(c);
        assert_int_equal(hc_loss(c, &one), HC_OK);
        sum += one;
    }
    assert_true(fabs(found.loss - sum / 7) < 1e-12);
    data.train_count = 240;
    assert_int_equal(hc_data_evaluate(&data, c, &(HcEvaluationSize){.batch = 4}, NULL, &found),
                     HC_ERROR_DATA);
    hc_data_free(&data);
    hc_destroy(c);
    free(manifest);
}

/* --- checkpoints -------------------------------------------------------------------------------*/

static HcContext *stepped(const HcModel *model, int steps) {
    HcContext *c = create(model, 2, 8);
    hc_init(c, 11);
    int32_t tokens[16] = {9, 8, 7};
    hc_set_input(c, "tokens", tokens, 16);
    hc_set_input(c, "next", tokens, 16);
    for (int k = 0; k < steps; k++) {
        hc_forward(c);
        hc_backward(c);
        assert_int_equal(hc_step(c, -1), HC_OK);
    }
    return c;
}

static void training_continues_to_the_bit(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *whole = stepped(&model, 9), *half = stepped(&model, 4), *rest = stepped(&model, 0);
    assert_int_equal(hc_save(half, in("half.safetensors")), HC_OK);
    assert_int_equal(hc_save_state(half, in("half.state.safetensors")), HC_OK);
    hc_init(rest, 99);
    assert_int_equal(hc_load(rest, in("half.safetensors")), HC_OK);
    assert_int_equal(hc_load_state(rest, in("half.state.safetensors")), HC_OK);
    assert_int_equal(hc_steps_done(rest), 4);
    for (int k = 0; k < 5; k++) {
        hc_forward(rest);
        hc_backward(rest);
        hc_step(rest, -1);
    }
    assert_memory_equal(hc_parameters(whole), hc_parameters(rest),
                        (size_t)hc_slab_elements(whole) * 4);
    assert_int_equal(hc_load(rest, in("half.state.safetensors")), HC_ERROR_CHECKPOINT);
    hc_destroy(whole);
    hc_destroy(half);
    hc_destroy(rest);
    free(manifest);
}

static void precisions_convert(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL), *wide = bigram_manifest(NULL, 8, NULL);
    HcModel model = bigram_model(4, manifest), model64 = bigram_model(8, wide);
    HcContext *c = stepped(&model, 2), *d = stepped(&model64, 0);
    HcParameter p, q;
    assert_int_equal(hc_save(c, in("f32.safetensors")), HC_OK);
    assert_int_equal(hc_load(d, in("f32.safetensors")), HC_OK);
    hc_parameter_named(c, "W", &p);
    hc_parameter_named(d, "W", &q);
    for (int64_t k = 0; k < p.count; k++)
        assert_true(((float *)p.data)[k] == ((double *)q.data)[k]);
    hc_destroy(c);
    hc_destroy(d);
    free(manifest);
    free(wide);
}

/* Loading must fail and change nothing. */
static void refuses(HcContext *c, const char *path, const char *before, size_t bytes,
                    const char *what, size_t at) {
    if (hc_load(c, path) != HC_ERROR_CHECKPOINT)
        fail_msg("%s %zu was accepted", what, at);
    assert_non_null(strstr(hc_last_error(c), path));
    assert_memory_equal(hc_parameters(c), before, bytes);
}

static void damage_is_noticed(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = stepped(&model, 1);
    const char *path = in("damaged.safetensors");
    assert_int_equal(hc_save(c, in("good.safetensors")), HC_OK);
    size_t count, slab = (size_t)hc_slab_elements(c) * 4;
    uint8_t *good = get(in("good.safetensors"), &count);
    char *before = malloc(slab);
    memcpy(before, hc_parameters(c), slab);
    size_t header = 8 + good[0] + ((size_t)good[1] << 8);
    assert_true(header < count && good[8] == '{');
    for (size_t k = 0; k < 2000; k++) { /* every bit of the header's front, then all over */
        size_t bit = k < 1000 ? k : k * 2654435761u % (count * 8);
        good[bit / 8] ^= (uint8_t)(1 << bit % 8);
        put(path, good, count);
        refuses(c, path, before, slab, "flipped bit", bit);
        good[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t length = 0; length <= header; length++) {
        put(path, good, length);
        refuses(c, path, before, slab, "length", length);
    }
    put(path, good, count - 1);
    refuses(c, path, before, slab, "length", count - 1);
    uint8_t *longer = calloc(count + 1, 1);
    memcpy(longer, good, count);
    put(path, longer, count + 1);
    refuses(c, path, before, slab, "length", count + 1);
    put(path, good, count);
    assert_int_equal(hc_load(c, path), HC_OK);
    refuses(c, folder, before, slab, "a folder", 0);
    refuses(c, in("nothing"), before, slab, "nothing", 0);
    free(longer);
    free(good);
    free(before);
    hc_destroy(c);
    free(manifest);
}

/* A foreign file: 8 bytes of length, header, data. */
static void foreign(const char *path, const char *header, size_t data) {
    size_t n = strlen(header);
    uint8_t *bytes = calloc(8 + n + data, 1);
    for (int k = 0; k < 8; k++)
        bytes[k] = (uint8_t)(n >> (8 * k));
    memcpy(bytes + 8, header, n);
    put(path, bytes, 8 + n + data);
    free(bytes);
}

static HcStatus read_tensors(const char *path, const HcTensor *tensors, int64_t count,
                             HcError *error) {
    HcTensorFile *file;
    HcStatus status = hc_tensors_open(path, tensors, count, &file, error);
    if (status == HC_OK)
        hc_tensors_take(file);
    hc_tensors_close(file);
    return status;
}

/* Terminals obey what a file may hold. */
static void messages_are_printable(void **state) {
    (void)state;
    HcError error;
    HcContext *c;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    const char *path = in("bell\a\x1b[2J.safetensors");
    assert_int_equal(hc_create(&model, NULL, &c, &error), HC_OK);
    put(path, "x", 1);
    assert_int_equal(hc_load(c, path), HC_ERROR_CHECKPOINT);
    assert_non_null(strstr(hc_last_error(c), "/bell??[2J.safetensors`: it is too short"));
    hc_destroy(c);
    free(manifest);
}

static void strict_about_headers(void **state) {
    (void)state;
    static const int64_t dims[] = {2, 3};
    float a[6] = {1, 1, 1, 1, 1, 1}, b[1] = {1};
    HcTensor tensors[] = {{"a", a, 4, 2, dims, 6}, {"b", b, 4, 0, NULL, 1}};
    const char *path = in("foreign.safetensors");
    HcError error;
#define ENTRY_A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define ENTRY_B "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]}"
    static const struct {
        const char *header;
        size_t data;
        const char *message;
    } cases[] = {
        {"{" ENTRY_A "}", 24, "`b` is missing"},
        {"{" ENTRY_A "," ENTRY_B
         ",\"c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[28,32]}}",
         32, "no tensor `c`"},
        {"{" ENTRY_A "," ENTRY_A "}", 28, "a name is there twice"},
        {"[" ENTRY_A "]", 28, "a list goes on"},
        {"[1]", 28, "no JSON object"},
        {"{" ENTRY_A "," ENTRY_B "}", 32, "bytes follow"},
        {"{" ENTRY_A "," ENTRY_B "}", 24, "wrong offsets"},
        {"{" ENTRY_A ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[20,24]}}", 28,
         "overlap"},
        {"{" ENTRY_A ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[28,32]}}", 32,
         "gaps"},
        {"{" ENTRY_A ",\"b\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[24,28]}}", 28,
         "none of F32, F64, F16 and BF16"},
        {"{" ENTRY_A ",\"b\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[24,28]}}", 28,
         "wrong offsets"},
        {"{" ENTRY_A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}}", 32,
         "shape"},
        {"{" ENTRY_A ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24]}}", 28,
         "malformed"},
        {"{" ENTRY_A ",\"b\":7}", 28, "malformed"},
        {"{\"__metadata__\":{\"x\":1}," ENTRY_A "," ENTRY_B "}", 28, "not a string"},
        {"{\"__metadata__\":[]," ENTRY_A "," ENTRY_B "}", 28, "not an object"},
        {"{\"__metadata__\":{\"hcc.step\":\"1\"}," ENTRY_A "," ENTRY_B "}", 28, "checksum"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        foreign(path, cases[k].header, cases[k].data);
        assert_int_equal(read_tensors(path, tensors, 2, &error), HC_ERROR_CHECKPOINT);
        if (!strstr(error.message, cases[k].message))
            fail_msg("case %zu: %s", k, error.message);
        assert_true(a[0] == 1 && b[0] == 1);
    }
    foreign(path, "{\"__metadata__\":{\"format\":\"pt\"}," ENTRY_B "," ENTRY_A "}", 28);
    assert_int_equal(read_tensors(path, tensors, 2, &error), HC_OK);
    assert_true(a[5] == 0 && b[0] == 0);
}

/* A foreign file of one tensor `a`. */
static void one_tensor(const char *path, const char *type, const void *values, int64_t count,
                       size_t size) {
    char header[200];
    const size_t bytes = (size_t)count * size;
    snprintf(header, sizeof header,
             "{\"a\":{\"dtype\":\"%s\",\"shape\":[%lld],\"data_offsets\":[0,%zu]}}", type,
             (long long)count, bytes);
    const size_t n = strlen(header);
    uint8_t *file = calloc(8 + n + bytes, 1);
    file[0] = (uint8_t)n;
    memcpy(file + 8, header, n);
    memcpy(file + 8 + n, values, bytes);
    put(path, file, 8 + n + bytes);
    free(file);
}

/* Every half there is, as C's own conversion has it; they are floats and doubles, exactly. */
static void halves_are_read(void **state) {
    (void)state;
    enum { ALL = 1 << 16 };
    static const int64_t dims[] = {ALL};
    static uint16_t bits[ALL];
    static float single[ALL];
    static double wide[ALL];
    const char *path = in("halves.safetensors");
    HcError error;
    HcTensor a = {"a", single, 4, 1, dims, ALL}, b = {"a", wide, 8, 1, dims, ALL};
    for (uint32_t k = 0; k < ALL; k++)
        bits[k] = (uint16_t)k;
    for (int brain = 0; brain < 2; brain++) {
        one_tensor(path, brain ? "BF16" : "F16", bits, ALL, 2);
        assert_int_equal(read_tensors(path, &a, 1, &error), HC_OK);
        assert_int_equal(read_tensors(path, &b, 1, &error), HC_OK);
        for (uint32_t k = 0; k < ALL; k++) {
            const uint32_t word = k << 16;
            _Float16 half;
            float wanted;
            memcpy(&half, &bits[k], sizeof half);
            memcpy(&wanted, &word, sizeof wanted);
            wanted = brain ? wanted : (float)half;
            if (wanted == wanted)
                assert_memory_equal(&wanted, &single[k], sizeof wanted);
            assert_true(wanted == wanted ? single[k] == wide[k] : single[k] != single[k]);
        }
    }
}

/* Doubles become floats, and it is said; what only a double can hold is refused. */
static void what_is_rounded_is_said(void **state) {
    (void)state;
    static const int64_t dims[] = {2};
    float single[2] = {7, 7};
    double wide[2];
    const char *path = in("doubles.safetensors");
    HcTensor a = {"a", single, 4, 1, dims, 2}, b = {"a", wide, 8, 1, dims, 2};
    static const struct {
        double values[2];
        int64_t rounded; /* -1: it is refused */
    } cases[] = {{{0.5, -INFINITY}, 0}, {{0.1, 1}, 1}, {{NAN, 1}, 0}, {{1, -1e39}, -1}};
    HcError error;
    HcTensorFile *file;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        one_tensor(path, "F64", cases[k].values, 2, 8);
        assert_int_equal(read_tensors(path, &b, 1, &error), HC_OK);
        assert_memory_equal(wide, cases[k].values, sizeof wide);
        const HcStatus status = hc_tensors_open(path, &a, 1, &file, &error);
        assert_int_equal(status, cases[k].rounded < 0 ? HC_ERROR_CHECKPOINT : HC_OK);
        if (status == HC_OK)
            assert_int_equal(hc_tensors_rounded(file), cases[k].rounded);
        else
            assert_non_null(strstr(error.message, "tensor `a` holds -1e+39, which is too large"));
        hc_tensors_close(file);
    }
    assert_true(single[0] == 7 && single[1] == 7);
}

static void saving_is_all_or_nothing(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = stepped(&model, 1);
    assert_int_equal(hc_save(c, in("no/such/folder")), HC_ERROR_IO);
    mkdir(in("target"), 0777);
    put(in("target/x"), "x", 1);
    assert_int_equal(hc_save(c, in("target")), HC_ERROR_IO); /* a folder is in the way */
    DIR *stream = opendir(folder);
    struct dirent *entry;
    while ((entry = readdir(stream)))
        assert_null(strstr(entry->d_name, ".tmp"));
    closedir(stream);
    hc_destroy(c);
    free(manifest);
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_read_in_order),
        cmocka_unit_test(what_is_no_text_is_passed_over),
        cmocka_unit_test(bad_data_is_named),
        cmocka_unit_test(windows_must_fit),
        cmocka_unit_test(bytes_must_be_in_the_vocabulary),
        cmocka_unit_test(batches_follow_seed_and_step),
        cmocka_unit_test(evaluation_covers_every_window_once),
        cmocka_unit_test(training_continues_to_the_bit),
        cmocka_unit_test(precisions_convert),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(messages_are_printable),
        cmocka_unit_test(strict_about_headers),
        cmocka_unit_test(halves_are_read),
        cmocka_unit_test(what_is_rounded_is_said),
        cmocka_unit_test(saving_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
