/* Whether a mutant can be told from the model it was made of. Both are run in
 * lockstep over the product of their states and variables, with the inputs of
 * both (so that the borders of either are on them), every end of stream inside
 * them, time that goes by, and random changes of the inputs. What the model
 * does is found out once for all of its mutants: one of them is run only where
 * that touches what is other in it, and from there on until it stands where
 * the model does. */
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
    char trace[512];      /* DIFFERENT: inputs, one after another; else how far was looked */
};

/* What a model does under all circumstances. */
struct assay_equivalence_base;

/* `observed`: observers show the effects that are ordered. Of a client they are not watched: what it hands to the
 * application is told. `right` and `inputs` must outlive it. NULL: out of memory. */
struct assay_equivalence_base *assay_equivalence_base(const struct assay_oracle_config *right,
                                                      const struct assay_inputs *inputs, bool observed);
void assay_equivalence_base_free(struct assay_equivalence_base *base);

/* False: out of memory. */
bool assay_equivalence(struct assay_equivalence_base *base, const struct assay_model *mutant,
                       struct assay_equivalence_result *result);

#endif
