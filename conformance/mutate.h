/* Mutants: deliberately wrong copies of a model, to measure the suite with.
 * Every operator is a small fault that an implementation may well have. */
#ifndef ASSAY_CONFORMANCE_MUTATE_H
#define ASSAY_CONFORMANCE_MUTATE_H

#include "conformance/store.h"

/* One place where one operator applies. */
struct assay_mutation {
    uint16_t kind;
    uint16_t index; /* of the rule, field, frame, ... */
    uint32_t at;    /* instruction, or what the operator needs */
    int32_t variant;
};

struct assay_mutations {
    struct assay_mutation *items;
    size_t count, cap;
};

struct assay_mutant {
    struct assay_model model; /* valid while the store is */
    struct assay_store store;
    const char *kind; /* "guard-negated" */
    const char *text; /* what is wrong, and where */
    uint16_t rule;    /* mutated, or ASSAY_NONE */
    uint16_t req;     /* requirement that it breaks; ASSAY_NONE: the language's own rules */
};

/* Every mutation of what the side does that plays `machine`; free(items). */
void assay_mutations_list(const struct assay_model *model, uint16_t machine, struct assay_mutations *mutations);

/* False: the result would not be well formed, there is no such mutant. Free it in any case. */
bool assay_mutant_make(const struct assay_model *model, uint16_t machine, const struct assay_mutation *mutation,
                       struct assay_mutant *mutant);
void assay_mutant_free(struct assay_mutant *mutant);

size_t assay_mutation_operators(void);
const char *assay_mutation_operator(size_t i);

#endif
