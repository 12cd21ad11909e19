/* A network's topology, as a picture shows it: what is computed before, between and after trunks,
 * and of each trunk its sites, block by block. */
#ifndef HCC_DRIVER_GRAPH_GRAPH_H
#define HCC_DRIVER_GRAPH_GRAPH_H

#include "base/compilation.h"
#include "sema/network.h"

typedef VEC(const char *) GraphLines;

/* What a site does with one state of its trunk. */
typedef struct {
    const StateInfo *state;
    bool grows;     /* entries are appended */
    bool read;      /* what the branch reads depends on it */
    bool of_branch; /* after the site it depends on what the branch gives, */
    bool mixed;     /* and on other streams */
} GraphState;

typedef struct {
    const SiteInfo *info;
    const char *name;       /* attn */
    const char *connection; /* mhc(iters = 3) */
    const char *read;       /* what a branch reads, as written: norm(u) */
    const char *norm;       /* what that applies: rmsnorm; "": nothing */
    GraphLines branches;    /* as written */
    VEC(GraphState) states;
} GraphSite;

typedef struct {
    VEC(GraphSite) sites;
    uint32_t number, count; /* the first of so many equal ones in a row */
    bool repeated;          /* of a `repeat` */
} GraphBlock;

typedef struct {
    const char *title;
    GraphLines lines;        /* statements; or */
    VEC(GraphBlock) blocks;  /* of a trunk */
    GraphLines begins, ends; /* of a trunk: as written */
} GraphPart;

typedef struct {
    const ConstItemList *texts; /* its own, and those of what is inside it */
    const char *name;
    GraphLines lines; /* the parts of them that hold */
} GraphConnection;

typedef struct {
    const char *name;      /* the model's */
    const char *constants; /* a = 1, b = 2 */
    VEC(GraphPart) parts;
    VEC(GraphConnection) connections;
    uint32_t n_sites;
} Graph;

/* `fold`: equal blocks in a row are one, with their number. */
Graph graph_of(Compilation *c, const Ast *ast, const Network *network, bool fold);
/* The same bytes for the same graph. */
void graph_svg(const Graph *graph, Arena *arena, FILE *to);

#endif
