/* The contract between generated code and the runtime, whose headers and the compiler's include
 * this folder and nothing else of one another: these records, the words of words.def, the laws of
 * layout.h and what a recipe takes in settings.h.
 *
 * A compiled model is one HcModel record: a table of kernel functions and a manifest (JSON text,
 * schema in docs/manifest.md) whose "plan" says which kernels and matrix products run in which
 * order on which memory. The runtime reads the plan once, at creation, and then only walks arrays.
 */
#ifndef HC_ABI_H
#define HC_ABI_H

#include "spaces.h" /* beside it, also where it is installed */
#include <stdint.h>

/* Both rise when what was built before can no longer be read. */
#define HC_ABI_VERSION 9
#define HC_MANIFEST_FORMAT 2

/* What a call runs over, and what a run is: in the order of the compiler's NestExtent. A batch may
 * be run in parts, some of its samples at a time. */
typedef struct {
    int64_t samples;    /* of the part */
    int64_t positions;  /* of the kernel's space; of the first where it has none */
    int64_t instances;  /* of the kernel's domain */
    int64_t tile;       /* instances per task */
    int64_t training;   /* 1: dropout and the like are on; 0: evaluation, sampling */
    int64_t random_key; /* of this run's random numbers: a function of seed and step */
    int64_t done;       /* steps of training that the parameters have had, */
    int64_t steps;      /* and that they are meant to have */
    int64_t first;      /* instances before it are left alone, and tiles begin with it; for kernels
                           with tasks by sample: positions. Not 0 only for forward kernels, and of one
                           sample. */
    int64_t batch;      /* samples of the whole batch */
    int64_t first_sample; /* of the part in the batch */
    /* Of kernels of matrix products alone: what is at hand of the result and of the sum, elements
     * from a row of the result to the next, and whether it is added to (1) or written (0). */
    int64_t rows, columns, depth, step, adds;
    int64_t of_space[HC_SPACES_MOST]; /* positions of each space */
} HcExtents;
_Static_assert(sizeof(HcExtents) == 192, "generated code reads twenty-four int64 extents");

/* buffers[k]: the kernel's k-th ARGUMENT buffer; scratch: 64-byte aligned, as large as the manifest
 * says for this kernel; task: 0 .. ceil((instances - first) / tile) - 1, or as the plan says. Pure
 * but for the buffers it writes; different tasks never write the same byte. */
typedef void HcKernel(void *const *buffers, const HcExtents *extents, int64_t task, void *scratch);

typedef struct HcModel {
    uint32_t abi_version;
    uint32_t element_size; /* 4: f32, 8: f64 */
    const char *manifest;  /* NUL-terminated JSON */
    uint64_t manifest_length;
    HcKernel *const *kernels;
    uint64_t kernel_count;
    uint64_t manifest_seal; /* hc_manifest_seal of the manifest; 0: not said, as in one by hand */
    const struct HcModel *const *sites; /* of a part of a connection: its program at each site, of
                                           which this is one; NULL: one program */
    uint64_t site_count;
} HcModel;
_Static_assert(sizeof(HcModel) == 64, "generated code lays this record out itself");

/* Kernels index as their manifest says and look at nothing again, so they run with no other: damage
 * and edits show here. (FNV-1a; whoever can also change the record can change the code.) */
static inline uint64_t hc_manifest_seal(const char *manifest, uint64_t length) {
    uint64_t seal = UINT64_C(0xcbf29ce484222325);
    for (uint64_t k = 0; k < length; k++)
        seal = (seal ^ (unsigned char)manifest[k]) * UINT64_C(0x100000001b3);
    return seal ? seal : 1;
}

#endif
