#include "conformance/guest.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/datagram.h"
#include "net/socket.h"

#define HEARD_MAX (8u << 20) /* a program that writes more without ever ending a line is not read on */

#define OWNER(watch, member) ((struct assay_guest *)(void *)((char *)(watch)-offsetof(struct assay_guest, member)))

#define TRIES 5 /* ports, of which one may be in use for datagrams */

static void close_socket(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- its address ------------------------------------------------------- */

static void accept_all(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_guest *g = OWNER(watch, listener);
    (void)loop, (void)events;
    int fd = assay_accept(watch->fd);
    if (fd < 0)
        return;
    g->arrival = fd;
    g->news(g, ASSAY_GUEST_CONNECTED);
}

/* A datagram that none of the links takes: its sender gets a socket of its own, on the same port. */
static void accept_datagram(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    static uint8_t bytes[ASSAY_DATAGRAM_MAX]; /* one thread, and nothing in it outlives the call */
    struct assay_guest *g = OWNER(watch, listener);
    struct assay_net_error error;
    struct assay_path path;
    (void)loop, (void)events;
    ssize_t n = assay_udp_receive(watch->fd, bytes, sizeof bytes, &path);
    int fd = n < 0 ? -1 : assay_udp_bind_again(&g->address, &error);
    if (fd >= 0 && connect(fd, &path.peer.any, path.peer.size) < 0) {
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        return;
    g->arrival = fd;
    g->first = (struct assay_span){bytes, (uint32_t)n};
    g->news(g, ASSAY_GUEST_CONNECTED);
}

/* A socket on a free port of this machine that does not listen: the port stays ours while connections are refused. */
static int hold_port(int type, struct assay_address *at)
{
    const int on = 1;
    *at = (struct assay_address){.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                 .size = sizeof at->v4};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    /* It shares with those that come later alone. */
    if (fd >= 0 && assay_bind_aside(fd, at) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool listen_at(struct assay_guest *g, struct assay_net_error *error)
{
    if (g->datagrams)
        g->listener = (struct assay_watch){.ready = accept_datagram, .fd = assay_udp_bind(&g->address, error)};
    else
        g->listener = (struct assay_watch){.ready = accept_all, .fd = assay_listen(&g->address, error)};
    return g->listener.fd >= 0 && assay_loop_watch(g->loop, &g->listener, ASSAY_READ);
}

void assay_guest_refuse(struct assay_guest *g)
{
    if (g->listener.fd < 0)
        return;
    assay_loop_watch(g->loop, &g->listener, 0);
    close(g->listener.fd);
    g->listener.fd = -1;
}

/* A port that is free for connections, and for datagrams where these are to come. */
static bool find_place(struct assay_guest *g, struct assay_net_error *error)
{
    for (int i = 0; i < TRIES; i++) {
        g->holder = hold_port(SOCK_STREAM, &g->address);
        if (g->holder < 0) {
            snprintf(error->text, sizeof error->text, "no free port: %s", strerror(errno));
            return false;
        }
        if (listen_at(g, error))
            return true;
        assay_guest_refuse(g);
        close_socket(&g->holder);
    }
    return false;
}

bool assay_guest_welcome(struct assay_guest *g)
{
    struct assay_net_error error;
    return g->listener.fd >= 0 || listen_at(g, &error);
}

/* ---- what it writes ---------------------------------------------------- */

static bool room_for(char **bytes, size_t *cap, size_t n)
{
    if (n <= *cap)
        return true;
    char *bigger = realloc(*bytes, n * 2);
    if (!bigger)
        return false;
    *bytes = bigger;
    *cap = n * 2;
    return true;
}

static void unwatch(struct assay_guest *g, struct assay_watch *watch)
{
    if (watch->fd >= 0)
        assay_loop_watch(g->loop, watch, 0);
}

/* False: nothing there now. */
static bool hear_some(struct assay_guest *g)
{
    char bytes[4096];
    ssize_t n = g->process.out < 0 ? 0 : read(g->process.out, bytes, sizeof bytes);
    if (n <= 0)
        return false;
    if (g->heard_n + (size_t)n > HEARD_MAX || !room_for(&g->heard, &g->heard_cap, g->heard_n + (size_t)n + 1))
        return true;
    memcpy(g->heard + g->heard_n, bytes, (size_t)n);
    g->heard_n += (size_t)n;
    return true;
}

static void hear_errors(struct assay_guest *g)
{
    char bytes[4096];
    for (ssize_t n; g->process.err >= 0 && (n = read(g->process.err, bytes, sizeof bytes)) > 0;)
        assay_process_remember(&g->process, bytes, (size_t)n);
}

static void out_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_guest *g = OWNER(watch, out);
    (void)loop;
    if (hear_some(g))
        g->news(g, ASSAY_GUEST_SAID);
    else if (events & ASSAY_GONE)
        unwatch(g, watch);
}

static void err_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_guest *g = OWNER(watch, err);
    (void)loop;
    hear_errors(g);
    if (events & ASSAY_GONE)
        unwatch(g, watch);
}

/* What it started may still hold the pipes: what is in them by now counts. */
static void end_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct assay_guest *g = OWNER(watch, end);
    (void)loop, (void)events;
    if (!assay_process_ended(&g->process))
        return;
    unwatch(g, watch);
    while (hear_some(g))
        ;
    hear_errors(g);
    g->gone = true;
    g->news(g, ASSAY_GUEST_ENDED);
}

char *assay_guest_line(struct assay_guest *g, size_t *n)
{
    char *from = g->heard + g->heard_at;
    char *end = g->heard_n > g->heard_at ? memchr(from, '\n', g->heard_n - g->heard_at) : NULL;
    if (!end) {
        assay_guest_skip(g, 0);
        return NULL;
    }
    *n = (size_t)(end - from);
    g->heard_at += *n + 1;
    return from;
}

struct assay_span assay_guest_rest(const struct assay_guest *g)
{
    return (struct assay_span){(const uint8_t *)g->heard + g->heard_at, (uint32_t)(g->heard_n - g->heard_at)};
}

void assay_guest_skip(struct assay_guest *g, size_t n)
{
    g->heard_at += n;
    if (g->heard_at == 0)
        return;
    g->heard_n -= g->heard_at;
    memmove(g->heard, g->heard + g->heard_at, g->heard_n);
    g->heard_at = 0;
}

/* ---- what it is told --------------------------------------------------- */

static void close_in(struct assay_guest *g)
{
    unwatch(g, &g->in);
    if (g->process.in >= 0)
        close(g->process.in);
    g->process.in = g->in.fd = -1;
}

static void push(struct assay_guest *g)
{
    while (g->told_n && g->process.in >= 0) {
        ssize_t n = write(g->process.in, g->told, g->told_n);
        if (n < 0 && errno == EAGAIN)
            break;
        /* One that closed its standard input shows by what it does not do. */
        size_t done = n > 0 ? (size_t)n : g->told_n;
        g->told_n -= done;
        memmove(g->told, g->told + done, g->told_n);
    }
    if (g->told_n == 0 && g->leave)
        close_in(g);
    else if (g->process.in >= 0)
        assay_loop_watch(g->loop, &g->in, g->told_n ? ASSAY_WRITE : 0);
}

static void in_ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)loop, (void)events;
    push(OWNER(watch, in));
}

void assay_guest_tell(struct assay_guest *g, const char *text, size_t n)
{
    if (g->process.in < 0 || !room_for(&g->told, &g->told_cap, g->told_n + n))
        return;
    memcpy(g->told + g->told_n, text, n);
    g->told_n += n;
    push(g);
}

bool assay_guest_told(const struct assay_guest *g)
{
    return g->told_n == 0 || g->process.in < 0;
}

void assay_guest_leave(struct assay_guest *g)
{
    g->leave = true;
    push(g);
}

/* ---- start and end ----------------------------------------------------- */

/* A port that is free now, for the program to listen on. */
static uint16_t own_port(void)
{
    struct assay_address at;
    int fd = hold_port(SOCK_STREAM, &at);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? assay_address_port(&at) : 0;
}

static char *fill_in(struct assay_guest *g, const struct assay_guest_plan *plan)
{
    static const char *const names[] = {"{address}", "{host}", "{port}", "{peer_port}", "{peer_host}", NULL};
    char address[ASSAY_ADDRESS_TEXT_MAX + 4] = "udp:", port[8], peer_port[8], own[8];
    char *place = address + (g->datagrams ? 4 : 0);
    struct assay_address peer;
    uint16_t other = plan->peer_port;
    if (!plan->peer && other == 0 && strstr(plan->command, "{peer_port}") &&
        (g->peer = hold_port(SOCK_DGRAM, &peer)) >= 0)
        other = assay_address_port(&peer);
    assay_address_format(&g->address, place);
    snprintf(port, sizeof port, "%u", assay_address_port(&g->address));
    snprintf(peer_port, sizeof peer_port, "%u", other);
    if (plan->peer)
        snprintf(own, sizeof own, "%u", own_port());
    return assay_process_command(plan->command, names,
                                 (const char *const[]){address, "127.0.0.1", plan->peer ? own : port,
                                                       plan->peer ? port : peer_port, "127.0.0.1"});
}

static void watch_all(struct assay_guest *g)
{
    const struct {
        struct assay_watch *watch;
        void (*ready)(struct assay_loop *loop, struct assay_watch *watch, unsigned events);
        int fd;
        unsigned events;
    } all[] = {{&g->out, out_ready, g->process.out, ASSAY_READ},
               {&g->err, err_ready, g->process.err, ASSAY_READ},
               {&g->in, in_ready, g->process.in, 0},
               {&g->end, end_ready, g->process.pidfd, ASSAY_READ}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i].watch = (struct assay_watch){.ready = all[i].ready, .fd = all[i].fd};
        if (all[i].fd >= 0 && all[i].events)
            assay_loop_watch(g->loop, all[i].watch, all[i].events);
    }
}

bool assay_guest_start(struct assay_guest *g, struct assay_loop *loop, const struct assay_guest_plan *plan,
                       struct assay_net_error *error)
{
    g->loop = loop;
    g->peer = -1;
    g->out.fd = g->err.fd = g->in.fd = g->end.fd = g->listener.fd = -1;
    g->holder = -1;
    assay_process_init(&g->process);
    g->datagrams = plan->datagrams;
    char *command = find_place(g, error) ? fill_in(g, plan) : NULL;
    bool started = command && assay_process_start(&g->process, command, plan->way != ASSAY_UPPER_EXIT, error);
    free(command);
    if (started)
        watch_all(g);
    else
        assay_guest_free(g);
    return started;
}

void assay_guest_stop(struct assay_guest *g)
{
    struct assay_watch *all[] = {&g->out, &g->err, &g->in, &g->end};
    hear_errors(g);
    assay_guest_refuse(g);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        unwatch(g, all[i]);
        all[i]->fd = -1;
    }
    assay_process_stop(&g->process);
    close_socket(&g->holder);
    close_socket(&g->peer);
}

void assay_guest_free(struct assay_guest *g)
{
    assay_guest_stop(g);
    free(g->heard);
    free(g->told);
    g->heard = g->told = NULL;
    g->heard_n = g->told_n = g->heard_cap = g->told_cap = 0;
}
