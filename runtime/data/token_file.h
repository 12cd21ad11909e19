/* Files of tokens: whole numbers of one width, behind a header that says how many there are, or
 * without one. They are read where they are needed, by calls, not by mapped memory: a file of any
 * size takes none, and one that is cut short or written over under a run is an error with its name,
 * and never a signal or an index outside of the vocabulary. */
#ifndef HC_TOKEN_FILE_H
#define HC_TOKEN_FILE_H

#include "runtime/files/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *path; /* the caller's */
    bool is_open;     /* so it may be closed, and opened again where it is needed */
    int file;
    uint64_t device, inode; /* to know it by, then */
    int64_t offset;         /* where in it the tokens begin */
    int64_t count;
    uint8_t size;    /* bytes of a token: 1, 2, 4 or 8, the lowest first */
    bool has_sign;   /* which must be + */
    bool has_header; /* that says all this */
    bool told;       /* without one, who asks has said the width */
} HcTokenFile;

/* Opens the file and sees what it is: of NumPy (.npy), of llm.c (by its first number), or tokens
 * alone, of `width` bits; 0: not said, then 16. */
HcStatus hc_token_file_open(const char *path, int64_t width, HcTokenFile *file, HcError *error);
void hc_token_file_close(HcTokenFile *file);
/* Once it was closed: it must be the file that it was. */
HcStatus hc_token_file_reopen(HcTokenFile *file, HcError *error);
/* Reads all of it once: a hash of its bytes, and whether each token is below `limit`. */
HcStatus hc_token_file_check(const HcTokenFile *file, int64_t limit, uint64_t *hash,
                             HcError *error);
/* Tokens first .. first + n - 1, which are there and below `limit` unless the file has changed. */
HcStatus hc_token_file_read(const HcTokenFile *file, int64_t first, int64_t n, int64_t limit,
                            int32_t *to, HcError *error);

#endif
