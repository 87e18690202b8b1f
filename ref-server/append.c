#include "ref-server/append.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ref-server/console.h"
#include "ref-server/spool.h"

/* Bytes that are kept for a stream that is not read, beside what effects order. */
#define SAID_MAX (64u << 20)

/* ---- one group on one log ---------------------------------------------- */

static size_t group_size(const struct assay_batch *batches)
{
    size_t n = 0;
    for (; batches; batches = batches->next)
        n += batches->size;
    return n;
}

static bool gather(struct assay_appender *a, const struct assay_batch *batches, size_t size)
{
    if (size > a->cap) {
        free(a->buffer);
        a->buffer = malloc(size);
        a->cap = a->buffer ? size : 0;
        if (!a->buffer)
            return false;
    }
    uint8_t *to = a->buffer;
    for (; batches; batches = batches->next) {
        if (batches->size > 0)
            memcpy(to, batches->bytes, batches->size);
        to += batches->size;
    }
    return true;
}

static void mark_all(struct assay_batch *batches, bool done)
{
    for (; batches; batches = batches->next)
        for (uint32_t i = 0; i < batches->count; i++)
            batches->jobs[i].done = done;
}

static bool write_group(struct assay_appender *a, struct assay_logfile *log, const struct assay_batch *batches)
{
    if (!batches->next && !batches->spooled)
        return assay_logfile_write(log, batches->bytes, batches->size);
    for (const struct assay_batch *b = batches; b; b = b->next)
        if (b->spooled)
            return false;
    size_t size = group_size(batches);
    return gather(a, batches, size) && assay_logfile_write(log, a->buffer, size);
}

/* A session's order behind one that failed would leave a gap that nobody was told of. */
static bool failed_before(const struct assay_batch *first, const struct assay_batch *batch, uint32_t i)
{
    const struct assay_job *job = &batch->jobs[i];
    for (const struct assay_batch *b = first; b; b = b->next)
        for (uint32_t k = 0; k < b->count; k++) {
            if (b == batch && k == i)
                return false;
            if (!b->jobs[k].done && b->jobs[k].conn == job->conn && b->jobs[k].serial == job->serial)
                return true;
        }
    return false;
}

static bool put_in_log(void *log, const void *bytes, size_t size)
{
    return assay_logfile_write(log, bytes, size);
}

/* The whole of a job, or nothing. */
static bool write_job(struct assay_logfile *log, const struct assay_batch *batch, uint32_t i)
{
    const struct assay_spool *spool = batch->jobs[i].spool;
    struct assay_span bytes = assay_batch_bytes(batch, i);
    int64_t from = log->size;
    if ((!spool || assay_spool_pour(spool, put_in_log, log)) && assay_logfile_write(log, bytes.p, bytes.n))
        return true;
    if (log->size > from)
        assay_logfile_take_back(log, from);
    return false;
}

/* Not all of the group fits, or some of it is in spools: what fits, one record after another. */
static void write_each(struct assay_logfile *log, struct assay_batch *batches)
{
    bool failed = false;
    for (struct assay_batch *b = batches; b; b = b->next)
        for (uint32_t i = 0; i < b->count; i++) {
            b->jobs[i].done = !(failed && failed_before(batches, b, i)) && write_job(log, b, i);
            failed |= !b->jobs[i].done;
        }
}

/* Returns errno of what failed first; 0: nothing did. */
static int append_group(struct assay_appender *a, struct assay_logfile *log, struct assay_batch *batches)
{
    int64_t from = log->size;
    int why = 0;
    mark_all(batches, true);
    errno = 0;
    if (!write_group(a, log, batches)) {
        why = errno;
        errno = 0;
        write_each(log, batches);
        why = why ? why : errno;
    }
    if (!assay_logfile_sync(log, from)) {
        why = why ? why : errno;
        mark_all(batches, false);
    }
    return why;
}

static size_t count_failed(const struct assay_batch *batches)
{
    size_t n = 0;
    for (; batches; batches = batches->next)
        for (uint32_t i = 0; i < batches->count; i++)
            n += !batches->jobs[i].done;
    return n;
}

/* Peers learn it as the spec says, which may be not at all; whoever runs the server learns it once each time that it
 * begins. */
static void tell_failed(struct assay_appender *a, struct assay_sink *sink, const struct assay_batch *batches, int why)
{
    bool failing = count_failed(batches) > 0;
    if (failing && !sink->failing)
        assay_console_say(a->console, "assay: %s: not written, nothing of it is kept: %s\n", sink->name,
                          why ? strerror(why) : "an error before it in the same session");
    sink->failing = failing;
}

/* ---- streams ----------------------------------------------------------- */

static bool put_in_stream(void *stream, const void *bytes, size_t size)
{
    return assay_stream_write(stream, bytes, size);
}

static void stream_each(struct assay_stream *stream, struct assay_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct assay_spool *spool = batch->jobs[i].spool;
        struct assay_span bytes = assay_batch_bytes(batch, i);
        batch->jobs[i].done =
            (!spool || assay_spool_pour(spool, put_in_stream, stream)) && assay_stream_write(stream, bytes.p, bytes.n);
    }
}

static void stream_all(struct assay_stream *stream, struct assay_batch *batch)
{
    bool done = assay_stream_write(stream, batch->bytes, batch->size);
    for (uint32_t i = 0; i < batch->count; i++)
        batch->jobs[i].done = done;
}

static uint64_t bytes_of(const struct assay_batch *batch)
{
    uint64_t n = batch->size;
    for (uint32_t i = 0; batch->spooled && i < batch->count; i++)
        n += assay_spool_size(batch->jobs[i].spool);
    return n;
}

static void stream_group(struct assay_sink *sink, struct assay_batch *batches)
{
    for (; batches; batches = batches->next) {
        uint64_t before = sink->stream.written;
        if (batches->spooled)
            stream_each(&sink->stream, batches);
        else
            stream_all(&sink->stream, batches);
        if (sink->stream.given_up)
            atomic_fetch_add(&sink->lost, bytes_of(batches) - (sink->stream.written - before));
    }
}

/* ---- the thread -------------------------------------------------------- */

static void post_all(struct assay_appender *a, struct assay_batch *batches)
{
    for (struct assay_batch *next; batches; batches = next) {
        next = batches->next;
        if (batches->reply) {
            assay_inbox_post(batches->reply, batches);
            continue;
        }
        atomic_fetch_sub(&a->said, batches->size);
        assay_batch_free(batches);
    }
}

static void take_batch(struct assay_batch *batch)
{
    struct assay_sink *sink = batch->object;
    batch->next = NULL;
    *(sink->batches ? &sink->last->next : &sink->batches) = batch;
    sink->last = batch;
}

static void handle(struct assay_worker *worker, struct assay_batch *batches)
{
    struct assay_appender *a = worker->owner;
    for (struct assay_batch *next; batches; batches = next) {
        next = batches->next;
        take_batch(batches);
    }
    for (struct assay_sink *sink = a->sinks; sink; sink = sink->next) {
        struct assay_batch *group = sink->batches;
        sink->batches = NULL;
        if (group && sink->stream.fd >= 0)
            stream_group(sink, group);
        else if (group)
            tell_failed(a, sink, group, append_group(a, &sink->log, group));
        post_all(a, group);
    }
}

static void reopen(struct assay_worker *worker)
{
    struct assay_appender *a = worker->owner;
    struct assay_net_error error;
    for (struct assay_sink *sink = a->sinks; sink; sink = sink->next)
        if (sink->stream.fd < 0 && !assay_logfile_reopen(&sink->log, &error))
            assay_console_say(a->console, "assay: cannot reopen %s; going on with the old file\n", error.text);
}

/* ---- set up ------------------------------------------------------------ */

static struct assay_sink *find(struct assay_appender *a, int stream, const char *name)
{
    for (struct assay_sink *sink = a->sinks; sink; sink = sink->next)
        if (sink->stream.fd == stream && strcmp(sink->name, name) == 0)
            return sink;
    return NULL;
}

static struct assay_sink *add(struct assay_appender *a, int stream, const char *name, struct assay_net_error *error)
{
    struct assay_sink *sink = calloc(1, sizeof *sink);
    char *copy = strdup(name);
    if (!sink || !copy) {
        snprintf(error->text, sizeof error->text, "%.200s: no memory", name);
        free(sink);
        free(copy);
        return NULL;
    }
    *sink = (struct assay_sink){.next = a->sinks, .name = copy, .stream = {.fd = -1}, .log = {.fd = -1}};
    a->sinks = sink;
    if (stream < 0 || assay_stream_open(&sink->stream, stream))
        return sink;
    snprintf(error->text, sizeof error->text, "%s: %s", name, strerror(errno));
    return NULL;
}

struct assay_sink *assay_appender_file(struct assay_appender *a, int folder, const char *name, bool raw,
                                       struct assay_net_error *error)
{
    size_t repaired = 0;
    struct assay_sink *sink = find(a, -1, name);
    if (sink)
        return sink;
    sink = add(a, -1, name, error);
    if (!sink || !assay_logfile_open(&sink->log, folder, sink->name, raw ? NULL : &repaired, error))
        return NULL;
    if (repaired > 0)
        assay_console_say(a->console, "assay: %s: cut off a half line of %zu bytes at its end\n", name, repaired);
    return sink;
}

struct assay_sink *assay_appender_stream(struct assay_appender *a, int fd, struct assay_net_error *error)
{
    const char *name = fd == 1 ? "stdout" : "stderr";
    struct assay_sink *sink = find(a, fd, name);
    return sink ? sink : add(a, fd, name, error);
}

/* Whoever does not read must not cost memory without end. */
void assay_appender_say(struct assay_appender *a, struct assay_sink *sink, const void *bytes, size_t size)
{
    struct assay_span span = {bytes, (uint32_t)size};
    struct assay_job job = {.token = 0};
    bool room = atomic_fetch_add(&a->said, size) + size <= SAID_MAX;
    struct assay_batch *batch = room ? assay_batch_new(sink, NULL) : NULL;
    if (batch && assay_batch_add(batch, &span, 1, 1, &job)) {
        assay_worker_submit(&a->worker, batch);
        return;
    }
    assay_batch_free(batch);
    atomic_fetch_sub(&a->said, size);
    atomic_fetch_add(&sink->lost, size);
}

bool assay_appender_start(struct assay_appender *a)
{
    a->worker.handle = handle;
    a->worker.reopened = reopen;
    a->worker.owner = a;
    return !a->sinks || assay_worker_start(&a->worker);
}

void assay_appender_stop(struct assay_appender *a)
{
    assay_worker_stop(&a->worker);
    for (struct assay_sink *next, *sink = a->sinks; sink; sink = next) {
        next = sink->next;
        assay_logfile_close(&sink->log);
        assay_stream_close(&sink->stream);
        free(sink->name);
        free(sink);
    }
    a->sinks = NULL;
    free(a->buffer);
    a->buffer = NULL;
}
