/* What fills an input: a stream at affine subscripts, scaled.
 *
 *     x[k] = standardise(columns[k]);
 *     y    = columns["price"] / 1000;
 *
 * Shapes of files are known when they are read; what is known now (the inputs, the shapes of
 * CIFAR-10) is checked now. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/model/data.h"
#include "sema/report.h"
#include <math.h>
#include <string.h>

Scope *train_scope(Sema *s) {
    return s->model_scope ? s->model_scope : s->root;
}

static bool word_among(const char *words, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* The names of the streams, for messages and checks. */
static bool stream_exists(Sema *s, const DataSource *source, const char *name, const char **list) {
    const DataSpec *data = &s->network->data;
    *list = source->streams ? source->streams : "images labels";
    if (!source->streams && data->train_files.count) {
        bool found = false;
        *list = "";
        for (uint32_t k = 0; k < data->train_files.count; k++) {
            const char *stream = data->train_files.at[k].stream;
            found = found || (stream && strcmp(stream, name) == 0);
            *list = arena_printf(s->arena, "%s%s%s", *list, k ? " " : "", stream ? stream : "?");
        }
        return found;
    }
    return word_among(*list, name);
}
/* --- subscripts --------------------------------------------------------------------------------*/

/* What the names among the target's indices stand for. */
typedef struct {
    const TirInput *input;
    uint32_t n, n_positions; /* axes: those of the positions, then the input's own */
    const char *names[DATA_AXES];
    uint32_t extents[DATA_AXES];
} TargetAxes;

static bool target_axes(Sema *s, const Target *target, const TirInput *input, TargetAxes *axes) {
    const uint8_t space = input->type.domain.space;
    *axes = (TargetAxes){.input = input};
    if (space) {
        const TirSpace *positions = &s->program->spaces.at[space - 1];
        axes->n_positions = positions->rank;
        for (uint32_t k = 0; k < positions->rank; k++)
            axes->extents[axes->n++] = positions->extents[k];
    }
    for (uint32_t k = 0; k < input->type.rank; k++)
        axes->extents[axes->n++] = input->type.dims[k];
    if (!target->bracketed)
        return true;
    uint32_t own = axes->n_positions, given = 0;
    for (uint32_t k = 0; k < target->indices.count; k++) {
        const Expr *e = target->indices.at[k];
        if (e->kind == EXPR_ERROR)
            return false;
        if (e->kind != EXPR_NAME) {
            sema_error(s, DIAG_DATA_BINDING, e->span, "the left side names indices, as in `%s[k]`",
                       input->name);
            return false;
        }
        const Symbol *symbol = scope_find(s, train_scope(s), e->name);
        uint32_t at = own;
        if (symbol && symbol->kind == SYMBOL_POSITION && symbol->space == space)
            at = symbol->axis;
        else
            own++;
        given++;
        if (at < axes->n && !axes->names[at])
            axes->names[at] = e->name;
        else
            given = DATA_AXES + 1;
    }
    if (given == axes->n)
        return true;
    sema_error(s, DIAG_DATA_BINDING, target->span, "`%s` has %u %s here", input->name, axes->n,
               axes->n == 1 ? "index" : "indices");
    sema_note(s, input->span, "declared here");
    return false;
}

/* scale * subscript is added to `to`: numbers, indices, a column's name, + - *. */
static bool add_subscript(Sema *s, const TargetAxes *axes, const Expr *e, double scale,
                          DataSubscript *to) {
    switch (e->kind) {
    case EXPR_NAME:
        for (uint32_t k = 0; k < axes->n; k++)
            if (axes->names[k] == e->name) {
                to->coefficients[k] += (int64_t)scale;
                return true;
            }
        break;
    case EXPR_STRING:
        if (to->column || scale != 1) {
            sema_error(s, DIAG_DATA_BINDING, e->span, "one column's name, plus a number or index");
            return false;
        }
        to->column = e->string;
        return true;
    case EXPR_UNARY:
        if (e->unary.op == OP_NEG)
            return add_subscript(s, axes, e->unary.operand, -scale, to);
        break;
    case EXPR_SUM:
        for (uint32_t k = 0; k < e->chain.terms.count; k++)
            if (!add_subscript(s, axes, e->chain.terms.at[k],
                               e->chain.ops.at[k] == OP_ADD ? scale : -scale, to))
                return false;
        return true;
    case EXPR_PRODUCT: { /* all but one factor are numbers */
        const Expr *index = NULL;
        for (uint32_t k = 0; k < e->chain.terms.count; k++) {
            const Expr *term = e->chain.terms.at[k];
            double number;
            bool named = false;
            for (uint32_t a = 0; a < axes->n; a++)
                named = named || (term->kind == EXPR_NAME && axes->names[a] == term->name);
            if (e->chain.ops.at[k] == OP_MUL && !index &&
                (named || term->kind == EXPR_SUM || term->kind == EXPR_PRODUCT)) {
                index = term;
                continue;
            }
            if (!elaborate_number(s, train_scope(s), term, "a factor", &number))
                return false;
            if (e->chain.ops.at[k] != OP_MUL || number != floor(number)) {
                sema_error(s, DIAG_DATA_BINDING, term->span,
                           "subscripts of data are sums of whole multiples of indices");
                return false;
            }
            scale *= number;
        }
        if (index)
            return add_subscript(s, axes, index, scale, to);
        to->base += (int64_t)scale;
        return true;
    }
    default:
        break;
    }
    int64_t number;
    if (!elaborate_whole(s, train_scope(s), e, "a subscript", -(1 << 30), 1 << 30, &number))
        return false;
    to->base += (int64_t)scale * number;
    return true;
}

/* --- right sides -------------------------------------------------------------------------------*/

/* scale * stream + shift; with `standardise`, of the standardised stream. */
typedef struct {
    const Expr *stream; /* a name, or a name with subscripts; NULL: only a number */
    double scale, shift;
    bool standardise;
} Affine;

static bool affine(Sema *s, const Expr *e, Affine *to);

static bool affine_sum(Sema *s, const Expr *e, Affine *to) {
    *to = (Affine){.scale = 0};
    for (uint32_t k = 0; k < e->chain.terms.count; k++) {
        Affine term;
        const double sign = e->chain.ops.at[k] == OP_ADD ? 1 : -1;
        if (!affine(s, e->chain.terms.at[k], &term))
            return false;
        if (term.stream && to->stream) {
            sema_error(s, DIAG_DATA_BINDING, e->span,
                       "an input is filled from one stream, times and plus numbers");
            return false;
        }
        if (term.stream) {
            to->stream = term.stream;
            to->scale = sign * term.scale;
            to->standardise = term.standardise;
        }
        to->shift += sign * term.shift;
    }
    return true;
}

static bool affine_product(Sema *s, const Expr *e, Affine *to) {
    *to = (Affine){.shift = 1};
    for (uint32_t k = 0; k < e->chain.terms.count; k++) {
        Affine factor;
        const Expr *term = e->chain.terms.at[k];
        if (!affine(s, term, &factor))
            return false;
        const bool divides = e->chain.ops.at[k] == OP_DIV;
        if ((factor.stream && (to->stream || divides)) || e->chain.ops.at[k] == OP_MOD) {
            sema_error(s, DIAG_DATA_BINDING, e->span,
                       "an input is filled from one stream, times and plus numbers");
            return false;
        }
        if (factor.stream) {
            factor.scale *= to->shift;
            factor.shift *= to->shift;
            *to = factor;
            continue;
        }
        if (divides && factor.shift == 0) {
            sema_error(s, DIAG_DATA_BINDING, term->span, "division by zero");
            return false;
        }
        const double by = divides ? 1 / factor.shift : factor.shift;
        /* x / 255 is x * (1 / 255) in the manifest, but 51 / 255 shall be 0.2 */
        to->shift = divides && !to->stream ? to->shift / factor.shift : to->shift * by;
        to->scale *= by;
    }
    return true;
}

static bool affine_call(Sema *s, const Expr *e, Affine *to) {
    const Expr *callee = e->call.callee;
    if (callee->kind != EXPR_NAME || strcmp(callee->name, "standardise") != 0)
        return false;
    if (e->call.arguments.count != 1) {
        sema_error(s, DIAG_ARITY, e->span, "`standardise` takes one argument, not %u",
                   e->call.arguments.count);
        return false;
    }
    if (!affine(s, e->call.arguments.at[0].value, to))
        return false;
    if (!to->stream || to->scale == 0) {
        sema_error(s, DIAG_DATA_BINDING, e->span, "there is nothing to standardise: a number");
        return false;
    }
    to->scale = to->scale < 0 ? -1 : 1; /* means and multiples go */
    to->shift = 0;
    to->standardise = true;
    return true;
}

/* Numbers are known now; the rest is a stream. */
static bool affine(Sema *s, const Expr *e, Affine *to) {
    *to = (Affine){.scale = 0};
    switch (e->kind) {
    case EXPR_ERROR:
        return false;
    case EXPR_SUM:
        return affine_sum(s, e, to);
    case EXPR_PRODUCT:
        return affine_product(s, e, to);
    case EXPR_UNARY:
        if (e->unary.op != OP_NEG || !affine(s, e->unary.operand, to))
            return e->unary.op == OP_NEG
                       ? false
                       : elaborate_number(s, train_scope(s), e, "this", &to->shift);
        to->scale = -to->scale;
        to->shift = -to->shift;
        return true;
    case EXPR_CALL:
        if (e->call.callee->kind == EXPR_NAME && strcmp(e->call.callee->name, "standardise") == 0)
            return affine_call(s, e, to);
        break;
    case EXPR_INDEX:
        to->stream = e;
        to->scale = 1;
        return true;
    case EXPR_NAME: {
        const Symbol *symbol = scope_find(s, train_scope(s), e->name);
        if (symbol && symbol->kind == SYMBOL_CONST)
            break;
        to->stream = e;
        to->scale = 1;
        return true;
    }
    default:
        break;
    }
    return elaborate_number(s, train_scope(s), e, "this", &to->shift);
}

/* --- bindings ----------------------------------------------------------------------------------*/

static bool cifar_fits(Sema *s, const DataBinding *b, const TargetAxes *axes, Span span) {
    static const uint32_t shape[] = {3, 32, 32};
    const uint32_t rank = strcmp(b->stream, "images") == 0 ? 3 : 0;
    if (b->subscripts.count != rank) {
        sema_error(s, DIAG_DATA_BINDING, span, "`%s` of CIFAR-10 %s", b->stream,
                   rank ? "are [3, 32, 32]: colour, then two axes of the picture"
                        : "are single numbers");
        return false;
    }
    for (uint32_t k = 0; k < rank; k++) {
        int64_t low = b->subscripts.at[k].base, high = low;
        for (uint32_t a = 0; a < axes->n; a++) {
            const int64_t c = b->subscripts.at[k].coefficients[a], last = axes->extents[a] - 1;
            *(c < 0 ? &low : &high) += c * last;
        }
        if (low >= 0 && high < shape[k])
            continue;
        sema_error(s, DIAG_DATA_BINDING, span,
                   "subscript %u reaches entry %lld, but that axis of `images` has %u", k + 1,
                   (long long)(low < 0 ? low : high), shape[k]);
        return false;
    }
    return true;
}

static bool bind_subscripts(Sema *s, const TargetAxes *axes, const Expr *stream,
                            DataBinding *binding) {
    if (stream->kind == EXPR_NAME) { /* all of it, axis by axis */
        binding->whole = true;
        for (uint32_t k = 0; k < axes->n; k++) {
            DataSubscript own = {.base = 0};
            own.coefficients[k] = 1;
            vec_push(s->arena, &binding->subscripts, own);
        }
        return true;
    }
    const ExprList *list = &stream->index.indices;
    if (list->count > DATA_SUBSCRIPTS) {
        sema_error(s, DIAG_RANK, stream->span, "data have at most %d axes", DATA_SUBSCRIPTS);
        return false;
    }
    for (uint32_t k = 0; k < list->count; k++) {
        DataSubscript subscript = {.base = 0};
        if (list->at[k]->kind == EXPR_ERROR || !add_subscript(s, axes, list->at[k], 1, &subscript))
            return false;
        if (subscript.column && strcmp(s->network->data.source, "table") != 0) {
            sema_error(s, DIAG_DATA_BINDING, list->at[k]->span,
                       "only a table's columns have names");
            return false;
        }
        vec_push(s->arena, &binding->subscripts, subscript);
    }
    return true;
}

/* `pixels[r, c] = images[r, c] / 255`, of sources that have samples. */
void data_bind_sample(Sema *s, const DataSource *source, const Binding *b, DataBinding binding) {
    const TirInput *input = &s->program->inputs.at[binding.input];
    TargetAxes axes;
    Affine value;
    if (!target_axes(s, &b->target, input, &axes) || !affine(s, b->value, &value))
        return;
    const Span span = b->value->span;
    if (!value.stream ||
        (value.stream->kind == EXPR_INDEX && value.stream->index.base->kind != EXPR_NAME)) {
        sema_error(s, DIAG_DATA_BINDING, span, "`%s` is filled from a stream of the data",
                   input->name);
        sema_help(s, "for instance `%s%s`", input->name, source->example);
        return;
    }
    const Expr *name = value.stream->kind == EXPR_INDEX ? value.stream->index.base : value.stream;
    const char *list;
    binding.stream = name->name;
    if (!stream_exists(s, source, binding.stream, &list)) {
        sema_error(s, DIAG_DATA_BINDING, name->span, "`%s` data have no `%s`", source->name,
                   binding.stream);
        sema_help(s, "there are: %s", list);
        return;
    }
    if (input->type.elem == TIR_INT && value.standardise) {
        sema_error(s, DIAG_DATA_BINDING, span, "`%s` takes tokens, which are not standardised",
                   input->name);
        sema_note(s, input->span, "declared here");
        return;
    }
    if (value.scale == 0 || !isfinite(value.scale) || !isfinite(value.shift)) {
        sema_error(s, DIAG_DATA_BINDING, span, "this does not depend on the data");
        return;
    }
    binding.scale = value.scale;
    binding.shift = value.shift;
    binding.standardise = value.standardise;
    if (!bind_subscripts(s, &axes, value.stream, &binding) ||
        (strcmp(source->name, "cifar10") == 0 && !cifar_fits(s, &binding, &axes, span)))
        return;
    if (strcmp(source->name, "table") == 0 && binding.subscripts.count != 1) {
        sema_error(s, DIAG_DATA_BINDING, span, "`columns` have one subscript, not %u",
                   binding.subscripts.count);
        sema_help(s, "for instance `%s%s`", input->name, source->example);
        return;
    }
    vec_push(s->arena, &s->network->data.bindings, binding);
}

/* tokens[t] = bytes[t + 1] */
void data_bind_window(Sema *s, const DataSource *source, const Binding *b, DataBinding binding) {
    const TirInput *input = &s->program->inputs.at[binding.input];
    const Expr *e = b->value;
    if (e->kind != EXPR_INDEX || e->index.base->kind != EXPR_NAME || e->index.indices.count != 1) {
        sema_error(s, DIAG_DATA_BINDING, e->span, "data are bound as `%s[t] = %s[t]`",
                   b->target.name.text, source->streams);
        return;
    }
    binding.stream = e->index.base->name;
    if (strcmp(binding.stream, source->streams) != 0) {
        sema_error(s, DIAG_DATA_BINDING, e->index.base->span, "`%s` data have `%s`, not `%s`",
                   source->name, source->streams, binding.stream);
        return;
    }
    const Expr *at = e->index.indices.at[0];
    const Expr *base = at->kind == EXPR_SUM ? at->chain.terms.at[0] : at;
    const char *position =
        input->type.domain.space ? s->program->spaces.at[input->type.domain.space - 1].name : "";
    if (base->kind != EXPR_NAME || base->name != position ||
        (at->kind == EXPR_SUM && at->chain.terms.count != 2)) {
        sema_error(s, DIAG_DATA_BINDING, at->span,
                   "this is the input's position, plus a number: `%s + 1`",
                   position[0] ? position : "t");
        return;
    }
    if (at->kind == EXPR_SUM) {
        int64_t offset;
        if (!elaborate_whole(s, s->root, at->chain.terms.at[1], "an offset", 0, 1 << 30, &offset))
            return;
        if (at->chain.ops.at[1] == OP_SUB && offset) {
            sema_error(s, DIAG_DATA_BINDING, at->span,
                       "data are read from their position onwards, not before it");
            return;
        }
        binding.offset = (int32_t)offset;
    }
    const bool bytes = strcmp(source->name, "text") == 0;
    if (bytes && input->type.elem == TIR_INT && input->limit < 256 && input->limit) {
        sema_error(s, DIAG_DATA_BINDING, b->target.span,
                   "bytes run to 256, but `%s` takes tokens below %u", b->target.name.text,
                   input->limit);
        sema_note(s, input->span, "declared here");
        return;
    }
    vec_push(s->arena, &s->network->data.bindings, binding);
}
