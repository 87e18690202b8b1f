/* A model and a mutant of it in lockstep: both are given the same, and what is
 * seen of them is compared. Internal to equivalence.c, ground.c and site.c. */
#ifndef ASSAY_CONFORMANCE_LOCKSTEP_H
#define ASSAY_CONFORMANCE_LOCKSTEP_H

#include "conformance/belief.h"
#include "conformance/witness.h"

/* Time that goes by instead of bytes. */
enum assay_lapse {
    ASSAY_LAPSE_NONE,
    ASSAY_LAPSE_TIMER,  /* until what is due next has happened */
    ASSAY_LAPSE_CHANGE, /* until that has led to another state, or long enough */
};

struct assay_stimulus {
    struct assay_blob bytes;
    const char *label;
    const struct assay_input *call; /* instead of bytes; NULL: bytes */
    struct assay_stamp stamp;
    uint8_t lapse; /* enum assay_lapse */
};

struct assay_stimuli {
    struct assay_stimulus *items;
    size_t count, cap;
    bool datagrams;
    struct assay_store store;
};

/* `but`: not those that are there; NULL: all. */
void assay_stimuli_add(struct assay_stimuli *stimuli, const struct assay_inputs *inputs,
                       const struct assay_stimuli *but);
/* Inputs with one to three bytes changed, seldom one added or lost. */
void assay_stimuli_spoil(struct assay_stimuli *stimuli, const struct assay_inputs *inputs, size_t count, uint64_t seed);
void assay_stimuli_lapse(struct assay_stimuli *stimuli);
void assay_stimuli_free(struct assay_stimuli *stimuli);

struct assay_lockstep {
    struct assay_belief_world *right, *mutant; /* the mutant's is a target's: what it sends again is seen again */
    bool observed;                             /* observers show the effects that are ordered */
};

struct assay_pair {
    struct assay_belief *right, *mutant;
};

/* What both are given: some of the stimulus's bytes, or all of it, and then an event (ASSAY_EV_CONNECT: none). */
struct assay_given {
    const struct assay_stimulus *stimulus; /* NULL: the event alone */
    uint32_t cut;                          /* bytes of it */
    enum assay_builtin_event event;
};

static inline struct assay_given assay_all_of(const struct assay_stimulus *s)
{
    return (struct assay_given){s, s->bytes.n, ASSAY_EV_CONNECT};
}

/* False: what was seen of them differs. `from`: how many of the mutant's messages were seen before. */
bool assay_lockstep_same(const struct assay_lockstep *l, const struct assay_pair *pair, uint32_t from);
bool assay_lockstep_give(const struct assay_lockstep *l, struct assay_pair *pair, struct assay_given given);

/* The same to one of them alone, who is where `like` was when it was given this and who does nothing else. */
void assay_lockstep_follow(struct assay_belief_world *world, struct assay_belief *b, struct assay_belief_world *right,
                           const struct assay_belief *like, const struct assay_stimulus *s);

/* Where it stands, but for its variables. */
uint64_t assay_place(const struct assay_belief *b);
/* The same, with them: which placeholder a variable holds makes no difference, nor do arguments of calls that do not
 * run. `exact`: everything makes one. */
#define ASSAY_STANDING_START 0xcbf29ce484222325u /* for `h` */
uint64_t assay_standing(const struct assay_belief_world *world, const struct assay_belief *b, bool exact, uint64_t h);

#endif
