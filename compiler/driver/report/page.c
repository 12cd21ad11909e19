#include "driver/report/page.h"
#include "driver/xml.h"

/* Colours of series are those of Okabe and Ito, which are told apart however one sees colours;
 * darker on light paper, lighter on dark. */
static const char page_style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;"
    "--row:#f6f8fa;--link:#0b57b0;--pos:#0b62c4;--neg:#b3541e;"
    "--s0:#0072b2;--s1:#b35900;--s2:#00795c;--s3:#a3387c;--s4:#7a5c00;--s5:#2a7fae;--s6:#444;"
    "--s7:#8a1c1c}"
    "@media (prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--soft:#a7b1bb;"
    "--line:#3d444d;--row:#161b22;--link:#7ab7ff;--pos:#6cb0ff;--neg:#ff9d5c;"
    "--s0:#56b4e9;--s1:#ff9d5c;--s2:#3ddbad;--s3:#e58fc4;--s4:#f0e442;--s5:#9ad0f5;--s6:#c9d1d9;"
    "--s7:#ff8a8a}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:1180px;padding:1rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif}"
    "h1{font-size:1.6rem;margin:.5rem 0;overflow-wrap:anywhere}h2{margin:2rem 0 .5rem;"
    "border-bottom:1px solid var(--line)}h3{margin:1.6rem 0 .3rem;overflow-wrap:anywhere}"
    "h4{margin:1.2rem 0 .2rem}p{max-width:75ch;margin:.4rem 0;overflow-wrap:anywhere}"
    "a{color:var(--link)}nav ul,.legend{list-style:none;margin:.5rem 0;padding:0;display:flex;"
    "flex-wrap:wrap;gap:.3rem 1.2rem}"
    ".skip{position:absolute;left:-100rem}.skip:focus{left:1rem}"
    ":focus-visible{outline:3px solid var(--link);outline-offset:2px}"
    ".scroll{overflow-x:auto;margin:.6rem 0}"
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:600;padding:.3rem 0}"
    "th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid var(--line);"
    "white-space:nowrap}"
    "th[scope=row],thead th:first-child,td.left,table:has(td.left) "
    "th:last-child{text-align:left}th[scope=row]{font-weight:500}"
    "tbody tr:nth-child(even){background:var(--row)}"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));"
    "gap:1rem 2rem}figure{margin:0;min-width:0;max-width:640px}figcaption{font-weight:600}"
    "summary{cursor:pointer;color:var(--link);padding:.2rem 0}"
    "details .scroll{max-height:24rem;overflow:auto}"
    "svg text{fill:var(--ink);font:12px system-ui,sans-serif}.chart{width:100%;height:auto;"
    "display:block}.key{width:34px;height:12px;margin-right:.4rem}.heat{display:block}"
    "svg .tick{font-size:11px;fill:var(--soft)}svg .small{font-size:9px;fill:var(--soft)}"
    "svg .site{font-size:11px}"
    ".middle{text-anchor:middle}.end{text-anchor:end}.axis{stroke:var(--soft);fill:none}"
    ".grid{stroke:var(--line);fill:none}.line{fill:none;stroke-width:2}.bar{fill:none;"
    "stroke-width:1.5}.mark{stroke-width:1.5}.mark.hollow{fill:var(--paper)}"
    ".frame{fill:none;stroke:var(--line)}.pos{fill:var(--pos)}.neg{fill:var(--neg)}"
    ".posi{color:var(--pos);font-weight:600}.nega{color:var(--neg);font-weight:600}"
    ".s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}"
    ".s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.s6{stroke:var(--s6)}.s7{stroke:var(--s7)}"
    ".mark.s0{fill:var(--s0)}.mark.s1{fill:var(--s1)}.mark.s2{fill:var(--s2)}"
    ".mark.s3{fill:var(--s3)}.mark.hollow{fill:var(--paper)}"
    "@media print{details{display:none}.scroll{overflow:visible}}";

static void page_nav(const Report *r, FILE *to) {
    const HcComparison *c = r->comparison;
    fputs("<nav aria-label=\"Sections\"><ul><li><a href=\"#comparison\">Comparison</a></li>", to);
    if (c->n_groups)
        fputs("<li><a href=\"#curves\">Loss curves</a></li>"
              "<li><a href=\"#quality\">Quality against speed</a></li>",
              to);
    for (uint32_t g = 0; r->maps && g < c->n_groups; g++) {
        fprintf(to, "<li><a href=\"#wiring-%u\">Wiring of ", g + 1);
        xml_text(to, c->groups[g].name);
        fputs("</a></li>", to);
    }
    fputs("</ul></nav>\n", to);
}

static uint32_t page_counted(const HcComparison *c) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < c->n_runs; k++)
        n += c->group_of[k] >= 0;
    return n;
}

static void page_title(const Report *r, FILE *to) {
    const HcComparison *c = r->comparison;
    const uint32_t counted = page_counted(c);
    fprintf(to, "%u of %u runs, %u group%s", counted, c->n_runs, c->n_groups,
            c->n_groups == 1 ? "" : "s");
    for (uint32_t k = 0; k < c->n_differ; k++) {
        fputs(k == 0 ? " that differ in " : k + 1 < c->n_differ ? ", " : " and ", to);
        xml_text(to, c->differ[k]);
    }
}

void report_print(const Report *r, FILE *to) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'\">\n<title>",
          to);
    page_title(r, to);
    fprintf(to, "</title>\n<style>%s</style></head>\n<body>\n", page_style);
    fputs("<a class=\"skip\" href=\"#main\">To the content</a>\n<header><h1>", to);
    page_title(r, to);
    fputs("</h1>\n", to);
    page_nav(r, to);
    fputs("</header>\n<main id=\"main\">\n", to);
    page_comparison(r, to);
    if (r->comparison->n_groups) {
        page_curves(r, to);
        page_quality(r, to);
    }
    if (r->maps && r->comparison->n_groups) {
        fputs("<h2>Wiring</h2>\n", to);
        for (uint32_t g = 0; g < r->comparison->n_groups; g++)
            page_wiring(r, g, to);
    }
    fputs("</main></body></html>\n", to);
}
