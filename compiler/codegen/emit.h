/* A thin, named layer over the LLVM builder: what kernel.c, memory.c and math*.c write with.
 * Private to codegen/. */
#ifndef HCC_CODEGEN_EMIT_H
#define HCC_CODEGEN_EMIT_H

#include "codegen/codegen.h"
#include "codegen/llvm_compat.h"

struct CodegenTarget {
    Arena *arena;
    const char *cpu;      /* the name asked for */
    const char *llvm_cpu; /* LLVM's name, for scheduling */
    const char *llvm_features;
    const char **features;
    uint32_t n_features;
    uint32_t vector_bytes;
    bool fma, x86, avx512, foreign;
    bool dot_bf16;            /* products of pairs of bf16 */
    bool matrix_bf16;         /* of matrices of two by four */
    bool tiles, tiles_denied; /* of tiles of them; the system does not give them */
    int opt_level;
    CodegenSanitizer sanitizer;
    const char *triple; /* as LLVM names it */
    LLVMTargetMachineRef machine;
    Cache *cache;         /* or NULL */
    const char *identity; /* with a cache: what else decides about code, as text */
};

/* A machine of one's own: they belong to one thread. */
LLVMTargetMachineRef codegen_target_machine(const CodegenTarget *target, const char **error);
/* LLVM's passes for it, as text. */
const char *codegen_pipeline(const CodegenTarget *target);

typedef struct {
    const CodegenTarget *target;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTypeRef elem[NEST_ELEMS]; /* by NestElem */
    LLVMTypeRef pointer, nothing, byte;
    LLVMValueRef zero_cell;  /* 8 zero bytes that masked-off scalar loads read instead */
    struct EmitDebug *debug; /* or NULL */
    LLVMValueRef function;   /* being emitted */
    LLVMValueRef tiles;      /* of it, where the machine has none: their memory */
} Emit;

LLVMTypeRef emit_type(const Emit *e, NestType type);
LLVMValueRef emit_real(const Emit *e, NestType type, double x);     /* splat for vectors */
LLVMValueRef emit_integer(const Emit *e, NestType type, int64_t x); /* splat; i32, i64 or bool */
LLVMValueRef emit_index(const Emit *e, int64_t x);                  /* scalar i64 */
LLVMValueRef emit_lanes(const Emit *e, uint16_t lanes);             /* <0, 1, ...> of i32 */
LLVMValueRef emit_splat(Emit *e, uint16_t lanes, LLVMValueRef x);
/* Both halves of a vector; element `lane` of it. */
LLVMValueRef emit_half(Emit *e, LLVMValueRef x, uint16_t lanes, bool upper);
LLVMValueRef emit_lane(Emit *e, LLVMValueRef x, uint32_t lane);
/* An intrinsic overloaded on the first argument's type (and `other`, when not NULL). */
LLVMValueRef emit_intrinsic(Emit *e, const char *name, LLVMTypeRef overload, LLVMTypeRef other,
                            LLVMValueRef *arguments, uint32_t n);
/* Marks an instruction `contract`, when it is one that can be. */
LLVMValueRef emit_contract(LLVMValueRef x);
LLVMBasicBlockRef emit_block(Emit *e, const char *name);
LLVMAttributeRef emit_attribute(const Emit *e, const char *name);
void emit_function_attributes(const Emit *e, LLVMValueRef function);

/* --- arithmetic on one type, for math*.c: no fast-math flags at all ----------------------------*/

typedef struct {
    Emit *e;
    NestType type;    /* f32 or f64 */
    NestType integer; /* as wide */
} Math;

static inline bool math_is_f32(const Math *m) {
    return m->type.elem == NEST_F32;
}
#define MATH_LENGTH(array) (uint32_t)(sizeof(array) / sizeof *(array))
/* A table of math_coefficients.h for the type at hand, as two arguments. */
#define MATH_TABLE(m, name)                                                                        \
    (math_is_f32(m) ? name##_f32 : name##_f64),                                                    \
        (math_is_f32(m) ? MATH_LENGTH(name##_f32) : MATH_LENGTH(name##_f64))

Math math_of(Emit *e, NestType type);
LLVMValueRef math_const(const Math *m, double x);
LLVMValueRef math_add(const Math *m, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_sub(const Math *m, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_mul(const Math *m, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_div(const Math *m, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_fma(const Math *m, LLVMValueRef x, LLVMValueRef y,
                      LLVMValueRef z); /* fused where the machine has it */
LLVMValueRef math_neg(const Math *m, LLVMValueRef x);
LLVMValueRef math_abs(const Math *m, LLVMValueRef x);
LLVMValueRef math_copysign(const Math *m, LLVMValueRef magnitude, LLVMValueRef sign);
LLVMValueRef math_floor(const Math *m, LLVMValueRef x);
LLVMValueRef math_less(const Math *m, LLVMValueRef x, LLVMValueRef y); /* ordered: false for NaN */
LLVMValueRef math_select(const Math *m, LLVMValueRef condition, LLVMValueRef x, LLVMValueRef y);
/* min and max that hand on a NaN in x. */
LLVMValueRef math_at_most(const Math *m, LLVMValueRef x, double most);
LLVMValueRef math_at_least(const Math *m, LLVMValueRef x, double least);
LLVMValueRef math_bits(const Math *m, LLVMValueRef x);
LLVMValueRef math_from_bits(const Math *m, LLVMValueRef x);
LLVMValueRef math_polynomial(const Math *m, LLVMValueRef x, const double *c, uint32_t n);
/* Nearest integer of x * scale: as a real; *bits is it, too, in the low bits of an integer. */
LLVMValueRef math_round(const Math *m, LLVMValueRef x, double scale, LLVMValueRef *bits);
/* exp(x + low), low small or NULL; exp(y) - 1 where exp(y) neither overflows nor vanishes. */
LLVMValueRef math_exp_parts(const Math *m, LLVMValueRef x, LLVMValueRef low);
LLVMValueRef math_expm1(const Math *m, LLVMValueRef y);
/* x = mantissa * 2^*exponent with sqrt(1/2) <= mantissa < sqrt(2), for positive finite x. */
LLVMValueRef math_split(const Math *m, LLVMValueRef x, LLVMValueRef *exponent);
LLVMValueRef math_log(const Math *m, LLVMValueRef x);
LLVMValueRef math_exp(const Math *m, LLVMValueRef x);
LLVMValueRef math_exp2(const Math *m, LLVMValueRef x); /* as nest_ops.def has it */

/* --- the functions -----------------------------------------------------------------------------*/

LLVMValueRef math_emit(Emit *e, NestOp op, NestType type, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_sin_cos(const Math *m, LLVMValueRef x, bool cosine);
LLVMValueRef math_pow(const Math *m, LLVMValueRef x, LLVMValueRef y);

/* --- random numbers: random.c ------------------------------------------------------------------*/

/* operands: a counter of four i32 (scalars or vectors), a key (scalar i64). */
LLVMValueRef random_emit(Emit *e, NestType type, const LLVMValueRef operands[5]);

/* --- bf16.c ------------------------------------------------------------------------------------*/

/* What memory holds of numbers of f32, as i16, and back. */
LLVMValueRef emit_to_bf16(Emit *e, uint16_t lanes, LLVMValueRef x);
LLVMValueRef emit_from_bf16(Emit *e, uint16_t lanes, LLVMValueRef x);

/* --- pairs of bf16 in an i32: bf16.c -----------------------------------------------------------*/

LLVMValueRef emit_pair(Emit *e, NestType type, LLVMValueRef first, LLVMValueRef second);
/* The same of numbers that are bf16's already. */
LLVMValueRef emit_exact_pair(Emit *e, NestType type, LLVMValueRef first, LLVMValueRef second);
/* Pairs of neighbours of x, then of y. */
LLVMValueRef emit_narrow(Emit *e, NestType type, LLVMValueRef x, LLVMValueRef y);
/* x's first * y's first + x's second * y's second + z, of `type` as z */
LLVMValueRef emit_dot(Emit *e, NestType type, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
/* Of two by two: z + x times y transposed. */
LLVMValueRef emit_matrix(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
/* NEST_WEAVE_LOW ... NEST_ODDS */
LLVMValueRef emit_lanes_of(Emit *e, NestOp op, uint16_t lanes, LLVMValueRef x, LLVMValueRef y);

/* --- tiles: tiles.c ----------------------------------------------------------------------------*/

void emit_tile(Emit *e, NestOp op, uint32_t index); /* BEGIN, END, ZERO, DOT */
/* Rows `step` elements apart, from `at` on. */
void emit_tile_rows(Emit *e, bool store, uint32_t index, LLVMValueRef at, LLVMValueRef step);

/* --- memory: memory.c --------------------------------------------------------------------------*/

typedef struct {
    LLVMValueRef base;
    NestElem elem;
} EmitBuffer;

LLVMValueRef emit_load(Emit *e, const EmitBuffer *buffer, LLVMValueRef index, uint16_t lanes,
                       int64_t stride, LLVMValueRef valid);
/* The same at index + part, where index and stride are multiples of four and the four elements at
 * index, 0 <= part < 4 among them, exist. */
LLVMValueRef emit_load_column(Emit *e, const EmitBuffer *buffer, LLVMValueRef index, uint32_t part,
                              uint16_t lanes, int64_t stride);
void emit_store(Emit *e, const EmitBuffer *buffer, LLVMValueRef index, NestType type,
                LLVMValueRef x, LLVMValueRef valid, bool nontemporal);

/* --- kernels: kernel.c -------------------------------------------------------------------------*/

/* Local to the module. */
LLVMValueRef emit_kernel(Emit *e, Arena *scratch, const NestKernel *kernel);

/* --- lines of the .hc text: debug.c; nothing happens without e->debug --------------------------*/

typedef struct EmitDebug EmitDebug;
EmitDebug *debug_open(Emit *e, Arena *arena, const SourceSet *sources);
void debug_close(EmitDebug *d);
void debug_function(Emit *e, const NestKernel *kernel, const char *name); /* of e->function */
void debug_at(Emit *e, Span at);

/* --- modules: module.c -------------------------------------------------------------------------*/

/* An object with one kernel of the model under a name that others can see. */
CodegenResult module_compile_kernel(Arena *arena, const CodegenTarget *target,
                                    const CodegenModel *model, const NestKernel *kernel,
                                    const char *name);

/* --- what an object is kept under: key.c -------------------------------------------------------*/

/* Of an object with a kernel alone, and of the one with everything. False without a cache, and for
 * code that carries lines of its source. */
bool key_kernel(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                const NestKernel *kernel, WideHash *key);
bool key_model(Arena *arena, const CodegenTarget *target, const CodegenModel *model, WideHash *key);

/* Marks the module's object as made by hcc; `linked`: hcc links it, too. */
void note_emit(Emit *e, bool linked);

/* --- jit.c -------------------------------------------------------------------------------------*/

typedef struct {
    const char *name; /* of the kernel in it; equal names: equal objects, of which one is loaded */
    const void *bytes;
    size_t length;
} JitKernel;

/* `kernels`: in the model's order. */
Jit *jit_load_kernels(Arena *arena, const CodegenModel *model, const JitKernel *kernels,
                      const HcModel **loaded, const char **error);

#endif
