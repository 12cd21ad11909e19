#include "compile/memory.h"
#include "abi/layout.h"
#include "pass/matrices.h"
#include <math.h>

/* Muon keeps one moment of a matrix and two of the rest, and works on a matrix at a time. */
static uint64_t muon_bytes(const TirProgram *p, uint64_t slab, HcPrecision precision) {
    const PlanOptions options = {.precision = precision};
    const MatrixAxes *matrices = pass_matrices(p, p->arena);
    uint64_t bytes = 2 * slab, side = 0, elements = 0;
    for (uint32_t k = 0; k < p->params.count; k++) {
        const TirParam *param = &p->params.at[k];
        if (!matrices[k].free)
            continue;
        const uint64_t free = matrix_extent(param, matrices[k].free),
                       summed = matrix_extent(param, matrices[k].summed);
        bytes -= hc_align(plan_type_bytes(&options, &param->type));
        elements = free * summed > elements ? free * summed : elements;
        const uint64_t shorter = free < summed ? free : summed;
        side = shorter > side ? shorter : side;
    }
    return bytes + 2 * (elements + side * side) * plan_element_bytes(plan_real(&options));
}

static uint64_t slab_bytes(const TirProgram *p, HcPrecision precision) {
    const PlanOptions options = {.precision = precision};
    uint64_t slab = 0;
    for (uint32_t k = 0; k < p->params.count; k++)
        slab += hc_align(plan_type_bytes(&options, &p->params.at[k].type));
    return slab;
}

uint64_t memory_state(const Network *network, HcPrecision precision) {
    const TirProgram *p = network->program;
    const OptimizerKind kind = network->recipe.optimizer;
    const uint64_t slab = slab_bytes(p, precision);
    return (network->recipe.ema > 0 ? 3 : 2) * slab +
           (kind == OPTIMIZER_MUON ? muon_bytes(p, slab, precision) : recipe_moments[kind] * slab);
}

/* Samples of what runs at once. */
static uint64_t part_samples(const Recipe *recipe) {
    const uint64_t batch = recipe->batch > 0 ? (uint64_t)recipe->batch : 1;
    return recipe->parts > 1 ? batch / (uint64_t)recipe->parts : batch;
}

uint64_t memory_waiting(const Network *network, HcPrecision precision) {
    return hc_part_levels((uint64_t)network->recipe.parts) *
           slab_bytes(network->program, precision);
}

uint64_t memory_fixed(const Network *network, PlanStep step, HcPrecision precision) {
    const TirProgram *p = network->program;
    const PlanOptions options = {.precision = precision};
    const bool split = network->recipe.parts > 1;
    /* of the whole batch, and of a part */
    const uint64_t samples =
        split ? step.samples * (uint64_t)network->recipe.parts + step.samples : step.samples;
    uint64_t inputs = 0;
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirType *type = &p->inputs.at[k].type;
        const uint8_t space = type->domain.space;
        const uint64_t positions = space == 0   ? 1
                                   : space == 1 ? step.positions
                                                : p->spaces.at[space - 1].maximum;
        inputs += plan_type_bytes(&options, type) * (type->domain.sample ? samples : 1) * positions;
    }
    return memory_state(network, precision) + memory_waiting(network, precision) + inputs;
}

PlanStep memory_step(const Network *network, uint64_t most, HcPrecision precision) {
    PlanStep step = {.samples = 1, .positions = 1};
    if (!network)
        return step;
    step.samples = part_samples(&network->recipe);
    step.packs = network->recipe.optimizer != OPTIMIZER_MUON;
    if (network->space)
        step.positions = network->program->spaces.at[network->space - 1].maximum;
    if (most) {
        const uint64_t fixed = memory_fixed(network, step, precision);
        step.most = most > fixed ? most - fixed : 1;
    }
    return step;
}

/* Rounded upwards: what is said to be enough is. */
static const char *memory_text(Arena *arena, double bytes) {
    return bytes < 1e8 ? arena_printf(arena, "%.0f KB", ceil(bytes / 1e3))
                       : arena_printf(arena, "%.0f MB", ceil(bytes / 1e6));
}

const char *memory_exceeded(const Network *network, HcPrecision precision,
                            const PlanReplays *replays, Arena *arena) {
    if (!network || replays->least == 0)
        return NULL;
    const PlanStep step = memory_step(network, 0, precision);
    const double fixed = (double)memory_fixed(network, step, precision);
    return arena_printf(
        arena,
        "--memory: a step takes at least %s: %s for parameters, gradients, the optimizer's "
        "state and inputs, and %s for %s of %llu x %llu positions; a smaller batch, or one in "
        "more parts, takes less",
        memory_text(arena, fixed + (double)replays->least), memory_text(arena, fixed),
        memory_text(arena, (double)replays->least),
        network->recipe.parts > 1 ? "a part" : "a batch", (unsigned long long)step.samples,
        (unsigned long long)step.positions);
}
