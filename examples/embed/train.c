/* Trains a model that hcc compiled to a shared library, from a C program of one page.
 *
 *   build/hcc build examples/shakespeare.hc -o shakespeare.so     (shakespeare.h appears beside it)
 *   cc -I. examples/embed/train.c ./shakespeare.so -o embed
 *   build/hcc train examples/shakespeare.hc --data TEXT --batch-log batches.bin
 *   ./embed TEXT batches.bin
 *
 * A program has its own way to choose batches. This one takes those that `hcc train` drew and
 * recorded, so that its losses can be compared with those in the run's log.jsonl: they are the same
 * bits. It prints one loss a line. */
#include "shakespeare.h"
#include <stdio.h>
#include <stdlib.h>

static unsigned char *read_file(const char *path, long *length) {
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    if (file && fseek(file, 0, SEEK_END) == 0 && (*length = ftell(file)) > 0) {
        rewind(file);
        bytes = malloc((size_t)*length);
        if (bytes && fread(bytes, 1, (size_t)*length, file) != (size_t)*length) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file)
        fclose(file);
    if (!bytes)
        fprintf(stderr, "embed: cannot read %s\n", path);
    return bytes;
}

/* One batch: samples[s] begins at text[starts[s]]; the target is the next character. */
static HcStatus set_batch(HcContext *model, const unsigned char *text, const int64_t *starts,
                          int32_t *tokens, int32_t *next) {
    int64_t samples = shakespeare_samples(model), positions = shakespeare_positions(model);
    int64_t s, t;
    for (s = 0; s < samples; s++)
        for (t = 0; t < positions; t++) {
            tokens[s * positions + t] = text[starts[s] + t];
            next[s * positions + t] = text[starts[s] + t + 1];
        }
    {
        HcStatus status = shakespeare_set_input(model, "tokens", tokens, samples * positions);
        if (status != HC_OK)
            return status;
    }
    return shakespeare_set_input(model, "next", next, samples * positions);
}

static HcStatus train_step(HcContext *model, double *loss) {
    HcStatus status = shakespeare_forward(model);
    if (status == HC_OK)
        status = shakespeare_loss(model, loss);
    if (status == HC_OK)
        status = shakespeare_backward(model);
    if (status == HC_OK)
        status = shakespeare_step(model, -1); /* the schedule's learning rate */
    return status;
}

static HcStatus train(HcContext *model, const unsigned char *text, long length,
                      const int64_t *starts, int64_t n_starts) {
    int64_t samples = shakespeare_samples(model), positions = shakespeare_positions(model), k;
    int32_t *tokens = malloc(sizeof *tokens * (size_t)(samples * positions));
    int32_t *next = malloc(sizeof *next * (size_t)(samples * positions));
    HcStatus status = tokens && next ? shakespeare_init(model, 1) : HC_ERROR_MEMORY;
    for (k = 0; k < n_starts && status == HC_OK; k++)
        if (starts[k] < 0 || starts[k] + positions + 1 > length)
            status = HC_ERROR_DATA;
    for (k = 0; k + samples <= n_starts && status == HC_OK; k += samples) {
        double loss;
        status = set_batch(model, text, starts + k, tokens, next);
        if (status == HC_OK)
            status = train_step(model, &loss);
        if (status == HC_OK)
            printf("%.17g\n", loss);
    }
    free(tokens);
    free(next);
    return status;
}

int main(int argc, char **argv) {
    long length = 0, log_length = 0;
    unsigned char *text, *log;
    HcContext *model = NULL;
    HcError error;
    HcStatus status;
    if (argc != 3) {
        fprintf(stderr, "usage: embed TEXT BATCHES\n");
        return 2;
    }
    text = read_file(argv[1], &length);
    log = read_file(argv[2], &log_length); /* int64, little-endian, [steps][samples] */
    if (!text || !log)
        return 3;
    shakespeare_process_init();
    status = shakespeare_create(NULL, &model, &error);
    if (status != HC_OK) {
        fprintf(stderr, "embed: %s\n", error.message);
    } else {
        status = train(model, text, length, (const int64_t *)(const void *)log, log_length / 8);
        if (status != HC_OK)
            fprintf(stderr, "embed: %s\n", shakespeare_last_error(model));
    }
    shakespeare_destroy(model);
    free(text);
    free(log);
    return shakespeare_exit_code(status);
}
