/* What the machine grants this process: CPUs, and the instructions compiled code was promised. */
#include "runtime/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* CPUs of a cgroup v2 quota ("max 100000" or "150000 100000"), rounded up; 0: no limit. */
static int64_t quota_of(const char *path) {
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    long long quota, period;
    int fields = fscanf(file, "%lld %lld", &quota, &period);
    fclose(file);
    return fields == 2 && quota > 0 && period > 0 ? (quota + period - 1) / period : 0;
}

static int64_t cgroup_cpus(void) {
    char line[1024], path[1200];
    path[0] = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::", 3) == 0) {
            line[strcspn(line, "\n")] = 0;
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", line + 3);
        }
    }
    if (file)
        fclose(file);
    int64_t own = path[0] ? quota_of(path) : 0;
    return own ? own : quota_of("/sys/fs/cgroup/cpu.max");
}

int32_t hc_cpu_count(void) {
    cpu_set_t set;
    int64_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                                : sysconf(_SC_NPROCESSORS_ONLN);
    int64_t quota = cgroup_cpus();
    if (quota > 0 && quota < count)
        count = quota;
    return count < 1 ? 1 : count > 4096 ? 4096 : (int32_t)count;
}

#if defined(__x86_64__)
bool hc_cpu_has(const char *feature) {
    __builtin_cpu_init();
    /* LLVM's names; what is not listed needs no check of its own (it comes with one that is). */
#define FEATURE(llvm, gcc)                                                                         \
    if (strcmp(feature, llvm) == 0)                                                                \
        return __builtin_cpu_supports(gcc) != 0;
    FEATURE("sse3", "sse3")
    FEATURE("ssse3", "ssse3")
    FEATURE("sse4.1", "sse4.1")
    FEATURE("sse4.2", "sse4.2")
    FEATURE("popcnt", "popcnt")
    FEATURE("avx", "avx")
    FEATURE("avx2", "avx2")
    FEATURE("fma", "fma")
    FEATURE("bmi", "bmi")
    FEATURE("bmi2", "bmi2")
    FEATURE("avx512f", "avx512f")
    FEATURE("avx512dq", "avx512dq")
    FEATURE("avx512bw", "avx512bw")
    FEATURE("avx512vl", "avx512vl")
    FEATURE("avx512cd", "avx512cd")
    FEATURE("avx512ifma", "avx512ifma")
    FEATURE("avx512vbmi", "avx512vbmi")
    FEATURE("avx512vbmi2", "avx512vbmi2")
    FEATURE("avx512vnni", "avx512vnni")
    FEATURE("avx512bitalg", "avx512bitalg")
    FEATURE("avx512vpopcntdq", "avx512vpopcntdq")
    FEATURE("gfni", "gfni")
    FEATURE("vpclmulqdq", "vpclmulqdq")
#undef FEATURE
    return true;
}
#else
bool hc_cpu_has(const char *feature) {
    (void)feature;
    return true;
}
#endif
