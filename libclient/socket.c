/* The connection of a client: connecting, moving bytes, ending in order. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libclient/client.h"

/* ---- connecting -------------------------------------------------------- */

static void close_socket(struct assay_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->state = ASSAY_CLIENT_IDLE;
    c->deadline = ASSAY_CLOCK_NEVER;
}

static bool resolve(struct assay_client *c)
{
    struct assay_net_error error;
    if (c->addresses_count == 0)
        c->addresses_count = assay_address_resolve(c->address, ASSAY_ADDRESS_CONNECT, c->addresses, &error);
    if (c->addresses_count == 0)
        assay_report(c, 0, "%s", error.text);
    return c->addresses_count > 0;
}

/* Start with the address at hand, or the next one that can be tried; false: there is none left. */
static bool try_address(struct assay_client *c)
{
    struct assay_net_error error;
    for (; c->address_now < c->addresses_count; c->address_now++) {
        c->fd = assay_connect(&c->addresses[c->address_now], &error);
        if (c->fd >= 0)
            return true;
        assay_report(c, 0, "%s", error.text);
    }
    return false;
}

int assay_link_begin(struct assay_client *c, int64_t now)
{
    int64_t ms = c->options.connect_ms;
    c->owed = c->shut = false;
    c->drained = 0;
    c->address_now = 0;
    if (!resolve(c))
        return ASSAY_CLIENT_ADDRESS;
    if (!try_address(c))
        return ASSAY_CLIENT_UNREACHABLE;
    c->state = ASSAY_CLIENT_CONNECTING;
    c->deadline = assay_clock_after(now, ms * ASSAY_MS);
    return ASSAY_CLIENT_OK;
}

static void give_up(struct assay_client *c)
{
    close_socket(c);
    c->tell_ended = true;
    c->ended_status = ASSAY_CLIENT_UNREACHABLE;
}

static void refused(struct assay_client *c, int why)
{
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_format(&c->addresses[c->address_now++], text);
    assay_report(c, 0, "cannot connect to %s: %s", text, strerror(why));
    close(c->fd);
    if (!try_address(c))
        give_up(c);
}

static void connecting(struct assay_client *c, int64_t now, short ready)
{
    if (!ready) {
        if (now < c->deadline)
            return;
        assay_report(c, 0, "cannot connect: no answer in time");
        give_up(c);
        return;
    }
    int why = assay_connected(c->fd);
    if (why) {
        refused(c, why);
        return;
    }
    c->state = ASSAY_CLIENT_RUNNING;
    c->deadline = ASSAY_CLOCK_NEVER;
    c->tell_connected = true;
    assay_pump_open(&c->pump, now);
}

/* ---- moving bytes ------------------------------------------------------ */

void assay_link_flush(struct assay_client *c)
{
    struct assay_span out = assay_pump_output(&c->pump);
    while (out.n > 0) {
        ssize_t n = assay_send(c->fd, out.p, out.n);
        if (n == ASSAY_IO_AGAIN)
            return;
        if (n < 0) {
            /* What cannot be sent is lost; what was received before is still handled, then the reset. */
            assay_pump_sent(&c->pump, out.n);
            if (c->state == ASSAY_CLIENT_CLOSING)
                c->shut = true;
            return;
        }
        c->owed = true;
        assay_pump_sent(&c->pump, (uint32_t)n);
        out = assay_pump_output(&c->pump);
    }
}

/* One read; false: there is no more for now. */
static bool receive(struct assay_client *c)
{
    uint32_t room;
    uint8_t *to = assay_pump_room(&c->pump, &room);
    if (room == 0)
        return false;
    ssize_t n = assay_receive(c->fd, to, room);
    if (n > 0) {
        c->owed = false;
        assay_pump_received(&c->pump, (uint32_t)n);
        return (uint32_t)n == room;
    }
    if (n != ASSAY_IO_AGAIN)
        assay_pump_hangup(&c->pump, n == ASSAY_IO_EOF ? ASSAY_PUMP_EOF : ASSAY_PUMP_RESET);
    return false;
}

/* A server that sends without end must not keep time from passing. */
#define READS_MAX 16

static void running(struct assay_client *c, int64_t now, short ready)
{
    bool more = (ready & ~POLLOUT) != 0;
    for (int reads = 0; reads < READS_MAX; reads++) {
        if (more)
            more = c->pump.end == ASSAY_PUMP_OPEN && receive(c);
        assay_pump_run(&c->pump, now);
        assay_link_flush(c);
        if (!more || c->pump.waiting || c->pump.pending || c->pump.full)
            break;
    }
}

/* ---- ending ------------------------------------------------------------ */

void assay_link_drop(struct assay_client *c)
{
    bool was_there = c->state != ASSAY_CLIENT_IDLE;
    close_socket(c);
    if (was_there)
        c->tell_ended = true;
}

void assay_link_abort(struct assay_client *c)
{
    assay_reset(c->fd);
    c->fd = -1;
    assay_link_drop(c);
}

/* Read and throw away; true: the server has closed, or sends too much. */
static bool drain(struct assay_client *c)
{
    for (;;) {
        ssize_t n = assay_receive(c->fd, c->pump.in, c->pump.in_cap);
        if (n == ASSAY_IO_AGAIN)
            return false;
        if (n <= 0)
            return true;
        c->owed = false;
        c->drained += (uint64_t)n;
        if (c->drained > c->model->limits.drain)
            return true;
    }
}

/* Closing while something is unread would reset the connection, and could destroy what was sent last. */
static void closing(struct assay_client *c, int64_t now)
{
    assay_link_flush(c);
    if (assay_pump_output(&c->pump).n == 0 && !c->shut) {
        assay_shut(c->fd);
        c->shut = true;
    }
    bool over = drain(c);
    if (over || now >= c->deadline || (c->shut && !c->owed))
        assay_link_drop(c);
}

void assay_link_finish(struct assay_client *c, int64_t now)
{
    c->state = ASSAY_CLIENT_CLOSING;
    c->deadline = assay_clock_after(now, c->model->limits.drain_time);
    if (c->pump.end != ASSAY_PUMP_OPEN) {
        assay_link_flush(c);
        assay_link_drop(c);
        return;
    }
    closing(c, now);
}

void assay_link_step(struct assay_client *c, int64_t now, short ready)
{
    switch (c->state) {
    case ASSAY_CLIENT_IDLE:
        break;
    case ASSAY_CLIENT_CONNECTING:
        connecting(c, now, ready);
        break;
    case ASSAY_CLIENT_RUNNING:
        running(c, now, ready);
        break;
    case ASSAY_CLIENT_CLOSING:
        closing(c, now);
        break;
    }
}
