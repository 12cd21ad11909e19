/* Copying values from block to block: what passes that make a new program share. */
#ifndef HCC_PASS_REBUILD_H
#define HCC_PASS_REBUILD_H

#include "pass/vjp.h"

/* live[id]: needed by the roots already marked, where instead[id] (unless 0; the list may be NULL)
 * stands for value id. */
void pass_mark_live(const TirBlock *block, const TirId *instead, bool *live);
/* tir_rebuild_moved for value `id` of `from`: a copy where nothing above it has changed. */
TirId pass_rebuild_value(TirBuilder *b, const TirBlock *from, TirId id, const TirId *operands);
/* pass_rebuild_value with the value's operands mapped, its span and its name; `operands` is
 * scratch. */
TirId pass_rebuild_mapped(TirBuilder *b, const TirBlock *from, TirId id, const TirId *map,
                          TirIdVec *operands);
/* Entry `k` of a stack, without the stack's axis; and a stack of `n` entries. */
TirId pass_stack_entry(TirBuilder *b, TirId stack, uint32_t k);
TirId pass_stack(TirBuilder *b, uint32_t n, const TirId *entries);
/* x + y, where they are neighbours padded to one extent, as one value, padded as far as they were:
 * the sum of the gradients of a value's slices is their concatenation. 0 where they are not. */
TirId pass_join_pads(TirBuilder *b, TirId x, TirId y);
/* The block again with each replaced loop's place taken by the one with stacks, as far as the roots
 * need it (the arguments come first, in order); roots[k] and *n_forward (may be NULL) follow. The
 * block itself when nothing is replaced. */
TirBlock *pass_substitute_block(TirProgram *p, TirBlock *block, const VjpReplacedVec *replaced,
                                uint32_t n_roots, TirId *roots, uint32_t *n_forward);

#endif
