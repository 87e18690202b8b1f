#include "conformance/runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/describe.h"
#include "net/socket.h"

#define TIMED_MAX       256 /* of these wait at once, beside the others */
#define RECENT          32  /* judged last: suspects too, when the target died without a word */
#define LATE_ENOUGH     3   /* verdicts "did not come" that were confirmed alone; then a first one is believed */
#define REFUTED_ENOUGH  3   /* verdicts "did not come" that were refuted alone; then cases run one by one */
#define SILENT_ENOUGH   64  /* cases without any answer, and none that passed: the target does not speak at all */
#define AGAIN_AT_MOST   3   /* times that a case runs alone while the harness is late */
#define EFFECT_SEEN_MAX 512
#define TRIALS          3 /* cases in which a client's program ends before it connects: then it always does */
#define RECORDS_SHOWN   8

enum stand { STAND_WAITING, STAND_FLYING, STAND_AGAIN, STAND_JUDGED };

struct run {
    const struct assay_run_options *o;
    const struct assay_suite *suite;
    struct assay_stage stage;
    struct assay_target *target;  /* that the next case meets; NULL: each case starts its own */
    struct assay_net_error error; /* why it does not come up */
    struct assay_watch pipes[2], signals;
    struct assay_result *results, *merged;
    uint8_t *stand;
    struct assay_play **flying; /* by case */
    size_t *order;              /* in which the cases start; timed ones first */
    size_t *suspects;
    size_t next, in_flight, timed_in_flight, links_in_flight, judged, emitted, failed, again, late_again;
    size_t recent[RECENT], recent_n;
    size_t confirmed_late, refuted_late, silent, agreed;
    size_t refused; /* of the cases that had others beside them */
    bool heard;     /* the target said something */
    unsigned jobs;
    unsigned round;
    struct assay_play *alone; /* that runs with nothing beside it, and may wait for what the target shows */
    bool gone, interrupted;
    bool used_up;        /* the target was told to stop: whatever comes next needs a fresh one */
    const char *stopped; /* why not all cases run */
    struct assay_run_summary *summary;
};

static size_t case_count(const struct run *r)
{
    return r->suite->count;
}

static bool is_faulty(const struct assay_circumstance *c)
{
    return c->failing || c->memory;
}

/* The target for the circumstance of a case; NULL: there is none. */
static struct assay_target *target_for(const struct run *r, size_t i)
{
    const struct assay_circumstance *c = &r->suite->cases[i].circumstance;
    if (!is_faulty(c))
        return r->o->target;
    if (r->o->guest)
        return NULL;
    for (size_t k = 0; k < r->o->faulty_count; k++)
        if (r->o->faulty[k].circumstance.failing == c->failing && r->o->faulty[k].circumstance.memory == c->memory)
            return r->o->faulty[k].target;
    return NULL;
}

/* ---- results ----------------------------------------------------------- */

static bool last_round(const struct run *r)
{
    return r->round + 1 == r->o->repeat;
}

static void merge(struct run *r, size_t i)
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

static void emit(struct run *r)
{
    struct assay_progress *bar = r->o->progress;
    bool any = last_round(r) && r->emitted < case_count(r) && r->stand[r->emitted] == STAND_JUDGED;
    if (any && bar)
        bar->clear(bar);
    for (; any && r->emitted < case_count(r) && r->stand[r->emitted] == STAND_JUDGED; r->emitted++) {
        struct assay_result *result = &r->merged[r->emitted];
        assay_tally_add(&r->summary->tally, result);
        for (size_t k = 0; k < r->o->report_count; k++)
            r->o->reports[k]->judged(r->o->reports[k], result);
        assay_result_free(result);
    }
    if (bar)
        bar->show(bar, r->judged + r->round * case_count(r), case_count(r) * r->o->repeat, r->failed);
}

static void settle(struct run *r, size_t i)
{
    const struct assay_result *result = &r->results[i];
    r->stand[i] = STAND_JUDGED;
    r->judged++;
    r->failed += result->verdict == ASSAY_VERDICT_FAIL;
    r->agreed += result->verdict == ASSAY_VERDICT_PASS;
    if (!is_faulty(&r->suite->cases[i].circumstance))
        r->recent[r->recent_n++ % RECENT] = i;
    merge(r, i);
    emit(r);
}

static void settle_as(struct run *r, size_t i, enum assay_verdict verdict, const char *why)
{
    assay_result_set(&r->results[i], &r->suite->cases[i], verdict, "%s", why);
    settle(r, i);
}

/* ---- the target -------------------------------------------------------- */

static void pipe_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct run *r = assay_loop_owner(loop);
    assay_target_listen(r->target);
    if (r->alone)
        assay_play_poke(r->alone);
    if (events & ASSAY_GONE)
        assay_loop_watch(loop, watch, 0);
}

static void listen_to_target(struct run *r, bool on)
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

/* A target that somebody else looks after gets the time of an answer to come back. */
static bool comes_back(struct run *r, struct assay_net_error *error)
{
    int64_t end = assay_clock_now() + assay_pace_patience(&r->stage.pace);
    for (int64_t tick = ASSAY_MS; !assay_target_up(r->target, &r->stage.address, error); tick *= 2) {
        int64_t now = assay_clock_now();
        if (now >= end || assay_target_owned(r->target) || r->interrupted)
            return false;
        for (int64_t until = now + tick; assay_clock_now() < until && !r->interrupted;)
            assay_loop_round(r->stage.loop, until);
    }
    return true;
}

static bool bring_up(struct run *r, bool fresh)
{
    if (!r->target)
        return true;
    listen_to_target(r, false);
    if (fresh && assay_target_owned(r->target))
        assay_target_stop(r->target);
    r->stage.target = assay_target_owned(r->target) ? r->target : NULL;
    r->used_up = false;
    r->gone = !comes_back(r, &r->error);
    listen_to_target(r, !r->gone);
    return !r->gone;
}

/* Turn to another target. With nothing in flight. */
static void aim(struct run *r, struct assay_target *target, struct assay_circumstance circumstance)
{
    if (target == r->target)
        return;
    listen_to_target(r, false);
    if (r->target != r->o->target)
        assay_target_stop(r->target);
    r->target = target;
    r->stage.oracle.circumstance = circumstance;
    bring_up(r, false);
}

/* What became of a faulty target does not touch the cases of others. */
static void aim_back(struct run *r)
{
    aim(r, r->o->target, (struct assay_circumstance){0});
}

/* Something that was owed did not come. */
static bool is_late(const struct assay_played *p)
{
    return p->finding == ASSAY_FOUND_LATE || (p->finding == ASSAY_FOUND_BROKEN && p->by_time);
}

/* Whether what a case found may be the target's death. */
static bool is_dead(struct run *r, const struct assay_played *p)
{
    if (!r->target)
        return false;
    if (p->stopped && (p->finding == ASSAY_FOUND_AGREES || p->finding == ASSAY_FOUND_BROKEN))
        return false;
    bool knock = !p->stopped && (p->finding == ASSAY_FOUND_REFUSED || p->finding == ASSAY_FOUND_LATE || p->by_end);
    return !assay_target_alive(r->target, knock);
}

static void blame_death(struct run *r, size_t i, const char *when)
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

/* ---- alone ------------------------------------------------------------- */

static struct assay_play *play_alone(struct run *r, size_t i, bool patient)
{
    struct assay_play *play = assay_play_start(&r->stage, &r->suite->cases[i], patient);
    r->alone = play;
    while (play && !play->over && !r->interrupted)
        assay_loop_round(r->stage.loop, ASSAY_CLOCK_NEVER);
    r->alone = NULL;
    return play;
}

static void judge(struct run *r, size_t i, struct assay_played *played, bool alone)
{
    struct assay_judging judging = {.model = r->suite->model, .strict = r->o->strict, .alone = alone};
    judging.late = assay_pace_was_late(&r->stage.pace, played->began);
    assay_judge(&judging, &r->suite->cases[i], played, &r->results[i]);
    if (played->unseen && r->results[i].verdict == ASSAY_VERDICT_PASS)
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_UNSUPPORTED,
                         "nobody sees what it has to show: exec:COMMAND with --upper terminal does");
    r->results[i].repeated = alone && r->stand[i] == STAND_AGAIN;
}

/* The file may be written a little after the last answer: look until it is all there. */
static enum assay_sight look(struct run *r, struct assay_observer *eye, const struct assay_played *p, uint8_t *seen,
                             uint64_t *seen_n)
{
    int64_t end = assay_clock_now() + assay_pace_patience(&r->stage.pace);
    for (int64_t tick = ASSAY_MS / 4;; tick *= 2) {
        int64_t now = assay_clock_now();
        enum assay_sight sight =
            assay_observer_look(eye, r->target, p->records, p->records_count, seen, EFFECT_SEEN_MAX, seen_n);
        if (sight != ASSAY_SIGHT_PART || now >= end || r->interrupted)
            return sight;
        for (int64_t until = now + tick; assay_clock_now() < until && !r->interrupted;)
            assay_loop_round(r->stage.loop, until);
    }
}

static void blame_effect(struct run *r, size_t i, const struct assay_played *p, struct assay_span seen, uint64_t seen_n)
{
    struct assay_result *result = &r->results[i];
    struct assay_text want = {result->expected, sizeof result->expected, 0};
    struct assay_text got = {result->seen, sizeof result->seen, 0};
    const struct assay_case *c = &r->suite->cases[i];
    assay_result_set(result, c, c->level == ASSAY_MUST ? ASSAY_VERDICT_FAIL : ASSAY_VERDICT_WARN,
                     "effect `%s` is not what the spec orders", c->observe);
    assay_text_add(&want, "%u records", p->records_count);
    for (uint32_t k = 0; k < p->records_count && k < RECORDS_SHOWN; k++) {
        assay_text_add(&want, k ? ", " : ": ");
        assay_text_quoted(&want, p->records[k].bytes, 256);
    }
    assay_text_add(&got, "%llu bytes ", (unsigned long long)seen_n);
    assay_text_quoted(&got, seen, 256);
}

/* True: what was there may be an earlier case's, so that the case should run once more. */
static bool watch_effect(struct run *r, size_t i, const struct assay_played *p, struct assay_observer *eye)
{
    uint8_t bytes[EFFECT_SEEN_MAX];
    uint64_t n = 0;
    enum assay_sight sight = look(r, eye, p, bytes, &n);
    if (sight == ASSAY_SIGHT_BLIND)
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_ERROR, "observer `%s` does not work: %s",
                         eye->name, eye->place);
    else if (sight != ASSAY_SIGHT_SAME)
        blame_effect(r, i, p, (struct assay_span){bytes, n < sizeof bytes ? (uint32_t)n : sizeof bytes}, n);
    r->confirmed_late += sight == ASSAY_SIGHT_PART; /* it was waited for in vain, as an answer may be */
    r->stage.pace.impatient = r->confirmed_late >= LATE_ENOUGH;
    return sight == ASSAY_SIGHT_OTHER;
}

static struct assay_observer *eye_of(struct run *r, size_t i)
{
    const char *name = r->suite->cases[i].observe;
    return name ? assay_observer_find(r->o->observers, name) : NULL;
}

/* One run alone, into results[i]. True: it should run once more. */
static bool try_alone(struct run *r, size_t i, bool *died)
{
    struct assay_observer *eye = eye_of(r, i);
    if (eye && !assay_observer_begin(eye, r->target)) {
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_ERROR, "observer `%s` does not work: %s",
                         eye->name, eye->place);
        return false;
    }
    struct assay_play *play = play_alone(r, i, r->stand[i] == STAND_AGAIN);
    if (!play || r->interrupted) {
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_ERROR, "not judged: %s",
                         play ? "interrupted" : "out of memory");
        assay_play_free(play);
        return false;
    }
    struct assay_played *p = &play->outcome;
    bool late = assay_pace_was_late(&r->stage.pace, p->began), again = false;
    *died = is_dead(r, p);
    r->used_up = r->used_up || p->stopped;
    judge(r, i, p, true);
    if (*died)
        blame_death(r, i, "");
    else if (p->finding == ASSAY_FOUND_AGREES && eye)
        again = watch_effect(r, i, p, eye);
    else
        again = assay_judge_again(&(struct assay_judging){.alone = true, .late = late}, p);
    r->confirmed_late += is_late(p) && !late && !p->slow;
    r->stage.pace.impatient = r->confirmed_late >= LATE_ENOUGH;
    assay_play_free(play);
    return again;
}

/* Judge a case with nothing else in flight. True: it killed the target. */
static bool judge_alone(struct run *r, size_t i)
{
    const struct assay_case *c = &r->suite->cases[i];
    bool died = false;
    aim(r, target_for(r, i), c->circumstance);
    bool fresh = c->class == ASSAY_CASE_EXCLUSIVE || r->used_up;
    if ((fresh && !bring_up(r, true)) || (r->gone && !bring_up(r, false))) {
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_ERROR, "not run: the target is gone: %.200s", r->error.text);
        settle(r, i);
        aim_back(r);
        return false;
    }
    for (int n = 0; n < AGAIN_AT_MOST && try_alone(r, i, &died) && !died; n++) {
        r->stand[i] = STAND_AGAIN;
        if (r->used_up && !bring_up(r, true))
            break;
    }
    settle(r, i);
    if (r->target != r->o->target)
        aim_back(r);
    else if (died)
        bring_up(r, true);
    return died;
}

/* ---- the target died --------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Take all cases out of flight; those that had begun to speak are the suspects, oldest first. */
static size_t ground_all(struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < case_count(r); i++) {
        if (r->stand[i] != STAND_FLYING)
            continue;
        assay_play_free(r->flying[i]);
        r->flying[i] = NULL;
        r->stand[i] = STAND_WAITING;
        r->suspects[n++] = i;
    }
    r->in_flight = r->timed_in_flight = r->links_in_flight = 0;
    qsort(r->suspects, n, sizeof r->suspects[0], by_start);
    return n;
}

/* No case alone carries the finding: it goes to the one that met it, or, if that was reported already, to the run. */
static void blame_together(struct run *r, size_t i, size_t among, const char *how)
{
    if (r->stand[i] == STAND_JUDGED && r->emitted > i) {
        r->summary->died = true;
        return;
    }
    struct assay_result *result = &r->results[i];
    blame_death(r, i, "");
    assay_result_set(result, &r->suite->cases[i], ASSAY_VERDICT_FAIL, "the target died with %zu cases in flight; %s",
                     among, how);
    if (r->stand[i] != STAND_JUDGED) {
        settle(r, i);
        return;
    }
    r->failed++;
    merge(r, i);
}

/* Cases judged shortly before: run them again, only to see whether one kills. */
static bool find_among_recent(struct run *r)
{
    size_t n = r->recent_n < RECENT ? r->recent_n : RECENT;
    bool died = false;
    for (size_t k = 0; k < n && !died && !r->gone && !r->interrupted; k++) {
        size_t i = r->recent[k];
        struct assay_play *play = play_alone(r, i, false);
        died = play && play->over && !assay_target_alive(r->target, true);
        if (died) {
            judge(r, i, &play->outcome, true);
            blame_together(r, i, 1, "this case kills it, a little after its end");
            bring_up(r, true);
        }
        assay_play_free(play);
    }
    return died;
}

static void give_up_on(struct run *r, size_t found_by, size_t among)
{
    blame_together(r, found_by, among, "it does not come back");
    for (size_t k = 0; k < among; k++)
        if (r->stand[r->suspects[k]] != STAND_JUDGED)
            settle_as(r, r->suspects[k], ASSAY_VERDICT_ERROR, "it was in flight when the target died");
}

static void handle_death(struct run *r, size_t found_by)
{
    size_t n = ground_all(r);
    bool found = false;
    if (!bring_up(r, true)) {
        give_up_on(r, found_by, n);
        return;
    }
    for (size_t k = 0; k < n && !r->interrupted; k++)
        found = judge_alone(r, r->suspects[k]) || found;
    if (!found && !r->gone && !r->interrupted && !find_among_recent(r))
        blame_together(r, found_by, n, "none of them kills it alone");
}

/* ---- in flight --------------------------------------------------------- */

static bool is_timed(const struct run *r, size_t i)
{
    return r->suite->cases[i].class == ASSAY_CASE_TIMED;
}

static size_t links_of(const struct run *r, size_t i)
{
    return r->suite->cases[i].links ? r->suite->cases[i].links : 1;
}

static void land(struct run *r, size_t i)
{
    assay_play_free(r->flying[i]);
    r->flying[i] = NULL;
    r->in_flight--;
    r->timed_in_flight -= is_timed(r, i);
    r->links_in_flight -= links_of(r, i);
}

/* A first verdict "did not come" is believed once some were confirmed, unless others were refuted. */
static bool believes(const struct run *r)
{
    return r->confirmed_late >= LATE_ENOUGH && r->refuted_late == 0;
}

/* A case is over that had others beside it. */
static void reap(struct run *r, size_t i)
{
    struct assay_played *p = &r->flying[i]->outcome;
    if (is_dead(r, p)) {
        handle_death(r, i);
        return;
    }
    bool alone = r->jobs == 1 && r->in_flight == 1;
    struct assay_judging judging = {.alone = alone, .late = assay_pace_was_late(&r->stage.pace, p->began)};
    bool late = is_late(p), again = assay_judge_again(&judging, p);
    r->silent += late && !p->saw_any;
    r->refused += p->finding == ASSAY_FOUND_REFUSED;
    r->heard = r->heard || p->saw_any;
    judge(r, i, p, alone);
    r->results[i].late = late && !judging.late;
    land(r, i);
    if (again && !(late && believes(r))) {
        r->stand[i] = STAND_AGAIN;
        r->again++;
        r->late_again += late;
    } else {
        settle(r, i);
    }
}

static void reap_all(struct run *r)
{
    for (size_t i = 0; i < case_count(r); i++)
        if (r->stand[i] == STAND_FLYING && r->flying[i]->over)
            reap(r, i);
}

static bool runs_alone(struct run *r, size_t i)
{
    return r->suite->cases[i].class == ASSAY_CASE_EXCLUSIVE || eye_of(r, i) || r->stage.screen;
}

/* A target may refuse one session more than its limit: there are never more connections. */
static bool room_for(const struct run *r, size_t i)
{
    if (r->target && r->links_in_flight + links_of(r, i) > r->suite->model->limits.sessions)
        return false;
    return is_timed(r, i) ? r->timed_in_flight < TIMED_MAX : r->in_flight - r->timed_in_flight < r->jobs;
}

/* A target that seems to hang is looked at alone before more is thrown at it. */
static bool hold_back(const struct run *r)
{
    return r->gone || (r->late_again >= LATE_ENOUGH && !believes(r));
}

static void launch(struct run *r)
{
    for (; r->next < case_count(r) && !hold_back(r); r->next++) {
        size_t i = r->order[r->next];
        if (r->stand[i] != STAND_WAITING || runs_alone(r, i))
            continue;
        if (!room_for(r, i))
            return;
        r->flying[i] = assay_play_start(&r->stage, &r->suite->cases[i], false);
        if (!r->flying[i]) {
            settle_as(r, i, ASSAY_VERDICT_ERROR, "not run: out of memory");
            continue;
        }
        r->stand[i] = STAND_FLYING;
        r->in_flight++;
        r->timed_in_flight += is_timed(r, i);
        r->links_in_flight += links_of(r, i);
        if (r->links_in_flight > r->summary->connections)
            r->summary->connections = r->links_in_flight;
    }
}

static void judge_again(struct run *r)
{
    for (size_t i = 0; i < case_count(r) && !r->interrupted; i++) {
        if (r->stand[i] != STAND_AGAIN)
            continue;
        bool late = r->results[i].late, error = r->results[i].verdict == ASSAY_VERDICT_ERROR;
        if (late && !error && believes(r)) {
            settle(r, i);
            continue;
        }
        size_t agreed = r->agreed;
        judge_alone(r, i);
        r->refuted_late += late && r->agreed > agreed;
    }
    if (r->refuted_late >= REFUTED_ENOUGH) {
        r->jobs = 1;
        r->summary->serial = true;
    }
    r->again = r->late_again = 0;
    r->stage.pace.impatient = r->confirmed_late >= LATE_ENOUGH;
}

/* Whether datagrams are taken shows when they are sent, and not before. */
static bool nobody_there(const struct run *r)
{
    return r->o->datagrams && r->refused && !r->heard && r->agreed == 0 && r->failed == 0;
}

/* False: it makes no sense to go on. */
static bool worth_it(struct run *r)
{
    if (r->gone)
        r->stopped = r->summary->stopped = "the target is gone";
    else if (nobody_there(r))
        r->stopped = r->summary->stopped = "nobody takes datagrams there";
    else if (r->silent >= SILENT_ENOUGH && r->agreed == 0)
        r->stopped = r->summary->stopped = "the target answers nothing";
    return !r->stopped && !r->interrupted;
}

static void fly(struct run *r)
{
    while (worth_it(r)) {
        launch(r);
        if (r->in_flight == 0 && r->again == 0)
            break;
        if (r->in_flight == 0)
            judge_again(r);
        for (bool over = false; r->in_flight && !over && !r->interrupted;) {
            assay_loop_round(r->stage.loop, ASSAY_CLOCK_NEVER);
            for (size_t i = 0; i < case_count(r) && !over; i++)
                over = r->stand[i] == STAND_FLYING && r->flying[i]->over;
        }
        reap_all(r);
    }
}

static const char *failing_effect(const struct run *r, size_t i)
{
    return r->suite->model->effects[r->suite->cases[i].circumstance.failing - 1].name;
}

/* At a terminal not every call can be made, and nothing but a call makes a link. */
static bool can_be_typed(const struct run *r, const struct assay_case *c)
{
    const struct assay_guest_plan *g = r->o->guest;
    bool called = false;
    for (size_t k = 0; k < c->step_count; k++) {
        const struct assay_step *s = &c->steps[k];
        if (s->kind == ASSAY_STEP_CALL &&
            !assay_terminal_types(r->suite->model, g->terminal, s->call, s->values, s->spans))
            return false;
        called = called || s->kind == ASSAY_STEP_CALL;
        if (s->kind == ASSAY_STEP_ARRIVE && !called)
            return false;
    }
    return called;
}

static bool can_be_told(const struct run *r, const struct assay_case *c)
{
    if (r->o->guest->way == ASSAY_UPPER_TERMINAL)
        return can_be_typed(r, c);
    for (size_t k = 0; k < c->step_count && r->o->guest->way == ASSAY_UPPER_EXIT; k++)
        if (c->steps[k].kind == ASSAY_STEP_CALL)
            return false;
    return true;
}

static bool on_screen(const struct run *r, const char *name)
{
    const struct assay_model *model = r->suite->model;
    for (uint16_t i = 0; r->stage.screen && i < model->effects_count; i++)
        if (strcmp(model->effects[i].name, name) == 0)
            return r->o->oracle.terminal->effects[i] != ASSAY_NONE;
    return false;
}

/* Cases that cannot be run here; they are told, and do not count as passed. */
static void settle_unsupported(struct run *r, size_t i)
{
    const struct assay_case *c = &r->suite->cases[i];
    uint32_t most = r->suite->model->limits.sessions;
    if (r->o->guest && !can_be_told(r, c))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED, "what this case does cannot be typed");
    else if (c->observe && !eye_of(r, i) && !on_screen(r, c->observe))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "nobody watches effect `%s`: give --observe %s=FILE|CMD", c->observe, c->observe);
    else if (c->class == ASSAY_CASE_EXCLUSIVE && r->target && !assay_target_owned(r->target))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED, "needs a target of its own: exec:COMMAND");
    else if (c->circumstance.failing && !target_for(r, i))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "no target whose effect `%s` fails: give --fault %s=COMMAND", failing_effect(r, i),
                         failing_effect(r, i));
    else if (c->circumstance.memory && !target_for(r, i))
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "no target with %u bytes for variables: give --fault no-room=COMMAND",
                         (unsigned)c->circumstance.memory);
    else if (r->target && links_of(r, i) > most)
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_UNSUPPORTED,
                         "needs %zu connections at once, and the spec's limit is %u sessions", links_of(r, i),
                         (unsigned)most);
    else
        return;
    settle(r, i);
}

static void one_round(struct run *r)
{
    memset(r->stand, STAND_WAITING, case_count(r));
    r->next = r->judged = r->recent_n = 0;
    for (size_t i = 0; i < case_count(r); i++)
        settle_unsupported(r, i);
    if (r->used_up)
        bring_up(r, true);
    fly(r);
    for (size_t i = 0; i < case_count(r) && worth_it(r); i++)
        if (r->stand[i] == STAND_WAITING)
            judge_alone(r, i);
    ground_all(r);
    for (size_t i = 0; i < case_count(r); i++)
        if (r->stand[i] == STAND_AGAIN && r->interrupted)
            settle_as(r, i, ASSAY_VERDICT_ERROR, "not confirmed: interrupted");
        else if (r->stand[i] == STAND_AGAIN)
            settle(r, i);
        else if (r->stand[i] != STAND_JUDGED)
            settle_as(r, i, ASSAY_VERDICT_ERROR, r->interrupted ? "not run: interrupted" : "not run: see the end");
}

/* ---- a client that never comes ---------------------------------------- */

/* The last line that it wrote to its standard error. */
static void last_words(struct assay_text *text, const char *said)
{
    size_t n = said ? strlen(said) : 0;
    while (n && (said[n - 1] == '\n' || said[n - 1] == '\r'))
        n--;
    size_t from = n;
    while (from && said[from - 1] != '\n')
        from--;
    if (n > from)
        assay_text_add(text, ", and said: %.*s", n - from < 100 ? (int)(n - from) : 100, said + from);
}

static void describe_stillborn(const struct run *r, const struct assay_played *p, struct assay_net_error *error)
{
    static const char *const expected[] = {
        [ASSAY_UPPER_LINES] = "that connects to {address} when its standard input says `connect`",
        [ASSAY_UPPER_TERMINAL] = "that stays, and connects to {peer_host} and {peer_port} when it is typed to",
        [ASSAY_UPPER_EXIT] = "that connects to {address} by itself",
    };
    struct assay_text text = {error->text, sizeof error->text, 0};
    const struct assay_guest_plan *guest = r->o->guest;
    assay_text_add(&text, "exec:%.80s ends each time before it connects: %s", guest->command, p->trouble);
    last_words(&text, p->said);
    assay_text_add(&text, "; expected: a program %s%s", expected[guest->way],
                   strchr(guest->command, '{') ? "" : " (the command has no {address})");
}

/* Before anything is judged: false if its program does not get so far as to connect, whichever case it is for. */
static bool comes(struct run *r, struct assay_net_error *error)
{
    bool stillborn = false;
    for (size_t i = 0, n = 0; i < case_count(r) && n < TRIALS && !r->interrupted; i++) {
        if (!can_be_told(r, &r->suite->cases[i]))
            continue;
        n++;
        struct assay_play *play = assay_play_start(&r->stage, &r->suite->cases[i], false);
        int64_t until = assay_clock_now() + assay_pace_patience(&r->stage.pace);
        while (play && !play->over && !play->outcome.came && !r->interrupted && assay_clock_now() < until)
            assay_loop_round(r->stage.loop, until);
        stillborn = play && play->over && play->outcome.stillborn;
        if (stillborn)
            describe_stillborn(r, &play->outcome, error);
        assay_play_free(play);
        if (!stillborn)
            break;
    }
    return !stillborn;
}

/* ---- the whole --------------------------------------------------------- */

/* When each round of the loop began is what the next one's findings came after. */
static void stamp(struct assay_loop *loop)
{
    struct run *r = assay_loop_owner(loop);
    int64_t now = assay_clock_now();
    r->stage.before = assay_loop_now(loop);
    assay_pace_late(&r->stage.pace, now, now - r->stage.before); /* what came meanwhile had to wait */
}

static void signal_came(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct run *r = assay_loop_owner(loop);
    (void)events;
    while (assay_signals_next(watch->fd))
        r->interrupted = true;
}

/* The tester's own delay must stay below what a target may be late. */
static void mind_tolerances(struct run *r)
{
    const struct assay_model *model = r->suite->model;
    const struct assay_machine *machine = &model->machines[r->stage.oracle.machine];
    for (uint32_t i = machine->timers.first; i < (uint32_t)machine->timers.first + machine->timers.count; i++)
        assay_pace_mind(&r->stage.pace, model->timers[i].late);
    if (machine->reconnect.pause != ASSAY_NONE)
        assay_pace_mind(&r->stage.pace, machine->reconnect.late);
}

static bool prepare(struct run *r, const struct assay_run_options *o)
{
    static const int signals[] = {SIGINT, SIGTERM, 0};
    size_t n = o->facts.suite->count + 1;
    *r = (struct run){.o = o, .suite = o->facts.suite, .target = o->target, .jobs = o->jobs};
    r->stage = (struct assay_stage){
        .model = o->facts.model, .oracle = o->oracle, .guest = o->guest, .datagrams = o->datagrams};
    r->stage.screen = o->screen && o->oracle.terminal && o->target && assay_target_owned(o->target);
    assay_pace_init(&r->stage.pace, o->timeout_scale);
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
    r->signals = (struct assay_watch){.ready = signal_came, .fd = assay_signals_open(signals)};
    if (!r->stage.table || !r->stage.loop || !r->results || !r->merged || !r->stand || !r->flying || !r->order ||
        !r->suspects)
        return false;
    size_t k = 0;
    for (int timed = 1; timed >= 0; timed--)
        for (size_t i = 0; i < r->suite->count; i++)
            if (is_timed(r, i) == timed)
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
    return assay_loop_watch(r->stage.loop, &r->signals, ASSAY_READ);
}

static void release(struct run *r)
{
    if (r->stage.loop) {
        listen_to_target(r, false);
        assay_loop_watch(r->stage.loop, &r->signals, 0);
    }
    if (r->signals.fd >= 0)
        close(r->signals.fd);
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

static void run_rounds(struct run *r)
{
    for (size_t k = 0; k < r->o->report_count; k++)
        if (r->o->continues)
            r->o->reports[k]->facts = &r->o->facts;
        else
            r->o->reports[k]->begin(r->o->reports[k], &r->o->facts);
    int64_t began = assay_clock_now();
    for (r->round = 0; r->round < r->o->repeat; r->round++) {
        one_round(r);
        if (!worth_it(r) && !last_round(r)) {
            r->round = r->o->repeat - 1;
            emit(r);
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

enum assay_run_end assay_run(const struct assay_run_options *o, struct assay_run_summary *summary,
                             struct assay_net_error *error)
{
    struct run r;
    enum assay_run_end end = ASSAY_RUN_NO_RESOURCES;
    if (!o->continues)
        *summary = (struct assay_run_summary){0};
    assay_descriptors_raise();
    bool ready = prepare(&r, o);
    r.summary = summary;
    r.stage.target = o->target && assay_target_owned(o->target) ? o->target : NULL;
    if (ready && o->target && o->facts.suite->count && !assay_target_up(o->target, &r.stage.address, error)) {
        end = ASSAY_RUN_UNREACHABLE;
    } else if (ready && o->guest && !comes(&r, error)) {
        end = ASSAY_RUN_UNREACHABLE;
    } else if (ready) {
        listen_to_target(&r, true);
        run_rounds(&r);
        end = r.interrupted ? ASSAY_RUN_INTERRUPTED : ASSAY_RUN_DONE;
        if (end == ASSAY_RUN_DONE && nobody_there(&r)) {
            end = ASSAY_RUN_UNREACHABLE;
            snprintf(error->text, sizeof error->text, "nobody takes datagrams at %s", o->facts.target);
        }
    }
    release(&r);
    return end;
}
