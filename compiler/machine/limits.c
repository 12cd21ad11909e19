#include "machine/limits.h"
#include <stddef.h>

static const Limit all[] = {
#define LIMIT(name, value, counted, beyond) {#name, value, counted, beyond},
#include "machine/limits.def"
    {NULL, 0, NULL, NULL},
};

const Limit *limits_all(void) {
    return all;
}
