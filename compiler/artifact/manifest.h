/* The manifest of a compiled model: everything the runtime needs to know besides code, as JSON.
 * The schema stands in docs/manifest.md. */
#ifndef HCC_ARTIFACT_MANIFEST_H
#define HCC_ARTIFACT_MANIFEST_H

#include "artifact/manifest_plan.h"
#include "sema/network.h"

/* The machine the code was made for. */
typedef struct {
    const char *cpu;
    const char *const *features;
    uint32_t n_features;
    uint32_t vector_bytes, micro_tile;
} ManifestMachine;

/* NUL-terminated, in the plan's arena; NULL where a name or path is not UTF-8. `sources`, for the
 * lines that profiles name, may be NULL. */
const char *plan_manifest(const Plan *plan, const Network *network, const ManifestKernels *kernels,
                          const ManifestMachine *machine, const SourceSet *sources);

#endif
