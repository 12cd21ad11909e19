/* Maps without names: what each site of a network reads, mixes and writes of its streams. */
#ifndef HCC_PASS_MAPS_H
#define HCC_PASS_MAPS_H

#include "sema/network.h"

/* Of a network as SemaOptions.maps gives it: adds the maps of its sites, and what else is known of
 * their streams, to the outputs of its program, which is another one afterwards; fills
 * network->maps. See maps.c. */
void pass_maps(Network *network);

#endif
