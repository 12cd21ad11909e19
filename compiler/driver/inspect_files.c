/* Maps as files; see inspect_files.h. */
#include "driver/inspect_files.h"
#include "driver/outputs.h"
#include "driver/report/heat.h"
#include "driver/trained.h"
#include "driver/xml.h"
#include "runtime/files/npy_write.h"
#include "runtime/files/paths.h"
#include <math.h>
#include <string.h>

/* A matrix with what it is called. */
typedef struct {
    const char *title;
    const double *at;
    int32_t to, from;
    const char *const *to_names, *const *from_names;
} Picture;

enum { MAPS = 5 };

/* Those maps of a site that there are; returns how many. */
static uint32_t pictures_of(const HcSiteMaps *s, const HcMap *maps[MAPS], Picture to[MAPS]) {
    const struct {
        const char *title;
        const HcMap *map;
        const char **to, **from;
    } all[MAPS] = {{"read", &s->read, s->reads, s->streams},
                   {"mix", &s->mix, s->written, s->streams},
                   {"write", &s->write, s->written, s->results},
                   {"begin", &s->begin, s->streams, s->input},
                   {"end", &s->end, s->ended, s->written}};
    uint32_t n = 0;
    for (uint32_t k = 0; k < MAPS; k++)
        if (all[k].map->mean) {
            maps[n] = all[k].map;
            to[n++] = (Picture){all[k].title,     all[k].map->mean, all[k].map->to,
                                all[k].map->from, all[k].to,        all[k].from};
        }
    return n;
}

static ExitCode folder_make(Driver *d, const char *folder) {
    HcError error;
    const HcStatus status = hc_make_folder(folder, &error);
    return driver_failed(d, status, &error);
}

/* --- arrays ------------------------------------------------------------------------------------*/

static ExitCode npy_write(Driver *d, const char *path, const double *at, int32_t to, int32_t from) {
    OutputFile output;
    ExitCode code = output_open(d, path, NULL, &output);
    if (code != EXIT_OK)
        return code;
    char head[HC_NPY_HEAD];
    const int64_t dims[] = {to, from};
    fwrite(head, 1, hc_npy_head(head, "<f8", 2, dims), output.to);
    fwrite(at, sizeof *at, (size_t)to * (size_t)from, output.to);
    return output_finish(d, &output);
}

static ExitCode npy_site(Driver *d, const HcSiteMaps *s, const char *folder) {
    const HcMap *maps[MAPS];
    Picture pictures[MAPS];
    const uint32_t n = pictures_of(s, maps, pictures);
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < n && code == EXIT_OK; k++) {
        const Picture *p = &pictures[k];
        const char *base = arena_printf(d->c->arena, "%s/%s.%s", folder, s->path, p->title);
        code = npy_write(d, arena_printf(d->c->arena, "%s.npy", base), p->at, p->to, p->from);
        if (code == EXIT_OK && maps[k]->deviation)
            code = npy_write(d, arena_printf(d->c->arena, "%s.deviation.npy", base),
                             maps[k]->deviation, p->to, p->from);
    }
    return code;
}

static ExitCode npy_trunk(Driver *d, const HcDepth *trunk, int32_t k, const char *folder) {
    const int32_t side = trunk->n_sites + 1;
    double *gains = ARENA_ARRAY(d->c->arena, double, 2 * (size_t)side);
    for (int32_t i = 0; i < trunk->n_sites; i++) {
        gains[2 * i] = trunk->composite[i].forward;
        gains[2 * i + 1] = trunk->composite[i].backward;
    }
    ExitCode code = npy_write(d, arena_printf(d->c->arena, "%s/unfolded.%d.npy", folder, (int)k),
                              trunk->unfolded, side, side);
    if (code == EXIT_OK)
        code = npy_write(d, arena_printf(d->c->arena, "%s/composite.%d.npy", folder, (int)k), gains,
                         trunk->n_sites, 2);
    return code;
}

ExitCode inspect_write_npy(Driver *d, const InspectMaps *found, const char *folder) {
    ExitCode code = folder_make(d, folder);
    for (int32_t k = 0; k < found->maps->n_sites && code == EXIT_OK; k++)
        if (hc_maps_match(&found->maps->sites[k], found->pattern))
            code = npy_site(d, &found->maps->sites[k], folder);
    for (int32_t k = 0; found->depths && k < found->depths->n_trunks && code == EXIT_OK; k++)
        code = npy_trunk(d, &found->depths->trunks[k], k, folder);
    return code;
}

/* --- pictures ----------------------------------------------------------------------------------*/

enum { CELL = 40, SMALL = 12, FEW = 16, HEAD = 22, LETTER = 7, GAP = 18 };

static int cell_of(const Picture *p) {
    return p->to <= FEW && p->from <= FEW ? CELL : SMALL;
}

static int longest(const char *const *names, int32_t n) {
    size_t most = 0;
    for (int32_t k = 0; k < n; k++)
        most = strlen(names[k]) > most ? strlen(names[k]) : most;
    return (int)most * LETTER + 8;
}

/* Whether names of sources stand upright, as their columns are narrower. */
static bool is_upright(const Picture *p) {
    return longest(p->from_names, p->from) > cell_of(p) + 4;
}
/* What stands above the cells, and beside them. */
static int room_above(const Picture *p) {
    return HEAD + (is_upright(p) ? longest(p->from_names, p->from) : HEAD);
}
static int picture_width(const Picture *p) {
    return longest(p->to_names, p->to) + p->from * cell_of(p) + longest(p->from_names, p->from);
}
static int picture_height(const Picture *p) {
    return room_above(p) + p->to * cell_of(p) + GAP;
}

static void text_at(FILE *to, int x, int y, const char *attributes, const char *text) {
    fprintf(to, "<text x=\"%d\" y=\"%d\" %s>", x, y, attributes);
    xml_text(to, text);
    fputs("</text>\n", to);
}

/* Sources stand above their columns, destinations beside their rows. */
static void picture_print(const Picture *p, int y, FILE *to) {
    const int cell = cell_of(p), left = longest(p->to_names, p->to), top = y + room_above(p);
    const bool upright = is_upright(p);
    char turned[64];
    text_at(to, 0, y + HEAD - 8, "class=\"title\"", p->title);
    for (int32_t j = 0; j < p->from; j++) {
        const int x = left + j * cell + cell / 2 + (upright ? 4 : 0);
        snprintf(turned, sizeof turned, "transform=\"rotate(-90 %d %d)\"", x, top - 6);
        text_at(to, x, top - 6, upright ? turned : "text-anchor=\"middle\"", p->from_names[j]);
    }
    for (int32_t i = 0; i < p->to; i++)
        text_at(to, left - 6, top + i * cell + cell / 2 + 4, "text-anchor=\"end\"", p->to_names[i]);
    const Heat heat = {.at = p->at,
                       .to = (uint32_t)p->to,
                       .from = (uint32_t)p->from,
                       .to_names = p->to_names,
                       .from_names = p->from_names,
                       .full = heat_most(p->at, (uint32_t)(p->to * p->from), 1e-30)};
    heat_print(&heat, left, top, cell, to);
    for (int32_t k = 0; cell == CELL && k < p->to * p->from; k++)
        if (isfinite(p->at[k]))
            fprintf(to, "<text x=\"%d\" y=\"%d\" class=\"value\">%.2f</text>\n",
                    left + k % p->from * cell + cell / 2, top + k / p->from * cell + cell / 2 + 4,
                    p->at[k]);
}

static const char style[] =
    "<style>svg{background:#fff;color-scheme:light dark}text{font:12px sans-serif;fill:#222}"
    ".title{font-weight:bold}.value{font-size:11px;text-anchor:middle}.frame{fill:none;stroke:#888}"
    ".pos{fill:#4a90d9}.neg{fill:#d9694a}@media(prefers-color-scheme:dark){svg{background:#181818}"
    "text{fill:#ddd}}</style>\n";

/* A file of these, one below the other. */
static ExitCode svg_write(Driver *d, const char *path, const char *title, const Picture *pictures,
                          uint32_t n) {
    OutputFile output;
    int width = LETTER * (int)strlen(title) + GAP, height = HEAD;
    for (uint32_t k = 0; k < n; k++) {
        const int wide = picture_width(&pictures[k]);
        width = wide > width ? wide : width;
        height += picture_height(&pictures[k]);
    }
    const char *mark = output_mark(d->c->arena, "<!-- ", " -->");
    ExitCode code = output_open(d, path, mark, &output);
    if (code != EXIT_OK)
        return code;
    fprintf(output.to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-8 -4 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\">\n<title>",
            width + 16, height + 8, width + 16, height + 8);
    xml_text(output.to, title);
    fprintf(output.to, "</title>\n%s", style);
    text_at(output.to, 0, HEAD - 8, "class=\"title\"", title);
    int y = HEAD;
    for (uint32_t k = 0; k < n; k++) {
        picture_print(&pictures[k], y, output.to);
        y += picture_height(&pictures[k]);
    }
    fputs("</svg>\n", output.to);
    return output_finish(d, &output);
}

static ExitCode svg_site(Driver *d, const HcSiteMaps *s, const char *folder) {
    const HcMap *maps[MAPS];
    Picture pictures[MAPS];
    const uint32_t n = pictures_of(s, maps, pictures);
    const char *title =
        arena_printf(d->c->arena, "%s: %s around %s; columns are sources, rows destinations",
                     s->path, s->connection, s->branch);
    return svg_write(d, arena_printf(d->c->arena, "%s/%s.svg", folder, s->path), title, pictures,
                     n);
}

static ExitCode svg_trunk(Driver *d, const HcMaps *maps, const HcDepth *trunk, int32_t k,
                          const char *folder) {
    const int32_t side = trunk->n_sites + 1;
    const char **names = ARENA_ARRAY(d->c->arena, const char *, (size_t)side + 1);
    double *at = ARENA_ARRAY(d->c->arena, double, (size_t)side *(size_t)side);
    names[0] = "input";
    for (int32_t i = 0; i < trunk->n_sites; i++)
        names[i + 1] = maps->sites[trunk->first + i].path;
    names[side] = "the end";
    for (int32_t i = 0; i < side * side; i++) /* what comes later is left empty */
        at[i] = i % side > i / side ? NAN : trunk->unfolded[i];
    const Picture picture = {
        "what is read of what was given before", at, side, side, names + 1, names};
    return svg_write(d, arena_printf(d->c->arena, "%s/unfolded.%d.svg", folder, (int)k),
                     "the trunk unfolded; columns are sources, rows destinations", &picture, 1);
}

ExitCode inspect_write_svg(Driver *d, const InspectMaps *found, const char *folder) {
    ExitCode code = folder_make(d, folder);
    for (int32_t k = 0; k < found->maps->n_sites && code == EXIT_OK; k++)
        if (hc_maps_match(&found->maps->sites[k], found->pattern))
            code = svg_site(d, &found->maps->sites[k], folder);
    for (int32_t k = 0; found->depths && k < found->depths->n_trunks && code == EXIT_OK; k++)
        code = svg_trunk(d, found->maps, &found->depths->trunks[k], k, folder);
    return code;
}
