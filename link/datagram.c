/* Sessions: a socket towards the server for each address of a client; datagrams that are held for a while. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "link/inside.h"
#include "net/datagram.h"

#define BATCH        64
#define BUCKETS      4096u
#define DOORS_MAX    256u
#define FAULTS_MAX   16u
#define DESCRIPTORS  64u /* left for everything that is no session */
#define SESSIONS_MAX 16384u

/* At the limit of sessions, one that was silent this long makes room. */
#define SILENT (30 * ASSAY_SECOND)

/* Bytes that are held at most; more are lost, and the summary says so. */
#define HELD_MAX ((size_t)64 << 20)

/* How long a datagram waits for a next one that it can be swapped with. */
#define SWAP_WAIT (100 * ASSAY_MS)

/* A socket that clients see, and the address that it stands for. Those beyond
 * the listeners are made when the server answers from another address. */
struct door {
    struct assay_watch watch;
    struct assay_address server;
};

struct packet;

struct walk {
    struct assay_link_cursor cursor;
    uint64_t number;     /* of the last one that came */
    struct packet *held; /* those that wait for the next one */
};

struct session {
    struct assay_link *link;
    struct session *next; /* in its bucket */
    struct assay_watch watch;
    struct assay_path client;
    struct door *door; /* where the client spoke last to the server itself */
    struct walk walks[ASSAY_LINK_DIRECTIONS];
    int64_t heard;
    unsigned packets; /* held */
};

struct packet {
    struct assay_alarm alarm;
    struct session *session;
    struct packet *next;          /* of those that wait for their next one */
    struct packet *above, *below; /* of all that are held */
    struct door *door;
    enum assay_link_direction direction;
    uint64_t number;
    bool swapped, gone; /* waits for the next one; was handed on once */
    unsigned copies;
    int64_t delay, later;
    size_t size;
    uint8_t bytes[];
};

struct assay_link_datagrams {
    struct session *buckets[BUCKETS];
    struct door doors[ASSAY_ADDRESSES_MAX + DOORS_MAX];
    size_t doors_count, doors_own; /* those of listeners come first */
    size_t oldest;                 /* of the others, the one to make room next */
    struct packet *packets;
    size_t sessions, sessions_max, held;
    uint8_t bytes[ASSAY_DATAGRAM_MAX];
};

/* What happens to a datagram, of all the faults at its number. */
struct fate {
    bool drop, swap;
    unsigned copies;
    int64_t delay, later;
    size_t size;
};

/* ---- sessions ---------------------------------------------------------- */

static struct session **bucket_of(struct assay_link *link, const struct assay_address *a)
{
    const uint8_t *host =
        a->any.sa_family == AF_INET6 ? (const uint8_t *)&a->v6.sin6_addr : (const uint8_t *)&a->v4.sin_addr;
    size_t n = a->any.sa_family == AF_INET6 ? sizeof a->v6.sin6_addr : sizeof a->v4.sin_addr;
    uint32_t h = assay_address_port(a);
    while (n-- > 0)
        h = h * 31 + host[n];
    return &link->datagrams->buckets[h * 2654435761u >> 20];
}

static void end_session(struct session **at)
{
    struct session *s = *at;
    *at = s->next;
    assay_loop_leave(s->link->loop, &s->watch);
    close(s->watch.fd);
    s->link->datagrams->sessions--;
    free(s);
}

static bool make_room(struct assay_link *link)
{
    struct assay_link_datagrams *d = link->datagrams;
    int64_t now = assay_loop_now(link->loop);
    struct session **oldest = NULL;
    if (d->sessions < d->sessions_max)
        return true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct session **s = &d->buckets[i]; *s; s = &(*s)->next)
            if ((*s)->packets == 0 && now - (*s)->heard > SILENT && (!oldest || (*s)->heard < (*oldest)->heard))
                oldest = s;
    if (oldest)
        end_session(oldest);
    return oldest != NULL;
}

static void server_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events);

/* Not connected, so that answers from any port of the server are heard. */
static int open_upstream(const struct assay_address *server)
{
    struct assay_net_error error;
    struct assay_address any = {.v4 = {.sin_family = AF_INET}, .size = sizeof any.v4};
    if (server->any.sa_family == AF_INET6)
        any = (struct assay_address){.v6 = {.sin6_family = AF_INET6}, .size = sizeof any.v6};
    return assay_udp_bind(&any, &error);
}

static struct session *new_session(struct assay_link *link, const struct assay_path *client, struct door *door)
{
    struct session *s = make_room(link) ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->watch = (struct assay_watch){.ready = server_ready, .fd = open_upstream(&door->server)};
    if (s->watch.fd < 0 || !assay_loop_watch(link->loop, &s->watch, ASSAY_READ)) {
        if (s->watch.fd >= 0)
            close(s->watch.fd);
        free(s);
        return NULL;
    }
    struct session **bucket = bucket_of(link, &client->peer);
    s->link = link;
    s->door = door;
    s->next = *bucket;
    *bucket = s;
    link->datagrams->sessions++;
    link->numbers++;
    for (int i = 0; i < ASSAY_LINK_DIRECTIONS; i++)
        assay_link_cursor_init(&s->walks[i].cursor, link->config->faults, link->numbers, (enum assay_link_direction)i);
    return s;
}

static struct session *session_of(struct assay_link *link, const struct assay_path *client, struct door *door)
{
    struct session *s = *bucket_of(link, &client->peer);
    while (s && !assay_address_equal(&s->client.peer, &client->peer))
        s = s->next;
    return s ? s : new_session(link, client, door);
}

/* ---- handing on -------------------------------------------------------- */

static void hand_on(struct session *s, enum assay_link_direction direction, const struct door *door,
                    const uint8_t *bytes, size_t size)
{
    struct assay_path up = {.peer = door->server};
    ssize_t n = direction == ASSAY_LINK_UP ? assay_udp_send(s->watch.fd, bytes, size, &up)
                                           : assay_udp_send(door->watch.fd, bytes, size, &s->client);
    s->link->overflow += n == ASSAY_DATAGRAM_AGAIN;
}

static void forget(struct packet *p)
{
    struct assay_link *link = p->session->link;
    assay_loop_cancel(link->loop, &p->alarm);
    if (p->above)
        p->above->below = p->below;
    else
        link->datagrams->packets = p->below;
    if (p->below)
        p->below->above = p->above;
    p->session->packets--;
    link->datagrams->held -= p->size;
    link->open--;
    free(p);
    assay_link_check_end(link);
}

static void gone(struct walk *walk, uint64_t number);

static void set_alarm(struct packet *p, int64_t span)
{
    struct assay_loop *loop = p->session->link->loop;
    assay_loop_alarm(loop, &p->alarm, assay_clock_after(assay_loop_now(loop), span));
}

static void hand_on_held(struct packet *p)
{
    struct walk *walk = &p->session->walks[p->direction];
    uint64_t number = p->number;
    bool first = !p->gone;
    unsigned now = p->later > 0 ? 1 : p->copies;
    for (unsigned i = 0; i < now; i++)
        hand_on(p->session, p->direction, p->door, p->bytes, p->size);
    p->gone = true;
    p->copies -= now;
    if (p->copies > 0)
        set_alarm(p, p->later);
    else
        forget(p);
    if (first)
        gone(walk, number);
}

static void wait_no_more(struct walk *walk, struct packet *p)
{
    struct packet **at = &walk->held;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->swapped = false;
}

static void let_go(struct walk *walk, struct packet *p)
{
    wait_no_more(walk, p);
    if (p->delay > 0)
        set_alarm(p, p->delay);
    else
        hand_on_held(p);
}

/* A datagram was handed on or lost: the one before it may have waited for that. */
static void gone(struct walk *walk, uint64_t number)
{
    for (struct packet *p = walk->held; p; p = p->next) {
        if (p->number + 1 != number)
            continue;
        let_go(walk, p);
        return;
    }
}

static void alarm_of_packet(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)loop;
    struct packet *p = (struct packet *)(void *)alarm;
    struct walk *walk = &p->session->walks[p->direction];
    if (!p->swapped)
        hand_on_held(p);
    else if (walk->number == p->number)
        let_go(walk, p);
    /* else the next one has come and is on its way */
}

static void hold(struct session *s, enum assay_link_direction direction, struct door *door, const uint8_t *bytes,
                 const struct fate *fate)
{
    struct assay_link *link = s->link;
    struct walk *walk = &s->walks[direction];
    struct packet *p = link->datagrams->held + fate->size > HELD_MAX ? NULL : malloc(sizeof *p + fate->size);
    if (!p) {
        link->overflow++;
        gone(walk, walk->number);
        return;
    }
    *p = (struct packet){.alarm = {.fire = alarm_of_packet},
                         .session = s,
                         .door = door,
                         .direction = direction,
                         .number = walk->number,
                         .swapped = fate->swap,
                         .copies = fate->copies,
                         .delay = fate->delay,
                         .later = fate->later,
                         .size = fate->size};
    memcpy(p->bytes, bytes, fate->size);
    p->below = link->datagrams->packets;
    if (p->below)
        p->below->above = p;
    link->datagrams->packets = p;
    s->packets++;
    link->open++;
    link->datagrams->held += p->size;
    if (p->swapped) {
        p->next = walk->held;
        walk->held = p;
    }
    if (p->swapped || p->delay > 0)
        set_alarm(p, p->swapped ? SWAP_WAIT : p->delay);
    else
        hand_on_held(p);
}

/* ---- faults ------------------------------------------------------------ */

static void add_to_fate(struct fate *fate, const struct assay_link_fault *f, uint8_t *bytes)
{
    if (f->kind == ASSAY_LINK_SWAP)
        fate->swap = true;
    if (f->kind == ASSAY_LINK_DELAY)
        fate->delay += f->span;
    if (f->kind == ASSAY_LINK_TRUNCATE)
        fate->size = f->size;
    if (f->kind == ASSAY_LINK_CORRUPT)
        bytes[f->size] ^= f->mask;
    if (f->kind == ASSAY_LINK_DUPLICATE) {
        fate->copies++;
        fate->later = f->span;
    }
}

static size_t faults_at(struct walk *walk, struct assay_link_fault faults[FAULTS_MAX])
{
    struct assay_link_fault more;
    size_t n = 0;
    while (n < FAULTS_MAX && assay_link_next(&walk->cursor, walk->number, &faults[n]))
        n++;
    while (n == FAULTS_MAX && assay_link_next(&walk->cursor, walk->number, &more))
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

/* In the order of the kinds: what is cut off cannot be changed. */
static struct fate decide(struct assay_link *link, struct walk *walk, uint8_t *bytes, size_t size)
{
    struct assay_link_fault faults[FAULTS_MAX];
    struct fate fate = {.copies = 1, .size = size};
    size_t n = faults_at(walk, faults);
    fate.drop = any_drop(link, faults, n);
    for (int k = ASSAY_LINK_TRUNCATE; k < ASSAY_LINK_KINDS && !fate.drop; k++) {
        for (size_t i = 0; i < n; i++) {
            if (faults[i].kind != (enum assay_link_kind)k || !assay_link_settle(&faults[i], fate.size))
                continue;
            add_to_fate(&fate, &faults[i], bytes);
            assay_link_done(link, &faults[i]);
        }
    }
    return fate;
}

static void arrive(struct session *s, enum assay_link_direction direction, struct door *door, size_t size)
{
    struct assay_link *link = s->link;
    struct walk *walk = &s->walks[direction];
    uint8_t *bytes = link->datagrams->bytes;
    walk->number++;
    s->heard = assay_loop_now(link->loop);
    link->count[direction].datagrams++;
    link->count[direction].bytes += size;
    struct fate fate = decide(link, walk, bytes, size);
    if (!fate.drop && (fate.swap || fate.delay > 0 || fate.later > 0)) {
        hold(s, direction, door, bytes, &fate);
        return;
    }
    for (unsigned i = 0; i < fate.copies && !fate.drop; i++)
        hand_on(s, direction, door, bytes, fate.size);
    gone(walk, walk->number);
}

/* ---- sockets ----------------------------------------------------------- */

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
    struct door *door = (struct door *)watch;
    struct assay_path from;
    size_t size;
    for (int i = 0; i < BATCH && receive(link, watch->fd, &from, &size); i++) {
        struct session *s = link->stopping ? NULL : session_of(link, &from, door);
        link->overflow += !s && !link->stopping;
        if (!s)
            continue;
        s->client = from;
        if (door < link->datagrams->doors + link->datagrams->doors_own)
            s->door = door;
        arrive(s, ASSAY_LINK_UP, door, size);
    }
}

static void lose(struct packet *p)
{
    if (p->swapped)
        wait_no_more(&p->session->walks[p->direction], p);
    forget(p);
}

/* What was to leave through it is lost. */
static void close_door(struct assay_link *link, struct door *door)
{
    for (struct packet *p = link->datagrams->packets, *below; p; p = below) {
        below = p->below;
        if (p->door != door)
            continue;
        link->overflow++;
        lose(p);
    }
    assay_loop_leave(link->loop, &door->watch);
    close(door->watch.fd);
    door->watch.fd = -1;
}

static struct door *open_door(struct assay_link *link, const struct door *beside, const struct assay_address *server)
{
    struct assay_link_datagrams *d = link->datagrams;
    struct assay_net_error error;
    struct assay_address at;
    size_t place = d->doors_count < d->doors_own + DOORS_MAX ? d->doors_count : d->doors_own + d->oldest++ % DOORS_MAX;
    struct door *door = &d->doors[place];
    if (place < d->doors_count)
        close_door(link, door);
    else
        d->doors_count++;
    bool ok = assay_address_of(beside->watch.fd, &at);
    assay_address_set_port(&at, 0);
    *door =
        (struct door){.watch = {.ready = client_ready, .fd = ok ? assay_udp_bind(&at, &error) : -1}, .server = *server};
    return door->watch.fd >= 0 && assay_loop_watch(link->loop, &door->watch, ASSAY_READ) ? door : NULL;
}

/* Where a client is to see what the server sent from an address. */
static struct door *door_for(struct assay_link *link, struct session *s, const struct assay_address *server)
{
    struct assay_link_datagrams *d = link->datagrams;
    if (assay_address_equal(&s->door->server, server))
        return s->door;
    for (size_t i = d->doors_own; i < d->doors_count; i++)
        if (d->doors[i].watch.fd >= 0 && assay_address_equal(&d->doors[i].server, server))
            return &d->doors[i];
    return open_door(link, s->door, server);
}

static void server_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_link *link = assay_loop_owner(loop);
    struct session *s = (struct session *)(void *)((char *)watch - offsetof(struct session, watch));
    struct assay_path from;
    size_t size;
    for (int i = 0; i < BATCH && receive(link, watch->fd, &from, &size); i++) {
        struct door *door = link->stopping ? NULL : door_for(link, s, &from.peer);
        link->overflow += !door && !link->stopping;
        if (door)
            arrive(s, ASSAY_LINK_DOWN, door, size);
    }
}

/* ---- opening and ending ------------------------------------------------- */

bool assay_link_datagrams_open(struct assay_link *link)
{
    struct rlimit limit;
    struct assay_link_datagrams *d = link->datagrams = calloc(1, sizeof *d);
    if (!d || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    d->sessions_max =
        limit.rlim_cur < SESSIONS_MAX + DOORS_MAX + DESCRIPTORS ? (size_t)limit.rlim_cur / 2 : SESSIONS_MAX;
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
    struct door *door = &d->doors[d->doors_count++];
    d->doors_own = d->doors_count;
    *door = (struct door){.watch = {.ready = client_ready, .fd = fd}, .server = *server_for(link, at)};
    struct assay_link_listener *announced = &link->listeners[link->listeners_count++];
    announced->watch.fd = -1; /* it is the door's */
    return assay_address_of(fd, &announced->address) && assay_loop_watch(link->loop, &door->watch, ASSAY_READ);
}

void assay_link_datagrams_close(struct assay_link *link)
{
    struct assay_link_datagrams *d = link->datagrams;
    if (!d)
        return;
    while (d->packets)
        lose(d->packets);
    for (size_t i = 0; i < BUCKETS; i++)
        while (d->buckets[i])
            end_session(&d->buckets[i]);
    for (size_t i = 0; i < d->doors_count; i++)
        if (d->doors[i].watch.fd >= 0)
            close_door(link, &d->doors[i]);
    free(d);
}
