/* A map of names: what other people's programs call the tensors of a model, and how their axes lie.
 * docs/export.md describes the text. It says of both directions at once: theirs can be made of
 * ours, and ours of theirs. */
#ifndef HC_NAME_MAP_H
#define HC_NAME_MAP_H

#include "runtime/files/error.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    HC_MAP_PARTS = 8,  /* tensors that are joined into one */
    HC_MAP_NAMES = 16, /* names of axes in a line */
    HC_MAP_NODES = 96, /* axes, and what they are made of, in a line */
    HC_MAP_NONE = 255, /* no node */
};

typedef enum {
    HC_AXIS_NAME,
    HC_AXIS_ONE,     /* of extent 1 */
    HC_AXIS_PRODUCT, /* (h e): several in one, the last one fastest */
    HC_AXIS_JOIN,    /* (h | k): one behind the other, a part each */
} HcAxisKind;

/* Of a line's own list; `inside` and `next` are places in it. */
typedef struct {
    HcAxisKind kind;
    uint8_t name; /* which of the line's */
    uint8_t inside, next;
} HcAxis;

typedef struct {
    char *name;   /* a pattern (pattern.h) */
    bool shaped;  /* its axes are named */
    uint8_t axes; /* the first; HC_MAP_NONE: it has none */
} HcMapPart;

typedef struct {
    HcMapPart parts[HC_MAP_PARTS];
    int count;
} HcMapSide;

typedef enum {
    HC_RULE_EQUAL, /* ours = theirs */
    HC_RULE_MAYBE, /* the same, where either is there */
    HC_RULE_TIED,  /* theirs is ours once more, or is not there */
    HC_RULE_SKIP,  /* theirs stands for nothing */
    HC_RULE_OMIT,  /* ours has nothing there */
} HcRuleKind;

typedef struct {
    HcRuleKind kind;
    int line;
    HcMapSide ours, theirs; /* at most one of them has several parts */
    HcAxis axes[HC_MAP_NODES];
    char *names[HC_MAP_NAMES];
    int n_axes, n_names;
} HcMapRule;

typedef struct {
    char *path;
    HcMapRule *rules;
    int count;
} HcNameMap;

/* Reads a map, all of which is checked; hc_name_map_free whatever comes of it. */
HcStatus hc_name_map_read(HcNameMap *map, const char *path, HcError *error);
void hc_name_map_free(HcNameMap *map);

#endif
