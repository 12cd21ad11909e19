/* Passes over tensor IR. Each lives in a file of its own that opens with its contract. */
#ifndef HCC_PASS_PASS_H
#define HCC_PASS_PASS_H

#include "tir/tir.h"

/* Writes out loops whose body crosses positions, which no kernel could run (write_out.c). */
TirProgram *pass_write_out(TirProgram *p);
/* One position sees another in a loop's body. */
bool pass_loop_crosses(const TirProgram *p, const TirNode *loop);
/* The loss alone, twice: `values` names what each stop_gradient holds, and `loss` takes that as an
 * input after those there are (hold.c). False where the loss has none. */
bool pass_hold(TirProgram *p, TirProgram **values, TirProgram **loss);
/* Reverse mode: appends gradient values of the LOSS output for every parameter that is not frozen,
 * as outputs of role GRAD (index = parameter; a parameter without a path to the loss gets none),
 * and sets n_forward. Emits ordinary ops. */
void pass_grad(TirProgram *p);
/* The same from any value with a given seed: d(sum seed*root)/d(wrt[k]); 0 where there is no path.
 */
void pass_vjp(TirBuilder *b, TirId root, TirId seed, uint32_t n, const TirId *wrt,
              TirId *gradients);

/* Rewrites to a canonical form (products over axes become CONTRACT, constants fold, SELECTs on
 * constants vanish ...). Returns a new program; outputs, params, inputs keep their indices. */
TirProgram *pass_canon(TirProgram *p);
/* Keeps only what the outputs need, renumbered in topological order; n_forward follows.
 * Hash-consing makes every rebuild a CSE. */
TirProgram *pass_dce(TirProgram *p);

/* --- towards kernels: what is made for the machine, of a program in canonical form -------------*/

TirProgram *pass_merge_products(TirProgram *p);
TirProgram *pass_unroll(TirProgram *p);
enum { UNROLL_MOST = 1000000 }; /* values of loops written out, some kilobytes each */
/* Whether pass_unroll makes no more than that; else the first loop that makes too many, and how
 * many it makes at least. */
bool pass_unroll_fits(const TirProgram *p, TirId *loop, uint64_t *values);
/* Pieces have at least so many elements: smaller values are loaded and computed as one. */
TirProgram *pass_pieces(TirProgram *p, uint32_t least);
/* Products with a side of `thin` entries or more may have kernels of their own. */
TirProgram *pass_legalise(TirProgram *p, uint32_t thin);
/* Attention writes all its results, wanted or not: gives each a value. */
void pass_name_results(TirProgram *p);

#endif
