/* What cases came to: settled, merged over the rounds, and told in the order of their ids. */
#include <stdio.h>
#include <string.h>

#include "conformance/run.h"

void assay_run_merge(struct assay_run_now *r, size_t i)
{
    struct assay_result *now = &r->results[i], *kept = &r->merged[i];
    if (r->round == 0 || now->verdict > kept->verdict) {
        char why[sizeof now->why];
        if (r->o->repeat > 1 && now->verdict != ASSAY_VERDICT_PASS) {
            snprintf(why, sizeof why, "round %u of %u: %.280s", r->round + 1, r->o->repeat, now->why);
            memcpy(now->why, why, sizeof why);
        }
        assay_result_free(kept);
        *kept = *now;
        now->exchange = (struct assay_exchange){0};
        now->target_said = NULL;
    }
    assay_result_free(now);
}

void assay_run_emit(struct assay_run_now *r)
{
    struct assay_progress *bar = r->o->progress;
    bool any = assay_run_last_round(r) && r->emitted < assay_run_cases(r) && r->stand[r->emitted] == ASSAY_STAND_JUDGED;
    if (any && bar)
        bar->clear(bar);
    for (; any && r->emitted < assay_run_cases(r) && r->stand[r->emitted] == ASSAY_STAND_JUDGED; r->emitted++) {
        struct assay_result *result = &r->merged[r->emitted];
        assay_tally_add(&r->summary->tally, result);
        for (size_t k = 0; k < r->o->report_count; k++)
            r->o->reports[k]->judged(r->o->reports[k], result);
        assay_result_free(result);
    }
    if (bar)
        bar->show(bar, r->judged + r->round * assay_run_cases(r), assay_run_cases(r) * r->o->repeat, r->failed);
}

void assay_run_settle(struct assay_run_now *r, size_t i)
{
    const struct assay_result *result = &r->results[i];
    r->stand[i] = ASSAY_STAND_JUDGED;
    r->judged++;
    r->failed += result->verdict == ASSAY_VERDICT_FAIL;
    r->agreed += result->verdict == ASSAY_VERDICT_PASS;
    if (!assay_run_is_faulty(&r->suite->cases[i].circumstance))
        r->recent[r->recent_n++ % ASSAY_RUN_RECENT] = i;
    assay_run_merge(r, i);
    assay_run_emit(r);
}

void assay_run_settle_as(struct assay_run_now *r, size_t i, enum assay_verdict verdict, const char *why)
{
    assay_result_set(&r->results[i], &r->suite->cases[i], verdict, "%s", why);
    assay_run_settle(r, i);
}
