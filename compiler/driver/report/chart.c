#include "driver/report/chart.h"
#include "driver/xml.h"
#include <math.h>
#include <string.h>

enum { WIDTH = 480, HEIGHT = 300, LEFT = 64, RIGHT = 14, TOP = 12, BOTTOM = 44, TICKS = 5 };

typedef struct {
    double low, high;
    double step; /* between ticks */
} Axis;

static const char *const dashes[CHART_SERIES] = {"",      "6 3",  "2 3",     "8 3 2 3",
                                                 "1 0 4", "10 4", "4 2 1 2", "3 1"};

/* --- axes --------------------------------------------------------------------------------------*/

/* 1, 2 or 5 times a power of ten. */
static double axis_step(double range) {
    const double rough = range / TICKS, power = pow(10, floor(log10(rough))), part = rough / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

static Axis axis_of(const Chart *c, bool of_x) {
    Axis axis = {INFINITY, -INFINITY, 1};
    for (uint32_t k = 0; k < c->n_lines; k++)
        for (uint32_t i = 0; i < c->lines[k].n; i++) {
            const ChartLine *line = &c->lines[k];
            const double value = of_x ? line->x[i] : line->y[i],
                         more = !of_x && line->deviation && isfinite(line->deviation[i])
                                    ? line->deviation[i]
                                    : 0;
            if (!isfinite(value))
                continue;
            axis.low = fmin(axis.low, value - more);
            axis.high = fmax(axis.high, value + more);
        }
    if ((of_x && !c->alone) || (!of_x && c->from_zero))
        axis.low = fmin(axis.low, 0);
    double range = axis.high - axis.low;
    if (!(range > 0))
        range = fabs(axis.high) > 0 ? fabs(axis.high) : 1;
    axis.step = axis_step(range);
    if (of_x && c->whole)
        axis.step = fmax(axis.step, 1);
    if (c->alone && of_x) { /* room for names */
        axis.low -= range * 0.1;
        axis.high += range * 0.35;
    }
    axis.low = axis.step * floor(axis.low / axis.step + 1e-9);
    axis.high = axis.high <= axis.low ? axis.low + axis.step : axis.high;
    if (!of_x || c->alone)
        axis.high = axis.step * ceil(axis.high / axis.step - 1e-9);
    return axis;
}

static double place_x(const Axis *x, double value) {
    return LEFT + (value - x->low) / (x->high - x->low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const Axis *y, double value) {
    return HEIGHT - BOTTOM - (value - y->low) / (y->high - y->low) * (HEIGHT - TOP - BOTTOM);
}

static void tick_text(double value, double step, char text[40]) {
    const double size = fmax(fabs(value), step);
    if (size >= 1e6 || size < 1e-4)
        snprintf(text, 40, "%.3g", value);
    else if (size >= 1e4)
        snprintf(text, 40, "%.3gk", value / 1e3);
    else
        snprintf(text, 40, "%.*f", step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0, value);
}

static void chart_axes(const Chart *c, const Axis *x, const Axis *y, FILE *to) {
    char text[40];
    for (uint32_t k = 0; x->low + k * x->step <= x->high * (1 + 1e-12) + 1e-300; k++) {
        const double value = x->low + k * x->step, at = place_x(x, value);
        tick_text(value, x->step, text);
        fprintf(to,
                "<path d=\"M%.1f %dv4\" class=\"axis\"/><text x=\"%.1f\" y=\"%d\" "
                "class=\"tick middle\">%s</text>\n",
                at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 17, text);
    }
    for (uint32_t k = 0; y->low + k * y->step <= y->high + y->step * 1e-6; k++) {
        const double value = y->low + k * y->step, at = place_y(y, value);
        tick_text(value, y->step, text);
        fprintf(to,
                "<path d=\"M%d %.1fH%d\" class=\"grid\"/><text x=\"%d\" y=\"%.1f\" "
                "class=\"tick end\">%s</text>\n",
                LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, text);
    }
    fprintf(to, "<path d=\"M%d %dH%d\" class=\"axis\"/><text x=\"%d\" y=\"%d\" class=\"middle\">",
            LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8);
    xml_text(to, c->x);
    fprintf(to, "</text><text x=\"13\" y=\"%d\" class=\"middle\" transform=\"rotate(-90 13 %d)\">",
            (TOP + HEIGHT - BOTTOM) / 2, (TOP + HEIGHT - BOTTOM) / 2);
    xml_text(to, c->y);
    fputs("</text>\n", to);
}

/* --- series ------------------------------------------------------------------------------------*/

static void chart_mark(uint32_t series, double x, double y, FILE *to) {
    static const char *const shapes[] = {"m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "m-3.5-3.5h7v7h-7z",
                                         "m0-4.5l4.5 8h-9z", "m0-5l5 5l-5 5l-5-5z"};
    const uint32_t which = series % CHART_SERIES;
    fprintf(to, "<path d=\"M%.1f %.1f%s\" class=\"mark s%u%s\"/>", x, y, shapes[which % 4], which,
            which >= 4 ? " hollow" : "");
}

static void chart_stroke(uint32_t series, FILE *to) {
    const uint32_t which = series % CHART_SERIES;
    fprintf(to, " class=\"line s%u\"", which);
    if (*dashes[which])
        fprintf(to, " stroke-dasharray=\"%s\"", dashes[which]);
}

static void chart_line(const ChartLine *line, const Axis *x, const Axis *y, FILE *to) {
    bool open = false;
    fputs("<path d=\"", to);
    for (uint32_t k = 0; k < line->n; k++) {
        if (isfinite(line->x[k]) && isfinite(line->y[k]))
            fprintf(to, "%s%.1f %.1f", open ? "L" : "M", place_x(x, line->x[k]),
                    place_y(y, line->y[k]));
        open = isfinite(line->x[k]) && isfinite(line->y[k]);
    }
    fputc('"', to);
    chart_stroke(line->series, to);
    fputs("/>\n", to);
}

/* Where names stand already. */
enum { NAME_LINE = 14, NAME_NEAR = 110, MOST_NAMES = 64 };
typedef struct {
    double x[MOST_NAMES], y[MOST_NAMES];
    uint32_t n;
} Names;

static bool names_meet(const Names *names, double x, double y) {
    for (uint32_t k = 0; k < names->n; k++)
        if (fabs(names->x[k] - x) < NAME_NEAR && fabs(names->y[k] - y) < NAME_LINE)
            return true;
    return false;
}

/* At the point, or as little below it as there is room. */
static double names_place(Names *names, double x, double y) {
    for (uint32_t k = 0; k < MOST_NAMES && names_meet(names, x, y); k++)
        y += NAME_LINE / 2;
    if (names->n < MOST_NAMES) {
        names->x[names->n] = x;
        names->y[names->n++] = y;
    }
    return y;
}

static void chart_name(const ChartLine *line, double x, double y, FILE *to) {
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\">", x, y);
    xml_text(to, line->name);
    fputs("</text>", to);
}

static void chart_points(const Chart *c, const ChartLine *line, const Axis *x, const Axis *y,
                         Names *names, FILE *to) {
    for (uint32_t k = 0; k < line->n; k++) {
        if (!isfinite(line->x[k]) || !isfinite(line->y[k]))
            continue;
        const double at_x = place_x(x, line->x[k]), at_y = place_y(y, line->y[k]);
        fputs("<g><title>", to);
        xml_text(to, line->name);
        fprintf(to, ": %.6g, %.6g</title>", line->x[k], line->y[k]);
        if (line->deviation && isfinite(line->deviation[k]))
            fprintf(to, "<path d=\"M%.1f %.1fV%.1f\" class=\"bar s%u\"/>", at_x,
                    place_y(y, line->y[k] - line->deviation[k]),
                    place_y(y, line->y[k] + line->deviation[k]), line->series % CHART_SERIES);
        chart_mark(line->series, at_x, at_y, to);
        if (c->alone)
            chart_name(line, at_x + 9, names_place(names, at_x + 9, at_y + 4), to);
        fputs("</g>\n", to);
    }
}

bool chart_empty(const Chart *c) {
    for (uint32_t k = 0; k < c->n_lines; k++)
        for (uint32_t i = 0; i < c->lines[k].n; i++)
            if (isfinite(c->lines[k].x[i]) && isfinite(c->lines[k].y[i]))
                return false;
    return true;
}

void chart_print(const Chart *c, FILE *to) {
    if (chart_empty(c))
        return;
    const Axis x = axis_of(c, true), y = axis_of(c, false);
    Names names = {.n = 0};
    fprintf(to, "<svg viewBox=\"0 0 %d %d\" class=\"chart\" role=\"img\" aria-label=\"", WIDTH,
            HEIGHT);
    xml_text(to, c->title);
    fputs("\">\n", to);
    chart_axes(c, &x, &y, to);
    for (uint32_t k = 0; k < c->n_lines; k++) {
        if (!c->alone)
            chart_line(&c->lines[k], &x, &y, to);
        if (c->marks)
            chart_points(c, &c->lines[k], &x, &y, &names, to);
    }
    fputs("</svg>\n", to);
}

void chart_print_key(uint32_t series, FILE *to) {
    fputs("<svg viewBox=\"0 0 34 12\" class=\"key\" aria-hidden=\"true\"><path d=\"M1 6H33\"", to);
    chart_stroke(series, to);
    fputs("/>", to);
    chart_mark(series, 17, 6, to);
    fputs("</svg>", to);
}
