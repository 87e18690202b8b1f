#include "conformance/wire.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net/datagram.h"

static void watch(struct assay_wire *w)
{
    unsigned events = 0;
    if (w->state == ASSAY_WIRE_CONNECTING)
        events = ASSAY_WRITE;
    else if (w->state == ASSAY_WIRE_OPEN)
        events = ASSAY_READ | (w->unsent.n ? ASSAY_WRITE : 0u);
    if (w->watch.fd >= 0)
        assay_loop_watch(w->loop, &w->watch, events);
}

static void refuse(struct assay_wire *w, int why)
{
    assay_wire_close(w);
    w->state = ASSAY_WIRE_REFUSED;
    w->why = why;
}

bool assay_wire_open(struct assay_wire *w, struct assay_loop *loop, const struct assay_address *far)
{
    struct assay_net_error error;
    w->loop = loop;
    w->far = *far;
    w->shut = false;
    w->unsent = (struct assay_span){0};
    w->watch.events = 0;
    w->watch.fd = assay_connect(far, &error);
    if (w->watch.fd < 0) {
        refuse(w, errno);
        return false;
    }
    w->state = ASSAY_WIRE_CONNECTING;
    watch(w);
    return true;
}

void assay_wire_connected(struct assay_wire *w)
{
    int why = assay_connected(w->watch.fd);
    if (why != 0) {
        refuse(w, why);
        return;
    }
    assay_address_of(w->watch.fd, &w->near);
    w->state = ASSAY_WIRE_OPEN;
    watch(w);
}

/* A socket that talks with `far` alone, and another one on the same port for what comes from elsewhere. -1: it cannot
 * be had. */
static int connect_beside(struct assay_wire *w, const struct assay_address *far)
{
    struct assay_net_error error;
    struct assay_address any = {.v6 = {.sin6_family = AF_INET6}, .size = sizeof any.v6};
    if (far->any.sa_family == AF_INET)
        any = (struct assay_address){.v4 = {.sin_family = AF_INET}, .size = sizeof any.v4};
    w->stray = assay_udp_bind(&any, &error);
    int fd = w->stray >= 0 && assay_address_of(w->stray, &any) ? assay_udp_bind_again(&any, &error) : -1;
    if (fd >= 0 && connect(fd, &far->any, far->size) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool assay_wire_stray(const struct assay_wire *w, struct assay_address *from, size_t *size)
{
    static uint8_t bytes[ASSAY_DATAGRAM_MAX]; /* one thread, and nothing in it outlives the call */
    struct assay_path path;
    ssize_t n = w->datagrams && w->stray >= 0 ? assay_udp_receive(w->stray, bytes, sizeof bytes, &path) : -1;
    if (n < 0)
        return false;
    *from = path.peer;
    *size = (size_t)n;
    return true;
}

bool assay_wire_open_datagrams(struct assay_wire *w, struct assay_loop *loop, const struct assay_address *far)
{
    struct assay_net_error error;
    w->loop = loop;
    w->far = *far;
    w->datagrams = true;
    w->watch.events = 0;
    w->watch.fd = connect_beside(w, far);
    if (w->watch.fd < 0)
        w->watch.fd = assay_udp_connect(far, 0, &error);
    if (w->watch.fd < 0) {
        refuse(w, errno);
        return false;
    }
    assay_address_of(w->watch.fd, &w->near);
    w->drops = assay_socktable_find_udp(far).drops;
    w->state = ASSAY_WIRE_OPEN;
    watch(w);
    return true;
}

bool assay_wire_dropped(const struct assay_wire *w)
{
    return w->datagrams && assay_socktable_find_udp(&w->far).drops != w->drops;
}

void assay_wire_take(struct assay_wire *w, struct assay_loop *loop, int fd)
{
    w->loop = loop;
    w->shut = false;
    w->unsent = (struct assay_span){0};
    w->watch.events = 0;
    w->watch.fd = fd;
    w->far.size = sizeof w->far.v6;
    getpeername(fd, &w->far.any, &w->far.size);
    assay_address_of(fd, &w->near);
    w->state = ASSAY_WIRE_OPEN;
    watch(w);
}

/* A datagram goes whole or not at all; one that is lost on the way shows as an answer that does not come. */
static void push_datagram(struct assay_wire *w)
{
    ssize_t sent = w->watch.fd < 0 ? ASSAY_DATAGRAM_AGAIN : assay_udp_send(w->watch.fd, w->unsent.p, w->unsent.n, NULL);
    if (sent ==
        ASSAY_DATAGRAM_FAILED) /* that was said of the one before, and this one did not go: it may show the same */
        sent = assay_udp_send(w->watch.fd, w->unsent.p, w->unsent.n, NULL);
    if (sent != ASSAY_DATAGRAM_AGAIN)
        w->unsent.n = 0;
    watch(w);
}

void assay_wire_push(struct assay_wire *w)
{
    if (w->datagrams) {
        if (w->unsent.n)
            push_datagram(w);
        return;
    }
    while (w->unsent.n && w->watch.fd >= 0) {
        ssize_t n = assay_send(w->watch.fd, w->unsent.p, w->unsent.n);
        if (n == ASSAY_IO_AGAIN)
            break;
        /* What broke the connection shows when it is read. */
        uint32_t done = n > 0 ? (uint32_t)n : w->unsent.n;
        w->unsent = (struct assay_span){w->unsent.p + done, w->unsent.n - done};
    }
    watch(w);
}

void assay_wire_send(struct assay_wire *w, struct assay_span bytes)
{
    w->unsent = bytes;
    if (w->datagrams)
        push_datagram(w); /* an empty one, too */
    else
        assay_wire_push(w);
}

bool assay_wire_receive_datagram(struct assay_wire *w, uint8_t *bytes, uint32_t *n)
{
    ssize_t size = w->state == ASSAY_WIRE_OPEN ? assay_udp_receive(w->watch.fd, bytes, ASSAY_DATAGRAM_MAX, NULL)
                                               : ASSAY_DATAGRAM_AGAIN;
    if (size == ASSAY_DATAGRAM_FAILED)
        refuse(w, errno);
    *n = size > 0 ? (uint32_t)size : 0;
    return size >= 0;
}

uint32_t assay_wire_receive(struct assay_wire *w, uint8_t *bytes, uint32_t cap)
{
    if (w->state != ASSAY_WIRE_OPEN)
        return 0;
    ssize_t n = assay_receive(w->watch.fd, bytes, cap);
    if (n > 0)
        return (uint32_t)n;
    if (n != ASSAY_IO_AGAIN)
        w->state = n == ASSAY_IO_EOF ? ASSAY_WIRE_FIN : ASSAY_WIRE_RST;
    watch(w);
    return 0;
}

void assay_wire_shut(struct assay_wire *w)
{
    if (w->watch.fd >= 0 && !w->shut && !w->datagrams)
        assay_shut(w->watch.fd);
    w->shut = true;
}

static int take_out(struct assay_wire *w)
{
    int fd = w->watch.fd;
    if (fd >= 0)
        assay_loop_watch(w->loop, &w->watch, 0);
    w->watch.fd = -1;
    w->unsent.n = 0;
    w->state = ASSAY_WIRE_CLOSED;
    return fd;
}

void assay_wire_reset(struct assay_wire *w)
{
    int fd = take_out(w);
    if (fd >= 0)
        assay_reset(fd);
}

void assay_wire_close(struct assay_wire *w)
{
    int fd = take_out(w);
    if (fd >= 0)
        close(fd);
    if (w->stray >= 0)
        close(w->stray);
    w->stray = -1;
}

/* ---- what the socket table proves -------------------------------------- */

/* Bytes that we sent and the far kernel has not acknowledged. */
static int unacknowledged(const struct assay_wire *w)
{
    int n = 0;
    return ioctl(w->watch.fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

/* Datagrams are there as soon as they are sent: nothing is on its way. */
static enum assay_taken datagrams_taken(const struct assay_wire *w)
{
    struct assay_udp_end end = assay_socktable_find_udp(&w->far);
    if (!end.found || end.drops != w->drops)
        return ASSAY_TAKEN_UNKNOWN;
    return w->unsent.n == 0 && end.unread == 0 ? ASSAY_TAKEN : ASSAY_NOT_TAKEN;
}

enum assay_taken assay_wire_taken(const struct assay_wire *w, struct assay_socktable *table)
{
    if (w->datagrams)
        return datagrams_taken(w);
    struct assay_far_end end = assay_socktable_find(table, &w->near, &w->far);
    if (!end.found)
        return ASSAY_TAKEN_UNKNOWN;
    return w->unsent.n == 0 && unacknowledged(w) == 0 && end.unread == 0 ? ASSAY_TAKEN : ASSAY_NOT_TAKEN;
}

enum assay_taken assay_wire_still(const struct assay_wire *w, struct assay_socktable *table)
{
    if (w->datagrams)
        return assay_unread(w->watch.fd) == 0 ? datagrams_taken(w) : ASSAY_NOT_TAKEN;
    /* The table is asked before our own queue: a byte that left the far end in between is then seen in ours. */
    struct assay_far_end end = assay_socktable_find(table, &w->near, &w->far);
    if (!end.found)
        return ASSAY_TAKEN_UNKNOWN;
    bool sent = w->unsent.n == 0 && unacknowledged(w) == 0;
    return sent && end.unread == 0 && end.unsent == 0 && assay_unread(w->watch.fd) == 0 ? ASSAY_TAKEN : ASSAY_NOT_TAKEN;
}

enum assay_taken assay_wire_abandoned(const struct assay_wire *w, struct assay_socktable *table)
{
    struct assay_far_end end = assay_socktable_find(table, &w->near, &w->far);
    if (!end.found)
        return ASSAY_TAKEN_UNKNOWN;
    return end.orphan ? ASSAY_TAKEN : ASSAY_NOT_TAKEN;
}
