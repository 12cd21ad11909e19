#include "machine/machine.h"
#include "machine/limits.h"
#include <inttypes.h>

Machine machine_of(uint32_t vector_bytes, uint32_t vector_registers) {
    return (Machine){.vector_bytes = vector_bytes,
                     .vector_registers = vector_registers ? vector_registers : 32,
                     .cache_line = 64,
                     .same_sets = 1024,
                     .ahead_bytes = 512 << 10,
                     .packed_bytes = 8 << 20,
                     .streamed_bytes = 8 << 20,
                     .bytes_a_second = 20e9,
                     .kernel_a_second = 60e9,
                     .product_a_second = 120e9,
                     .attend_a_second = 100e9};
}

/* Machines with few registers cannot broadcast from memory either, so what is loaded for several
 * products wants registers, too. */
static bool few_registers(const Machine *m) {
    return m->vector_registers < 32;
}

uint32_t machine_fold_accumulators(const Machine *m, uint32_t positions) {
    return (few_registers(m) && positions > 1 ? 12 : 24) / positions;
}

uint32_t machine_block_accumulators(const Machine *m) {
    return few_registers(m) ? 8 : BLOCK_ACCUMULATORS_MOST;
}

uint32_t machine_attend_columns(const Machine *m) {
    return m->vector_bytes >= 64 ? 4 : 2; /* what 32 or 16 vector registers hold */
}

bool machine_has_products(const Machine *m) {
    return m->fma && (m->vector_bytes >= 32 || !few_registers(m));
}

/* Tiles multiply so fast that what they waste of a thin product costs less than a library's f32. */
uint32_t machine_product_thin(const Machine *m, bool bf16) {
    return bf16 && m->tiles ? PRODUCT_THIN : PRODUCT_SIDE;
}

MachineProduct machine_product(const Machine *m, bool bf16) {
    /* As many sums at once as hide an addition's time, and a broadcast for several of them: all
     * registers but those of the operands. */
    const uint32_t vectors = 3, lanes = m->vector_bytes / 4;
    if (bf16 && m->tiles) /* two by two, in half of the eight */
        return (MachineProduct){.way = PRODUCT_TILES,
                                .lanes = 16,
                                .rows = 32,
                                .columns = 32,
                                .left_group = 32,
                                .right_group = 2,
                                .bytes = 2,
                                .depth = 384, /* so that the first cache keeps a panel */
                                .block = 256,
                                .width = 768};
    if (bf16 && m->matrices)
        return (MachineProduct){.way = PRODUCT_MATRICES,
                                .lanes = 4,
                                .rows = 8,
                                .columns = 4 * vectors,
                                .left_group = 4,
                                .right_group = 2,
                                .bytes = 2,
                                .depth = 512,
                                .block = 192,
                                .width = 64 * vectors};
    return (MachineProduct){.way = bf16 ? PRODUCT_DOT : PRODUCT_FMA,
                            .lanes = (uint16_t)lanes,
                            .rows = few_registers(m) ? 4 : 8,
                            .columns = vectors * lanes,
                            .left_group = bf16 ? 2 : 1,
                            .right_group = bf16 ? 2 : 1,
                            .bytes = bf16 ? 2 : 4,
                            .depth = bf16 ? 512 : 256,
                            .block = bf16 ? 192 : 96,
                            .width = 16 * vectors * lanes};
}

const char *const machine_product_ways[] = {[PRODUCT_FMA] = "fma",
                                            [PRODUCT_DOT] = "dot",
                                            [PRODUCT_MATRICES] = "matrices",
                                            [PRODUCT_TILES] = "tiles"};

const char *machine_product_text(const Machine *m, bool bf16) {
    switch (machine_product(m, bf16).way) {
    case PRODUCT_TILES:
        return "tiles (AMX)";
    case PRODUCT_MATRICES:
        return "matrices (BFMMLA)";
    case PRODUCT_DOT:
        return m->dots ? "pairs (AVX512-BF16)" : "pairs, made in f32";
    case PRODUCT_FMA:
        break;
    }
    return "multiply-adds";
}

void machine_print(const Machine *m, const char *indent, FILE *to) {
    fprintf(to, "%svectors      %u bytes, in %u registers\n", indent, m->vector_bytes,
            m->vector_registers);
    if (machine_has_products(m)) {
        fprintf(to, "%sproducts     with sides of %d elements or more", indent, PRODUCT_SIDE);
        if (machine_product_thin(m, true) < PRODUCT_SIDE)
            fprintf(to, " (bf16: one of %u)", machine_product_thin(m, true));
        fprintf(to, ": kernels of their own; f32: %s; bf16: %s; others: OpenBLAS\n",
                machine_product_text(m, false), machine_product_text(m, true));
    } else {
        fprintf(to, "%sproducts     OpenBLAS: vectors do not multiply and add at once\n", indent);
    }
    fprintf(to, "%scache lines  %u bytes; rows %u bytes apart share sets\n", indent, m->cache_line,
            m->same_sets);
    fprintf(to,
            "%scaches       fetch ahead %" PRIu64 " KiB, pack %" PRIu64
            " KiB, are written past from %" PRIu64 " KiB on\n",
            indent, m->ahead_bytes >> 10, m->packed_bytes >> 10, m->streamed_bytes >> 10);
    fprintf(to, "%sa core       %g GB/s; in kernels %g, products %g, attention %g Gflop/s\n",
            indent, m->bytes_a_second * 1e-9, m->kernel_a_second * 1e-9, m->product_a_second * 1e-9,
            m->attend_a_second * 1e-9);
}
