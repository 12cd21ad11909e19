/* Between which numbers an i64 of a kernel lies, as far as its instructions say.
 *
 * Requires a value defined before where it is asked for. An infinite end is one that is not known:
 * an extent of the run, say. */
#include "nest/nest_range.h"

enum { DEPTH = 10 }; /* addresses of kernels are a few operations deep */

static NestRange range_of(double low, double high) {
    return (NestRange){low, high};
}

static const NestRange anything = {-INFINITY, INFINITY};

/* No multiple of nothing is anything, whatever its end. */
static double times(double x, double y) {
    return x == 0 || y == 0 ? 0 : x * y;
}

static NestRange range_product(NestRange x, NestRange y) {
    double a = times(x.low, y.low), b = times(x.low, y.high);
    double c = times(x.high, y.low), d = times(x.high, y.high);
    return range_of(fmin(fmin(a, b), fmin(c, d)), fmax(fmax(a, b), fmax(c, d)));
}

/* x / n or x % n, for an n above 0 that is known and an x that is not negative. */
static NestRange range_quotient(NestOp op, NestRange x, NestRange n) {
    if (n.low != n.high || n.low <= 0 || x.low < 0)
        return anything;
    if (op == NEST_DIV)
        return range_of(floor(x.low / n.low), floor(x.high / n.low));
    return x.high < n.low ? x : range_of(0, n.low - 1);
}

static NestRange range_at(const NestKernel *kernel, NestId id, uint32_t depth);

/* The last turn begins before the end. */
static NestRange range_variable(const NestKernel *kernel, const NestLoop *loop, uint32_t depth) {
    NestRange begin = range_at(kernel, loop->begin, depth),
              end = range_at(kernel, loop->end, depth);
    double last = end.high - 1;
    if (begin.low == begin.high && isfinite(last))
        last -= fmod(fmax(last - begin.low, 0), (double)loop->step);
    return range_of(begin.low, last);
}

/* `depth`: how many operations more are looked into. */
static NestRange range_at(const NestKernel *kernel, NestId id, uint32_t depth) {
    const NestInstruction *i = &kernel->instructions.at[id];
    if (i->type.elem != NEST_I64 || i->type.lanes != 1 || depth-- == 0)
        return anything;
    if (i->op == NEST_VARIABLE)
        return range_variable(kernel, i->loop, depth);
    if (i->op == NEST_CONST)
        return range_of(i->number, i->number);
    if (i->op == NEST_SELECT) {
        NestRange x = range_at(kernel, i->operands[1], depth),
                  y = range_at(kernel, i->operands[2], depth);
        return range_of(fmin(x.low, y.low), fmax(x.high, y.high));
    }
    if (i->n_operands != 2)
        return anything;
    NestRange x = range_at(kernel, i->operands[0], depth),
              y = range_at(kernel, i->operands[1], depth);
    switch (i->op) {
    case NEST_ADD:
        return range_of(x.low + y.low, x.high + y.high);
    case NEST_SUB:
        return range_of(x.low - y.high, x.high - y.low);
    case NEST_MUL:
        return range_product(x, y);
    case NEST_MIN:
        return range_of(fmin(x.low, y.low), fmin(x.high, y.high));
    case NEST_MAX:
        return range_of(fmax(x.low, y.low), fmax(x.high, y.high));
    case NEST_DIV:
    case NEST_REM:
        return range_quotient(i->op, x, y);
    default:
        return anything;
    }
}

static NestRange nest_range(const NestKernel *kernel, NestId id) {
    return range_at(kernel, id, DEPTH);
}

NestRange nest_address_range(const NestKernel *kernel, const NestAddress *at) {
    NestRange all = range_of((double)at->offset, (double)at->offset);
    for (uint32_t k = 0; k < at->n_terms; k++) {
        double by = (double)at->coefficient[k];
        NestRange term = range_product(nest_range(kernel, at->value[k]), range_of(by, by));
        all = range_of(all.low + term.low, all.high + term.high);
    }
    return all;
}

NestRange nest_lanes_range(const NestKernel *kernel, NestRange first, uint16_t lanes,
                           int64_t stride, NestId valid) {
    double last = (valid ? fmin(lanes, nest_range(kernel, valid).high) : lanes) - 1;
    NestRange more =
        range_product(range_of(0, fmax(last, 0)), range_of((double)stride, (double)stride));
    return range_of(first.low + more.low, first.high + more.high);
}
