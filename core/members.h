/* Members of the message that is being written: they stand in its pairs. */
#ifndef ASSAY_CORE_MEMBERS_H
#define ASSAY_CORE_MEMBERS_H

#include "core/fields.h"

/* What slots of pairs held before members were put into them. */
struct assay_merged {
    uint64_t slots, known;
    assay_val was[ASSAY_SLOTS_MAX];
};

/* Put the members of a message into the slots of their pairs, over what stands there. False: `field` cannot be. */
bool assay_members_merge(struct assay_env *env, const struct assay_frame *frame, const struct assay_message *message,
                         struct assay_merged *merged, uint16_t *field);
void assay_members_restore(struct assay_env *env, const struct assay_merged *merged);

#endif
