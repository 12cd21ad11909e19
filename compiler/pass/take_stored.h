/* What reads far and wide through a table of indices, from memory. */
#ifndef HCC_PASS_TAKE_STORED_H
#define HCC_PASS_TAKE_STORED_H

#include "tir/tir.h"

/* The same as the value `id`: a GATHER where it is a TAKE through a table that is long and no few
 * runs of arithmetic, else itself. */
TirId take_stored(TirBuilder *b, TirId id);

#endif
