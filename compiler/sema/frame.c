/* Instances: who is being elaborated, on whose behalf, and what each of them built. */
#include "sema/frame.h"
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"

/* What is built from here on is the work of s->frame. */
static void frame_builds(Sema *s) {
    const TirId from = s->program->block->nodes.count;
    if (s->built.count && s->built.at[s->built.count - 1].from == from)
        s->built.count--;
    vec_push(s->arena, &s->built, (Built){from, s->frame});
}

Frame *frame_push(Sema *s, const Item *item, const char *path, Span used_at) {
    budget_instance(s, used_at);
    Frame *frame = ARENA_NEW(s->arena, Frame);
    const Frame *outer = s->frame;
    frame->outer = s->frame;
    frame->item = item;
    frame->path = path;
    frame->used_at = used_at;
    if (outer) {
        frame->space = outer->space;
        frame->call = outer->call;
        frame->trunk = outer->trunk;
        frame->in_trunk = outer->in_trunk;
        frame->of_connection = outer->of_connection;
        frame->is_called = outer->is_called;
        frame->site = outer->site;
        frame->sites = outer->sites;
        frame->block = outer->block;
        frame->use = outer->use;
        frame->blocks = outer->blocks;
        frame->sites_known = outer->sites_known;
    }
    s->frame = frame;
    frame_builds(s);
    return frame;
}

void frame_pop(Sema *s) {
    s->frame = s->frame->outer;
    frame_builds(s);
}

Frame *frame_switch(Sema *s, Frame *to) {
    Frame *const from = s->frame;
    s->frame = to;
    return from;
}

Frame *frame_of(const Sema *s, TirId id) {
    uint32_t low = 0, high = s->built.count; /* the last entry that begins at id or before */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (s->built.at[middle].from <= id)
            low = middle;
        else
            high = middle;
    }
    return high ? s->built.at[low].frame : NULL;
}

bool item_is_active(const Sema *s, const Item *item) {
    for (const Frame *f = s->frame; f; f = f->outer)
        if (f->item == item)
            return true;
    return false;
}

Value item_cycle(Sema *s, const Item *item, Span at) {
    sema_error(s, DIAG_CYCLE, at, "`%s` uses itself", item->name.text);
    for (const Frame *f = s->frame; f && f->item != item; f = f->outer)
        if (f->item)
            sema_note(s, f->used_at, "by way of `%s`, used here", f->item->name.text);
    sema_help(s, "definitions do not recur; repeat with `iterate` or `repeat`");
    return POISON;
}

const char *path_join(Sema *s, const char *path, const char *name) {
    if (!name)
        return path;
    const char *joined = path && path[0] ? arena_printf(s->arena, "%s.%s", path, name) : name;
    return intern_str(s->c->interner, joined);
}

const char *frame_place(const Sema *s) {
    const char *place = "";
    for (const Frame *f = s->frame; f; f = f->outer)
        place = arena_printf(s->arena, "%s %s %u:%u", place, f->path ? f->path : "",
                             f->used_at.file, f->used_at.begin);
    return place;
}

bool frame_once(Sema *s, const void *what) {
    if (s->mode.looking)
        return false;
    const char *key = arena_printf(s->arena, "%s:%p", frame_place(s), what);
    void **slot = map_slot_str(s->once, key);
    const bool first = !*slot;
    *slot = s;
    return first;
}

uint32_t frame_space(const Sema *s) {
    if (s->frame && s->frame->space)
        return s->frame->space;
    return s->program->spaces.count == 1 ? 1 : 0;
}
