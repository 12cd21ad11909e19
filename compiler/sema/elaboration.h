/* The elaboration under way: what all files of sema/ read and few change. */
#ifndef HCC_SEMA_ELABORATION_H
#define HCC_SEMA_ELABORATION_H

#include "sema/budget.h"
#include "sema/frame.h"
#include "sema/mode.h"
#include "sema/sema.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"

/* A block under construction; level 0 is the program's own. */
typedef struct {
    TirId outside, argument;
} LoopImport;
struct Loop {
    Loop *outer;
    uint32_t level;
    bool scans; /* a `scan`, not an `iterate` */
    TirBuilder builder;
    VEC(LoopImport) imports;
};

typedef struct {
    uint32_t param;
    bool doubled; /* which has been said */
    const void *call;
    Span span, used_at;
} Instance;

/* What a branch gave at a site. */
typedef struct {
    const char *name, *site; /* the definition's; the path of the site */
    const Item *connection;
    Span at;
    TirIdVec results;
    TirId after;   /* values from here on may use them */
    bool of_inner; /* the connection is around another, which may use them */
    bool lost;
} BranchUse;
typedef VEC(BranchUse) BranchUseList;

/* A state that a trunk's last connection does not keep, as it is then. */
typedef struct {
    TirId value;
    const char *name, *last; /* that connection's */
    Span declared;
} StateAside;
typedef VEC(StateAside) StateAsideList;

/* What the loss is a sum of: a statement, of all instances of its definition. */
typedef struct {
    const Stmt *stmt;
    const char *name;
    TirId sum, weight; /* weight: of a weighed loss, the sum of its weights; else 0 */
} LossTerm;

/* Words that mean something inside an instance. */
enum {
    WORD_SITE,
    WORD_SITES,
    WORD_BLOCK,
    WORD_BLOCKS,
    WORD_BRANCHES,
    WORD_BRANCH_INPUTS,
    WORD_HERE,
    WORD_IDENTITY,
    WORD_TRAINING,
    WORD_STEP,
    WORD_STEPS,
    WORD_COUNT
};

struct Sema {
    const char *words[WORD_COUNT]; /* interned */
    Compilation *c;
    Arena *arena;
    Diagnostics *d;
    const Ast *ast;
    const SemaOptions *options;
    Network *network;
    TirProgram *program;
    Loop *loop;
    Scope *library, *root;
    Scope *model_scope; /* where defaults look for a constant of the formal's name */
    Frame *frame;       /* the instance being elaborated, */
    Mode mode;          /* and how it is meant */
    Map *instances;     /* full parameter name -> Instance */
    Map *once;          /* probes, penalties and updates done: (place, statement) */
    Map *probes;        /* how many have a name */
    Map *constraints;   /* parameter index + 1 -> where it is held to one */
    Map *updates;       /* parameter index + 1 of a buffer -> its update */
    Map *random_calls;  /* calls of `random`, by path and place -> number */
    Map *usage;         /* span -> Usage */
    Map *used_items;    /* Item name pointer -> used */
    double *permutations[PERMUTATIONS_MOST + 1]; /* tables made already */
    BranchUseList branches;                      /* of all sites */
    StateAsideList aside;                        /* of all trunks */
    BuiltList built;                  /* which instance built which values of the program's block */
    Span causal[SEMA_MAX_SPACES + 1]; /* by space: where it is declared causal; file 0: it is not */
    TirIdVec penalties;
    VEC(LossTerm) losses, penalty_terms; /* as reports tell them apart */
    SiteValueList outputs;               /* of `output` statements, */
    bool has_outputs;                    /* if there are any, right or wrong */
    TirId loss, logits, loss_weight;
    uint32_t metrics;
    uint32_t trunks; /* in the model: one takes the name `trunk` */
    uint32_t next_serial;
    Spent spent;
    bool trial;         /* a definition nobody uses is being checked, */
    Trial tried;        /* with these extents */
    bool syntax_errors; /* what is missing may have been lost with them: said only without */
    bool muted;         /* the last error was not reported, nor are its notes */
    bool library_loaded;
    bool lacks_library; /* one that is named, and whatever it would have defined */
};

Sema *sema_create(Compilation *c, const Ast *ast, const SemaOptions *options);
/* A fresh program to elaborate into. */
void sema_enter_program(Sema *s);

#endif
