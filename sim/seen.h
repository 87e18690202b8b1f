/* Worlds that were explored before: from the same world with the same faults to come, the same follows, and counts
 * alike.
 *
 * A world is told by 64 bits hashed from all of it that bears on what comes: engines, datagrams, pending events, what
 * is on disk, what was promised and done so far, and the time. That two different ones meet in that is not looked for.
 */
#ifndef ASSAY_SIM_SEEN_H
#define ASSAY_SIM_SEEN_H

#include "sim/world.h"

struct assay_sim_seen_entry {
    uint64_t key; /* 0: free */
    uint64_t schedules, calls, failed;
    uint64_t deliveries; /* of these schedules, from here on */
    int64_t traffic;     /* the most that came in one of them, from here on, as assay_sim_traffic() counts it */
};
struct assay_sim_seen {
    struct assay_sim_seen_entry *entries;
    uint32_t capacity, count;
};

/* Of the world as it stands, and of what else bears on what comes; never 0. How many datagrams there were does not
 * count. */
uint64_t assay_sim_world_key(struct assay_sim *sim, uint64_t extra);

const struct assay_sim_seen_entry *assay_sim_seen_find(const struct assay_sim_seen *seen, uint64_t key);
/* Where there is no memory it is forgotten. */
void assay_sim_seen_add(struct assay_sim_seen *seen, const struct assay_sim_seen_entry *entry);
void assay_sim_seen_free(struct assay_sim_seen *seen);

#endif
