/* Whether a mutant can be told from the model it was made of. Both are run in
 * lockstep over the product of their states and variables, with the inputs of
 * both (so that the borders of either are on them), every end of stream inside
 * them, and random changes of them. */
#ifndef ASSAY_CONFORMANCE_EQUIVALENCE_H
#define ASSAY_CONFORMANCE_EQUIVALENCE_H

#include "conformance/oracle.h"
#include "conformance/witness.h"

enum assay_equivalence {
    ASSAY_DIFFERENT, /* `trace` tells them apart */
    ASSAY_EQUAL,     /* the product is closed: no input of either tells them apart */
    ASSAY_UNDECIDED, /* the cap was met before */
};

struct assay_equivalence_result {
    enum assay_equivalence found;
    size_t pairs, inputs; /* explored, and tried at each */
    char trace[512];      /* DIFFERENT: inputs, one after another; UNDECIDED: which cap */
};

/* `observed`: observers show the effects that are ordered. Of a client they are not watched: what it hands to the
 * application is told. */
bool assay_equivalence(const struct assay_oracle_config *right, const struct assay_inputs *right_inputs,
                       const struct assay_model *mutant, bool observed, struct assay_equivalence_result *result);

#endif
