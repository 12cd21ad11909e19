/* A connection in a network of one's own: hcc makes what stands around the branches, this program
 * the branches (here tanh), in both directions.
 *
 *   build/hcc build --connection 'mhc(n = 4)' --set d=24 --set sites=3 -o mhc.so
 *   cc -I. examples/embed/connection.c ./mhc.so -lm -o connection
 *   ./connection
 *
 * The library (beside it appears mhc.h) holds the programs of three sites: what a connection does
 * may differ from site to site, and of one whose states grow, such as attnres, has to. A context is
 * made of each that the network needs; every call is in memory of this program. Prints the loss,
 * its slope along a direction of the input as the backward pass has it, and the same as a
 * difference of losses. (Built with --precision f64 and -DREAL=double the two agree to ten
 * digits.) */
#include "mhc.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef REAL
#define REAL float
#endif

enum { SAMPLES = 2, POSITIONS = 16, SITES = 3, MOST = 16, VALUES = 64 };

typedef struct {
    const char *name;
    int64_t count;
    REAL *data, *gradient;
} Value;

/* What was called, with which values; a branch has no program. */
typedef struct {
    HcContext *program;
    Value *inputs[MOST], *results[MOST];
    int n_inputs, n_results;
    void *saved; /* by the forward pass for the backward pass */
} Call;

/* A pass through the network, so that it can be gone through backwards. */
typedef struct {
    Value values[VALUES];
    Call calls[2 * SITES + 3];
    int n_values, n_calls;
} Tape;

static void fail(const char *what) {
    fprintf(stderr, "connection: %s\n", what);
    exit(1);
}

static void check(HcContext *program, HcStatus status) {
    if (status != HC_OK)
        fail(mhc_last_error(program));
}

/* --- the network -------------------------------------------------------------------------------*/

static Value *value_new(Tape *tape, const char *name, int64_t count) {
    Value *value = &tape->values[tape->n_values++];
    value->name = name;
    value->count = count;
    value->data = calloc((size_t)count, sizeof(REAL));
    value->gradient = calloc((size_t)count, sizeof(REAL));
    if (tape->n_values == VALUES || !value->data || !value->gradient)
        fail("no memory");
    return value;
}

/* The latest of that name: a state is called the same before and after a site. */
static Value *value_named(Tape *tape, const char *name) {
    int k = tape->n_values;
    while (k-- > 0)
        if (strcmp(tape->values[k].name, name) == 0)
            return &tape->values[k];
    fail(name);
    return NULL;
}

static Call *call_new(Tape *tape, HcContext *program) {
    Call *call = &tape->calls[tape->n_calls++];
    call->program = program;
    return call;
}

/* Takes its inputs by their names, and adds its results. */
static void run(Tape *tape, HcContext *program) {
    Call *call = call_new(tape, program);
    const void *inputs[MOST];
    void *results[MOST];
    HcApply apply = {0};
    HcResult result;
    HcInput input;
    const size_t bytes = (size_t)mhc_saved_bytes(program, SAMPLES, POSITIONS);
    for (; call->n_inputs < mhc_input_count(program); call->n_inputs++) {
        check(program, mhc_input(program, call->n_inputs, &input));
        call->inputs[call->n_inputs] = value_named(tape, input.name);
        inputs[call->n_inputs] = call->inputs[call->n_inputs]->data;
    }
    for (; call->n_results < mhc_result_count(program); call->n_results++) {
        check(program, mhc_result(program, call->n_results, &result));
        call->results[call->n_results] = value_new(tape, result.name, result.count);
        results[call->n_results] = call->results[call->n_results]->data;
    }
    /* Also where that is nothing: a pointer says that there will be a backward pass. */
    call->saved = aligned_alloc(64, bytes / 64 * 64 + 64);
    if (!call->saved)
        fail("no memory");
    apply.samples = SAMPLES;
    apply.positions = POSITIONS;
    apply.inputs = inputs;
    apply.results = results;
    apply.saved = call->saved;
    check(program, mhc_apply(program, &apply));
}

/* The branch is the program's own: y = tanh(x). */
static void run_branch(Tape *tape) {
    Call *call = call_new(tape, NULL);
    Value *x = value_named(tape, "x"), *y = value_new(tape, "y", x->count);
    int64_t k;
    for (k = 0; k < x->count; k++)
        y->data[k] = (REAL)tanh((double)x->data[k]);
    call->inputs[0] = x;
    call->results[0] = y;
}

static void run_branch_backward(const Call *call) {
    const Value *x = call->inputs[0], *y = call->results[0];
    int64_t k;
    for (k = 0; k < x->count; k++)
        x->gradient[k] += y->gradient[k] * (1 - y->data[k] * y->data[k]);
}

/* A value that several calls read (the states: the read and the write of a site) gets the sum of
 * the gradients that they give. */
static void run_backward(const Call *call) {
    const void *inputs[MOST], *result_gradients[MOST];
    void *results[MOST], *input_gradients[MOST];
    HcApply apply = {0};
    int64_t i;
    int k;
    for (k = 0; k < call->n_inputs; k++) {
        inputs[k] = call->inputs[k]->data;
        input_gradients[k] = calloc((size_t)call->inputs[k]->count, sizeof(REAL));
    }
    for (k = 0; k < call->n_results; k++) {
        results[k] = call->results[k]->data;
        result_gradients[k] = call->results[k]->gradient;
    }
    apply.samples = SAMPLES;
    apply.positions = POSITIONS;
    apply.inputs = inputs;
    apply.results = results;
    apply.saved = call->saved;
    apply.result_gradients = result_gradients;
    apply.input_gradients = input_gradients;
    check(call->program, mhc_apply_backward(call->program, &apply));
    for (k = 0; k < call->n_inputs; k++) {
        for (i = 0; i < call->inputs[k]->count; i++)
            call->inputs[k]->gradient[i] += ((REAL *)input_gradients[k])[i];
        free(input_gradients[k]);
    }
}

/* --- the program -------------------------------------------------------------------------------*/

typedef struct {
    HcContext *begin, *read, *turn[SITES - 1], *write, *end;
} Parts;

typedef HcStatus Create(int64_t site, const HcOptions *options, HcContext **context,
                        HcError *error);

static HcContext *open_part(Create *create, int64_t site) {
    HcOptions options = {0, SAMPLES, POSITIONS};
    HcContext *context = NULL;
    HcError error;
    if (create(site, &options, &context, &error) != HC_OK)
        fail(error.message);
    check(context, mhc_init(context, 1));
    return context;
}

/* A weighted sum of what the trunk gives, for an input plus `step` times a direction. With `slope`,
 * the derivative along it, too. */
static double loss(const Parts *parts, double step, double *slope) {
    Tape tape = {0};
    HcInput input;
    Value *x, *out;
    double sum = 0;
    int64_t i;
    int k;
    check(parts->begin, mhc_input(parts->begin, 0, &input));
    x = value_new(&tape, input.name, input.count);
    for (i = 0; i < x->count; i++)
        x->data[i] = (REAL)(sin(1.7 * (double)i) + step * cos(0.3 * (double)i));
    run(&tape, parts->begin);
    run(&tape, parts->read);
    for (k = 0; k < SITES; k++) {
        run_branch(&tape);
        run(&tape, k + 1 < SITES ? parts->turn[k] : parts->write);
    }
    run(&tape, parts->end);
    out = &tape.values[tape.n_values - 1];
    for (i = 0; i < out->count; i++) {
        sum += (double)out->data[i] * sin(0.7 * (double)i);
        out->gradient[i] = (REAL)sin(0.7 * (double)i);
    }
    for (k = tape.n_calls; slope && k-- > 0;)
        tape.calls[k].program ? run_backward(&tape.calls[k]) : run_branch_backward(&tape.calls[k]);
    if (slope)
        for (*slope = 0, i = 0; i < x->count; i++)
            *slope += (double)x->gradient[i] * cos(0.3 * (double)i);
    for (k = 0; k < tape.n_values; k++) {
        free(tape.values[k].data);
        free(tape.values[k].gradient);
    }
    for (k = 0; k < tape.n_calls; k++)
        free(tape.calls[k].saved);
    return sum;
}

int main(void) {
    const double step = sizeof(REAL) == sizeof(double) ? 1e-5 : 1e-2;
    Parts parts;
    double slope;
    int k;
    mhc_process_init();
    parts.begin = open_part(mhc_begin_create_site, 0);
    parts.read = open_part(mhc_read_create_site, 0);
    for (k = 0; k + 1 < SITES; k++)
        parts.turn[k] = open_part(mhc_turn_create_site, k);
    parts.write = open_part(mhc_write_create_site, SITES - 1);
    parts.end = open_part(mhc_end_create_site, 0);
    printf("loss %.9g\n", loss(&parts, 0, &slope));
    printf("slope %.12g\n", slope);
    printf("difference %.12g\n",
           (loss(&parts, step, NULL) - loss(&parts, -step, NULL)) / (2 * step));
    mhc_destroy(parts.begin);
    mhc_destroy(parts.read);
    for (k = 0; k + 1 < SITES; k++)
        mhc_destroy(parts.turn[k]);
    mhc_destroy(parts.write);
    mhc_destroy(parts.end);
    return 0;
}
