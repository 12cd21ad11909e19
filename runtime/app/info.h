/* What a model is, for people: the part of `info` that a model's source and a compiled model both
 * tell. */
#ifndef HC_INFO_H
#define HC_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    const char *name, *value;
} HcInfoConstant;

/* Sites with the same connection and branch. */
typedef struct {
    const char *connection, *branch;
    uint32_t count;
} HcInfoSite;

/* Parameters that one definition declares; buffers are none. */
typedef struct {
    const char *name;
    uint32_t tensors;
    uint64_t elements;
    bool of_connection;
} HcInfoGroup;

typedef struct {
    const char *model;
    const HcInfoConstant *constants;
    const HcInfoSite *sites;
    const HcInfoGroup *groups;
    const char *const *lost; /* trained, without a path to the loss */
    uint32_t n_constants, n_sites, n_groups, n_lost;
    uint64_t elements, undecayed;
} HcInfo;

void hc_info_print(const HcInfo *info, FILE *to);

#endif
