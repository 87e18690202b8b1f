/* The target of a run: which one a case meets, bringing it up, and whether it died. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/run.h"

/* The target for the circumstance of a case; NULL: there is none. */
struct assay_target *assay_run_target_for(const struct assay_run_now *r, size_t i)
{
    const struct assay_circumstance *c = &r->suite->cases[i].circumstance;
    if (!assay_run_is_faulty(c))
        return r->o->target;
    if (r->o->guest)
        return NULL;
    for (size_t k = 0; k < r->o->faulty_count; k++)
        if (r->o->faulty[k].circumstance.failing == c->failing && r->o->faulty[k].circumstance.memory == c->memory)
            return r->o->faulty[k].target;
    return NULL;
}

static void pipe_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_run_now *r = assay_loop_owner(loop);
    assay_target_listen(r->target);
    if (r->alone)
        assay_play_poke(r->alone);
    if (events & ASSAY_GONE)
        assay_loop_watch(loop, watch, 0);
}

void assay_run_listen(struct assay_run_now *r, bool on)
{
    int fds[2];
    if (!r->target)
        return;
    assay_target_pipes(r->target, fds);
    for (int i = 0; i < 2; i++) {
        assay_loop_watch(r->stage.loop, &r->pipes[i], 0);
        r->pipes[i] = (struct assay_watch){.ready = pipe_ready, .fd = fds[i]};
        if (on && fds[i] >= 0)
            assay_loop_watch(r->stage.loop, &r->pipes[i], ASSAY_READ);
    }
}

void assay_run_hear(void *run, bool on)
{
    assay_run_listen(run, on);
}

/* A target that somebody else looks after gets the time of an answer to come back. */
static bool comes_back(struct assay_run_now *r, struct assay_net_error *error)
{
    int64_t end = assay_clock_now() + assay_pace_patience(&r->stage.pace);
    for (int64_t tick = ASSAY_MS; !assay_target_up(r->target, &r->stage.place.address, error); tick *= 2) {
        int64_t now = assay_clock_now();
        if (now >= end || assay_target_owned(r->target) || r->interrupted)
            return false;
        for (int64_t until = now + tick; assay_clock_now() < until && !r->interrupted;)
            assay_loop_round(r->stage.loop, until);
    }
    return true;
}

bool assay_run_bring_up(struct assay_run_now *r, bool fresh)
{
    if (!r->target)
        return true;
    assay_run_listen(r, false);
    if (fresh && assay_target_owned(r->target))
        assay_target_stop(r->target);
    r->stage.place.target = assay_target_owned(r->target) ? r->target : NULL;
    r->used_up = false;
    r->gone = !comes_back(r, &r->error);
    assay_run_listen(r, !r->gone);
    return !r->gone;
}

/* Turn to another target. With nothing in flight. */
void assay_run_aim(struct assay_run_now *r, struct assay_target *target, struct assay_circumstance circumstance)
{
    if (target == r->target)
        return;
    assay_run_listen(r, false);
    if (r->target != r->o->target)
        assay_target_stop(r->target);
    r->target = target;
    r->stage.oracle.circumstance = circumstance;
    assay_run_bring_up(r, false);
}

/* What became of a faulty target does not touch the cases of others. */
void assay_run_aim_back(struct assay_run_now *r)
{
    assay_run_aim(r, r->o->target, (struct assay_circumstance){0});
}

/* Something that was owed did not come. */
bool assay_run_is_late(const struct assay_played *p)
{
    return p->finding == ASSAY_FOUND_LATE || (p->finding == ASSAY_FOUND_BROKEN && p->by_time);
}

/* Whether what a case found may be the target's death. */
bool assay_run_is_dead(struct assay_run_now *r, const struct assay_played *p)
{
    if (!r->target)
        return false;
    if (p->stopped && (p->finding == ASSAY_FOUND_AGREES || p->finding == ASSAY_FOUND_BROKEN))
        return false;
    bool knock = !p->stopped && (p->finding == ASSAY_FOUND_REFUSED || p->finding == ASSAY_FOUND_LATE || p->by_end);
    return !assay_target_alive(r->target, knock);
}

void assay_run_blame_death(struct assay_run_now *r, size_t i, const char *when)
{
    struct assay_result *result = &r->results[i];
    const char *said = assay_target_said(r->target);
    assay_result_set(result, &r->suite->cases[i], ASSAY_VERDICT_FAIL, "the target died%s: %s", when,
                     assay_target_end(r->target));
    result->ran = true;
    result->level = ASSAY_MUST;
    free(result->target_said);
    result->target_said = *said ? strdup(said) : NULL;
    snprintf(result->expected, sizeof result->expected, "a target that goes on serving");
    snprintf(result->seen, sizeof result->seen, "%s", assay_target_end(r->target));
}
