#include "ref-server/assay_server.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/socket.h"
#include "ref-server/shard.h"

#define LOOPS_MAX 64u

/* Below this, limits are not divided among loops. */
#define SESSIONS_TO_DIVIDE 256u
#define EFFECTS_TO_DIVIDE  128u

/* A server that was told to end gives its port up soon: how long that is waited for. */
#define HAND_OVER      ASSAY_SECOND
#define HAND_OVER_STEP (5 * ASSAY_MS)

/* ---- stopping ---------------------------------------------------------- */

void assay_server_nudge(struct assay_server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        assay_loop_wake(server->shards[i].loop);
}

void assay_server_stop_taking(struct assay_server *server)
{
    atomic_store(&server->no_more, true);
    assay_server_nudge(server);
}

static void stop_by_protocol(void *owner)
{
    assay_server_stop_taking(owner);
}

static void interrupt(struct assay_server *server)
{
    atomic_store(&server->interrupted, true);
    assay_console_wait(&server->effects.console, 0);
    for (unsigned i = 0; i < server->count; i++)
        assay_loop_stop(server->shards[i].loop);
}

void assay_server_stop(struct assay_server *server)
{
    if (atomic_exchange(&server->stopping, true))
        interrupt(server);
    else
        assay_console_wait(&server->effects.console, server->limits.drain_time);
    assay_server_nudge(server);
}

void assay_server_tell(const struct assay_server *server, FILE *to)
{
    unsigned long long in = atomic_load(&server->lost_in), out = atomic_load(&server->lost_out);
    assay_effects_tell(&server->effects, to);
    if (in + out > 0)
        fprintf(to, "assay: datagrams lost for want of room: %llu received, %llu to be sent\n", in, out);
    fflush(to);
}

/* To our own stderr, which may not be read. */
static void tell_stderr(struct assay_server *server)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return;
    assay_server_tell(server, to);
    fclose(to);
    assay_console_write(&server->effects.console, text, size);
    free(text);
}

static void take_signals(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_server *server = ((struct assay_shard *)assay_loop_owner(loop))->server;
    for (int number; (number = assay_signals_next(watch->fd)) != 0;) {
        if (number == SIGHUP)
            assay_effects_reopen(&server->effects);
        else if (number == SIGUSR1)
            tell_stderr(server);
        else
            assay_server_stop(server);
    }
}

/* Blocked before there are threads, which inherit that. */
static bool open_signals(struct assay_server *server)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, 0};
    if (!server->config.signals)
        return true;
    server->signals = (struct assay_watch){.ready = take_signals, .fd = assay_signals_open(wanted)};
    return server->signals.fd >= 0;
}

static bool watch_signals(struct assay_server *server)
{
    return !server->config.signals || assay_loop_watch(server->shards[0].loop, &server->signals, ASSAY_READ);
}

/* ---- limits ------------------------------------------------------------ */

static unsigned cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

/* What all sessions share is one engine's. */
static bool is_shared(const struct assay_model *model)
{
    return model->tables_count > 0 || model->logs_count > 0;
}

static unsigned choose_loops(const struct assay_server *server)
{
    const struct assay_limits *limits = &server->limits;
    const struct assay_server_config *config = &server->config;
    unsigned loops = config->loops ? config->loops : cores();
    if (loops > LOOPS_MAX)
        loops = LOOPS_MAX;
    bool small = limits->sessions < SESSIONS_TO_DIVIDE * loops || limits->effects < EFFECTS_TO_DIVIDE * loops ||
                 limits->memory / loops < 16u * config->model->frame_max;
    return config->trace || small || loops == 0 || is_shared(config->model) ? 1 : loops;
}

/* ---- listening --------------------------------------------------------- */

bool assay_server_serves(const struct assay_transport *t)
{
    return t->server != ASSAY_NONE && (strcmp(t->name, "tcp") == 0 || strcmp(t->name, "udp") == 0);
}

static bool refuse(struct assay_net_error *error, const char *text, const char *why)
{
    snprintf(error->text, sizeof error->text, "'%.120s': %s", text, why);
    return false;
}

/* The first loop binds; the others share what it got. */
static int bind_first(const struct assay_address *at, bool datagrams, struct assay_net_error *error)
{
    int64_t until = assay_clock_after(assay_clock_now(), HAND_OVER);
    for (;;) {
        int fd = datagrams ? assay_udp_bind(at, error) : assay_listen(at, error);
        if (fd >= 0 || errno != EADDRINUSE || assay_clock_now() >= until)
            return fd;
        struct timespec pause = {.tv_nsec = HAND_OVER_STEP};
        nanosleep(&pause, NULL);
    }
}

static int bind_again(const struct assay_address *at, bool datagrams, struct assay_net_error *error)
{
    return datagrams ? assay_udp_bind_again(at, error) : assay_listen_again(at, error);
}

static void remember_address(struct assay_server *server, const struct assay_address *at, bool datagrams)
{
    char text[ASSAY_ADDRESS_TEXT_MAX];
    assay_address_format(at, text);
    snprintf(server->addresses[server->addresses_count++], ASSAY_SERVER_ADDRESS_MAX, "%s:%s", datagrams ? "udp" : "tcp",
             text);
}

static bool listen_on(struct assay_server *server, size_t service, const struct assay_address *at,
                      struct assay_net_error *error)
{
    bool datagrams = server->shards[0].services[service].datagrams;
    struct assay_address bound;
    int fd = bind_first(at, datagrams, error);
    if (fd < 0 || !assay_address_of(fd, &bound) || !assay_shard_listen(&server->shards[0], service, fd))
        return false;
    for (unsigned i = 1; i < server->count; i++) {
        fd = bind_again(&bound, datagrams, error);
        if (fd < 0 || !assay_shard_listen(&server->shards[i], service, fd))
            return false;
    }
    remember_address(server, &bound, datagrams);
    return true;
}

static bool listen_at(struct assay_server *server, size_t service, const char *text, struct assay_net_error *error)
{
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    size_t n = assay_address_resolve(text, ASSAY_ADDRESS_LISTEN, all, error);
    const struct assay_shard *first = &server->shards[0];
    for (size_t i = 0; i < n; i++) {
        if (first->listeners_count == ASSAY_LISTENERS)
            return refuse(error, text, "too many addresses");
        /* The addresses of one name get one port, if that is left to the system. */
        if (i > 0 && assay_address_port(&all[i]) == 0)
            assay_address_set_port(&all[i], assay_address_port(&first->listeners[first->listeners_count - 1].address));
        if (!listen_on(server, service, &all[i], error))
            return false;
    }
    return n > 0;
}

/* Which transport an address is for; the number of services: none. */
static size_t service_for(const struct assay_shard *s, const char *text)
{
    bool udp = assay_address_is_udp(text), named = udp || assay_address_is_tcp(text);
    size_t i = 0;
    while (i < s->services_count && named && s->services[i].datagrams != udp)
        i++;
    return i;
}

static bool listen_as_told(struct assay_server *server, struct assay_net_error *error)
{
    const struct assay_server_config *config = &server->config;
    const struct assay_shard *first = &server->shards[0];
    for (size_t i = 0; i < config->listen_count; i++) {
        size_t service = service_for(first, config->listen[i]);
        if (service == first->services_count)
            return refuse(error, config->listen[i], "the spec has no server for this transport");
        if (!listen_at(server, service, config->listen[i], error))
            return false;
    }
    return true;
}

static bool listen_as_the_spec_says(struct assay_server *server, struct assay_net_error *error)
{
    char text[160];
    for (size_t i = 0; i < server->shards[0].services_count; i++) {
        const struct assay_transport *t = server->shards[0].services[i].transport;
        const char *host = t->bind ? t->bind : "127.0.0.1";
        if (strcmp(host, "::") == 0)
            host = "*";
        snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, t->port);
        if (!listen_at(server, i, text, error))
            return false;
    }
    return true;
}

/* Each transport has an engine of its own, and a table is one engine's. */
static bool check_tables(const struct assay_server *server, struct assay_net_error *error)
{
    const struct assay_shard *s = &server->shards[0];
    for (size_t i = 1; server->config.model->tables_count > 0 && i < s->listeners_count; i++)
        if (s->listeners[i].service != s->listeners[0].service)
            return refuse(error, s->listeners[i].service->transport->name,
                          "a spec with tables is served over one transport at a time: say which, with --listen");
    return true;
}

static bool listen_all(struct assay_server *server, struct assay_net_error *error)
{
    server->addresses = calloc(ASSAY_LISTENERS, sizeof *server->addresses);
    if (!server->addresses)
        return false;
    if (server->shards[0].services_count == 0) {
        snprintf(error->text, sizeof error->text, "the spec has no server over tcp or udp");
        return false;
    }
    bool ok = server->config.listen_count > 0 ? listen_as_told(server, error) : listen_as_the_spec_says(server, error);
    return ok && check_tables(server, error);
}

const char *assay_server_address(const struct assay_server *server, size_t i)
{
    return i < server->addresses_count ? server->addresses[i] : NULL;
}

/* ---- threads ----------------------------------------------------------- */

/* Signals are the application's: threads started in between take none. */
static sigset_t block_signals(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    return before;
}

static void unblock_signals(sigset_t before)
{
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool start_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    sigset_t before = block_signals();
    bool ok = pthread_create(thread, NULL, fn, arg) == 0;
    unblock_signals(before);
    return ok;
}

static bool open_effects(struct assay_server *server, struct assay_net_error *error)
{
    const struct assay_server_config *config = &server->config;
    struct assay_effects *effects = &server->effects;
    effects->stop = stop_by_protocol;
    effects->owner = server;
    effects->limits = &server->limits;
    effects->application = config->application;
    effects->user = config->user;
    effects->override = config->override;
    sigset_t before = block_signals();
    bool ok = assay_effects_open(effects, config->model, config->data ? config->data : ".", error);
    unblock_signals(before);
    return ok;
}

/* ---- opening ----------------------------------------------------------- */

static bool open_shards(struct assay_server *server, struct assay_net_error *error)
{
    unsigned count = choose_loops(server);
    server->shards = calloc(count, sizeof *server->shards);
    if (!server->shards) {
        snprintf(error->text, sizeof error->text, "no memory");
        return false;
    }
    if (is_shared(server->config.model) && server->config.loops > 1)
        assay_console_say(&server->effects.console,
                          "assay: one loop instead of %u: the spec has tables or logs, which all sessions share\n",
                          server->config.loops);
    server->count = count;
    atomic_store(&server->running, count);
    for (unsigned i = 0; i < count; i++)
        if (!assay_shard_open(&server->shards[i], server, error))
            return false;
    return true;
}

static bool start_store(struct assay_server *server, struct assay_net_error *error)
{
    struct assay_store *store = server->effects.store;
    sigset_t before = block_signals();
    bool ok = !store || assay_store_start(store);
    unblock_signals(before);
    if (!ok)
        snprintf(error->text, sizeof error->text, "cannot start a thread");
    return ok;
}

static bool announce(struct assay_server *server)
{
    struct assay_console *console = &server->effects.console;
    char line[ASSAY_SERVER_ADDRESS_MAX + 16];
    if (!server->config.announce)
        return true;
    if (!assay_console_use_out(console))
        return false;
    for (size_t i = 0; i < server->addresses_count; i++) {
        int n = snprintf(line, sizeof line, "listening on %s\n", server->addresses[i]);
        assay_console_write_out(console, line, (size_t)n);
    }
    return true;
}

static bool open_all(struct assay_server *server, struct assay_net_error *error)
{
    return assay_server_take_params(server, error) && open_signals(server) && open_effects(server, error) &&
           open_shards(server, error) && start_store(server, error) && watch_signals(server) &&
           listen_all(server, error) && announce(server);
}

static void close_all(struct assay_server *server)
{
    assay_effects_close(&server->effects);
    for (unsigned i = 0; i < server->count; i++)
        assay_shard_close(&server->shards[i]);
    free(server->shards);
    free(server->addresses);
    free(server->options);
    if (server->signals.fd >= 0)
        close(server->signals.fd);
    free(server);
}

static struct assay_server *new_server(const struct assay_server_config *config)
{
    struct assay_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->config = *config;
    server->limits = config->limits ? *config->limits : config->model->limits;
    server->leniencies = config->leniencies ? *config->leniencies : assay_leniencies_default(config->model);
    server->effects.folder = -1;
    server->signals.fd = -1;
    server->end = ASSAY_SERVER_UNUSABLE;
    return server;
}

struct assay_server *assay_server_open(const struct assay_server_config *config, char error[ASSAY_SERVER_ERROR_MAX])
{
    struct assay_net_error why = {"cannot start"};
    struct assay_server *server = new_server(config);
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    assay_descriptors_raise();
    if (server && open_all(server, &why))
        return server;
    if (error)
        snprintf(error, ASSAY_SERVER_ERROR_MAX, "%s", why.text);
    if (server)
        close_all(server);
    unblock_signals(before);
    return NULL;
}

/* ---- running ----------------------------------------------------------- */

static void *run_shard(void *shard)
{
    assay_shard_run(shard);
    return NULL;
}

static bool start_others(struct assay_server *server)
{
    for (unsigned i = 1; i < server->count; i++) {
        struct assay_shard *shard = &server->shards[i];
        shard->threaded = start_thread(&shard->thread, run_shard, shard);
        if (!shard->threaded)
            return false;
    }
    return true;
}

static void join_others(struct assay_server *server)
{
    for (unsigned i = 1; i < server->count; i++) {
        assay_loop_stop(server->shards[i].loop);
        if (server->shards[i].threaded)
            pthread_join(server->shards[i].thread, NULL);
    }
}

/* What was said by now is written, as far as somebody reads it. A signal still says: at once. */
static void finish_console(struct assay_server *server)
{
    struct assay_console *console = &server->effects.console;
    struct pollfd p[] = {{.fd = console->ended, .events = POLLIN}, {.fd = server->signals.fd, .events = POLLIN}};
    if (!atomic_load(&server->stopping))
        assay_console_wait(console, server->limits.drain_time);
    while (!assay_console_finish(console)) {
        poll(p, 2, -1);
        if (p[1].revents)
            take_signals(server->shards[0].loop, &server->signals, ASSAY_READ);
    }
}

static enum assay_server_end run(struct assay_server *server)
{
    bool started = start_others(server);
    if (started)
        assay_shard_run(&server->shards[0]);
    join_others(server);
    if (started && server->config.stats)
        tell_stderr(server);
    finish_console(server);
    if (started)
        server->end = atomic_load(&server->interrupted) ? ASSAY_SERVER_INTERRUPTED : ASSAY_SERVER_STOPPED;
    return server->end;
}

enum assay_server_end assay_server_run(struct assay_server *server)
{
    return atomic_exchange(&server->begun, true) ? ASSAY_SERVER_UNUSABLE : run(server);
}

static void *run_server(void *server)
{
    run(server);
    return NULL;
}

bool assay_server_start(struct assay_server *server)
{
    if (atomic_exchange(&server->begun, true))
        return false;
    server->started = start_thread(&server->thread, run_server, server);
    return server->started;
}

enum assay_server_end assay_server_close(struct assay_server *server)
{
    if (!server)
        return ASSAY_SERVER_UNUSABLE;
    if (server->started)
        pthread_join(server->thread, NULL);
    enum assay_server_end end = server->end;
    close_all(server);
    return end;
}
