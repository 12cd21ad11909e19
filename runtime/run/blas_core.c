#include "runtime/run/blas_core.h"
#include "runtime/run/cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char setting_name[] = "OPENBLAS_CORETYPE";

#if defined(__x86_64__)

/* By their vectors, the best kernels that every OpenBLAS with several has. */
typedef enum { VECTORS_NONE, VECTORS_AVX, VECTORS_AVX2, VECTORS_AVX512 } Vectors;
static const char *const best[] = {"Prescott", "Sandybridge", "Haswell", "SkylakeX"};

static Vectors vectors_here(void) {
    if (hc_cpu_has("avx512f") && hc_cpu_has("avx512bw") && hc_cpu_has("avx512dq") &&
        hc_cpu_has("avx512vl"))
        return VECTORS_AVX512;
    if (hc_cpu_has("avx2") && hc_cpu_has("fma"))
        return VECTORS_AVX2;
    return hc_cpu_has("avx") ? VECTORS_AVX : VECTORS_NONE;
}

/* Of kernels with less than AVX-512, which all that came later have. */
static Vectors vectors_of(const char *core) {
    static const struct {
        const char *core;
        Vectors vectors;
    } known[] = {
        {"Katmai", VECTORS_NONE},    {"Coppermine", VECTORS_NONE}, {"Northwood", VECTORS_NONE},
        {"Prescott", VECTORS_NONE},  {"Banias", VECTORS_NONE},     {"Core2", VECTORS_NONE},
        {"Penryn", VECTORS_NONE},    {"Dunnington", VECTORS_NONE}, {"Nehalem", VECTORS_NONE},
        {"Athlon", VECTORS_NONE},    {"Opteron", VECTORS_NONE},    {"Opteron_SSE3", VECTORS_NONE},
        {"Barcelona", VECTORS_NONE}, {"Nano", VECTORS_NONE},       {"Atom", VECTORS_NONE},
        {"Bobcat", VECTORS_NONE},    {"Sandybridge", VECTORS_AVX}, {"Bulldozer", VECTORS_AVX},
        {"Piledriver", VECTORS_AVX}, {"Steamroller", VECTORS_AVX}, {"Excavator", VECTORS_AVX},
        {"Haswell", VECTORS_AVX2},   {"Zen", VECTORS_AVX2}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (strcasecmp(core, known[k].core) == 0)
            return known[k].vectors;
    return VECTORS_AVX512;
}

/* Of other makers' processors it takes unknown ones for what they are. */
static const char *wanted(void) {
    const Vectors here = vectors_here();
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") && here >= VECTORS_AVX2 ? best[here] : NULL;
}

const char *hc_blas_core_setting(void) {
    const char *core = wanted();
    if (!core)
        return NULL;
    return strcmp(core, "SkylakeX") == 0 ? "OPENBLAS_CORETYPE=SkylakeX"
                                         : "OPENBLAS_CORETYPE=Haswell";
}

/* What it could have; NULL: nothing better. */
static const char *better_core(const char *core) {
    const Vectors here = vectors_here();
    return vectors_of(core) < here ? best[here] : NULL;
}

#else

static const char *wanted(void) {
    return NULL;
}

const char *hc_blas_core_setting(void) {
    return NULL;
}

static const char *better_core(const char *core) {
    (void)core;
    return NULL;
}

#endif

/* While OpenBLAS is loaded, what is found may be what it is loaded with. */
HcCoreBy hc_blas_core_by(const char *core) {
    const char *asked = getenv(setting_name), *here = wanted();
    if (asked && *asked && !(here && strcmp(asked, here) == 0))
        return HC_CORE_BY_ENVIRONMENT;
    return here && strcasecmp(core, here) == 0 ? HC_CORE_BY_VECTORS : HC_CORE_BY_OPENBLAS;
}

bool hc_blas_core_slowed(const char *core, char *text, size_t size) {
    const char *cache = getenv("OPENBLAS_L2_SIZE"), *better = better_core(core);
    if (better && hc_blas_core_by(core) == HC_CORE_BY_ENVIRONMENT)
        snprintf(text, size,
                 "%s=%s: for the products that it makes OpenBLAS takes its kernels for %s, where "
                 "this processor could have those for %s; unset it for speed",
                 setting_name, getenv(setting_name), core, better);
    else if (cache && *cache)
        snprintf(text, size,
                 "OPENBLAS_L2_SIZE=%s: OpenBLAS cuts products for a cache of that size instead of "
                 "this processor's; unset it for speed",
                 cache);
    else
        return false;
    return true;
}
