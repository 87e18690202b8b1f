#include "net/datagram.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/bind.h"

#define DATAGRAM (SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* Room for what many senders say at once. The kernel cuts it down to net.core.rmem_max. */
#define RECEIVE_ROOM (1 << 20)

/* ---- sockets ----------------------------------------------------------- */

/* No SO_REUSEADDR: with it two servers would share the port, and one of them hear nothing. */
static int bind_to(const struct assay_address *at, bool shared, struct assay_net_error *error)
{
    int fd = socket(at->any.sa_family, DATAGRAM, 0);
    if (fd < 0)
        return assay_net_fail(fd, "listen on udp:", at, error);
    bool v6 = at->any.sa_family == AF_INET6;
    if (v6)
        assay_net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !assay_net_takes_v4(at));
    /* Where there is one address to answer from, asking for it with each datagram would cost for nothing. */
    if (v6 ? assay_net_is_any(at) : at->v4.sin_addr.s_addr == INADDR_ANY)
        assay_net_set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
    assay_net_set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_ROOM);
    if (shared)
        assay_net_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind(fd, &at->any, at->size) < 0)
        return assay_net_fail(fd, "listen on udp:", at, error);
    return fd;
}

int assay_udp_bind(const struct assay_address *at, struct assay_net_error *error)
{
    int fd = assay_net_bind(at, bind_to, error);
    /* As in assay_listen(): a bind that shares would also succeed beside a server of somebody else. */
    if (fd >= 0 && assay_net_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        return assay_net_fail(fd, "listen on udp:", at, error);
    return fd;
}

int assay_udp_bind_again(const struct assay_address *at, struct assay_net_error *error)
{
    return bind_to(at, true, error);
}

static int bind_port(int fd, int family, uint16_t port)
{
    struct assay_address any = {.v6 = {.sin6_family = AF_INET6}, .size = sizeof any.v6};
    if (family == AF_INET)
        any = (struct assay_address){.v4 = {.sin_family = AF_INET}, .size = sizeof any.v4};
    assay_address_set_port(&any, port);
    return port == 0 ? 0 : bind(fd, &any.any, any.size);
}

int assay_udp_connect(const struct assay_address *to, uint16_t port, struct assay_net_error *error)
{
    int fd = socket(to->any.sa_family, DATAGRAM, 0);
    if (fd < 0 || bind_port(fd, to->any.sa_family, port) < 0 || connect(fd, &to->any, to->size) < 0)
        return assay_net_fail(fd, "send to udp:", to, error);
    return fd;
}

/* ---- datagrams --------------------------------------------------------- */

struct control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static ssize_t failed(void)
{
    bool again = errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
    return again ? (ssize_t)ASSAY_DATAGRAM_AGAIN : (ssize_t)ASSAY_DATAGRAM_FAILED;
}

static struct in6_addr mapped(struct in_addr v4)
{
    struct in6_addr v6 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&v6.s6_addr[12], &v4, sizeof v4);
    return v6;
}

static void read_local(struct msghdr *m, struct in6_addr *local)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            *local = mapped(info.ipi_spec_dst);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            *local = info.ipi6_addr;
        }
    }
}

/* What a datagram that comes is received with. */
static void prepare(struct msghdr *m, struct iovec *part, struct control *control, struct assay_path *path)
{
    *m = (struct msghdr){.msg_iov = part, .msg_iovlen = 1};
    if (!path)
        return;
    *path = (struct assay_path){.peer.size = 0};
    m->msg_name = &path->peer.any;
    m->msg_namelen = sizeof path->peer.v6;
    m->msg_control = control->bytes;
    m->msg_controllen = sizeof control->bytes;
}

static void read_path(struct msghdr *m, struct assay_path *path)
{
    path->peer.size = m->msg_namelen;
    read_local(m, &path->local);
}

ssize_t assay_udp_receive(int fd, void *bytes, size_t size, struct assay_path *path)
{
    struct iovec part = {bytes, size};
    struct control control;
    struct msghdr m;
    prepare(&m, &part, &control, path);
    ssize_t n = recvmsg(fd, &m, MSG_TRUNC);
    if (n < 0)
        return failed();
    if (path)
        read_path(&m, path);
    return n;
}

int assay_udp_receive_some(int fd, struct assay_arrival *arrivals, unsigned count)
{
    struct mmsghdr all[ASSAY_DATAGRAM_BATCH];
    struct iovec parts[ASSAY_DATAGRAM_BATCH];
    struct control controls[ASSAY_DATAGRAM_BATCH];
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){arrivals[i].bytes, arrivals[i].cap};
        prepare(&all[i].msg_hdr, &parts[i], &controls[i], &arrivals[i].path);
    }
    int n = recvmmsg(fd, all, count, MSG_TRUNC, NULL);
    for (int i = 0; i < n; i++) {
        arrivals[i].size = all[i].msg_len;
        read_path(&all[i].msg_hdr, &arrivals[i].path);
    }
    return n >= 0 ? n : (int)failed();
}

static void put_control(struct msghdr *m, int level, int type, const void *info, size_t size)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), info, size);
    m->msg_controllen = CMSG_SPACE(size);
}

/* An answer comes from the address that was asked, also where the socket has them all. */
static void write_local(struct msghdr *m, const struct assay_path *path)
{
    if (path->peer.any.sa_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = path->local};
        put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
        struct in_pktinfo info = {.ipi_ifindex = 0};
        memcpy(&info.ipi_spec_dst, &path->local.s6_addr[12], sizeof info.ipi_spec_dst);
        put_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
}

/* Where a datagram goes. It points into what is handed in. */
struct route {
    struct sockaddr_in6 to;
    struct control control;
    struct msghdr head; /* without bytes */
};

static void find_route(struct route *route, const struct assay_path *path)
{
    route->head = (struct msghdr){.msg_iovlen = 1};
    if (!path)
        return;
    memcpy(&route->to, &path->peer.any, path->peer.size);
    route->head.msg_name = &route->to;
    route->head.msg_namelen = path->peer.size;
    if (IN6_IS_ADDR_UNSPECIFIED(&path->local))
        return;
    memset(&route->control, 0, sizeof route->control);
    route->head.msg_control = route->control.bytes;
    route->head.msg_controllen = sizeof route->control;
    write_local(&route->head, path);
}

static struct iovec part_of(const void *bytes, size_t size)
{
    struct iovec part = {.iov_len = size};
    memcpy(&part.iov_base, &bytes, sizeof bytes); /* an iovec knows no const */
    return part;
}

ssize_t assay_udp_send(int fd, const void *bytes, size_t size, const struct assay_path *path)
{
    struct route route;
    struct iovec part = part_of(bytes, size);
    find_route(&route, path);
    route.head.msg_iov = &part;
    ssize_t n = sendmsg(fd, &route.head, MSG_NOSIGNAL);
    return n >= 0 ? n : failed();
}

int assay_udp_send_some(int fd, const uint8_t *bytes, const uint32_t *ends, unsigned count,
                        const struct assay_path *path)
{
    struct route route;
    struct mmsghdr all[ASSAY_DATAGRAM_BATCH];
    struct iovec parts[ASSAY_DATAGRAM_BATCH];
    find_route(&route, path);
    for (unsigned i = 0; i < count; i++) {
        uint32_t from = i > 0 ? ends[i - 1] : 0;
        parts[i] = part_of(bytes + from, ends[i] - from);
        all[i].msg_hdr = route.head;
        all[i].msg_hdr.msg_iov = &parts[i];
    }
    int n = sendmmsg(fd, all, count, MSG_NOSIGNAL);
    return n >= 0 ? n : (int)failed();
}

uint32_t assay_udp_dropped(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;
    bool told = getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0;
    return told ? info[SK_MEMINFO_DROPS] : 0;
}
