#include "runtime/train/progress.h"
#include "runtime/run/clock.h"

#include <math.h>
#include <stdarg.h>
#include <unistd.h>

#define REDRAW 0.1   /* seconds between redraws on a terminal */
#define INTERVAL 5.0 /* seconds between lines elsewhere */

void hc_progress_begin(HcProgress *p, FILE *to, int64_t first, int64_t steps, const char *unit) {
    *p = (HcProgress){
        .to = to, .first = first, .steps = steps, .started = hc_now(), .unit = unit, .gain = NAN};
    p->terminal = to && isatty(fileno(to));
}

static void rate(char *text, size_t size, double per_second) {
    if (per_second >= 1e6)
        snprintf(text, size, "%.2fM", per_second * 1e-6);
    else if (per_second >= 1e3)
        snprintf(text, size, "%.1fk", per_second * 1e-3);
    else
        snprintf(text, size, "%.0f", per_second);
}

void hc_duration_text(char *text, size_t size, double seconds) {
    long long s = seconds < 0 ? 0 : seconds > 3e8 ? 300000000 : (long long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, size, "%lldm%02llds", s / 60, s % 60);
    else
        snprintf(text, size, "%llds", s);
}

void hc_progress_step(HcProgress *p, int64_t step, double loss, double norm, double lr,
                      double count) {
    if (!p->to)
        return;
    p->count += count;
    double now = hc_now(), spent = now - p->started;
    bool due = now - p->last >= (p->terminal ? REDRAW : INTERVAL);
    if (!due && step != p->steps)
        return;
    p->last = now;
    char speed[32], left[32], gain[32] = "";
    rate(speed, sizeof speed, spent > 0 ? p->count / spent : 0);
    hc_duration_text(left, sizeof left,
                     spent / (double)(step - p->first) * (double)(p->steps - step));
    if (!isnan(p->gain))
        snprintf(gain, sizeof gain, "gain %.3g | ", p->gain);
    fprintf(p->to, "%sstep %lld/%lld | loss %.4f | gn %.2f | lr %.1e | %s%s %s | eta %s%s",
            p->terminal ? "\r" : "", (long long)step, (long long)p->steps, loss, norm, lr, gain,
            speed, p->unit, left, p->terminal ? "\033[K" : "\n");
    p->drawn = p->terminal;
    fflush(p->to);
}

static void finish_line(HcProgress *p) {
    if (p->to && p->drawn)
        fputc('\n', p->to);
    p->drawn = false;
}

FILE *hc_progress_begin_note(HcProgress *p) {
    finish_line(p);
    return p->to;
}

void hc_progress_end_note(HcProgress *p) {
    if (!p->to)
        return;
    fputc('\n', p->to);
    fflush(p->to);
}

void hc_progress_note(HcProgress *p, const char *format, ...) {
    FILE *to = hc_progress_begin_note(p);
    va_list arguments;
    va_start(arguments, format);
    if (to)
        vfprintf(to, format, arguments);
    va_end(arguments);
    hc_progress_end_note(p);
}

void hc_progress_end(HcProgress *p) {
    finish_line(p);
    if (p->to)
        fflush(p->to);
}
