/* The model and what stands around it: recipe, data, definitions tried out, what is looked at when
 * the program is complete. */
#ifndef HCC_SEMA_MODEL_H
#define HCC_SEMA_MODEL_H

#include "sema/scope.h"

void model_elaborate(Sema *s, const Item *model);
void recipe_elaborate(Sema *s, const Item *train);
void override_constants(Sema *s, Scope *scope, const Item *model);
void data_elaborate(Sema *s, const Stmt *stmt);
void data_set_held_out(Sema *s, const Expr *e); /* a fraction, or shuffled(fraction) */
/* A definition that the model did not use. `model_scope`: where defaults look for a constant; NULL
 * for a model. */
void trial_elaborate(Sema *s, const Item *item, Scope *model_scope);

/* Of a complete program: what is never read or written; what the loss does not learn from; what
 * sees later positions of those declared causal. */
void warn_unused(Sema *s);
void warn_unreached(Sema *s);
/* Of a connection by itself: whether what a branch gives comes to what its one site ends with. */
void warn_branch_unreached(Sema *s, TirId ended);
void check_causal(Sema *s);

#endif
