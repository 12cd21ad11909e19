/* What a model is: the part of `info` that a model's source and a compiled model both tell, as text
 * and as JSON. */
#ifndef HC_INFO_H
#define HC_INFO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    const char *name, *value;
} HcInfoConstant;

typedef struct {
    const char *path, *connection, *branch;
    uint32_t site, block;
} HcInfoSite;

/* Buffers are none. */
typedef struct {
    const char *name, *group; /* group: the definition that declares it */
    uint64_t elements;
    bool of_connection, decay;
    bool held;                    /* to a constraint, by `project` */
    bool lost;                    /* trained, without a path to the loss */
    uint64_t apart, free, summed; /* as matrices: how many, and their sides; 0: it is none */
} HcInfoParameter;

typedef struct {
    const char *model, *precision;
    const HcInfoConstant *constants;
    const HcInfoSite *sites;
    const HcInfoParameter *parameters;
    uint32_t n_constants, n_sites, n_parameters;
    uint64_t positions, batch, parts; /* of a sample; samples of a step; parts that they run in */
} HcInfo;

/* For people; sites and parameters by kind. False: out of memory. */
bool hc_info_print(const HcInfo *info, FILE *to);
/* The caller's; NULL: out of memory. */
json_t *hc_info_json(const HcInfo *info);

#endif
