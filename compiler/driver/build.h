/* hcc build: what its sources share. */
#ifndef HCC_DRIVER_BUILD_H
#define HCC_DRIVER_BUILD_H

#include "compile/compile.h"
#include "compile/connection.h"
#include "driver/driver.h"

typedef enum { MAKE_EXECUTABLE, MAKE_SHARED, MAKE_OBJECT, MAKE_LLVM, MAKE_ASM } BuildForm;

typedef struct {
    Driver *d;
    const char *model;
    const char *prefix;       /* of symbols */
    const char *output;       /* path */
    const char *stem;         /* path without the ending */
    const char *soname;       /* of a library that has a version: "libm.so.1" for libm.so.1.2 */
    const char *const *parts; /* of a connection; NULL: it is one model */
    uint32_t n_parts;
    BuildForm form;
} Build;

/* Objects and libraries have the functions of hc.h under names of their own, */
bool build_callable(const Build *b);
/* and beside them lie these. */
const char *build_header(const Build *b);
const char *build_manifest(const Build *b);
/* The runtime's library: beside hcc in the build folder, or where an installation puts it. Says
 * that there is none: NULL. */
const char *build_runtime(Driver *d);
ExitCode build_write(Build *b, const char *path, const char *text, size_t length);
/* The functions: those of hc.h, with the prefix before them; of a connection those that are told a
 * model are there for each part, and the others with the first. */
const CodegenThunk *build_functions(Build *b, uint32_t part, uint32_t *count);
/* Links the objects, which lie in a temporary folder of their own meanwhile. */
ExitCode build_link(Build *b, const CodegenResult *objects, uint32_t count);
/* Header and manifest. */
ExitCode build_beside(Build *b, const char *manifest);
/* All parts of a connection, at all sites or at one, as one library; the run stands after SEMA. */
ExitCode build_connection(Build *b, const CompileRun *run);

#endif
