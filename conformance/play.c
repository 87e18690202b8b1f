#include "conformance/play.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"
#include "conformance/wire.h"

/* How often the socket table is asked, at first and at most. */
#define TICK_FIRST (30 * (ASSAY_MS / 1000))
#define TICK_LAST  (1 * ASSAY_MS)
#define QUESTION   8 /* part of the patience after which a proof is asked for */
#define CHUNK      65536u
#define INBOX_MAX  (1u << 20)

struct link {
    struct assay_wire wire;
    struct assay_play_run *run;
    uint8_t index;
    int64_t asked_at; /* of the last piece that was not answered yet; 0: none */
    uint8_t *inbox;   /* by hand: received and not yet expected */
    uint32_t inbox_size, inbox_cap;
};

struct assay_play_run {
    struct assay_play play; /* first: the public part */
    struct assay_stage *stage;
    struct assay_oracle *oracle; /* NULL: by hand */
    struct assay_alarm alarm;
    size_t step; /* in c->steps; step_count: the ending */
    bool entered, patient;
    bool questioned; /* our side was shut to prove that what is owed does not come */
    int64_t began, entered_at, progress_at, still_at, wake, tick;
    uint8_t connected, links_count;
    struct link links[];
};

enum pace_of_step { GO_ON, WAIT };

static const struct assay_step *current(const struct assay_play_run *r)
{
    return &r->play.c->steps[r->step];
}

static void note(struct assay_play_run *r, const struct link *l, enum assay_happening what, struct assay_span bytes)
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
        struct assay_span bytes = assay_oracle_effect(r->oracle, i);
        r->play.outcome.effect = bytes.n ? malloc(bytes.n) : NULL;
        if (r->play.outcome.effect)
            memcpy(r->play.outcome.effect, bytes.p, bytes.n);
        r->play.outcome.effect_size = r->play.outcome.effect ? bytes.n : 0;
    }
}

static void let_go(struct assay_play_run *r)
{
    assay_loop_cancel(r->stage->loop, &r->alarm);
    for (uint8_t i = 0; i < r->links_count; i++) {
        assay_wire_close(&r->links[i].wire);
        free(r->links[i].inbox);
        r->links[i].inbox = NULL;
    }
    assay_oracle_free(r->oracle);
    r->oracle = NULL;
}

static enum pace_of_step finish(struct assay_play_run *r, enum assay_finding finding)
{
    struct assay_played *o = &r->play.outcome;
    o->finding = finding;
    o->took = assay_clock_now() - r->began;
    o->by_time = o->by_time || finding == ASSAY_FOUND_LATE;
    if (r->oracle && (finding == ASSAY_FOUND_MISMATCH || finding == ASSAY_FOUND_LATE))
        assay_oracle_blame(r->oracle, o->link, &o->blame);
    if (r->oracle && finding == ASSAY_FOUND_AGREES)
        o->warned = assay_oracle_broken(r->oracle, &o->blame);
    if (finding == ASSAY_FOUND_AGREES)
        keep_effect(r);
    name_fins(r);
    let_go(r);
    r->play.over = true;
    return WAIT;
}

static enum pace_of_step disagree(struct assay_play_run *r, const struct link *l, enum assay_finding finding)
{
    r->play.outcome.link = l->index;
    return finish(r, finding);
}

static enum pace_of_step trouble(struct assay_play_run *r, const char *what, int why)
{
    struct assay_text text = {r->play.outcome.trouble, sizeof r->play.outcome.trouble, 0};
    assay_text_add(&text, "%s%s%s", what, why ? ": " : "", why ? strerror(why) : "");
    return finish(r, ASSAY_FOUND_TROUBLE);
}

/* By hand there is no oracle that knows what to say. */
static enum pace_of_step blame_by_hand(struct assay_play_run *r, const struct link *l, enum assay_finding finding,
                                       const char *expected, struct assay_span bytes)
{
    struct assay_blame *b = &r->play.outcome.blame;
    struct assay_text want = {b->expected, sizeof b->expected, 0}, seen = {b->seen, sizeof b->seen, 0};
    struct assay_span inbox = {l->inbox, l->inbox_size};
    *b = (struct assay_blame){.rule = ASSAY_NONE, .req = ASSAY_NONE, .state = ASSAY_NONE, .level = r->play.c->level};
    assay_text_add(&want, "%s", expected);
    if (bytes.n)
        assay_describe(&want, r->stage->model, r->stage->oracle.leniencies, ASSAY_SERVER, bytes);
    if (inbox.n)
        assay_describe(&seen, r->stage->model, r->stage->oracle.leniencies, ASSAY_SERVER, inbox);
    if (l->wire.state == ASSAY_WIRE_FIN || l->wire.state == ASSAY_WIRE_RST)
        assay_text_add(&seen, "%s%s", inbox.n ? ", then " : "", l->wire.state == ASSAY_WIRE_FIN ? "FIN" : "RST");
    else if (!inbox.n)
        assay_text_add(&seen, "nothing");
    r->play.outcome.by_end = l->wire.state == ASSAY_WIRE_FIN || l->wire.state == ASSAY_WIRE_RST;
    return disagree(r, l, finding);
}

/* ---- waiting ----------------------------------------------------------- */

static int64_t last_progress(const struct assay_play_run *r)
{
    return r->progress_at > r->entered_at ? r->progress_at : r->entered_at;
}

static int64_t quiet_time(const struct assay_play_run *r, bool still)
{
    return r->patient ? assay_pace_patience(&r->stage->pace) : assay_pace_quiet(&r->stage->pace, still);
}

static enum pace_of_step wait_until(struct assay_play_run *r, int64_t at)
{
    if (at < r->wake)
        r->wake = at;
    return WAIT;
}

/* Ask the socket table again soon, less often as time goes on. */
static enum pace_of_step wait_a_tick(struct assay_play_run *r, int64_t now)
{
    int64_t tick = r->tick;
    r->tick = tick * 2 < TICK_LAST ? tick * 2 : TICK_LAST;
    return wait_until(r, now + tick);
}

static void shut(struct assay_play_run *r, struct link *l);

static bool patience_is_over(struct assay_play_run *r, int64_t now)
{
    int64_t end = last_progress(r) + assay_pace_patience(&r->stage->pace);
    if (now >= end)
        return true;
    wait_until(r, end);
    return false;
}

static bool ended(const struct link *l)
{
    return l->wire.state != ASSAY_WIRE_OPEN;
}

/* Instead of all the patience there is: the target has read everything and is still, so shut our side. What it owes has
 * to come before its own end of stream; that one without the other is the proof that it does not come. Only for a case
 * whose answer stayed away once before. */
static void question(struct assay_play_run *r, struct link *l, int64_t now)
{
    int64_t at = last_progress(r) + assay_pace_patience(&r->stage->pace) / QUESTION;
    if (!r->patient || r->stage->slow || r->questioned || l->wire.shut || ended(l))
        return;
    if (now < at) {
        wait_until(r, at);
        return;
    }
    if (assay_wire_still(&l->wire, r->stage->table) != ASSAY_TAKEN)
        return;
    r->questioned = true;
    shut(r, l);
}

/* Everything that is owed on the link was seen, or may stay away and did. */
static enum pace_of_step settle(struct assay_play_run *r, struct link *l)
{
    int64_t now = assay_clock_now();
    if (!r->oracle || l->wire.state == ASSAY_WIRE_CLOSED)
        return GO_ON;
    assay_oracle_time(r->oracle, now);
    struct assay_owed owed = assay_oracle_owed(r->oracle, l->index);
    if (!owed.bytes && !owed.end)
        return GO_ON;
    if (!owed.maybe) {
        question(r, l, now);
        return patience_is_over(r, now) ? disagree(r, l, ASSAY_FOUND_LATE) : WAIT;
    }
    int64_t quiet = last_progress(r) + quiet_time(r, false);
    return now >= quiet || ended(l) ? GO_ON : wait_until(r, quiet);
}

/* The target has read all; or that cannot be known, which is noted in *blind. */
static enum pace_of_step wait_taken(struct assay_play_run *r, struct link *l, bool *blind)
{
    int64_t now = assay_clock_now();
    enum assay_taken taken = ended(l) ? ASSAY_TAKEN : assay_wire_taken(&l->wire, r->stage->table);
    if (taken == ASSAY_NOT_TAKEN && !patience_is_over(r, now))
        return wait_a_tick(r, now);
    *blind = *blind || taken != ASSAY_TAKEN;
    return GO_ON;
}

/* Nothing comes: the target has read all, nothing is on its way, and a quiet time has gone by since. */
static enum pace_of_step wait_quiet(struct assay_play_run *r, struct link *l)
{
    int64_t now = assay_clock_now();
    if (ended(l))
        return GO_ON;
    enum assay_taken still = assay_wire_still(&l->wire, r->stage->table);
    if (still == ASSAY_NOT_TAKEN && !patience_is_over(r, now)) {
        r->still_at = 0;
        return wait_a_tick(r, now);
    }
    if (r->still_at == 0)
        r->still_at = now;
    int64_t since = last_progress(r) > r->still_at ? last_progress(r) : r->still_at;
    int64_t quiet = since + quiet_time(r, still == ASSAY_TAKEN);
    if (now < quiet)
        return wait_until(r, quiet);
    r->play.outcome.silence_waited |= still != ASSAY_TAKEN;
    note(r, l, ASSAY_SAW_NOTHING, (struct assay_span){0});
    return GO_ON;
}

/* Silence is told to the oracle. Where that rules out something that was still
 * permitted, what is found later hangs on the quiet time. */
static enum pace_of_step be_silent(struct assay_play_run *r, struct link *l)
{
    if (settle(r, l) == WAIT || wait_quiet(r, l) == WAIT)
        return WAIT;
    if (!r->oracle || ended(l))
        return GO_ON;
    struct assay_owed owed = assay_oracle_owed(r->oracle, l->index);
    r->play.outcome.by_time |= owed.bytes || owed.end;
    l->asked_at = 0; /* what comes now answers something else */
    return assay_oracle_silence(r->oracle, l->index) ? GO_ON : disagree(r, l, ASSAY_FOUND_MISMATCH);
}

/* ---- steps ------------------------------------------------------------- */

static enum pace_of_step flushed(struct assay_play_run *r, struct link *l)
{
    if (l->wire.unsent.n == 0 || ended(l))
        return GO_ON;
    return patience_is_over(r, assay_clock_now()) ? disagree(r, l, ASSAY_FOUND_LATE) : WAIT;
}

static void send_piece(struct assay_play_run *r, struct link *l, struct assay_span bytes)
{
    int64_t now = assay_clock_now();
    if (r->oracle)
        assay_oracle_sent(r->oracle, l->index, now, bytes);
    note(r, l, ASSAY_DID_SEND, bytes);
    l->asked_at = r->progress_at = now;
    r->play.outcome.sent_any = true;
    assay_wire_send(&l->wire, bytes);
}

static enum pace_of_step step_send(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    if (l->wire.state == ASSAY_WIRE_RST || l->wire.state == ASSAY_WIRE_CLOSED)
        return GO_ON;
    if (!r->entered)
        send_piece(r, l, (struct assay_span){s->bytes.p, s->bytes.n});
    r->entered = true;
    if (flushed(r, l) == WAIT)
        return WAIT;
    return s->flags & ASSAY_STEP_CUT ? wait_taken(r, l, &r->play.outcome.cuts_requested) : GO_ON;
}

static enum pace_of_step step_await(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    (void)s;
    return settle(r, l);
}

static enum pace_of_step step_quiet(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    (void)s;
    return be_silent(r, l);
}

static void shut(struct assay_play_run *r, struct link *l)
{
    if (l->wire.shut || l->wire.state == ASSAY_WIRE_CLOSED || l->wire.state == ASSAY_WIRE_RST)
        return;
    int64_t now = assay_clock_now();
    if (r->oracle)
        assay_oracle_shut(r->oracle, l->index, now);
    note(r, l, ASSAY_DID_SHUT, (struct assay_span){0});
    l->asked_at = r->progress_at = now;
    assay_wire_shut(&l->wire);
}

static enum pace_of_step step_eof(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    (void)s;
    if (flushed(r, l) == WAIT)
        return WAIT;
    shut(r, l);
    return GO_ON;
}

/* A reset can overtake bytes that the target has not read: it is held back until it has. */
static enum pace_of_step step_reset(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    bool blind = false;
    (void)s;
    if (flushed(r, l) == WAIT || wait_taken(r, l, &blind) == WAIT)
        return WAIT;
    if (l->wire.state == ASSAY_WIRE_CLOSED)
        return GO_ON;
    if (r->oracle)
        assay_oracle_reset(r->oracle, l->index, assay_clock_now());
    note(r, l, ASSAY_DID_RESET, (struct assay_span){0});
    assay_wire_reset(&l->wire);
    return GO_ON;
}

static enum pace_of_step step_pause(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    int64_t now = assay_clock_now();
    l->asked_at = 0; /* the round trip ends where the waiting begins */
    r->play.outcome.by_time = true;
    if (now < r->entered_at + s->pause)
        return wait_until(r, r->entered_at + s->pause);
    if (r->oracle)
        assay_oracle_time(r->oracle, now);
    return GO_ON;
}

static enum pace_of_step step_expect(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    struct assay_span want = {s->bytes.p, s->bytes.n};
    uint32_t n = l->inbox_size < want.n ? l->inbox_size : want.n;
    if (n && memcmp(l->inbox, want.p, n) != 0)
        return blame_by_hand(r, l, ASSAY_FOUND_MISMATCH, "", want);
    if (n == want.n) {
        l->inbox_size -= n;
        memmove(l->inbox, l->inbox + n, l->inbox_size);
        return GO_ON;
    }
    if (ended(l))
        return blame_by_hand(r, l, ASSAY_FOUND_MISMATCH, "", want);
    return patience_is_over(r, assay_clock_now()) ? blame_by_hand(r, l, ASSAY_FOUND_LATE, "", want) : WAIT;
}

static const char *end_names(uint8_t ends)
{
    static const char *const names[] = {
        "", "FIN", "RST", "FIN or RST", "silence", "FIN or silence", "RST or silence", "FIN, RST or silence"};
    return names[ends & 7];
}

static uint8_t end_of(const struct link *l)
{
    return l->wire.state == ASSAY_WIRE_FIN ? ASSAY_SEEN_FIN : l->wire.state == ASSAY_WIRE_RST ? ASSAY_SEEN_RST : 0;
}

static enum pace_of_step step_expect_end(struct assay_play_run *r, struct link *l, const struct assay_step *s)
{
    const struct assay_span none = {0};
    if (l->inbox_size || (end_of(l) && !(end_of(l) & s->ends)))
        return blame_by_hand(r, l, ASSAY_FOUND_MISMATCH, end_names(s->ends), none);
    if (end_of(l))
        return GO_ON;
    if (s->ends & ASSAY_SEEN_SILENCE)
        return wait_quiet(r, l);
    bool late = patience_is_over(r, assay_clock_now());
    return late ? blame_by_hand(r, l, ASSAY_FOUND_LATE, end_names(s->ends), none) : WAIT;
}

typedef enum pace_of_step step_fn(struct assay_play_run *r, struct link *l, const struct assay_step *s);
static step_fn *const steps[] = {
    [ASSAY_STEP_SEND] = step_send,     [ASSAY_STEP_AWAIT] = step_await,           [ASSAY_STEP_QUIET] = step_quiet,
    [ASSAY_STEP_EOF] = step_eof,       [ASSAY_STEP_RESET] = step_reset,           [ASSAY_STEP_PAUSE] = step_pause,
    [ASSAY_STEP_EXPECT] = step_expect, [ASSAY_STEP_EXPECT_END] = step_expect_end,
};

/* After the last step: shut all links, read each to its end. */
static enum pace_of_step ending(struct assay_play_run *r)
{
    for (uint8_t i = 0; i < r->links_count && !r->entered; i++)
        if (r->links[i].inbox_size)
            return blame_by_hand(r, &r->links[i], ASSAY_FOUND_MISMATCH, "nothing more", (struct assay_span){0});
    for (uint8_t i = 0; i < r->links_count && !r->entered && r->oracle; i++)
        shut(r, &r->links[i]);
    r->entered = true;
    for (uint8_t i = 0; i < r->links_count && r->oracle; i++)
        if (be_silent(r, &r->links[i]) == WAIT)
            return WAIT;
    return finish(r, ASSAY_FOUND_AGREES);
}

static void enter(struct assay_play_run *r)
{
    r->entered = false;
    r->still_at = 0;
    r->tick = TICK_FIRST;
    r->entered_at = assay_clock_now();
}

static enum pace_of_step take_step(struct assay_play_run *r)
{
    if (r->connected < r->links_count) {
        bool late = patience_is_over(r, assay_clock_now());
        return late ? trouble(r, "no connection came about in time", 0) : WAIT;
    }
    if (r->step == r->play.c->step_count)
        return ending(r);
    const struct assay_step *s = current(r);
    enum pace_of_step p = steps[s->kind](r, &r->links[s->link], s);
    if (p == GO_ON) {
        r->step++;
        enter(r);
    }
    return p;
}

static void advance(struct assay_play_run *r)
{
    r->wake = ASSAY_CLOCK_NEVER;
    while (!r->play.over && take_step(r) == GO_ON)
        r->wake = ASSAY_CLOCK_NEVER;
    if (!r->play.over && r->wake < ASSAY_CLOCK_NEVER)
        assay_loop_alarm(r->stage->loop, &r->alarm, r->wake);
}

/* ---- what the loop reports --------------------------------------------- */

static void put_in_inbox(struct link *l, struct assay_span bytes)
{
    uint32_t need = l->inbox_size + bytes.n;
    if (need > l->inbox_cap && need <= INBOX_MAX) {
        uint8_t *bigger = realloc(l->inbox, need * 2);
        if (!bigger)
            return;
        l->inbox = bigger;
        l->inbox_cap = need * 2;
    }
    if (need > l->inbox_cap)
        return;
    memcpy(l->inbox + l->inbox_size, bytes.p, bytes.n);
    l->inbox_size = need;
}

static void saw_bytes(struct assay_play_run *r, struct link *l, struct assay_span bytes)
{
    int64_t now = assay_clock_now();
    if (l->asked_at)
        assay_pace_sample(&r->stage->pace, now - l->asked_at);
    l->asked_at = 0;
    r->progress_at = now;
    r->play.outcome.saw_any = true;
    note(r, l, ASSAY_SAW_BYTES, bytes);
    if (r->questioned) {
        r->play.outcome.slow = r->stage->slow = true;
        disagree(r, l, ASSAY_FOUND_LATE);
        return;
    }
    if (!r->oracle) {
        put_in_inbox(l, bytes);
        return;
    }
    assay_oracle_time(r->oracle, now);
    if (!assay_oracle_received(r->oracle, l->index, bytes))
        disagree(r, l, ASSAY_FOUND_MISMATCH);
}

static void saw_end(struct assay_play_run *r, struct link *l)
{
    bool fin = l->wire.state == ASSAY_WIRE_FIN;
    int64_t now = assay_clock_now();
    if (l->asked_at && fin)
        assay_pace_sample(&r->stage->pace, now - l->asked_at);
    l->asked_at = 0;
    r->progress_at = now;
    note(r, l, fin ? ASSAY_SAW_FIN : ASSAY_SAW_RST, (struct assay_span){0});
    if (!r->oracle)
        return;
    assay_oracle_time(r->oracle, now);
    if (r->questioned) {
        disagree(r, l, ASSAY_FOUND_LATE);
        return;
    }
    if (fin ? assay_oracle_fin(r->oracle, l->index) : assay_oracle_rst(r->oracle, l->index))
        return;
    r->play.outcome.by_end = true;
    disagree(r, l, ASSAY_FOUND_MISMATCH);
}

static void read_all(struct assay_play_run *r, struct link *l)
{
    static uint8_t chunk[CHUNK]; /* one thread, and nothing in it outlives the call */
    uint32_t n;
    while (!r->play.over && (n = assay_wire_receive(&l->wire, chunk, CHUNK)) > 0)
        saw_bytes(r, l, (struct assay_span){chunk, n});
    if (!r->play.over && (l->wire.state == ASSAY_WIRE_FIN || l->wire.state == ASSAY_WIRE_RST))
        saw_end(r, l);
}

static void no_connection(struct assay_play_run *r, const struct link *l)
{
    if (l->wire.why == ECONNREFUSED || l->wire.why == ECONNRESET)
        finish(r, ASSAY_FOUND_REFUSED);
    else
        trouble(r, "no connection", l->wire.why);
}

static void saw_connection(struct assay_play_run *r, struct link *l)
{
    assay_wire_connected(&l->wire);
    if (l->wire.state == ASSAY_WIRE_REFUSED) {
        no_connection(r, l);
        return;
    }
    r->connected++;
    r->progress_at = assay_clock_now();
    note(r, l, ASSAY_DID_CONNECT, (struct assay_span){0});
    if (r->oracle)
        assay_oracle_connect(r->oracle, l->index, r->progress_at);
}

static void ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct link *l = (struct link *)(void *)((char *)watch - offsetof(struct link, wire.watch));
    struct assay_play_run *r = l->run;
    (void)loop;
    if (l->wire.state == ASSAY_WIRE_CONNECTING)
        saw_connection(r, l);
    else if (events & ASSAY_WRITE)
        assay_wire_push(&l->wire);
    if (!r->play.over && events & (ASSAY_READ | ASSAY_GONE))
        read_all(r, l);
    advance(r);
}

static void fire(struct assay_loop *loop, struct assay_alarm *alarm)
{
    struct assay_play_run *r =
        (struct assay_play_run *)(void *)((char *)alarm - offsetof(struct assay_play_run, alarm));
    int64_t now = assay_clock_now();
    (void)loop;
    assay_pace_late(&r->stage->pace, now, now - alarm->at);
    advance(r);
}

/* ---- start and end ----------------------------------------------------- */

static void connect_all(struct assay_play_run *r)
{
    for (uint8_t i = 0; i < r->links_count; i++) {
        struct link *l = &r->links[i];
        l->run = r;
        l->index = i;
        l->wire.watch.ready = ready;
        l->wire.watch.fd = -1;
    }
    for (uint8_t i = 0; i < r->links_count && !r->play.over; i++)
        if (!assay_wire_open(&r->links[i].wire, r->stage->loop, &r->stage->address))
            no_connection(r, &r->links[i]);
}

struct assay_play *assay_play_start(struct assay_stage *stage, const struct assay_case *c, bool patient)
{
    uint8_t links = c->links ? c->links : 1;
    struct assay_play_run *r = calloc(1, sizeof *r + links * sizeof r->links[0]);
    if (!r)
        return NULL;
    *r = (struct assay_play_run){.play.c = c, .stage = stage, .patient = patient, .links_count = links};
    r->alarm.fire = fire;
    r->began = r->play.outcome.began = assay_clock_now();
    r->oracle = c->by_hand ? NULL : assay_oracle_new(&stage->oracle, links);
    if (!c->by_hand && !r->oracle) {
        free(r);
        return NULL;
    }
    enter(r);
    connect_all(r);
    advance(r);
    return &r->play;
}

void assay_play_free(struct assay_play *play)
{
    struct assay_play_run *r = (struct assay_play_run *)play;
    if (!r)
        return;
    if (!play->over)
        let_go(r);
    assay_played_free(&play->outcome);
    free(r);
}

void assay_played_free(struct assay_played *outcome)
{
    assay_exchange_free(&outcome->exchange);
    free(outcome->effect);
    outcome->effect = NULL;
}
