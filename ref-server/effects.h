/* What the reference server does for a machine: a table of verbs, one for each
 * binding that a spec may name with `to:` (LANGUAGE.md, section 8).
 *
 *   append       bytes at the end of a file, durable when done
 *   crypt        a password against a file of hashes
 *   print        a line on stdout or stderr
 *   report       the same on stderr, with how often it was ordered
 *   gather       bytes kept behind those that the session has gathered
 *   release      what it has gathered, at once, to stdout or the end of a file
 *   reopen       open files anew
 *   stop         no more connections; the server ends with the last one
 *   log, put     a row of a log, or of a durable table (store.h)
 *   application  the embedding program's; without one: done at once
 */
#ifndef ASSAY_REF_SERVER_EFFECTS_H
#define ASSAY_REF_SERVER_EFFECTS_H

#include <stdatomic.h>

#include "ref-server/append.h"
#include "ref-server/assay_server.h"
#include "ref-server/console.h"
#include "ref-server/passwords.h"
#include "ref-server/spool.h"
#include "ref-server/store.h"

struct assay_effects;
struct assay_verb;

struct assay_binding {
    const struct assay_verb *verb;
    char *name;                  /* of its object, params resolved */
    void *object;                /* NULL: nothing to do */
    struct assay_worker *worker; /* that does it; NULL: the loop itself */
    uint16_t lane;               /* in the orders of a loop */
    uint16_t place;              /* in the store */
    atomic_ullong ordered;
};

/* One for each process. */
struct assay_effects {
    const struct assay_model *model;
    int folder; /* the data folder */
    const char *folder_name;
    struct assay_binding *bindings; /* by effect */
    struct assay_appender appender;
    struct assay_console console;
    struct assay_worker checker; /* of passwords */
    struct assay_vault *vaults;
    struct assay_store *store; /* NULL: there are no durable tables and no logs */
    const struct assay_limits *limits;
    void (*stop)(void *owner);
    void *owner; /* of `stop` */
    assay_server_application *application;
    void *user;                  /* of `application` */
    const char *const *override; /* names of effects that go there */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t all_answered;
    unsigned unanswered; /* orders that the application will answer later */
};

/* One for each loop: what it has ordered in this round, and what comes back. */
struct assay_orders {
    struct assay_effects *effects;
    struct assay_inbox inbox;
    struct assay_batch **open; /* by lane; NULL: nothing */
    bool *out;                 /* by lane: a batch is with its thread */
    bool any;                  /* something can be submitted */
    bool refusing;             /* a chained order was refused, and its session has not been told */
};

enum assay_ordered { ASSAY_ORDER_DONE, ASSAY_ORDER_FAILED, ASSAY_ORDER_LATER };

/* Bind every effect of the model, open files, start threads, but for the store's. `folder_name` is the data folder.
 * `limits` and what tells `stop` and `application` are set before. False: *error says why. */
bool assay_effects_open(struct assay_effects *effects, const struct assay_model *model, const char *folder_name,
                        struct assay_net_error *error);

/* Open files anew (SIGHUP). */
void assay_effects_reopen(struct assay_effects *effects);

/* A line for each effect: how often it was ordered. */
void assay_effects_tell(const struct assay_effects *effects, FILE *to);

/* Finishes what was ordered, and waits for the application's answers. Before the orders of its loops are closed. */
void assay_effects_close(struct assay_effects *effects);

bool assay_orders_open(struct assay_orders *orders, struct assay_effects *effects, struct assay_loop *loop);
void assay_orders_close(struct assay_orders *orders);

/* Whether rows of logs are added as assay_config.chains says: by the store, in one database. */
bool assay_effects_chain(const struct assay_effects *effects);

/* Do what the event says, or begin to. LATER: the job comes back in the inbox. `spools`: what the session has gathered.
 */
enum assay_ordered assay_orders_take(struct assay_orders *orders, const struct assay_event *event,
                                     const struct assay_job *job, struct assay_spool **spools);

/* Hand what was ordered to the threads: one batch of a lane at a time, so that
 * what is ordered meanwhile, and what the answers to that batch bring about,
 * shares the next sync. */
void assay_orders_submit(struct assay_orders *orders);

/* Hand over everything that was ordered: the loop has ended, and nobody else will. */
void assay_orders_submit_all(struct assay_orders *orders);

/* A batch came back: before its jobs are looked at. Those that must not be done behind one that failed will fail. */
void assay_orders_returned(struct assay_orders *orders, const struct assay_batch *batch);

/* All that was refused has been told. */
void assay_orders_told(struct assay_orders *orders);

/* The batch's jobs were looked at: frees it. */
void assay_orders_done(struct assay_orders *orders, struct assay_batch *batch);

#endif
