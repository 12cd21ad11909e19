/* `data SOURCE { ... }` of a train block: where samples come from, and which part of a sample fills
 * which input.
 *
 *     data table {
 *       x[k] = standardise(columns[k]);     bindings: data_binding.c
 *       y    = columns["price"] / 1000;
 *       train = "houses.csv"; held_out = shuffled(0.2);    settings
 *     } */
#include "sema/model/data.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/model/model.h"
#include "sema/report.h"
#include <string.h>

/* --- what sources there are --------------------------------------------------------------------*/

static const DataSource sources[] = {
    {"text", "bytes", "[t] = bytes[t];", true},
    {"tokens", "tokens", "[t] = tokens[t];", true},
    {"idx", NULL, " = images / 255;", false},
    {"cifar10", "images labels", "[k, r, c] = images[k, r, c] / 255;", false},
    {"table", "columns", "[k] = columns[k];", false},
};
enum { N_SOURCES = sizeof sources / sizeof *sources };

/* Settings, and the source that a setting belongs to; NULL: all. */
static const struct {
    const char *name, *source;
} settings[] = {{"train", NULL},        {"held_out", NULL}, {"header", "table"},
                {"separator", "table"}, {"skip", "table"},  {"width", "tokens"}};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static bool belongs(const DataSource *source, uint32_t setting) {
    return !settings[setting].source || strcmp(settings[setting].source, source->name) == 0;
}

static const DataSource *source_find(Sema *s, Name name) {
    const char *names[N_SOURCES], *list = "";
    for (uint32_t k = 0; k < N_SOURCES; k++) {
        if (strcmp(sources[k].name, name.text) == 0)
            return &sources[k];
        names[k] = sources[k].name;
        list = arena_printf(s->arena, "%s%s`%s`", list,
                            k ? (k + 1 < N_SOURCES ? ", " : " or ") : "", names[k]);
    }
    const char *near = nearest_name(name.text, names, N_SOURCES);
    sema_error(s, DIAG_DATA_BINDING, name.span, "data come from %s, not `%s`", list, name.text);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
    return NULL;
}

/* --- settings ----------------------------------------------------------------------------------*/

static void add_file(Sema *s, const DataSource *source, bool held_out, Name stream, Value v,
                     Span span) {
    if (v.kind == VALUE_TUPLE) {
        for (uint32_t k = 0; k < v.tuple.count; k++)
            add_file(s, source, held_out, stream, v.tuple.at[k], span);
        return;
    }
    if (v.kind != VALUE_STRING) {
        if (!is_poison(v))
            sema_error(s, DIAG_DATA_BINDING, span, "a file's name is a text, not %s",
                       value_text(s, v));
        return;
    }
    const DataFile file = {stream.text, v.string};
    if (v.string[0] == '\0')
        sema_error(s, DIAG_DATA_BINDING, span, "a file's name is empty");
    else if (source->streams && stream.text)
        sema_error(s, DIAG_DATA_BINDING, stream.span, "files of `%s` data hold all streams",
                   source->name);
    else if (!source->streams && !stream.text) {
        sema_error(s, DIAG_DATA_BINDING, span, "say which stream the file holds");
        sema_help(s, "for instance `files(images = \"train-images-idx3-ubyte\")`");
    } else if (held_out)
        vec_push(s->arena, &s->network->data.held_out_files, file);
    else
        vec_push(s->arena, &s->network->data.train_files, file);
}

/* "a.csv", or files("a.csv", "b.csv"), or files(images = "a", labels = "b"). */
static void set_files(Sema *s, const DataSource *source, bool held_out, const Expr *e) {
    if (e->kind != EXPR_CALL) {
        add_file(s, source, held_out, (Name){NULL, e->span},
                 elaborate_constant(s, train_scope(s), e), e->span);
        return;
    }
    if (e->call.callee->kind != EXPR_NAME || strcmp(e->call.callee->name, "files") != 0 ||
        e->call.arguments.count == 0) {
        sema_error(s, DIAG_DATA_BINDING, e->span, "files are named as `files(\"a.csv\")`");
        return;
    }
    for (uint32_t k = 0; k < e->call.arguments.count; k++) {
        const Argument *a = &e->call.arguments.at[k];
        if (a->value && a->value->kind != EXPR_ERROR)
            add_file(s, source, held_out, a->name, elaborate_constant(s, train_scope(s), a->value),
                     a->value->span);
    }
}

static bool is_call_of(const Expr *e, const char *name) {
    return e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME &&
           strcmp(e->call.callee->name, name) == 0;
}

void data_set_held_out(Sema *s, const Expr *e) {
    DataSpec *data = &s->network->data;
    const Expr *fraction = e;
    bool shuffled = false;
    if (is_call_of(e, "shuffled") && e->call.arguments.count == 1) {
        fraction = e->call.arguments.at[0].value;
        shuffled = true;
        if (data->in_windows) {
            sema_error(s, DIAG_DATA_BINDING, e->span,
                       "`%s` data are held out at their end, in one piece", data->source);
            return;
        }
    }
    const Value v = elaborate_constant(s, train_scope(s), fraction);
    if (is_poison(v))
        return;
    if (v.kind != VALUE_NUMBER || !(v.number >= 0 && v.number < 1)) {
        sema_error(s, DIAG_DATA_BINDING, e->span,
                   "`held_out` is a fraction, 0 or more and less than 1");
        return;
    }
    data->held_out = v.number;
    data->shuffled = shuffled;
    data->held_out_files.count = 0;
}

static void set_width(Sema *s, const Expr *e) {
    int64_t width;
    if (!elaborate_whole(s, train_scope(s), e, "`width`", 16, 32, &width))
        return;
    if (width == 16 || width == 32)
        s->network->data.width = (uint32_t)width;
    else
        sema_error(s, DIAG_DATA_BINDING, e->span, "tokens have 16 bits, or 32");
}

static void set_setting(Sema *s, const DataSource *source, uint32_t setting, const Expr *e) {
    const char *name = settings[setting].name;
    DataSpec *data = &s->network->data;
    int64_t whole;
    if (e->kind == EXPR_ERROR)
        return;
    if (strcmp(name, "train") == 0) {
        set_files(s, source, false, e);
    } else if (strcmp(name, "held_out") == 0) {
        if (e->kind == EXPR_STRING || is_call_of(e, "files"))
            set_files(s, source, true, e);
        else
            data_set_held_out(s, e);
    } else if (!belongs(source, setting)) {
        sema_error(s, DIAG_DATA_BINDING, e->span, "`%s` belongs to `%s` data", name,
                   settings[setting].source);
    } else if (strcmp(name, "width") == 0) {
        set_width(s, e);
    } else if (strcmp(name, "header") == 0) {
        bool header;
        if (elaborate_bool(s, train_scope(s), e, "`header`", &header))
            data->header = header ? DATA_HEADER : DATA_NO_HEADER;
    } else if (strcmp(name, "skip") == 0) {
        if (elaborate_whole(s, train_scope(s), e, "`skip`", 0, 1 << 20, &whole))
            data->skip = (uint32_t)whole;
    } else {
        const Value v = elaborate_constant(s, train_scope(s), e);
        if (v.kind == VALUE_STRING && strlen(v.string) == 1 && v.string[0] != '"')
            data->separator = v.string;
        else if (!is_poison(v))
            sema_error(s, DIAG_DATA_BINDING, e->span,
                       "`separator` is one character, such as \",\" or \"\\t\"");
    }
}

/* --- the block ---------------------------------------------------------------------------------*/

/* Which setting it is; N_SETTINGS: none, but a binding. */
static uint32_t setting_of(const Sema *s, const Binding *b) {
    uint32_t k = 0;
    for (uint32_t i = 0; i < s->program->inputs.count; i++)
        if (s->program->inputs.at[i].name == b->target.name.text)
            return N_SETTINGS;
    while (k < N_SETTINGS &&
           (b->target.bracketed || strcmp(b->target.name.text, settings[k].name) != 0))
        k++;
    return k;
}

static void unknown_input(Sema *s, const DataSource *source, Name name) {
    const Symbol *declared = scope_find_here(s->model_scope, name.text);
    if (declared && declared->kind == SYMBOL_VALUE && is_poison(declared->value))
        return; /* an input that is wrong itself */
    const char *names[64 + N_SETTINGS];
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->program->inputs.count && n < 64; k++)
        names[n++] = s->program->inputs.at[k].name;
    for (uint32_t k = 0; k < N_SETTINGS; k++)
        if (belongs(source, k))
            names[n++] = settings[k].name;
    const char *near = nearest_name(name.text, names, n);
    sema_error(s, DIAG_DATA_BINDING, name.span, "the model has no input or target `%s`", name.text);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
}

static void data_binding(Sema *s, const DataSource *source, const Binding *b) {
    DataBinding binding = {.input = UINT32_MAX, .scale = 1, .span = b->target.span};
    for (uint32_t k = 0; k < s->program->inputs.count; k++)
        if (s->program->inputs.at[k].name == b->target.name.text)
            binding.input = k;
    if (binding.input == UINT32_MAX) {
        unknown_input(s, source, b->target.name);
        return;
    }
    for (uint32_t k = 0; k < s->network->data.bindings.count; k++)
        if (s->network->data.bindings.at[k].input == binding.input) {
            sema_error(s, DIAG_DUPLICATE, b->target.name.span, "`%s` is filled twice",
                       b->target.name.text);
            sema_note(s, s->network->data.bindings.at[k].span, "the first time");
            return;
        }
    if (b->value->kind == EXPR_ERROR)
        return;
    if (source->in_windows)
        data_bind_window(s, source, b, binding);
    else
        data_bind_sample(s, source, b, binding);
}

void data_elaborate(Sema *s, const Stmt *stmt) {
    DataSpec *data = &s->network->data;
    const BindingList *list = &stmt->data.bindings;
    Map *seen = map_create(s->arena);
    const DataSource *source = stmt->data.source.text ? source_find(s, stmt->data.source) : NULL;
    if (!source)
        return;
    data->source = source->name;
    data->in_windows = source->in_windows;
    data->span = stmt->span;
    /* settings first: they name the streams */
    for (uint32_t k = 0; k < list->count; k++) {
        const Name name = list->at[k].target.name;
        const uint32_t setting = name.text ? setting_of(s, &list->at[k]) : N_SETTINGS;
        if (setting == N_SETTINGS)
            continue;
        void **slot = map_slot_str(seen, name.text);
        if (*slot) {
            sema_error(s, DIAG_DUPLICATE, name.span, "`%s` is set twice", name.text);
            continue;
        }
        *slot = (void *)(uintptr_t)stmt;
        set_setting(s, source, setting, list->at[k].value);
    }
    for (uint32_t k = 0; k < list->count; k++)
        if (list->at[k].target.name.text && setting_of(s, &list->at[k]) == N_SETTINGS)
            data_binding(s, source, &list->at[k]);
    for (uint32_t k = 0; k < s->program->inputs.count; k++) {
        bool bound = false;
        for (uint32_t j = 0; j < data->bindings.count; j++)
            bound = bound || data->bindings.at[j].input == k;
        if (!bound && diag_error_count(s->d) == 0) {
            const char *name = s->program->inputs.at[k].name;
            sema_error(s, DIAG_DATA_BINDING, stmt->span, "nothing fills `%s`", name);
            sema_note(s, s->program->inputs.at[k].span, "declared here");
            sema_help(s, "write `%s%s`", name, source->example);
        }
    }
}
