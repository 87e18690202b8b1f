/* Plans: files that name every fault in one line. A log of a link is one.
 *
 *   seed 7                    for what a line leaves to chance (split 1..100)
 *   1 up 4096 stall 200ms     CONNECTION DIRECTION PLACE FAULT [VALUE]
 *   * down 1 drop             * stands for every connection, or both directions
 *   3 refuse                  the connection alone
 *
 * Words are set apart by blanks; # begins a comment. PLACE is an offset in
 * bytes (64KiB) or the number of a datagram, from 1. Faults and their values
 * are those of assay_link_kinds.
 */
#ifndef ASSAY_LINK_PLAN_H
#define ASSAY_LINK_PLAN_H

#include "link/faults.h"

struct assay_link_error {
    char text[512]; /* "FILE:LINE:COLUMN: what is wrong, and what would be right" */
};

/* Add the faults of a plan, sorted, to faults whose transport is set. `name` is for errors. */
bool assay_link_plan_read(struct assay_link_faults *faults, const char *name, const char *text, size_t size,
                          struct assay_link_error *error);
bool assay_link_plan_load(struct assay_link_faults *faults, const char *path, struct assay_link_error *error);

#endif
