/* All that a model does, once, for all of its mutants: breadth first over its
 * states and variables, up to a cap. Internal to equivalence.c. */
#ifndef ASSAY_CONFORMANCE_GROUND_H
#define ASSAY_CONFORMANCE_GROUND_H

#include "conformance/lockstep.h"
#include "conformance/site.h"

#define ASSAY_GROUND_MAX 1024
/* Bytes of variables make it infinite; values that no rule looks at are told apart up to this many. */
#define ASSAY_SAME_PLACE_MAX 6

struct assay_spot {
    struct assay_belief *right; /* all that it sent was seen */
    uint64_t key, place;
    uint32_t parent, input, depth; /* how it is reached */
};

struct assay_edge {
    struct assay_met met;
    bool tried;    /* the stimulus can be given there */
    uint32_t next; /* spot; ASSAY_GROUND_MAX: none, or one that was not kept */
};

struct assay_ground {
    struct assay_belief_world world;
    const struct assay_stimuli *stimuli;
    const char *circumstance; /* for traces */
    struct assay_spot *spots;
    uint32_t count;
    bool capped;
    bool rooted;              /* there can be a link on which nothing was done yet */
    struct assay_edge *edges; /* by spot, then by stimulus */
};

/* `observed`: a server, whose effects observers show. False: out of memory. */
bool assay_ground_make(struct assay_ground *g, const struct assay_oracle_config *right,
                       const struct assay_stimuli *stimuli, bool observed);
void assay_ground_free(struct assay_ground *g);

static inline const struct assay_edge *assay_edge(const struct assay_ground *g, uint32_t spot, size_t stimulus)
{
    return &g->edges[spot * g->stimuli->count + stimulus];
}

/* Whether a stimulus can be given to who stands like that; `root`: nothing was done on the link yet. */
bool assay_ground_applies(const struct assay_ground *g, const struct assay_belief *right, bool root,
                          const struct assay_stimulus *s);

#endif
