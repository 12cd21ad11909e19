/* Checkpoints under every mishap: the process is killed, or a call fails, at each call in turn by
 * which the runtime changes the disk. The linker hands those calls over to this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/files/replace.h"
#include "runtime/train/train.h"
#include "runtime_model.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the calls that change the disk ------------------------------------------------------------*/

typedef enum { PASS, KILL_BEFORE, KILL_AFTER, FAIL } Mishap;
enum { KILLED = 9, UNSAFE = 10 };

static Mishap mishap;
static long left;                  /* calls until it */
static bool no_exchange;           /* as on file systems that cannot */
static bool watched;               /* whether `unsynced` is kept */
static _Atomic bool unsynced[256]; /* by file descriptor: written and not synced */
static const char *failed_call;
static int why_failed = EIO;

/* -1: the call is to fail. */
static int before(const char *name) {
    if (mishap == PASS || --left != 0)
        return 0;
    failed_call = name;
    if (mishap == KILL_BEFORE)
        _exit(KILLED);
    errno = why_failed;
    return mishap == FAIL ? -1 : 0;
}

static void after(void) {
    if (mishap == KILL_AFTER && left == 0)
        _exit(KILLED);
}

#define WRAP(name, parameters, arguments)                                                          \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters {                                                                 \
        if (before(#name) != 0)                                                                    \
            return -1;                                                                             \
        int result = __real_##name arguments;                                                      \
        int why = errno;                                                                           \
        after();                                                                                   \
        errno = why;                                                                               \
        return result;                                                                             \
    }
WRAP(unlink, (const char *path), (path))
WRAP(unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(mkdir, (const char *path, mode_t mode), (path, mode))

/* What gets its name must be safe on the disk by then. */
static void all_synced(void) {
    for (size_t k = 0; watched && k < sizeof unsynced; k++) {
        if (unsynced[k])
            _exit(UNSAFE);
    }
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) {
    if (before("rename") != 0)
        return -1;
    all_synced();
    int result = __real_rename(from, to), why = errno;
    after();
    errno = why;
    return result;
}

int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    if (before("renameat2") != 0)
        return -1;
    all_synced();
    errno = EINVAL;
    int result = no_exchange ? -1 : __real_renameat2(a, from, b, to, flags), why = errno;
    after();
    errno = why;
    return result;
}

/* At most a part at a time, as on a file system that is nearly full. */
ssize_t __real_write(int file, const void *bytes, size_t count);
ssize_t __wrap_write(int file, const void *bytes, size_t count);
ssize_t __wrap_write(int file, const void *bytes, size_t count) {
    if (before("write") != 0)
        return -1;
    ssize_t result = __real_write(file, bytes, count < 30000 ? count : 30000);
    if (file < (int)sizeof unsynced)
        unsynced[file] = watched;
    after();
    return result;
}

/* Is believed: there is no power cut here. */
int __wrap_fsync(int file);
int __wrap_fsync(int file) {
    if (before("fsync") != 0)
        return -1;
    if (file < (int)sizeof unsynced)
        unsynced[file] = false;
    after();
    return 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    if (!(flags & O_CREAT))
        return __real_open(path, flags);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (!(flags & O_EXCL)) /* it might follow a link that somebody put there */
        _exit(UNSAFE);
    if (before("open") != 0)
        return -1;
    int result = __real_open(path, flags, mode), why = errno;
    after();
    errno = why;
    return result;
}

static void arm(Mishap what, long calls) {
    mishap = what;
    left = calls;
    failed_call = NULL;
    watched = what != PASS;
    for (size_t k = 0; k < sizeof unsynced; k++)
        unsynced[k] = false;
}

/* --- a folder ----------------------------------------------------------------------------------*/

static char folder[64];

static const char *in(const char *name) {
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
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

/* Entries below whose names hold `part`. */
static int count_named(const char *path, const char *part) {
    DIR *stream = opendir(path);
    struct dirent *entry;
    int count = 0;
    while (stream && (entry = readdir(stream))) {
        char below[600];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        count += strstr(entry->d_name, part) != NULL;
        count += count_named(below, part);
    }
    if (stream)
        closedir(stream);
    return count;
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/hcrt-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    arm(PASS, 0);
    remove_tree(folder);
    return 0;
}

/* --- contexts ----------------------------------------------------------------------------------*/

static char *manifest;
static HcModel model;

/* After that many steps. */
static HcContext *stepped(int steps) {
    HcContext *c;
    HcOptions options = {.threads = 1, .samples = 1, .positions = 2};
    assert_int_equal(hc_create(&model, &options, &c, NULL), HC_OK);
    hc_init(c, 11);
    int32_t tokens[2] = {9, 8};
    hc_set_input(c, "tokens", tokens, 2);
    hc_set_input(c, "next", tokens, 2);
    for (int k = 0; k < steps; k++) {
        hc_forward_backward(c);
        assert_int_equal(hc_step(c, -1), HC_OK);
    }
    return c;
}

static HcContext *one, *two, *reader;

static int make_contexts(void **state) {
    manifest = bigram_manifest(NULL, 4, NULL);
    model = bigram_model(4, manifest);
    one = stepped(1);
    two = stepped(2);
    reader = stepped(0);
    return make_folder(state);
}

static int free_contexts(void **state) {
    hc_destroy(one);
    hc_destroy(two);
    hc_destroy(reader);
    free(manifest);
    return remove_folder(state);
}

static size_t slab_bytes(const HcContext *c) {
    return (size_t)hc_slab_elements(c) * hc_element_size(c);
}

/* The step of what is there; 0: nothing. It must be whole, and of one step. */
static int64_t step_there(const char *path) {
    struct stat info;
    char before[200];
    snprintf(before, sizeof before, "%s.old", path);
    hc_init(reader, 5);
    if (hc_load_checkpoint(reader, path) != HC_OK) {
        if (stat(path, &info) == 0 || stat(before, &info) == 0)
            fail_msg("%s", hc_last_error(reader));
        return 0;
    }
    int64_t step = hc_steps_done(reader);
    assert_true(step == 1 || step == 2);
    assert_memory_equal(hc_parameters(reader), hc_parameters(step == 1 ? one : two),
                        slab_bytes(one));
    return step;
}

/* --- mishaps -----------------------------------------------------------------------------------*/

static int64_t kill_at(Mishap what, long calls, const char *path) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        arm(what, calls);
        _exit(hc_save_checkpoint(two, path) == HC_OK ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void killed_at_any_call(void **state) {
    (void)state;
    const char *path = in("last");
    for (int variant = 0; variant < 8; variant++) {
        bool earlier = variant & 4;
        int64_t code = KILLED, previous = 0;
        no_exchange = variant & 2;
        for (long calls = 1; code == KILLED; calls++) {
            assert_int_equal(hc_folder_remove(path, NULL), HC_OK);
            if (earlier)
                assert_int_equal(hc_save_checkpoint(one, path), HC_OK);
            code = kill_at(variant & 1 ? KILL_AFTER : KILL_BEFORE, calls, path);
            assert_true(code == KILLED || code == 0);
            int64_t step = step_there(path);
            assert_true(step >= (earlier ? 1 : 0) && step >= previous);
            assert_true(code == KILLED || step == 2);
            previous = step;
            /* the next one succeeds, and what was left can be removed */
            assert_int_equal(hc_save_checkpoint(one, path), HC_OK);
            assert_int_equal(step_there(path), 1);
            hc_remove_temporaries(folder, NULL);
            assert_int_equal(count_named(folder, ".tmp-"), 0);
            assert_int_equal(count_named(folder, ".old"), 0);
            assert_true(calls < 200);
        }
    }
    no_exchange = false;
}

/* Calls that a signal may interrupt are made again. */
static bool is_made_again(const char *call) {
    return strcmp(call, "write") == 0 || strcmp(call, "fsync") == 0 || strcmp(call, "open") == 0;
}

static void failing_at_any_call(void **state) {
    (void)state;
    static const int reasons[] = {EIO, ENOSPC, EDQUOT, EINTR};
    const char *path = in("last");
    for (int variant = 0; variant < 8; variant++) {
        HcStatus status = HC_ERROR_IO;
        no_exchange = variant & 1;
        why_failed = reasons[variant / 2];
        for (long calls = 1; status != HC_OK || failed_call; calls++) {
            assert_int_equal(hc_save_checkpoint(one, path), HC_OK);
            arm(FAIL, calls);
            status = hc_save_checkpoint(two, path);
            const char *at = failed_call;
            arm(PASS, 0);
            failed_call = at;
            assert_true(status == HC_OK || status == HC_ERROR_IO);
            if (status != HC_OK) {
                assert_non_null(strstr(hc_last_error(two), path));
                assert_non_null(strstr(hc_last_error(two), strerror(why_failed)));
            }
            assert_true(status == HC_OK || why_failed != EINTR || !is_made_again(at));
            int64_t step = step_there(path);
            assert_true(step == 2 || (step == 1 && status != HC_OK));
            if (!at || !strstr(at, "unlink"))
                assert_true(count_named(folder, ".tmp-") == 0 || strcmp(at, "fsync") == 0);
            if (at && strcmp(at, "rename") == 0) /* what was moved out of the way is back */
                assert_int_equal(count_named(folder, ".old"), 0);
            /* another try needs no cleaning */
            assert_int_equal(hc_save_checkpoint(two, path), HC_OK);
            assert_int_equal(step_there(path), 2);
            hc_remove_temporaries(folder, NULL);
            assert_int_equal(count_named(folder, ".tmp-"), 0);
            assert_true(calls < 200);
        }
    }
    no_exchange = false;
    why_failed = EIO;
}

/* --- what belongs together ---------------------------------------------------------------------*/

static void a_state_belongs_to_its_parameters(void **state) {
    (void)state;
    HcContext *c = stepped(0);
    uint64_t memory = hc_memory_bytes(c);
    assert_int_equal(hc_save(one, in("one")), HC_OK);
    assert_int_equal(hc_save_state(one, in("one.state")), HC_OK);
    assert_int_equal(hc_save_state(two, in("two.state")), HC_OK);
    assert_int_equal(hc_load(c, in("one")), HC_OK);
    assert_int_equal(hc_load_state(c, in("two.state")), HC_ERROR_CHECKPOINT);
    assert_non_null(strstr(hc_last_error(c), "after step 2"));
    assert_int_equal(hc_load_state(c, in("nothing")), HC_ERROR_CHECKPOINT);
    assert_int_equal(hc_memory_bytes(c), memory); /* no optimiser was made for it */
    assert_int_equal(hc_load_state(c, in("one.state")), HC_OK);
    assert_int_equal(hc_steps_done(c), 1);
    ((float *)hc_parameters(c))[3] += 1; /* other values after the same step */
    assert_int_equal(hc_load_state(c, in("one.state")), HC_ERROR_CHECKPOINT);
    assert_non_null(strstr(hc_last_error(c), "other parameters"));
    hc_destroy(c);
}

/* The files of two checkpoints in one folder. */
static void a_folder_is_of_one_step(void **state) {
    (void)state;
    HcContext *c = stepped(0);
    float *before = malloc(slab_bytes(c));
    memcpy(before, hc_parameters(c), slab_bytes(c));
    assert_int_equal(hc_save_checkpoint(one, in("a")), HC_OK);
    assert_int_equal(hc_save_checkpoint(two, in("b/")), HC_OK);
    assert_int_equal(rename(in("b/state.safetensors"), in("a/state.safetensors")), 0);
    assert_int_equal(hc_load_checkpoint(c, in("a")), HC_ERROR_CHECKPOINT);
    assert_int_equal(hc_load_checkpoint(c, in("b")), HC_ERROR_CHECKPOINT); /* has no state now */
    assert_int_equal(hc_load_checkpoint(c, in("c")), HC_ERROR_CHECKPOINT);
    assert_memory_equal(before, hc_parameters(c), slab_bytes(c));
    assert_int_equal(hc_steps_done(c), 0);
    /* the folder of something else is not replaced, nor a link, nor a file */
    assert_int_equal(mkdir(in("home"), 0777), 0);
    assert_int_equal(hc_file_replace(in("home/letter"), "x", 1, NULL), HC_OK);
    assert_int_equal(hc_save_checkpoint(one, in("home")), HC_ERROR_IO);
    assert_non_null(strstr(hc_last_error(one), "in the way"));
    assert_int_equal(hc_save_checkpoint(one, in("home/letter")), HC_ERROR_IO);
    assert_int_equal(symlink("a", in("link")), 0);
    assert_int_equal(hc_save_checkpoint(one, in("link")), HC_ERROR_IO);
    assert_int_equal(access(in("home/letter"), F_OK), 0);
    free(before);
    hc_destroy(c);
}

/* A checkpoint of the other precision: its values are rounded, and are what they were. */
static void precisions_share_checkpoints(void **state) {
    (void)state;
    char *wide_manifest = bigram_manifest(NULL, 8, NULL);
    HcModel wide_model = bigram_model(8, wide_manifest);
    HcOptions options = {.threads = 1, .samples = 1, .positions = 2};
    HcContext *wide;
    assert_int_equal(hc_create(&wide_model, &options, &wide, NULL), HC_OK);
    assert_int_equal(hc_save_checkpoint(two, in("narrow")), HC_OK);
    assert_int_equal(hc_load_checkpoint(wide, in("narrow")), HC_OK);
    assert_int_equal(hc_save_checkpoint(wide, in("wide")), HC_OK);
    assert_int_equal(hc_load_checkpoint(reader, in("wide")), HC_OK);
    assert_memory_equal(hc_parameters(reader), hc_parameters(two), slab_bytes(two));
    hc_init(wide, 3);
    assert_int_equal(hc_forward_backward(wide), HC_OK);
    assert_int_equal(hc_step(wide, -1), HC_OK);
    assert_int_equal(hc_save_checkpoint(wide, in("wide")), HC_OK); /* values no float holds */
    assert_int_equal(hc_load_checkpoint(reader, in("wide")), HC_OK);
    hc_destroy(wide);
    free(wide_manifest);
}

/* --- several writers ---------------------------------------------------------------------------*/

static char shared_file[160], shared_folder[160];

static void *save_often(void *context) {
    for (int k = 0; k < 40; k++) {
        if (hc_save(context, shared_file) != HC_OK ||
            hc_save_checkpoint(context, shared_folder) != HC_OK)
            return context;
    }
    return NULL;
}

static void threads_do_not_meet(void **state) {
    (void)state;
    pthread_t threads[2];
    void *results[2];
    strcpy(shared_file, in("shared"));
    strcpy(shared_folder, in("both"));
    pthread_create(&threads[0], NULL, save_often, one);
    pthread_create(&threads[1], NULL, save_often, two);
    for (int k = 0; k < 2; k++) {
        pthread_join(threads[k], &results[k]);
        if (results[k])
            fail_msg("%s", hc_last_error(results[k]));
    }
    assert_int_equal(hc_load(reader, in("shared")), HC_OK);
    step_there(in("both"));
    assert_int_equal(count_named(folder, ".tmp-"), 0);
}

/* What a living writer has begun stays; what a killed one left goes. */
static void the_living_keep_what_they_write(void **state) {
    (void)state;
    HcWriter w;
    assert_int_equal(hc_writer_open(&w, in("alive"), NULL), HC_OK);
    assert_int_equal(hc_writer_put(&w, "text", 4), HC_OK);
    assert_int_equal(hc_file_replace(in("dead.tmp-12345"), "x", 1, NULL), HC_OK);
    assert_int_equal(hc_file_replace(in("my.tmp-file.txt"), "x", 1, NULL), HC_OK);
    assert_int_equal(symlink("dead.tmp-12345", in("to.tmp-1")), 0);
    hc_remove_temporaries(folder, NULL);
    assert_int_equal(access(in("dead.tmp-12345"), F_OK), -1);
    assert_int_equal(access(in("my.tmp-file.txt"), F_OK), 0); /* no name of ours */
    assert_int_equal(hc_writer_close(&w, HC_OK), HC_OK);
    assert_int_equal(access(in("alive"), F_OK), 0);
}

/* --- a whole run -------------------------------------------------------------------------------*/

static HcStatus train(const char *out, int force) {
    const char *data[] = {in("text")};
    HcSetting settings[] = {{"steps", "3"}, {"eval_every", "1"}};
    HcTrainResult result;
    HcTrainOptions options = {.data = data,
                              .n_data = 1,
                              .out = out,
                              .force = force,
                              .threads = 1,
                              .settings = settings,
                              .n_settings = 2};
    return hc_train(&model, &options, &result, NULL);
}

static void a_run_killed_at_any_call(void **state) {
    (void)state;
    char text[500];
    memset(text, 'a', sizeof text);
    assert_int_equal(hc_file_replace(in("text"), text, sizeof text, NULL), HC_OK);
    int code = KILLED;
    int64_t previous = 0;
    for (long calls = 1; code == KILLED; calls += 3) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            arm(KILL_BEFORE, calls);
            watched = false; /* of the log, too, which is not synced */
            _exit(train(in("run"), 1) == HC_OK ? 0 : 1);
        }
        int status;
        waitpid(child, &status, 0);
        code = WEXITSTATUS(status);
        assert_true(code == KILLED || code == 0);
        bool found = hc_load_checkpoint(reader, in("run/ckpt/last")) == HC_OK;
        assert_true(found || access(in("run/ckpt/last"), F_OK) != 0);
        assert_true(!found || hc_steps_done(reader) >= previous || calls < 60);
        previous = found ? hc_steps_done(reader) : 0;
        if (access(in("run/ckpt/final.safetensors"), F_OK) == 0)
            assert_int_equal(hc_load(reader, in("run/ckpt/final.safetensors")), HC_OK);
        assert_true(calls < 500);
    }
    assert_int_equal(code, 0);
    assert_int_equal(count_named(in("run"), ".tmp-"), 0);
    assert_int_equal(count_named(in("run"), ".old"), 0);
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_any_call, make_contexts, free_contexts),
        cmocka_unit_test_setup_teardown(failing_at_any_call, make_contexts, free_contexts),
        cmocka_unit_test_setup_teardown(a_state_belongs_to_its_parameters, make_contexts,
                                        free_contexts),
        cmocka_unit_test_setup_teardown(a_folder_is_of_one_step, make_contexts, free_contexts),
        cmocka_unit_test_setup_teardown(precisions_share_checkpoints, make_contexts, free_contexts),
        cmocka_unit_test_setup_teardown(threads_do_not_meet, make_contexts, free_contexts),
        cmocka_unit_test_setup_teardown(the_living_keep_what_they_write, make_contexts,
                                        free_contexts),
        cmocka_unit_test_setup_teardown(a_run_killed_at_any_call, make_contexts, free_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
