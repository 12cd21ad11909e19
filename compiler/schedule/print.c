/* Schedules as text: a kernel's values and where each lies, then its stages' steps and loops. */
#include "schedule/schedule_internal.h"
#include <inttypes.h>

static const char *const places[] = {
    [PLACE_NONE] = "where it is read",
    [PLACE_REGISTERS] = "registers",
    [PLACE_TILE_ROWS] = "tile by rows",
    [PLACE_TILE_LANES] = "tile by lanes",
    [PLACE_ROWS] = "workspace by rows",
    [PLACE_GLOBAL] = "workspace",
    [PLACE_PER_POSITION] = "workspace by position",
    [PLACE_PER_SAMPLE] = "workspace by sample",
};
static const char *const sides[] = {
    [SCHEDULE_WIDE] = "wide", [SCHEDULE_LANE] = "lane", [SCHEDULE_FOLD] = "fold"};
static const char *const steps[] = {
    [STEP_TOGETHER] = "together",   [STEP_SUMS] = "sums",       [STEP_PIECE] = "piece",
    [STEP_ELEMENTS] = "elements",   [STEP_VECTORS] = "vectors", [STEP_FOLD] = "fold",
    [STEP_REGISTERS] = "registers", [STEP_LOOPS] = "loops",     [STEP_POSITIONS] = "positions",
    [STEP_SCAN] = "scan",           [STEP_ADD_FOLD] = "add",    [STEP_COPY_OUT] = "copy",
};
static const char *const overs[] = {
    [OVER_POSITIONS] = "positions", [OVER_FEATURES] = "features", [OVER_AXIS] = "axis",
    [OVER_ELEMENTS] = "elements",   [OVER_TERMS] = "terms",       [OVER_TURNS] = "turns",
};
static const char *const carriers[] = {[CARRIED_IN_SEQUENCE] = "sequence",
                                       [CARRIED_BY_LANES] = "lanes",
                                       [CARRIED_BY_REGISTERS] = "registers"};

static void print_value(const Schedule *s, const ScheduleValue *v, FILE *to) {
    const TirType *type = &schedule_node(s, v->id)->type;
    fprintf(to, "  %%%u %s [", v->id, schedule_name(s, v->id));
    for (uint32_t k = 0; k < type->rank; k++)
        fprintf(to, "%s%u", k ? "," : "", type->dims[k]);
    if (v->made)
        fprintf(to, "] %s, stage %u", sides[v->side], v->stage);
    else
        fprintf(to, "] input, argument %u", v->argument);
    if (v->made && v->sum && v->side != SCHEDULE_FOLD)
        fputs(v->place == PLACE_NONE ? ": a sum" : ": a sum, and ", to);
    else
        fputs(": ", to);
    if (!(v->made && v->sum && v->place == PLACE_NONE))
        fputs(places[v->place], to);
    if (v->also_registers && v->place != PLACE_REGISTERS)
        fputs(", registers", to);
    if (v->also_lanes)
        fputs(", tile by lanes", to);
    fprintf(to, "%s%s%s", v->packed ? ", packed" : "", v->again ? ", made again" : "",
            v->weighted ? ", by weights" : "");
    if (v->output || v->sum)
        fprintf(to, ", %s argument %u",
                v->sum        ? "adds to"
                : v->streamed ? "streamed to"
                              : "is",
                v->argument);
    fputc('\n', to);
}

static void print_loop(const ScheduleLoop *loop, FILE *to) {
    fprintf(to, " %s", overs[loop->over]);
    if (loop->over == OVER_AXIS || loop->over == OVER_TERMS)
        fprintf(to, " %u", loop->axis);
    fprintf(to, " %" PRIu64, loop->extent);
    if (loop->step != 1)
        fprintf(to, " by %u", loop->step);
    fprintf(to, " %s%s;", carriers[loop->carrier], loop->folds ? " folds" : "");
}

static void print_piece(const SchedulePiece *piece, FILE *to) {
    if (piece->id == piece->to->id)
        fprintf(to, " %%%u", piece->id);
    else if (piece->id)
        fprintf(to, " %%%u into %%%u", piece->id, piece->to->id);
    else
        fprintf(to, " zeros into %%%u", piece->to->id);
    if (piece->id != piece->to->id)
        fprintf(to, " at %" PRId64, piece->offset);
}

/* Items of one fold stand in a row, their elements ascending. */
static void print_items(const ScheduleStep *step, FILE *to) {
    for (uint32_t k = 0; k < step->items.count;) {
        const ScheduleItem *first = &step->items.at[k];
        uint32_t end = k + 1;
        while (end < step->items.count && step->items.at[end].fold == first->fold)
            end++;
        fprintf(to, " %%%u[%" PRIu64 "..%" PRIu64 "]", first->fold->id, first->element,
                step->items.at[end - 1].element);
        k = end;
    }
}

static void print_step(const ScheduleStep *step, FILE *to) {
    fprintf(to, "    %s", steps[step->kind]);
    if (step->pieces.count + step->items.count == 0)
        fprintf(to, " %%%u", step->value->id);
    for (uint32_t k = 0; k < step->pieces.count; k++)
        print_piece(&step->pieces.at[k], to);
    print_items(step, to);
    fputc(':', to);
    for (uint32_t k = 0; k < step->n_loops; k++)
        print_loop(&step->loops[k], to);
    for (uint32_t k = 0; k < step->ahead.count; k++)
        if (step->ahead.at[k].line == 0 || k == 0)
            fprintf(to, " fetches %%%u ahead;", step->ahead.at[k].input->id);
    fputc('\n', to);
}

void schedule_print(const Schedule *s, FILE *to) {
    fprintf(to, "kernel %s\n", s->name);
    static const char *const ways[] = {"f32", "pairs of bf16", "matrices of bf16", "tiles of bf16"};
    if (s->kind == CALL_ATTEND && s->product) {
        fprintf(to, "  attention: products of %s; queries by %u lanes; keys by %u sequence\n",
                ways[s->product->way], s->lanes, ATTEND_KEYS);
        return;
    }
    if (s->kind == CALL_ATTEND) {
        fprintf(to,
                "  attention: queries %u sequence; queries %u by %u lanes; keys by %u sequence\n",
                s->columns * s->lanes, s->columns * s->lanes, s->lanes, ATTEND_KEYS);
        return;
    }
    if (s->kind == CALL_RECUR) {
        fprintf(to, "  recurrence: features %u by %u lanes; positions sequence\n", s->run,
                s->lanes);
        return;
    }
    if (s->pack) {
        fprintf(to, "  packs panels of %u %s, %u terms at a time, in groups of %u\n",
                s->pack->right ? s->product->columns : s->product->rows,
                s->pack->right ? "columns" : "rows", s->product->depth,
                s->pack->right ? s->product->right_group : s->product->left_group);
        return;
    }
    if (s->product) {
        fprintf(to, "  product of %s%s: rows by %u, columns by %u in registers; terms sequence%s\n",
                ways[s->product->way], s->direct ? ", the left one as it lies" : "",
                s->product->rows, s->product->columns, s->rounds ? "; rounded to bf16" : "");
        return;
    }
    if (s->kind == CALL_SUM_INSTANCES) {
        fprintf(to, "  sum over instances: features by %u lanes; instances sequence folds\n",
                s->lanes);
        return;
    }
    if (s->sequence)
        fprintf(to, "  sequence of %u states: samples x %u threads; positions sequence\n",
                s->sequence->states, s->sequence->parts);
    if (s->rows > 1)
        fprintf(to, "  instances of %s: tiles threads; by %u sequence\n",
                plan_domain_name(s->group->domain), s->rows);
    for (uint32_t k = 0; k < s->n_values; k++)
        print_value(s, &s->values[k], to);
    for (uint32_t k = 0; k < s->stages.count; k++) {
        const ScheduleStage *stage = &s->stages.at[k];
        if (stage->steps.count)
            fprintf(to, "  stage %u, %s in lanes\n", k, k % 2 ? "positions" : "features");
        for (uint32_t m = 0; m < stage->steps.count; m++)
            print_step(&stage->steps.at[m], to);
    }
}
