/* Types, domains and the ops table's plain columns. */
#include "tir/tir_internal.h"

static const char *const op_names[] = {
#define OP(ident, text, ...) text,
#include "tir/tir_ops.def"
};

static const int8_t op_arities[] = {
#define OP(ident, text, arity, ...) arity,
#include "tir/tir_ops.def"
};

static const uint8_t op_classes[] = {
#define OP(ident, text, arity, class, ...) TIR_CLASS_##class,
#include "tir/tir_ops.def"
};

static const uint8_t op_prices[] = {
#define OP(ident, text, arity, class, dependence, price, ...) TIR_PRICE_##price,
#include "tir/tir_ops.def"
};

const char *tir_op_name(TirOp op) {
    return op_names[op];
}

int tir_op_arity(TirOp op) {
    return op_arities[op];
}

TirOpClass tir_op_class(TirOp op) {
    return (TirOpClass)op_classes[op];
}

TirPrice tir_op_price(TirOp op) {
    return (TirPrice)op_prices[op];
}

/* A bit a trait; the names are those of the table. */
enum { none = 0, stored = 1, through = 2, stops = 4, sums = 8, commutes = 16, rounds = 32 };

static const uint8_t op_traits[] = {
#define OP(ident, text, arity, class, dependence, price, traits, ...) traits,
#include "tir/tir_ops.def"
};

#define TRAIT(name)                                                                                \
    bool tir_op_##name(TirOp op) {                                                                 \
        return op_traits[op] & name;                                                               \
    }
TRAIT(stored)
TRAIT(through)
TRAIT(stops)
TRAIT(sums)
TRAIT(commutes)
TRAIT(rounds)

uint64_t tir_element_count(const TirType *type) {
    uint64_t count = 1;
    for (uint32_t k = 0; k < type->rank; k++)
        count *= type->dims[k];
    return count;
}

int64_t tir_shift_distance(const TirSpace *space, const int32_t offset[2]) {
    return space->rank == 2 ? (int64_t)offset[0] * space->extents[1] + offset[1] : offset[0];
}

bool tir_domain_equal(TirDomain a, TirDomain b) {
    return a.sample == b.sample && a.space == b.space;
}

bool tir_domain_outer(TirDomain a, TirDomain b) {
    return (!a.sample || b.sample) && (!a.space || a.space == b.space);
}

bool tir_domain_join(TirDomain a, TirDomain b, TirDomain *joined) {
    if (a.space && b.space && a.space != b.space)
        return false;
    *joined = (TirDomain){a.sample || b.sample, a.space ? a.space : b.space};
    return true;
}

TirDomain tir_domain_meet(TirDomain a, TirDomain b) {
    return (TirDomain){a.sample && b.sample, a.space == b.space ? a.space : 0};
}

TirDomain tir_domain_minus(TirDomain a, TirDomain b) {
    return (TirDomain){a.sample && !b.sample, a.space == b.space ? 0 : a.space};
}

bool tir_shape_equal(const TirType *a, const TirType *b) {
    if (a->rank != b->rank)
        return false;
    for (uint32_t k = 0; k < a->rank; k++)
        if (a->dims[k] != b->dims[k])
            return false;
    return true;
}

bool tir_type_equal(const TirType *a, const TirType *b) {
    return a->elem == b->elem && tir_domain_equal(a->domain, b->domain) && tir_shape_equal(a, b);
}

const char *tir_type_text(Arena *arena, const TirType *type) {
    static const char *const elems[] = {"real", "int", "bool", "tuple"};
    char dims[TIR_MAX_RANK * 11 + 1];
    size_t at = 0;
    dims[0] = 0;
    for (uint32_t k = 0; k < type->rank && k < TIR_MAX_RANK; k++)
        at += (size_t)snprintf(dims + at, sizeof dims - at, "%s%u", k ? "," : "", type->dims[k]);
    const TirDomain d = type->domain;
    if (d.space)
        return arena_printf(arena, "%s[%s]@%s%u", elems[type->elem], dims,
                            d.sample ? "pos" : "time", d.space);
    return arena_printf(arena, "%s[%s]%s", elems[type->elem], dims, d.sample ? "@sample" : "");
}

bool tir_comes_with_gradients(TirOutputRole role) {
    return role == TIR_OUT_GRAD || role == TIR_OUT_INPUT_GRAD || role == TIR_OUT_UPDATE;
}

TirId tir_storage(const TirBlock *block, TirId id) {
    for (;;) {
        const TirNode *node = tir_node(block, id);
        if (node->op != TIR_RESHAPE)
            return id;
        id = node->operands[0];
    }
}
