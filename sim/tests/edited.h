/* Specs for tests of the simulator: as they stand, with a fault planted in their text, or patched in their tables. */
#ifndef ASSAY_SIM_TESTS_EDITED_H
#define ASSAY_SIM_TESTS_EDITED_H

#include "compiler/compiler.h"
#include "sim/sim.h"

#define LOCKSTEP   "sim/tests/specs/lockstep.yaml"
#define APPRENTICE "sim/tests/specs/apprentice.yaml"
#define PUBSUB     "spec/pubsub.yaml"

/* The spec of a file in which each `was` (which has to be there) reads `is`; pairs end with NULL. The test fails where
 * it cannot be. The caller frees it. */
struct edit {
    const char *was, *is;
};
struct assay_spec *edited(const char *path, const struct edit *edits);

/* All sets of up to so many of the faults that the spec names, with `random` schedules behind them. */
struct assay_sim_report searched(struct assay_sim *sim, const struct assay_model *model, unsigned faults,
                                 uint64_t random);

/* A simulation of the model; `server`: what the server plays instead, or NULL. */
struct assay_sim *simulated(const struct assay_model *model, const struct assay_model *server);

#endif
