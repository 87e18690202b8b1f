/* The reference server: runs the server machine of any model over TCP.
 *
 * One event loop for each core; each has its own engine, connections and
 * listening sockets (which share their addresses). Files are written by one
 * thread that all loops share. */
#ifndef ASSAY_REF_SERVER_SERVER_H
#define ASSAY_REF_SERVER_SERVER_H

#include <stdio.h>

#include "core/engine.h"
#include "net/address.h"

struct assay_server_config {
    const struct assay_model *model; /* its options hold the values to run with */
    struct assay_limits limits;
    uint64_t leniencies;
    const char *const *listen; /* addresses as in net/address.h; none: where the spec says */
    size_t listen_count;
    const char *data; /* folder of the files that effects name */
    unsigned loops;   /* 0: one for each core that this process may use */
    bool trace;       /* tell each message and step on stderr; runs one loop */
};

enum assay_server_end {
    ASSAY_SERVER_STOPPED,     /* by a signal, or by the protocol, after all was answered */
    ASSAY_SERVER_UNUSABLE,    /* could not start: *error says why */
    ASSAY_SERVER_INTERRUPTED, /* a second signal; connections were cut */
};

/* Serve until SIGTERM or SIGINT; SIGHUP opens files anew. Tells `announce`
 * one line "listening on tcp:ADDR:PORT" for each address when it is ready.
 * Blocks these signals in the calling thread, and ignores SIGPIPE and SIGXFSZ. */
enum assay_server_end assay_server_run(const struct assay_server_config *config, FILE *announce,
                                       struct assay_net_error *error);

#endif
