/* LLVM's C API as we use it, and every difference between its versions 19 to 22. Nothing else
 * includes LLVM's headers. */
#ifndef HCC_CODEGEN_LLVM_COMPAT_H
#define HCC_CODEGEN_LLVM_COMPAT_H

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>

#if LLVM_VERSION_MAJOR < 19 || LLVM_VERSION_MAJOR > 22
#error "hcc is written for LLVM 19 to 22"
#endif

/* llvm.masked.load and .store: up to 21 the alignment is an argument, from 22 an attribute. */
enum { COMPAT_MASKED_ALIGNMENT_IS_ARGUMENT = LLVM_VERSION_MAJOR < 22 };

#endif
