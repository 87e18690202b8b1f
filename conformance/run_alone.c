/* Judging one case with nothing beside it, again if need be, observers watching. */
#include "conformance/describe.h"
#include "conformance/run.h"

#define AGAIN_AT_MOST   3 /* times that a case runs alone while the harness is late */
#define EFFECT_SEEN_MAX 512
#define RECORDS_SHOWN   8

struct assay_play *assay_run_play_alone(struct assay_run_now *r, size_t i, bool patient)
{
    struct assay_play *play = assay_play_start(&r->stage, &r->suite->cases[i], patient);
    r->alone = play;
    while (play && !play->over && !r->interrupted)
        assay_loop_round(r->stage.loop, ASSAY_CLOCK_NEVER);
    r->alone = NULL;
    return play;
}

void assay_run_judge(struct assay_run_now *r, size_t i, struct assay_played *played, bool alone)
{
    struct assay_judging judging = {.model = r->suite->model, .strict = r->o->strict, .alone = alone};
    judging.late = assay_pace_was_late(&r->stage.pace, played->began);
    assay_judge(&judging, &r->suite->cases[i], played, &r->results[i]);
    if (played->unseen && r->results[i].verdict == ASSAY_VERDICT_PASS)
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_UNSUPPORTED,
                         "nobody sees what it has to show: exec:COMMAND with --upper terminal does");
    r->results[i].repeated = alone && r->stand[i] == ASSAY_STAND_AGAIN;
}

/* The file may be written a little after the last answer: look until it is all there. */
static enum assay_sight look(struct assay_run_now *r, struct assay_observer *eye, const struct assay_played *p,
                             uint8_t *seen, uint64_t *seen_n)
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

static void blame_effect(struct assay_run_now *r, size_t i, const struct assay_played *p, struct assay_span seen,
                         uint64_t seen_n)
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
        assay_show_quoted(&want, p->records[k].bytes, 256);
    }
    assay_text_add(&got, "%llu bytes ", (unsigned long long)seen_n);
    assay_show_quoted(&got, seen, 256);
}

/* True: what was there may be an earlier case's, so that the case should run once more. */
static bool watch_effect(struct assay_run_now *r, size_t i, const struct assay_played *p, struct assay_observer *eye)
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
    r->stage.pace.impatient = r->confirmed_late >= ASSAY_RUN_LATE_ENOUGH;
    return sight == ASSAY_SIGHT_OTHER;
}

struct assay_observer *assay_run_eye_of(struct assay_run_now *r, size_t i)
{
    const char *name = r->suite->cases[i].observe;
    return name ? assay_observer_find(r->o->observers, name) : NULL;
}

/* One run alone, into results[i]. True: it should run once more. */
static bool try_alone(struct assay_run_now *r, size_t i, bool *died)
{
    struct assay_observer *eye = assay_run_eye_of(r, i);
    if (eye && !assay_observer_begin(eye, r->target)) {
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_ERROR, "observer `%s` does not work: %s",
                         eye->name, eye->place);
        return false;
    }
    struct assay_play *play = assay_run_play_alone(r, i, r->stand[i] == ASSAY_STAND_AGAIN);
    if (!play || r->interrupted) {
        assay_result_set(&r->results[i], &r->suite->cases[i], ASSAY_VERDICT_ERROR, "not judged: %s",
                         play ? "interrupted" : "out of memory");
        assay_play_free(play);
        return false;
    }
    struct assay_played *p = &play->outcome;
    bool late = assay_pace_was_late(&r->stage.pace, p->began), again = false;
    *died = assay_run_is_dead(r, p);
    r->used_up = r->used_up || p->stopped || p->restarted;
    assay_run_judge(r, i, p, true);
    if (*died)
        assay_run_blame_death(r, i, "");
    else if (p->finding == ASSAY_FOUND_AGREES && eye)
        again = watch_effect(r, i, p, eye);
    else
        again = assay_judge_again(&(struct assay_judging){.alone = true, .late = late}, p);
    r->confirmed_late += assay_run_is_late(p) && !late && !p->slow;
    r->stage.pace.impatient = r->confirmed_late >= ASSAY_RUN_LATE_ENOUGH;
    assay_play_free(play);
    return again;
}

/* Judge a case with nothing else in flight. True: it killed the target. */
bool assay_run_judge_alone(struct assay_run_now *r, size_t i)
{
    const struct assay_case *c = &r->suite->cases[i];
    bool died = false;
    assay_run_aim(r, assay_run_target_for(r, i), c->circumstance);
    bool fresh = c->class == ASSAY_CASE_EXCLUSIVE || r->used_up;
    if ((fresh && !assay_run_bring_up(r, true)) || (r->gone && !assay_run_bring_up(r, false))) {
        assay_result_set(&r->results[i], c, ASSAY_VERDICT_ERROR, "not run: the target is gone: %.200s", r->error.text);
        assay_run_settle(r, i);
        assay_run_aim_back(r);
        return false;
    }
    for (int n = 0; n < AGAIN_AT_MOST && try_alone(r, i, &died) && !died; n++) {
        r->stand[i] = ASSAY_STAND_AGAIN;
        if ((r->used_up || fresh) && !assay_run_bring_up(r, true))
            break;
    }
    assay_run_settle(r, i);
    if (r->target != r->o->target)
        assay_run_aim_back(r);
    else if (died)
        assay_run_bring_up(r, true);
    return died;
}
