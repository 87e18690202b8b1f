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

#include "link/plan.h"

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
    uint8_t mask;
    bool open;        /* CORRUPT, TRUNCATE: drawn anew for each datagram */
    uint32_t ordinal; /* among the rules of its kind: their draws are independent */
};
#define ASSAY_LINK_BLOCK 1024u

#define ASSAY_LINK_RULES_MAX 32

struct assay_link_faults {
    struct assay_link_plan plan; /* sorted; its transport and seed are those of the rules, too */
    struct assay_link_rule rules[ASSAY_LINK_RULES_MAX];
    unsigned rules_count;
};

/* Whether connection number n is refused, and by what. */
bool assay_link_refused(const struct assay_link_faults *faults, uint32_t n, struct assay_link_fault *fault);

/* A walk along one direction of one connection. The faults must outlive it and not change. */
struct assay_link_cursor {
    const struct assay_link_faults *faults;
    uint32_t flow;
    enum assay_link_direction direction;
    struct {
        uint64_t at; /* where the rule acts next, or up to where it is known not to */
        bool acts;
    } rules[ASSAY_LINK_RULES_MAX];
    struct {
        size_t next, end;
    } planned[2]; /* those for every connection, those for this one */
};

void assay_link_cursor_init(struct assay_link_cursor *cursor, const struct assay_link_faults *faults, uint32_t flow,
                            enum assay_link_direction direction);

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
