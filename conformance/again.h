/* When a client connects again: its pauses, and the tries that fall into a time
 * in which connections are refused. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_AGAIN_H
#define ASSAY_CONFORMANCE_AGAIN_H

#include "conformance/lens.h"
#include "core/engine.h"

/* Pauses grow with each try that led to no message: `grown` is how often the first one has by now. */
struct assay_tries {
    const struct assay_reconnect *reconnect;
    struct assay_lens *lens; /* in which the pause is evaluated */
    uint32_t grown, refused; /* tries in a row that were refused */
    int64_t lo, hi;          /* when the last link ended, or the last try was made: between these */
};

static inline bool assay_reconnects(const struct assay_model *model, uint16_t machine)
{
    return model->machines[machine].reconnect.pause != ASSAY_NONE;
}

/* How long the pause is now. False: it is undefined. */
bool assay_tries_pause(const struct assay_tries *tries, int64_t *pause);

/* The next try, tolerances included; what follows counts from it. False: there is none. */
bool assay_tries_next(struct assay_tries *tries, int64_t *earliest, int64_t *latest);

#endif
