/* Weights of streams that are normalised over the wrong role.
 *
 *     let M[k,j]   = softmax[k] L[k,j];               sums to one over the destinations k
 *     write H[k,c] = sum[j] M[k,j] * H[j,c] + ...;    but the sources j are summed
 *
 * What a stream receives (or a branch reads) is then no mixture of the sources. That is seldom
 * meant, and trains all the same, so it is a warning. Seen on values, not on names: a softmax by
 * hand, under another name or read transposed is the same. */
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/site/site.h"

/* Axes over which `id` is a / sum a, as bits; 0 when it is nothing of the kind. */
static uint32_t normalised_axes(const TirBlock *block, TirId id) {
    const TirNode *node = tir_node(block, id);
    if (node->op != TIR_DIV)
        return 0;
    const TirNode *sum = tir_node(block, node->operands[1]);
    if (sum->op == TIR_BROADCAST)
        sum = tir_node(block, sum->operands[0]);
    return sum->op == TIR_REDUCE_SUM && sum->operands[0] == node->operands[0] ? sum->attr.axis_mask
                                                                              : 0;
}

static uint32_t label_bits(const TirNode *contract, uint32_t operand, uint32_t rank,
                           uint32_t axes) {
    uint32_t bits = 0;
    for (uint32_t k = 0; k < rank; k++)
        if (axes >> k & 1)
            bits |= 1u << contract->attr.labels[operand][k];
    return bits;
}

/* The operand's weights are summed with a state over labels they are not normalised over. */
static bool wrong_role(const TirBlock *block, const TirNode *node, uint32_t weights) {
    const TirNode *w = tir_node(block, node->operands[weights]),
                  *h = tir_node(block, node->operands[1 - weights]);
    const uint32_t normalised = normalised_axes(block, node->operands[weights]);
    if (!normalised)
        return false;
    const uint32_t all = ~0u;
    const uint32_t summed = label_bits(node, weights, w->type.rank, all) &
                            label_bits(node, 1 - weights, h->type.rank, all) &
                            ~label_bits(node, 2, node->type.rank, all);
    const uint32_t over = label_bits(node, weights, w->type.rank, normalised);
    return summed && !(over & summed) && (over & label_bits(node, 2, node->type.rank, all));
}

void check_roles(const Site *x, TirId from) {
    Sema *s = x->s;
    const TirBlock *block = s->program->block;
    if (!ast_has_file(s->ast, x->item->span.file))
        return;
    for (TirId id = from; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        for (uint32_t k = 0; node->op == TIR_CONTRACT && k < 2; k++) {
            bool state = false;
            for (uint32_t n = 0; n < x->n_states; n++)
                state = state || (x->states[n].held && node->operands[1 - k] == x->states[n].held);
            if (!state || !wrong_role(block, node, k))
                continue;
            sema_warning(s, DIAG_ROLE, node->span,
                         "the weights of this sum over streams do not sum to one: they were "
                         "normalised over another index");
            sema_note(s, tir_node(block, node->operands[k])->span, "normalised here");
            sema_help(s,
                      "for a mixture of the streams that are summed, normalise over the index of "
                      "the sum; where this is meant, end the line with `// allow E0308`");
        }
    }
}
