/* What the reference server does for a machine: a table of verbs, one for each
 * binding that a spec may name with `to:` (LANGUAGE.md, section 8).
 *
 *   append       bytes at the end of a file, durable when done
 *   crypt        a password against a file of hashes
 *   print        a line on stdout or stderr
 *   stop         no more connections; the server ends with the last one
 *   application  somebody else's: done at once
 */
#ifndef ASSAY_REF_SERVER_EFFECTS_H
#define ASSAY_REF_SERVER_EFFECTS_H

#include "ref-server/append.h"
#include "ref-server/passwords.h"

struct assay_effects;
struct assay_verb;

struct assay_binding {
    const struct assay_verb *verb;
    char *name;    /* of its object, params resolved */
    void *object;  /* NULL: nothing to do */
    uint16_t lane; /* in the orders of a loop */
};

/* One for each process. */
struct assay_effects {
    const struct assay_model *model;
    int folder; /* the data folder */
    const char *folder_name;
    struct assay_binding *bindings; /* by effect */
    struct assay_appender appender;
    struct assay_worker checker; /* of passwords */
    struct assay_vault *vaults;
    void (*stop)(void *owner);
    void *owner; /* of `stop` */
};

/* One for each loop: what it has ordered in this round, and what comes back. */
struct assay_orders {
    struct assay_effects *effects;
    struct assay_inbox inbox;
    struct assay_batch **open; /* by lane; NULL: nothing */
    bool *out;                 /* by lane: a batch is with its thread */
    bool any;                  /* something can be submitted */
};

enum assay_ordered { ASSAY_ORDER_DONE, ASSAY_ORDER_FAILED, ASSAY_ORDER_LATER };

/* Bind every effect of the model, open files, start threads. `folder_name` is the data folder. False: *error says why.
 */
bool assay_effects_open(struct assay_effects *effects, const struct assay_model *model, const char *folder_name,
                        struct assay_net_error *error);

/* Open files anew (SIGHUP). */
void assay_effects_reopen(struct assay_effects *effects);

/* Finishes what was ordered. Before the orders of its loops are closed. */
void assay_effects_close(struct assay_effects *effects);

bool assay_orders_open(struct assay_orders *orders, struct assay_effects *effects, struct assay_loop *loop);
void assay_orders_close(struct assay_orders *orders);

/* Do what the event says, or begin to. LATER: the job comes back in the inbox. */
enum assay_ordered assay_orders_take(struct assay_orders *orders, const struct assay_event *event,
                                     const struct assay_job *job);

/* Hand what was ordered to the threads: one batch of a lane at a time, so that
 * what is ordered meanwhile, and what the answers to that batch bring about,
 * shares the next sync. */
void assay_orders_submit(struct assay_orders *orders);

/* A batch came back and its jobs were looked at: frees it. */
void assay_orders_done(struct assay_orders *orders, struct assay_batch *batch);

#endif
