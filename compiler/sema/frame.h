/* Instances: who is being elaborated, on whose behalf, and what each of them built. */
#ifndef HCC_SEMA_FRAME_H
#define HCC_SEMA_FRAME_H

#include "sema/scope.h"

/* An instance of a definition, or of the model. */
struct Frame {
    Frame *outer; /* who used it */
    const Item *item;
    const char *path;  /* "trunk.3.attn"; "" for the model */
    const char *trunk; /* "trunk"; NULL outside */
    const char *let;   /* of a trunk's own: the name that it is given to; or NULL */
    Span used_at;
    const void *call; /* the expression that made the instance: the same one may come twice */
    const Expr *function_call; /* of a function: the expression that calls it */
    uint32_t space;            /* the position space its values live in; 0 = none */
    bool in_trunk, of_connection, is_function;
    bool ends;      /* a connection whose `end` is elaborated */
    bool is_called; /* as often as a connection likes: also in a loop, with the same parameters */
    bool rejected;  /* a `require` does not hold: the rest of the body is passed over */
    uint32_t site, sites, block, blocks;
    const SiteUse *use; /* what stands at the connection's site; NULL elsewhere */
    bool sites_known;
    bool calls_only;          /* of a connection that reads nothing for its branches */
    bool results_unknown;     /* a stand-in branch may have results of any name */
    const char *results_text; /* what the site's branches gave, for messages; NULL before */
    Span results_at;
    Map *shapes; /* Expr* -> dims of an indexed expression, for inference; NULL: none yet */
};

/* From this value on, until the next entry. */
typedef struct {
    TirId from;
    Frame *frame;
} Built;
typedef VEC(Built) BuiltList;

Frame *frame_push(Sema *s, const Item *item, const char *path, Span used_at);
void frame_pop(Sema *s);
/* Goes on as another instance, which is not begun; returns the one it was. */
Frame *frame_switch(Sema *s, Frame *to);
/* The instance that built a value of the program's block. */
Frame *frame_of(const Sema *s, TirId id);
/* The positions that `here` means: those of the instance, or the only ones there are; 0 = none. */
uint32_t frame_space(const Sema *s);
bool item_is_active(const Sema *s, const Item *item);
Value item_cycle(Sema *s, const Item *item, Span at);
/* Where s->frame is elaborated, told from all other places: by the paths of instances and what in
 * the text led there. Elaborating a place again, to see a shape, gives the same. */
const char *frame_place(const Sema *s);
/* Whether this instance, called from this place, comes to `what` for the first time. */
bool frame_once(Sema *s, const void *what);
const char *path_join(Sema *s, const char *path, const char *name);

#endif
