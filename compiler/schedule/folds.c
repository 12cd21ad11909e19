/* Folds: small results of sums, maxima and products along features, an accumulator of a vector of
 * features for each result. */
#include "schedule/schedule_internal.h"

int schedule_fold_axis(const TirNode *node, uint32_t operand, uint32_t axis) {
    if (node->op == TIR_CONTRACT) {
        for (uint32_t m = 0; m < node->type.rank; m++)
            if (node->attr.labels[2][m] == node->attr.labels[operand][axis])
                return (int)m;
        return -1;
    }
    if (node->attr.axis_mask >> axis & 1)
        return -1;
    int kept = 0;
    for (uint32_t m = 0; m < axis; m++)
        kept += !(node->attr.axis_mask >> m & 1);
    return kept;
}

double schedule_fold_identity(TirOp op) {
    return op == TIR_REDUCE_MAX    ? -1.0 / 0.0
           : op == TIR_REDUCE_MIN  ? 1.0 / 0.0
           : op == TIR_REDUCE_PROD ? 1.0
                                   : 0.0;
}

ScheduleFold schedule_fold(const Schedule *s, TirId id) {
    const TirNode *node = schedule_node(s, id);
    ScheduleFold f = {.node = node, .lane = {-1, -1}};
    uint8_t label_of[TIR_MAX_RANK] = {0};
    for (uint32_t o = 0; o < node->n_operands; o++) {
        const TirType *type = &schedule_node(s, node->operands[o])->type;
        f.lane[o] = schedule_lane_axis(s, id, o);
        if (f.lane[o] >= 0)
            f.lane_extent = type->dims[f.lane[o]];
        for (uint32_t k = 0; k < type->rank; k++) {
            if ((int)k == f.lane[o] || schedule_fold_axis(node, o, k) >= 0)
                continue;
            uint8_t label = node->op == TIR_CONTRACT ? node->attr.labels[o][k] : (uint8_t)k;
            uint32_t m = 0;
            while (m < f.n_other && label_of[m] != label)
                m++;
            if (m == f.n_other) {
                label_of[m] = label;
                f.extent[m] = type->dims[k];
                f.at[0][m] = f.at[1][m] = -1;
                f.n_other++;
            }
            f.at[o][m] = (int8_t)k;
        }
    }
    return f;
}

uint64_t schedule_fold_others(const ScheduleFold *f) {
    uint64_t total = 1;
    for (uint32_t m = 0; m < f->n_other; m++)
        total *= f->extent[m];
    return total;
}

bool schedule_is_looped_fold(const Schedule *s, const ScheduleValue *v) {
    if (v->side != SCHEDULE_FOLD)
        return false;
    ScheduleFold f = schedule_fold(s, v->id);
    return schedule_fold_others(&f) > UNROLL_LEADING || v->elements > LOOPED_RESULTS;
}
