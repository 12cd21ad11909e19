/* The tokenizer that the tokens of a run are of. The run keeps a copy of its files, so that its
 * text can be read wherever the run is taken. */
#ifndef HC_RUN_TOKENIZER_H
#define HC_RUN_TOKENIZER_H

#include "runtime/data/data.h"
#include "runtime/tokens/tokenizer.h"

typedef struct {
    const char *path; /* as it was given; NULL: none was */
    HcTokenizerFiles files;
    int64_t size;
    int64_t held_out_bytes; /* of the text that the held-out tokens stand for */
} HcRunTokenizer;

/* Reads it, and checks that it may be that of the data. path: NULL: there is none, which is fine.
 * Whatever comes of it, hc_run_tokenizer_free frees it. */
HcStatus hc_run_tokenizer_read(HcRunTokenizer *tokenizer, const char *path, const HcPlan *plan,
                               const HcData *data, HcError *error);
void hc_run_tokenizer_free(HcRunTokenizer *tokenizer);
/* Adds what is known of it to what config.json says of the data. */
void hc_run_tokenizer_set_json(const HcRunTokenizer *tokenizer, json_t **data);
/* The tokenizer of `given`, or without that the copy that a run keeps (a checkpoint's file has
 * none); *tokenizer is NULL where there is neither. */
HcStatus hc_run_tokenizer_open(const char *given, const char *run, HcTokenizer **tokenizer,
                               HcError *error);

#endif
