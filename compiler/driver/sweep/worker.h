/* Processes of this same program, started without a shell. */
#ifndef HCC_DRIVER_SWEEP_WORKER_H
#define HCC_DRIVER_SWEEP_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

/* Before the first is started: from then on SIGCHLD is blocked, so that worker_wait misses none. */
void worker_begin(void);
/* `words` end with NULL; what the process prints is added to the file `output`. The signals of a
 * terminal do not reach it: who started it ends it, once and well. Where that one dies first, it
 * gets a SIGTERM. -1: errno says why. */
pid_t worker_start(const char *const *words, const char *output);
/* Whether it has ended; *status is that of waitpid. */
bool worker_ended(pid_t worker, int *status);
/* Until some worker ends, a signal comes or the time is over. */
void worker_wait(double seconds);

#endif
