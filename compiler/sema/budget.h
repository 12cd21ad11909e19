/* What a network may take: values, instances, steps, elements, entries of tables. */
#ifndef HCC_SEMA_BUDGET_H
#define HCC_SEMA_BUDGET_H

#include "abi/spaces.h"
#include "sema/value/value.h"

enum {
    SEMA_MAX_FRAMES = 64,  /* definitions that use each other */
    SEMA_MAX_DEPTH = 1200, /* expressions and calls inside each other */
    SEMA_MAX_VALUES = 5000000,
    SEMA_MAX_INSTANCES = 200000,
    PERMUTATIONS_MOST = 9,            /* 9! rows of 9 */
    SEMA_MAX_SPACES = HC_SPACES_MOST, /* of positions */
};
#define SEMA_MAX_STEPS 200000000u
#define SEMA_MAX_ELEMENTS ((uint64_t)1 << 40) /* of a tensor */
#define SEMA_MAX_POSITIONS (1u << 30)         /* of a space */
#define NUMERIC_LARGEST (1u << 24)            /* entries of a table evaluated here, */
#define NUMERIC_REDUCED (1u << 20)            /* of one that is reduced to a number, */
#define NUMERIC_TOTAL (1u << 27)              /* and of all of them together */

/* What elaboration has made and taken. */
typedef struct {
    uint64_t values, instances, steps;
    uint64_t table_entries;
    uint64_t decisions;     /* conditions and counts met that may differ in a loop's next turn */
    uint32_t depth;         /* of expressions and calls at the moment */
    bool gave_up, too_deep; /* which has been said */
} Spent;

/* One step, value or instance more; false when it is one too many, which is then an error. */
bool budget_step(Sema *s, Span at);
bool budget_value(Sema *s, Span at);
bool budget_instance(Sema *s, Span at);
/* Goes into an expression; false, with an error, when they nest too deeply. */
bool budget_descend(Sema *s, Span at);
void budget_ascend(Sema *s);
/* How many elements a tensor has; false, with an error, when it is too large. */
bool budget_elements(Sema *s, uint32_t rank, const uint32_t *dims, Span span, uint64_t *count);
/* Room for a table of `count` entries; NULL after an error. */
double *budget_table(Sema *s, uint64_t count, Span span);
/* Whether one definition more may be used inside those that are active. */
bool budget_frames(Sema *s, const Item *item, Span at);

/* Whether what is left, `left` times what has been done since `before`, is too much, which is then
 * an error. That was the second time: the first may have found what later ones find ready. */
bool budget_rest_exceeds(Sema *s, Span span, Spent before, uint64_t left, const char *each_is,
                         const char *help);

#endif
