/* A part of a network as a program of its own, whose caller gives some values and gets others. */
#ifndef HCC_PASS_CUT_H
#define HCC_PASS_CUT_H

#include "sema/network.h"

typedef struct {
    const char *name; /* of the program's input, or result */
    TirId value;      /* of the network's program */
    bool apart;       /* a list of vectors: an input or result for every one, NAME.K */
    bool grows;       /* so is this; what a given entry stays is no result */
    bool beside;      /* given: its gradient by ways outside the program is given, too, and added */
} CutValue;
typedef VEC(CutValue) CutValueList;

/* Parameters below `path` are called by what follows it, after `instead`. */
typedef struct {
    const char *path, *instead;
} CutNaming;

typedef struct {
    CutValueList given, results;
    CutNaming naming[2];
    uint32_t n_naming;
} Cut;

/* requires   a network before its gradient; given and result values are real or whole numbers
 * maintains  what is computed of what
 * changes    the network's program is another: its inputs are the given values, and those of the
 *            network's inputs that results still need; its outputs are the results; its parameters
 *            are those that results need. Arguments that stand for other values
 *            (SemaOptions.apart) are these again, where they are not given. What data would fill
 *            the network's inputs is forgotten. */
void pass_cut(Network *network, const Cut *cut);

/* For every real result an input for its gradient, where there is none yet. */
void pass_upstream(TirProgram *p);

/* Values that a site's write needs of what its read has computed, in order: those that are small,
 * or too dear to be made again of the states; `states` and `results` are arguments of the block. */
TirIdVec pass_kept(const Network *network, const SiteInfo *info, Arena *arena);
/* Values of the last site that the trunk's end needs besides the states as they are then. */
TirIdVec pass_kept_to_end(const Network *network, const SiteInfo *info, Arena *arena);

#endif
