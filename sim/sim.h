/* A protocol on a network in virtual time: one server, the clients that the spec's `impair` names, and whatever goes
 * wrong between them. Everything follows from the model, the configuration and a schedule of faults; no clock is read
 * and nothing is left to chance.
 *
 *   struct assay_sim *sim = assay_sim_new(&config, error);
 *   assay_sim_explore(sim, &search, &report);      (or assay_sim_replay())
 *   assay_sim_diagram(sim, &report.schedule, stdout);
 */
#ifndef ASSAY_SIM_SIM_H
#define ASSAY_SIM_SIM_H

#include <stdio.h>

#include "core/engine.h"
#include "sim/schedule.h"

#define ASSAY_SIM_CLIENTS_MAX 8

/* Zeroed but for the model, with assay_sim_defaults(): the usual world. */
struct assay_sim_config {
    const struct assay_model *model;        /* outlives the simulation */
    const struct assay_model *server_model; /* what the server really plays; NULL: the same. Else a copy of the model
                                               in which values differ, never the numbers of its tables */
    struct assay_limits limits; /* of each node; assay_sim_defaults() chooses small ones; memory 0: what it may need */
    uint64_t leniencies;
    uint64_t seed;   /* of seals, random values, bits that are flipped, random schedules */
    int64_t latency; /* of each way, ns */
    int64_t effect;  /* from the order of an effect to its completion, ns; it is done half-way */
    int64_t away;    /* from a crash to the restart, ns */
};
void assay_sim_defaults(struct assay_sim_config *config, const struct assay_model *model);

struct assay_sim;

#define ASSAY_SIM_ERROR_MAX 256

/* NULL: `error` says why the spec cannot be simulated, or that there is no memory. */
struct assay_sim *assay_sim_new(const struct assay_sim_config *config, char error[ASSAY_SIM_ERROR_MAX]);
void assay_sim_free(struct assay_sim *sim);

/* What was promised and does not hold. */
enum assay_sim_wrong {
    ASSAY_SIM_NOTHING,
    ASSAY_SIM_MISSING, /* a call ended well, its effect is not there */
    ASSAY_SIM_TWICE,   /* an effect is there more often than the call was made */
    ASSAY_SIM_ORDER,   /* effects are not in the order that was promised */
    ASSAY_SIM_STUCK,   /* a call does not end, though the network is well */
    ASSAY_SIM_UNWELL,  /* nothing went wrong, and yet a call failed */
    ASSAY_SIM_WAITS,   /* messages wait that nobody sends again */
    ASSAY_SIM_TRAFFIC, /* more datagrams than `extra` allows */
    ASSAY_SIM_FULL,    /* an engine has no room, and will have none */
    ASSAY_SIM_LEAK,    /* an engine keeps memory that nothing needs */
    ASSAY_SIM_WRONGS,
};
extern const char *const assay_sim_wrongs[ASSAY_SIM_WRONGS]; /* "missing", ... */

#define ASSAY_SIM_TEXT_MAX 320
struct assay_sim_finding {
    enum assay_sim_wrong wrong;
    uint16_t promise; /* in model->promises; ASSAY_NONE: one made without words */
    uint16_t req;     /* in model->requirements, or ASSAY_NONE */
    char text[ASSAY_SIM_TEXT_MAX];
};

struct assay_sim_count {
    uint64_t schedules, datagrams, deliveries, steps;
    uint64_t whole;         /* deliveries of all these schedules, each counted from its start */
    uint64_t calls, failed; /* of these schedules, and those of them that did not end well */
};

struct assay_sim_search {
    unsigned faults;  /* all sets of up to so many */
    unsigned kinds;   /* bit set of enum assay_impairment; */
    unsigned crashes; /* bit set of enum assay_role */
    bool plain;       /* one kind of fault for each bit of `kinds`: no late duplicates */
    uint64_t first;   /* only the first so many datagrams meet faults; 0: all */
    bool any_traffic; /* `extra` does not count, and worlds may be equal though other traffic led to them */
    bool every;       /* run what follows from equal worlds each time */
    bool blackouts;   /* also: from one datagram on all are lost, for each */
    bool wraps;       /* also: all of these again where reliable messages are numbered from just before the wrap */
    uint64_t most;    /* schedules, then they end, cut; 0: any number */
    uint64_t random;  /* random schedules after these */
    /* Asked now and then, of all schedules, and of random ones; true: no more. NULL: never. */
    bool (*enough)(void *context), (*enough_random)(void *context);
    void *context;
};

struct assay_sim_report {
    struct assay_sim_count count, random;
    struct assay_sim_finding finding;   /* wrong is NOTHING: everything held */
    struct assay_sim_schedule schedule; /* with which it was found, then shrunk; the caller's to free */
    unsigned shrunk_from;               /* faults that it had */
    uint64_t worlds;                    /* that were told apart: of equal ones one was run */
    uint64_t base;                      /* datagrams where nothing goes wrong */
    bool cut;                           /* by `most` or `enough` */
};

/* False: no memory. Ends at the first thing that is wrong. */
bool assay_sim_explore(struct assay_sim *sim, const struct assay_sim_search *search, struct assay_sim_report *report);

/* Run one schedule from the start, as exactly as it says. */
void assay_sim_replay(struct assay_sim *sim, const struct assay_sim_schedule *schedule,
                      struct assay_sim_finding *finding, struct assay_sim_count *count);

/* Of the schedule that was replayed last: whether the world came to where this fault is. */
bool assay_sim_came_to(const struct assay_sim *sim, const struct assay_sim_fault *fault);

/* Take faults away, and make them simpler, as long as the same is wrong. */
void assay_sim_shrink(struct assay_sim *sim, struct assay_sim_schedule *schedule, struct assay_sim_finding *finding);

/* Run it once more and draw it: a column for each node, time from above to below. */
bool assay_sim_diagram(struct assay_sim *sim, const struct assay_sim_schedule *schedule, FILE *to);

#endif
