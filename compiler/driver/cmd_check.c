/* hcc check, hcc show, hcc explain: what needs no program. */
#include "driver/driver.h"
#include "driver/pipeline.h"
#include "driver/wrap.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

ExitCode command_check(Driver *d) {
    uint32_t file;
    ExitCode code = driver_read_source(d, d->options.argument, &file);
    if (code != EXIT_OK)
        return code;
    const CompileOptions options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &options);
    compile_from_text(&run, file);
    code = pipeline_to(d, &run, PASS_SEMA);
    pipeline_end(d, &run);
    const Network *network = run.network;
    if (d->options.run.json) {
        if (code == EXIT_OK)
            diag_render_json(d->c->diagnostics, d->out);
        return code;
    }
    if (code != EXIT_OK)
        return code;
    if (!network) {
        fprintf(d->out, "%s: definitions only, no mistakes found\n", d->options.argument);
        return code;
    }
    const TirProgram *program = network->program;
    uint64_t elements = 0;
    uint32_t tensors = 0;
    for (uint32_t k = 0; k < program->params.count; k++) {
        const TirParam *param = &program->params.at[k];
        tensors += !param->buffer;
        elements += param->buffer ? 0 : tir_element_count(&param->type);
    }
    fprintf(d->out, "%s: model %s, %u sites, %u parameter tensors, %llu parameters\n",
            d->options.argument, network->name, network->sites.count, tensors,
            (unsigned long long)elements);
    return code;
}

/* Length of the first sentence, which ends with a line, or where a capital or a figure follows. */
static size_t show_sentence(const char *doc) {
    size_t at = 0;
    for (; doc[at]; at++)
        if (doc[at] == '.' && (doc[at + 1] == '\n' || doc[at + 1] == '\0' ||
                               (doc[at + 1] == ' ' && !islower((unsigned char)doc[at + 2]))))
            return at + 1;
    return at;
}

static void show_list(Driver *d, const StdDefinition *definitions, uint32_t count) {
    int width = 0;
    for (uint32_t k = 0; k < count; k++) {
        int length = (int)strlen(definitions[k].name);
        width = length > width ? length : width;
    }
    for (uint32_t k = 0; k < count; k++) {
        const char *doc = definitions[k].doc ? definitions[k].doc : "";
        fprintf(d->out, "%-11s %-*s  ", definitions[k].kind, width, definitions[k].name);
        wrap_print(d->out, doc, show_sentence(doc), 14 + (uint32_t)width, wrap_width(d->out));
    }
}

/* The definition with its page before it, as the doc comment that it is: the text is a .hc file. */
static void show_definition(FILE *to, const StdDefinition *definition) {
    for (const char *line = definition->doc; line && *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(to, "///%s%.*s\n", length ? " " : "", (int)length, line);
        line += length + (line[length] == '\n');
    }
    size_t length = strlen(definition->text);
    fputs(definition->text, to);
    if (length == 0 || definition->text[length - 1] != '\n')
        fputc('\n', to);
}

static void show_json(JsonText *t, const StdDefinition *definition) {
    json_text_open(t, NULL, '{');
    json_text_string(t, "name", definition->name);
    json_text_string(t, "kind", definition->kind);
    json_text_string(t, "doc", definition->doc);
    json_text_string(t, "text", definition->text);
    json_text_close(t, '}');
}

ExitCode command_show(Driver *d) {
    uint32_t count;
    const StdDefinition *definitions = std_definitions(d->c, &count);
    const char *name = d->options.argument;
    if (!name && !d->options.run.json) {
        show_list(d, definitions, count);
        return EXIT_OK;
    }
    JsonText t = {.arena = d->c->arena, .pretty = true};
    json_text_open(&t, NULL, '[');
    bool found = false;
    const char **names = ARENA_ARRAY(d->c->arena, const char *, count);
    for (uint32_t k = 0; k < count; k++) {
        names[k] = definitions[k].name;
        if (name && strcmp(name, names[k]) != 0)
            continue;
        found = true;
        if (d->options.run.json) {
            show_json(&t, &definitions[k]);
            continue;
        }
        show_definition(d->out, &definitions[k]);
    }
    if (name && !found) {
        const char *near = nearest_name(name, names, count);
        fprintf(d->err, "hcc: the library has no '%s'%s%s%s\n", name,
                near ? "; did you mean '" : "", near ? near : "",
                near ? "'?" : "; 'hcc show' lists what it has");
        return EXIT_USAGE;
    }
    json_text_close(&t, ']');
    if (d->options.run.json)
        json_text_print(&t, d->out);
    return EXIT_OK;
}

static const uint32_t diag_numbers[] = {
#define DIAG(number, ident, title, text) number,
#include "base/diag_codes.def"
#undef DIAG
};

static void explain_json(JsonText *t, const char *code, const char *title, const char *text) {
    json_text_open(t, NULL, '{');
    json_text_string(t, "code", code);
    json_text_string(t, "title", title);
    json_text_string(t, "text", text);
    json_text_close(t, '}');
}

ExitCode command_explain(Driver *d) {
    const char *asked = d->options.argument, *title, *text;
    JsonText t = {.arena = d->c->arena, .pretty = true};
    json_text_open(&t, NULL, '[');
    uint32_t count = asked ? 1 : sizeof diag_numbers / sizeof *diag_numbers;
    for (uint32_t k = 0; k < count; k++) {
        char code[16];
        if (!asked)
            snprintf(code, sizeof code, "E%04u", diag_numbers[k]);
        bool known = diag_explain(asked ? asked : code, &title, &text);
        if (known && asked) /* as messages show it */
            snprintf(code, sizeof code, "E%04lu",
                     strtoul(asked + strcspn(asked, "0123456789"), NULL, 10));
        if (!known) {
            fprintf(d->err, "hcc: there is no code '%s'; 'hcc explain' lists all of them\n", asked);
            return EXIT_USAGE;
        }
        if (d->options.run.json)
            explain_json(&t, code, title, text);
        else if (asked)
            fprintf(d->out, "%s: %s\n\n%s\n", code, title, text);
        else
            fprintf(d->out, "%s  %s\n", code, title);
    }
    json_text_close(&t, ']');
    if (d->options.run.json)
        json_text_print(&t, d->out);
    return EXIT_OK;
}
