/* What every run of a sweep is made with, and the command line of one. */
#ifndef HCC_DRIVER_SWEEP_WORDS_H
#define HCC_DRIVER_SWEEP_WORDS_H

#include "driver/sweep/grid.h"

typedef VEC(const char *) WordVec;

/* The options that are the same for all runs, by name: a text, or a list of texts. They are the
 * rows of options.def that name `each`. */
json_t *sweep_made(Driver *d, uint32_t threads);

/* `hcc train`, for a new run in `folder`, in place of what is there, or from its checkpoint on.
 * Ends with NULL. */
const char **sweep_train_words(Driver *d, const json_t *made, const SweepRun *run,
                               const char *folder, bool replace);
const char **sweep_resume_words(Driver *d, const json_t *made, const char *folder);

#endif
