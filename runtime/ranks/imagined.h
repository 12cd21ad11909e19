/* A transport to ranks that are not there: nothing is sent, and what would be is counted. */
#ifndef HC_IMAGINED_H
#define HC_IMAGINED_H

#include "runtime/ranks/ranks.h"

/* Messages that are waited for at once, of one rank. */
typedef struct {
    uint64_t sent, received; /* bytes */
    uint32_t n_sent, n_received;
} HcExchanged;

typedef struct {
    HcExchanged *at; /* in order; the caller's to free */
    uint32_t count, room;
    bool open;  /* the last one still grows */
    bool whole; /* memory did not run out */
} HcExchanges;

/* This rank of so many. What it does is added to *exchanges, which lives longer. */
HcStatus hc_ranks_imagine(HcRanks **ranks, int32_t size, int32_t rank, HcExchanges *exchanges,
                          HcError *error);

#endif
