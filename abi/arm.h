/* What an AArch64 processor may have or not, as the system says: whoever compiles for this very
 * machine asks, and who runs such code does before. */
#ifndef HC_ARM_H
#define HC_ARM_H

#include <stdbool.h>
#include <string.h>

#if defined __linux__ && defined __aarch64__
#include <sys/auxv.h>

/* By LLVM's names; of any other, that nothing is amiss. */
static inline bool hc_arm_has(const char *feature) {
    enum { SVE = 1 << 22, BF16 = 1 << 14 }; /* older headers do not say */
    if (strcmp(feature, "sve") == 0)
        return getauxval(AT_HWCAP) & SVE;
    if (strcmp(feature, "bf16") == 0)
        return getauxval(AT_HWCAP2) & BF16;
    return true;
}
#endif

#endif
