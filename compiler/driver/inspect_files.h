/* Maps as files of their own: arrays for NumPy, and pictures. */
#ifndef HCC_DRIVER_INSPECT_FILES_H
#define HCC_DRIVER_INSPECT_FILES_H

#include "driver/driver.h"
#include "runtime/maps/maps_depth.h"

/* What was found, and of which sites: those that the pattern (or NULL) names; `depths`, of all
 * sites, may be NULL. */
typedef struct {
    const HcMaps *maps;
    const HcDepths *depths;
    const char *pattern;
} InspectMaps;

/* Into a folder, made if it is missing: SITE.KIND.npy and SITE.KIND.deviation.npy, and of every
 * trunk unfolded.K.npy, composite.K.npy. Of doubles, [destination, source]. */
ExitCode inspect_write_npy(Driver *d, const InspectMaps *found, const char *folder);
/* SITE.svg, its maps one below the other, and unfolded.K.svg. */
ExitCode inspect_write_svg(Driver *d, const InspectMaps *found, const char *folder);

#endif
