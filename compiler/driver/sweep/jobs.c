/* The runs of a sweep as commands, for those who have others start them: job arrays, GNU parallel,
 * srun. */
#include "driver/sweep/sweep.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A word as a shell reads it, whatever it holds. */
static const char *jobs_word(Arena *arena, const char *word) {
    const size_t size = 4 * strlen(word) + 8;
    char *quoted = ARENA_ARRAY(arena, char, (uint32_t)size);
    quoted[0] = '\0';
    driver_quote(quoted, size, word);
    return quoted;
}

/* What was given, but for --jobs; words behind `--` are no options. */
static const char *jobs_given(Driver *d) {
    const char *text = "";
    bool options = true;
    for (int k = 1; k < d->options.argc; k++) {
        const char *word = d->options.argv[k];
        options = options && strcmp(word, "--") != 0;
        if (!options || strcmp(word, "--jobs") != 0)
            text = arena_printf(d->c->arena, "%s %s", text, jobs_word(d->c->arena, word));
    }
    return text;
}

static ExitCode jobs_cannot(Driver *d, const char *what) {
    driver_error(d, "cannot tell %s: %s", what, strerror(errno));
    return EXIT_RESOURCE;
}

ExitCode sweep_print_jobs(const Sweep *s) {
    Driver *d = s->d;
    Arena *arena = d->c->arena;
    char *here = getcwd(NULL, 0), *program = realpath("/proc/self/exe", NULL);
    const ExitCode code = !here      ? jobs_cannot(d, "the folder that this is")
                          : !program ? jobs_cannot(d, "where hcc is")
                                     : EXIT_OK;
    if (code == EXIT_OK) {
        const char *begin = arena_printf(arena, "cd %s && %s --only", jobs_word(arena, here),
                                         jobs_word(arena, program)),
                   *given = jobs_given(d);
        if (strchr(begin, '\n') || strchr(given, '\n')) {
            driver_error(d, "a name in this command or of this folder has several lines, and each "
                            "of --jobs is one");
            free(here);
            free(program);
            return EXIT_USAGE;
        }
        for (uint32_t k = 0; k < s->n_tasks; k++)
            fprintf(d->out, "%s %s%s\n", begin, jobs_word(arena, s->tasks[k].run->name), given);
    }
    free(here);
    free(program);
    return code;
}
