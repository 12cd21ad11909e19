#include "runtime/data/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hc_packed_kind(const uint8_t *bytes, size_t size) {
    static const struct {
        size_t size;
        const char *begin, *what;
    } kinds[] = {
        {2, "\x1f\x8b", "compressed: unpack it first (gunzip)"},
        {6,
         "\xfd"
         "7zXZ",
         "compressed: unpack it first (unxz)"},
        {4, "\x28\xb5\x2f\xfd", "compressed: unpack it first (unzstd)"},
        {4, "PK\3\4", "compressed: unpack it first (unzip)"},
        {2, "\xff\xfe", "UTF-16: make it UTF-8 first (iconv -f UTF-16 -t UTF-8)"},
        {2, "\xfe\xff", "UTF-16: make it UTF-8 first (iconv -f UTF-16 -t UTF-8)"},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (size >= kinds[k].size && memcmp(bytes, kinds[k].begin, kinds[k].size) == 0)
            return kinds[k].what;
    /* BZh and a level could be a text's first letters */
    if (size >= 10 && memcmp(bytes, "BZh", 3) == 0 && memcmp(bytes + 4, "1AY&SY", 6) == 0)
        return "compressed: unpack it first (bunzip2)";
    return NULL;
}

HcStatus hc_read_at(int file, const char *path, int64_t at, void *bytes, size_t size, size_t *got,
                    HcError *error) {
    *got = 0;
    while (*got < size) {
        const ssize_t n =
            pread(file, (uint8_t *)bytes + *got, size - *got, (off_t)(at + (int64_t)*got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hc_fail_errno(error, HC_ERROR_DATA, "read data", path);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return HC_OK;
}

HcStatus hc_read_file(const char *path, uint8_t **bytes, size_t *size, HcError *error) {
    struct stat info;
    *bytes = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &info) != 0) {
        const HcStatus status = hc_fail_errno(error, HC_ERROR_DATA, "read data", path);
        if (file >= 0)
            close(file);
        return status;
    }
    HcStatus status = HC_OK;
    if (!S_ISREG(info.st_mode))
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is not a file", path);
    else if (info.st_size == 0)
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is empty", path);
    else if (!(*bytes = malloc((size_t)info.st_size)))
        status = hc_fail_memory(error, "the training data");
    else
        status = hc_read_at(file, path, 0, *bytes, (size_t)info.st_size, size, error);
    close(file);
    const char *packed = status == HC_OK ? hc_packed_kind(*bytes, *size) : NULL;
    if (packed)
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is %s", path, packed);
    if (status != HC_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}
