/* The far end of a connection, as this machine's socket table shows it.
 *
 * When both ends share a kernel, the table says what the other end has read and
 * whether it still owes bytes that are on their way. That turns "the target saw
 * this cut" and "nothing is coming" into facts. An end on another machine is
 * not found.
 */
#ifndef ASSAY_NET_SOCKTABLE_H
#define ASSAY_NET_SOCKTABLE_H

#include "net/address.h"

struct assay_socktable;

/* NULL: no memory. Asks the kernel over netlink; reads /proc/net/tcp where that is not to be had. */
struct assay_socktable *assay_socktable_new(void);
void assay_socktable_free(struct assay_socktable *table);

#define ASSAY_FAR_UNKNOWN UINT64_MAX

struct assay_far_end {
    bool found;
    bool orphan;      /* its process has closed it; the kernel only finishes sending */
    uint32_t unread;  /* bytes that it has not read; the end of our stream may count as one */
    uint32_t unsent;  /* bytes that it has written and we have not acknowledged; its end of stream may count as one */
    uint64_t arrived; /* bytes that ever arrived there, read or not; ASSAY_FAR_UNKNOWN where the kernel does not say */
};

/* The far end of the connection whose near end is bound to `near` and connected to `far`. */
struct assay_far_end assay_socktable_find(struct assay_socktable *table, const struct assay_address *near,
                                          const struct assay_address *far);

/* Whether a socket of TCP on this machine takes connections to `address`. */
bool assay_socktable_listens(const struct assay_address *address);

/* A socket of UDP on this machine that takes what is sent to `address`. */
struct assay_udp_end {
    bool found;
    uint32_t unread; /* bytes, as the kernel counts them, that were not read */
    uint32_t drops;  /* datagrams that it had to throw away since it was opened */
};
struct assay_udp_end assay_socktable_find_udp(const struct assay_address *address);

#endif
