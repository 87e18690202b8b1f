/* Sessions over datagrams: whom they are with, and what waits for them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ref-server/turn.h"

_Static_assert(ASSAY_READ_SIZE >= ASSAY_DATAGRAM_MAX, "every datagram is read whole");

/* Datagrams of one socket in a round, so that others get their turn. */
#define RECEIVE_BATCH 256

/* Datagrams that are still read from a socket that stops: more than it has room for. */
#define DRAIN_MAX 65536

/* Bytes that wait for one session; what comes on top is lost. */
#define HELD_MAX (1u << 20)

/* ---- the table --------------------------------------------------------- */

bool assay_peers_open(struct assay_service *service)
{
    struct assay_peers *p = &service->peers;
    uint32_t buckets = 16;
    while (buckets < service->limits.sessions && buckets < 1u << 24)
        buckets *= 2;
    p->buckets = calloc(buckets, sizeof(struct assay_peer *));
    p->mask = buckets - 1;
    p->key = ((uint64_t)assay_clock_now() ^ (uint64_t)getpid() << 40 ^ (uint64_t)(uintptr_t)p->buckets) | 1;
    return p->buckets != NULL;
}

void assay_peers_close(struct assay_service *service)
{
    free(service->peers.buckets);
}

static uint64_t mix(uint64_t h, const void *bytes, size_t size)
{
    for (const uint8_t *p = bytes; size > 0; p++, size--)
        h = (h ^ *p) * 0x100000001b3u;
    return h;
}

/* Keyed, so that nobody can choose senders that fall into one bucket. */
static struct assay_peer **bucket_of(struct assay_peers *p, const struct assay_address *a)
{
    uint64_t h = p->key;
    uint16_t port = assay_address_port(a);
    h = mix(h, &port, sizeof port);
    if (a->any.sa_family == AF_INET)
        h = mix(h, &a->v4.sin_addr, sizeof a->v4.sin_addr);
    else
        h = mix(h, &a->v6.sin6_addr, sizeof a->v6.sin6_addr);
    h = (h ^ h >> 29) * p->key;
    return &p->buckets[(h >> 32) & p->mask];
}

static struct assay_peer *find(struct assay_peers *p, const struct assay_listener *at, const struct assay_address *a)
{
    struct assay_peer *peer = *bucket_of(p, a);
    while (peer && (peer->at != at || !assay_address_equal(&peer->path.peer, a)))
        peer = peer->next;
    return peer;
}

static void leave_line(struct assay_peers *p, struct assay_peer *peer)
{
    *(peer->newer ? &peer->newer->older : &p->newest) = peer->older;
    *(peer->older ? &peer->older->newer : &p->oldest) = peer->newer;
}

static void join_line(struct assay_peers *p, struct assay_peer *peer)
{
    peer->newer = NULL;
    peer->older = p->newest;
    *(p->newest ? &p->newest->newer : &p->oldest) = peer;
    p->newest = peer;
}

static void add(struct assay_peers *p, struct assay_peer *peer)
{
    struct assay_peer **bucket = bucket_of(p, &peer->path.peer);
    peer->next = *bucket;
    *bucket = peer;
    join_line(p, peer);
    p->count++;
}

void assay_peer_release(struct assay_conn *c)
{
    struct assay_service *service = c->service;
    struct assay_peers *p = &service->peers;
    struct assay_peer *peer = c->peer, **at = bucket_of(p, &peer->path.peer);
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    leave_line(p, peer);
    p->count--;
    assay_pool_give(&service->shard->pool, peer, peer->cap);
    c->peer = NULL;
    if (p->count == 0)
        assay_shard_peers_gone(service->shard, service);
}

/* ---- sessions ---------------------------------------------------------- */

static struct assay_peer *make(struct assay_listener *at, const struct assay_path *path)
{
    struct assay_service *service = at->service;
    uint32_t cap;
    struct assay_peer *peer = assay_pool_take(&service->shard->pool, sizeof *peer, &cap);
    struct assay_conn *c = peer ? assay_conn_take(service) : NULL;
    if (!c) {
        assay_pool_give(&service->shard->pool, peer, peer ? cap : 0);
        return NULL;
    }
    *peer = (struct assay_peer){.conn = c, .at = at, .path = *path, .cap = cap};
    c->watch.fd = -1;
    c->peer = peer;
    add(&service->peers, peer);
    return peer;
}

/* Who was silent longest gives way. */
static struct assay_peer *admit(struct assay_listener *at, const struct assay_path *path)
{
    struct assay_service *service = at->service;
    if (service->peers.count >= service->limits.sessions)
        assay_conn_kill(service->shard, service->peers.oldest->conn);
    return make(at, path);
}

/* Orders of a session that ended must not reach the one that follows it. */
static bool begin_session(struct assay_turn *t)
{
    t->conn->serial++;
    return assay_turn_open(t);
}

static void drop_first(struct assay_turn *t)
{
    t->conn->peer->held -= t->conn->in->size;
    assay_held_give(t->shard, t->conn);
}

/* A datagram behind the end of a session begins the next one. */
static void feed(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    while (c->in && !t->full) {
        if (!c->sid && !begin_session(t))
            return;
        if (!c->sid || assay_turn_feed_datagram(t, (struct assay_span){c->in->bytes, c->in->size}))
            drop_first(t);
    }
}

void assay_peer_finish(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    feed(t);
    if (c->sid && !t->full && assay_conn_has(c, ASSAY_CONN_STOPPING))
        assay_turn_shutdown(t);
    assay_turn_flush(t);
    bool kept = assay_turn_keep_output(t);
    if (t->full)
        assay_conn_set(c, ASSAY_CONN_BLOCKED);
    else
        assay_conn_clear(c, ASSAY_CONN_BLOCKED);
    if (!kept || assay_conn_has(c, ASSAY_CONN_ABORT))
        assay_conn_kill(t->shard, c);
    else if (!c->sid)
        assay_conn_end(t->shard, c);
}

/* ---- datagrams --------------------------------------------------------- */

static bool hold(struct assay_shard *s, struct assay_peer *peer, struct assay_span in)
{
    struct assay_conn *c = peer->conn;
    struct assay_held *held = peer->held + in.n <= HELD_MAX ? assay_held_make(s, in, in.n) : NULL;
    if (!held)
        return false;
    *(c->in ? &peer->last->next : &c->in) = held;
    peer->last = held;
    peer->held += in.n;
    return true;
}

static void take(struct assay_listener *at, const struct assay_path *path, struct assay_span in)
{
    struct assay_service *service = at->service;
    struct assay_shard *s = service->shard;
    struct assay_peer *peer = find(&service->peers, at, &path->peer);
    if (peer) {
        leave_line(&service->peers, peer);
        join_line(&service->peers, peer);
        peer->path.local = path->local;
    } else {
        peer = admit(at, path);
    }
    if (!peer || !hold(s, peer, in)) {
        atomic_fetch_add(&s->server->lost_in, 1);
        if (peer && !peer->conn->sid)
            assay_conn_end(s, peer->conn);
        return;
    }
    if (!assay_conn_has(peer->conn, ASSAY_CONN_BLOCKED))
        assay_conn_go_on(s, peer->conn);
}

/* False: nothing there. Errors that ICMP brings are nobody's end. */
static bool receive_one(struct assay_listener *at)
{
    struct assay_shard *s = at->service->shard;
    struct assay_path path;
    ssize_t n = assay_udp_receive(at->watch.fd, s->in, ASSAY_READ_SIZE, &path);
    if (n >= 0)
        take(at, &path, (struct assay_span){s->in, n < (ssize_t)ASSAY_READ_SIZE ? (uint32_t)n : ASSAY_READ_SIZE});
    return n != ASSAY_DATAGRAM_AGAIN;
}

void assay_peers_receive(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)loop, (void)events;
    for (int i = 0; i < RECEIVE_BATCH && receive_one((struct assay_listener *)watch); i++)
        continue;
}

void assay_peers_drain(struct assay_listener *at)
{
    for (int i = 0; i < DRAIN_MAX && receive_one(at); i++)
        continue;
}
