/* When each session is to be looked at next: a binary heap with one entry a
 * session. Moving a deadline later is the caller's note only: the entry may be
 * early, and is put right when it comes to the top. */
#ifndef ASSAY_CORE_TIMERS_H
#define ASSAY_CORE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_TIMERS_OUT UINT32_MAX

struct assay_timers_entry {
    int64_t at;
    uint32_t id;
};

struct assay_timers {
    struct assay_timers_entry *entries;
    uint32_t *places; /* by id: index in entries, ASSAY_TIMERS_OUT: not in it */
    uint32_t count;
};

/* Set the time of an entry, which may be new. `places[id]` was set to OUT when the id came into use. */
void assay_timers_set(struct assay_timers *timers, uint32_t id, int64_t at);
void assay_timers_remove(struct assay_timers *timers, uint32_t id);

/* The entry's time; INT64_MAX if it is not in. */
int64_t assay_timers_get(const struct assay_timers *timers, uint32_t id);

#endif
