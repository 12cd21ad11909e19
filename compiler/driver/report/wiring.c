/* What the sites of a trained network do with their streams: their maps, what of each layer reaches
 * which, and the gain over depth. */
#include "driver/report/chart.h"
#include "driver/report/heat.h"
#include "driver/report/page.h"
#include "driver/xml.h"
#include <math.h>
#include <string.h>

enum { CELL = 13, SMALL_CELL = 7, MANY = 8, GAP = 14, LABEL = 16, WIDEST = 1100 };

/* --- every site's maps -------------------------------------------------------------------------*/

/* Of a site's picture: its write map stands to the right of the mixing map, its read map below, as
 * a hyper-connection's matrix has them. */
static int site_width(const HcSiteMaps *s, int cell) {
    const int mix = s->mix.from * cell + 6 + s->write.from * cell, read = s->read.from * cell;
    return (mix > read ? mix : read) + GAP;
}

static int site_height(const HcSiteMaps *s, int cell) {
    return LABEL + s->mix.to * cell + 6 + s->read.to * cell + GAP;
}

static void site_map(const HcMap *map, const char **to_names, int32_t n_to, const char **from_names,
                     int32_t n_from, double full, int x, int y, int cell, FILE *to) {
    const bool named = n_to == map->to && n_from == map->from;
    if (map->why || !map->mean)
        return;
    const Heat heat = {.at = map->mean,
                       .to = (uint32_t)map->to,
                       .from = (uint32_t)map->from,
                       .to_names = named ? to_names : NULL,
                       .from_names = named ? from_names : NULL,
                       .full = full};
    heat_print(&heat, x, y, cell, to);
}

static void site_print(const HcSiteMaps *s, double full, int x, int y, int cell, FILE *to) {
    const char *dot = strchr(s->path, '.');
    fprintf(to, "<text x=\"%d\" y=\"%d\" class=\"site\">", x, y + LABEL - 5);
    xml_text(to, dot ? dot + 1 : s->path);
    fputs("</text>\n", to);
    y += LABEL;
    site_map(&s->mix, s->written, s->n_written, s->streams, s->n_streams, full, x, y, cell, to);
    site_map(&s->write, s->written, s->n_written, s->results, s->n_results, full,
             x + s->mix.from * cell + 6, y, cell, to);
    site_map(&s->read, s->reads, s->n_reads, s->streams, s->n_streams, full, x,
             y + s->mix.to * cell + 6, cell, to);
}

static double maps_most(const HcMaps *maps) {
    double most = 1;
    for (int32_t k = 0; k < maps->n_sites; k++) {
        const HcMap *const of[] = {&maps->sites[k].read, &maps->sites[k].mix,
                                   &maps->sites[k].write};
        for (uint32_t i = 0; i < 3; i++)
            if (!of[i]->why && of[i]->mean)
                most = heat_most(of[i]->mean, (uint32_t)(of[i]->to * of[i]->from), most);
    }
    return most;
}

static int32_t maps_largest(const HcMaps *maps) {
    int32_t largest = 0;
    for (int32_t k = 0; k < maps->n_sites; k++)
        largest = maps->sites[k].mix.to > largest ? maps->sites[k].mix.to : largest;
    return largest;
}

/* How wide a site's picture is with its name. */
static int site_room(const HcSiteMaps *s, int cell) {
    const char *dot = strchr(s->path, '.');
    const int name = 7 * (int)strlen(dot ? dot + 1 : s->path) + GAP, width = site_width(s, cell);
    return name > width ? name : width;
}

static void maps_picture(const HcMaps *maps, double full, FILE *to) {
    const int cell = maps_largest(maps) > MANY ? SMALL_CELL : CELL;
    int widest = 0, height = 0, x = 0, y = 0, row = 0;
    for (int pass = 0; pass < 2; pass++) { /* the first one finds the size */
        if (pass)
            fprintf(to,
                    "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" class=\"heat\" "
                    "role=\"img\" aria-label=\"Read, mixing and write map of every site; the "
                    "numbers follow\">\n",
                    widest, height, widest, height);
        x = y = row = 0;
        for (int32_t k = 0; k < maps->n_sites; k++) {
            const HcSiteMaps *s = &maps->sites[k];
            const int width = site_room(s, cell), tall = site_height(s, cell);
            if (x && x + width > WIDEST) {
                x = 0;
                y += row;
                row = 0;
            }
            if (pass)
                site_print(s, full, x, y, cell, to);
            x += width;
            row = tall > row ? tall : row;
            widest = x > widest ? x : widest;
        }
        height = y + row;
    }
    fputs("</svg>\n", to);
}

static void maps_rows(const HcSiteMaps *s, const char *kind, const HcMap *map,
                      const char **to_names, int32_t n_to, FILE *to) {
    for (int32_t i = 0; i < map->to && !map->why && map->mean; i++) {
        page_row_begin(to, s->path);
        page_cell(to, kind);
        page_cell(to, n_to == map->to ? to_names[i] : "");
        fputs("<td class=\"left\">", to);
        for (int32_t j = 0; j < map->from; j++) {
            fprintf(to, "%s%.4g", j ? ", " : "", map->mean[i * map->from + j]);
            if (map->deviation)
                fprintf(to, " \xC2\xB1 %.2g", map->deviation[i * map->from + j]);
        }
        fputs("</td>", to);
        page_row_end(to);
    }
}

static void maps_table(const HcMaps *maps, FILE *to) {
    page_details_begin(to, "The numbers");
    page_table_begin(to, "Maps of every site");
    page_head(to, (const char *const[]){"site", "map", "destination", "from each source"}, 4);
    for (int32_t k = 0; k < maps->n_sites; k++) {
        const HcSiteMaps *s = &maps->sites[k];
        maps_rows(s, "read", &s->read, s->reads, s->n_reads, to);
        maps_rows(s, "mixing", &s->mix, s->written, s->n_written, to);
        maps_rows(s, "write", &s->write, s->written, s->n_written, to);
    }
    page_table_end(to);
    page_details_end(to);
}

/* Said once for all sites with the same. */
static void maps_missing(const HcMaps *maps, FILE *to) {
    const char *said = "";
    for (int32_t k = 0; k < maps->n_sites; k++) {
        const HcMap *const of[] = {&maps->sites[k].read, &maps->sites[k].mix,
                                   &maps->sites[k].write};
        for (uint32_t i = 0; i < 3; i++) {
            if (!of[i]->why || strcmp(of[i]->why, said) == 0)
                continue;
            said = of[i]->why;
            fputs("<p>", to);
            xml_text(to, maps->sites[k].path);
            fputs(" has maps that cannot be shown: ", to);
            xml_text(to, said);
            fputs("</p>\n", to);
        }
    }
}

static void wiring_maps(const HcMaps *maps, FILE *to) {
    const double full = maps_most(maps);
    fputs(
        "<h4>Maps of every site</h4>\n<p>At each site: the mixing map, streams to streams; on its "
        "right the write map, the branch's result to streams; below it the read map, streams to "
        "what the branch reads, without its norm. ",
        to);
    fprintf(to,
            "Rows are destinations, columns sources. <span class=\"posi\">Positive</span> or <span "
            "class=\"nega\">negative</span>; full colour is %.3g.</p>\n",
            full);
    maps_missing(maps, to);
    if (maps->n_sites == 0)
        return;
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Maps of every site\">",
          to);
    maps_picture(maps, full, to);
    fputs("</div>\n", to);
    maps_table(maps, to);
}

/* --- from layer to layer -----------------------------------------------------------------------*/

/* A trunk, with the names that its pictures have. */
typedef struct {
    Arena *arena;
    const HcMaps *maps;
    const HcDepth *depth;
    const char **to, **from; /* of the unfolded map */
    double *unfolded;        /* NAN where a result comes later */
    uint32_t n;              /* sites */
} Trunk;

static Trunk trunk_of(Arena *arena, const GroupMaps *of, int32_t which) {
    const HcDepth *depth = &of->depths.trunks[which];
    Trunk t = {.arena = arena, .maps = &of->maps, .depth = depth, .n = (uint32_t)depth->n_sites};
    const uint32_t side = t.n + 1;
    t.to = ARENA_ARRAY(arena, const char *, side);
    t.from = ARENA_ARRAY(arena, const char *, side);
    t.unfolded = ARENA_ARRAY(arena, double, (size_t)side *side);
    t.to[t.n] = "the trunk's end";
    t.from[0] = "the trunk's input";
    for (uint32_t k = 0; k < t.n; k++)
        t.to[k] = t.from[k + 1] = of->maps.sites[(uint32_t)depth->first + k].path;
    for (uint32_t i = 0; i < side; i++)
        for (uint32_t j = 0; j < side; j++)
            t.unfolded[(size_t)i * side + j] =
                j <= i ? depth->unfolded[(size_t)i * side + j] : (double)NAN;
    return t;
}

static void unfolded_table(const Trunk *t, FILE *to) {
    const uint32_t side = t->n + 1;
    page_details_begin(to, "The numbers");
    page_table_begin(to, "What of each earlier result a site reads");
    fputs("<thead><tr><th scope=\"col\">site</th>", to);
    for (uint32_t j = 0; j < side; j++) {
        fputs("<th scope=\"col\">", to);
        xml_text(to, t->from[j]);
        fputs("</th>", to);
    }
    fputs("</tr></thead><tbody>\n", to);
    for (uint32_t i = 0; i < side; i++) {
        page_row_begin(to, t->to[i]);
        for (uint32_t j = 0; j < side; j++)
            page_number(to, "%.4g", t->unfolded[(size_t)i * side + j]);
        page_row_end(to);
    }
    page_table_end(to);
    page_details_end(to);
}

enum { LETTER = 6, LARGEST_CELL = 30, SMALLEST_CELL = 9, UNFOLDED_SIDE = 420 };

static int unfolded_cell(uint32_t side) {
    const int cell = UNFOLDED_SIDE / (int)side;
    return cell > LARGEST_CELL ? LARGEST_CELL : cell < SMALLEST_CELL ? SMALLEST_CELL : cell;
}

static int unfolded_label(const Trunk *t) {
    size_t longest = strlen(t->to[t->n]);
    for (uint32_t k = 0; k < t->n; k++)
        longest = strlen(t->to[k]) > longest ? strlen(t->to[k]) : longest;
    return LETTER * (int)(longest < 40 ? longest : 40) + 10;
}

/* Names stand beside rows and below columns. The last row, a sum over streams, has a scale of its
 * own. */
static void unfolded_picture(const Trunk *t, double full, double full_end, FILE *to) {
    const uint32_t side = t->n + 1;
    const int cell = unfolded_cell(side), label = unfolded_label(t), length = (int)side * cell + 4;
    fprintf(to,
            "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" class=\"heat\" role=\"img\" "
            "aria-label=\"What of each earlier result a site reads; the numbers follow\">\n",
            label + length + 4, length + label, label + length + 4, length + label);
    heat_print(&(Heat){t->unfolded, t->n, side, t->to, t->from, full}, label, 2, cell, to);
    heat_print(&(Heat){t->unfolded + (size_t)t->n * side, 1, side, t->to + t->n, t->from, full_end},
               label, 6 + (int)t->n * cell, cell, to);
    for (uint32_t k = 0; k < side; k++) {
        const int x = label + (int)k * cell + cell / 2 + 3, y = length + 8;
        fprintf(to, "<text x=\"%d\" y=\"%d\" class=\"small end\">", label - 5,
                (k == t->n ? 6 : 2) + (int)k * cell + cell / 2 + 3);
        xml_text(to, t->to[k]);
        fprintf(to,
                "</text>\n<text x=\"%d\" y=\"%d\" class=\"small end\" "
                "transform=\"rotate(-90 %d %d)\">",
                x, y, x, y);
        xml_text(to, t->from[k]);
        fputs("</text>\n", to);
    }
    fputs("</svg>\n", to);
}

static void wiring_unfolded(const Trunk *t, FILE *to) {
    const uint32_t side = t->n + 1, cells = side * side;
    const double full = heat_most(t->unfolded, t->n * side, 1e-30),
                 full_end = heat_most(t->unfolded + (size_t)t->n * side, side, 1e-30);
    bool any = false;
    for (uint32_t k = 0; k < cells; k++)
        any |= isfinite(t->unfolded[k]);
    fputs("<h4>From layer to layer</h4>\n", to);
    if (!any) {
        page_tag(to, "p", "Not known: the maps that it would be made of are missing.");
        return;
    }
    fprintf(to,
            "<p>The trunk unfolded into connections from layer to layer: how much of the trunk's "
            "input and of each earlier branch's result (columns) a site reads (rows), and how much "
            "is in what the trunk gives. Of maps that differ from position to position the means "
            "are multiplied. Full colour is %.3g, in the last row %.3g.</p>\n<div class=\"scroll\" "
            "tabindex=\"0\" "
            "role=\"region\" aria-label=\"From layer to layer\">",
            full, full_end);
    unfolded_picture(t, full, full_end, to);
    fputs("</div>\n", to);
    unfolded_table(t, to);
}

/* --- gains -------------------------------------------------------------------------------------*/

typedef struct {
    const char *name;
    double *at;
} GainLine;
enum { GAIN_LINES = 4 };

static void gains_of(const Trunk *t, GainLine lines[GAIN_LINES]) {
    static const char *const names[] = {"to the end, forward", "to the end, backward",
                                        "its own, forward", "its own, backward"};
    for (uint32_t k = 0; k < GAIN_LINES; k++)
        lines[k] = (GainLine){names[k], ARENA_ARRAY(t->arena, double, t->n + 1)};
    for (uint32_t k = 0; k < t->n; k++) {
        lines[0].at[k] = t->depth->composite[k].forward;
        lines[1].at[k] = t->depth->composite[k].backward;
        lines[2].at[k] = t->depth->own[k].forward;
        lines[3].at[k] = t->depth->own[k].backward;
    }
}

static void gains_table(const Trunk *t, const GainLine *lines, FILE *to) {
    const char *head[1 + GAIN_LINES] = {"site"};
    for (uint32_t i = 0; i < GAIN_LINES; i++)
        head[1 + i] = lines[i].name;
    page_details_begin(to, "The numbers");
    page_table_begin(to, "Gains of mixing maps");
    page_head(to, head, 1 + GAIN_LINES);
    for (uint32_t k = 0; k < t->n; k++) {
        page_row_begin(to, t->to[k]);
        for (uint32_t i = 0; i < GAIN_LINES; i++)
            page_number(to, "%.4g", lines[i].at[k]);
        page_row_end(to);
    }
    page_table_end(to);
    page_details_end(to);
}

static void gains_legend(const GainLine *lines, FILE *to) {
    fputs("<ul class=\"legend\">", to);
    for (uint32_t k = 0; k < GAIN_LINES; k++) {
        fputs("<li>", to);
        chart_print_key(k, to);
        fprintf(to, "%s</li>", lines[k].name);
    }
    fputs("</ul>\n", to);
}

static void wiring_gains(const Trunk *t, FILE *to) {
    GainLine gains[GAIN_LINES];
    ChartLine lines[GAIN_LINES];
    double *sites = ARENA_ARRAY(t->arena, double, t->n + 1);
    gains_of(t, gains);
    for (uint32_t k = 0; k < t->n; k++)
        sites[k] = k;
    for (uint32_t k = 0; k < GAIN_LINES; k++)
        lines[k] = (ChartLine){
            .name = gains[k].name, .x = sites, .y = gains[k].at, .n = t->n, .series = k};
    const Chart chart = {.title = "Gains of mixing maps over depth; the numbers follow",
                         .x = "site",
                         .y = "gain",
                         .lines = lines,
                         .n_lines = GAIN_LINES,
                         .marks = t->n <= 48,
                         .from_zero = true,
                         .whole = true};
    fputs("<h4>Gain over depth</h4>\n", to);
    if (chart_empty(&chart)) {
        page_tag(to, "p", "Not known: there are no mixing maps.");
        return;
    }
    fputs("<p>Of a site's mixing map, and of the product of all mixing maps from it to the trunk's "
          "end: forward the largest sum of magnitudes into one destination stream, backward out of "
          "one source stream. Near 1 signals neither grow nor fade.</p>\n",
          to);
    gains_legend(gains, to);
    fputs("<div class=\"figures\"><figure>", to);
    chart_print(&chart, to);
    gains_table(t, gains, to);
    fputs("</figure></div>\n", to);
}

/* --- use of streams ----------------------------------------------------------------------------*/

static void wiring_streams(const HcMaps *maps, FILE *to) {
    bool any = false;
    for (int32_t k = 0; k < maps->n_sites; k++)
        any |= maps->sites[k].norms && maps->sites[k].n_streams > 0;
    if (!any)
        return;
    page_details_begin(to, "Streams: their norms, and how alike they are");
    page_table_begin(to, "Streams as each site finds them");
    page_head(to, (const char *const[]){"site", "similarity", "root mean square of each"}, 3);
    for (int32_t k = 0; k < maps->n_sites; k++) {
        const HcSiteMaps *s = &maps->sites[k];
        if (!s->norms)
            continue;
        page_row_begin(to, s->path);
        page_number(to, "%.3f", s->similarity);
        fputs("<td class=\"left\">", to);
        for (int32_t i = 0; i < s->n_streams; i++) {
            fputs(i ? ", " : "", to);
            xml_text(to, s->streams[i]);
            fprintf(to, " %.4g", s->norms[i]);
        }
        fputs("</td>", to);
        page_row_end(to);
    }
    page_table_end(to);
    page_details_end(to);
}

void page_wiring(const Report *r, uint32_t group, FILE *to) {
    const GroupMaps *of = &r->maps[group];
    fprintf(to, "<section id=\"wiring-%u\"><h3>", group + 1);
    xml_text(to, r->comparison->groups[group].name);
    fputs("</h3>\n<p>Of ", to);
    xml_text(to, of->run);
    if (of->why) {
        fputs(": its maps could not be had: ", to);
        xml_text(to, of->why);
        fputs("</p></section>\n", to);
        return;
    }
    if (of->maps.samples > 1)
        fprintf(to, ", means over %lld samples %s", (long long)of->maps.samples,
                of->maps.of_held_out ? "that were held out" : "of the training data");
    fputs(".</p>\n", to);
    wiring_maps(&of->maps, to);
    for (int32_t k = 0; k < of->depths.n_trunks; k++) {
        const Trunk trunk = trunk_of(r->arena, of, k);
        wiring_unfolded(&trunk, to);
        wiring_gains(&trunk, to);
    }
    wiring_streams(&of->maps, to);
    fputs("</section>\n", to);
}
