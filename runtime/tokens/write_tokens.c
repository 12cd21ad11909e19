#include "runtime/tokens/write_tokens.h"
#include "runtime/files/npy_write.h"
#include "runtime/files/replace.h"

#include <string.h>

int32_t hc_tokens_width(int64_t size) {
    return size <= 1 << 16 ? 16 : 32;
}

static const char *ending(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot ? dot : "";
}

HcStatus hc_tokens_check_name(const char *path, HcError *error) {
    if (strcmp(ending(path), ".npy") == 0 || strcmp(ending(path), ".bin") == 0)
        return HC_OK;
    return hc_fail(error, HC_ERROR_ARGUMENT,
                   "tokens are written as NAME.bin (numbers alone) or NAME.npy, not as `%s`", path);
}

static HcStatus put_head(HcWriter *writer, size_t count, int32_t width) {
    char head[HC_NPY_HEAD];
    const int64_t n = (int64_t)count;
    return hc_writer_put(writer, head, hc_npy_head(head, width == 32 ? "<u4" : "<u2", 1, &n));
}

HcStatus hc_tokens_write(const char *path, const HcTokens *tokens, int64_t size, HcError *error) {
    enum { CHUNK = 8192 };
    const int32_t width = hc_tokens_width(size);
    uint16_t narrow[CHUNK];
    HcWriter writer;
    HcStatus status = hc_tokens_check_name(path, error);
    if (status == HC_OK)
        status = hc_writer_open(&writer, path, error);
    if (status != HC_OK)
        return status;
    if (strcmp(ending(path), ".npy") == 0)
        status = put_head(&writer, tokens->count, width);
    if (width == 32 && status == HC_OK)
        status = hc_writer_put(&writer, tokens->at, tokens->count * sizeof *tokens->at);
    for (size_t k = 0; width == 16 && k < tokens->count && status == HC_OK; k += CHUNK) {
        const size_t n = tokens->count - k < CHUNK ? tokens->count - k : CHUNK;
        for (size_t i = 0; i < n; i++)
            narrow[i] = (uint16_t)tokens->at[k + i];
        status = hc_writer_put(&writer, narrow, n * sizeof *narrow);
    }
    return hc_writer_close(&writer, status);
}
