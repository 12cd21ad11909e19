/* What all commands say, and how: errors, diagnostics, JSON. */
#include "driver/driver.h"
#include "runtime/app/signals.h"
#include "runtime/files/json.h"
#include <stdlib.h>

void driver_error(Driver *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs(d->color ? "hcc: \033[1;31merror\033[0m: " : "hcc: error: ", d->err);
    vfprintf(d->err, format, args);
    fputc('\n', d->err);
    va_end(args);
}

ExitCode driver_report(Driver *d) {
    const Diagnostics *diagnostics = d->c->diagnostics;
    if (d->options.run.json && diag_error_count(diagnostics) > 0)
        diag_render_json(diagnostics, d->out);
    else
        diag_render_text(diagnostics, d->err, d->color);
    return diag_error_count(diagnostics) ? EXIT_SPEC : EXIT_OK;
}

ExitCode driver_failed(Driver *d, HcStatus status, const HcError *error) {
    if (status == HC_INTERRUPTED)
        fprintf(d->err, "hcc: %s\n", error->message);
    else if (status != HC_OK)
        driver_error(d, "%s", error->message);
    return (ExitCode)hc_signals_exit_code(status);
}

ExitCode driver_print_json(Driver *d, json_t *value) {
    char *text = hc_json_dump(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(value);
    if (!text) {
        driver_error(d, "out of memory for the results");
        return EXIT_RESOURCE;
    }
    fprintf(d->out, "%s\n", text);
    free(text);
    return EXIT_OK;
}
