/* Bodies of definitions: instances of them, and their statements. */
#ifndef HCC_SEMA_BODY_H
#define HCC_SEMA_BODY_H

#include "sema/scope.h"

/* --- instance.c --------------------------------------------------------------------------------*/

/* Binds formals from arguments, constants of the model, defaults; tensors' extents unify. */
bool bind_formals(Sema *s, Scope *scope, const Item *item, const BoundArgument *arguments,
                  uint32_t count, Span used_at);
/* A module or branch that is handed on or named: one instance, called `name` in the one at hand,
 * with the same parameters wherever it is called. Other values as they are. */
Value value_as_instance(Sema *s, Value v, const char *name, const void *made);
/* The inputs of a branch, module or connection. With `first` the only one goes to the first input,
 * whatever it is called. */
bool bind_inputs(Sema *s, Scope *scope, const Item *item, const BoundArgument *inputs,
                 uint32_t n_inputs, bool first, Span used_at);
Value instance_output(Sema *s, Scope *scope, const Item *item, const Target *output);
/* fn, or module and branch: inputs first, then formals. Its first result; all go to `results`,
 * unless NULL: then it has one only. */
Value apply_item(Sema *s, const Callable *callable, BoundArgumentList *arguments, Span used_at,
                 const Expr *call, BoundArgumentList *results);
/* A branch at a site: what it is called with, and by whom. */
typedef struct {
    const BoundArgument *inputs; /* by name; or, by_reading, a single one for the first input */
    uint32_t n_inputs;
    bool by_reading;
    const char *path; /* of the instance, */
    const void *call; /* and what made it: the same for all its runs */
    Span used_at;
} BranchRun;
/* The outputs' values go to `outputs`. */
Value apply_branch(Sema *s, const Callable *callable, const BranchRun *run,
                   BoundArgumentList *outputs);

/* --- statements, a file each -------------------------------------------------------------------*/

void body_elaborate(Sema *s, Scope *scope, const StmtList *body);
void body_statement(Sema *s, Scope *scope, const Stmt *stmt);
/* The value of `target = value`, arranged to the target's axes. With `known` the result must have
 * these extents; constant indices then update one slice of it. */
Value body_binding(Sema *s, Scope *scope, const Binding *binding, const Value *known);
void body_let(Sema *s, Scope *scope, const BindingList *list);
void body_assign(Sema *s, Scope *scope, const Binding *binding);
void body_iterate(Sema *s, Scope *scope, const Stmt *stmt);
void body_scan(Sema *s, Scope *scope, const Stmt *stmt);
void body_for(Sema *s, Scope *scope, const Stmt *stmt);
void body_params(Sema *s, Scope *scope, const Stmt *stmt);
void body_update(Sema *s, Scope *scope, const Stmt *stmt); /* after_step.c */
void body_project(Sema *s, Scope *scope, const Stmt *stmt);
void body_require(Sema *s, Scope *scope, const Stmt *stmt);

#endif
