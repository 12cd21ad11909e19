/* What the machine grants this process: CPUs, and the instructions compiled code was promised. */
#include "runtime/run/cpus.h"
#include "abi/arm.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* CPUs of a quota: a cgroup v2's "150000 100000", or a v1's two files. Rounded down: a thread that
 * spins in the time that another one lacks keeps it from its work. 0: no limit ("max", -1). */
static int64_t quota_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0)
        return 0;
    return quota < period ? 1 : quota / period;
}

/* Reads up to two numbers; how many there were. */
static int quota_read(const char *folder, const char *name, long long *first, long long *second) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int fields = fscanf(file, "%lld %lld", first, second);
    fclose(file);
    return fields;
}

static int64_t quota_of(const char *folder) {
    long long quota, period, unused;
    if (quota_read(folder, "cpu.max", &quota, &period) == 2 ||
        (quota_read(folder, "cpu.cfs_quota_us", &quota, &unused) == 1 &&
         quota_read(folder, "cpu.cfs_period_us", &period, &unused) == 1))
        return quota_cpus(quota, period);
    return 0;
}

/* The smallest quota from the group to the root. In a container the group's path may be that of the
 * machine outside: folders that are not there limit nothing. */
static int64_t quota_of_path(const char *root, const char *group) {
    char folder[PATH_MAX];
    size_t top = strlen(root);
    if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder)
        return 0;
    for (int64_t least = 0;;) {
        int64_t quota = quota_of(folder);
        if (quota && (!least || quota < least))
            least = quota;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= top || !slash)
            return least;
        *slash = '\0';
    }
}

/* Whether a list such as "cpu,cpuacct" names the controller. */
static bool names_cpu(const char *controllers) {
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "0::GROUP" (v2), "4:cpu,cpuacct:GROUP" (v1). */
static int64_t quota_of_line(char *line) {
    char root[PATH_MAX];
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return 0;
    *controllers++ = *group++ = '\0';
    if (!*controllers) {
        int64_t quota = quota_of_path("/sys/fs/cgroup", group);
        return quota ? quota : quota_of_path("/sys/fs/cgroup/unified", group);
    }
    if (!names_cpu(controllers))
        return 0;
    if (snprintf(root, sizeof root, "/sys/fs/cgroup/%s", controllers) >= (int)sizeof root)
        return 0;
    int64_t quota = quota_of_path(root, group);
    return quota ? quota : quota_of_path("/sys/fs/cgroup/cpu", group);
}

static int64_t cgroup_cpus(void) {
    char line[PATH_MAX];
    int64_t least = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        int64_t quota = quota_of_line(line);
        if (quota && (!least || quota < least))
            least = quota;
    }
    if (file)
        fclose(file);
    return least;
}

HcCpus hc_cpus(void) {
    HcCpus cpus = {{0}};
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return cpus;
    for (size_t k = 0; k < 8 * sizeof cpus.bits && k < CPU_SETSIZE; k++)
        if (CPU_ISSET(k, &set))
            cpus.bits[k / 8] |= (uint8_t)(1u << k % 8);
    return cpus;
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
    FEATURE("avx512bf16", "avx512bf16")
    FEATURE("amx-tile", "amx-tile")
    FEATURE("amx-bf16", "amx-bf16")
    FEATURE("gfni", "gfni")
    FEATURE("vpclmulqdq", "vpclmulqdq")
#undef FEATURE
    return true;
}
#elif defined __linux__ && defined __aarch64__
bool hc_cpu_has(const char *feature) {
    return hc_arm_has(feature);
}
#else
bool hc_cpu_has(const char *feature) {
    (void)feature;
    return true;
}
#endif
