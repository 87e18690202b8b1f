/* Stream sockets: non-blocking, closed on exec, never raising SIGPIPE. */
#ifndef ASSAY_NET_SOCKET_H
#define ASSAY_NET_SOCKET_H

#include <sys/types.h>

#include "net/address.h"

/* Results of assay_receive() and assay_send() that are no number of bytes. */
enum assay_io { ASSAY_IO_EOF = 0, ASSAY_IO_AGAIN = -1, ASSAY_IO_RESET = -2 };

/* A listening socket, or -1 with *error. Its connections have TCP_NODELAY.
 * The wildcard address takes IPv4 and IPv6; where there is no IPv6 it falls
 * back to IPv4. An address that anybody listens on already is refused. */
int assay_listen(const struct assay_address *at, struct assay_net_error *error);

/* Another socket that shares the address, and the connections to it, of one
 * that assay_listen() made. */
int assay_listen_again(const struct assay_address *at, struct assay_net_error *error);

/* Bind a socket to a free port that the system gives to nobody who asks for any, where there is one: nobody else takes
 * it between two uses, and nothing comes that is meant for who had it before. The port of `at` becomes that one. False
 * with errno: there is none. */
bool assay_bind_aside(int fd, struct assay_address *at);

/* The next connection of a listening socket; -1 with errno as accept(2) sets
 * it (EAGAIN: none; EMFILE, ENFILE, ENOMEM, ENOBUFS: no resources). */
int assay_accept(int listener);

/* For how long, in ns, an accepted connection has been there, as long as nothing was sent over it; for how long nothing
 * has come over it, ends of streams counted. As the kernel tells, which is a few ms less or more; 0: it does not. */
int64_t assay_connection_age(int fd);
int64_t assay_connection_quiet(int fd);

/* Begin to connect; -1 with *error if that fails at once. When the socket is
 * writable, assay_connected() tells 0 or the errno. */
int assay_connect(const struct assay_address *to, struct assay_net_error *error);
int assay_connected(int fd);

/* Bytes read or written, at least 1; or one of enum assay_io. */
ssize_t assay_receive(int fd, void *bytes, size_t size);
ssize_t assay_send(int fd, const void *bytes, size_t size);

/* Shut the write side: the peer reads EOF behind what was sent. */
void assay_shut(int fd);

/* Bytes that were received and not read. */
size_t assay_unread(int fd);

/* Whether the peer has shut its side and all that it sent was read. */
bool assay_at_eof(int fd);

/* Close with a reset. */
void assay_reset(int fd);

/* Raise the limit of open descriptors as far as allowed; returns it. */
size_t assay_descriptors_raise(void);

#endif
