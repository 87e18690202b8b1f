#include "libclient/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/clock.h"

static int64_t now(void *user)
{
    (void)user;
    return assay_clock_now();
}

static int dial(void *user, const struct assay_dial *dial, struct assay_net_error *error)
{
    (void)user;
    if (!dial->datagrams)
        return assay_connect(dial->to, error);
    return dial->from ? assay_udp_bind(dial->from, error) : assay_udp_connect(dial->to, 0, error);
}

static int connected(void *user, int fd)
{
    (void)user;
    return assay_connected(fd);
}

static ssize_t datagram_result(ssize_t n)
{
    if (n != ASSAY_DATAGRAM_FAILED)
        return n == ASSAY_DATAGRAM_AGAIN ? (ssize_t)ASSAY_IO_AGAIN : n;
    return errno == EMSGSIZE ? (ssize_t)ASSAY_IO_LONG : (ssize_t)ASSAY_IO_REFUSED;
}

static ssize_t receive(void *user, int fd, void *bytes, size_t size, bool datagrams, struct assay_path *path)
{
    (void)user;
    return datagrams ? datagram_result(assay_udp_receive(fd, bytes, size, path)) : assay_receive(fd, bytes, size);
}

static ssize_t send_some(void *user, int fd, const void *bytes, size_t size, bool datagrams,
                         const struct assay_path *path)
{
    (void)user;
    return datagrams ? datagram_result(assay_udp_send(fd, bytes, size, path)) : assay_send(fd, bytes, size);
}

static void shut(void *user, int fd)
{
    (void)user;
    assay_shut(fd);
}

static void close_it(void *user, int fd)
{
    (void)user;
    close(fd);
}

static void reset(void *user, int fd)
{
    (void)user;
    assay_reset(fd);
}

static int wait_for(void *user, struct pollfd *fds, unsigned count, int ms)
{
    (void)user;
    return poll(fds, count, ms);
}

const struct assay_client_io assay_client_system = {
    .now = now,
    .dial = dial,
    .connected = connected,
    .receive = receive,
    .send = send_some,
    .shut = shut,
    .close = close_it,
    .reset = reset,
    .wait = wait_for,
};

void assay_unblock(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}
