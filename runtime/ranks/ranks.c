#include "runtime/ranks/ranks.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_BYTES = 64, NAME_BYTES = HOST_BYTES + 32, TEXT_BYTES = 4096, PATH_BYTES = 8192 };

/* A message that takes longer has nobody at its other end, unless HCC_RANKS_TIMEOUT says how long.
 */
static const double patience_seconds = 300, leave_seconds = 3;
static const size_t message_bytes = (size_t)1 << 30;

typedef struct HcBegun {
    void *request;
    int32_t rank;
} Begun;

struct HcRanks {
    HcTransport *transport;
    void *library;
    char (*names)[NAME_BYTES];
    uint64_t sent;
    double patience;
    HcFlight flight;     /* of what is waited for at once */
    HcMessage *messages; /* room for one to and one from each rank, */
    uint32_t *bits;      /* and for a word of each */
    int32_t lost;        /* 1 + the rank whom no message reached: nothing is said any more */
    bool failed_alike;
};

int32_t hc_ranks_rank(const HcRanks *r) {
    return r ? r->transport->rank : 0;
}

int32_t hc_ranks_size(const HcRanks *r) {
    return r ? r->transport->size : 1;
}

const char *hc_ranks_transport(const HcRanks *r) {
    return r->transport->name;
}

const char *hc_ranks_name(const HcRanks *r, int32_t rank) {
    return r->names[rank];
}

bool hc_ranks_failed_alike(const HcRanks *r) {
    return r && r->failed_alike;
}

void hc_ranks_fail_alike(HcRanks *r) {
    r->failed_alike = true;
}

uint64_t hc_ranks_sent(const HcRanks *r) {
    return r ? r->sent : 0;
}

/* --- messages ----------------------------------------------------------------------------------*/

static HcStatus lost(HcRanks *r, int32_t rank, HcError *error) {
    r->lost = 1 + rank;
    return hc_fail(error, HC_ERROR_IO,
                   "no message gets through between %s and %s: it has ended, "
                   "or did not answer for %.0f seconds",
                   hc_ranks_name(r, hc_ranks_rank(r)), hc_ranks_name(r, rank), r->patience);
}

static uint32_t pieces_of(const HcMessage *m) {
    return (uint32_t)((m->bytes + message_bytes - 1) / message_bytes);
}

static int begin_piece(HcRanks *r, HcLane lane, const HcMessage *m, uint32_t piece,
                       void **request) {
    HcTransport *t = r->transport;
    uint8_t *data = (uint8_t *)m->data + piece * message_bytes;
    const size_t left = m->bytes - piece * message_bytes;
    const size_t bytes = left < message_bytes ? left : message_bytes;
    r->sent += m->send ? bytes : 0;
    return m->send ? t->send(t, m->rank, lane, data, bytes, request)
                   : t->receive(t, m->rank, lane, data, bytes, request);
}

HcStatus hc_flight_reserve(HcFlight *f, const HcMessage *messages, uint32_t count, HcError *error) {
    uint32_t all = f->n_begun;
    for (uint32_t k = 0; k < count; k++)
        all += pieces_of(&messages[k]);
    if (all <= f->room)
        return HC_OK;
    Begun *grown = realloc(f->begun, all * sizeof *grown);
    if (!grown)
        return hc_fail_memory(error, "messages");
    f->begun = grown;
    f->room = all;
    return HC_OK;
}

void hc_flight_free(HcFlight *f) {
    free(f->begun);
    *f = (HcFlight){.lane = f->lane};
}

static HcStatus begin(HcRanks *r, HcFlight *f, const HcMessage *m, HcError *error) {
    for (uint32_t piece = 0; piece < pieces_of(m); piece++) {
        Begun *to = &f->begun[f->n_begun];
        *to = (Begun){.rank = m->rank};
        if (begin_piece(r, f->lane, m, piece, &to->request) != 0)
            return lost(r, m->rank, error);
        f->n_begun++;
    }
    return HC_OK;
}

HcStatus hc_ranks_begin(HcRanks *r, HcFlight *f, const HcMessage *messages, uint32_t count,
                        HcError *error) {
    if (r->lost)
        return lost(r, r->lost - 1, error);
    HcStatus status = hc_flight_reserve(f, messages, count, error);
    for (uint32_t k = 0; k < count && status == HC_OK; k++)
        status = begin(r, f, &messages[k], error);
    return status;
}

HcStatus hc_ranks_move_on(HcRanks *r, HcFlight *f, HcError *error) {
    int through = !r->lost;
    while (through && f->n_through < f->n_begun) {
        const Begun *first = &f->begun[f->n_through];
        if (r->transport->test(r->transport, first->request, &through) != 0)
            return lost(r, first->rank, error);
        f->n_through += through ? 1 : 0;
    }
    return HC_OK;
}

static HcStatus wait_for(HcRanks *r, HcFlight *f, uint32_t first, double seconds, HcError *error) {
    for (; f->n_through < first; f->n_through++) {
        const Begun *next = &f->begun[f->n_through];
        if (r->lost)
            return lost(r, r->lost - 1, error);
        if (r->transport->wait(r->transport, next->request, seconds) != 0)
            return lost(r, next->rank, error);
    }
    return HC_OK;
}

HcStatus hc_ranks_wait(HcRanks *r, HcFlight *f, uint32_t first, HcError *error) {
    return wait_for(r, f, first, r->patience, error);
}

void hc_ranks_leave(HcRanks *r, HcFlight *f) {
    wait_for(r, f, f->n_begun, leave_seconds, NULL);
    f->n_begun = f->n_through = 0;
}

HcStatus hc_ranks_finish(HcRanks *r, HcFlight *f, HcError *error) {
    HcStatus status = hc_ranks_wait(r, f, f->n_begun, error);
    f->n_begun = f->n_through = 0;
    return status;
}

HcStatus hc_ranks_exchange(HcRanks *r, const HcMessage *messages, uint32_t count, HcError *error) {
    HcStatus status = hc_ranks_begin(r, &r->flight, messages, count, error);
    return status == HC_OK ? hc_ranks_finish(r, &r->flight, error) : status;
}

HcStatus hc_ranks_gather(HcRanks *r, const void *mine, void *all, size_t bytes, HcError *error) {
    const int32_t size = hc_ranks_size(r), me = hc_ranks_rank(r);
    HcMessage *messages = r->messages;
    uint8_t *to = all;
    memcpy(to + (size_t)me * bytes, mine, bytes);
    uint32_t count = 0;
    for (int32_t k = 1; k < size; k++) {
        const int32_t other = (me + k) % size;
        messages[count++] = (HcMessage){other, false, to + (size_t)other * bytes, bytes};
    }
    for (int32_t k = 1; k < size; k++)
        messages[count++] =
            (HcMessage){(me + size - k) % size, true, to + (size_t)me * bytes, bytes};
    return hc_ranks_exchange(r, messages, count, error);
}

/* By a tree: whoever has it gives it to the one as far on as there are that have it. */
HcStatus hc_ranks_broadcast(HcRanks *r, void *data, size_t bytes, HcError *error) {
    const int32_t me = hc_ranks_rank(r), size = hc_ranks_size(r);
    HcStatus status = HC_OK;
    for (int32_t have = 1; have < size && status == HC_OK; have *= 2) {
        if (me < have && me + have < size)
            status = hc_ranks_exchange(r, &(HcMessage){me + have, true, data, bytes}, 1, error);
        else if (me >= have && me < 2 * have)
            status = hc_ranks_exchange(r, &(HcMessage){me - have, false, data, bytes}, 1, error);
    }
    return status;
}

HcStatus hc_ranks_barrier(HcRanks *r, HcError *error) {
    if (!r || r->transport->barrier(r->transport) == 0)
        return HC_OK;
    return lost(r, (hc_ranks_rank(r) + 1) % hc_ranks_size(r), error);
}

HcStatus hc_ranks_any(HcRanks *r, uint32_t *bits, HcError *error) {
    if (!r)
        return HC_OK;
    HcStatus status = hc_ranks_gather(r, bits, r->bits, sizeof *bits, error);
    for (int32_t k = 0; k < hc_ranks_size(r) && status == HC_OK; k++)
        *bits |= r->bits[k];
    return status;
}

/* Where the first line begins in which two texts differ. */
static size_t differing_line(const char *one, const char *other) {
    size_t begin = 0;
    for (size_t k = 0; one[k] == other[k]; k++)
        if (one[k] == '\n')
            begin = k + 1;
    return begin;
}

static HcStatus differ(HcRanks *r, const char *what, const char *first, int32_t rank,
                       const char *other, const char *cure, HcError *error) {
    const size_t line = differing_line(first, other);
    first += line;
    other += line;
    hc_ranks_fail_alike(r);
    first += strspn(first, " ");
    other += strspn(other, " ");
    return hc_fail(error, HC_ERROR_ARGUMENT, "%s of %s is `%.*s`, of %s `%.*s`%s%s", what,
                   hc_ranks_name(r, 0), (int)strcspn(first, ",\n"), first, hc_ranks_name(r, rank),
                   (int)strcspn(other, ",\n"), other, cure ? ": " : "", cure ? cure : "");
}

HcStatus hc_ranks_same(HcRanks *r, const char *what, const char *text, const char *cure,
                       HcError *error) {
    if (!r)
        return HC_OK;
    char mine[TEXT_BYTES] = {0};
    snprintf(mine, sizeof mine, "%s", text);
    char *all = calloc((size_t)hc_ranks_size(r), sizeof mine);
    HcStatus status =
        all ? hc_ranks_gather(r, mine, all, sizeof mine, error) : hc_fail_memory(error, "messages");
    for (int32_t k = 1; k < hc_ranks_size(r) && status == HC_OK; k++) {
        const char *other = all + (size_t)k * sizeof mine;
        if (strcmp(all, other) != 0)
            status = differ(r, what, all, k, other, cure, error);
    }
    free(all);
    return status;
}

static HcStatus fail_as(HcRanks *r, const HcError *all, int32_t first, HcError *error) {
    const HcError *of = &all[first];
    bool same = true;
    for (int32_t k = 0; k < hc_ranks_size(r); k++)
        same = same && all[k].status == of->status && strcmp(all[k].message, of->message) == 0;
    hc_ranks_fail_alike(r);
    return hc_fail(error, of->status, "%s%s%s", same ? "" : hc_ranks_name(r, first),
                   same ? "" : ": ", of->message);
}

HcStatus hc_ranks_agree(HcRanks *r, HcStatus mine, HcError *error) {
    if (!r)
        return mine;
    const int32_t size = hc_ranks_size(r);
    HcError outcome = {0}, *all = calloc((size_t)size, sizeof *all);
    if (!all)
        return hc_fail_memory(error, "messages");
    if (mine != HC_OK)
        outcome = *error;
    outcome.status = mine;
    HcStatus status = hc_ranks_gather(r, &outcome, all, sizeof outcome, error);
    int32_t first = 0;
    while (first < size && all[first].status == HC_OK)
        first++;
    if (status == HC_OK && first < size)
        status = fail_as(r, all, first, error);
    free(all);
    return status;
}

/* --- life --------------------------------------------------------------------------------------*/

/* A launcher says so in the environment of those that it starts. */
typedef struct {
    const char *size, *object, *name;
} Launcher;

static const Launcher launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "libhcranks_openmpi.so", "Open MPI"},
    {"PMI_SIZE", "libhcranks_mpich.so", "MPICH"},
};

static const Launcher *find_launcher(void) {
    for (size_t k = 0; k < sizeof launchers / sizeof launchers[0]; k++) {
        const char *size = getenv(launchers[k].size);
        if (size && strtol(size, NULL, 10) > 1)
            return &launchers[k];
    }
    return NULL;
}

static double find_patience(void) {
    const char *given = getenv("HCC_RANKS_TIMEOUT");
    const double seconds = given ? strtod(given, NULL) : 0;
    return seconds > 0 ? seconds : patience_seconds;
}

static HcStatus name_all(HcRanks *r, HcError *error) {
    const size_t size = (size_t)r->transport->size;
    char mine[HOST_BYTES] = {0}, *hosts = calloc(size, HOST_BYTES);
    r->names = calloc(size, NAME_BYTES);
    r->messages = calloc(2 * size, sizeof *r->messages);
    r->bits = calloc(size, sizeof *r->bits);
    if (!r->names || !r->messages || !r->bits || !hosts) {
        free(hosts);
        return hc_fail_memory(error, "the ranks");
    }
    for (size_t k = 0; k < size; k++)
        snprintf(r->names[k], NAME_BYTES, "rank %zu", k);
    snprintf(mine, sizeof mine, "%s", r->transport->host);
    HcStatus status = hc_ranks_gather(r, mine, hosts, HOST_BYTES, error);
    for (size_t k = 0; k < size && status == HC_OK; k++)
        snprintf(r->names[k], NAME_BYTES, "rank %zu (%.*s)", k, HOST_BYTES - 1,
                 hosts + k * HOST_BYTES);
    free(hosts);
    return status;
}

/* NULL: dlerror says why not. */
static void *load_object(const char *object) {
    static const char *const folders[] = {"/", "/../lib/hcc/"};
    const char *given = getenv("HCC_RANKS");
    char folder[PATH_BYTES / 2], path[PATH_BYTES];
    if (given)
        return dlopen(given, RTLD_NOW | RTLD_GLOBAL);
    const ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    char *end = length > 0 ? memrchr(folder, '/', (size_t)length) : NULL;
    for (size_t k = 0; k < sizeof folders / sizeof folders[0] && end; k++) {
        *end = '\0';
        snprintf(path, sizeof path, "%s%s%s", folder, folders[k], object);
        if (access(path, F_OK) == 0)
            return dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    }
    return dlopen(object, RTLD_NOW | RTLD_GLOBAL);
}

/* That of a program that it was linked into; NULL: of most. */
#pragma weak hc_transport_open

static HcStatus meet(HcRanks *r, HcTransportOpen *open_transport, const char *by, HcError *error) {
    const char *message = "it has no function " HC_TRANSPORT_OPEN;
    r->transport = open_transport ? open_transport(&message) : NULL;
    if (!r->transport || r->transport->version != HC_TRANSPORT_VERSION)
        return hc_fail(error, HC_ERROR_IO, "%s does not reach the other ranks: %s", by,
                       r->transport ? "it is of another version" : message);
    return name_all(r, error);
}

static HcStatus join(HcRanks *r, const Launcher *launcher, HcError *error) {
    r->library = load_object(launcher->object);
    if (!r->library)
        return hc_fail(error, HC_ERROR_IO,
                       "this process is one of several that %s started, and what speaks to the "
                       "others cannot be loaded (HCC_RANKS may say where it is): %s",
                       launcher->name, dlerror());
    HcTransportOpen *open_transport;
    void *symbol = dlsym(r->library, HC_TRANSPORT_OPEN);
    memcpy(&open_transport, &symbol, sizeof symbol);
    return meet(r, open_transport, launcher->object, error);
}

static HcStatus reach(HcRanks *r, const Launcher *launcher, HcError *error) {
    return launcher ? join(r, launcher, error)
                    : meet(r, hc_transport_open, "what this program is linked with", error);
}

static void ranks_free(HcRanks *r) {
    if (!r)
        return;
    free(r->names);
    free(r->messages);
    free(r->bits);
    hc_flight_free(&r->flight);
    free(r); /* its library stays: MPI's threads may still be in it */
}

HcStatus hc_ranks_by(HcRanks **ranks, HcTransport *transport, HcError *error) {
    HcRanks *r = calloc(1, sizeof *r);
    *ranks = r;
    if (r)
        r->transport = transport;
    HcStatus status = r ? name_all(r, error) : hc_fail_memory(error, "the ranks");
    if (status != HC_OK) {
        transport->close(transport);
        ranks_free(r);
        *ranks = NULL;
    }
    return status;
}

HcStatus hc_ranks_open(HcRanks **ranks, HcError *error) {
    const bool linked = hc_transport_open != NULL;
    const Launcher *launcher = linked ? NULL : find_launcher();
    *ranks = NULL;
    if (!linked && !launcher)
        return HC_OK;
    HcRanks *r = calloc(1, sizeof *r);
    if (r)
        r->patience = find_patience();
    HcStatus status = r ? reach(r, launcher, error) : hc_fail_memory(error, "the ranks");
    if (status != HC_OK) {
        ranks_free(r);
    } else if (r->transport->size == 1) { /* and would speak to itself */
        hc_ranks_close(r);
    } else {
        *ranks = r;
    }
    return status;
}

void hc_ranks_close(HcRanks *r) {
    if (!r)
        return;
    r->transport->close(r->transport);
    ranks_free(r);
}

void hc_ranks_abort(HcRanks *r, int exit_code) {
    r->transport->abort(r->transport, exit_code);
    abort();
}
