/* Many cases beside each other on one loop; those whose verdict may stem from that run again alone. */
#include "conformance/run.h"

#define TIMED_MAX      256 /* of these wait at once, beside the others */
#define REFUTED_ENOUGH 3   /* verdicts "did not come" that were refuted alone; then cases run one by one */
#define SILENT_ENOUGH  64  /* cases without any answer, and none that passed: the target does not speak at all */

static void land(struct assay_run_now *r, size_t i)
{
    assay_play_free(r->flying[i]);
    r->flying[i] = NULL;
    r->in_flight--;
    r->timed_in_flight -= assay_run_is_timed(r, i);
    r->links_in_flight -= assay_run_links_of(r, i);
}

bool assay_run_believes(const struct assay_run_now *r)
{
    return r->confirmed_late >= ASSAY_RUN_LATE_ENOUGH && r->refuted_late == 0;
}

/* A case is over that had others beside it. */
static void reap(struct assay_run_now *r, size_t i)
{
    struct assay_played *p = &r->flying[i]->outcome;
    if (assay_run_is_dead(r, p)) {
        assay_run_handle_death(r, i);
        return;
    }
    bool alone = r->jobs == 1 && r->in_flight == 1;
    struct assay_judging judging = {.alone = alone, .late = assay_pace_was_late(&r->stage.pace, p->began)};
    bool late = assay_run_is_late(p), again = assay_judge_again(&judging, p);
    r->silent += late && !p->saw_any;
    r->refused += p->finding == ASSAY_FOUND_REFUSED;
    r->heard = r->heard || p->saw_any;
    assay_run_judge(r, i, p, alone);
    r->results[i].late = late && !judging.late;
    land(r, i);
    if (again && !(late && assay_run_believes(r))) {
        r->stand[i] = ASSAY_STAND_AGAIN;
        r->again++;
        r->late_again += late;
    } else {
        assay_run_settle(r, i);
    }
}

static void reap_all(struct assay_run_now *r)
{
    for (size_t i = 0; i < assay_run_cases(r); i++)
        if (r->stand[i] == ASSAY_STAND_FLYING && r->flying[i]->over)
            reap(r, i);
}

static bool runs_alone(struct assay_run_now *r, size_t i)
{
    return r->suite->cases[i].class == ASSAY_CASE_EXCLUSIVE || assay_run_eye_of(r, i) || r->stage.screen;
}

/* A target may refuse one session more than its limit: there are never more connections. */
static bool room_for(const struct assay_run_now *r, size_t i)
{
    if (r->target && r->links_in_flight + assay_run_links_of(r, i) > r->suite->model->limits.sessions)
        return false;
    return assay_run_is_timed(r, i) ? r->timed_in_flight < TIMED_MAX : r->in_flight - r->timed_in_flight < r->jobs;
}

bool assay_run_hold_back(const struct assay_run_now *r)
{
    return r->gone || (r->late_again >= ASSAY_RUN_LATE_ENOUGH && !assay_run_believes(r));
}

static void launch(struct assay_run_now *r)
{
    for (; r->next < assay_run_cases(r) && !assay_run_hold_back(r); r->next++) {
        size_t i = r->order[r->next];
        if (r->stand[i] != ASSAY_STAND_WAITING || runs_alone(r, i))
            continue;
        if (!room_for(r, i))
            return;
        r->flying[i] = assay_play_start(&r->stage, &r->suite->cases[i], false);
        if (!r->flying[i]) {
            assay_run_settle_as(r, i, ASSAY_VERDICT_ERROR, "not run: out of memory");
            continue;
        }
        r->stand[i] = ASSAY_STAND_FLYING;
        r->in_flight++;
        r->timed_in_flight += assay_run_is_timed(r, i);
        r->links_in_flight += assay_run_links_of(r, i);
        if (r->links_in_flight > r->summary->connections)
            r->summary->connections = r->links_in_flight;
    }
}

void assay_run_judge_again(struct assay_run_now *r)
{
    for (size_t i = 0; i < assay_run_cases(r) && !r->interrupted; i++) {
        if (r->stand[i] != ASSAY_STAND_AGAIN)
            continue;
        bool late = r->results[i].late, error = r->results[i].verdict == ASSAY_VERDICT_ERROR;
        if (late && !error && assay_run_believes(r)) {
            assay_run_settle(r, i);
            continue;
        }
        size_t agreed = r->agreed;
        assay_run_judge_alone(r, i);
        r->refuted_late += late && r->agreed > agreed;
    }
    if (r->refuted_late >= REFUTED_ENOUGH) {
        r->jobs = 1;
        r->summary->serial = true;
    }
    r->again = r->late_again = 0;
    r->stage.pace.impatient = r->confirmed_late >= ASSAY_RUN_LATE_ENOUGH;
}

/* Whether datagrams are taken shows when they are sent, and not before. */
bool assay_run_nobody_there(const struct assay_run_now *r)
{
    return r->o->datagrams && r->refused && !r->heard && r->agreed == 0 && r->failed == 0;
}

/* False: it makes no sense to go on. */
bool assay_run_worth_it(struct assay_run_now *r)
{
    if (r->gone)
        r->stopped = r->summary->stopped = "the target is gone";
    else if (assay_run_nobody_there(r))
        r->stopped = r->summary->stopped = "nobody takes datagrams there";
    else if (r->silent >= SILENT_ENOUGH && r->agreed == 0)
        r->stopped = r->summary->stopped = "the target answers nothing";
    return !r->stopped && !r->interrupted;
}

void assay_run_fly(struct assay_run_now *r)
{
    while (assay_run_worth_it(r)) {
        launch(r);
        if (r->in_flight == 0 && r->again == 0)
            break;
        if (r->in_flight == 0)
            assay_run_judge_again(r);
        for (bool over = false; r->in_flight && !over && !r->interrupted;) {
            assay_loop_round(r->stage.loop, ASSAY_CLOCK_NEVER);
            for (size_t i = 0; i < assay_run_cases(r) && !over; i++)
                over = r->stand[i] == ASSAY_STAND_FLYING && r->flying[i]->over;
        }
        reap_all(r);
    }
}
