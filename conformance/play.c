#include "conformance/play_run.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"
#include "conformance/weave.h"

static const struct assay_step *current(const struct assay_play_run *r)
{
    return &r->play.c->steps[r->step];
}

void assay_play_note(struct assay_play_run *r, const struct assay_link *l, enum assay_happening what,
                     struct assay_span bytes)
{
    assay_exchange_add(&r->play.outcome.exchange, assay_clock_now() - r->began, l->index, what, bytes);
}

/* ---- the end ----------------------------------------------------------- */

static enum assay_happening kind_of_fin(const struct assay_wire *w, struct assay_socktable *table)
{
    switch (assay_wire_abandoned(w, table)) {
    case ASSAY_TAKEN:
        return ASSAY_SAW_CLOSE;
    case ASSAY_NOT_TAKEN:
        return ASSAY_SAW_SHUT;
    case ASSAY_TAKEN_UNKNOWN:
        break;
    }
    return ASSAY_SAW_FIN;
}

/* Whether a FIN was a close or a shut write side is asked as late as possible:
 * a target does the two one after the other. */
static void name_fins(struct assay_play_run *r)
{
    struct assay_exchange *x = &r->play.outcome.exchange;
    for (size_t i = 0; i < x->count; i++) {
        const struct assay_wire *w = &r->links[x->moments[i].link].wire;
        if (x->moments[i].what == ASSAY_SAW_FIN && w->watch.fd >= 0)
            x->moments[i].what = (uint8_t)kind_of_fin(w, r->stage->table);
    }
}

static void keep_effect(struct assay_play_run *r)
{
    const struct assay_model *model = r->stage->model;
    const char *name = r->play.c->observe;
    for (uint16_t i = 0; name && r->oracle && i < model->effects_count; i++) {
        if (strcmp(model->effects[i].name, name) != 0)
            continue;
        const struct assay_record *records;
        uint32_t count = assay_oracle_records(r->oracle, i, &records);
        r->play.outcome.records = assay_records_copy(records, count);
        r->play.outcome.records_count = r->play.outcome.records ? count : 0;
    }
}

static void let_go(struct assay_play_run *r)
{
    assay_loop_cancel(r->stage->loop, &r->alarm);
    if (r->guest)
        assay_play_guest_stop(r);
    for (uint8_t i = 0; i < r->links_count; i++) {
        assay_wire_close(&r->links[i].wire);
        free(r->links[i].inbox);
        r->links[i].inbox = NULL;
        free(r->links[i].sent);
        r->links[i].sent = NULL;
    }
    assay_oracle_free(r->oracle);
    r->oracle = NULL;
}

/* An answer that was waited for in vain may have come from elsewhere than from where it was asked for. */
static void name_stray(struct assay_play_run *r, const struct assay_link *l)
{
    struct assay_blame *b = &r->play.outcome.blame;
    struct assay_text seen = {b->seen, sizeof b->seen, strlen(b->seen)};
    struct assay_address from;
    char place[ASSAY_ADDRESS_TEXT_MAX];
    size_t size;
    if (!assay_wire_stray(&l->wire, &from, &size))
        return;
    assay_address_format(&from, place);
    assay_text_add(&seen, "%sa datagram of %zu bytes from %s, which nobody asked", seen.n ? "; " : "", size, place);
    assay_address_format(&l->wire.far, place);
    assay_text_add(&seen, ": an answer comes from %s", place);
}

enum assay_go assay_play_finish(struct assay_play_run *r, enum assay_finding finding)
{
    struct assay_played *o = &r->play.outcome;
    if (r->play.over)
        return ASSAY_GO_WAIT;
    o->finding = finding;
    o->took = assay_clock_now() - r->began;
    o->by_time = o->by_time || finding == ASSAY_FOUND_LATE || assay_play_upper_late(r) ||
                 (r->play.c->timed && finding == ASSAY_FOUND_MISMATCH);
    if (r->oracle && finding == ASSAY_FOUND_MISMATCH)
        o->by_time |=
            assay_oracle_hangs_on_time(r->oracle, o->link, assay_clock_now() + assay_pace_slack(&r->stage->pace));
    if (r->oracle && (finding == ASSAY_FOUND_MISMATCH || finding == ASSAY_FOUND_LATE || finding == ASSAY_FOUND_BROKEN))
        assay_oracle_blame(r->oracle, o->link, &o->blame);
    if (r->oracle && finding == ASSAY_FOUND_LATE)
        name_stray(r, &r->links[o->link]);
    if (r->oracle && finding == ASSAY_FOUND_AGREES)
        o->warned = assay_oracle_broken(r->oracle, &o->blame);
    if (finding == ASSAY_FOUND_AGREES)
        keep_effect(r);
    if ((finding == ASSAY_FOUND_MISMATCH || finding == ASSAY_FOUND_LATE) &&
        assay_wire_dropped(&r->links[o->link].wire)) {
        o->finding = ASSAY_FOUND_TROUBLE;
        snprintf(o->trouble, sizeof o->trouble, "the kernel threw datagrams to the target away");
    }
    o->unseen = finding == ASSAY_FOUND_AGREES && assay_play_unseen(r);
    o->astray = r->repeats >= ASSAY_REPEATS_MOST;
    o->stopped = r->oracle && assay_oracle_stopped(r->oracle);
    name_fins(r);
    let_go(r);
    if (r->guest && r->guest->process.said_n && finding != ASSAY_FOUND_AGREES)
        o->said = strdup(r->guest->process.said);
    r->play.over = true;
    return ASSAY_GO_WAIT;
}

enum assay_go assay_play_disagree(struct assay_play_run *r, const struct assay_link *l, enum assay_finding finding)
{
    r->play.outcome.link = l->index;
    return assay_play_finish(r, finding);
}

enum assay_go assay_play_trouble(struct assay_play_run *r, const char *what, int why)
{
    struct assay_text text = {r->play.outcome.trouble, sizeof r->play.outcome.trouble, 0};
    assay_text_add(&text, "%s%s%s", what, why ? ": " : "", why ? strerror(why) : "");
    return assay_play_finish(r, ASSAY_FOUND_TROUBLE);
}

/* ---- steps ------------------------------------------------------------- */

static assay_step_fn *const steps[] = {
    [ASSAY_STEP_SEND] = assay_step_send,       [ASSAY_STEP_AWAIT] = assay_step_await,
    [ASSAY_STEP_QUIET] = assay_step_quiet,     [ASSAY_STEP_EOF] = assay_step_eof,
    [ASSAY_STEP_RESET] = assay_step_reset,     [ASSAY_STEP_PAUSE] = assay_step_pause,
    [ASSAY_STEP_EXPECT] = assay_step_expect,   [ASSAY_STEP_EXPECT_END] = assay_step_expect_end,
    [ASSAY_STEP_CALL] = assay_step_call,       [ASSAY_STEP_ARRIVE] = assay_step_arrive,
    [ASSAY_STEP_REFUSE] = assay_step_refuse,   [ASSAY_STEP_WELCOME] = assay_step_welcome,
    [ASSAY_STEP_DEAF] = assay_step_deaf,       [ASSAY_STEP_GONE] = assay_step_gone,
    [ASSAY_STEP_RESTART] = assay_step_restart, [ASSAY_STEP_REPEAT] = assay_step_repeat,
};

/* A client makes its connections itself: these steps work on one. */
static bool wants_link(const struct assay_step *s)
{
    return s->kind == ASSAY_STEP_SEND || s->kind == ASSAY_STEP_AWAIT || s->kind == ASSAY_STEP_QUIET ||
           s->kind == ASSAY_STEP_EOF || s->kind == ASSAY_STEP_RESET;
}

/* After the last step: shut all links, read each to its end. */
static enum assay_go ending(struct assay_play_run *r)
{
    for (uint8_t i = 0; i < r->links_count && !r->entered; i++)
        if (r->links[i].inbox_size)
            return assay_play_blame_by_hand(r, &r->links[i], ASSAY_FOUND_MISMATCH, "nothing more",
                                            (struct assay_span){0});
    for (uint8_t i = 0; i < r->links_count && !r->entered && r->oracle && !r->stage->datagrams; i++)
        assay_play_shut(r, &r->links[i]);
    r->entered = true;
    for (uint8_t i = 0; i < r->links_count && r->oracle && !r->leaving; i++)
        if (assay_play_be_silent(r, &r->links[i]) == ASSAY_GO_WAIT)
            return ASSAY_GO_WAIT;
    if (r->guest && assay_play_guest_leave(r) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    if (assay_play_screen_still(r) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    if (assay_play_stop_ends(r) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    return assay_play_finish(r, ASSAY_FOUND_AGREES);
}

static void enter(struct assay_play_run *r)
{
    r->entered = false;
    r->still_at = r->stuck_at = 0;
    r->lacking = UINT32_MAX;
    r->tick = ASSAY_TICK_FIRST;
    r->entered_at = assay_clock_now();
    r->work = r->guest ? assay_process_work(&r->guest->process) : (struct assay_work){.used = -1};
}

static enum assay_go take_step(struct assay_play_run *r)
{
    if (!r->guest && r->connected < r->links_count) {
        bool late = assay_play_patience_is_over(r, assay_clock_now());
        return late ? assay_play_trouble(r, "no connection came about in time", 0) : ASSAY_GO_WAIT;
    }
    if (r->step == r->play.c->step_count)
        return ending(r);
    const struct assay_step *s = current(r);
    if (r->guest && wants_link(s) && assay_play_guest_there(r, &r->links[s->link]) == ASSAY_GO_WAIT)
        return ASSAY_GO_WAIT;
    r->next = r->step + 1;
    enum assay_go p = steps[s->kind](r, &r->links[s->link], s);
    if (p == ASSAY_GO_ON) {
        r->step = r->next;
        enter(r);
    }
    return p;
}

void assay_play_advance(struct assay_play_run *r)
{
    r->wake = ASSAY_CLOCK_NEVER;
    while (!r->play.over && take_step(r) == ASSAY_GO_ON)
        r->wake = ASSAY_CLOCK_NEVER;
    if (!r->play.over && r->wake < ASSAY_CLOCK_NEVER)
        assay_loop_alarm(r->stage->loop, &r->alarm, r->wake);
}

/* ---- what the loop reports --------------------------------------------- */

static void fire(struct assay_loop *loop, struct assay_alarm *alarm)
{
    struct assay_play_run *r =
        (struct assay_play_run *)(void *)((char *)alarm - offsetof(struct assay_play_run, alarm));
    int64_t now = assay_clock_now();
    (void)loop;
    assay_pace_late(&r->stage->pace, now, now - alarm->at);
    assay_play_advance(r);
}

/* ---- start and end ----------------------------------------------------- */

static void init_links(struct assay_play_run *r)
{
    for (uint8_t i = 0; i < r->links_count; i++) {
        struct assay_link *l = &r->links[i];
        l->run = r;
        l->index = i;
        l->wire.watch.ready = assay_play_link_ready;
        l->wire.watch.fd = l->wire.stray = -1;
    }
}

void assay_play_connect(struct assay_play_run *r, struct assay_link *l)
{
    const struct assay_address *far = &r->place.address;
    bool begun = r->stage->datagrams ? assay_wire_open_datagrams(&l->wire, r->stage->loop, far)
                                     : assay_wire_open(&l->wire, r->stage->loop, far);
    if (!begun)
        assay_play_no_connection(r, l);
    else if (r->stage->datagrams)
        assay_play_link_up(r, l);
}

static void connect_all(struct assay_play_run *r)
{
    for (uint8_t i = 0; i < r->links_count && !r->play.over; i++)
        assay_play_connect(r, &r->links[i]);
}

struct assay_play *assay_play_start(struct assay_stage *stage, const struct assay_case *c, bool patient)
{
    uint8_t links = c->links ? c->links : 1;
    struct assay_play_run *r = calloc(1, sizeof *r + links * sizeof r->links[0]);
    if (!r)
        return NULL;
    *r = (struct assay_play_run){
        .play.c = c, .stage = stage, .place = stage->place, .patient = patient, .links_count = links};
    r->alarm.fire = fire;
    r->began = r->play.outcome.began = assay_clock_now();
    r->oracle = c->by_hand ? NULL : assay_oracle_new(&stage->oracle, links);
    if (!c->by_hand && !r->oracle) {
        free(r);
        return NULL;
    }
    init_links(r);
    enter(r);
    assay_play_screen_begin(r);
    if (!stage->guest)
        connect_all(r);
    else if (!assay_play_guest_start(r))
        return &r->play;
    assay_play_advance(r);
    return &r->play;
}

void assay_play_poke(struct assay_play *play)
{
    if (!play->over)
        assay_play_advance((struct assay_play_run *)play);
}

void assay_play_free(struct assay_play *play)
{
    struct assay_play_run *r = (struct assay_play_run *)play;
    if (!r)
        return;
    if (!play->over)
        let_go(r);
    if (r->guest)
        assay_guest_free(r->guest);
    free(r->guest);
    assay_played_free(&play->outcome);
    free(r);
}

void assay_played_free(struct assay_played *outcome)
{
    assay_exchange_free(&outcome->exchange);
    free(outcome->records);
    free(outcome->said);
    outcome->records = NULL;
    outcome->records_count = 0;
    outcome->said = NULL;
}
