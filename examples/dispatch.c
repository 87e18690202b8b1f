/* dispatch: asks a dispatch server its three questions and ends when they are answered.
 *
 *     dispatch --server 127.0.0.1:3001 --pause 60
 *
 * It may start before the server does, outlives the server's upgrades, begins
 * anew when an exchange stops midway, and needs no processor time while it
 * waits. A control port takes LOG: the log file is opened anew.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dispatch.h"
#include "shared/options.h"

struct settings {
    const char *server, *control, *log;
    const char *params[4]; /* pause, patience, secret: for both clients */
    bool trace;
};

static volatile sig_atomic_t stopping;
static FILE *log_file;
static const char *log_name;

/* ---- the log ------------------------------------------------------------ */

static int open_log(void)
{
    FILE *file = log_name ? fopen(log_name, "a") : stderr;
    if (!file) {
        fprintf(stderr, "dispatch: %s: %s\n", log_name, strerror(errno));
        return 0;
    }
    if (log_file && log_file != stderr)
        fclose(log_file);
    log_file = file;
    setvbuf(log_file, NULL, _IOLBF, 0);
    return 1;
}

static void note(const char *what, const char *detail)
{
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
    fprintf(log_file, "%s %s%s\n", when, what, detail);
}

static void trace(void *user, const struct assay_client_frame *frame)
{
    size_t size = frame->size;
    (void)user;
    if (size && ((const char *)frame->bytes)[size - 1] == '\n')
        size--;
    fprintf(log_file, "%s %s %.*s\n", frame->sent ? "->" : "<-", frame->address, (int)size, (const char *)frame->bytes);
}

/* ---- the two clients ---------------------------------------------------- */

/* What a client wants done, or tells. True: the exchange is through, or there will be none. */
static int handle(struct assay_client *client, const struct assay_client_event *event, int *status)
{
    char text[64];
    switch (event->kind) {
    case ASSAY_CLIENT_CONNECTED:
        note("connected", "");
        break;
    case ASSAY_CLIENT_RETRYING:
        snprintf(text, sizeof text, "; again in %lld ms", (long long)event->pause_ms);
        note(assay_client_message(client), text);
        break;
    case ASSAY_CLIENT_EFFECT:
        if (strcmp(event->name, "rotate") == 0)
            open_log();
        else if (event->count)
            fprintf(log_file, "%.*s\n", (int)event->values[0].size, (const char *)event->values[0].bytes);
        assay_client_complete(client, event->token, true);
        break;
    case ASSAY_CLIENT_ENDED:
        *status = event->finished ? EXIT_SUCCESS : EXIT_FAILURE;
        note(event->finished ? "all questions were answered" : assay_client_message(client), "");
        return 1;
    case ASSAY_CLIENT_RESULT: /* no call is made */
        break;
    }
    return 0;
}

static int take_events(struct assay_client *client, int *status)
{
    struct assay_client_event event;
    int over = 0;
    assay_client_process(client);
    while (assay_client_next(client, &event))
        over |= handle(client, &event, status);
    return over;
}

static int shorter(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Both clients in one loop; the exchange decides when it is over. */
static int serve(struct assay_client *asker, struct assay_client *control)
{
    int status = EXIT_FAILURE;
    while (!stopping) {
        struct pollfd fds[2 * ASSAY_CLIENT_FDS];
        unsigned n = assay_client_fds(asker, fds);
        int ms = assay_client_wait_ms(asker);
        if (control) {
            n += assay_client_fds(control, fds + n);
            ms = shorter(ms, assay_client_wait_ms(control));
        }
        if (poll(fds, n, ms) < 0 && errno != EINTR) {
            note("poll: ", strerror(errno));
            return EXIT_FAILURE;
        }
        int ignored = 0;
        if (control)
            take_events(control, &ignored);
        if (take_events(asker, &status))
            return status;
    }
    return EXIT_FAILURE;
}

/* ---- the command line --------------------------------------------------- */

static char params[3][300]; /* NAME=VALUE */

/* Seconds, with a fraction if need be, as the spec writes durations. */
static int set_seconds(struct settings *s, unsigned which, const char *name, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= 0 && seconds < 1e6)) {
        fprintf(stderr, "dispatch: --%s '%s': seconds are wanted, e.g. 60 or 0.5\n", name, value);
        return 0;
    }
    snprintf(params[which], sizeof params[which], "%s=%ldms", name, (long)(seconds * 1000));
    s->params[which] = params[which];
    return 1;
}

static int set_secret(struct settings *s, const char *value)
{
    if (strlen(value) > 256) {
        fputs("dispatch: --secret: at most 256 bytes are wanted\n", stderr);
        return 0;
    }
    snprintf(params[2], sizeof params[2], "secret=%s", value);
    s->params[2] = params[2];
    return 1;
}

static int parse(int argc, char **argv, struct settings *s)
{
    static const struct option_help help = {"dispatch [OPTIONS]", NULL, NULL};
    const char *pause = "60", *patience = "30", *secret = "";
    const struct option_row rows[] = {
        OPT_TEXT("server", &s->server, "HOST:PORT", "the server (127.0.0.1:3001)"),
        OPT_TEXT("pause", &pause, "SECONDS", "before a lost connection is tried again (60)"),
        OPT_TEXT("patience", &patience, "SECONDS", "for an answer, before it begins anew (30)"),
        OPT_TEXT("control", &s->control, "HOST:PORT",
                 "where LOG is heard, over UDP (none; the protocol's own port is 3003)"),
        OPT_TEXT("secret", &secret, "TEXT", "what LOG must say as secret_code (none)"),
        OPT_TEXT("log", &s->log, "FILE", "write down what happens (standard error)"),
        OPT_FLAG("trace", &s->trace, "every message that is sent or received, too"),
        OPT_END,
    };
    *s = (struct settings){.server = "127.0.0.1:3001"};
    int first = options_read(argc, argv, rows, &help);
    if (first == OPTIONS_HELP)
        exit(EXIT_SUCCESS);
    if (first >= 0 && first < argc)
        first = options_wrong(rows, &help);
    return first >= 0 && set_seconds(s, 0, "pause", pause) && set_seconds(s, 1, "patience", patience) &&
           set_secret(s, secret);
}

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

static struct assay_client *begin(const struct settings *s, const char *address, const char *transport,
                                  const char *bind)
{
    struct assay_client_options options = {
        .transport = transport, .bind = bind, .params = s->params, .trace = s->trace ? trace : NULL};
    struct assay_client *client;
    if (assay_client_new(&dispatch_model, address, &options, &client) != ASSAY_CLIENT_OK) {
        fprintf(stderr, "dispatch: %s\n", assay_client_problem());
        return NULL;
    }
    int status = assay_client_begin(client);
    if (status == ASSAY_CLIENT_OK || status == ASSAY_CLIENT_UNREACHABLE)
        return client;
    fprintf(stderr, "dispatch: %s\n", assay_client_message(client));
    assay_client_close(client);
    return NULL;
}

int main(int argc, char **argv)
{
    struct settings s;
    if (!parse(argc, argv, &s))
        return 4;
    log_name = s.log;
    if (!open_log())
        return EXIT_FAILURE;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    struct assay_client *control = s.control ? begin(&s, "127.0.0.1:3002", "udp", s.control) : NULL;
    struct assay_client *asker = s.control && !control ? NULL : begin(&s, s.server, "tcp", NULL);
    int status = asker ? serve(asker, control) : 4;
    assay_client_close(asker);
    assay_client_close(control);
    if (log_file != stderr)
        fclose(log_file);
    return status;
}
