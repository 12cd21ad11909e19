/* Objects to shared libraries and executables with `cc`, started without a shell.
 *
 * The output is written under a temporary name beside its place and renamed, so that nothing
 * half-written is ever seen; what the linker complains about becomes the error. */
#include "base/fresh_file.h"
#include "base/vec.h"
#include "codegen/codegen.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef VEC(char *) Arguments;

static const char *link_errno(Arena *arena, const char *path) {
    return arena_printf(arena, "cannot write '%s': %s", path, strerror(errno));
}

static const char *link_write_all(Arena *arena, int file, const char *path, const char *bytes,
                                  size_t length) {
    while (length) {
        ssize_t n = write(file, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return link_errno(arena, path);
        bytes += n;
        length -= (size_t)n;
    }
    return NULL;
}

/* -1 and *error on failure. */
static int link_temporary(Arena *arena, const char *path, mode_t mode, char **name,
                          const char **error) {
    const int file = fresh_file(arena, path, mode, name);
    if (file < 0)
        *error = link_errno(arena, path);
    return file;
}

const char *codegen_write_file(Arena *arena, const char *path, const void *bytes, size_t length) {
    char *name;
    const char *error = NULL;
    int file = link_temporary(arena, path, 0666, &name, &error);
    if (file < 0)
        return error;
    error = link_write_all(arena, file, path, bytes, length);
    if (close(file) != 0 && !error)
        error = link_errno(arena, path);
    if (!error && rename(name, path) != 0)
        error = link_errno(arena, path);
    if (error)
        unlink(name);
    return error;
}

/* What the child said, at most the first 4000 bytes; reads to the end so that it never blocks. */
static char *link_listen(Arena *arena, int from) {
    enum { MOST = 4000 };
    char *text = arena_alloc(arena, MOST + 1);
    size_t length = 0;
    char more[512];
    for (;;) {
        ssize_t n = read(from, more, sizeof more);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size_t room = MOST - length, take = (size_t)n < room ? (size_t)n : room;
        memcpy(text + length, more, take);
        length += take;
    }
    return text;
}

static const char *link_run(Arena *arena, char **arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return arena_printf(arena, "cannot make a pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        close(ends[0]);
        close(ends[1]);
        return "out of memory";
    }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    pid_t child;
    int failed = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return arena_printf(arena, "cannot start `%s`: %s", arguments[0], strerror(failed));
    }
    char *said = link_listen(arena, ends[0]);
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    return arena_printf(arena, "`%s` failed to link:\n%s", arguments[0], said);
}

/* The linker's version script: what stays visible. */
static const char *link_script(Arena *arena, const LinkJob *job, char **name) {
    const char *text = "{\n";
    for (uint32_t k = 0; k < job->n_exports; k++)
        text = arena_printf(arena, "%s%s %s;\n", text, k ? " " : "global:", job->exports[k]);
    text = arena_printf(arena, "%slocal: *;\n};\n", text);
    const char *error = NULL;
    int file = link_temporary(arena, job->output, 0600, name, &error);
    if (file < 0)
        return error;
    error = link_write_all(arena, file, *name, text, strlen(text));
    if (close(file) != 0 && !error)
        error = link_errno(arena, *name);
    return error;
}

static const char *link_job(Arena *arena, const LinkJob *job, bool shared) {
    char *output, *script = NULL;
    const char *error = NULL;
    /* a linker writes into it, or makes a new one, which then has this mode, too */
    int file = link_temporary(arena, job->output, 0777, &output, &error);
    if (file < 0)
        return error;
    close(file);
    Arguments list = {0};
    vec_push(arena, &list, "cc");
    vec_push(arena, &list, shared ? "-shared" : "-pie");
    vec_push(arena, &list, "-o");
    vec_push(arena, &list, output);
    if (job->sanitizer != SANITIZER_NONE)
        vec_push(arena, &list,
                 job->sanitizer == SANITIZER_THREAD ? "-fsanitize=thread" : "-fsanitize=address");
    if (shared) {
        error = link_script(arena, job, &script);
        /* Its own model first: another library of this process may have one of the same name. */
        vec_push(arena, &list, "-Wl,-Bsymbolic");
        vec_push(arena, &list, "-Xlinker"); /* -Wl would end the path at a comma */
        vec_push(arena, &list, arena_printf(arena, "--version-script=%s", script));
        if (job->soname) {
            vec_push(arena, &list, "-Xlinker");
            vec_push(arena, &list, arena_printf(arena, "-soname=%s", job->soname));
        }
    }
    for (uint32_t k = 0; k < job->n_objects; k++)
        vec_push(arena, &list, (char *)job->objects[k]);
    if (job->runtime)
        vec_push(arena, &list, (char *)job->runtime);
    for (uint32_t k = 0; k < job->n_libraries; k++)
        vec_push(arena, &list, (char *)job->libraries[k]);
    vec_push(arena, &list, NULL);
    if (!error)
        error = link_run(arena, list.at);
    if (!error && rename(output, job->output) != 0)
        error = link_errno(arena, job->output);
    if (error)
        unlink(output);
    if (script)
        unlink(script);
    return error;
}

const char *link_shared(Arena *arena, const LinkJob *job) {
    return link_job(arena, job, true);
}

const char *link_executable(Arena *arena, const LinkJob *job) {
    return link_job(arena, job, false);
}
