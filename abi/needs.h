/* What compiled models need of a system besides the C library. The manifest says it, hcc links with
 * it, the runtime loads it. */
#ifndef HC_NEEDS_H
#define HC_NEEDS_H

/* As a linker names them: X("NAME"). */
#define HC_LINKED_LIBRARIES(X) X("jansson") X("pthread") X("dl") X("m")
/* Of programs that read data and text, which `hcc build` makes, besides. */
#define HC_PROGRAM_LIBRARIES(X) X("pcre2-8")
/* Loaded when the first context is made: OpenBLAS, for products of matrices. */
#define HC_LOADED_LIBRARY "libopenblas.so.0"

#endif
