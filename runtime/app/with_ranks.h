/* `train` as one of several processes that a launcher started: for whole programs. */
#ifndef HC_WITH_RANKS_H
#define HC_WITH_RANKS_H

#include "runtime/train/train.h"

/* Joins the others, if there are any; of the options what is the first rank's alone goes from those
 * of others. */
HcStatus hc_join_ranks(HcTrainOptions *options, HcError *error);
/* What became of all ranks' preparations, each by itself. */
typedef struct {
    int exit_code; /* the first that failed; 0: all may go on */
    bool says;     /* this rank failed, and no earlier one said the same */
} HcTogether;

/* Of this rank: its exit code, and what it would say. Where all may go on and nobody said how many
 * threads, their number is chosen. */
HcStatus hc_ranks_prepared(HcTrainOptions *options, int exit_code, const char *said,
                           HcTogether *all, HcError *error);
/* A command line that is wrong, before there are options: is told (`said`) unless an earlier rank
 * tells the same, and all ranks end. */
void hc_ranks_refuse(const char *said, int exit_code, FILE *to);
/* Whether this rank says what became of the run: where all know the same, the first does. Of a
 * failure that is this rank's the message then begins with its name. */
bool hc_rank_reports(const HcTrainOptions *options, HcStatus status, const HcTrainResult *result,
                     HcError *error);
/* Last of all. Where this rank alone failed it ends the others, with its exit code, and does not
 * return. */
void hc_leave_ranks(HcTrainOptions *options, HcStatus status, int exit_code);

#endif
