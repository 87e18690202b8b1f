/* Faults in words: values, places, options, and the lines of plans and logs. */
#ifndef ASSAY_LINK_WORDS_H
#define ASSAY_LINK_WORDS_H

#include "link/faults.h"

/* The text of an option to a rule of its kind:
 *   [up:|down:]PLACE                  kinds without a value
 *   [up:|down:][VALUE@]PLACE          those that leave it to chance, or have a usual one
 *   [up:|down:]VALUE[@PLACE]          the others; SPAN of a stream needs its place
 * PLACE is N (an offset, or the number of a datagram or connection), every=N,
 * rate=0.01, rate=1% or 1%. False: it is none; assay_link_kinds[kind].takes is what was expected. */
bool assay_link_read_option(enum assay_link_kind kind, const char *text, struct assay_link_rule *rule);

/* What stands in a plan behind the name of a kind; NULL: nothing does. */
bool assay_link_read_value(enum assay_link_kind kind, const char *text, struct assay_link_fault *fault);

/* "7", "1..100", "4096/20ms", "200ms", "12:40". */
const char *assay_link_value_form(enum assay_link_kind kind);

/* A span with the largest unit that leaves nothing over; returns its size. */
size_t assay_link_print_span(int64_t span, char *text, size_t size);

#endif
