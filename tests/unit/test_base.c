/* The lowest floor: arenas, maps, interning, sources, diagnostics. */
#include "base/compilation.h"
#include "base/fresh_file.h"
#include "base/map.h"
#include "base/text_stream.h"
#include "base/utf8.h"
#include "base/vec.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka wants the headers above
#include <cmocka.h>

static int setup(void **state) {
    return (*state = compilation_create()) ? 0 : -1;
}

static int teardown(void **state) {
    compilation_destroy(*state);
    return 0;
}

/* Arenas */

static void arena_memory_is_zeroed_and_aligned(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    for (size_t size = 0; size < 200000; size = size * 3 + 1) {
        char *memory = arena_alloc(arena, size);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xAB, size);
    }
}

static void arena_objects_do_not_overlap(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    enum { COUNT = 2000 };
    unsigned char *object[COUNT];
    size_t size[COUNT];
    for (int k = 0; k < COUNT; k++) {
        size[k] = (size_t)(k * 7919 % 5000); /* small and larger than a chunk's rest, mixed */
        object[k] = arena_alloc(arena, size[k]);
        memset(object[k], k & 0xFF, size[k]);
    }
    for (int k = 0; k < COUNT; k++)
        for (size_t i = 0; i < size[k]; i++)
            assert_int_equal(object[k][i], k & 0xFF);
}

static void arena_exhaustion_jumps_to_the_handler(void **state) {
    Compilation *c = *state;
    jmp_buf here;
    if (setjmp(here) == 0) {
        c->out_of_memory = &here;
        arena_alloc_array(c->arena, SIZE_MAX / 2, 16);
        fail_msg("an impossible allocation succeeded");
    }
    c->out_of_memory = NULL;
    assert_non_null(arena_alloc(c->arena, 8)); /* still usable */
}

/* Arrays of all sizes grow side by side: each keeps what it holds, gets zeroes behind it, and
 * touches no other's memory. */
static void arena_arrays_grow_side_by_side(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    enum { ARRAYS = 7, ROUNDS = 19 };
    uint32_t *array[ARRAYS] = {0};
    size_t count[ARRAYS] = {0};
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t k = 0; k < ARRAYS; k++) {
            size_t larger = count[k] ? count[k] * (k % 3 + 2) / (k % 2 + 1) : k + 1;
            if (larger > 1 << 20)
                continue;
            array[k] = arena_grow(arena, array[k], count[k] * 4, larger * 4);
            assert_int_equal((uintptr_t)array[k] % _Alignof(max_align_t), 0);
            for (size_t at = count[k]; at < larger; at++) {
                assert_int_equal(array[k][at], 0);
                array[k][at] = (uint32_t)at * 16 + k;
            }
            count[k] = larger;
            memset(arena_alloc(arena, round * 100), 0xff, round * 100);
        }
    for (uint32_t k = 0; k < ARRAYS; k++)
        for (size_t at = 0; at < count[k]; at++)
            assert_int_equal(array[k][at], (uint32_t)at * 16 + k);
    uint32_t *shrunk = arena_grow(arena, array[0], count[0] * 4, 4);
    assert_int_equal(shrunk[0], 0);
}

/* A large array stays where it is, so that growing costs no copies. */
static void arena_large_arrays_stay(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    char *last = arena_alloc(arena, 100);
    assert_ptr_equal(arena_grow(arena, last, 100, 200), last);
#ifndef __SANITIZE_ADDRESS__
    size_t size = 64 * 1024;
    char *large = arena_grow(arena, last, 200, size);
    arena_alloc(arena, 8);
    for (int k = 0; k < 2; k++, size *= 2)
        assert_ptr_equal(arena_grow(arena, large, size, 2 * size), large);
    assert_int_equal(large[size - 1], 0);
#endif
}

static void arena_formats_and_grows(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    assert_string_equal(arena_printf(arena, "%s-%d", "abc", 42), "abc-42");
    VEC(int) numbers = {0};
    for (int k = 0; k < 1000; k++)
        vec_push(arena, &numbers, k);
    assert_int_equal(numbers.count, 1000);
    for (int k = 0; k < 1000; k++)
        assert_int_equal(numbers.at[k], k);
}

/* Maps */

static void map_finds_what_was_put_in_order(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    Map *map = map_create(arena);
    void **first = map_slot_str(map, "first");
    *first = arena;
    char key[32];
    for (int k = 0; k < 5000; k++) {
        snprintf(key, sizeof key, "key %d", k);
        *map_slot_str(map, key) = (void *)(intptr_t)(k + 1);
    }
    assert_int_equal(map_count(map), 5001);
    assert_ptr_equal(map_slot_str(map, "first"), first); /* slots do not move */
    for (int k = 0; k < 5000; k++) {
        snprintf(key, sizeof key, "key %d", k);
        assert_int_equal((intptr_t)map_get_str(map, key), k + 1);
        size_t length;
        assert_string_equal(map_key_at(map, (uint32_t)k + 1, &length), key);
        assert_int_equal(length, strlen(key));
        assert_int_equal((intptr_t)map_value_at(map, (uint32_t)k + 1), k + 1);
    }
    assert_null(map_get_str(map, "key 5000"));
    assert_null(map_get_str(map, ""));
}

static void map_takes_integers_and_bytes(void **state) {
    Map *map = map_create(((Compilation *)*state)->arena);
    for (uint64_t k = 0; k < 3000; k++)
        *map_slot_u64(map, k * 0x100000001ull) = (void *)(uintptr_t)(k + 1);
    for (uint64_t k = 0; k < 3000; k++)
        assert_int_equal((uintptr_t)map_get_u64(map, k * 0x100000001ull), k + 1);
    assert_null(map_get_u64(map, 1));
    Map *bytes = map_create(((Compilation *)*state)->arena);
    *map_slot(bytes, "a\0b", 3) = map;
    assert_null(map_get(bytes, "a\0c", 3));
    assert_null(map_get(bytes, "a", 1));
    assert_ptr_equal(map_get(bytes, "a\0b", 3), map);
}

static void interning_gives_one_pointer(void **state) {
    Interner *interner = ((Compilation *)*state)->interner;
    const char *a = intern(interner, "stream and more", 6);
    assert_string_equal(a, "stream");
    assert_ptr_equal(a, intern_str(interner, "stream"));
    assert_ptr_not_equal(a, intern_str(interner, "streams"));
}

/* Sources */

static void source_counts_lines_and_code_points(void **state) {
    SourceSet *set = ((Compilation *)*state)->sources;
    const char text[] = "\xEF\xBB\xBFone\r\ntwo \xCE\xBB x\n\nend";
    uint32_t file = source_add(set, "a.hc", text, sizeof text - 1);
    assert_string_equal(source_name(set, file), "a.hc");
    size_t length;
    assert_memory_equal(source_line(set, file, 1, &length), "one", 3);
    assert_int_equal(length, 3);
    assert_memory_equal(source_line(set, file, 2, &length), "two \xCE\xBB x", 8);
    assert_int_equal(length, 8);
    source_line(set, file, 3, &length);
    assert_int_equal(length, 0);
    source_line(set, file, 5, &length); /* there is none */
    assert_int_equal(length, 0);
    LineColumn start = source_line_column(set, file, 3);
    assert_int_equal(start.line, 1);
    assert_int_equal(start.column, 1);
    LineColumn x = source_line_column(set, file, (uint32_t)(strchr(text, 'x') - text));
    assert_int_equal(x.line, 2);
    assert_int_equal(x.column, 7);
    LineColumn end = source_line_column(set, file, 1000000);
    assert_int_equal(end.line, 4);
    assert_int_equal(end.column, 4);
}

static void span_join_covers_both(void **state) {
    (void)state;
    Span a = {1, 5, 9}, b = {1, 2, 6}, nowhere = {0};
    Span joined = span_join(a, b);
    assert_int_equal(joined.begin, 2);
    assert_int_equal(joined.end, 9);
    assert_int_equal(span_join(nowhere, b).begin, 2);
    assert_int_equal(span_join(a, nowhere).end, 9);
}

static void utf8_is_strict(void **state) {
    (void)state;
    uint32_t c;
    assert_int_equal(utf8_decode("\xE2\x82\xAC", 3, &c), 3);
    assert_int_equal(c, 0x20AC);
    assert_int_equal(utf8_decode("\xE2\x82\xAC", 2, &c), 0); /* cut short */
    assert_int_equal(utf8_decode("\xC0\x80", 2, &c), 0);     /* overlong */
    assert_int_equal(utf8_decode("\xE0\x80\x80", 3, &c), 0); /* overlong */
    assert_int_equal(utf8_decode("\xED\xA0\x80", 3, &c), 0); /* surrogate */
    assert_int_equal(utf8_decode("\xF4\x90\x80\x80", 4, &c), 0);
    assert_int_equal(utf8_decode("\x80", 1, &c), 0);
    assert_int_equal(utf8_decode("\xF0\x9F\x98\x80", 4, &c), 4);
}

/* Text in memory */

static long reallocations_left = -1; /* < 0: for ever */

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
    return reallocations_left < 0 || reallocations_left-- > 0 ? __real_realloc(old, size) : NULL;
}

static void exhausted(void *context) {
    longjmp(*(jmp_buf *)context, 1);
}

/* Lines of 25 characters; whether there was memory for them. Where there was none the stream is
 * left open in the middle, or found to be short at its end. */
static bool prints_lines(int lines, long reallocations, bool leave) {
    jmp_buf out_of_memory;
    Arena *arena = arena_create(exhausted, &out_of_memory);
    if (setjmp(out_of_memory)) {
        reallocations_left = -1;
        arena_destroy(arena);
        return false;
    }
    TextStream *text = text_stream_open(arena);
    reallocations_left = reallocations;
    for (int k = 0; k < lines; k++)
        fprintf(text->to, "this is line %011d\n", k);
    if (leave)
        arena_exhausted(arena);
    text_stream_close(text);
    reallocations_left = -1;
    assert_int_equal(text->length, 25 * lines);
    for (int k = 0; k < lines; k++)
        assert_int_equal(strtol(text->text + 25 * k + 13, NULL, 10), k);
    arena_destroy(arena);
    return true;
}

/* Where there was no memory for a part in the middle, what comes after it is no text either. */
static void text_is_whole_or_none(void **state) {
    (void)state;
    assert_true(prints_lines(0, -1, false));
    assert_true(prints_lines(1, -1, false));
    assert_true(prints_lines(40, 1, false));
    assert_false(prints_lines(2000, -1, true));
    long most = 0;
    while (!prints_lines(2000, most, false))
        most++;
    assert_true(most >= 3);
}

/* Diagnostics */

static char *rendered(const Compilation *c, bool json, bool color) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    if (json)
        diag_render_json(c->diagnostics, to);
    else
        diag_render_text(c->diagnostics, to, color);
    fclose(to);
    char *copy = strdup(text); /* gcc takes the stream's own buffer for a dangling one */
    free(text);
    return copy;
}

static Span span_of(const Compilation *c, uint32_t file, const char *what) {
    const char *text = source_text(c->sources, file, NULL);
    uint32_t begin = (uint32_t)(strstr(text, what) - text);
    return (Span){file, begin, begin + (uint32_t)strlen(what)};
}

static void diagnostic_looks_as_designed(void **state) {
    Compilation *c = *state;
    const char *source = "model m {\n  state H[4, d];\n\n  param mix[3, 3] = identity;\n}\n";
    uint32_t file = source_add(c->sources, "gpt.hc", source, strlen(source));
    diag_error(c->diagnostics, DIAG_SYNTAX, span_of(c, file, "mix[3, 3]"),
               "`%s` is 3×3, but the trunk has %d streams", "mix", 4);
    diag_note(c->diagnostics, span_of(c, file, "H[4, d]"), "set here");
    diag_help(c->diagnostics, "write `mix[n, n]`");
    char *text = rendered(c, false, false);
    assert_string_equal(text, "error[E0101]: `mix` is 3×3, but the trunk has 4 streams\n"
                              "  gpt.hc:4:9\n"
                              "   |\n"
                              " 4 |   param mix[3, 3] = identity;\n"
                              "   |         ^^^^^^^^^\n"
                              " 2 |   state H[4, d];     <- set here\n"
                              "help: write `mix[n, n]`\n\n");
    free(text);
    text = rendered(c, false, true);
    assert_non_null(strstr(text, "\033[31merror"));
    free(text);
}

static void diagnostic_shows_a_window_of_a_long_line(void **state) {
    Compilation *c = *state;
    enum { LONG = 100000 };
    char *source = malloc(LONG + 1);
    memset(source, 'a', LONG);
    source[LONG] = '\0';
    memcpy(source + LONG / 2, "HERE", 4);
    uint32_t file = source_add(c->sources, "long.hc", source, LONG);
    diag_error(c->diagnostics, DIAG_SYNTAX, span_of(c, file, "HERE"), "long");
    char *text = rendered(c, false, false);
    assert_true(strlen(text) < 600);
    const char *line = strstr(text, " 1 | "), *marks = strstr(text, "^^^^\n");
    assert_non_null(line);
    assert_non_null(marks);
    /* The carets stand below HERE: the ellipsis before it is one column in three bytes. */
    const char *marks_line = marks;
    while (marks_line[-1] != '\n')
        marks_line--;
    assert_int_equal(strstr(line, "HERE") - line - 2, marks - marks_line);
    free(text);
    free(source);
}

static void diagnostic_text_cannot_steer_a_terminal(void **state) {
    Compilation *c = *state;
    const char source[] = "\t\033[2Jx \xFF y\xE2\x80\xAE z";
    uint32_t file = source_add(c->sources, "evil\033.hc", source, sizeof source - 1);
    diag_error(c->diagnostics, DIAG_LEX, (Span){file, 1, 2}, "stray `%s`", "\033\xFF");
    char *text = rendered(c, false, false);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\xFF'));
    assert_null(strstr(text, "\xE2\x80\xAE"));
    assert_non_null(strstr(text, "   |     ^\n")); /* a tab is four columns */
    free(text);
    text = rendered(c, true, false);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\xFF'));
    assert_non_null(strstr(text, "\"code\": \"E0102\""));
    free(text);
}

static void the_same_is_said_once_and_at_most_twenty_are_shown(void **state) {
    Compilation *c = *state;
    char source[64];
    memset(source, 'x', sizeof source);
    uint32_t file = source_add(c->sources, "many.hc", source, sizeof source);
    for (int round = 0; round < 2; round++)
        for (uint32_t k = 0; k < 25; k++) {
            diag_error(c->diagnostics, DIAG_LEX, (Span){file, k, k + 1}, "error %u", k);
            diag_note(c->diagnostics, (Span){file, 0, 1}, "round %d", round);
        }
    diag_warning(c->diagnostics, DIAG_SYNTAX, (Span){file, 0, 1}, "a warning");
    assert_int_equal(diag_error_count(c->diagnostics), 25);
    assert_int_equal(diag_warning_count(c->diagnostics), 1);
    char *text = rendered(c, false, false);
    assert_non_null(strstr(text, "error 19\n"));
    assert_null(strstr(text, "error 20\n"));
    assert_non_null(strstr(text, "… and 5 more errors\n"));
    assert_non_null(strstr(text, "warning[E0101]: a warning"));
    assert_null(strstr(text, "round 1"));
    free(text);
}

/* As the file is read, whatever was found first. */
static void diagnostics_stand_in_the_order_of_their_places(void **state) {
    Compilation *c = *state;
    const uint32_t file = source_add(c->sources, "own.hc", "abcdef", 6);
    const uint32_t other = source_add(c->sources, "library.hc", "abcdef", 6);
    diag_error(c->diagnostics, DIAG_SYNTAX, (Span){other, 0, 1}, "fifth");
    diag_error(c->diagnostics, DIAG_LEX, (Span){file, 3, 4}, "fourth");
    diag_warning(c->diagnostics, DIAG_LEX, (Span){file, 1, 2}, "second");
    diag_error(c->diagnostics, DIAG_SYNTAX, (Span){file, 1, 2}, "third");
    diag_error(c->diagnostics, DIAG_SYNTAX, (Span){0}, "first");
    for (uint32_t json = 0; json < 2; json++) {
        char *text = rendered(c, json, false);
        const char *at = text;
        static const char *const order[] = {"first", "second", "third", "fourth", "fifth"};
        for (uint32_t k = 0; k < 5; k++) {
            at = strstr(at, order[k]);
            assert_non_null(at);
        }
        free(text);
    }
}

static void json_is_an_array_with_places(void **state) {
    Compilation *c = *state;
    char *text = rendered(c, true, false);
    assert_string_equal(text, "[]\n");
    free(text);
    uint32_t file = source_add(c->sources, "a.hc", "let \"x\"\nabc", 11);
    diag_error(c->diagnostics, DIAG_LEX, (Span){file, 8, 11}, "quote \" and \\");
    diag_note(c->diagnostics, (Span){0}, "built in");
    diag_help(c->diagnostics, "do this");
    text = rendered(c, true, false);
    assert_non_null(strstr(text, "quote \\\" and \\\\"));
    assert_non_null(strstr(text, "\"line\": 2"));
    assert_non_null(strstr(text, "\"end_column\": 4"));
    assert_non_null(strstr(text, "\"file\": null"));
    assert_non_null(strstr(text, "do this"));
    free(text);
}

static void codes_explain_themselves(void **state) {
    (void)state;
    const char *title = NULL, *text = NULL;
    assert_true(diag_explain("E0101", &title, &text));
    assert_string_equal(title, "syntax error");
    assert_true(diag_explain("501", &title, &text));
    assert_non_null(strstr(text, "256"));
    assert_false(diag_explain("E0999", &title, &text));
    assert_false(diag_explain("E", &title, &text));
    assert_false(diag_explain("E0101x", &title, &text));
    assert_false(diag_explain("99999999999999999999", &title, &text));
}

static void nearest_name_forgives_typos(void **state) {
    (void)state;
    const char *const names[] = {"rotation", "heads", "n", "map", "sap"};
    assert_string_equal(nearest_name("rotatoin", names, 5), "rotation");
    assert_string_equal(nearest_name("head", names, 5), "heads");
    assert_string_equal(nearest_name("mpa", names, 5), "map");
    assert_null(nearest_name("m", names, 5)); /* one letter has no typo */
    assert_null(nearest_name("swiglu", names, 5));
    assert_null(nearest_name("", names, 5));
}

/* Fresh files */

static unsigned made_mode(Arena *arena, mode_t mode, char **name) {
    struct stat info;
    const int file = fresh_file(arena, "/tmp/hcc-fresh", mode, name);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &info), 0);
    close(file);
    unlink(*name);
    return info.st_mode & 07777;
}

static void fresh_files_have_what_the_umask_leaves(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    char *name, *another;
    const mode_t before = umask(027);
    const unsigned text = made_mode(arena, 0666, &name), program = made_mode(arena, 0777, &another);
    umask(before);
    assert_int_equal(text, 0640);
    assert_int_equal(program, 0750);
    assert_string_not_equal(name, another);
    assert_int_equal(fresh_file(arena, "/nowhere/at/all", 0666, &name), -1);
    assert_int_equal(errno, ENOENT);
}

/* Makes files in the usual way, and counts those that others may write. */
static void *make_usual_files(void *stop) {
    uintptr_t open_to_all = 0;
    while (!atomic_load((atomic_bool *)stop)) {
        char path[] = "/tmp/hcc-usual-XXXXXX";
        struct stat info;
        if (!mkdtemp(path)) /* only for a name that is free */
            break;
        rmdir(path);
        if (mkdir(path, 0777) == 0 && stat(path, &info) == 0)
            open_to_all += (info.st_mode & 022) != 0;
        rmdir(path);
    }
    return (void *)open_to_all;
}

static void fresh_files_change_no_mode_of_another_thread(void **state) {
    Arena *arena = ((Compilation *)*state)->arena;
    atomic_bool stop = false;
    pthread_t thread;
    void *open_to_all;
    char *name;
    const mode_t before = umask(022);
    assert_int_equal(pthread_create(&thread, NULL, make_usual_files, &stop), 0);
    for (int k = 0; k < 500; k++)
        made_mode(arena, 0666, &name);
    atomic_store(&stop, true);
    pthread_join(thread, &open_to_all);
    umask(before);
    assert_ptr_equal(open_to_all, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(arena_memory_is_zeroed_and_aligned),
        T(arena_objects_do_not_overlap),
        T(arena_exhaustion_jumps_to_the_handler),
        T(arena_arrays_grow_side_by_side),
        T(arena_large_arrays_stay),
        T(arena_formats_and_grows),
        T(map_finds_what_was_put_in_order),
        T(map_takes_integers_and_bytes),
        T(interning_gives_one_pointer),
        T(source_counts_lines_and_code_points),
        T(span_join_covers_both),
        T(utf8_is_strict),
        T(text_is_whole_or_none),
        T(diagnostic_looks_as_designed),
        T(diagnostic_shows_a_window_of_a_long_line),
        T(diagnostic_text_cannot_steer_a_terminal),
        T(the_same_is_said_once_and_at_most_twenty_are_shown),
        T(diagnostics_stand_in_the_order_of_their_places),
        T(json_is_an_array_with_places),
        T(codes_explain_themselves),
        T(nearest_name_forgives_typos),
        T(fresh_files_have_what_the_umask_leaves),
        T(fresh_files_change_no_mode_of_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
