#include "net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/bind.h"
#include "net/random.h"

/* The kernel cuts it down to net.core.somaxconn. */
#define BACKLOG 16384

#define STREAM (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* A bound socket with the options that its connections inherit. */
static int bind_to(const struct assay_address *at, bool shared, struct assay_net_error *error)
{
    int fd = socket(at->any.sa_family, STREAM, 0);
    if (fd < 0)
        return assay_net_fail(fd, "listen on ", at, error);
    assay_net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    assay_net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (at->any.sa_family == AF_INET6)
        assay_net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !assay_net_takes_v4(at));
    if (shared)
        assay_net_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind(fd, &at->any, at->size) < 0)
        return assay_net_fail(fd, "listen on ", at, error);
    return fd;
}

int assay_listen(const struct assay_address *at, struct assay_net_error *error)
{
    int fd = assay_net_bind(at, bind_to, error);
    /* Sharing begins only now: a bind that shares would also succeed beside a
     * server of somebody else that shares. */
    if (fd >= 0 && (assay_net_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0 || listen(fd, BACKLOG) < 0))
        return assay_net_fail(fd, "listen on ", at, error);
    return fd;
}

int assay_listen_again(const struct assay_address *at, struct assay_net_error *error)
{
    int fd = bind_to(at, true, error);
    if (fd >= 0 && listen(fd, BACKLOG) < 0)
        return assay_net_fail(fd, "listen on ", at, error);
    return fd;
}

/* Ports below those that systems give away by themselves, and above those of well-known services. */
#define ASIDE_FIRST 10000u
#define ASIDE_COUNT 22768u
#define ASIDE_TRIES 32

bool assay_bind_aside(int fd, struct assay_address *at)
{
    uint64_t chance[2];
    for (int i = 0; i <= ASIDE_TRIES; i++) {
        assay_secret(chance);
        assay_address_set_port(at, i < ASIDE_TRIES ? (uint16_t)(ASIDE_FIRST + chance[0] % ASIDE_COUNT) : 0);
        if (bind(fd, &at->any, at->size) == 0)
            return assay_address_of(fd, at);
    }
    return false;
}

int assay_accept(int listener)
{
    int fd;
    do {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    return fd;
}

static bool ask(int fd, struct tcp_info *info)
{
    socklen_t size = sizeof *info;
    memset(info, 0, sizeof *info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

int64_t assay_connection_age(int fd)
{
    struct tcp_info info;
    return ask(fd, &info) ? (int64_t)info.tcpi_last_data_sent * 1000000 : 0;
}

int64_t assay_connection_quiet(int fd)
{
    struct tcp_info info;
    return ask(fd, &info) ? (int64_t)info.tcpi_last_ack_recv * 1000000 : 0;
}

int assay_connect(const struct assay_address *to, struct assay_net_error *error)
{
    int fd = socket(to->any.sa_family, STREAM, 0);
    if (fd < 0)
        return assay_net_fail(fd, "connect to ", to, error);
    assay_net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (connect(fd, &to->any, to->size) < 0 && errno != EINPROGRESS && errno != EINTR)
        return assay_net_fail(fd, "connect to ", to, error);
    return fd;
}

int assay_connected(int fd)
{
    int why = 0;
    socklen_t size = sizeof why;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) < 0 ? errno : why;
}

static ssize_t failed_io(void)
{
    return errno == EAGAIN || errno == EINTR ? (ssize_t)ASSAY_IO_AGAIN : (ssize_t)ASSAY_IO_RESET;
}

ssize_t assay_receive(int fd, void *bytes, size_t size)
{
    ssize_t n = recv(fd, bytes, size, 0);
    return n >= 0 ? n : failed_io();
}

ssize_t assay_send(int fd, const void *bytes, size_t size)
{
    ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
    return n > 0 ? n : failed_io();
}

void assay_shut(int fd)
{
    shutdown(fd, SHUT_WR);
}

size_t assay_unread(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (size_t)n;
}

bool assay_at_eof(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void assay_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

size_t assay_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return (size_t)limit.rlim_cur;
}
