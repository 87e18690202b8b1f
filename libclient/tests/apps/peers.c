/* Machines that run by themselves, links of calls, datagrams, frames of one's own: what assay.h says of them, told as
 * lines. usage: peers WHAT ADDRESS [PARAM...] */
#include "dispatch.h"
#include "relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct assay_client *the_client;

static bool effect(void *user, const struct assay_client_event *event)
{
    (void)user;
    printf("effect %s", event->name);
    for (unsigned i = 0; i < event->count; i++)
        printf(" %.*s", (int)event->values[i].size, (const char *)event->values[i].bytes);
    puts("");
    fflush(stdout);
    return true;
}

static void trace(void *user, const struct assay_client_frame *frame)
{
    (void)user;
    printf("%c %s %.*s\n", frame->sent ? '>' : '<', frame->message ? frame->message : "-",
           (int)strcspn(frame->bytes, "\n"), (const char *)frame->bytes);
}

static void tell(const char *what, int status)
{
    printf("%s %s %s\n", what, assay_client_status_name(the_client, status),
           status == ASSAY_CLIENT_OK ? "" : assay_client_message(the_client));
    fflush(stdout);
}

static void on_signal(int number)
{
    (void)number;
    assay_client_stop(the_client);
}

static double cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

/* Until the machine is through; SIGTERM stops it. */
static int run(const char *address, const char *const *params, int64_t deadline_ms)
{
    struct assay_client_options options = {.params = params, .effect = effect, .trace = trace};
    if (assay_client_new(&dispatch_model, address, &options, &the_client) != ASSAY_CLIENT_OK) {
        printf("no client: %s\n", assay_client_problem());
        return 0;
    }
    signal(SIGTERM, on_signal);
    puts("running");
    fflush(stdout);
    int status = assay_client_run(the_client, deadline_ms);
    tell("run", status);
    assay_client_close(the_client);
    return cpu_seconds() > 0.5;
}

/* The same without waiting: what happens, and how long the pauses are. */
static int poll_it(const char *address, const char *const *params)
{
    struct assay_client_options options = {.params = params, .effect = effect};
    struct assay_client_event event = {.kind = ASSAY_CLIENT_CONNECTED};
    if (assay_client_new(&dispatch_model, address, &options, &the_client) != ASSAY_CLIENT_OK)
        return 1;
    int status = assay_client_begin(the_client);
    while (status == ASSAY_CLIENT_OK && event.kind != ASSAY_CLIENT_ENDED) {
        struct pollfd fds[ASSAY_CLIENT_FDS];
        unsigned count = assay_client_fds(the_client, fds);
        poll(fds, count, assay_client_wait_ms(the_client));
        assay_client_process(the_client);
        while (assay_client_next(the_client, &event)) {
            static const char *const kinds[] = {"connected", "result", "effect", "ended", "retrying"};
            printf("%s %s %lld %d\n", kinds[event.kind], assay_client_status_name(the_client, event.status),
                   (long long)event.pause_ms, event.finished);
            fflush(stdout);
        }
    }
    assay_client_close(the_client);
    return cpu_seconds() > 0.5;
}

/* Frames that the application made, to a machine that only listens, for long enough that all answers have come. */
static int send_it(const char *address, const char *const *frames)
{
    struct assay_client_options options = {.trace = trace, .machine = "Sender"};
    int status = assay_client_open(&dispatch_model, address, &options, &the_client);
    for (; status == ASSAY_CLIENT_OK && *frames; frames++)
        tell("send", assay_client_send(the_client, *frames, strlen(*frames)));
    if (status != ASSAY_CLIENT_OK)
        tell("open", status);
    else
        tell("run", assay_client_run(the_client, 2000));
    assay_client_close(the_client);
    return 0;
}

/* Be reachable at an address; told of there, until SIGTERM. */
static int hear(const char *address, const char *const *params)
{
    struct assay_client_options options = {.params = params, .effect = effect, .bind = address};
    if (assay_client_new(&dispatch_model, "udp:127.0.0.1:9", &options, &the_client) != ASSAY_CLIENT_OK)
        return 1;
    signal(SIGTERM, on_signal);
    int status = assay_client_connect(the_client);
    tell("connect", status);
    if (status == ASSAY_CLIENT_OK)
        tell("run", assay_client_run(the_client, -1));
    assay_client_close(the_client);
    return 0;
}

/* Take one connection that the other side makes, and play the machine that receives. */
static int adopt(void)
{
    struct assay_client_options options = {.effect = effect, .machine = "Receiver"};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&at, &size))
        return 1;
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    if (assay_client_new(&relay_model, "127.0.0.1:1", &options, &the_client) != ASSAY_CLIENT_OK)
        return 1;
    tell("adopt", assay_client_adopt(the_client, 0));
    int fd = accept(listener, NULL, NULL);
    tell("adopt", assay_client_adopt(the_client, fd));
    tell("run", assay_client_run(the_client, 10000));
    assay_client_close(the_client);
    close(listener);
    return 0;
}

/* Calls with links of their own: generated functions, waiting. */
static int calls(const char *address, size_t size)
{
    struct relay_client *client;
    char *content = malloc(size + 1);
    memset(content, 'x', size);
    if (relay_new(address, NULL, &client) != ASSAY_CLIENT_OK)
        return 1;
    the_client = relay_base(client);
    tell("say", relay_say(client, "hello", 5));
    tell("post", relay_post(client, content, size));
    relay_close(client);
    free(content);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argv[1], *address = argc > 2 ? argv[2] : "";
    const char *const *rest = (const char *const *)(argv + (argc > 2 ? 3 : 2));
    if (strcmp(what, "run") == 0)
        return run(address, rest, -1);
    if (strcmp(what, "brief") == 0)
        return run(address, rest, 200);
    if (strcmp(what, "poll") == 0)
        return poll_it(address, rest);
    if (strcmp(what, "send") == 0)
        return send_it(address, rest);
    if (strcmp(what, "hear") == 0)
        return hear(address, rest);
    if (strcmp(what, "adopt") == 0)
        return adopt();
    return calls(address, (size_t)atoi(argv[3]));
}
