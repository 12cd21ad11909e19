/* The checked network: what sema makes of a file, a model of it and the --set overrides. The
 * computation itself is a TIR program with every layer elaborated; around it stand the recipe, the
 * data binding and what reports need. */
#ifndef HCC_SEMA_NETWORK_H
#define HCC_SEMA_NETWORK_H

#include "abi/precision.h"
#include "abi/settings.h"
#include "syntax/ast.h"
#include "tir/tir.h"

typedef enum {
#define HC_OPTIMIZER(ident, text, first, second) OPTIMIZER_##ident,
#include "abi/words.def"
    OPTIMIZER_COUNT
} OptimizerKind;

typedef enum {
#define HC_SCHEDULE(ident, text) SCHEDULE_##ident,
#include "abi/words.def"
    SCHEDULE_COUNT
} ScheduleKind;

/* As the language and the manifest write them. */
extern const char *const recipe_optimizers[OPTIMIZER_COUNT],
    *const recipe_schedules[SCHEDULE_COUNT], *const recipe_precisions[HC_PRECISION_COUNT];
/* How many moments an optimiser keeps of every parameter. */
extern const uint8_t recipe_moments[OPTIMIZER_COUNT];

/* What the choices do not take is 0. */
typedef struct {
    OptimizerKind optimizer;
    ScheduleKind schedule;
    HcPrecision precision; /* who compiles it may choose another */
    HC_SETTING_MEMBERS(HC_SETTING_MEMBER)
} Recipe;

enum { DATA_AXES = 2 + TIR_MAX_RANK, DATA_SUBSCRIPTS = TIR_MAX_RANK };

/* One subscript of a stream: base + sum of coefficients * indices. The indices are those of the
 * input's space of positions, then those of its own axes. */
typedef struct {
    int64_t base, coefficients[DATA_AXES];
    const char *column; /* of a table: counted from the column of this name; or NULL */
} DataSubscript;

/* What fills an input. Text: tokens[t] = bytes[t + offset]. Else input = scale * stream[...] +
 * shift; with `standardise` the stream is shifted and scaled first, so that over the training part
 * every element has mean 0 and deviation 1. */
typedef struct {
    uint32_t input;     /* index into program->inputs */
    const char *stream; /* "bytes", "columns", "images", ... */
    int32_t offset;
    VEC(DataSubscript) subscripts;
    bool whole; /* written without subscripts: the stream's axes are the input's */
    double scale, shift;
    bool standardise;
    Span span;
} DataBinding;

typedef struct {
    const char *stream; /* NULL: it holds all streams of the source */
    const char *path;
} DataFile;

typedef enum { DATA_HEADER_GUESSED, DATA_HEADER, DATA_NO_HEADER } DataHeader;

typedef struct {
    const char *source; /* "text", "idx", ...; NULL when the train block names no data */
    bool in_windows;    /* it is one sequence, and windows of it are read */
    VEC(DataBinding) bindings;
    double held_out; /* fraction: at the end, or `shuffled`: drawn */
    bool shuffled;
    VEC(DataFile) train_files, held_out_files; /* none: from the command line, or standard names */
    DataHeader header;                         /* of tables */
    const char *separator;                     /* one character, or NULL: guessed */
    uint32_t skip;                             /* lines before the table */
    uint32_t width; /* bits of a token of files without a header; 0: not said */
    Span span;
} DataSpec;

/* A value of a site, by the name that the text has for it. */
typedef struct {
    const char *name;
    TirId value;
    bool grows; /* a state with an entry more for each that sites append */
} SiteValue;
typedef VEC(SiteValue) SiteValueList;

typedef struct {
    const char *name, *value; /* the value as it would be written */
} NetworkConstant;

typedef VEC(const Stmt *) ConstStmtList;
typedef VEC(const Item *) ConstItemList;

/* A state of a trunk, as a site leaves it. */
typedef struct {
    const char *name;
    uint32_t rank, dims[TIR_MAX_RANK];
} StateInfo;

/* One site: a connection around its branches, for info, graph and reports. */
typedef struct {
    const char *path;       /* trunk.3.attn */
    const char *connection; /* definition's name */
    const char *branch;     /* definition's name */
    bool calls_branch;      /* the connection does, beside or instead of reading for it */
    uint32_t site, block;
    /* with SemaOptions.maps: what it takes as given, arguments of the program's block, */
    SiteValueList states, results; /* as it finds them; the branches' first ones */
    SiteValueList reads, written;  /* and what it makes of that */
    SiteValueList input;           /* of a trunk's first site: what the trunk is given, */
    SiteValueList left, ended;     /* of its last: the states after it, and what it gives of them */
    /* As it was written: */
    const Stmt *stmt;
    const Item *definition;         /* of the connection, */
    ConstItemList texts;            /* and with it those of what is inside it, inwards; */
    VEC(NetworkConstant) arguments; /* what it was given for its parameters, */
    ConstStmtList parts;            /* and, in their order, which statements of it hold here */
    VEC(StateInfo) kept;
} SiteInfo;

/* What pass_maps makes of a site. A map is destination by source; its mean over all samples and
 * positions is an output of the program, and so is its variance where it is not the same at all of
 * them. */
typedef struct {
    const char *why;             /* there is none; NULL: there is one */
    const char *mean, *variance; /* names of outputs; variance NULL: it is the same everywhere */
} SiteMap;

typedef VEC(const char *) MapNames;

typedef struct {
    /* Streams by name, those that the site finds and those that it leaves, and what its branches
     * read and give. Empty where `why` of all maps says so. */
    MapNames streams, written, reads, results;
    SiteMap read, mix, write;
    bool first, last; /* of its trunk: it has */
    MapNames input, ended;
    SiteMap begin;                  /* streams by the trunk's input, */
    SiteMap end;                    /* and what the trunk gives by the streams that it leaves */
    const char *norms, *similarity; /* names of outputs, or NULL: of the streams that it finds */
} SiteMaps;

typedef struct {
    const char *name; /* model's name */
    Span named;       /* where it has it */
    TirProgram *program;
    uint32_t space; /* the model's position space for data and sampling; 0 = none */
    Recipe recipe;
    DataSpec data;
    VEC(SiteInfo) sites;
    VEC(SiteMaps) maps;   /* by site, after pass_maps; else none */
    TirIdVec given;       /* by argument of the program's block: the value that it stands for */
    SiteValueList values; /* with SemaOptions.exports: lets and inputs, by the path of their name */
    /* constants of the model after overrides, in order, as name and printed value: for config.json
     */
    VEC(NetworkConstant) constants;
} Network;

#endif
