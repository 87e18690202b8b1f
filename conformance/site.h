/* Where a mutant differs from the model that it was made of, and whether
 * something that the model does touches that. Internal to equivalence.c. */
#ifndef ASSAY_CONFORMANCE_SITE_H
#define ASSAY_CONFORMANCE_SITE_H

#include "core/model.h"

/* What a step in some state came to: sets of events and of messages, folded into 64 bits each. */
struct assay_met {
    uint64_t events, messages;
    uint16_t state, wait; /* before it; wait ASSAY_NONE: no call waited */
    bool many;            /* several rules in a row: it may have gone through any state */
    bool called;          /* it began with a call */
    bool failed;          /* what it should have sent may not have been sent */
};

struct assay_site {
    const struct assay_model *model;
    bool everywhere;   /* nothing less can be said */
    bool *cells;       /* by state and event: other rules, or the same in another way; owned */
    uint64_t events;   /* of those cells */
    uint64_t messages; /* with other fields */
    uint64_t faults;   /* events that what cannot be read as one of these may be */
};

/* False: out of memory. */
bool assay_site_find(struct assay_site *site, const struct assay_model *model, const struct assay_model *mutant);
void assay_site_free(struct assay_site *site);

bool assay_site_touched(const struct assay_site *site, const struct assay_met *met);

static inline uint64_t assay_fold(uint32_t i)
{
    return (uint64_t)1 << i % 64;
}

#endif
