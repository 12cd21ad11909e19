/* What a model's sites read, mix and write of their streams: the outputs of a program of maps, over
 * data. Such a program is another compiled model of the same parameters; `hcc` makes it, and a
 * manifest with `maps` tells it.
 *
 * Maps are [destination][source]. Of what differs from position to position they are means over all
 * samples and positions that were looked at, beside standard deviations. */
#ifndef HC_MAPS_H
#define HC_MAPS_H

#include "runtime/maps/inspect.h"

typedef struct {
    const char *why; /* there is none, for this reason; NULL: there is one, unless it is empty */
    int32_t to, from;
    double *mean;      /* [to][from] */
    double *deviation; /* the same; NULL: the same at all positions, whatever the data */
} HcMap;

typedef struct {
    const char *path, *connection, *branch; /* as the manifest has them */
    int32_t site, block;
    /* What the maps are between: the streams that the site finds and those that it leaves (more
     * where a state grows), what the branches read and what they give. */
    int32_t n_streams, n_written, n_reads, n_results, n_input, n_ended;
    const char **streams, **written, **reads, **results, **input, **ended;
    HcMap read;  /* reads by streams, without the norm at their end */
    HcMap mix;   /* written by streams */
    HcMap write; /* written by results */
    HcMap begin; /* of a trunk's first site: streams by its input; else empty */
    HcMap end; /* of its last: what it gives by written, without the norm at its end; else empty */
    double *norms;     /* of the streams, roots of mean squares; or NULL */
    double similarity; /* the mean cosine between two different streams; NaN: there is one stream */
} HcSiteMaps;

typedef struct {
    HcSiteMaps *sites;
    int32_t n_sites;
    int64_t samples;  /* looked at */
    bool of_held_out; /* they are of the held-out part, else of the training part */
    json_t *json;     /* which names point into */
    void *memory;
} HcMaps;

/* Reads the run or checkpoint and its held-out data (the training part, where none are held out).
 * After a failure nothing is to be freed. */
HcStatus hc_maps_read(const HcModel *model, const HcInspectOptions *options, HcMaps *maps,
                      HcError *error);
void hc_maps_free(HcMaps *maps);

/* Whether the site is one of those that a pattern of paths names. */
bool hc_maps_match(const HcSiteMaps *site, const char *pattern);
/* For people, and as JSON, which the caller releases. Sites whose path matches the pattern (as of
 * file names: * and ?), or all when that is NULL; *n: how many they were. */
bool hc_maps_print(const HcMaps *maps, const char *pattern, FILE *to, int32_t *n);
json_t *hc_maps_json(const HcMaps *maps, const char *pattern, int32_t *n);

/* The steps of hc_maps_read, for who has a context of such a model. */
HcStatus hc_maps_begin(HcContext *context, HcMaps *maps);
/* Adds what the outputs are after a forward pass of `samples` samples, which count alike. */
HcStatus hc_maps_add(HcContext *context, HcMaps *maps, int64_t samples);
/* After all batches. */
void hc_maps_finish(HcMaps *maps);

#endif
