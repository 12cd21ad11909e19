/* Products of packed operands, in the way that the machine has for them; see product.h. */
#include "lower/product/product.h"
#include "lower/product/blocks.h"

void product_emit(NestBuilder *b, const MachineProduct *m, const ProductSum *sum) {
    NestId groups = nest_binary(b, NEST_ADD, sum->depth, nest_i64(b, m->left_group - 1));
    groups = nest_binary(b, NEST_DIV, groups, nest_i64(b, m->left_group));
    if (m->way == PRODUCT_TILES)
        product_emit_tiles(b, m, sum, groups);
    else
        product_emit_registers(b, m, sum, groups);
}

void product_tiles(NestBuilder *b, const MachineProduct *m, bool begin) {
    if (m->way == PRODUCT_TILES)
        nest_tile(b, begin ? NEST_TILE_BEGIN : NEST_TILE_END, 0);
}

uint32_t product_edge(NestBuilder *b, const MachineProduct *m) {
    if (m->way != PRODUCT_TILES)
        return 0;
    return nest_add_buffer(b->kernel, (NestBuffer){.name = "edge",
                                                   .kind = NEST_SCRATCH,
                                                   .elem = NEST_F32,
                                                   .read = true,
                                                   .written = true,
                                                   .elements = m->rows * m->columns});
}

static uint32_t argument(NestBuilder *b, const char *name, NestElem elem, bool written) {
    return nest_add_buffer(
        b->kernel, (NestBuffer){.name = name, .elem = elem, .read = true, .written = written});
}

NestKernel *product_multiply(Arena *arena, const char *name, const MachineProduct *m,
                             const ProductForm *form) {
    NestBuilder builder = nest_builder(nest_kernel_create(arena, name)), *b = &builder;
    ProductSum sum = {.left = argument(b, "left", product_packed(m), false),
                      .right = argument(b, "right", product_packed(m), false),
                      .rounds = form->rounds,
                      .left_step = form->direct / 2};
    if (form->rounds)
        sum.sums = argument(b, "sums", NEST_F32, false);
    sum.result.buffer = argument(b, "result", form->rounds ? NEST_BF16 : NEST_F32, true);
    sum.edge = product_edge(b, m);
    sum.rows = nest_extent(b, NEST_ROWS);
    sum.columns = nest_extent(b, NEST_COLUMNS);
    sum.depth = nest_extent(b, NEST_DEPTH);
    sum.step = nest_extent(b, NEST_STEP);
    sum.adds = nest_extent(b, NEST_ADDS);
    product_tiles(b, m, true);
    product_emit(b, m, &sum);
    product_tiles(b, m, false);
    return b->kernel;
}
