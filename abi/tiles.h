/* The processor's tile registers, which a process has to ask its system for: who compiles for this
 * very machine asks before it chooses them, and who runs such code before it does. */
#ifndef HC_TILES_H
#define HC_TILES_H

#include <stdbool.h>

#if defined __linux__ && defined __x86_64__
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the system gives them, to this thread and those that it makes from now on. Asking again
 * changes nothing. */
static inline bool hc_tiles_ask(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* older kernels' headers do not say */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#else
static inline bool hc_tiles_ask(void) {
    return false;
}
#endif

#endif
