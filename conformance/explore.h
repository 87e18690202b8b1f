/* Where the machine that is judged can stand and what each input does there:
 * breadth first over states and variables, up to a cap. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_EXPLORE_H
#define ASSAY_CONFORMANCE_EXPLORE_H

#include "conformance/belief.h"
#include "conformance/witness.h"

#define ASSAY_NODES_MAX       96
#define ASSAY_NODES_PER_STATE 4 /* with different variables */
#define ASSAY_PATH_MAX        16

struct assay_node {
    struct assay_belief *belief;
    uint16_t state; /* of its call, if one waits; else of the machine */
    uint64_t key;   /* of state and variables */
    uint32_t parent;
    size_t path[ASSAY_PATH_MAX]; /* inputs that lead here from a fresh connection: as few as can be */
    uint32_t depth;
};

/* What an input does at a node. */
struct assay_reaction {
    bool stepped;        /* some rule was taken: `event` and `rule` are those of the first */
    bool ended;          /* the session is over */
    bool faulted;        /* some `else` was taken, or a variable found no room */
    bool unacknowledged; /* it has sent what waits to be acknowledged */
    bool partial;        /* bytes are left that are the beginning of a frame */
    uint16_t event, rule, after;
    uint16_t last_event, last_rule; /* of the last step */
    uint32_t steps, out_size;
    uint32_t messages; /* that it sent; of datagrams empty ones, too */
    uint32_t told;     /* entries that the application above was told */
    bool result;       /* a call ended well */
    bool finished;     /* ended: the machine is through */
    uint64_t out_hash; /* of output, end, and what was told */
    uint32_t next;     /* node; ASSAY_NODES_MAX: none that was kept */
};

struct assay_explored {
    struct assay_belief_world world;
    const struct assay_inputs *inputs;
    struct assay_node nodes[ASSAY_NODES_MAX];
    uint32_t count;
    bool capped;
    size_t ack;                       /* the input that acknowledges; SIZE_MAX: none */
    bool rooted;                      /* there can be a link on which nothing was done yet */
    struct assay_reaction *reactions; /* by node, then by input */
};

/* False: out of memory. */
bool assay_explore(struct assay_explored *e, const struct assay_witness_config *config,
                   const struct assay_inputs *inputs);
void assay_explored_free(struct assay_explored *e);

static inline const struct assay_reaction *assay_reaction(const struct assay_explored *e, uint32_t node, size_t input)
{
    return &e->reactions[node * e->inputs->count + input];
}

/* The first node of a state; ASSAY_NODES_MAX: it was not reached. */
uint32_t assay_node_of(const struct assay_explored *e, uint16_t state);

/* Give some bytes, an event (ASSAY_EV_EOF, ASSAY_EV_RESET) or both to a copy of a node. */
struct assay_reaction assay_react(struct assay_explored *e, uint32_t node, struct assay_blob bytes,
                                  enum assay_builtin_event event);

/* Give an input to a copy of a node, and then an event. */
struct assay_reaction assay_react_input(struct assay_explored *e, uint32_t node, size_t input,
                                        enum assay_builtin_event event);

/* What `then` does behind some others, everything that was sent being acknowledged in between. */
struct assay_reaction assay_react_behind(struct assay_explored *e, uint32_t node, const size_t *inputs, size_t count,
                                         size_t then);

/* A copy of a node's belief behind all of them, what they sent being acknowledged; NULL: that ends it. For
 * assay_belief_free(). */
struct assay_belief *assay_belief_behind(struct assay_explored *e, uint32_t node, const size_t *inputs, size_t count);
/* What an input does to a belief, which becomes what it leaves behind; NULL: it is over. */
struct assay_reaction assay_react_on(struct assay_explored *e, struct assay_belief **belief,
                                     const struct assay_input *input);

/* Repeat an input at a node until another rule or an `else` takes it. Returns how many times it was sent, that
 * one included, and what then happened; 0: not within `most` times. */
uint32_t assay_repeat(struct assay_explored *e, uint32_t node, size_t input, uint32_t most,
                      struct assay_reaction *last);

/* Which guards of all rules hold for what an input decodes to, wherever it may be sent, as a hash: inputs that
 * differ in it are told apart by some rule of some state. */
uint64_t assay_signature(struct assay_explored *e, const struct assay_input *input);

/* The leniency without which an input is another event; ASSAY_NONE: it leans on none. */
uint16_t assay_leaning(struct assay_explored *e, const struct assay_input *input);

/* An input that tells state `state` from most others by what comes back; SIZE_MAX: there is none that answers. */
size_t assay_telling_input(const struct assay_explored *e, uint16_t state, uint16_t from);

#endif
