/* Processes that compute one run together, each its own parts of every batch (docs/scaling.md). */
#ifndef HC_RANKS_H
#define HC_RANKS_H

#include "runtime/files/error.h"
#include "runtime/ranks/transport.h"

#include <stdbool.h>

typedef struct HcRanks HcRanks;

/* Joins the others where the environment says that a launcher started this process with others, by
 * the shared object for that launcher's MPI: that which HCC_RANKS names, or the one beside the
 * program, in ../lib/hcc from there, or where the system has libraries. *ranks NULL: this process
 * is alone. */
HcStatus hc_ranks_open(HcRanks **ranks, HcError *error);
/* By a transport that is there already, and is closed with them, or here after a failure. */
HcStatus hc_ranks_by(HcRanks **ranks, HcTransport *transport, HcError *error);
/* After what every rank did alike. NULL is fine. */
void hc_ranks_close(HcRanks *ranks);
/* Ends all ranks; does not return. */
void hc_ranks_abort(HcRanks *ranks, int exit_code);

/* NULL: 0 of 1. */
int32_t hc_ranks_rank(const HcRanks *ranks);
int32_t hc_ranks_size(const HcRanks *ranks);
const char *hc_ranks_transport(const HcRanks *ranks);
/* "rank 2 (node7)"; owned by it. */
const char *hc_ranks_name(const HcRanks *ranks, int32_t rank);

/* Messages that all of are waited for at once. A failure names the other rank. */
typedef struct {
    int32_t rank; /* the other */
    bool send;
    void *data;
    size_t bytes; /* 0: there is none */
} HcMessage;
HcStatus hc_ranks_exchange(HcRanks *ranks, const HcMessage *messages, uint32_t count,
                           HcError *error);
/* The same by and by: messages are begun, moved on from time to time by whoever computes meanwhile,
 * and waited for in that order. Zero but for its lane there are none; no other of the lane is begun
 * meanwhile. */
typedef struct {
    HcLane lane;
    struct HcBegun *begun;             /* messages under way, or pieces of large ones, */
    uint32_t n_begun, n_through, room; /* of which the first are known to be through */
} HcFlight;
HcStatus hc_ranks_begin(HcRanks *ranks, HcFlight *flight, const HcMessage *messages, uint32_t count,
                        HcError *error);
HcStatus hc_ranks_move_on(HcRanks *ranks, HcFlight *flight, HcError *error);
/* For the first of what was begun: as many as flight->n_begun were then. */
HcStatus hc_ranks_wait(HcRanks *ranks, HcFlight *flight, uint32_t first, HcError *error);
/* For all; none is under way any more. */
HcStatus hc_ranks_finish(HcRanks *ranks, HcFlight *flight, HcError *error);
/* The same for a few seconds at most, where others may have ended, or wait for what this rank does
 * not say any more. */
void hc_ranks_leave(HcRanks *ranks, HcFlight *flight);
/* So many messages that all are under way at once take no memory any more. */
HcStatus hc_flight_reserve(HcFlight *flight, const HcMessage *messages, uint32_t count,
                           HcError *error);
void hc_flight_free(HcFlight *flight);
/* So many bytes of every rank, by rank, on all of them. */
HcStatus hc_ranks_gather(HcRanks *ranks, const void *mine, void *all, size_t bytes, HcError *error);
/* What rank 0 has, on all of them. */
HcStatus hc_ranks_broadcast(HcRanks *ranks, void *data, size_t bytes, HcError *error);
HcStatus hc_ranks_barrier(HcRanks *ranks, HcError *error);
/* Every rank gets what all have set, bit by bit. */
HcStatus hc_ranks_any(HcRanks *ranks, uint32_t *bits, HcError *error);
/* Refuses (HC_ERROR_ARGUMENT, on every rank) where `text` is not the same everywhere: `what` it is,
 * and `cure`, or NULL. Of several lines the first that differs is told. */
HcStatus hc_ranks_same(HcRanks *ranks, const char *what, const char *text, const char *cure,
                       HcError *error);
/* Whether that has been so, or every rank has failed alike otherwise: then one may speak for all.
 */
bool hc_ranks_failed_alike(const HcRanks *ranks);
void hc_ranks_fail_alike(HcRanks *ranks);
/* What each rank did by itself, whether it failed: where one did all fail with what the first of
 * those met, after its name where not all met the same, and fail alike. */
HcStatus hc_ranks_agree(HcRanks *ranks, HcStatus mine, HcError *error);
/* Bytes sent so far; NULL: none. */
uint64_t hc_ranks_sent(const HcRanks *ranks);

#endif
