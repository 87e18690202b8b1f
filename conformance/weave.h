/* What several links left behind in one stream: records, each whole, those of one link in their order, different links
 * in any. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_WEAVE_H
#define ASSAY_CONFORMANCE_WEAVE_H

#include "conformance/oracle.h"

enum assay_sight {
    ASSAY_SIGHT_SAME,  /* exactly what was expected */
    ASSAY_SIGHT_PART,  /* a beginning of it: the rest may come */
    ASSAY_SIGHT_OTHER, /* something else */
    ASSAY_SIGHT_BLIND, /* the observer does not work */
};

/* Whether `bytes` are the records in a permitted order. Records without bytes do not show. */
enum assay_sight assay_weave(const struct assay_record *records, uint32_t count, struct assay_span bytes);

/* A copy in one piece of memory, for free(); NULL: none, or no memory. */
struct assay_record *assay_records_copy(const struct assay_record *records, uint32_t count);

#endif
