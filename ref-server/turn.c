/* One turn of a connection in the engine: its input, its ends, its effects. */
#include <stdlib.h>

#include "net/socket.h"
#include "ref-server/turn.h"

/* ---- events ------------------------------------------------------------ */

void assay_conn_forget(struct assay_shard *s, struct assay_conn *c)
{
    const struct assay_server_config *config = &s->server->config;
    c->sid = 0;
    assay_spool_free_all(&c->spools);
    if (!c->peer)
        atomic_fetch_sub(&s->server->sessions, 1);
    if (config->ended)
        config->ended(config->user, c->number);
}

void assay_conn_session_over(struct assay_turn *t, bool abort)
{
    assay_conn_forget(t->shard, t->conn);
    if (abort)
        assay_conn_set(t->conn, ASSAY_CONN_ABORT);
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
    struct assay_job job = {.conn = c,
                            .service = c->service,
                            .session = c->number,
                            .serial = c->serial,
                            .token = event->effect.token,
                            .chain = event->effect.chain};
    enum assay_ordered ordered = assay_orders_take(&t->shard->orders, event, &job, &c->spools);
    if (ordered != ASSAY_ORDER_LATER && event->effect.token &&
        !remember(t->shard, event->effect.token, ordered == ASSAY_ORDER_DONE))
        assay_conn_set(c, ASSAY_CONN_ABORT);
}

static void take_events(struct assay_turn *t)
{
    struct assay_event event;
    const struct assay_service *service = t->conn->service;
    while (assay_next_event(service->engine, &event)) {
        if (service->trace)
            assay_trace_event(service->trace, t->conn->number, &event, &t->out);
        switch (event.type) {
        case ASSAY_EVENT_EFFECT:
            order(t, &event);
            break;
        case ASSAY_EVENT_ENDED:
            assay_conn_session_over(t, event.ended.how == ASSAY_END_ABORT);
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
    if (t->conn->peer)
        assay_turn_flush(t); /* the borders in front of its gate */
    if (!assay_turn_insist(t))
        assay_conn_set(t->conn, ASSAY_CONN_ABORT);
    (void)assay_complete(t->conn->service->engine, token, assay_loop_now(t->shard->loop), done, &t->out);
    take_events(t);
}

/* Take the events of a call, and complete the effects that are done already. True: there were any. */
bool assay_turn_settle(struct assay_turn *t)
{
    struct assay_shard *s = t->shard;
    take_events(t);
    size_t i = 0;
    for (; i < s->instants_count; i++)
        complete_one(t, s->instants[i].token, s->instants[i].done);
    s->instants_count = 0;
    assay_orders_told(&s->orders);
    return i > 0;
}

/* ---- input ------------------------------------------------------------- */

/* Whether to call again after `rc`. */
bool assay_turn_again(struct assay_turn *t, enum assay_rc rc)
{
    bool completed = assay_turn_settle(t);
    switch (rc) {
    case ASSAY_OK:
    case ASSAY_MORE:
    case ASSAY_EARLY: /* not here: nobody begins calls */
    case ASSAY_ENDED:
    case ASSAY_STALE:
    case ASSAY_REFUSED:
    case ASSAY_BUSY:
        return false;
    case ASSAY_TAKE:
        return true;
    case ASSAY_FULL:
        t->full = !completed && !assay_turn_make_room(t);
        return !t->full;
    case ASSAY_PENDING:
        t->full = !completed;
        return completed;
    }
    return false;
}

/* Handle input; what is left of it is the beginning of a frame, or (t->full) has to wait. */
void assay_turn_feed(struct assay_turn *t, struct assay_span *in)
{
    struct assay_shard *s = t->shard;
    struct assay_conn *c = t->conn;
    struct assay_trace *trace = c->service->trace;
    bool more = true;
    while (more && in->n > 0 && c->sid) {
        struct assay_span part = trace ? assay_trace_part(trace, *in) : *in;
        uint32_t used;
        if (s->gating && t->out.cuts_len == t->out.cuts_cap && t->out.cuts_cap < ASSAY_CUTS_MAX)
            assay_turn_grow(t, t->out.cap, t->out.cuts_cap * 2u);
        enum assay_rc rc = assay_feed(c->service->engine, c->sid, assay_loop_now(s->loop), part, &used, &t->out);
        if (trace && used > 0)
            assay_trace_received(trace, c->number, (struct assay_span){part.p, used});
        in->p += used;
        in->n -= used;
        more = assay_turn_again(t, rc) || (rc == ASSAY_OK && part.n == used && used > 0);
    }
}

static bool signal_one(struct assay_turn *t, enum assay_builtin_event event, struct assay_span in)
{
    struct assay_conn *c = t->conn;
    enum assay_rc rc;
    do {
        rc = assay_signal(c->service->engine, c->sid, assay_loop_now(t->shard->loop), event, in, &t->out);
    } while (assay_turn_again(t, rc) && c->sid);
    return !t->full;
}

/* Once, however often it has to be presented. */
static void trace_datagram(const struct assay_conn *c, struct assay_span in)
{
    if (c->service->trace && !c->in->traced)
        assay_trace_received(c->service->trace, c->number, in);
    c->in->traced = true;
}

/* What the engine has a session begin with may have to be presented again. */
bool assay_turn_stranger(struct assay_turn *t, struct assay_span in)
{
    struct assay_conn *c = t->conn;
    struct assay_service *service = c->service;
    uint8_t bytes[ASSAY_PEER_MAX];
    struct assay_span name = assay_peer_name(&c->peer->path.peer, bytes);
    enum assay_rc rc;
    bool again;
    c->serial++; /* orders of a session that ended must not reach the one that follows it */
    c->number = atomic_fetch_add(&t->shard->server->numbers, 1) + 1;
    trace_datagram(c, in);
    do {
        rc = assay_datagram(service->engine, assay_loop_now(t->shard->loop), name, in, &c->sid, &t->out);
        if (c->sid) {
            service->by_slot[(uint32_t)c->sid] = c;
            c->peer->met = true;
        }
        again = assay_turn_again(t, rc);
    } while (again && !c->sid);
    if (rc == ASSAY_REFUSED)
        atomic_fetch_add(&t->shard->server->lost_in, 1);
    return again ? assay_turn_feed_datagram(t, in) : !t->full;
}

/* One datagram. True: it was handled. */
bool assay_turn_feed_datagram(struct assay_turn *t, struct assay_span in)
{
    struct assay_conn *c = t->conn;
    enum assay_rc rc;
    uint32_t used;
    trace_datagram(c, in);
    do {
        rc = assay_feed(c->service->engine, c->sid, assay_loop_now(t->shard->loop), in, &used, &t->out);
    } while (assay_turn_again(t, rc) && c->sid);
    return !t->full;
}

/* Of datagrams: the server stops, which is the end of a session without a stream. */
void assay_turn_shutdown(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    if (signal_one(t, ASSAY_EV_SHUTDOWN, (struct assay_span){NULL, 0}) && c->sid) {
        assay_drop(c->service->engine, c->sid);
        assay_conn_session_over(t, false);
    }
}

/* Ends of the stream and of the server, once all input before them was handled. */
void assay_turn_signals(struct assay_turn *t, struct assay_span *in)
{
    struct assay_conn *c = t->conn;
    if (!t->full && c->sid && assay_conn_has(c, ASSAY_CONN_RESET) && signal_one(t, ASSAY_EV_RESET, *in) && c->sid) {
        assay_drop(c->service->engine, c->sid); /* the machine ignores it; nobody is there any more */
        assay_conn_session_over(t, false);
    }
    bool stop = assay_conn_has(c, ASSAY_CONN_STOPPING) && c->quota == 0;
    if (stop && !t->full && c->sid && !assay_conn_has(c, ASSAY_CONN_EOF) && assay_at_eof(c->watch.fd))
        assay_conn_set(c, ASSAY_CONN_EOF);
    if (!t->full && c->sid && assay_conn_has(c, ASSAY_CONN_EOF) && !assay_conn_has(c, ASSAY_CONN_EOF_TOLD) &&
        signal_one(t, ASSAY_EV_EOF, *in)) {
        assay_conn_set(c, ASSAY_CONN_EOF_TOLD);
        in->n = 0;
    }
    if (stop && !t->full && c->sid && !assay_conn_has(c, ASSAY_CONN_STOP_TOLD) && signal_one(t, ASSAY_EV_SHUTDOWN, *in))
        assay_conn_set(c, ASSAY_CONN_STOP_TOLD);
}

void assay_turn_complete(struct assay_turn *t, assay_token token, bool done)
{
    complete_one(t, token, done);
    assay_turn_settle(t);
}
