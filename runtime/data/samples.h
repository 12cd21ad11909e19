/* Data of separate samples (pictures, rows of a table): streams read from files, a training and a
 * held-out part, an order for every epoch, and what of a sample goes where in an input. */
#ifndef HC_SAMPLES_H
#define HC_SAMPLES_H

#include "runtime/data/part_files.h"
#include "runtime/run/context.h"

/* --- streams -----------------------------------------------------------------------------------*/

typedef enum { HC_U8, HC_I8, HC_I16, HC_I32, HC_F32, HC_F64 } HcStreamElement;

enum { HC_MAX_STREAMS = 16 };

/* Element e of sample s lies at block + s * stride + e * (its size). */
typedef struct {
    const char *name;
    HcStreamElement element;
    int32_t rank;
    int64_t dims[HC_MAX_RANK], elements; /* of one sample */
    int64_t samples, train_samples;
    uint32_t block;
    size_t offset, stride;
} HcStream;

typedef struct {
    uint8_t *bytes;
    size_t size, capacity;
} HcBlock;

/* Where the elements of an input come from. */
typedef struct {
    uint32_t input, stream;
    int64_t n;                /* elements of one sample of the input, with its positions */
    int64_t *at;              /* which element of the stream's sample */
    double *mean, *deviation; /* of each element, when standardised; deviation 0: it never varies */
} HcSampleFill;

typedef struct {
    const HcPlan *plan;
    const HcDataRequest *request; /* while opening */
    HcPartFiles files;
    HcStream streams[HC_MAX_STREAMS];
    HcBlock blocks[HC_MAX_STREAMS];
    uint32_t n_streams;
    int64_t count, train_count;
    bool shuffled;      /* the held-out part is drawn from all samples */
    bool train_missing; /* only what is held out was read */
    uint64_t hash;      /* XXH3 of the files, each seeded with that of those before it */
    /* tables */
    char **columns; /* names; NULL without a header */
    int64_t n_columns;
    int64_t *lines; /* of each row, from 1 */
    size_t line_capacity;
    HcSampleFill *fills; /* one for each of the plan's bindings */
} HcSamples;

/* A stream by name, made when there is none; NULL: too many. */
HcStream *hc_stream(HcSamples *samples, const char *name);
HcStatus hc_block_append(HcBlock *block, const void *bytes, size_t size, HcError *error);
size_t hc_stream_element_bytes(HcStreamElement element);
/* hc_read_file, and its hash, which must be what is expected. */
HcStatus hc_samples_read(HcSamples *samples, HcPartFile *file, uint8_t **bytes, size_t *size,
                         HcError *error);

/* Readers: append the samples of one file. */
HcStatus hc_read_idx(HcSamples *samples, HcPartFile *file, HcError *error);
HcStatus hc_read_cifar10(HcSamples *samples, HcPartFile *file, HcError *error);
HcStatus hc_read_table(HcSamples *samples, HcPartFile *file, HcError *error);

/* --- use ---------------------------------------------------------------------------------------*/

/* Every input of the model is given something of the data, text or samples. */
HcStatus hc_inputs_bound(const HcPlan *plan, HcError *error);
/* Reads, checks and prepares everything. To evaluate, files of the training part are not read
 * where they are not needed. */
HcStatus hc_samples_open(const HcPlan *plan, const HcDataRequest *request, HcSamples **samples,
                         HcError *error);
/* Makes what fills a binding's input: its elements, and hc_samples_prepare_values. */
HcStatus hc_samples_bind(HcSamples *samples, uint32_t binding, const json_t *known, HcError *error);
/* A binding's statistics (`known`: of the run, or NULL: of the training part), and whether every
 * value fits the model's precision. Its elements are laid out. */
HcStatus hc_samples_prepare_values(HcSamples *samples, uint32_t binding, const json_t *known,
                                   HcError *error);
void hc_samples_free(HcSamples *samples); /* NULL is fine */

/* Number of a sample in order of the files: the k-th of a part, and sample `sample` of a step's
 * batch. Training goes through all samples in an order of (seed, epoch) alone, then the next. */
int64_t hc_samples_of_part(const HcSamples *samples, HcPart part, int64_t k);
int64_t hc_samples_of_batch(const HcSamples *samples, uint64_t seed, int64_t step, int64_t batch,
                            int64_t sample);
/* The k-th number of a permutation of 0 .. n - 1 that (seed, epoch) decide. */
int64_t hc_permute(uint64_t seed, uint64_t epoch, int64_t n, int64_t k);
void hc_samples_fill(const HcSamples *samples, HcContext *context, int64_t sample, int64_t row);

/* What config.json says of the data; with what `eval` needs to find the files again. */
json_t *hc_samples_json(const HcSamples *samples);
/* Means and scales of standardised inputs, or NULL without any. */
json_t *hc_samples_statistics(const HcSamples *samples);

#endif
