/* Constant tables: entries read off the program, and tables that are awkward to write as formulas.
 *
 * Requires: a tensor of the block under construction or of one around it.
 * Smallest example: `let P = permutations(3);` then `x[P[1, i]]` reads entries 0, 2, 1. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/value/tensor.h"
#include <math.h>

static const TirBlock *block_at(const Sema *s, uint32_t level) {
    const Loop *loop = s->loop;
    while (loop->level > level)
        loop = loop->outer;
    return loop->builder.block;
}

/* Through views of a table to the entry; false when something is computed on the way. */
static bool view_step(const TirBlock *block, const TirNode *node, int64_t *at, TirId *next,
                      bool *zero) {
    const TirAttr *a = &node->attr;
    int64_t from[TIR_MAX_RANK] = {0};
    *next = node->n_operands ? node->operands[0] : 0;
    switch (node->op) {
    case TIR_TO_REAL:
        return true;
    case TIR_BROADCAST:
        for (uint32_t k = 0; k < tir_node(block, *next)->type.rank; k++)
            from[k] = at[a->axes[k]];
        break;
    case TIR_SLICE:
        at[a->axis] += a->start;
        return true;
    case TIR_TAKE:
        at[a->axis] = a->indices[at[a->axis]];
        *zero = at[a->axis] < 0;
        return true;
    case TIR_CONCAT:
        for (uint32_t k = 0; k < node->n_operands; k++) {
            const int64_t extent = tir_node(block, node->operands[k])->type.dims[a->axis];
            *next = node->operands[k];
            if (at[a->axis] < extent)
                return true;
            at[a->axis] -= extent;
        }
        return false;
    case TIR_RESHAPE: {
        const TirType *small = &tir_node(block, *next)->type;
        int64_t flat = 0;
        for (uint32_t k = 0; k < node->type.rank; k++)
            flat = flat * node->type.dims[k] + at[k];
        for (uint32_t k = small->rank; k-- > 0; flat /= small->dims[k])
            from[k] = flat % small->dims[k];
        break;
    }
    default:
        return false;
    }
    for (uint32_t k = 0; k < TIR_MAX_RANK; k++)
        at[k] = from[k];
    return true;
}

bool table_entry(Sema *s, const Tensor *t, const int64_t *where, double *entry) {
    if (tensor_bare_rank(t) != t->type.rank)
        return false;
    const TirBlock *block = block_at(s, t->level);
    int64_t at[TIR_MAX_RANK] = {0};
    for (uint32_t k = 0; k < t->type.rank; k++)
        at[k] = where[k];
    TirId id = t->id;
    for (;;) {
        const TirNode *node = tir_node(block, id);
        bool zero = false;
        if (node->op == TIR_CONST) {
            *entry = node->attr.number;
            return true;
        }
        if (node->op == TIR_TABLE) {
            uint64_t flat = 0;
            for (uint32_t k = 0; k < node->type.rank; k++)
                flat = flat * node->type.dims[k] + (uint64_t)at[k];
            *entry = s->program->tables.at[node->attr.index].data[flat];
            return true;
        }
        if (!view_step(block, node, at, &id, &zero))
            return false;
        if (zero) {
            *entry = 0;
            return true;
        }
    }
}

bool value_is_table(Sema *s, Value v) {
    const int64_t first[TIR_MAX_RANK] = {0};
    double entry;
    return v.kind == VALUE_TENSOR && v.tensor->type.rank && table_entry(s, v.tensor, first, &entry);
}

/* The next arrangement in lexicographic order. */
static void permutation_step(double *row, uint32_t n) {
    uint32_t i = n - 1, j = n - 1;
    while (i > 0 && row[i - 1] > row[i])
        i--;
    if (i == 0)
        return;
    while (row[j] < row[i - 1])
        j--;
    double swap = row[i - 1];
    row[i - 1] = row[j];
    row[j] = swap;
    for (j = n - 1; i < j; i++, j--) {
        swap = row[i];
        row[i] = row[j];
        row[j] = swap;
    }
}

Value table_permutations(Sema *s, Value v, Span span) {
    if (v.kind != VALUE_NUMBER)
        return sema_error(s, DIAG_CONSTANT, span, "`permutations` takes a constant, not %s",
                          value_text(s, v));
    if (v.number > PERMUTATIONS_MOST) {
        sema_error(s, DIAG_SIZE, span,
                   "%.10g! = %.4g permutations are too many: `permutations` takes at most %d",
                   v.number, tgamma(v.number + 1), PERMUTATIONS_MOST);
        if (v.span.file &&
            (v.span.file != span.file || v.span.begin < span.begin || v.span.end > span.end))
            sema_note(s, v.span, "the number comes from here");
        return POISON;
    }
    const uint32_t n = v.number >= 1 && v.number <= PERMUTATIONS_MOST ? (uint32_t)v.number : 0;
    if (n == 0 || n != v.number)
        return sema_error(s, DIAG_EXTENT, span,
                          "`permutations` takes a whole number from 1 to %d, not %.10g",
                          PERMUTATIONS_MOST, v.number);
    uint32_t dims[2] = {1, n};
    for (uint32_t k = 2; k <= n; k++)
        dims[0] *= k;
    if (!s->permutations[n]) {
        double *data = budget_table(s, (uint64_t)dims[0] * n, span);
        if (!data)
            return POISON;
        for (uint32_t k = 0; k < n; k++)
            data[k] = k;
        for (uint32_t p = 1; p < dims[0]; p++) {
            for (uint32_t k = 0; k < n; k++)
                data[p * n + k] = data[(p - 1) * n + k];
            permutation_step(data + p * n, n);
        }
        s->permutations[n] = data;
    }
    return value_tensor(s, tir_table(sema_builder(s, span), TIR_INT, 2, dims, s->permutations[n]),
                        NULL, span);
}
