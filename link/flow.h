/* Datagrams: what datagram.c (flows and sockets) and held.c (what waits) share. */
#ifndef ASSAY_LINK_FLOW_H
#define ASSAY_LINK_FLOW_H

#include "link/inside.h"
#include "net/datagram.h"

struct assay_link_flow;
struct assay_link_packet;

/* A socket that clients see, and the address that it stands for. Those beside
 * a listener are made when the server answers from another address. */
struct assay_link_door {
    struct assay_watch watch; /* fd < 0: closed */
    struct assay_address server;
    struct assay_link_door *listener; /* the one that it was made beside; a listener's own is itself */
    int64_t used;
};

/* What happens to a datagram, of all the faults at its number. */
struct assay_link_fate {
    bool drop;
    unsigned copies;
    int64_t delay, later; /* later: between the copies */
    uint64_t places;      /* so many next ones overtake it, if they come within `patience` */
    int64_t patience;
    size_t size;
};

/* One direction of a flow. */
struct assay_link_way {
    struct assay_link_flow *flow;
    struct assay_link_cursor cursor;
    enum assay_link_direction direction;
    uint64_t number;                     /* of the last one that came */
    struct assay_link_packet *overtaken; /* those that wait for next ones, the first that came first */
    unsigned overtaken_count;
};

/* The datagrams of one address of a client, and the socket that the server knows it by. */
struct assay_link_flow {
    struct assay_link *link;
    struct assay_link_flow *next;          /* in its bucket */
    struct assay_link_flow *older, *newer; /* by when they were heard */
    struct assay_watch watch;
    struct assay_path client;
    struct assay_link_door *listener; /* where the client spoke last to the server itself */
    struct assay_link_door *answered; /* where the server's last answer left; a guess */
    struct assay_link_way ways[ASSAY_LINK_DIRECTIONS];
    int64_t heard;
    struct assay_link_packet *packets; /* all that are held */
};

/* Bytes held at most for all flows, with what they cost; more are lost, and the summary says so. */
#define ASSAY_LINK_HELD_MAX ((size_t)64 << 20)

/* At most so many of one direction wait for being overtaken: no chain of swaps is longer. */
#define ASSAY_LINK_OVERTAKEN_MAX 64u

/* Hold the last datagram that came on a way, and hand it on when its time has come. */
void assay_link_hold(struct assay_link_way *way, struct assay_link_door *door, const uint8_t *bytes,
                     const struct assay_link_fate *fate);

/* Number `number` of a way was handed on or lost: others may have waited for that. */
void assay_link_passed(struct assay_link_way *way, uint64_t number);

/* Lose what a flow holds for a door; NULL: for any. */
void assay_link_lose(struct assay_link_flow *flow, const struct assay_link_door *door);

/* datagram.c: to the sockets. */
void assay_link_hand_on(struct assay_link_way *way, const struct assay_link_door *door, const uint8_t *bytes,
                        size_t size);

#endif
