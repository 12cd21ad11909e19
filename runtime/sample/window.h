/* What a model of tokens sees of a text that it goes on with: at most as many of the last tokens as
 * it has positions. Where one more would not fit, the window first moves by half: the earlier half
 * of its tokens is forgotten, and the others are at the first positions from then on. */
#ifndef HC_WINDOW_H
#define HC_WINDOW_H

#include "runtime/run/context.h"

typedef struct {
    HcContext *context; /* of one sample */
    uint32_t input;     /* of tokens, one a position */
    int64_t vocabulary;
    int32_t *tokens;
    int64_t held, capacity;
    int64_t computed; /* of the tokens held: their positions need not be run again */
    bool whole;       /* every token is computed from all of the window */
} HcWindow;

/* Empty. Where `whole`, or where the model computes no position by itself (see hc_extend_refused),
 * all of the window is computed for every token. On failure, too, hc_window_close frees what it
 * has. */
HcStatus hc_window_open(HcWindow *window, HcContext *context, uint32_t input, int64_t vocabulary,
                        bool whole);
void hc_window_close(HcWindow *window);
void hc_window_push(HcWindow *window, int32_t token);
/* Another text, from its beginning: as if each of its tokens were pushed. */
void hc_window_begin(HcWindow *window, const int32_t *tokens, int64_t count);
/* What the model expects after the last token: `vocabulary` numbers. */
HcStatus hc_window_logits(HcWindow *window, double *logits);

#endif
