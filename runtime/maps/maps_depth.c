/* Products of maps over depth; see maps_depth.h. */
#include "runtime/maps/maps_depth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A matrix of the caller's; `at` NULL: it is not known. */
typedef struct {
    int32_t to, from;
    double *at;
} Matrix;

static Matrix matrix_of(const HcMap *map) {
    return (Matrix){map->to, map->from, map->mean};
}

static void matrix_free(Matrix *m) {
    free(m->at);
    m->at = NULL;
}

static double *matrix_new(int32_t to, int32_t from) {
    return calloc((size_t)to * (size_t)from + 1, sizeof(double));
}

/* x y; not known where one is not, or where they do not meet. False: out of memory. */
static bool matrix_times(const Matrix *x, const Matrix *y, Matrix *to) {
    *to = (Matrix){.to = x->to, .from = y->from};
    if (!x->at || !y->at || x->from != y->to)
        return true;
    to->at = matrix_new(x->to, y->from);
    for (int32_t k = 0; to->at && k < x->to; k++)
        for (int32_t i = 0; i < x->from; i++)
            for (int32_t j = 0; j < y->from; j++)
                to->at[(int64_t)k * y->from + j] +=
                    x->at[(int64_t)k * x->from + i] * y->at[(int64_t)i * y->from + j];
    return to->at;
}

/* *m becomes m y. */
static bool matrix_onto(Matrix *m, const Matrix *y) {
    Matrix product;
    const bool good = matrix_times(m, y, &product);
    matrix_free(m);
    *m = product;
    return good;
}

static HcGain gain_of(const Matrix *m) {
    HcGain gain = {m->at ? 0 : NAN, m->at ? 0 : NAN};
    for (int32_t k = 0; m->at && k < m->to; k++) {
        double sum = 0;
        for (int32_t j = 0; j < m->from; j++)
            sum += fabs(m->at[(int64_t)k * m->from + j]);
        gain.forward = fmax(gain.forward, sum);
    }
    for (int32_t j = 0; m->at && j < m->from; j++) {
        double sum = 0;
        for (int32_t k = 0; k < m->to; k++)
            sum += fabs(m->at[(int64_t)k * m->from + j]);
        gain.backward = fmax(gain.backward, sum);
    }
    return gain;
}

static Matrix identity(int32_t n) {
    Matrix m = {n, n, matrix_new(n, n)};
    for (int32_t k = 0; m.at && k < n; k++)
        m.at[(int64_t)k * n + k] = 1;
    return m;
}

/* --- gains -------------------------------------------------------------------------------------*/

static bool find_gains(const HcMaps *maps, HcDepth *d) {
    const HcSiteMaps *sites = maps->sites + d->first;
    Matrix all = identity(sites[d->n_sites - 1].mix.to);
    bool good = all.at;
    for (int32_t k = d->n_sites; good && k-- > 0;) {
        const Matrix mix = matrix_of(&sites[k].mix);
        d->own[k] = gain_of(&mix);
        good = matrix_onto(&all, &mix);
        d->composite[k] = gain_of(&all);
    }
    matrix_free(&all);
    return good;
}

/* --- the unfolded trunk ------------------------------------------------------------------------*/

/* How many parts the first of these values has: x.0, x.1 ... */
static int32_t parts_of(const char **names, int32_t n) {
    int32_t parts = 0;
    char *end;
    for (; parts < n; parts++) {
        const char *dot = strrchr(names[parts], '.');
        if (!dot || strtol(dot + 1, &end, 10) != parts || *end)
            break;
    }
    return parts ? parts : 1;
}

/* The mean over features: entries of one part by the same, over parts and values. */
static double mean_entry(const Matrix *m, int32_t parts) {
    const int32_t to = m->to / parts, from = m->from / parts;
    double sum = 0;
    if (!m->at)
        return NAN;
    for (int32_t k = 0; k < to; k++)
        for (int32_t j = 0; j < from; j++)
            for (int32_t p = 0; p < parts; p++)
                sum += m->at[(int64_t)(k * parts + p) * m->from + j * parts + p];
    return sum / ((double)to * from * parts);
}

/* One row: from what is read of the streams back to where it came from. `reads` of the streams as
 * site `k` finds them; takes it over. */
static bool unfold_row(const HcSiteMaps *sites, int32_t k, Matrix reads, int32_t parts,
                       double *row) {
    bool good = true;
    for (int32_t j = k; good && j-- > 0;) {
        const Matrix write = matrix_of(&sites[j].write), mix = matrix_of(&sites[j].mix);
        Matrix found;
        good = matrix_times(&reads, &write, &found);
        row[j + 1] = mean_entry(&found, parts);
        matrix_free(&found);
        good = good && matrix_onto(&reads, &mix);
    }
    const Matrix begin = matrix_of(&sites[0].begin);
    good = good && matrix_onto(&reads, &begin);
    row[0] = mean_entry(&reads, parts);
    matrix_free(&reads);
    return good;
}

static bool unfold(const HcMaps *maps, HcDepth *d) {
    const HcSiteMaps *sites = maps->sites + d->first;
    bool good = true;
    for (int32_t k = 0; good && k <= d->n_sites; k++) {
        const bool end = k == d->n_sites;
        const HcSiteMaps *s = &sites[end ? k - 1 : k];
        const HcMap *map = end ? &s->end : &s->read;
        Matrix reads = {.to = map->to, .from = map->from};
        if (map->mean) {
            reads.at = matrix_new(map->to, map->from);
            good = reads.at;
        }
        for (int64_t i = 0; reads.at && i < (int64_t)map->to * map->from; i++)
            reads.at[i] = map->mean[i];
        const int32_t parts = end ? parts_of(s->ended, s->n_ended) : parts_of(s->reads, s->n_reads);
        good =
            good && unfold_row(sites, k, reads, parts, d->unfolded + (int64_t)k * (d->n_sites + 1));
    }
    return good;
}

/* --- trunks ------------------------------------------------------------------------------------*/

static bool depth_of(const HcMaps *maps, HcDepth *d) {
    const size_t n = (size_t)d->n_sites;
    d->own = calloc(n, sizeof *d->own);
    d->composite = calloc(n, sizeof *d->composite);
    d->unfolded = calloc((n + 1) * (n + 1), sizeof *d->unfolded);
    return d->own && d->composite && d->unfolded && find_gains(maps, d) && unfold(maps, d);
}

bool hc_depths_of(const HcMaps *maps, HcDepths *depths) {
    *depths = (HcDepths){.trunks = calloc((size_t)maps->n_sites + 1, sizeof *depths->trunks)};
    bool good = depths->trunks;
    for (int32_t k = 0; good && k < maps->n_sites; k++) {
        if (k == 0 || maps->sites[k].site == 0)
            depths->trunks[depths->n_trunks++].first = k;
        depths->trunks[depths->n_trunks - 1].n_sites++;
    }
    for (int32_t k = 0; good && k < depths->n_trunks; k++)
        good = depth_of(maps, &depths->trunks[k]);
    if (!good)
        hc_depths_free(depths);
    return good;
}

void hc_depths_free(HcDepths *depths) {
    for (int32_t k = 0; k < depths->n_trunks; k++) {
        free(depths->trunks[k].own);
        free(depths->trunks[k].composite);
        free(depths->trunks[k].unfolded);
    }
    free(depths->trunks);
    *depths = (HcDepths){0};
}
