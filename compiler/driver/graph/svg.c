/* A graph as SVG: streams are lanes from top to bottom; at each site what is read leaves them to
 * the right, goes through a norm and the branches, and comes back where it is written.
 *
 * Heights are summed as things are drawn, so the picture is drawn into memory first. Widths of text
 * are guessed from its length, as no font is known here: it is cut to fit, and whole in a tooltip.
 */
#include "base/text_stream.h"
#include "base/utf8.h"
#include "driver/graph/graph.h"
#include "driver/xml.h"
#include <string.h>

enum {
    WIDTH = 780,
    MARGIN = 20,
    LANES_X = 190,  /* the first lane */
    LANE = 20,      /* from one to the next */
    MOST_LANES = 8, /* of a state */
    ROOM_LANES = 12,
    LINE = 18,
    SITE = 96, /* height of a site with one branch */
    BRANCH = 34,
    READ_W = 130,
    CHAR = 7, /* of a letter, about */
};

typedef struct {
    FILE *to;
    Arena *arena;
    int y;
    int right; /* of the lanes of the trunk at hand */
} Svg;

/* --- pieces ------------------------------------------------------------------------------------*/

/* Bytes of the first `most` characters. */
static size_t svg_prefix(const char *text, uint32_t most) {
    size_t at = 0;
    const size_t length = strlen(text);
    for (uint32_t k = 0, point; at < length && k < most; k++) {
        const size_t size = utf8_decode(text + at, length - at, &point);
        at += size ? size : 1;
    }
    return at;
}

/* At most `width` wide. */
static void svg_text(const Svg *s, int x, int y, const char *class, const char *text, int width) {
    const uint32_t most = width > 2 * CHAR ? (uint32_t)(width / CHAR) : 2;
    const size_t all = strlen(text), fits = svg_prefix(text, most);
    fprintf(s->to, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    if (fits < all) {
        xml_bytes(s->to, text, svg_prefix(text, most - 1));
        fputs("\xE2\x80\xA6<title>", s->to);
        xml_text(s->to, text);
        fputs("</title>", s->to);
    } else {
        xml_text(s->to, text);
    }
    fputs("</text>\n", s->to);
}

static void svg_box(const Svg *s, int x, int y, int width, int height, const char *class) {
    fprintf(s->to, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\" class=\"%s\"/>\n",
            x, y, width, height, class);
}

static void svg_line(const Svg *s, int x1, int y1, int x2, int y2, const char *class, bool arrow) {
    fprintf(s->to, "<path d=\"M%d %dL%d %d\" class=\"%s\"%s/>\n", x1, y1, x2, y2, class,
            arrow ? " marker-end=\"url(#arrow)\"" : "");
}

static void svg_dot(const Svg *s, int x, int y, const char *class) {
    fprintf(s->to, "<circle cx=\"%d\" cy=\"%d\" r=\"3.5\" class=\"%s\"/>\n", x, y, class);
}

/* A box of lines, over all of the width. */
static void svg_lines(Svg *s, const char *title, const GraphLines *lines) {
    const int height = LINE * (int)(lines->count + 1) + 14;
    svg_box(s, MARGIN, s->y, WIDTH - 2 * MARGIN, height, "box");
    svg_text(s, MARGIN + 12, s->y + LINE + 2, "head", title, WIDTH - 4 * MARGIN);
    for (uint32_t k = 0; k < lines->count; k++)
        svg_text(s, MARGIN + 12, s->y + LINE * (int)(k + 2) + 2, "code", lines->at[k],
                 WIDTH - 4 * MARGIN);
    s->y += height;
}

/* --- lanes -------------------------------------------------------------------------------------*/

/* How many lanes a state has in the picture. One that grows with depth is one, for all of its
 * entries. */
static uint32_t lanes_of(const GraphState *state) {
    if (state->state->rank < 2 || state->grows)
        return 1;
    const uint32_t streams = state->state->dims[0];
    return streams < MOST_LANES ? streams : MOST_LANES;
}

static uint32_t lanes_all(const GraphSite *site) {
    uint32_t lanes = 0;
    for (uint32_t k = 0; k < site->states.count; k++)
        lanes += lanes_of(&site->states.at[k]);
    return lanes < ROOM_LANES ? lanes : ROOM_LANES;
}

static int lane_x(uint32_t lane) {
    return LANES_X + LANE * (int)lane;
}

static void lanes_draw(const Svg *s, const GraphSite *site, int from, int to) {
    uint32_t lane = 0;
    for (uint32_t k = 0; k < site->states.count; k++)
        for (uint32_t i = lanes_of(&site->states.at[k]); i-- > 0 && lane < ROOM_LANES; lane++)
            svg_line(s, lane_x(lane), from, lane_x(lane), to,
                     site->states.at[k].grows ? "lane grows" : "lane", false);
}

/* "H: 4 streams", "keep, flow" */
static const char *lanes_text(Arena *arena, const GraphSite *site) {
    const char *text = "";
    for (uint32_t k = 0; k < site->states.count; k++) {
        const GraphState *state = &site->states.at[k];
        const uint32_t streams = state->state->dims[0], drawn = lanes_of(state);
        text = arena_printf(arena, "%s%s%s", text, k ? ", " : "", state->state->name);
        if (state->grows)
            text = arena_printf(arena, "%s: an entry more where it is written", text);
        else if (state->state->rank > 1 && drawn < streams)
            text = arena_printf(arena, "%s: %u streams, %u of them drawn", text, streams, drawn);
        else if (state->state->rank > 1)
            text = arena_printf(arena, "%s: %u stream%s", text, streams, streams > 1 ? "s" : "");
    }
    return text;
}

/* --- sites -------------------------------------------------------------------------------------*/

/* Of the lanes whose states `which` picks: the leftmost, and a dot on each. False: there is none.
 */
typedef bool StatePick(const GraphState *state);
static bool pick_read(const GraphState *state) {
    return state->read;
}
static bool pick_of_branch(const GraphState *state) {
    return state->of_branch;
}
static bool pick_mixed(const GraphState *state) {
    return state->mixed;
}

static bool site_dots(const Svg *s, const GraphSite *site, StatePick *pick, int y,
                      const char *class, int *first, int *last) {
    uint32_t lane = 0;
    bool found = false;
    for (uint32_t k = 0; k < site->states.count; k++)
        for (uint32_t i = lanes_of(&site->states.at[k]); i-- > 0 && lane < ROOM_LANES; lane++)
            if (pick(&site->states.at[k])) {
                if (!found)
                    *first = lane_x(lane);
                *last = lane_x(lane);
                found = true;
                if (class)
                    svg_dot(s, lane_x(lane), y, class);
            }
    return found;
}

static int site_height(const GraphSite *site) {
    const int more = site->branches.count > 1 ? (int)site->branches.count - 1 : 0;
    return SITE + more * BRANCH;
}

static void site_title(const Svg *s, const GraphSite *site) {
    fputs("<title>", s->to);
    xml_text(s->to, site->info->path);
    fputs(": ", s->to);
    xml_text(s->to, site->connection);
    fputs(" reads ", s->to);
    xml_text(s->to, site->read);
    for (uint32_t k = 0; k < site->branches.count; k++) {
        fputs(k ? " and " : ", runs ", s->to);
        xml_text(s->to, site->branches.at[k]);
    }
    int first, last;
    if (site_dots(s, site, pick_mixed, 0, NULL, &first, &last))
        fputs(", mixes the streams", s->to);
    fputs(", and writes the result</title>\n", s->to);
}

/* From the lanes to the branches and back. */
static void site_flow(const Svg *s, const GraphSite *site, int height) {
    const int read_y = s->y + 30, write_y = s->y + height - 16, read_x = s->right + 44,
              branch_x = read_x + READ_W + 26, branch_w = WIDTH - MARGIN - 34 - branch_x,
              back_x = branch_x + branch_w + 14;
    int first, last;
    if (site_dots(s, site, pick_mixed, 0, NULL, &first, &last)) {
        svg_box(s, first - 8, s->y + 46, last - first + 16, 18, "mix");
        svg_text(s, last + 14, s->y + 59, "small mixed", "mix", 60);
    }
    if (site_dots(s, site, pick_read, read_y, "dot read", &first, &last))
        svg_line(s, first, read_y, read_x - 3, read_y, "flow read", true);
    svg_text(s, s->right + 7, read_y - 5, "small", "read", 40);
    svg_box(s, read_x, read_y - 18, READ_W, 36, "box read");
    svg_text(s, read_x + 8, read_y - 3, "code", site->read, READ_W - 12);
    svg_text(s, read_x + 8, read_y + 12, "small", *site->norm ? site->norm : "as it is",
             READ_W - 12);
    for (uint32_t k = 0; k < site->branches.count; k++) {
        const int y = read_y + (int)k * BRANCH;
        svg_line(s, read_x + READ_W, k ? y - BRANCH / 2 : y, branch_x - 3, y, "flow", true);
        svg_box(s, branch_x, y - 14, branch_w, 28, "box branch");
        svg_text(s, branch_x + 8, y + 4, "code", site->branches.at[k], branch_w - 12);
        svg_line(s, branch_x + branch_w, y, back_x, y, "flow write", false);
    }
    svg_line(s, back_x, read_y, back_x, write_y, "flow write", false);
    if (site_dots(s, site, pick_of_branch, write_y, "dot write", &first, &last))
        svg_line(s, back_x, write_y, first + 5, write_y, "flow write", true);
    svg_text(s, s->right + 34, write_y - 4, "small", "write", 80);
}

static void site_draw(Svg *s, const GraphSite *site) {
    const int height = site_height(site);
    fputs("<g>", s->to);
    site_title(s, site);
    lanes_draw(s, site, s->y, s->y + height);
    svg_text(s, MARGIN + 26, s->y + 26, "head", site->name, LANES_X - MARGIN - 40);
    svg_text(s, MARGIN + 26, s->y + 44, "code", site->connection, LANES_X - MARGIN - 40);
    site_flow(s, site, height);
    fputs("</g>\n", s->to);
    s->y += height;
}

/* --- blocks ------------------------------------------------------------------------------------*/

static const char *block_text(Arena *arena, const GraphBlock *block) {
    if (block->count == 1)
        return arena_printf(arena, "block %u", block->number);
    return arena_printf(arena, "\xC3\x97%u  blocks %u\xE2\x80\x93%u", block->count, block->number,
                        block->number + block->count - 1);
}

static void block_draw(Svg *s, const GraphBlock *block) {
    const int begin = s->y;
    if (block->repeated) {
        lanes_draw(s, &block->sites.at[0], s->y, s->y + LINE);
        svg_text(s, MARGIN + 26, s->y + 14, "count", block_text(s->arena, block),
                 LANES_X - MARGIN - 40);
        s->y += LINE;
    }
    for (uint32_t k = 0; k < block->sites.count; k++)
        site_draw(s, &block->sites.at[k]);
    if (block->repeated)
        fprintf(s->to, "<path d=\"M%d %dh-8V%dh8\" class=\"bracket\"/>\n", MARGIN + 18, begin + 4,
                s->y - 4);
    lanes_draw(s, &block->sites.at[block->sites.count - 1], s->y, s->y + 12);
    s->y += 12;
}

static void trunk_draw(Svg *s, const GraphPart *part) {
    const GraphSite *first = &part->blocks.at[0].sites.at[0];
    const GraphBlock *last = &part->blocks.at[part->blocks.count - 1];
    uint32_t lanes = 1;
    for (uint32_t k = 0; k < part->blocks.count; k++)
        for (uint32_t i = 0; i < part->blocks.at[k].sites.count; i++) {
            const uint32_t of = lanes_all(&part->blocks.at[k].sites.at[i]);
            lanes = of > lanes ? of : lanes;
        }
    s->right = lane_x(lanes - 1);
    svg_lines(s, arena_printf(s->arena, "%s begins", part->title), &part->begins);
    lanes_draw(s, first, s->y, s->y + LINE + 8);
    svg_text(s, s->right + 34, s->y + LINE, "small", lanes_text(s->arena, first), 400);
    s->y += LINE + 8;
    for (uint32_t k = 0; k < part->blocks.count; k++)
        block_draw(s, &part->blocks.at[k]);
    lanes_draw(s, &last->sites.at[last->sites.count - 1], s->y, s->y + 10);
    s->y += 10;
    svg_lines(s, arena_printf(s->arena, "%s ends", part->title), &part->ends);
}

/* --- the whole ---------------------------------------------------------------------------------*/

static void svg_parts(Svg *s, const Graph *graph) {
    for (uint32_t k = 0; k < graph->parts.count; k++) {
        const GraphPart *part = &graph->parts.at[k];
        if (k) {
            svg_line(s, WIDTH / 2, s->y, WIDTH / 2, s->y + 20, "flow", true);
            s->y += 24;
        }
        if (part->blocks.count)
            trunk_draw(s, part);
        else
            svg_lines(s, part->title, &part->lines);
    }
    for (uint32_t k = 0; k < graph->connections.count; k++) {
        const GraphConnection *of = &graph->connections.at[k];
        s->y += 16;
        svg_lines(s, arena_printf(s->arena, "what `%s` does", of->name), &of->lines);
    }
}

static const char svg_style[] =
    "text{font:12px ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#1b1f24}"
    ".head,.name{font-weight:600}.name{font-size:15px}.count{font-weight:600;fill:#6b3fa0}"
    ".small{font-size:11px;fill:#57606a}.mixed{fill:#6b3fa0}"
    ".paper{fill:#fff}.box{fill:#f6f8fa;stroke:#afb8c1}.branch{stroke:#57606a}"
    ".read.box{stroke:#0b62c4}.mix{fill:#eadcfb;stroke:#6b3fa0}"
    ".lane{stroke:#57606a;stroke-width:2;fill:none}.grows{stroke-dasharray:5 3}"
    ".flow{stroke:#57606a;fill:none}.flow.read{stroke:#0b62c4}.flow.write{stroke:#b3541e}"
    ".dot.read{fill:#0b62c4}.dot.write{fill:#b3541e}.bracket{stroke:#6b3fa0;fill:none}"
    "#arrow path{fill:#57606a}"
    "@media (prefers-color-scheme:dark){"
    "text{fill:#e6edf3}.count,.mixed{fill:#cfb3f5}.small{fill:#a7b1bb}.small.mixed{fill:#cfb3f5}"
    ".paper{fill:#0d1117}.box{fill:#161b22;stroke:#484f58}.branch{stroke:#8b949e}"
    ".read.box{stroke:#58a6ff}.mix{fill:#3b2a57;stroke:#b58df0}"
    ".lane,.flow{stroke:#8b949e}.flow.read{stroke:#58a6ff}.flow.write{stroke:#f0883e}"
    ".dot.read{fill:#58a6ff}.dot.write{fill:#f0883e}.bracket{stroke:#b58df0}"
    "#arrow path{fill:#8b949e}}";

static void svg_describe(const Graph *graph, FILE *to) {
    fprintf(to, "<title id=\"title\">");
    xml_text(to, graph->name);
    fprintf(to, ": %u site%s</title>\n<desc id=\"desc\">", graph->n_sites,
            graph->n_sites == 1 ? "" : "s");
    for (uint32_t k = 0; k < graph->parts.count; k++) {
        const GraphPart *part = &graph->parts.at[k];
        for (uint32_t i = 0; i < part->lines.count; i++) {
            xml_text(to, part->lines.at[i]);
            fputs(". ", to);
        }
        for (uint32_t i = 0; i < part->blocks.count; i++) {
            const GraphBlock *block = &part->blocks.at[i];
            if (block->count > 1)
                fprintf(to, "%u times: ", block->count);
            for (uint32_t j = 0; j < block->sites.count; j++) {
                const GraphSite *site = &block->sites.at[j];
                xml_text(to, site->name);
                fputs(", ", to);
                xml_text(to, site->connection);
                for (uint32_t n = 0; n < site->branches.count; n++) {
                    fputs(n ? " and " : " around ", to);
                    xml_text(to, site->branches.at[n]);
                }
                fputs(j + 1 < block->sites.count ? "; " : ". ", to);
            }
        }
    }
    fputs("</desc>\n", to);
}

void graph_svg(const Graph *graph, Arena *arena, FILE *to) {
    TextStream *body = text_stream_open(arena);
    Svg s = {.to = body->to, .arena = arena, .y = MARGIN + 50};
    svg_text(&s, MARGIN, MARGIN + 14, "name",
             arena_printf(arena, "%s: %u site%s", graph->name, graph->n_sites,
                          graph->n_sites == 1 ? "" : "s"),
             WIDTH - 2 * MARGIN);
    svg_text(&s, MARGIN, MARGIN + 34, "small", graph->constants, WIDTH - 2 * MARGIN);
    svg_parts(&s, graph);
    const int height = s.y + MARGIN;
    text_stream_close(body);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\" aria-labelledby=\"title desc\">\n",
            WIDTH, height, WIDTH, height);
    svg_describe(graph, to);
    fprintf(to,
            "<style>%s</style>\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" "
            "refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path "
            "d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
            "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n",
            svg_style, WIDTH, height);
    fwrite(body->text, 1, body->length, to);
    fputs("</svg>\n", to);
    text_stream_free(body);
}
