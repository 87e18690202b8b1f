/* The output of a turn: made in the loop's buffer, sent at once, kept in a queue if it cannot leave. */
#include <errno.h>
#include <string.h>

#include "net/socket.h"
#include "ref-server/turn.h"

/* A queue of a protocol whose output waits for effects holds so many cuts at least. */
#define CUTS_LEAST 16u

void assay_queue_give(struct assay_shard *s, struct assay_queue *q)
{
    if (!q)
        return;
    assay_pool_give(&s->pool, q->out.cuts, q->cuts_block);
    assay_pool_give(&s->pool, q, q->cap);
}

/* A queue with room for so much, holding a copy of the turn's output. */
static struct assay_queue *make_queue(const struct assay_turn *t, size_t bytes, size_t cuts)
{
    struct assay_shard *s = t->shard;
    const struct assay_out *from = &t->out;
    uint32_t cap, cuts_cap = 0, most = s->shared.cap;
    if ((s->gating || t->conn->peer) && cuts < CUTS_LEAST)
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
bool assay_turn_grow(struct assay_turn *t, size_t bytes, size_t cuts)
{
    struct assay_queue *q = make_queue(t, bytes, cuts);
    if (!q)
        return false;
    assay_queue_give(t->shard, t->conn->out);
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

static void drop_cuts(struct assay_out *out, uint16_t n)
{
    out->cuts_len = (uint16_t)(out->cuts_len - n);
    memmove(out->cuts, out->cuts + n, out->cuts_len * sizeof *out->cuts);
}

static uint32_t datagram_end(const struct assay_out *out, uint16_t n)
{
    return n + 1u < out->cuts_len ? out->cuts[n + 1].at : out->len;
}

static unsigned lose(struct assay_turn *t, unsigned count)
{
    atomic_fetch_add(&t->shard->server->lost_out, count);
    return count;
}

/* How many of these have left; fewer than `count`: the socket has no room. Any other error is one datagram's own: the
 * network may lose it as well, as it may what is said to strangers, who get no memory to wait in. */
static unsigned send_some(struct assay_turn *t, const uint32_t *ends, unsigned count)
{
    struct assay_peer *peer = t->conn->peer;
    if (!peer->at->full) {
        int n = assay_udp_send_some(peer->at->watch.fd, t->out.bytes, ends, count, &peer->path);
        if (n >= 0)
            return (unsigned)n;
        if (errno != EAGAIN || !peer->met)
            return lose(t, 1);
    } else if (!peer->met) {
        return lose(t, count);
    }
    assay_peer_wait(t->shard, peer);
    return 0;
}

/* Where the first datagrams end that no gate holds back. */
static unsigned free_ends(const struct assay_out *out, uint32_t ends[ASSAY_DATAGRAM_BATCH])
{
    unsigned n = 0;
    for (; n < ASSAY_DATAGRAM_BATCH && n < out->cuts_len && out->cuts[n].gate == 0; n++)
        ends[n] = datagram_end(out, (uint16_t)n);
    return n;
}

/* Datagrams stand between borders. */
static bool flush_datagrams(struct assay_turn *t)
{
    uint32_t ends[ASSAY_DATAGRAM_BATCH];
    unsigned n, sent;
    bool any = false;
    while ((n = free_ends(&t->out, ends)) > 0 && (sent = send_some(t, ends, n)) > 0) {
        drop_cuts(&t->out, (uint16_t)sent);
        consume(&t->out, ends[sent - 1]);
        any = true;
    }
    return any;
}

/* What waits for a socket without room must not grow with each timer: the network loses it, as it may. */
static void lose_datagrams(struct assay_turn *t)
{
    struct assay_out *out = &t->out;
    uint32_t lost = 0;
    uint16_t n = 0;
    for (; n < out->cuts_len && out->cuts[n].gate == 0; n++)
        lost = datagram_end(out, n);
    lose(t, n);
    drop_cuts(out, n);
    consume(out, lost);
}

/* Send what may leave. False: nothing did. */
bool assay_turn_flush(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    if (c->peer)
        return flush_datagrams(t);
    uint32_t n = t->out.cuts_len > 0 ? t->out.cuts[0].at : t->out.len;
    if (n == 0 || assay_conn_has(c, ASSAY_CONN_WRITE_WAIT))
        return false;
    ssize_t sent = assay_conn_has(c, ASSAY_CONN_RESET) ? (ssize_t)n : assay_send(c->watch.fd, t->out.bytes, n);
    if (sent == ASSAY_IO_RESET) {
        assay_conn_set(c, ASSAY_CONN_RESET);
        sent = n;
    }
    if (sent < (ssize_t)n)
        assay_conn_set(c, ASSAY_CONN_WRITE_WAIT);
    if (sent <= 0)
        return false;
    consume(&t->out, (uint32_t)sent);
    return true;
}

static void starve(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    if (assay_conn_has(c, ASSAY_CONN_STARVED))
        return;
    assay_conn_set(c, ASSAY_CONN_STARVED);
    c->next = t->shard->starved;
    t->shard->starved = c;
}

/* The engine said FULL: send, else take a larger buffer within the limit, else wait. */
bool assay_turn_make_room(struct assay_turn *t)
{
    struct assay_shard *s = t->shard;
    uint32_t least = s->model->out_max, most = s->shared.cap;
    if (assay_turn_flush(t))
        return true;
    if (t->out.cap - t->out.len < least)
        return t->out.cap < most &&
               assay_turn_grow(t, t->out.cap * 2u < most ? t->out.cap * 2u : most, t->out.cuts_cap);
    if (t->out.cuts_len == t->out.cuts_cap)
        return t->out.cuts_cap < ASSAY_CUTS_MAX &&
               assay_turn_grow(t, t->out.cap, t->out.cuts_cap ? t->out.cuts_cap * 2u : 8u);
    starve(t);
    return false;
}

/* What cannot wait gets its room beyond the limit: the `else` of an effect, a timer. */
bool assay_turn_insist(struct assay_turn *t)
{
    uint32_t least = t->shard->model->out_max;
    uint16_t cuts = t->conn->peer ? CUTS_LEAST : 0; /* a border for each message */
    if (t->conn->peer && t->out.len > t->shard->shared.cap)
        lose_datagrams(t);
    if (t->out.cap - t->out.len >= least && t->out.cuts_cap - t->out.cuts_len >= cuts)
        return true;
    return assay_turn_grow(t, (size_t)t->out.len + least, (size_t)t->out.cuts_len + t->out.cuts_cap + cuts);
}

/* Keep what has not left. False: no memory. */
bool assay_turn_keep_output(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    if (t->out.len == 0 && t->out.cuts_len == 0) {
        assay_queue_give(t->shard, c->out);
        c->out = NULL;
        return true;
    }
    if (c->out) {
        c->out->out = t->out;
        return true;
    }
    c->out = make_queue(t, t->out.len, t->out.cuts_len);
    return c->out != NULL;
}
