#include "driver/report/heat.h"
#include "driver/xml.h"
#include <math.h>

double heat_most(const double *at, uint32_t count, double least) {
    double most = least;
    for (uint32_t k = 0; k < count; k++)
        if (isfinite(at[k]))
            most = fmax(most, fabs(at[k]));
    return most;
}

static void heat_title(const Heat *h, uint32_t to_k, uint32_t from_k, double value, FILE *to) {
    fputs("<title>", to);
    if (h->to_names && h->from_names) {
        xml_text(to, h->from_names[from_k]);
        fputs(" \xE2\x86\x92 ", to);
        xml_text(to, h->to_names[to_k]);
        fputs(": ", to);
    }
    fprintf(to, "%.4g</title>", value);
}

/* What would not be seen is not drawn. */
#define FAINTEST 0.01

void heat_print(const Heat *h, int x, int y, int cell, FILE *to) {
    fprintf(to, "<path d=\"M%d %dh%uv%uh-%uz\" class=\"frame\"/>\n", x, y, h->from * (unsigned)cell,
            h->to * (unsigned)cell, h->from * (unsigned)cell);
    for (uint32_t i = 0; i < h->to; i++)
        for (uint32_t j = 0; j < h->from; j++) {
            const double value = h->at[(size_t)i * h->from + j], share = fabs(value) / h->full;
            if (!isfinite(value) || share < FAINTEST)
                continue;
            fprintf(to,
                    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s\" "
                    "fill-opacity=\"%.2f\">",
                    x + (int)j * cell, y + (int)i * cell, cell, cell, value < 0 ? "neg" : "pos",
                    fmin(share, 1));
            heat_title(h, i, j, value, to);
            fputs("</rect>\n", to);
        }
}
