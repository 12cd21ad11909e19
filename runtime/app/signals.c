#include "runtime/app/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal; /* a handler has nowhere else to write */

static void on_signal(int number) {
    if (stop_signal) { /* the second one: as if we had never handled it */
        signal(number, SIG_DFL);
        raise(number);
    }
    stop_signal = number;
    static const char text[] = "\nhcc: stopping after this step; once more ends at once\n";
    if (number == SIGINT && write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return; /* nothing can be said, then */
}

void hc_signals_of_files(void) {
    signal(SIGXFSZ, SIG_IGN); /* the call that writes fails instead, as on a full disk */
}

void hc_signals_install(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER}, before;
    sigemptyset(&action.sa_mask);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        /* under nohup a hangup is ignored: so be it */
        if (numbers[k] != SIGHUP ||
            (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN))
            sigaction(numbers[k], &action, NULL);
}

int hc_signals_stop(void *unused) {
    (void)unused;
    return stop_signal;
}

void hc_signals_came(int number) {
    if (!stop_signal)
        stop_signal = number;
}

int hc_signals_exit_code(HcStatus status) {
    return status == HC_INTERRUPTED && stop_signal ? 128 + stop_signal : hc_exit_code(status);
}
