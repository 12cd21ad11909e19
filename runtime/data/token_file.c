#include "runtime/data/token_file.h"
#include "runtime/data/read_file.h"
#include "runtime/data/token_header.h"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { CHUNK = 4096, JUDGED = 64 /* tokens, before something is said of them all */ };

HcStatus hc_token_file_open(const char *path, int64_t width, HcTokenFile *f, HcError *error) {
    struct stat info = {0};
    *f = (HcTokenFile){.path = path};
    f->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    f->is_open = f->file >= 0;
    HcStatus status = HC_OK;
    if (!f->is_open || fstat(f->file, &info) != 0)
        status = hc_fail_errno(error, HC_ERROR_DATA, "read data", path);
    else if (!S_ISREG(info.st_mode))
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is not a file", path);
    else if (info.st_size == 0)
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is empty", path);
    else
        status = hc_token_header(f, info.st_size, width, error);
    if (status == HC_OK && f->count == 0)
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` holds no tokens", path);
    f->device = info.st_dev;
    f->inode = info.st_ino;
    if (status != HC_OK)
        hc_token_file_close(f);
    return status;
}

void hc_token_file_close(HcTokenFile *f) {
    if (f->is_open)
        close(f->file);
    f->is_open = false;
}

HcStatus hc_token_file_reopen(HcTokenFile *f, HcError *error) {
    struct stat info;
    f->file = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    f->is_open = f->file >= 0;
    if (!f->is_open || fstat(f->file, &info) != 0)
        return hc_fail_errno(error, HC_ERROR_DATA, "read data", f->path);
    if (info.st_dev == f->device && info.st_ino == f->inode)
        return HC_OK;
    hc_token_file_close(f);
    return hc_fail(error, HC_ERROR_DATA, "`%s` is another file than it was when it was checked",
                   f->path);
}

/* --- tokens ------------------------------------------------------------------------------------*/

#define WIDEN(type)                                                                                \
    for (int64_t k = 0; k < n; k++) {                                                              \
        type value;                                                                                \
        memcpy(&value, raw + (size_t)k * sizeof value, sizeof value);                              \
        to[k] = value;                                                                             \
    }                                                                                              \
    return

static void widen(const HcTokenFile *f, const uint8_t *raw, int64_t n, int64_t *to) {
    switch (f->has_sign ? -f->size : f->size) {
    case 1:
        WIDEN(uint8_t);
    case 2:
        WIDEN(uint16_t);
    case 4:
        WIDEN(uint32_t);
    case -1:
        WIDEN(int8_t);
    case -2:
        WIDEN(int16_t);
    case -4:
        WIDEN(int32_t);
    default:
        WIDEN(int64_t);
    }
}

typedef struct {
    uint8_t raw[CHUNK * 8];
    int64_t tokens[CHUNK];
} Chunk;

/* n tokens, at most CHUNK; *bad: the first that is not in the vocabulary, or -1. */
static HcStatus read_chunk(const HcTokenFile *f, int64_t first, int64_t n, int64_t limit,
                           Chunk *chunk, int64_t *bad, HcError *error) {
    const size_t size = (size_t)n * f->size;
    size_t got;
    HcStatus status =
        hc_read_at(f->file, f->path, f->offset + first * f->size, chunk->raw, size, &got, error);
    if (status != HC_OK)
        return status;
    if (got < size)
        return hc_fail(error, HC_ERROR_DATA, "`%s` was cut short while it is read", f->path);
    widen(f, chunk->raw, n, chunk->tokens);
    *bad = -1;
    int64_t outside = 0; /* or-ed, so that the loop has no way out */
    for (int64_t k = 0; k < n; k++)
        outside |= chunk->tokens[k] < 0 || chunk->tokens[k] >= limit;
    for (int64_t k = 0; outside && *bad < 0; k++)
        if (chunk->tokens[k] < 0 || chunk->tokens[k] >= limit)
            *bad = k;
    return HC_OK;
}

HcStatus hc_token_file_read(const HcTokenFile *f, int64_t first, int64_t n, int64_t limit,
                            int32_t *to, HcError *error) {
    Chunk chunk;
    HcStatus status = HC_OK;
    for (int64_t done = 0; done < n && status == HC_OK; done += CHUNK) {
        const int64_t count = n - done < CHUNK ? n - done : CHUNK;
        int64_t bad;
        status = read_chunk(f, first + done, count, limit, &chunk, &bad, error);
        for (int64_t k = 0; k < count && status == HC_OK; k++)
            to[done + k] = (int32_t)chunk.tokens[k];
        if (status == HC_OK && bad >= 0)
            status = hc_fail(error, HC_ERROR_DATA,
                             "`%s` was changed while it is read: token %lld is now %lld, outside "
                             "the model's vocabulary of %lld",
                             f->path, (long long)(first + done + bad), (long long)chunk.tokens[bad],
                             (long long)limit);
    }
    return status;
}

/* --- checking ----------------------------------------------------------------------------------*/

/* What a file without a header might be instead, as long as nothing speaks against it. */
typedef struct {
    bool text;  /* its bytes are characters */
    bool wider; /* every second token is 0 */
    bool other; /* and not all others are, too */
} Suspicion;

static void suspect(Suspicion *s, const HcTokenFile *f, const Chunk *chunk, int64_t n) {
    for (int64_t k = 0; s->text && k < n * f->size; k++) {
        const uint8_t byte = chunk->raw[k];
        s->text = byte >= ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\f';
    }
    for (int64_t k = 0; s->wider && k < n; k++) { /* chunks begin with an even token */
        s->wider = k % 2 == 0 || chunk->tokens[k] == 0;
        s->other = s->other || chunk->tokens[k] != 0;
    }
}

static HcStatus check_suspicion(const Suspicion *s, const HcTokenFile *f, HcError *error) {
    if (f->count < JUDGED)
        return HC_OK;
    if (s->text)
        return hc_fail(
            error, HC_ERROR_DATA,
            "`%s` looks like text, which holds no tokens yet: `hcc tokenize` makes them, "
            "`data text` reads its bytes (with `width = 16;` it is taken for tokens all the same)",
            f->path);
    if (s->wider && s->other)
        return hc_fail(error, HC_ERROR_DATA,
                       "every second token of `%s` is 0, as if they had 32 bits each: say "
                       "`width = 32;` (with `width = 16;` it is taken as it is)",
                       f->path);
    return HC_OK;
}

static HcStatus outside(const HcTokenFile *f, int64_t token, int64_t value, int64_t limit,
                        HcError *error) {
    uint8_t head[16];
    char more[120] = "";
    size_t n = 0;
    const char *packed = NULL;
    if (!f->has_header && hc_read_at(f->file, f->path, 0, head, sizeof head, &n, NULL) == HC_OK)
        packed = hc_packed_kind(head, n);
    if (packed)
        snprintf(more, sizeof more, " (the file is %s)", packed);
    else if (!f->has_header && f->size == 4 && value > UINT16_MAX)
        snprintf(more, sizeof more, " (have its tokens 16 bits? `width = 16;`)");
    return hc_fail(error, HC_ERROR_DATA,
                   "`%s`: token %lld is %lld, outside the model's vocabulary of %lld%s", f->path,
                   (long long)token, (long long)value, (long long)limit, more);
}

static HcStatus hash_header(const HcTokenFile *f, Chunk *chunk, XXH3_state_t *hash,
                            HcError *error) {
    size_t got; /* headers are shorter than a chunk */
    HcStatus status = hc_read_at(f->file, f->path, 0, chunk->raw, (size_t)f->offset, &got, error);
    XXH3_64bits_reset(hash);
    if (status == HC_OK)
        XXH3_64bits_update(hash, chunk->raw, got);
    return status;
}

HcStatus hc_token_file_check(const HcTokenFile *f, int64_t limit, uint64_t *hash, HcError *error) {
    Chunk chunk;
    XXH3_state_t state;
    const bool unsure = !f->has_header && !f->told;
    Suspicion suspicion = {.text = unsure, .wider = unsure};
    int64_t bad = -1, first = 0;
    HcStatus status = hash_header(f, &chunk, &state, error);
    for (int64_t n; first < f->count && status == HC_OK; first += n) {
        n = f->count - first < CHUNK ? f->count - first : CHUNK;
        status = read_chunk(f, first, n, limit, &chunk, &bad, error);
        if (status != HC_OK)
            return status;
        suspect(&suspicion, f, &chunk, n);
        if (bad >= 0) {
            status = check_suspicion(&suspicion, f, error);
            return status == HC_OK ? outside(f, first + bad, chunk.tokens[bad], limit, error)
                                   : status;
        }
        XXH3_64bits_update(&state, chunk.raw, (size_t)n * f->size);
    }
    if (status != HC_OK)
        return status;
    *hash = XXH3_64bits_digest(&state);
    return check_suspicion(&suspicion, f, error);
}
