#include "conformance/runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/run.h"
#include "net/socket.h"

/* What is sent again is judged by when it was seen: this much later than it was sent, at most. It does not follow the
 * round trips of the run: those hold what a target does before it answers (disks, other cases), while copies go out by
 * a timer alone; a slow target would be granted pauses that its spec forbids. Where we were late ourselves, pace.c
 * knows, and the verdict is not final; `timeout_scale` widens this as all else. */
#define SLACK (20.0 * ASSAY_MS)

static void one_round(struct assay_run_now *r)
{
    memset(r->stand, ASSAY_STAND_WAITING, assay_run_cases(r));
    r->next = r->judged = r->recent_n = 0;
    for (size_t i = 0; i < assay_run_cases(r); i++)
        assay_run_settle_unsupported(r, i);
    if (r->used_up)
        assay_run_bring_up(r, true);
    assay_run_fly(r);
    assay_run_fly_own(r);
    for (size_t i = 0; i < assay_run_cases(r) && assay_run_worth_it(r); i++)
        if (r->stand[i] == ASSAY_STAND_WAITING)
            assay_run_judge_alone(r, i);
    assay_run_ground_all(r);
    for (size_t i = 0; i < assay_run_cases(r); i++)
        if (r->stand[i] == ASSAY_STAND_AGAIN && r->interrupted)
            assay_run_settle_as(r, i, ASSAY_VERDICT_ERROR, "not confirmed: interrupted");
        else if (r->stand[i] == ASSAY_STAND_AGAIN)
            assay_run_settle(r, i);
        else if (r->stand[i] != ASSAY_STAND_JUDGED)
            assay_run_settle_as(r, i, ASSAY_VERDICT_ERROR,
                                r->interrupted ? "not run: interrupted" : "not run: see the end");
}

/* ---- the whole --------------------------------------------------------- */

/* When each round of the loop began is what the next one's findings came after. */
static void stamp(struct assay_loop *loop)
{
    struct assay_run_now *r = assay_loop_owner(loop);
    int64_t now = assay_clock_now();
    r->stage.before = assay_loop_now(loop);
    assay_pace_late(&r->stage.pace, now, now - r->stage.before); /* what came meanwhile had to wait */
}

static void signal_came(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_run_now *r = assay_loop_owner(loop);
    (void)events;
    while (assay_signals_next(watch->fd))
        r->interrupted = true;
}

/* The tester's own delay must stay below what a target may be late. */
static void mind_tolerances(struct assay_run_now *r)
{
    const struct assay_model *model = r->suite->model;
    const struct assay_machine *machine = &model->machines[r->stage.oracle.machine];
    for (uint32_t i = machine->timers.first; i < (uint32_t)machine->timers.first + machine->timers.count; i++)
        assay_pace_mind(&r->stage.pace, model->timers[i].late);
    if (machine->reconnect.pause != ASSAY_NONE)
        assay_pace_mind(&r->stage.pace, machine->reconnect.late);
}

static bool prepare(struct assay_run_now *r, const struct assay_run_options *o)
{
    size_t n = o->facts.suite->count + 1;
    *r = (struct assay_run_now){.o = o, .suite = o->facts.suite, .target = o->target, .jobs = o->jobs};
    r->stage = (struct assay_stage){
        .model = o->facts.model, .oracle = o->oracle, .guest = o->guest, .datagrams = o->datagrams};
    r->stage.screen = o->screen && o->oracle.terminal && o->target && assay_target_owned(o->target);
    assay_pace_init(&r->stage.pace, o->timeout_scale);
    r->stage.oracle.slack = (int64_t)(SLACK * o->timeout_scale);
    mind_tolerances(r);
    r->stage.table = assay_socktable_new();
    r->stage.loop = assay_loop_new(r);
    r->results = calloc(n, sizeof *r->results);
    r->merged = calloc(n, sizeof *r->merged);
    r->stand = calloc(n, 1);
    r->flying = calloc(n, sizeof(struct assay_play *));
    r->order = calloc(n, sizeof *r->order);
    r->suspects = calloc(n, sizeof *r->suspects);
    r->pipes[0].fd = r->pipes[1].fd = -1;
    r->signals = (struct assay_watch){.ready = signal_came, .fd = o->interrupts};
    if (!r->stage.table || !r->stage.loop || !r->results || !r->merged || !r->stand || !r->flying || !r->order ||
        !r->suspects)
        return false;
    size_t k = 0;
    for (int timed = 1; timed >= 0; timed--)
        for (size_t i = 0; i < r->suite->count; i++)
            if (assay_run_is_timed(r, i) == timed)
                r->order[k++] = i;
    bool watched = r->stage.screen;
    for (size_t i = 0; o->observers && i < o->observers->count; i++)
        watched = watched || assay_observer_is_stream(&o->observers->items[i]);
    if (watched && o->target)
        assay_target_never_knock(o->target);
    for (size_t i = 0; watched && i < o->faulty_count; i++)
        assay_target_never_knock(o->faulty[i].target);
    assay_loop_each_round(r->stage.loop, stamp);
    signal(SIGPIPE, SIG_IGN); /* a client that reads its orders no more */
    return r->signals.fd < 0 || assay_loop_watch(r->stage.loop, &r->signals, ASSAY_READ);
}

static void release(struct assay_run_now *r)
{
    if (r->stage.loop) {
        assay_run_listen(r, false);
        if (r->signals.fd >= 0)
            assay_loop_watch(r->stage.loop, &r->signals, 0);
    }
    for (size_t i = 0; r->results && r->merged && i < r->suite->count; i++) {
        assay_result_free(&r->results[i]);
        assay_result_free(&r->merged[i]);
    }
    free(r->results);
    free(r->merged);
    free(r->stand);
    free(r->flying);
    free(r->order);
    free(r->suspects);
    assay_loop_free(r->stage.loop);
    assay_socktable_free(r->stage.table);
}

static void run_rounds(struct assay_run_now *r)
{
    for (size_t k = 0; k < r->o->report_count; k++)
        if (r->o->continues)
            r->o->reports[k]->facts = &r->o->facts;
        else
            r->o->reports[k]->begin(r->o->reports[k], &r->o->facts);
    int64_t began = assay_clock_now();
    for (r->round = 0; r->round < r->o->repeat; r->round++) {
        one_round(r);
        if (!assay_run_worth_it(r) && !assay_run_last_round(r)) {
            r->round = r->o->repeat - 1;
            assay_run_emit(r);
        }
    }
    r->summary->took += assay_clock_now() - began;
    r->summary->round_trip = r->stage.pace.smooth;
    r->summary->interrupted = r->summary->interrupted || r->interrupted;
    if (r->o->progress)
        r->o->progress->clear(r->o->progress);
    for (size_t k = 0; k < r->o->report_count && (!r->o->more || r->interrupted); k++)
        r->o->reports[k]->end(r->o->reports[k], r->summary);
}

int assay_run_interrupts(void)
{
    static const int signals[] = {SIGINT, SIGTERM, 0};
    return assay_signals_open(signals);
}

enum assay_run_end assay_run(const struct assay_run_options *o, struct assay_run_summary *summary,
                             struct assay_net_error *error)
{
    struct assay_run_now r;
    enum assay_run_end end = ASSAY_RUN_NO_RESOURCES;
    if (!o->continues)
        *summary = (struct assay_run_summary){0};
    assay_descriptors_raise();
    bool ready = prepare(&r, o);
    r.summary = summary;
    r.stage.place.hear = assay_run_hear;
    r.stage.place.who = &r;
    r.stage.place.target = o->target && assay_target_owned(o->target) ? o->target : NULL;
    if (ready && o->target && o->facts.suite->count && !assay_target_up(o->target, &r.stage.place.address, error)) {
        end = ASSAY_RUN_UNREACHABLE;
    } else if (ready && o->guest && !assay_run_guest_comes(&r, error)) {
        end = ASSAY_RUN_UNREACHABLE;
    } else if (ready) {
        assay_run_listen(&r, true);
        run_rounds(&r);
        end = r.interrupted ? ASSAY_RUN_INTERRUPTED : ASSAY_RUN_DONE;
        if (end == ASSAY_RUN_DONE && assay_run_nobody_there(&r)) {
            end = ASSAY_RUN_UNREACHABLE;
            snprintf(error->text, sizeof error->text, "nobody takes datagrams at %s", o->facts.target);
        }
    }
    release(&r);
    return end;
}
