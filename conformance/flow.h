/* Where reliable messages flow in an explored protocol: nodes that take them, and messages to send there. Internal to
 * the suite. */
#ifndef ASSAY_CONFORMANCE_FLOW_H
#define ASSAY_CONFORMANCE_FLOW_H

#include "conformance/build.h"

#define ASSAY_FLOW_PLACES_MAX 8u

/* Messages that are taken one after another and told apart by what comes of them. */
struct assay_flow_place {
    uint32_t node;
    size_t first, other, third, fourth; /* inputs */
};

/* At most ASSAY_FLOW_PLACES_MAX: one for each state, where the target answers them reliably if it does anywhere. */
size_t assay_flow_places(struct assay_builder *b, struct assay_flow_place *places);

/* The last input on the way to a place, with a session whose numbers are about to wrap. False: there is none. */
bool assay_flow_wrap(struct assay_builder *b, const struct assay_flow_place *place, struct assay_blob *opener);
/* Exchange the last input on the way to a node, of the steps that are there, for that. */
bool assay_flow_reopen(struct assay_builder *b, uint32_t node, struct assay_blob opener);

/* Inputs that lead from a node back to it, or to its like, with another session, which the target draws. */
struct assay_flow_round {
    size_t inputs[ASSAY_PATH_MAX + 1];
    size_t count;
};
bool assay_flow_round(struct assay_builder *b, uint32_t node, struct assay_flow_round *round);
/* Whether the session behind an input is another than before, and was drawn. */
bool assay_flow_has_drawn(const struct assay_builder *b, const struct assay_belief *before,
                          const struct assay_belief *after);
/* A call that sends one reliable message and leaves all as it was; SIZE_MAX: there is none. */
size_t assay_flow_call(const struct assay_builder *b, uint32_t node);

/* The case is kept with the requirement of `reliable`. */
void assay_flow_finish(struct assay_builder *b, enum assay_case_class class, const char *text);
/* A pause, and how much later a copy may come. */
int64_t assay_flow_late(const struct assay_builder *b, int64_t pause);

/* Whether an input holds what the target has made. */
bool assay_flow_has_secret(const struct assay_builder *b, size_t input);

/* The requirement behind the sum of frames; ASSAY_NONE. */
uint16_t assay_sum_req(const struct assay_model *model, uint16_t machine);

#endif
