/* A network namespace of its own for a command: it sees a loopback interface and
 * nothing else, so that the sockets which a link opens in there are its only way
 * to the world. A child process, the keeper, makes the namespace (in a user
 * namespace of its own where that is needed), runs the command in it and opens
 * sockets on request. Nothing is left to clean up: the namespace goes with the
 * last process in it.
 */
#ifndef ASSAY_LINK_NETNS_H
#define ASSAY_LINK_NETNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/address.h"

enum assay_netns_socket { ASSAY_NETNS_BIND, ASSAY_NETNS_CONNECT }; /* assay_udp_bind(), assay_connect() */

struct assay_netns {
    pid_t keeper;
    int requests; /* to the keeper */
    int ended;    /* readable when the command has ended */
};

enum assay_netns_result {
    ASSAY_NETNS_OK,
    ASSAY_NETNS_REFUSED, /* by the kernel: *error says what and why */
    ASSAY_NETNS_FAILED,  /* for want of resources */
};

/* Make the namespace and run `command` (argv, ended by NULL) in it, in a process group of its own, with /dev/null as
 * its input and its output to standard error. To be called while there is one thread and no signal is blocked. */
enum assay_netns_result assay_netns_open(struct assay_netns *netns, char *const *command,
                                         struct assay_net_error *error);

/* A socket of the namespace, made by the function that `what` names; -1 with errno and *error as that leaves them. */
int assay_netns_socket(const struct assay_netns *netns, enum assay_netns_socket what, const struct assay_address *at,
                       struct assay_net_error *error);

/* The status of the command as wait(2) tells it, once `ended` is readable. */
int assay_netns_status(const struct assay_netns *netns);

/* End the command, if it runs: SIGTERM to its group, SIGKILL 2 s later. */
void assay_netns_close(struct assay_netns *netns);

#endif
