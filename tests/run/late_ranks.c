/* A transport for tests, around one of those that hcc comes with (LATE_RANKS names it): what goes
 * on behind a step arrives as late as may be. Whoever reads a weight before it was waited for reads
 * numbers that are none. */
#include "runtime/ranks/transport.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    HcTransport transport, *by;
} Late;

typedef struct {
    void *request, *to, *arrives; /* to: of what is late; else NULL */
    size_t bytes;
} Request;

static Late *of(HcTransport *t) {
    return t->user;
}

static Request *made(void **request) {
    Request *r = calloc(1, sizeof *r);
    *request = r;
    return r;
}

static int late_send(HcTransport *t, int32_t to, HcLane lane, const void *data, size_t bytes,
                     void **request) {
    HcTransport *by = of(t)->by;
    Request *r = made(request);
    return r ? by->send(by, to, lane, data, bytes, &r->request) : 1;
}

static int late_receive(HcTransport *t, int32_t from, HcLane lane, void *data, size_t bytes,
                        void **request) {
    HcTransport *by = of(t)->by;
    Request *r = made(request);
    if (!r)
        return 1;
    if (lane == HC_LANE_STEP)
        return by->receive(by, from, lane, data, bytes, &r->request);
    r->to = memset(data, 0xff, bytes);
    r->bytes = bytes;
    r->arrives = malloc(bytes);
    return r->arrives ? by->receive(by, from, lane, r->arrives, bytes, &r->request) : 1;
}

static int late_wait(HcTransport *t, void *request, double seconds) {
    HcTransport *by = of(t)->by;
    Request *r = request;
    const int code = by->wait(by, r->request, seconds);
    if (code == 0 && r->to)
        memcpy(r->to, r->arrives, r->bytes);
    free(r->arrives);
    free(r);
    return code;
}

/* Nobody learns by asking. */
static int late_test(HcTransport *t, void *request, int *through) {
    (void)t;
    (void)request;
    *through = 0;
    return 0;
}

static int late_barrier(HcTransport *t) {
    return of(t)->by->barrier(of(t)->by);
}

static void late_abort(HcTransport *t, int exit_code) {
    of(t)->by->abort(of(t)->by, exit_code);
}

static void late_close(HcTransport *t) {
    Late *late = of(t);
    late->by->close(late->by);
    free(late);
}

static HcTransport *open_by(const char *object, const char **message) {
    void *library = object ? dlopen(object, RTLD_NOW | RTLD_GLOBAL) : NULL;
    void *symbol = library ? dlsym(library, HC_TRANSPORT_OPEN) : NULL;
    HcTransportOpen *open_transport;
    memcpy(&open_transport, &symbol, sizeof symbol);
    *message = "LATE_RANKS names no transport";
    return open_transport ? open_transport(message) : NULL;
}

HcTransport *hc_transport_open(const char **message) {
    Late *late = calloc(1, sizeof *late);
    HcTransport *by = late ? open_by(getenv("LATE_RANKS"), message) : NULL;
    if (!by) {
        free(late);
        return NULL;
    }
    *late = (Late){.transport = *by, .by = by};
    late->transport.user = late;
    late->transport.send = late_send;
    late->transport.receive = late_receive;
    late->transport.wait = late_wait;
    late->transport.test = late_test;
    late->transport.barrier = late_barrier;
    late->transport.abort = late_abort;
    late->transport.close = late_close;
    return &late->transport;
}
