/* A model in processes that fork: it is made and trained before, and goes on in the child.
 *
 *   build/hcc build examples/regression.hc -o regression.so
 *   cc -I. examples/embed/forked.c ./regression.so -o forked
 *   ./forked
 *
 * The parent has a context with three threads and trains it a little; then a child trains it on,
 * and so does the parent. Both print the losses of their steps: they are the same bits, although
 * the child has one thread. */
#include "regression.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FEATURES = 10, SAMPLES = 64, STEPS = 3 };

/* Patients that are the same in every process: a congruential generator's. */
static void fill(float *values, size_t count, unsigned *state) {
    size_t k;
    for (k = 0; k < count; k++) {
        *state = *state * 1664525u + 1013904223u;
        values[k] = (float)(*state >> 8) / (1 << 23) - 1;
    }
}

/* Steps from `first` on, whose losses go to `to`, a line each. */
static HcStatus train(HcContext *model, unsigned first, FILE *to) {
    static float patients[SAMPLES * FEATURES], progress[SAMPLES];
    HcStatus status = HC_OK;
    unsigned k;
    for (k = first; k < first + STEPS && status == HC_OK; k++) {
        double loss = 0;
        unsigned state = k;
        fill(patients, SAMPLES * FEATURES, &state);
        fill(progress, SAMPLES, &state);
        status = regression_set_input(model, "patient", patients, SAMPLES * FEATURES);
        if (status == HC_OK)
            status = regression_set_input(model, "progress", progress, SAMPLES);
        if (status == HC_OK)
            status = regression_forward_backward(model);
        if (status == HC_OK)
            status = regression_loss(model, &loss);
        if (status == HC_OK)
            status = regression_step(model, -1);
        if (to)
            fprintf(to, "%.17g\n", loss);
    }
    if (status != HC_OK)
        fprintf(stderr, "forked: %s\n", regression_last_error(model));
    return status;
}

/* In the child; regression_destroy may be left out, as the process ends. */
static int go_on(HcContext *model) {
    const HcStatus status = train(model, STEPS, stdout);
    regression_destroy(model);
    fflush(stdout);
    return regression_exit_code(status);
}

int main(void) {
    HcOptions options = {3, SAMPLES, 0};
    HcContext *model = NULL;
    HcError error;
    HcStatus status;
    int ended = 0;
    pid_t child;
    regression_process_init();
    if (regression_create(&options, &model, &error) != HC_OK) {
        fprintf(stderr, "forked: %s\n", error.message);
        return 1;
    }
    status = regression_init(model, 1);
    if (status == HC_OK)
        status = train(model, 0, NULL);
    child = status == HC_OK ? fork() : -1;
    if (child == 0)
        _exit(go_on(model));
    if (child > 0 && waitpid(child, &ended, 0) == child && WIFEXITED(ended) &&
        WEXITSTATUS(ended) == 0)
        status = train(model, STEPS, stdout);
    else
        status = HC_ERROR_ARGUMENT;
    regression_destroy(model);
    return regression_exit_code(status);
}
