#include "ref-server/server.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"
#include "ref-server/shard.h"

#define LOOPS_MAX 64u

/* Below this, limits are not divided among loops. */
#define SESSIONS_TO_DIVIDE 256u
#define EFFECTS_TO_DIVIDE  128u

/* ---- stopping ---------------------------------------------------------- */

void assay_server_nudge(struct assay_server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        assay_loop_wake(server->shards[i].loop);
}

static void stop_by_protocol(void *owner)
{
    struct assay_server *server = owner;
    atomic_store(&server->no_more, true);
    assay_server_nudge(server);
}

static void interrupt(struct assay_server *server)
{
    server->interrupted = true;
    for (unsigned i = 0; i < server->count; i++)
        assay_loop_stop(server->shards[i].loop);
}

static void stop_by_signal(struct assay_server *server)
{
    if (atomic_exchange(&server->stopping, true))
        interrupt(server);
    assay_server_nudge(server);
}

static void take_signals(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_shard *shard = assay_loop_owner(loop);
    for (int number; (number = assay_signals_next(watch->fd)) != 0;) {
        if (number == SIGHUP)
            assay_effects_reopen(&shard->server->effects);
        else
            stop_by_signal(shard->server);
    }
}

static bool watch_signals(struct assay_server *server)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, 0};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    server->signals = (struct assay_watch){.ready = take_signals, .fd = assay_signals_open(wanted)};
    return server->signals.fd >= 0;
}

/* ---- limits ------------------------------------------------------------ */

static unsigned cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

static unsigned choose_loops(const struct assay_server_config *config)
{
    const struct assay_limits *limits = &config->limits;
    unsigned loops = config->loops ? config->loops : cores();
    if (loops > LOOPS_MAX)
        loops = LOOPS_MAX;
    bool small = limits->sessions < SESSIONS_TO_DIVIDE * loops || limits->effects < EFFECTS_TO_DIVIDE * loops ||
                 limits->memory / loops < 16u * config->model->frame_max;
    return config->trace || small || loops == 0 ? 1 : loops;
}

/* Sessions are counted over all loops; memory and effects are divided. */
static struct assay_limits share_of(const struct assay_limits *limits, unsigned loops)
{
    struct assay_limits share = *limits;
    share.memory /= loops;
    share.effects /= loops;
    return share;
}

/* ---- listening --------------------------------------------------------- */

/* The address that the spec names: the first transport that this server speaks. */
static bool default_address(const struct assay_model *model, char *text, size_t size)
{
    for (uint16_t i = 0; i < model->transports_count; i++) {
        const struct assay_transport *t = &model->transports[i];
        if (strcmp(t->name, "tcp") != 0)
            continue;
        const char *host = t->bind ? t->bind : "*";
        if (strcmp(host, "::") == 0)
            host = "*";
        snprintf(text, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, t->port);
        return true;
    }
    return false;
}

/* The first loop binds; the others share what it got. */
static bool listen_on(struct assay_server *server, const struct assay_address *at, struct assay_net_error *error)
{
    struct assay_address bound;
    int fd = assay_listen(at, error);
    if (fd < 0 || !assay_address_of(fd, &bound) || !assay_shard_listen(&server->shards[0], fd))
        return false;
    for (unsigned i = 1; i < server->count; i++) {
        fd = assay_listen_again(&bound, error);
        if (fd < 0 || !assay_shard_listen(&server->shards[i], fd))
            return false;
    }
    return true;
}

static bool listen_at(struct assay_server *server, const char *text, struct assay_net_error *error)
{
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    size_t n = assay_address_resolve(text, ASSAY_ADDRESS_LISTEN, all, error);
    for (size_t i = 0; i < n; i++) {
        if (server->shards[0].listeners_count == ASSAY_ADDRESSES_MAX) {
            snprintf(error->text, sizeof error->text, "'%.120s': too many addresses", text);
            return false;
        }
        /* The addresses of one name get one port, if that is left to the system. */
        if (i > 0 && assay_address_port(&all[i]) == 0)
            assay_address_set_port(&all[i], assay_address_port(&server->shards[0].listeners[0].address));
        if (!listen_on(server, &all[i], error))
            return false;
    }
    return n > 0;
}

static bool listen_all(struct assay_server *server, struct assay_net_error *error)
{
    const struct assay_server_config *config = server->config;
    char text[160];
    for (size_t i = 0; i < config->listen_count; i++)
        if (!listen_at(server, config->listen[i], error))
            return false;
    if (config->listen_count > 0)
        return true;
    if (default_address(config->model, text, sizeof text))
        return listen_at(server, text, error);
    snprintf(error->text, sizeof error->text, "the spec names no tcp transport: use --listen ADDR:PORT");
    return false;
}

static void announce_all(const struct assay_server *server, FILE *announce)
{
    char text[ASSAY_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < server->shards[0].listeners_count; i++) {
        assay_address_format(&server->shards[0].listeners[i].address, text);
        fprintf(announce, "listening on tcp:%s\n", text);
    }
    fflush(announce);
}

/* ---- running ----------------------------------------------------------- */

static bool open_shards(struct assay_server *server, struct assay_net_error *error)
{
    unsigned count = choose_loops(server->config);
    struct assay_limits share = share_of(&server->config->limits, count);
    server->shards = calloc(count, sizeof *server->shards);
    if (!server->shards) {
        snprintf(error->text, sizeof error->text, "no memory");
        return false;
    }
    server->count = count;
    atomic_store(&server->running, count);
    for (unsigned i = 0; i < count; i++)
        if (!assay_shard_open(&server->shards[i], server, &share, error))
            return false;
    return true;
}

static void *run_shard(void *shard)
{
    assay_shard_run(shard);
    return NULL;
}

static bool start_others(struct assay_server *server, struct assay_net_error *error)
{
    for (unsigned i = 1; i < server->count; i++) {
        struct assay_shard *shard = &server->shards[i];
        shard->threaded = pthread_create(&shard->thread, NULL, run_shard, shard) == 0;
        if (!shard->threaded) {
            snprintf(error->text, sizeof error->text, "cannot start a thread");
            return false;
        }
    }
    return true;
}

static void join_others(struct assay_server *server)
{
    for (unsigned i = 1; i < server->count; i++)
        if (server->shards[i].threaded)
            pthread_join(server->shards[i].thread, NULL);
}

static bool start(struct assay_server *server, struct assay_net_error *error)
{
    const struct assay_server_config *config = server->config;
    if (!watch_signals(server)) {
        snprintf(error->text, sizeof error->text, "cannot watch for signals");
        return false;
    }
    server->effects.stop = stop_by_protocol;
    server->effects.owner = server;
    return assay_effects_open(&server->effects, config->model, config->data ? config->data : ".", error) &&
           open_shards(server, error) && assay_loop_watch(server->shards[0].loop, &server->signals, ASSAY_READ) &&
           listen_all(server, error) && start_others(server, error);
}

static void close_all(struct assay_server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        if (server->shards[i].loop)
            assay_loop_stop(server->shards[i].loop);
    join_others(server);
    assay_effects_close(&server->effects);
    for (unsigned i = 0; i < server->count; i++)
        assay_shard_close(&server->shards[i]);
    free(server->shards);
    if (server->signals.fd >= 0)
        close(server->signals.fd);
}

enum assay_server_end assay_server_run(const struct assay_server_config *config, FILE *announce,
                                       struct assay_net_error *error)
{
    struct assay_server server = {.config = config, .effects = {.folder = -1}, .signals = {.fd = -1}};
    assay_descriptors_raise();
    snprintf(error->text, sizeof error->text, "cannot start");
    bool ok = start(&server, error);
    if (ok) {
        announce_all(&server, announce);
        assay_shard_run(&server.shards[0]);
        join_others(&server);
    }
    close_all(&server);
    if (!ok)
        return ASSAY_SERVER_UNUSABLE;
    return server.interrupted ? ASSAY_SERVER_INTERRUPTED : ASSAY_SERVER_STOPPED;
}
