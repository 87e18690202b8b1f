/* One direction of a connection: a buffer, and what happens to it on the way. */
#ifndef ASSAY_LINK_PIPE_H
#define ASSAY_LINK_PIPE_H

#include "link/inside.h"

/* Bytes that a direction holds at most, beside those in the kernel. */
#define ASSAY_LINK_BUFFER ((size_t)256 * 1024)

/* A socket of a connection. Watched edge-triggered: the flags say what the kernel said last. */
struct assay_link_end_point {
    struct assay_watch watch;
    struct assay_address local, peer;
    bool readable, writable;
    bool was_reset; /* what looks like its end is a reset */
};

struct assay_link_pipe {
    struct assay_link *link;
    struct assay_link_end_point *from, *to;
    struct assay_link_cursor cursor;
    struct assay_alarm alarm; /* when to look again; its owner is asked to */
    enum assay_link_direction direction;
    uint8_t *buffer; /* NULL: nothing is held */
    size_t start, size;
    uint64_t out;                     /* bytes passed */
    bool eof, broken;                 /* the sender has ended, or was reset */
    bool ended;                       /* the receiver was told */
    bool lost;                        /* closed by a fault: what comes is thrown away */
    int64_t rest_until;               /* nothing passes before */
    uint64_t split, split_max, piece; /* limits of a write; what is left of the current one */
    uint64_t coalesce, released;      /* hold until so many; what may leave of those held */
    int64_t coalesce_span, held_since;
    uint64_t bandwidth;
    bool reset_due; /* as soon as the receiver has read what came before */
    bool proving;   /* waits until it has, since */
    int64_t proving_since;
    unsigned looks;
    bool elsewhere; /* the receiver is not in this machine's socket table */
};

enum assay_link_pumped {
    ASSAY_LINK_WAITS, /* for a socket or its alarm */
    ASSAY_LINK_MORE,  /* pump it again, after the others had their turn */
    ASSAY_LINK_BROKE, /* the connection is to be reset */
};

void assay_link_pipe_init(struct assay_link_pipe *pipe, struct assay_link *link, uint32_t connection,
                          enum assay_link_direction direction, struct assay_link_end_point *from,
                          struct assay_link_end_point *to);
enum assay_link_pumped assay_link_pump(struct assay_link_pipe *pipe);
void assay_link_pipe_close(struct assay_link_pipe *pipe);

#endif
