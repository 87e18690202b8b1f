/* Flows: a socket towards the server for each address of a client; what happens to each datagram. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "link/flow.h"

#define BATCH       64
#define BUCKETS     4096u
#define DOORS_MAX   1024u
#define FAULTS_MAX  16u
#define DESCRIPTORS 64u /* left for everything that is no flow */
#define FLOWS_MAX   16384u

/* At the limit of flows, one that was silent this long makes room. */
#define SILENT (30 * ASSAY_SECOND)

struct assay_link_datagrams {
    struct assay_link_flow *buckets[BUCKETS];
    struct assay_link_flow *oldest, *newest;
    struct assay_link_door doors[ASSAY_ADDRESSES_MAX + DOORS_MAX];
    size_t doors_count, doors_own; /* those of listeners come first */
    size_t flows, flows_max;
    struct assay_alarm sweep;
    uint8_t bytes[ASSAY_DATAGRAM_MAX];
};

/* ---- flows ------------------------------------------------------------- */

static struct assay_link_flow **bucket_of(struct assay_link *link, const struct assay_address *a)
{
    const uint8_t *host =
        a->any.sa_family == AF_INET6 ? (const uint8_t *)&a->v6.sin6_addr : (const uint8_t *)&a->v4.sin_addr;
    size_t n = a->any.sa_family == AF_INET6 ? sizeof a->v6.sin6_addr : sizeof a->v4.sin_addr;
    uint32_t h = assay_address_port(a);
    while (n-- > 0)
        h = h * 31 + host[n];
    return &link->datagrams->buckets[h * 2654435761u >> 20];
}

static void take_out(struct assay_link_flow *f)
{
    struct assay_link_datagrams *d = f->link->datagrams;
    *(f->older ? &f->older->newer : &d->oldest) = f->newer;
    *(f->newer ? &f->newer->older : &d->newest) = f->older;
}

static void put_last(struct assay_link_flow *f)
{
    struct assay_link_datagrams *d = f->link->datagrams;
    f->heard = assay_loop_now(f->link->loop);
    f->older = d->newest;
    f->newer = NULL;
    *(d->newest ? &d->newest->newer : &d->oldest) = f;
    d->newest = f;
}

/* A socket is closed: what it could not take is counted. */
static void close_socket(struct assay_link *link, struct assay_watch *watch)
{
    link->unheard += assay_udp_dropped(watch->fd);
    assay_loop_leave(link->loop, watch);
    close(watch->fd);
    watch->fd = -1;
}

static void end_flow(struct assay_link_flow *f)
{
    struct assay_link_flow **at = bucket_of(f->link, &f->client.peer);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    take_out(f);
    assay_link_lose(f, NULL);
    close_socket(f->link, &f->watch);
    f->link->datagrams->flows--;
    free(f);
}

/* The oldest one that holds nothing, if nothing was heard of it for a time. */
static bool end_silent(struct assay_link *link, int64_t span)
{
    int64_t now = assay_loop_now(link->loop);
    struct assay_link_flow *f = link->datagrams->oldest;
    while (f && f->packets)
        f = f->newer;
    if (!f || now - f->heard < span)
        return false;
    end_flow(f);
    link->expired++;
    return true;
}

static void server_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events);

/* Not connected, so that answers from any port of the server are heard. */
static int open_upstream(const struct assay_link *link, const struct assay_address *server)
{
    struct assay_net_error error;
    struct assay_address any = {.v4 = {.sin_family = AF_INET}, .size = sizeof any.v4};
    if (server->any.sa_family == AF_INET6)
        any = (struct assay_address){.v6 = {.sin6_family = AF_INET6}, .size = sizeof any.v6};
    return assay_link_socket(link, ASSAY_NETNS_BIND, &any, &error);
}

static void number_flow(struct assay_link_flow *f)
{
    f->link->numbers++;
    for (int i = 0; i < ASSAY_LINK_DIRECTIONS; i++) {
        enum assay_link_direction direction = (enum assay_link_direction)i;
        f->ways[i].flow = f;
        f->ways[i].direction = direction;
        assay_link_cursor_init(&f->ways[i].cursor, f->link->config->faults, f->link->numbers, direction);
    }
}

static void set_sweep(struct assay_link *link, int64_t at)
{
    if (link->datagrams->sweep.place == 0)
        assay_loop_alarm(link->loop, &link->datagrams->sweep, at);
}

static struct assay_link_flow *new_flow(struct assay_link *link, const struct assay_path *client,
                                        struct assay_link_door *door)
{
    struct assay_link_datagrams *d = link->datagrams;
    bool room = d->flows < d->flows_max || end_silent(link, SILENT);
    struct assay_link_flow *f = room ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL;
    f->watch = (struct assay_watch){.ready = server_ready, .fd = open_upstream(link, &door->server)};
    if (f->watch.fd < 0 || !assay_loop_watch(link->loop, &f->watch, ASSAY_READ)) {
        if (f->watch.fd >= 0)
            close(f->watch.fd);
        free(f);
        return NULL;
    }
    struct assay_link_flow **bucket = bucket_of(link, &client->peer);
    f->link = link;
    f->client = *client;
    f->listener = f->answered = door->listener;
    f->next = *bucket;
    *bucket = f;
    d->flows++;
    put_last(f);
    number_flow(f);
    set_sweep(link, assay_clock_after(f->heard, link->config->idle));
    return f;
}

static struct assay_link_flow *flow_of(struct assay_link *link, const struct assay_path *client,
                                       struct assay_link_door *door)
{
    struct assay_link_flow *f = *bucket_of(link, &client->peer);
    while (f && !assay_address_equal(&f->client.peer, &client->peer))
        f = f->next;
    return f ? f : new_flow(link, client, door);
}

/* ---- faults ------------------------------------------------------------ */

static void add_to_fate(struct assay_link_fate *fate, const struct assay_link_fault *f, uint8_t *bytes)
{
    if (f->kind == ASSAY_LINK_SWAP) {
        fate->places = f->size > fate->places ? f->size : fate->places;
        fate->patience = f->span;
    }
    if (f->kind == ASSAY_LINK_DELAY)
        fate->delay = assay_clock_after(fate->delay, f->span);
    if (f->kind == ASSAY_LINK_TRUNCATE)
        fate->size = f->size;
    if (f->kind == ASSAY_LINK_CORRUPT)
        bytes[f->size] ^= f->mask;
    if (f->kind == ASSAY_LINK_DUPLICATE) {
        fate->copies++;
        fate->later = f->span;
    }
}

static size_t faults_at(struct assay_link_way *way, struct assay_link_fault faults[FAULTS_MAX])
{
    struct assay_link_fault more;
    size_t n = 0;
    while (n < FAULTS_MAX && assay_link_next(&way->cursor, way->number, &faults[n]))
        n++;
    while (n == FAULTS_MAX && assay_link_next(&way->cursor, way->number, &more))
        continue;
    return n;
}

static bool any_drop(struct assay_link *link, const struct assay_link_fault *faults, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (faults[i].kind != ASSAY_LINK_DROP)
            continue;
        assay_link_done(link, &faults[i]); /* and nothing else that would have been done to it */
        return true;
    }
    return false;
}

static bool possible(const struct assay_link_way *way, struct assay_link_fault *f, size_t size)
{
    if (f->kind == ASSAY_LINK_SWAP)
        return way->overtaken_count < ASSAY_LINK_OVERTAKEN_MAX;
    return assay_link_settle(f, size);
}

/* In the order of the kinds: what is cut off cannot be changed. */
static struct assay_link_fate decide(struct assay_link_way *way, uint8_t *bytes, size_t size)
{
    struct assay_link *link = way->flow->link;
    struct assay_link_fault faults[FAULTS_MAX];
    struct assay_link_fate fate = {.copies = 1, .size = size};
    size_t n = faults_at(way, faults);
    fate.drop = any_drop(link, faults, n);
    for (int k = ASSAY_LINK_TRUNCATE; k < ASSAY_LINK_KINDS && !fate.drop; k++) {
        for (size_t i = 0; i < n; i++) {
            if (faults[i].kind != (enum assay_link_kind)k || !possible(way, &faults[i], fate.size))
                continue;
            add_to_fate(&fate, &faults[i], bytes);
            assay_link_done(link, &faults[i]);
        }
    }
    return fate;
}

static void arrive(struct assay_link_way *way, struct assay_link_door *door, size_t size)
{
    struct assay_link *link = way->flow->link;
    uint8_t *bytes = link->datagrams->bytes;
    way->number++;
    take_out(way->flow);
    put_last(way->flow);
    door->used = way->flow->heard;
    link->count[way->direction].datagrams++;
    link->count[way->direction].bytes += size;
    struct assay_link_fate fate = decide(way, bytes, size);
    if (!fate.drop && (fate.places > 0 || fate.delay > 0 || fate.later > 0)) {
        assay_link_hold(way, door, bytes, &fate);
        return;
    }
    for (unsigned i = 0; i < fate.copies && !fate.drop; i++)
        assay_link_hand_on(way, door, bytes, fate.size);
    assay_link_passed(way, way->number);
}

/* ---- doors ------------------------------------------------------------- */

/* What was to leave through it is lost. */
static void close_door(struct assay_link *link, struct assay_link_door *door)
{
    for (struct assay_link_flow *f = link->datagrams->oldest; f; f = f->newer)
        assay_link_lose(f, door);
    close_socket(link, &door->watch);
}

/* One that is closed, or the one that was used last the longest ago. */
static struct assay_link_door *place_for_door(struct assay_link *link)
{
    struct assay_link_datagrams *d = link->datagrams;
    struct assay_link_door *best = NULL;
    for (struct assay_link_door *door = d->doors + d->doors_own; door < d->doors + d->doors_count; door++) {
        if (door->watch.fd < 0)
            return door;
        if (!best || door->used < best->used)
            best = door;
    }
    if (d->doors_count < d->doors_own + DOORS_MAX)
        return &d->doors[d->doors_count++];
    close_door(link, best);
    return best;
}

static void client_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events);

static struct assay_link_door *open_door(struct assay_link *link, struct assay_link_door *listener,
                                         const struct assay_address *server)
{
    struct assay_net_error error;
    struct assay_address at;
    struct assay_link_door *door = place_for_door(link);
    bool ok = assay_address_of(listener->watch.fd, &at);
    assay_address_set_port(&at, 0);
    *door = (struct assay_link_door){.watch = {.ready = client_ready, .fd = ok ? assay_udp_bind(&at, &error) : -1},
                                     .server = *server,
                                     .listener = listener};
    if (door->watch.fd < 0)
        return NULL;
    if (assay_loop_watch(link->loop, &door->watch, ASSAY_READ))
        return door;
    close_socket(link, &door->watch);
    return NULL;
}

static bool leads_to(const struct assay_link_door *door, const struct assay_link_flow *f,
                     const struct assay_address *server)
{
    return door->watch.fd >= 0 && door->listener == f->listener && assay_address_equal(&door->server, server);
}

/* Where a client is to see what the server sent from an address. */
static struct assay_link_door *door_for(struct assay_link *link, struct assay_link_flow *f,
                                        const struct assay_address *server)
{
    struct assay_link_datagrams *d = link->datagrams;
    if (leads_to(f->answered, f, server))
        return f->answered;
    if (leads_to(f->listener, f, server))
        return f->listener;
    for (struct assay_link_door *door = d->doors + d->doors_own; door < d->doors + d->doors_count; door++)
        if (leads_to(door, f, server))
            return door;
    return open_door(link, f->listener, server);
}

/* ---- sockets ----------------------------------------------------------- */

void assay_link_hand_on(struct assay_link_way *way, const struct assay_link_door *door, const uint8_t *bytes,
                        size_t size)
{
    struct assay_link_flow *f = way->flow;
    struct assay_path up = {.peer = door->server};
    ssize_t n = way->direction == ASSAY_LINK_UP ? assay_udp_send(f->watch.fd, bytes, size, &up)
                                                : assay_udp_send(door->watch.fd, bytes, size, &f->client);
    f->link->full += n == ASSAY_DATAGRAM_AGAIN;
    if (n != ASSAY_DATAGRAM_FAILED)
        return;
    f->link->unsent++;
    f->link->unsent_why = errno;
}

static bool receive(struct assay_link *link, int fd, struct assay_path *path, size_t *size)
{
    ssize_t n = assay_udp_receive(fd, link->datagrams->bytes, ASSAY_DATAGRAM_MAX, path);
    *size = (size_t)n;
    return n >= 0 && *size <= ASSAY_DATAGRAM_MAX;
}

static void client_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_link *link = assay_loop_owner(loop);
    struct assay_link_door *door = (struct assay_link_door *)watch;
    struct assay_path from;
    size_t size;
    for (int i = 0; i < BATCH && receive(link, watch->fd, &from, &size); i++) {
        struct assay_link_flow *f = link->stopping ? NULL : flow_of(link, &from, door);
        link->overflow += !f && !link->stopping;
        if (!f)
            continue;
        f->client = from;
        f->listener = door->listener;
        arrive(&f->ways[ASSAY_LINK_UP], door, size);
    }
}

static void server_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_link *link = assay_loop_owner(loop);
    struct assay_link_flow *f =
        (struct assay_link_flow *)(void *)((char *)watch - offsetof(struct assay_link_flow, watch));
    struct assay_path from;
    size_t size;
    for (int i = 0; i < BATCH && receive(link, watch->fd, &from, &size); i++) {
        struct assay_link_door *door = link->stopping ? NULL : door_for(link, f, &from.peer);
        link->overflow += !door && !link->stopping;
        if (!door)
            continue;
        f->answered = door;
        arrive(&f->ways[ASSAY_LINK_DOWN], door, size);
    }
}

/* ---- what is idle ------------------------------------------------------ */

static void sweep(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)alarm;
    struct assay_link *link = assay_loop_owner(loop);
    struct assay_link_datagrams *d = link->datagrams;
    int64_t now = assay_loop_now(loop), idle = link->config->idle;
    while (end_silent(link, idle))
        continue;
    for (struct assay_link_door *door = d->doors + d->doors_own; door < d->doors + d->doors_count; door++)
        if (door->watch.fd >= 0 && now - door->used >= idle)
            close_door(link, door);
    if (!d->oldest)
        return;
    /* Those that hold something are looked at again, but not at once. */
    int64_t next = assay_clock_after(d->oldest->heard, idle), least = assay_clock_after(now, idle / 8 + ASSAY_MS);
    set_sweep(link, next > least ? next : least);
}

/* ---- opening and ending ------------------------------------------------- */

bool assay_link_datagrams_open(struct assay_link *link)
{
    struct rlimit limit;
    struct assay_link_datagrams *d = link->datagrams = calloc(1, sizeof *d);
    if (!d || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    d->sweep.fire = sweep;
    d->flows_max = limit.rlim_cur < FLOWS_MAX + DOORS_MAX + DESCRIPTORS ? (size_t)limit.rlim_cur / 2 : FLOWS_MAX;
    return true;
}

/* The server's address of the listener's family, where it has one. */
static const struct assay_address *server_for(const struct assay_link *link, const struct assay_address *at)
{
    for (size_t i = 0; i < link->to_count; i++)
        if (link->to[i].any.sa_family == at->any.sa_family)
            return &link->to[i];
    return &link->to[0];
}

bool assay_link_datagrams_listen(struct assay_link *link, const struct assay_address *at, struct assay_net_error *error)
{
    struct assay_link_datagrams *d = link->datagrams;
    int fd = assay_udp_bind(at, error);
    if (fd < 0)
        return false;
    struct assay_link_door *door = &d->doors[d->doors_count++];
    d->doors_own = d->doors_count;
    *door = (struct assay_link_door){
        .watch = {.ready = client_ready, .fd = fd}, .server = *server_for(link, at), .listener = door};
    struct assay_link_listener *announced = &link->listeners[link->listeners_count++];
    announced->watch.fd = -1; /* it is the door's */
    return assay_address_of(fd, &announced->address) && assay_loop_watch(link->loop, &door->watch, ASSAY_READ);
}

uint64_t assay_link_datagrams_unheard(const struct assay_link *link)
{
    const struct assay_link_datagrams *d = link->datagrams;
    uint64_t n = link->unheard;
    for (const struct assay_link_flow *f = d->oldest; f; f = f->newer)
        n += assay_udp_dropped(f->watch.fd);
    for (size_t i = 0; i < d->doors_count; i++)
        n += d->doors[i].watch.fd < 0 ? 0 : assay_udp_dropped(d->doors[i].watch.fd);
    return n;
}

void assay_link_datagrams_close(struct assay_link *link)
{
    struct assay_link_datagrams *d = link->datagrams;
    if (!d)
        return;
    while (d->oldest)
        end_flow(d->oldest);
    for (size_t i = 0; i < d->doors_count; i++)
        if (d->doors[i].watch.fd >= 0)
            close_door(link, &d->doors[i]);
    free(d);
}
