/* What effects leave behind for an observer to show, by their bindings. Internal to the suite; see
 * assay_oracle_effect() for what a record holds. */
#ifndef ASSAY_CONFORMANCE_RECORDS_H
#define ASSAY_CONFORMANCE_RECORDS_H

#include "conformance/belief.h"

/* The records of one effect on some links. The bytes belong to the beliefs. */
struct assay_records {
    struct assay_record *items;
    uint32_t count, cap;
};

/* The session of `b` has ordered an effect. */
void assay_record_note(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event);

/* All that was ordered on the links, as it was ordered; NULL among them: a link that is not there. */
void assay_records_collect(struct assay_records *records, struct assay_belief *const *links, uint8_t count,
                           uint16_t effect);
void assay_records_join(const struct assay_records *records, struct assay_bytes_buf *to);
void assay_records_free(struct assay_records *records);

/* Whether an observer has something to show of that effect, at some time. */
bool assay_effect_shows(const struct assay_effect *effect);

static inline bool assay_effect_is(const struct assay_effect *effect, const char *verb)
{
    return effect->verb && __builtin_strcmp(effect->verb, verb) == 0;
}

#endif
