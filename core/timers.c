#include "core/timers.h"

static void place(struct assay_timers *timers, uint32_t at, struct assay_timers_entry entry)
{
    timers->entries[at] = entry;
    timers->places[entry.id] = at;
}

static void sift(struct assay_timers *timers, uint32_t at, struct assay_timers_entry entry)
{
    while (at > 0 && entry.at < timers->entries[(at - 1) / 2].at) {
        place(timers, at, timers->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < timers->count && timers->entries[child + 1].at < timers->entries[child].at)
            child++;
        if (child >= timers->count || entry.at <= timers->entries[child].at)
            break;
        place(timers, at, timers->entries[child]);
        at = child;
    }
    place(timers, at, entry);
}

void assay_timers_set(struct assay_timers *timers, uint32_t id, int64_t at)
{
    uint32_t where = timers->places[id];
    if (where == ASSAY_TIMERS_OUT)
        where = timers->count++;
    sift(timers, where, (struct assay_timers_entry){at, id});
}

void assay_timers_remove(struct assay_timers *timers, uint32_t id)
{
    uint32_t where = timers->places[id];
    if (where == ASSAY_TIMERS_OUT)
        return;
    timers->places[id] = ASSAY_TIMERS_OUT;
    struct assay_timers_entry last = timers->entries[--timers->count];
    if (last.id != id)
        sift(timers, where, last);
}

int64_t assay_timers_get(const struct assay_timers *timers, uint32_t id)
{
    uint32_t where = timers->places[id];
    return where == ASSAY_TIMERS_OUT ? INT64_MAX : timers->entries[where].at;
}
