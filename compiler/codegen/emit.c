/* The thin layer over LLVM's builder; see emit.h. */
#include "codegen/emit.h"
#include <string.h>

LLVMTypeRef emit_type(const Emit *e, NestType type) {
    LLVMTypeRef elem = e->elem[type.elem];
    return type.lanes == 1 ? elem : LLVMVectorType(elem, type.lanes);
}

static LLVMValueRef emit_constant_splat(LLVMValueRef x, uint16_t lanes) {
    if (lanes == 1)
        return x;
    LLVMValueRef list[256];
    for (uint32_t k = 0; k < lanes; k++)
        list[k] = x;
    return LLVMConstVector(list, lanes);
}

LLVMValueRef emit_real(const Emit *e, NestType type, double x) {
    return emit_constant_splat(LLVMConstReal(e->elem[type.elem], x), type.lanes);
}

LLVMValueRef emit_integer(const Emit *e, NestType type, int64_t x) {
    return emit_constant_splat(LLVMConstInt(e->elem[type.elem], (unsigned long long)x, true),
                               type.lanes);
}

LLVMValueRef emit_index(const Emit *e, int64_t x) {
    return LLVMConstInt(e->elem[NEST_I64], (unsigned long long)x, true);
}

LLVMValueRef emit_lanes(const Emit *e, uint16_t lanes) {
    LLVMValueRef list[256];
    for (uint32_t k = 0; k < lanes; k++)
        list[k] = LLVMConstInt(e->elem[NEST_I32], k, false);
    return lanes == 1 ? list[0] : LLVMConstVector(list, lanes);
}

static LLVMValueRef emit_shuffle(Emit *e, LLVMValueRef x, LLVMValueRef y, uint32_t lanes,
                                 uint32_t first, uint32_t step) {
    LLVMValueRef mask[256];
    for (uint32_t k = 0; k < lanes; k++)
        mask[k] = LLVMConstInt(e->elem[NEST_I32], first + k * step, false);
    return LLVMBuildShuffleVector(e->builder, x, y, LLVMConstVector(mask, lanes), "");
}

LLVMValueRef emit_splat(Emit *e, uint16_t lanes, LLVMValueRef x) {
    if (lanes == 1)
        return x;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(x), lanes);
    LLVMValueRef one = LLVMBuildInsertElement(e->builder, LLVMGetPoison(type), x,
                                              LLVMConstInt(e->elem[NEST_I32], 0, false), "");
    return emit_shuffle(e, one, LLVMGetPoison(type), lanes, 0, 0);
}

LLVMValueRef emit_half(Emit *e, LLVMValueRef x, uint16_t lanes, bool upper) {
    uint32_t half = lanes / 2;
    if (half == 1)
        return emit_lane(e, x, upper);
    return emit_shuffle(e, x, LLVMGetPoison(LLVMTypeOf(x)), half, upper ? half : 0, 1);
}

LLVMValueRef emit_lane(Emit *e, LLVMValueRef x, uint32_t lane) {
    return LLVMBuildExtractElement(e->builder, x, LLVMConstInt(e->elem[NEST_I32], lane, false), "");
}

LLVMValueRef emit_intrinsic(Emit *e, const char *name, LLVMTypeRef overload, LLVMTypeRef other,
                            LLVMValueRef *arguments, uint32_t n) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef types[2] = {overload, other};
    size_t n_types = overload ? (other ? 2 : 1) : 0;
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, types, n_types);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, types, n_types);
    return LLVMBuildCall2(e->builder, type, function, arguments, n, "");
}

LLVMValueRef emit_contract(LLVMValueRef x) {
    if (LLVMIsAInstruction(x) && LLVMCanValueUseFastMathFlags(x))
        LLVMSetFastMathFlags(x, LLVMFastMathAllowContract);
    return x;
}

LLVMBasicBlockRef emit_block(Emit *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

LLVMAttributeRef emit_attribute(const Emit *e, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    return LLVMCreateEnumAttribute(e->context, kind, 0);
}

static void emit_string_attribute(const Emit *e, LLVMValueRef function, const char *key,
                                  const char *value) {
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(e->context, key, (unsigned)strlen(key),
                                                           value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

void emit_function_attributes(const Emit *e, LLVMValueRef function) {
    const LLVMAttributeIndex whole = (LLVMAttributeIndex)LLVMAttributeFunctionIndex;
    LLVMAddAttributeAtIndex(function, whole, emit_attribute(e, "nounwind"));
    const CodegenSanitizer sanitizer = e->target->sanitizer;
    if (sanitizer != SANITIZER_NONE)
        LLVMAddAttributeAtIndex(function, whole,
                                emit_attribute(e, sanitizer == SANITIZER_THREAD
                                                      ? "sanitize_thread"
                                                      : "sanitize_address"));
    emit_string_attribute(e, function, "target-cpu", e->target->llvm_cpu);
    emit_string_attribute(e, function, "target-features", e->target->llvm_features);
    emit_string_attribute(e, function, "frame-pointer", "none");
    emit_string_attribute(e, function, "no-trapping-math", "true");
    char width[16];
    snprintf(width, sizeof width, "%u", e->target->vector_bytes * 8);
    emit_string_attribute(e, function, "prefer-vector-width", width);
}

/* --- arithmetic on one type --------------------------------------------------------------------*/

Math math_of(Emit *e, NestType type) {
    NestType integer = {type.elem == NEST_F32 ? NEST_I32 : NEST_I64, type.lanes};
    return (Math){e, type, integer};
}

LLVMValueRef math_const(const Math *m, double x) {
    return emit_real(m->e, m->type, x);
}
LLVMValueRef math_add(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFAdd(m->e->builder, x, y, "");
}
LLVMValueRef math_sub(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFSub(m->e->builder, x, y, "");
}
LLVMValueRef math_mul(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFMul(m->e->builder, x, y, "");
}
LLVMValueRef math_div(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFDiv(m->e->builder, x, y, "");
}
LLVMValueRef math_neg(const Math *m, LLVMValueRef x) {
    return LLVMBuildFNeg(m->e->builder, x, "");
}

LLVMValueRef math_fma(const Math *m, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    if (!m->e->target->fma)
        return math_add(m, math_mul(m, x, y), z);
    return emit_intrinsic(m->e, "llvm.fma", emit_type(m->e, m->type), NULL,
                          (LLVMValueRef[]){x, y, z}, 3);
}

LLVMValueRef math_abs(const Math *m, LLVMValueRef x) {
    return emit_intrinsic(m->e, "llvm.fabs", emit_type(m->e, m->type), NULL, &x, 1);
}

LLVMValueRef math_floor(const Math *m, LLVMValueRef x) {
    return emit_intrinsic(m->e, "llvm.floor", emit_type(m->e, m->type), NULL, &x, 1);
}

LLVMValueRef math_copysign(const Math *m, LLVMValueRef magnitude, LLVMValueRef sign) {
    return emit_intrinsic(m->e, "llvm.copysign", emit_type(m->e, m->type), NULL,
                          (LLVMValueRef[]){magnitude, sign}, 2);
}

LLVMValueRef math_less(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildFCmp(m->e->builder, LLVMRealOLT, x, y, "");
}

LLVMValueRef math_select(const Math *m, LLVMValueRef condition, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildSelect(m->e->builder, condition, x, y, "");
}

LLVMValueRef math_at_most(const Math *m, LLVMValueRef x, double most) {
    LLVMValueRef bound = math_const(m, most);
    return math_select(m, math_less(m, bound, x), bound, x);
}

LLVMValueRef math_at_least(const Math *m, LLVMValueRef x, double least) {
    LLVMValueRef bound = math_const(m, least);
    return math_select(m, math_less(m, x, bound), bound, x);
}

LLVMValueRef math_bits(const Math *m, LLVMValueRef x) {
    return LLVMBuildBitCast(m->e->builder, x, emit_type(m->e, m->integer), "");
}

LLVMValueRef math_from_bits(const Math *m, LLVMValueRef x) {
    return LLVMBuildBitCast(m->e->builder, x, emit_type(m->e, m->type), "");
}

/* By halves (Estrin's scheme): a chain of one multiplication after the other would have a processor
 * wait, as it looks ahead for fewer instructions than it could run meanwhile. */
LLVMValueRef math_polynomial(const Math *m, LLVMValueRef x, const double *c, uint32_t n) {
    enum { MOST = 32 };
    LLVMValueRef part[MOST];
    for (uint32_t k = 0; k < n; k++)
        part[k] = math_const(m, c[k]);
    for (LLVMValueRef power = x;; power = math_mul(m, power, power)) {
        for (uint32_t k = 0; 2 * k < n; k++)
            part[k] =
                2 * k + 1 < n ? math_fma(m, part[2 * k + 1], power, part[2 * k]) : part[2 * k];
        n = (n + 1) / 2;
        if (n == 1)
            return part[0];
    }
}

/* Adding 1.5 * 2^(mantissa bits) rounds to an integer and leaves it in the low bits; unlike a
 * conversion this is defined for NaN, too. */
LLVMValueRef math_round(const Math *m, LLVMValueRef x, double scale, LLVMValueRef *bits) {
    LLVMValueRef magic = math_const(m, m->type.elem == NEST_F32 ? 0x1.8p23 : 0x1.8p52);
    LLVMValueRef shifted = math_fma(m, x, math_const(m, scale), magic);
    *bits = LLVMBuildSub(m->e->builder, math_bits(m, shifted), math_bits(m, magic), "");
    return math_sub(m, shifted, magic);
}
