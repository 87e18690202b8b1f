/* What the files of the running link share. */
#ifndef ASSAY_LINK_INSIDE_H
#define ASSAY_LINK_INSIDE_H

#include "link/link.h"
#include "link/netns.h"
#include "net/loop.h"

struct assay_socktable;

#define ASSAY_LINK_SPARE 16

struct assay_link_count {
    uint64_t bytes, datagrams; /* taken from the sender */
};

struct assay_link_listener {
    struct assay_watch watch;
    struct assay_address address;
};

struct assay_link {
    const struct assay_link_config *config;
    struct assay_loop *loop;
    struct assay_watch signals;
    struct assay_netns netns; /* of the server; no keeper: that of the link */
    struct assay_watch command;
    struct assay_alarm grace, resume; /* the end; accepting again */
    struct assay_link_listener listeners[ASSAY_ADDRESSES_MAX];
    size_t listeners_count;
    struct assay_address to[ASSAY_ADDRESSES_MAX];
    size_t to_count;
    uint32_t numbers; /* connections or sessions so far */
    uint32_t open;
    uint64_t unreachable, unread; /* servers not reached; pieces not read in time */
    uint64_t overflow;            /* datagrams that we had no room for, */
    uint64_t full, unsent;        /* those that a socket had none for, or did not take, */
    uint64_t unheard;             /* and those that came to closed sockets that were full */
    uint64_t expired;             /* flows that nothing was heard of */
    int unsent_why;               /* errno of the last one */
    size_t held;                  /* bytes of datagrams that wait, with what they cost */
    int64_t nth_of, nth;          /* the round of the last alarm, and how many were set before in it */
    uint64_t done[ASSAY_LINK_KINDS];
    struct assay_link_count count[ASSAY_LINK_DIRECTIONS];
    bool *planned; /* which of the plan's faults were done, by their order */
    bool stopping, interrupted, ended;
    struct assay_socktable *table;
    uint8_t *spare[ASSAY_LINK_SPARE]; /* buffers of pipes that hold nothing */
    unsigned spare_count;
    struct assay_link_streams *streams;
    struct assay_link_datagrams *datagrams;
};

/* A fault was done: counted and logged. */
void assay_link_done(struct assay_link *link, const struct assay_link_fault *fault);

/* A socket where the server is: as assay_udp_bind() and assay_connect() make it. */
int assay_link_socket(const struct assay_link *link, enum assay_netns_socket what, const struct assay_address *at,
                      struct assay_net_error *error);

/* The last connection has gone after the link was told to stop. */
void assay_link_check_end(struct assay_link *link);

/* stream.c: false: no memory. Listeners are watched by the transport's own handler. */
bool assay_link_streams_open(struct assay_link *link);
bool assay_link_streams_listen(struct assay_link *link, const struct assay_address *at, struct assay_net_error *error);
void assay_link_streams_stop(struct assay_link *link); /* pass on what was read, and end */
void assay_link_streams_close(struct assay_link *link);

/* datagram.c, the same. */
bool assay_link_datagrams_open(struct assay_link *link);
bool assay_link_datagrams_listen(struct assay_link *link, const struct assay_address *at,
                                 struct assay_net_error *error);
uint64_t assay_link_datagrams_unheard(const struct assay_link *link); /* datagrams that the kernel threw away */
void assay_link_datagrams_close(struct assay_link *link);

#endif
