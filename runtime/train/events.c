/* A file is records (TFRecord): the length of 8 bytes, its checksum, the bytes, their checksum. The
 * bytes are an Event of TensorFlow's event.proto in protobuf's wire format. Only what is written
 * here is known of either:
 *
 *   Event    1 wall_time double, 2 step, 3 file_version, 5 summary, 7 session_log
 *   Summary  1 value: 1 tag, 2 simple_value float
 *   SessionLog  1 status: 1 START, behind which what was said of `step` and later does not hold
 *
 * All numbers are little-endian, as this machine's are. */
#include "runtime/train/events.h"
#include "runtime/files/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Files are read in the order of their names, which holds the second in which they were made. */
#define EVENTS_BEFORE "events.out.tfevents."
#define EVENTS_BEHIND ".hcc"

/* --- bytes -------------------------------------------------------------------------------------*/

/* No bytes once there was no memory for some. */
typedef struct {
    uint8_t *at;
    size_t n, capacity;
    bool failed;
} Bytes;

static void put(Bytes *b, const void *bytes, size_t n) {
    if (b->failed)
        return;
    if (n > b->capacity - b->n) {
        const size_t capacity = 2 * b->capacity + n;
        uint8_t *grown = realloc(b->at, capacity);
        b->failed = !grown;
        if (!grown)
            return;
        b->at = grown;
        b->capacity = capacity;
    }
    memcpy(b->at + b->n, bytes, n);
    b->n += n;
}

/* Seven bits a byte, lowest first; the highest bit of each says that more follow. */
static void put_varint(Bytes *b, uint64_t value) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    put(b, bytes, n);
}

typedef enum { VARINT = 0, FIXED64 = 1, COUNTED = 2, FIXED32 = 5 } Wire;

static void put_key(Bytes *b, uint32_t field, Wire wire) {
    put_varint(b, field << 3 | wire);
}

static void put_counted(Bytes *b, uint32_t field, const void *bytes, size_t n) {
    put_key(b, field, COUNTED);
    put_varint(b, n);
    put(b, bytes, n);
}

/* Takes the bytes of `part`. */
static void put_message(Bytes *b, uint32_t field, Bytes *part) {
    b->failed |= part->failed;
    put_counted(b, field, part->at, part->n);
    free(part->at);
}

/* --- records -----------------------------------------------------------------------------------*/

/* CRC-32C, bit by bit: a record is short. */
static uint32_t checksum(const uint8_t *bytes, size_t n) {
    uint32_t crc = UINT32_MAX;
    for (size_t k = 0; k < n; k++) {
        crc ^= bytes[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* As records hold it: the checksum of bytes that hold their own would say nothing. */
static uint32_t masked(const void *bytes, size_t n) {
    const uint32_t crc = checksum(bytes, n);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static HcStatus write_record(HcEvents *e, Bytes *event, HcError *error) {
    const uint64_t length = event->n;
    const uint32_t of_length = masked(&length, sizeof length),
                   of_bytes = masked(event->at, event->n);
    Bytes record = {0};
    put(&record, &length, sizeof length);
    put(&record, &of_length, sizeof of_length);
    put(&record, event->at, event->n);
    put(&record, &of_bytes, sizeof of_bytes);
    HcStatus status = HC_OK;
    if (event->failed || record.failed)
        status = hc_fail_memory(error, "an event");
    else if (fwrite(record.at, 1, record.n, e->file) != record.n || fflush(e->file) != 0)
        status = hc_fail_errno(error, HC_ERROR_IO, "write", e->path);
    free(record.at);
    free(event->at);
    return status;
}

static Bytes begin_event(int64_t step) {
    struct timespec now;
    Bytes event = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    put_key(&event, 1, FIXED64);
    put(&event, &seconds, sizeof seconds);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    return event;
}

/* --- files -------------------------------------------------------------------------------------*/

/* Of a name that no file has yet, behind those of earlier seconds. */
static HcStatus create(HcEvents *e, const char *run, HcError *error) {
    const long long now = (long long)time(NULL);
    for (int k = 0;; k++) {
        char name[80];
        snprintf(name, sizeof name, EVENTS_BEFORE "%010lld.%03d" EVENTS_BEHIND, now, k);
        e->path = hc_path_join(run, name);
        if (!e->path)
            return hc_fail_memory(error, "a path");
        const int file = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        e->file = file >= 0 ? fdopen(file, "w") : NULL;
        if (e->file)
            return HC_OK;
        if (file >= 0)
            close(file);
        if (file >= 0 || errno != EEXIST)
            return hc_fail_errno(error, HC_ERROR_IO, "write", e->path);
        free(e->path);
    }
}

static HcStatus begin(HcEvents *e, int64_t first, HcError *error) {
    static const char version[] = "brain.Event:2";
    static const uint8_t start[] = {1 << 3 | VARINT, 1};
    Bytes event = begin_event(0);
    put_counted(&event, 3, version, sizeof version - 1);
    HcStatus status = write_record(e, &event, error);
    if (status != HC_OK || first <= 1)
        return status;
    event = begin_event(first);
    put_counted(&event, 7, start, sizeof start);
    return write_record(e, &event, error);
}

HcStatus hc_events_open(HcEvents *e, const char *run, int64_t first, HcError *error) {
    HcStatus status = create(e, run, error);
    if (status == HC_OK)
        status = begin(e, first, error);
    if (status != HC_OK)
        hc_events_close(e, NULL);
    return status;
}

/* Every number of `of`, its name behind `before`. */
static void put_scalars(Bytes *summary, const char *before, json_t *of) {
    const char *key;
    json_t *value;
    json_object_foreach(of, key, value) {
        char tag[256];
        snprintf(tag, sizeof tag, "%s%s", before, key);
        if (json_is_object(value)) {
            strncat(tag, "/", sizeof tag - strlen(tag) - 1);
            put_scalars(summary, tag, value);
        }
        if (!(json_is_number(value) || json_is_null(value)) || strcmp(tag, "step") == 0)
            continue;
        const float number = json_is_number(value) ? (float)json_number_value(value) : NAN;
        Bytes scalar = {0};
        put_counted(&scalar, 1, tag, strlen(tag));
        put_key(&scalar, 2, FIXED32);
        put(&scalar, &number, sizeof number);
        put_message(summary, 1, &scalar);
    }
}

HcStatus hc_events_add(HcEvents *e, const json_t *line, HcError *error) {
    if (!e->file)
        return HC_OK;
    Bytes event = begin_event(json_integer_value(json_object_get(line, "step"))), summary = {0};
    put_scalars(&summary, "", (json_t *)(uintptr_t)line);
    put_message(&event, 5, &summary);
    return write_record(e, &event, error);
}

HcStatus hc_events_close(HcEvents *e, HcError *error) {
    HcStatus status = HC_OK;
    if (e->file && fclose(e->file) != 0)
        status = hc_fail_errno(error, HC_ERROR_IO, "write", e->path);
    free(e->path);
    *e = (HcEvents){0};
    return status;
}

static bool is_ours(const char *name) {
    const size_t length = strlen(name), behind = sizeof EVENTS_BEHIND - 1;
    return strncmp(name, EVENTS_BEFORE, sizeof EVENTS_BEFORE - 1) == 0 && length > behind &&
           strcmp(name + length - behind, EVENTS_BEHIND) == 0;
}

/* *found: how many there are. */
static HcStatus look(const char *run, bool remove, int64_t *found, HcError *error) {
    DIR *folder = opendir(run);
    HcStatus status = HC_OK;
    *found = 0;
    if (!folder)
        return hc_fail_errno(error, HC_ERROR_IO, "read", run);
    for (const struct dirent *entry; status == HC_OK && (entry = readdir(folder));) {
        if (!is_ours(entry->d_name))
            continue;
        ++*found;
        if (remove && unlinkat(dirfd(folder), entry->d_name, 0) != 0 && errno != ENOENT)
            status = hc_fail_errno(error, HC_ERROR_IO, "replace", entry->d_name);
    }
    closedir(folder);
    return status;
}

HcStatus hc_events_find(const char *run, bool *found, HcError *error) {
    int64_t count;
    HcStatus status = look(run, false, &count, error);
    *found = count > 0;
    return status;
}

HcStatus hc_events_remove(const char *run, HcError *error) {
    int64_t count;
    return look(run, true, &count, error);
}
