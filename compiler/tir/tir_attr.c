/* Attributes as a table: what may be asked of any of them without knowing which it is. */
#include "tir/tir_attr.h"
#include <stddef.h>
#include <string.h>

const TirAttrRow tir_attr_rows[TIR_ATTR_COUNT] = {
#define ATTR(field, declaration, notation, word, low, high)                                        \
    {word, TIR_NOTATION_##notation, offsetof(TirAttr, field), sizeof((TirAttr){0}.field), low,     \
     high},
#include "tir/tir_attrs.def"
};

uint32_t tir_op_attrs(TirOp op) {
    enum {
        none,
#define ATTR(field, ...) field = 1u << TIR_ATTR_##field,
#include "tir/tir_attrs.def"
    };
    static const uint32_t sets[] = {
#define OP(ident, text, arity, class, dependence, price, traits, attributes) attributes,
#include "tir/tir_ops.def"
    };
    return sets[op];
}

uint32_t tir_attr_bytes(uint8_t *to, const TirAttr *a) {
    uint32_t n = 0;
#define ATTR(field, ...)                                                                           \
    memcpy(to + n, &a->field, sizeof a->field);                                                    \
    n += (uint32_t)sizeof a->field;
#define ATTR_FAR(field, ...)
#include "tir/tir_attrs.def"
    return n;
}

bool tir_attr_is_of_op(const TirAttr *a, TirOp op) {
    static const uint8_t zero[sizeof(TirAttr)];
    const uint32_t has = tir_op_attrs(op);
    /* Written out field by field: of every value after every pass, so sizes must be constants. */
#define ATTR(field, ...)                                                                           \
    if (!(has >> TIR_ATTR_##field & 1) && memcmp(&a->field, zero, sizeof a->field) != 0)           \
        return false;
#include "tir/tir_attrs.def"
    return true;
}
