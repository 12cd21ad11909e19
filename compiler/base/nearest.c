#include "abi/nearest.h"
#include "base/diag.h"

const char *nearest_name(const char *name, const char *const *candidates, uint32_t count) {
    return hc_nearest_name(name, candidates, count);
}
