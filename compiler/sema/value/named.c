/* Values that somebody outside asks for by name (SemaOptions.exports).
 *
 * What the caller gives is an argument to all that uses it: the builder's folding sees through a
 * value that only lays another out anew, and what is given would then cut nothing. pass_cut has the
 * values that arguments stand for in their places again, where they are not given after all. */
#include "sema/elaboration.h"
#include "sema/value/tensor.h"
#include <string.h>

/* By its whole name, or by what it is called in the connection of whichever site is meant. */
static bool is_given(const Sema *s, const char *path) {
    const char *within = strstr(path, ".hc.");
    for (uint32_t k = 0; k < s->options->n_given; k++) {
        const char *given = s->options->given[k];
        if (strcmp(path, given) == 0 ||
            (s->options->apart && within && strcmp(within + strlen(".hc."), given) == 0))
            return true;
    }
    return false;
}

TirId value_stand_for(Sema *s, Value *v) {
    const Tensor *t = is_poison(*v) ? NULL : value_as_real(s, *v, v->span);
    if (!t)
        return 0;
    const TirId of = tensor_use(s, t);
    /* whoever is handed the one by whoever made the other gets it as it was made */
    const TirType type = s->options->apart ? *sema_type(s, of) : t->type;
    const TirId id = tir_arg(sema_builder(s, v->span), type);
    vec_push(s->program->arena, &s->network->given, of);
    *v = value_derived(s, id, t->type.domain, t->axes, v->span);
    return id;
}

void value_remember(Sema *s, const char *path, Value *v) {
    if (!s->options->exports || s->trial || v->kind != VALUE_TENSOR)
        return;
    if (v->tensor->type.elem == TIR_REAL && is_given(s, path))
        value_stand_for(s, v);
    vec_push(s->arena, &s->network->values, (SiteValue){path, tensor_use(s, v->tensor), false});
}
