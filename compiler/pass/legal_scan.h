#ifndef HCC_PASS_LEGAL_SCAN_H
#define HCC_PASS_LEGAL_SCAN_H

#include "pass/vjp.h"

/* The SCAN `node` with new operands, and without tables in its body. */
TirId legal_scan(TirBuilder *b, const TirNode *node, const TirId *operands);

#endif
