/* What commands that work on runs have in common. */
#ifndef HCC_DRIVER_TRAINED_H
#define HCC_DRIVER_TRAINED_H

#include "driver/pipeline.h"
#include "runtime/hc.h"

/* Where the files that a train block names are looked for: beside the .hc file. NULL: where we are,
 * also if that is the same. */
const char *trained_data_folder(Driver *d);
/* What a new run remembers, so that its model can be compiled again: joins its config.json. */
const char *trained_config(Driver *d);
/* Compiles the model of a run folder again, from the text and settings in its config.json. maps:
 * its program of maps (pass/maps.h) instead of itself. */
ExitCode trained_load(Driver *d, const char *folder, bool maps, LoadedModel *loaded);

#endif
