/* What the planning passes share. */
#ifndef HCC_PLAN_PLAN_INTERNAL_H
#define HCC_PLAN_PLAN_INTERNAL_H

#include "machine/limits.h"
#include "plan/plan.h"

/* levels.c: fills plan->work and gemm; then levels, and the first one of the backward pass. */
void plan_classify(Plan *plan);
/* Whether what a shift reads has to be complete before its kernel begins; its operands' levels are
 * known. */
typedef bool PlanAcross(void *context, TirId shift);
/* The same of a sequence's body: all of it is a kernel's. */
void plan_classify_body(Plan *plan);
/* sequence.c: fills plan->sequences, or plan->refused. */
void plan_sequences(Plan *plan);
void plan_assign_levels(Plan *plan, PlanAcross *decide, void *context); /* NULL: it has to be */

/* Whether a local value may be computed at a later level, when it is read, rather than be stored.
 */
bool plan_may_wait(const Plan *plan, TirId id);

/* Ends groups that are larger than a kernel may be; see split.c. */
void plan_split(Plan *plan);

/* values.c: what a value is to a plan (and plan_is_leaf, plan_is_view). */

/* The computed or stored value behind the views that are not stored themselves. */
TirId plan_root(const Plan *plan, TirId id);
/* Whether a value sums over instances of the domain it runs in. */
bool plan_sums_instances(const TirBlock *block, TirId id);
/* The domain whose instances the computation of `id` runs over. */
TirDomain plan_run_domain(const TirBlock *block, TirId id);
bool plan_is_barrier(WorkKind work);
/* Whether a local value reads its operand at other positions than its own. */
bool plan_reads_across(const TirNode *node);

Region plan_region(TirDomain domain);
/* What a region's offsets are multiplied with in the step at hand. */
uint64_t plan_units(const Plan *plan, Region region);
/* Bytes of a step's regions, and of what products pack beside them at once, where each has kernels
 * of its own that can. */
uint64_t plan_regions(const Plan *plan);
uint64_t plan_beside(const Plan *plan);
/* Whether a product's right operand stays packed through a walk over chunks: weights do. */
bool plan_keeps_packed(const Plan *plan, uint32_t call);
/* Bytes of a slot in its region, for each unit of its count. */
uint64_t plan_slot_bytes(const Plan *plan, uint32_t slot);
/* Bytes between what a task sums of a value and what it sums next. */
uint64_t plan_partial_bytes(const Plan *plan, TirId sum);
/* Fills plan->output; plan->work is known. */
void plan_outputs(Plan *plan);
/* Which slots hold bf16; see narrow.c. */
void plan_narrow(Plan *plan);
/* Whether the product that makes a value has kernels of its own, which read f32 and bf16 alike. */
bool plan_gemm_has_kernels(const Plan *plan, TirId value);
/* A new plan->buffer, with parameters, inputs and gradients in it. */
void plan_leaves(Plan *plan);
/* Gives every slot of the calls a buffer: plan->buffer, tables, region_size. What plan->buffer says
 * is chunked stays so. */
void plan_pack(Plan *plan);

/* Who packs the operands of products. */
void plan_explain_packing(const Plan *plan, const SourceSet *sources, FILE *to);

#endif
