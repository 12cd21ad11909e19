/* What stands before the tokens of a file:
 *
 *   nothing        as nanoGPT's prepare.py writes them, of 16 bits each, or of 32
 *   llm.c          256 numbers of 32 bits: a magic number, a version, how many tokens follow
 *   NumPy's .npy   its magic, a version, the header's length, and a dictionary of Python's
 */
#include "runtime/data/token_header.h"
#include "runtime/data/read_file.h"

#include <stdio.h>
#include <string.h>

static HcStatus wrong(const HcTokenFile *f, const char *what, HcError *error) {
    return hc_fail(error, HC_ERROR_DATA, "`%s` %s", f->path, what);
}

/* A header has been read: the tokens behind it must be as many as it says. */
static HcStatus check_size(const HcTokenFile *f, int64_t bytes, HcError *error) {
    const int64_t there = (bytes - f->offset) / f->size, odd = (bytes - f->offset) % f->size;
    if (f->count > there)
        return hc_fail(
            error, HC_ERROR_DATA,
            "`%s` is cut short: its header promises %lld tokens of %d bits, and %lld are "
            "there",
            f->path, (long long)f->count, 8 * f->size, (long long)there);
    if (f->count < there || odd)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` has %lld bytes more than the %lld tokens of %d bits that its header "
                       "promises",
                       f->path, (long long)(bytes - f->offset - f->count * f->size),
                       (long long)f->count, 8 * f->size);
    return HC_OK;
}

/* --- NumPy -------------------------------------------------------------------------------------*/

enum { NPY_MOST = 4000 }; /* bytes of a dictionary; that of one axis has 118 */

static const char npy_magic[6] = "\x93NUMPY";

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

/* (900,) or (3, 4): how many extents, and the last. */
static bool take_shape(Text *t, int64_t *axes, int64_t *extent) {
    *axes = 0;
    if (!take(t, "("))
        return false;
    while (!take(t, ")")) {
        if (*axes > 0 && !take(t, ","))
            return false;
        if (take(t, ")")) /* after a comma */
            return *axes > 0;
        if (!take_number(t, extent))
            return false;
        ++*axes;
    }
    return true;
}

/* {'descr': '<u2', 'fortran_order': False, 'shape': (900,), } in any order. */
typedef struct {
    Text type;
    int64_t axes, extent;
} Array;

static bool take_dictionary(Text *t, Array *array) {
    bool type = false, order = false, shape = false;
    if (!take(t, "{"))
        return false;
    while (!take(t, "}")) {
        Text key;
        bool good = take_string(t, &key) && take(t, ":");
        if (good && is_text(&key, "descr"))
            good = type = take(t, "[") || take_string(t, &array->type);
        else if (good && is_text(&key, "fortran_order"))
            good = order = take(t, "False") || take(t, "True");
        else
            good = shape =
                good && is_text(&key, "shape") && take_shape(t, &array->axes, &array->extent);
        if (good && type && !array->type.at)
            return true; /* a list of fields, which go on */
        if (!good || (!take(t, ",") && (t->at == t->end || *t->at != '}')))
            return false;
    }
    return type && order && shape;
}

static bool among(const char *characters, char c) {
    return c != '\0' && strchr(characters, c);
}

static HcStatus use_array(HcTokenFile *f, const Array *array, HcError *error) {
    const char *type = array->type.at;
    const int length = type ? (int)(array->type.end - type) : 0;
    const bool whole = length == 3 && among("<>|=", type[0]) && among("iu", type[1]) &&
                       among("1248", type[2]) && memcmp(type + 1, "u8", 2) != 0;
    if (!type)
        return wrong(f, "holds records: tokens are an array of whole numbers", error);
    if (!whole)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` holds numbers of type `%.*s`: tokens are u1, u2, u4, i1, i2, i4 or i8",
                       f->path, length > 20 ? 20 : length, type);
    if (type[0] == '>')
        return wrong(f, "holds numbers with their highest byte first: save it as `.astype('<u2')`",
                     error);
    if (array->axes != 1)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` has %lld axes: tokens are one sequence (`.reshape(-1)`)", f->path,
                       (long long)array->axes);
    f->size = (uint8_t)(type[2] - '0');
    f->has_sign = type[1] == 'i';
    f->count = array->extent;
    return HC_OK;
}

static HcStatus npy_header(HcTokenFile *f, const uint8_t *head, size_t n, int64_t bytes,
                           HcError *error) {
    char dictionary[NPY_MOST];
    if (n < 12)
        return wrong(f, "is cut short, within its header", error);
    const int version = head[6];
    if (version < 1 || version > 3)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` is an array of NumPy in version %d, and 1 to 3 are read", f->path,
                       version);
    uint32_t length = head[8] | (uint32_t)head[9] << 8;
    if (version > 1)
        length |= (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    if (length > NPY_MOST)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` has a header of %lld bytes: tokens are an array of whole numbers",
                       f->path, (long long)length);
    size_t got;
    f->offset = version > 1 ? 12 : 10;
    HcStatus status = hc_read_at(f->file, f->path, f->offset, dictionary, length, &got, error);
    if (status != HC_OK)
        return status;
    if (got < length)
        return wrong(f, "is cut short, within its header", error);
    f->offset += length;
    Array array = {.axes = 0};
    if (!take_dictionary(&(Text){dictionary, dictionary + length}, &array))
        return wrong(f, "begins as an array of NumPy, but its header is none", error);
    status = use_array(f, &array, error);
    return status == HC_OK ? check_size(f, bytes, error) : status;
}

/* --- llm.c -------------------------------------------------------------------------------------*/

enum { LLMC_HEADER = 1024, LLMC_QUESTIONS = 20240522 };

typedef struct {
    uint32_t magic, version;
    uint8_t size;
} LlmcKind;

static const LlmcKind llmc_kinds[] = {{20240520, 1, 2}, {20240801, 7, 4}};

static uint32_t word_at(const uint8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static HcStatus llmc_header(HcTokenFile *f, const LlmcKind *kind, const uint8_t *head, size_t n,
                            int64_t bytes, HcError *error) {
    if (n < 12 || bytes < LLMC_HEADER)
        return wrong(f, "is cut short, within its header of 1024 bytes", error);
    const uint32_t version = word_at(head + 4), count = word_at(head + 8);
    if (version != kind->version)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` begins with llm.c's number %u, but has version %u: read is %u",
                       f->path, (unsigned)kind->magic, (unsigned)version, (unsigned)kind->version);
    if (count > INT32_MAX)
        return hc_fail(error, HC_ERROR_DATA, "`%s` promises %d tokens in its header", f->path,
                       (int)count);
    f->size = kind->size;
    f->count = count;
    f->offset = LLMC_HEADER;
    return check_size(f, bytes, error);
}

/* --- which it is -------------------------------------------------------------------------------*/

static HcStatus no_header(HcTokenFile *f, int64_t bytes, int64_t width, HcError *error) {
    f->told = width != 0;
    f->has_header = false;
    f->size = (uint8_t)(f->told ? width / 8 : 2);
    f->count = bytes / f->size;
    if (bytes % f->size)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` has %lld bytes, which are no whole number of tokens of %d bits",
                       f->path, (long long)bytes, 8 * f->size);
    return HC_OK;
}

HcStatus hc_token_header(HcTokenFile *f, int64_t bytes, int64_t width, HcError *error) {
    uint8_t head[12];
    size_t n;
    const char *dot = strrchr(f->path, '.');
    HcStatus status = hc_read_at(f->file, f->path, 0, head, sizeof head, &n, error);
    if (status != HC_OK)
        return status;
    f->has_header = true;
    if (n >= sizeof npy_magic && memcmp(head, npy_magic, sizeof npy_magic) == 0)
        return npy_header(f, head, n, bytes, error);
    if (dot && strcmp(dot, ".npy") == 0)
        return wrong(f, "is no array of NumPy, whatever its name says", error);
    const uint32_t first = n >= 4 ? word_at(head) : 0;
    for (size_t k = 0; k < sizeof llmc_kinds / sizeof llmc_kinds[0]; k++)
        if (first == llmc_kinds[k].magic)
            return llmc_header(f, &llmc_kinds[k], head, n, bytes, error);
    if (first == LLMC_QUESTIONS)
        return wrong(f,
                     "holds questions to evaluate with (llm.c's number 20240522), no tokens in a "
                     "row",
                     error);
    return no_header(f, bytes, width, error);
}
