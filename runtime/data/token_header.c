/* What stands before the tokens of a file:
 *
 *   nothing        as nanoGPT's prepare.py writes them, of 16 bits each, or of 32
 *   llm.c          256 numbers of 32 bits: a magic number, a version, how many tokens follow
 *   NumPy's .npy   its magic, a version, the header's length, and a dictionary of Python's
 */
#include "runtime/data/token_header.h"
#include "runtime/data/npy_read.h"
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

static bool among(const char *characters, char c) {
    return c != '\0' && strchr(characters, c);
}

static HcStatus use_array(HcTokenFile *f, const HcNpyHeader *array, HcError *error) {
    const char *type = array->type;
    const int length = (int)strlen(type);
    const bool whole = length == 3 && among("<>|=", type[0]) && among("iu", type[1]) &&
                       among("1248", type[2]) && memcmp(type + 1, "u8", 2) != 0;
    if (array->records)
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
    f->count = array->dims[0];
    f->offset = array->offset;
    return HC_OK;
}

static HcStatus npy_header(HcTokenFile *f, int64_t bytes, HcError *error) {
    HcNpyHeader array;
    HcStatus status = hc_npy_header(f->file, f->path, &array, error);
    if (status == HC_OK)
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
    if (hc_is_npy(head, n))
        return npy_header(f, bytes, error);
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
