/* hcc log and hcc compare: what runs left in their folders. */
#include "driver/compare.h"
#include "driver/wrap.h"
#include "runtime/runs/print_log.h"

static void runs_note_torn(Driver *d, const HcPastRun *run) {
    if (run->torn)
        fprintf(
            d->err,
            "hcc: warning: the last line of `%s/log.jsonl` was not written whole, and is passed "
            "over\n",
            run->path);
}

/* Lines of a terminal that a table of steps leaves to what stands around it. */
enum { LOG_AROUND = 4, LOG_LEAST = 4 };

ExitCode command_log(Driver *d) {
    HcPastRun run;
    HcError error;
    HcStatus status = hc_past_run_read(&run, d->options.argument, &error);
    if (status == HC_OK) {
        const uint32_t lines = wrap_height(d->out);
        runs_note_torn(d, &run);
        status = d->options.csv
                     ? hc_log_print_csv(&run, d->out, &error)
                     : hc_log_print(&run,
                                    lines > LOG_AROUND + LOG_LEAST ? lines - LOG_AROUND : LOG_LEAST,
                                    d->out, &error);
    }
    hc_past_run_free(&run);
    return driver_failed(d, status, &error);
}

ExitCode compare_tell(Driver *d, const HcPastRuns *runs) {
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < runs->count; k++) {
        runs_note_torn(d, &runs->at[k]);
        if (runs->at[k].state == HC_RUN_UNREADABLE) {
            driver_error(d, "%s", runs->at[k].why);
            code = EXIT_DATA;
        }
    }
    return code;
}

static ExitCode compare_print(Driver *d, const HcComparison *comparison) {
    if (d->options.run.json)
        return driver_print_json(d, hc_comparison_json(comparison));
    if (d->options.csv ? hc_comparison_print_csv(comparison, d->out)
                       : hc_comparison_print(comparison, d->out))
        return EXIT_OK;
    driver_error(d, "out of memory for the comparison");
    return EXIT_RESOURCE;
}

ExitCode compare_read(Driver *d, const HcOptionList *paths, HcPastRuns *runs,
                      HcComparison *comparison) {
    HcError error;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < paths->count && status == HC_OK; k++)
        status = hc_past_runs_add(runs, paths->at[k], &error);
    if (status == HC_OK)
        status = hc_compare(comparison, runs, d->options.baseline, &error);
    return driver_failed(d, status, &error);
}

ExitCode compare_runs(Driver *d, const HcOptionList *paths) {
    HcPastRuns runs = {0};
    HcComparison comparison = {0};
    ExitCode code = compare_read(d, paths, &runs, &comparison);
    if (code == EXIT_OK) {
        const ExitCode unread = compare_tell(d, &runs);
        code = compare_print(d, &comparison);
        code = code == EXIT_OK ? unread : code;
    }
    hc_comparison_free(&comparison);
    hc_past_runs_free(&runs);
    return code;
}

ExitCode command_compare(Driver *d) {
    return compare_runs(d, &d->options.arguments);
}
