#include "driver/sweep/table.h"
#include "driver/wrap.h"
#include "runtime/run/clock.h"
#include "runtime/train/progress.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define LINES_EVERY 60.0 /* seconds, where no table can be drawn */
enum { LINE = 512, NUMBER = 40, AROUND = 3, FEWEST = 3 };

SweepTable sweep_table(FILE *to) {
    return (SweepTable){.to = to, .terminal = to && isatty(fileno(to)), .last = hc_now()};
}

/* --- texts -------------------------------------------------------------------------------------*/

static void table_number(char text[NUMBER], double value) {
    if (isfinite(value))
        snprintf(text, NUMBER, fabs(value) < 1e6 ? "%.4f" : "%.3e", value);
    else
        text[0] = '\0';
}

static void table_left(const SweepTask *task, char text[NUMBER]) {
    const double done = (double)(task->step - task->first_step), spent = hc_now() - task->began;
    text[0] = '\0';
    if (task->state != TASK_RUNNING || task->first_step < 0 || !(done > 0) || task->steps <= 0)
        return;
    hc_duration_text(text, NUMBER, spent / done * (double)(task->steps - task->step));
}

static void table_counts(const Sweep *s, char line[LINE]) {
    int used = snprintf(line, LINE, "%" PRIu32 " of %" PRIu32 " finished", s->counts[TASK_FINISHED],
                        s->n_tasks);
    for (uint32_t k = 0; k <= TASK_FAILED; k++)
        if (k != TASK_FINISHED && s->counts[k])
            used += snprintf(line + used, (size_t)(LINE - used), ", %" PRIu32 " %s", s->counts[k],
                             task_state_names[k]);
}

static void table_row(const SweepTask *task, int width, char line[LINE]) {
    char loss[NUMBER], held_out[NUMBER], left[NUMBER], steps[48] = "";
    table_number(loss, task->loss);
    table_number(held_out, task->held_out);
    table_left(task, left);
    if (task->steps > 0)
        snprintf(steps, sizeof steps, "%" PRId64 "/%" PRId64, task->step, task->steps);
    snprintf(line, LINE, "%-*.*s  %-9s  %13s  %9s  %9s  %s", width, width, task->run->name,
             task_state_names[task->state], steps, loss, held_out, left);
}

/* --- a table on a terminal ---------------------------------------------------------------------*/

/* Which rows matter when there is no room for all. */
static int table_rank(const SweepTask *task) {
    static const int ranks[] = {
        [TASK_WAITING] = 4, [TASK_RUNNING] = 0,  [TASK_ELSEWHERE] = 1, [TASK_FINISHED] = 3,
        [TASK_STOPPED] = 2, [TASK_DIVERGED] = 2, [TASK_FAILED] = 2};
    return ranks[task->state];
}

/* As many columns as the terminal has, so that a line is one line. */
static void table_line(SweepTable *t, const char *line) {
    const uint32_t width = wrap_width(t->to);
    fprintf(t->to, "%.*s\033[K\n", (int)(width < LINE ? width - 1 : LINE), line);
    t->drawn++;
}

static void table_draw(SweepTable *t, const Sweep *s) {
    char line[LINE];
    const uint32_t height = wrap_height(t->to),
                   room = height > AROUND + FEWEST ? height - AROUND : FEWEST;
    int width = 4;
    uint32_t shown = 0;
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        const int length = (int)strlen(s->tasks[k].run->name);
        width = length > width ? length : width;
    }
    if (t->drawn)
        fprintf(t->to, "\033[%" PRIu32 "A", t->drawn);
    t->drawn = 0;
    table_counts(s, line);
    table_line(t, line);
    snprintf(line, sizeof line, "%-*s  %-9s  %13s  %9s  %9s  %s", width, "run", "", "step", "loss",
             "held-out", "left");
    table_line(t, line);
    for (int rank = 0; rank <= 4; rank++)
        for (uint32_t k = 0; k < s->n_tasks && shown < room; k++)
            if (s->n_tasks <= room ? rank == 0 : table_rank(&s->tasks[k]) == rank) {
                table_row(&s->tasks[k], width, line);
                table_line(t, line);
                shown++;
            }
    fputs("\033[J", t->to);
    fflush(t->to);
}

/* --- lines elsewhere ---------------------------------------------------------------------------*/

static void table_say(SweepTable *t, const Sweep *s, const SweepTask *task) {
    char counts[LINE], held_out[NUMBER];
    table_counts(s, counts);
    table_number(held_out, task->held_out);
    const char *name = task->run->name;
    if (task->state == TASK_RUNNING)
        fprintf(t->to, "%s: %s\n", name, task->goes_on ? "goes on" : "begins");
    else if (task->state == TASK_FINISHED)
        fprintf(t->to, "%s: finished%s%s (%s)\n", name, *held_out ? ", held-out loss " : "",
                held_out, counts);
    else
        fprintf(t->to, "%s: %s%s%s (%s)\n", name, task_state_names[task->state],
                task->why[0] ? ": " : "", task->why, counts);
    fflush(t->to);
}

static void table_report(SweepTable *t, const Sweep *s) {
    char line[LINE];
    table_counts(s, line);
    fprintf(t->to, "%s\n", line);
    for (uint32_t k = 0; k < s->n_tasks; k++)
        if (s->tasks[k].state == TASK_RUNNING && s->tasks[k].steps > 0)
            fprintf(t->to, "  %s: step %" PRId64 "/%" PRId64 ", loss %.4f\n", s->tasks[k].run->name,
                    s->tasks[k].step, s->tasks[k].steps, s->tasks[k].loss);
    fflush(t->to);
}

void sweep_table_show(void *user, const Sweep *sweep, const SweepTask *task) {
    SweepTable *t = user;
    if (!t->to)
        return;
    if (t->terminal) {
        table_draw(t, sweep);
    } else if (task) {
        table_say(t, sweep, task);
    } else if (hc_now() - t->last >= LINES_EVERY) {
        t->last = hc_now();
        table_report(t, sweep);
    }
}
