/* How what is being elaborated is meant. */
#include "sema/mode.h"
#include "sema/elaboration.h"

Mode mode_enter(Sema *s, Mode inner) {
    const Mode outer = s->mode;
    s->mode = inner;
    return outer;
}

void mode_leave(Sema *s, Mode outer) {
    s->mode = outer;
}

Mode mode_of_let(const Sema *s, const char *name, const Expr *value) {
    Mode mode = s->mode;
    mode.let_name = name;
    mode.let_value = value;
    return mode;
}

Mode mode_of_definition(const Sema *s) {
    Mode mode = s->mode;
    mode.constant = false;
    mode.every_axis = false;
    mode.element = NULL;
    return mode;
}
