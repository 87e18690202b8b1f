/* What streams and datagrams share: options of sockets, what failed, and wildcards where there is no IPv6. */
#ifndef ASSAY_NET_BIND_H
#define ASSAY_NET_BIND_H

#include "net/address.h"

/* As setsockopt(2), of one int. */
int assay_net_set(int fd, int level, int name, int value);

/* -1, with *error ("cannot DOING ADDRESS: why", by errno, which stays) and `fd` closed, if there is one. */
int assay_net_fail(int fd, const char *doing, const struct assay_address *address, struct assay_net_error *error);

/* Whether it is the wildcard of IPv6, which takes IPv4 as well. */
bool assay_net_is_any(const struct assay_address *address);

/* Whether a socket that is bound to it takes IPv4: that wildcard, or an IPv4 address as one of IPv6. */
bool assay_net_takes_v4(const struct assay_address *address);

/* What `bind_to` gives for an address that is not shared yet; the wildcard of IPv4 where there is no IPv6. */
int assay_net_bind(const struct assay_address *at,
                   int bind_to(const struct assay_address *at, bool shared, struct assay_net_error *error),
                   struct assay_net_error *error);

#endif
