/* The target died with cases in flight: which of them kills it. */
#include <stdlib.h>

#include "conformance/run.h"

static int by_start(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Take all cases out of flight; those that had begun to speak are the suspects, oldest first. */
size_t assay_run_ground_all(struct assay_run_now *r)
{
    size_t n = 0;
    for (size_t i = 0; i < assay_run_cases(r); i++) {
        if (r->stand[i] != ASSAY_STAND_FLYING)
            continue;
        assay_play_free(r->flying[i]);
        r->flying[i] = NULL;
        r->stand[i] = ASSAY_STAND_WAITING;
        r->suspects[n++] = i;
    }
    r->in_flight = r->timed_in_flight = r->links_in_flight = 0;
    qsort(r->suspects, n, sizeof r->suspects[0], by_start);
    return n;
}

/* No case alone carries the finding: it goes to the one that met it, or, if that was reported already, to the run. */
static void blame_together(struct assay_run_now *r, size_t i, size_t among, const char *how)
{
    if (r->stand[i] == ASSAY_STAND_JUDGED && r->emitted > i) {
        r->summary->died = true;
        return;
    }
    struct assay_result *result = &r->results[i];
    assay_run_blame_death(r, i, "");
    assay_result_set(result, &r->suite->cases[i], ASSAY_VERDICT_FAIL, "the target died with %zu cases in flight; %s",
                     among, how);
    if (r->stand[i] != ASSAY_STAND_JUDGED) {
        assay_run_settle(r, i);
        return;
    }
    r->failed++;
    assay_run_merge(r, i);
}

/* Cases judged shortly before: run them again, only to see whether one kills. */
static bool find_among_recent(struct assay_run_now *r)
{
    size_t n = r->recent_n < ASSAY_RUN_RECENT ? r->recent_n : ASSAY_RUN_RECENT;
    bool died = false;
    for (size_t k = 0; k < n && !died && !r->gone && !r->interrupted; k++) {
        size_t i = r->recent[k];
        struct assay_play *play = assay_run_play_alone(r, i, false);
        died = play && play->over && !assay_target_alive(r->target, true);
        if (died) {
            assay_run_judge(r, i, &play->outcome, true);
            blame_together(r, i, 1, "this case kills it, a little after its end");
            assay_run_bring_up(r, true);
        }
        assay_play_free(play);
    }
    return died;
}

static void give_up_on(struct assay_run_now *r, size_t found_by, size_t among)
{
    blame_together(r, found_by, among, "it does not come back");
    for (size_t k = 0; k < among; k++)
        if (r->stand[r->suspects[k]] != ASSAY_STAND_JUDGED)
            assay_run_settle_as(r, r->suspects[k], ASSAY_VERDICT_ERROR, "it was in flight when the target died");
}

void assay_run_handle_death(struct assay_run_now *r, size_t found_by)
{
    size_t n = assay_run_ground_all(r);
    bool found = false;
    if (!assay_run_bring_up(r, true)) {
        give_up_on(r, found_by, n);
        return;
    }
    for (size_t k = 0; k < n && !r->interrupted; k++)
        found = assay_run_judge_alone(r, r->suspects[k]) || found;
    if (!found && !r->gone && !r->interrupted && !find_among_recent(r))
        blame_together(r, found_by, n, "none of them kills it alone");
}
