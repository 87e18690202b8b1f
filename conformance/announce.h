/* Where a target says that it listens: "listening on tcp:127.0.0.1:4711", "udp:[::1]:53", or any ADDR:PORT, which is
 * one of TCP. */
#ifndef ASSAY_CONFORMANCE_ANNOUNCE_H
#define ASSAY_CONFORMANCE_ANNOUNCE_H

#include "net/address.h"

enum assay_carrier { ASSAY_CARRIER_TCP, ASSAY_CARRIER_UDP, ASSAY_CARRIERS };

struct assay_announced {
    struct assay_address at[ASSAY_CARRIERS];
    bool has[ASSAY_CARRIERS];
};

/* The line that is being written. */
struct assay_lines {
    char line[1024];
    size_t n;
};

/* More of what was printed; the first address of each carrier counts. */
void assay_announced_scan(struct assay_announced *announced, struct assay_lines *lines, const char *bytes, size_t n);

/* Take that address (the wildcard is reached over loopback). False: it is none. */
bool assay_announced_take(struct assay_announced *announced, enum assay_carrier carrier, const char *host, size_t n,
                          const char *port);

#endif
