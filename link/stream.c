/* Connections: accepting, connecting, pumping, ending. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/socktable.h"
#include "link/pipe.h"
#include "net/socket.h"

#define ACCEPT_BATCH 64

/* Without descriptors, accepting rests this long. */
#define PAUSE (100 * ASSAY_MS)

/* Asked for once; the flags of an end point keep what was reported. */
#define WHENEVER (ASSAY_READ | ASSAY_WRITE | EPOLLET)

enum end { CLIENT, SERVER };

struct conn {
    struct assay_link *link;
    struct conn *prev, *next; /* of all */
    struct conn *queue;       /* of those that are to be pumped */
    bool queued, connecting, gone;
    uint32_t number;
    size_t candidate; /* which address of the server is tried next */
    int refusal;      /* errno of the last one */
    struct assay_link_end_point ends[2];
    struct assay_link_pipe pipes[ASSAY_LINK_DIRECTIONS];
};

struct assay_link_streams {
    struct conn *all, *queue, **queue_end;
    bool paused;
};

/* ---- the queue --------------------------------------------------------- */

static void enqueue(struct conn *c)
{
    struct assay_link_streams *s = c->link->streams;
    if (c->queued)
        return;
    c->queued = true;
    c->queue = NULL;
    *s->queue_end = c;
    s->queue_end = &c->queue;
}

static void look_again(struct assay_loop *loop, struct conn *c)
{
    enqueue(c);
    assay_loop_hurry(loop);
}

/* ---- the end of a connection -------------------------------------------- */

static void close_end(struct conn *c, enum end which, bool reset)
{
    struct assay_link_end_point *end = &c->ends[which];
    if (end->watch.fd < 0)
        return;
    assay_loop_leave(c->link->loop, &end->watch);
    if (reset)
        assay_reset(end->watch.fd);
    else
        close(end->watch.fd);
    end->watch.fd = -1;
}

static void drop(struct conn *c, bool reset)
{
    struct assay_link *link = c->link;
    close_end(c, CLIENT, reset);
    close_end(c, SERVER, reset);
    for (int d = 0; d < ASSAY_LINK_DIRECTIONS; d++)
        assay_link_pipe_close(&c->pipes[d]);
    if (c->prev)
        c->prev->next = c->next;
    else
        link->streams->all = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->gone = true;
    if (!c->queued) /* else who takes it from the queue frees it */
        free(c);
    link->open--;
    assay_link_check_end(link);
}

/* ---- pumping ----------------------------------------------------------- */

static bool over(const struct conn *c)
{
    const struct assay_link_pipe *up = &c->pipes[ASSAY_LINK_UP], *down = &c->pipes[ASSAY_LINK_DOWN];
    return up->ended && up->eof && down->ended && down->eof;
}

static void pump(struct conn *c)
{
    bool more = false;
    if (c->connecting)
        return;
    for (int d = 0; d < ASSAY_LINK_DIRECTIONS; d++) {
        enum assay_link_pumped pumped = assay_link_pump(&c->pipes[d]);
        if (pumped == ASSAY_LINK_BROKE) {
            drop(c, true);
            return;
        }
        more |= pumped == ASSAY_LINK_MORE;
    }
    if (over(c))
        drop(c, false);
    else if (more)
        look_again(c->link->loop, c);
}

static void pump_all(struct assay_loop *loop)
{
    struct assay_link *link = assay_loop_owner(loop);
    struct assay_link_streams *s = link->streams;
    struct conn *c = s->queue;
    s->queue = NULL;
    s->queue_end = &s->queue;
    for (struct conn *next; c; c = next) {
        next = c->queue;
        c->queued = false;
        if (c->gone)
            free(c);
        else
            pump(c);
    }
}

static void pump_up(struct assay_loop *loop, struct assay_alarm *alarm)
{
    size_t offset = offsetof(struct conn, pipes[ASSAY_LINK_UP].alarm);
    look_again(loop, (struct conn *)(void *)((char *)alarm - offset));
}

static void pump_down(struct assay_loop *loop, struct assay_alarm *alarm)
{
    size_t offset = offsetof(struct conn, pipes[ASSAY_LINK_DOWN].alarm);
    look_again(loop, (struct conn *)(void *)((char *)alarm - offset));
}

/* ---- sockets ----------------------------------------------------------- */

static void report(struct conn *c, enum end which, unsigned events)
{
    struct assay_link_end_point *end = &c->ends[which];
    struct assay_link_pipe *out_of = &c->pipes[which == CLIENT ? ASSAY_LINK_UP : ASSAY_LINK_DOWN];
    end->readable |= (events & (ASSAY_READ | ASSAY_GONE)) != 0;
    end->writable |= (events & (ASSAY_WRITE | ASSAY_GONE)) != 0;
    /* Behind an end of stream nothing is read any more, so that nobody else would notice a reset. */
    if ((events & ASSAY_GONE) && out_of->eof && !c->link->stopping && assay_connected(end->watch.fd) != 0)
        out_of->broken = true;
    enqueue(c);
}

static void client_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)loop;
    report((struct conn *)(void *)((char *)watch - offsetof(struct conn, ends[CLIENT].watch)), CLIENT, events);
}

static void try_next(struct conn *c);

/* It may have been reset already: then what it sent before is still read, and nothing proven. */
static bool watch_end(struct conn *c, enum end which)
{
    struct assay_link_end_point *end = &c->ends[which];
    struct assay_link_pipe *into = &c->pipes[which == CLIENT ? ASSAY_LINK_DOWN : ASSAY_LINK_UP];
    end->readable = end->writable = true;
    end->peer.size = sizeof end->peer.v6;
    into->elsewhere = !assay_address_of(end->watch.fd, &end->local) ||
                      getpeername(end->watch.fd, &end->peer.any, &end->peer.size) < 0;
    return assay_loop_watch(c->link->loop, &end->watch, WHENEVER);
}

static void connected(struct conn *c)
{
    int why = assay_connected(c->ends[SERVER].watch.fd);
    if (why != 0 && why != ECONNRESET) {
        c->refusal = why;
        close_end(c, SERVER, false);
        try_next(c);
        return;
    }
    /* ECONNRESET: it was connected, and reset since; this was the only time that the kernel says so. */
    c->ends[SERVER].was_reset = why != 0;
    c->connecting = false;
    if (watch_end(c, SERVER) && watch_end(c, CLIENT))
        enqueue(c);
    else
        drop(c, true);
}

static void server_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)loop;
    struct conn *c = (struct conn *)(void *)((char *)watch - offsetof(struct conn, ends[SERVER].watch));
    if (c->connecting)
        connected(c);
    else
        report(c, SERVER, events);
}

/* ---- connecting -------------------------------------------------------- */

/* Told once: a server that is down is so for many. */
static void unreachable(struct conn *c)
{
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_format(&c->link->to[c->link->to_count - 1], text);
    if (c->link->unreachable++ == 0)
        fprintf(stderr, "assay: connection %u is reset: cannot connect to %s: %s\n", (unsigned)c->number, text,
                strerror(c->refusal));
    drop(c, true);
}

static void try_next(struct conn *c)
{
    struct assay_net_error error;
    struct assay_link_end_point *server = &c->ends[SERVER];
    while (c->candidate < c->link->to_count) {
        int fd = assay_link_socket(c->link, ASSAY_NETNS_CONNECT, &c->link->to[c->candidate++], &error);
        c->refusal = errno;
        if (fd < 0)
            continue;
        server->watch = (struct assay_watch){.ready = server_ready, .fd = fd};
        if (assay_loop_watch(c->link->loop, &server->watch, WHENEVER))
            return;
        c->refusal = errno;
        close_end(c, SERVER, false);
    }
    unreachable(c);
}

static struct conn *admit(struct assay_link *link, int fd, uint32_t number)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->link = link;
    c->number = number;
    c->connecting = true;
    c->ends[CLIENT].watch = (struct assay_watch){.ready = client_ready, .fd = fd};
    c->ends[SERVER].watch.fd = -1;
    assay_link_pipe_init(&c->pipes[ASSAY_LINK_UP], link, number, ASSAY_LINK_UP, &c->ends[CLIENT], &c->ends[SERVER]);
    assay_link_pipe_init(&c->pipes[ASSAY_LINK_DOWN], link, number, ASSAY_LINK_DOWN, &c->ends[SERVER], &c->ends[CLIENT]);
    c->pipes[ASSAY_LINK_UP].alarm.fire = pump_up;
    c->pipes[ASSAY_LINK_DOWN].alarm.fire = pump_down;
    c->next = link->streams->all;
    if (c->next)
        c->next->prev = c;
    link->streams->all = c;
    link->open++;
    return c;
}

static void take_client(struct assay_link *link, int fd)
{
    uint32_t number = ++link->numbers;
    struct assay_link_fault refusal;
    if (assay_link_refused(link->config->faults, number, &refusal)) {
        assay_link_done(link, &refusal);
        assay_reset(fd);
        return;
    }
    struct conn *c = admit(link, fd, number);
    if (c)
        try_next(c);
    else
        assay_reset(fd);
}

/* ---- accepting --------------------------------------------------------- */

static void watch_listeners(struct assay_link *link, unsigned events)
{
    for (size_t i = 0; i < link->listeners_count; i++)
        assay_loop_watch(link->loop, &link->listeners[i].watch, events);
}

static void resume(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)alarm;
    struct assay_link *link = assay_loop_owner(loop);
    link->streams->paused = false;
    if (!link->stopping)
        watch_listeners(link, ASSAY_READ);
}

static void pause_accepting(struct assay_link *link, int why)
{
    if (!link->streams->paused)
        fprintf(stderr, "assay: cannot accept connections for now: %s\n", strerror(why));
    link->streams->paused = true;
    watch_listeners(link, 0);
    assay_loop_alarm(link->loop, &link->resume, assay_clock_after(assay_loop_now(link->loop), PAUSE));
}

static void accept_some(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_link *link = assay_loop_owner(loop);
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = assay_accept(watch->fd);
        if (fd < 0 && errno != EAGAIN)
            pause_accepting(link, errno);
        if (fd < 0)
            return;
        take_client(link, fd);
    }
}

bool assay_link_streams_listen(struct assay_link *link, const struct assay_address *at, struct assay_net_error *error)
{
    int fd = assay_listen(at, error);
    if (fd < 0)
        return false;
    struct assay_link_listener *l = &link->listeners[link->listeners_count++];
    l->watch = (struct assay_watch){.ready = accept_some, .fd = fd};
    return assay_address_of(fd, &l->address) && assay_loop_watch(link->loop, &l->watch, ASSAY_READ);
}

/* ---- opening and ending ------------------------------------------------- */

bool assay_link_streams_open(struct assay_link *link)
{
    link->streams = calloc(1, sizeof *link->streams);
    link->table = assay_socktable_new();
    if (!link->streams || !link->table)
        return false;
    link->streams->queue_end = &link->streams->queue;
    link->resume.fire = resume;
    assay_loop_each_round(link->loop, pump_all);
    return true;
}

/* Each sender counts as having ended: what it sent until now goes on its way, then the end. */
void assay_link_streams_stop(struct assay_link *link)
{
    for (struct conn *c = link->streams->all, *next; c; c = next) {
        next = c->next;
        if (c->connecting) {
            drop(c, true);
            continue;
        }
        c->pipes[ASSAY_LINK_UP].eof = c->pipes[ASSAY_LINK_DOWN].eof = true;
        look_again(link->loop, c);
    }
}

void assay_link_streams_close(struct assay_link *link)
{
    if (link->streams) {
        while (link->streams->all)
            drop(link->streams->all, true);
        pump_all(link->loop);
    }
    while (link->spare_count > 0)
        free(link->spare[--link->spare_count]);
    assay_socktable_free(link->table);
    free(link->streams);
}
