/* One connection: bytes in, the engine, bytes out, and the end. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"
#include "ref-server/shard.h"

/* Input that waits is moved to the loop's buffer while it is this short, else the rest is read behind it. */
#define MOVE_MAX 4096u

/* A queue of a protocol whose output waits for effects holds so many cuts at least. */
#define CUTS_LEAST 16u

static bool has(const struct assay_conn *c, unsigned flag)
{
    return (c->flags & flag) != 0;
}
static void set(struct assay_conn *c, unsigned flag)
{
    c->flags = (uint16_t)(c->flags | flag);
}
static void clear(struct assay_conn *c, unsigned flag)
{
    c->flags = (uint16_t)(c->flags & ~flag);
}

/* ---- output ------------------------------------------------------------ */

static void give_queue(struct assay_shard *s, struct assay_queue *q)
{
    if (!q)
        return;
    assay_pool_give(&s->pool, q->out.cuts, q->cuts_block);
    assay_pool_give(&s->pool, q, q->cap);
}

/* A queue with room for so much, holding a copy of `from`. */
static struct assay_queue *make_queue(struct assay_shard *s, const struct assay_out *from, size_t bytes, size_t cuts)
{
    uint32_t cap, cuts_cap = 0, most = s->shared.cap;
    if (s->gating && cuts < CUTS_LEAST)
        cuts = CUTS_LEAST;
    struct assay_queue *q = assay_pool_take(&s->pool, sizeof *q + bytes, &cap);
    struct assay_cut *copy = q && cuts > 0 ? assay_pool_take(&s->pool, cuts * sizeof *copy, &cuts_cap) : NULL;
    if (!q || (cuts > 0 && !copy)) {
        assay_pool_give(&s->pool, q, q ? cap : 0);
        return NULL;
    }
    *q = (struct assay_queue){.out = *from, .cap = cap, .cuts_block = cuts_cap};
    q->out.bytes = q->bytes;
    q->out.cap = cap - (uint32_t)sizeof *q;
    if (q->out.cap > most)
        q->out.cap = bytes > most ? (uint32_t)bytes : most;
    q->out.cuts = copy;
    cuts_cap /= (uint32_t)sizeof *copy;
    q->out.cuts_cap = (uint16_t)(cuts_cap < ASSAY_CUTS_MAX ? cuts_cap : ASSAY_CUTS_MAX);
    memcpy(q->bytes, from->bytes, from->len);
    if (from->cuts_len > 0)
        memcpy(copy, from->cuts, from->cuts_len * sizeof *copy);
    return q;
}

/* Move the output of the turn to a queue with more room. */
static bool grow(struct assay_turn *t, size_t bytes, size_t cuts)
{
    struct assay_queue *q = make_queue(t->shard, &t->out, bytes, cuts);
    if (!q)
        return false;
    give_queue(t->shard, t->conn->out);
    t->conn->out = q;
    t->out = q->out;
    return true;
}

static void consume(struct assay_out *out, uint32_t n)
{
    out->len -= n;
    if (out->len > 0)
        memmove(out->bytes, out->bytes + n, out->len);
    for (uint16_t i = 0; i < out->cuts_len; i++)
        out->cuts[i].at -= n;
}

/* Send what may leave. False: nothing did. */
static bool flush(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    uint32_t n = t->out.cuts_len > 0 ? t->out.cuts[0].at : t->out.len;
    if (n == 0 || has(c, ASSAY_CONN_WRITE_WAIT))
        return false;
    ssize_t sent = has(c, ASSAY_CONN_RESET) ? (ssize_t)n : assay_send(c->watch.fd, t->out.bytes, n);
    if (sent == ASSAY_IO_RESET) {
        set(c, ASSAY_CONN_RESET);
        sent = n;
    }
    if (sent < (ssize_t)n)
        set(c, ASSAY_CONN_WRITE_WAIT);
    if (sent <= 0)
        return false;
    consume(&t->out, (uint32_t)sent);
    return true;
}

static void starve(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    if (has(c, ASSAY_CONN_STARVED))
        return;
    set(c, ASSAY_CONN_STARVED);
    c->next = t->shard->starved;
    t->shard->starved = c;
}

/* The engine said FULL: send, else take a larger buffer within the limit, else wait. */
static bool make_room(struct assay_turn *t)
{
    struct assay_shard *s = t->shard;
    uint32_t least = s->model->out_max, most = s->shared.cap;
    if (flush(t))
        return true;
    if (t->out.cap - t->out.len < least)
        return t->out.cap < most && grow(t, t->out.cap * 2u < most ? t->out.cap * 2u : most, t->out.cuts_cap);
    if (t->out.cuts_len == t->out.cuts_cap)
        return t->out.cuts_cap < ASSAY_CUTS_MAX && grow(t, t->out.cap, t->out.cuts_cap ? t->out.cuts_cap * 2u : 8u);
    starve(t);
    return false;
}

/* What cannot wait gets its room beyond the limit: the `else` of an effect, a timer. */
static bool insist(struct assay_turn *t)
{
    uint32_t least = t->shard->model->out_max;
    return t->out.cap - t->out.len >= least || grow(t, (size_t)t->out.len + least, t->out.cuts_cap);
}

/* ---- events ------------------------------------------------------------ */

static void session_over(struct assay_turn *t, bool abort)
{
    t->conn->sid = 0;
    if (abort)
        set(t->conn, ASSAY_CONN_ABORT);
    atomic_fetch_sub(&t->shard->server->sessions, 1);
}

static bool remember(struct assay_shard *s, assay_token token, bool done)
{
    if (s->instants_count == s->instants_cap) {
        size_t cap = s->instants_cap ? s->instants_cap * 2 : 64;
        struct assay_instant *more = realloc(s->instants, cap * sizeof *more);
        if (!more)
            return false;
        s->instants = more;
        s->instants_cap = cap;
    }
    s->instants[s->instants_count++] = (struct assay_instant){token, done};
    return true;
}

/* An effect that cannot even be remembered would leave its session waiting for ever. */
static void order(struct assay_turn *t, const struct assay_event *event)
{
    struct assay_conn *c = t->conn;
    struct assay_job job = {.conn = c, .serial = c->serial, .token = event->effect.token};
    enum assay_ordered ordered = assay_orders_take(&t->shard->orders, event, &job);
    if (ordered != ASSAY_ORDER_LATER && event->effect.token &&
        !remember(t->shard, event->effect.token, ordered == ASSAY_ORDER_DONE))
        set(c, ASSAY_CONN_ABORT);
}

static void take_events(struct assay_turn *t)
{
    struct assay_event event;
    while (assay_next_event(t->shard->engine, &event)) {
        if (t->shard->trace)
            assay_trace_event(t->shard->trace, t->conn->number, &event, &t->out);
        switch (event.type) {
        case ASSAY_EVENT_EFFECT:
            order(t, &event);
            break;
        case ASSAY_EVENT_ENDED:
            session_over(t, event.ended.how == ASSAY_END_ABORT);
            break;
        case ASSAY_EVENT_RESULT:
        case ASSAY_EVENT_STEP:
        case ASSAY_EVENT_SENT:
        case ASSAY_EVENT_STRAY:
            break;
        }
    }
}

static void complete_one(struct assay_turn *t, assay_token token, bool done)
{
    if (!insist(t))
        set(t->conn, ASSAY_CONN_ABORT);
    (void)assay_complete(t->shard->engine, token, assay_loop_now(t->shard->loop), done, &t->out);
    take_events(t);
}

/* Take the events of a call, and complete the effects that are done already. True: there were any. */
static bool settle(struct assay_turn *t)
{
    struct assay_shard *s = t->shard;
    take_events(t);
    size_t i = 0;
    for (; i < s->instants_count; i++)
        complete_one(t, s->instants[i].token, s->instants[i].done);
    s->instants_count = 0;
    return i > 0;
}

/* ---- input ------------------------------------------------------------- */

/* Whether to call again after `rc`. */
static bool again(struct assay_turn *t, enum assay_rc rc)
{
    bool completed = settle(t);
    switch (rc) {
    case ASSAY_OK:
    case ASSAY_MORE:
    case ASSAY_ENDED:
    case ASSAY_STALE:
    case ASSAY_REFUSED:
    case ASSAY_BUSY:
        return false;
    case ASSAY_TAKE:
        return true;
    case ASSAY_FULL:
        t->full = !completed && !make_room(t);
        return !t->full;
    case ASSAY_PENDING:
        t->full = !completed;
        return completed;
    }
    return false;
}

/* Handle input; what is left of it is the beginning of a frame, or (t->full) has to wait. */
static void feed(struct assay_turn *t, struct assay_span *in)
{
    struct assay_shard *s = t->shard;
    struct assay_conn *c = t->conn;
    bool more = true;
    while (more && in->n > 0 && c->sid) {
        struct assay_span part = s->trace ? assay_trace_part(s->trace, *in) : *in;
        uint32_t used;
        if (s->gating && t->out.cuts_len == t->out.cuts_cap && t->out.cuts_cap < ASSAY_CUTS_MAX)
            grow(t, t->out.cap, t->out.cuts_cap * 2u);
        enum assay_rc rc = assay_feed(s->engine, c->sid, assay_loop_now(s->loop), part, &used, &t->out);
        if (s->trace && used > 0)
            assay_trace_received(s->trace, c->number, (struct assay_span){part.p, used});
        in->p += used;
        in->n -= used;
        more = again(t, rc) || (rc == ASSAY_OK && part.n == used && used > 0);
    }
}

static bool signal_one(struct assay_turn *t, enum assay_builtin_event event, struct assay_span in)
{
    struct assay_conn *c = t->conn;
    enum assay_rc rc;
    do {
        rc = assay_signal(t->shard->engine, c->sid, assay_loop_now(t->shard->loop), event, in, &t->out);
    } while (again(t, rc) && c->sid);
    return !t->full;
}

/* Ends of the stream and of the server, once all input before them was handled. */
static void signals(struct assay_turn *t, struct assay_span *in)
{
    struct assay_conn *c = t->conn;
    if (!t->full && c->sid && has(c, ASSAY_CONN_RESET) && signal_one(t, ASSAY_EV_RESET, *in) && c->sid) {
        assay_drop(t->shard->engine, c->sid); /* the machine ignores it; nobody is there any more */
        session_over(t, false);
    }
    bool stop = has(c, ASSAY_CONN_STOPPING) && c->quota == 0;
    if (stop && !t->full && c->sid && !has(c, ASSAY_CONN_EOF) && assay_at_eof(c->watch.fd))
        set(c, ASSAY_CONN_EOF);
    if (!t->full && c->sid && has(c, ASSAY_CONN_EOF) && !has(c, ASSAY_CONN_EOF_TOLD) &&
        signal_one(t, ASSAY_EV_EOF, *in)) {
        set(c, ASSAY_CONN_EOF_TOLD);
        in->n = 0;
    }
    if (stop && !t->full && c->sid && !has(c, ASSAY_CONN_STOP_TOLD) && signal_one(t, ASSAY_EV_SHUTDOWN, *in))
        set(c, ASSAY_CONN_STOP_TOLD);
}

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

/* Keep what has not left. False: no memory. */
static bool keep_output(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    if (t->out.len == 0 && t->out.cuts_len == 0) {
        give_queue(t->shard, c->out);
        c->out = NULL;
        return true;
    }
    if (c->out) {
        c->out->out = t->out;
        return true;
    }
    c->out = make_queue(t->shard, &t->out, t->out.len, t->out.cuts_len);
    return c->out != NULL;
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
    if (has(c, ASSAY_CONN_STARVED))
        leave_starved(s, c);
    if (c->closing) {
        assay_loop_cancel(s->loop, &c->closing->alarm);
        assay_pool_give(&s->pool, c->closing, c->closing->cap);
    }
    give_held(s, c);
    give_queue(s, c->out);
    assay_loop_leave(s->loop, &c->watch);
    if (has(c, ASSAY_CONN_ABORT))
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
    if (has(c, ASSAY_CONN_RESET | ASSAY_CONN_ABORT)) {
        release(s, c);
        return false;
    }
    if (!c->out && !has(c, ASSAY_CONN_SHUT)) {
        assay_shut(c->watch.fd);
        set(c, ASSAY_CONN_SHUT);
    }
    bool finished = has(c, ASSAY_CONN_SHUT) && has(c, ASSAY_CONN_EOF);
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
        set(c, ASSAY_CONN_EOF);
    if (n == ASSAY_IO_RESET)
        set(c, ASSAY_CONN_RESET);
    if (n > 0)
        c->closing->drained += (uint64_t)n;
    if (c->closing->drained > s->limits.drain) {
        release(s, c);
        return;
    }
    if (close_down(s, c) && has(c, ASSAY_CONN_EOF))
        assay_loop_watch(s->loop, &c->watch, c->watch.events & ~(unsigned)ASSAY_READ);
}

/* ---- turns ------------------------------------------------------------- */

static unsigned wanted(const struct assay_conn *c)
{
    unsigned events = has(c, ASSAY_CONN_WRITE_WAIT) ? ASSAY_WRITE : 0;
    bool over = has(c, ASSAY_CONN_EOF | ASSAY_CONN_RESET) || (c->sid && has(c, ASSAY_CONN_STOPPING) && c->quota == 0);
    if (over)
        return events;
    /* While input has to wait, reading goes off only when there is some: mostly there is none. */
    if (c->sid && has(c, ASSAY_CONN_BLOCKED))
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
    feed(t, &in);
    signals(t, &in);
    flush(t);
    if (has(c, ASSAY_CONN_RESET) && c->sid)
        signals(t, &in);
    if (has(c, ASSAY_CONN_ABORT | ASSAY_CONN_RESET) && !c->sid)
        t->out.len = t->out.cuts_len = 0;
    if (!c->sid)
        in.n = 0;
    bool kept = keep_output(t) && keep_input(t, in);
    if (t->full)
        set(c, ASSAY_CONN_BLOCKED);
    else
        clear(c, ASSAY_CONN_BLOCKED);
    if (!kept || (has(c, ASSAY_CONN_ABORT) && c->sid))
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

void assay_turn_complete(struct assay_turn *t, assay_token token, bool done)
{
    complete_one(t, token, done);
    settle(t);
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
    return has(c, ASSAY_CONN_STOPPING) && c->quota < room ? c->quota : room;
}

static void got(struct assay_conn *c, ssize_t n, struct assay_span *in)
{
    if (n == ASSAY_IO_EOF)
        set(c, ASSAY_CONN_EOF);
    if (n == ASSAY_IO_RESET)
        set(c, ASSAY_CONN_RESET);
    if (n <= 0)
        return;
    in->n += (uint32_t)n;
    if (inside(c->in, *in))
        c->in->size = in->n;
    if (has(c, ASSAY_CONN_STOPPING))
        c->quota -= (uint32_t)n;
}

static void read_some(struct assay_shard *s, struct assay_conn *c)
{
    if (has(c, ASSAY_CONN_BLOCKED)) {
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
    clear(c, ASSAY_CONN_WRITE_WAIT);
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
    } else if (watch->events & ASSAY_READ && !has(c, ASSAY_CONN_BLOCKED)) {
        read_some(s, c);
    } else if (events & ASSAY_GONE) {
        /* Our side is open, so both being closed can only be a reset. */
        set(c, ASSAY_CONN_RESET);
        clear(c, ASSAY_CONN_WRITE_WAIT);
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
    again(t, rc);
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
    if (c->watch.events & ASSAY_READ && !has(c, ASSAY_CONN_BLOCKED))
        read_some(s, c);
    int64_t now = assay_loop_now(s->loop);
    if (!assay_due(s->engine, now, &due) || due != sid)
        return;
    assay_turn_begin(&t, s, c);
    enum assay_rc rc = insist(&t) ? assay_tick(s->engine, sid, now, &t.out) : ASSAY_FULL;
    if (rc == ASSAY_FULL)
        set(c, ASSAY_CONN_ABORT);
    settle(&t);
    assay_turn_end(&t);
}

void assay_conn_stop(struct assay_shard *s, struct assay_conn *c)
{
    if (!c->sid)
        return;
    set(c, ASSAY_CONN_STOPPING);
    c->quota = (uint32_t)assay_unread(c->watch.fd);
    go_on(s, c, held_input(c));
}

void assay_conn_feed_starved(struct assay_shard *s)
{
    for (struct assay_conn *next, *c = s->starved; c; c = next) {
        next = c->next;
        leave_starved(s, c);
        clear(c, ASSAY_CONN_STARVED);
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
    set(c, ASSAY_CONN_ABORT);
    release(s, c);
}
