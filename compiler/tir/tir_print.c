/* Prints tensor IR as text; see tir_text.h for the form. */
#include "tir/tir_text.h"
#include <math.h>
#include <stdlib.h>

const char *const tir_init_names[TIR_INIT_COUNT] = {
#define HC_INITIALISER(ident, text) [TIR_INIT_##ident] = text,
#include "abi/words.def"
};
const char *const tir_role_names[7] = {"loss", "logits", "metric", "probe",
                                       "grad", "named",  "update"};

TirForm tir_op_form(TirOp op) {
    switch (op) {
    case TIR_PARAM:
    case TIR_INPUT:
    case TIR_TABLE:
    case TIR_POSITION:
    case TIR_ARG:
    case TIR_RESULT:
        return TIR_FORM_INDEX;
    case TIR_CONST:
        return TIR_FORM_NUMBER;
    case TIR_COUNT:
        return TIR_FORM_COUNT;
    case TIR_BROADCAST:
        return TIR_FORM_AXES;
    case TIR_SLICE:
    case TIR_PAD:
        return TIR_FORM_WINDOW;
    case TIR_CONCAT:
    case TIR_ARGMAX:
        return TIR_FORM_AXIS;
    case TIR_TAKE:
        return TIR_FORM_INDICES;
    case TIR_REDUCE_SUM:
    case TIR_REDUCE_MAX:
    case TIR_REDUCE_MIN:
    case TIR_REDUCE_PROD:
        return TIR_FORM_MASK;
    case TIR_CONTRACT:
        return TIR_FORM_LABELS;
    case TIR_SCATTER_ADD:
    case TIR_ONEHOT:
        return TIR_FORM_ROWS;
    case TIR_SHIFT:
        return TIR_FORM_OFFSET;
    case TIR_ATTEND:
    case TIR_ATTEND_GRAD:
        return TIR_FORM_ATTEND;
    case TIR_SCAN:
        return TIR_FORM_SCAN;
    default:
        return TIR_FORM_NONE;
    }
}

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

static void print_attr(Printer *p, const TirBlock *block, const TirNode *node) {
    const TirAttr *a = &node->attr;
    switch (tir_op_form(node->op)) {
    case TIR_FORM_INDEX:
        fprintf(p->to, " %u", a->index);
        break;
    case TIR_FORM_NUMBER:
        fputc(' ', p->to);
        print_number(p, a->number);
        break;
    case TIR_FORM_COUNT: {
        const TirType t = {.domain = a->domain};
        fprintf(p->to, " %s", tir_type_text(p->arena, &t) + sizeof "real[]" - 1);
        break;
    }
    case TIR_FORM_AXES:
        fputs(" axes", p->to);
        for (uint32_t k = 0; k < block->nodes.at[node->operands[0]].type.rank; k++)
            fprintf(p->to, " %u", a->axes[k]);
        break;
    case TIR_FORM_WINDOW:
        fprintf(p->to, " axis %u start %u", a->axis, a->start);
        break;
    case TIR_FORM_AXIS:
        fprintf(p->to, " axis %u", a->axis);
        break;
    case TIR_FORM_INDICES:
        fprintf(p->to, " axis %u indices", a->axis);
        for (uint32_t k = 0; k < node->type.dims[a->axis]; k++)
            fprintf(p->to, " %d", a->indices[k]);
        break;
    case TIR_FORM_MASK:
        fputs(" axes", p->to);
        for (uint32_t k = 0; k < TIR_MAX_RANK; k++)
            if (a->axis_mask >> k & 1)
                fprintf(p->to, " %u", k);
        break;
    case TIR_FORM_LABELS:
        print_labels(p, block, node);
        break;
    case TIR_FORM_ROWS:
        fprintf(p->to, " rows %u", a->rows);
        break;
    case TIR_FORM_OFFSET:
        fprintf(p->to, " offset %d", a->offset[0]);
        if (a->offset[1])
            fprintf(p->to, " %d", a->offset[1]);
        break;
    case TIR_FORM_ATTEND:
        fputs(a->causal ? " causal scale " : " scale ", p->to);
        print_number(p, a->number);
        break;
    case TIR_FORM_SCAN:
        fprintf(p->to, " trips %u%s carried %u invariant %u scanned %u stacked %u", a->trips,
                a->reverse ? " reverse" : "", a->n_carried, a->n_invariant, a->n_scanned,
                a->n_stacked);
        break;
    case TIR_FORM_NONE:
        break;
    }
}

/* Recursion follows the nesting of loops, which the language caps. */
static void print_nodes(Printer *p, const TirBlock *block, uint32_t depth) {
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = &block->nodes.at[id];
        fprintf(p->to, "%*s%%%u = %s", (int)depth * 2, "", id, tir_op_name(node->op));
        for (uint32_t k = 0; k < node->n_operands; k++)
            fprintf(p->to, " %%%u", node->operands[k]);
        print_attr(p, block, node);
        if (node->type.elem != TIR_TUPLE) {
            fputs(" : ", p->to);
            print_type(p, &node->type);
        }
        if (node->name) {
            fputc(' ', p->to);
            print_string(p, node->name);
        }
        if (node->op == TIR_SCAN) {
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
        fprintf(p->to, " limit %u\n", in->limit);
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
