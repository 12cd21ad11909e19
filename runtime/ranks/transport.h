/* What carries messages between processes that compute one run: the interface that a shared object
 * fills in, found at run time (ranks.h). hcc comes with one for each MPI that it was built beside;
 * another is a library with the one function below.
 *
 * Functions return 0, or another number where the message did not get through; after that nothing
 * but `abort` is called. One thread calls them at a time. */
#ifndef HC_TRANSPORT_H
#define HC_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#define HC_TRANSPORT_VERSION 3

/* Messages of one lane between two ranks arrive in the order in which they were begun; those of
 * another neither wait for them nor are waited for. */
typedef enum {
    HC_LANE_STEP,   /* what the step at hand waits for */
    HC_LANE_BEHIND, /* what goes on while the next one begins */
} HcLane;

typedef struct HcTransport HcTransport;
struct HcTransport {
    uint32_t version;
    int32_t rank, size; /* of this process, from 0; of all */
    const char *name;   /* "Open MPI 4.1.4", for reports */
    const char *host;   /* the machine's name */
    void *user;
    /* Begin a message, of at most 1 GiB; its memory stays as it is until `wait`. *request: one that
     * is waited for. */
    int (*send)(HcTransport *, int32_t to, HcLane lane, const void *data, size_t bytes,
                void **request);
    int (*receive)(HcTransport *, int32_t from, HcLane lane, void *data, size_t bytes,
                   void **request);
    /* Until the message is through, or so many seconds have passed (then not 0). */
    int (*wait)(HcTransport *, void *request, double seconds);
    /* Moves messages on, all of them, and says whether this one is through: *through 1, and the
     * request is gone, or 0. Called between kernels, while messages are under way. */
    int (*test)(HcTransport *, void *request, int *through);
    int (*barrier)(HcTransport *);
    void (*abort)(HcTransport *, int exit_code); /* ends all processes; does not return */
    void (*close)(HcTransport *);                /* every rank calls it, last of all */
};

/* The function that the shared object exports: joins the others. NULL, and why not in *message,
 * which is a constant text: there are none. A program that it is linked into goes by that one, and
 * looks for no other (bench/simulated_ranks.py). */
typedef HcTransport *HcTransportOpen(const char **message);
HcTransportOpen hc_transport_open;
#define HC_TRANSPORT_OPEN "hc_transport_open"

#endif
