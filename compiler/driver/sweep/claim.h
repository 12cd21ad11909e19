/* Which of several sweeps, on any machines that share the folder, works at a run. A claim is a file
 * of the run's folder, claim-1, claim-2, ...: it is made by link(2), which one alone succeeds in,
 * also on NFS, and the highest counts. Who takes over makes the next, so that there are never two
 * winners, and nothing is taken away that somebody else may look at.
 *
 * It is given up by being emptied. It is over, too, where its process has ended on this machine (it
 * holds a lock on the file), or, of another machine, where it has not been touched for
 * CLAIM_STALE seconds. */
#ifndef HCC_DRIVER_SWEEP_CLAIM_H
#define HCC_DRIVER_SWEEP_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#define CLAIM_BEAT 20.0   /* seconds between touches */
#define CLAIM_STALE 300.0 /* without one it is over */

typedef struct {
    uint32_t number; /* 0: there is none */
    int file;
    double beaten; /* when it was last touched, by a clock that goes on while machines sleep */
} Claim;

typedef enum { CLAIM_MINE, CLAIM_OF_OTHERS, CLAIM_IMPOSSIBLE /* errno says why */ } ClaimResult;

/* The file system's clock less this machine's, as far as that is known. */
typedef struct {
    bool known;
    double ahead;
} ClaimClock;

ClaimResult claim_take(Claim *claim, const char *folder, ClaimClock *clock);
/* Touches it where it is time to. False: it is lost, and somebody else may be at work. */
bool claim_beat(Claim *claim, const char *folder);
/* For others to take; where nobody needs to, `for_good`, no file of it is left. */
void claim_give_up(Claim *claim, const char *folder, bool for_good);

/* Gives what was written at `temporary` its name where nothing has it, in one step; the temporary
 * one goes. -1: errno says why, EEXIST where something has it. */
int claim_publish(const char *temporary, const char *path);

#endif
