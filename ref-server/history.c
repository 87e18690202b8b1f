#include "ref-server/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ref-server/turn.h"

/* What is read at once, in rows and in bytes, and how many such chunks are kept: at most some 20 MB. */
#define CHUNK_ROWS  128u
#define CHUNK_BYTES (160u * 1024)
#define CHUNKS_MAX  128u
#define READS_MAX   16u

/* What could not be read is tried again after this long. */
#define RETRY ASSAY_SECOND

struct sleeper {
    struct assay_service *service;
    assay_sid sid;
};

/* Part of a log, read or being read. */
struct assay_chunk {
    struct assay_chunk *next; /* of its bucket */
    struct assay_chunk *next_queued;
    uint16_t log;
    bool reading, failed; /* queued counts as reading */
    uint64_t first;
    uint64_t used;             /* when, counted in uses */
    struct assay_batch *batch; /* NULL: not here yet */
    struct sleeper *sleepers;  /* who waits for it */
    size_t sleepers_count, sleepers_cap;
};

/* ---- the newest rows --------------------------------------------------- */

static struct assay_span *recent_at(const struct assay_recent *recent, uint64_t number)
{
    return &recent->rows[number % recent->keep];
}

static void forget_oldest(struct assay_recent *recent)
{
    struct assay_span *row = recent_at(recent, recent->first++);
    recent->bytes -= row->n;
    free((void *)(uintptr_t)row->p);
    *row = (struct assay_span){NULL, 0};
}

static bool is_full(const struct assay_recent *recent, struct assay_span more)
{
    return recent->end - recent->first == recent->keep || recent->bytes + more.n > recent->most;
}

/* A row that finds no memory leaves a gap, so that those before it go, too: they can be fetched. */
static void remember(struct assay_recent *recent, uint64_t number, struct assay_span row)
{
    uint8_t *copy = recent->keep > 0 ? malloc(row.n + 1) : NULL;
    while (recent->first < recent->end && (!copy || is_full(recent, row)))
        forget_oldest(recent);
    if (recent->first == recent->end)
        recent->first = number;
    recent->end = number + 1;
    if (!copy) {
        recent->first = recent->end;
        return;
    }
    memcpy(copy, row.p, row.n);
    recent->bytes += row.n;
    *recent_at(recent, number) = (struct assay_span){copy, row.n};
}

/* ---- chunks ------------------------------------------------------------ */

static struct assay_chunk **bucket_of(struct assay_history *h, uint16_t log, uint64_t first)
{
    return &h->chunks[(first / h->recent[log].chunk + log * 31u) % ASSAY_CHUNK_BUCKETS];
}

/* The number that the chunk of this row begins with. */
static uint64_t first_of(const struct assay_history *h, uint16_t log, uint64_t number)
{
    return number - number % h->recent[log].chunk;
}

static struct assay_chunk *find_chunk(struct assay_history *h, uint16_t log, uint64_t first)
{
    struct assay_chunk *chunk = *bucket_of(h, log, first);
    while (chunk && (chunk->log != log || chunk->first != first))
        chunk = chunk->next;
    return chunk;
}

static struct assay_chunk *new_chunk(struct assay_history *h, uint16_t log, uint64_t first)
{
    struct assay_chunk *chunk = calloc(1, sizeof *chunk), **bucket = bucket_of(h, log, first);
    if (!chunk)
        return NULL;
    *chunk = (struct assay_chunk){.next = *bucket, .log = log, .first = first};
    return *bucket = chunk;
}

static void free_chunk(struct assay_history *h, struct assay_chunk *chunk)
{
    struct assay_chunk **at = bucket_of(h, chunk->log, chunk->first);
    while (*at != chunk)
        at = &(*at)->next;
    *at = chunk->next;
    h->chunks_kept -= chunk->batch != NULL;
    assay_batch_free(chunk->batch);
    free(chunk->sleepers);
    free(chunk);
}

static void retry_later(struct assay_history *h)
{
    struct assay_loop *loop = h->shard->loop;
    if (h->retry.place == 0)
        assay_loop_alarm(loop, &h->retry, assay_clock_after(assay_loop_now(loop), RETRY));
}

static void fetch(struct assay_history *h, struct assay_chunk *chunk)
{
    struct assay_shard *s = h->shard;
    struct assay_store *store = s->server->effects.store;
    struct assay_batch *batch =
        assay_store_fetch(store, chunk->log, chunk->first, h->recent[chunk->log].chunk, &s->orders.inbox);
    chunk->failed = !batch;
    chunk->reading = batch != NULL;
    h->reads += chunk->reading;
    if (batch)
        assay_worker_submit(assay_store_worker(store), batch);
    else
        retry_later(h);
}

/* So many at once, as each takes memory. */
static void fetch_queued(struct assay_history *h)
{
    while (h->queue && h->reads < READS_MAX) {
        struct assay_chunk *chunk = h->queue;
        h->queue = chunk->next_queued;
        fetch(h, chunk);
    }
}

static void read_chunk(struct assay_history *h, struct assay_chunk *chunk)
{
    chunk->reading = true;
    chunk->failed = false;
    chunk->next_queued = NULL;
    *(h->queue ? &h->queue_last->next_queued : &h->queue) = chunk;
    h->queue_last = chunk;
    fetch_queued(h);
}

static void retry(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)loop;
    struct assay_history *h = (struct assay_history *)alarm;
    for (size_t i = 0; i < ASSAY_CHUNK_BUCKETS; i++)
        for (struct assay_chunk *chunk = h->chunks[i]; chunk; chunk = chunk->next)
            if (chunk->failed)
                read_chunk(h, chunk);
}

static bool add_sleeper(struct assay_chunk *chunk, struct assay_service *service, assay_sid sid)
{
    if (chunk->sleepers_count == chunk->sleepers_cap) {
        size_t cap = chunk->sleepers_cap ? 2 * chunk->sleepers_cap : 4;
        struct sleeper *more = realloc(chunk->sleepers, cap * sizeof *more);
        if (!more)
            return false;
        chunk->sleepers = more;
        chunk->sleepers_cap = cap;
    }
    chunk->sleepers[chunk->sleepers_count++] = (struct sleeper){service, sid};
    return true;
}

/* The session waits for the chunk that holds this row. False: no memory, it is to ask again. */
static bool sleep_until_read(struct assay_history *h, struct assay_service *service, assay_sid sid, uint16_t log,
                             uint64_t number)
{
    uint64_t first = first_of(h, log, number);
    struct assay_chunk *chunk = find_chunk(h, log, first);
    if (!chunk)
        chunk = new_chunk(h, log, first);
    if (!chunk || !add_sleeper(chunk, service, sid))
        return false;
    assay_fetching(service->engine, sid, true);
    if (!chunk->reading && !chunk->failed)
        read_chunk(h, chunk);
    return true;
}

static void wake_sleepers(struct assay_chunk *chunk)
{
    for (size_t i = 0; i < chunk->sleepers_count; i++)
        assay_fetching(chunk->sleepers[i].service->engine, chunk->sleepers[i].sid, false);
    chunk->sleepers_count = 0;
}

void assay_history_fetched(struct assay_shard *s, struct assay_batch *batch)
{
    struct assay_history *h = &s->history;
    struct assay_store_fetched told = assay_store_fetched(batch);
    struct assay_chunk *chunk = find_chunk(h, told.log, told.from);
    h->reads--;
    chunk->reading = false;
    chunk->failed = !told.done;
    fetch_queued(h);
    if (!told.done) {
        assay_batch_free(batch);
        retry_later(h);
        return;
    }
    h->chunks_kept += chunk->batch == NULL;
    assay_batch_free(chunk->batch);
    chunk->batch = batch;
    chunk->used = ++h->uses;
    wake_sleepers(chunk);
}

static bool can_go(const struct assay_chunk *chunk)
{
    return chunk->batch && !chunk->reading && !chunk->failed;
}

static struct assay_chunk *oldest_chunk(struct assay_history *h)
{
    struct assay_chunk *oldest = NULL;
    for (size_t i = 0; i < ASSAY_CHUNK_BUCKETS; i++)
        for (struct assay_chunk *chunk = h->chunks[i]; chunk; chunk = chunk->next)
            if (can_go(chunk) && (!oldest || chunk->used < oldest->used))
                oldest = chunk;
    return oldest;
}

/* Once everybody who waited for them had a look. */
static void forget_chunks(struct assay_history *h)
{
    struct assay_chunk *oldest;
    while (h->chunks_kept > CHUNKS_MAX && (oldest = oldest_chunk(h)))
        free_chunk(h, oldest);
}

/* ---- feeding ----------------------------------------------------------- */

/* Where a row stands in memory; NULL: it has to be fetched. */
static struct assay_span find_row(struct assay_history *h, uint16_t log, uint64_t number)
{
    const struct assay_recent *recent = &h->recent[log];
    if (number >= recent->first && number < recent->end)
        return *recent_at(recent, number);
    struct assay_chunk *chunk = find_chunk(h, log, first_of(h, log, number));
    if (!chunk || !chunk->batch || number - chunk->first >= assay_store_fetched(chunk->batch).count)
        return (struct assay_span){NULL, 0};
    chunk->used = ++h->uses;
    return assay_store_fetched_row(chunk->batch, (uint32_t)(number - chunk->first));
}

/* False: the session takes no more for now. */
static bool give_row(struct assay_turn *t, uint16_t log, uint64_t number, struct assay_span bytes)
{
    const struct assay_store *store = t->shard->server->effects.store;
    struct assay_conn *c = t->conn;
    struct assay_cells row;
    enum assay_rc rc = ASSAY_STALE;
    if (!assay_cells_read(assay_store_shape(store, assay_store_log_place(store, log)), bytes, &row))
        return false;
    do {
        rc = assay_row(c->service->engine, c->sid, assay_loop_now(t->shard->loop), log, number, row.values, row.spans,
                       &t->out);
    } while (assay_turn_again(t, rc) && c->sid);
    return rc != ASSAY_STALE && !t->full && c->sid;
}

/* False: nothing came of it. */
static bool feed_one(struct assay_history *h, struct assay_service *service, const struct assay_hunger *hunger)
{
    struct assay_shard *s = h->shard;
    struct assay_conn *c = service->by_slot[(uint32_t)hunger->sid];
    struct assay_turn t;
    uint32_t given = 0;
    bool slept = false;
    assay_turn_begin(&t, s, c);
    while (given < hunger->most && !slept) {
        struct assay_span row = find_row(h, hunger->log, hunger->from + given);
        if (row.p && !give_row(&t, hunger->log, hunger->from + given, row))
            break;
        if (row.p)
            given++;
        else if (!(slept = sleep_until_read(h, service, hunger->sid, hunger->log, hunger->from + given)))
            break;
    }
    bool full = t.full && c->sid;
    if (full) {
        assay_conn_set(c, ASSAY_CONN_ASIDE);
        assay_fetching(service->engine, c->sid, true);
    }
    bool some = given > 0 || slept || full || !c->sid;
    assay_turn_end(&t);
    return some;
}

/* Those who are told of again and again though nothing comes of it have to wait, as for want of memory. */
static void feed_service(struct assay_history *h, struct assay_service *service)
{
    struct assay_hunger hunger;
    uint32_t vain = 0;
    while (vain <= h->shard->conns_open && assay_hungry(service->engine, &hunger))
        vain = feed_one(h, service, &hunger) ? 0 : vain + 1;
    if (vain > h->shard->conns_open)
        retry_later(h);
}

void assay_history_feed(struct assay_shard *s)
{
    struct assay_history *h = &s->history;
    if (!h->recent)
        return;
    for (size_t i = 0; i < s->services_count; i++)
        feed_service(h, &s->services[i]);
    forget_chunks(h);
}

void assay_history_resume(struct assay_conn *c)
{
    if (!assay_conn_has(c, ASSAY_CONN_ASIDE) || assay_conn_has(c, ASSAY_CONN_BLOCKED))
        return;
    assay_conn_clear(c, ASSAY_CONN_ASIDE);
    if (c->sid)
        assay_fetching(c->service->engine, c->sid, false);
}

/* ---- new rows ---------------------------------------------------------- */

static void tell_engines(struct assay_shard *s, uint16_t log)
{
    struct assay_recent *recent = &s->history.recent[log];
    if (recent->told == recent->end)
        return;
    recent->told = recent->end;
    for (size_t i = 0; i < s->services_count; i++)
        assay_log_grew(s->services[i].engine, log, recent->end);
}

void assay_history_wrote(struct assay_shard *s, const struct assay_batch *batch)
{
    struct assay_history *h = &s->history;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct assay_span row;
        struct assay_store_write write = assay_store_written(batch, i, &row);
        if (batch->jobs[i].done && write.added)
            remember(&h->recent[write.place - s->model->tables_count], write.number, row);
    }
    for (uint16_t log = 0; log < s->model->logs_count; log++)
        tell_engines(s, log);
}

/* ---- set up ------------------------------------------------------------ */

struct restoring {
    struct assay_shard *shard;
    uint16_t table;
};

static bool restore_row(void *user, const struct assay_cells *row)
{
    const struct restoring *r = user;
    for (size_t i = 0; i < r->shard->services_count; i++)
        if (!assay_restore(r->shard->services[i].engine, r->table, row->values, row->spans))
            return false;
    return true;
}

static bool restore_tables(struct assay_shard *s, struct assay_net_error *error)
{
    const struct assay_model *model = s->model;
    for (uint16_t i = 0; i < model->tables_count; i++) {
        struct restoring r = {s, i};
        if (!model->tables[i].durable)
            continue;
        snprintf(error->text, sizeof error->text,
                 "table '%.100s': no room for its rows: raise the limits rows or memory", model->tables[i].name);
        if (!assay_store_each(s->server->effects.store, i, restore_row, &r, error))
            return false;
    }
    return true;
}

/* Rows of the largest size that go into one chunk; at least one. */
static uint32_t chunk_rows(const struct assay_model *model, const struct assay_log *log)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < log->columns.count; i++) {
        const struct assay_type *type = &model->types[model->params[log->columns.first + i].type];
        bytes += sizeof(assay_val);
        if (type->kind >= ASSAY_T_BYTES)
            bytes += (uint64_t)type->max < CHUNK_BYTES ? (uint64_t)type->max : CHUNK_BYTES;
    }
    uint64_t rows = CHUNK_BYTES / bytes;
    return rows > CHUNK_ROWS ? CHUNK_ROWS : rows > 0 ? (uint32_t)rows : 1;
}

static bool open_recent(struct assay_shard *s)
{
    const struct assay_model *model = s->model;
    struct assay_history *h = &s->history;
    h->recent = calloc(model->logs_count, sizeof *h->recent);
    for (uint16_t i = 0; h->recent && i < model->logs_count; i++) {
        uint64_t rows = assay_store_rows(s->server->effects.store, i);
        uint32_t keep = model->logs[i].keep;
        h->recent[i] = (struct assay_recent){.first = rows,
                                             .end = rows,
                                             .keep = keep,
                                             .chunk = chunk_rows(model, &model->logs[i]),
                                             .most = s->server->limits.memory / model->logs_count};
        h->recent[i].rows = calloc(keep + 1u, sizeof *h->recent[i].rows);
        if (!h->recent[i].rows)
            return false;
        tell_engines(s, i);
    }
    return h->recent != NULL;
}

bool assay_history_open(struct assay_shard *s, struct assay_net_error *error)
{
    s->history.shard = s;
    s->history.retry.fire = retry;
    if (!restore_tables(s, error))
        return false;
    snprintf(error->text, sizeof error->text, "no memory");
    return s->model->logs_count == 0 || open_recent(s);
}

void assay_history_close(struct assay_shard *s)
{
    struct assay_history *h = &s->history;
    for (size_t i = 0; i < ASSAY_CHUNK_BUCKETS; i++)
        while (h->chunks[i])
            free_chunk(h, h->chunks[i]);
    for (uint16_t i = 0; h->recent && i < s->model->logs_count; i++) {
        struct assay_recent *recent = &h->recent[i];
        while (recent->rows && recent->first < recent->end)
            forget_oldest(recent);
        free(recent->rows);
    }
    free(h->recent);
    h->recent = NULL;
}
