/* Datagrams of sources that have no session yet, and who the peer of a session is. */
#include <string.h>

#include "core/feed.h"
#include "core/fields.h"
#include "core/reliable.h"

/* ---- peers ------------------------------------------------------------- */

struct peer {
    uint8_t n, bytes[ASSAY_PEER_MAX];
};

static struct peer *peer_of(const struct assay_engine *e, const struct assay_session *s)
{
    return (struct peer *)(void *)((uint8_t *)(uintptr_t)s + e->peer_at);
}

size_t assay_peer_size(const struct assay_model *model)
{
    for (uint32_t i = 0; i < model->code_count; i++)
        if (assay_ins_op(model->code[i]) == ASSAY_OP_PEER)
            return (sizeof(struct peer) + 7) & ~(size_t)7;
    return 0;
}

static void identify(struct assay_engine *e, struct assay_session *s, struct assay_span peer)
{
    if (!e->peer_size)
        return;
    struct peer *to = peer_of(e, s);
    to->n = (uint8_t)(peer.n < ASSAY_PEER_MAX ? peer.n : ASSAY_PEER_MAX);
    if (to->n)
        memcpy(to->bytes, peer.p, to->n);
}

struct assay_span assay_session_peer(const struct assay_engine *e, const struct assay_session *s)
{
    if (!e->peer_size)
        return (struct assay_span){NULL, 0};
    const struct peer *peer = peer_of(e, s);
    return (struct assay_span){peer->bytes, peer->n};
}

void assay_identify(struct assay_engine *e, assay_sid sid, struct assay_span peer)
{
    struct assay_session *s = assay_session_find(e, sid);
    if (s)
        identify(e, s, peer);
}

/* ---- strangers --------------------------------------------------------- */

/* It stands where it began, and nothing is in flight: it is no session. */
static bool is_nobody(const struct assay_engine *e, const struct assay_session *s)
{
    if (s->state != e->machine->start || s->pend != ASSAY_PEND_NONE || s->gates || s->call != ASSAY_NONE || s->ended)
        return false;
    return !e->reliable || assay_flow_idle(e, s);
}

/* It is gone when the engine is next called: until then events may show what it held. */
static void let_go(struct assay_engine *e, struct assay_session *s)
{
    s->ended = 1;
    e->dead = s->slot + 1;
}

enum assay_rc assay_stranger_leave(struct assay_engine *e, struct assay_session *s, enum assay_rc rc)
{
    if (rc != ASSAY_OK || !is_nobody(e, s))
        return rc;
    struct assay_event *event = assay_queue(e, s, ASSAY_EVENT_ENDED);
    event->ended.how = ASSAY_END_CLOSE;
    event->ended.cause = ASSAY_EV_EOF;
    event->ended.finished = false;
    let_go(e, s);
    return ASSAY_ENDED;
}

static struct assay_session *take(struct assay_engine *e)
{
    uint32_t mark = e->undo_count;
    struct assay_session *s = assay_session_take(e);
    e->strict = !s && e->machine->stateless;
    if (e->strict)
        s = assay_session_take_spare(e);
    e->undo_count = mark;
    return s;
}

static enum assay_rc handle(struct assay_engine *e, struct assay_session *s, struct assay_span in, bool *input)
{
    uint32_t used = 0;
    assay_no_fields(e);
    assay_timers_enter(e, s, ASSAY_NONE, 0, 0);
    enum assay_rc rc = assay_handle(e, s, ASSAY_EV_CONNECT, ASSAY_ORIGIN_SELF);
    e->refused = false; /* no rule for `connect` has to be there */
    return rc == ASSAY_OK ? assay_frames(e, s, in, &used, input) : rc;
}

/* The host has not been told of effects behind these cuts. */
static void forget_gates(struct assay_engine *e, uint16_t from)
{
    for (uint16_t i = from; i < e->out->cuts_len; i++) {
        struct assay_flight *flight = assay_flight_find(e, e->out->cuts[i].gate);
        if (flight)
            assay_flight_end(e, flight);
    }
}

static void take_back(struct assay_engine *e, struct assay_session *s, uint32_t len, uint16_t cuts)
{
    forget_gates(e, cuts);
    e->out->len = len;
    e->out->cuts_len = cuts;
    e->events_count = e->args_count = 0;
    e->tx.sent = false;
    assay_garbage_free(e);
    assay_session_release(e, s);
}

enum assay_rc assay_datagram(struct assay_engine *e, assay_time now, struct assay_span peer, struct assay_span in,
                             assay_sid *sid, struct assay_out *out)
{
    bool input = false;
    *sid = 0;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    struct assay_session *s = take(e);
    if (!s)
        return ASSAY_REFUSED;
    uint32_t len = out->len;
    uint16_t cuts = out->cuts_len;
    bool spare = e->strict;
    identify(e, s, peer);
    enum assay_rc rc = handle(e, s, in, &input);
    e->strict = false;
    if (rc == ASSAY_FULL || rc == ASSAY_TAKE) {
        take_back(e, s, len, cuts);
        return rc;
    }
    s->source = e->machine->stateless;
    if (spare || (rc == ASSAY_OK && s->source && is_nobody(e, s))) {
        let_go(e, s);
        return spare && e->refused ? ASSAY_REFUSED : ASSAY_OK;
    }
    *sid = assay_session_id(s);
    return assay_leave(e, s, rc, input);
}
