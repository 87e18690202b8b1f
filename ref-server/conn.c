/* One connection: what its socket is ready for, buffers for input, and the end. */
#include <string.h>
#include <unistd.h>

#include "net/socket.h"
#include "ref-server/turn.h"

/* Input that waits is moved to the loop's buffer while it is this short, else the rest is read behind it. */
#define MOVE_MAX 4096u

/* ---- input that waits -------------------------------------------------- */

/* The first of them, where it is datagrams. */
void assay_held_give(struct assay_shard *s, struct assay_conn *c)
{
    struct assay_held *held = c->in;
    if (!held)
        return;
    c->in = held->next;
    assay_pool_give(&s->pool, held, held->cap);
}

struct assay_held *assay_held_make(struct assay_shard *s, struct assay_span in, size_t room)
{
    uint32_t cap;
    struct assay_held *held = assay_pool_take(&s->pool, sizeof *held + room, &cap);
    if (!held)
        return NULL;
    *held = (struct assay_held){.cap = cap, .size = in.n};
    if (in.n > 0)
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
    struct assay_held *held = in.n > 0 ? assay_held_make(t->shard, in, in.n) : NULL;
    assay_held_give(t->shard, c);
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

static void close_socket(struct assay_shard *s, struct assay_conn *c)
{
    assay_loop_leave(s->loop, &c->watch);
    if (assay_conn_has(c, ASSAY_CONN_ABORT))
        assay_reset(c->watch.fd);
    else
        close(c->watch.fd);
}

void assay_conn_end(struct assay_shard *s, struct assay_conn *c)
{
    if (assay_conn_has(c, ASSAY_CONN_STARVED))
        leave_starved(s, c);
    if (c->closing) {
        assay_loop_cancel(s->loop, &c->closing->alarm);
        assay_pool_give(&s->pool, c->closing, c->closing->cap);
    }
    while (c->in)
        assay_held_give(s, c);
    assay_queue_give(s, c->out);
    if (c->peer)
        assay_peer_release(c);
    else
        close_socket(s, c);
    assay_conn_release(s, c);
}

static void too_slow(struct assay_loop *loop, struct assay_alarm *alarm)
{
    assay_conn_end(assay_loop_owner(loop), ((struct assay_closing *)alarm)->conn);
}

static int64_t drain_deadline(const struct assay_shard *s, const struct assay_conn *c)
{
    return assay_clock_after(assay_loop_now(s->loop), c->service->limits.drain_time);
}

static bool begin_closing(struct assay_shard *s, struct assay_conn *c)
{
    uint32_t cap;
    struct assay_closing *closing = assay_pool_take(&s->pool, sizeof *closing, &cap);
    if (!closing)
        return false;
    *closing = (struct assay_closing){.alarm = {.fire = too_slow}, .conn = c, .cap = cap};
    c->closing = closing;
    return assay_loop_alarm(s->loop, &closing->alarm, drain_deadline(s, c));
}

/* The session is over: the output leaves, our side is shut, the peer's input is
 * drained. Closing with input unread would make the kernel send a reset, which
 * can destroy the last reply at the peer. False: the connection is gone. */
static bool close_down(struct assay_shard *s, struct assay_conn *c)
{
    if (assay_conn_has(c, ASSAY_CONN_RESET | ASSAY_CONN_ABORT)) {
        assay_conn_end(s, c);
        return false;
    }
    if (!c->out && !assay_conn_has(c, ASSAY_CONN_SHUT)) {
        assay_shut(c->watch.fd);
        assay_conn_set(c, ASSAY_CONN_SHUT);
    }
    bool finished = assay_conn_has(c, ASSAY_CONN_SHUT) && assay_conn_has(c, ASSAY_CONN_EOF);
    if (finished || (!c->closing && !begin_closing(s, c))) {
        assay_conn_end(s, c);
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
    if (c->closing->drained > c->service->limits.drain) {
        assay_conn_end(s, c);
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
    if (c->peer) {
        assay_peer_finish(t);
        return;
    }
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
    assay_history_resume(c);
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

void assay_conn_go_on(struct assay_shard *s, struct assay_conn *c)
{
    go_on(s, c, held_input(c));
}

/* ---- readiness --------------------------------------------------------- */

/* Where to read to: behind the input that waits. */
static struct assay_span room_for_input(struct assay_shard *s, struct assay_conn *c)
{
    uint32_t n = c->in ? c->in->size : 0;
    if (n <= MOVE_MAX) {
        if (n > 0)
            memcpy(s->in, c->in->bytes, n);
        assay_held_give(s, c);
        return (struct assay_span){s->in, n};
    }
    if (sizeof *c->in + n == c->in->cap) {
        struct assay_held *larger = assay_held_make(s, held_input(c), 2 * (size_t)n);
        if (!larger)
            return (struct assay_span){NULL, 0};
        assay_held_give(s, c);
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
        assay_loop_alarm(s->loop, &c->closing->alarm, drain_deadline(s, c));
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
static bool count_session(struct assay_server *server)
{
    if (atomic_fetch_add(&server->sessions, 1) < server->limits.sessions)
        return true;
    atomic_fetch_sub(&server->sessions, 1);
    return false;
}

static void identify(const struct assay_conn *c)
{
    struct assay_address peer = {.size = sizeof peer.v6};
    uint8_t bytes[ASSAY_PEER_MAX];
    if (getpeername(c->watch.fd, &peer.any, &peer.size) == 0)
        assay_identify(c->service->engine, c->sid, assay_peer_name(&peer, bytes));
}

bool assay_turn_open(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    struct assay_service *service = c->service;
    enum assay_rc rc = assay_open(service->engine, assay_loop_now(t->shard->loop), &c->sid, &t->out);
    if (c->sid == 0)
        return false;
    c->number = atomic_fetch_add(&t->shard->server->numbers, 1) + 1;
    service->by_slot[(uint32_t)c->sid] = c;
    if (t->shard->asks_peer)
        identify(c);
    assay_turn_again(t, rc);
    t->full = false;
    return true;
}

/* There is room for it, as it was counted. */
static bool admit_counted(struct assay_service *service, int fd)
{
    struct assay_shard *s = service->shard;
    struct assay_turn t;
    struct assay_conn *c = assay_conn_take(service);
    if (!c) {
        close(fd);
        return false;
    }
    c->watch = (struct assay_watch){.ready = ready, .fd = fd};
    assay_turn_begin(&t, s, c);
    bool opened = assay_turn_open(&t);
    if (opened)
        assay_turn_end(&t);
    else
        assay_conn_end(s, c);
    return opened;
}

void assay_conn_admit(struct assay_service *service, int fd)
{
    struct assay_server *server = service->shard->server;
    if (!count_session(server))
        close(fd);
    else if (!admit_counted(service, fd))
        atomic_fetch_sub(&server->sessions, 1);
}

/* There is room for its output, so that one that is full waits for effects to complete. False: no memory. */
static bool tick_with_room(struct assay_turn *t, assay_sid sid)
{
    while (assay_turn_insist(t)) {
        if (assay_tick(t->conn->service->engine, sid, assay_loop_now(t->shard->loop), &t->out) != ASSAY_FULL)
            return true;
        t->full = !assay_turn_make_room(t);
        if (t->full)
            return true;
    }
    return false;
}

void assay_conn_tick(struct assay_service *service, assay_sid sid)
{
    struct assay_shard *s = service->shard;
    struct assay_conn *c = service->by_slot[(uint32_t)sid];
    assay_sid due;
    struct assay_turn t;
    /* Input that has arrived goes first. */
    if (c->watch.events & ASSAY_READ && !assay_conn_has(c, ASSAY_CONN_BLOCKED))
        read_some(s, c);
    int64_t now = assay_loop_now(s->loop);
    if (!assay_due(service->engine, now, &due) || due != sid)
        return;
    assay_turn_begin(&t, s, c);
    if (!tick_with_room(&t, sid))
        assay_conn_set(c, ASSAY_CONN_ABORT);
    assay_turn_settle(&t);
    assay_turn_end(&t);
}

void assay_conn_stop(struct assay_shard *s, struct assay_conn *c)
{
    if (!c->sid && !c->in)
        return;
    assay_conn_set(c, ASSAY_CONN_STOPPING);
    c->quota = c->peer ? 0 : (uint32_t)assay_unread(c->watch.fd);
    assay_conn_go_on(s, c);
}

void assay_conn_feed_starved(struct assay_shard *s)
{
    for (struct assay_conn *next, *c = s->starved; c; c = next) {
        next = c->next;
        leave_starved(s, c);
        assay_conn_clear(c, ASSAY_CONN_STARVED);
        assay_conn_go_on(s, c);
    }
}

void assay_conn_kill(struct assay_shard *s, struct assay_conn *c)
{
    if (c->sid) {
        assay_drop(c->service->engine, c->sid);
        assay_conn_forget(s, c);
    }
    assay_conn_set(c, ASSAY_CONN_ABORT);
    assay_conn_end(s, c);
}
