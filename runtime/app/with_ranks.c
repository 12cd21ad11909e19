#include "runtime/app/with_ranks.h"
#include "runtime/app/signals.h"
#include "runtime/run/cpus.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

/* "(node7)" */
static const char *machine_of(const HcRanks *ranks, int32_t rank) {
    const char *name = hc_ranks_name(ranks, rank), *at = strchr(name, '(');
    return at ? at : name;
}

/* Where nobody says how many: a process's CPUs, or, where the launcher did not give each its own,
 * its share of those that it has in common with others of its machine. */
static HcStatus choose_threads(HcTrainOptions *o, HcError *error) {
    const int32_t size = hc_ranks_size(o->ranks), me = hc_ranks_rank(o->ranks);
    const HcCpus mine = hc_cpus();
    HcCpus *all = calloc((size_t)size, sizeof *all);
    HcStatus status = all ? hc_ranks_gather(o->ranks, &mine, all, sizeof mine, error)
                          : hc_fail_memory(error, "the CPUs of all ranks");
    int32_t together = 0;
    for (int32_t r = 0; r < size && status == HC_OK; r++)
        together += strcmp(machine_of(o->ranks, r), machine_of(o->ranks, me)) == 0 &&
                    memcmp(&all[r], &mine, sizeof mine) == 0;
    if (status == HC_OK) {
        const int32_t share = hc_cpu_count() / together;
        o->threads = share > 1 ? share : 1;
    }
    free(all);
    return status;
}

HcStatus hc_join_ranks(HcTrainOptions *o, HcError *error) {
    HcStatus status = hc_ranks_open(&o->ranks, error);
    if (status != HC_OK || hc_ranks_rank(o->ranks) == 0)
        return status;
    o->out = o->runs = o->batch_log = NULL;
    o->progress = NULL;
    o->tensorboard = 0;
    return HC_OK;
}

typedef struct {
    uint64_t exit_code, said; /* a hash */
} Prepared;

HcStatus hc_ranks_prepared(HcTrainOptions *o, int exit_code, const char *said, HcTogether *all,
                           HcError *error) {
    const size_t size = (size_t)hc_ranks_size(o->ranks);
    const Prepared mine = {(uint64_t)exit_code, XXH3_64bits(said, strlen(said))};
    *all = (HcTogether){exit_code, o->ranks && exit_code != 0};
    Prepared *ranks = o->ranks ? calloc(size, sizeof *ranks) : NULL;
    if (!o->ranks)
        return HC_OK;
    HcStatus status = ranks ? hc_ranks_gather(o->ranks, &mine, ranks, sizeof mine, error)
                            : hc_fail_memory(error, "messages");
    for (size_t k = size; k-- > 0 && status == HC_OK;) {
        if (ranks[k].exit_code)
            all->exit_code = (int)ranks[k].exit_code;
        if (k < (size_t)hc_ranks_rank(o->ranks) && memcmp(&ranks[k], &mine, sizeof mine) == 0)
            all->says = false; /* an earlier one does */
    }
    free(ranks);
    if (status == HC_OK && all->exit_code == 0 && o->threads == 0)
        status = choose_threads(o, error);
    return status;
}

void hc_ranks_refuse(const char *said, int exit_code, FILE *to) {
    HcTrainOptions o = {0};
    HcTogether all;
    HcError error;
    HcStatus status = hc_ranks_open(&o.ranks, &error);
    const bool together = status == HC_OK && o.ranks;
    if (together)
        status = hc_ranks_prepared(&o, exit_code, said, &all, &error);
    const bool says = !together || status != HC_OK || all.says;
    if (says && hc_ranks_rank(o.ranks) > 0)
        fprintf(to, "%s:\n", hc_ranks_name(o.ranks, hc_ranks_rank(o.ranks)));
    if (says)
        fputs(said, to);
    hc_leave_ranks(&o, status, exit_code);
}

/* All ranks come to these together: they have the same losses, and ask each other who was stopped.
 */
static bool is_of_all(const HcTrainOptions *o, HcStatus status) {
    return status == HC_OK || status == HC_INTERRUPTED || status == HC_ERROR_DIVERGED ||
           hc_ranks_failed_alike(o->ranks);
}

bool hc_rank_reports(const HcTrainOptions *o, HcStatus status, const HcTrainResult *result,
                     HcError *error) {
    if (!o->ranks)
        return true;
    if (status == HC_INTERRUPTED)
        hc_signals_came(result->stopped);
    if (is_of_all(o, status))
        return hc_ranks_rank(o->ranks) == 0;
    char message[sizeof error->message];
    snprintf(message, sizeof message, "%s", error->message);
    hc_fail(error, status, "%s: %s", hc_ranks_name(o->ranks, hc_ranks_rank(o->ranks)), message);
    return true;
}

void hc_leave_ranks(HcTrainOptions *o, HcStatus status, int exit_code) {
    if (!o->ranks)
        return;
    if (!is_of_all(o, status))
        hc_ranks_abort(o->ranks, exit_code);
    hc_ranks_close(o->ranks);
    o->ranks = NULL;
}
