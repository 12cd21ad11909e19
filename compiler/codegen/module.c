/* A whole model to one object: kernels, their table, the manifest, the HcModel record.
 *
 * Requires kernels that nest_verify accepts. Everything but the record, the thunks and main is
 * local to the object. Faults become strings: LLVM's diagnostics are caught, the module is verified
 * before any pass runs. */
#include "codegen/emit.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    Arena *arena;
    const char *error;
} ModuleFaults;

static void module_diagnostic(LLVMDiagnosticInfoRef info, void *context) {
    ModuleFaults *faults = context;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError || faults->error)
        return;
    char *text = LLVMGetDiagInfoDescription(info);
    faults->error = arena_printf(faults->arena, "code generation: %s", text);
    LLVMDisposeMessage(text);
}

static LLVMValueRef module_text(Emit *e, const char *text, size_t length, const char *name) {
    LLVMValueRef bytes = LLVMConstStringInContext(e->context, text, (unsigned)length, false);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(bytes), name);
    LLVMSetInitializer(global, bytes);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    return global;
}

/* An array of pointers of the object's own; NULL where it is empty. */
static LLVMValueRef module_table(Emit *e, const char *name, LLVMValueRef *entries, uint32_t count) {
    if (!count)
        return LLVMConstNull(e->pointer);
    LLVMValueRef list = LLVMConstArray2(e->pointer, entries, count);
    LLVMValueRef table = LLVMAddGlobal(e->module, LLVMTypeOf(list), name);
    LLVMSetInitializer(table, list);
    LLVMSetGlobalConstant(table, true);
    LLVMSetLinkage(table, LLVMInternalLinkage);
    return table;
}

/* Records of other objects, and the one at hand. */
static LLVMValueRef module_sites(Emit *e, Arena *scratch, const CodegenModel *model,
                                 LLVMTypeRef type) {
    LLVMValueRef *records = ARENA_ARRAY(scratch, LLVMValueRef, model->n_sites);
    for (uint32_t k = 0; k < model->n_sites; k++) {
        records[k] = LLVMGetNamedGlobal(e->module, model->sites[k]);
        if (!records[k])
            records[k] = LLVMAddGlobal(e->module, type, model->sites[k]);
    }
    return module_table(e, "sites", records, model->n_sites);
}

/* The HcModel record, laid out as abi.h says. */
static LLVMValueRef module_record(Emit *e, Arena *scratch, const CodegenModel *model,
                                  LLVMValueRef *functions) {
    enum { FIELDS = 9 };
    const char *manifest = model->manifest ? model->manifest : "{}";
    size_t length = strlen(manifest);
    LLVMTypeRef i32 = e->elem[NEST_I32], i64 = e->elem[NEST_I64];
    LLVMTypeRef types[FIELDS] = {i32, i32, e->pointer, i64, e->pointer, i64, i64, e->pointer, i64};
    LLVMTypeRef type = LLVMStructTypeInContext(e->context, types, FIELDS, false);
    LLVMValueRef global = LLVMAddGlobal(e->module, type, model->symbol);
    LLVMValueRef fields[FIELDS] = {LLVMConstInt(i32, HC_ABI_VERSION, false),
                                   LLVMConstInt(i32, model->element_size, false),
                                   module_text(e, manifest, length, "manifest"),
                                   LLVMConstInt(i64, length, false),
                                   module_table(e, "kernels", functions, model->n_kernels),
                                   LLVMConstInt(i64, model->n_kernels, false),
                                   LLVMConstInt(i64, hc_manifest_seal(manifest, length), false),
                                   module_sites(e, scratch, model, type),
                                   LLVMConstInt(i64, model->n_sites, false)};
    LLVMSetInitializer(global, LLVMConstStructInContext(e->context, fields, FIELDS, false));
    LLVMSetGlobalConstant(global, true);
    return global;
}

static LLVMValueRef module_function(Emit *e, const char *name, LLVMTypeRef type) {
    LLVMValueRef function = LLVMAddFunction(e->module, name, type);
    emit_function_attributes(e, function);
    e->function = function;
    LLVMPositionBuilderAtEnd(e->builder, emit_block(e, "entry"));
    debug_function(e, NULL, name);
    return function;
}

/* A tail call that hands on every register an argument may be in, and so needs no types. */
static void module_forward(Emit *e, const CodegenThunk *thunk) {
    LLVMTypeRef type = LLVMFunctionType(e->nothing, NULL, 0, true);
    module_function(e, thunk->name, type);
    LLVMValueRef callee = LLVMAddFunction(e->module, thunk->callee, type);
    LLVMValueRef call = LLVMBuildCall2(e->builder, type, callee, NULL, 0, "");
    LLVMSetTailCallKind(call, LLVMTailCallKindMustTail);
    LLVMBuildRetVoid(e->builder);
}

static void module_thunk(Emit *e, const CodegenThunk *thunk, LLVMValueRef record) {
    enum { MOST = 8 };
    if (!thunk->with_model) {
        module_forward(e, thunk);
        return;
    }
    LLVMTypeRef p[MOST + 1];
    for (uint32_t k = 0; k <= MOST; k++)
        p[k] = e->pointer;
    uint32_t n = thunk->n_arguments < MOST ? thunk->n_arguments : MOST;
    LLVMTypeRef outer = LLVMFunctionType(e->pointer, p, n, false);
    LLVMTypeRef inner = LLVMFunctionType(e->pointer, p, n + 1, false);
    LLVMValueRef function = module_function(e, thunk->name, outer);
    LLVMValueRef arguments[MOST + 1] = {record};
    for (uint32_t k = 0; k < n; k++)
        arguments[k + 1] = LLVMGetParam(function, k);
    LLVMValueRef callee = LLVMGetNamedFunction(e->module, thunk->callee);
    if (!callee)
        callee = LLVMAddFunction(e->module, thunk->callee, inner);
    LLVMBuildRet(e->builder, LLVMBuildCall2(e->builder, inner, callee, arguments, n + 1, ""));
}

static void module_main(Emit *e, const char *name, LLVMValueRef record) {
    LLVMTypeRef i32 = e->elem[NEST_I32];
    LLVMTypeRef outer = LLVMFunctionType(i32, (LLVMTypeRef[]){i32, e->pointer}, 2, false);
    LLVMTypeRef inner =
        LLVMFunctionType(i32, (LLVMTypeRef[]){e->pointer, i32, e->pointer}, 3, false);
    LLVMValueRef function = module_function(e, "main", outer);
    LLVMValueRef callee = LLVMAddFunction(e->module, name, inner);
    LLVMValueRef arguments[3] = {record, LLVMGetParam(function, 0), LLVMGetParam(function, 1)};
    LLVMBuildRet(e->builder, LLVMBuildCall2(e->builder, inner, callee, arguments, 3, ""));
}

static void module_open(Emit *e, const char *name) {
    const CodegenTarget *target = e->target;
    LLVMContextRef c = e->context;
    e->module = LLVMModuleCreateWithNameInContext(name, c);
    LLVMSetTarget(e->module, target->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(target->machine);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    e->builder = LLVMCreateBuilderInContext(c);
    e->elem[NEST_F32] = LLVMFloatTypeInContext(c);
    e->elem[NEST_F64] = LLVMDoubleTypeInContext(c);
    e->elem[NEST_I32] = LLVMInt32TypeInContext(c);
    e->elem[NEST_I64] = LLVMInt64TypeInContext(c);
    e->elem[NEST_BOOL] = LLVMInt1TypeInContext(c);
    e->elem[NEST_BF16] = LLVMInt16TypeInContext(c);
    e->byte = LLVMInt8TypeInContext(c);
    e->nothing = LLVMVoidTypeInContext(c);
    e->pointer = LLVMPointerTypeInContext(c, 0);
    e->zero_cell = LLVMAddGlobal(e->module, e->elem[NEST_I64], "zero");
    LLVMSetInitializer(e->zero_cell, emit_index(e, 0));
    LLVMSetGlobalConstant(e->zero_cell, true);
    LLVMSetLinkage(e->zero_cell, LLVMInternalLinkage);
}

/* What goes into an object: a model, or one kernel of it. */
typedef struct {
    const CodegenModel *model;
    const NestKernel *kernel; /* or NULL: all, and the record */
    const char *name;         /* of the module; of the kernel */
} ModulePart;

/* For other objects, by that name. */
static LLVMValueRef module_offer(LLVMValueRef function, const char *name) {
    LLVMSetValueName2(function, name, strlen(name));
    LLVMSetLinkage(function, LLVMExternalLinkage);
    return function;
}

static LLVMValueRef module_kernel(Emit *e, Arena *scratch, const CodegenModel *model, uint32_t k) {
    const CodegenShared *shared = model->shared;
    if (!shared)
        return emit_kernel(e, scratch, model->kernels[k]);
    if (!shared->elsewhere[k])
        return module_offer(emit_kernel(e, scratch, model->kernels[k]), shared->symbols[k]);
    LLVMValueRef there = LLVMGetNamedFunction(e->module, shared->symbols[k]);
    return there ? there
                 : LLVMAddFunction(e->module, shared->symbols[k],
                                   LLVMFunctionType(e->nothing, NULL, 0, false));
}

static void module_fill(Emit *e, Arena *scratch, const ModulePart *part) {
    const CodegenModel *model = part->model;
    if (part->kernel) {
        module_offer(emit_kernel(e, scratch, part->kernel), part->name);
        return;
    }
    LLVMValueRef *functions = ARENA_ARRAY(scratch, LLVMValueRef, model->n_kernels);
    for (uint32_t k = 0; k < model->n_kernels; k++)
        functions[k] = module_kernel(e, scratch, model, k);
    LLVMValueRef record = module_record(e, scratch, model, functions);
    note_emit(e, model->linked);
    for (uint32_t k = 0; k < model->n_thunks; k++)
        module_thunk(e, &model->thunks[k], record);
    if (model->main_callee)
        module_main(e, model->main_callee, record);
}

static const char *module_passes(const Emit *e, Arena *arena) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failed =
        LLVMRunPasses(e->module, codegen_pipeline(e->target), e->target->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!failed)
        return NULL;
    char *text = LLVMGetErrorMessage(failed);
    const char *error = arena_printf(arena, "optimisation: %s", text);
    LLVMDisposeErrorMessage(text);
    return error;
}

static void module_output(Emit *e, Arena *arena, CodegenForm form, CodegenResult *result) {
    if (form == CODEGEN_LLVM) {
        char *text = LLVMPrintModuleToString(e->module);
        if (!text)
            arena_exhausted(arena);
        result->length = strlen(text);
        result->bytes = arena_copy_string(arena, text, result->length);
        LLVMDisposeMessage(text);
        return;
    }
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    LLVMCodeGenFileType type = form == CODEGEN_ASM ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(e->target->machine, e->module, type, &message,
                                            &buffer)) {
        result->error = arena_printf(arena, "emission: %s", message ? message : "failed");
        LLVMDisposeMessage(message);
        return;
    }
    result->length = LLVMGetBufferSize(buffer);
    result->bytes = arena_copy_string(arena, LLVMGetBufferStart(buffer), result->length);
    LLVMDisposeMemoryBuffer(buffer);
}

static CodegenResult module_make(Arena *arena, const CodegenTarget *target, const ModulePart *part,
                                 CodegenForm form) {
    CodegenResult result = {0};
    Arena *scratch = arena_create_child(arena);
    if (!scratch) {
        result.error = "out of memory";
        return result;
    }
    ModuleFaults faults = {arena, NULL};
    Emit e = {.target = target, .context = LLVMContextCreate()};
    LLVMContextSetDiagnosticHandler(e.context, module_diagnostic, &faults);
    module_open(&e, part->name);
    if (part->model->sources)
        e.debug = debug_open(&e, scratch, part->model->sources);
    module_fill(&e, scratch, part);
    if (e.debug)
        debug_close(e.debug);
    char *wrong = NULL;
    if (LLVMVerifyModule(e.module, LLVMReturnStatusAction, &wrong))
        result.error = arena_printf(arena, "code generation made an invalid module: %s", wrong);
    LLVMDisposeMessage(wrong);
    if (!result.error)
        result.error = module_passes(&e, arena);
    if (!result.error)
        module_output(&e, arena, form, &result);
    if (!result.error)
        result.error = faults.error;
    LLVMDisposeBuilder(e.builder);
    LLVMDisposeModule(e.module);
    LLVMContextDispose(e.context);
    arena_destroy(scratch);
    return result;
}

CodegenResult module_compile_kernel(Arena *arena, const CodegenTarget *target,
                                    const CodegenModel *model, const NestKernel *kernel,
                                    const char *name) {
    ModulePart part = {.model = model, .kernel = kernel, .name = name};
    return module_make(arena, target, &part, CODEGEN_OBJECT);
}

CodegenResult codegen_compile(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                              CodegenForm form) {
    CacheEntry entry = {0};
    bool keyed = form == CODEGEN_OBJECT && key_model(arena, target, model, &entry.key);
    if (keyed && cache_read(target->cache, arena, &entry))
        return (CodegenResult){.bytes = entry.bytes, .length = entry.length};
    ModulePart part = {.model = model, .name = model->symbol};
    CodegenResult result = module_make(arena, target, &part, form);
    entry.bytes = result.bytes;
    entry.length = result.length;
    if (keyed && !result.error)
        cache_write(target->cache, arena, &entry, 1);
    return result;
}
