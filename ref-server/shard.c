/* One loop: accepting, timers, completions, the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/code.h"
#include "net/random.h"
#include "net/socket.h"
#include "ref-server/shard.h"

#define CHUNK        256u
#define ACCEPT_BATCH 256

/* Without descriptors, accepting rests this long, or until a connection ends. */
#define PAUSE (100 * ASSAY_MS)

/* Rounds that orders wait for more of their kind. */
#define PUT_OFF_MAX 16u

/* After the server was told to stop, connections that still did not end are cut. */
#define GRACE (10 * ASSAY_SECOND)

/* ---- connections ------------------------------------------------------- */

static bool add_chunk(struct assay_shard *s)
{
    struct assay_conn **chunks = realloc(s->chunks, (s->chunks_count + 1) * sizeof *chunks);
    if (!chunks)
        return false;
    s->chunks = chunks;
    struct assay_conn *chunk = calloc(CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    s->chunks[s->chunks_count++] = chunk;
    for (unsigned i = CHUNK; i-- > 0;) {
        chunk[i].next = s->conns_free;
        s->conns_free = &chunk[i];
    }
    return true;
}

struct assay_conn *assay_conn_take(struct assay_service *service)
{
    struct assay_shard *s = service->shard;
    if (!s->conns_free && !add_chunk(s))
        return NULL;
    struct assay_conn *c = s->conns_free;
    uint32_t serial = c->serial;
    s->conns_free = c->next;
    s->conns_open++;
    *c = (struct assay_conn){.service = service, .serial = serial, .flags = ASSAY_CONN_OPEN};
    return c;
}

/* Loops end together, as the first one takes the signals for all. */
static void stop_when_empty(struct assay_shard *s)
{
    if (s->accepting || s->conns_open > 0 || s->done)
        return;
    s->done = true;
    if (atomic_fetch_sub(&s->server->running, 1) != 1)
        return;
    for (unsigned i = 0; i < s->server->count; i++)
        assay_loop_stop(s->server->shards[i].loop);
}

void assay_conn_release(struct assay_shard *s, struct assay_conn *c)
{
    c->serial++;
    c->flags = 0;
    c->next = s->conns_free;
    s->conns_free = c;
    s->conns_open--;
    if (s->paused)
        assay_loop_alarm(s->loop, &s->resume, assay_loop_now(s->loop));
    stop_when_empty(s);
}

/* ---- accepting --------------------------------------------------------- */

static void watch_listeners(struct assay_shard *s, unsigned events)
{
    for (size_t i = 0; i < s->listeners_count; i++)
        if (!s->listeners[i].service->datagrams)
            assay_loop_watch(s->loop, &s->listeners[i].watch, events);
}

static void resume(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)alarm;
    struct assay_shard *s = assay_loop_owner(loop);
    s->paused = false;
    if (s->accepting)
        watch_listeners(s, ASSAY_READ);
}

/* Those that cannot be accepted stay in the kernel's queue; a ready listener must not make the loop spin. */
static void pause_accepting(struct assay_shard *s, int why)
{
    if (!s->paused)
        assay_console_say(&s->server->effects.console, "assay: cannot accept connections for now: %s\n", strerror(why));
    s->paused = true;
    watch_listeners(s, 0);
    assay_loop_alarm(s->loop, &s->resume, assay_clock_after(assay_loop_now(s->loop), PAUSE));
}

static bool accept_one(struct assay_shard *s, struct assay_listener *listener)
{
    int fd = assay_accept(listener->watch.fd);
    if (fd >= 0) {
        assay_conn_admit(listener->service, fd);
        return true;
    }
    if (errno != EAGAIN)
        pause_accepting(s, errno);
    return false;
}

static void accept_some(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_shard *s = assay_loop_owner(loop);
    for (int i = 0; i < ACCEPT_BATCH && accept_one(s, (struct assay_listener *)watch); i++)
        continue;
}

bool assay_shard_listen(struct assay_shard *s, size_t service, int fd)
{
    struct assay_listener *l = &s->listeners[s->listeners_count++];
    l->service = &s->services[service];
    l->watch = (struct assay_watch){.ready = l->service->datagrams ? assay_peers_receive : accept_some, .fd = fd};
    s->accepting = true;
    return assay_address_of(fd, &l->address) && assay_loop_watch(s->loop, &l->watch, ASSAY_READ);
}

/* ---- the end ----------------------------------------------------------- */

static void for_each_conn(struct assay_shard *s, void (*fn)(struct assay_shard *, struct assay_conn *))
{
    for (size_t i = 0; i < s->chunks_count; i++)
        for (unsigned k = 0; k < CHUNK; k++)
            if (s->chunks[i][k].flags & ASSAY_CONN_OPEN)
                fn(s, &s->chunks[i][k]);
}

static void close_listener(struct assay_shard *s, struct assay_listener *l)
{
    if (l->watch.fd < 0)
        return;
    assay_loop_leave(s->loop, &l->watch);
    close(l->watch.fd);
    l->watch.fd = -1;
}

static void close_sockets_of(struct assay_shard *s, const struct assay_service *service)
{
    for (size_t i = 0; i < s->listeners_count; i++)
        if (s->listeners[i].service == service)
            close_listener(s, &s->listeners[i]);
}

void assay_shard_peers_gone(struct assay_shard *s, struct assay_service *service)
{
    if (!s->accepting)
        close_sockets_of(s, service);
}

static void stop_peer(struct assay_shard *s, struct assay_conn *c)
{
    if (c->peer)
        assay_conn_stop(s, c);
}

/* What is in the kernel's queue has connected, or come, before the end: it is
 * taken. Sockets of datagrams are there until what has come is answered. */
static void stop_accepting(struct assay_shard *s)
{
    if (!s->accepting)
        return;
    for (size_t i = 0; i < s->listeners_count; i++) {
        struct assay_listener *l = &s->listeners[i];
        assay_loop_watch(s->loop, &l->watch, 0);
        if (l->service->datagrams) {
            assay_peers_drain(l);
            continue;
        }
        while (accept_one(s, l))
            continue;
        close_listener(s, l);
    }
    s->accepting = false;
    for (size_t i = 0; i < s->listeners_count; i++)
        if (s->listeners[i].service->datagrams)
            assay_peers_watch(s, &s->listeners[i]);
    for_each_conn(s, stop_peer);
    for (size_t i = 0; i < s->services_count; i++)
        if (s->services[i].peers.count == 0)
            close_sockets_of(s, &s->services[i]);
}

static void cut_all(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)alarm;
    struct assay_shard *s = assay_loop_owner(loop);
    assay_console_say(&s->server->effects.console, "assay: %u sessions did not end in time and are cut\n",
                      s->conns_open);
    for_each_conn(s, assay_conn_kill);
}

static void begin_stop(struct assay_shard *s)
{
    s->stopping = true;
    stop_accepting(s);
    for_each_conn(s, assay_conn_stop);
    assay_loop_alarm(s->loop, &s->grace, assay_clock_after(assay_loop_now(s->loop), GRACE));
    stop_when_empty(s);
}

static void look_at_flags(struct assay_shard *s)
{
    if (atomic_load(&s->server->stopping) && !s->stopping)
        begin_stop(s);
    if (atomic_load(&s->server->no_more) && s->accepting) {
        stop_accepting(s);
        stop_when_empty(s);
    }
}

/* ---- rounds ------------------------------------------------------------ */

static void complete_job(struct assay_shard *s, struct assay_turn *turn, const struct assay_job *job)
{
    if (job->conn->serial != job->serial) {
        struct assay_out nowhere = s->shared; /* its session is gone: only the engine's table has to know */
        (void)assay_complete(job->service->engine, job->token, assay_loop_now(s->loop), job->done, &nowhere);
        return;
    }
    if (turn->conn != job->conn && turn->conn)
        assay_turn_end(turn);
    if (turn->conn != job->conn)
        assay_turn_begin(turn, s, job->conn);
    assay_turn_complete(turn, job->token, job->done);
}

/* Jobs of one connection stand together mostly; it goes on behind the last of them. */
static void complete_batch(struct assay_shard *s, const struct assay_batch *batch)
{
    struct assay_turn turn = {.conn = NULL};
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->jobs[i].token)
            complete_job(s, &turn, &batch->jobs[i]);
    if (turn.conn)
        assay_turn_end(&turn);
}

static void take_batch(struct assay_shard *s, struct assay_batch *batch)
{
    bool stored = s->server->effects.store && batch->object == s->server->effects.store;
    if (stored && assay_store_is_fetch(batch)) {
        assay_history_fetched(s, batch);
        return;
    }
    if (stored)
        assay_history_wrote(s, batch);
    assay_orders_returned(&s->orders, batch);
    complete_batch(s, batch);
    assay_orders_done(&s->orders, batch);
}

static void woken(struct assay_loop *loop)
{
    struct assay_shard *s = assay_loop_owner(loop);
    for (struct assay_batch *next, *b = assay_inbox_take(&s->orders.inbox); b; b = next) {
        next = b->next;
        take_batch(s, b);
    }
    for (size_t i = 0; i < s->services_count; i++)
        s->services[i].resting = false;
    assay_conn_feed_starved(s);
    look_at_flags(s);
}

static void tick(struct assay_loop *loop, struct assay_alarm *alarm)
{
    struct assay_service *service = (struct assay_service *)alarm;
    assay_sid sid;
    while (assay_due(service->engine, assay_loop_now(loop), &sid)) {
        /* Its input came in time and waits for us, not for the peer: timers rest until an effect completes. */
        service->resting = (service->by_slot[(uint32_t)sid]->flags & ASSAY_CONN_STARVED) != 0;
        if (service->resting)
            return;
        assay_conn_tick(service, sid);
    }
}

/* Orders are handed over when nothing more is ready, so that what arrives
 * together shares a sync; but they do not wait for ever. */
static void submit(struct assay_shard *s)
{
    if (!s->orders.any)
        return;
    if (assay_loop_handled(s->loop) > 0 && ++s->put_off < PUT_OFF_MAX) {
        assay_loop_hurry(s->loop);
        return;
    }
    s->put_off = 0;
    assay_orders_submit(&s->orders);
}

static void set_tick(struct assay_loop *loop, struct assay_service *service)
{
    struct assay_alarm *alarm = &service->tick;
    assay_time deadline = assay_deadline(service->engine);
    if (deadline == ASSAY_NEVER || service->resting)
        assay_loop_cancel(loop, alarm);
    else if (alarm->place == 0 || alarm->at != deadline)
        assay_loop_alarm(loop, alarm, deadline);
}

static void each_round(struct assay_loop *loop)
{
    struct assay_shard *s = assay_loop_owner(loop);
    assay_history_feed(s);
    submit(s);
    for (size_t i = 0; i < s->services_count; i++)
        set_tick(loop, &s->services[i]);
}

/* ---- services ---------------------------------------------------------- */

static struct assay_config engine_config(const struct assay_service *service)
{
    const struct assay_server *server = service->shard->server;
    struct assay_config config = {
        .model = server->config.model,
        .machine = service->transport->server,
        .limits = service->limits,
        .leniencies = server->leniencies,
        .trace = server->config.trace,
        .judge = server->config.trace,
        .gates = true,
        .chains = assay_effects_chain(&server->effects),
    };
    assay_secret(config.secret);
    return config;
}

/* Mapped, so that memory of limits never reached is never touched. */
static bool open_engine(struct assay_service *service)
{
    struct assay_config config = engine_config(service);
    service->block_size = assay_engine_size(&config);
    void *block =
        mmap(NULL, service->block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        return false;
    service->block = block;
    service->engine = assay_engine_init(block, service->block_size, &config);
    return service->engine != NULL;
}

static uint32_t part(uint32_t whole, size_t parts)
{
    return whole / parts > 0 ? (uint32_t)(whole / parts) : 1;
}

/* Memory and effects are divided, as are sessions of datagrams; those of streams are counted over all loops. */
static struct assay_limits share_of(const struct assay_server *server, size_t services, bool datagrams)
{
    struct assay_limits share = server->limits;
    share.memory = part(share.memory, server->count * services);
    share.effects = part(share.effects, server->count * services);
    if (datagrams)
        share.sessions = part(share.sessions, server->count);
    return share;
}

static bool open_service(struct assay_shard *s, const struct assay_transport *transport, size_t services)
{
    struct assay_service *service = &s->services[s->services_count++];
    struct assay_server *server = s->server;
    service->tick.fire = tick;
    service->shard = s;
    service->transport = transport;
    service->datagrams = strcmp(transport->name, "udp") == 0;
    service->limits = share_of(server, services, service->datagrams);
    service->by_slot = calloc(service->limits.sessions + 1u, sizeof(struct assay_conn *));
    if (!service->by_slot || !open_engine(service) || (service->datagrams && !assay_peers_open(service)))
        return false;
    if (!server->config.trace)
        return true;
    service->trace = assay_trace_new(server, transport->server);
    return service->trace != NULL;
}

static bool open_services(struct assay_shard *s)
{
    const struct assay_model *model = s->model;
    size_t count = 0;
    for (uint16_t i = 0; i < model->transports_count; i++)
        count += assay_server_serves(&model->transports[i]);
    s->services = calloc(count + 1, sizeof *s->services);
    for (uint16_t i = 0; s->services && i < model->transports_count; i++)
        if (assay_server_serves(&model->transports[i]) && !open_service(s, &model->transports[i], count))
            return false;
    return s->services != NULL;
}

static void close_service(struct assay_service *service)
{
    free(service->by_slot);
    assay_peers_close(service);
    assay_trace_free(service->trace);
    if (service->block)
        munmap(service->block, service->block_size);
}

/* ---- set up ------------------------------------------------------------ */

static bool any_gate(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->rules_count; i++)
        if (model->rules[i].flags & ASSAY_RULE_GATE)
            return true;
    return false;
}

static bool any_peer(const struct assay_model *model)
{
    for (uint32_t i = 0; i < model->code_count; i++)
        if (assay_ins_op(model->code[i]) == ASSAY_OP_PEER)
            return true;
    return false;
}

static bool open_buffers(struct assay_shard *s)
{
    uint32_t output = s->server->limits.output;
    uint32_t cap = output > s->model->out_max ? output : s->model->out_max;
    s->gating = any_gate(s->model);
    s->asks_peer = any_peer(s->model);
    s->in = malloc(ASSAY_READ_SIZE);
    s->shared = (struct assay_out){.bytes = malloc(cap + 1u),
                                   .cap = cap,
                                   .cuts = malloc(ASSAY_CUTS * sizeof(struct assay_cut)),
                                   .cuts_cap = ASSAY_CUTS};
    return s->in && s->shared.bytes && s->shared.cuts;
}

bool assay_shard_open(struct assay_shard *s, struct assay_server *server, struct assay_net_error *error)
{
    s->server = server;
    s->model = server->config.model;
    s->resume.fire = resume;
    s->grace.fire = cut_all;
    s->loop = assay_loop_new(s);
    if (!s->loop || !assay_orders_open(&s->orders, &server->effects, s->loop) || !open_buffers(s) ||
        !open_services(s)) {
        snprintf(error->text, sizeof error->text, "no memory for the limits asked for: %s", strerror(errno));
        return false;
    }
    if (!assay_history_open(s, error))
        return false;
    assay_loop_on_wake(s->loop, woken);
    assay_loop_each_round(s->loop, each_round);
    return true;
}

void assay_shard_run(struct assay_shard *s)
{
    assay_loop_run(s->loop);
    assay_orders_submit_all(&s->orders);
}

void assay_shard_close(struct assay_shard *s)
{
    s->done = true;
    for_each_conn(s, assay_conn_kill);
    for (size_t i = 0; i < s->listeners_count; i++)
        close_listener(s, &s->listeners[i]);
    for (size_t i = 0; i < s->chunks_count; i++)
        free(s->chunks[i]);
    assay_history_close(s);
    for (size_t i = 0; i < s->services_count; i++)
        close_service(&s->services[i]);
    free(s->services);
    free(s->chunks);
    free(s->in);
    free(s->shared.bytes);
    free(s->shared.cuts);
    free(s->instants);
    assay_orders_close(&s->orders);
    assay_pool_free(&s->pool);
    assay_loop_free(s->loop);
}
