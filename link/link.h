/* A link between real clients and a real server that goes wrong on purpose.
 *
 * One loop, one thread. Streams: a connection to the server for each client;
 * bytes, ends of streams and resets pass in both directions, through buffers of
 * a fixed size, so that who does not read slows down who writes. Datagrams: a
 * socket towards the server for each address of a client; when the server
 * answers from another port, the client sees another port, too, and what it
 * sends there reaches that port. Flows, the ports of servers and the bytes that
 * wait are limited; what finds no room is lost, and counted.
 */
#ifndef ASSAY_LINK_LINK_H
#define ASSAY_LINK_LINK_H

#include <stdio.h>

#include "link/faults.h"
#include "net/address.h"

struct assay_link_config {
    const struct assay_link_faults *faults;
    const char *listen, *to; /* addresses, "tcp:" or "udp:" before them or not */
    FILE *log;               /* gets a line for each fault done; NULL: none */
    char *const *command;    /* argv: `to` is in a network namespace of its own, where this runs; NULL: none */
    int64_t idle;            /* datagrams: a flow ends when nothing was heard of it for so long; ns, above 0 */
    bool unproven;           /* pieces of a split stream are sent before the ones before were read */
};

enum assay_link_end {
    ASSAY_LINK_STOPPED,     /* by a signal, in order */
    ASSAY_LINK_INTERRUPTED, /* by a second one */
    ASSAY_LINK_ENDED,       /* the command ended by itself: *status is as wait(2) tells it */
    ASSAY_LINK_REFUSED,     /* the kernel allows no namespace: *error says why */
    ASSAY_LINK_UNUSABLE,    /* it did not start: *error says why */
};

/* Announces its addresses, and what it did at the end, on `out`. */
enum assay_link_end assay_link_run(const struct assay_link_config *config, FILE *out, struct assay_net_error *error,
                                   int *status);

#endif
