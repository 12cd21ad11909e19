/* Attributes as a table (tir_attrs.def): what hashes, compares, prints and reads them goes through
 * its rows, so that none can forget one. */
#ifndef HCC_TIR_ATTR_H
#define HCC_TIR_ATTR_H

#include "tir/tir.h"

typedef enum {
#define ATTR(field, ...) TIR_ATTR_##field,
#include "tir/tir_attrs.def"
    TIR_ATTR_COUNT
} TirAttrId;

/* How an attribute is written; see tir_attrs.def. */
typedef enum {
    TIR_NOTATION_WHOLE,
    TIR_NOTATION_AXIS,
    TIR_NOTATION_NUMBER,
    TIR_NOTATION_FLAG,
    TIR_NOTATION_DOMAIN,
    TIR_NOTATION_AXES,
    TIR_NOTATION_MASK,
    TIR_NOTATION_LABELS,
    TIR_NOTATION_OFFSET,
    TIR_NOTATION_INDICES,
    TIR_NOTATION_BODY
} TirNotation;

typedef struct {
    const char *word;
    TirNotation notation;
    uint32_t offset, size; /* in TirAttr */
    int64_t low, high;
} TirAttrRow;

extern const TirAttrRow tir_attr_rows[TIR_ATTR_COUNT];

static inline const void *tir_attr_at(const TirAttr *a, const TirAttrRow *row) {
    return (const char *)a + row->offset;
}
static inline void *tir_attr_place(TirAttr *a, const TirAttrRow *row) {
    return (char *)a + row->offset;
}

/* Which attributes the op has: bit k is row k. */
uint32_t tir_op_attrs(TirOp op);
/* Whether it has no others. */
bool tir_attr_is_of_op(const TirAttr *a, TirOp op);

/* The attributes' bytes, at most sizeof(TirAttr), without gaps and but for what lies elsewhere
 * (indices, a loop's body); returns how many. */
uint32_t tir_attr_bytes(uint8_t *to, const TirAttr *a);

#endif
