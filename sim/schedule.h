/* Schedules: what goes wrong in a simulated network, and where. The text is a
 * plan of link/plan.h, so that `assay link --plan` has real processes meet the
 * same. What a link cannot do stands in it as comments, which a link skips:
 *
 *   #sim seed 7                  of the simulated world: its random values
 *   #sim number -1               the first reliable message has the last number before the wrap
 *   #sim crash server 57         the server crashes before the 57th step, and comes back
 *   #sim crash ann 31            so does this client
 *   #sim fail server 3           the 3rd effect that the server orders, of those that can fail, does
 *   #sim blackout 12             the 12th datagram of all, and all behind it, are lost
 *
 * Steps are counted from 1: a datagram is sent or arrives, an effect is done
 * or completes, a call begins, a timer fires, a node starts again.
 */
#ifndef ASSAY_SIM_SCHEDULE_H
#define ASSAY_SIM_SCHEDULE_H

#include "core/model.h"
#include "link/plan.h"

enum assay_sim_fault_kind {
    ASSAY_SIM_MEETS, /* a datagram meets `link` */
    ASSAY_SIM_CRASHES,
    ASSAY_SIM_FAILS, /* an effect does */
};
struct assay_sim_fault {
    enum assay_sim_fault_kind kind;
    uint8_t node;                 /* CRASHES, FAILS: 0: the server; else 1 + index in model->actors */
    uint64_t nth;                 /* CRASHES: before which step; FAILS: which effect of the node; from 1 */
    struct assay_link_fault link; /* of the kinds of datagrams; never of every flow */
};

/* Zeroed is empty, but `seed`. */
struct assay_sim_schedule {
    uint64_t seed;
    bool near_wrap;
    uint64_t blackout; /* 0: none */
    struct assay_sim_fault *faults;
    size_t count, capacity;
};

bool assay_sim_schedule_add(struct assay_sim_schedule *s, const struct assay_sim_fault *fault); /* false: no memory */
bool assay_sim_schedule_copy(struct assay_sim_schedule *to, const struct assay_sim_schedule *from);
void assay_sim_schedule_free(struct assay_sim_schedule *s);

/* A line. */
void assay_sim_fault_write(const struct assay_sim_fault *f, const struct assay_model *model, FILE *to);
bool assay_sim_schedule_write(const struct assay_sim_schedule *s, const struct assay_model *model, FILE *to);

/* False: *error says what is wrong. `name` is for errors. */
bool assay_sim_schedule_read(struct assay_sim_schedule *s, const struct assay_model *model, const char *name,
                             const char *text, size_t size, struct assay_link_error *error);
bool assay_sim_schedule_load(struct assay_sim_schedule *s, const struct assay_model *model, const char *path,
                             struct assay_link_error *error);

#endif
