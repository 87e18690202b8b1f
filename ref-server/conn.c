/* One connection: what its socket is ready for, buffers for input, and the end. */
#include <string.h>
#include <unistd.h>

#include "net/socket.h"
#include "ref-server/turn.h"

/* Input that waits is moved to the loop's buffer while it is this short, else the rest is read behind it. */
#define MOVE_MAX 4096u

/* ---- input that waits -------------------------------------------------- */

static void give_held(struct assay_shard *s, struct assay_conn *c)
{
    if (c->in)
        assay_pool_give(&s->pool, c->in, c->in->cap);
    c->in = NULL;
}

static struct assay_held *make_held(struct assay_shard *s, struct assay_span in, size_t room)
{
    uint32_t cap;
    struct assay_held *held = assay_pool_take(&s->pool, sizeof *held + room, &cap);
    if (!held)
        return NULL;
    held->cap = cap;
    held->size = in.n;
    memcpy(held->bytes, in.p, in.n);
    return held;
}

static bool inside(const struct assay_held *held, struct assay_span in)
{
    return held && in.p >= held->bytes && in.p <= held->bytes + held->size;
}

/* Keep what was not handled. False: no memory. */
static bool keep_input(struct assay_turn *t, struct assay_span in)
{
    struct assay_conn *c = t->conn;
    if (in.n > 0 && inside(c->in, in)) {
        memmove(c->in->bytes, in.p, in.n);
        c->in->size = in.n;
        return true;
    }
    struct assay_held *held = in.n > 0 ? make_held(t->shard, in, in.n) : NULL;
    give_held(t->shard, c);
    c->in = held;
    return in.n == 0 || held;
}

/* ---- the end ----------------------------------------------------------- */

static void leave_starved(struct assay_shard *s, struct assay_conn *c)
{
    struct assay_conn **at = &s->starved;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
}

static void release(struct assay_shard *s, struct assay_conn *c)
{
    if (assay_conn_has(c, ASSAY_CONN_STARVED))
        leave_starved(s, c);
    if (c->closing) {
        assay_loop_cancel(s->loop, &c->closing->alarm);
        assay_pool_give(&s->pool, c->closing, c->closing->cap);
    }
    give_held(s, c);
    assay_queue_give(s, c->out);
    assay_loop_leave(s->loop, &c->watch);
    if (assay_conn_has(c, ASSAY_CONN_ABORT))
        assay_reset(c->watch.fd);
    else
        close(c->watch.fd);
    assay_conn_release(s, c);
}

static void too_slow(struct assay_loop *loop, struct assay_alarm *alarm)
{
    release(assay_loop_owner(loop), ((struct assay_closing *)alarm)->conn);
}

static bool begin_closing(struct assay_shard *s, struct assay_conn *c)
{
    uint32_t cap;
    struct assay_closing *closing = assay_pool_take(&s->pool, sizeof *closing, &cap);
    if (!closing)
        return false;
    *closing = (struct assay_closing){.alarm = {.fire = too_slow}, .conn = c, .cap = cap};
    c->closing = closing;
    return assay_loop_alarm(s->loop, &closing->alarm, assay_clock_after(assay_loop_now(s->loop), s->limits.drain_time));
}

/* The session is over: the output leaves, our side is shut, the peer's input is
 * drained. Closing with input unread would make the kernel send a reset, which
 * can destroy the last reply at the peer. False: the connection is gone. */
static bool close_down(struct assay_shard *s, struct assay_conn *c)
{
    if (assay_conn_has(c, ASSAY_CONN_RESET | ASSAY_CONN_ABORT)) {
        release(s, c);
        return false;
    }
    if (!c->out && !assay_conn_has(c, ASSAY_CONN_SHUT)) {
        assay_shut(c->watch.fd);
        assay_conn_set(c, ASSAY_CONN_SHUT);
    }
    bool finished = assay_conn_has(c, ASSAY_CONN_SHUT) && assay_conn_has(c, ASSAY_CONN_EOF);
    if (finished || (!c->closing && !begin_closing(s, c))) {
        release(s, c);
        return false;
    }
    return true;
}

static void drain(struct assay_shard *s, struct assay_conn *c)
{
    ssize_t n = assay_receive(c->watch.fd, s->in, ASSAY_READ_SIZE);
    if (n == ASSAY_IO_AGAIN)
        return;
    if (n == ASSAY_IO_EOF)
        assay_conn_set(c, ASSAY_CONN_EOF);
    if (n == ASSAY_IO_RESET)
        assay_conn_set(c, ASSAY_CONN_RESET);
    if (n > 0)
        c->closing->drained += (uint64_t)n;
    if (c->closing->drained > s->limits.drain) {
        release(s, c);
        return;
    }
    if (close_down(s, c) && assay_conn_has(c, ASSAY_CONN_EOF))
        assay_loop_watch(s->loop, &c->watch, c->watch.events & ~(unsigned)ASSAY_READ);
}

/* ---- turns ------------------------------------------------------------- */

static unsigned wanted(const struct assay_conn *c)
{
    unsigned events = assay_conn_has(c, ASSAY_CONN_WRITE_WAIT) ? ASSAY_WRITE : 0;
    bool over = assay_conn_has(c, ASSAY_CONN_EOF | ASSAY_CONN_RESET) ||
                (c->sid && assay_conn_has(c, ASSAY_CONN_STOPPING) && c->quota == 0);
    if (over)
        return events;
    /* While input has to wait, reading goes off only when there is some: mostly there is none. */
    if (c->sid && assay_conn_has(c, ASSAY_CONN_BLOCKED))
        return events | (c->watch.events & ASSAY_READ);
    return events | ASSAY_READ;
}

void assay_turn_begin(struct assay_turn *t, struct assay_shard *s, struct assay_conn *c)
{
    t->shard = s;
    t->conn = c;
    t->full = false;
    t->out = c->out ? c->out->out : s->shared;
}

static void finish(struct assay_turn *t, struct assay_span in)
{
    struct assay_conn *c = t->conn;
    assay_turn_feed(t, &in);
    assay_turn_signals(t, &in);
    assay_turn_flush(t);
    if (assay_conn_has(c, ASSAY_CONN_RESET) && c->sid)
        assay_turn_signals(t, &in);
    if (assay_conn_has(c, ASSAY_CONN_ABORT | ASSAY_CONN_RESET) && !c->sid)
        t->out.len = t->out.cuts_len = 0;
    if (!c->sid)
        in.n = 0;
    bool kept = assay_turn_keep_output(t) && keep_input(t, in);
    if (t->full)
        assay_conn_set(c, ASSAY_CONN_BLOCKED);
    else
        assay_conn_clear(c, ASSAY_CONN_BLOCKED);
    if (!kept || (assay_conn_has(c, ASSAY_CONN_ABORT) && c->sid))
        assay_conn_kill(t->shard, c);
    else if ((c->sid || close_down(t->shard, c)) && !assay_loop_watch(t->shard->loop, &c->watch, wanted(c)))
        assay_conn_kill(t->shard, c);
}

static struct assay_span held_input(const struct assay_conn *c)
{
    return c->in ? (struct assay_span){c->in->bytes, c->in->size} : (struct assay_span){NULL, 0};
}

void assay_turn_end(struct assay_turn *t)
{
    finish(t, held_input(t->conn));
}

static void go_on(struct assay_shard *s, struct assay_conn *c, struct assay_span in)
{
    struct assay_turn t;
    assay_turn_begin(&t, s, c);
    finish(&t, in);
}

/* ---- readiness --------------------------------------------------------- */

/* Where to read to: behind the input that waits. */
static struct assay_span room_for_input(struct assay_shard *s, struct assay_conn *c)
{
    uint32_t n = c->in ? c->in->size : 0;
    if (n <= MOVE_MAX) {
        if (n > 0)
            memcpy(s->in, c->in->bytes, n);
        give_held(s, c);
        return (struct assay_span){s->in, n};
    }
    if (sizeof *c->in + n == c->in->cap) {
        struct assay_held *larger = make_held(s, held_input(c), 2 * (size_t)n);
        if (!larger)
            return (struct assay_span){NULL, 0};
        give_held(s, c);
        c->in = larger;
    }
    return held_input(c);
}

static size_t cap_of(const struct assay_shard *s, const struct assay_conn *c, struct assay_span in)
{
    size_t room = (in.p == s->in ? ASSAY_READ_SIZE : c->in->cap - (uint32_t)sizeof *c->in) - in.n;
    return assay_conn_has(c, ASSAY_CONN_STOPPING) && c->quota < room ? c->quota : room;
}

static void got(struct assay_conn *c, ssize_t n, struct assay_span *in)
{
    if (n == ASSAY_IO_EOF)
        assay_conn_set(c, ASSAY_CONN_EOF);
    if (n == ASSAY_IO_RESET)
        assay_conn_set(c, ASSAY_CONN_RESET);
    if (n <= 0)
        return;
    in->n += (uint32_t)n;
    if (inside(c->in, *in))
        c->in->size = in->n;
    if (assay_conn_has(c, ASSAY_CONN_STOPPING))
        c->quota -= (uint32_t)n;
}

static void read_some(struct assay_shard *s, struct assay_conn *c)
{
    if (assay_conn_has(c, ASSAY_CONN_BLOCKED)) {
        assay_loop_watch(s->loop, &c->watch, c->watch.events & ~(unsigned)ASSAY_READ);
        return;
    }
    struct assay_span in = room_for_input(s, c);
    if (!in.p) {
        assay_conn_kill(s, c);
        return;
    }
    uint8_t *to = in.p == s->in ? s->in : c->in->bytes;
    ssize_t n = assay_receive(c->watch.fd, to + in.n, cap_of(s, c, in));
    got(c, n, &in);
    go_on(s, c, in);
}

static void write_more(struct assay_shard *s, struct assay_conn *c)
{
    assay_conn_clear(c, ASSAY_CONN_WRITE_WAIT);
    if (c->closing)
        assay_loop_alarm(s->loop, &c->closing->alarm, assay_clock_after(assay_loop_now(s->loop), s->limits.drain_time));
    go_on(s, c, held_input(c));
}

static void ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_shard *s = assay_loop_owner(loop);
    struct assay_conn *c = (struct assay_conn *)watch;
    uint32_t serial = c->serial;
    if (events & ASSAY_WRITE)
        write_more(s, c);
    if (c->serial != serial || !(events & (ASSAY_READ | ASSAY_GONE)))
        return;
    if (!c->sid) {
        drain(s, c);
    } else if (watch->events & ASSAY_READ && !assay_conn_has(c, ASSAY_CONN_BLOCKED)) {
        read_some(s, c);
    } else if (events & ASSAY_GONE) {
        /* Our side is open, so both being closed can only be a reset. */
        assay_conn_set(c, ASSAY_CONN_RESET);
        assay_conn_clear(c, ASSAY_CONN_WRITE_WAIT);
        go_on(s, c, held_input(c));
    } else if (watch->events & ASSAY_READ) {
        read_some(s, c);
    }
}

/* ---- from the loop ----------------------------------------------------- */

/* Counted over all loops, as the limit is. */
static bool count_session(struct assay_shard *s)
{
    if (atomic_fetch_add(&s->server->sessions, 1) < s->limits.sessions)
        return true;
    atomic_fetch_sub(&s->server->sessions, 1);
    return false;
}

static bool open_session(struct assay_turn *t)
{
    struct assay_shard *s = t->shard;
    struct assay_conn *c = t->conn;
    enum assay_rc rc = assay_open(s->engine, assay_loop_now(s->loop), &c->sid, &t->out);
    if (c->sid == 0) {
        atomic_fetch_sub(&s->server->sessions, 1);
        return false;
    }
    s->by_slot[(uint32_t)c->sid] = c;
    assay_turn_again(t, rc);
    t->full = false;
    return true;
}

void assay_conn_admit(struct assay_shard *s, int fd)
{
    struct assay_turn t;
    struct assay_conn *c = count_session(s) ? assay_conn_take(s) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    c->watch = (struct assay_watch){.ready = ready, .fd = fd};
    assay_turn_begin(&t, s, c);
    if (open_session(&t))
        assay_turn_end(&t);
    else
        release(s, c);
}

void assay_conn_tick(struct assay_shard *s, assay_sid sid)
{
    struct assay_conn *c = s->by_slot[(uint32_t)sid];
    assay_sid due;
    struct assay_turn t;
    /* Input that has arrived goes first. */
    if (c->watch.events & ASSAY_READ && !assay_conn_has(c, ASSAY_CONN_BLOCKED))
        read_some(s, c);
    int64_t now = assay_loop_now(s->loop);
    if (!assay_due(s->engine, now, &due) || due != sid)
        return;
    assay_turn_begin(&t, s, c);
    enum assay_rc rc = assay_turn_insist(&t) ? assay_tick(s->engine, sid, now, &t.out) : ASSAY_FULL;
    if (rc == ASSAY_FULL)
        assay_conn_set(c, ASSAY_CONN_ABORT);
    assay_turn_settle(&t);
    assay_turn_end(&t);
}

void assay_conn_stop(struct assay_shard *s, struct assay_conn *c)
{
    if (!c->sid)
        return;
    assay_conn_set(c, ASSAY_CONN_STOPPING);
    c->quota = (uint32_t)assay_unread(c->watch.fd);
    go_on(s, c, held_input(c));
}

void assay_conn_feed_starved(struct assay_shard *s)
{
    for (struct assay_conn *next, *c = s->starved; c; c = next) {
        next = c->next;
        leave_starved(s, c);
        assay_conn_clear(c, ASSAY_CONN_STARVED);
        go_on(s, c, held_input(c));
    }
}

void assay_conn_kill(struct assay_shard *s, struct assay_conn *c)
{
    if (c->sid) {
        assay_drop(s->engine, c->sid);
        c->sid = 0;
        atomic_fetch_sub(&s->server->sessions, 1);
    }
    assay_conn_set(c, ASSAY_CONN_ABORT);
    release(s, c);
}
