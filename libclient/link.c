/* One link of a client: connecting, moving bytes, ending in order. */
#include <errno.h>
#include <string.h>

#include "libclient/client.h"

/* ---- connecting -------------------------------------------------------- */

static const char *place_of(const struct assay_link *l)
{
    return l->client->places[l->transport == ASSAY_NONE ? 0 : l->transport];
}

static void close_socket(struct assay_link *l)
{
    struct assay_client_io *io = &l->client->io;
    if (l->fd >= 0)
        io->close(io->user, l->fd);
    l->fd = -1;
    l->state = ASSAY_LINK_IDLE;
    l->deadline = ASSAY_CLOCK_NEVER;
}

void assay_link_init(struct assay_link *l, struct assay_client *c, uint16_t transport, uint16_t machine)
{
    const struct assay_model *model = &c->model;
    l->client = c;
    l->fd = -1;
    l->deadline = ASSAY_CLOCK_NEVER;
    if (l->transport != transport)
        l->addresses_count = 0;
    l->transport = transport;
    l->datagrams = model->frames[model->machines[machine].frame_in].end == ASSAY_END_DATAGRAM;
    l->persevering = l->datagrams && model->reliables_count > 0;
}

void assay_link_clear(struct assay_link *l)
{
    l->owed = l->shut = l->lost = l->hasty = l->strayed = l->finished = l->heard = false;
    l->tell_connected = l->tell_ended = false;
    l->drained = 0;
    l->problem = ASSAY_CLIENT_OK;
    l->ended_status = ASSAY_CLIENT_OK;
    l->cause = ASSAY_NONE;
    l->told_token = l->done_token = 0;
}

/* A name is looked up again for each new try: who moves is found. What was found before will do where nothing is. */
static bool resolve(struct assay_link *l)
{
    struct assay_net_error error;
    struct assay_address found[ASSAY_ADDRESSES_MAX];
    size_t n = assay_address_resolve(place_of(l), ASSAY_ADDRESS_CONNECT, found, &error);
    if (n > 0) {
        memcpy(l->addresses, found, n * sizeof *found);
        l->addresses_count = n;
    }
    if (l->addresses_count == 0)
        assay_report_link(l, "%s", error.text);
    return l->addresses_count > 0;
}

/* Where a bound link sends to until somebody is heard. */
static bool resolve_own(struct assay_link *l)
{
    struct assay_net_error error;
    struct assay_address found[ASSAY_ADDRESSES_MAX];
    if (!l->bound)
        return true;
    if (assay_address_resolve(l->client->options.bind, ASSAY_ADDRESS_LISTEN, found, &error) == 0) {
        assay_report_link(l, "%s", error.text);
        return false;
    }
    l->from = found[0];
    return true;
}

/* Start with the address at hand, or the next one that can be tried; false: there is none left. */
static bool try_address(struct assay_link *l)
{
    struct assay_client_io *io = &l->client->io;
    struct assay_net_error error;
    for (; l->address_now < l->addresses_count; l->address_now++) {
        struct assay_dial dial = {
            .to = &l->addresses[l->address_now], .from = l->bound ? &l->from : NULL, .datagrams = l->datagrams};
        l->fd = io->dial(io->user, &dial, &error);
        if (l->fd >= 0)
            return true;
        assay_report_link(l, "%s", error.text);
    }
    return false;
}

static void connected(struct assay_link *l, int64_t now)
{
    l->state = ASSAY_LINK_RUNNING;
    l->deadline = ASSAY_CLOCK_NEVER;
    l->tell_connected = true;
    l->path = (struct assay_path){.peer = l->addresses[l->address_now]};
    if (l == &l->client->own) /* the session of a call is there already */
        assay_pump_open(&l->pump, now);
}

int assay_link_begin(struct assay_link *l, int64_t now)
{
    assay_link_clear(l);
    l->adopted = false;
    l->address_now = 0;
    if (!resolve(l) || !resolve_own(l))
        return ASSAY_CLIENT_ADDRESS;
    if (!try_address(l))
        return ASSAY_CLIENT_UNREACHABLE;
    l->state = ASSAY_LINK_CONNECTING;
    l->deadline = assay_clock_after(now, l->client->options.connect_ms * ASSAY_MS);
    if (l->datagrams)
        connected(l, now);
    return ASSAY_CLIENT_OK;
}

void assay_link_adopt(struct assay_link *l, int fd, int64_t now)
{
    assay_link_clear(l);
    l->adopted = true;
    l->fd = fd;
    l->address_now = 0;
    connected(l, now);
}

static void give_up(struct assay_link *l)
{
    close_socket(l);
    l->tell_ended = true;
    l->ended_status = ASSAY_CLIENT_UNREACHABLE;
}

static void refused(struct assay_link *l, int why)
{
    struct assay_client_io *io = &l->client->io;
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_format(&l->addresses[l->address_now++], text);
    assay_report_link(l, "cannot connect to %s: %s", text, strerror(why));
    io->close(io->user, l->fd);
    l->fd = -1;
    if (!try_address(l))
        give_up(l);
}

static void connecting(struct assay_link *l, int64_t now, short ready)
{
    struct assay_client_io *io = &l->client->io;
    if (!ready) {
        if (now < l->deadline)
            return;
        assay_report_link(l, "cannot connect: no answer in time");
        give_up(l);
        return;
    }
    int why = io->connected(io->user, l->fd);
    if (why)
        refused(l, why);
    else
        connected(l, now);
}

/* ---- moving bytes ------------------------------------------------------ */

static ssize_t send_once(struct assay_link *l, struct assay_span out)
{
    struct assay_client_io *io = &l->client->io;
    return io->send(io->user, l->fd, out.p, out.n, l->datagrams, l->bound ? &l->path : NULL);
}

/* Nobody took a datagram. Who sends it again takes no notice: the other side may be about to start anew. */
static void turned_away(struct assay_link *l)
{
    if (!l->persevering)
        l->problem = ASSAY_CLIENT_UNREACHABLE;
}

/* A refusal is of a datagram before this one, which is still to be sent. */
static ssize_t send_out(struct assay_link *l, struct assay_span out)
{
    ssize_t n = send_once(l, out);
    if (n == ASSAY_IO_REFUSED) {
        turned_away(l);
        n = send_once(l, out);
    }
    return n;
}

/* What cannot be sent is lost; what was received before is still handled, then the reset. */
static void lose(struct assay_link *l, ssize_t why)
{
    struct assay_span out = assay_pump_output(&l->pump);
    assay_pump_sent(&l->pump, out.n);
    if (why == ASSAY_IO_LONG)
        l->problem = ASSAY_CLIENT_VALUE;
    if (why == ASSAY_IO_REFUSED)
        turned_away(l);
    if (why == ASSAY_IO_LONG || why == ASSAY_IO_REFUSED)
        return;
    l->lost = true;
    if (l->state == ASSAY_LINK_CLOSING)
        l->shut = true;
}

void assay_link_flush(struct assay_link *l)
{
    if (l->fd < 0 || l->state == ASSAY_LINK_CONNECTING)
        return;
    while (assay_pump_has_output(&l->pump)) {
        struct assay_span out = assay_pump_output(&l->pump);
        ssize_t n = send_out(l, out);
        if (n == ASSAY_IO_AGAIN)
            return;
        if (n < 0) {
            lose(l, n);
            continue;
        }
        l->owed = true;
        assay_pump_sent(&l->pump, (uint32_t)n);
    }
}

static void hang_up(struct assay_link *l, ssize_t why)
{
    if (why == ASSAY_IO_REFUSED || why == ASSAY_IO_LONG)
        turned_away(l);
    else if (why != ASSAY_IO_AGAIN)
        assay_pump_hangup(&l->pump, why == ASSAY_IO_EOF ? ASSAY_PUMP_EOF : ASSAY_PUMP_RESET);
}

/* One read; false: there is no more for now. */
static bool receive(struct assay_link *l)
{
    struct assay_client_io *io = &l->client->io;
    uint32_t room;
    uint8_t *to = assay_pump_room(&l->pump, &room);
    if (room == 0)
        return false;
    ssize_t n = io->receive(io->user, l->fd, to, room, l->datagrams, l->bound ? &l->path : NULL);
    if (n > 0 || (n == 0 && l->datagrams)) {
        l->owed = false;
        assay_pump_received(&l->pump, n < room ? (uint32_t)n : room);
        return l->datagrams || n == room;
    }
    hang_up(l, n);
    return false;
}

/* A server that sends without end must not keep time from passing. */
#define READS_MAX 16

static void running(struct assay_link *l, int64_t now, short ready)
{
    bool more = (ready & ~POLLOUT) != 0;
    for (int reads = 0; reads < READS_MAX; reads++) {
        if (more)
            more = l->pump.end == ASSAY_PUMP_OPEN && receive(l);
        assay_pump_run(&l->pump, now);
        assay_link_flush(l);
        if (!more || l->pump.waiting || l->pump.pending || l->pump.full)
            break;
    }
}

/* ---- ending ------------------------------------------------------------ */

void assay_link_drop(struct assay_link *l)
{
    bool was_there = l->state != ASSAY_LINK_IDLE;
    l->lost = l->lost || assay_pump_has_output(&l->pump);
    close_socket(l);
    if (was_there)
        l->tell_ended = true;
}

void assay_link_abort(struct assay_link *l)
{
    struct assay_client_io *io = &l->client->io;
    io->reset(io->user, l->fd);
    l->fd = -1;
    assay_link_drop(l);
}

/* The other side ended what it sends: in order, unless it did not want all that was sent to it. */
static void note_end(struct assay_link *l, ssize_t why)
{
    struct assay_client_io *io = &l->client->io;
    if (l->owed && (why < 0 || io->connected(io->user, l->fd) != 0))
        l->lost = true;
}

/* Read and throw away; true: the server has closed, or sends too much. */
static bool drain(struct assay_link *l)
{
    struct assay_client_io *io = &l->client->io;
    for (;;) {
        ssize_t n = io->receive(io->user, l->fd, l->pump.in, l->pump.in_cap, false, NULL);
        if (n == ASSAY_IO_AGAIN)
            return false;
        if (n <= 0) {
            note_end(l, n);
            return true;
        }
        l->owed = false;
        l->drained += (uint64_t)n;
        if (l->drained > l->client->model.limits.drain)
            return true;
    }
}

/* The running call has until its own deadline to have sent what it sends. */
static int64_t drain_until(const struct assay_link *l, int64_t now)
{
    const struct assay_calling *call = &l->client->call;
    int64_t until = assay_clock_after(now, l->client->model.limits.drain_time);
    bool mine = call->index >= 0 && call->link == l && assay_pump_has_output(&l->pump);
    return mine && call->deadline > until ? call->deadline : until;
}

/* Closing while something is unread would reset the connection, and could destroy what was sent last. */
static void closing(struct assay_link *l, int64_t now)
{
    struct assay_client_io *io = &l->client->io;
    assay_link_flush(l);
    if (!assay_pump_has_output(&l->pump) && !l->shut) {
        io->shut(io->user, l->fd);
        l->shut = true;
        l->deadline = assay_clock_after(now, l->client->model.limits.drain_time);
    }
    bool over = drain(l);
    if (over || now >= l->deadline || (l->shut && !l->owed))
        assay_link_drop(l);
}

/* Nothing comes behind datagrams but the news that nobody wanted them, which is there by now or will not be waited for.
 */
static void finish_datagrams(struct assay_link *l)
{
    struct assay_client_io *io = &l->client->io;
    assay_link_flush(l);
    if (!l->bound && io->connected(io->user, l->fd) == ECONNREFUSED)
        turned_away(l);
    assay_link_drop(l);
}

void assay_link_listen(struct assay_link *l)
{
    if (l->datagrams || l->pump.end != ASSAY_PUMP_OPEN || !assay_pump_has_output(&l->pump) || l->owed)
        return;
    (void)receive(l);
    l->lost = l->lost || l->pump.end != ASSAY_PUMP_OPEN;
}

void assay_link_finish(struct assay_link *l, int64_t now)
{
    if (l->datagrams) {
        finish_datagrams(l);
        return;
    }
    l->state = ASSAY_LINK_CLOSING;
    l->deadline = drain_until(l, now);
    if (l->pump.end != ASSAY_PUMP_OPEN) {
        assay_link_flush(l);
        assay_link_drop(l);
        return;
    }
    closing(l, now);
}

/* ---- what is to be done ------------------------------------------------------ */

static void pausing(struct assay_link *l, int64_t now)
{
    if (now < l->deadline)
        return;
    l->state = ASSAY_LINK_IDLE;
    int status = assay_link_begin(l, now);
    if (status == ASSAY_CLIENT_OK)
        return;
    l->tell_ended = true;
    l->ended_status = status;
}

void assay_link_step(struct assay_link *l, int64_t now, short ready)
{
    switch (l->state) {
    case ASSAY_LINK_IDLE:
        break;
    case ASSAY_LINK_PAUSING:
        pausing(l, now);
        break;
    case ASSAY_LINK_CONNECTING:
        connecting(l, now, ready);
        break;
    case ASSAY_LINK_RUNNING:
        running(l, now, ready);
        break;
    case ASSAY_LINK_CLOSING:
        closing(l, now);
        break;
    }
}

short assay_link_wants(const struct assay_link *l)
{
    short out = assay_pump_has_output(&l->pump) ? POLLOUT : 0;
    switch (l->state) {
    case ASSAY_LINK_IDLE:
    case ASSAY_LINK_PAUSING:
        return 0;
    case ASSAY_LINK_CONNECTING:
        return POLLOUT;
    case ASSAY_LINK_RUNNING:
        return l->pump.end == ASSAY_PUMP_OPEN && !l->pump.pending && !l->pump.early ? (short)(POLLIN | out) : out;
    case ASSAY_LINK_CLOSING:
        break;
    }
    return POLLIN | out;
}

int64_t assay_link_deadline(const struct assay_link *l)
{
    assay_time timer = l->state == ASSAY_LINK_RUNNING ? assay_pump_deadline(&l->pump) : ASSAY_NEVER;
    return timer < l->deadline ? timer : l->deadline;
}

bool assay_link_has_event(const struct assay_link *l)
{
    return l->tell_connected || l->tell_ended || l->pump.waiting;
}
