/* A target that is killed in the middle of a case, and started again on what it had kept. */
#include "conformance/play_run.h"

#define ASK_EVERY (4 * ASSAY_MS)

/* Links that were used are over with it; those that were not begin where it listens now. */
static enum assay_go begin_anew(struct assay_play_run *r, uint8_t first)
{
    int64_t now = assay_clock_now();
    for (uint8_t i = first; i < r->links_count && !r->play.over; i++)
        assay_play_connect(r, &r->links[i]);
    r->progress_at = now;
    if (r->oracle && !r->play.over)
        assay_oracle_restart(r->oracle, first, now);
    return r->play.over ? ASSAY_GO_WAIT : ASSAY_GO_ON;
}

static bool kill_it(struct assay_play_run *r, struct assay_net_error *error)
{
    const struct assay_place *at = &r->place;
    for (uint8_t i = 0; i < r->links_count; i++)
        assay_wire_close(&r->links[i].wire);
    if (at->hear)
        at->hear(at->who, false);
    bool begun = assay_target_begin_again(at->target, error);
    if (at->hear)
        at->hear(at->who, true);
    return begun;
}

enum assay_go assay_step_restart(struct assay_play_run *r, struct assay_link *l, const struct assay_step *s)
{
    struct assay_net_error error = {""};
    enum assay_coming coming = ASSAY_COMING;
    (void)s;
    if (!r->place.target)
        return assay_play_trouble(r, "a target that was not started here cannot be started again", 0);
    if (!r->entered) {
        r->play.outcome.restarted = true;
        assay_play_note(r, l, ASSAY_DID_RESTART, (struct assay_span){0});
        if (!kill_it(r, &error))
            return assay_play_trouble(r, error.text, 0);
    }
    r->entered = true;
    coming = assay_target_coming(r->place.target, &r->place.address, &error);
    if (coming == ASSAY_COMING_FAILED)
        return assay_play_broken(r, false, "killed and started again, it does not come up: %.200s", error.text);
    return coming == ASSAY_COMING_UP ? begin_anew(r, l->index)
                                     : assay_play_wait_until(r, assay_clock_now() + ASK_EVERY);
}
