#ifndef HCC_PASS_LEGAL_SCAN_H
#define HCC_PASS_LEGAL_SCAN_H

#include "pass/vjp.h"

/* Value `scan` of `from`, a SCAN, with new operands, and without tables in its body. */
TirId legal_scan(TirBuilder *b, const TirBlock *from, TirId scan, const TirId *operands);

#endif
