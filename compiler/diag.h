/* What is said about a spec, and names that were probably meant. */
#ifndef ASSAY_COMPILER_DIAG_H
#define ASSAY_COMPILER_DIAG_H

#include "compiler/compiler.h"

/* A place in the file, from 1. {0, 0}: the file as a whole. */
struct assay_at {
    uint32_t line, column;
};

/* Add a message. The same one at the same place is kept once; behind ASSAY_DIAGS_MAX the rest is dropped. */
#define ASSAY_DIAGS_MAX 500
void assay_diag(struct assay_diags *diags, enum assay_severity severity, struct assay_at at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void assay_diags_sort(struct assay_diags *diags);

/* The nearest of some names. Add candidates, then read `best` (NULL: none is near enough). */
struct assay_near {
    const char *wanted, *best;
    unsigned distance;
};
void assay_near_add(struct assay_near *near, const char *candidate);

/* "; did you mean 'x'?" for messages, or "". Valid until the next call. */
const char *assay_near_text(const struct assay_near *near);

#endif
