/* Data of one long sequence of tokens, of which windows are drawn: text, a token a byte, and token
 * files. The files of a part follow one another, and a window may begin in one and end in the next;
 * none lies in both parts. */
#ifndef HC_SEQUENCE_H
#define HC_SEQUENCE_H

#include "runtime/data/part_files.h"
#include "runtime/data/token_file.h"

/* What one file holds. */
typedef struct {
    uint8_t *bytes;     /* of text, owned; or NULL: */
    HcTokenFile tokens; /* which stay where they are */
} HcPiece;

/* Files of tokens that are open: only so many at a time, whatever the data are made of. */
enum { HC_OPEN_PIECES = 64 };
typedef struct {
    uint32_t at[HC_OPEN_PIECES]; /* a ring */
    uint32_t count, next;        /* next: the oldest, once it is full */
} HcOpenPieces;

typedef struct {
    bool is_text;
    const char *stream; /* `bytes`, or `tokens` */
    HcPartFiles files;
    HcPiece *pieces;            /* of each of them */
    HcOpenPieces *open;         /* of tokens */
    int64_t count, train_count; /* tokens; those of the training part come first */
    uint64_t hash;              /* of one file its own; of all that was read, and of the parts */
    bool as_bytes;              /* text was read whatever it is */
} HcSequence;

/* Reads and checks everything, each token against the vocabulary of the inputs that it may fill. To
 * evaluate, files of the training part are not read where what is held out has its own. */
HcStatus hc_sequence_open(const HcPlan *plan, const HcDataRequest *request, HcSequence **sequence,
                          HcError *error);
void hc_sequence_free(HcSequence *sequence); /* NULL is fine */
/* Tokens first .. first + n - 1 of the sequence, each below `limit`. Fails only when a file is not
 * any more what it was. */
HcStatus hc_sequence_read(const HcSequence *sequence, int64_t first, int64_t n, int64_t limit,
                          int32_t *to, HcError *error);
/* The vocabulary of the bound input that has the least. */
int64_t hc_least_token_limit(const HcPlan *plan);
/* Where they are, as a phrase. */
void hc_sequence_place(const HcSequence *sequence, int64_t first, int64_t n, char *text,
                       size_t size);
/* What config.json says of them, to find them again. */
json_t *hc_sequence_json(const HcSequence *sequence);
/* Tokens of the input must be below this. */
int64_t hc_token_limit(const HcInputPlan *input);

#endif
