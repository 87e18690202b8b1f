/* UDP sockets: non-blocking, closed on exec. */
#ifndef ASSAY_NET_DATAGRAM_H
#define ASSAY_NET_DATAGRAM_H

#include <sys/types.h>

#include "net/address.h"

/* Bytes that hold every datagram whole. */
#define ASSAY_DATAGRAM_MAX 65536u

/* Results of the functions below that are no number of bytes. 0 is an empty datagram. */
enum assay_datagram_io {
    ASSAY_DATAGRAM_AGAIN = -1,  /* none there; no room to send */
    ASSAY_DATAGRAM_FAILED = -2, /* errno says why (ECONNREFUSED: nobody listens there); the socket goes on */
};

/* From and to where a datagram goes: the other side, and which address of this machine it uses. */
struct assay_path {
    struct assay_address peer;
    struct in6_addr local; /* IPv4 as ::ffff:a.b.c.d; all zero: the system chooses */
};

/* A bound socket, or -1 with *error. Wildcards as with assay_listen(). An
 * address that another socket is bound to is refused. */
int assay_udp_bind(const struct assay_address *at, struct assay_net_error *error);

/* Another socket that shares the address of one that assay_udp_bind() made: each sender gets to one of them. */
int assay_udp_bind_again(const struct assay_address *at, struct assay_net_error *error);

/* A socket that talks with one address alone, from local port `port` (0: any);
 * assay_udp_receive() and assay_udp_send() take NULL for the path. -1 with *error. */
int assay_udp_connect(const struct assay_address *to, uint16_t port, struct assay_net_error *error);

/* The next datagram: its size, which is larger than `size` if it was cut. */
ssize_t assay_udp_receive(int fd, void *bytes, size_t size, struct assay_path *path);

/* Send one, along the path of one that came (or to a `peer` with the rest zero). */
ssize_t assay_udp_send(int fd, const void *bytes, size_t size, const struct assay_path *path);

/* Several at once, at most ASSAY_DATAGRAM_BATCH: how many there were, or AGAIN or FAILED. The caller sets `bytes` and
 * `cap`; `size` is larger than `cap` if the datagram was cut. */
#define ASSAY_DATAGRAM_BATCH 32u
struct assay_arrival {
    struct assay_path path;
    uint8_t *bytes;
    uint32_t cap, size;
};
int assay_udp_receive_some(int fd, struct assay_arrival *arrivals, unsigned count);

/* Send several along one path, at most ASSAY_DATAGRAM_BATCH; datagram i ends at bytes + ends[i], where the next one
 * begins. How many were sent; when the first one cannot be: AGAIN or FAILED, with errno. */
int assay_udp_send_some(int fd, const uint8_t *bytes, const uint32_t *ends, unsigned count,
                        const struct assay_path *path);

/* How many datagrams the kernel has thrown away because the socket's buffer was full; 0 where it does not say. */
uint32_t assay_udp_dropped(int fd);

#endif
