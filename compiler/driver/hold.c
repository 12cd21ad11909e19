/* What is printed is held back, until it is known whether somebody else says it. */
#include "driver/driver.h"

#include <stdlib.h>
#include <string.h>

bool driver_hold(Driver *d) {
    Held *held = &d->held;
    FILE *out = open_memstream(&held->text[0], &held->size[0]),
         *err = open_memstream(&held->text[1], &held->size[1]);
    if (!out || !err) {
        if (out)
            fclose(out);
        if (err)
            fclose(err);
        free(held->text[0]);
        free(held->text[1]);
        *held = (Held){0};
        return false;
    }
    held->out = d->out;
    held->err = d->err;
    d->out = out;
    d->err = err;
    return true;
}

const char *driver_held(const Driver *d) {
    if (!d->held.err)
        return "";
    fflush(d->out);
    fflush(d->err);
    return d->held.size[1] > 0 ? d->held.text[1] : d->held.text[0];
}

void driver_release(Driver *d, bool say) {
    Held *held = &d->held;
    if (!held->err)
        return;
    fclose(d->out);
    fclose(d->err);
    d->out = held->out;
    d->err = held->err;
    if (say) {
        fwrite(held->text[0], 1, held->size[0], d->out);
        fwrite(held->text[1], 1, held->size[1], d->err);
    }
    free(held->text[0]);
    free(held->text[1]);
    *held = (Held){0};
}
