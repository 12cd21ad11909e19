/* What a sweep varies, and the runs that come of it: every combination of values, with every seed.
 * A run is known by its name, which is made of its values and its seed alone, so that a grid may
 * grow and the runs that are there stay what they are. */
#ifndef HCC_DRIVER_SWEEP_GRID_H
#define HCC_DRIVER_SWEEP_GRID_H

#include "driver/driver.h"

typedef struct {
    const char *name; /* as --set takes it */
    VEC(const char *) values;
} SweepAxis;

typedef struct {
    const char *name;             /* of its folder: "wiring=mhc,train.lr=1e-3,seed=2" */
    const char *const *settings;  /* "NAME=VALUE", one of each axis */
    const char *const *constants; /* those of them that are not of the recipe */
    uint32_t n_settings, n_constants;
    uint64_t seed;
} SweepRun;

typedef struct {
    VEC(SweepAxis) axes;
    VEC(uint64_t) seeds;
    VEC(SweepRun) runs; /* all of a seed before the next, so that what is first done is a whole */
} SweepGrid;

/* Of --vary, --vary-from, --seeds and --seed. Says what is wrong, EXIT_USAGE. */
ExitCode sweep_grid(Driver *d, SweepGrid *grid);

#endif
