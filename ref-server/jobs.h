/* Work that would block, handed from loops to a thread and back.
 *
 * A batch holds effects that one loop collected. Its thread marks each entry
 * done or failed and returns the batch to the inbox of its loop. */
#ifndef ASSAY_REF_SERVER_JOBS_H
#define ASSAY_REF_SERVER_JOBS_H

#include <pthread.h>

#include "core/engine.h"
#include "net/loop.h"

struct assay_conn;
struct assay_inbox;
struct assay_service;
struct assay_spool;

struct assay_job {
    struct assay_conn *conn; /* whose effect it is, as long as it has this serial */
    struct assay_service *service;
    uint64_t session;          /* its number, for applications */
    struct assay_spool *spool; /* stands before the job's bytes; owned; NULL: nothing does */
    uint32_t serial;
    assay_token token; /* 0: nobody waits for it */
    uint32_t split,
        end; /* in the batch's bytes: where its second argument begins; where it ends (the next one begins) */
    bool done;
    bool chain; /* it is not done where one of these before it was not (see assay_config.chains) */
};

struct assay_batch {
    struct assay_batch *next;
    void *object; /* of the binding: what is worked on */
    struct assay_inbox *reply;
    uint8_t *bytes;
    struct assay_job *jobs;
    uint32_t size, cap, count, jobs_cap;
    uint16_t lane;   /* the loop's; ASSAY_NONE: none */
    bool spooled;    /* some job has a spool */
    uint32_t doomed; /* jobs that chains of the batch before this one doom: the first so many, if they are chained */
};

/* A job's bytes are its spans, one after another; the first `first` of them are its
 * first argument. False: no memory, nothing was added (the spool is still the caller's). */
struct assay_batch *assay_batch_new(void *object, struct assay_inbox *reply);
bool assay_batch_add(struct assay_batch *batch, const struct assay_span *spans, size_t count, size_t first,
                     const struct assay_job *job);
void assay_batch_free(struct assay_batch *batch);

/* The bytes of job i. */
struct assay_span assay_batch_bytes(const struct assay_batch *batch, uint32_t i);

/* ---- where batches come back to a loop --------------------------------- */

struct assay_inbox {
    pthread_mutex_t lock;
    struct assay_batch *first, **last;
    struct assay_loop *loop;
};
void assay_inbox_init(struct assay_inbox *inbox, struct assay_loop *loop);
void assay_inbox_post(struct assay_inbox *inbox, struct assay_batch *batch); /* and wakes the loop */
struct assay_batch *assay_inbox_take(struct assay_inbox *inbox);             /* all, oldest first */
void assay_inbox_free(struct assay_inbox *inbox);

/* ---- a thread ---------------------------------------------------------- */

/* `handle` gets all batches that wait, oldest first, and posts each to its inbox.
 * `reopen` (may be NULL) is called in the thread after assay_worker_reopen(). */
struct assay_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct assay_batch *first, **last;
    bool running, waiting, stop, reopen;
    void (*handle)(struct assay_worker *worker, struct assay_batch *batches);
    void (*reopened)(struct assay_worker *worker);
    void (*ended)(struct assay_worker *worker); /* the thread's last act; may be NULL */
    void *owner;
};

/* Zero-initialised but for handle, reopened, ended and owner. False: no thread. */
bool assay_worker_start(struct assay_worker *worker);
void assay_worker_submit(struct assay_worker *worker, struct assay_batch *batch);
void assay_worker_reopen(struct assay_worker *worker);

/* Have the thread handle what waits, then end. */
void assay_worker_finish(struct assay_worker *worker);

/* The same, and wait for it. What it never got to is freed. */
void assay_worker_stop(struct assay_worker *worker);

#endif
