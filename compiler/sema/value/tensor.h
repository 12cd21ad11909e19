/* Values that are built: tensors of the block under construction, aligned, converted, computed
 * with. */
#ifndef HCC_SEMA_TENSOR_H
#define HCC_SEMA_TENSOR_H

#include "sema/value/value.h"

/* --- tensor.c ----------------------------------------------------------------------------------*/

TirBuilder *sema_builder(Sema *s, Span span);
/* The word of the loop that is being elaborated. */
const char *sema_loop_word(const Sema *s);
const TirType *sema_type(Sema *s, TirId id); /* of the block under construction */
/* Until the return to the loop that is left: builds in the program's own block, what no turn
 * changes. */
Loop *sema_leave_loops(Sema *s);
void sema_return_to(Sema *s, Loop *loop);
/* A value of the block under construction. axes NULL: all bare. */
Value value_tensor(Sema *s, TirId id, Index *const *axes, Span span);
/* The same of one made of others, which lives where they do: what the builder could fold is itself
 * less, and may differ from fewer places than the text says. */
Value value_derived(Sema *s, TirId id, TirDomain domain, Index *const *axes, Span span);
/* Zeros: what tells a binding the extents it must have. */
Value value_filled(Sema *s, uint32_t rank, const uint32_t *dims, double number, Span span);
TirId tensor_use(Sema *s, const Tensor *t); /* its id in the block under construction */
/* Of an input of tokens; 0 when it is something else. */
uint32_t token_limit(const Sema *s, const Tensor *t);

/* --- named.c -----------------------------------------------------------------------------------*/

/* *v as an argument that stands for it; 0 where it is no tensor of numbers. */
TirId value_stand_for(Sema *s, Value *v);
/* For those who ask for it by that name; where they give it, *v is the argument for it. */
void value_remember(Sema *s, const char *path, Value *v);

/* --- convert.c ---------------------------------------------------------------------------------*/

/* Numbers and booleans become constants of rank 0; REPEATs are laid out. NULL after an error. */
const Tensor *value_as_tensor(Sema *s, Value v, Span span);
const Tensor *value_as_real(Sema *s, Value v, Span span);
const Tensor *value_as_condition(Sema *s, Value v, Span span);
Value repeat_lay_out(Sema *s, Value v, Span span);

/* --- layout.c ----------------------------------------------------------------------------------*/

typedef struct {
    uint32_t rank;
    Index *axes[TIR_MAX_RANK];
    uint32_t dims[TIR_MAX_RANK];
} Layout;
bool layout_join(Sema *s, Layout *layout, const Tensor *t, Span span);
bool layout_check_size(Sema *s, const Layout *layout, Span span);
TirId tensor_align(Sema *s, const Tensor *t, const Layout *layout, Span span);
/* Labels `order` become bare axes, in that order, after labels that are not among them; missing
 * ones repeat. */
Value tensor_arrange(Sema *s, const Tensor *t, uint32_t n, Index *const *order, Span span);

/* --- join.c ------------------------------------------------------------------------------------*/

/* Along a new axis, and along the first axes that no index stands for. */
Value values_stacked(Sema *s, uint32_t n, const BoundArgument *entries, Span span);
Value values_joined(Sema *s, uint32_t n, const BoundArgument *parts, Span span);

/* --- arithmetic.c, mean.c ----------------------------------------------------------------------*/

Value value_unary(Sema *s, TirOp op, Value a, Span span);
Value value_binary(Sema *s, TirOp op, Value a, Value b, Span span);
Value value_select(Sema *s, Value condition, Value a, Value b, Span span);
/* Joins where x lives to `all`; false, with an error, where they are positions of two spaces. */
bool domain_meets(Sema *s, TirDomain *all, const Tensor *x, Span span);
Value value_modulo(Sema *s, Value a, Value n, Span span);
Value value_power(Sema *s, Value base, Value exponent, Span span);

/* False, with an error unless t is NULL, when t has axes. */
bool tensor_is_single(Sema *s, const Tensor *t, Span span, const char *what);
/* The mean over samples and positions of each element: real, global. */
TirId mean_of_elements(Sema *s, const Tensor *t, Span span);
Value mean_over_domain(Sema *s, Value v, Span span);

/* --- index.c -----------------------------------------------------------------------------------*/

/* An index that `scope` knows by its name, whatever else has that name outside. */
Index *index_add(Sema *s, Scope *scope, const char *name, Span span);
/* The same where the text binds one: NULL, with an error, when the name is taken. */
Index *index_create(Sema *s, Scope *scope, Name name);
void index_fix(Index *index, uint32_t extent, Span at);
Value index_as_value(Sema *s, Index *index, Span span);

/* --- table.c, pattern.c ------------------------------------------------------------------------*/

/* The entry of a tensor whose data are in the program, with views on them; false for others. */
bool table_entry(Sema *s, const Tensor *t, const int64_t *at, double *entry);
bool value_is_table(Sema *s, Value v);
/* [n!, n], in lexicographic order. */
Value table_permutations(Sema *s, Value n, Span span);
/* Warns of a `onehot(k)` that has no entry where it is used. */
void onehot_check(Sema *s, double k, uint32_t extent, Span span);
/* The element of `identity` or `onehot` that an initial value asks for. */
Value pattern_element(Sema *s, Value v, Span span);

/* --- attend.c ----------------------------------------------------------------------------------*/

/* Adds `mask` to the scores of each key, which live at positions of `space`: one more entry of
 * every key, and 1 in every query. */
bool attend_mask(Sema *s, Value mask, uint8_t space, double *scale, Span span, TirId *q, TirId *k);
/* Gives attention a bias by head and distance, of which there are as many as positions allow; none,
 * where it is 0 or not said. */
bool attend_bias(Sema *s, Value bias, const Tensor *q, const Tensor *k, Span span, TirAttend *how);

/* --- across.c, random.c ------------------------------------------------------------------------*/

/* The index of a position along an axis of its space, as a real number. */
Value position_value(Sema *s, uint32_t space, uint32_t axis, Span span);
/* x, which lives at positions of `space`, where `first` positions earlier along the first axis of
 * it and `second` along the second; 0 outside. */
TirId shift_along(Sema *s, TirId x, uint8_t space, int64_t first, int64_t second, Span span);
/* Built-in functions across positions: the value that lives there, and whole numbers k. */
Value shift_value(Sema *s, Value x, uint32_t n, const int64_t *offsets, Span span);
Value window_value(Sema *s, Value x, uint32_t n, const int64_t *extents, Span span);
/* x, real, with its positions as the first axis of a sample's value: 0 at those that are not there.
 */
TirId positions_as_axis(Sema *s, TirId x, uint8_t space, Span span);
Value all_positions_value(Sema *s, Value x, Span span); /* of a grid as two axes */
/* m[t] = f[t] * m[t - 1] + u[t]; reverse: with m[t + 1]. */
Value recur_value(Sema *s, Value f, Value u, bool reverse, Span span);
typedef enum { RANDOM_POSITION, RANDOM_SAMPLE, RANDOM_STEP } RandomEach;
/* `random(x)`, or (x NULL) `random()` with the indices that are bound where it stands. */
Value random_draw(Sema *s, const Scope *scope, const Tensor *x, RandomEach each, Span span);

#endif
