/* How fast things go here: the measured round trip, and how late the harness
 * itself was. All waiting scales with it and with one factor of the user's. */
#ifndef ASSAY_CONFORMANCE_PACE_H
#define ASSAY_CONFORMANCE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct assay_pace {
    double scale;              /* --timeout-scale */
    int64_t smooth, deviation; /* of the round trip, as TCP keeps them, ns */
    int64_t slowest;
    uint64_t samples;
    int64_t least;            /* the smallest tolerance that a verdict may turn on; 0: none that matters */
    bool impatient;           /* it was shown alone that the target lets answers out: wait less for the next ones */
    int64_t late_at, late_by; /* when the harness was last late by more than it may, and the worst since the start */
};

void assay_pace_init(struct assay_pace *pace, double scale);

/* A stimulus was answered after `ns`. */
void assay_pace_sample(struct assay_pace *pace, int64_t ns);

/* How long an answer that is owed may take before its absence is judged. */
int64_t assay_pace_patience(const struct assay_pace *pace);

/* How long a program may take to come up, or to end. It is no matter of its answers. */
int64_t assay_pace_start(const struct assay_pace *pace);

/* How long nothing must come until it counts as silence. `still`: the socket
 * table shows that the target has read everything and sent all that it wrote. */
int64_t assay_pace_quiet(const struct assay_pace *pace, bool still);

/* Some verdict turns on a tolerance of so many ns: delays of the harness from there on are no small matter. */
void assay_pace_mind(struct assay_pace *pace, int64_t tolerance);

/* How large a delay of the harness may be and go unnoticed. */
int64_t assay_pace_slack(const struct assay_pace *pace);

/* The harness did something `by` ns later than it should have: the loop woke, or it saw what had come about. */
void assay_pace_late(struct assay_pace *pace, int64_t now, int64_t by);

/* The harness was late at or after `since`: what depends on time since then is not to be trusted. */
bool assay_pace_was_late(const struct assay_pace *pace, int64_t since);

#endif
