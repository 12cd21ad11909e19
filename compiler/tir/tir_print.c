/* Prints tensor IR as text; see tir_text.h for the form. */
#include "tir/tir_text.h"
#include <math.h>
#include <stdlib.h>

const char *const tir_init_names[TIR_INIT_COUNT] = {
#define HC_INITIALISER(ident, text) [TIR_INIT_##ident] = text,
#include "abi/words.def"
};
const char *const tir_role_names[TIR_OUT_COUNT] = {"loss",    "logits", "metric",    "term",
                                                   "probe",   "grad",   "named",     "update",
                                                   "project", "result", "input_grad"};

typedef struct {
    FILE *to;
    Arena *arena; /* scratch */
} Printer;

/* The fewest digits that read back as the same number. */
static void print_number(Printer *p, double v) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v || isnan(v))
            break;
    }
    fputs(text, p->to);
}

static void print_string(Printer *p, const char *s) {
    fputc('"', p->to);
    for (; s && *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(p->to, "\\%c", c);
        else if (c < 32 || c == 127)
            fprintf(p->to, "\\x%02x", c);
        else
            fputc(c, p->to);
    }
    fputc('"', p->to);
}

static void print_type(Printer *p, const TirType *t) {
    fputs(tir_type_text(p->arena, t), p->to);
}

static void print_labels(Printer *p, const TirBlock *block, const TirNode *node) {
    const uint32_t ranks[3] = {block->nodes.at[node->operands[0]].type.rank,
                               block->nodes.at[node->operands[1]].type.rank, node->type.rank};
    static const char *const before[3] = {" \"", ",", "->"};
    for (uint32_t o = 0; o < 3; o++) {
        fputs(before[o], p->to);
        for (uint32_t k = 0; k < ranks[o]; k++)
            fputc('a' + node->attr.labels[o][k], p->to);
    }
    fputc('"', p->to);
}

static void print_small_list(Printer *p, uint32_t n, const uint8_t *list) {
    for (uint32_t k = 0; k < n; k++)
        fprintf(p->to, " %u", list[k]);
}

static void print_mask(Printer *p, uint32_t mask) {
    for (uint32_t k = 0; k < TIR_MAX_RANK; k++)
        if (mask >> k & 1)
            fprintf(p->to, " %u", k);
}

static void print_domain(Printer *p, TirDomain domain) {
    const TirType t = {.domain = domain};
    fprintf(p->to, " %s", tir_type_text(p->arena, &t) + sizeof "real[]" - 1);
}

static void print_offset(Printer *p, const int32_t offset[2]) {
    fprintf(p->to, " %d", offset[0]);
    if (offset[1])
        fprintf(p->to, " %d", offset[1]);
}

static void print_indices(Printer *p, const TirNode *node) {
    for (uint32_t k = 0; k < node->type.dims[node->attr.axis]; k++)
        fprintf(p->to, " %d", node->attr.indices[k]);
}

static void print_attr(Printer *p, const TirBlock *block, const TirNode *node,
                       const TirAttrRow *row) {
    const void *at = tir_attr_at(&node->attr, row);
    if (row->notation == TIR_NOTATION_FLAG) {
        if (*(const bool *)at)
            fprintf(p->to, " %s", row->word);
        return;
    }
    if (row->word[0])
        fprintf(p->to, " %s", row->word);
    switch (row->notation) {
    case TIR_NOTATION_WHOLE:
        fprintf(p->to, " %u", *(const uint32_t *)at);
        break;
    case TIR_NOTATION_AXIS:
        fprintf(p->to, " %u", *(const uint8_t *)at);
        break;
    case TIR_NOTATION_NUMBER:
        fputc(' ', p->to);
        print_number(p, *(const double *)at);
        break;
    case TIR_NOTATION_DOMAIN:
        print_domain(p, *(const TirDomain *)at);
        break;
    case TIR_NOTATION_AXES:
        print_small_list(p, block->nodes.at[node->operands[0]].type.rank, at);
        break;
    case TIR_NOTATION_MASK:
        print_mask(p, *(const uint32_t *)at);
        break;
    case TIR_NOTATION_LABELS:
        print_labels(p, block, node);
        break;
    case TIR_NOTATION_OFFSET:
        print_offset(p, at);
        break;
    case TIR_NOTATION_INDICES:
        print_indices(p, node);
        break;
    case TIR_NOTATION_FLAG:
    case TIR_NOTATION_BODY: /* after the type */
        break;
    }
}

static void print_attrs(Printer *p, const TirBlock *block, const TirNode *node) {
    const uint32_t has = tir_op_attrs(node->op);
    for (uint32_t k = 0; k < TIR_ATTR_COUNT; k++)
        if (has >> k & 1)
            print_attr(p, block, node, &tir_attr_rows[k]);
}

/* Recursion follows the nesting of loops, which the language caps. */
static void print_nodes(Printer *p, const TirBlock *block, uint32_t depth) {
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = &block->nodes.at[id];
        fprintf(p->to, "%*s%%%u = %s", (int)depth * 2, "", id, tir_op_name(node->op));
        for (uint32_t k = 0; k < node->n_operands; k++)
            fprintf(p->to, " %%%u", node->operands[k]);
        print_attrs(p, block, node);
        if (node->type.elem != TIR_TUPLE) {
            fputs(" : ", p->to);
            print_type(p, &node->type);
        }
        if (node->name) {
            fputc(' ', p->to);
            print_string(p, node->name);
        }
        if (tir_op_has_body(node->op)) {
            const TirBlock *body = node->attr.body;
            fprintf(p->to, " {\n%*sargs", (int)depth * 2 + 2, "");
            for (uint32_t k = 0; k < body->arguments.count; k++) {
                fputc(' ', p->to);
                print_type(p, &body->arguments.at[k]);
            }
            fputc('\n', p->to);
            print_nodes(p, body, depth + 1);
            fprintf(p->to, "%*syield", (int)depth * 2 + 2, "");
            for (uint32_t k = 0; k < body->results.count; k++)
                fprintf(p->to, " %%%u", body->results.at[k]);
            fprintf(p->to, "\n%*s}", (int)depth * 2, "");
        }
        fputc('\n', p->to);
    }
}

static void print_data(Printer *p, const TirType *type, const double *data) {
    for (uint64_t k = 0; k < tir_element_count(type); k++) {
        fputc(' ', p->to);
        print_number(p, data[k]);
    }
}

static void print_param(Printer *p, const TirParam *q) {
    fputs("param ", p->to);
    print_string(p, q->name);
    fputc(' ', p->to);
    print_string(p, q->group);
    fputc(' ', p->to);
    print_type(p, &q->type);
    fprintf(p->to, " %s", tir_init_names[q->init]);
    if (q->init == TIR_INIT_DATA) {
        print_data(p, &q->type, q->data);
    } else {
        fputc(' ', p->to);
        print_number(p, q->init_a);
        fputc(' ', p->to);
        print_number(p, q->init_b);
    }
    fprintf(p->to, "%s%s%s%s lr ", q->decay ? " decay" : "", q->frozen ? " frozen" : "",
            q->buffer ? " buffer" : "", q->of_connection ? " connection" : "");
    print_number(p, q->lr_scale);
    for (uint32_t i = 0; i < TIR_MAX_RANK; i++)
        if (q->apart & 1u << i)
            fprintf(p->to, " apart %u", i);
    fputc('\n', p->to);
}

static void print_declarations(Printer *p, const TirProgram *program) {
    for (uint32_t k = 0; k < program->spaces.count; k++) {
        const TirSpace *s = &program->spaces.at[k];
        fputs("space ", p->to);
        print_string(p, s->name);
        for (uint32_t i = 0; i < s->rank; i++)
            fprintf(p->to, " %u", s->extents[i]);
        fputc('\n', p->to);
    }
    for (uint32_t k = 0; k < program->params.count; k++)
        print_param(p, &program->params.at[k]);
    for (uint32_t k = 0; k < program->inputs.count; k++) {
        const TirInput *in = &program->inputs.at[k];
        fputs(in->is_target ? "target " : "input ", p->to);
        print_string(p, in->name);
        fputc(' ', p->to);
        print_type(p, &in->type);
        fprintf(p->to, " limit %u", in->limit);
        if (in->upstream) {
            fputs(" upstream ", p->to);
            print_string(p, in->upstream);
        }
        if (in->beside) {
            fputs(" beside ", p->to);
            print_string(p, in->beside);
        }
        fputc('\n', p->to);
    }
    for (uint32_t k = 0; k < program->tables.count; k++) {
        const TirTable *t = &program->tables.at[k];
        fputs("table ", p->to);
        print_string(p, t->name);
        fputc(' ', p->to);
        print_type(p, &t->type);
        print_data(p, &t->type, t->data);
        fputc('\n', p->to);
    }
}

void tir_print(const TirProgram *program, FILE *to) {
    Printer p = {to, arena_create_child(program->arena)};
    if (!p.arena)
        return;
    fputs("tir 1\n", to);
    print_declarations(&p, program);
    print_nodes(&p, program->block, 0);
    for (uint32_t k = 0; k < program->outputs.count; k++) {
        const TirOutput *o = &program->outputs.at[k];
        fprintf(to, "output %s ", tir_role_names[o->role]);
        print_string(&p, o->name);
        fprintf(to, " %u %%%u\n", o->index, o->value);
    }
    if (program->n_forward)
        fprintf(to, "forward %u\n", program->n_forward);
    arena_destroy(p.arena);
}
