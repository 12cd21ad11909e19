/* hcc report: runs on one page. */
#include "base/text_stream.h"
#include "driver/compare.h"
#include "driver/outputs.h"
#include "driver/report/page.h"
#include "driver/trained.h"
#include <stdlib.h>
#include <string.h>

/* --- maps --------------------------------------------------------------------------------------*/

static ExitCode report_read_maps(Driver *one, const char *run, GroupMaps *to, HcError *error) {
    LoadedModel loaded;
    const ExitCode code = trained_load(one, run, true, &loaded);
    if (code != EXIT_OK)
        return code;
    const HcInspectOptions options = {.eval = hc_eval_options(&one->options.run, run, one->err),
                                      .batches = (int64_t)one->options.batches.value};
    const HcStatus status = hc_maps_read(loaded.model, &options, &to->maps, error);
    pipeline_unload(&loaded);
    return status == HC_OK ? EXIT_OK : driver_failed(one, status, error);
}

/* The first line that was said, without whose it is. */
static const char *report_reason(Arena *arena, const char *said) {
    static const char before[] = "hcc: error: ";
    if (strncmp(said, before, sizeof before - 1) == 0)
        said += sizeof before - 1;
    return arena_copy_string(arena, said, strcspn(said, "\n"));
}

/* In a compilation of its own. What is wrong with one run's maps leaves the page good. */
static void report_group_maps(Driver *d, const char *run, GroupMaps *to) {
    HcError error;
    TextStream *err = text_stream_open(d->c->arena);
    Driver one = pipeline_apart(d, err->to);
    one.color = false; /* what it says becomes part of a sentence */
    *to = (GroupMaps){.run = run};
    const ExitCode code = report_read_maps(&one, run, to, &error);
    compilation_destroy(one.c);
    text_stream_close(err);
    if (code != EXIT_OK) {
        to->why = report_reason(
            d->c->arena, arena_copy_string(d->c->arena, err->text ? err->text : "", err->length));
        fprintf(d->err, "hcc: warning: the report lacks the maps of `%s`: %s\n", run, to->why);
    } else if (!hc_depths_of(&to->maps, &to->depths)) {
        arena_exhausted(d->c->arena);
    }
    text_stream_free(err);
}

static GroupMaps *report_maps(Driver *d, const HcComparison *c) {
    GroupMaps *maps = ARENA_ARRAY(d->c->arena, GroupMaps, c->n_groups + 1);
    for (uint32_t g = 0; g < c->n_groups; g++)
        report_group_maps(d, c->runs[c->groups[g].first].path, &maps[g]);
    return maps;
}

static void report_free_maps(GroupMaps *maps, uint32_t count) {
    for (uint32_t k = 0; maps && k < count; k++) {
        hc_depths_free(&maps[k].depths);
        hc_maps_free(&maps[k].maps);
    }
}

/* --- the page ----------------------------------------------------------------------------------*/

static ExitCode report_write(Driver *d, const HcComparison *comparison) {
    GroupCurves *curves;
    HcError error;
    OutputFile output;
    const char *path = d->options.run.out ? d->options.run.out : "report.html";
    const HcStatus status = report_curves(d->c->arena, comparison, &curves, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    ExitCode code = output_open(d, path, output_mark(d->c->arena, "<!-- ", " -->"), &output);
    if (code != EXIT_OK)
        return code;
    GroupMaps *maps = d->options.no_maps ? NULL : report_maps(d, comparison);
    const Report report = {d->c->arena, comparison, curves, maps};
    report_print(&report, output.to);
    report_free_maps(maps, comparison->n_groups);
    code = output_finish(d, &output);
    if (code == EXIT_OK && strcmp(path, "-") != 0)
        fprintf(d->err, "hcc: wrote `%s`\n", path);
    return code;
}

ExitCode command_report(Driver *d) {
    HcPastRuns runs = {0};
    HcComparison comparison = {0};
    ExitCode code = compare_read(d, &d->options.arguments, &runs, &comparison);
    if (code == EXIT_OK) {
        const ExitCode unread = compare_tell(d, &runs);
        code = report_write(d, &comparison);
        code = code == EXIT_OK ? unread : code;
    }
    hc_comparison_free(&comparison);
    hc_past_runs_free(&runs);
    return code;
}
