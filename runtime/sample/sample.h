/* Texts of a trained model. Nothing here prints but to the FILE it is given; options are
 * zero-initialised by the caller. */
#ifndef HC_SAMPLE_H
#define HC_SAMPLE_H

#include "runtime/hc.h"

#include <stdio.h>

/* Unless something else is asked for. */
enum { HC_SAMPLE_LENGTH = 400 };
#define HC_SAMPLE_TEMPERATURE 0.8

/* What a model's tokens stand for: bytes where its vocabulary is at most 256, text where there is a
 * tokenizer (given, or kept by the run), else they are numbers, and prompts as well. */
typedef struct {
    const char *checkpoint; /* run folder or file */
    const char *tokenizer;  /* NULL: the run's own, if it keeps one */
    const char *prompt;     /* bytes */
    size_t prompt_length;   /* 0: begins after a newline, if the vocabulary holds one */
    int64_t length;         /* tokens to draw */
    int64_t samples;        /* 0: one */
    double temperature;     /* 0: always the likeliest */
    int64_t top_k;          /* draw among the k likeliest; 0: all */
    double top_p; /* of those among the likeliest that have so much together; 0: all, as for 1 */
    uint64_t seed;
    int32_t threads;
    int whole; /* 1: each token is computed from all of the window, also where the positions before
                  it need not be computed again */
    FILE *notes; /* is told why that is so where it is not asked for; NULL: nobody is */
    /* Receives the prompt and then what each token stands for; not 0 ends early. */
    int (*emit)(void *user, const char *bytes, size_t count);
    int (*next)(void *user); /* between two samples; not 0 ends early; or NULL */
    void *user;
} HcSampleOptions;

HcStatus hc_sample(const HcModel *model, const HcSampleOptions *options, HcError *error);

#endif
