/* Loads and stores: contiguous, masked by a count of valid lanes, strided, past the cache.
 *
 * Nothing but element alignment is assumed, except by nontemporal stores, whose address the nest
 * promises to be aligned to the vector (at most 64 bytes). */
#include "codegen/emit.h"

static LLVMValueRef emit_address(Emit *e, const EmitBuffer *buffer, LLVMValueRef index) {
    return LLVMBuildInBoundsGEP2(e->builder, e->elem[buffer->elem], buffer->base, &index, 1, "");
}

static LLVMValueRef emit_plain_load(Emit *e, const EmitBuffer *buffer, LLVMValueRef at,
                                    uint16_t lanes) {
    LLVMValueRef load =
        LLVMBuildLoad2(e->builder, emit_type(e, (NestType){buffer->elem, lanes}), at, "");
    LLVMSetAlignment(load, nest_elem_bytes(buffer->elem));
    return load;
}

/* lane < valid, for each lane. */
static LLVMValueRef emit_mask(Emit *e, uint16_t lanes, LLVMValueRef valid) {
    LLVMBuilderRef b = e->builder;
    LLVMValueRef most = emit_index(e, lanes);
    LLVMValueRef clipped =
        LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, valid, most, ""), valid, most, "");
    LLVMValueRef zero = emit_index(e, 0);
    clipped =
        LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, clipped, zero, ""), zero, clipped, "");
    LLVMValueRef narrow = LLVMBuildTrunc(b, clipped, e->elem[NEST_I32], "");
    return LLVMBuildICmp(b, LLVMIntSLT, emit_lanes(e, lanes), emit_splat(e, lanes, narrow), "");
}

/* llvm.masked.load or .gather: zero where a lane is not valid. */
static LLVMValueRef emit_masked(Emit *e, const char *intrinsic, const EmitBuffer *buffer,
                                LLVMValueRef at, uint16_t lanes, LLVMValueRef valid) {
    LLVMTypeRef type = emit_type(e, (NestType){buffer->elem, lanes});
    LLVMValueRef arguments[4];
    uint32_t n = 0;
    arguments[n++] = at;
    if (COMPAT_MASKED_ALIGNMENT_IS_ARGUMENT)
        arguments[n++] = LLVMConstInt(e->elem[NEST_I32], nest_elem_bytes(buffer->elem), false);
    arguments[n++] = emit_mask(e, lanes, valid);
    arguments[n++] = LLVMConstNull(type);
    return emit_intrinsic(e, intrinsic, type, LLVMTypeOf(at), arguments, n);
}

/* One element, or zero read from a cell of our own when `lane` is not valid. */
static LLVMValueRef emit_guarded_load(Emit *e, const EmitBuffer *buffer, LLVMValueRef index,
                                      LLVMValueRef valid, uint32_t lane) {
    LLVMBuilderRef b = e->builder;
    LLVMValueRef at = emit_address(e, buffer, index);
    if (valid) {
        LLVMValueRef good = LLVMBuildICmp(b, LLVMIntSLT, emit_index(e, lane), valid, "");
        at = LLVMBuildSelect(b, good, at, e->zero_cell, "");
    }
    LLVMValueRef load = emit_plain_load(e, buffer, at, 1);
    return load;
}

/* In one instruction: AVX-512 has it with a mask. Addresses are constants behind the first one. */
static LLVMValueRef emit_masked_gather(Emit *e, const EmitBuffer *buffer, LLVMValueRef index,
                                       uint16_t lanes, int64_t stride, LLVMValueRef valid) {
    LLVMValueRef apart[256];
    for (uint32_t k = 0; k < lanes; k++)
        apart[k] = emit_index(e, stride * (int64_t)k);
    LLVMValueRef places = LLVMConstVector(apart, lanes);
    LLVMValueRef all = LLVMBuildGEP2(e->builder, e->elem[buffer->elem],
                                     emit_address(e, buffer, index), &places, 1, "");
    return emit_masked(e, "llvm.masked.gather", buffer, all, lanes, valid);
}

static LLVMValueRef emit_gathered(Emit *e, const EmitBuffer *buffer, LLVMValueRef index,
                                  uint16_t lanes, int64_t stride, LLVMValueRef valid) {
    LLVMBuilderRef b = e->builder;
    LLVMValueRef all = LLVMGetPoison(emit_type(e, (NestType){buffer->elem, lanes}));
    for (uint32_t k = 0; k < lanes; k++) {
        LLVMValueRef at = LLVMBuildAdd(b, index, emit_index(e, stride * (int64_t)k), "");
        LLVMValueRef one = emit_guarded_load(e, buffer, at, valid, k);
        all = LLVMBuildInsertElement(b, all, one, LLVMConstInt(e->elem[NEST_I32], k, false), "");
    }
    return all;
}

/* Small strides: the whole span in `stride` vectors (the last ends where the span does, so nothing
 * beyond is read), picked apart by shuffles. */
static LLVMValueRef emit_deinterleaved(Emit *e, const EmitBuffer *buffer, LLVMValueRef index,
                                       uint16_t lanes, int64_t stride) {
    LLVMBuilderRef b = e->builder;
    uint32_t span = (uint32_t)(lanes - 1) * (uint32_t)stride + 1;
    LLVMValueRef all = NULL;
    for (uint32_t piece = 0; piece < (uint32_t)stride; piece++) {
        uint32_t begin = piece * lanes, first = begin;
        if (begin + lanes > span)
            first = span - lanes;
        LLVMValueRef at = LLVMBuildAdd(b, index, emit_index(e, first), "");
        LLVMValueRef part = emit_plain_load(e, buffer, emit_address(e, buffer, at), lanes);
        LLVMValueRef mask[256];
        for (uint32_t k = 0; k < lanes; k++) {
            uint32_t element = k * (uint32_t)stride;
            bool here = element >= begin && element < begin + lanes;
            mask[k] = LLVMConstInt(e->elem[NEST_I32], here ? lanes + element - first : k, false);
        }
        if (!all)
            all = LLVMGetPoison(LLVMTypeOf(part));
        all = LLVMBuildShuffleVector(b, all, part, LLVMConstVector(mask, lanes), "");
    }
    return all;
}

/* The same shuffle in each group of four lanes: `pattern` counts the group's lanes of x, then y's.
 */
static LLVMValueRef emit_in_fours(Emit *e, LLVMValueRef x, LLVMValueRef y, uint16_t lanes,
                                  const uint8_t pattern[4]) {
    LLVMValueRef mask[256];
    for (uint32_t k = 0; k < lanes; k++) {
        uint32_t from = pattern[k % 4];
        uint32_t element = (from >= 4 ? lanes : 0u) + k / 4 * 4 + from % 4;
        mask[k] = LLVMConstInt(e->elem[NEST_I32], element, false);
    }
    return LLVMBuildShuffleVector(e->builder, x, y, LLVMConstVector(mask, lanes), "");
}

/* Both vectors, one behind the other. */
static LLVMValueRef emit_joined(Emit *e, LLVMValueRef x, LLVMValueRef y, uint32_t lanes) {
    LLVMValueRef mask[256];
    for (uint32_t k = 0; k < 2 * lanes; k++)
        mask[k] = LLVMConstInt(e->elem[NEST_I32], k, false);
    return LLVMBuildShuffleVector(e->builder, x, y, LLVMConstVector(mask, 2 * lanes), "");
}

/* Element `part` of each of `lanes` groups of four, `stride` apart: as one of four columns of
 * blocks of four by four, which shuffles within four lanes transpose. Loads of the other columns
 * find the most of it done. */
static LLVMValueRef emit_transposed(Emit *e, const EmitBuffer *buffer, LLVMValueRef index,
                                    uint16_t lanes, int64_t stride, uint32_t part) {
    LLVMValueRef row[4];
    for (uint32_t r = 0; r < 4; r++) {
        LLVMValueRef joined[64];
        for (uint32_t q = 0; q < lanes / 4u; q++) {
            LLVMValueRef at =
                LLVMBuildAdd(e->builder, index, emit_index(e, stride * (int64_t)(4 * q + r)), "");
            joined[q] = emit_plain_load(e, buffer, emit_address(e, buffer, at), 4);
        }
        for (uint32_t n = lanes / 4u, width = 4; n > 1; n /= 2, width *= 2)
            for (uint32_t q = 0; q < n / 2; q++)
                joined[q] = emit_joined(e, joined[2 * q], joined[2 * q + 1], width);
        row[r] = joined[0];
    }
    static const uint8_t halves[2][4] = {{0, 4, 1, 5}, {2, 6, 3, 7}};
    static const uint8_t pairs[2][4] = {{0, 1, 4, 5}, {2, 3, 6, 7}};
    LLVMValueRef first = emit_in_fours(e, row[0], row[1], lanes, halves[part / 2]);
    LLVMValueRef second = emit_in_fours(e, row[2], row[3], lanes, halves[part / 2]);
    return emit_in_fours(e, first, second, lanes, pairs[part % 2]);
}

LLVMValueRef emit_load_column(Emit *e, const EmitBuffer *buffer, LLVMValueRef index, uint32_t part,
                              uint16_t lanes, int64_t stride) {
    bool spread = stride > 4 || !e->target->avx512; /* else it has shuffles of two vectors */
    if (nest_elem_bytes(buffer->elem) == 4 && lanes >= 4 && spread && !e->target->sanitizer)
        return emit_transposed(e, buffer, index, lanes, stride, part);
    LLVMValueRef at = LLVMBuildNSWAdd(e->builder, index, emit_index(e, part), "");
    return emit_load(e, buffer, at, lanes, stride, NULL);
}

static LLVMValueRef emit_elements(Emit *e, const EmitBuffer *buffer, LLVMValueRef index,
                                  uint16_t lanes, int64_t stride, LLVMValueRef valid) {
    if (lanes == 1)
        return emit_guarded_load(e, buffer, index, valid, 0);
    if (stride == 1) {
        LLVMValueRef at = emit_address(e, buffer, index);
        return valid ? emit_masked(e, "llvm.masked.load", buffer, at, lanes, valid)
                     : emit_plain_load(e, buffer, at, lanes);
    }
    if (!valid && stride >= 2 && stride <= 4 && lanes >= 4)
        return emit_deinterleaved(e, buffer, index, lanes, stride);
    const bool gathers = e->target->avx512 && nest_elem_bytes(buffer->elem) >= 4;
    if (valid && lanes >= 8 && gathers && !e->target->sanitizer)
        return emit_masked_gather(e, buffer, index, lanes, stride, valid);
    return emit_gathered(e, buffer, index, lanes, stride, valid);
}

LLVMValueRef emit_load(Emit *e, const EmitBuffer *buffer, LLVMValueRef index, uint16_t lanes,
                       int64_t stride, LLVMValueRef valid) {
    LLVMValueRef x = emit_elements(e, buffer, index, lanes, stride, valid);
    return buffer->elem == NEST_BF16 ? emit_from_bf16(e, lanes, x) : x;
}

static void emit_masked_store(Emit *e, const EmitBuffer *buffer, LLVMValueRef at, uint16_t lanes,
                              LLVMValueRef x, LLVMValueRef valid) {
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef mask = emit_mask(e, lanes, valid);
    LLVMValueRef arguments[4];
    uint32_t n = 0;
    arguments[n++] = x;
    arguments[n++] = at;
    if (COMPAT_MASKED_ALIGNMENT_IS_ARGUMENT)
        arguments[n++] = LLVMConstInt(e->elem[NEST_I32], nest_elem_bytes(buffer->elem), false);
    arguments[n++] = mask;
    emit_intrinsic(e, "llvm.masked.store", type, e->pointer, arguments, n);
}

void emit_store(Emit *e, const EmitBuffer *buffer, LLVMValueRef index, NestType type,
                LLVMValueRef x, LLVMValueRef valid, bool nontemporal) {
    LLVMBuilderRef b = e->builder;
    LLVMValueRef at = emit_address(e, buffer, index);
    if (buffer->elem == NEST_BF16)
        x = emit_to_bf16(e, type.lanes, x);
    if (valid && type.lanes > 1) {
        emit_masked_store(e, buffer, at, type.lanes, x, valid);
        return;
    }
    LLVMBasicBlockRef after = NULL;
    if (valid) {
        LLVMBasicBlockRef write = emit_block(e, "write");
        after = emit_block(e, "written");
        LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, emit_index(e, 0), valid, ""), write, after);
        LLVMPositionBuilderAtEnd(b, write);
    }
    uint32_t bytes = nest_elem_bytes(buffer->elem);
    if (nontemporal && buffer->elem == NEST_BF16 && type.lanes % 2 == 0) /* LLVM knows no other */
        x = LLVMBuildBitCast(b, x, LLVMVectorType(e->elem[NEST_I32], type.lanes / 2), "");
    LLVMValueRef store = LLVMBuildStore(b, x, at);
    if (nontemporal) {
        uint32_t vector = bytes * type.lanes;
        bytes = vector > 64 ? 64 : vector;
        LLVMMetadataRef one = LLVMValueAsMetadata(LLVMConstInt(e->elem[NEST_I32], 1, false));
        LLVMMetadataRef node = LLVMMDNodeInContext2(e->context, &one, 1);
        LLVMSetMetadata(store, LLVMGetMDKindIDInContext(e->context, "nontemporal", 11),
                        LLVMMetadataAsValue(e->context, node));
    }
    LLVMSetAlignment(store, bytes);
    if (after) {
        LLVMBuildBr(b, after);
        LLVMPositionBuilderAtEnd(b, after);
    }
}
