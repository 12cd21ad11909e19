/* MAP ops on single numbers: the one place that says what each computes. */
#include "tir/tir_internal.h"
#include <math.h>

double tir_scalar(TirOp op, const double *v) {
    switch (op) {
    case TIR_NEG:
        return -v[0];
    case TIR_ABS:
        return fabs(v[0]);
    case TIR_EXP:
        return exp(v[0]);
    case TIR_LOG:
        return log(v[0]);
    case TIR_SQRT:
        return sqrt(v[0]);
    case TIR_RSQRT:
        return 1.0 / sqrt(v[0]);
    case TIR_TANH:
        return tanh(v[0]);
    case TIR_SIGMOID: /* either side without overflow */
        return v[0] >= 0 ? 1.0 / (1.0 + exp(-v[0])) : exp(v[0]) / (1.0 + exp(v[0]));
    case TIR_ERF:
        return erf(v[0]);
    case TIR_SIN:
        return sin(v[0]);
    case TIR_COS:
        return cos(v[0]);
    case TIR_FLOOR:
        return floor(v[0]);
    case TIR_NOT:
        return v[0] == 0;
    case TIR_TO_REAL:
    case TIR_STOP_GRADIENT:
        return v[0];
    case TIR_ADD:
        return v[0] + v[1];
    case TIR_SUB:
        return v[0] - v[1];
    case TIR_MUL:
        return v[0] * v[1];
    case TIR_DIV:
        return v[0] / v[1];
    case TIR_POW:
        return pow(v[0], v[1]);
    case TIR_MIN:
        return v[0] <= v[1] ? v[0] : v[1];
    case TIR_MAX:
        return v[0] >= v[1] ? v[0] : v[1];
    case TIR_LT:
        return v[0] < v[1];
    case TIR_LE:
        return v[0] <= v[1];
    case TIR_EQ:
        return v[0] == v[1];
    case TIR_AND:
        return v[0] != 0 && v[1] != 0;
    case TIR_OR:
        return v[0] != 0 || v[1] != 0;
    case TIR_SELECT:
        return v[0] != 0 ? v[1] : v[2];
    default:
        return NAN;
    }
}
