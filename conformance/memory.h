/* A suite against a model in this process, on memory pipes and virtual time:
 * silence is exactly "the engine is idle". The model may be the right one or a
 * mutant of it. */
#ifndef ASSAY_CONFORMANCE_MEMORY_H
#define ASSAY_CONFORMANCE_MEMORY_H

#include "conformance/oracle.h"

/* What is put to the test: a model served by the engine, or something duller. */
enum assay_host_kind {
    ASSAY_HOST_ENGINE,
    ASSAY_HOST_MUTE,   /* takes everything, says nothing, closes when its peer does */
    ASSAY_HOST_CLOSER, /* closes at once */
    ASSAY_HOST_UNTOLD, /* the engine, but the application above it is told nothing */
};

struct assay_memory_config {
    struct assay_oracle_config right; /* what the oracle believes in */
    const struct assay_model *model;  /* what is served */
    enum assay_host_kind host;
};

struct assay_memory_result {
    bool passed; /* with nothing left out that should be done, either */
    uint8_t link;
    size_t step;              /* at which it failed; the case's step_count: at its end */
    struct assay_blame blame; /* of a failure */
    bool stopped;             /* the target was told to stop */
    bool shares;              /* it left something that all sessions see */
    uint16_t ran[32];         /* of a failure at the observer: rules that ran, any of which may have spoilt it */
    uint8_t ran_count;
};

/* Run one case. False: out of memory. */
bool assay_memory_run(const struct assay_memory_config *config, const struct assay_case *c,
                      struct assay_memory_result *result);

/* A hash of everything that the target does in a case: two models with equal hashes get equal verdicts. */
uint64_t assay_memory_hash(const struct assay_memory_config *config, const struct assay_case *c);

#endif
