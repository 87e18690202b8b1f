/* Plans: lists of faults, each at one place. A log of a link is a plan, and so is
 * a schedule that a simulator found. The text has a fault in each line:
 *
 *   FLOW DIRECTION PLACE FAULT [VALUE]
 *
 *   1 up 3 drop               the 3rd datagram from client 1 to the server is lost
 *   2 down 1 duplicate        the 1st one from the server to client 2 arrives twice
 *   2 down 1 duplicate 30ms   the same, the second time 30 ms later
 *   1 up 4 delay 1500us       it arrives so much later than it was sent
 *   1 up 4 swap               it arrives after the next one of its direction
 *   1 up 4 swap 3/2s          it arrives after the three next ones; if these do not all come within 2 s, it goes on
 *                             without them (100ms where no time is given)
 *   1 up 5 truncate 8         its first 8 bytes arrive
 *   1 up 5 corrupt 12:40      its byte 12 (from 0) is changed by the bits 0x40
 *   1 up 4096 stall 200ms     of a stream: nothing passes for a time when 4096 bytes have passed
 *   3 refuse                  the third connection is reset
 *   * down 1 drop             * is every flow, and in the place of a direction both of them
 *   seed 7                    for what a line leaves to chance (split 1..100)
 *
 * FLOW counts connections, or the addresses of clients, from 1, in the order in
 * which their first byte or datagram came to the link. A client that comes back
 * from another port is another flow; a server that answers from another port is
 * the same one. PLACE is the number of a datagram among all that were sent in
 * its direction of its flow, from 1: those count that are lost, and what is
 * sent again counts again; the copies that a fault makes do not count. Of a
 * stream it is an offset in bytes (64KiB).
 *
 * Several faults may meet one datagram. A lost one suffers nothing else; else it
 * is truncated, corrupted, delayed, swapped, duplicated, in this order. Words
 * are set apart by blanks; # begins a comment. Pure but for assay_link_plan_load()
 * and assay_link_plan_write().
 */
#ifndef ASSAY_LINK_PLAN_H
#define ASSAY_LINK_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum assay_link_kind {
    ASSAY_LINK_REFUSE,    /* the connection is reset as soon as it was accepted */
    ASSAY_LINK_SPLIT,     /* from here on no write is larger than size..size_max; 0: no limit */
    ASSAY_LINK_CUT,       /* one write ends here */
    ASSAY_LINK_COALESCE,  /* from here on bytes are held until there are `size`, or for `span`; 0: they are not */
    ASSAY_LINK_STALL,     /* nothing passes for `span` */
    ASSAY_LINK_BANDWIDTH, /* from here on `size` bytes a second; 0: no limit */
    ASSAY_LINK_CLOSE,     /* the receiver reads the end of the stream, what is sent later is lost */
    ASSAY_LINK_RESET,     /* both ends are reset */
    ASSAY_LINK_DROP,      /* the rest are those of datagrams */
    ASSAY_LINK_TRUNCATE,  /* only the first `size` bytes arrive */
    ASSAY_LINK_CORRUPT,   /* the byte at offset `size` is changed by the bits of `mask` */
    ASSAY_LINK_DELAY,     /* it arrives `span` later */
    ASSAY_LINK_SWAP,      /* it arrives after the `size` next ones, or when these have not come in `span`; 0: 100 ms */
    ASSAY_LINK_DUPLICATE, /* it arrives twice, the second time `span` later */
    ASSAY_LINK_KINDS,
};

enum assay_link_transport { ASSAY_LINK_STREAM, ASSAY_LINK_DATAGRAMS };

enum assay_link_direction { ASSAY_LINK_UP, ASSAY_LINK_DOWN }; /* up: from the client to the server */
#define ASSAY_LINK_DIRECTIONS 2

/* What stands behind the name of a kind: in an option before the place, in a plan behind the name. */
enum assay_link_value {
    ASSAY_LINK_NOTHING,
    ASSAY_LINK_SIZES,  /* 7 or 1..100 */
    ASSAY_LINK_HOLD,   /* 4KiB or 4KiB/20ms */
    ASSAY_LINK_SPAN,   /* 200ms or 10ms..50ms */
    ASSAY_LINK_LATER,  /* nothing, or a span */
    ASSAY_LINK_BYTES,  /* 100KiB */
    ASSAY_LINK_FLIP,   /* 12:40, offset and bits in hex */
    ASSAY_LINK_PLACES, /* nothing, 3 or 3/500ms */
};

struct assay_link_kind_row {
    const char *name;
    enum assay_link_transport transport;
    enum assay_link_value value;
    const char *takes; /* of the option, for its help */
    const char *text;
};
extern const struct assay_link_kind_row assay_link_kinds[ASSAY_LINK_KINDS];

/* One fault at one place: a line of a plan. The members that its kind does not use are 0. */
struct assay_link_fault {
    enum assay_link_kind kind;
    uint32_t flow; /* from 1; 0: every one */
    enum assay_link_direction direction;
    uint64_t at;
    uint64_t size, size_max;
    int64_t span; /* ns */
    uint8_t mask;
    bool open; /* CORRUPT, TRUNCATE: where is still to be drawn from `draw`, see assay_link_settle() */
    uint64_t draw;
    uint32_t order; /* in its plan, from 1; 0: of no plan */
};

/* Zeroed but for the transport, and the seed where 0 is no good one: an empty plan. */
struct assay_link_plan {
    enum assay_link_transport transport;
    uint64_t seed;
    struct assay_link_fault *faults; /* the plan's own; in the order in which they were added, unless sorted */
    size_t count;
};

struct assay_link_error {
    char text[512]; /* "FILE:LINE:COLUMN: what is wrong, and what would be right" */
};

void assay_link_plan_free(struct assay_link_plan *plan);

/* Append a copy; it becomes number `order` of the plan. False: no memory. */
bool assay_link_plan_add(struct assay_link_plan *plan, const struct assay_link_fault *fault);

/* By flow, direction, place, order: as a cursor needs it. */
void assay_link_plan_sort(struct assay_link_plan *plan);

/* Append the faults of a text to a plan whose transport is set; a line for both directions gives two faults.
 * `name` is for errors. After an error the plan has the faults before it, and is to be freed as well. */
bool assay_link_plan_read(struct assay_link_plan *plan, const char *name, const char *text, size_t size,
                          struct assay_link_error *error);
bool assay_link_plan_load(struct assay_link_plan *plan, const char *path, struct assay_link_error *error);

#define ASSAY_LINK_LINE_MAX 160

/* The line of a fault, without its end; it must not be `open`. */
void assay_link_print(const struct assay_link_fault *fault, char line[ASSAY_LINK_LINE_MAX]);

/* All lines, the seed first: what assay_link_plan_read() makes the same plan of. False: `to` had an error. */
bool assay_link_plan_write(const struct assay_link_plan *plan, FILE *to);

#endif
