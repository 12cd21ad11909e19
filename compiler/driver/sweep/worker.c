#include "driver/sweep/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* This program, also when its file has been replaced meanwhile. */
#define WORKER_PROGRAM "/proc/self/exe"
enum { WORKER_NOT_STARTED = 127 };

static sigset_t worker_set(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

void worker_begin(void) {
    const sigset_t set = worker_set();
    signal(SIGCHLD, SIG_DFL); /* ignored, nobody would be told how a child ended */
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* In the child; only what may be called after a fork. */
static _Noreturn void worker_become(const char *const *words, int output, pid_t parent) {
    const sigset_t set = worker_set();
    const int nothing = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before that */
        _exit(WORKER_NOT_STARTED);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(WORKER_NOT_STARTED);
    execv(WORKER_PROGRAM, (char *const *)(uintptr_t)words);
    static const char text[] = "hcc: error: cannot start hcc again\n";
    const ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(WORKER_NOT_STARTED);
}

pid_t worker_start(const char *const *words, const char *output) {
    const pid_t parent = getpid();
    const int file = open(output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0)
        return -1;
    const pid_t worker = fork();
    if (worker == 0)
        worker_become(words, file, parent);
    const int why = errno;
    close(file);
    errno = why;
    return worker;
}

bool worker_ended(pid_t worker, int *status) {
    pid_t found;
    do
        found = waitpid(worker, status, WNOHANG);
    while (found < 0 && errno == EINTR);
    return found == worker;
}

void worker_wait(double seconds) {
    const sigset_t set = worker_set();
    const struct timespec time = {(time_t)seconds,
                                  (long)(1e9 * (seconds - (double)(time_t)seconds))};
    sigtimedwait(&set, NULL, &time);
}
