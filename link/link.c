/* Starting, counting and ending; the work is done in stream.c and datagram.c. */
#include "link/link.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/inside.h"
#include "link/words.h"
#include "net/datagram.h"
#include "net/socket.h"

/* After it was told to stop, what is still on its way has this long. */
#define GRACE ASSAY_SECOND

/* Faults of a plan that the summary names as not done; of the others it tells the number. */
#define MISSED_MAX 20u

/* ---- counting ---------------------------------------------------------- */

static bool streams(const struct assay_link *link)
{
    return link->config->faults->plan.transport == ASSAY_LINK_STREAM;
}

void assay_link_done(struct assay_link *link, const struct assay_link_fault *fault)
{
    char line[ASSAY_LINK_LINE_MAX];
    link->done[fault->kind]++;
    if (fault->order > 0)
        link->planned[fault->order - 1] = true;
    if (!link->config->log)
        return;
    assay_link_print(fault, line);
    fprintf(link->config->log, "%s\n", line);
}

static void tell_datagrams(const struct assay_link *link, FILE *out)
{
    uint64_t unheard = link->datagrams ? assay_link_datagrams_unheard(link) : 0;
    if (link->overflow > 0)
        fprintf(out, "%" PRIu64 " datagrams were lost for want of room\n", link->overflow);
    if (unheard > 0)
        fprintf(out, "%" PRIu64 " datagrams were lost in full receive buffers before the link saw them\n", unheard);
    if (link->full > 0)
        fprintf(out, "%" PRIu64 " datagrams were lost in full send buffers\n", link->full);
    if (link->unsent > 0)
        fprintf(out, "%" PRIu64 " datagrams could not be sent: %s\n", link->unsent, strerror(link->unsent_why));
    if (link->expired > 0)
        fprintf(out, "%" PRIu64 " idle sessions expired\n", link->expired);
}

/* What of a plan did not happen: then it was not the same run again. */
static void tell_plan(const struct assay_link *link, FILE *out)
{
    const struct assay_link_plan *plan = &link->config->faults->plan;
    char line[ASSAY_LINK_LINE_MAX];
    size_t missed = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (link->planned[plan->faults[i].order - 1] || missed++ >= MISSED_MAX)
            continue;
        assay_link_print(&plan->faults[i], line);
        fprintf(out, "not done: %s\n", line);
    }
    if (missed > MISSED_MAX)
        fprintf(out, "not done: %zu more faults of the plan\n", missed - MISSED_MAX);
}

static void tell_remarks(const struct assay_link *link, FILE *out)
{
    if (link->unreachable > 0)
        fprintf(out, "the server was not reached %" PRIu64 " times\n", link->unreachable);
    if (link->unread > 0)
        fprintf(out, "%" PRIu64 " pieces were not read in time by their receiver: it may have seen them as one\n",
                link->unread);
    tell_datagrams(link, out);
    tell_plan(link, out);
}

static void summarize(const struct assay_link *link, FILE *out)
{
    const struct assay_link_count *up = &link->count[ASSAY_LINK_UP], *down = &link->count[ASSAY_LINK_DOWN];
    const char *sep = "";
    fprintf(out, "%" PRIu32 " %s, %" PRIu64 " bytes up, %" PRIu64 " bytes down", link->numbers,
            streams(link) ? "connections" : "sessions", up->bytes, down->bytes);
    if (!streams(link))
        fprintf(out, ", %" PRIu64 " datagrams up, %" PRIu64 " datagrams down", up->datagrams, down->datagrams);
    fputs("; faults: ", out);
    for (int k = 0; k < ASSAY_LINK_KINDS; k++) {
        if (link->done[k] == 0)
            continue;
        fprintf(out, "%s%" PRIu64 " %s", sep, link->done[k], assay_link_kinds[k].name);
        sep = ", ";
    }
    fputs(*sep ? "\n" : "none\n", out);
    tell_remarks(link, out);
    fflush(out);
}

/* ---- stopping ---------------------------------------------------------- */

void assay_link_check_end(struct assay_link *link)
{
    if (link->stopping && link->open == 0)
        assay_loop_stop(link->loop);
}

static void stop_listening(struct assay_link *link)
{
    for (size_t i = 0; i < link->listeners_count; i++) {
        if (link->listeners[i].watch.fd < 0)
            continue;
        assay_loop_leave(link->loop, &link->listeners[i].watch);
        close(link->listeners[i].watch.fd);
    }
    link->listeners_count = 0;
}

static void time_is_up(struct assay_loop *loop, struct assay_alarm *alarm)
{
    (void)alarm;
    assay_loop_stop(loop);
}

static void stop(struct assay_link *link)
{
    if (link->stopping) {
        link->interrupted = true;
        assay_loop_stop(link->loop);
        return;
    }
    link->stopping = true;
    if (streams(link)) {
        stop_listening(link);
        assay_link_streams_stop(link);
    }
    assay_loop_alarm(link->loop, &link->grace, assay_clock_after(assay_loop_now(link->loop), GRACE));
    assay_link_check_end(link);
}

static void take_signals(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    while (assay_signals_next(watch->fd) != 0)
        stop(assay_loop_owner(loop));
}

static bool watch_signals(struct assay_link *link)
{
    static const int wanted[] = {SIGTERM, SIGINT, 0};
    link->signals = (struct assay_watch){.ready = take_signals, .fd = assay_signals_open(wanted)};
    return link->signals.fd >= 0 && assay_loop_watch(link->loop, &link->signals, ASSAY_READ);
}

/* ---- the server's namespace --------------------------------------------- */

int assay_link_socket(const struct assay_link *link, enum assay_netns_socket what, const struct assay_address *at,
                      struct assay_net_error *error)
{
    if (link->netns.keeper > 0)
        return assay_netns_socket(&link->netns, what, at, error);
    return what == ASSAY_NETNS_BIND ? assay_udp_bind(at, error) : assay_connect(at, error);
}

static void command_ended(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    (void)events;
    struct assay_link *link = assay_loop_owner(loop);
    assay_loop_leave(loop, watch);
    watch->events = 0;
    if (link->stopping)
        return;
    link->ended = true;
    stop(link);
}

static bool watch_command(struct assay_link *link)
{
    link->command = (struct assay_watch){.ready = command_ended, .fd = link->netns.ended};
    return link->netns.keeper <= 0 || assay_loop_watch(link->loop, &link->command, ASSAY_READ);
}

/* ---- starting ---------------------------------------------------------- */

static bool listen_at(struct assay_link *link, struct assay_net_error *error)
{
    struct assay_address all[ASSAY_ADDRESSES_MAX];
    size_t n = assay_address_resolve(link->config->listen, ASSAY_ADDRESS_LISTEN, all, error);
    for (size_t i = 0; i < n; i++) {
        /* The addresses of one name get one port, if that is left to the system. */
        if (i > 0 && assay_address_port(&all[i]) == 0)
            assay_address_set_port(&all[i], assay_address_port(&link->listeners[0].address));
        if (!(streams(link) ? assay_link_streams_listen : assay_link_datagrams_listen)(link, &all[i], error))
            return false;
    }
    return n > 0;
}

static bool start(struct assay_link *link, struct assay_net_error *error)
{
    link->grace.fire = time_is_up;
    link->loop = assay_loop_new(link);
    link->planned = calloc(link->config->faults->plan.count + 1, sizeof *link->planned);
    if (!link->loop || !link->planned || !watch_signals(link) || !watch_command(link) ||
        !(streams(link) ? assay_link_streams_open : assay_link_datagrams_open)(link)) {
        snprintf(error->text, sizeof error->text, "cannot start: no resources");
        return false;
    }
    link->to_count = assay_address_resolve(link->config->to, ASSAY_ADDRESS_CONNECT, link->to, error);
    return link->to_count > 0 && listen_at(link, error);
}

static void announce(const struct assay_link *link, FILE *out)
{
    char text[ASSAY_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < link->listeners_count; i++) {
        assay_address_format(&link->listeners[i].address, text);
        fprintf(out, "listening on %s:%s\n", streams(link) ? "tcp" : "udp", text);
    }
    fflush(out);
}

static void close_all(struct assay_link *link)
{
    if (link->loop) {
        stop_listening(link);
        (streams(link) ? assay_link_streams_close : assay_link_datagrams_close)(link);
    }
    assay_netns_close(&link->netns);
    if (link->signals.fd >= 0)
        close(link->signals.fd);
    assay_loop_free(link->loop);
    free(link->planned);
}

static void run(struct assay_link *link, FILE *out)
{
    const struct assay_link_config *config = link->config;
    if (config->log)
        fprintf(config->log, "seed %" PRIu64 "\n", config->faults->plan.seed);
    announce(link, out);
    assay_loop_run(link->loop);
    summarize(link, out);
}

enum assay_link_end assay_link_run(const struct assay_link_config *config, FILE *out, struct assay_net_error *error,
                                   int *status)
{
    struct assay_link link = {.config = config, .signals = {.fd = -1}, .netns = {.requests = -1, .ended = -1}};
    enum assay_netns_result netns = ASSAY_NETNS_OK;
    snprintf(error->text, sizeof error->text, "cannot start");
    signal(SIGPIPE, SIG_IGN);
    assay_descriptors_raise();
    if (config->command)
        netns = assay_netns_open(&link.netns, config->command, error);
    bool ok = netns == ASSAY_NETNS_OK && start(&link, error);
    if (ok)
        run(&link, out);
    if (link.ended)
        *status = assay_netns_status(&link.netns);
    close_all(&link);
    if (!ok)
        return netns == ASSAY_NETNS_REFUSED ? ASSAY_LINK_REFUSED : ASSAY_LINK_UNUSABLE;
    if (link.ended)
        return ASSAY_LINK_ENDED;
    return link.interrupted ? ASSAY_LINK_INTERRUPTED : ASSAY_LINK_STOPPED;
}
