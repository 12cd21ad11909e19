#ifndef HCC_PASS_LEGAL_SCAN_H
#define HCC_PASS_LEGAL_SCAN_H

#include "pass/vjp.h"

/* Value `scan` of `from`, a SCAN, with new operands, and without tables in its body. */
TirId legal_scan(TirBuilder *b, const TirBlock *from, TirId scan, const TirId *operands);
/* The same with its operands mapped, its span and its name. */
TirId legal_scan_mapped(TirBuilder *b, const TirBlock *from, TirId scan, const TirId *map);

#endif
