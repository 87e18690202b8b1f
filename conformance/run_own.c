/* Cases that want a target for themselves, several at once: each meets a process of its own, which was started while
 * others ran. Only targets that share nothing (see assay_target_twin()) are run so. */
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/run.h"

#define LANES_PER_PROCESSOR 4 /* a case waits more than it works */
#define TICK_FIRST          (1 * ASSAY_MS)
#define TICK_LAST           (16 * ASSAY_MS)

enum lane_state {
    LANE_EMPTY,    /* nothing runs */
    LANE_STARTING, /* its target is on its way up */
    LANE_READY,    /* its target waits for a case */
    LANE_PLAYING,
    LANE_ENDING, /* its target was told to end */
};

struct lane {
    struct lanes *all;
    struct assay_target *target;
    struct assay_place place;
    struct assay_watch pipes[2];
    struct assay_alarm alarm;
    int64_t tick;
    enum lane_state state;
    size_t plays; /* the case, while it plays */
};

struct lanes {
    struct assay_run_now *run;
    struct lane *items;
    size_t count, starting, ready, playing;
    size_t next, left; /* where to look for the next case; how many wait */
    bool changed, broken;
};

static unsigned processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

/* ---- which cases ------------------------------------------------------- */

static bool flies(struct assay_run_now *r, size_t i)
{
    const struct assay_case *c = &r->suite->cases[i];
    return r->stand[i] == ASSAY_STAND_WAITING && c->class == ASSAY_CASE_EXCLUSIVE && !assay_run_eye_of(r, i) &&
           !assay_run_is_faulty(&c->circumstance);
}

static size_t waiting(struct assay_run_now *r)
{
    size_t n = 0;
    for (size_t i = 0; i < assay_run_cases(r); i++)
        n += flies(r, i);
    return n;
}

/* ---- a lane ------------------------------------------------------------ */

static void enter(struct lane *l, enum lane_state state)
{
    size_t *const counts[] = {[LANE_STARTING] = &l->all->starting,
                              [LANE_READY] = &l->all->ready,
                              [LANE_PLAYING] = &l->all->playing,
                              [LANE_ENDING] = NULL};
    if (counts[l->state])
        --*counts[l->state];
    if (counts[state])
        ++*counts[state];
    l->state = state;
    l->tick = TICK_FIRST;
    l->all->changed = true;
}

static void unhear(struct lane *l)
{
    for (int i = 0; i < 2; i++)
        assay_loop_watch(l->all->run->stage.loop, &l->pipes[i], 0);
}

static void come_up(struct lane *l)
{
    struct lanes *all = l->all;
    int fds[2];
    enum assay_coming coming = assay_target_coming(l->target, &l->place.address, &all->run->error);
    if (coming == ASSAY_COMING_UP)
        enter(l, LANE_READY);
    if (coming == ASSAY_COMING_FAILED) {
        unhear(l);
        all->broken = true;
        enter(l, LANE_EMPTY);
    }
    assay_target_pipes(l->target, fds);
    if (coming == ASSAY_COMING && fds[0] != l->pipes[0].fd)
        unhear(l); /* another try: the alarm sees to it */
}

static void look_after(struct lane *l)
{
    if (l->state == LANE_STARTING)
        come_up(l);
    if (l->state == LANE_ENDING && assay_target_dismissed(l->target))
        enter(l, LANE_EMPTY);
    if (l->state != LANE_STARTING && l->state != LANE_ENDING)
        return;
    assay_loop_alarm(l->all->run->stage.loop, &l->alarm, assay_clock_now() + l->tick);
    l->tick = l->tick * 2 < TICK_LAST ? l->tick * 2 : TICK_LAST;
}

static void on_alarm(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)loop;
    look_after((struct lane *)(void *)((char *)alarm - offsetof(struct lane, alarm)));
}

static struct lane *lane_of(struct lanes *all, const struct assay_watch *watch)
{
    for (size_t i = 0; i < all->count; i++)
        if (watch == &all->items[i].pipes[0] || watch == &all->items[i].pipes[1])
            return &all->items[i];
    return NULL;
}

static void on_pipe(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_run_now *r = assay_loop_owner(loop);
    struct lane *l = lane_of(r->lanes, watch);
    assay_target_listen(l->target);
    if (events & ASSAY_GONE)
        assay_loop_watch(loop, watch, 0);
    if (l->state == LANE_STARTING)
        come_up(l);
}

static void hear(void *lane, bool on)
{
    struct lane *l = lane;
    int fds[2];
    unhear(l);
    assay_target_pipes(l->target, fds);
    for (int i = 0; on && i < 2; i++) {
        l->pipes[i] = (struct assay_watch){.ready = on_pipe, .fd = fds[i]};
        if (fds[i] >= 0)
            assay_loop_watch(l->all->run->stage.loop, &l->pipes[i], ASSAY_READ);
    }
}

static void start(struct lane *l)
{
    if (!assay_target_begin(l->target, &l->all->run->error)) {
        l->all->broken = true;
        return;
    }
    hear(l, true);
    enter(l, LANE_STARTING);
    look_after(l);
}

static void end(struct lane *l)
{
    unhear(l);
    assay_target_dismiss(l->target);
    enter(l, LANE_ENDING);
    look_after(l);
}

/* ---- its case ---------------------------------------------------------- */

static bool begin_case(struct lane *l, size_t i)
{
    struct assay_run_now *r = l->all->run;
    struct assay_place usual = r->stage.place;
    r->stage.place = l->place;
    r->flying[i] = assay_play_start(&r->stage, &r->suite->cases[i], false);
    r->stage.place = usual;
    if (!r->flying[i])
        return false;
    r->stand[i] = ASSAY_STAND_FLYING;
    l->plays = i;
    enter(l, LANE_PLAYING);
    if (l->all->playing > r->summary->targets)
        r->summary->targets = l->all->playing;
    return true;
}

static void reap(struct lane *l)
{
    struct assay_run_now *r = l->all->run;
    size_t i = l->plays;
    struct assay_played *p = &r->flying[i]->outcome;
    struct assay_judging judging = {.late = assay_pace_was_late(&r->stage.pace, p->began)};
    bool late = assay_run_is_late(p), died = !p->stopped && !assay_target_alive(l->target, late);
    bool again = died || assay_judge_again(&judging, p);
    r->heard = r->heard || p->saw_any;
    r->silent += late && !p->saw_any;
    assay_run_judge(r, i, p, false);
    r->results[i].late = late && !judging.late && !died;
    assay_play_free(r->flying[i]);
    r->flying[i] = NULL;
    if (died || (again && !(late && assay_run_believes(r)))) {
        r->stand[i] = ASSAY_STAND_AGAIN;
        r->again++;
        r->late_again += late;
    } else {
        assay_run_settle(r, i);
    }
    end(l);
}

/* ---- all of them ------------------------------------------------------- */

static void begin_cases(struct lanes *all)
{
    struct assay_run_now *r = all->run;
    for (size_t k = 0; k < all->count && !assay_run_hold_back(r); k++) {
        while (all->next < assay_run_cases(r) && !flies(r, all->next))
            all->next++;
        if (all->next == assay_run_cases(r))
            return;
        if (all->items[k].state != LANE_READY)
            continue;
        all->left--;
        if (!begin_case(&all->items[k], all->next))
            assay_run_settle_as(r, all->next, ASSAY_VERDICT_ERROR, "not run: out of memory");
    }
}

/* Not all at once: what starts takes the processors from what plays. */
static void start_some(struct lanes *all, unsigned at_once)
{
    for (size_t k = 0; k < all->count && !all->broken; k++)
        if (all->items[k].state == LANE_EMPTY && all->starting < at_once && all->starting + all->ready < all->left)
            start(&all->items[k]);
}

static void reap_all(struct lanes *all)
{
    for (size_t k = 0; k < all->count; k++)
        if (all->items[k].state == LANE_PLAYING && all->run->flying[all->items[k].plays]->over)
            reap(&all->items[k]);
}

static bool any_over(const struct lanes *all)
{
    for (size_t k = 0; k < all->count; k++)
        if (all->items[k].state == LANE_PLAYING && all->run->flying[all->items[k].plays]->over)
            return true;
    return false;
}

static void fly(struct lanes *all)
{
    struct assay_run_now *r = all->run;
    unsigned at_once = processors();
    while (assay_run_worth_it(r)) {
        begin_cases(all);
        start_some(all, at_once);
        if (all->playing == 0 && (all->left == 0 || all->broken || assay_run_hold_back(r))) {
            if (r->again == 0)
                return;
            assay_run_judge_again(r);
            continue;
        }
        all->changed = false;
        while (!all->changed && !any_over(all) && !r->interrupted)
            assay_loop_round(r->stage.loop, ASSAY_CLOCK_NEVER);
        reap_all(all);
    }
}

static bool make(struct lanes *all)
{
    struct assay_run_now *r = all->run;
    unsigned most = processors() * LANES_PER_PROCESSOR;
    size_t wanted = r->jobs < most ? r->jobs : most;
    all->items = calloc(wanted, sizeof *all->items);
    for (; all->items && all->count < wanted; all->count++) {
        struct lane *l = &all->items[all->count];
        struct assay_target *twin = assay_target_twin(r->target);
        if (!twin)
            break;
        *l = (struct lane){
            .all = all, .target = twin, .place = {.target = twin, .hear = hear, .who = l}, .alarm.fire = on_alarm};
        l->pipes[0].fd = l->pipes[1].fd = -1;
    }
    return all->count > 1;
}

static void release(struct lanes *all)
{
    struct assay_run_now *r = all->run;
    for (size_t k = 0; k < all->count; k++) {
        struct lane *l = &all->items[k];
        if (l->state == LANE_PLAYING) {
            assay_play_free(r->flying[l->plays]);
            r->flying[l->plays] = NULL;
            r->stand[l->plays] = ASSAY_STAND_WAITING;
        }
        unhear(l);
        assay_loop_cancel(r->stage.loop, &l->alarm);
        assay_target_dismiss(l->target);
    }
    for (size_t k = 0; k < all->count; k++)
        assay_target_free(all->items[k].target);
    free(all->items);
}

void assay_run_fly_own(struct assay_run_now *r)
{
    struct lanes all = {.run = r, .left = waiting(r)};
    if (!r->target || r->jobs == 1 || r->stage.screen || all.left < 2 || !assay_run_worth_it(r))
        return;
    r->lanes = &all;
    if (make(&all))
        fly(&all);
    release(&all);
    r->lanes = NULL;
}
