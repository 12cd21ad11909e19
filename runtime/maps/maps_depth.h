/* What maps of sites make of a whole trunk: how much goes from layer to layer, and how large
 * streams may become on the way. Of maps that depend on the position these are products of their
 * means. */
#ifndef HC_MAPS_DEPTH_H
#define HC_MAPS_DEPTH_H

#include "runtime/maps/maps.h"

/* The largest sum of absolute entries of a map: of a destination (forward: what its value may be
 * times those of the sources), and of a source (backward: so for its gradient). */
typedef struct {
    double forward, backward;
} HcGain;

/* Of one trunk. NaN: a map that it takes is missing. */
typedef struct {
    int32_t first, n_sites; /* of the maps' sites */
    HcGain *own;            /* by site: of its mixing map alone; */
    HcGain *composite;      /* of the product of mixing maps from it on to the trunk's end */
    /* The unfolded trunk, [n_sites + 1][n_sites + 1]: how much of a source is in what a site reads
     * (row k), and in what the trunk gives (the last row), both without their norms. Source 0 is
     * what the trunk is given, source k + 1 the result of site k; 0 where it comes later. A mean,
     * where a site reads several values or has several branches, or features go in parts. */
    double *unfolded;
} HcDepth;

typedef struct {
    HcDepth *trunks;
    int32_t n_trunks;
} HcDepths;

/* False: out of memory. */
bool hc_depths_of(const HcMaps *maps, HcDepths *depths);
void hc_depths_free(HcDepths *depths);
/* For people and as JSON, trunk by trunk. */
bool hc_depths_print(const HcMaps *maps, const HcDepths *depths, FILE *to);
json_t *hc_depths_json(const HcMaps *maps, const HcDepths *depths);

#endif
