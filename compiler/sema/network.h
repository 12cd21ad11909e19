/* The checked network: what sema makes of a file, a model of it and the --set overrides. The
 * computation itself is a TIR program with every layer elaborated; around it stand the recipe, the
 * data binding and what reports need. */
#ifndef HCC_SEMA_NETWORK_H
#define HCC_SEMA_NETWORK_H

#include "syntax/ast.h"
#include "tir/tir.h"

typedef enum { OPTIMIZER_ADAMW, OPTIMIZER_SGD } OptimizerKind;
typedef enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE } ScheduleKind;

typedef struct {
    OptimizerKind optimizer;
    double lr, beta1, beta2, eps, weight_decay, momentum;
    ScheduleKind schedule;
    uint32_t warmup;
    double floor; /* cosine ends at lr * floor */
    uint32_t batch, steps;
    double clip; /* global gradient norm; 0 = off */
    uint64_t seed;
    uint32_t eval_every; /* steps between evaluations during training; 0 = only at the end */
} Recipe;

/* tokens[t] = bytes[t + offset] */
typedef struct {
    uint32_t input;     /* index into program->inputs */
    const char *stream; /* "bytes" */
    int32_t offset;
} DataBinding;

typedef struct {
    const char *source; /* "text"; NULL when the train block names no data */
    VEC(DataBinding) bindings;
    double held_out; /* fraction at the end */
    Span span;
} DataSpec;

/* One site: a connection around its branches, for info, graph and reports. */
typedef struct {
    const char *path;       /* trunk.3.attn */
    const char *connection; /* definition's name */
    const char *branch;     /* definition's name */
    uint32_t site, block;
} SiteInfo;

typedef struct {
    const char *name, *value; /* the value as it would be written */
} NetworkConstant;

typedef struct {
    const char *name; /* model's name */
    TirProgram *program;
    uint32_t space; /* the model's position space for data and sampling; 0 = none */
    Recipe recipe;
    DataSpec data;
    VEC(SiteInfo) sites;
    /* constants of the model after overrides, in order, as name and printed value: for config.json
     */
    VEC(NetworkConstant) constants;
} Network;

#endif
