/* Models that encode what no correct encoder would: every type as wide as its
 * field, texts and numbers in text as raw bytes, no checks. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_LOOSE_H
#define ASSAY_CONFORMANCE_LOOSE_H

#include "conformance/witness.h"

enum assay_loose_kind {
    ASSAY_LOOSE_RAW,   /* computed fields are computed */
    ASSAY_LOOSE_LYING, /* computed fields hold what they are given */
    ASSAY_LOOSE_GRAFT, /* the frame's body is raw bytes, too, and messages have no fields */
};

/* The copy lives in the store and shares what it does not change with the model. */
struct assay_model *assay_loose_model(struct assay_store *store, const struct assay_model *model,
                                      enum assay_loose_kind kind);

/* A field's value as the bytes that stand on the wire, with prefix or delimiter. */
struct assay_blob assay_loose_wrap(struct assay_store *store, const struct assay_model *model,
                                   const struct assay_field *field, struct assay_blob content);
/* The same without them. */
struct assay_blob assay_loose_content(struct assay_store *store, const struct assay_model *model,
                                      const struct assay_field *field, struct assay_value value);

/* Whether such a model takes the field for raw bytes. */
bool assay_loose_is_raw(const struct assay_field *field);

#endif
