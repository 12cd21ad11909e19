#include "abi/nearest.h"
#include "runtime/run/context.h"

#include <stdlib.h>

HcStatus hc_unknown_name(HcContext *c, const char *what, const char *name, const void *first,
                         uint32_t count, size_t size) {
    const char **names = calloc((size_t)count + 1, sizeof *names);
    for (uint32_t k = 0; names && k < count; k++)
        names[k] = *(const char *const *)(const void *)((const uint8_t *)first + k * size);
    const char *near = names ? hc_nearest_name(name, names, count) : NULL;
    hc_fail(&c->error, HC_ERROR_ARGUMENT, "the model `%s` has no %s `%s`%s%s%s", c->plan.model,
            what, name, near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
    free(names);
    return c->error.status;
}
