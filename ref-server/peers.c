/* Sessions over datagrams: whom they are with, and what waits for them. */
#include <stdlib.h>
#include <string.h>

#include "net/random.h"
#include "ref-server/turn.h"

/* Datagrams of one socket in a round, so that others get their turn. */
#define RECEIVE_BATCH 256u

/* Datagrams that are still read from a socket that stops: more than it has room for. */
#define DRAIN_MAX 65536u

/* Memory that datagrams which wait take, for one session; what comes on top is lost. All together take as much as
 * `limits.memory` says. */
#define HELD_MAX (1u << 20)

/* ---- the table --------------------------------------------------------- */

/* One byte more than a frame may have shows that a datagram is too long. */
static bool open_arrivals(struct assay_service *service)
{
    struct assay_peers *p = &service->peers;
    uint32_t frame = service->shard->model->frame_max;
    uint32_t cap = frame < ASSAY_DATAGRAM_MAX ? frame + 1 : ASSAY_DATAGRAM_MAX;
    p->arrivals = calloc(ASSAY_DATAGRAM_BATCH, sizeof *p->arrivals);
    p->room = malloc((size_t)cap * ASSAY_DATAGRAM_BATCH);
    for (size_t i = 0; p->arrivals && p->room && i < ASSAY_DATAGRAM_BATCH; i++)
        p->arrivals[i] = (struct assay_arrival){.bytes = p->room + i * cap, .cap = cap};
    return p->arrivals && p->room;
}

bool assay_peers_open(struct assay_service *service)
{
    struct assay_peers *p = &service->peers;
    uint32_t buckets = 16;
    uint64_t secret[2];
    while (buckets < service->limits.sessions && buckets < 1u << 24)
        buckets *= 2;
    p->buckets = calloc(buckets, sizeof(struct assay_peer *));
    p->mask = buckets - 1;
    assay_secret(secret);
    p->key = secret[0] | 1;
    return p->buckets && open_arrivals(service);
}

void assay_peers_close(struct assay_service *service)
{
    free(service->peers.buckets);
    free(service->peers.arrivals);
    free(service->peers.room);
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

/* ---- room to send ------------------------------------------------------ */

void assay_peers_watch(struct assay_shard *s, struct assay_listener *at)
{
    assay_loop_watch(s->loop, &at->watch, (s->accepting ? ASSAY_READ : 0u) | (at->full ? ASSAY_WRITE : 0u));
}

void assay_peer_wait(struct assay_shard *s, struct assay_peer *peer)
{
    struct assay_listener *at = peer->at;
    at->full = true;
    assay_peers_watch(s, at);
    if (peer->waits)
        return;
    peer->waits = true;
    peer->next_waiting = NULL;
    *(at->waiting ? &at->last->next_waiting : &at->waiting) = peer;
    at->last = peer;
}

static void stop_waiting(struct assay_peer *peer)
{
    struct assay_listener *at = peer->at;
    struct assay_peer *before = NULL, *p = at->waiting;
    if (!peer->waits)
        return;
    for (; p != peer; p = p->next_waiting)
        before = p;
    *(before ? &before->next_waiting : &at->waiting) = peer->next_waiting;
    if (at->last == peer)
        at->last = before;
    peer->waits = false;
}

static void room_to_send(struct assay_shard *s, struct assay_listener *at)
{
    at->full = false;
    while (at->waiting && !at->full) {
        struct assay_peer *peer = at->waiting;
        stop_waiting(peer);
        assay_conn_go_on(s, peer->conn);
    }
    assay_peers_watch(s, at);
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
    stop_waiting(peer);
    p->held -= peer->held;
    p->count--;
    assay_pool_give(&service->shard->pool, peer, peer->cap);
    c->peer = NULL;
    if (p->count == 0)
        assay_shard_peers_gone(service->shard, service);
}

struct assay_span assay_peer_name(const struct assay_address *a, uint8_t bytes[ASSAY_PEER_MAX])
{
    bool v6 = a->any.sa_family == AF_INET6;
    const void *host = v6 ? (const void *)&a->v6.sin6_addr : (const void *)&a->v4.sin_addr;
    uint32_t size = v6 ? sizeof a->v6.sin6_addr : sizeof a->v4.sin_addr;
    uint16_t port = assay_address_port(a);
    memcpy(bytes, host, size);
    bytes[size++] = (uint8_t)(port >> 8);
    bytes[size++] = (uint8_t)port;
    if (v6) {
        memcpy(bytes + size, &a->v6.sin6_scope_id, sizeof a->v6.sin6_scope_id);
        size += (uint32_t)sizeof a->v6.sin6_scope_id;
    }
    return (struct assay_span){bytes, size};
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

/* Who was silent longest gives way, unless there are rules for those who have no session. */
static struct assay_peer *admit(struct assay_listener *at, const struct assay_path *path)
{
    struct assay_service *service = at->service;
    bool stateless = service->shard->model->machines[service->transport->server].stateless;
    if (!stateless && service->peers.count >= service->limits.sessions)
        assay_conn_kill(service->shard, service->peers.oldest->conn);
    return make(at, path);
}

static void drop_first(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    c->peer->held -= c->in->cap;
    c->service->peers.held -= c->in->cap;
    assay_held_give(t->shard, c);
}

/* A datagram behind the end of a session begins the next one. */
static void feed(struct assay_turn *t)
{
    struct assay_conn *c = t->conn;
    while (c->in && !t->full) {
        struct assay_span in = {c->in->bytes, c->in->size};
        if (c->sid ? assay_turn_feed_datagram(t, in) : assay_turn_stranger(t, in))
            drop_first(t);
    }
}

/* Whether one without a session is still needed: its last words wait for room, or what it said waits for an effect of
 * somebody else. Those who wait are no more than sessions may be. */
static bool lingers(const struct assay_conn *c)
{
    return (c->peer->waits || c->in) && c->service->peers.count <= c->service->limits.sessions;
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
    assay_history_resume(c);
    if (!kept || assay_conn_has(c, ASSAY_CONN_ABORT))
        assay_conn_kill(t->shard, c);
    else if (!c->sid && !lingers(c))
        assay_conn_end(t->shard, c);
}

/* ---- datagrams --------------------------------------------------------- */

static bool hold(struct assay_shard *s, struct assay_peer *peer, struct assay_span in)
{
    struct assay_conn *c = peer->conn;
    struct assay_peers *all = &c->service->peers;
    bool room = peer->held < HELD_MAX && (!c->in || all->held < c->service->limits.memory);
    struct assay_held *held = room ? assay_held_make(s, in, in.n) : NULL;
    if (!held)
        return false;
    *(c->in ? &peer->last->next : &c->in) = held;
    peer->last = held;
    peer->held += held->cap;
    all->held += held->cap;
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

/* Errors that ICMP brings are nobody's end. */
static int receive_some(struct assay_listener *at)
{
    struct assay_arrival *all = at->service->peers.arrivals;
    int n = assay_udp_receive_some(at->watch.fd, all, ASSAY_DATAGRAM_BATCH);
    for (int i = 0; i < n; i++)
        take(at, &all[i].path, (struct assay_span){all[i].bytes, all[i].size < all[i].cap ? all[i].size : all[i].cap});
    return n;
}

void assay_peers_receive(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_listener *at = (struct assay_listener *)watch;
    if (events & ASSAY_WRITE)
        room_to_send(assay_loop_owner(loop), at);
    if (!(events & (ASSAY_READ | ASSAY_GONE)))
        return;
    for (unsigned i = 0; i < RECEIVE_BATCH && receive_some(at) == (int)ASSAY_DATAGRAM_BATCH; i += ASSAY_DATAGRAM_BATCH)
        continue;
}

void assay_peers_drain(struct assay_listener *at)
{
    for (unsigned i = 0; i < DRAIN_MAX && receive_some(at) != (int)ASSAY_DATAGRAM_AGAIN; i += ASSAY_DATAGRAM_BATCH)
        continue;
}
