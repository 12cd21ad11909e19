/* The header of NumPy's .npy: its magic, a version, a length, and a dictionary of Python's. */
#include "runtime/data/npy_read.h"
#include "runtime/data/read_file.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 4000 }; /* bytes of a dictionary; that of one axis has 118 */

typedef struct {
    const char *at, *end;
} Text;

static bool take(Text *t, const char *word) {
    const size_t length = strlen(word);
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length) != 0)
        return false;
    t->at += length;
    return true;
}

/* 'descr': its characters, without the quotes. */
static bool take_string(Text *t, Text *string) {
    const char quote = take(t, "'") ? '\'' : take(t, "\"") ? '"' : '\0';
    const char *close = quote ? memchr(t->at, quote, (size_t)(t->end - t->at)) : NULL;
    if (close) {
        *string = (Text){t->at, close};
        t->at = close + 1;
    }
    return close != NULL;
}

static bool is_text(const Text *t, const char *word) {
    const size_t length = strlen(word);
    return (size_t)(t->end - t->at) == length && memcmp(t->at, word, length) == 0;
}

static bool take_number(Text *t, int64_t *number) {
    take(t, ""); /* blanks */
    const char *first = t->at;
    *number = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        if (*number > INT64_MAX / 128) /* times 8 bytes it fits as well */
            return false;
        *number = *number * 10 + (*t->at - '0');
    }
    return t->at > first;
}

/* (900,) or (3, 4) */
static bool take_shape(Text *t, HcNpyHeader *h) {
    h->axes = 0;
    if (!take(t, "("))
        return false;
    while (!take(t, ")")) {
        int64_t extent;
        if (h->axes > 0 && !take(t, ","))
            return false;
        if (take(t, ")")) /* after a comma */
            return h->axes > 0;
        if (!take_number(t, &extent))
            return false;
        if (h->axes < HC_MAX_RANK)
            h->dims[h->axes] = extent;
        h->axes++;
    }
    return true;
}

static bool take_type(Text *t, HcNpyHeader *h) {
    Text type;
    h->records = take(t, "[");
    if (h->records)
        return true;
    if (!take_string(t, &type))
        return false;
    snprintf(h->type, sizeof h->type, "%.*s", (int)(type.end - type.at), type.at);
    return true;
}

/* {'descr': '<u2', 'fortran_order': False, 'shape': (900,), } in any order. */
static bool take_dictionary(Text *t, HcNpyHeader *h) {
    bool type = false, order = false, shape = false;
    if (!take(t, "{"))
        return false;
    while (!take(t, "}")) {
        Text key;
        bool good = take_string(t, &key) && take(t, ":");
        if (good && is_text(&key, "descr"))
            good = type = take_type(t, h);
        else if (good && is_text(&key, "fortran_order"))
            good = order = (h->fortran = take(t, "True")) || take(t, "False");
        else
            good = shape = good && is_text(&key, "shape") && take_shape(t, h);
        if (good && h->records)
            return true; /* a list of fields, which go on */
        if (!good || (!take(t, ",") && (t->at == t->end || *t->at != '}')))
            return false;
    }
    return type && order && shape;
}

static HcStatus wrong(const char *path, const char *what, HcError *error) {
    return hc_fail(error, HC_ERROR_DATA, "`%s` %s", path, what);
}

bool hc_is_npy(const uint8_t *head, size_t n) {
    static const char magic[6] = "\x93NUMPY";
    return n >= sizeof magic && memcmp(head, magic, sizeof magic) == 0;
}

HcStatus hc_npy_header(int file, const char *path, HcNpyHeader *header, HcError *error) {
    char dictionary[MOST];
    uint8_t head[12];
    size_t n;
    *header = (HcNpyHeader){0};
    HcStatus status = hc_read_at(file, path, 0, head, sizeof head, &n, error);
    if (status != HC_OK)
        return status;
    if (!hc_is_npy(head, n))
        return wrong(path, "is no array of NumPy", error);
    if (n < 12)
        return wrong(path, "is cut short, within its header", error);
    const int version = head[6];
    if (version < 1 || version > 3)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` is an array of NumPy in version %d, and 1 to 3 are read", path,
                       version);
    uint32_t length = head[8] | (uint32_t)head[9] << 8;
    if (version > 1)
        length |= (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (length > MOST)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` has a header of %lld bytes, and %d are read at most", path,
                       (long long)length, (int)MOST);
    size_t got;
    header->offset = version > 1 ? 12 : 10;
    status = hc_read_at(file, path, header->offset, dictionary, length, &got, error);
    if (status != HC_OK)
        return status;
    if (got < length)
        return wrong(path, "is cut short, within its header", error);
    header->offset += length;
    if (!take_dictionary(&(Text){dictionary, dictionary + length}, header))
        return wrong(path, "begins as an array of NumPy, but its header is none", error);
    return HC_OK;
}
