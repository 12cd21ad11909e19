#include "runtime/trained/override.h"
#include "abi/nearest.h"
#include "runtime/data/npy_read.h"
#include "runtime/data/read_file.h"
#include "runtime/files/checkpoint.h"
#include "runtime/files/paths.h"
#include "runtime/trained/find_run.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what was asked for ------------------------------------------------------------------------*/

static bool read_number(const char *text, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && isfinite(*number);
}

static HcStatus no_value(const HcOverride *o, const char *value, HcError *error) {
    static const char *const words[] = {"identity", "zero"};
    const char *near = hc_nearest_name(value, words, 2);
    return hc_fail(error, HC_ERROR_ARGUMENT,
                   "--override %s: `%s` is none of identity, zero, a number, FILE.npy and RUN:NAME"
                   "%s%s%s",
                   o->text, value, near ? " (did you mean `" : "", near ? near : "",
                   near ? "`?)" : "");
}

static HcStatus read_value(HcOverride *o, const char *value, HcError *error) {
    char *colon = strrchr(o->source, ':');
    if (strcmp(value, "identity") == 0) {
        o->kind = HC_OVERRIDE_IDENTITY;
    } else if (strcmp(value, "zero") == 0 || read_number(value, &o->number)) {
        o->kind = HC_OVERRIDE_NUMBER;
    } else if (hc_path_ends(value, ".npy")) {
        o->kind = HC_OVERRIDE_FILE;
    } else if (colon && colon > o->source) {
        o->kind = HC_OVERRIDE_RUN;
        o->tensor = colon + 1;
        *colon = '\0';
    } else {
        return no_value(o, value, error);
    }
    return HC_OK;
}

HcStatus hc_override_read(HcOverride *o, const char *text, HcError *error) {
    const char *equals = strchr(text, '=');
    *o = (HcOverride){.text = text};
    if (!equals || equals == text || !equals[1])
        return hc_fail(error, HC_ERROR_ARGUMENT, "--override takes PATTERN=VALUE, not `%s`", text);
    o->pattern = strndup(text, (size_t)(equals - text));
    o->source = strdup(equals + 1);
    return o->pattern && o->source ? read_value(o, equals + 1, error)
                                   : hc_fail_memory(error, "an override");
}

void hc_override_free(HcOverride *o) {
    free(o->pattern);
    free(o->source);
    *o = (HcOverride){0};
}

bool hc_override_matches(const HcOverride *o, const char *name) {
    return fnmatch(o->pattern, name, 0) == 0;
}

HcStatus hc_override_check(const HcOverride *o, const HcPlan *plan, HcError *error) {
    const char **names = calloc(plan->n_parameters + 1, sizeof *names);
    if (!names)
        return hc_fail_memory(error, "an override");
    bool any = false;
    for (uint32_t k = 0; k < plan->n_parameters; k++) {
        names[k] = plan->parameters[k].name;
        any = any || hc_override_matches(o, names[k]);
    }
    const char *near = any ? NULL : hc_nearest_name(o->pattern, names, plan->n_parameters);
    free(names);
    return any ? HC_OK
               : hc_fail(error, HC_ERROR_ARGUMENT,
                         "--override %s: the model `%s` has no parameter `%s`%s%s%s", o->text,
                         plan->model, o->pattern, near ? " (did you mean `" : "", near ? near : "",
                         near ? "`?)" : "");
}

/* --- setting -----------------------------------------------------------------------------------*/

typedef struct {
    const HcOverride *override;
    const HcParameterPlan *parameter;
    uint32_t element_size;
    void *to;
    HcError *error;
} Target;

static void put(const Target *t, int64_t k, double value) {
    if (t->element_size == 4)
        ((float *)t->to)[k] = (float)value;
    else
        ((double *)t->to)[k] = value;
}

static void shape_text(int64_t rank, const int64_t *dims, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int64_t k = 0; k < rank && k < HC_MAX_RANK && used < size; k++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%lld", k ? ", " : "", (long long)dims[k]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

static HcStatus wrong_shape(const Target *t, const char *what) {
    char shape[120];
    shape_text(t->parameter->rank, t->parameter->dims, shape, sizeof shape);
    return hc_fail(t->error, HC_ERROR_ARGUMENT, "--override %.150s: `%.100s` is %s, %s",
                   t->override->text, t->parameter->name, shape, what);
}

/* As the language's initial value: of two indices, whatever their extents. */
static HcStatus set_identity(const Target *t) {
    if (t->parameter->rank != 2)
        return wrong_shape(t, "and `identity` has two indices, destination and source");
    const int64_t n = t->parameter->dims[1];
    for (int64_t k = 0; k < t->parameter->count; k++)
        put(t, k, k / n == k % n ? 1 : 0);
    return HC_OK;
}

static HcStatus set_from_run(const Target *t) {
    char *checkpoint;
    HcTensorFile *file = NULL;
    const char *name = *t->override->tensor ? t->override->tensor : t->parameter->name;
    const HcTensor tensor = {.name = name,
                             .data = t->to,
                             .element_size = t->element_size,
                             .rank = t->parameter->rank,
                             .dims = t->parameter->dims,
                             .count = t->parameter->count};
    HcStatus status = hc_find_checkpoint(t->override->source, &checkpoint, t->error);
    if (status == HC_OK)
        status = hc_tensors_open_partial(checkpoint, &tensor, 1, &file, t->error);
    if (status == HC_OK && hc_tensors_there(file) != 1) {
        char what[400];
        snprintf(what, sizeof what, "and `%.150s` holds no `%.100s` of that shape", checkpoint,
                 name);
        status = wrong_shape(t, what);
    }
    if (status == HC_OK)
        hc_tensors_take(file);
    hc_tensors_close(file);
    free(checkpoint);
    return status;
}

/* --- arrays of NumPy ---------------------------------------------------------------------------*/

static HcStatus check_array(const Target *t, const HcNpyHeader *h) {
    const char *path = t->override->source;
    bool same = h->axes == t->parameter->rank;
    for (int32_t k = 0; same && k < t->parameter->rank; k++)
        same = h->dims[k] == t->parameter->dims[k];
    if (h->records || (strcmp(h->type, "<f4") != 0 && strcmp(h->type, "<f8") != 0))
        return hc_fail(t->error, HC_ERROR_DATA,
                       "`%s` holds numbers of type `%s`: parameters are <f4 or <f8", path,
                       h->records ? "of records" : h->type);
    if (h->fortran && h->axes > 1)
        return hc_fail(t->error, HC_ERROR_DATA,
                       "`%s` has its first index fastest: save `numpy.ascontiguousarray(a)`", path);
    if (same)
        return HC_OK;
    char shape[120], what[300];
    shape_text(h->axes, h->dims, shape, sizeof shape);
    snprintf(what, sizeof what, "and `%.150s` holds %s", path, shape);
    return wrong_shape(t, what);
}

static HcStatus read_array(const Target *t, int file) {
    enum { CHUNK = 4096 };
    double room[CHUNK];
    HcNpyHeader h;
    const char *path = t->override->source;
    HcStatus status = hc_npy_header(file, path, &h, t->error);
    if (status == HC_OK)
        status = check_array(t, &h);
    const size_t size = status == HC_OK && h.type[2] == '8' ? 8 : 4;
    for (int64_t k = 0; k < t->parameter->count && status == HC_OK; k += CHUNK) {
        const int64_t left = t->parameter->count - k, n = left < CHUNK ? left : CHUNK;
        size_t got;
        status = hc_read_at(file, path, h.offset + k * (int64_t)size, room, (size_t)n * size, &got,
                            t->error);
        if (status == HC_OK && got < (size_t)n * size)
            status = hc_fail(t->error, HC_ERROR_DATA, "`%s` is cut short", path);
        for (int64_t i = 0; i < n && status == HC_OK; i++) {
            float narrow;
            memcpy(&narrow, (const char *)room + 4 * (size_t)i, sizeof narrow);
            put(t, k + i, size == 8 ? room[i] : (double)narrow);
        }
    }
    return status;
}

static HcStatus set_from_file(const Target *t) {
    const int file = open(t->override->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return hc_fail_errno(t->error, HC_ERROR_DATA, "read", t->override->source);
    const HcStatus status = read_array(t, file);
    close(file);
    return status;
}

HcStatus hc_override_apply(const HcOverride *o, HcContext *c, uint32_t parameter, HcError *error) {
    const HcParameterPlan *p = &c->plan.parameters[parameter];
    const Target t = {o, p, c->plan.element_size, (uint8_t *)c->params + p->offset, error};
    switch (o->kind) {
    case HC_OVERRIDE_IDENTITY:
        return set_identity(&t);
    case HC_OVERRIDE_FILE:
        return set_from_file(&t);
    case HC_OVERRIDE_RUN:
        return set_from_run(&t);
    case HC_OVERRIDE_NUMBER:
        break;
    }
    for (int64_t k = 0; k < p->count; k++)
        put(&t, k, o->number);
    return HC_OK;
}
