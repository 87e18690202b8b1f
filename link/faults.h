/* What a link does wrong on purpose, and where.
 *
 * A place is a byte offset of one direction of a connection (a fault happens
 * when that many bytes have passed), or the number of a datagram in one
 * direction of a session, from 1. Every choice is drawn from the seed, the
 * number of the connection, the direction, the kind of fault and the place:
 * never from the time, and never from another draw. Pure: no I/O, no clock.
 */
#ifndef ASSAY_LINK_FAULTS_H
#define ASSAY_LINK_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    ASSAY_LINK_SWAP,      /* it arrives after the next one */
    ASSAY_LINK_DUPLICATE, /* it arrives twice, the second time `span` later */
    ASSAY_LINK_KINDS,
};

enum assay_link_transport { ASSAY_LINK_STREAM, ASSAY_LINK_DATAGRAMS };

enum assay_link_direction { ASSAY_LINK_UP, ASSAY_LINK_DOWN }; /* up: from the client to the server */
#define ASSAY_LINK_DIRECTIONS 2

/* What stands behind the name of a kind: in an option before the place, in a plan behind the name. */
enum assay_link_value {
    ASSAY_LINK_NOTHING,
    ASSAY_LINK_SIZES, /* 7 or 1..100 */
    ASSAY_LINK_HOLD,  /* 4KiB or 4KiB/20ms */
    ASSAY_LINK_SPAN,  /* 200ms or 10ms..50ms */
    ASSAY_LINK_LATER, /* nothing, or a span */
    ASSAY_LINK_BYTES, /* 100KiB */
    ASSAY_LINK_FLIP,  /* 12:40, offset and bits in hex */
};

struct assay_link_kind_row {
    const char *name;
    enum assay_link_transport transport;
    enum assay_link_value value;
    const char *takes; /* of the option, for its help */
    const char *text;
};
extern const struct assay_link_kind_row assay_link_kinds[ASSAY_LINK_KINDS];

/* One fault at one place: a line of a plan. */
struct assay_link_fault {
    enum assay_link_kind kind;
    uint32_t connection; /* from 1; 0: every one */
    enum assay_link_direction direction;
    uint64_t at;
    uint64_t size, size_max;
    int64_t span; /* ns */
    uint8_t mask;
    bool open; /* CORRUPT, TRUNCATE: where is still to be drawn from `draw`, see assay_link_settle() */
    uint64_t draw;
    uint32_t order; /* of equals: the line, or the place of the rule */
};

enum assay_link_where { ASSAY_LINK_AT, ASSAY_LINK_EVERY, ASSAY_LINK_RATE };

/* Faults by rule: an option. */
struct assay_link_rule {
    enum assay_link_kind kind;
    bool directions[ASSAY_LINK_DIRECTIONS];
    enum assay_link_where where;
    uint64_t n;  /* AT, EVERY */
    double rate; /* RATE, 0 to 1: of datagrams and connections for each, of streams for each ASSAY_LINK_BLOCK bytes */
    uint64_t size, size_max;
    int64_t span, span_max;
    uint32_t ordinal; /* among the rules of its kind: their draws are independent */
};
#define ASSAY_LINK_BLOCK 1024u

#define ASSAY_LINK_RULES_MAX 32

struct assay_link_faults {
    enum assay_link_transport transport;
    uint64_t seed;
    struct assay_link_rule rules[ASSAY_LINK_RULES_MAX];
    unsigned rules_count;
    struct assay_link_fault *planned; /* sorted by assay_link_sort() */
    size_t planned_count;
};

void assay_link_faults_free(struct assay_link_faults *faults);

/* Append to the planned ones; false: no memory. assay_link_sort() when all are there. */
bool assay_link_add(struct assay_link_faults *faults, const struct assay_link_fault *fault);
void assay_link_sort(struct assay_link_faults *faults);

/* Whether connection number n is refused. */
bool assay_link_refused(const struct assay_link_faults *faults, uint32_t n);

/* A walk along one direction of one connection. The faults must outlive it and not change. */
struct assay_link_cursor {
    const struct assay_link_faults *faults;
    uint32_t connection;
    enum assay_link_direction direction;
    struct {
        uint64_t at; /* where the rule acts next, or up to where it is known not to */
        bool acts;
    } rules[ASSAY_LINK_RULES_MAX];
    struct {
        size_t next, end;
    } planned[2]; /* those for every connection, those for this one */
};

void assay_link_cursor_init(struct assay_link_cursor *cursor, const struct assay_link_faults *faults,
                            uint32_t connection, enum assay_link_direction direction);

/* The next fault at or before `place`; false: there is none (any more). Places must not decrease. */
bool assay_link_next(struct assay_link_cursor *cursor, uint64_t place, struct assay_link_fault *fault);

/* Up to where nothing happens: the first place that assay_link_next() must be asked about; UINT64_MAX: never again. */
uint64_t assay_link_border(const struct assay_link_cursor *cursor);

/* What of an open fault was left to the draw, now that the datagram's size is known. False: it cannot be done to it. */
bool assay_link_settle(struct assay_link_fault *fault, size_t size);

/* A number from lo to hi (inclusive), drawn for a place. */
uint64_t assay_link_draw_between(const struct assay_link_cursor *cursor, enum assay_link_kind kind, uint64_t place,
                                 uint64_t lo, uint64_t hi);

#endif
