/* Expressions to values: the evaluator. It recurs by way of definitions, whose bodies hold
 * expressions again (body/), and by way of trunks, whose sites hold definitions (site/). */
#ifndef HCC_SEMA_EXPR_H
#define HCC_SEMA_EXPR_H

#include "sema/scope.h"
#include "sema/value/tensor.h"

/* --- expr.c, constant.c ------------------------------------------------------------------------*/

Value elaborate(Sema *s, Scope *scope, const Expr *e);
/* The value of a constant expression; false (and an error) when it is not one. */
bool elaborate_number(Sema *s, Scope *scope, const Expr *e, const char *what, double *number);
bool elaborate_bool(Sema *s, Scope *scope, const Expr *e, const char *what, bool *result);
/* A whole number in [low, high]. */
bool elaborate_whole(Sema *s, Scope *scope, const Expr *e, const char *what, int64_t low,
                     int64_t high, int64_t *result);
bool elaborate_extent(Sema *s, Scope *scope, const Expr *e, uint32_t *extent);
Value elaborate_constant(Sema *s, Scope *scope, const Expr *e); /* NUMBER, BOOL, CALLABLE, ... */
Value symbol_constant(Sema *s, Symbol *symbol);                 /* evaluates a SYMBOL_CONST */
/* The extents of a declared tensor; false after an error, also where it would be too large. */
bool elaborate_shape(Sema *s, Scope *scope, const Target *target, uint32_t *dims);
/* `[i < range]`, where a range is written; false after an error. */
bool index_bound(Sema *s, Scope *scope, Index *index, const Expr *range);

/* --- known.c -----------------------------------------------------------------------------------*/

/* `e` mentions indices, and numbers otherwise: a table. */
bool numeric_is_table(Sema *s, Scope *scope, const Expr *e);
bool numeric_is_number(Sema *s, Scope *scope, const Expr *e);
bool numeric_call(Sema *s, Scope *scope, const Expr *e); /* of built-in functions of numbers */
enum { MAX_MENTIONED = TIR_MAX_RANK };                   /* by one expression: they become axes */
/* Whether all names that `e` reads mean something. */
bool numeric_names_known(Sema *s, Scope *scope, const Expr *e);
/* Whether `e` mentions an index. */
bool numeric_mentions_index(Sema *s, Scope *scope, const Expr *e);
/* The indices in `e`, in order; false, with an error, when there are more than MAX_MENTIONED. */
bool numeric_indices(Sema *s, Scope *scope, const Expr *e, Index **found, uint32_t *n);
typedef struct {
    const char *name;
    Span span;
    uint32_t space, axis;
} NamedPosition;
/* Positions that `e` mentions, `here` among them; at most MAX_MENTIONED. */
uint32_t numeric_positions(Sema *s, Scope *scope, const Expr *e, NamedPosition *found);
/* The index that `e` is, unless it stands for a number. */
Index *index_named(Sema *s, Scope *scope, const Expr *e);
/* `t`, `t + 1`: the position. */
const Symbol *position_named(Sema *s, Scope *scope, const Expr *e);
/* A subscript that is a value of the run. */
bool names_value_of_the_run(Sema *s, Scope *scope, const Expr *e);
/* The same, or integers by their name: what chooses among positions. */
bool names_position_of_the_run(Sema *s, Scope *scope, const Expr *e);
/* How many leading subscripts of something of that many axes, at positions of `space`, say at which
 * of them it is taken; 0: none, but by a number of positions away. */
uint32_t elsewhere_subscripts(Sema *s, Scope *scope, const ExprList *list, uint32_t rank,
                              uint32_t space);

/* --- numeric.c ---------------------------------------------------------------------------------*/

Value numeric_table(Sema *s, Scope *scope, const Expr *e);
/* Evaluates with `indices` running over their extents, first slowest. False after an error. */
bool numeric_evaluate(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index *const *indices,
                      double *out);
/* Indices of an index map, larger strides first. */
bool index_order_by_stride(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index **indices);
Value numeric_lookup(Sema *s, const Symbol *symbol, uint32_t n, const int64_t *at, Span span);
Value numeric_reduce(Sema *s, Scope *scope, const Expr *e);
/* `[2, 0, 1][i]` where a number is wanted. */
Value numeric_list_entry(Sema *s, Scope *scope, const Expr *e);
/* Of the list that an initial value is. */
Value numeric_list_element(Sema *s, Scope *scope, const Expr *e);

/* --- infer.c -----------------------------------------------------------------------------------*/

/* Learns the extents of the scope's indices from what they index in `e`. */
void infer_extents(Sema *s, Scope *scope, const Expr *e);
/* The same from the subscripts of `e` alone, for a repeated value that they index. */
void infer_repeat(Sema *s, Scope *scope, const Expr *e);
/* Extents of repeated values such as `let u[k] = 1` from the loop body that assigns to them. */
void learn_extents(Sema *s, Scope *scope, const StmtList *body);

/* --- subscript.c, reduce.c ---------------------------------------------------------------------*/

Value elaborate_index(Sema *s, Scope *scope, const Expr *e);
Value elaborate_reduce(Sema *s, Scope *scope, const Expr *e);

/* --- member.c ----------------------------------------------------------------------------------*/

/* `h.attn[2].y`, `h.state.H`. */
Value elaborate_member(Sema *s, Scope *scope, const Expr *e);

/* --- call.c, builtins.c, unknown.c -------------------------------------------------------------*/

Value elaborate_call(Sema *s, Scope *scope, const Expr *e);
/* `as` of what makes no instance: an error that says why. */
void named_in_vain(Sema *s, Name as, const char *called, const char *why);
const Builtin *builtin_find(const char *name);
uint32_t builtin_count(void);
const char *builtin_name(uint32_t k);
const char *builtin_text(const Builtin *b);
/* What is known now, as it would be written; "?" for what is not. */
const char *value_written(Sema *s, Value v);
/* What it gives is known though its argument is not: `extent(x)`, `known(x)`. */
bool builtin_takes_unknown(const Builtin *b);
/* Whether what it is given by that name (NULL: by place) is a word, and no value. */
bool builtin_takes_word(const Builtin *b, const char *parameter);
/* It is of what stands at a connection's site, and known: `takes(v0)`. */
bool builtin_asks_site(const Builtin *b);
/* A number of numbers: of constants a constant. */
bool builtin_is_scalar(const Builtin *b);
Value builtin_call(Sema *s, Scope *scope, const Builtin *builtin,
                   const BoundArgumentList *arguments, const Expr *e);
/* Says that nothing has this name. */
void scope_unknown(Sema *s, Scope *scope, const char *name, Span span, const char *what);

#endif
