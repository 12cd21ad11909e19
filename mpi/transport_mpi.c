/* The transport of runtime/ranks by MPI, whichever it is compiled against. */
#include "runtime/ranks/transport.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Those that are gone are used again. */
typedef struct Request {
    MPI_Request mpi;
    struct Request *next;
} Request;

typedef struct {
    HcTransport transport;
    Request *unused;
    MPI_Comm all;
    char name[MPI_MAX_LIBRARY_VERSION_STRING], host[MPI_MAX_PROCESSOR_NAME];
} Mpi;

static Mpi *of(HcTransport *t) {
    return t->user;
}

static Request *take(Mpi *mpi) {
    Request *r = mpi->unused;
    if (!r)
        return malloc(sizeof *r);
    mpi->unused = r->next;
    return r;
}

static void give_back(Mpi *mpi, Request *r) {
    r->next = mpi->unused;
    mpi->unused = r;
}

static int begun(Mpi *mpi, int code, Request *request, void **made) {
    if (code == MPI_SUCCESS)
        *made = request;
    else
        give_back(mpi, request);
    return code;
}

/* Lanes are MPI's tags. */
static int mpi_send(HcTransport *t, int32_t to, HcLane lane, const void *data, size_t bytes,
                    void **request) {
    Request *r = take(of(t));
    return r ? begun(of(t),
                     MPI_Isend(data, (int)bytes, MPI_BYTE, to, (int)lane, of(t)->all, &r->mpi), r,
                     request)
             : 1;
}

static int mpi_receive(HcTransport *t, int32_t from, HcLane lane, void *data, size_t bytes,
                       void **request) {
    Request *r = take(of(t));
    return r ? begun(of(t),
                     MPI_Irecv(data, (int)bytes, MPI_BYTE, from, (int)lane, of(t)->all, &r->mpi), r,
                     request)
             : 1;
}

#ifdef SMPI_H

/* SimGrid's simulation: there asking takes simulated time, and nobody fails. */
static int mpi_wait(HcTransport *t, void *request, double seconds) {
    (void)seconds;
    const int code = MPI_Wait(&((Request *)request)->mpi, MPI_STATUS_IGNORE);
    give_back(of(t), request);
    return code;
}

/* There messages move on by themselves. */
static int mpi_test(HcTransport *t, void *request, int *through) {
    (void)t;
    (void)request;
    *through = 0;
    return 0;
}

#else

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int mpi_test(HcTransport *t, void *request, int *through) {
    Request *r = request;
    const int code = MPI_Test(&r->mpi, through, MPI_STATUS_IGNORE);
    if (*through)
        give_back(of(t), r);
    return code;
}

/* Asked in turns, for MPI itself would wait for ever; after a while with pauses, for there may be
 * more processes than cores. */
static int mpi_wait(HcTransport *t, void *request, double seconds) {
    const double spin = 1e-3, ends = now() + seconds, pauses = now() + spin;
    int done = 0, code = MPI_SUCCESS;
    while (!done && code == MPI_SUCCESS) {
        code = mpi_test(t, request, &done);
        const double at = done ? 0 : now();
        if (at > ends)
            return 1;
        if (at > pauses)
            nanosleep(&(struct timespec){0, 50000}, NULL);
    }
    return code;
}

#endif

static int mpi_barrier(HcTransport *t) {
    return MPI_Barrier(of(t)->all);
}

static void mpi_abort(HcTransport *t, int exit_code) {
    MPI_Abort(of(t)->all, exit_code);
}

static void mpi_close(HcTransport *t) {
    Mpi *mpi = of(t);
    MPI_Comm_free(&mpi->all);
    MPI_Finalize();
    for (Request *r = mpi->unused, *next; r; r = next) {
        next = r->next;
        free(r);
    }
    free(mpi);
}

HcTransport *hc_transport_open(const char **message) {
    int there = 0, provided = 0, length = 0, rank = 0, size = 1;
    Mpi *mpi = calloc(1, sizeof *mpi);
    *message = "memory ran out";
    if (!mpi)
        return NULL;
    *message = "MPI does not start";
    MPI_Initialized(&there);
    if (!there && MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        free(mpi);
        return NULL;
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &mpi->all);
    MPI_Comm_set_errhandler(mpi->all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(mpi->all, &rank);
    MPI_Comm_size(mpi->all, &size);
    MPI_Get_library_version(mpi->name, &length);
    mpi->name[strcspn(mpi->name, ",\n")] = '\0';
    MPI_Get_processor_name(mpi->host, &length);
    mpi->transport = (HcTransport){.version = HC_TRANSPORT_VERSION,
                                   .rank = rank,
                                   .size = size,
                                   .name = mpi->name,
                                   .host = mpi->host,
                                   .user = mpi,
                                   .send = mpi_send,
                                   .receive = mpi_receive,
                                   .wait = mpi_wait,
                                   .test = mpi_test,
                                   .barrier = mpi_barrier,
                                   .abort = mpi_abort,
                                   .close = mpi_close};
    return &mpi->transport;
}
