/* One link of a case, a connection or datagrams: sends pieces, receives, tells
 * how it ended, and proves through the socket table what the target has read. */
#ifndef ASSAY_CONFORMANCE_WIRE_H
#define ASSAY_CONFORMANCE_WIRE_H

#include "core/value.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/socktable.h"

enum assay_wire_state {
    ASSAY_WIRE_CLOSED, /* not opened, or closed by us */
    ASSAY_WIRE_CONNECTING,
    ASSAY_WIRE_OPEN,
    ASSAY_WIRE_FIN,     /* the target ended its stream */
    ASSAY_WIRE_RST,     /* the target reset it, or it broke */
    ASSAY_WIRE_REFUSED, /* no connection came about; `why` is the errno */
};

struct assay_wire {
    struct assay_watch watch; /* `ready` is the owner's */
    struct assay_loop *loop;
    enum assay_wire_state state;
    int why;
    bool shut;      /* we have shut our write side */
    bool datagrams; /* each piece is one; there is no end that the target could tell */
    int stray;      /* of datagrams: hears who else sends to our port; -1: none */
    uint32_t drops; /* that the target's socket had counted when we began */
    struct assay_address near, far;
    struct assay_span unsent; /* what is left of the last piece; borrowed */
};

/* Begin to connect; false leaves state REFUSED. The owner has set watch.ready. */
bool assay_wire_open(struct assay_wire *wire, struct assay_loop *loop, const struct assay_address *far);

/* When a connecting one is ready: to OPEN or REFUSED. */
void assay_wire_connected(struct assay_wire *wire);

/* The same for datagrams: it is open at once. */
bool assay_wire_open_datagrams(struct assay_wire *wire, struct assay_loop *loop, const struct assay_address *far);

/* A connection that the target made. The owner has set watch.ready. */
void assay_wire_take(struct assay_wire *wire, struct assay_loop *loop, int fd);

/* Send `bytes` in one write as far as the kernel takes them; they must stay
 * until `unsent` is empty. assay_wire_push() goes on when it is writable. */
void assay_wire_send(struct assay_wire *wire, struct assay_span bytes);
void assay_wire_push(struct assay_wire *wire);

/* Bytes read (0: none now, or the state has become FIN or RST). */
uint32_t assay_wire_receive(struct assay_wire *wire, uint8_t *bytes, uint32_t cap);

/* The next datagram, whole, into ASSAY_DATAGRAM_MAX bytes. False: none now, or the state has become REFUSED. */
bool assay_wire_receive_datagram(struct assay_wire *wire, uint8_t *bytes, uint32_t *n);

/* Whether a datagram came that was not from where the target was asked: from whom, and its size. Takes it. */
bool assay_wire_stray(const struct assay_wire *wire, struct assay_address *from, size_t *size);

/* The kernel threw datagrams to the target away since we began: nothing can be judged. */
bool assay_wire_dropped(const struct assay_wire *wire);

void assay_wire_shut(struct assay_wire *wire);
void assay_wire_reset(struct assay_wire *wire);

/* Close without more ado. */
void assay_wire_close(struct assay_wire *wire);

enum assay_taken {
    ASSAY_TAKEN,         /* the target has read all that was sent */
    ASSAY_NOT_TAKEN,     /* not yet */
    ASSAY_TAKEN_UNKNOWN, /* its socket is not in this machine's table */
};
enum assay_taken assay_wire_taken(const struct assay_wire *wire, struct assay_socktable *table);

/* The target has read everything, and nothing that it wrote is on its way. */
enum assay_taken assay_wire_still(const struct assay_wire *wire, struct assay_socktable *table);

/* After FIN: whether its process has closed the socket (TAKEN), still has it (NOT_TAKEN), or unknown. */
enum assay_taken assay_wire_abandoned(const struct assay_wire *wire, struct assay_socktable *table);

#endif
