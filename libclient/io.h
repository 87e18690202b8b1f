/* What a client needs of the system, as a table of functions: sockets, the
 * clock, waiting. Tests put a memory link with faults in its place.
 *
 * Results of receive and send that are no number of bytes are those of enum
 * assay_io, and REFUSED and LONG below. 0 received is the end of a stream, or
 * an empty datagram. */
#ifndef ASSAY_LIBCLIENT_IO_H
#define ASSAY_LIBCLIENT_IO_H

#include <poll.h>

#include "net/datagram.h"
#include "net/socket.h"

enum assay_io_more {
    ASSAY_IO_REFUSED = -3, /* datagrams: nobody listens there; the socket goes on */
    ASSAY_IO_LONG = -4,    /* datagrams: longer than the network takes; not sent */
};

/* How to make a link. */
struct assay_dial {
    const struct assay_address *to;
    const struct assay_address *from; /* datagrams: be reachable here, by anybody; NULL: talk to `to` alone */
    bool datagrams;
};

struct assay_client_io {
    int64_t (*now)(void *user);
    /* Begin to connect: a descriptor, or -1 with *error; `connected` tells 0 or the errno when it is writable. */
    int (*dial)(void *user, const struct assay_dial *dial, struct assay_net_error *error);
    int (*connected)(void *user, int fd);
    /* `path`: of datagrams of a link that anybody reaches; else NULL. */
    ssize_t (*receive)(void *user, int fd, void *bytes, size_t size, bool datagrams, struct assay_path *path);
    ssize_t (*send)(void *user, int fd, const void *bytes, size_t size, bool datagrams, const struct assay_path *path);
    void (*shut)(void *user, int fd);
    void (*close)(void *user, int fd);
    void (*reset)(void *user, int fd);
    /* As poll(2). */
    int (*wait)(void *user, struct pollfd *fds, unsigned count, int ms);
    void *user;
};

/* That of the system. */
extern const struct assay_client_io assay_client_system;

/* Have a descriptor never wait. */
void assay_unblock(int fd);

#endif
