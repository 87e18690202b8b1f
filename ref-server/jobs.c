#include "ref-server/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "ref-server/spool.h"

/* ---- batches ----------------------------------------------------------- */

struct assay_batch *assay_batch_new(void *object, struct assay_inbox *reply)
{
    struct assay_batch *batch = calloc(1, sizeof *batch);
    if (batch) {
        batch->object = object;
        batch->reply = reply;
    }
    return batch;
}

static bool room_for(void **array, uint32_t *cap, size_t count, size_t size)
{
    if (count <= *cap)
        return true;
    if (count > UINT32_MAX / 2)
        return false;
    uint32_t more = *cap ? *cap : 64;
    while (more < count)
        more *= 2;
    void *moved = realloc(*array, more * size);
    if (!moved)
        return false;
    *array = moved;
    *cap = more;
    return true;
}

static size_t total(const struct assay_span *spans, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += spans[i].n;
    return n;
}

static void put_spans(struct assay_batch *batch, const struct assay_span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (spans[i].n > 0)
            memcpy(batch->bytes + batch->size, spans[i].p, spans[i].n);
        batch->size += spans[i].n;
    }
}

bool assay_batch_add(struct assay_batch *batch, const struct assay_span *spans, size_t count, size_t first,
                     const struct assay_job *job)
{
    void *bytes = batch->bytes, *jobs = batch->jobs;
    bool ok = room_for(&bytes, &batch->cap, batch->size + total(spans, count), 1) &&
              room_for(&jobs, &batch->jobs_cap, batch->count + 1u, sizeof *batch->jobs);
    batch->bytes = bytes;
    batch->jobs = jobs;
    if (!ok)
        return false;
    struct assay_job *added = &batch->jobs[batch->count++];
    *added = *job;
    batch->spooled |= job->spool != NULL;
    put_spans(batch, spans, first);
    added->split = batch->size;
    put_spans(batch, spans + first, count - first);
    added->end = batch->size;
    return true;
}

void assay_batch_free(struct assay_batch *batch)
{
    if (!batch)
        return;
    for (uint32_t i = 0; i < batch->count; i++)
        assay_spool_free(batch->jobs[i].spool);
    free(batch->bytes);
    free(batch->jobs);
    free(batch);
}

struct assay_span assay_batch_bytes(const struct assay_batch *batch, uint32_t i)
{
    uint32_t from = i > 0 ? batch->jobs[i - 1].end : 0;
    return (struct assay_span){batch->bytes + from, batch->jobs[i].end - from};
}

/* ---- inbox ------------------------------------------------------------- */

void assay_inbox_init(struct assay_inbox *inbox, struct assay_loop *loop)
{
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->loop = loop;
    inbox->first = NULL;
    inbox->last = &inbox->first;
}

void assay_inbox_post(struct assay_inbox *inbox, struct assay_batch *batch)
{
    batch->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    *inbox->last = batch;
    inbox->last = &batch->next;
    pthread_mutex_unlock(&inbox->lock);
    assay_loop_wake(inbox->loop);
}

struct assay_batch *assay_inbox_take(struct assay_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    struct assay_batch *all = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    pthread_mutex_unlock(&inbox->lock);
    return all;
}

void assay_inbox_free(struct assay_inbox *inbox)
{
    for (struct assay_batch *next, *b = assay_inbox_take(inbox); b; b = next) {
        next = b->next;
        assay_batch_free(b);
    }
    pthread_mutex_destroy(&inbox->lock);
}

/* ---- thread ------------------------------------------------------------ */

static void wait_for_work(struct assay_worker *w)
{
    w->waiting = true;
    while (!w->first && !w->stop && !w->reopen)
        pthread_cond_wait(&w->more, &w->lock);
    w->waiting = false;
}

static void *work(void *arg)
{
    struct assay_worker *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop || w->first) {
        wait_for_work(w);
        struct assay_batch *batches = w->first;
        bool reopen = w->reopen;
        w->first = NULL;
        w->last = &w->first;
        w->reopen = false;
        pthread_mutex_unlock(&w->lock);
        if (reopen && w->reopened)
            w->reopened(w);
        if (batches)
            w->handle(w, batches);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    if (w->ended)
        w->ended(w);
    return NULL;
}

bool assay_worker_start(struct assay_worker *w)
{
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->running = pthread_create(&w->thread, NULL, work, w) == 0;
    return w->running;
}

static void unlock_and_wake(struct assay_worker *w)
{
    bool wake = w->waiting;
    pthread_mutex_unlock(&w->lock);
    if (wake)
        pthread_cond_signal(&w->more);
}

void assay_worker_submit(struct assay_worker *w, struct assay_batch *batch)
{
    batch->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->last = batch;
    w->last = &batch->next;
    unlock_and_wake(w);
}

void assay_worker_reopen(struct assay_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->reopen = true;
    unlock_and_wake(w);
}

void assay_worker_finish(struct assay_worker *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    unlock_and_wake(w);
}

void assay_worker_stop(struct assay_worker *w)
{
    if (!w->running)
        return;
    assay_worker_finish(w);
    pthread_join(w->thread, NULL);
    w->running = false;
    for (struct assay_batch *next, *b = w->first; b; b = next) {
        next = b->next;
        assay_batch_free(b);
    }
    w->first = NULL;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->more);
}
